/* cell_dict.h - texts to codes, in order of first appearance.
 *
 * A dictionary under construction. Texts of up to 32 bytes, which most categories are, are compared as
 * words in a small table in front; the rest and the misses go to an open-addressed table. The hash
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
    size_t longest;
    bool with_digits; /* one might be taken for a number or a date: ask for tokens first */
} rfi_tokens;

/* The token that these bytes are, blanks around them left out; -1 when none. */
int32_t rfi_tokens_find(const rfi_tokens *tokens, const char *text, size_t length);

enum { RFI_DICT_SHORT = 16, RFI_DICT_FRONT = 32 /* bytes that the words hold */ };

/* One text in front. Texts with a quote in them are never there, so a cell in quotes whose inside is found needs no
 * decoding; but a token (code < 0) is no answer for it. */
typedef struct rfi_dict_front {
    uint64_t words[4]; /* the text, zeros behind it */
    int32_t code;
    uint32_t length;    /* 0: a free place */
    uint64_t unused[3]; /* a place is a line of the cache */
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
    uint64_t key;          /* of the hash                                                 */
    uint64_t front_factor; /* of places in front                                          */
    int32_t n_evicted;     /* texts that lost their place in front since it was put in order */
    int32_t patience;      /* how many may do so                                          */
    int32_t front_rests;   /* so many tiles are read without it: it knew too few texts    */
    bool has_tokens;       /* a token was met without quotes */
    bool failed;           /* memory ran out: sticky, codes are RFI_CODE_EMPTY from then on */
    bool full;             /* more than 2^31 texts: sticky too */
} rfi_dict;

void rfi_dict_init(rfi_dict *dict, const rfi_tokens *tokens);
void rfi_dict_free(rfi_dict *dict);
void rfi_dict_clear(rfi_dict *dict); /* no texts, memory kept */
rf_code rfi_dict_check(const rfi_dict *dict, const char *column, rf_error *err) RF_MUST_CHECK;

/* ---- codes --------------------------------------------------------------------------------- */

/* Loaded from 16 - n on: n bytes of ones, then zeros. */
extern const unsigned char rfi_dict_mask[2 * RFI_DICT_SHORT];

/* The front as it is now; the next new text may move it. */
typedef struct rfi_dict_view {
    const rfi_dict_front *front;
    uint64_t factor;
    size_t mask;
} rfi_dict_view;
rfi_dict_view rfi_dict_view_of(const rfi_dict *dict);

static inline uint64_t rfi_dict_turn(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

/* Words that differ should meet seldom in one place: 24 bits of their product with a factor that suits the texts. */
enum { RFI_DICT_TURN_1 = 29, RFI_DICT_TURN_2 = 11, RFI_DICT_TURN_3 = 47, RFI_DICT_SHIFT = 40 };
static inline size_t rfi_dict_front_at(rfi_dict_view view, const uint64_t words[4])
{
    const uint64_t mixed = words[0] ^ rfi_dict_turn(words[1], RFI_DICT_TURN_1) ^
                           rfi_dict_turn(words[2], RFI_DICT_TURN_2) ^
                           rfi_dict_turn(words[3], RFI_DICT_TURN_3);
    return (size_t)(mixed * view.factor >> RFI_DICT_SHIFT) & view.mask;
}

/* Up to 16 bytes and zeros; 16 bytes may be read. */
static inline void rfi_dict_load(uint64_t words[2], const char *text, size_t length)
{
    uint64_t ones[2];
    memcpy(words, text, 2 * sizeof *words);
    memcpy(ones, rfi_dict_mask + RFI_DICT_SHORT - length, sizeof ones);
    words[0] &= ones[0];
    words[1] &= ones[1];
}

/* What the front says of 1 to 32 bytes, of which 32 may be read; NULL when it does not know them. */
static inline const rfi_dict_front *rfi_dict_find_front(rfi_dict_view view, const char *text, size_t length)
{
    uint64_t words[4] = {0};
    rfi_dict_load(words, text, length < RFI_DICT_SHORT ? length : RFI_DICT_SHORT);
    if (length > RFI_DICT_SHORT)
        rfi_dict_load(words + 2, text + RFI_DICT_SHORT, length - RFI_DICT_SHORT);
    const rfi_dict_front *found = &view.front[rfi_dict_front_at(view, words)];
    const uint64_t differ = (found->words[0] ^ words[0]) | (found->words[1] ^ words[1]) |
                            (found->words[2] ^ words[2]) | (found->words[3] ^ words[3]) |
                            (found->length ^ length);
    return differ == 0 ? found : NULL;
}

/* A text that is to be coded. */
typedef struct rfi_dict_text {
    const char *text, *limit; /* `limit` is the end of what may be read behind it */
    size_t length;            /* 1 or more                                        */
    bool quoted;              /* it stood in quotes                               */
    int32_t code;             /* the answer                                       */
    int32_t likely;           /* the dictionary's own: what the tag says, or -1   */
    uint64_t hash;
} rfi_dict_text;

/* The codes of some texts, in their order. Of a large dictionary nothing is in a core's caches, and one text after another
 * would wait for its slot, its offset and its bytes in turn; here they are all fetched together. */
enum { RFI_DICT_BATCH = 64 };
void rfi_dict_code_texts(rfi_dict *dict, rfi_dict_text *texts, int n);

/* One text alone. */
static inline int32_t rfi_dict_code(rfi_dict *dict, const char *text, size_t length, const char *limit)
{
    rfi_dict_text one = {.text = text, .limit = limit, .length = length};
    rfi_dict_code_texts(dict, &one, 1);
    return one.code;
}

/* The same for a text that stood in quotes. */
static inline int32_t rfi_dict_code_quoted(rfi_dict *dict, const char *text, size_t length, const char *limit)
{
    rfi_dict_text one = {.text = text, .limit = limit, .length = length, .quoted = true};
    rfi_dict_code_texts(dict, &one, 1);
    return one.code;
}

/* Tells how many of a tile's n cells came to the dictionary because the front did not know them. When nearly all of many
 * texts are new, the front rests: it would be asked in vain. True while it does. */
void rfi_dict_note_front(rfi_dict *dict, int64_t n_unknown, int64_t n);
bool rfi_dict_front_rests(rfi_dict *dict);

/* ---- whole dictionaries -------------------------------------------------------------------- */

/* Adds the texts of `from` in its order, those before `first` left out; map (from->n) gives their codes here. */
void rfi_dict_merge(rfi_dict *dict, const rfi_dict *from, int32_t first, int32_t *map);

/* The finished texts; the rest is freed. The arrays are cut to size and belong to the caller (rf_free). */
rf_code rfi_dict_finish(rfi_dict *dict, rf_dict *out, rf_error *err) RF_MUST_CHECK;

#endif
