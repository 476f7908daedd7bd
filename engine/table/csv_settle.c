#include "engine/table/csv_settle.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/csv_convert.h"
#include "engine/table/datetime.h"
#include "engine/table/table_private.h"

enum {
    FEW_ROWS = 5, /* whole numbers in a shorter table are never categories */
    FEW_VALUES = 10,
    ID_ROWS = 20, /* texts that all differ are ids from so many rows on    */
    DECIMALS_MAX = 17,
    NOTE_ROWS = 20,  /* odd cells are worth a note from so many cells on,     */
    NOTE_SHARE = 20, /* when they are at most one in so many                  */
};

static const double first_date = 19000101, last_date = 21001231;

/* ---- the parts of a column ----------------------------------------------------------------- */

/* One column on its way. */
typedef struct column_work {
    rfi_settle *settle;
    rfi_column_read *read;
    const rfi_column_plan *plan;
    rf_field *field;
    int32_t c;
    int64_t n_rows, n_missing;
    int64_t n_misfit; /* of the missing ones: a text that is no value of the kind */
} column_work;

static const char *keep_text(const column_work *work, const char *text)
{
    return rf_arena_string(&work->settle->table->arena, text, strlen(text));
}

static rf_code fail_at(const column_work *work, int64_t row, const char *what, rf_error *err)
{
    const rfi_csv_file *file = work->settle->read->file;
    const rfi_csv_place place = rfi_csv_locate(file, row, work->c);
    return rf_fail(err, RF_INPUT, "%s, line %lld, column %.60s: \"%s\" %s", file->name, (long long)place.line,
                   work->field->label, place.shown, what);
}

static void note_at(const column_work *work, int64_t n, int64_t row, const char *what)
{
    const rfi_csv_place place = rfi_csv_locate(work->settle->read->file, row, work->c);
    rf_note(work->settle->notes, "column %s: %lld of %lld cells %s (the first on line %lld: \"%s\")",
            work->field->label, (long long)n, (long long)(work->n_rows - work->n_missing), what,
            (long long)place.line, place.shown);
}

/* The token that most missing cells were written with, the first of equals. */
static const char *commonest_token(const column_work *work)
{
    const rfi_tokens *tokens = &work->settle->read->tokens;
    int32_t best = 0;
    for (int32_t j = 1; j < tokens->n; j++)
        if (work->read->facts.missing[j] > work->read->facts.missing[best])
            best = j;
    return tokens->texts[best];
}

static int64_t count_missing(const column_work *work)
{
    int64_t n = 0;
    for (int32_t j = 0; j < work->settle->read->tokens.n; j++)
        n += work->read->facts.missing[j];
    return n;
}

static void fill_field(column_work *work, rf_kind kind)
{
    const rfi_cell_facts *facts = &work->read->facts;
    const int64_t n_present = work->n_rows - work->n_missing;
    rf_field *field = work->field;
    field->kind = kind;
    field->declared = work->plan->declared;
    field->primary_key = work->plan->primary_key;
    field->regex = work->plan->regex;
    field->missing_text = keep_text(work, commonest_token(work));
    field->quoted = n_present > 0 && facts->n_quoted - facts->n_quoted_missing >= n_present;
    work->settle->table->columns[work->c].n_missing = work->n_missing;
    work->settle->table->columns[work->c].n_misfit = work->n_misfit;
}

static int32_t decimals_of(const column_work *work)
{
    const rfi_number_facts *numbers = &work->read->facts.numbers;
    double most = 0.0;
    if (numbers->scientific)
        for (int64_t r = 0; r < work->n_rows; r++)
            most = fabs(work->read->values[r]) > most ? fabs(work->read->values[r]) : most;
    return rfi_number_decimals(numbers, work->n_rows - work->n_missing, most);
}

static rf_code finish_values(column_work *work, rf_kind kind, rf_error *err)
{
    const rfi_number_facts *numbers = &work->read->facts.numbers;
    const int32_t min_written = numbers->min_written == INT32_MAX ? 0 : numbers->min_written;
    fill_field(work, kind);
    if (kind != RF_KIND_DATETIME) {
        work->field->decimals = kind == RF_KIND_INTEGER ? 0 : decimals_of(work);
        work->field->min_decimals = min_written < DECIMALS_MAX ? min_written : DECIMALS_MAX;
    }
    rfi_table_take_values(work->settle->table, work->c, work->read->values);
    work->read->values = NULL;
    return rf_arena_check(&work->settle->table->arena, "the schema", err);
}

static void note_key(const column_work *work, const rf_dict *dict)
{
    if (!work->plan->primary_key)
        return;
    if (work->n_missing)
        rf_note(work->settle->notes, "column %s is the primary key, yet %lld of its cells are missing",
                work->field->label, (long long)work->n_missing);
    if (dict->n < work->n_rows - work->n_missing)
        rf_note(work->settle->notes, "column %s is the primary key, yet some of its values repeat",
                work->field->label);
}

