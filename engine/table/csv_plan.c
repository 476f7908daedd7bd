#include "engine/table/csv_plan.h"

#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/datetime.h"
#include "engine/table/metadata.h"

enum {
    SAMPLE_ROWS = 1000,
    FEW_VALUES = 10,       /* whole numbers with at most so many values look like categories */
    FEW_VALUES_CELLS = 60, /* when at least so many were seen                                */
};

/* ---- declared ------------------------------------------------------------------------------ */

static const char *keep(rf_arena *arena, const char *text)
{
    return text ? rf_arena_string(arena, text, strlen(text)) : NULL;
}

static rf_code declare_types(rfi_column_plan *plan, const rf_schema *schema, const rf_table_options *options,
                             rf_arena *arena, rf_error *err)
{
    rf_code rc = RF_OK;
    const char **labels = NULL;
    for (int32_t i = 0; i < options->n_types; i++) {
        const rf_type_override *type = &options->types[i];
        const int32_t c = rf_schema_find(schema, type->column);
        if (c < 0) {
            RF_TRY(RF_NEW_ARRAY(&labels, schema->n_fields, "the names of the columns", err));
            for (int32_t f = 0; f < schema->n_fields; f++)
                labels[f] = schema->fields[f].label;
            const char *near = rf_text_nearest(type->column, labels, schema->n_fields);
            RF_TRY(rf_fail(err, RF_USAGE, "there is no column \"%.60s\" to give a type to%s%.60s%s",
                           type->column, near ? "; did you mean \"" : "", near ? near : "",
                           near ? "\"?" : ""));
        }
        plan[c] = (rfi_column_plan){.declared = true,
                                    .kind = type->kind,
                                    .primary_key = type->primary_key || plan[c].primary_key,
                                    .datetime_format = keep(arena, type->datetime_format),
                                    .regex = keep(arena, type->regex)};
    }
out:
    rf_free(labels);
    return rc;
}

static rf_code declare_metadata(rfi_column_plan *plan, const rf_schema *schema, const char *path,
                                rf_arena *arena, rf_notes *notes, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_metadata metadata = {0};
    rf_arena scratch;
    rf_arena_init(&scratch);
    RF_TRY(rf_metadata_read(&metadata, &scratch, path, notes, err));
    for (int32_t i = 0; i < metadata.n_columns; i++) {
        const rf_metadata_column *column = &metadata.columns[i];
        const int32_t c = rf_schema_find(schema, column->name);
        if (c < 0)
            RF_TRY(rf_fail(err, RF_INPUT, "%s describes a column \"%.60s\" that the table does not have",
                           path, column->name));
        plan[c] = (rfi_column_plan){.declared = true,
                                    .kind = column->primary_key ? RF_KIND_ID : column->kind,
                                    .numerical = column->numerical && !column->primary_key,
                                    .primary_key = column->primary_key,
                                    .datetime_format = keep(arena, column->datetime_format),
                                    .regex = keep(arena, column->regex)};
    }
    for (int32_t c = 0; c < schema->n_fields; c++)
        if (!plan[c].declared)
            rf_note(notes, "%s does not describe the column \"%.60s\"; its kind is found from its cells",
                    path, schema->fields[c].label);
out:
    rf_arena_free(&scratch);
    return rc;
}

static void declare_like(rfi_column_plan *plan, const rf_schema *schema, const rf_schema *like,
                         rf_arena *arena)
{
    for (int32_t c = 0; c < schema->n_fields; c++) {
        const int32_t other = rf_schema_find(like, schema->fields[c].label);
        if (other < 0)
            continue;
        const rf_field *field = &like->fields[other];
        plan[c] = (rfi_column_plan){.declared = true,
                                    .kind = field->kind,
                                    .numerical = field->kind == RF_KIND_INTEGER,
                                    .lenient = true,
                                    .primary_key = field->primary_key,
                                    .datetime_format = keep(arena, field->datetime_format),
                                    .regex = keep(arena, field->regex)};
    }
}

static rf_code check_formats(const rfi_column_plan *plan, const rf_schema *schema, rf_error *err)
{
    for (int32_t c = 0; c < schema->n_fields; c++) {
        const char *reason = NULL;
        if (plan[c].datetime_format && !rf_datetime_format_valid(plan[c].datetime_format, &reason))
            return rf_fail(
                err, RF_USAGE, "the datetime format \"%.60s\" of the column \"%.60s\" cannot be used: %s",
                plan[c].datetime_format, schema->fields[c].label, reason ? reason : "it is not known");
    }
    return RF_OK;
}

