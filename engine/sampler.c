/* Rows out of a model.
 *
 * The model makes batches, numbered from the beginning of the result; a batch is the same rows whoever asks
 * for it. Without conditions row r of the result is row r of the batches. With conditions they are
 * candidates, and two sieves follow:
 *
 *     candidates  --codes match-->  numbered 0, 1, 2 ...  --inverse, values match-->  result
 *
 * The first looks at coded rows, before any work is spent on them. What passes is numbered anew, and these
 * numbers address the draws of the inverse transform; so neither the size of a piece nor the number of
 * threads can move a row.
 */
#include "engine/fitted.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"

/* Rows of a piece, about: enough work for every thread, little memory. */
enum { PIECE_ROWS = 32768 };

/* Batches that are tried before a condition is given up: so many, and for a large result so many for each
 * batch of it. */
enum { TRIES_MIN = 1000, TRIES_PER_BATCH = 100 };

typedef struct sampler {
    rf_fitted *fitted;
    const rf_sample_options *options;
    rf_rows_fn rows;
    void *arg;
    rf_condition *conditions; /* (options->n_where) */
    int32_t condition_entry;  /* set in every row of a CTGAN, or -1 */
    int64_t batch_size, piece_rows;
    rf_coded coded;     /* (piece_rows) */
    int64_t n_batches;  /* made so far                              */
    int64_t n_numbered; /* rows that passed the first sieve         */
    int64_t n_done;     /* rows handed out                          */
    double start_s;
} sampler;

/* ------------------------------------------------------------------ conditions */

/* Decided by a code alone. */
static bool is_coded(const rf_condition *condition)
{
    return condition->span >= 0 && condition->code >= 0 && condition->rare_text < 0;
}

/* The rarest of the discrete conditions is the one whose bit helps most. */
static void choose_bit(sampler *s)
{
    const rf_layout *layout = rf_transform_layout(s->fitted->transform);
    const int64_t *counts = rf_transform_condition_counts(s->fitted->transform);
    s->condition_entry = -1;
    if (s->fitted->info.params.model != RF_MODEL_CTGAN)
        return;
    for (int32_t i = 0; i < s->options->n_where; i++) {
        const rf_condition *condition = &s->conditions[i];
        const rf_span *span = condition->span >= 0 ? &layout->spans[condition->span] : NULL;
        if (!span || span->condition < 0 || condition->code < 0)
            continue;
        const int32_t entry = span->cond_offset + condition->code;
        if (s->condition_entry < 0 || counts[entry] < counts[s->condition_entry])
            s->condition_entry = entry;
    }
}

static rf_code read_conditions(sampler *s, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(RF_NEW_ARRAY(&s->conditions, s->options->n_where, "the conditions", err));
    for (int32_t i = 0; i < s->options->n_where; i++)
        RF_TRY(rf_transform_condition(s->fitted->transform, s->options->where[i], &s->conditions[i], err));
    choose_bit(s);
out:
    return rc;
}

static bool codes_match(const sampler *s, const rf_layout *layout, const uint16_t *codes)
{
    for (int32_t i = 0; i < s->options->n_where; i++) {
        const rf_condition *condition = &s->conditions[i];
        if (is_coded(condition) && codes[layout->spans[condition->span].source] != condition->code)
            return false;
    }
    return true;
}

/* Keeps the candidates whose codes match, in their order; returns how many. */
static int64_t sieve_codes(sampler *s, int64_t n)
{
    const rf_layout *layout = rf_transform_layout(s->fitted->transform);
    const size_t scalar_bytes = (size_t)layout->n_scalars * sizeof *s->coded.scalars;
    const size_t code_bytes = (size_t)layout->n_codes * sizeof *s->coded.codes;
    int64_t kept = 0;
    for (int64_t r = 0; r < n; r++) {
        if (layout->n_codes && !codes_match(s, layout, s->coded.codes + r * layout->n_codes))
            continue;
        if (kept < r && scalar_bytes)
            memcpy(s->coded.scalars + kept * layout->n_scalars, s->coded.scalars + r * layout->n_scalars,
                   scalar_bytes);
        if (kept < r && code_bytes)
            memcpy(s->coded.codes + kept * layout->n_codes, s->coded.codes + r * layout->n_codes, code_bytes);
        kept++;
    }
    return kept;
}

