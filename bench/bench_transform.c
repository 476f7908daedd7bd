/* bench_transform - how long a table takes to become codes and back, one JSON object a line.
 *
 * Adult (ROWFORGE_DATA, or ../shared/data; without it a generated table of as many rows): fit and encode,
 * and the way back, with one and two threads. Then the mixture of one column of a million distinct values.
 * Before anything is timed the result is checked: the components that are kept in Adult's columns, and that
 * a table comes back from its codes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_clock.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "core/philox.h"
#include "engine/table/demo.h"
#include "engine/transform/mixture.h"
#include "engine/transform/transform.h"

enum { RUNS = 15, COLUMN_RUNS = 7, COLUMN_VALUES = 1000000, ADULT_ROWS = 32561 };

static const rf_transform_options options = {.seed = 1};

/* `cpu` and `seconds` are sorted here. */
static void report(const char *what, int threads, double *seconds, double *cpu, int n, double limit_ms)
{
    qsort(seconds, (size_t)n, sizeof *seconds, by_value);
    qsort(cpu, (size_t)n, sizeof *cpu, by_value);
    printf("{\"bench\": \"transform\", \"what\": \"%s\", \"threads\": %d, \"median_ms\": %.1f, \"low_ms\": "
           "%.1f, "
           "\"high_ms\": %.1f, \"cpu_ms\": %.1f, \"limit_ms\": %.0f}\n",
           what, threads, seconds[n / 2] * 1e3, seconds[0] * 1e3, seconds[n - 1] * 1e3, cpu[n / 2] * 1e3,
           limit_ms);
}

/* ---- a table -------------------------------------------------------------------------------- */

static rf_code read_table(rf_table **out, bool *adult, rf_error *err)
{
    const char *folder = getenv("ROWFORGE_DATA");
    char path[512];
    const rf_table_options read = {0};
    snprintf(path, sizeof path, "%s/adult.csv", folder ? folder : "../shared/data");
    *adult = rf_table_read(out, path, &read, NULL, err) == RF_OK;
    return *adult ? RF_OK : rf_demo_table(out, ADULT_ROWS, 1, err);
}

/* Share of numbers that come back as they were (the others lay beyond four standard deviations), over all
 * numeric columns. */
static double returned(const rf_table *before, const rf_table *after)
{
    int64_t same = 0, all = 0;
    for (int32_t i = 0; i < before->schema.n_fields; i++) {
        for (int64_t row = 0; before->columns[i].values && row < before->n_rows; row++) {
            const double x = before->columns[i].values[row], y = after->columns[i].values[row];
            same += x == y || (isnan(x) && isnan(y));
            all++;
        }
    }
    return all > 0 ? (double)same / (double)all : 1.0;
}

/* Adult has 6 numbers and 9 texts; the reference keeps 46 to 48 components and so comes to 157 or 158
 * columns. */
static bool check(const rf_transform *transform, const rf_table *table, const rf_table *back, bool adult)
{
    const rf_layout *layout = rf_transform_layout(transform);
    const double share = returned(table, back);
    printf("{\"bench\": \"transform\", \"what\": \"check\", \"adult\": %s, \"width\": %d, "
           "\"condition_width\": %d, \"numbers_returned\": %.4f}\n",
           adult ? "true" : "false", layout->width, layout->condition_width, share);
    return share > 0.9 &&
           (!adult || (layout->condition_width == 104 && layout->width >= 150 && layout->width <= 162));
}

