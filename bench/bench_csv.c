/* bench_csv - bytes to typed columns and back, one JSON object a line.
 *
 * Two generated tables of 150 MB: one like Adult (6 whole numbers, 9 categories, 15 fields a row), one of
 * ten decimals a row. Before anything is timed each is read and written back, which must give the same
 * bytes. Beside them, as the machine's limit for one look at the bytes, a count of line ends with memchr.
 * gb_per_s is by the clock; gb_per_cpu_s by processor time, which says the same on an idle machine and
 * stays true on a busy one: that is the figure for one core.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/philox.h"
#include "core/pool.h"
#include "engine/table/table.h"

enum { RUNS = 7, TABLE_BYTES = 150 << 20 };

static const char header_adult[] =
    "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,"
    "race,sex,capital-gain,capital-loss,hours-per-week,native-country,income\n";

/* ---- generating ----------------------------------------------------------------------------- */

#define PICK(texts, word) texts[rf_uniform_below(word, sizeof texts / sizeof *texts)]

static void adult_row(rf_buf *out, uint32_t row)
{
    static const char *const work[] = {"Private",          "Private",    "Private", "Private",
                                       "Self-emp-not-inc", "Local-gov",  "?",       "State-gov",
                                       "Self-emp-inc",     "Federal-gov"};
    static const char *const school[] = {"HS-grad", "Some-college", "Bachelors", "Masters", "Assoc-voc",
                                         "11th",    "Assoc-acdm",   "10th",      "7th-8th", "Prof-school",
                                         "9th",     "12th",         "Doctorate"};
    static const char *const marriage[] = {"Married-civ-spouse", "Never-married", "Divorced", "Separated",
                                           "Widowed"};
    static const char *const job[] = {
        "Prof-specialty", "Craft-repair",      "Exec-managerial",  "Adm-clerical",     "Sales",
        "Other-service",  "Machine-op-inspct", "Transport-moving", "Handlers-cleaners"};
    static const char *const kin[] = {"Husband",   "Not-in-family", "Own-child",
                                      "Unmarried", "Wife",          "Other-relative"};
    static const char *const race[] = {"White", "White", "White", "White", "Black", "Asian-Pac-Islander",
                                       "Other"};
    static const char *const country[] = {"United-States", "United-States", "United-States", "United-States",
                                          "Mexico",        "Philippines",   "Germany",       "Canada",
                                          "Puerto-Rico",   "El-Salvador",   "India"};
    const rf_draw draw = {.seed = 1, .purpose = RF_DRAW_DEMO};
    uint32_t w[16];
    for (uint32_t i = 0; i < 4; i++)
        memcpy(w + 4 * i, rf_philox(draw, 4 * row + i).word, sizeof(uint32_t[4]));
    const bool gain = rf_uniform_below(w[11], 12) == 0, loss = rf_uniform_below(w[12], 20) == 0;
    rf_buf_printf(out, "%u,%s,%u,%s,%u,%s,%s,%s,%s,%s,%u,%u,%u,%s,%s\n", 17 + rf_uniform_below(w[0], 74),
                  PICK(work, w[1]), 12285 + rf_uniform_below(w[2], 1472420), PICK(school, w[3]),
                  1 + rf_uniform_below(w[4], 16), PICK(marriage, w[5]), PICK(job, w[6]), PICK(kin, w[7]),
                  PICK(race, w[8]), w[9] & 1 ? "Male" : "Female", gain ? rf_uniform_below(w[10], 99999) : 0,
                  loss ? rf_uniform_below(w[10], 4356) : 0, 1 + rf_uniform_below(w[13], 99),
                  PICK(country, w[14]), w[15] & 1 ? "<=50K" : ">50K");
}

static void decimal_row(rf_buf *out, uint32_t row)
{
    const rf_draw draw = {.seed = 2, .purpose = RF_DRAW_DEMO};
    for (uint32_t i = 0; i < 10; i++) {
        const uint32_t word = rf_philox_u32(draw, 10 * row + i);
        rf_buf_printf(out, "%s%u.%04u%c", word & 1 ? "-" : "", 1 + rf_uniform_below(word, 400),
                      word % 9999 + 1, i < 9 ? ',' : '\n');
    }
}

/* The writer keeps trailing zeros only where all have them; the tables here have none to lose. */
static void generate(rf_buf *out, const char *header, void (*row)(rf_buf *, uint32_t))
{
    rf_buf_init(out);
    rf_buf_reserve(out, TABLE_BYTES + 4096);
    rf_buf_puts(out, header);
    for (uint32_t i = 0; out->size_bytes < TABLE_BYTES && !out->failed; i++)
        row(out, i);
}

/* ---- checking ------------------------------------------------------------------------------- */

typedef struct work {
    const char *name;
    rf_buf csv, back;
    rf_table *table;
    char path[64];
    rf_pool *pool;
} work;