/* ------------------------------------------------------------------ the second sieve */

static bool row_holds(const sampler *s, const rf_table *table, int64_t row)
{
    for (int32_t i = 0; i < s->options->n_where; i++)
        if (!rf_condition_holds(s->fitted->transform, &s->conditions[i], table, row))
            return false;
    return true;
}

static void move_row(rf_table *table, int64_t from, int64_t to)
{
    for (int32_t c = 0; c < table->schema.n_fields; c++) {
        rf_column *column = &table->columns[c];
        if (column->values)
            column->values[to] = column->values[from];
        if (column->codes)
            column->codes[to] = column->codes[from];
    }
}

static void count_missing(rf_table *table)
{
    for (int32_t c = 0; c < table->schema.n_fields; c++) {
        rf_column *column = &table->columns[c];
        column->n_missing = 0;
        for (int64_t r = 0; r < table->n_rows; r++)
            column->n_missing +=
                column->values ? isnan(column->values[r]) != 0 : column->codes && column->codes[r] < 0;
    }
}

/* Keeps the first `most` rows that meet all conditions. The table is ours, so it is done in place. */
static void sieve_table(const sampler *s, rf_table *table, int64_t most)
{
    int64_t kept = 0;
    for (int64_t r = 0; r < table->n_rows && kept < most; r++) {
        if (!row_holds(s, table, r))
            continue;
        if (kept < r)
            move_row(table, r, kept);
        kept++;
    }
    if (kept == table->n_rows)
        return;
    table->n_rows = kept;
    count_missing(table);
}

/* ------------------------------------------------------------------ pieces */

static rf_code tell(const sampler *s, rf_error *err)
{
    const double seconds = rf_clock_s() - s->start_s;
    const double rate = seconds > 0 ? (double)s->n_done / seconds : 0;
    const rf_progress progress = {.phase = "sample",
                                  .done = s->n_done,
                                  .total = s->options->n_rows,
                                  .losses = {.generator = (double)NAN, .discriminator = (double)NAN},
                                  .rows_per_s = rate,
                                  .seconds = seconds,
                                  .eta_s = rate > 0 ? (double)(s->options->n_rows - s->n_done) / rate : 0};
    if (!s->options->progress || s->options->progress(s->options->progress_arg, &progress))
        return RF_OK;
    if (s->n_done == s->options->n_rows)
        return RF_OK;
    return rf_fail(err, RF_INTERRUPTED, "stopped after %lld of %lld rows", (long long)s->n_done,
                   (long long)s->options->n_rows);
}

/* For the next n candidates. */
static rf_sample_request next_request(const sampler *s, int64_t n)
{
    return (rf_sample_request){.seed = s->options->seed,
                               .first_row = s->n_batches * s->batch_size,
                               .n_rows = n,
                               .condition_entry = s->condition_entry};
}

/* Makes n candidates, in whole batches unless they are the last. */
static rf_code make(sampler *s, int64_t n, rf_error *err)
{
    rf_model *model = s->fitted->model;
    const rf_sample_request request = next_request(s, n);
    s->n_batches += (n + s->batch_size - 1) / s->batch_size;
    return model->type->sample(model, &request, &s->coded, err);
}

/* Rows of the piece after the first `done` of a result without conditions. */
static int64_t piece_after(const sampler *s, int64_t done)
{
    const int64_t left = s->options->n_rows - done;
    return left < s->piece_rows ? left : s->piece_rows;
}

/* Whether the result is large enough to be expected to hold the ends of the table's ranges. Its first batch then
 * does, whatever the size of the pieces. */
static bool reaches(const sampler *s)
{
    const rf_fitted_info *info = &s->fitted->info;
    return !info->compat && s->options->n_rows >= info->n_rows / 2;
}

