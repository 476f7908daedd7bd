/* ids.h - new names for rows: of the old ones' make, unique, and never one of them.
 *
 * Two makes are known.
 *
 *   SEQUENCE  prefix, whole number, suffix ("17264", "user-0042"). New ids go on after the largest number,
 *             so none can be an old one, and keep the width while it lasts. Chosen for numbers that run on
 *             (dense), or that leave room above and none between them.
 *   TEMPLATE  fixed positions, each with a set of characters ("[A-Z]{3}-\d{4}", a UUID): from a regex, or
 *             learned from the ids with the commonest layout (length, and places of what is neither letter nor
 *             digit). Numbers of several digits in it stay below the largest that was seen. When it would have
 *             too few texts, its longest number gets more digits.
 *
 * How a template stays clear of the old ids without remembering them: its texts are numbered 0..size-1 and
 * the numbers scrambled by a keyed bijection. The old ids then lie scattered over the scrambled numbers,
 * and between them lie gaps. The widest gaps, trimmed at both ends so that no border points at an old id,
 * are kept as intervals; every scrambled number inside one unscrambles to a text of the right make that was
 * in no row. Row r of a result takes place sigma(r), where sigma is a bijection of all places keyed by the
 * result's seed: no two rows share one, in whatever pieces the result is made.
 *
 * A template may be used up (a result longer than the gaps). From there on a text is lengthened by "-" and
 * a number, filled with zeros to a length that no old id has: still unique, still new.
 *
 * What an id model tells about the old ids: their make, and of a sequence the largest number.
 *
 * Regex forms that are understood: literals, escaped literals, \d \w \s, ".", classes with ranges and
 * negation, groups, ^ at the begin and $ at the end, and the quantifiers {n} {m,n} {m,} ? + *. Where a
 * number of repetitions is free, one is taken for all: the largest (at most 8 where there is no limit).
 * Alternation and everything else is not understood; the ids' own make is learned then.
 */
#ifndef RF_ENGINE_TRANSFORM_IDS_H
#define RF_ENGINE_TRANSFORM_IDS_H

#include "core/buf.h"
#include "engine/table/table.h"

enum {
    RFI_ID_POSITIONS_MAX = 128, /* characters of a template             */
    RFI_ID_GAPS_MAX = 256,
    RFI_ID_AFFIX_MAX = 128, /* bytes of a sequence's prefix, suffix */
    RFI_ID_TEXT_MAX = 512,  /* bytes of an id that is made here     */
};

typedef struct rfi_id_position {
    int32_t n; /* 1..95 */
    char chars[95];
} rfi_id_position;

/* Texts numbered 0..size-1 by their first n_head positions; positions after them, when size would pass
 * 2^62, follow from the number. */
typedef struct rfi_id_template {
    int32_t n_positions, n_head;
    rfi_id_position positions[RFI_ID_POSITIONS_MAX];
    uint64_t size;
} rfi_id_template;

typedef struct rfi_id_gap {
    uint64_t first, n;
} rfi_id_gap;

typedef struct rfi_ids {
    bool is_sequence;
    double missing_share; /* cells left empty, at random */

    /* sequence */
    char prefix[RFI_ID_AFFIX_MAX + 1], suffix[RFI_ID_AFFIX_MAX + 1];
    int32_t digits; /* least width, filled with zeros; 1 when numbers are not */
    uint64_t next;  /* the first new number */

    /* template */
    rfi_id_template template;
    uint64_t key;        /* of the scrambling                   */
    int32_t long_length; /* bytes of a lengthened text       */
    int32_t n_gaps;      /* none: every text must be lengthened */
    rfi_id_gap gaps[RFI_ID_GAPS_MAX];
    uint64_t n_places; /* sum of the gaps */
} rfi_ids;

/* From the column's distinct texts. *regex_refused: the field has a regex that is not understood. INPUT
 * when old ids come in so many lengths that none is free for a lengthened text. */
rf_code rfi_ids_learn(rfi_ids **out, const rf_dict *dict, const rf_field *field, double missing_share,
                      uint64_t seed, uint32_t column, bool *regex_refused, rf_error *err) RF_MUST_CHECK;
void rfi_ids_free(rfi_ids *ids);

/* The id of row `row`; returns its length. */
size_t rfi_ids_make(const rfi_ids *ids, int64_t row, uint64_t seed, uint32_t column,
                    char out[RFI_ID_TEXT_MAX]);

/* Binary form; load checks all of the above (CORRUPT). */
void rfi_ids_store(const rfi_ids *ids, rf_buf *out);
rf_code rfi_ids_load(rfi_ids **out, rf_reader *reader, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ id_template.c */

/* False for a regex that is not understood or is longer than a template may be. */
bool rfi_id_template_parse(rfi_id_template *out, const char *regex);

/* From the ids of the commonest layout, or else length (in printable ASCII), or a make of our own when there are
 * none. *roomy: as it was found it has texts enough for many more ids than the old; else it was widened. NO_MEMORY. */
rf_code rfi_id_template_learn(rfi_id_template *out, const rf_dict *dict, bool *roomy,
                              rf_error *err) RF_MUST_CHECK;

/* Finds n_head and size; call after the positions changed. */
void rfi_id_template_count(rfi_id_template *t);

/* The number of a text; false when it is not of this make. */
bool rfi_id_template_rank(const rfi_id_template *t, const char *text, size_t length, uint64_t *rank);

/* Writes text `rank`: n_positions bytes. */
void rfi_id_template_write(const rfi_id_template *t, uint64_t rank, char *out);

/* A bijection of 0..n-1 for each key, and its inverse. 1 <= n <= 2^62. */
uint64_t rfi_permute(uint64_t x, uint64_t n, uint64_t key);
uint64_t rfi_unpermute(uint64_t x, uint64_t n, uint64_t key);

#endif
