/* categories.h - the texts of a discrete column: which are modelled, which share the code "rare", and how
 * often each stood there. */
#ifndef RF_ENGINE_TRANSFORM_CATEGORIES_H
#define RF_ENGINE_TRANSFORM_CATEGORIES_H

#include "core/buf.h"
#include "engine/table/table.h"

enum {
    RFI_CATEGORIES_DEFAULT = 1000,
    RFI_CATEGORIES_MAX = 60000, /* with "rare" and "missing" still a 16-bit code */
    RFI_RARE_MAX = 65536,       /* rare texts that are kept to be given back      */
    RFI_RARE_BYTES_MAX = 32 << 20,
};

typedef struct rfi_categories {
    rf_dict texts;       /* modelled, in order of first appearance: codes 0 .. texts.n-1             */
    int32_t rare_code;   /* texts.n, or -1                                                           */
    int32_t n;           /* codes in all: texts, rare, missing                                       */
    int64_t *counts;     /* (n)                                                                      */
    rf_dict rare;        /* texts behind the rare code: the most frequent ones, in order of appearance */
    int64_t *rare_until; /* (rare.n) their counts, summed up                                         */
} rfi_categories;

void rfi_categories_free(rfi_categories *categories);

/* From a column's dictionary and how often each of its codes stands in the table. *n_hidden: distinct texts
 * that are not modelled. `out` is zeroed before; on failure the caller frees it all the same. */
rf_code rfi_categories_learn(rfi_categories *out, const rf_dict *dict, const int64_t *counts,
                             int64_t n_missing, int32_t max_categories, int64_t *n_hidden,
                             rf_error *err) RF_MUST_CHECK;

/* One numeric value and "missing". */
rf_code rfi_categories_learn_pair(rfi_categories *out, int64_t n_present, int64_t n_missing,
                                  rf_error *err) RF_MUST_CHECK;

/* The rare text for a draw u of 0 .. total-1, where total is rare_until[rare.n-1]. */
int32_t rfi_categories_find_rare(const rfi_categories *categories, int64_t u);

/* Position of a text in a dictionary; -1 when it is not there. Linear: for single questions. */
int32_t rfi_dict_find(const rf_dict *dict, const char *text, size_t length);

/* The same in constant time, for many questions. */
typedef struct rfi_text_index {
    const rf_dict *dict;
    int32_t *slots; /* code + 1, 0 = free */
    uint32_t mask;
} rfi_text_index;
rf_code rfi_text_index_create(rfi_text_index *out, const rf_dict *dict, rf_error *err) RF_MUST_CHECK;
void rfi_text_index_free(rfi_text_index *index);
int32_t rfi_text_index_find(const rfi_text_index *index, const char *text, size_t length);

/* A dictionary of chosen texts of another: codes[0..n-1] of `from`. Its parts belong to rfi_texts_free. */
rf_code rfi_dict_select(rf_dict *out, const rf_dict *from, const int32_t *codes, int32_t n,
                        rf_error *err) RF_MUST_CHECK;
void rfi_texts_free(rf_dict *dict);

/* Binary form; load checks that counts are not negative, texts distinct and sums right (CORRUPT). */
void rfi_categories_store(const rfi_categories *categories, rf_buf *out);
rf_code rfi_categories_load(rfi_categories *out, rf_reader *reader, rf_error *err) RF_MUST_CHECK;

#endif