rf_code rfi_plan_declare(rfi_column_plan *plan, const rf_schema *schema, const rf_table_options *options,
                         const rf_schema *like, rf_arena *arena, rf_notes *notes, rf_error *err)
{
    rf_code rc = RF_OK;
    if (like)
        declare_like(plan, schema, like, arena);
    else if (options->metadata_path)
        RF_TRY(declare_metadata(plan, schema, options->metadata_path, arena, notes, err));
    RF_TRY(declare_types(plan, schema, options, arena, err));
    RF_TRY(rf_arena_check(arena, "the kinds of the columns", err));
    RF_TRY(check_formats(plan, schema, err));
out:
    return rc;
}

/* ---- sampled ------------------------------------------------------------------------------- */

/* The cells of the first rows. Rows may still have too few or too many of them. */
typedef struct sample {
    const rfi_csv_read *read;
    rfi_csv_piece piece;
    size_t *firsts; /* (n_rows + 1) index of each row's first cell */
    int64_t n_rows;
    rf_buf text;
} sample;

static rf_code take_sample(sample *taken, const rfi_csv_read *read, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_csv_file *file = read->file;
    rfi_csv_piece *piece = &taken->piece;
    rfi_csv_walk walk;
    taken->read = read;
    rf_buf_init(&taken->text);
    rfi_csv_walk_open(&walk, read->file);
    RF_TRY(rfi_csv_walk_cut(&walk, piece, err));
    RF_TRY(rfi_csv_piece_look(piece, file, err));
    RF_TRY(RF_NEW_ARRAY(&taken->firsts, SAMPLE_ROWS + 1, "a sample of the rows", err));
    for (size_t i = 0; i < piece->scratch.n_ends && taken->n_rows < SAMPLE_ROWS; i++) {
        const size_t end = piece->begin + piece->scratch.ends[i];
        if (end == piece->end || file->data[end] == file->syntax.newline)
            taken->firsts[++taken->n_rows] = i + 1;
    }
out:
    rfi_csv_walk_close(&walk);
    return rc;
}

static void free_sample(sample *taken)
{
    rfi_csv_piece_free(&taken->piece);
    rf_free(taken->firsts);
    rf_buf_free(&taken->text);
}

/* False when the row has no such cell, or the cell is missing or broken. The text lives until the next. */
static bool sample_cell(sample *taken, int64_t row, int32_t c, rfi_csv_cell *cell)
{
    const rfi_csv_file *file = taken->read->file;
    const size_t i = taken->firsts[row] + (size_t)c;
    if (i >= taken->firsts[row + 1])
        return false;
    const char *data = file->data + taken->piece.begin;
    const uint32_t *ends = taken->piece.scratch.ends;
    const size_t begin = i ? (size_t)ends[i - 1] + 1 : 0;
    const bool last = i + 1 == taken->firsts[row + 1];
    return rfi_csv_decode(cell, data + begin, ends[i] - begin, last, &file->syntax, &taken->text) &&
           !taken->text.failed && rfi_tokens_find(&taken->read->tokens, cell->text, cell->length) < 0;
}

/* What the sample says about one column's cells as numbers, for one decimal point. */
typedef struct number_sample {
    int64_t n_present, n_numbers, n_infinite;
    rfi_number_facts facts;
    int n_values; /* distinct ones; FEW_VALUES + 1 = more */
    double values[FEW_VALUES];
} number_sample;

static void note_value(number_sample *seen, double value)
{
    if (seen->n_values > FEW_VALUES)
        return;
    for (int i = 0; i < seen->n_values; i++)
        if (seen->values[i] == value)
            return;
    if (seen->n_values < FEW_VALUES)
        seen->values[seen->n_values] = value;
    seen->n_values++;
}

static number_sample sample_numbers(sample *taken, int32_t c, char point)
{
    number_sample seen = {.facts = RFI_NUMBER_FACTS_NONE};
    rfi_csv_cell cell;
    for (int64_t row = 0; row < taken->n_rows; row++) {
        if (!sample_cell(taken, row, c, &cell))
            continue;
        double value = 0;
        const rfi_number_class class =
            rfi_number_parse_slow(cell.text, cell.length, point, &value, &seen.facts);
        seen.n_present++;
        seen.n_numbers += class == RFI_NUMBER;
        seen.n_infinite += class == RFI_NUMBER_INFINITE;
        if (class == RFI_NUMBER)
            note_value(&seen, value);
    }
    return seen;
}

