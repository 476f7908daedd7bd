/* A schema's copies: in memory, and as bytes of the model file. */
#include <string.h>

#include "engine/table/table.h"

enum {
    SCHEMA_VERSION = 1,
    FIELD_BYTES_MIN = 4 * 5 + 4 * 3 + 4, /* lengths, numbers and flags: what a field takes at least */
    DECIMALS_MAX = 17,
};

/* Strings that may be NULL carry a flag. */
enum {
    FLAG_PRIMARY_KEY = 1,
    FLAG_DECLARED = 2,
    FLAG_QUOTED = 4,
    FLAG_DATETIME_FORMAT = 8,
    FLAG_MISSING_TEXT = 16,
    FLAG_REGEX = 32
};
enum { FLAG_CRLF = 1, FLAG_BOM = 2, FLAG_NO_HEADER = 4 };

/* ---- in memory ----------------------------------------------------------------------------- */

static const char *copy_text(const char *text, rf_arena *arena)
{
    return text ? rf_arena_string(arena, text, strlen(text)) : NULL;
}

rf_code rf_schema_copy(rf_schema *out, const rf_schema *from, rf_arena *arena, rf_error *err)
{
    const size_t n = (size_t)from->n_fields;
    rf_schema copy = {.n_fields = from->n_fields, .dialect = from->dialect};
    copy.fields = RF_ARENA_ARRAY(arena, rf_field, n ? n : 1);
    for (size_t i = 0; copy.fields && i < n; i++) {
        rf_field *field = &copy.fields[i];
        *field = from->fields[i];
        field->name = copy_text(field->name, arena);
        field->label = copy_text(field->label, arena);
        field->datetime_format = copy_text(field->datetime_format, arena);
        field->missing_text = copy_text(field->missing_text, arena);
        field->regex = copy_text(field->regex, arena);
    }
    *out = copy;
    return rf_arena_check(arena, "a schema", err);
}

/* ---- to bytes ------------------------------------------------------------------------------ */

static void put_text(rf_buf *out, const char *text)
{
    rf_put_string(out, text ? text : "", text ? strlen(text) : 0);
}

static void store_field(const rf_field *field, rf_buf *out)
{
    put_text(out, field->name);
    put_text(out, field->label);
    put_text(out, field->datetime_format);
    put_text(out, field->missing_text);
    put_text(out, field->regex);
    rf_put_u8(out, (uint8_t)field->kind);
    rf_put_u32(out, (uint32_t)field->decimals);
    rf_put_u32(out, (uint32_t)field->min_decimals);
    rf_put_u32(out, (uint32_t)field->utc_offset_s);
    rf_put_u8(out,
              (uint8_t)((field->primary_key ? FLAG_PRIMARY_KEY : 0) | (field->declared ? FLAG_DECLARED : 0) |
                        (field->quoted ? FLAG_QUOTED : 0) |
                        (field->datetime_format ? FLAG_DATETIME_FORMAT : 0) |
                        (field->missing_text ? FLAG_MISSING_TEXT : 0) | (field->regex ? FLAG_REGEX : 0)));
}

/* u32 version, u8 delimiter, u8 decimal point, u8 flags, u32 fields; of each field five texts (u32
 * length, bytes), u8 kind, three u32 (decimals, least decimals, UTC offset), u8 flags. */
void rf_schema_store(const rf_schema *schema, rf_buf *out)
{
    const rf_dialect *dialect = &schema->dialect;
    rf_put_u32(out, SCHEMA_VERSION);
    rf_put_u8(out, (uint8_t)dialect->delimiter);
    rf_put_u8(out, (uint8_t)dialect->decimal_point);
    rf_put_u8(out, (uint8_t)((dialect->crlf ? FLAG_CRLF : 0) | (dialect->bom ? FLAG_BOM : 0) |
                             (dialect->no_header ? FLAG_NO_HEADER : 0)));
    rf_put_u32(out, (uint32_t)schema->n_fields);
    for (int32_t i = 0; i < schema->n_fields; i++)
        store_field(&schema->fields[i], out);
}

