#include "engine/table/table.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/table_private.h"

const char *const rf_missing_default[] = {"",     "NA",   "N/A",  "n/a", "#N/A", "<NA>",
                                          "null", "NULL", "Null", "NaN", "nan",  "None"};
const int32_t rf_missing_default_n = sizeof rf_missing_default / sizeof *rf_missing_default;

/* ---- facts --------------------------------------------------------------------------------- */

bool rf_kind_is_coded(rf_kind kind)
{
    enum { VALUES = false, CODES = true };
    static const bool coded[] = {
#define KIND_CELLS(name, text, cells, summary) [RF_KIND_##name] = cells,
        RF_KIND_TABLE(KIND_CELLS)
#undef KIND_CELLS
    };
    return coded[kind];
}

const char *rf_dict_text(const rf_dict *dict, int32_t code, size_t *length)
{
    if (code < 0 || code >= dict->n) {
        *length = 0;
        return "";
    }
    *length = (size_t)(dict->offsets[code + 1] - dict->offsets[code]);
    return dict->bytes + dict->offsets[code];
}

int32_t rf_schema_find(const rf_schema *schema, const char *column)
{
    int32_t by_name = -1;
    bool alone = true;
    for (int32_t i = 0; i < schema->n_fields; i++) {
        if (strcmp(schema->fields[i].label, column) == 0)
            return i;
        if (strcmp(schema->fields[i].name, column) == 0) {
            alone = by_name < 0;
            by_name = i;
        }
    }
    return alone ? by_name : -1;
}

/* ---- memory -------------------------------------------------------------------------------- */

/* The blocks behind column c: its cells, and the two arrays of its dictionary. */
enum { OWNED_CELLS, OWNED_OFFSETS, OWNED_BYTES, OWNED_PER_COLUMN };

static void own(rf_table *table, int32_t column, int which, void *memory)
{
    void **place = &table->owned[(size_t)column * OWNED_PER_COLUMN + (size_t)which];
    if (*place != memory)
        rf_free(*place);
    *place = memory;
}

rf_code rfi_table_make_columns(rf_table *table, rf_error *err)
{
    const size_t n = (size_t)table->schema.n_fields;
    table->columns = RF_ARENA_ARRAY(&table->arena, rf_column, n ? n : 1);
    table->owned = RF_ARENA_ARRAY(&table->arena, void *, n ? n *OWNED_PER_COLUMN : 1);
    return rf_arena_check(&table->arena, "the columns of a table", err);
}

void rfi_table_take_values(rf_table *table, int32_t column, double *values)
{
    own(table, column, OWNED_CELLS, values);
    table->columns[column].values = values;
    table->columns[column].codes = NULL;
}

void rfi_table_take_codes(rf_table *table, int32_t column, int32_t *codes)
{
    own(table, column, OWNED_CELLS, codes);
    table->columns[column].codes = codes;
    table->columns[column].values = NULL;
}

void rfi_table_take_dict(rf_table *table, int32_t column, rf_dict dict)
{
    own(table, column, OWNED_OFFSETS, dict.offsets);
    own(table, column, OWNED_BYTES, dict.bytes);
    table->columns[column].dict = dict;
}

void rf_table_free(rf_table *table)
{
    if (!table)
        return;
    const size_t n_owned = table->owned ? (size_t)table->schema.n_fields * OWNED_PER_COLUMN : 0;
    for (size_t i = 0; i < n_owned; i++)
        rf_free(table->owned[i]);
    rf_arena_free(&table->arena);
    rf_free(table);
}

/* ---- making one ---------------------------------------------------------------------------- */

static rf_code copy_kept_fields(rf_table *table, const rf_schema *from, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_schema_copy(&table->schema, from, &table->arena, err));
    int32_t n = 0;
    for (int32_t i = 0; i < table->schema.n_fields; i++)
        if (table->schema.fields[i].kind != RF_KIND_IGNORED)
            table->schema.fields[n++] = table->schema.fields[i];
    table->schema.n_fields = n;
out:
    return rc;
}

