/* quality.h - how good and how honest a synthetic table is.
 *
 *     rf_quality_options options = {.seed = 7};
 *     RF_TRY(rf_quality_evaluate(&quality, real, synthetic, &options, pool, err));
 *     rf_quality_json(quality, real, NULL, &buf);
 *     rf_quality_free(quality);
 *
 * The Quality and Diagnostic reports are SDMetrics' own definitions (version 0.32.0), so that every
 * number can be checked with that package; column pair trends are given with its gate (strong real
 * pairs only) and without (every pair, as in the papers). What is named differently here is ours:
 * missing-value, range and category coverage, exact copies, distance to the closest record. Each number
 * and its public source is listed in docs/report.md.
 *
 * One difference is meant: above 50,000 rows SDMetrics draws 50,000 of them, unseeded, for each pair
 * with a category in it, so its scores vary from run to run. Here every row of every pair is counted.
 *
 * A score that cannot be computed is NaN and leaves the means, as in SDMetrics; `problem` says why.
 *
 * Threads: evaluate uses the pool, and its numbers do not depend on how many threads that has. The
 * result is then read-only and may be read from any thread.
 */
#ifndef RF_ENGINE_QUALITY_QUALITY_H
#define RF_ENGINE_QUALITY_QUALITY_H

#include <stdatomic.h>

#include "core/buf.h"
#include "core/pool.h"
#include "engine/table/metadata.h"
#include "engine/table/table.h"

/* Texts are static: they live as long as the program. */
typedef struct rf_quality_column {
    int32_t field;               /* of the real table's schema                                    */
    bool modelled;               /* takes part in shapes and pairs (not an id)                     */
    bool key;                    /* primary or alternate key                                       */
    double shape;                /* KSComplement or TVComplement; NaN with `problem` set           */
    const char *metric;          /* NULL when not modelled                                         */
    const char *problem;
    double validity;             /* Boundary or Category adherence; KeyUniqueness for a key        */
    const char *validity_metric; /* NULL when there is nothing to check                            */
    const char *validity_problem;
    double format_validity;      /* Datetime or Regex format adherence; NaN when it has no format  */
    const char *format_metric;   /* NULL when it has no format                                     */
    const char *format_problem;
    double missing_real, missing_synthetic; /* rates                                               */
    double missing_similarity;
    double coverage;             /* range or category; NaN where undefined                         */
    const char *coverage_metric; /* NULL when not modelled                                         */
} rf_quality_column;

typedef struct rf_quality_pair {
    int32_t a, b;             /* fields of the real table, in the report's order                   */
    double score;             /* without gate; NaN with `problem` set                              */
    const char *metric;       /* CorrelationSimilarity or ContingencySimilarity                    */
    const char *problem;
    double real_correlation, synthetic_correlation; /* numeric pairs, else NaN                     */
    double real_association;  /* Cramer's V of the real pair, else NaN                             */
    bool gated_in;            /* strong enough in the real table (|rho| > 0.5, V > 0.3)            */
} rf_quality_pair;

/* Distances are in 0..1: the mean over the modelled columns of |a - b| / range of the real column (cut
 * at 1), or 0 and 1 for equal and different categories; see docs/report.md. */
typedef struct rf_dcr_summary {
    int64_t n_synthetic, n_real; /* rows that were compared; 0 when it was not computed            */
    double min, p5, median, mean, max;
    double share_zero;           /* of the n_synthetic rows, those at distance 0                   */
} rf_dcr_summary;

typedef struct rf_quality {
    rf_arena arena;
    int64_t n_real, n_synthetic;
    double shapes, trends_gated, trends_all; /* property scores                                    */
    double overall_gated, overall_all;       /* mean of shapes and trends                          */
    double validity, structure, diagnostic;
    double key_uniqueness;        /* of a primary key of several columns, one row of `validity`; else NaN */
    int32_t n_key_columns;        /* how many columns that key has, else 0                         */
    int32_t n_columns;            /* in the metadata's order, else the table's                     */
    rf_quality_column *columns;
    int32_t n_pairs, n_pairs_gated_in;
    rf_quality_pair *pairs;
    int64_t exact_copies;         /* synthetic rows equal to a real row in every modelled column   */
    rf_dcr_summary dcr;           /* synthetic against real                                        */
    bool has_holdout;
    int64_t n_holdout;
    rf_dcr_summary dcr_holdout;   /* holdout against real: the yardstick                           */
    int64_t holdout_copies;       /* exact copies among the holdout's rows                         */
    double seconds;
} rf_quality;

typedef struct rf_quality_options {
    const rf_table *holdout;       /* or NULL                                                      */
    const rf_metadata *metadata;   /* or NULL: column order, keys, ranges, formats                 */
    uint64_t seed;                 /* of the subsamples                                            */
    int64_t dcr_synthetic_max;     /* 0: 10,000                                                    */
    int64_t dcr_real_max;          /* 0: 100,000                                                   */
    bool no_dcr;
    const atomic_int *stop;        /* or NULL; once it is not 0 the evaluation soon ends: INTERRUPTED */
} rf_quality_options;

/* The kinds are the real table's; the synthetic one's columns are found by name and its cells are read
 * as those kinds. Columns that it lacks lower `structure` and are not scored; ignored columns are left
 * out. With metadata only the columns that it names are reported. INPUT when no column is common.
 * options may be NULL, pool may be NULL (one thread). */
rf_code rf_quality_evaluate(rf_quality **out, const rf_table *real, const rf_table *synthetic,
                            const rf_quality_options *options, rf_pool *pool, rf_error *err) RF_MUST_CHECK;
void rf_quality_free(rf_quality *quality);

/* What the page says about the run, beside the scores; every pointer may be NULL. */
typedef struct rf_report_context {
    const char *title;       /* "adult.csv"                 */
    const char *model;       /* "ctgan"                     */
    const char *params_json; /* one object                  */
    uint64_t seed;
    bool has_seed;
    double train_seconds, sample_seconds;
    const char *device;      /* "cpu, 2 threads"            */
    const char *created;     /* RFC 3339                    */
    const rf_notes *notes;
} rf_report_context;

/* One JSON document (docs/report.md lists its keys) and a newline. context may be NULL. */
void rf_quality_json(const rf_quality *quality, const rf_table *real, const rf_report_context *context,
                     rf_buf *out);

/* One self-contained page. */
void rf_quality_html(const rf_quality *quality, const rf_table *real, const rf_table *synthetic,
                     const rf_report_context *context, rf_buf *out);

/* A dozen lines for a terminal: the scores, the weakest columns and pairs. */
void rf_quality_text(const rf_quality *quality, const rf_table *real, rf_buf *out);

#endif
