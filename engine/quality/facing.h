/* facing.h - a column of the real table beside the same column of another one.
 *
 * Two tables were read on their own: the code 3 of one is not the code 3 of the other, and what one
 * took for numbers the other may hold as texts. Here both sides get the real column's kind: values as
 * they are, or codes into one common list of categories, so that the metrics compare plain arrays.
 *
 *     real table    "red" 0, "blue" 1                   common list   "red" 0, "blue" 1, "green" 2
 *     other table   "green" 0, "red" 1, "red" 1         other codes   2, 0, 0
 *
 * Categories are compared as the text of their cells, except where every text on both sides is a number
 * ("1" and "1.0") or a truth value ("TRUE" and "True"): then by what they mean, as data frames do.
 *
 * Threads: a list of faces is made by one thread and may then be read from any.
 */
#ifndef RF_ENGINE_QUALITY_FACING_H
#define RF_ENGINE_QUALITY_FACING_H

#include "core/arena.h"
#include "engine/quality/words.h"
#include "engine/table/table.h"

typedef struct rfi_side {
    int64_t n_rows, n_missing; /* n_missing: without the cells whose text did not fit the kind */
    const double *values;      /* (n_rows) NaN = missing; NULL for a coded kind          */
    const int32_t *codes;      /* (n_rows) -1 = missing, else 0..n_categories-1; or NULL */
} rfi_side;

typedef struct rfi_facing {
    int32_t field, other_field; /* other_field: -1 when the other table has no such column */
    rf_kind kind;               /* the real column's                                       */
    bool clash;                 /* the other side cannot be read as that kind              */
    bool modelled;              /* a kind that is scored, on both sides: real and other are filled */
    int32_t n_categories;       /* in the common list; 0 for values                        */
    const rfi_word *categories; /* (n_categories) texts, lent by the tables or the arena   */
    rfi_side real, other;
} rfi_facing;

/* Faces the real table's `fields` (n_fields numbers of fields) with the other table's columns of the
 * same labels. The result lives in `arena` and lends from both tables. */
rf_code rfi_face(rfi_facing **out, rf_arena *arena, const rf_table *real, const rf_table *other,
                 const int32_t *fields, int32_t n_fields, rf_error *err) RF_MUST_CHECK;

/* Numbers and datetimes, which the reports call continuous; the other modelled kinds are discrete. */
bool rfi_kind_is_continuous(rf_kind kind);
bool rfi_kind_is_modelled(rf_kind kind);

/* What a data frame that was read from the same file would call the column's type ("int64", "float64",
 * "bool", "object", "datetime64[ns]"): the data structure score compares these names. */
const char *rfi_physical_type(const rf_field *field, const rf_column *column, int64_t n_rows);

#endif
