/* Fitting: one task a column, each with its own scratch, so that at most as many columns as there are
 * threads take memory at a time. */
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "engine/transform/sort_f64.h"
#include "engine/transform/transform_internal.h"

typedef struct fit_job {
    rf_transform *transform;
    const rf_table *table;
    rf_transform_options options;
    rf_error *errors; /* one a column */
} fit_job;

/* ------------------------------------------------------------------ numbers */

/* Range, sum and missing cells of a column. INPUT for a value that no mixture can hold. */
static rf_code measure(rfi_column *column, const rf_field *field, const double *values, int64_t n_rows,
                       rf_error *err)
{
    double low = INFINITY, high = -INFINITY, sum = 0.0;
    int64_t n_present = 0;
    for (int64_t row = 0; row < n_rows; row++) {
        const double x = values[row];
        if (isnan(x))
            continue;
        if (fabs(x) > RF_MIXTURE_VALUE_MAX)
            return rf_fail(
                err, RF_INPUT,
                "column \"%s\" holds %s in row %lld, which cannot be modelled; remove it or mark it missing",
                field->label, isinf(x) ? "an infinite number" : "a number beyond 1e140",
                (long long)(row + 1));
        low = x < low ? x : low;
        high = x > high ? x : high;
        sum += x;
        n_present++;
    }
    column->n_missing = n_rows - n_present;
    column->number.low = low;
    column->number.high = high;
    column->number.mean = n_present > 0 ? sum / (double)n_present : 0.0;
    return RF_OK;
}

/* A column's values without the missing ones (compat: the mean for them), sorted: the mixture and the atoms both want
 * them so, and to find them sorted costs little. */
static rf_code collect(const rfi_column *column, const double *values, int64_t n_rows, bool compat,
                       double **out, int64_t *n, rf_error *err)
{
    rf_code rc = RF_OK;
    double *scratch = NULL;
    *n = compat ? n_rows : n_rows - column->n_missing;
    RF_TRY(RF_NEW_ARRAY(out, *n, "the mixture of a column", err));
    RF_TRY(RF_NEW_ARRAY(&scratch, *n, "the mixture of a column", err));
    int64_t at = 0;
    for (int64_t row = 0; row < n_rows; row++) {
        if (!isnan(values[row]))
            (*out)[at++] = values[row];
        else if (compat)
            (*out)[at++] = column->number.mean;
    }
    rfi_sort_f64(*out, scratch, *n);
out:
    rf_free(scratch);
    return rc;
}

static rf_code fit_number(const fit_job *job, int32_t i, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_column *column = &job->transform->columns[i];
    const double *values = job->table->columns[i].values;
    double *present = NULL;
    int64_t n;
    int shift;
    const int64_t n_rows = job->table->n_rows;
    RF_TRY(measure(column, &job->table->schema.fields[i], values, n_rows, err));
    if (column->n_missing == n_rows) {
        column->role = RFI_ROLE_EMPTY;
        goto out;
    }
    if (column->number.low == column->number.high) {
        column->value = column->number.low;
        column->role = column->n_missing > 0 ? RFI_ROLE_CATEGORY : RFI_ROLE_CONSTANT;
        if (column->n_missing > 0) {
            column->missing_code = 1;
            RF_TRY(rfi_categories_learn_pair(&column->categories, n_rows - column->n_missing,
                                             column->n_missing, err));
        }
        goto out;
    }
    column->role = RFI_ROLE_NUMBER;
    const rf_mixture_options options = {
        .seed = job->options.seed, .column = (uint32_t)i, .scaled_floor = !job->options.compat};
    RF_TRY(collect(column, values, n_rows, job->options.compat, &present, &n, err));
    if (!job->options.compat) {
        const double unit = rfi_number_unit(&job->table->schema.fields[i]);
        RF_TRY(rfi_atoms_learn(&column->number.atoms, present, n, unit, err));
    }
    if ((shift = rfi_number_shift(&column->number)) != 0)
        for (int64_t k = 0; k < n; k++)
            present[k] = ldexp(present[k], shift);
    RF_TRY(rf_mixture_fit(&column->number.mixture, present, n, &options, err));
    if (column->n_missing > 0 && !job->options.compat)
        column->missing_code = column->number.mixture.n_kept;
out:
    rf_free(present);
    return rc;
}

/* ------------------------------------------------------------------ texts */

static void count_codes(rfi_column *column, const rf_column *cells, int64_t n_rows, int64_t *counts)
{
    for (int64_t row = 0; row < n_rows; row++) {
        if (cells->codes[row] < 0)
            column->n_missing++;
        else
            counts[cells->codes[row]]++;
    }
}

static rf_code fit_ids(const fit_job *job, int32_t i, rf_error *err)
{
    rfi_column *column = &job->transform->columns[i];
    const rf_field *field = &job->table->schema.fields[i];
    const double share = field->primary_key ? 0.0 : (double)column->n_missing / (double)job->table->n_rows;
    column->role = RFI_ROLE_ID;
    return rfi_ids_learn(&column->ids, &job->table->columns[i].dict, field, share, job->options.seed,
                         (uint32_t)i, &column->regex_refused, err);
}

