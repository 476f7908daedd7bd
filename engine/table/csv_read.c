/* Reading a table: sniff, names, plan, parse, settle. */
#include <string.h>

#include "core/alloc.h"
#include "engine/table/csv_names.h"
#include "engine/table/csv_settle.h"
#include "engine/table/table_private.h"

/* ---- one reading --------------------------------------------------------------------------- */

typedef struct reading {
    rfi_csv_file file;
    rfi_csv_read read;
    rfi_column_plan *plan;
    size_t *token_lengths;
    const char **token_texts;
    int64_t *missing; /* of all columns' facts */
    rf_table *table;
    const rf_table_options *options;
    const rf_schema *like;
    rf_notes *notes;
} reading;

/* The empty text first, then the wished ones; empties among them add nothing. */
static rf_code make_tokens(reading *r, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *const *texts = r->options->missing ? r->options->missing : rf_missing_default;
    const int32_t n = r->options->missing ? r->options->n_missing : rf_missing_default_n;
    RF_TRY(RF_NEW_ARRAY(&r->token_texts, n + 1, "the missing tokens", err));
    RF_TRY(RF_NEW_ARRAY(&r->token_lengths, n + 1, "the missing tokens", err));
    r->token_texts[0] = "";
    r->read.tokens.n = 1;
    for (int32_t j = 0; j < n; j++) {
        if (!texts[j][0])
            continue;
        r->token_texts[r->read.tokens.n] = texts[j];
        const size_t length = strlen(texts[j]);
        r->token_lengths[r->read.tokens.n++] = length;
        r->read.tokens.longest = length > r->read.tokens.longest ? length : r->read.tokens.longest;
        r->read.tokens.with_digits |= strpbrk(texts[j], "0123456789") != NULL;
    }
    r->read.tokens.texts = r->token_texts;
    r->read.tokens.lengths = r->token_lengths;
out:
    return rc;
}

static rf_code make_columns(reading *r, rf_error *err)
{
    rf_code rc = RF_OK;
    const size_t n = (size_t)r->file.n_columns, n_tokens = (size_t)r->read.tokens.n;
    RF_TRY(rfi_table_make_columns(r->table, err));
    RF_TRY(RF_NEW_ARRAY(&r->read.columns, n, "the columns of a table", err));
    RF_TRY(RF_NEW_ARRAY(&r->plan, n, "the columns of a table", err));
    RF_TRY(RF_NEW_ARRAY(&r->missing, n * n_tokens, "the columns of a table", err));
    for (size_t c = 0; c < n; c++) {
        rfi_column_read *column = &r->read.columns[c];
        column->facts.missing = r->missing + c * n_tokens;
        rfi_cell_facts_clear(&column->facts, r->read.tokens.n);
        rfi_dict_init(&column->dict, &r->read.tokens);
    }
out:
    return rc;
}

static void free_columns(reading *r)
{
    for (int32_t c = 0; r->read.columns && c < r->file.n_columns; c++) {
        rf_free(r->read.columns[c].values);
        rf_free(r->read.columns[c].codes);
        rfi_dict_free(&r->read.columns[c].dict);
    }
    rf_free(r->read.columns);
}

/* A column that was read the wrong way starts anew, as texts. */
static void start_again(reading *r, int32_t c)
{
    rfi_column_read *column = &r->read.columns[c];
    rf_free(column->values);
    column->values = NULL;
    column->as = RFI_READ_TEXTS;
    rfi_cell_facts_clear(&column->facts, r->read.tokens.n);
}

static bool is_all_quoted(const reading *r)
{
    int64_t n_quoted = 0;
    for (int32_t c = 0; c < r->file.n_columns; c++)
        n_quoted += r->read.columns[c].facts.n_quoted;
    return n_quoted == r->file.n_rows * r->file.n_columns;
}

static rf_code check_rows(reading *r, rf_error *err)
{
    r->table->n_rows = r->file.n_rows;
    if (r->file.n_rows == 1 && !r->options->allow_one_row)
        return rf_fail(err, RF_INPUT, "%s has only one row; at least two are needed", r->file.name);
    return RF_OK;
}

