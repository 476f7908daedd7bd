#include "engine/quality/diagnostic.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/quality/copies.h"
#include "engine/quality/fullmatch.h"
#include "engine/quality/marginals.h"
#include "engine/table/datetime.h"

static double share(int64_t part, int64_t whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

/* ---- adherence ------------------------------------------------------------------------------ */

/* May a synthetic cell be missing: as the metadata says, else when a real one is. */
static bool is_nullable(const rfi_facing *face, const rf_metadata_column *given)
{
    if (given && given->nullable)
        return given->nullable > 0;
    return face->real.n_missing > 0;
}

/* Share of the synthetic values inside the range. Missing cells are left out where they may be; where
 * they may not be they are outside. */
static double boundary_adherence(const rfi_facing *face, const rf_metadata_column *given)
{
    const rfi_range range = rfi_range_of(&face->real);
    const double low = given && !isnan(given->range_min) ? given->range_min : range.min;
    const double high = given && !isnan(given->range_max) ? given->range_max : range.max;
    const rfi_side *side = &face->other;
    int64_t inside = 0;
    for (int64_t row = 0; row < side->n_rows; row++)
        inside += side->values[row] >= low && side->values[row] <= high;
    return share(inside, is_nullable(face, given) ? side->n_rows - side->n_missing : side->n_rows);
}

/* Which categories are allowed: those of the metadata, else those that some real cell has. */
static void find_allowed(int64_t *allowed, const rfi_facing *face, const rf_metadata_column *given)
{
    if (!given || !given->range_values) {
        rfi_count_codes(allowed, face->n_categories, &face->real);
        return;
    }
    for (int32_t code = 0; code < face->n_categories; code++) {
        const rfi_word *word = &face->categories[code];
        for (int32_t i = 0; i < given->n_range_values && !allowed[code]; i++)
            allowed[code] = strlen(given->range_values[i]) == word->length &&
                            memcmp(given->range_values[i], word->text, word->length) == 0;
    }
}

/* Share of the synthetic cells whose category is allowed; missing counts as one. */
static rf_code category_adherence(double *out, const rfi_facing *face, const rf_metadata_column *given,
                                  rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t *allowed = NULL, valid = 0;
    const rfi_side *side = &face->other;
    const bool null_allowed = is_nullable(face, given) ||
                              (given && !given->nullable && given->range_values && given->range_has_null);
    RF_TRY(RF_NEW_ARRAY(&allowed, face->n_categories, "the validity of a column", err));
    find_allowed(allowed, face, given);
    for (int64_t row = 0; row < side->n_rows; row++)
        valid += side->codes[row] < 0 ? null_allowed : allowed[side->codes[row]] > 0;
    *out = share(valid, side->n_rows);
out:
    rf_free(allowed);
    return rc;
}

static rf_code key_uniqueness(double *out, const rf_table *synthetic, int32_t field, rf_error *err)
{
    int64_t bad = 0;
    const rf_code rc = rfi_count_bad_keys(&bad, synthetic, &field, 1, NULL, err);
    *out = 1 - share(bad, synthetic->n_rows);
    return rc;
}

/* ---- formats -------------------------------------------------------------------------------- */

/* A question about a text, and about a missing cell. */
typedef struct text_test {
    bool (*accepts)(void *state, const char *text, size_t length);
    void *state;
    bool missing;
} text_test;

static size_t cell_text(char text[RF_NUMBER_TEXT_MAX], double value, const rf_field *field)
{
    if (field->kind == RF_KIND_DATETIME)
        return rf_datetime_format(text, RF_NUMBER_TEXT_MAX, value, field->datetime_format,
                                  field->utc_offset_s);
    if (field->decimals < 0)
        return rf_format_f64(text, value);
    return rf_format_fixed(text, value, field->decimals, field->min_decimals);
}

static int64_t count_values(const rf_table *table, int32_t index, text_test test)
{
    const rf_column *column = &table->columns[index];
    int64_t accepted = 0;
    for (int64_t row = 0; row < table->n_rows; row++) {
        char text[RF_NUMBER_TEXT_MAX];
        if (isnan(column->values[row]))
            accepted += test.missing;
        else
            accepted += test.accepts(test.state, text,
                                     cell_text(text, column->values[row], &table->schema.fields[index]));
    }
    return accepted;
}

/* Each text of the dictionary is asked about once. */
static rf_code count_codes(int64_t *accepted, const rf_table *table, int32_t index, text_test test,
                           rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_column *column = &table->columns[index];
    bool *good = NULL;
    RF_TRY(RF_NEW_ARRAY(&good, column->dict.n, "the validity of a column", err));
    for (int32_t code = 0; code < column->dict.n; code++) {
        size_t length;
        const char *text = rf_dict_text(&column->dict, code, &length);
        good[code] = test.accepts(test.state, text, length);
    }
    for (int64_t row = 0; row < table->n_rows; row++)
        *accepted += column->codes[row] < 0 ? test.missing : good[column->codes[row]];
out:
    rf_free(good);
    return rc;
}

static rf_code share_accepted(double *out, const rf_table *table, int32_t index, text_test test,
                              rf_error *err)
{
    int64_t accepted = 0;
    rf_code rc = RF_OK;
    if (table->columns[index].codes)
        rc = count_codes(&accepted, table, index, test, err);
    else
        accepted = count_values(table, index, test) - (test.missing ? table->columns[index].n_misfit : 0);
    *out = share(accepted, table->n_rows);
    return rc;
}

static bool accepts_datetime(void *state, const char *text, size_t length)
{
    double seconds;
    int32_t offset;
    return rf_datetime_parse(text, length, state, &seconds, &offset);
}

static bool accepts_regex(void *state, const char *text, size_t length)
{
    return rfi_regex_match(state, text, length);
}

static rf_code datetime_adherence(rf_quality_column *out, const rf_table *synthetic, int32_t index,
                                  const char *format, rf_error *err)
{
    const rf_field *field = &synthetic->schema.fields[index];
    const char *reason = NULL;
    if (!rf_datetime_format_valid(format, &reason)) {
        out->format_problem = "the datetime_format is not supported";
        return RF_OK;
    }
    if (field->kind == RF_KIND_DATETIME && field->datetime_format &&
        strcmp(field->datetime_format, format) == 0) {
        out->format_validity =
            share(synthetic->n_rows - synthetic->columns[index].n_misfit, synthetic->n_rows);
        return RF_OK;
    }
    const text_test test = {.accepts = accepts_datetime, .state = (void *)format, .missing = true};
    return share_accepted(&out->format_validity, synthetic, index, test, err);
}

/* The reference looks at the text of a missing cell, "nan", like at any other. */
static rf_code regex_adherence(rf_quality_column *out, const rf_table *synthetic, int32_t index,
                               const char *pattern, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_regex *regex = NULL;
    RF_TRY(rfi_regex_create(&regex, &out->format_problem, pattern, err));
    if (!regex)
        goto out;
    const text_test test = {
        .accepts = accepts_regex, .state = regex, .missing = rfi_regex_match(regex, "nan", 3)};
    RF_TRY(share_accepted(&out->format_validity, synthetic, index, test, err));
out:
    rfi_regex_free(regex);
    return rc;
}

/* ---- a column ------------------------------------------------------------------------------- */

static void name_metrics(rf_quality_column *out, const rfi_facing *face, const rfi_rules *rules)
{
    if (rules->given && rules->given->sequence_index && rfi_kind_is_continuous(face->kind))
        return; /* the reference scores neither its range nor its format */
    if (rfi_kind_is_continuous(face->kind))
        out->validity_metric = "BoundaryAdherence";
    else if (rfi_kind_is_modelled(face->kind))
        out->validity_metric = "CategoryAdherence";
    else if (rules->key)
        out->validity_metric = "KeyUniqueness";
    if (face->kind == RF_KIND_DATETIME && rules->datetime_format)
        out->format_metric = "DatetimeFormatAdherence";
    else if (face->kind == RF_KIND_ID && rules->regex)
        out->format_metric = "RegexFormatAdherence";
}

static rf_code check_values(rf_quality_column *out, const rfi_facing *face, const rfi_rules *rules,
                            const rf_table *synthetic, rf_error *err)
{
    rf_code rc = RF_OK;
    if (face->clash) {
        out->validity_problem = "the synthetic column holds another kind of values";
        return RF_OK;
    }
    if (!out->validity_metric)
        return RF_OK;
    if (rfi_kind_is_continuous(face->kind))
        out->validity = boundary_adherence(face, rules->given);
    else if (rfi_kind_is_modelled(face->kind))
        rc = category_adherence(&out->validity, face, rules->given, err);
    else
        rc = key_uniqueness(&out->validity, synthetic, face->other_field, err);
    if (isnan(out->validity))
        out->validity_problem = "no synthetic cell can be checked";
    return rc;
}

rf_code rfi_diagnose(rf_quality_column *out, const rfi_facing *face, const rfi_rules *rules,
                     const rf_table *synthetic, rf_error *err)
{
    rf_code rc = RF_OK;
    out->validity = out->format_validity = NAN;
    name_metrics(out, face, rules);
    if (face->other_field < 0) {
        const char *problem = "the synthetic table has no such column";
        out->validity_problem = out->validity_metric ? problem : NULL;
        out->format_problem = out->format_metric ? problem : NULL;
        return RF_OK;
    }
    RF_TRY(check_values(out, face, rules, synthetic, err));
    if (out->format_metric && face->kind == RF_KIND_DATETIME)
        RF_TRY(datetime_adherence(out, synthetic, face->other_field, rules->datetime_format, err));
    else if (out->format_metric)
        RF_TRY(regex_adherence(out, synthetic, face->other_field, rules->regex, err));
out:
    return rc;
}

/* ---- structure ------------------------------------------------------------------------------ */

/* "name", a NUL, "int64": one text for each column that is not ignored. */
static rf_code add_columns(rfi_words *set, rf_arena *arena, const rf_table *table, rf_error *err)
{
    for (int32_t i = 0; i < table->schema.n_fields; i++) {
        const rf_field *field = &table->schema.fields[i];
        if (field->kind == RF_KIND_IGNORED)
            continue;
        const char *type = rfi_physical_type(field, &table->columns[i], table->n_rows);
        const size_t label_length = strlen(field->label), type_length = strlen(type);
        char *text = rf_arena_alloc(arena, label_length + 1 + type_length, 1);
        if (!text)
            break;
        memcpy(text, field->label, label_length);
        memcpy(text + label_length + 1, type, type_length);
        rfi_words_add(set, text, label_length + 1 + type_length);
    }
    return rf_arena_check(arena, "the structure of a table", err);
}

rf_code rfi_structure(double *out, const rf_table *real, const rf_table *synthetic, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_words first = {0}, second = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    *out = NAN;
    RF_TRY(rfi_words_init(&first, real->schema.n_fields, err));
    RF_TRY(rfi_words_init(&second, synthetic->schema.n_fields, err));
    RF_TRY(add_columns(&first, &arena, real, err));
    RF_TRY(add_columns(&second, &arena, synthetic, err));
    int32_t shared = 0;
    for (int32_t i = 0; i < second.n; i++)
        shared += rfi_words_find(&first, second.words[i].text, second.words[i].length) >= 0;
    *out = share(shared, first.n + second.n - shared);
out:
    rf_arena_free(&arena);
    rfi_words_free(&second);
    rfi_words_free(&first);
    return rc;
}