/* Inverts the first n coded rows, keeps those that meet the conditions and hands them out. */
static rf_code hand_out(sampler *s, int64_t n, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table *table = NULL;
    const rf_coded rows = {.n_rows = n, .scalars = s->coded.scalars, .codes = s->coded.codes};
    if (n == 0)
        return RF_OK;
    RF_TRY(rf_transform_invert(s->fitted->transform, &rows, s->n_numbered, s->options->seed,
                               s->fitted->device->pool, &table, err));
    s->n_numbered += n;
    if (s->options->n_where)
        sieve_table(s, table, s->options->n_rows - s->n_done);
    else if (s->n_done == 0 && reaches(s))
        rf_transform_reach(s->fitted->transform, table, s->batch_size);
    s->n_done += table->n_rows;
    if (table->n_rows)
        RF_TRY(s->rows(s->arg, table, err));
out:
    rf_table_free(table);
    return rc;
}

static rf_code sample_freely(sampler *s, rf_error *err)
{
    rf_code rc = RF_OK;
    while (s->n_done < s->options->n_rows) {
        rf_model *model = s->fitted->model;
        const int64_t n = piece_after(s, s->n_done);
        RF_TRY(make(s, n, err));
        /* The device makes the next piece while the host turns this one into text. */
        const rf_sample_request next = next_request(s, piece_after(s, s->n_done + n));
        RF_TRY(model->type->sample_ahead(model, &next, err));
        RF_TRY(hand_out(s, n, err));
        RF_TRY(tell(s, err));
    }
out:
    return rc;
}

static rf_code exhausted(const sampler *s, rf_error *err)
{
    const double candidates = (double)s->n_batches * (double)s->batch_size;
    return rf_fail(err, RF_EXHAUSTED,
                   "after %lld batches only %lld of %lld rows meet the conditions (%.4g %% of %.0f); ask for "
                   "fewer rows or "
                   "leave a condition out",
                   (long long)s->n_batches, (long long)s->n_done, (long long)s->options->n_rows,
                   100 * (double)s->n_done / candidates, candidates);
}

/* Batches of the next piece: what is still needed by the share found so far and a little more. */
static int64_t next_batches(const sampler *s, int64_t most)
{
    const int64_t full = s->piece_rows / s->batch_size;
    const double candidates = (double)s->n_batches * (double)s->batch_size;
    const double left = (double)(s->options->n_rows - s->n_done);
    const double share = s->n_batches ? ((double)s->n_done + 1) / (candidates + 1) : 0.5;
    const double wanted = 1 + 1.1 * left / share / (double)s->batch_size;
    const int64_t n = wanted < (double)full ? (int64_t)wanted : full;
    return n < most ? n : most;
}

static rf_code sample_conditioned(sampler *s, rf_error *err)
{
    rf_code rc = RF_OK;
    const int64_t batches = (s->options->n_rows + s->batch_size - 1) / s->batch_size;
    const int64_t tries = batches > TRIES_MIN / TRIES_PER_BATCH ? batches * TRIES_PER_BATCH : TRIES_MIN;
    while (s->n_done < s->options->n_rows) {
        if (s->n_batches >= tries)
            return exhausted(s, err);
        const int64_t n = next_batches(s, tries - s->n_batches) * s->batch_size;
        RF_TRY(make(s, n, err));
        RF_TRY(hand_out(s, sieve_codes(s, n), err));
        RF_TRY(tell(s, err));
    }
out:
    return rc;
}

rf_code rf_fitted_sample(rf_fitted *fitted, const rf_sample_options *options, rf_rows_fn rows, void *arg,
                         rf_error *err)
{
    rf_code rc = RF_OK;
    const int64_t batch_size = fitted->info.params.batch_size;
    const int64_t batches = batch_size < PIECE_ROWS ? PIECE_ROWS / batch_size : 1;
    sampler s = {.fitted = fitted,
                 .options = options,
                 .rows = rows,
                 .arg = arg,
                 .batch_size = batch_size,
                 .piece_rows = batches * batch_size,
                 .start_s = rf_clock_s()};
    RF_TRY(read_conditions(&s, err));
    RF_TRY(rf_coded_create(&s.coded, rf_transform_layout(fitted->transform), s.piece_rows, err));
    RF_TRY(options->n_where ? sample_conditioned(&s, err) : sample_freely(&s, err));
out:
    rf_coded_free(&s.coded);
    rf_free(s.conditions);
    return rc;
}
