#include "engine/table/csv_names.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/csv_blocks.h"

enum { LABEL_SUFFIX_MAX = 32, NOTES_MAX = 10 };

/* ---- labels -------------------------------------------------------------------------------- */

/* The names that are taken, by hash; slots hold field + 1. */
typedef struct taken_names {
    int32_t *slots;
    size_t mask;
    const rf_field *fields;
} taken_names;

static int32_t find_label(const taken_names *taken, const char *label, size_t *slot)
{
    size_t at = rf_hash_bytes(label, strlen(label)) & taken->mask;
    while (taken->slots[at] && strcmp(taken->fields[taken->slots[at] - 1].label, label) != 0)
        at = (at + 1) & taken->mask;
    *slot = at;
    return taken->slots[at] - 1;
}

/* True when the label was free and is the field's now. */
static bool take_label(taken_names *taken, rf_field *field, const char *label)
{
    size_t slot;
    if (find_label(taken, label, &slot) >= 0)
        return false;
    field->label = label;
    taken->slots[slot] = (int32_t)(field - taken->fields) + 1;
    return true;
}

/* "column 3", "name.2", "name.3" …: the first that is free. A name that is repeated ten thousand times
 * must not be tried ten thousand times for each, so the search goes on where the last one ended. */
static rf_code number_label(taken_names *taken, rf_field *field, int32_t column, int32_t *next,
                            rf_arena *arena, rf_error *err)
{
    char text[LABEL_SUFFIX_MAX];
    const bool empty = !field->name[0];
    const char *stem = field->name;
    if (empty) {
        snprintf(text, sizeof text, "column %d", column + 1);
        stem = rf_arena_string(arena, text, strlen(text));
    }
    const size_t n = stem ? strlen(stem) : 0;
    char *label = rf_arena_alloc(arena, n + LABEL_SUFFIX_MAX, 1);
    if (arena->failed)
        return rf_arena_check(arena, "the names of the columns", err);
    memcpy(label, stem, n + 1);
    while (!take_label(taken, field, label)) {
        ++*next;
        snprintf(label + n, LABEL_SUFFIX_MAX, ".%d", *next);
    }
    return RF_OK;
}

static void note_label(const rf_field *field, int32_t column, rf_notes *notes)
{
    char shown[RFI_CELL_SHOWN];
    if (!field->name[0]) {
        rf_note(notes, "column %d has no name in the header; it is called \"%s\" here", column + 1,
                field->label);
        return;
    }
    rfi_shown(shown, field->name, strlen(field->name));
    rf_note(notes, "column %d repeats the name \"%s\"; it is called \"%s\" here", column + 1, shown,
            field->label);
}

rf_code rfi_labels_make(rf_schema *schema, rf_arena *arena, rf_notes *notes, rf_error *err)
{
    rf_code rc = RF_OK;
    taken_names taken = {.fields = schema->fields, .mask = 63};
    int32_t n_renamed = 0;
    int32_t *next = NULL; /* of the field that took the plain name: the last number given to a repeat */
    while (taken.mask < (size_t)schema->n_fields * 4)
        taken.mask = taken.mask * 2 + 1;
    RF_TRY(RF_NEW_ARRAY(&taken.slots, taken.mask + 1, "the names of the columns", err));
    RF_TRY(RF_NEW_ARRAY(&next, schema->n_fields, "the names of the columns", err));
    for (int32_t i = 0; i < schema->n_fields; i++) { /* plain names first: "a.2" keeps its own */
        rf_field *field = &schema->fields[i];
        field->label = NULL;
        next[i] = 1;
        if (field->name[0])
            take_label(&taken, field, field->name);
    }
    for (int32_t i = 0; i < schema->n_fields; i++) {
        rf_field *field = &schema->fields[i];
        if (field->label)
            continue;
        size_t unused;
        const int32_t first = field->name[0] ? find_label(&taken, field->name, &unused) : i;
        RF_TRY(number_label(&taken, field, i, &next[first], arena, err));
        if (n_renamed++ < NOTES_MAX)
            note_label(field, i, notes);
    }
    if (n_renamed > NOTES_MAX)
        rf_note(notes, "%d more columns have no name of their own either; they are numbered too",
                n_renamed - NOTES_MAX);
out:
    rf_free(taken.slots);
    rf_free(next);
    return rc;
}

