/* bench_csv - bytes to typed columns and back, one JSON object a line.
 *
 * Tables of 150 MB: three generated ones (like Adult: 6 whole numbers and 9 categories a row; ten decimals; texts:
 * keys, dates, sentences in quotes), and those of ROWFORGE_DATA that are known, repeated. Before anything is timed each is
 * read and written back: a generated one must give the same bytes, a real one the same bytes from the second time on. Beside
 * every run, as the machine's limit for one look at the bytes, a count of line ends with memchr; of_memchr is the
 * median of the quotients. gb_per_s is by the clock; gb_per_cpu_s by processor time, which says the same on an idle
 * machine and stays true on a busy one: that is the figure for one core.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench_clock.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/philox.h"
#include "core/pool.h"
#include "engine/table/table.h"

enum { RUNS = 5, TABLE_BYTES = 150 << 20 };

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

static void text_row(rf_buf *out, uint32_t row)
{
    static const char *const town[] = {"Oslo", "Z\xC3\xBCrich", "New York", "S\xC3\xA3o Paulo", "Rome"};
    static const char *const verb[] = {"called about", "sent back", "asked for", "was sent, twice,",
                                       "praised"};
    const rf_draw draw = {.seed = 3, .purpose = RF_DRAW_DEMO};
    const uint32_t a = rf_philox_u32(draw, 2 * row), b = rf_philox_u32(draw, 2 * row + 1);
    rf_buf_printf(out,
                  "key%08u,20%02u-%02u-%02u %02u:%02u:%02u,%s,\"the customer %s, on line %u, the \"\"%s\"\" "
                  "of %u\",%s\n",
                  row, a % 25, a / 32 % 12 + 1, a / 512 % 28 + 1, b % 24, b / 32 % 60, b / 2048 % 60,
                  PICK(town, a), PICK(verb, b), a % 1000, PICK(town, b), b % 40, a & 4096 ? "true" : "false");
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

/* A real table, its rows again and again; empty when it is not there. */
static void repeat(rf_buf *out, const char *folder, const char *name)
{
    char path[4096];
    rf_file_bytes bytes = {0};
    rf_buf_init(out);
    snprintf(path, sizeof path, "%s/%s.csv", folder, name);
    if (rf_file_bytes_open(&bytes, path, NULL) != RF_OK)
        return;
    const char *body = memchr(bytes.data, '\n', bytes.size_bytes);
    const size_t header = body ? (size_t)(body + 1 - bytes.data) : 0;
    rf_buf_reserve(out, TABLE_BYTES + bytes.size_bytes);
    rf_buf_append(out, bytes.data, header);
    while (header && out->size_bytes < TABLE_BYTES && !out->failed)
        rf_buf_append(out, bytes.data + header, bytes.size_bytes - header);
    rf_file_bytes_close(&bytes);
}

/* ---- checking ------------------------------------------------------------------------------- */

typedef struct work {
    const char *name;
    rf_buf csv, back;
    rf_table *table;
    char path[64];
    rf_pool *pool;
} work;

static rf_code come_back(work *w, const rf_buf *from, rf_buf *back, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_free(w->table);
    w->table = NULL;
    rf_buf_init(back);
    RF_TRY(rf_table_read_bytes(&w->table, w->name, from->data, from->size_bytes, NULL, NULL, err));
    RF_TRY(rf_table_format(w->table, back, err));
out:
    return rc;
}

static rf_code check(work *w, bool exact, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf first = {0};
    RF_TRY(rf_buf_check(&w->csv, "the table", err));
    RF_TRY(come_back(w, &w->csv, &w->back, err));
    if (!exact) {
        first = w->back;
        RF_TRY(come_back(w, &first, &w->back, err));
    }
    const rf_buf *same = exact ? &w->csv : &first;
    if (w->back.size_bytes < w->csv.size_bytes / 2)
        RF_TRY(rf_fail(err, RF_INTERNAL, "%s was not written whole: nothing was timed", w->name));
    if (w->back.size_bytes != same->size_bytes || memcmp(w->back.data, same->data, same->size_bytes) != 0)
        RF_TRY(rf_fail(err, RF_INTERNAL, "%s did not come back as it was: nothing was timed", w->name));
    rf_buf_free(&w->back);
    snprintf(w->path, sizeof w->path, "/dev/shm/bench_csv_%d.csv", (int)getpid());
    RF_TRY(rf_file_store(w->path, w->csv.data, w->csv.size_bytes, err));
out:
    rf_buf_free(&first);
    return rc;
}

