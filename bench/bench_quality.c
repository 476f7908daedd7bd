/* bench_quality - how long a report takes, one JSON object a line.
 *
 * Adult against its test set when ROWFORGE_DATA (or ../shared/data) has them, else two generated tables of
 * the same size; then the distances of 10,000 rows to the closest of 100,000. Before anything is timed a
 * table is held against itself, where every score must be 1, and Adult against the scores that sdmetrics
 * 0.32.0 gives it.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench_clock.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "engine/quality/quality.h"
#include "engine/table/demo.h"

enum { RUNS = 21, DCR_RUNS = 3 };

static const double adult_shapes = 0.9936708745867535, adult_trends = 0.9821597319140959;

static int complain(const rf_error *err)
{
    fprintf(stderr, "bench_quality: %s\n", err->message);
    return 1;
}

/* ---- tables --------------------------------------------------------------------------------- */

static bool read_adult(rf_table **real, rf_table **test)
{
    const char *folder = getenv("ROWFORGE_DATA");
    char path[2][512];
    const rf_table_options options = {0};
    rf_error err = {0};
    snprintf(path[0], sizeof path[0], "%s/adult.csv", folder ? folder : "../shared/data");
    snprintf(path[1], sizeof path[1], "%s/adult_test.csv", folder ? folder : "../shared/data");
    if (rf_table_read(real, path[0], &options, NULL, &err) != RF_OK)
        return false;
    if (rf_table_read_like(test, path[1], &(*real)->schema, &options, NULL, &err) == RF_OK)
        return true;
    rf_table_free(*real);
    *real = NULL;
    return false;
}

/* ---- checking ------------------------------------------------------------------------------- */

static bool check(const rf_table *real, const rf_table *test, bool adult, rf_error *err)
{
    rf_quality *q = NULL;
    const rf_quality_options options = {.no_dcr = true};
    if (rf_quality_evaluate(&q, real, real, &options, NULL, err) != RF_OK)
        return false;
    bool good = q->shapes == 1 && q->trends_all == 1 && q->diagnostic == 1 && q->exact_copies == q->n_real;
    rf_quality_free(q);
    if (good && adult) {
        if (rf_quality_evaluate(&q, real, test, &options, NULL, err) != RF_OK)
            return false;
        good = fabs(q->shapes - adult_shapes) < 1e-9 && fabs(q->trends_all - adult_trends) < 1e-9;
        rf_quality_free(q);
    }
    if (!good)
        rf_fail(err, RF_INTERNAL, "the scores are wrong: nothing was timed");
    return good;
}

/* ---- timing --------------------------------------------------------------------------------- */

typedef struct timing {
    double median_s, least_s, most_s;
} timing;

static rf_code time_it(timing *out, const rf_table *real, const rf_table *synthetic,
                       const rf_quality_options *options, rf_pool *pool, int runs, rf_error *err)
{
    double seconds[RUNS];
    for (int i = -1; i < runs; i++) { /* the first warms up */
        rf_quality *q = NULL;
        const double start = rf_clock_s();
        const rf_code rc = rf_quality_evaluate(&q, real, synthetic, options, pool, err);
        if (rc != RF_OK)
            return rc;
        seconds[i < 0 ? 0 : i] = rf_clock_s() - start;
        rf_quality_free(q);
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    *out = (timing){.median_s = seconds[runs / 2], .least_s = seconds[0], .most_s = seconds[runs - 1]};
    return RF_OK;
}

static rf_code bench_scores(const rf_table *real, const rf_table *synthetic, const char *name, int threads,
                            rf_error *err)
{
    rf_code rc = RF_OK;
    rf_pool *pool = NULL;
    timing t;
    RF_TRY(rf_pool_create(&pool, threads, err));
    RF_TRY(time_it(&t, real, synthetic, &(rf_quality_options){.no_dcr = true}, pool, RUNS, err));
    printf(
        "{\"name\": \"%s, %d threads\", \"real_rows\": %lld, \"synthetic_rows\": %lld, \"median_ms\": %.2f, "
        "\"least_ms\": %.2f, \"most_ms\": %.2f}\n",
        name, threads, (long long)real->n_rows, (long long)synthetic->n_rows, 1e3 * t.median_s,
        1e3 * t.least_s, 1e3 * t.most_s);
out:
    rf_pool_free(pool);
    return rc;
}

/* The distances are what an evaluation with them takes longer than one without. */
static rf_code bench_distances(const rf_table *real, const rf_table *synthetic, int threads, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_pool *pool = NULL;
    timing with, without;
    RF_TRY(rf_pool_create(&pool, threads, err));
    RF_TRY(time_it(&with, real, synthetic, &(rf_quality_options){0}, pool, DCR_RUNS, err));
    RF_TRY(time_it(&without, real, synthetic, &(rf_quality_options){.no_dcr = true}, pool, DCR_RUNS, err));
    const double seconds = with.median_s - without.median_s;
    printf("{\"name\": \"closest record, %d threads\", \"real_rows\": %lld, \"synthetic_rows\": %lld, "
           "\"median_s\": %.3f, "
           "\"pairs_of_rows_per_s\": %.4g}\n",
           threads, (long long)real->n_rows, (long long)synthetic->n_rows, seconds,
           (double)real->n_rows * (double)synthetic->n_rows / seconds);
out:
    rf_pool_free(pool);
    return rc;
}

int main(void)
{
    rf_code rc = RF_OK;
    rf_error failure = {0}, *err = &failure;
    rf_table *real = NULL, *test = NULL, *many = NULL, *few = NULL;
    const bool adult = read_adult(&real, &test);
    if (!adult) {
        RF_TRY(rf_demo_table(&real, 32561, 1, err));
        RF_TRY(rf_demo_table(&test, 16281, 2, err));
    }
    if (!check(real, test, adult, err)) {
        rc = RF_INTERNAL;
        goto out;
    }
    for (int threads = 1; threads <= 2; threads++)
        RF_TRY(bench_scores(real, test, adult ? "scores of adult" : "scores of a generated table", threads,
                            err));
    RF_TRY(rf_demo_table(&many, 100000, 1, err));
    RF_TRY(rf_demo_table(&few, 10000, 2, err));
    for (int threads = 1; threads <= 2; threads++)
        RF_TRY(bench_distances(many, few, threads, err));
out:
    rf_table_free(few);
    rf_table_free(many);
    rf_table_free(test);
    rf_table_free(real);
    return rc == RF_OK ? 0 : complain(err);
}
