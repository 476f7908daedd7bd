#include "engine/table/metadata.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "engine/table/datetime.h"

enum {
    SIZE_MAX_BYTES = 64 << 20, /* 10,000 columns with long regular expressions stay far below */
    SHOWN_MAX = 48,            /* bytes of somebody else's text in one of our sentences       */
};

/* Where we are: for messages. */
typedef struct context {
    const char *file;
    rf_arena *arena;
    rf_notes *notes;
} context;

/* ---------------------------------------------------------------- words */

/* Other types of the reference whose columns hold what identifies a person or an object. */
static const char *const personal_types[] = {
    "address",
    "administrative_unit",
    "ban",
    "bban",
    "building_number",
    "city",
    "company",
    "company_email",
    "country",
    "country_code",
    "credit_card_number",
    "current_country",
    "email",
    "first_name",
    "free_email",
    "iban",
    "ip_address",
    "ipv4",
    "ipv4_address",
    "ipv6",
    "ipv6_address",
    "job",
    "last_name",
    "latitude",
    "license_plate",
    "longitude",
    "mac_address",
    "name",
    "phone_number",
    "postcode",
    "postalcode",
    "prefix",
    "safe_email",
    "secondary_address",
    "ssn",
    "state",
    "state_abbr",
    "street_address",
    "street_name",
    "suffix",
    "swift",
    "swift11",
    "swift8",
    "url",
    "user_agent_string",
    "user_name",
    "uuid4",
    "vin",
    "zipcode",
};

static const char *const main_types[] = {"numerical", "datetime", "categorical", "boolean", "id", "unknown"};

static const char *const column_keys[] = {
    "sdtype",
    "computer_representation",
    "datetime_format",
    "order",
    "order_by",
    "regex_format",
    "pii",
    "range_min",
    "range_max",
    "range_values",
    "range_is_nullable",
};

static const char *const table_keys[] = {
    "columns",        "primary_key",          "alternate_keys",        "sequence_key",
    "sequence_index", "column_relationships", "METADATA_SPEC_VERSION", "SCHEMA_VERSION",
};

static const char *const whole_forms[] = {"Int8",  "Int16",  "Int32",  "Int64",
                                          "UInt8", "UInt16", "UInt32", "UInt64"};
static const char *const fraction_forms[] = {"Float", "Float32", "Float64"};

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

static bool is_among(const char *text, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0)
            return true;
    return false;
}

/* What JSON calls it, for "must be a string, not a list". */
static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

/* How much of a text is shown in a message: whole letters of UTF-8. */
static int shown(const char *text)
{
    size_t length = strnlen(text, SHOWN_MAX + 1);
    if (length <= SHOWN_MAX)
        return (int)length;
    for (length = SHOWN_MAX; ((unsigned char)text[length] & 0xC0) == 0x80; length--)
        ;
    return (int)length;
}

static const char *keep(context *ctx, const char *text)
{
    return rf_arena_string(ctx->arena, text, strlen(text));
}

/* ---------------------------------------------------------------- one column */

/* A string member, NULL when absent or null. */
static rf_code find_text(const char **out, const context *ctx, const json_t *column, const char *name,
                         const char *key, rf_error *err)
{
    const json_t *const value = json_object_get(column, key);
    *out = NULL;
    if (value == NULL || json_is_null(value))
        return RF_OK;
    if (!json_is_string(value))
        return rf_fail(err, RF_INPUT, "%s: \"%s\" of column '%.*s' must be a text, not %s", ctx->file, key,
                       shown(name), name, type_name(value));
    *out = json_string_value(value);
    return RF_OK;
}

static rf_code read_bound(double *out, const context *ctx, const json_t *column, const char *name,
                          const char *key, rf_error *err)
{
    const json_t *const value = json_object_get(column, key);
    *out = NAN;
    if (value == NULL || json_is_null(value))
        return RF_OK;
    if (!json_is_number(value))
        return rf_fail(err, RF_INPUT, "%s: \"%s\" of column '%.*s' must be a number, not %s", ctx->file, key,
                       shown(name), name, type_name(value));
    *out = json_number_value(value);
    return RF_OK;
}

