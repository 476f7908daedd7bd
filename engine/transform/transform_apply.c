/* A table to coded rows: first what each text's code is, column by column, then the rows, in blocks. */
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "engine/transform/mixture_step.h"
#include "engine/transform/transform_internal.h"

enum { BLOCK_ROWS = 4096 };

typedef struct apply_job {
    const rf_transform *transform;
    const rf_table *table;
    uint64_t seed;
    rf_coded *out;
    int32_t **maps;   /* by column: code of the table's dictionary to category, -1 = none */
    rf_error *errors; /* by column */
} apply_job;

/* ------------------------------------------------------------------ texts */

static rf_code map_texts(int32_t **out, const rfi_categories *categories, const rf_dict *dict, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_text_index index = {0};
    RF_TRY(RF_NEW_ARRAY(out, dict->n, "the codes of a column", err));
    RF_TRY(rfi_text_index_create(&index, &categories->texts, err));
    for (int32_t code = 0; code < dict->n; code++) {
        size_t length;
        const char *text = rf_dict_text(dict, code, &length);
        const int32_t found = rfi_text_index_find(&index, text, length);
        (*out)[code] = found >= 0 ? found : categories->rare_code;
    }
out:
    rfi_text_index_free(&index);
    return rc;
}

/* Every cell of a CATEGORY column must have a code: the rows that follow cannot fail. */
static rf_code check_cells(const apply_job *job, int32_t i, rf_error *err)
{
    const rfi_column *column = &job->transform->columns[i];
    const rf_column *cells = &job->table->columns[i];
    const char *label = job->transform->schema.fields[i].label;
    for (int64_t row = 0; row < job->table->n_rows; row++) {
        const bool missing = cells->codes ? cells->codes[row] < 0 : isnan(cells->values[row]);
        if (missing) {
            if (column->missing_code < 0)
                return rf_fail(err, RF_INPUT,
                               "column \"%s\" is empty in row %lld, but was never so in the table the model "
                               "was fitted on",
                               label, (long long)(row + 1));
        } else if (cells->codes ? job->maps[i][cells->codes[row]] < 0 : cells->values[row] != column->value) {
            return rf_fail(
                err, RF_INPUT,
                "column \"%s\" has a value in row %lld that was not in the table the model was fitted on",
                label, (long long)(row + 1));
        }
    }
    return RF_OK;
}

static rf_code check_numbers(const apply_job *job, int32_t i, rf_error *err)
{
    const rfi_column *column = &job->transform->columns[i];
    const double *values = job->table->columns[i].values;
    for (int64_t row = 0; row < job->table->n_rows; row++)
        if ((isnan(values[row]) && column->n_missing == 0) || fabs(values[row]) > RF_MIXTURE_VALUE_MAX)
            return rf_fail(err, RF_INPUT,
                           "column \"%s\" is empty or infinite in row %lld, but was never so in the table "
                           "the model was fitted on",
                           job->transform->schema.fields[i].label, (long long)(row + 1));
    return RF_OK;
}

static rf_code prepare_texts(apply_job *job, int32_t i, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_column *cells = &job->table->columns[i];
    if (cells->codes)
        RF_TRY(map_texts(&job->maps[i], &job->transform->columns[i].categories, &cells->dict, err));
    RF_TRY(check_cells(job, i, err));
out:
    return rc;
}

static void prepare_column(void *arg, int64_t task)
{
    apply_job *job = arg;
    const int32_t i = (int32_t)task;
    const rfi_role role = job->transform->columns[i].role;
    if (role == RFI_ROLE_NUMBER)
        job->errors[i].code = check_numbers(job, i, &job->errors[i]);
    else if (role == RFI_ROLE_CATEGORY)
        job->errors[i].code = prepare_texts(job, i, &job->errors[i]);
}

/* ------------------------------------------------------------------ rows */

static void apply_texts(const apply_job *job, int32_t i, int64_t first, int64_t end)
{
    const rfi_column *column = &job->transform->columns[i];
    const rf_column *cells = &job->table->columns[i];
    const int32_t stride = job->transform->layout.n_codes;
    uint16_t *out = job->out->codes + column->code;
    for (int64_t row = first; row < end; row++) {
        int32_t code = 0; /* the one value of a number that may be missing */
        if (cells->codes ? cells->codes[row] < 0 : isnan(cells->values[row]))
            code = column->missing_code;
        else if (cells->codes)
            code = job->maps[i][cells->codes[row]];
        out[row * stride] = (uint16_t)code;
    }
}

/* Uniforms of RFI_LANES rows from `row` on, which is a multiple of 4. */
static void draw_uniforms(const apply_job *job, int32_t column, int64_t row, double *out)
{
    rf_draw draw = {.seed = job->seed,
                    .step = (uint32_t)column,
                    .purpose = RF_DRAW_ENCODE,
                    .trial = (uint32_t)((uint64_t)row >> 32)};
    for (int i = 0; i < RFI_LANES; i += 4) {
        const rf_philox_block block = rf_philox(draw, (uint32_t)(row + i) >> 2);
        for (int j = 0; j < 4; j++)
            out[i + j] = ((double)block.word[j] + 0.5) * 0x1p-32;
    }
}

