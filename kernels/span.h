/* span.h - the list in which transform and model meet.
 *
 * An encoded row is `width` numbers: spans side by side, in the order of the table's columns. A scalar
 * span is one number in [-1, 1]; a code span is a one-hot of `width` entries. Rows are never stored so:
 * they are stored coded, as n_scalars floats and n_codes 16-bit codes a row, and the one-hot exists only
 * in formulas (a weight row is gathered, a softmax is written).
 */
#ifndef RF_KERNELS_SPAN_H
#define RF_KERNELS_SPAN_H

#include <stdint.h>

typedef enum rf_span_kind {
    RF_SPAN_SCALAR, /* tanh    */
    RF_SPAN_CODE,   /* softmax */
} rf_span_kind;

typedef struct rf_span {
    int32_t kind;        /* rf_span_kind                                                            */
    int32_t offset;      /* first entry in the encoded row                                          */
    int32_t width;       /* 1 for a scalar; categories of a code, 1..65535                          */
    int32_t source;      /* which scalar, or which code, of the coded row                           */
    int32_t condition;   /* which conditioned column (0..n_conditions-1), -1 when none              */
    int32_t cond_offset; /* first entry of that column in the condition vector                      */
} rf_span;

typedef struct rf_layout {
    int32_t n_spans;
    int32_t width;           /* D: sum of the spans' widths                                         */
    int32_t n_scalars, n_codes;
    int32_t n_conditions;    /* declared discrete columns that take part in conditions              */
    int32_t condition_width; /* C: sum of their widths                                              */
    const rf_span *spans;    /* (n_spans) by offset                                                 */
} rf_layout;

/* Rows in coded form. Row r: scalars[r*n_scalars ..], codes[r*n_codes ..]. A code equals its category. */
typedef struct rf_coded {
    int64_t n_rows;
    float *scalars;  /* (n_rows, n_scalars) or NULL when there are none */
    uint16_t *codes; /* (n_rows, n_codes) or NULL                       */
} rf_coded;

#endif