static rf_code fill_column(rf_table *table, int32_t c, int64_t n_rows, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *label = table->schema.fields[c].label;
    if (!rf_kind_is_coded(table->schema.fields[c].kind)) {
        double *values = NULL;
        RF_TRY(RF_NEW_ARRAY(&values, n_rows, label, err));
        rfi_table_take_values(table, c, values);
        for (int64_t r = 0; r < n_rows; r++)
            values[r] = NAN;
    } else {
        int32_t *codes = NULL;
        RF_TRY(RF_NEW_ARRAY(&codes, n_rows, label, err));
        rfi_table_take_codes(table, c, codes);
        memset(codes, 0xFF, (size_t)n_rows * sizeof *codes);
        RF_TRY(rf_table_set_dict(table, c, &(rf_dict){0}, err));
    }
    table->columns[c].n_missing = n_rows;
out:
    return rc;
}

rf_code rf_table_create(rf_table **out, const rf_schema *schema, int64_t n_rows, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table *table = NULL;
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&table, 1, "a table", err));
    rf_arena_init(&table->arena);
    table->n_rows = n_rows;
    RF_TRY(copy_kept_fields(table, schema, err));
    RF_TRY(rfi_table_make_columns(table, err));
    for (int32_t c = 0; c < table->schema.n_fields; c++)
        RF_TRY(fill_column(table, c, n_rows, err));
    *out = table;
    table = NULL;
out:
    rf_table_free(table);
    return rc;
}

rf_code rf_table_set_dict(rf_table *table, int32_t index, const rf_dict *dict, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_dict copy = {.n = dict->n};
    const size_t n_bytes = dict->n ? (size_t)(dict->offsets[dict->n] - dict->offsets[0]) : 0;
    RF_TRY(RF_NEW_ARRAY(&copy.offsets, dict->n + 1, table->schema.fields[index].label, err));
    RF_TRY(RF_NEW_ARRAY(&copy.bytes, n_bytes, table->schema.fields[index].label, err));
    for (int32_t i = 0; i <= dict->n && dict->n; i++)
        copy.offsets[i] = dict->offsets[i] - dict->offsets[0];
    if (n_bytes)
        memcpy(copy.bytes, dict->bytes + dict->offsets[0], n_bytes);
    rfi_table_take_dict(table, index, copy);
    copy = (rf_dict){0};
out:
    rf_free(copy.offsets);
    rf_free(copy.bytes);
    return rc;
}

/* ---- formats ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    rfi_format format;
} formats[] = {
    /* clang-format off */
    {"csv", RFI_FORMAT_CSV},       {"data", RFI_FORMAT_CSV},    {"tsv", RFI_FORMAT_TSV},
    {"tab", RFI_FORMAT_TSV},       {"txt", RFI_FORMAT_TXT},     {"json", RFI_FORMAT_LATER},
    {"jsonl", RFI_FORMAT_LATER},   {"ndjson", RFI_FORMAT_LATER}, {"xlsx", RFI_FORMAT_LATER},
    {"xls", RFI_FORMAT_LATER},     {"parquet", RFI_FORMAT_LATER}, {"gz", RFI_FORMAT_PACKED},
    {"bz2", RFI_FORMAT_PACKED},    {"xz", RFI_FORMAT_PACKED},   {"zst", RFI_FORMAT_PACKED},
    {"zip", RFI_FORMAT_PACKED},
    /* clang-format on */
};

rfi_format rfi_format_find(const char *path, const char *format, const char **name)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const bool has_suffix = dot && dot > (slash ? slash + 1 : path);
    *name = format ? format : has_suffix ? dot + 1 : "";
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (rf_text_equal_nocase(*name, strlen(*name), formats[i].name))
            return formats[i].format;
    return format ? RFI_FORMAT_UNKNOWN : RFI_FORMAT_CSV; /* a file without a known suffix may be a table */
}

rf_code rf_table_format_check(const char *path, const char *format, bool writing, rf_error *err)
{
    const char *name;
    switch (rfi_format_find(path, format, &name)) {
    case RFI_FORMAT_LATER:
        if (writing)
            return rf_fail(err, RF_INPUT, "%s: %s files are not written by this version; use .csv or .tsv",
                           path, name);
        return rf_fail(err, RF_INPUT, "%s: %s files are not read by this version; save it as .csv or .tsv",
                       path, name);
    case RFI_FORMAT_PACKED: /* what is read is known by its first bytes */
        return writing ? rf_fail(err, RF_INPUT, "%s: compressed files are not written by this version", path)
                       : RF_OK;
    case RFI_FORMAT_UNKNOWN:
        return rf_fail(err, RF_USAGE, "there is no format \"%.40s\"; use csv or tsv", name);
    default:
        return RF_OK;
    }
}
