/* Conditions: what a person asks for with column=value, checked against what the table held. */
#include <math.h>
#include <string.h>

#include "core/text.h"
#include "engine/table/datetime.h"
#include "engine/transform/transform_internal.h"

enum { LABEL_MAX = 256, NUMBER_MAX = 64 };

/* ------------------------------------------------------------------ which column */

static rf_code no_such_column(const rf_schema *schema, const char *assignment, rf_error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals)
        return rf_fail(err, RF_INPUT, "the condition \"%.80s\" has no '='; write column=value", assignment);
    const char *names[64], *nearest;
    int n = 0;
    for (int32_t i = 0; i < schema->n_fields && n < 64; i++)
        names[n++] = schema->fields[i].label;
    char label[LABEL_MAX];
    const size_t length =
        (size_t)(equals - assignment) < sizeof label - 1 ? (size_t)(equals - assignment) : sizeof label - 1;
    memcpy(label, assignment, length);
    label[length] = '\0';
    nearest = rf_text_nearest(label, names, n);
    if (nearest)
        return rf_fail(err, RF_INPUT, "there is no column \"%.80s\"; did you mean \"%.80s\"?", label,
                       nearest);
    return rf_fail(err, RF_INPUT, "there is no column \"%.80s\"", label);
}

/* The first '=' that ends a column's label splits: labels may contain '='. */
static rf_code find_column(const rf_schema *schema, const char *assignment, int32_t *field,
                           const char **value, rf_error *err)
{
    for (const char *equals = strchr(assignment, '='); equals; equals = strchr(equals + 1, '=')) {
        const size_t length = (size_t)(equals - assignment);
        for (int32_t i = 0; i < schema->n_fields; i++) {
            const char *label = schema->fields[i].label;
            if (strlen(label) == length && memcmp(label, assignment, length) == 0) {
                *field = i;
                *value = equals + 1;
                return RF_OK;
            }
        }
    }
    return no_such_column(schema, assignment, err);
}

/* ------------------------------------------------------------------ which value */

static rf_code never_seen(const rf_field *field, const char *value, rf_error *err)
{
    if (*value == '\0')
        return rf_fail(err, RF_INPUT, "column \"%s\" is never empty in the training table", field->label);
    return rf_fail(err, RF_INPUT, "column \"%s\" never holds \"%.80s\" in the training table", field->label,
                   value);
}

/* In the table's way of writing: its decimal point. */
static bool parse_number(const rf_schema *schema, const char *text, double *out)
{
    char copy[NUMBER_MAX];
    const size_t length = strlen(text);
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    for (size_t i = 0; i < length; i++)
        if (schema->dialect.decimal_point == ',' && copy[i] == ',')
            copy[i] = '.';
    return rf_parse_f64(copy, length, out);
}

static rf_code parse_value(const rf_transform *transform, int32_t i, rf_condition *out, rf_error *err)
{
    const rf_field *field = &transform->schema.fields[i];
    int32_t offset;
    if (field->kind == RF_KIND_DATETIME) {
        if (!rf_datetime_parse(out->text, strlen(out->text), field->datetime_format, &out->value, &offset))
            return rf_fail(err, RF_INPUT, "\"%.80s\" is not a date as column \"%s\" writes them (%s)",
                           out->text, field->label, field->datetime_format);
        return RF_OK;
    }
    if (!parse_number(&transform->schema, out->text, &out->value))
        return rf_fail(err, RF_INPUT, "\"%.80s\" is not a number, as column \"%s\" holds them", out->text,
                       field->label);
    return RF_OK;
}

static rf_code check_range(const rfi_column *column, const rf_field *field, const rf_condition *condition,
                           rf_error *err)
{
    const double x = condition->value;
    if (x < column->number.low || x > column->number.high)
        return rf_fail(err, RF_INPUT, "\"%.80s\" is outside the range of column \"%s\" in the training table",
                       condition->text, field->label);
    if (rfi_number_settle(column, field, x) != x)
        return rf_fail(err, RF_INPUT,
                       "\"%.80s\" has more digits than column \"%s\" writes, so no row can hold it",
                       condition->text, field->label);
    return RF_OK;
}

