/* The first look at every byte.
 *
 * A block begins after a line end. Whether that line end stands inside a quoted cell is not known before
 * all earlier blocks are read, so each block is first counted as if it began outside; nearly always it
 * does. Where it did not (a quoted cell with line ends lies across two blocks), the block is counted
 * again when its turn comes. So blocks may be counted side by side and the answer is always the exact one.
 */
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/csv_file.h"

/* ---- scratch ------------------------------------------------------------------------------- */

rf_code rfi_csv_scratch_scan(rfi_csv_scratch *scratch, const rfi_csv_file *file, size_t begin, size_t end,
                             rf_error *err)
{
    rf_code rc = RF_OK;
    const size_t words = RFI_CSV_MARK_WORDS(end - begin);
    void *separators = scratch->marks.separators, *quotes = scratch->marks.quotes;
    rc = rf_grow_array(&separators, &scratch->words_capacity[0], words, sizeof(uint64_t), file->name, err);
    scratch->marks.separators = separators;
    RF_TRY(rc);
    rc = rf_grow_array(&quotes, &scratch->words_capacity[1], words, sizeof(uint64_t), file->name, err);
    scratch->marks.quotes = quotes;
    RF_TRY(rc);
    rfi_csv_scan(&scratch->marks, file->data + begin, end - begin, file->syntax.delimiter,
                 file->syntax.newline);
out:
    return rc;
}

rf_code rfi_csv_scratch_index(rfi_csv_scratch *scratch, const rfi_csv_file *file, size_t begin, size_t end,
                              rf_error *err)
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
    scratch->n_ends =
        rfi_csv_index_cells(scratch->ends, &scratch->marks, file->data + begin, end - begin, &file->syntax);
out:
    return rc;
}

void rfi_csv_scratch_free(rfi_csv_scratch *scratch)
{
    rf_free(scratch->marks.separators);
    rf_free(scratch->marks.quotes);
    rf_free(scratch->ends_memory);
    *scratch = (rfi_csv_scratch){0};
}

/* ---- lines --------------------------------------------------------------------------------- */

static int64_t count_newlines(const rfi_csv_file *file, size_t begin, size_t end)
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
    return 1 + count_newlines(file, 0, offset);
}

/* ---- cutting ------------------------------------------------------------------------------- */

/* One piece of the file between two line ends, and what was seen in it. */
typedef struct piece {
    size_t begin, end;
    rfi_csv_count count; /* as if it began outside quotes */
    int64_t n_newlines;
    bool has_quote;
} piece;

typedef struct cutter {
    piece *pieces;
    size_t n, capacity;
} cutter;

static rf_code add_piece(cutter *cut, size_t begin, size_t end, const rfi_csv_file *file, rf_error *err)
{
    void *pieces = cut->pieces;
    const rf_code rc =
        rf_grow_array(&pieces, &cut->capacity, cut->n + 1, sizeof *cut->pieces, file->name, err);
    cut->pieces = pieces;
    if (rc == RF_OK)
        cut->pieces[cut->n++] = (piece){.begin = begin, .end = end};
    return rc;
}