static rf_code fit_categories(const fit_job *job, int32_t i, const int64_t *counts, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_column *column = &job->transform->columns[i];
    RF_TRY(rfi_categories_learn(&column->categories, &job->table->columns[i].dict, counts, column->n_missing,
                                job->options.max_categories, &column->n_hidden, err));
    column->role = column->categories.n == 1 ? RFI_ROLE_CONSTANT : RFI_ROLE_CATEGORY;
    column->missing_code = column->n_missing > 0 ? column->categories.n - 1 : -1;
out:
    return rc;
}

static rf_code fit_texts(const fit_job *job, int32_t i, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_column *column = &job->transform->columns[i];
    const rf_column *cells = &job->table->columns[i];
    int64_t *counts = NULL;
    RF_TRY(RF_NEW_ARRAY(&counts, cells->dict.n, "the categories of a column", err));
    count_codes(column, cells, job->table->n_rows, counts);
    if (column->n_missing == job->table->n_rows)
        column->role = RFI_ROLE_EMPTY;
    else if (job->table->schema.fields[i].kind == RF_KIND_ID)
        RF_TRY(fit_ids(job, i, err));
    else
        RF_TRY(fit_categories(job, i, counts, err));
out:
    rf_free(counts);
    return rc;
}

/* ------------------------------------------------------------------ the table */

static bool is_stopped(const fit_job *job)
{
    return job->options.stop && atomic_load_explicit(job->options.stop, memory_order_relaxed);
}

static void fit_column(void *arg, int64_t task)
{
    fit_job *job = arg;
    if (is_stopped(job))
        return;
    const int32_t i = (int32_t)task;
    const rf_kind kind = job->table->schema.fields[i].kind;
    rf_error *err = &job->errors[i];
    job->transform->columns[i].missing_code = -1;
    if (kind == RF_KIND_IGNORED)
        job->transform->columns[i].role = RFI_ROLE_IGNORED;
    else if (rf_kind_is_coded(kind))
        err->code = fit_texts(job, i, err);
    else
        err->code = fit_number(job, i, err);
}

static void note_column(const rf_field *field, const rfi_column *column, rf_notes *notes)
{
    if (column->role == RFI_ROLE_EMPTY)
        rf_note(notes, "column \"%s\" is empty; it stays so in the result", field->label);
    if (column->role == RFI_ROLE_CONSTANT)
        rf_note(notes, "column \"%s\" holds one value only; it is kept as it is", field->label);
    if (column->n_hidden > 0)
        rf_note(notes,
                "column \"%s\" has %lld different texts; the %d most frequent are modelled one by one, the "
                "others together",
                field->label, (long long)(column->n_hidden + column->categories.texts.n),
                column->categories.texts.n);
    if (column->regex_refused)
        rf_note(notes,
                "the regex of column \"%s\" is not understood; its ids are made after the ones in the table",
                field->label);
}

static rf_code check_options(rf_transform_options *options, const rf_table *table, rf_error *err)
{
    if (options->max_categories == 0)
        options->max_categories = RFI_CATEGORIES_DEFAULT;
    if (options->max_categories < 1 || options->max_categories > RFI_CATEGORIES_MAX)
        return rf_fail(err, RF_USAGE, "max_categories is %d; it must be 1 to %d", options->max_categories,
                       RFI_CATEGORIES_MAX);
    if (table->n_rows < 1)
        return rf_fail(err, RF_INPUT, "the table has no rows");
    return RF_OK;
}

rf_code rf_transform_fit(rf_transform **out, const rf_table *table, const rf_transform_options *options,
                         rf_pool *pool, rf_notes *notes, rf_error *err)
{
    rf_code rc = RF_OK;
    const int32_t n = table->schema.n_fields;
    fit_job job = {.table = table, .options = *options};
    RF_TRY(check_options(&job.options, table, err));
    RF_TRY(rfi_transform_create(&job.transform, err));
    job.transform->n_rows = table->n_rows;
    job.transform->compat = options->compat;
    RF_TRY(rf_schema_copy(&job.transform->schema, &table->schema, &job.transform->arena, err));
    RF_TRY(RF_NEW_ARRAY(&job.transform->columns, n, "the transform", err));
    RF_TRY(RF_NEW_ARRAY(&job.errors, n, "the transform", err));

    rf_pool_run(pool, fit_column, &job, n);
    if (is_stopped(&job))
        RF_TRY(rf_fail(err, RF_INTERRUPTED, "stopped before the training began"));
    for (int32_t i = 0; i < n; i++) {
        if (job.errors[i].code != RF_OK) {
            rc = job.errors[i].code;
            if (err)
                *err = job.errors[i];
            goto out;
        }
        note_column(&table->schema.fields[i], &job.transform->columns[i], notes);
    }
    RF_TRY(rfi_transform_finish(job.transform, err));
    *out = job.transform;
    job.transform = NULL;
out:
    rf_free(job.errors);
    rf_transform_free(job.transform);
    return rc;
}