static rf_code check(work *w, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_buf_check(&w->csv, "the table", err));
    RF_TRY(rf_table_read_bytes(&w->table, w->name, w->csv.data, w->csv.size_bytes, NULL, NULL, err));
    RF_TRY(rf_table_format(w->table, &w->back, err));
    if (w->back.size_bytes < w->csv.size_bytes / 2)
        RF_TRY(rf_fail(err, RF_INTERNAL, "%s was not written whole: nothing was timed", w->name));
    if (w->back.size_bytes != w->csv.size_bytes || memcmp(w->back.data, w->csv.data, w->csv.size_bytes) != 0)
        RF_TRY(rf_fail(err, RF_INTERNAL, "%s did not come back as it was: nothing was timed", w->name));
    rf_buf_free(&w->back);
    snprintf(w->path, sizeof w->path, "/dev/shm/bench_csv_%d.csv", (int)getpid());
    RF_TRY(rf_file_store(w->path, w->csv.data, w->csv.size_bytes, err));
out:
    return rc;
}

/* ---- timing --------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef rf_code job_fn(work *w, rf_error *err);

static rf_code read_memory(work *w, rf_error *err)
{
    rf_table *table = NULL;
    const rf_table_options options = {.pool = w->pool};
    const rf_code rc =
        rf_table_read_bytes(&table, w->name, w->csv.data, w->csv.size_bytes, &options, NULL, err);
    rf_table_free(table);
    return rc;
}

static rf_code read_file(work *w, rf_error *err)
{
    rf_table *table = NULL;
    const rf_table_options options = {.pool = w->pool};
    const rf_code rc = rf_table_read(&table, w->path, &options, NULL, err);
    rf_table_free(table);
    return rc;
}

static rf_code write_file(work *w, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_writer *writer = NULL;
    const rf_write_options options = {.format = "csv", .pool = w->pool};
    RF_TRY(rf_table_writer_open(&writer, "/dev/null", &w->table->schema, &options, err));
    RF_TRY(rf_table_writer_append(writer, w->table, err));
    RF_TRY(rf_table_writer_commit(writer, err));
out:
    rf_table_writer_close(writer);
    return rc;
}

static rf_code count_lines(work *w, rf_error *err)
{
    int64_t n = 0;
    const char *at = w->csv.data, *end = at + w->csv.size_bytes;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        n++;
        at++;
    }
    return n > 1 ? RF_OK : rf_fail(err, RF_INTERNAL, "no lines");
}

static rf_code time_job(work *w, const char *what, job_fn *job, int threads, rf_error *err)
{
    rf_code rc = RF_OK;
    double seconds[RUNS], cpu[RUNS];
    RF_TRY(rf_pool_create(&w->pool, threads, err));
    for (int i = -1; i < RUNS; i++) { /* the first warms up */
        const double start = rf_clock_s(), cpu_start = cpu_s();
        RF_TRY(job(w, err));
        seconds[i < 0 ? 0 : i] = rf_clock_s() - start;
        cpu[i < 0 ? 0 : i] = cpu_s() - cpu_start;
    }
    qsort(seconds, RUNS, sizeof *seconds, by_value);
    qsort(cpu, RUNS, sizeof *cpu, by_value);
    const double gb = (double)w->csv.size_bytes * 1e-9;
    printf("{\"name\": \"%s %s, %d thread%s\", \"bytes\": %zu, \"rows\": %lld, \"median_ms\": %.1f, "
           "\"gb_per_s\": %.2f, \"gb_per_cpu_s\": %.2f, \"least\": %.2f, \"most\": %.2f}\n",
           w->name, what, threads, threads > 1 ? "s" : "", w->csv.size_bytes, (long long)w->table->n_rows,
           1e3 * seconds[RUNS / 2], gb / seconds[RUNS / 2], gb / cpu[RUNS / 2], gb / cpu[RUNS - 1],
           gb / cpu[0]);
    fflush(stdout);
out:
    rf_pool_free(w->pool);
    w->pool = NULL;
    return rc;
}

static rf_code bench(const char *name, const char *header, void (*row)(rf_buf *, uint32_t), rf_error *err)
{
    rf_code rc = RF_OK;
    work w = {.name = name};
    generate(&w.csv, header, row);
    RF_TRY(check(&w, err));
    RF_TRY(time_job(&w, "count lines (memchr)", count_lines, 1, err));
    RF_TRY(time_job(&w, "bytes to columns", read_memory, 1, err));
    RF_TRY(time_job(&w, "file to columns", read_file, 1, err));
    RF_TRY(time_job(&w, "file to columns", read_file, 2, err));
    RF_TRY(time_job(&w, "columns to bytes", write_file, 1, err));
    RF_TRY(time_job(&w, "columns to bytes", write_file, 2, err));
out:
    if (w.path[0])
        unlink(w.path);
    rf_table_free(w.table);
    rf_buf_free(&w.csv);
    rf_buf_free(&w.back);
    return rc;
}

int main(void)
{
    rf_error err = {0};
    if (bench("adult", header_adult, adult_row, &err) == RF_OK &&
        bench("decimals", "a,b,c,d,e,f,g,h,i,j\n", decimal_row, &err) == RF_OK)
        return 0;
    fprintf(stderr, "bench_csv: %s\n", err.message);
    return 1;
}
