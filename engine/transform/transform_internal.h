/* transform_internal.h - what a fitted transform holds, for the files of this folder. */
#ifndef RF_ENGINE_TRANSFORM_TRANSFORM_INTERNAL_H
#define RF_ENGINE_TRANSFORM_TRANSFORM_INTERNAL_H

#include "engine/transform/atoms.h"
#include "engine/transform/categories.h"
#include "engine/transform/ids.h"
#include "engine/transform/mixture.h"
#include "engine/transform/transform.h"

/* What becomes of a column. Numbers are part of the model file: append, never renumber. */
typedef enum rfi_role {
    RFI_ROLE_IGNORED = 0,  /* not in the result                                             */
    RFI_ROLE_EMPTY = 1,    /* all missing: written back so                                  */
    RFI_ROLE_CONSTANT = 2, /* one value and none missing: written back so                   */
    RFI_ROLE_NUMBER = 3,   /* a scalar and a code                                           */
    RFI_ROLE_CATEGORY = 4, /* a code; also a number that is either one value or missing     */
    RFI_ROLE_ID = 5,       /* made anew                                                     */
    RFI_ROLE_COUNT
} rfi_role;

typedef struct rfi_number {
    double low, high;   /* observed range                                                      */
    double mean;        /* of the present values; in compat it stands for the missing ones     */
    rf_mixture mixture; /* of the values times a power of two: rfi_number_shift */
    rfi_atoms atoms;    /* none in compat */
} rfi_number;

/* A power of two that brings a column of numbers below 1e-100 near 1, since their squares are none to a double; else 0. The
 * mixture is of the values times 2^shift. */
int rfi_number_shift(const rfi_number *number);

/* Parallel to the schema's fields. */
typedef struct rfi_column {
    rfi_role role;
    int64_t n_missing;
    int32_t scalar, code;      /* which of the coded row's, or -1                                          */
    int32_t span;              /* of the code, or -1                                                       */
    int32_t missing_code;      /* the category that says "missing", or -1                                  */
    rfi_number number;         /* NUMBER                                                                   */
    double value;              /* CONSTANT and CATEGORY of a kind held as values: the one value            */
    rfi_categories categories; /* CATEGORY; CONSTANT of a kind held as codes: the one text                 */
    rfi_ids *ids;              /* ID                                                                       */
    int64_t n_hidden;          /* texts of a CATEGORY beyond the modelled ones (fit only, for the warning) */
    bool regex_refused;        /* ID (fit only, for the warning)                                           */
} rfi_column;

struct rf_transform {
    rf_arena arena; /* of the schema's strings */
    rf_schema schema;
    int64_t n_rows;
    bool compat;
    rfi_column *columns; /* (schema.n_fields) */

    /* follows from the columns: rfi_transform_finish */
    rf_layout layout;
    rf_span *spans;
    int64_t *condition_counts; /* (layout.condition_width) */
};

rf_code rfi_transform_create(rf_transform **out, rf_error *err) RF_MUST_CHECK;

/* Numbers the spans once all columns are known. INPUT when there is none. */
rf_code rfi_transform_finish(rf_transform *transform, rf_error *err) RF_MUST_CHECK;

/* Codes of a column's span: kept components or categories, "rare" and "missing" included. */
int32_t rfi_column_width(const rfi_column *column);

/* The smallest step that a column can write; 0 when its numbers are as long as they need to be. */
double rfi_number_unit(const rf_field *field);

/* A number as the column can hold it: rounded to its digits or its format's unit, and inside its observed
 * range. */
double rfi_number_settle(const rfi_column *column, const rf_field *field, double value);

#endif