static rf_code time_table(const rf_table *table, bool adult, int threads, bool *fine, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_pool *pool = NULL;
    double there[RUNS + 1], back_again[RUNS + 1], there_cpu[RUNS + 1], back_cpu[RUNS + 1];
    RF_TRY(rf_pool_create(&pool, threads, err));
    for (int run = 0; run <= RUNS && rc == RF_OK; run++) {
        rf_transform *transform = NULL;
        rf_coded coded = {0};
        rf_table *back = NULL;
        const double start = rf_clock_s(), start_cpu = cpu_s();
        rc = rf_transform_fit(&transform, table, &options, pool, NULL, err);
        if (rc == RF_OK)
            rc = rf_transform_apply(transform, table, 2, pool, &coded, err);
        const double middle = rf_clock_s(), middle_cpu = cpu_s();
        if (rc == RF_OK)
            rc = rf_transform_invert(transform, &coded, 0, 3, pool, &back, err);
        there[run] = middle - start;
        back_again[run] = rf_clock_s() - middle;
        there_cpu[run] = middle_cpu - start_cpu;
        back_cpu[run] = cpu_s() - middle_cpu;
        if (rc == RF_OK && run == 0 && threads == 1)
            *fine = check(transform, table, back, adult);
        rf_table_free(back);
        rf_coded_free(&coded);
        rf_transform_free(transform);
    }
    if (rc != RF_OK)
        goto out;
    report("fit and encode", threads, there + 1, there_cpu + 1, RUNS, 100.0); /* the first run warms up */
    report("decode", threads, back_again + 1, back_cpu + 1, RUNS, 130.0);
out:
    rf_pool_free(pool);
    return rc;
}

/* ---- a column ------------------------------------------------------------------------------- */

static double uniform(int64_t i)
{
    const rf_philox_block b = rf_philox((rf_draw){.seed = 4, .purpose = RF_DRAW_DEMO}, (uint32_t)i);
    return rf_uniform_f64(b.word[0], b.word[1]);
}

/* 40 % about 100, 30 % from 1000 to 1300, 30 % from 0 to 5000. */
static void fill_column(double *values)
{
    for (int64_t i = 0; i < COLUMN_VALUES; i++) {
        const double u = uniform(4 * i), v = uniform(4 * i + 1), w = uniform(4 * i + 2);
        values[i] = u < 0.4 ? 100.0 * (v + w) : u < 0.7 ? 1000.0 + 300.0 * v * w : 5000.0 * v * v;
    }
}

/* The mixture's mean is the column's. */
static bool check_column(const rf_mixture *mixture, const double *values)
{
    double mean = 0.0, got = 0.0;
    for (int64_t i = 0; i < COLUMN_VALUES; i++)
        mean += values[i] / COLUMN_VALUES;
    for (int32_t k = 0; k < mixture->n; k++)
        got += mixture->weight[k] * mixture->mean[k];
    return fabs(got - mean) < 1e-3 * mean && mixture->n_kept >= 3;
}

static rf_code time_column(bool *fine, rf_error *err)
{
    rf_code rc = RF_OK;
    double *values = NULL, seconds[COLUMN_RUNS + 1], cpu[COLUMN_RUNS + 1];
    RF_TRY(RF_NEW_ARRAY(&values, COLUMN_VALUES, "a column", err));
    fill_column(values);
    for (int run = 0; run <= COLUMN_RUNS; run++) {
        rf_mixture mixture;
        const rf_mixture_options with = {.seed = 1, .scaled_floor = true};
        const double start = rf_clock_s(), start_cpu = cpu_s();
        RF_TRY(rf_mixture_fit(&mixture, values, COLUMN_VALUES, &with, err));
        seconds[run] = rf_clock_s() - start;
        cpu[run] = cpu_s() - start_cpu;
        if (run == 0)
            *fine = *fine && check_column(&mixture, values);
    }
    report("a column of 1,000,000 distinct values", 1, seconds + 1, cpu + 1, COLUMN_RUNS, 300.0);
out:
    rf_free(values);
    return rc;
}

int main(void)
{
    rf_code rc = RF_OK;
    rf_error error = {0}, *err = &error;
    rf_table *table = NULL;
    bool adult, fine = false;
    RF_TRY(read_table(&table, &adult, err));
    RF_TRY(time_table(table, adult, 1, &fine, err));
    RF_TRY(time_table(table, adult, 2, &fine, err));
    RF_TRY(time_column(&fine, err));
out:
    rf_table_free(table);
    if (rc != RF_OK)
        fprintf(stderr, "bench_transform: %s\n", error.message);
    else if (!fine)
        fprintf(stderr, "bench_transform: a result is wrong\n");
    return rc != RF_OK || !fine;
}