typedef struct encoder {
    rfi_density density;
    double mean[RF_MIXTURE_MAX],
        width[RF_MIXTURE_MAX]; /* of the kept components; width: 4 standard deviations */
    int shift;
} encoder;

static void prepare_encoder(encoder *out, const rfi_number *number)
{
    const rf_mixture *mixture = &number->mixture;
    out->shift = rfi_number_shift(number);
    rfi_density_of(mixture, &out->density);
    for (int32_t j = 0; j < mixture->n_kept; j++) {
        out->mean[j] = mixture->mean[mixture->kept[j]];
        out->width[j] = 4.0 * sqrt(mixture->variance[mixture->kept[j]]);
    }
}

static float encode_scalar(double value, double mean, double width)
{
    double u = (value - mean) / width;
    u = u > -0.99 ? u : -0.99;
    return (float)(u < 0.99 ? u : 0.99);
}

/* Rows first .. first+n-1, n <= RFI_LANES, of one number column. */
static void apply_lanes(const apply_job *job, int32_t i, const encoder *own, int64_t first, int64_t n)
{
    const rf_layout *layout = &job->transform->layout;
    const rfi_column *column = &job->transform->columns[i];
    const rf_mixture *mixture = &column->number.mixture;
    const double *values = job->table->columns[i].values + first;
    double value[RFI_LANES], uniform[RFI_LANES];
    int32_t choice[RFI_LANES];
    for (int j = 0; j < RFI_LANES; j++)
        value[j] = j < n && !isnan(values[j]) ? values[j] : column->number.mean;
    for (int j = 0; own->shift && j < RFI_LANES; j++)
        value[j] = ldexp(value[j], own->shift);
    draw_uniforms(job, i, first, uniform);
    rfi_step_best()->pick(&own->density, mixture->kept, mixture->n_kept, value, uniform, choice);
    for (int64_t j = 0; j < n; j++) {
        float *scalar = &job->out->scalars[(first + j) * layout->n_scalars + column->scalar];
        uint16_t *code = &job->out->codes[(first + j) * layout->n_codes + column->code];
        const bool missing = column->missing_code >= 0 && isnan(values[j]);
        *scalar = missing ? 0.0f : encode_scalar(value[j], own->mean[choice[j]], own->width[choice[j]]);
        *code = (uint16_t)(missing ? column->missing_code : choice[j]);
    }
}

static void apply_block(void *arg, int64_t task)
{
    const apply_job *job = arg;
    const int64_t first = task * BLOCK_ROWS, n_rows = job->table->n_rows;
    const int64_t end = first + BLOCK_ROWS < n_rows ? first + BLOCK_ROWS : n_rows;
    for (int32_t i = 0; i < job->transform->schema.n_fields; i++) {
        const rfi_column *column = &job->transform->columns[i];
        if (column->role == RFI_ROLE_CATEGORY)
            apply_texts(job, i, first, end);
        if (column->role != RFI_ROLE_NUMBER)
            continue;
        encoder own;
        prepare_encoder(&own, &column->number);
        for (int64_t row = first; row < end; row += RFI_LANES)
            apply_lanes(job, i, &own, row, end - row < RFI_LANES ? end - row : RFI_LANES);
    }
}

/* ------------------------------------------------------------------ the table */

static rf_code check_schema(const rf_schema *own, const rf_schema *other, rf_error *err)
{
    bool same = own->n_fields == other->n_fields;
    for (int32_t i = 0; same && i < own->n_fields; i++)
        same = own->fields[i].kind == other->fields[i].kind &&
               strcmp(own->fields[i].name, other->fields[i].name) == 0;
    return same ? RF_OK
                : rf_fail(
                      err, RF_INPUT,
                      "the table does not have the columns and kinds of the table the model was fitted on");
}

rf_code rf_transform_apply(const rf_transform *transform, const rf_table *table, uint64_t seed, rf_pool *pool,
                           rf_coded *out, rf_error *err)
{
    rf_code rc = RF_OK;
    const int32_t n = transform->schema.n_fields;
    apply_job job = {.transform = transform, .table = table, .seed = seed, .out = out};
    *out = (rf_coded){0};
    RF_TRY(check_schema(&transform->schema, &table->schema, err));
    RF_TRY(RF_NEW_ARRAY(&job.maps, n, "the codes of the table", err));
    RF_TRY(RF_NEW_ARRAY(&job.errors, n, "the codes of the table", err));
    rf_pool_run(pool, prepare_column, &job, n);
    for (int32_t i = 0; i < n; i++) {
        if (job.errors[i].code != RF_OK) {
            rc = job.errors[i].code;
            if (err)
                *err = job.errors[i];
            goto out;
        }
    }
    RF_TRY(rf_coded_create(out, &transform->layout, table->n_rows, err));
    rf_pool_run(pool, apply_block, &job, (table->n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS);
out:
    for (int32_t i = 0; job.maps && i < n; i++)
        rf_free(job.maps[i]);
    rf_free(job.maps);
    rf_free(job.errors);
    return rc;
}
