/* The macro table becomes an array of descriptions, and everything here walks over it: a parameter that
 * is added to the table is parsed, checked, printed and stored without a line in this file. */
#include "domain/params.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/text.h"

enum { NAME_MAX_BYTES = 64, BATCH_SIZE = 500, EPOCHS = 100, COMPAT_EPOCHS = 300 };

typedef enum param_type { TYPE_INT, TYPE_REAL, TYPE_FLAG, TYPE_DIMS, TYPE_COUNT } param_type;

typedef struct param {
    const char *name, *help;
    param_type type;
    int models; /* RF_IN_… */
    size_t at;  /* offset of the field in rf_params */
    double value, low, high;
    int n_layers; /* of a dims default */
} param;

static const param table[] = {
#define ROW_INT(field, in, value, low, high, help)                                                           \
    {#field, help, TYPE_INT, in, offsetof(rf_params, field), value, low, high, 0},
#define ROW_REAL(field, in, value, low, high, help)                                                          \
    {#field, help, TYPE_REAL, in, offsetof(rf_params, field), value, low, high, 0},
#define ROW_FLAG(field, in, value, help)                                                                     \
    {#field, help, TYPE_FLAG, in, offsetof(rf_params, field), value, 0, 1, 0},
#define ROW_DIMS(field, in, width, count, low, high, help)                                                   \
    {#field, help, TYPE_DIMS, in, offsetof(rf_params, field), width, low, high, count},
    RF_PARAM_TABLE(ROW_INT, ROW_REAL, ROW_FLAG, ROW_DIMS)
#undef ROW_INT
#undef ROW_REAL
#undef ROW_FLAG
#undef ROW_DIMS
};

enum { N_PARAMS = sizeof table / sizeof *table };
_Static_assert(N_PARAMS <= 64, "rf_params.given has a bit for each parameter");

/* ---- models --------------------------------------------------------------------------------- */

static const char *const model_names[RF_MODEL_COUNT] = {[RF_MODEL_CTGAN] = "ctgan", [RF_MODEL_TVAE] = "tvae"};
static const char *const later_models[] = {"auto", "circuit", "forest"};

const char *rf_model_kind_name(rf_model_kind model)
{
    return (unsigned)model < RF_MODEL_COUNT ? model_names[model] : "unknown";
}

rf_code rf_model_kind_parse(rf_model_kind *out, const char *name, rf_error *err)
{
    for (int model = 0; model < RF_MODEL_COUNT; model++)
        if (strcmp(name, model_names[model]) == 0) {
            *out = (rf_model_kind)model;
            return RF_OK;
        }
    for (size_t i = 0; i < sizeof later_models / sizeof *later_models; i++)
        if (strcmp(name, later_models[i]) == 0)
            return rf_fail(err, RF_USAGE, "the model %s is not in this version; it has ctgan and tvae", name);
    return rf_fail(err, RF_USAGE, "this version has the models ctgan and tvae, but not '%s'", name);
}

/* ---- rows of the table ----------------------------------------------------------------------- */

static bool is_of_model(const param *row, rf_model_kind model)
{
    return (row->models & (1 << model)) != 0;
}

static uint64_t bit_of(const param *row)
{
    return UINT64_C(1) << (row - table);
}

static void *field_of(rf_params *params, const param *row)
{
    return (char *)params + row->at;
}

static const void *value_of(const rf_params *params, const param *row)
{
    return (const char *)params + row->at;
}

static bool is_in_range(const param *row, double value)
{
    return value >= row->low && value <= row->high;
}

static void set_default(rf_params *params, const param *row)
{
    void *field = field_of(params, row);
    switch (row->type) {
    case TYPE_INT:
        *(int64_t *)field = (int64_t)row->value;
        break;
    case TYPE_REAL:
        *(double *)field = row->value;
        break;
    case TYPE_FLAG:
        *(bool *)field = row->value != 0;
        break;
    case TYPE_DIMS:
    case TYPE_COUNT:
        *(rf_dims *)field = (rf_dims){.n = row->n_layers};
        for (int i = 0; i < row->n_layers; i++)
            ((rf_dims *)field)->width[i] = (int32_t)row->value;
        break;
    }
}

void rf_params_init(rf_params *params, rf_model_kind model)
{
    *params = (rf_params){.model = model};
    for (const param *row = table; row < table + N_PARAMS; row++)
        set_default(params, row);
}

/* ---- setting one ----------------------------------------------------------------------------- */

static rf_code no_such_parameter(rf_model_kind model, const char *name, rf_error *err)
{
    const char *names[N_PARAMS];
    const char *model_name = rf_model_kind_name(model);
    int n = 0;
    for (const param *row = table; row < table + N_PARAMS; row++) {
        if (is_of_model(row, model))
            names[n++] = row->name;
        else if (strcmp(row->name, name) == 0)
            return rf_fail(err, RF_USAGE, "%s has no parameter %s; it belongs to another model", model_name,
                           name);
    }
    const char *nearest = rf_text_nearest(name, names, n);
    if (nearest)
        return rf_fail(err, RF_USAGE, "%s has no parameter '%s'; did you mean %s?", model_name, name,
                       nearest);
    return rf_fail(err, RF_USAGE, "%s has no parameter '%s'; its help lists those it has", model_name, name);
}

static rf_code wrong_value(const param *row, const char *value, rf_error *err)
{
    static const char *const wanted[TYPE_COUNT] = {"a whole number", "a number", "true or false",
                                                   "1 to 8 whole numbers (256,256), each"};
    char low[RF_NUMBER_TEXT_MAX], high[RF_NUMBER_TEXT_MAX];
    if (row->type == TYPE_FLAG)
        return rf_fail(err, RF_USAGE, "%s must be %s, not '%s'", row->name, wanted[row->type], value);
    rf_format_fixed(low, row->low, 17, 0);
    rf_format_fixed(high, row->high, 17, 0);
    return rf_fail(err, RF_USAGE, "%s must be %s from %s to %s, not '%s'", row->name, wanted[row->type], low,
                   high, value);
}

/* A whole number may be written as 1e3. */
static bool take_number(const param *row, const json_t *json, double *out)
{
    if (!json_is_number(json))
        return false;
    double value = json_number_value(json);
    if (!isfinite(value) || !is_in_range(row, value) || (row->type != TYPE_REAL && value != floor(value)))
        return false;
    *out = value;
    return true;
}

static bool take_dims(const param *row, const json_t *json, rf_dims *out)
{
    size_t n = json_array_size(json); /* 0 when it is no array */
    rf_dims dims = {.n = (int32_t)n};
    if (n < 1 || n > RF_DIMS_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        double width;
        if (!take_number(row, json_array_get(json, i), &width))
            return false;
        dims.width[i] = (int32_t)width;
    }
    *out = dims;
    return true;
}

static bool take_value(rf_params *params, const param *row, const json_t *json)
{
    double number;
    switch (row->type) {
    case TYPE_INT:
        if (!take_number(row, json, &number))
            return false;
        *(int64_t *)field_of(params, row) = (int64_t)number;
        return true;
    case TYPE_REAL:
        return take_number(row, json, field_of(params, row));
    case TYPE_FLAG:
        if (!json_is_boolean(json))
            return false;
        *(bool *)field_of(params, row) = json_is_true(json);
        return true;
    case TYPE_DIMS:
    case TYPE_COUNT:
        break;
    }
    return take_dims(row, json, field_of(params, row));
}

/* "256,256" and "256" are lists too, and a flag may be written as Python writes it. */
static json_t *parse_value(const param *row, const char *value, bool *no_memory)
{
    if (row->type == TYPE_FLAG && (!strcmp(value, "True") || !strcmp(value, "False"))) {
        *no_memory = false;
        return json_boolean(value[0] == 'T');
    }
    json_t *json = NULL;
    rf_buf text;
    rf_buf_init(&text);
    const bool is_bare = row->type == TYPE_DIMS && value[strspn(value, " \t")] != '[';
    rf_buf_printf(&text, is_bare ? "[%s]" : "%s", value);
    *no_memory = text.failed;
    if (!text.failed)
        json = json_loads(text.data, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    rf_buf_free(&text);
    return json;
}

static const param *find_row(rf_model_kind model, const char *name)
{
    for (const param *row = table; row < table + N_PARAMS; row++)
        if (is_of_model(row, model) && strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

rf_code rf_params_set(rf_params *params, const char *name, const char *value, rf_error *err)
{
    const param *row = find_row(params->model, name);
    if (!row)
        return no_such_parameter(params->model, name, err);
    bool no_memory;
    json_t *json = parse_value(row, value, &no_memory);
    const bool taken = json && take_value(params, row, json);
    json_decref(json);
    if (no_memory)
        return rf_fail(err, RF_NO_MEMORY, "not enough memory for the parameter %s", row->name);
    if (!taken)
        return wrong_value(row, value, err);
    params->given |= bit_of(row);
    return RF_OK;
}

rf_code rf_params_assign(rf_params *params, const char *assignment, rf_error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return rf_fail(err, RF_USAGE, "'%s' is not of the form name=value", assignment);
    char name[NAME_MAX_BYTES];
    size_t length = (size_t)(equals - assignment);
    if (length >= sizeof name)
        return rf_fail(err, RF_USAGE, "no parameter has a name as long as that in '%s'", assignment);
    memcpy(name, assignment, length);
    name[length] = 0;
    return rf_params_set(params, name, equals + 1, err);
}

/* ---- all of them together --------------------------------------------------------------------- */

static bool is_given(const rf_params *params, const void *field)
{
    for (const param *row = table; row < table + N_PARAMS; row++)
        if (value_of(params, row) == field)
            return (params->given & bit_of(row)) != 0;
    return false;
}

static void choose_by_size(rf_params *params, int64_t n_rows, bool compat)
{
    const bool has_epochs = is_given(params, &params->epochs);
    const bool has_batch = is_given(params, &params->batch_size);
    int64_t epochs = compat ? COMPAT_EPOCHS : EPOCHS, batch_size = BATCH_SIZE;
    if (!compat && !has_epochs && !has_batch) {
        epochs = n_rows < 1000 ? 200 : n_rows <= 10000 ? 150 : 100;
        batch_size = n_rows < 1000 ? 100 : n_rows <= 10000 ? 500 : 1000;
    }
    params->epochs = has_epochs ? params->epochs : epochs;
    params->batch_size = has_batch ? params->batch_size : batch_size;
}

static rf_code check_rules(const rf_params *params, rf_error *err)
{
    const long long batch = params->batch_size, pac = params->pac;
    if (params->model == RF_MODEL_CTGAN && batch % pac != 0) {
        const long long unit = pac % 2 ? 2 * pac : pac;
        const long long nearest = batch < unit ? unit : batch / unit * unit;
        return rf_fail(err, RF_USAGE,
                       "batch_size %lld is not a multiple of pac %lld; batch_size %lld would be", batch, pac,
                       nearest);
    }
    if (batch % 2 != 0)
        return rf_fail(err, RF_USAGE, "batch_size must be even, not %lld", batch);
    return RF_OK;
}

rf_code rf_params_finish(rf_params *params, int64_t n_rows, bool compat, rf_error *err)
{
    choose_by_size(params, n_rows, compat);
    return check_rules(params, err);
}

/* ---- as text ---------------------------------------------------------------------------------- */

static void put_dims(const rf_dims *dims, rf_buf *out)
{
    for (int i = 0; i < dims->n; i++)
        rf_buf_printf(out, "%s%d", i ? "," : "", dims->width[i]);
}

static void put_value(const rf_params *params, const param *row, rf_buf *out)
{
    const void *value = value_of(params, row);
    char number[RF_NUMBER_TEXT_MAX];
    switch (row->type) {
    case TYPE_INT:
        rf_buf_printf(out, "%lld", (long long)*(const int64_t *)value);
        break;
    case TYPE_REAL:
        rf_format_f64(number, *(const double *)value);
        rf_buf_puts(out, number);
        break;
    case TYPE_FLAG:
        rf_buf_puts(out, *(const bool *)value ? "true" : "false");
        break;
    case TYPE_DIMS:
    case TYPE_COUNT:
        put_dims(value, out);
        break;
    }
}

void rf_params_json(const rf_params *params, rf_buf *out)
{
    const char *before = "{";
    for (const param *row = table; row < table + N_PARAMS; row++) {
        if (!is_of_model(row, params->model))
            continue;
        const bool is_list = row->type == TYPE_DIMS;
        rf_buf_printf(out, "%s\"%s\":%s", before, row->name, is_list ? "[" : "");
        put_value(params, row, out);
        rf_buf_puts(out, is_list ? "]" : "");
        before = ",";
    }
    rf_buf_puts(out, "}");
}

static void put_range(const param *row, rf_buf *out)
{
    char low[RF_NUMBER_TEXT_MAX], high[RF_NUMBER_TEXT_MAX];
    rf_format_f64(low, row->low);
    rf_format_f64(high, row->high);
    if (row->type == TYPE_FLAG)
        rf_buf_puts(out, "true or false");
    else
        rf_buf_printf(out, "%s to %s%s", low, high, row->type == TYPE_DIMS ? " each" : "");
}

void rf_params_help(rf_model_kind model, rf_buf *out)
{
    rf_params defaults;
    rf_buf value, range;
    rf_params_init(&defaults, model);
    rf_buf_init(&value);
    rf_buf_init(&range);
    for (const param *row = table; row < table + N_PARAMS; row++) {
        if (!is_of_model(row, model))
            continue;
        const bool by_size =
            row->at == offsetof(rf_params, epochs) || row->at == offsetof(rf_params, batch_size);
        rf_buf_clear(&value);
        rf_buf_clear(&range);
        if (by_size)
            rf_buf_puts(&value, "by size");
        else
            put_value(&defaults, row, &value);
        put_range(row, &range);
        if (!value.failed && !range.failed)
            rf_buf_printf(out, "  %-20s %-8s %-18s %s\n", row->name, value.data, range.data, row->help);
    }
    out->failed |= value.failed || range.failed;
    rf_buf_free(&value);
    rf_buf_free(&range);
}

/* ---- as bytes: the model's name, a count, then name, given, type and value of each ------------- */

static int count_of(rf_model_kind model)
{
    int n = 0;
    for (const param *row = table; row < table + N_PARAMS; row++)
        n += is_of_model(row, model);
    return n;
}

static void store_value(const rf_params *params, const param *row, rf_buf *out)
{
    const void *value = value_of(params, row);
    const rf_dims *dims = value;
    switch (row->type) {
    case TYPE_INT:
        rf_put_i64(out, *(const int64_t *)value);
        break;
    case TYPE_REAL:
        rf_put_f64(out, *(const double *)value);
        break;
    case TYPE_FLAG:
        rf_put_u8(out, *(const bool *)value);
        break;
    case TYPE_DIMS:
    case TYPE_COUNT:
        rf_put_u32(out, (uint32_t)dims->n);
        for (int i = 0; i < dims->n; i++)
            rf_put_u32(out, (uint32_t)dims->width[i]);
        break;
    }
}

void rf_params_store(const rf_params *params, rf_buf *out)
{
    const char *model = rf_model_kind_name(params->model);
    rf_put_string(out, model, strlen(model));
    rf_put_u32(out, (uint32_t)count_of(params->model));
    for (const param *row = table; row < table + N_PARAMS; row++) {
        if (!is_of_model(row, params->model))
            continue;
        rf_put_string(out, row->name, strlen(row->name));
        rf_put_u8(out, (params->given & bit_of(row)) != 0);
        rf_put_u8(out, (uint8_t)row->type);
        store_value(params, row, out);
    }
}

static bool load_dims(const param *row, rf_reader *reader, rf_dims *out)
{
    uint32_t n = rf_get_u32(reader);
    rf_dims dims = {.n = (int32_t)n};
    if (n < 1 || n > RF_DIMS_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t width = rf_get_u32(reader);
        if (!is_in_range(row, width))
            return false;
        dims.width[i] = (int32_t)width;
    }
    *out = dims;
    return true;
}

static bool load_value(rf_params *params, const param *row, rf_reader *reader)
{
    void *field = field_of(params, row);
    uint8_t flag;
    switch (row->type) {
    case TYPE_INT:
        *(int64_t *)field = rf_get_i64(reader);
        return is_in_range(row, (double)*(int64_t *)field);
    case TYPE_REAL:
        *(double *)field = rf_get_f64(reader);
        return is_in_range(row, *(double *)field);
    case TYPE_FLAG:
        flag = rf_get_u8(reader);
        *(bool *)field = flag == 1;
        return flag <= 1;
    case TYPE_DIMS:
    case TYPE_COUNT:
        break;
    }
    return load_dims(row, reader, field);
}

static bool get_this_text(rf_reader *reader, const char *expected)
{
    size_t length;
    const char *text = rf_get_string(reader, &length);
    return text && length == strlen(expected) && memcmp(text, expected, length) == 0;
}

static bool load_row(rf_params *params, const param *row, rf_reader *reader)
{
    if (!get_this_text(reader, row->name))
        return false;
    const uint8_t given = rf_get_u8(reader), type = rf_get_u8(reader);
    if (given > 1 || type != row->type || !load_value(params, row, reader) || reader->failed)
        return false;
    if (given)
        params->given |= bit_of(row);
    return true;
}

static bool load_model(rf_model_kind *out, rf_reader *reader)
{
    size_t length;
    const char *text = rf_get_string(reader, &length);
    for (int model = 0; text && model < RF_MODEL_COUNT; model++)
        if (length == strlen(model_names[model]) && memcmp(text, model_names[model], length) == 0) {
            *out = (rf_model_kind)model;
            return true;
        }
    return false;
}

rf_code rf_params_load(rf_params *out, rf_reader *reader, rf_error *err)
{
    rf_model_kind model;
    rf_params params;
    if (!load_model(&model, reader))
        return rf_fail(err, RF_CORRUPT, "the file holds a model of an unknown kind");
    rf_params_init(&params, model);
    if (rf_get_u32(reader) != (uint32_t)count_of(model))
        return rf_fail(err, RF_CORRUPT, "the file holds other parameters than %s has", model_names[model]);
    for (const param *row = table; row < table + N_PARAMS; row++)
        if (is_of_model(row, model) && !load_row(&params, row, reader))
            return rf_fail(err, RF_CORRUPT, "the file's parameter %s is damaged", row->name);
    if (check_rules(&params, NULL) != RF_OK)
        return rf_fail(err, RF_CORRUPT, "the file's batch_size and pac do not fit each other");
    *out = params;
    return RF_OK;
}
