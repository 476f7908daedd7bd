#include "engine/quality/facing.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/datetime.h"

/* How the texts of a category column are compared. */
typedef enum meaning {
    AS_TEXT,
    AS_NUMBER,
    AS_TRUTH,
} meaning;

enum { CELL_TEXT_MAX = RF_NUMBER_TEXT_MAX };

/* ---- what texts mean ------------------------------------------------------------------------ */

bool rfi_kind_is_continuous(rf_kind kind)
{
    return kind == RF_KIND_INTEGER || kind == RF_KIND_CONTINUOUS || kind == RF_KIND_DATETIME;
}

bool rfi_kind_is_modelled(rf_kind kind)
{
    return rfi_kind_is_continuous(kind) || kind == RF_KIND_CATEGORICAL || kind == RF_KIND_BOOLEAN;
}

static bool is_integer(const char *text, size_t length)
{
    int64_t value;
    return rf_parse_i64(text, length, &value);
}

static bool is_number(const char *text, size_t length)
{
    double value;
    return rf_parse_f64(text, length, &value);
}

/* The spellings that data frames read as truth values. */
static const char *truth_of(const char *text, size_t length)
{
    static const char *const spellings[] = {"True", "TRUE", "true", "False", "FALSE", "false"};
    for (int i = 0; i < 6; i++) {
        if (length == strlen(spellings[i]) && memcmp(text, spellings[i], length) == 0)
            return spellings[i < 3 ? 0 : 3];
    }
    return NULL;
}

static bool is_truth(const char *text, size_t length)
{
    return truth_of(text, length) != NULL;
}

static bool all_texts(const rf_dict *dict, bool (*test)(const char *, size_t))
{
    for (int32_t code = 0; code < dict->n; code++) {
        size_t length;
        const char *text = rf_dict_text(dict, code, &length);
        if (!test(text, length))
            return false;
    }
    return true;
}

static meaning meaning_of(const rf_column *real, const rf_column *other, rf_kind other_kind)
{
    const bool other_texts = other->codes != NULL;
    if (real->dict.n == 0)
        return AS_TEXT;
    if (all_texts(&real->dict, is_number) &&
        (other_texts ? all_texts(&other->dict, is_number) : other_kind != RF_KIND_DATETIME))
        return AS_NUMBER;
    if (all_texts(&real->dict, is_truth) && other_texts && all_texts(&other->dict, is_truth))
        return AS_TRUTH;
    return AS_TEXT;
}

/* Counted here: whoever filled a table by hand may have left the column's own count at 0. A cell whose
 * text does not fit the column is not missing: it is wrong. */
static int64_t count_missing(const rf_column *column, int64_t n_rows)
{
    int64_t n = 0;
    for (int64_t row = 0; row < n_rows; row++)
        n += column->codes ? column->codes[row] < 0 : isnan(column->values[row]);
    return n - column->n_misfit;
}

const char *rfi_physical_type(const rf_field *field, const rf_column *column, int64_t n_rows)
{
    if (column->n_misfit)
        return "object"; /* texts among the values */
    if (field->kind == RF_KIND_DATETIME)
        return "datetime64[ns]";
    const int64_t n_missing = count_missing(column, n_rows);
    if (n_missing == n_rows)
        return "float64"; /* nothing but missing cells */
    if (!column->codes) {
        const bool whole = field->decimals == 0 && field->min_decimals == 0;
        return whole && n_missing == 0 ? "int64" : "float64";
    }
    if (all_texts(&column->dict, is_number))
        return n_missing == 0 && all_texts(&column->dict, is_integer) ? "int64" : "float64";
    return n_missing == 0 && all_texts(&column->dict, is_truth) ? "bool" : "object";
}

/* ---- categories ----------------------------------------------------------------------------- */

/* The text under which a cell is looked up: itself, or one spelling for all that mean the same. Texts
 * that are not the table's own are copied into the arena, whose failure is found by its check. */
static rfi_word spelling(rf_arena *arena, meaning as, const char *text, size_t length)
{
    if (as == AS_TRUTH) {
        const char *truth = truth_of(text, length);
        return (rfi_word){.text = truth, .length = strlen(truth)};
    }
    double value;
    if (as == AS_NUMBER && rf_parse_f64(text, length, &value)) {
        char number[RF_NUMBER_TEXT_MAX];
        const size_t number_length = rf_format_f64(number, value == 0 ? 0 : value);
        if (number_length != length || memcmp(number, text, length) != 0)
            return (rfi_word){.text = rf_arena_string(arena, number, number_length), .length = number_length};
    }
    return (rfi_word){.text = text, .length = length};
}

