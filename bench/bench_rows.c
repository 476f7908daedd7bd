/* bench_rows - what the host does for every sampled row: coded rows become a table, and the table becomes CSV. One JSON object a line.
 *
 * Adult (ROWFORGE_DATA, or ../shared/data; without it a generated table of as many rows), a million rows in pieces of 32,500 as the
 * sampler hands them out, with one and with two threads. Nothing of a model is in it: this is what is left to the host when a
 * GPU makes the rows. Before anything is timed the text's lines are counted, and its checksum must not depend on the threads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_clock.h"
#include "core/clock.h"
#include "core/crc32c.h"
#include "engine/table/demo.h"
#include "engine/transform/transform.h"

enum { ROWS = 1000000, PIECE = 32500, TABLE_ROWS = 32561, RUNS = 7 };

typedef struct text {
    int64_t lines, bytes;
    uint32_t crc;
    bool look; /* at every byte: not while the clock runs */
} text;

static rf_code take(void *arg, const void *data, size_t size_bytes, rf_error *err)
{
    (void)err;
    text *t = arg;
    t->bytes += (int64_t)size_bytes;
    if (!t->look)
        return RF_OK;
    const char *bytes = data;
    for (size_t i = 0; i < size_bytes; i++)
        t->lines += bytes[i] == '\n';
    t->crc = rf_crc32c(t->crc, data, size_bytes);
    return RF_OK;
}

typedef struct setup {
    rf_table *table;
    rf_transform *transform;
    rf_coded coded;
    rf_pool *pool;
} setup;

/* A million rows; `out` NULL: the inverse alone. */
static rf_code make_rows(const setup *s, text *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_writer *writer = NULL;
    rf_table *rows = NULL;
    const rf_write_options options = {.pool = s->pool};
    const rf_schema *schema = rf_transform_schema(s->transform);
    if (out)
        RF_TRY(rf_table_writer_open_to(&writer, take, out, schema, &options, err));
    for (int64_t done = 0; done < ROWS; done += PIECE) {
        const rf_coded piece = {.n_rows = ROWS - done < PIECE ? ROWS - done : PIECE,
                                .scalars = s->coded.scalars,
                                .codes = s->coded.codes};
        RF_TRY(rf_transform_invert(s->transform, &piece, done, 3, s->pool, &rows, err));
        if (writer)
            RF_TRY(rf_table_writer_append(writer, rows, err));
        rf_table_free(rows);
        rows = NULL;
    }
out:
    rf_table_free(rows);
    rf_table_writer_close(writer);
    return rc;
}

static rf_code measure(const setup *s, const char *what, int threads, bool write, rf_error *err)
{
    rf_code rc = RF_OK;
    double seconds[RUNS], cpu[RUNS];
    text out = {0};
    for (int i = 0; i < RUNS; i++) {
        const double start = rf_clock_s(), start_cpu = cpu_s();
        out = (text){0};
        RF_TRY(make_rows(s, write ? &out : NULL, err));
        seconds[i] = rf_clock_s() - start;
        cpu[i] = cpu_s() - start_cpu;
    }
    qsort(seconds, RUNS, sizeof *seconds, by_value);
    qsort(cpu, RUNS, sizeof *cpu, by_value);
    printf("{\"bench\": \"rows\", \"what\": \"%s\", \"rows\": %d, \"bytes\": %lld, \"threads\": %d, "
           "\"median_ms\": %.1f, \"low_ms\": %.1f, \"high_ms\": %.1f, \"cpu_ms\": %.1f, "
           "\"rows_per_cpu_second\": %.0f}\n",
           what, (int)ROWS, (long long)out.bytes, threads, seconds[RUNS / 2] * 1e3, seconds[0] * 1e3,
           seconds[RUNS - 1] * 1e3, cpu[RUNS / 2] * 1e3, ROWS / cpu[RUNS / 2]);
out:
    return rc;
}

static rf_code open_setup(setup *s, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *folder = getenv("ROWFORGE_DATA");
    char path[512];
    const rf_table_options read = {0};
    const rf_transform_options options = {.seed = 1};
    snprintf(path, sizeof path, "%s/adult.csv", folder ? folder : "../shared/data");
    if (rf_table_read(&s->table, path, &read, NULL, err) != RF_OK)
        RF_TRY(rf_demo_table(&s->table, TABLE_ROWS, 1, err));
    RF_TRY(rf_transform_fit(&s->transform, s->table, &options, NULL, NULL, err));
    RF_TRY(rf_transform_apply(s->transform, s->table, 2, NULL, &s->coded, err));
    if (s->coded.n_rows < PIECE)
        rc = rf_fail(err, RF_INPUT, "the table has fewer rows than a piece");
out:
    return rc;
}

int main(void)
{
    rf_code rc = RF_OK;
    rf_error error = {0}, *err = &error;
    setup s = {0};
    text seen[2] = {{.look = true}, {.look = true}};
    RF_TRY(open_setup(&s, err));
    for (int threads = 1; threads <= 2; threads++) {
        RF_TRY(rf_pool_create(&s.pool, threads, err));
        RF_TRY(make_rows(&s, &seen[threads - 1], err));
        if (seen[threads - 1].lines != ROWS + 1 || seen[threads - 1].crc != seen[0].crc)
            RF_TRY(rf_fail(err, RF_INTERNAL, "the text is wrong"));
        RF_TRY(measure(&s, "inverse", threads, false, err));
        RF_TRY(measure(&s, "inverse and CSV", threads, true, err));
        rf_pool_free(s.pool);
        s.pool = NULL;
    }
out:
    if (rc != RF_OK)
        fprintf(stderr, "bench_rows: %s\n", error.message);
    rf_pool_free(s.pool);
    rf_coded_free(&s.coded);
    rf_transform_free(s.transform);
    rf_table_free(s.table);
    return rc != RF_OK;
}
