/* csv_test.h - a table from a text, and what came of it, for the tests of the CSV reader and writer. */
#ifndef CSV_TEST_H
#define CSV_TEST_H

#include "core/buf.h"
#include "core/notes.h"
#include "engine/table/table.h"
#include "rf_test.h"

/* One reading. */
typedef struct csv_fixture {
    rf_table *table;
    rf_notes notes;
    rf_buf text;
} csv_fixture;

static inline int csv_set_up(void **state)
{
    static csv_fixture one;
    memset(&one, 0, sizeof one);
    rf_notes_init(&one.notes);
    rf_buf_init(&one.text);
    *state = &one;
    return 0;
}

static inline int csv_tear_down(void **state)
{
    csv_fixture *const f = *state;
    rf_table_free(f->table);
    rf_notes_free(&f->notes);
    rf_buf_free(&f->text);
    return 0;
}

static inline rf_code csv_read(csv_fixture *f, const char *csv, size_t size_bytes,
                               const rf_table_options *options, rf_error *err)
{
    /* a copy of exactly these bytes, so that reading past them is seen */
    char *bytes = malloc(size_bytes ? size_bytes : 1);
    if (size_bytes)
        memcpy(bytes, csv, size_bytes);
    rf_table_free(f->table);
    f->table = NULL;
    rf_notes_free(&f->notes);
    rf_notes_init(&f->notes);
    const rf_code rc = rf_table_read_bytes(&f->table, "t.csv", bytes, size_bytes, options, &f->notes, err);
    free(bytes);
    return rc;
}

static inline rf_code csv_read_text(csv_fixture *f, const char *csv, const rf_table_options *options,
                                    rf_error *err)
{
    return csv_read(f, csv, strlen(csv), options, err);
}

/* The table as text again. Lent by the fixture. */
static inline const char *csv_written(csv_fixture *f)
{
    rf_error err = {0};
    rf_buf_clear(&f->text);
    assert_ok(rf_table_format(f->table, &f->text, &err));
    return f->text.data;
}

static inline bool csv_noted(const csv_fixture *f, const char *part)
{
    for (int i = 0; i < f->notes.n; i++)
        if (strstr(f->notes.texts[i], part))
            return true;
    return false;
}

static inline void assert_csv_noted(const csv_fixture *f, const char *part)
{
    if (csv_noted(f, part))
        return;
    print_error("no note says \"%s\"; there are %d:\n", part, f->notes.n);
    for (int i = 0; i < f->notes.n; i++)
        print_error("  %s\n", f->notes.texts[i]);
    fail();
}

/* "integer categorical": the kinds in order. */
static inline void csv_kinds(const rf_table *table, rf_buf *out)
{
    rf_buf_clear(out);
    for (int32_t c = 0; c < table->schema.n_fields; c++)
        rf_buf_printf(out, "%s%s", c ? " " : "", rf_kind_name(table->schema.fields[c].kind));
}

static inline void csv_assert_same(const rf_table *a, const rf_table *b)
{
    assert_int_equal(a->n_rows, b->n_rows);
    assert_int_equal(a->schema.n_fields, b->schema.n_fields);
    for (int32_t c = 0; c < a->schema.n_fields; c++) {
        const rf_column *x = &a->columns[c], *y = &b->columns[c];
        assert_int_equal(a->schema.fields[c].kind, b->schema.fields[c].kind);
        assert_int_equal(a->schema.fields[c].decimals, b->schema.fields[c].decimals);
        assert_int_equal(x->n_missing, y->n_missing);
        if (x->values)
            assert_memory_equal(x->values, y->values, (size_t)a->n_rows * sizeof *x->values);
        if (!x->codes)
            continue;
        assert_memory_equal(x->codes, y->codes, (size_t)a->n_rows * sizeof *x->codes);
        assert_int_equal(x->dict.n, y->dict.n);
        assert_memory_equal(x->dict.offsets, y->dict.offsets,
                            ((size_t)x->dict.n + 1) * sizeof *x->dict.offsets);
        assert_memory_equal(x->dict.bytes, y->dict.bytes, (size_t)x->dict.offsets[x->dict.n]);
    }
}

#endif
