/* The bytes of a file, and the scratch in which some of them are looked at. */
#include "engine/table/csv_file.h"

#include <string.h>

#include "core/alloc.h"

void rfi_csv_file_free(rfi_csv_file *file)
{
    rf_free(file->blocks);
    *file = (rfi_csv_file){0};
}

void rfi_csv_release(const rfi_csv_file *file, size_t from, size_t to)
{
    if (file->bytes && from / RFI_CSV_KEEP_BYTES != to / RFI_CSV_KEEP_BYTES)
        rf_file_bytes_release(file->bytes, to);
}

/* ---- lines --------------------------------------------------------------------------------- */

int64_t rfi_csv_count_newlines(const rfi_csv_file *file, size_t begin, size_t end)
{
    int64_t n = 0;
    const char *at = file->data + begin, *stop = file->data + end;
    while (at < stop && (at = memchr(at, file->syntax.newline, (size_t)(stop - at)))) {
        n++;
        at++;
    }
    return n;
}

int64_t rfi_csv_line(const rfi_csv_file *file, size_t offset)
{
    return 1 + rfi_csv_count_newlines(file, 0, offset);
}

/* ---- scratch ------------------------------------------------------------------------------- */

static rf_code make_marks(rfi_csv_scratch *scratch, size_t words, const char *name, rf_error *err)
{
    rf_code rc = RF_OK;
    if (words <= scratch->words_capacity)
        return RF_OK;
    uint64_t *memory = NULL;
    const size_t capacity = words + words / 8; /* blocks are alike, but not quite */
    RF_TRY(RF_NEW_ARRAY(&memory, capacity * 3, name, err));
    rf_free(scratch->marks.separators);
    scratch->marks =
        (rfi_csv_marks){.separators = memory, .newlines = memory + capacity, .quotes = memory + 2 * capacity};
    scratch->words_capacity = capacity;
out:
    return rc;
}

rf_code rfi_csv_scratch_scan(rfi_csv_scratch *scratch, const rfi_csv_file *file, size_t begin, size_t end,
                             rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(make_marks(scratch, RFI_CSV_MARK_WORDS(end - begin), file->name, err));
    rfi_csv_scan(&scratch->marks, file->data + begin, end - begin, file->syntax.delimiter,
                 file->syntax.newline);
out:
    return rc;
}

rf_code rfi_csv_scratch_index(rfi_csv_scratch *scratch, const rfi_csv_file *file, size_t begin, size_t end,
                              rfi_csv_count *count, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_csv_scratch_scan(scratch, file, begin, end, err));
    void *ends = scratch->ends_memory;
    const size_t needed = (size_t)scratch->marks.n_separators + 2 + RFI_CSV_EXPAND_ROOM;
    rc = rf_grow_array(&ends, &scratch->ends_capacity, needed, sizeof(uint32_t), file->name, err);
    scratch->ends_memory = ends;
    RF_TRY(rc);
    scratch->ends = scratch->ends_memory + 1;
    scratch->ends[-1] = UINT32_MAX;
    scratch->n_ends = rfi_csv_index_cells(scratch->ends, &scratch->marks, file->data + begin, end - begin,
                                          &file->syntax, count);
out:
    return rc;
}

void rfi_csv_scratch_free(rfi_csv_scratch *scratch)
{
    rf_free(scratch->marks.separators);
    rf_free(scratch->ends_memory);
    *scratch = (rfi_csv_scratch){0};
}
