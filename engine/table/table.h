/* table.h - a table in memory: columns over an arena, and the schema that says what they are.
 *
 *     rf_table *table = NULL;
 *     rf_table_options options = {0};
 *     RF_TRY(rf_table_read(&table, "people.csv", &options, notes, err));
 *     const rf_column *age = &table->columns[0];      // age->values[row], NaN = missing
 *     rf_table_free(table);
 *
 * The schema (names, kinds, formats, dialect) holds no row and goes into the model file; the columns
 * hold the cells. Numbers and datetimes are doubles; booleans, categories, ids and ignored columns are
 * codes into a dictionary of the texts as they stood in the file, in order of first appearance.
 *
 * Datetimes are seconds since 1970-01-01 00:00:00 UTC as a double: microseconds survive until the year
 * 2200. Whole numbers are exact to 2^53; a column with a larger one is text (id or categorical), so
 * that no digit is ever lost.
 *
 * Threads: a table that nobody changes may be read from any thread.
 */
#ifndef RF_ENGINE_TABLE_TABLE_H
#define RF_ENGINE_TABLE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/notes.h"
#include "core/pool.h"
#include "domain/kind.h"

enum { RF_COLUMNS_MAX = 10000 };

/* How the file wrote its rows; kept so that the result reads like the original. */
typedef struct rf_dialect {
    char delimiter;     /* ',' ';' '\t' '|'                            */
    char decimal_point; /* '.' or ','                                  */
    bool crlf;          /* line ends                                   */
    bool bom;
    bool no_header;
} rf_dialect;

/* One column's identity. Strings live in the schema's arena. */
typedef struct rf_field {
    const char *name;  /* as in the header, may be empty or repeated                                   */
    const char *label; /* unique, for options and reports: the name, "column 3" when it is empty,
                          "name.2", "name.3" for repeats                                               */
    rf_kind kind;
    int32_t decimals;      /* digits after the point that every value fits (0..17); -1: shortest form  */
    int32_t min_decimals;  /* digits always written ("67.0": 1)                                        */
    const char *datetime_format; /* strftime form, see datetime.h; NULL unless datetime                */
    int32_t utc_offset_s;        /* of the texts, when the format has a zone                           */
    const char *missing_text;    /* how this column wrote a missing cell most often                    */
    const char *regex;           /* ids: regex_format of the metadata, or NULL                         */
    bool primary_key;
    bool declared;               /* kind given by --type or metadata, not inferred                     */
    bool quoted;                 /* every present cell of this column stood in quotes                  */
} rf_field;

typedef struct rf_schema {
    int32_t n_fields;
    rf_field *fields;
    rf_dialect dialect;
} rf_schema;

/* The distinct texts of a column, by code. */
typedef struct rf_dict {
    int32_t n;
    int64_t *offsets; /* n + 1, into bytes */
    char *bytes;
} rf_dict;

typedef struct rf_column {
    double *values; /* (n_rows) kinds held as VALUES, NaN = missing; else NULL */
    int32_t *codes; /* (n_rows) kinds held as CODES, -1 = missing; else NULL   */
    rf_dict dict;   /* of a coded column                                       */
    int64_t n_missing;
    int64_t n_misfit; /* of them, cells that had a text which does not fit the kind (rf_table_read_like) */
} rf_column;

typedef struct rf_table {
    rf_arena arena; /* owns the schema and whatever the maker of the table puts there */
    rf_schema schema;
    rf_column *columns; /* (schema.n_fields) */
    int64_t n_rows;
    void **owned; /* the arrays of the columns, which die with the table; of table.c */
} rf_table;

bool rf_kind_is_coded(rf_kind kind);
const char *rf_dict_text(const rf_dict *dict, int32_t code, size_t *length); /* lent by the dict */

/* ------------------------------------------------------------------ reading */

typedef struct rf_type_override {
    const char *column; /* label, or name when only one column has it */
    rf_kind kind;
    const char *datetime_format; /* or NULL: found from the cells  */
    const char *regex;           /* or NULL                        */
    bool primary_key;
} rf_type_override;