/* A datetime's bound is a text in the column's own format. */
static rf_code read_datetime_bound(double *out, const context *ctx, const json_t *column, const char *name,
                                   const char *key, const char *format, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *text;
    int32_t offset;
    *out = NAN;
    RF_TRY(find_text(&text, ctx, column, name, key, err));
    if (text != NULL && !rf_datetime_parse(text, strlen(text), format, out, &offset))
        RF_TRY(rf_fail(err, RF_INPUT,
                       "%s: \"%s\" of column '%.*s' does not have the column's datetime_format", ctx->file,
                       key, shown(name), name));
out:
    return rc;
}

/* The text that a cell with this value has; NULL for null, a list and an object. */
static const char *value_text(context *ctx, const json_t *value)
{
    char text[RF_NUMBER_TEXT_MAX];
    if (json_is_string(value))
        return keep(ctx, json_string_value(value));
    if (json_is_boolean(value))
        return json_is_true(value) ? "True" : "False";
    if (json_is_integer(value))
        rf_format_i64(text, json_integer_value(value));
    else if (json_is_real(value))
        rf_format_f64(text, json_real_value(value));
    else
        return NULL;
    return keep(ctx, text);
}

static rf_code read_range_values(rf_metadata_column *out, context *ctx, const json_t *column, rf_error *err)
{
    const json_t *const list = json_object_get(column, "range_values");
    if (list == NULL || json_is_null(list))
        return RF_OK;
    if (!json_is_array(list))
        return rf_fail(err, RF_INPUT, "%s: \"range_values\" of column '%.*s' must be a list, not %s",
                       ctx->file, shown(out->name), out->name, type_name(list));
    const char **texts = RF_ARENA_ARRAY(ctx->arena, const char *, json_array_size(list));
    for (size_t i = 0; texts != NULL && i < json_array_size(list); i++) {
        const json_t *const value = json_array_get(list, i);
        const char *const text = value_text(ctx, value);
        out->range_has_null |= json_is_null(value);
        if (text != NULL)
            texts[out->n_range_values++] = text;
    }
    out->range_values = texts;
    return rf_arena_check(ctx->arena, "the metadata", err);
}

static rf_code read_nullable(rf_metadata_column *out, const context *ctx, const json_t *column, rf_error *err)
{
    const json_t *const value = json_object_get(column, "range_is_nullable");
    if (value == NULL || json_is_null(value))
        return RF_OK;
    if (!json_is_boolean(value))
        return rf_fail(err, RF_INPUT,
                       "%s: \"range_is_nullable\" of column '%.*s' must be true or false, not %s", ctx->file,
                       shown(out->name), out->name, type_name(value));
    out->nullable = json_is_true(value) ? 1 : -1;
    return RF_OK;
}

static rf_code check_range(const rf_metadata_column *column, const context *ctx, rf_error *err)
{
    if (column->range_min > column->range_max)
        return rf_fail(err, RF_INPUT, "%s: column '%.*s' has a range_min above its range_max", ctx->file,
                       shown(column->name), column->name);
    return RF_OK;
}

static rf_code read_numerical(rf_metadata_column *out, const context *ctx, const json_t *column,
                              rf_error *err)
{
    rf_code rc = RF_OK;
    const char *form;
    out->numerical = true;
    out->kind = RF_KIND_CONTINUOUS;
    RF_TRY(find_text(&form, ctx, column, out->name, "computer_representation", err));
    if (form != NULL && is_among(form, whole_forms, COUNT_OF(whole_forms)))
        out->kind = RF_KIND_INTEGER;
    else if (form != NULL && !is_among(form, fraction_forms, COUNT_OF(fraction_forms)))
        rf_note(ctx->notes,
                "%s: column '%.*s' has the unknown computer_representation '%.*s'; its cells decide",
                ctx->file, shown(out->name), out->name, shown(form), form);
    RF_TRY(read_bound(&out->range_min, ctx, column, out->name, "range_min", err));
    RF_TRY(read_bound(&out->range_max, ctx, column, out->name, "range_max", err));
    RF_TRY(check_range(out, ctx, err));
out:
    return rc;
}

static rf_code read_datetime(rf_metadata_column *out, context *ctx, const json_t *column, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *format, *reason;
    out->kind = RF_KIND_DATETIME;
    RF_TRY(find_text(&format, ctx, column, out->name, "datetime_format", err));
    if (format == NULL)
        goto out;
    if (!rf_datetime_format_valid(format, &reason))
        RF_TRY(rf_fail(err, RF_INPUT, "%s: the datetime_format '%.*s' of column '%.*s' cannot be used: %s",
                       ctx->file, shown(format), format, shown(out->name), out->name, reason));
    out->datetime_format = keep(ctx, format);
    RF_TRY(read_datetime_bound(&out->range_min, ctx, column, out->name, "range_min", format, err));
    RF_TRY(read_datetime_bound(&out->range_max, ctx, column, out->name, "range_max", format, err));
    RF_TRY(check_range(out, ctx, err));
out:
    return rc;
}

