/* One task per piece of the file, or per block when those are known
 *
 *   cut      the piece             one after another
 *   look     at it                 side by side
 *   join     it to the blocks      one after another: now the number of its first row is known
 *   read     its block             side by side
 *   join     each column           one after another, but each column for itself
 *   end      tell the first fault  one after another
 *
 * A thread keeps its piece from the look to the end, so the bytes are in its cache and nobody waits for the slowest of many. A piece
 * that ends inside a quoted cell leaves its last block to the task in whose piece that cell ends. Every task takes all its
 * turns, be it in vain (core/turn.h). */
#include "engine/table/csv_parse.h"

#include <sched.h>
#include <string.h>

#include "core/alloc.h"
#include "core/turn.h"
#include "engine/table/csv_reader.h"

/* Columns times readers. Dictionaries of more would need many times the table's memory; and where there are so many columns
 * each is read in its turn without much waiting. */
enum { OWN_COLUMNS = 2048 };

/* ---- the run ------------------------------------------------------------------------------- */

typedef struct column_turn {
    rf_turn turn;
    atomic_bool many; /* it has more texts than a reader keeps */
} column_turn;

typedef struct parse_run {
    rfi_csv_read *read;
    bool again;        /* the blocks are known */
    bool apart;        /* tasks run side by side */
    bool wide;         /* so many columns that no reader keeps texts */
    rfi_csv_walk walk; /* of who has the turn to cut (walk.at), or to join (the rest) */
    rf_turn cut, join, end;
    bool stopped;         /* of who joins: a piece was missed, so those behind it have no place */
    size_t next_block;    /* of who joins */
    column_turn *columns; /* (n_columns) */
    rfi_csv_reader *readers;
    atomic_bool *taken; /* (n_readers) */
    size_t n_readers;
    atomic_bool failed; /* whatever begins now is in vain */
    rf_error err;       /* of who ends: the first */
    int64_t bad_quote_row;
    int32_t bad_quote_column;
    _Atomic int64_t n_left; /* tasks that are gone */
} parse_run;

/* A piece begins one block at most, and may end one that began before it. */
typedef struct parse_work {
    parse_run *run;
    rfi_csv_reader *reader;
    int64_t task;
    rfi_csv_block blocks[2];
    int n_blocks;
    bool indexed;  /* the cells of the last one are those of the piece */
    bool passed;   /* the turns of the columns */
    rf_error err;  /* of the blocks           */
    rf_error held; /* of what lies behind them */
} parse_work;

/* There are as many readers as tasks that run. */
static size_t take_reader(parse_run *run)
{
    for (size_t i = 0;; i = (i + 1) % run->n_readers)
        if (!atomic_exchange(&run->taken[i], true))
            return i;
}

/* ---- blocks -------------------------------------------------------------------------------- */

/* The rows so far tell how many the rest will have; a little more is asked for, so that once is enough. The arrays move only when
 * nobody reads into them: later tasks wait for the join, earlier ones are waited for. */
static rf_code make_room(parse_run *run, int64_t task, size_t at, rf_error *err)
{
    rfi_csv_read *read = run->read;
    const rfi_csv_file *file = read->file;
    const int64_t row = run->walk.row;
    if (row <= read->rows_room)
        return RF_OK;
    while (atomic_load(&run->n_left) < task)
        sched_yield();
    const double share = (double)(file->body_end - file->body_begin) / (double)(at - file->body_begin);
    const bool all_seen = at == file->body_end;
    return rfi_columns_make_room(
        read, all_seen ? row : row + 64 + (int64_t)((double)row * (share * 1.05 - 1)), err);
}

static rf_code join_piece(parse_work *work, rf_error *err)
{
    parse_run *run = work->run;
    const rfi_csv_piece *piece = &work->reader->piece;
    rf_code rc = rfi_csv_walk_join(&run->walk, &work->reader->piece, err);
    for (; run->next_block < rfi_csv_walk_ready(&run->walk); run->next_block++) {
        work->indexed = piece->is_block && piece->block == run->next_block;
        work->blocks[work->n_blocks++] = run->read->file->blocks[run->next_block];
    }
    if (rc != RF_OK)
        return rc;
    rc = make_room(run, work->task, piece->end, err);
    if (rc != RF_OK)
        work->n_blocks = 0;
    return rc;
}