/* The common number of every text of a dictionary. */
static int32_t *number_texts(rf_arena *arena, rfi_words *words, meaning as, const rf_dict *dict)
{
    int32_t *numbers = RF_ARENA_ARRAY(arena, int32_t, dict->n);
    for (int32_t code = 0; numbers && code < dict->n; code++) {
        size_t length;
        const char *text = rf_dict_text(dict, code, &length);
        const rfi_word word = spelling(arena, as, text, length);
        if (!word.text)
            return NULL;
        numbers[code] = rfi_words_add(words, word.text, word.length);
    }
    return numbers;
}

/* Codes of the table as codes of the common list; the table's own array where they are the same. */
static const int32_t *translate(rf_arena *arena, const rf_column *column, const int32_t *numbers,
                                int64_t n_rows)
{
    bool same = true;
    for (int32_t code = 0; code < column->dict.n && same; code++)
        same = numbers[code] == code;
    if (same)
        return column->codes;
    int32_t *codes = RF_ARENA_ARRAY(arena, int32_t, n_rows);
    for (int64_t row = 0; codes && row < n_rows; row++)
        codes[row] = column->codes[row] < 0 ? -1 : numbers[column->codes[row]];
    return codes;
}

static size_t format_value(char *out, double value, const rf_field *field)
{
    if (field->kind == RF_KIND_DATETIME && field->datetime_format)
        return rf_datetime_format(out, CELL_TEXT_MAX, value, field->datetime_format, field->utc_offset_s);
    if (field->decimals < 0)
        return rf_format_f64(out, value);
    return rf_format_fixed(out, value, field->decimals, field->min_decimals);
}

/* Values on the other side of a category column: each becomes the text that its file had. */
static const int32_t *values_to_codes(rf_arena *arena, rfi_words *words, meaning as, const rf_field *field,
                                      const rf_column *column, int64_t n_rows)
{
    int32_t *codes = RF_ARENA_ARRAY(arena, int32_t, n_rows);
    for (int64_t row = 0; codes && row < n_rows; row++) {
        char text[CELL_TEXT_MAX];
        codes[row] = -1;
        if (isnan(column->values[row]))
            continue;
        const size_t length = format_value(text, column->values[row], field);
        const rfi_word word = spelling(arena, as, text, length);
        int32_t code = word.text ? rfi_words_find(words, word.text, word.length) : -1;
        if (word.text && code < 0) {
            const char *kept = rf_arena_string(arena, word.text, word.length);
            code = kept ? rfi_words_add(words, kept, word.length) : -1;
        }
        codes[row] = code;
    }
    return codes;
}

