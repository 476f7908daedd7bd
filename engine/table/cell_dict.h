/* cell_dict.h - texts to codes, in order of first appearance.
 *
 * A dictionary under construction. Texts of up to 16 bytes, which most categories are, are compared as
 * two words in a small table in front; the rest and the misses go to an open-addressed table. The hash
 * has a key of its own for each run of the program, so that no file can be made to collide; codes come
 * from the order of appearance and never from the hash.
 *
 * Texts that mean "missing" get no code of their own: the token with index j is RFI_CODE_TOKEN(j),
 * whatever blanks stand around it. A quoted token may be a text after all (csv_settle.c decides when the
 * whole file is known), so it has a code that is remembered.
 *
 * Threads: one at a time.
 */
#ifndef RF_ENGINE_TABLE_CELL_DICT_H
#define RF_ENGINE_TABLE_CELL_DICT_H

#include <string.h>

#include "core/error.h"
#include "engine/table/cell_number.h"
#include "engine/table/table.h"

#define RFI_CODE_EMPTY    (-1)                /* an empty cell; also token 0             */
#define RFI_CODE_TOKEN(j) (-1 - (int32_t)(j)) /* j >= 1                                  */

/* The texts that mean "missing". Index 0 is the empty text. */
typedef struct rfi_tokens {
    int32_t n;
    const char *const *texts;
    const size_t *lengths;
    bool with_digits; /* one might be taken for a number or a date: ask for tokens first */
} rfi_tokens;

/* The token that these bytes are, blanks around them left out; -1 when none. */
int32_t rfi_tokens_find(const rfi_tokens *tokens, const char *text, size_t length);

typedef struct rfi_dict_front {
    uint64_t first, last; /* the text as two words, see words_of */
    uint32_t length;
    int32_t code;
} rfi_dict_front;

typedef struct rfi_dict_slot {
    uint32_t tag;
    int32_t stored; /* the code with its top bit turned; 0 = free */
} rfi_dict_slot;

typedef struct rfi_dict {
    const rfi_tokens *tokens;
    int64_t *offsets; /* n + 1 */
    char *bytes;
    size_t offsets_capacity, bytes_capacity;
    int32_t n;
    int32_t *quoted_tokens; /* (tokens->n) code + 1, 0 = not met; NULL before the first */
    rfi_dict_slot *slots;
    rfi_dict_front *front;
    uint32_t slot_mask, front_mask;
    uint64_t key;    /* of the hash */
    bool has_tokens; /* a token was met without quotes */
    bool failed;     /* memory ran out: sticky, codes are RFI_CODE_EMPTY from then on */
    bool full;       /* more than 2^31 texts: sticky too */
} rfi_dict;

void rfi_dict_init(rfi_dict *dict, const rfi_tokens *tokens);
void rfi_dict_free(rfi_dict *dict);
void rfi_dict_clear(rfi_dict *dict); /* no texts, memory kept */
rf_code rfi_dict_check(const rfi_dict *dict, const char *column, rf_error *err) RF_MUST_CHECK;

/* ---- codes --------------------------------------------------------------------------------- */

enum { RFI_DICT_SHORT = 16 /* bytes that two words hold */ };

static inline uint64_t rfi_dict_fold(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t rfi_dict_load(const char *text)
{
    uint64_t word;
    memcpy(&word, text, 8);
    return word;
}

/* Up to 16 bytes as two words that overlap: with the length they say everything. */
static inline void rfi_dict_words(const char *text, size_t length, const char *limit, uint64_t *first,
                                  uint64_t *last)
{
    if (length >= 8) {
        *first = rfi_dict_load(text);
        *last = rfi_dict_load(text + length - 8);
    } else {
        *first = rfi_load_text(text, length, limit) & ((1ull << (8 * length)) - 1);
        *last = 0;
    }
}

static inline uint64_t rfi_dict_hash(uint64_t key, uint64_t first, uint64_t last, size_t length)
{
    return rfi_dict_fold(first ^ key, last ^ (0x9E3779B97F4A7C15u + length * 0xD6E8FEB86659FD93u));
}

int32_t rfi_dict_code_slow(rfi_dict *dict, const char *text, size_t length, const char *limit, bool quoted);

/* The code of a text that is not empty; `limit` is the end of what may be read behind it. */
static inline int32_t rfi_dict_code(rfi_dict *dict, const char *text, size_t length, const char *limit)
{
    if (length <= RFI_DICT_SHORT && dict->front) {
        uint64_t first, last;
        rfi_dict_words(text, length, limit, &first, &last);
        const uint64_t hash = rfi_dict_hash(dict->key, first, last, length);
        const rfi_dict_front *front = &dict->front[hash & dict->front_mask];
        if (front->first == first && front->last == last && front->length == length)
            return front->code;
    }
    return rfi_dict_code_slow(dict, text, length, limit, false);
}

/* The same for a text that stood in quotes. */
static inline int32_t rfi_dict_code_quoted(rfi_dict *dict, const char *text, size_t length, const char *limit)
{
    return rfi_dict_code_slow(dict, text, length, limit, true);
}

/* ---- whole dictionaries -------------------------------------------------------------------- */

/* Adds the texts of `from` in its order; map (from->n) gives their codes here. */
void rfi_dict_merge(rfi_dict *dict, const rfi_dict *from, int32_t *map);

/* The finished texts; the rest is freed. The arrays are cut to size and belong to the caller (rf_free). */
rf_code rfi_dict_finish(rfi_dict *dict, rf_dict *out, rf_error *err) RF_MUST_CHECK;

#endif
