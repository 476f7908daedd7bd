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
    char decimal_point; /* '.'; ',' only where the delimiter is another */
    bool crlf;          /* line ends (a lone '\r' is read, not written) */
    bool bom;
    bool no_header;
} rf_dialect;

/* One column's identity. Strings live in the schema's arena. */
typedef struct rf_field {
    const char *name;  /* as in the header, may be empty or repeated                                   */
    const char *label; /* unique, for options and reports: the name, "column 3" when it is empty,
                          "name.2", "name.3" for repeats                                               */
    rf_kind kind;
    int32_t decimals;     /* digits after the point that every value fits (0..17), final zeros not
                              counted, so 0 for whole numbers; -1: shortest form; -1 - n: the same
                              of the value rounded to n digits (1..16), as numbers with an exponent had */
    int32_t min_decimals; /* digits always written ("67.0": 1); may be more than decimals             */
    const char *datetime_format; /* strftime form, see datetime.h; NULL unless datetime                */
    int32_t utc_offset_s;        /* of the first text, when the format has a zone                      */
    const char *missing_text;    /* how this column wrote a missing cell most often; "" without any    */
    const char *regex;           /* ids: regex_format of the metadata, or NULL                         */
    bool primary_key;
    bool declared; /* kind given by --type or metadata, not inferred                     */
    bool quoted;   /* every present cell of this column stood in quotes                  */
} rf_field;

typedef struct rf_schema {
    int32_t n_fields;
    rf_field *fields;
    rf_dialect dialect;
} rf_schema;

/* The distinct texts of a column, by code: text i is bytes[offsets[i], offsets[i + 1]), not
 * NUL-terminated, UTF-8, without the quotes of the file. In a column read from a file each has a cell. */
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

/* Made by rf_table_read… or rf_table_create, freed by rf_table_free. */
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
    const char *format; /* NULL: by suffix (.csv, .tsv, .txt; "-" is CSV)           */
    char delimiter;     /* 0: sniffed among , ; tab |                               */
    bool no_header;
    bool latin1;                /* bytes are ISO 8859-1, not UTF-8                          */
    const char *const *missing; /* NULL: rf_missing_default; the empty cell always is       */
    int32_t n_missing;
    const rf_type_override *types;
    int32_t n_types;
    const char *metadata_path; /* SDV's JSON form, or NULL; types win over it              */
    rf_pool *pool;             /* or NULL                                                  */
    bool allow_one_row;        /* synthetic tables may be short; training ones may not     */
} rf_table_options;

/* Empty cells, NA, N/A, n/a, #N/A, <NA>, null, NULL, Null, NaN, nan, None; blanks around them do not
 * matter. In quotes the empty cell is missing everywhere, and the others are in a column of numbers or
 * datetimes; in a column of texts a quoted "NA" is a text, as R writes it, unless the file quotes every
 * cell and so says nothing by it. */
extern const char *const rf_missing_default[];
extern const int32_t rf_missing_default_n;

/* Reads, types and keeps a table. The kinds follow the rules in csv_settle.h. Errors name file, line and
 * column: NOT_FOUND for a missing file, INPUT for what is wrong with its content and for the formats of
 * later versions (json, jsonl, xlsx, parquet), USAGE for an override of a column that is not there.
 * Warnings go to notes (may be NULL): repeated and empty names, columns that became text because of a few
 * cells, dates that leave day and month open.
 *
 * The file is read in blocks, once but for columns that turn out to be of another kind than their first rows said, and
 * what was read is given back to the system: beside the columns themselves little memory is needed, whatever the size of the file (a pipe is kept whole). With a
 * pool blocks are read side by side; the table is the same for any pool and any processor.
 *
 * A line or a quoted cell of more than 64 MiB is refused, and so is a row with another number of cells
 * than the header. Empty lines at the end are left out; elsewhere, in a table of one column, an empty line
 * is a missing cell. */
rf_code rf_table_read(rf_table **out, const char *path, const rf_table_options *options, rf_notes *notes,
                      rf_error *err) RF_MUST_CHECK;

/* The same from bytes in memory; `name` stands for the path in messages. The bytes are not kept. */
rf_code rf_table_read_bytes(rf_table **out, const char *name, const char *data, size_t size_bytes,
                            const rf_table_options *options, rf_notes *notes, rf_error *err) RF_MUST_CHECK;

void rf_table_free(rf_table *table);

/* The field with that label, or with that name when it is the only one; -1 when there is none. */
int32_t rf_schema_find(const rf_schema *schema, const char *column);

/* Reads a second table with the first one's kinds and formats (evaluate: the synthetic file), matching
 * columns by name: its fields stand in its own file's order, and those that `schema` does not have are
 * inferred. A cell that does not fit its kind is a note and becomes missing for VALUES kinds (counted in
 * n_misfit). */
rf_code rf_table_read_like(rf_table **out, const char *path, const rf_schema *schema,
                           const rf_table_options *options, rf_notes *notes, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ making one */

/* An empty table of n_rows with a deep copy of `schema` (ignored columns left out), its columns
 * allocated (values NaN, codes -1, dicts empty). The caller fills it; dictionaries via rf_table_set_dict. */
rf_code rf_table_create(rf_table **out, const rf_schema *schema, int64_t n_rows, rf_error *err) RF_MUST_CHECK;

/* Copies texts into the table as the dictionary of column `index`, instead of what it had. */
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

/* Opens the file (temporary until the commit, "-" is standard output) and writes the header. Cells are
 * quoted where they must be: for the delimiter, quotes and line ends in them, for texts that would be read
 * as missing, and in columns whose every cell was quoted. Ignored columns are left out. */
rf_code rf_table_writer_open(rf_table_writer **out, const char *path, const rf_schema *schema,
                             const rf_write_options *options, rf_error *err) RF_MUST_CHECK;
/* The same bytes handed to `sink` instead of a file, first the header (which may be empty), then blocks of whole rows, in
 * order. Nothing need be committed. */
typedef rf_code (*rf_text_fn)(void *arg, const void *data, size_t size_bytes, rf_error *err);
rf_code rf_table_writer_open_to(rf_table_writer **out, rf_text_fn sink, void *arg, const rf_schema *schema,
                                const rf_write_options *options, rf_error *err) RF_MUST_CHECK;
/* Appends all rows of `rows`, whose schema is the one the writer was opened with, with or without its
 * ignored columns. */
rf_code rf_table_writer_append(rf_table_writer *writer, const rf_table *rows, rf_error *err) RF_MUST_CHECK;
rf_code rf_table_writer_commit(rf_table_writer *writer, rf_error *err) RF_MUST_CHECK;
void rf_table_writer_close(rf_table_writer *writer); /* without a commit nothing stays behind */

/* INPUT with a sentence when `path` has a suffix of a later version, USAGE for a format that does not
 * exist, else OK: an unknown suffix is CSV. Ask before long work. */
rf_code rf_table_format_check(const char *path, const char *format, bool writing,
                              rf_error *err) RF_MUST_CHECK;

/* All of a table as CSV text in memory (tests, and `append` without a file). */
rf_code rf_table_format(const rf_table *table, rf_buf *out, rf_error *err) RF_MUST_CHECK;

#endif
