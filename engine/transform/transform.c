#include "engine/transform/transform.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/datetime.h"
#include "engine/transform/transform_internal.h"

/* ------------------------------------------------------------------ life */

rf_code rfi_transform_create(rf_transform **out, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(RF_NEW_ARRAY(out, 1, "the transform", err));
    rf_arena_init(&(*out)->arena);
out:
    return rc;
}

void rf_transform_free(rf_transform *transform)
{
    if (!transform)
        return;
    for (int32_t i = 0; transform->columns && i < transform->schema.n_fields; i++) {
        rfi_categories_free(&transform->columns[i].categories);
        rfi_ids_free(transform->columns[i].ids);
    }
    rf_free(transform->columns);
    rf_free(transform->spans);
    rf_free(transform->condition_counts);
    rf_arena_free(&transform->arena);
    rf_free(transform);
}

/* ------------------------------------------------------------------ layout */

int32_t rfi_column_width(const rfi_column *column)
{
    if (column->role == RFI_ROLE_NUMBER)
        return column->number.mixture.n_kept + (column->missing_code >= 0);
    return column->categories.n;
}

static void append_span(rf_transform *transform, rf_span_kind kind, int32_t width, int32_t source)
{
    rf_layout *layout = &transform->layout;
    transform->spans[layout->n_spans++] = (rf_span){
        .kind = (int32_t)kind, .offset = layout->width, .width = width, .source = source, .condition = -1};
    layout->width += width;
}

static void append_column(rf_transform *transform, rfi_column *column)
{
    rf_layout *layout = &transform->layout;
    column->scalar = column->code = column->span = -1;
    if (column->role != RFI_ROLE_NUMBER && column->role != RFI_ROLE_CATEGORY)
        return;
    if (column->role == RFI_ROLE_NUMBER) {
        column->scalar = layout->n_scalars++;
        append_span(transform, RF_SPAN_SCALAR, 1, column->scalar);
    }
    column->code = layout->n_codes++;
    column->span = layout->n_spans;
    append_span(transform, RF_SPAN_CODE, rfi_column_width(column), column->code);
    if (column->role == RFI_ROLE_CATEGORY) {
        rf_span *span = &transform->spans[column->span];
        span->condition = layout->n_conditions++;
        span->cond_offset = layout->condition_width;
        layout->condition_width += span->width;
    }
}

static void fill_condition_counts(rf_transform *transform)
{
    for (int32_t i = 0; i < transform->schema.n_fields; i++) {
        const rfi_column *column = &transform->columns[i];
        if (column->role != RFI_ROLE_CATEGORY)
            continue;
        memcpy(transform->condition_counts + transform->spans[column->span].cond_offset,
               column->categories.counts, (size_t)column->categories.n * sizeof(int64_t));
    }
}

static rf_code nothing_to_model(const rf_schema *schema, rf_error *err)
{
    if (schema->n_fields == 1)
        return rf_fail(
            err, RF_INPUT,
            "the only column of the table, \"%.60s\", is an id, ignored, constant or empty, so there is "
            "nothing to model; if it is several columns in one, say what divides them: , ; | or tab",
            schema->fields[0].label);
    return rf_fail(err, RF_INPUT,
                   "no column of the table can be modelled: each is an id, ignored, constant or empty");
}

rf_code rfi_transform_finish(rf_transform *transform, rf_error *err)
{
    rf_code rc = RF_OK;
    const int32_t n = transform->schema.n_fields;
    RF_TRY(RF_NEW_ARRAY(&transform->spans, 2 * (size_t)n, "the transform", err));
    for (int32_t i = 0; i < n; i++)
        append_column(transform, &transform->columns[i]);
    transform->layout.spans = transform->spans;
    if (transform->layout.n_spans == 0) {
        rc = nothing_to_model(&transform->schema, err);
        goto out;
    }
    RF_TRY(
        RF_NEW_ARRAY(&transform->condition_counts, transform->layout.condition_width, "the transform", err));
    fill_condition_counts(transform);
out:
    return rc;
}

const rf_layout *rf_transform_layout(const rf_transform *transform)
{
    return &transform->layout;
}

