/* transform.h - a table's columns to coded rows, and back.
 *
 *     RF_TRY(rf_transform_fit(&transform, table, &options, pool, notes, err));
 *     RF_TRY(rf_transform_apply(transform, table, seed, pool, &coded, err));     // once, before training
 *     ... a model learns rf_transform_layout(transform) and coded, and later fills coded rows ...
 *     RF_TRY(rf_transform_invert(transform, &rows, first_row, seed, pool, &synthetic, err));
 *
 * A numeric column (integer, continuous, datetime) becomes a scalar and a code: the variational Bayesian
 * Gaussian mixture of mixture.h. Where it has missing cells, the code has one more category, the last, that
 * says "missing" (the scalar is 0 there), so that missingness is learned with everything else. A boolean or
 * categorical column becomes one code, in order of first appearance, missing last, and takes part in
 * conditions; so does a number that is either one value or missing. Ids are not learned (ids.h says how new
 * ones are made); an id column's missing cells, unless it is the primary key, are put back at random.
 * Constant and all-missing columns are kept aside and written back as they were.
 *
 * Many categories: at most `max_categories` codes of a column are modelled (the most frequent, ties by
 * first appearance); the others share one code "rare", which gives back one of the rare texts, drawn by
 * their frequencies. Of these the most frequent 65,536, and at most 32 MiB, are kept.
 *
 * compat: the public reference's own treatment of numbers: missing ones become the mean and are put back at
 * random by their share, and the mixture's variance floor is 1e-6 in whatever unit (without compat: see
 * scaled_floor in mixture.h).
 *
 * The transform holds no row of the table. Threads: apply and invert only read it; any thread.
 */
#ifndef RF_ENGINE_TRANSFORM_TRANSFORM_H
#define RF_ENGINE_TRANSFORM_TRANSFORM_H

#include <stdatomic.h>

#include "core/buf.h"
#include "core/notes.h"
#include "core/pool.h"
#include "engine/table/table.h"
#include "kernels/span.h"

typedef struct rf_transform rf_transform;

typedef struct rf_transform_options {
    int32_t max_categories; /* 0: 1,000                                           */
    bool compat;
    uint64_t seed;          /* of the k-means start of each mixture               */
    const atomic_int *stop; /* or NULL; once it is not 0 no further column is begun: INTERRUPTED */
} rf_transform_options;

/* INPUT when nothing can be modelled (only ids, ignored, constant or missing columns), or a value is
 * infinite or beyond 1e140; USAGE for max_categories out of range. Columns that are kept aside, cut short
 * or made in another way than asked are noted. */
rf_code rf_transform_fit(rf_transform **out, const rf_table *table, const rf_transform_options *options,
                         rf_pool *pool, rf_notes *notes, rf_error *err) RF_MUST_CHECK;
void rf_transform_free(rf_transform *transform);

const rf_layout *rf_transform_layout(const rf_transform *transform); /* lent */
const rf_schema *rf_transform_schema(const rf_transform *transform); /* lent; of the table it was fitted on */
int64_t rf_transform_rows(const rf_transform *transform);            /* rows it was fitted on */

/* How often each category of condition entry e (0..condition_width-1) stood in the table. Lent. */
const int64_t *rf_transform_condition_counts(const rf_transform *transform);

/* Codes the table it was fitted on. `seed` draws the mixture components (purpose ENCODE, element = row,
 * step = column). *out is allocated; rf_coded_free. The same bytes for any pool. INPUT for a table with
 * other columns, or with a text that neither has a code nor may be "rare", or missing cells in a column
 * that had none. */
rf_code rf_transform_apply(const rf_transform *transform, const rf_table *table, uint64_t seed, rf_pool *pool,
                           rf_coded *out, rf_error *err) RF_MUST_CHECK;
rf_code rf_coded_create(rf_coded *out, const rf_layout *layout, int64_t n_rows, rf_error *err) RF_MUST_CHECK;
void rf_coded_free(rf_coded *coded);

/* Coded rows to a table (schema without ignored columns). `first_row` is the number of the first row in the
 * whole result: it addresses the draws (rare texts, values inside ids), so a result made in pieces equals
 * one made at once. Ids are unique over all pieces of one seed and equal to no id of the training table.
 * Numbers are rounded to the column's digits and stay in its observed range; one that falls beside a value at which the column piles up
 * becomes that value (atoms.h), except in compat. */
rf_code rf_transform_invert(const rf_transform *transform, const rf_coded *rows, int64_t first_row,
                            uint64_t seed, rf_pool *pool, rf_table **out, rf_error *err) RF_MUST_CHECK;

/* Among the first n rows of an inverted table, the largest and the smallest number of each column become the ends of its
 * observed range (the first of equal ones; nothing in a column without numbers there). A result as large as the table should reach
 * as far as the table does: public metrics bin each side by its own range, so that one missing outlier moves every bin. */
void rf_transform_reach(const rf_transform *transform, rf_table *rows, int64_t n);

/* One wish of --where, checked against the table. */
typedef struct rf_condition {
    int32_t field; /* column of the schema                                                              */
    int32_t span;  /* its code span; -1 for a numeric column: only rejection helps there                */
    int32_t code;  /* the category, -1 for a numeric column                                             */
    int32_t
        rare_text;    /* >= 0: a text inside the "rare" code, to be matched after the inverse               */
    double value;     /* numeric and datetime columns                                                      */
    const char *text; /* as given                                                                          */
} rf_condition;

/* "column=value" (the first '=' that ends a known column's label splits). INPUT for a column that does not
 * exist or is an id or ignored, and for a value never seen (category), that the column's digits cannot
 * write, or outside the observed range (numbers). Numbers are written as in the table (its decimal point),
 * dates in the column's format. An empty value means missing. `out->text` points into `assignment`. */
rf_code rf_transform_condition(const rf_transform *transform, const char *assignment, rf_condition *out,
                               rf_error *err) RF_MUST_CHECK;

/* True when row `row` of an inverted table meets the condition. */
bool rf_condition_holds(const rf_transform *transform, const rf_condition *condition, const rf_table *rows,
                        int64_t row);

/* Binary form, part of the model file; load checks everything (CORRUPT). */
void rf_transform_store(const rf_transform *transform, rf_buf *out);
rf_code rf_transform_load(rf_transform **out, rf_reader *reader, rf_error *err) RF_MUST_CHECK;

#endif