/* ---- header -------------------------------------------------------------------------------- */

static rf_code add_name(rf_field *field, const rfi_csv_file *file, const char *raw, size_t length, bool last,
                        rf_arena *arena, rf_buf *scratch, rf_error *err)
{
    rfi_csv_cell cell;
    if (!rfi_csv_decode(&cell, raw, length, last, &file->syntax, scratch))
        return rf_fail(err, RF_INPUT,
                       "%s, line %lld: a quoted name in the header goes on after its closing quote",
                       file->name, (long long)rfi_csv_line(file, file->header_begin));
    if (scratch->failed)
        return rf_buf_check(scratch, "the names of the columns", err);
    field->name = rf_arena_string(arena, cell.text, cell.length);
    return RF_OK;
}

/* The bytes that the number of columns is counted in: without a header a piece that begins with the first row. */
static rf_code find_first(rfi_csv_file *file, bool no_header, size_t *end, rf_error *err)
{
    rfi_csv_walk walk;
    rfi_csv_piece piece = {0};
    *end = file->body_begin;
    if (!no_header)
        return RF_OK;
    rfi_csv_walk_open(&walk, file);
    const rf_code rc = rfi_csv_walk_cut(&walk, &piece, err);
    rfi_csv_walk_close(&walk);
    *end = piece.end;
    return rc;
}

static void warn_of_numbers(const rfi_csv_file *file, const rf_schema *schema, rf_notes *notes)
{
    double value;
    int32_t n_numbers = 0;
    for (int32_t i = 0; i < schema->n_fields; i++)
        n_numbers += rf_parse_f64(schema->fields[i].name, strlen(schema->fields[i].name), &value);
    if (n_numbers > schema->n_fields / 2)
        rf_note(notes,
                "most names in the header of %s are numbers; if it is a row, write a header above it, or "
                "say --no-header on the command line",
                file->name);
}

rf_code rfi_csv_read_names(rfi_csv_file *file, rf_schema *schema, rf_arena *arena, rf_notes *notes,
                           rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_csv_scratch scratch = {0};
    rf_buf text;
    rf_buf_init(&text);
    const bool no_header = schema->dialect.no_header;
    const size_t begin = file->header_begin;
    const char *data = file->data + begin;
    size_t end;
    RF_TRY(find_first(file, no_header, &end, err));
    RF_TRY(rfi_csv_scratch_index(&scratch, file, begin, end, NULL, err));
    size_t n = 0;
    while (n < scratch.n_ends && scratch.ends[n] < end - begin &&
           data[scratch.ends[n]] != file->syntax.newline)
        n++;
    n++;
    if (n > RF_COLUMNS_MAX)
        RF_TRY(rf_fail(err, RF_INPUT, "%s has %zu columns; at most %d can be used", file->name, n,
                       RF_COLUMNS_MAX));
    file->n_columns = schema->n_fields = (int32_t)n;
    schema->fields = RF_ARENA_ARRAY(arena, rf_field, n);
    RF_TRY(rf_arena_check(arena, "the names of the columns", err));
    for (size_t i = 0, from = 0; i < n; from = scratch.ends[i++] + 1) {
        if (no_header) {
            char name[LABEL_SUFFIX_MAX];
            snprintf(name, sizeof name, "column %zu", i + 1);
            schema->fields[i].name = rf_arena_string(arena, name, strlen(name));
        } else {
            RF_TRY(add_name(&schema->fields[i], file, data + from, scratch.ends[i] - from, i + 1 == n, arena,
                            &text, err));
        }
    }
    RF_TRY(rf_arena_check(arena, "the names of the columns", err));
    RF_TRY(rfi_labels_make(schema, arena, notes, err));
    if (!no_header)
        warn_of_numbers(file, schema, notes);
out:
    rfi_csv_scratch_free(&scratch);
    rf_buf_free(&text);
    return rc;
}
