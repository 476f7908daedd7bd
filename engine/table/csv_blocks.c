#include "engine/table/csv_blocks.h"

#include <string.h>

#include "core/alloc.h"
#include "core/text.h"

/* ---- cutting ------------------------------------------------------------------------------- */

void rfi_csv_walk_open(rfi_csv_walk *walk, rfi_csv_file *file)
{
    *walk =
        (rfi_csv_walk){.file = file, .at = file->body_begin, .line = rfi_csv_line(file, file->body_begin)};
}

void rfi_csv_walk_close(rfi_csv_walk *walk)
{
    rfi_csv_scratch_free(&walk->scratch);
}

rf_code rfi_csv_walk_cut(rfi_csv_walk *walk, rfi_csv_piece *piece, rf_error *err)
{
    const rfi_csv_file *file = walk->file;
    const size_t begin = walk->at, left = file->body_end - begin;
    size_t end = file->body_end;
    if (left > RFI_CSV_BLOCK_BYTES) {
        const size_t least = begin + RFI_CSV_BLOCK_BYTES - 1, rest = file->body_end - least;
        const size_t most = rest < RFI_CSV_LINE_MAX ? rest : RFI_CSV_LINE_MAX;
        const char *found = memchr(file->data + least, file->syntax.newline, most);
        if (!found && most < rest)
            return rf_fail(err, RF_INPUT, "%s, line %lld: the line is longer than %d MiB; this is no table",
                           file->name, (long long)rfi_csv_line(file, least), RFI_CSV_LINE_MAX >> 20);
        if (found)
            end = (size_t)(found - file->data) + 1;
    }
    piece->begin = begin;
    piece->end = end;
    piece->block = SIZE_MAX;
    piece->is_block = false;
    walk->at = end;
    return RF_OK;
}

/* ---- looking ------------------------------------------------------------------------------- */

static rf_code refuse_byte(const rfi_csv_file *file, size_t offset, rf_error *err)
{
    const long long line = rfi_csv_line(file, offset), byte = (long long)offset + 1;
    if (file->data[offset] == 0)
        return rf_fail(
            err, RF_INPUT,
            "%s, line %lld: byte %lld of the file is 0; this is a binary file, not a table of text",
            file->name, line, byte);
    return rf_fail(
        err, RF_INPUT,
        "%s, line %lld: byte %lld of the file (0x%02X) is not UTF-8; save it as UTF-8 (the command line "
        "also reads Latin-1, with --latin1)",
        file->name, line, byte, (unsigned char)file->data[offset]);
}

static rf_code check_bytes(const rfi_csv_file *file, const rfi_csv_marks *marks, size_t begin, size_t end,
                           rf_error *err)
{
    if (marks->has_nul) {
        const char *zero = memchr(file->data + begin, 0, end - begin);
        return refuse_byte(file, (size_t)(zero - file->data), err);
    }
    if (marks->has_high && !file->syntax.latin1) {
        const int64_t bad = rf_utf8_find_invalid(file->data + begin, end - begin);
        if (bad >= 0)
            return refuse_byte(file, begin + (size_t)bad, err);
    }
    return RF_OK;
}

rf_code rfi_csv_piece_look(rfi_csv_piece *piece, const rfi_csv_file *file, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_csv_scratch_index(&piece->scratch, file, piece->begin, piece->end, &piece->count, err));
    RF_TRY(check_bytes(file, &piece->scratch.marks, piece->begin, piece->end, err));
out:
    return rc;
}

void rfi_csv_piece_free(rfi_csv_piece *piece)
{
    rfi_csv_scratch_free(&piece->scratch);
}

rf_code rfi_csv_check_header(const rfi_csv_file *file, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_csv_scratch scratch = {0};
    RF_TRY(rfi_csv_scratch_scan(&scratch, file, file->header_begin, file->body_begin, err));
    RF_TRY(check_bytes(file, &scratch.marks, file->header_begin, file->body_begin, err));
out:
    rfi_csv_scratch_free(&scratch);
    return rc;
}

/* ---- joining ------------------------------------------------------------------------------- */

static rf_code refuse_open(const rfi_csv_walk *walk, bool too_long, rf_error *err)
{
    const rfi_csv_file *file = walk->file;
    const long long line = rfi_csv_line(file, walk->opened_at);
    if (too_long)
        return rf_fail(
            err, RF_INPUT,
            "%s, line %lld: a quote opens a cell of more than %d MiB; is the closing quote missing?",
            file->name, line, RFI_CSV_LINE_MAX >> 20);
    return rf_fail(err, RF_INPUT, "%s, line %lld: a quote opens a cell and is never closed", file->name,
                   line);
}

static rf_code add_block(rfi_csv_file *file, rfi_csv_block block, rf_error *err)
{
    void *blocks = file->blocks;
    const rf_code rc =
        rf_grow_array(&blocks, &file->blocks_capacity, file->n_blocks + 1, sizeof block, file->name, err);
    file->blocks = blocks;
    if (rc == RF_OK) {
        file->blocks[file->n_blocks++] = block;
        file->n_rows += block.n_rows;
    }
    return rc;
}

/* The records of a piece, which begins where the walk has come to. */
static rf_code count_piece(rfi_csv_walk *walk, const rfi_csv_piece *piece, rfi_csv_count *count,
                           rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_csv_file *file = walk->file;
    *count = piece->count;
    if (walk->inside) {
        RF_TRY(rfi_csv_scratch_scan(&walk->scratch, file, piece->begin, piece->end, err));
        rfi_csv_count_records(count, &walk->scratch.marks, file->data + piece->begin,
                              piece->end - piece->begin, &file->syntax, true);
    }
    /* the last line has no end: empty lines there were left out */
    count->n_ends += piece->end == file->body_end && !count->open;
out:
    return rc;
}

static rf_code check_open(const rfi_csv_walk *walk, const rfi_csv_piece *piece, rf_error *err)
{
    if (!walk->inside)
        return RF_OK;
    if (piece->end - walk->opened_at > RFI_CSV_LINE_MAX)
        return refuse_open(walk, true, err);
    if (piece->end == walk->file->body_end)
        return refuse_open(walk, false, err);
    return RF_OK;
}

rf_code rfi_csv_walk_join(rfi_csv_walk *walk, rfi_csv_piece *piece, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_csv_file *file = walk->file;
    rfi_csv_count count;
    RF_TRY(count_piece(walk, piece, &count, err));
    size_t begin = piece->begin;
    int64_t n_rows = count.n_ends + count.open;
    if (walk->inside) {
        begin += count.n_ends ? count.first_end : piece->end - piece->begin;
        n_rows--; /* the first end is that of a record which began earlier */
        file->blocks[file->n_blocks - 1].end = begin;
    }
    if (n_rows > 0) {
        const rfi_csv_block block = {.begin = begin,
                                     .end = piece->end,
                                     .first_row = walk->row,
                                     .n_rows = n_rows,
                                     .first_line =
                                         walk->line + rfi_csv_count_newlines(file, piece->begin, begin)};
        RF_TRY(add_block(file, block, err));
        piece->block = file->n_blocks - 1;
        piece->is_block = !walk->inside && !count.open;
        walk->row += n_rows;
    }
    if (count.open && !(walk->inside && count.opened_at == 0))
        walk->opened_at = piece->begin + count.opened_at;
    walk->inside = count.open;
    walk->line += piece->scratch.marks.n_newlines;
    RF_TRY(check_open(walk, piece, err));
out:
    return rc;
}

size_t rfi_csv_walk_ready(const rfi_csv_walk *walk)
{
    return walk->file->n_blocks - walk->inside;
}
