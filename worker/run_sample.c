/* run_sample.c - rows of a kept model, part by part, as fast as they are fetched.
 *
 *      engine ─► rows of a table ─► text ─► part n (at most 4 MiB, whole rows) ─► storage ─► the word of it
 *                                              └── waits while 8 parts are not fetched
 *
 * CSV begins with the header, in part 0; NDJSON has one object a line. The first part is a small one, so that whoever
 * waits sees rows soon.
 */
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "engine/table/json_lines.h"
#include "worker/worker_state.h"

enum { PART_FIRST = 64 << 10, VIEW_ROWS = 4096, CREDIT_WAIT_MS = 100 };

typedef struct sampling {
    rfi_job *job;
    rf_fitted *fitted;
    rf_table_writer *csv; /* one of the two */
    rf_json_lines *lines;
    rf_buf part, piece; /* piece: the rows that are being written as text     */
    int64_t part_rows;  /* rows in `part`                                      */
    int64_t n_parts, n_rows;
    bool too_wide; /* a block of `piece` is larger than a part            */
} sampling;

/* ------------------------------------------------------------------ parts */

static rf_code wait_for_credit(sampling *s, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_job *job = s->job;
    int64_t credit = rfi_held_wait_credit(job->worker, job->held, -1, 0);
    while (s->n_parts - credit >= RF_PARTS_UNSENT_MAX) {
        RF_TRY(rfi_job_check(job, err));
        credit = rfi_held_wait_credit(job->worker, job->held, credit, CREDIT_WAIT_MS);
    }
    RF_TRY(rfi_job_check(job, err));
out:
    return rc;
}

static rf_code send_part(sampling *s, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_stored stored;
    char key[RF_KEY_BYTES_MAX + 1];
    const rf_lease *lease = &s->job->lease;
    if (s->part.size_bytes == 0)
        goto out;
    RF_TRY(wait_for_credit(s, err));
    snprintf(key, sizeof key, "samples/%lld/%lld/%lld", (long long)lease->job_id, (long long)lease->token,
             (long long)s->n_parts);
    RF_TRY(rfi_keep_bytes(s->job, key, s->part.data, s->part.size_bytes, true, &stored, err));
    const rf_result_part word = {.n = s->n_parts,
                                 .rows = s->part_rows,
                                 .key = stored.key,
                                 .sha256 = stored.sha256,
                                 .size_bytes = stored.size_bytes};
    RF_TRY(rfi_job_part(s->job, &word, err));
    s->n_parts++;
    s->n_rows += s->part_rows;
    s->part_rows = 0;
    rf_buf_clear(&s->part);
out:
    return rc;
}

/* Adds `size` bytes that are `rows` whole rows. */
static rf_code add(sampling *s, const char *data, size_t size, int64_t rows, rf_error *err)
{
    rf_code rc = RF_OK;
    const size_t most = s->n_parts == 0 ? PART_FIRST : RF_PART_BYTES_MAX;
    if (size > RF_PART_BYTES_MAX)
        RF_TRY(rf_fail(err, RF_INPUT, "one row of the result would have more than %d bytes",
                       (int)RF_PART_BYTES_MAX));
    if (s->part.size_bytes > 0 && s->part.size_bytes + size > most)
        RF_TRY(send_part(s, err));
    rf_buf_append(&s->part, data, size);
    s->part_rows += rows;
    RF_TRY(rf_buf_check(&s->part, "a part of the sample", err));
out:
    return rc;
}

/* ------------------------------------------------------------------ rows as text */

/* The engine hands on whole rows at a time; a block of more than a part is written again by fewer rows. */
static rf_code take_text(void *arg, const void *data, size_t size_bytes, rf_error *err)
{
    sampling *s = arg;
    s->too_wide |= size_bytes > RF_PART_BYTES_MAX;
    if (!s->too_wide)
        rf_buf_append(&s->piece, data, size_bytes);
    return rf_buf_check(&s->piece, "rows as text", err);
}

/* Rows [begin, begin + n) as a table of its own; `columns` has room for them. */
static rf_table view_of(const rf_table *rows, int64_t begin, int64_t n, rf_column *columns)
{
    rf_table view = *rows;
    view.columns = columns;
    view.n_rows = n;
    for (int32_t c = 0; c < rows->schema.n_fields; c++) {
        columns[c] = rows->columns[c];
        columns[c].values = columns[c].values ? columns[c].values + begin : NULL;
        columns[c].codes = columns[c].codes ? columns[c].codes + begin : NULL;
    }
    return view;
}