static rf_code read_personal(rf_metadata_column *out, const context *ctx, const json_t *column, rf_error *err)
{
    const json_t *const pii = json_object_get(column, "pii");
    const bool known = strcmp(out->sdtype, "unknown") == 0 ||
                       is_among(out->sdtype, personal_types, COUNT_OF(personal_types));
    if (pii != NULL && !json_is_boolean(pii))
        return rf_fail(err, RF_INPUT, "%s: \"pii\" of column '%.*s' must be true or false, not %s", ctx->file,
                       shown(out->name), out->name, type_name(pii));
    out->kind = json_is_false(pii) ? RF_KIND_CATEGORICAL : RF_KIND_ID;
    if (!known) {
        const char *const near = rf_text_nearest(out->sdtype, main_types, COUNT_OF(main_types));
        rf_note(ctx->notes, "%s: column '%.*s' has the unknown sdtype '%.*s' and is taken for %s%s%s%s",
                ctx->file, shown(out->name), out->name, shown(out->sdtype), out->sdtype,
                out->kind == RF_KIND_ID ? "an id" : "a category", near != NULL ? "; was '" : "",
                near != NULL ? near : "", near != NULL ? "' meant?" : "");
    }
    return RF_OK;
}

static void note_unknown_keys(const context *ctx, const json_t *object, const char *where,
                              const char *const *known, int n_known)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (!is_among(key, known, n_known))
            rf_note(ctx->notes, "%s: the key '%.*s' of %s is unknown and has no effect", ctx->file,
                    shown(key), key, where);
    }
}

static rf_code read_column(rf_metadata_column *out, context *ctx, const char *name, const json_t *column,
                           rf_error *err)
{
    rf_code rc = RF_OK;
    const char *sdtype, *regex;
    char where[SHOWN_MAX + 16];
    *out = (rf_metadata_column){.name = keep(ctx, name), .range_min = NAN, .range_max = NAN};
    if (!json_is_object(column))
        return rf_fail(err, RF_INPUT,
                       "%s: column '%.*s' must be an object such as {\"sdtype\": \"categorical\"}, not %s",
                       ctx->file, shown(name), name, type_name(column));
    RF_TRY(find_text(&sdtype, ctx, column, name, "sdtype", err));
    if (sdtype == NULL)
        RF_TRY(rf_fail(err, RF_INPUT, "%s: column '%.*s' has no sdtype", ctx->file, shown(name), name));
    out->sdtype = keep(ctx, sdtype);
    RF_TRY(rf_arena_check(ctx->arena, "the metadata", err)); /* both names are read from here on */
    RF_TRY(read_nullable(out, ctx, column, err));
    RF_TRY(read_range_values(out, ctx, column, err));
    if (strcmp(sdtype, "numerical") == 0)
        RF_TRY(read_numerical(out, ctx, column, err));
    else if (strcmp(sdtype, "datetime") == 0)
        RF_TRY(read_datetime(out, ctx, column, err));
    else if (strcmp(sdtype, "boolean") == 0)
        out->kind = RF_KIND_BOOLEAN;
    else if (strcmp(sdtype, "categorical") == 0)
        out->kind = RF_KIND_CATEGORICAL;
    else if (strcmp(sdtype, "id") == 0)
        out->kind = RF_KIND_ID;
    else
        RF_TRY(read_personal(out, ctx, column, err));
    RF_TRY(find_text(&regex, ctx, column, name, "regex_format", err));
    if (regex != NULL && out->kind == RF_KIND_ID)
        out->regex = keep(ctx, regex);
    snprintf(where, sizeof where, "column '%.*s'", shown(name), name);
    note_unknown_keys(ctx, column, where, column_keys, COUNT_OF(column_keys));
out:
    return rc;
}

/* ---------------------------------------------------------------- keys */

