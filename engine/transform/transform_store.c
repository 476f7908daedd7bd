/* The transform's binary form, a section of the model file. Little-endian; a string is a u32
 * length and bytes.
 *
 *     u32 version (1), u8 compat, i64 n_rows, the schema (rf_schema_store), then for each of its fields
 *     u8 role, i64 n_missing, and by role:
 *
 *       0 ignored, 1 empty
 *           nothing
 *       2 constant
 *           of a kind held as values: f64 value; else: categories
 *       3 number
 *           f64 low, high, mean
 *           u8 whether "missing" has a code
 *           u8 n, u8 n_kept, n_kept x u8 index of a kept component
 *           n x (f64 mean, variance, weight, log_base)
 *           u32 n_iterations, f64 bound
 *           u8 n atoms, n x (f64 value, low, high)
 *       4 category
 *           of a kind held as values: f64 value; then, of any kind: categories
 *       5 id
 *           u8 is_sequence, f64 missing_share
 *           a sequence: string prefix, string suffix, u32 digits, u64 next
 *           a template: u32 n_positions, each a string of the characters it may be (ascending)
 *                       u64 key, u32 long_length, u32 n_gaps, each u64 first, u64 n
 *
 *     categories: u32 n, n x string
 *                 u8 whether there are rare texts
 *                 u32 codes in all, each an i64 count
 *                 with rare texts: u32 n, n x string, n x i64 count summed up to here
 *
 * Loading trusts nothing: what it accepts can be inverted and stored again.
 */
#include <math.h>

#include "core/alloc.h"
#include "engine/table/datetime.h"
#include "engine/transform/transform_internal.h"

enum { TRANSFORM_VERSION = 1 };

#define VARIANCE_LEAST 1e-300
#define VARIANCE_MOST  1e300

/* ------------------------------------------------------------------ store */

static void store_number(const rfi_column *column, rf_buf *out)
{
    const rf_mixture *m = &column->number.mixture;
    rf_put_f64(out, column->number.low);
    rf_put_f64(out, column->number.high);
    rf_put_f64(out, column->number.mean);
    rf_put_u8(out, column->missing_code >= 0);
    rf_put_u8(out, (uint8_t)m->n);
    rf_put_u8(out, (uint8_t)m->n_kept);
    for (int32_t j = 0; j < m->n_kept; j++)
        rf_put_u8(out, (uint8_t)m->kept[j]);
    for (int32_t k = 0; k < m->n; k++) {
        rf_put_f64(out, m->mean[k]);
        rf_put_f64(out, m->variance[k]);
        rf_put_f64(out, m->weight[k]);
        rf_put_f64(out, m->log_base[k]);
    }
    rf_put_u32(out, (uint32_t)m->n_iterations);
    rf_put_f64(out, m->bound);
    rfi_atoms_store(&column->number.atoms, out);
}

static void store_column(const rfi_column *column, bool coded, rf_buf *out)
{
    rf_put_u8(out, (uint8_t)column->role);
    rf_put_i64(out, column->n_missing);
    if (column->role == RFI_ROLE_NUMBER)
        store_number(column, out);
    if (column->role == RFI_ROLE_ID)
        rfi_ids_store(column->ids, out);
    if (column->role != RFI_ROLE_CONSTANT && column->role != RFI_ROLE_CATEGORY)
        return;
    if (!coded)
        rf_put_f64(out, column->value);
    if (coded || column->role == RFI_ROLE_CATEGORY)
        rfi_categories_store(&column->categories, out);
}

void rf_transform_store(const rf_transform *transform, rf_buf *out)
{
    rf_put_u32(out, TRANSFORM_VERSION);
    rf_put_u8(out, transform->compat);
    rf_put_i64(out, transform->n_rows);
    rf_schema_store(&transform->schema, out);
    for (int32_t i = 0; i < transform->schema.n_fields; i++)
        store_column(&transform->columns[i], rf_kind_is_coded(transform->schema.fields[i].kind), out);
}

/* ------------------------------------------------------------------ load */

static rf_code corrupt(rf_error *err, const char *what)
{
    return rf_fail(err, RF_CORRUPT, "the transform of this file is damaged: %s", what);
}

static bool in_reach(double x)
{
    return fabs(x) <= 2.0 * RF_MIXTURE_VALUE_MAX; /* false for NaN */
}

static bool load_kept(rf_mixture *m, rf_reader *reader)
{
    m->n = rf_get_u8(reader);
    m->n_kept = rf_get_u8(reader);
    if (m->n < 1 || m->n > RF_MIXTURE_MAX || m->n_kept < 1 || m->n_kept > m->n)
        return false;
    for (int32_t j = 0; j < m->n_kept; j++) {
        m->kept[j] = rf_get_u8(reader);
        if (m->kept[j] >= m->n || (j > 0 && m->kept[j] <= m->kept[j - 1]))
            return false;
    }
    return !reader->failed;
}

static bool load_mixture(rf_mixture *m, rf_reader *reader)
{
    if (!load_kept(m, reader))
        return false;
    for (int32_t k = 0; k < m->n; k++) {
        m->mean[k] = rf_get_f64(reader);
        m->variance[k] = rf_get_f64(reader);
        m->weight[k] = rf_get_f64(reader);
        m->log_base[k] = rf_get_f64(reader);
        if (!in_reach(m->mean[k]) || !(m->variance[k] >= VARIANCE_LEAST && m->variance[k] <= VARIANCE_MOST) ||
            !(m->weight[k] >= 0.0 && m->weight[k] <= 1.0) || !(fabs(m->log_base[k]) <= 1e6))
            return false;
    }
    const uint32_t n_iterations = rf_get_u32(reader);
    m->bound = rf_get_f64(reader);
    m->n_iterations = n_iterations <= INT32_MAX ? (int32_t)n_iterations : -1;
    return !reader->failed && m->n_iterations >= 0 && isfinite(m->bound);
}