typedef struct rf_table_options {
    const char *format;             /* NULL: by suffix (.csv, .tsv, .txt; "-" is CSV)           */
    char delimiter;                 /* 0: sniffed among , ; tab |                               */
    bool no_header;
    bool latin1;                    /* bytes are ISO 8859-1, not UTF-8                          */
    const char *const *missing;     /* NULL: RF_MISSING_DEFAULT; the empty cell always is       */
    int32_t n_missing;
    const rf_type_override *types;
    int32_t n_types;
    const char *metadata_path;      /* SDV's JSON form, or NULL; types win over it              */
    rf_pool *pool;                  /* or NULL                                                  */
    bool allow_one_row;             /* synthetic tables may be short; training ones may not     */
} rf_table_options;

/* Empty cells, NA, N/A, n/a, #N/A, <NA>, null, NULL, Null, NaN, nan, None, unquoted or quoted. */
extern const char *const rf_missing_default[];
extern const int32_t rf_missing_default_n;

/* Reads, types and keeps a table. Errors name file, line and column: NOT_FOUND for a missing file,
 * INPUT for what is wrong with its content and for the formats of other issues of rowforge (json,
 * jsonl, xlsx, parquet: "not read by this version"), USAGE for an override of a column that is not
 * there. Warnings go to notes (may be NULL). */
rf_code rf_table_read(rf_table **out, const char *path, const rf_table_options *options, rf_notes *notes,
                      rf_error *err) RF_MUST_CHECK;

/* The same from bytes in memory; `name` stands for the path in messages. The bytes are not kept. */
rf_code rf_table_read_bytes(rf_table **out, const char *name, const char *data, size_t size_bytes,
                            const rf_table_options *options, rf_notes *notes, rf_error *err) RF_MUST_CHECK;

void rf_table_free(rf_table *table);

/* The field with that label, or with that name when it is the only one; -1 when there is none. */
int32_t rf_schema_find(const rf_schema *schema, const char *column);

/* Reads a second table with the first one's kinds and formats (evaluate: the synthetic file), matching
 * columns by name. A cell that does not fit its kind is a note and becomes missing for VALUES kinds. */
rf_code rf_table_read_like(rf_table **out, const char *path, const rf_schema *schema,
                           const rf_table_options *options, rf_notes *notes, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ making one */

/* An empty table of n_rows with a deep copy of `schema` (ignored columns left out), its columns
 * allocated (values NaN, codes -1, dicts empty). The caller fills it; dictionaries via rf_table_set_dict. */
rf_code rf_table_create(rf_table **out, const rf_schema *schema, int64_t n_rows, rf_error *err) RF_MUST_CHECK;

/* Copies texts into the table's arena as the dictionary of column `index`. */
rf_code rf_table_set_dict(rf_table *table, int32_t index, const rf_dict *dict, rf_error *err) RF_MUST_CHECK;

/* Deep copies of a schema into an arena, its binary form (model file), and its bounded, checked reading. */
rf_code rf_schema_copy(rf_schema *out, const rf_schema *from, rf_arena *arena, rf_error *err) RF_MUST_CHECK;
void rf_schema_store(const rf_schema *schema, rf_buf *out);
rf_code rf_schema_load(rf_schema *out, rf_arena *arena, rf_reader *reader, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ writing */

typedef struct rf_table_writer rf_table_writer;

typedef struct rf_write_options {
    const char *format; /* NULL: by suffix; .tsv and .txt write tabs, .csv the schema's own delimiter */
    rf_pool *pool;      /* or NULL: blocks of rows are formatted side by side                        */
} rf_write_options;

/* Opens the file (temporary until the commit, "-" is standard output) and writes the header. */
rf_code rf_table_writer_open(rf_table_writer **out, const char *path, const rf_schema *schema,
                             const rf_write_options *options, rf_error *err) RF_MUST_CHECK;
/* Appends all rows of `rows`, whose schema is the one the writer was opened with. */
rf_code rf_table_writer_append(rf_table_writer *writer, const rf_table *rows, rf_error *err) RF_MUST_CHECK;
rf_code rf_table_writer_commit(rf_table_writer *writer, rf_error *err) RF_MUST_CHECK;
void rf_table_writer_close(rf_table_writer *writer); /* without a commit nothing stays behind */

/* INPUT with a sentence when `path` has a suffix that this version cannot write, else OK. Ask before
 * long work. */
rf_code rf_table_format_check(const char *path, const char *format, bool writing, rf_error *err) RF_MUST_CHECK;

/* All of a table as CSV text in memory (tests, and `append` without a file). */
rf_code rf_table_format(const rf_table *table, rf_buf *out, rf_error *err) RF_MUST_CHECK;

#endif