static rf_code face_codes(rfi_facing *face, rf_arena *arena, const rf_table *real, const rf_table *other,
                          rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_words words = {0};
    const rf_column *r = &real->columns[face->field], *o = &other->columns[face->other_field];
    const rf_field *other_field = &other->schema.fields[face->other_field];
    const meaning as = meaning_of(r, o, other_field->kind);
    const int64_t capacity = r->dict.n + (o->codes ? o->dict.n : other->n_rows);
    RF_TRY(rfi_words_init(&words, (int32_t)(capacity < INT32_MAX / 4 ? capacity : INT32_MAX / 4), err));

    const int32_t *numbers = number_texts(arena, &words, as, &r->dict);
    RF_TRY(rf_arena_check(arena, "the categories of a report", err));
    face->real.codes = translate(arena, r, numbers, real->n_rows);
    if (o->codes) {
        const int32_t *other_numbers = number_texts(arena, &words, as, &o->dict);
        RF_TRY(rf_arena_check(arena, "the categories of a report", err));
        face->other.codes = translate(arena, o, other_numbers, other->n_rows);
    } else {
        face->other.codes = values_to_codes(arena, &words, as, other_field, o, other->n_rows);
    }
    rfi_word *categories = RF_ARENA_ARRAY(arena, rfi_word, words.n);
    RF_TRY(rf_arena_check(arena, "the categories of a report", err));
    memcpy(categories, words.words, (size_t)words.n * sizeof *categories);
    face->categories = categories;
    face->n_categories = words.n;
out:
    rfi_words_free(&words);
    return rc;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool parse_cell(double *out, const char *text, size_t length, const rf_field *field)
{
    int32_t offset;
    if (field->kind == RF_KIND_DATETIME)
        return field->datetime_format &&
               rf_datetime_parse(text, length, field->datetime_format, out, &offset);
    return rf_parse_f64(text, length, out);
}

/* Texts on the other side of a column of values, read by the real column's format. One text that is no
 * such value makes the column another kind of thing. */
static const double *codes_to_values(rf_arena *arena, const rf_field *field, const rf_column *column,
                                     int64_t n_rows, bool *clash)
{
    double *by_code = RF_ARENA_ARRAY(arena, double, column->dict.n);
    double *values = RF_ARENA_ARRAY(arena, double, n_rows);
    for (int32_t code = 0; values && code < column->dict.n; code++) {
        size_t length;
        const char *text = rf_dict_text(&column->dict, code, &length);
        if (!parse_cell(&by_code[code], text, length, field)) {
            *clash = true;
            return NULL;
        }
    }
    for (int64_t row = 0; values && row < n_rows; row++)
        values[row] = column->codes[row] < 0 ? NAN : by_code[column->codes[row]];
    return values;
}

static rf_code face_values(rfi_facing *face, rf_arena *arena, const rf_table *real, const rf_table *other,
                           rf_error *err)
{
    const rf_column *r = &real->columns[face->field], *o = &other->columns[face->other_field];
    const rf_field *field = &real->schema.fields[face->field];
    const rf_kind other_kind = other->schema.fields[face->other_field].kind;
    face->real.values = r->values;
    face->other.values = o->values;
    if (o->codes)
        face->other.values = codes_to_values(arena, field, o, other->n_rows, &face->clash);
    else if ((other_kind == RF_KIND_DATETIME) != (field->kind == RF_KIND_DATETIME))
        face->clash = true;
    return rf_arena_check(arena, "the values of a report", err);
}

/* ---- all columns ---------------------------------------------------------------------------- */

static rf_code face_one(rfi_facing *face, rf_arena *arena, const rf_table *real, const rf_table *other,
                        rf_error *err)
{
    rf_code rc = RF_OK;
    face->real.n_rows = real->n_rows;
    face->real.n_missing = count_missing(&real->columns[face->field], real->n_rows);
    if (face->other_field < 0)
        return RF_OK;
    face->other.n_rows = other->n_rows;
    face->other.n_missing = count_missing(&other->columns[face->other_field], other->n_rows);
    if (!rfi_kind_is_modelled(face->kind))
        return RF_OK;
    if (rfi_kind_is_continuous(face->kind))
        RF_TRY(face_values(face, arena, real, other, err));
    else
        RF_TRY(face_codes(face, arena, real, other, err));
    face->modelled = !face->clash;
out:
    return rc;
}

rf_code rfi_face(rfi_facing **out, rf_arena *arena, const rf_table *real, const rf_table *other,
                 const int32_t *fields, int32_t n_fields, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_words labels = {0};
    rfi_facing *faces = RF_ARENA_ARRAY(arena, rfi_facing, n_fields);
    RF_TRY(rf_arena_check(arena, "the columns of a report", err));
    RF_TRY(rfi_words_init(&labels, other->schema.n_fields, err));
    for (int32_t i = 0; i < other->schema.n_fields; i++)
        rfi_words_add(&labels, other->schema.fields[i].label, strlen(other->schema.fields[i].label));
    for (int32_t i = 0; i < n_fields; i++) {
        const rf_field *field = &real->schema.fields[fields[i]];
        const int32_t found = rfi_words_find(&labels, field->label, strlen(field->label));
        const bool ignored = found >= 0 && other->schema.fields[found].kind == RF_KIND_IGNORED;
        faces[i] = (rfi_facing){.field = fields[i], .other_field = ignored ? -1 : found, .kind = field->kind};
        RF_TRY(face_one(&faces[i], arena, real, other, err));
    }
    *out = faces;
out:
    rfi_words_free(&labels);
    return rc;
}