const rf_schema *rf_transform_schema(const rf_transform *transform)
{
    return &transform->schema;
}

int64_t rf_transform_rows(const rf_transform *transform)
{
    return transform->n_rows;
}

const int64_t *rf_transform_condition_counts(const rf_transform *transform)
{
    return transform->condition_counts;
}

/* ------------------------------------------------------------------ coded rows */

rf_code rf_coded_create(rf_coded *out, const rf_layout *layout, int64_t n_rows, rf_error *err)
{
    rf_code rc = RF_OK;
    *out = (rf_coded){.n_rows = n_rows};
    if (layout->n_scalars > 0)
        RF_TRY(
            RF_NEW_ARRAY(&out->scalars, (size_t)n_rows * (size_t)layout->n_scalars, "the coded rows", err));
    if (layout->n_codes > 0)
        RF_TRY(RF_NEW_ARRAY(&out->codes, (size_t)n_rows * (size_t)layout->n_codes, "the coded rows", err));
out:
    if (rc != RF_OK)
        rf_coded_free(out);
    return rc;
}

void rf_coded_free(rf_coded *coded)
{
    rf_free(coded->scalars);
    rf_free(coded->codes);
    *coded = (rf_coded){0};
}

/* ------------------------------------------------------------------ numbers as a column holds them */

/* Half to even. Where the product would pass 2^52 the number has no digit left to round. */
static double round_decimals(double value, int32_t decimals)
{
    static const double power[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,
                                   1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};
    if (decimals < 0 || decimals > 17 || fabs(value) * power[decimals] >= 0x1p52)
        return value;
    return rint(value * power[decimals]) / power[decimals];
}

/* To n digits from the first that is not 0, as printf rounds: exactly, half to even. */
static double round_digits(double value, int n)
{
    char text[40];
    double rounded;
    const int length = snprintf(text, sizeof text, "%.*e", n - 1, value);
    return rf_parse_f64(text, (size_t)length, &rounded) ? rounded : value;
}

/* A format without a day ("%Y-%m", "%H:%M") has no unit of seconds: what its text says is the value. */
static double round_by_text(double value, const rf_field *field)
{
    char text[256];
    double rounded;
    int32_t offset;
    const size_t length =
        rf_datetime_format(text, sizeof text, value, field->datetime_format, field->utc_offset_s);
    if (length == 0 || !rf_datetime_parse(text, length, field->datetime_format, &rounded, &offset))
        return value;
    return rounded;
}

/* In the texts' own zone, so that a date stays a date there. */
static double round_datetime(double value, const rf_field *field)
{
    if (!strstr(field->datetime_format, "%d") && !strstr(field->datetime_format, "%j"))
        return round_by_text(value, field);
    const double unit = rf_datetime_unit_s(field->datetime_format), offset = field->utc_offset_s;
    if (unit >= 1.0)
        return rint((value + offset) / unit) * unit - offset;
    const double per_second = rint(1.0 / unit);
    return rint(value * per_second) / per_second;
}

int rfi_number_shift(const rfi_number *number)
{
    const double low = fabs(number->low), high = fabs(number->high), most = low > high ? low : high;
    return most < 1e-100 ? -ilogb(most) : 0;
}

double rfi_number_unit(const rf_field *field)
{
    static const double unit[] = {1e0,  1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,  1e-8,
                                  1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17};
    if (field->kind == RF_KIND_INTEGER)
        return 1.0;
    if (field->kind == RF_KIND_DATETIME)
        return rf_datetime_unit_s(field->datetime_format);
    return field->decimals >= 0 && field->decimals <= 17 ? unit[field->decimals] : 0.0;
}

double rfi_number_settle(const rfi_column *column, const rf_field *field, double value)
{
    double settled = value;
    if (field->kind == RF_KIND_INTEGER)
        settled = rint(value);
    else if (field->kind == RF_KIND_DATETIME)
        settled = round_datetime(value, field);
    else
        settled = field->decimals < -1 ? round_digits(value, -1 - field->decimals)
                                       : round_decimals(value, field->decimals);
    settled = settled > column->number.low ? settled : column->number.low; /* a NaN becomes the lowest */
    return settled < column->number.high ? settled : column->number.high;
}