/* The next piece, and the blocks whose ends are known by it. Those in front of a fault are to be read: theirs comes first. */
static rf_code find_blocks(parse_work *work, rf_error *err)
{
    parse_run *run = work->run;
    rf_code rc = RF_OK;
    rf_turn_wait(&run->cut, work->task);
    const bool is_piece = run->walk.at < run->read->file->body_end && !atomic_load(&run->failed);
    if (is_piece)
        rc = rfi_csv_walk_cut(&run->walk, &work->reader->piece, err);
    rf_turn_pass(&run->cut);
    if (is_piece && rc == RF_OK)
        rc = rfi_csv_piece_look(&work->reader->piece, run->read->file, err);
    rf_turn_wait(&run->join, work->task);
    run->stopped |= !is_piece || rc != RF_OK;
    if (!run->stopped) {
        rc = join_piece(work, err);
        run->stopped = rc != RF_OK;
    }
    rf_turn_pass(&run->join);
    return rc;
}

/* ---- columns ------------------------------------------------------------------------------- */

static void put_off_many(const parse_work *work)
{
    const parse_run *run = work->run;
    for (int32_t c = 0; run->apart && c < run->read->file->n_columns; c++)
        work->reader->own[c].put_off =
            run->read->columns[c].as == RFI_READ_TEXTS &&
            (run->wide || atomic_load_explicit(&run->columns[c].many, memory_order_relaxed));
}

/* With a block or without one: whoever comes next waits for it. */
static void join_columns(parse_work *work, bool has_block, bool pass)
{
    parse_run *run = work->run;
    for (int32_t c = 0; c < run->read->file->n_columns; c++) {
        rfi_column_read *column = &run->read->columns[c];
        if (column->as == RFI_READ_NOT)
            continue;
        rf_turn_wait(&run->columns[c].turn, work->task);
        if (has_block)
            rfi_csv_reader_join(work->reader, column, c);
        if (column->dict.n > RFI_OWN_TEXTS)
            atomic_store_explicit(&run->columns[c].many, true, memory_order_relaxed);
        if (pass)
            rf_turn_pass(&run->columns[c].turn);
    }
    work->passed = pass;
}

static rf_code read_block(parse_work *work, int i, rf_error *err)
{
    rf_code rc = RF_OK;
    const bool last = i + 1 == work->n_blocks;
    RF_TRY(rfi_csv_reader_begin(work->reader, &work->blocks[i], last && work->indexed, err));
    put_off_many(work);
    rfi_csv_reader_read(work->reader);
    join_columns(work, true, last);
    if (work->reader->count.text.failed)
        RF_TRY(rf_buf_check(&work->reader->count.text, "a quoted cell", err));
out:
    return rc;
}

/* ---- one task ------------------------------------------------------------------------------ */

static bool has_bad_quote(const parse_work *work)
{
    return work->reader->count.bad_quote_row != INT64_MAX;
}

/* Where a bad quote stands is told when all threads are done: until then the list of blocks may grow. */
static void end_task(const parse_work *work)
{
    parse_run *run = work->run;
    rf_turn_wait(&run->end, work->task);
    if (!atomic_load(&run->failed)) {
        run->err = work->err.code != RF_OK || has_bad_quote(work) ? work->err : work->held;
        run->bad_quote_row = work->reader->count.bad_quote_row;
        run->bad_quote_column = work->reader->count.bad_quote_column;
        atomic_store(&run->failed, run->err.code != RF_OK || has_bad_quote(work));
    }
    rf_turn_pass(&run->end);
}

/* When later tasks may go on: what the blocks needed of the file, and what comes of the columns. */
static void tidy_up(const parse_work *work)
{
    const rfi_csv_block *first = &work->blocks[0], *last = &work->blocks[work->n_blocks - 1];
    rfi_csv_release(work->run->read->file, first->begin, last->end);
    if (work->run->apart)
        rfi_columns_touch(work->run->read, last->first_row, last->n_rows);
}

