/* words.h - texts to small numbers: the same text always gets the same number, 0, 1, 2, … in the order
 * of their first appearance. The texts are lent: they must outlive the map. Threads: one at a time.
 */
#ifndef RF_ENGINE_QUALITY_WORDS_H
#define RF_ENGINE_QUALITY_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct rfi_word {
    const char *text;
    size_t length;
    uint64_t hash;
} rfi_word;

typedef struct rfi_words {
    rfi_word *words; /* (n) by number                              */
    int32_t *slots;  /* (n_slots, a power of two): number + 1 or 0 */
    int32_t n, capacity;
    uint32_t n_slots;
} rfi_words;

/* Room for `capacity` different texts. A failed init leaves a map that may be freed. */
rf_code rfi_words_init(rfi_words *map, int32_t capacity, rf_error *err) RF_MUST_CHECK;
void rfi_words_free(rfi_words *map); /* a zeroed one is fine */

int32_t rfi_words_find(const rfi_words *map, const char *text, size_t length); /* -1: not there */
int32_t rfi_words_add(rfi_words *map, const char *text, size_t length);        /* or find       */

#endif
