#include "engine/quality/words.h"

#include <assert.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"

rf_code rfi_words_init(rfi_words *map, int32_t capacity, rf_error *err)
{
    rf_code rc = RF_OK;
    *map = (rfi_words){.capacity = capacity, .n_slots = 16};
    while (map->n_slots < 2 * (uint32_t)capacity)
        map->n_slots *= 2;
    RF_TRY(RF_NEW_ARRAY(&map->words, capacity, "a list of texts", err));
    RF_TRY(RF_NEW_ARRAY(&map->slots, map->n_slots, "a list of texts", err));
out:
    return rc;
}

void rfi_words_free(rfi_words *map)
{
    rf_free(map->words);
    rf_free(map->slots);
    *map = (rfi_words){0};
}

/* The slot that holds the text, or the free one where it belongs. Half of the slots are always free, so
 * the walk ends. */
static uint32_t slot_of(const rfi_words *map, const char *text, size_t length, uint64_t hash)
{
    uint32_t slot = (uint32_t)hash & (map->n_slots - 1);
    for (; map->slots[slot]; slot = (slot + 1) & (map->n_slots - 1)) {
        const rfi_word *word = &map->words[map->slots[slot] - 1];
        if (word->hash == hash && word->length == length && memcmp(word->text, text, length) == 0)
            break;
    }
    return slot;
}

int32_t rfi_words_find(const rfi_words *map, const char *text, size_t length)
{
    return map->slots[slot_of(map, text, length, rf_hash_bytes(text, length))] - 1;
}

int32_t rfi_words_add(rfi_words *map, const char *text, size_t length)
{
    const uint64_t hash = rf_hash_bytes(text, length);
    const uint32_t slot = slot_of(map, text, length, hash);
    if (!map->slots[slot]) {
        assert(map->n < map->capacity);
        map->words[map->n++] = (rfi_word){.text = text, .length = length, .hash = hash};
        map->slots[slot] = map->n;
    }
    return map->slots[slot] - 1;
}