static void parse_task(void *arg, int64_t task)
{
    parse_run *run = arg;
    const size_t taken = take_reader(run);
    parse_work work = {.run = run, .reader = &run->readers[taken], .task = task};
    work.reader->count.bad_quote_row = INT64_MAX;
    if (!run->again)
        work.held.code = find_blocks(&work, &work.held);
    else if (!atomic_load(&run->failed))
        work.blocks[work.n_blocks++] = run->read->file->blocks[task];
    for (int i = 0; i < work.n_blocks && work.err.code == RF_OK && !has_bad_quote(&work); i++)
        work.err.code = read_block(&work, i, &work.err);
    if (!work.passed)
        join_columns(&work, false, true);
    end_task(&work);
    if (work.n_blocks)
        tidy_up(&work);
    atomic_store(&run->taken[taken], false);
    atomic_fetch_add(&run->n_left, 1);
}

/* ---- all tasks ----------------------------------------------------------------------------- */

/* Every piece but the last has at least as many bytes as a block. */
static int64_t count_tasks(const parse_run *run)
{
    const rfi_csv_file *file = run->read->file;
    return run->again ? (int64_t)file->n_blocks
                      : 1 + (int64_t)((file->body_end - file->body_begin) / RFI_CSV_BLOCK_BYTES);
}

static rf_code open_run(parse_run *run, rfi_csv_read *read, int threads, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_csv_file *file = read->file;
    *run = (parse_run){.read = read, .again = file->n_blocks > 0, .bad_quote_row = INT64_MAX};
    run->apart = threads > 1 && file->body_end - file->body_begin > RFI_CSV_BLOCK_BYTES;
    const int64_t n_tasks = count_tasks(run);
    run->n_readers = run->apart ? (size_t)(n_tasks < threads ? n_tasks : threads) : 1;
    run->wide = (size_t)file->n_columns * run->n_readers > OWN_COLUMNS;
    rfi_csv_walk_open(&run->walk, read->file);
    RF_TRY(RF_NEW_ARRAY(&run->columns, file->n_columns, file->name, err));
    RF_TRY(RF_NEW_ARRAY(&run->taken, run->n_readers, file->name, err));
    RF_TRY(RF_NEW_ARRAY(&run->readers, run->n_readers, file->name, err));
    for (size_t i = 0; i < run->n_readers; i++)
        RF_TRY(rfi_csv_reader_open(&run->readers[i], read, run->apart, err));
    if (run->again)
        RF_TRY(rfi_columns_make_room(read, file->n_rows, err));
out:
    return rc;
}

static void close_run(parse_run *run)
{
    for (size_t i = 0; run->readers && i < run->n_readers; i++)
        rfi_csv_reader_close(&run->readers[i]);
    rf_free(run->readers);
    rf_free(run->taken);
    rf_free(run->columns);
    rfi_csv_walk_close(&run->walk);
}

static rf_code refuse_quote(const parse_run *run, rf_error *err)
{
    const rfi_csv_file *file = run->read->file;
    const int32_t column = run->bad_quote_column;
    const rfi_csv_place place = rfi_csv_locate(file, run->bad_quote_row, column);
    return rf_fail(err, RF_INPUT,
                   "%s, line %lld, column %d: a quoted cell goes on after its closing quote: %s", file->name,
                   (long long)place.line, column + 1, place.shown);
}

rf_code rfi_csv_parse(rfi_csv_read *read, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    parse_run run;
    read->rows_room = 0;
    RF_TRY(open_run(&run, read, rf_pool_threads(pool), err));
    rf_pool_run(run.apart ? pool : NULL, parse_task, &run, count_tasks(&run));
    if (run.err.code != RF_OK) {
        if (err)
            *err = run.err;
        rc = run.err.code;
        goto out;
    }
    if (run.bad_quote_row != INT64_MAX)
        RF_TRY(refuse_quote(&run, err));
    rfi_columns_trim(read, read->file->n_rows);
    for (int32_t c = 0; c < read->file->n_columns; c++)
        if (read->columns[c].as == RFI_READ_TEXTS)
            RF_TRY(rfi_dict_check(&read->columns[c].dict, "of the table", err));
out:
    close_run(&run);
    return rc;
}
