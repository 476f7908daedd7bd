/* profile_show.c - a profile for programs (JSON) and for people (a table on a terminal). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "engine/table/datetime.h"
#include "engine/table/profile.h"

enum { CELL_MAX = 96 };

static const char *const quantile_names[3] = {"q25", "median", "q75"};

/* ---------------------------------------------------------------- JSON */

static void json_text(rf_buf *out, const char *text, size_t length)
{
    size_t from = 0;
    rf_buf_puts(out, "\"");
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
    rf_buf_puts(out, "\"");
}

static void json_number(rf_buf *out, double value)
{
    char text[RF_NUMBER_TEXT_MAX];
    if (isfinite(value))
        rf_buf_append(out, text, rf_format_f64(text, value));
    else
        rf_buf_puts(out, "null");
}

/* A value of the column: a datetime in its format, anything else as a number. */
static void json_value(rf_buf *out, const rf_field *field, double value)
{
    char text[CELL_MAX];
    size_t length = 0;
    if (field->kind == RF_KIND_DATETIME && field->datetime_format != NULL)
        length = rf_datetime_format(text, sizeof text, value, field->datetime_format, field->utc_offset_s);
    if (length > 0)
        json_text(out, text, length);
    else
        json_number(out, value);
}

static void json_values(rf_buf *out, const rf_field *field, const rf_profile_column *column)
{
    rf_buf_puts(out, ", \"min\": ");
    json_value(out, field, column->min);
    rf_buf_puts(out, ", \"max\": ");
    json_value(out, field, column->max);
    rf_buf_puts(out, ", \"mean\": ");
    json_value(out, field, column->mean);
    rf_buf_puts(out, field->kind == RF_KIND_DATETIME ? ", \"std_s\": " : ", \"std\": ");
    json_number(out, column->std);
    for (int i = 0; i < 3; i++) {
        rf_buf_printf(out, ", \"%s\": ", quantile_names[i]);
        json_value(out, field, column->quantile[i]);
    }
    if (field->kind == RF_KIND_DATETIME && field->datetime_format != NULL) {
        rf_buf_puts(out, ", \"datetime_format\": ");
        json_text(out, field->datetime_format, strlen(field->datetime_format));
    }
}

static void json_top(rf_buf *out, const rf_dict *dict, const rf_profile_column *column)
{
    rf_buf_puts(out, ", \"top\": [");
    for (int32_t i = 0; i < column->n_top; i++) {
        size_t length;
        const char *const text = rf_dict_text(dict, column->top_code[i], &length);
        rf_buf_puts(out, i > 0 ? ", {\"value\": " : "{\"value\": ");
        json_text(out, text, length);
        rf_buf_printf(out, ", \"count\": %lld}", (long long)column->top_count[i]);
    }
    rf_buf_puts(out, "]");
}

void rf_profile_json(const rf_profile *profile, const rf_table *table, const rf_notes *notes, rf_buf *out)
{
    rf_buf_printf(out, "{\"n_rows\": %lld, \"columns\": [", (long long)profile->n_rows);
    for (int32_t i = 0; i < profile->n_columns; i++) {
        const rf_profile_column *const column = &profile->columns[i];
        const rf_field *const field = &table->schema.fields[i];
        rf_buf_puts(out, i > 0 ? ",\n  {\"name\": " : "\n  {\"name\": ");
        json_text(out, field->name, strlen(field->name));
        rf_buf_puts(out, ", \"label\": ");
        json_text(out, field->label, strlen(field->label));
        rf_buf_printf(out, ", \"type\": \"%s\", \"missing\": %lld, \"distinct\": %lld, \"constant\": %s",
                      rf_kind_name(field->kind), (long long)column->missing, (long long)column->distinct,
                      column->constant ? "true" : "false");
        if (!rf_kind_is_coded(field->kind))
            json_values(out, field, column);
        else if (field->kind != RF_KIND_ID && field->kind != RF_KIND_IGNORED)
            json_top(out, &table->columns[i].dict, column);
        rf_buf_puts(out, "}");
    }
    rf_buf_puts(out, "],\n \"warnings\": [");
    for (int i = 0; notes != NULL && i < notes->n; i++) {
        rf_buf_puts(out, i > 0 ? ", " : "");
        json_text(out, notes->texts[i], strlen(notes->texts[i]));
    }
    rf_buf_puts(out, "]}\n");
}

/* ---------------------------------------------------------------- a terminal's columns */