static rf_code finish_codes(column_work *work, rf_kind kind, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_dict dict = {0};
    fill_field(work, kind);
    RF_TRY(rfi_dict_finish(&work->read->dict, &dict, err));
    note_key(work, &dict);
    rfi_table_take_dict(work->settle->table, work->c, dict);
    rfi_table_take_codes(work->settle->table, work->c, work->read->codes);
    work->read->codes = NULL;
    RF_TRY(rf_arena_check(&work->settle->table->arena, "the schema", err));
out:
    return rc;
}

/* ---- numbers among texts ------------------------------------------------------------------- */

/* min(round(n / 10), 10), halves to even. */
static int64_t category_limit(int64_t n_rows)
{
    const int64_t tens = n_rows / 10, rest = n_rows % 10;
    const int64_t rounded = tens + (rest > 5 || (rest == 5 && tens % 2));
    return rounded < FEW_VALUES ? rounded : FEW_VALUES;
}

/* Whole, and all written with the same digits after the point, so that text and value say the same. */
static bool is_plain_whole(const rfi_number_facts *numbers)
{
    return numbers->decimals == 0 && !numbers->exponent && numbers->max_written == numbers->min_written;
}

static bool few_whole(const column_work *work, const rfi_number_facts *numbers, int64_t n_distinct)
{
    return is_plain_whole(numbers) && !numbers->minus && work->n_rows > FEW_ROWS &&
           n_distinct <= category_limit(work->n_rows);
}

static rf_kind number_kind(const rfi_number_facts *numbers)
{
    return numbers->decimals == 0 && !numbers->shortest && !numbers->scientific ? RF_KIND_INTEGER
                                                                                : RF_KIND_CONTINUOUS;
}

static bool maybe_dates(const rfi_number_facts *numbers, double least, double most)
{
    return numbers->max_written == 0 && !numbers->exponent && least >= first_date && most <= last_date;
}

static rf_code infinite_cell(const column_work *work, int64_t row, rf_error *err)
{
    return fail_at(work, row, "is not a finite number; remove the row or leave the cell empty", err);
}

/* ---- texts --------------------------------------------------------------------------------- */

