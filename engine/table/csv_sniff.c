/* What kind of file is this? Only its first records are looked at. */
#include <string.h>

#include "core/text.h"
#include "engine/table/csv_file.h"

enum { SAMPLE_BYTES = 64 << 10, SAMPLE_RECORDS = 100 };

static const char candidates[] = {',', ';', '\t', '|'};

/* ---- what is no table at all --------------------------------------------------------------- */

typedef struct magic {
    const char *bytes;
    size_t length;
    const char *message;
} magic;

/* A file that was not meant for us says so in its first bytes. */
static const magic foreign[] = {
    {"\x1F\x8B", 2, "%s is compressed with gzip; unpack it first (gunzip)"},
    {"BZh", 3, "%s is compressed with bzip2; unpack it first (bunzip2)"},
    {"\xFD"
     "7zXZ",
     5, "%s is compressed with xz; unpack it first (unxz)"},
    {"\x28\xB5\x2F\xFD", 4, "%s is compressed with zstd; unpack it first (unzstd)"},
    {"PK\x03\x04", 4,
     "%s is a zip archive or a spreadsheet, which this version does not read; save it as CSV"},
    {"PAR1", 4, "%s is a Parquet file, which this version does not read; save it as CSV"},
    {"\xFF\xFE", 2, "%s is UTF-16; save it as UTF-8"},
    {"\xFE\xFF", 2, "%s is UTF-16; save it as UTF-8"},
};

static rf_code refuse_foreign(const rfi_csv_file *file, rf_error *err)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (file->size_bytes >= foreign[i].length &&
            memcmp(file->data, foreign[i].bytes, foreign[i].length) == 0) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            return rf_fail(err, RF_INPUT, foreign[i].message, file->name);
#pragma GCC diagnostic pop
        }
    const size_t sample = file->size_bytes < SAMPLE_BYTES ? file->size_bytes : SAMPLE_BYTES;
    if (memchr(file->data, 0, sample))
        return rf_fail(err, RF_INPUT, "%s is a binary file (it has bytes that are 0), not a table of text",
                       file->name);
    return RF_OK;
}

/* ---- line ends ----------------------------------------------------------------------------- */

static bool is_line_byte(char c)
{
    return c == '\n' || c == '\r';
}

/* The part that is looked at: at least the first line, however long. */
static size_t sample_end(const rfi_csv_file *file)
{
    const size_t left = file->size_bytes - file->header_begin;
    size_t sample = left < SAMPLE_BYTES ? left : SAMPLE_BYTES;
    const char *begin = file->data + file->header_begin;
    if (sample < left && !memchr(begin, '\n', sample)) {
        const size_t most = left < RFI_CSV_LINE_MAX ? left : RFI_CSV_LINE_MAX;
        const char *line_end = memchr(begin, '\n', most);
        sample = line_end ? (size_t)(line_end - begin) + 1 : most;
    }
    return file->header_begin + sample;
}

static void find_newline(rfi_csv_file *file, rf_dialect *dialect, size_t end)
{
    bool inside = false, seen_return = false;
    file->syntax.newline = '\n';
    for (size_t at = file->header_begin; at < end; at++) {
        const char c = file->data[at];
        if (c == '"')
            inside = !inside;
        if (inside)
            continue;
        if (c == '\n') {
            dialect->crlf = at > file->header_begin && file->data[at - 1] == '\r';
            return;
        }
        seen_return |= c == '\r';
    }
    if (seen_return)
        file->syntax.newline = '\r';
}

/* ---- delimiter ----------------------------------------------------------------------------- */

/* Cells of the record at *at, which moves behind it; 0 when the sample ends before the record does,
 * unless the sample ends the file. */
static int64_t count_cells(const rfi_csv_file *file, size_t *at, size_t end, char delimiter)
{
    const char *data = file->data;
    bool inside = false;
    int64_t cells = 1;
    size_t cell_begin = *at, i = *at;
    for (; i < end; i++) {
        const char c = data[i];
        if (c == '"' && (inside || i == cell_begin || data[i - 1] == '"')) {
            inside = !inside;
        } else if (!inside && c == delimiter) {
            cells++;
            cell_begin = i + 1;
        } else if (!inside && c == file->syntax.newline) {
            *at = i + 1;
            return cells;
        }
    }
    *at = i;
    return i == file->size_bytes && !inside ? cells : 0;
}

typedef struct guess {
    int64_t cells;   /* of the first record         */
    int64_t n_alike; /* records with as many cells  */
} guess;