static rf_code cut_pieces(cutter *cut, const rfi_csv_file *file, rf_error *err)
{
    rf_code rc = RF_OK;
    for (size_t begin = file->body_begin; begin < file->body_end;) {
        const size_t left = file->body_end - begin;
        size_t end = file->body_end;
        if (left > RFI_CSV_BLOCK_BYTES) {
            const size_t least = begin + RFI_CSV_BLOCK_BYTES - 1, rest = file->body_end - least;
            const size_t most = rest < RFI_CSV_LINE_MAX ? rest : RFI_CSV_LINE_MAX;
            const char *found = memchr(file->data + least, file->syntax.newline, most);
            if (!found && most < rest)
                RF_TRY(rf_fail(err, RF_INPUT,
                               "%s, line %lld: the line is longer than %d MiB; this is no table", file->name,
                               (long long)rfi_csv_line(file, least), RFI_CSV_LINE_MAX >> 20));
            if (found)
                end = (size_t)(found - file->data) + 1;
        }
        RF_TRY(add_piece(cut, begin, end, file, err));
        begin = end;
    }
out:
    return rc;
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
    return rf_fail(err, RF_INPUT,
                   "%s, line %lld: byte %lld of the file (0x%02X) is not UTF-8; convert the file, or read it "
                   "as Latin-1 (--latin1)",
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

typedef struct look {
    const rfi_csv_file *file;
    piece *pieces; /* of this wave */
    struct look_slot {
        rfi_csv_scratch scratch;
        rf_error err;
    } * slots;
} look;

static rf_code look_at(const rfi_csv_file *file, piece *p, rfi_csv_scratch *scratch, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_csv_scratch_scan(scratch, file, p->begin, p->end, err));
    RF_TRY(check_bytes(file, &scratch->marks, p->begin, p->end, err));
    p->n_newlines = scratch->marks.n_newlines;
    p->has_quote = scratch->marks.has_quote;
    rfi_csv_count_records(&p->count, &scratch->marks, file->data + p->begin, p->end - p->begin, &file->syntax,
                          false);
out:
    return rc;
}

static void look_task(void *arg, int64_t task)
{
    look *all = arg;
    struct look_slot *slot = &all->slots[task];
    slot->err = (rf_error){0};
    slot->err.code = look_at(all->file, &all->pieces[task], &slot->scratch, &slot->err);
}

static rf_code look_at_pieces(const rfi_csv_file *file, cutter *cut, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    const int threads = rf_pool_threads(pool);
    const size_t n_slots = threads > 1 ? (size_t)threads * 2 : 1;
    look all = {.file = file};
    RF_TRY(RF_NEW_ARRAY(&all.slots, n_slots, file->name, err));
    for (size_t first = 0; first < cut->n; first += n_slots) {
        const size_t n = cut->n - first < n_slots ? cut->n - first : n_slots;
        all.pieces = cut->pieces + first;
        rf_pool_run(pool, look_task, &all, (int64_t)n);
        for (size_t i = 0; i < n; i++)
            if (all.slots[i].err.code != RF_OK) {
                if (err)
                    *err = all.slots[i].err;
                rc = all.slots[i].err.code;
                goto out;
            }
        rfi_csv_release(file, cut->pieces[first].begin, cut->pieces[first + n - 1].end);
    }
out:
    for (size_t i = 0; all.slots && i < n_slots; i++)
        rfi_csv_scratch_free(&all.slots[i].scratch);
    rf_free(all.slots);
    return rc;
}

/* ---- joining ------------------------------------------------------------------------------- */

/* Where the pieces meet: the state after the last one. */
typedef struct seam {
    bool inside;
    size_t opened_at;  /* when inside */
    int64_t line, row; /* of the next piece's first byte, of the next record */
} seam;

static rf_code refuse_open(const rfi_csv_file *file, const seam *at, bool too_long, rf_error *err)
{
    const long long line = rfi_csv_line(file, at->opened_at);
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
    if (rc == RF_OK)
        file->blocks[file->n_blocks++] = block;
    return rc;
}

/* Adds the records that begin in the piece as a block; what comes before them belongs to the last one. */
static rf_code join_piece(rfi_csv_file *file, const piece *p, bool last, seam *at, rfi_csv_scratch *scratch,
                          rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_csv_count count = p->count;
    if (at->inside) {
        RF_TRY(rfi_csv_scratch_scan(scratch, file, p->begin, p->end, err));
        rfi_csv_count_records(&count, &scratch->marks, file->data + p->begin, p->end - p->begin,
                              &file->syntax, true);
    }
    count.n_ends += last && !count.open; /* the last line has no end: empty lines there were left out */
    size_t begin = p->begin;
    int64_t n_rows = count.n_ends + count.open;
    if (at->inside) {
        begin += count.n_ends ? count.first_end : p->end - p->begin;
        n_rows--; /* the first end is that of a record which began earlier */
        if (file->n_blocks)
            file->blocks[file->n_blocks - 1].end = begin;
    }
    if (n_rows > 0) {
        RF_TRY(add_block(file,
                         (rfi_csv_block){.begin = begin,
                                         .end = p->end,
                                         .first_row = at->row,
                                         .n_rows = n_rows,
                                         .first_line = at->line + count_newlines(file, p->begin, begin)},
                         err));
        at->row += n_rows;
    }
    if (count.open && !(at->inside && count.opened_at == 0))
        at->opened_at = p->begin + count.opened_at;
    at->inside = count.open;
    at->line += p->n_newlines;
    if (at->inside && p->end - at->opened_at > RFI_CSV_LINE_MAX)
        rc = refuse_open(file, at, true, err);
out:
    return rc;
}

static rf_code join_pieces(rfi_csv_file *file, cutter *cut, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_csv_scratch scratch = {0};
    seam at = {.line = rfi_csv_line(file, file->body_begin)};
    for (size_t i = 0; i < cut->n; i++)
        RF_TRY(join_piece(file, &cut->pieces[i], i + 1 == cut->n, &at, &scratch, err));
    if (at.inside)
        RF_TRY(refuse_open(file, &at, false, err));
    file->n_rows = at.row;
out:
    rfi_csv_scratch_free(&scratch);
    return rc;
}

/* ---- the map ------------------------------------------------------------------------------- */

rf_code rfi_csv_map(rfi_csv_file *file, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    cutter cut = {0};
    piece header = {.begin = file->header_begin, .end = file->body_begin};
    rfi_csv_scratch scratch = {0};
    RF_TRY(look_at(file, &header, &scratch, err));
    RF_TRY(cut_pieces(&cut, file, err));
    RF_TRY(look_at_pieces(file, &cut, pool, err));
    RF_TRY(join_pieces(file, &cut, err));
out:
    rfi_csv_scratch_free(&scratch);
    rf_free(cut.pieces);
    return rc;
}

void rfi_csv_file_free(rfi_csv_file *file)
{
    rf_free(file->blocks);
    *file = (rfi_csv_file){0};
}
