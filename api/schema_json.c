/* A schema as JSON Schema 2020-12, the dialect of OpenAPI 3.1. */
#include "api/json_text.h"
#include "api/schema.h"

static const char *type_name(rfi_type type)
{
    switch (type) {
    case RFI_OBJECT:
    case RFI_CHOICE:
        return "object";
    case RFI_ARRAY:
        return "array";
    case RFI_STRING:
        return "string";
    case RFI_INTEGER:
        return "integer";
    case RFI_NUMBER:
        return "number";
    case RFI_BOOLEAN:
        return "boolean";
    case RFI_NULL:
        return "null";
    case RFI_ANY:
    case RFI_SCALAR:
        break;
    }
    return NULL;
}

/* ---- parts ------------------------------------------------------------------------------------ */

static void put_string(const rfi_schema *schema, rf_buf *out)
{
    if (schema->length_low)
        rfi_json_put_int(out, "minLength", schema->length_low);
    if (schema->length_high)
        rfi_json_put_int(out, "maxLength", schema->length_high);
    if (schema->format)
        rfi_json_put_text(out, "format", schema->format);
    if (schema->words) {
        rfi_json_key(out, "enum");
        rfi_json_open(out, '[');
        for (const char *const *word = schema->words; *word; word++)
            rfi_json_text(out, *word);
        rfi_json_close(out, ']');
    }
}

static void put_range(const rfi_schema *schema, const rfi_bounds *bounds, rf_buf *out)
{
    rfi_range range;
    if (!rfi_schema_range(schema, bounds, &range))
        return;
    rfi_json_put_real(out, "minimum", range.low);
    rfi_json_put_real(out, "maximum", range.high);
}

static void put_array(const rfi_schema *schema, const rfi_bounds *bounds, rf_buf *out)
{
    if (schema->length_low)
        rfi_json_put_int(out, "minItems", schema->length_low);
    if (schema->length_high)
        rfi_json_put_int(out, "maxItems", schema->length_high);
    if (schema->items) {
        rfi_json_key(out, "items");
        rfi_schema_json(schema->items, bounds, false, out);
    }
}

static void put_members(const rfi_schema *schema, const rfi_bounds *bounds, bool inside, const char *help,
                        rf_buf *out);

/* A field's own help and default stand beside those of the schema that it uses; 2020-12 allows them beside a $ref too. */
static void put_field(const rfi_field *field, const rfi_bounds *bounds, rf_buf *out)
{
    const char *help = field->help ? field->help : field->schema->name ? NULL : field->schema->help;
    rfi_json_key(out, field->name);
    rfi_json_open(out, '{');
    if (field->flags & RFI_NULLABLE) {
        rfi_json_key(out, "anyOf");
        rfi_json_open(out, '[');
        rfi_schema_json(field->schema, bounds, false, out);
        rfi_json_raw(out, "{\"type\":\"null\"}");
        rfi_json_close(out, ']');
    } else
        put_members(field->schema, bounds, false, NULL, out);
    if (help)
        rfi_json_put_text(out, "description", help);
    if (field->fallback)
        rfi_json_put_raw(out, "default", field->fallback);
    rfi_json_close(out, '}');
}

static void put_object(const rfi_schema *schema, const rfi_bounds *bounds, rf_buf *out)
{
    bool any_required = false;
    if (schema->fields) {
        rfi_json_key(out, "properties");
        rfi_json_open(out, '{');
        for (const rfi_field *field = schema->fields; field->name; field++) {
            if (field->flags & RFI_ABSENT)
                continue;
            put_field(field, bounds, out);
            any_required |= (field->flags & RFI_REQUIRED) != 0;
        }
        rfi_json_close(out, '}');
    }
    if (any_required) {
        rfi_json_key(out, "required");
        rfi_json_open(out, '[');
        for (const rfi_field *field = schema->fields; field->name; field++)
            if (field->flags & RFI_REQUIRED)
                rfi_json_text(out, field->name);
        rfi_json_close(out, ']');
    }
    if (schema->length_high)
        rfi_json_put_int(out, "maxProperties", schema->length_high);
    rfi_json_key(out, "additionalProperties");
    if (!schema->is_open)
        rfi_json_flag(out, false);
    else if (schema->items)
        rfi_schema_json(schema->items, bounds, false, out);
    else
        rfi_json_flag(out, true);
}

static void put_choice(const rfi_schema *schema, const rfi_bounds *bounds, rf_buf *out)
{
    rfi_json_key(out, "oneOf");
    rfi_json_open(out, '[');
    for (const rfi_schema *const *variant = schema->variants; *variant; variant++)
        rfi_schema_json(*variant, bounds, false, out);
    rfi_json_close(out, ']');
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* What stands between the braces; a `help` of NULL is left out. */
static void put_members(const rfi_schema *schema, const rfi_bounds *bounds, bool inside, const char *help,
                        rf_buf *out)
{
    if (schema->name && !inside) {
        rfi_json_key(out, "$ref");
        rf_buf_printf(out, "\"#/components/schemas/%s\"", schema->name);
        return;
    }
    if (type_name(schema->type))
        rfi_json_put_text(out, "type", type_name(schema->type));
    if (schema->type == RFI_SCALAR)
        rfi_json_put_raw(out, "type", "[\"string\",\"number\",\"boolean\"]");
    else if (schema->type == RFI_STRING)
        put_string(schema, out);
    else if (schema->type == RFI_INTEGER || schema->type == RFI_NUMBER)
        put_range(schema, bounds, out);
    else if (schema->type == RFI_ARRAY)
        put_array(schema, bounds, out);
    else if (schema->type == RFI_OBJECT)
        put_object(schema, bounds, out);
    else if (schema->type == RFI_CHOICE)
        put_choice(schema, bounds, out);
    if (help)
        rfi_json_put_text(out, "description", help);
    if (schema->example) {
        rfi_json_key(out, "examples");
        rfi_json_open(out, '[');
        rfi_json_raw(out, schema->example);
        rfi_json_close(out, ']');
    }
}

void rfi_schema_json(const rfi_schema *schema, const rfi_bounds *bounds, bool inside, rf_buf *out)
{
    rfi_json_open(out, '{');
    put_members(schema, bounds, inside, schema->help, out);
    rfi_json_close(out, '}');
}

void rfi_schema_walk(const rfi_schema *schema, rfi_schema_visit *visit, void *arg)
{
    if (!schema)
        return;
    if (schema->name)
        visit(arg, schema);
    for (const rfi_field *field = schema->fields; field && field->name; field++)
        rfi_schema_walk(field->schema, visit, arg);
    rfi_schema_walk(schema->items, visit, arg);
    for (const rfi_schema *const *variant = schema->variants; variant && *variant; variant++)
        rfi_schema_walk(*variant, visit, arg);
}
