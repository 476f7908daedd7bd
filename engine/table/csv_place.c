/* Where a cell stands, for the people who must find it again. */
#include <string.h>

#include "engine/table/csv_file.h"

void rfi_shown(char out[RFI_CELL_SHOWN], const char *text, size_t length)
{
    enum { ROOM = RFI_CELL_SHOWN - 4 };
    size_t n = length <= ROOM ? length : ROOM;
    while (n < length && n > ROOM - 4 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--; /* never half a character */
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7F ? ' ' : text[i];
    memcpy(out + n, "...", 4);
    if (n == length)
        out[n] = 0;
}

static const rfi_csv_block *find_block(const rfi_csv_file *file, int64_t row)
{
    size_t low = 0, high = file->n_blocks;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (file->blocks[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return &file->blocks[low];
}

static void show_cell(rfi_csv_place *place, const rfi_csv_file *file, const char *raw, size_t length,
                      bool last)
{
    rfi_csv_cell cell;
    rf_buf scratch;
    rf_buf_init(&scratch);
    if (rfi_csv_decode(&cell, raw, length, last, &file->syntax, &scratch) && !scratch.failed)
        rfi_shown(place->shown, cell.text, cell.length);
    else
        rfi_shown(place->shown, raw, length);
    rf_buf_free(&scratch);
}

rfi_csv_place rfi_csv_locate(const rfi_csv_file *file, int64_t row, int32_t column)
{
    rfi_csv_place place = {0};
    rfi_csv_scratch scratch = {0};
    const rfi_csv_block *block = file->n_blocks ? find_block(file, row) : NULL;
    if (!block || rfi_csv_scratch_index(&scratch, file, block->begin, block->end, NULL, NULL) != RF_OK)
        goto out;
    const char *data = file->data + block->begin;
    const size_t size = block->end - block->begin;
    int64_t at_row = block->first_row;
    int32_t at_column = 0;
    size_t record = 0, begin = 0; /* offsets in the block */
    for (size_t i = 0; i < scratch.n_ends; i++) {
        const size_t end = scratch.ends[i];
        const bool last = end == size || data[end] == file->syntax.newline;
        if (at_row == row && (at_column == column || last)) {
            place.line = block->first_line;
            for (size_t byte = 0; byte < record; byte++)
                place.line += data[byte] == file->syntax.newline;
            if (at_column == column)
                show_cell(&place, file, data + begin, end - begin, last);
            break;
        }
        begin = end + 1;
        at_column++;
        if (last) {
            at_row++;
            at_column = 0;
            record = begin;
        }
    }
out:
    rfi_csv_scratch_free(&scratch);
    return place;
}