static guess try_delimiter(const rfi_csv_file *file, size_t end, char delimiter)
{
    size_t at = file->header_begin;
    guess found = {.cells = count_cells(file, &at, end, delimiter), .n_alike = 1};
    for (int record = 1; record < SAMPLE_RECORDS && at < end; record++)
        found.n_alike += count_cells(file, &at, end, delimiter) == found.cells;
    return found;
}

/* The delimiter that gives most records as many cells as the first; then the one that gives more. */
static char find_delimiter(const rfi_csv_file *file, size_t end)
{
    char best = ',';
    guess best_guess = {0};
    for (size_t i = 0; i < sizeof candidates; i++) {
        const guess tried = try_delimiter(file, end, candidates[i]);
        if (tried.cells > 1 && (tried.n_alike > best_guess.n_alike ||
                                (tried.n_alike == best_guess.n_alike && tried.cells > best_guess.cells))) {
            best = candidates[i];
            best_guess = tried;
        }
    }
    return best;
}

/* Excel's own line before the header, "sep=;", names the delimiter and is no row. 0 without one. */
static char take_sep_line(rfi_csv_file *file)
{
    static const char word[] = "sep=";
    const char *line = file->data + file->header_begin;
    const size_t left = file->size_bytes - file->header_begin;
    size_t n = sizeof word; /* with the delimiter */
    if (left <= n || !rf_text_equal_nocase(line, sizeof word - 1, word) ||
        !memchr(candidates, line[n - 1], sizeof candidates))
        return 0;
    n += line[n] == '\r' && n + 1 < left && line[n + 1] == '\n';
    if (!is_line_byte(line[n]))
        return 0;
    file->header_begin += n + 1;
    return line[sizeof word - 1];
}

/* ---- the parts of the file ----------------------------------------------------------------- */

static rf_code find_body(rfi_csv_file *file, bool no_header, rf_error *err)
{
    file->body_begin = file->header_begin;
    if (no_header)
        return RF_OK;
    const size_t left = file->body_end - file->header_begin;
    const size_t end = file->header_begin + (left < RFI_CSV_LINE_MAX ? left : RFI_CSV_LINE_MAX);
    bool inside = false;
    for (size_t at = file->header_begin; at < end; at++) {
        const char c = file->data[at];
        const bool begins = at == file->header_begin || file->data[at - 1] == file->syntax.delimiter;
        if (c == '"' && (inside || begins || file->data[at - 1] == '"'))
            inside = !inside;
        if (!inside && c == file->syntax.newline) {
            file->body_begin = at + 1;
            return RF_OK;
        }
    }
    const int64_t line = rfi_csv_line(file, file->header_begin);
    if (end < file->body_end)
        return rf_fail(err, RF_INPUT, "%s, line %lld: the header is longer than %d MiB; this is no table",
                       file->name, (long long)line, RFI_CSV_LINE_MAX >> 20);
    if (inside)
        return rf_fail(err, RF_INPUT, "%s, line %lld: a quote opens in the header and is never closed",
                       file->name, (long long)line);
    file->body_begin = file->body_end;
    return RF_OK;
}

static void skip_empty_lines(rfi_csv_file *file)
{
    while (file->header_begin < file->size_bytes && is_line_byte(file->data[file->header_begin]))
        file->header_begin++;
}

rf_code rfi_csv_sniff(rfi_csv_file *file, rf_dialect *dialect, const rf_table_options *options,
                      char delimiter, rf_error *err)
{
    rf_code rc = RF_OK;
    *dialect = (rf_dialect){.decimal_point = '.', .no_header = options->no_header};
    RF_TRY(refuse_foreign(file, err));
    dialect->bom = file->size_bytes >= 3 && memcmp(file->data, "\xEF\xBB\xBF", 3) == 0;
    file->header_begin = dialect->bom ? 3 : 0;
    skip_empty_lines(file);
    const char named = take_sep_line(file);
    skip_empty_lines(file);
    file->body_end = file->size_bytes;
    while (file->body_end > file->header_begin && is_line_byte(file->data[file->body_end - 1]))
        file->body_end--;
    if (file->header_begin == file->body_end)
        RF_TRY(rf_fail(err, RF_INPUT, "%s is empty", file->name));
    const size_t end = sample_end(file);
    find_newline(file, dialect, end);
    file->syntax.latin1 = options->latin1;
    if (named && !options->delimiter) /* it knows better than the name of the file */
        delimiter = named;
    file->syntax.delimiter = delimiter ? delimiter : find_delimiter(file, end);
    dialect->delimiter = file->syntax.delimiter;
    RF_TRY(find_body(file, options->no_header, err));
out:
    return rc;
}