static bool all_numbers(const number_sample *seen)
{
    return seen->n_numbers && seen->n_numbers + seen->n_infinite == seen->n_present;
}

/* Where a comma does not separate cells it may be the decimal point: the columns vote. */
static char find_point(sample *taken)
{
    int64_t commas = 0, points = 0;
    if (taken->read->file->syntax.delimiter == ',')
        return '.';
    for (int32_t c = 0; c < taken->read->file->n_columns; c++) {
        const number_sample with_comma = sample_numbers(taken, c, ',');
        const number_sample with_point = sample_numbers(taken, c, '.');
        commas += all_numbers(&with_comma) && with_comma.facts.max_written > 0;
        points += all_numbers(&with_point) && with_point.facts.max_written > 0;
    }
    return commas > points ? ',' : '.';
}

static bool has_digit(const rfi_csv_cell *cell)
{
    for (size_t i = 0; i < cell->length; i++)
        if (cell->text[i] >= '0' && cell->text[i] <= '9')
            return true;
    return false;
}

/* A format that reads all the sample's cells and leaves no doubt about day and month, or NULL. */
static rf_code guess_datetime(sample *taken, int32_t c, const char **format, rf_error *err)
{
    rf_code rc = RF_OK;
    const char **texts = NULL;
    size_t *lengths = NULL;
    int64_t n = 0;
    rfi_csv_cell cell;
    rf_arena arena;
    rf_arena_init(&arena);
    *format = NULL;
    RF_TRY(RF_NEW_ARRAY(&texts, SAMPLE_ROWS, "a sample of the rows", err));
    RF_TRY(RF_NEW_ARRAY(&lengths, SAMPLE_ROWS, "a sample of the rows", err));
    for (int64_t row = 0; row < taken->n_rows; row++) {
        if (!sample_cell(taken, row, c, &cell))
            continue;
        if (!has_digit(&cell))
            goto out;
        const bool lent = taken->text.data && cell.text >= taken->text.data &&
                          cell.text < taken->text.data + taken->text.capacity;
        texts[n] = lent ? rf_arena_string(&arena, cell.text, cell.length) : cell.text;
        lengths[n++] = cell.length;
    }
    RF_TRY(rf_arena_check(&arena, "a sample of the rows", err));
    bool ambiguous = false;
    const char *found = n ? rf_datetime_guess(texts, lengths, n, &ambiguous) : NULL;
    if (!ambiguous)
        *format = found;
out:
    rf_free(texts);
    rf_free(lengths);
    rf_arena_free(&arena);
    return rc;
}

static bool looks_like_categories(const number_sample *seen)
{
    return seen->n_present >= FEW_VALUES_CELLS && seen->n_values <= FEW_VALUES && !seen->facts.minus &&
           !seen->facts.exponent && seen->facts.decimals == 0;
}

static rf_code choose(rfi_column_read *column, const rfi_column_plan *plan, sample *taken, int32_t c,
                      rf_error *err)
{
    rf_code rc = RF_OK;
    column->as = RFI_READ_TEXTS;
    column->datetime_format = plan->datetime_format;
    const number_sample seen = sample_numbers(taken, c, taken->read->point);
    column->decimals = seen.facts.max_written > 0;
    if (plan->declared && plan->kind != RF_KIND_DATETIME) {
        if (plan->numerical || plan->kind == RF_KIND_INTEGER || plan->kind == RF_KIND_CONTINUOUS)
            column->as = RFI_READ_NUMBERS;
        return RF_OK;
    }
    if (!plan->declared && all_numbers(&seen)) {
        column->as = looks_like_categories(&seen) ? RFI_READ_TEXTS : RFI_READ_NUMBERS;
        return RF_OK;
    }
    if (!column->datetime_format)
        RF_TRY(guess_datetime(taken, c, &column->datetime_format, err));
    if (column->datetime_format)
        column->as = RFI_READ_DATETIMES;
out:
    return rc;
}

rf_code rfi_plan_sample(rfi_csv_read *read, const rfi_column_plan *plan, rf_error *err)
{
    rf_code rc = RF_OK;
    sample taken = {0};
    RF_TRY(take_sample(&taken, read, err));
    read->point = find_point(&taken);
    for (int32_t c = 0; c < read->file->n_columns; c++)
        RF_TRY(choose(&read->columns[c], &plan[c], &taken, c, err));
    if (taken.text.failed)
        RF_TRY(rf_buf_check(&taken.text, "a sample of the rows", err));
out:
    free_sample(&taken);
    return rc;
}
