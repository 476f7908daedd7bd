/* profile_checks.c - what is asked of a table, held against its profile.
 *
 * A worker knows exactly which conditions a model can meet, but only when the job has come so far. A profile knows enough to
 * say most of it at once: which columns there are, what a column with few values holds, from where to where numbers go. What
 * it does not know (dates, the rarer of many values, texts that were cut) passes here and is the worker's to refuse. */
#include <jansson.h>
#include <string.h>

#include "core/buf.h"
#include "core/text.h"
#include "scheduler/scheduler_state.h"

/* Texts of a profile may have been cut to so many bytes (docs/queue.md), and then prove nothing. */
enum { CUT_BYTES = 190, NAMES_MAX = 64, LISTED_BYTES = 120 };

/* ------------------------------------------------------------------ columns */

static const char *text_of(const json_t *object, const char *name)
{
    const char *const text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static const char *label_of(const json_t *column)
{
    const char *const label = json_string_value(json_object_get(column, "label"));
    return label ? label : text_of(column, "name");
}

/* The profile's columns by their labels: a table may have ten thousand, and somebody may name them all. */
static rf_code index_columns(const char *profile, json_t **out, rf_error *err)
{
    json_t *const json = json_loads(*profile ? profile : "{}", 0, NULL);
    const json_t *const columns = json_object_get(json, "columns");
    *out = json ? json_object() : NULL;
    for (size_t i = 0; *out && i < json_array_size(columns); i++)
        json_object_set(*out, label_of(json_array_get(columns, i)), json_array_get(columns, i));
    json_decref(json);
    return *out ? RF_OK : rf_fail(err, RF_CORRUPT, "the database holds a profile that cannot be read");
}

static rf_code no_such_column(json_t *columns, const char *label, rf_error *err)
{
    const char *names[NAMES_MAX], *name;
    json_t *column;
    int n = 0;
    json_object_foreach(columns, name, column)
    {
        if (n < NAMES_MAX)
            names[n++] = name;
    }
    const char *const near = rf_text_nearest(label, names, n);
    if (near)
        return rf_fail(err, RF_USAGE, "the table has no column \"%.80s\"; did you mean \"%.80s\"?", label,
                       near);
    return rf_fail(err, RF_USAGE, "the table has no column \"%.100s\"", label);
}

/* ------------------------------------------------------------------ values */

static bool is_plain_number(const char *text, double *out)
{
    return rf_parse_f64(text, strlen(text), out);
}

/* A table may write its numbers with a decimal comma: then it is the worker who reads them. */
static rf_code check_number(const json_t *column, const rf_plan_condition *condition, rf_error *err)
{
    const json_t *const low = json_object_get(column, "min"), *const high = json_object_get(column, "max");
    char low_text[RF_NUMBER_TEXT_MAX], high_text[RF_NUMBER_TEXT_MAX];
    double x;
    if (strchr(condition->value, ',') || !json_is_number(low) || !json_is_number(high))
        return RF_OK;
    if (!is_plain_number(condition->value, &x))
        return rf_fail(err, RF_USAGE, "column \"%.80s\" holds numbers, and \"%.80s\" is none",
                       condition->column, condition->value);
    if (x >= json_number_value(low) && x <= json_number_value(high))
        return RF_OK;
    rf_format_f64(low_text, json_number_value(low));
    rf_format_f64(high_text, json_number_value(high));
    return rf_fail(err, RF_USAGE, "column \"%.80s\" goes from %s to %s, so no row can have %.40s",
                   condition->column, low_text, high_text, condition->value);
}

/* Whether the profile lists all that the column holds, as it is. */
static bool lists_all(const json_t *column, const json_t *top)
{
    if (json_integer_value(json_object_get(column, "distinct")) != (json_int_t)json_array_size(top))
        return false;
    for (size_t i = 0; i < json_array_size(top); i++)
        if (strlen(text_of(json_array_get(top, i), "value")) >= CUT_BYTES)
            return false;
    return true;
}

static bool lists(const json_t *top, const char *value)
{
    for (size_t i = 0; i < json_array_size(top); i++)
        if (!strcmp(text_of(json_array_get(top, i), "value"), value))
            return true;
    return false;
}

static rf_code never_holds(const json_t *top, const rf_plan_condition *condition, rf_error *err)
{
    rf_buf list;
    rf_buf_init(&list);
    const size_t n = json_array_size(top);
    for (size_t i = 0; i < n; i++) {
        if (list.size_bytes > LISTED_BYTES) {
            rf_buf_puts(&list, ", …");
            break;
        }
        rf_buf_printf(&list, "%s\"%s\"",
                      i == 0      ? ""
                      : i + 1 < n ? ", "
                                  : " and ",
                      text_of(json_array_get(top, i), "value"));
    }
    const rf_code rc =
        rf_fail(err, RF_USAGE, "column \"%.60s\" never holds \"%.40s\"; it holds %s", condition->column,
                condition->value, list.failed || !n ? "no value at all" : list.data);
    rf_buf_free(&list);
    return rc;
}

static rf_code check_value(const json_t *column, const rf_plan_condition *condition, rf_error *err)
{
    const char *const kind = text_of(column, "type");
    const json_t *const top = json_object_get(column, "top");
    if (!strcmp(kind, "id") || !strcmp(kind, "ignored"))
        return rf_fail(err, RF_USAGE, "column \"%.100s\" is %s, so no condition can be put on it",
                       condition->column, *kind == 'i' && kind[1] == 'd' ? "made anew" : "left out");
    if (!*condition->value)
        return json_integer_value(json_object_get(column, "missing")) > 0
                   ? RF_OK
                   : rf_fail(err, RF_USAGE, "column \"%.100s\" is never empty", condition->column);
    if (!top)
        return check_number(column, condition, err);
    if (!lists_all(column, top) || lists(top, condition->value))
        return RF_OK;
    return never_holds(top, condition, err);
}

/* ------------------------------------------------------------------ from outside */

static rf_code check_one(json_t *columns, const rf_plan_condition *condition, rf_error *err)
{
    const json_t *const column = json_object_get(columns, condition->column);
    const rf_code rc =
        column ? check_value(column, condition, err) : no_such_column(columns, condition->column, err);
    if (rc != RF_OK)
        rf_error_context(err, "conditions.%.200s", condition->column);
    return rc;
}

rf_code rfi_conditions_check(const rf_plan_condition *conditions, int32_t n, const char *profile,
                             rf_error *err)
{
    json_t *columns = NULL;
    rf_code rc = RF_OK;
    if (n)
        RF_TRY(index_columns(profile, &columns, err));
    for (int32_t i = 0; i < n; i++)
        RF_TRY(check_one(columns, &conditions[i], err));
out:
    json_decref(columns);
    return rc;
}

rf_code rfi_rows_check(int64_t n_rows, rf_error *err)
{
    if (n_rows >= 2)
        return RF_OK;
    return rf_fail(err, RF_USAGE, "dataset_id: the dataset has only one row; at least two are needed");
}

rf_code rfi_kinds_check(const rf_column_kind *kinds, int32_t n, const char *profile, rf_error *err)
{
    json_t *columns = NULL;
    rf_code rc = RF_OK;
    RF_TRY(index_columns(profile, &columns, err));
    for (int32_t i = 0; i < n; i++)
        if (!json_object_get(columns, kinds[i].column)) {
            rc = no_such_column(columns, kinds[i].column, err);
            rf_error_context(err, "columns.%.200s", kinds[i].column);
            goto out;
        }
out:
    json_decref(columns);
    return rc;
}
