/* Coded rows to a table: one task a column. Texts are gathered aside and handed to the table, whose arena
 * has one owner, at the end. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "engine/transform/transform_internal.h"

typedef struct invert_job {
    const rf_transform *transform;
    const rf_coded *rows;
    int64_t first_row;
    uint64_t seed;
    rf_table *table;
    int32_t *fields;  /* by column of the result: field of the schema                           */
    rf_dict *dicts;   /* by column of the result: texts made here, where offsets is not NULL      */
    rf_error *errors; /* by column of the result                                                  */
} invert_job;

/* The draw of one row of a column, as 64 bits. */
static uint64_t draw_row(const invert_job *job, int32_t field, int64_t at)
{
    const uint64_t row = (uint64_t)(job->first_row + at);
    const rf_draw draw = {.seed = job->seed,
                          .step = (uint32_t)field,
                          .purpose = RF_DRAW_INVERT,
                          .trial = (uint32_t)(row >> 32)};
    const rf_philox_block block = rf_philox(draw, (uint32_t)row);
    return (uint64_t)block.word[0] << 32 | block.word[1];
}

static bool draw_share(const invert_job *job, int32_t field, int64_t at, double share)
{
    const uint64_t word = draw_row(job, field, at);
    return rf_uniform_f64((uint32_t)(word >> 32), (uint32_t)word) < share;
}

/* ------------------------------------------------------------------ numbers */

static double decode_scalar(const rf_mixture *mixture, int32_t code, float scalar)
{
    const int32_t k = mixture->kept[code];
    double u = scalar;
    u = u > -1.0 ? u : -1.0;
    u = u < 1.0 ? u : 1.0;
    return u * 4.0 * sqrt(mixture->variance[k]) + mixture->mean[k];
}

static void invert_number(const invert_job *job, int32_t i, rf_column *out)
{
    const rf_layout *layout = &job->transform->layout;
    const int32_t f = job->fields[i];
    const rfi_column *column = &job->transform->columns[f];
    const rf_field *field = &job->transform->schema.fields[f];
    const rf_mixture *mixture = &column->number.mixture;
    const int shift = rfi_number_shift(&column->number);
    const double share =
        column->missing_code < 0 ? (double)column->n_missing / (double)job->transform->n_rows : 0.0;
    for (int64_t row = 0; row < job->rows->n_rows; row++) {
        const int32_t code = job->rows->codes[row * layout->n_codes + column->code];
        const float scalar = job->rows->scalars[row * layout->n_scalars + column->scalar];
        assert(code < rfi_column_width(column));
        if (code == column->missing_code || (share > 0.0 && draw_share(job, f, row, share))) {
            out->n_missing++;
            continue; /* the table's cells begin as NaN */
        }
        double value = decode_scalar(mixture, code, scalar);
        if (shift)
            value = ldexp(value, -shift);
        value = rfi_atoms_snap(&column->number.atoms, value);
        out->values[row] = rfi_number_settle(column, field, value);
    }
}

/* CONSTANT, and CATEGORY of one value or missing. */
static void invert_value(const invert_job *job, int32_t i, rf_column *out)
{
    const rfi_column *column = &job->transform->columns[job->fields[i]];
    for (int64_t row = 0; row < job->rows->n_rows; row++) {
        if (column->role == RFI_ROLE_CATEGORY &&
            job->rows->codes[row * job->transform->layout.n_codes + column->code] != 0)
            out->n_missing++;
        else
            out->values[row] = column->value;
    }
}

/* ------------------------------------------------------------------ texts */

/* Rare codes become codes of the dictionary made here: the modelled texts, then the rare ones that were
 * drawn. */