static rf_code find_key_column(rf_metadata_column **out, const rf_metadata *metadata, const context *ctx,
                               const json_t *key, const char *which, rf_error *err)
{
    *out = NULL;
    if (!json_is_string(key))
        return rf_fail(err, RF_INPUT, "%s: %s must name a column, and is %s", ctx->file, which,
                       type_name(key));
    const char *const name = json_string_value(key);
    for (int32_t i = 0; i < metadata->n_columns && *out == NULL; i++)
        if (strcmp(metadata->columns[i].name, name) == 0)
            *out = &metadata->columns[i];
    if (*out == NULL)
        return rf_fail(err, RF_INPUT, "%s: %s names '%.*s', and there is no such column", ctx->file, which,
                       shown(name), name);
    if ((*out)->kind != RF_KIND_ID)
        return rf_fail(err, RF_INPUT,
                       "%s: %s names '%.*s', which is %s; a key's sdtype is id or a personal one", ctx->file,
                       which, shown(name), name, (*out)->sdtype);
    return RF_OK;
}

/* Its columns keep their own sdtypes; together they are what the report checks. */
static rf_code read_composite_key(rf_metadata *metadata, const context *ctx, const json_t *keys,
                                  rf_error *err)
{
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *const name = json_string_value(json_array_get(keys, i));
        rf_metadata_column *found = NULL;
        for (int32_t k = 0; name != NULL && k < metadata->n_columns && found == NULL; k++)
            if (strcmp(metadata->columns[k].name, name) == 0)
                found = &metadata->columns[k];
        if (found == NULL)
            return rf_fail(err, RF_INPUT, "%s: primary_key names '%.*s', and there is no such column",
                           ctx->file, name != NULL ? shown(name) : 1, name != NULL ? name : "?");
        found->composite_key = true;
    }
    return RF_OK;
}

static rf_code read_primary_key(rf_metadata *metadata, const context *ctx, const json_t *key, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_metadata_column *column;
    if (key == NULL || json_is_null(key))
        return RF_OK;
    if (json_is_array(key) && json_array_size(key) != 1) {
        rf_note(ctx->notes,
                "%s: a primary key of several columns is not kept unique; each column follows its sdtype",
                ctx->file);
        return read_composite_key(metadata, ctx, key, err);
    }
    const json_t *const single = json_is_array(key) ? json_array_get(key, 0) : key;
    RF_TRY(find_key_column(&column, metadata, ctx, single, "primary_key", err));
    column->primary_key = true;
out:
    return rc;
}

static rf_code read_alternate_keys(rf_metadata *metadata, const context *ctx, const json_t *keys,
                                   rf_error *err)
{
    rf_code rc = RF_OK;
    if (keys == NULL || json_is_null(keys))
        return RF_OK;
    if (!json_is_array(keys))
        return rf_fail(err, RF_INPUT, "%s: alternate_keys must be a list of columns, not %s", ctx->file,
                       type_name(keys));
    for (size_t i = 0; i < json_array_size(keys); i++) {
        rf_metadata_column *column;
        RF_TRY(find_key_column(&column, metadata, ctx, json_array_get(keys, i), "alternate_keys", err));
        column->alternate_key = true;
    }
out:
    return rc;
}

/* ---------------------------------------------------------------- the table and the file */

static bool is_given(const json_t *object, const char *key)
{
    const json_t *const value = json_object_get(object, key);
    return value != NULL && !json_is_null(value) && !(json_is_array(value) && json_array_size(value) == 0);
}

static void note_unused(const context *ctx, const json_t *root, const json_t *table)
{
    if (is_given(table, "sequence_key") || is_given(table, "sequence_index"))
        rf_note(ctx->notes, "%s: the table is a set of sequences; its rows are treated as independent",
                ctx->file);
    if (is_given(table, "column_relationships"))
        rf_note(ctx->notes, "%s: column_relationships have no effect", ctx->file);
    if (is_given(root, "relationships"))
        rf_note(ctx->notes, "%s: relationships between tables have no effect on a single one", ctx->file);
}