/* ---- from bytes ---------------------------------------------------------------------------- */

/* A text without zero bytes, or NULL, which fails the reader. */
static const char *get_text(rf_reader *reader, rf_arena *arena)
{
    size_t length = 0;
    const char *text = rf_get_string(reader, &length);
    if (!text || memchr(text, 0, length)) {
        reader->failed = true;
        return NULL;
    }
    return rf_arena_string(arena, text, length);
}

static void load_field(rf_field *field, rf_arena *arena, rf_reader *reader)
{
    field->name = get_text(reader, arena);
    field->label = get_text(reader, arena);
    field->datetime_format = get_text(reader, arena);
    field->missing_text = get_text(reader, arena);
    field->regex = get_text(reader, arena);
    const uint8_t kind = rf_get_u8(reader);
    field->kind = kind < RF_KIND_COUNT ? (rf_kind)kind : RF_KIND_IGNORED;
    field->decimals = (int32_t)rf_get_u32(reader);
    field->min_decimals = (int32_t)rf_get_u32(reader);
    field->utc_offset_s = (int32_t)rf_get_u32(reader);
    const uint8_t flags = rf_get_u8(reader);
    field->primary_key = flags & FLAG_PRIMARY_KEY;
    field->declared = flags & FLAG_DECLARED;
    field->quoted = flags & FLAG_QUOTED;
    if (!(flags & FLAG_DATETIME_FORMAT))
        field->datetime_format = NULL;
    if (!(flags & FLAG_MISSING_TEXT))
        field->missing_text = NULL;
    if (!(flags & FLAG_REGEX))
        field->regex = NULL;
    reader->failed |=
        kind >= RF_KIND_COUNT || field->decimals < -DECIMALS_MAX || field->decimals > DECIMALS_MAX ||
        field->min_decimals < 0 || field->min_decimals > DECIMALS_MAX || field->utc_offset_s < -86400 ||
        field->utc_offset_s > 86400 || (field->kind == RF_KIND_DATETIME && !field->datetime_format);
}

static bool is_delimiter(char c)
{
    return c == ',' || c == ';' || c == '\t' || c == '|';
}

static void load_dialect(rf_dialect *dialect, rf_reader *reader)
{
    dialect->delimiter = (char)rf_get_u8(reader);
    dialect->decimal_point = (char)rf_get_u8(reader);
    const uint8_t flags = rf_get_u8(reader);
    dialect->crlf = flags & FLAG_CRLF;
    dialect->bom = flags & FLAG_BOM;
    dialect->no_header = flags & FLAG_NO_HEADER;
    reader->failed |=
        !is_delimiter(dialect->delimiter) || (dialect->decimal_point != '.' && dialect->decimal_point != ',');
}

rf_code rf_schema_load(rf_schema *out, rf_arena *arena, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_schema schema = {0};
    *out = schema;
    if (rf_get_u32(reader) != SCHEMA_VERSION)
        RF_TRY(rf_fail(err, RF_CORRUPT, "the schema is damaged or of another version"));
    load_dialect(&schema.dialect, reader);
    const uint32_t n = rf_get_count(reader, FIELD_BYTES_MIN);
    if (reader->failed || n > RF_COLUMNS_MAX)
        RF_TRY(rf_fail(err, RF_CORRUPT, "the schema is damaged"));
    schema.n_fields = (int32_t)n;
    schema.fields = RF_ARENA_ARRAY(arena, rf_field, n ? n : 1);
    RF_TRY(rf_arena_check(arena, "a schema", err));
    for (uint32_t i = 0; i < n && !reader->failed; i++)
        load_field(&schema.fields[i], arena, reader);
    RF_TRY(rf_arena_check(arena, "a schema", err));
    if (reader->failed)
        RF_TRY(rf_fail(err, RF_CORRUPT, "the schema is damaged"));
    *out = schema;
out:
    return rc;
}