static rf_code draw_rare_texts(const invert_job *job, int32_t i, rf_column *out, rf_dict *dict, rf_error *err)
{
    rf_code rc = RF_OK;
    const int32_t f = job->fields[i];
    const rfi_categories *categories = &job->transform->columns[f].categories;
    const rf_dict *texts = &categories->texts, *rare = &categories->rare;
    int32_t *new_code = NULL, *drawn = NULL, n_drawn = 0;
    rf_dict chosen = {0};
    RF_TRY(RF_NEW_ARRAY(&new_code, rare->n, "the rare texts of a column", err));
    RF_TRY(RF_NEW_ARRAY(&drawn, rare->n, "the rare texts of a column", err));
    for (int64_t row = 0; row < job->rows->n_rows; row++) {
        if (out->codes[row] != categories->rare_code)
            continue;
        const uint64_t word = draw_row(job, f, row), total = (uint64_t)categories->rare_until[rare->n - 1];
        const int32_t text = rfi_categories_find_rare(
            categories, (int64_t)rf_uniform_below64((uint32_t)(word >> 32), (uint32_t)word, total));
        if (new_code[text] == 0) {
            drawn[n_drawn++] = text;
            new_code[text] = n_drawn;
        }
        out->codes[row] = texts->n + new_code[text] - 1;
    }
    RF_TRY(rfi_dict_select(&chosen, rare, drawn, n_drawn, err));

    const int64_t head = texts->offsets[texts->n], tail = chosen.offsets[n_drawn];
    RF_TRY(RF_NEW_ARRAY(&dict->offsets, (size_t)(texts->n + n_drawn) + 1, "the texts of a column", err));
    RF_TRY(RF_NEW_ARRAY(&dict->bytes, (size_t)(head + tail) + 1, "the texts of a column", err));
    memcpy(dict->bytes, texts->bytes, (size_t)head);
    memcpy(dict->bytes + head, chosen.bytes, (size_t)tail);
    memcpy(dict->offsets, texts->offsets, ((size_t)texts->n + 1) * sizeof *dict->offsets);
    for (int32_t j = 0; j < n_drawn; j++)
        dict->offsets[texts->n + j + 1] = head + chosen.offsets[j + 1];
    dict->n = texts->n + n_drawn;
out:
    rfi_texts_free(&chosen);
    rf_free(new_code);
    rf_free(drawn);
    return rc;
}

static rf_code invert_texts(const invert_job *job, int32_t i, rf_column *out, rf_dict *dict, rf_error *err)
{
    const rf_layout *layout = &job->transform->layout;
    const rfi_column *column = &job->transform->columns[job->fields[i]];
    for (int64_t row = 0; row < job->rows->n_rows; row++) {
        const int32_t code =
            column->role == RFI_ROLE_CONSTANT ? 0 : job->rows->codes[row * layout->n_codes + column->code];
        assert(code < column->categories.n);
        out->codes[row] = code == column->missing_code ? -1 : code;
        out->n_missing += code == column->missing_code;
    }
    return column->categories.rare_code >= 0 ? draw_rare_texts(job, i, out, dict, err) : RF_OK;
}

static rf_code invert_ids(const invert_job *job, int32_t i, rf_column *out, rf_dict *dict, rf_error *err)
{
    rf_code rc = RF_OK;
    const int32_t f = job->fields[i];
    const rfi_ids *ids = job->transform->columns[f].ids;
    char text[RFI_ID_TEXT_MAX];
    rf_buf bytes;
    rf_buf_init(&bytes);
    RF_TRY(RF_NEW_ARRAY(&dict->offsets, (size_t)job->rows->n_rows + 1, "the ids of a column", err));
    for (int64_t row = 0; row < job->rows->n_rows; row++) {
        if (ids->missing_share > 0.0 && draw_share(job, f, row, ids->missing_share)) {
            out->n_missing++;
            continue; /* the table's codes begin as -1 */
        }
        rf_buf_append(&bytes, text, rfi_ids_make(ids, job->first_row + row, job->seed, (uint32_t)f, text));
        out->codes[row] = dict->n++;
        dict->offsets[dict->n] = (int64_t)bytes.size_bytes;
    }
    RF_TRY(rf_buf_check(&bytes, "the ids of a column", err));
    RF_TRY(RF_NEW_ARRAY(&dict->bytes, bytes.size_bytes + 1, "the ids of a column", err));
    if (bytes.size_bytes > 0)
        memcpy(dict->bytes, bytes.data, bytes.size_bytes);
out:
    rf_buf_free(&bytes);
    return rc;
}

/* ------------------------------------------------------------------ the ends of the range */