static rf_code find_value(const rf_transform *transform, int32_t i, rf_condition *out, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_column *column = &transform->columns[i];
    const rf_field *field = &transform->schema.fields[i];
    out->value = NAN;
    if (*out->text == '\0') {
        if (column->n_missing == 0)
            return never_seen(field, out->text, err);
        if (column->role == RFI_ROLE_CATEGORY)
            out->code = column->missing_code;
        return RF_OK;
    }
    RF_TRY(parse_value(transform, i, out, err));
    if (column->role == RFI_ROLE_NUMBER)
        return check_range(column, field, out, err);
    if (column->role == RFI_ROLE_EMPTY || out->value != column->value)
        return never_seen(field, out->text, err);
    if (column->role == RFI_ROLE_CATEGORY)
        out->code = 0;
out:
    return rc;
}

static rf_code find_text(const rfi_column *column, const rf_field *field, rf_condition *out, rf_error *err)
{
    const size_t length = strlen(out->text);
    int32_t code = rfi_dict_find(&column->categories.texts, out->text, length);
    if (code < 0 && length == 0 && column->n_missing > 0) {
        if (column->role == RFI_ROLE_CATEGORY)
            out->code = column->missing_code;
        return RF_OK;
    }
    if (code < 0 && column->categories.rare_code >= 0) {
        out->rare_text = rfi_dict_find(&column->categories.rare, out->text, length);
        code = out->rare_text >= 0 ? column->categories.rare_code : -1;
    }
    if (code < 0)
        return never_seen(field, out->text, err);
    if (column->role == RFI_ROLE_CATEGORY)
        out->code = code;
    return RF_OK;
}

rf_code rf_transform_condition(const rf_transform *transform, const char *assignment, rf_condition *out,
                               rf_error *err)
{
    rf_code rc = RF_OK;
    *out = (rf_condition){.field = -1, .span = -1, .code = -1, .rare_text = -1, .value = NAN};
    RF_TRY(find_column(&transform->schema, assignment, &out->field, &out->text, err));
    const rfi_column *column = &transform->columns[out->field];
    const rf_field *field = &transform->schema.fields[out->field];
    if (column->role == RFI_ROLE_ID || column->role == RFI_ROLE_IGNORED) {
        rc = rf_fail(err, RF_INPUT, "column \"%s\" is not modelled (%s), so no condition can be put on it",
                     field->label, column->role == RFI_ROLE_ID ? "ids are made anew" : "it is ignored");
        goto out;
    }
    if (rf_kind_is_coded(field->kind))
        RF_TRY(find_text(column, field, out, err));
    else
        RF_TRY(find_value(transform, out->field, out, err));
    if (out->code >= 0)
        out->span = column->span;
out:
    return rc;
}

/* ------------------------------------------------------------------ which rows */

/* Ignored columns are not in a result. */
static int32_t result_column(const rf_schema *schema, int32_t field)
{
    int32_t column = 0;
    for (int32_t i = 0; i < field; i++)
        column += schema->fields[i].kind != RF_KIND_IGNORED;
    return column;
}

bool rf_condition_holds(const rf_transform *transform, const rf_condition *condition, const rf_table *rows,
                        int64_t row)
{
    const rf_column *cells = &rows->columns[result_column(&transform->schema, condition->field)];
    if (cells->values)
        return isnan(condition->value) ? isnan(cells->values[row]) : cells->values[row] == condition->value;
    if (cells->codes[row] < 0)
        return *condition->text == '\0';
    size_t length;
    const char *text = rf_dict_text(&cells->dict, cells->codes[row], &length);
    return strlen(condition->text) == length && memcmp(text, condition->text, length) == 0;
}