/* ---- timing --------------------------------------------------------------------------------- */

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

static double median(double *values)
{
    qsort(values, RUNS, sizeof *values, by_value);
    return values[RUNS / 2];
}

static rf_code time_job(work *w, const char *what, job_fn *job, int threads, rf_error *err)
{
    rf_code rc = RF_OK;
    double seconds[RUNS], cpu[RUNS], share[RUNS];
    RF_TRY(rf_pool_create(&w->pool, threads, err));
    for (int run = -1; run < RUNS; run++) { /* the first warms up */
        const int i = run < 0 ? 0 : run;
        const double start = rf_clock_s(), cpu_start = cpu_s();
        RF_TRY(job(w, err));
        seconds[i] = rf_clock_s() - start;
        cpu[i] = cpu_s() - cpu_start;
        const double count_start = cpu_s();
        RF_TRY(count_lines(w, err));
        share[i] = (cpu_s() - count_start) / cpu[i];
    }
    const double gb = (double)w->csv.size_bytes * 1e-9, middle = median(seconds), middle_cpu = median(cpu);
    printf(
        "{\"name\": \"%s %s, %d thread%s\", \"bytes\": %zu, \"rows\": %lld, \"median_ms\": %.1f, "
        "\"gb_per_s\": %.2f, \"gb_per_cpu_s\": %.2f, \"least\": %.2f, \"most\": %.2f, \"of_memchr\": %.2f}\n",
        w->name, what, threads, threads > 1 ? "s" : "", w->csv.size_bytes, (long long)w->table->n_rows,
        1e3 * middle, gb / middle, gb / middle_cpu, gb / cpu[RUNS - 1], gb / cpu[0], median(share));
    fflush(stdout);
out:
    rf_pool_free(w->pool);
    w->pool = NULL;
    return rc;
}

/* Takes csv. */
static rf_code bench(const char *name, rf_buf csv, bool exact, rf_error *err)
{
    rf_code rc = RF_OK;
    work w = {.name = name, .csv = csv};
    RF_TRY(check(&w, exact, err));
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

static rf_code bench_generated(rf_error *err)
{
    static const struct {
        const char *name, *header;
        void (*row)(rf_buf *, uint32_t);
    } shapes[] = {{"adult", header_adult, adult_row},
                  {"decimals", "a,b,c,d,e,f,g,h,i,j\n", decimal_row},
                  {"texts", "key,at,town,note,open\n", text_row}};
    rf_code rc = RF_OK;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        rf_buf csv;
        generate(&csv, shapes[i].header, shapes[i].row);
        RF_TRY(bench(shapes[i].name, csv, true, err));
    }
out:
    return rc;
}

static rf_code bench_real(const char *folder, rf_error *err)
{
    static const char *const names[] = {"adult", "magic", "default", "shoppers"};
    rf_code rc = RF_OK;
    for (size_t i = 0; folder && i < sizeof names / sizeof *names; i++) {
        char name[64];
        rf_buf csv;
        repeat(&csv, folder, names[i]);
        snprintf(name, sizeof name, "real %s", names[i]);
        if (csv.size_bytes)
            RF_TRY(bench(name, csv, false, err));
    }
out:
    return rc;
}

int main(void)
{
    rf_error err = {0};
    if (bench_generated(&err) == RF_OK && bench_real(getenv("ROWFORGE_DATA"), &err) == RF_OK)
        return 0;
    fprintf(stderr, "bench_csv: %s\n", err.message);
    return 1;
}