/* One letter of UTF-8; *size is its bytes, at most `left`. */
static uint32_t letter_at(const char *text, size_t left, size_t *size)
{
    const unsigned char *const b = (const unsigned char *)text;
    *size = b[0] < 0x80 ? 1 : b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : 4;
    if (*size > left)
        *size = left;
    uint32_t letter = *size == 1 ? b[0] : b[0] & (0x7Fu >> *size);
    for (size_t i = 1; i < *size; i++)
        letter = letter << 6 | (b[i] & 0x3F);
    return letter;
}

/* Cells that a letter takes: 0 for marks on the one before, 2 for East Asian wide and for pictures. */
static int letter_width(uint32_t letter)
{
    static const struct {
        uint32_t low, high;
        int width;
    } ranges[] = {
        {0x0300, 0x036F, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05BD, 0},   {0x064B, 0x065F, 0},
        {0x0E34, 0x0E3A, 0},   {0x0E47, 0x0E4E, 0},   {0x1100, 0x115F, 2},   {0x1AB0, 0x1AFF, 0},
        {0x200B, 0x200F, 0},   {0x20D0, 0x20FF, 0},   {0x2E80, 0x303E, 2},   {0x3041, 0xA4CF, 2},
        {0xA960, 0xA97F, 2},   {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},   {0xFE00, 0xFE0F, 0},
        {0xFE30, 0xFE6F, 2},   {0xFF00, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2},   {0x1F300, 0x1F64F, 2},
        {0x1F680, 0x1F6FF, 2}, {0x1F900, 0x1F9FF, 2}, {0x20000, 0x3FFFD, 2},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && letter >= ranges[i].low; i++)
        if (letter <= ranges[i].high)
            return ranges[i].width;
    return 1;
}

static int text_width(const char *text, size_t length)
{
    int width = 0;
    for (size_t at = 0, size; at < length; at += size)
        width += letter_width(letter_at(text + at, length - at, &size));
    return width;
}

/* The text in exactly `width` cells, cut with "…" or filled up on the side that `right` says. What could
 * move the cursor is shown as a blank. */
static void put_cell(rf_buf *out, const char *text, size_t length, int width, bool right)
{
    const int whole = text_width(text, length);
    const bool cut = whole > width;
    int used = 0;
    for (int i = whole; right && i < width; i++)
        rf_buf_puts(out, " ");
    for (size_t at = 0, size; at < length; at += size) {
        const uint32_t letter = letter_at(text + at, length - at, &size);
        const bool control = letter < 0x20 || (letter >= 0x7F && letter < 0xA0);
        const int wide = letter_width(letter);
        if (cut && used + wide > width - 1)
            break;
        rf_buf_append(out, control ? " " : text + at, control ? 1 : size);
        used += wide;
    }
    if (cut) {
        rf_buf_puts(out, "…");
        used++;
    }
    for (; !right && used < width; used++)
        rf_buf_puts(out, " ");
}

/* ---------------------------------------------------------------- the table for people */

enum { NAME_LEAST = 6, NAME_MOST = 28, KIND_WIDTH = 11, COUNT_WIDTH = 11, VALUE_WIDTH = 12, TOP_SHOWN = 3 };

/* A number that fits its cell: all digits when they do, else six significant ones. */
static void put_value(rf_buf *out, const rf_field *field, double value, int width)
{
    char text[RF_NUMBER_TEXT_MAX];
    size_t length = 0;
    if (!isfinite(value)) {
        put_cell(out, "", 0, width, true);
        return;
    }
    if (field->kind == RF_KIND_DATETIME && field->datetime_format != NULL)
        length = rf_datetime_format(text, sizeof text, value, field->datetime_format, field->utc_offset_s);
    if (length == 0)
        length = rf_format_f64(text, value);
    if (length > (size_t)width && field->kind != RF_KIND_DATETIME)
        length = (size_t)snprintf(text, sizeof text, "%.6g", value);
    put_cell(out, text, length, width, true);
}

static int value_width(const rf_table *table)
{
    int width = VALUE_WIDTH;
    for (int32_t i = 0; i < table->schema.n_fields; i++) {
        const rf_field *const field = &table->schema.fields[i];
        char text[CELL_MAX];
        if (field->kind != RF_KIND_DATETIME || field->datetime_format == NULL)
            continue;
        /* a Wednesday in September: the longest names there are */
        const size_t length = rf_datetime_format(text, sizeof text, 1600862399.0, field->datetime_format, 0);
        if ((int)length > width)
            width = (int)length;
    }
    return width < 26 ? width : 26;
}

