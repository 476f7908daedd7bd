#include "engine/table/json_lines.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/datetime.h"

enum { DATETIME_BYTES = 256 };

typedef struct line_column {
    const rf_field *field;
    char *key;    /* {"name": or ,"name": */
    int32_t from; /* column of the schema given at open */
} line_column;

struct rf_json_lines {
    rf_arena arena;
    line_column *columns;
    int32_t n, n_given;
};

static void put_text(rf_buf *out, const char *text, size_t length)
{
    size_t from = 0;
    rf_buf_append(out, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        rf_buf_append(out, text + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            rf_buf_printf(out, "\\%c", c);
        else
            rf_buf_printf(out, "\\u%04x", c);
    }
    rf_buf_append(out, text + from, length - from);
    rf_buf_append(out, "\"", 1);
}

/* ------------------------------------------------------------------ life */

static char *key_of(rf_arena *arena, const char *label, bool first)
{
    rf_buf text;
    rf_buf_init(&text);
    rf_buf_puts(&text, first ? "{" : ",");
    put_text(&text, label, strlen(label));
    rf_buf_puts(&text, ":");
    char *key = text.failed ? NULL : rf_arena_string(arena, text.data, text.size_bytes);
    arena->failed |= text.failed;
    rf_buf_free(&text);
    return key;
}

rf_code rf_json_lines_open(rf_json_lines **out, const rf_schema *schema, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_json_lines *lines = NULL;
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&lines, 1, "a writer of lines", err));
    rf_arena_init(&lines->arena);
    lines->n_given = schema->n_fields;
    lines->columns = RF_ARENA_ARRAY(&lines->arena, line_column, schema->n_fields + 1);
    for (int32_t c = 0; lines->columns && c < schema->n_fields; c++) {
        const rf_field *field = &schema->fields[c];
        if (field->kind == RF_KIND_IGNORED)
            continue;
        lines->columns[lines->n] = (line_column){
            .field = field, .key = key_of(&lines->arena, field->label, lines->n == 0), .from = c};
        lines->n++;
    }
    RF_TRY(rf_arena_check(&lines->arena, "a writer of lines", err));
    *out = lines;
    lines = NULL;
out:
    rf_json_lines_close(lines);
    return rc;
}

void rf_json_lines_close(rf_json_lines *lines)
{
    if (!lines)
        return;
    rf_arena_free(&lines->arena);
    rf_free(lines);
}

/* ------------------------------------------------------------------ cells */

static void put_number(rf_buf *out, const rf_field *field, double value)
{
    char text[RF_NUMBER_TEXT_MAX];
    const int decimals = field->decimals > field->min_decimals ? field->decimals : field->min_decimals;
    const size_t n = field->decimals < 0 ? rf_format_f64(text, value)
                                         : rf_format_fixed(text, value, decimals, field->min_decimals);
    rf_buf_append(out, text, n);
}

static void put_value(rf_buf *out, const rf_field *field, double value)
{
    char text[DATETIME_BYTES];
    if (!isfinite(value)) {
        rf_buf_puts(out, "null");
        return;
    }
    if (field->kind != RF_KIND_DATETIME) {
        put_number(out, field, value);
        return;
    }
    const size_t n =
        rf_datetime_format(text, sizeof text, value, field->datetime_format, field->utc_offset_s);
    if (n)
        put_text(out, text, n);
    else
        rf_buf_puts(out, "null");
}

static void put_code(rf_buf *out, const rf_field *field, const rf_dict *dict, int32_t code)
{
    size_t length;
    if (code < 0) {
        rf_buf_puts(out, "null");
        return;
    }
    const char *text = rf_dict_text(dict, code, &length);
    if (field->kind == RF_KIND_BOOLEAN && rf_text_equal_nocase(text, length, "true"))
        rf_buf_puts(out, "true");
    else if (field->kind == RF_KIND_BOOLEAN && rf_text_equal_nocase(text, length, "false"))
        rf_buf_puts(out, "false");
    else
        put_text(out, text, length);
}

void rf_json_lines_row(const rf_json_lines *lines, const rf_table *rows, int64_t row, rf_buf *out)
{
    const bool without_ignored = rows->schema.n_fields != lines->n_given;
    for (int32_t c = 0; c < lines->n; c++) {
        const line_column *column = &lines->columns[c];
        const rf_column *cells = &rows->columns[without_ignored ? c : column->from];
        rf_buf_puts(out, column->key);
        if (cells->codes)
            put_code(out, column->field, &cells->dict, cells->codes[row]);
        else
            put_value(out, column->field, cells->values[row]);
    }
    rf_buf_puts(out, lines->n ? "}\n" : "{}\n");
}