static bool says_bool(const rfi_dict *dict)
{
    static const char *const pairs[][2] = {{"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}};
    if (dict->n != 2)
        return false;
    const char *first = dict->bytes + dict->offsets[0], *second = dict->bytes + dict->offsets[1];
    const size_t n_first = (size_t)(dict->offsets[1] - dict->offsets[0]);
    const size_t n_second = (size_t)(dict->offsets[2] - dict->offsets[1]);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int swap = 0; swap < 2; swap++)
            if (rf_text_equal_nocase(first, n_first, pairs[i][swap]) &&
                rf_text_equal_nocase(second, n_second, pairs[i][!swap]))
                return true;
    return false;
}

/* A format for all texts: *format NULL when there is none. */
static rf_code guess_format(column_work *work, const char **format, rf_error *err)
{
    bool ambiguous = false;
    const rf_code rc = rfi_guess_datetime(&work->read->dict, format, &ambiguous, err);
    if (rc == RF_OK && *format && ambiguous)
        rf_note(work->settle->notes,
                "column %s: nothing in it tells day from month; the month is taken to come first (%s). "
                "Give datetime_format with --metadata if that is wrong",
                work->field->label, *format);
    return rc;
}

static void note_offsets(const column_work *work)
{
    if (work->read->facts.offsets.n)
        note_at(work, work->read->facts.offsets.n, work->read->facts.offsets.first_row,
                "have another UTC offset than the first; all will be written with the first one's");
}

static rf_code finish_datetimes(column_work *work, const char *format, rf_error *err)
{
    work->field->datetime_format = keep_text(work, format);
    work->field->utc_offset_s = work->read->facts.utc_offset_s;
    note_offsets(work);
    return finish_values(work, RF_KIND_DATETIME, err);
}

/* Few cells that are no numbers in a column of numbers are more likely a slip than a category. */
static void note_mixed(column_work *work, const rfi_text_numbers *found)
{
    const int64_t n_present = work->n_rows - work->n_missing;
    if (!found->n_plain || !found->n_strays || n_present < NOTE_ROWS)
        return;
    int64_t n = 0, first = -1;
    for (int64_t r = 0; r < work->n_rows; r++)
        if (work->read->codes[r] >= 0 && !found->plain[work->read->codes[r]]) {
            first = n++ ? first : r;
        }
    if (n && n <= n_present / NOTE_SHARE)
        note_at(work, n, first, "are not plain numbers, so the column is read as texts");
}

static int64_t first_with_code(const column_work *work, int32_t code)
{
    int64_t row = 0;
    while (row < work->n_rows && work->read->codes[row] != code)
        row++;
    return row;
}

static rf_code settle_number_texts(column_work *work, rfi_text_numbers *found, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_dict *dict = &work->read->dict;
    const int64_t n_present = work->n_rows - work->n_missing;
    const char *format = NULL;
    if (found->n_infinite)
        RF_TRY(infinite_cell(work, first_with_code(work, found->first_infinite), err));
    work->read->facts.numbers = found->facts;
    if (maybe_dates(&found->facts, found->least, found->most))
        RF_TRY(guess_format(work, &format, err));
    if (format) {
        int64_t n_odd = 0;
        RF_TRY(rfi_texts_to_datetimes(work->read, work->n_rows, format, true, &n_odd, err));
        RF_TRY(finish_datetimes(work, format, err));
    } else if (few_whole(work, &found->facts, dict->n)) {
        RF_TRY(finish_codes(work, RF_KIND_CATEGORICAL, err));
    } else if (is_plain_whole(&found->facts) && dict->n == n_present && n_present > 1 &&
               rfi_name_says_id(work->field->name)) {
        RF_TRY(finish_codes(work, RF_KIND_ID, err));
    } else {
        RF_TRY(rfi_texts_to_numbers(work->read, work->n_rows, found, err));
        RF_TRY(finish_values(work, number_kind(&found->facts), err));
    }
out:
    return rc;
}

/* A column of texts that nobody declared. */
static rf_code infer_texts(column_work *work, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_dict *dict = &work->read->dict;
    const int64_t n_present = work->n_rows - work->n_missing;
    const char *format = NULL;
    int64_t n_odd = 0;
    rfi_text_numbers found = {0};
    RF_TRY(rfi_find_numbers(&found, dict, work->settle->read->point, err));
    if (found.n_plain && !found.n_strays) {
        RF_TRY(settle_number_texts(work, &found, err));
        goto out;
    }
    if (dict->n && !says_bool(dict))
        RF_TRY(guess_format(work, &format, err));
    if (format)
        RF_TRY(rfi_texts_to_datetimes(work->read, work->n_rows, format, false, &n_odd, err));
    if (format && !n_odd) {
        RF_TRY(finish_datetimes(work, format, err));
        goto out;
    }
    note_mixed(work, &found);
    rf_kind kind = RF_KIND_CATEGORICAL;
    if (says_bool(dict))
        kind = RF_KIND_BOOLEAN;
    else if (dict->n == work->n_rows && work->n_rows >= ID_ROWS)
        kind = RF_KIND_ID;
    else if (dict->n == n_present && n_present > 1 && rfi_name_says_id(work->field->name))
        kind = RF_KIND_ID;
    RF_TRY(finish_codes(work, kind, err));
out:
    rfi_text_numbers_free(&found);
    return rc;
}

static rf_code declared_datetimes(column_work *work, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *format = NULL;
    int64_t n_odd = 0;
    RF_TRY(guess_format(work, &format, err));
    if (!format && work->n_missing < work->n_rows && !work->plan->lenient)
        RF_TRY(fail_at(work, first_with_code(work, 0),
                       "and the cells after it are in no date format that is known; give datetime_format "
                       "with --metadata",
                       err));
    if (!format)
        format = work->plan->datetime_format ? work->plan->datetime_format : "%Y-%m-%d";
    RF_TRY(rfi_texts_to_datetimes(work->read, work->n_rows, format, true, &n_odd, err));
    work->n_misfit = n_odd;
    work->n_missing += n_odd;
    if (n_odd)
        rf_note(work->settle->notes, "column %s: %lld cells are no dates and are left out",
                work->field->label, (long long)n_odd);
    RF_TRY(finish_datetimes(work, format, err));
out:
    return rc;
}

static rf_code settle_texts(column_work *work, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_column_plan *plan = work->plan;
    const bool tokens_are_missing =
        work->settle->all_quoted || (plan->declared && plan->kind == RF_KIND_DATETIME);
    RF_TRY(rfi_take_missing(work->read, work->n_rows, tokens_are_missing, err));
    work->n_missing = count_missing(work);
    if (!plan->declared)
        RF_TRY(infer_texts(work, err));
    else if (plan->kind == RF_KIND_DATETIME)
        RF_TRY(declared_datetimes(work, err));
    else if (plan->kind == RF_KIND_BOOLEAN && work->read->dict.n > 2 && !plan->lenient)
        RF_TRY(fail_at(work, first_with_code(work, 2),
                       "is a third text in a column that was declared boolean", err));
    else
        RF_TRY(finish_codes(work, plan->kind, err));
out:
    return rc;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static rf_code declared_numbers(column_work *work, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_cell_facts *facts = &work->read->facts;
    const rfi_column_plan *plan = work->plan;
    rf_kind kind = plan->numerical ? number_kind(&facts->numbers) : plan->kind;
    if (plan->lenient) {
        if (facts->odd.n)
            note_at(work, facts->odd.n, facts->odd.first_row, "are not numbers and are left out");
        if (facts->infinite.n)
            note_at(work, facts->infinite.n, facts->infinite.first_row, "are not finite and are left out");
        work->n_misfit = facts->odd.n + facts->infinite.n;
        work->n_missing += work->n_misfit;
    } else {
        if (facts->odd.n)
            RF_TRY(fail_at(work, facts->odd.first_row,
                           "is not a number, but the column was declared to hold numbers", err));
        if (facts->infinite.n)
            RF_TRY(infinite_cell(work, facts->infinite.first_row, err));
        if (kind == RF_KIND_INTEGER && facts->huge.n)
            RF_TRY(fail_at(work, facts->huge.first_row,
                           "is beyond 2^53 and would lose digits; declare the column as id or categorical",
                           err));
        for (int64_t r = 0; plan->kind == RF_KIND_INTEGER && !plan->numerical && r < work->n_rows; r++)
            if (work->read->values[r] != rint(work->read->values[r]) && !isnan(work->read->values[r]))
                RF_TRY(
                    fail_at(work, r, "is not a whole number, but the column was declared to hold such", err));
    }
    RF_TRY(finish_values(work, kind, err));
out:
    return rc;
}

/* Whether the texts of these numbers must be looked at: few values, an id, or dates of eight digits. */
static rf_code want_texts(const column_work *work, bool *wanted, rf_error *err)
{
    const rfi_number_facts *numbers = &work->read->facts.numbers;
    const double *values = work->read->values;
    double least = INFINITY, most = -INFINITY;
    *wanted = false;
    if (!is_plain_whole(numbers))
        return RF_OK;
    if (few_whole(work, numbers, 0) && /* could be, at best */
        few_whole(work, numbers, rfi_count_values(values, work->n_rows, FEW_VALUES))) {
        *wanted = true;
        return RF_OK;
    }
    for (int64_t r = 0; r < work->n_rows && least >= first_date && most <= last_date; r++)
        if (!isnan(values[r])) {
            least = values[r] < least ? values[r] : least;
            most = values[r] > most ? values[r] : most;
        }
    *wanted = maybe_dates(numbers, least, most);
    if (*wanted || !rfi_name_says_id(work->field->name))
        return RF_OK;
    return rfi_values_differ(values, work->n_rows, wanted, err);
}

static rf_code settle_numbers(column_work *work, bool *again, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_cell_facts *facts = &work->read->facts;
    bool as_texts = false;
    work->n_missing = count_missing(work);
    if (work->plan->declared)
        return declared_numbers(work, err);
    if (facts->odd.n || facts->codes.n || facts->huge.n) {
        *again = true;
        return RF_OK;
    }
    if (facts->infinite.n)
        RF_TRY(infinite_cell(work, facts->infinite.first_row, err));
    RF_TRY(want_texts(work, &as_texts, err));
    if (as_texts) {
        RF_TRY(rfi_numbers_to_texts(work->read, work->n_rows, work->settle->read->point, err));
        RF_TRY(infer_texts(work, err));
    } else {
        RF_TRY(finish_values(work, number_kind(&facts->numbers), err));
    }
out:
    return rc;
}

static rf_code settle_datetimes(column_work *work, bool *again, rf_error *err)
{
    const rfi_strays *odd = &work->read->facts.odd;
    work->n_missing = count_missing(work);
    if (odd->n && work->plan->declared && !work->plan->lenient) {
        if (work->plan->datetime_format)
            return fail_at(work, odd->first_row,
                           "is not in the date format that the column was declared with", err);
        *again = true;
        return RF_OK;
    }
    if (odd->n && !work->plan->declared) {
        *again = true;
        return RF_OK;
    }
    if (odd->n) {
        note_at(work, odd->n, odd->first_row, "are not in the column's date format and are left out");
        work->n_misfit = odd->n;
        work->n_missing += odd->n;
    }
    return finish_datetimes(work, work->read->datetime_format, err);
}

rf_code rfi_settle_column(rfi_settle *settle, int32_t column, bool *again, rf_error *err)
{
    column_work work = {.settle = settle,
                        .read = &settle->read->columns[column],
                        .plan = &settle->plan[column],
                        .field = &settle->table->schema.fields[column],
                        .c = column,
                        .n_rows = settle->table->n_rows};
    *again = false;
    if (work.read->as == RFI_READ_NUMBERS)
        return settle_numbers(&work, again, err);
    if (work.read->as == RFI_READ_DATETIMES)
        return settle_datetimes(&work, again, err);
    return settle_texts(&work, err);
}