static int name_width(const rf_table *table)
{
    int width = NAME_LEAST;
    for (int32_t i = 0; i < table->schema.n_fields; i++) {
        const char *const label = table->schema.fields[i].label;
        const int own = text_width(label, strlen(label));
        if (own > width)
            width = own;
    }
    return width < NAME_MOST ? width : NAME_MOST;
}

static void put_count(rf_buf *out, int64_t count)
{
    char text[RF_NUMBER_TEXT_MAX];
    const size_t length = rf_format_i64(text, count);
    put_cell(out, text, length, COUNT_WIDTH, true);
}

static void put_missing(rf_buf *out, int64_t missing, int64_t n_rows)
{
    const double share = n_rows > 0 ? 100.0 * (double)missing / (double)n_rows : 0;
    char text[RF_NUMBER_TEXT_MAX + 2];
    size_t length = 0;
    if (missing > 0) {
        /* one missing cell in a million is not "0.0 %" */
        length = share < 0.1 ? (size_t)snprintf(text, sizeof text, "< 0.1 %%")
                             : (size_t)snprintf(text, sizeof text, "%.1f %%", share);
    } else {
        text[length++] = '-';
    }
    put_cell(out, text, length, COUNT_WIDTH - 1, true);
}

static void put_top(rf_buf *out, const rf_table *table, const rf_profile *profile, int32_t index)
{
    const rf_profile_column *const column = &profile->columns[index];
    const int64_t present = profile->n_rows - column->missing;
    for (int32_t i = 0; i < column->n_top && i < TOP_SHOWN; i++) {
        size_t length;
        const char *const text = rf_dict_text(&table->columns[index].dict, column->top_code[i], &length);
        const int own = text_width(text, length);
        rf_buf_puts(out, i > 0 ? ", " : "  ");
        put_cell(out, text, length, own < 20 ? own : 20, false);
        rf_buf_printf(out, " %.1f %%", 100.0 * (double)column->top_count[i] / (double)present);
    }
    if (column->n_top > TOP_SHOWN)
        rf_buf_puts(out, ", …");
}

static void put_line(rf_buf *out, const rf_table *table, const rf_profile *profile, int32_t i, int name,
                     int value)
{
    const rf_field *const field = &table->schema.fields[i];
    const rf_profile_column *const column = &profile->columns[i];
    const char *const kind = rf_kind_name(field->kind);
    put_cell(out, field->label, strlen(field->label), name, false);
    rf_buf_puts(out, "  ");
    put_cell(out, kind, strlen(kind), KIND_WIDTH, false);
    put_missing(out, column->missing, profile->n_rows);
    put_count(out, column->distinct);
    if (!rf_kind_is_coded(field->kind)) {
        const double shown[4] = {column->min, column->quantile[1], column->mean, column->max};
        for (int k = 0; k < 4; k++) {
            rf_buf_puts(out, "  ");
            put_value(out, field, shown[k], value);
        }
    } else if (field->kind != RF_KIND_ID && field->kind != RF_KIND_IGNORED) {
        put_top(out, table, profile, i);
    }
    rf_buf_puts(out, "\n");
}

void rf_profile_text(const rf_profile *profile, const rf_table *table, rf_buf *out)
{
    static const char *const heads[4] = {"min", "median", "mean", "max"};
    const int name = name_width(table), value = value_width(table);
    rf_buf_printf(out, "%lld row%s, %d column%s\n\n", (long long)profile->n_rows,
                  profile->n_rows == 1 ? "" : "s", profile->n_columns, profile->n_columns == 1 ? "" : "s");
    put_cell(out, "column", 6, name, false);
    rf_buf_puts(out, "  ");
    put_cell(out, "kind", 4, KIND_WIDTH, false);
    put_cell(out, "missing", 7, COUNT_WIDTH - 1, true);
    put_cell(out, "distinct", 8, COUNT_WIDTH, true);
    for (int k = 0; k < 4; k++) {
        rf_buf_puts(out, "  ");
        put_cell(out, heads[k], strlen(heads[k]), value, true);
    }
    rf_buf_puts(out, "\n");
    for (int32_t i = 0; i < profile->n_columns; i++)
        put_line(out, table, profile, i, name, value);
}