static void reach_column(const rfi_number *number, double *values, int64_t n)
{
    int64_t least = -1, most = -1;
    for (int64_t row = 0; row < n; row++) {
        if (isnan(values[row]))
            continue;
        if (least < 0 || values[row] < values[least])
            least = row;
        if (most < 0 || values[row] > values[most])
            most = row;
    }
    if (least < 0 || least == most) /* none, or all equal: nothing to stretch */
        return;
    values[least] = number->low;
    values[most] = number->high;
}

void rf_transform_reach(const rf_transform *transform, rf_table *rows, int64_t n)
{
    int32_t i = 0;
    for (int32_t f = 0; f < transform->schema.n_fields; f++) {
        const rfi_column *column = &transform->columns[f];
        if (transform->schema.fields[f].kind == RF_KIND_IGNORED)
            continue;
        if (column->role == RFI_ROLE_NUMBER)
            reach_column(&column->number, rows->columns[i].values, n < rows->n_rows ? n : rows->n_rows);
        i++;
    }
}

/* ------------------------------------------------------------------ the table */

static void invert_column(void *arg, int64_t task)
{
    invert_job *job = arg;
    const int32_t i = (int32_t)task;
    const rfi_column *column = &job->transform->columns[job->fields[i]];
    rf_column *out = &job->table->columns[i];
    out->n_missing = 0;
    if (column->role == RFI_ROLE_EMPTY || column->role == RFI_ROLE_IGNORED)
        out->n_missing = job->rows->n_rows;
    else if (column->role == RFI_ROLE_NUMBER)
        invert_number(job, i, out);
    else if (column->role == RFI_ROLE_ID)
        job->errors[i].code = invert_ids(job, i, out, &job->dicts[i], &job->errors[i]);
    else if (out->values)
        invert_value(job, i, out);
    else
        job->errors[i].code = invert_texts(job, i, out, &job->dicts[i], &job->errors[i]);
}

/* What only the owner of the table may do, in column order. */
static rf_code finish_column(invert_job *job, int32_t i, rf_error *err)
{
    const rfi_column *column = &job->transform->columns[job->fields[i]];
    if (job->errors[i].code != RF_OK) {
        if (err)
            *err = job->errors[i];
        return job->errors[i].code;
    }
    if (job->dicts[i].offsets)
        return rf_table_set_dict(job->table, i, &job->dicts[i], err);
    if (!job->table->columns[i].values &&
        (column->role == RFI_ROLE_CATEGORY || column->role == RFI_ROLE_CONSTANT))
        return rf_table_set_dict(job->table, i, &column->categories.texts, err);
    return RF_OK;
}

rf_code rf_transform_invert(const rf_transform *transform, const rf_coded *rows, int64_t first_row,
                            uint64_t seed, rf_pool *pool, rf_table **out, rf_error *err)
{
    rf_code rc = RF_OK;
    invert_job job = {.transform = transform, .rows = rows, .first_row = first_row, .seed = seed};
    int32_t n = 0;
    RF_TRY(rf_table_create(&job.table, &transform->schema, rows->n_rows, err));
    RF_TRY(RF_NEW_ARRAY(&job.fields, transform->schema.n_fields, "the result", err));
    RF_TRY(RF_NEW_ARRAY(&job.dicts, transform->schema.n_fields, "the result", err));
    RF_TRY(RF_NEW_ARRAY(&job.errors, transform->schema.n_fields, "the result", err));
    for (int32_t f = 0; f < transform->schema.n_fields; f++)
        if (transform->schema.fields[f].kind != RF_KIND_IGNORED)
            job.fields[n++] = f;
    assert(n == job.table->schema.n_fields);

    rf_pool_run(pool, invert_column, &job, n);
    for (int32_t i = 0; i < n; i++)
        RF_TRY(finish_column(&job, i, err));
    *out = job.table;
    job.table = NULL;
out:
    for (int32_t i = 0; job.dicts && i < n; i++)
        rfi_texts_free(&job.dicts[i]);
    rf_free(job.fields);
    rf_free(job.dicts);
    rf_free(job.errors);
    rf_table_free(job.table);
    return rc;
}