static rf_code load_number(rfi_column *column, bool compat, rf_reader *reader, rf_error *err)
{
    rfi_number *number = &column->number;
    number->low = rf_get_f64(reader);
    number->high = rf_get_f64(reader);
    number->mean = rf_get_f64(reader);
    const bool missing = rf_get_u8(reader) != 0;
    if (!in_reach(number->low) || !in_reach(number->high) || !in_reach(number->mean) ||
        !(number->low < number->high))
        return corrupt(err, "the range of a column cannot be");
    if (!load_mixture(&number->mixture, reader))
        return corrupt(err, "a mixture cannot be");
    if (!rfi_atoms_load(&number->atoms, reader))
        return corrupt(err, "the atoms of a column cannot be");
    if (missing != (column->n_missing > 0 && !compat))
        return corrupt(err, "the missing cells of a column do not add up");
    if (missing)
        column->missing_code = number->mixture.n_kept;
    return RF_OK;
}

static rf_code load_categories(rfi_column *column, bool coded, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_categories *c = &column->categories;
    RF_TRY(rfi_categories_load(c, reader, err));
    const int32_t present = coded ? c->texts.n + (c->rare_code >= 0) : 1;
    if (present < 1 || c->n != present + (column->n_missing > 0) ||
        (!coded && (c->texts.n > 0 || c->rare_code >= 0)))
        rc = corrupt(err, "the codes of a column do not add up");
    else if (column->role == RFI_ROLE_CONSTANT ? c->n != 1 || c->texts.n != 1 : c->n < 2)
        rc = corrupt(err, "a column has too many or too few codes");
    column->missing_code = column->n_missing > 0 ? c->n - 1 : -1;
out:
    return rc;
}

static rf_code load_value(rfi_column *column, bool coded, rf_reader *reader, rf_error *err)
{
    if (!coded) {
        column->value = rf_get_f64(reader);
        if (!in_reach(column->value))
            return corrupt(err, "the value of a column cannot be");
    }
    if (column->role == RFI_ROLE_CONSTANT && column->n_missing > 0)
        return corrupt(err, "a column that is always the same has missing cells");
    if (coded || column->role == RFI_ROLE_CATEGORY)
        return load_categories(column, coded, reader, err);
    return RF_OK;
}

/* Which kinds may have which role. */
static bool role_fits(int32_t role, rf_kind kind)
{
    switch (role) {
    case RFI_ROLE_IGNORED:
        return kind == RF_KIND_IGNORED;
    case RFI_ROLE_EMPTY:
        return kind != RF_KIND_IGNORED;
    case RFI_ROLE_CONSTANT:
    case RFI_ROLE_CATEGORY:
        return kind != RF_KIND_IGNORED && kind != RF_KIND_ID;
    case RFI_ROLE_NUMBER:
        return !rf_kind_is_coded(kind);
    case RFI_ROLE_ID:
        return kind == RF_KIND_ID;
    default:
        return false;
    }
}

static rf_code load_column(rf_transform *transform, int32_t i, rf_reader *reader, rf_error *err)
{
    rfi_column *column = &transform->columns[i];
    const rf_field *field = &transform->schema.fields[i];
    const bool coded = rf_kind_is_coded(field->kind);
    const char *reason;
    const int32_t role = rf_get_u8(reader);
    column->missing_code = -1;
    column->n_missing = rf_get_i64(reader);
    if (reader->failed || !role_fits(role, field->kind))
        return corrupt(err, "the role of a column does not fit its kind");
    column->role = (rfi_role)role;
    if (column->n_missing < 0 || column->n_missing > transform->n_rows)
        return corrupt(err, "the missing cells of a column do not add up");
    if (field->kind == RF_KIND_DATETIME &&
        (!field->datetime_format || !rf_datetime_format_valid(field->datetime_format, &reason)))
        return corrupt(err, "the format of a date column cannot be");
    switch (column->role) {
    case RFI_ROLE_NUMBER:
        return load_number(column, transform->compat, reader, err);
    case RFI_ROLE_ID:
        return rfi_ids_load(&column->ids, reader, err);
    case RFI_ROLE_CONSTANT:
    case RFI_ROLE_CATEGORY:
        return load_value(column, coded, reader, err);
    default:
        return RF_OK;
    }
}

rf_code rf_transform_load(rf_transform **out, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_transform *transform = NULL;
    rf_error finish_err = {0};
    RF_TRY(rfi_transform_create(&transform, err));
    const uint32_t version = rf_get_u32(reader);
    transform->compat = rf_get_u8(reader) != 0;
    transform->n_rows = rf_get_i64(reader);
    if (reader->failed || version != TRANSFORM_VERSION || transform->n_rows < 1 ||
        transform->n_rows > INT64_C(1) << 53) {
        rc = corrupt(err, "it does not begin as one of this version");
        goto out;
    }
    RF_TRY(rf_schema_load(&transform->schema, &transform->arena, reader, err));
    RF_TRY(RF_NEW_ARRAY(&transform->columns, transform->schema.n_fields, "the transform", err));
    for (int32_t i = 0; i < transform->schema.n_fields; i++)
        RF_TRY(load_column(transform, i, reader, err));
    if (reader->failed) {
        rc = corrupt(err, "it is cut off");
        goto out;
    }
    rc = rfi_transform_finish(transform, &finish_err);
    if (rc == RF_INPUT) {
        rc = corrupt(err, "it models no column");
    } else if (rc != RF_OK && err) {
        *err = finish_err;
    }
    if (rc != RF_OK)
        goto out;
    *out = transform;
    transform = NULL;
out:
    rf_transform_free(transform);
    return rc;
}
