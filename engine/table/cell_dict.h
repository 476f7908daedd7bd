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
    uint64_t first, second; /* the text as two words, zeros behind it: no text of a table holds a zero */
    int32_t code;
} rfi_dict_front;

/* The same for 17 to 32 bytes: the first and the last 16, and the length. */
typedef struct rfi_dict_long {
    uint64_t words[4];
    uint32_t length;
    int32_t code;
} rfi_dict_long;

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
    rfi_dict_long *longs; /* NULL before the first */
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

/* Loaded from 16 - n on: n bytes of ones, then zeros. */
extern const unsigned char rfi_dict_mask[2 * RFI_DICT_SHORT];

/* Where a text stands in front. Collisions only cost time, so this need not be a good hash. */
static inline size_t rfi_dict_front_at(uint64_t first, uint64_t second, size_t mask)
{
    return (size_t)((first ^ (second << 29 | second >> 35)) * 0x9E3779B97F4A7C15u >> 40) & mask;
}

/* What the front says of 1 to 16 bytes, of which 16 may be read; NULL when it does not know them. It
 * knows no text that begins with a quote, so a cell need not be decoded before it is looked up. */
static inline const rfi_dict_front *rfi_dict_find_front(const rfi_dict_front *front, size_t mask,
                                                        const char *text, size_t length)
{
    uint64_t words[2], ones[2];
    memcpy(words, text, sizeof words);
    memcpy(ones, rfi_dict_mask + RFI_DICT_SHORT - length, sizeof ones);
    const uint64_t first = words[0] & ones[0], second = words[1] & ones[1];
    const rfi_dict_front *found = &front[rfi_dict_front_at(first, second, mask)];
    return ((found->first ^ first) | (found->second ^ second)) == 0 ? found : NULL;
}

int32_t rfi_dict_code_slow(rfi_dict *dict, const char *text, size_t length, const char *limit, bool quoted);

/* The code of a text that is not empty; `limit` is the end of what may be read behind it. */
static inline int32_t rfi_dict_code(rfi_dict *dict, const char *text, size_t length, const char *limit)
{
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