static rf_code add_csv(sampling *s, const rf_table *rows, int64_t begin, int64_t n, rf_column *columns,
                       rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_table view = view_of(rows, begin, n, columns);
    rf_buf_clear(&s->piece);
    s->too_wide = false;
    RF_TRY(rf_table_writer_append(s->csv, &view, err));
    s->too_wide |= s->piece.size_bytes > RF_PART_BYTES_MAX;
    if (!s->too_wide || n == 1) {
        RF_TRY(
            add(s, s->piece.data, s->too_wide ? (size_t)RF_PART_BYTES_MAX + 1 : s->piece.size_bytes, n, err));
        goto out;
    }
    RF_TRY(add_csv(s, rows, begin, n / 2, columns, err));
    RF_TRY(add_csv(s, rows, begin + n / 2, n - n / 2, columns, err));
out:
    return rc;
}

static rf_code add_lines(sampling *s, const rf_table *rows, int64_t begin, int64_t n, rf_error *err)
{
    rf_code rc = RF_OK;
    for (int64_t row = begin; row < begin + n; row++) {
        rf_buf_clear(&s->piece);
        rf_json_lines_row(s->lines, rows, row, &s->piece);
        RF_TRY(rf_buf_check(&s->piece, "rows as text", err));
        RF_TRY(add(s, s->piece.data, s->piece.size_bytes, 1, err));
    }
out:
    return rc;
}

static rf_code take_rows(void *arg, const rf_table *rows, rf_error *err)
{
    rf_code rc = RF_OK;
    sampling *s = arg;
    rf_column *columns = NULL;
    RF_TRY(RF_NEW_ARRAY(&columns, rows->schema.n_fields, "rows as text", err));
    for (int64_t begin = 0; begin < rows->n_rows; begin += VIEW_ROWS) {
        const int64_t left = rows->n_rows - begin, n = left < VIEW_ROWS ? left : VIEW_ROWS;
        RF_TRY(rfi_job_check(s->job, err));
        RF_TRY(s->csv ? add_csv(s, rows, begin, n, columns, err) : add_lines(s, rows, begin, n, err));
    }
    if (s->n_parts == 0)
        RF_TRY(send_part(s, err));
out:
    rf_free(columns);
    return rc;
}

/* ------------------------------------------------------------------ the job */

static bool on_progress(void *arg, const rf_progress *p)
{
    sampling *s = arg;
    const double share = p->total > 0 ? (double)p->done / (double)p->total : 0;
    rfi_job_phase(s->job, "sample", 100 * share);
    return !rfi_job_should_stop(s->job);
}

static rf_code open_model(sampling *s, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_job *job = s->job;
    char path[RFI_PATH_MAX];
    RF_TRY(rfi_scratch_path(job, "model.rfm", path, err));
    RF_TRY(rfi_fetch(job, job->plan.model.key, job->plan.model.sha256, path, err));
    RF_TRY(rf_fitted_load(&s->fitted, path, job->worker->device, err));
    const rf_schema *schema = rf_transform_schema(rf_fitted_transform(s->fitted));
    if (!strcmp(job->plan.output_format, "ndjson"))
        RF_TRY(rf_json_lines_open(&s->lines, schema, err));
    else
        RF_TRY(rf_table_writer_open_to(
            &s->csv, take_text, s, schema,
            &(rf_write_options){.format = "csv", .pool = job->worker->device->pool}, err));
    if (s->csv && s->piece.size_bytes)
        RF_TRY(add(s, s->piece.data, s->piece.size_bytes, 0, err)); /* the header */
out:
    return rc;
}

static rf_code sample(sampling *s, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_plan *plan = &s->job->plan;
    const char *const *where = NULL;
    rfi_job_phase(s->job, "read", 0);
    RF_TRY(open_model(s, err));
    RF_TRY(rfi_conditions(s->job, &where, err));
    const rf_sample_options options = {.n_rows = plan->rows,
                                       .seed = plan->seed,
                                       .where = where,
                                       .n_where = plan->n_conditions,
                                       .progress = on_progress,
                                       .progress_arg = s};
    RF_TRY(rf_fitted_sample(s->fitted, &options, take_rows, s, err));
    RF_TRY(send_part(s, err));
out:
    return rc;
}

rf_code rfi_run_sample(rfi_job *job, rf_result_done *done, rf_error *err)
{
    sampling s = {.job = job};
    rf_buf_init(&s.part);
    rf_buf_init(&s.piece);
    const rf_code rc = sample(&s, err);
    done->rows = s.n_rows;
    done->parts = s.n_parts;
    rf_table_writer_close(s.csv);
    rf_json_lines_close(s.lines);
    rf_fitted_free(s.fitted);
    rf_buf_free(&s.part);
    rf_buf_free(&s.piece);
    return rc;
}