static rf_code read_table(rf_metadata *out, context *ctx, const char *name, const json_t *table,
                          rf_error *err)
{
    rf_code rc = RF_OK;
    const char *key;
    json_t *value;
    if (!json_is_object(table))
        return rf_fail(err, RF_INPUT, "%s: the table must be an object, not %s", ctx->file, type_name(table));
    const json_t *const columns = json_object_get(table, "columns");
    if (!json_is_object(columns))
        return rf_fail(err, RF_INPUT, "%s: \"columns\" must be an object with an entry for each column%s%s",
                       ctx->file, columns != NULL ? ", not " : "; there is none",
                       columns != NULL ? type_name(columns) : "");
    const size_t n = json_object_size(columns);
    if (n == 0 || n > RF_COLUMNS_MAX)
        return rf_fail(err, RF_INPUT, "%s: the table has %zu columns; 1 to %d are possible", ctx->file, n,
                       (int)RF_COLUMNS_MAX);
    out->table_name = keep(ctx, name);
    out->columns = RF_ARENA_ARRAY(ctx->arena, rf_metadata_column, n);
    RF_TRY(rf_arena_check(ctx->arena, "the metadata", err));
    json_object_foreach((json_t *)columns, key, value)
    {
        RF_TRY(read_column(&out->columns[out->n_columns], ctx, key, value, err));
        out->n_columns++;
    }
    const json_t *const index = json_object_get(table, "sequence_index");
    for (int32_t i = 0; i < out->n_columns && json_is_string(index); i++)
        out->columns[i].sequence_index = strcmp(out->columns[i].name, json_string_value(index)) == 0;
    RF_TRY(read_primary_key(out, ctx, json_object_get(table, "primary_key"), err));
    RF_TRY(read_alternate_keys(out, ctx, json_object_get(table, "alternate_keys"), err));
    RF_TRY(rf_arena_check(ctx->arena, "the metadata", err));
out:
    return rc;
}

static rf_code read_root(rf_metadata *out, context *ctx, const json_t *root, rf_error *err)
{
    static const char *const root_keys[] = {"tables", "relationships", "METADATA_SPEC_VERSION"};
    rf_code rc = RF_OK;
    const char *name = "table";
    const json_t *table = root;
    if (!json_is_object(root))
        return rf_fail(err, RF_INPUT, "%s: metadata must be an object, not %s", ctx->file, type_name(root));
    json_t *const tables = json_object_get(root, "tables");
    if (tables != NULL) {
        if (!json_is_object(tables) || json_object_size(tables) != 1)
            return rf_fail(
                err, RF_INPUT, "%s: \"tables\" must be an object with exactly one table, and %s", ctx->file,
                json_is_object(tables) ? (json_object_size(tables) == 0 ? "has none" : "has several")
                                       : "is none");
        void *const first = json_object_iter(tables);
        name = json_object_iter_key(first);
        table = json_object_iter_value(first);
        note_unknown_keys(ctx, root, "the file", root_keys, COUNT_OF(root_keys));
    }
    RF_TRY(read_table(out, ctx, name, table, err));
    note_unused(ctx, root, table);
    note_unknown_keys(ctx, table, "the table", table_keys, COUNT_OF(table_keys));
out:
    return rc;
}

static rf_code explain(const char *name, const json_error_t *error, rf_error *err)
{
    /* The library is silent where the memory for a token or a member could not be had. */
    if (json_error_code(error) == json_error_out_of_memory || error->text[0] == '\0')
        return rf_fail(err, RF_NO_MEMORY, "there is no memory to read the metadata %s", name);
    return rf_fail(err, RF_INPUT, "%s is not valid JSON at line %d, column %d: %s", name, error->line,
                   error->column, error->text);
}

rf_code rf_metadata_parse(rf_metadata *out, rf_arena *arena, const char *name, const char *json,
                          size_t size_bytes, rf_notes *notes, rf_error *err)
{
    rf_code rc = RF_OK;
    json_error_t error;
    context ctx = {.file = name, .arena = arena, .notes = notes};
    *out = (rf_metadata){0};
    if (size_bytes > SIZE_MAX_BYTES)
        return rf_fail(err, RF_INPUT, "%s has %zu MB, which is no metadata: 64 MB is the most", name,
                       size_bytes >> 20);
    json_t *const root = json_loadb(json, size_bytes, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return explain(name, &error, err);
    RF_TRY(read_root(out, &ctx, root, err));
out:
    json_decref(root);
    if (rc != RF_OK)
        *out = (rf_metadata){0};
    return rc;
}

rf_code rf_metadata_read(rf_metadata *out, rf_arena *arena, const char *path, rf_notes *notes, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_file_bytes bytes = {0};
    *out = (rf_metadata){0};
    RF_TRY(rf_file_bytes_open(&bytes, path, err));
    RF_TRY(rf_metadata_parse(out, arena, path, bytes.data, bytes.size_bytes, notes, err));
out:
    rf_file_bytes_close(&bytes);
    return rc;
}
