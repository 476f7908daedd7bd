#include "engine/table/profile.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"

enum {
    DIGIT_BITS = 11, /* of the radix sort: 6 passes over 64 bits, histograms that stay in L1 */
    DIGIT_SIZE = 1 << DIGIT_BITS,
    N_PASSES = (64 + DIGIT_BITS - 1) / DIGIT_BITS,
};

/* ---------------------------------------------------------------- sorting doubles */

/* Order of the bits = order of the numbers: negative ones are turned over. */
static uint64_t key_of(double value)
{
    uint64_t bits;
    value += 0.0; /* -0 and 0 are one value */
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static double value_of(uint64_t key)
{
    const uint64_t bits = key >> 63 ? key & ~((uint64_t)1 << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Sorts n keys from `from` to and fro; returns whichever of the two holds the result. */
static uint64_t *sort_keys(uint64_t *from, uint64_t *to, int64_t n, int64_t (*counts)[DIGIT_SIZE])
{
    memset(counts, 0, sizeof counts[0] * N_PASSES);
    for (int64_t i = 0; i < n; i++)
        for (int pass = 0; pass < N_PASSES; pass++)
            counts[pass][from[i] >> (pass * DIGIT_BITS) & (DIGIT_SIZE - 1)]++;
    for (int pass = 0; pass < N_PASSES; pass++) {
        const int shift = pass * DIGIT_BITS;
        int64_t *const count = counts[pass];
        if (n == 0 || count[from[0] >> shift & (DIGIT_SIZE - 1)] == n)
            continue; /* this digit is the same everywhere */
        int64_t start = 0;
        for (int digit = 0; digit < DIGIT_SIZE; digit++) {
            const int64_t size = count[digit];
            count[digit] = start;
            start += size;
        }
        for (int64_t i = 0; i < n; i++)
            to[count[from[i] >> shift & (DIGIT_SIZE - 1)]++] = from[i];
        uint64_t *const swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* ---------------------------------------------------------------- columns of numbers */

/* As numpy's "linear" method, without its overflow when the two are far apart. */
static double quantile_of(const uint64_t *keys, int64_t n, double q)
{
    const double position = q * (double)(n - 1);
    const int64_t below = (int64_t)floor(position);
    const double t = position - (double)below, a = value_of(keys[below]);
    if (t == 0)
        return a;
    const double b = value_of(keys[below + 1]), gap = b - a;
    if (!isfinite(gap))
        return a * (1 - t) + b * t;
    return t < 0.5 ? a + gap * t : b - gap * (1 - t);
}

/* A sum that keeps what each addition loses (Neumaier 1974). */
typedef struct exact_sum {
    double sum, lost;
} exact_sum;

static void sum_add(exact_sum *total, double x)
{
    const double next = total->sum + x;
    total->lost += fabs(total->sum) >= fabs(x) ? (total->sum - next) + x : (x - next) + total->sum;
    total->sum = next;
}

static void describe_moments(rf_profile_column *out, const uint64_t *keys, int64_t n)
{
    exact_sum total = {0}, squares = {0};
    for (int64_t i = 0; i < n; i++)
        sum_add(&total, value_of(keys[i]));
    out->mean = (total.sum + total.lost) / (double)n;
    if (n < 2)
        return;
    for (int64_t i = 0; i < n; i++) {
        const double apart = value_of(keys[i]) - out->mean;
        sum_add(&squares, apart * apart);
    }
    out->std = sqrt((squares.sum + squares.lost) / (double)(n - 1));
}

static rf_code describe_values(rf_profile_column *out, const double *values, int64_t n_rows, rf_error *err)
{
    rf_code rc = RF_OK;
    uint64_t *keys = NULL, *spare = NULL;
    int64_t(*counts)[DIGIT_SIZE] = NULL;
    int64_t n = 0;
    RF_TRY(RF_NEW_ARRAY(&keys, n_rows, "the profile of a column", err));
    RF_TRY(RF_NEW_ARRAY(&spare, n_rows, "the profile of a column", err));
    RF_TRY(RF_NEW_ARRAY(&counts, N_PASSES, "the profile of a column", err));
    for (int64_t i = 0; i < n_rows; i++)
        if (!isnan(values[i]))
            keys[n++] = key_of(values[i]);
    out->missing = n_rows - n;
    if (n > 0) {
        const uint64_t *const sorted = sort_keys(keys, spare, n, counts);
        out->distinct = 1;
        for (int64_t i = 1; i < n; i++)
            out->distinct += sorted[i] != sorted[i - 1];
        out->min = value_of(sorted[0]);
        out->max = value_of(sorted[n - 1]);
        for (int i = 0; i < 3; i++)
            out->quantile[i] = quantile_of(sorted, n, 0.25 * (i + 1));
        describe_moments(out, sorted, n);
    }
out:
    rf_free(counts);
    rf_free(spare);
    rf_free(keys);
    return rc;
}

/* ---------------------------------------------------------------- columns of codes */

/* Keeps the RF_PROFILE_TOP greatest; codes come in order, so equals stay in the dictionary's order. */
static void offer_top(rf_profile_column *out, int32_t code, int64_t count)
{
    int at = out->n_top;
    while (at > 0 && out->top_count[at - 1] < count)
        at--;
    if (at == RF_PROFILE_TOP)
        return;
    if (out->n_top < RF_PROFILE_TOP)
        out->n_top++;
    for (int i = out->n_top - 1; i > at; i--) {
        out->top_code[i] = out->top_code[i - 1];
        out->top_count[i] = out->top_count[i - 1];
    }
    out->top_code[at] = code;
    out->top_count[at] = count;
}

static rf_code describe_codes(rf_profile_column *out, const rf_column *column, int64_t n_rows, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t *counts = NULL;
    RF_TRY(RF_NEW_ARRAY(&counts, column->dict.n, "the profile of a column", err));
    for (int64_t i = 0; i < n_rows; i++) {
        if (column->codes[i] < 0)
            out->missing++;
        else
            counts[column->codes[i]]++;
    }
    for (int32_t code = 0; code < column->dict.n; code++) {
        if (counts[code] == 0)
            continue;
        out->distinct++;
        offer_top(out, code, counts[code]);
    }
out:
    rf_free(counts);
    return rc;
}

/* ---------------------------------------------------------------- the table */

typedef struct describe_job {
    const rf_table *table;
    rf_profile *profile;
    rf_code *codes;   /* (n_columns) */
    rf_error *errors; /* (n_columns) */
} describe_job;

static void describe_column(void *arg, int64_t task)
{
    const describe_job *const job = arg;
    const rf_column *const column = &job->table->columns[task];
    rf_profile_column *const out = &job->profile->columns[task];
    *out = (rf_profile_column){.min = NAN, .max = NAN, .mean = NAN, .std = NAN, .quantile = {NAN, NAN, NAN}};
    if (column->values != NULL)
        job->codes[task] = describe_values(out, column->values, job->table->n_rows, &job->errors[task]);
    else
        job->codes[task] = describe_codes(out, column, job->table->n_rows, &job->errors[task]);
    out->constant = out->distinct <= 1;
}

rf_code rf_profile_create(rf_profile **out, const rf_table *table, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_profile *profile = NULL;
    describe_job job = {.table = table};
    const int32_t n = table->schema.n_fields;
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&profile, 1, "the profile", err));
    profile->n_rows = table->n_rows;
    profile->n_columns = n;
    RF_TRY(RF_NEW_ARRAY(&profile->columns, n, "the profile", err));
    RF_TRY(RF_NEW_ARRAY(&job.codes, n, "the profile", err));
    RF_TRY(RF_NEW_ARRAY(&job.errors, n, "the profile", err));
    job.profile = profile;
    rf_pool_run(pool, describe_column, &job, n);
    for (int32_t i = 0; i < n; i++) {
        if (job.codes[i] == RF_OK)
            continue;
        if (err != NULL)
            *err = job.errors[i];
        rc = job.codes[i];
        goto out;
    }
    *out = profile;
    profile = NULL;
out:
    rf_free(job.errors);
    rf_free(job.codes);
    rf_profile_free(profile);
    return rc;
}

void rf_profile_free(rf_profile *profile)
{
    if (profile == NULL)
        return;
    rf_free(profile->columns);
    rf_free(profile);
}

/* ---------------------------------------------------------------- warnings */

void rf_profile_note(const rf_profile *profile, const rf_table *table, rf_notes *notes)
{
    enum { MANY_CATEGORIES = 1000 };
    for (int32_t i = 0; i < profile->n_columns; i++) {
        const rf_profile_column *const column = &profile->columns[i];
        const rf_field *const field = &table->schema.fields[i];
        const int64_t present = profile->n_rows - column->missing;
        if (field->kind == RF_KIND_IGNORED || profile->n_rows == 0)
            continue;
        if (present == 0)
            rf_note(notes, "column \"%s\" has no value at all", field->label);
        else if (column->constant)
            rf_note(notes, "column \"%s\" has the same value in every row%s", field->label,
                    column->missing > 0 ? " that has one" : "");
        if (present > 0 && column->missing > profile->n_rows / 2)
            rf_note(notes, "column \"%s\" is missing in %.1f %% of the rows", field->label,
                    100.0 * (double)column->missing / (double)profile->n_rows);
        if (field->kind == RF_KIND_CATEGORICAL && column->distinct > MANY_CATEGORIES)
            rf_note(
                notes,
                "column \"%s\" has %lld categories in %lld rows; if it names the row, make it an id (on the "
                "command line: --type '%s=id')",
                field->label, (long long)column->distinct, (long long)present, field->label);
    }
}