/* Reads and settles the columns that are to be read now; those that were read wrongly are left over. */
static rf_code read_and_settle(reading *r, bool first, bool *left, bool *all_quoted, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_csv_parse(&r->read, r->options->pool, err));
    if (first) {
        RF_TRY(check_rows(r, err));
        *all_quoted = is_all_quoted(r);
    }
    rfi_settle settle = {
        .read = &r->read, .plan = r->plan, .table = r->table, .notes = r->notes, .all_quoted = *all_quoted};
    *left = false;
    for (int32_t c = 0; c < r->file.n_columns; c++) {
        bool again = false;
        if (r->read.columns[c].as == RFI_READ_NOT)
            continue;
        RF_TRY(rfi_settle_column(&settle, c, &again, err));
        if (again)
            start_again(r, c);
        else
            r->read.columns[c].as = RFI_READ_NOT;
        *left |= again;
    }
out:
    return rc;
}

static rf_code read_cells(reading *r, rf_error *err)
{
    rf_code rc = RF_OK;
    bool left = false, all_quoted = false;
    RF_TRY(make_tokens(r, err));
    RF_TRY(make_columns(r, err));
    RF_TRY(
        rfi_plan_declare(r->plan, &r->table->schema, r->options, r->like, &r->table->arena, r->notes, err));
    RF_TRY(rfi_plan_sample(&r->read, r->plan, err));
    r->table->schema.dialect.decimal_point = r->read.point;
    RF_TRY(read_and_settle(r, true, &left, &all_quoted, err));
    if (left)
        RF_TRY(read_and_settle(r, false, &left, &all_quoted, err));
out:
    return rc;
}

static rf_code read_bytes(rf_table **out, const char *name, rf_file_bytes *bytes, const char *data,
                          size_t size_bytes, const rf_table_options *options, const rf_schema *like,
                          rf_notes *notes, rf_error *err)
{
    static const rf_table_options defaults;
    rf_code rc = RF_OK;
    reading r = {.file = {.name = name, .data = data, .size_bytes = size_bytes, .bytes = bytes},
                 .options = options ? options : &defaults,
                 .like = like,
                 .notes = notes};
    const char *format;
    *out = NULL;
    r.read.file = &r.file;
    RF_TRY(RF_NEW_ARRAY(&r.table, 1, "a table", err));
    rf_arena_init(&r.table->arena);
    const bool tabs = rfi_format_find(name, r.options->format, &format) == RFI_FORMAT_TSV;
    const char delimiter = r.options->delimiter ? r.options->delimiter : tabs ? '\t' : 0;
    RF_TRY(rfi_csv_sniff(&r.file, &r.table->schema.dialect, r.options, delimiter, err));
    RF_TRY(rfi_csv_check_header(&r.file, err));
    RF_TRY(rfi_csv_read_names(&r.file, &r.table->schema, &r.table->arena, notes, err));
    if (r.file.body_begin >= r.file.body_end)
        RF_TRY(rf_fail(err, RF_INPUT, "%s has a header but no rows", name));
    RF_TRY(read_cells(&r, err));
    *out = r.table;
    r.table = NULL;
out:
    free_columns(&r);
    rf_free(r.plan);
    rf_free(r.missing);
    rf_free(r.token_texts);
    rf_free(r.token_lengths);
    rfi_csv_file_free(&r.file);
    rf_table_free(r.table);
    return rc;
}

/* ---- the doors ----------------------------------------------------------------------------- */

static rf_code read_path(rf_table **out, const char *path, const rf_table_options *options,
                         const rf_schema *like, rf_notes *notes, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_file_bytes bytes = {0};
    *out = NULL;
    RF_TRY(rf_table_format_check(path, options ? options->format : NULL, false, err));
    RF_TRY(rf_file_bytes_open(&bytes, path, err));
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    RF_TRY(read_bytes(out, name, &bytes, bytes.data, bytes.size_bytes, options, like, notes, err));
out:
    rf_file_bytes_close(&bytes);
    return rc;
}

rf_code rf_table_read(rf_table **out, const char *path, const rf_table_options *options, rf_notes *notes,
                      rf_error *err)
{
    return read_path(out, path, options, NULL, notes, err);
}

rf_code rf_table_read_bytes(rf_table **out, const char *name, const char *data, size_t size_bytes,
                            const rf_table_options *options, rf_notes *notes, rf_error *err)
{
    return read_bytes(out, name, NULL, data, size_bytes, options, NULL, notes, err);
}

rf_code rf_table_read_like(rf_table **out, const char *path, const rf_schema *schema,
                           const rf_table_options *options, rf_notes *notes, rf_error *err)
{
    return read_path(out, path, options, schema, notes, err);
}
