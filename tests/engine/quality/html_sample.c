#include "html_sample.h"

#include <math.h>

#include "core/alloc.h"
#include "rf_test.h"

const char html_hostile[] = "</script><img src=x onerror=\"alert(1)\">&'";
static const char hostile_category[] = "<b onclick='x'>\xC3\xA9\xFF\x01</b>";
static const char long_name[] = "a column whose name goes on and on until nobody can remember how it began";

rf_field html_sample_fields[HTML_COLUMNS] = {
    {.name = "age", .kind = RF_KIND_INTEGER},
    {.name = "income", .kind = RF_KIND_CONTINUOUS, .decimals = -1},
    {.name = "gain", .kind = RF_KIND_INTEGER},
    {.name = "joined", .kind = RF_KIND_DATETIME, .datetime_format = "%Y-%m-%d"},
    {.name = "city", .kind = RF_KIND_CATEGORICAL},
    {.name = "member", .kind = RF_KIND_BOOLEAN},
    {.name = html_hostile, .kind = RF_KIND_CATEGORICAL},
    {.name = long_name, .kind = RF_KIND_CONTINUOUS, .decimals = 2},
    {.name = "constant", .kind = RF_KIND_INTEGER},
    {.name = "key", .kind = RF_KIND_ID},
};

/* A number in [0, 1) that depends on its arguments only. */
static double noise(uint64_t row, uint64_t column, uint64_t salt)
{
    uint64_t x = row * 0x9E3779B97F4A7C15u + column * 0xC2B2AE3D27D4EB4Fu + salt * 0x165667B19E3779F9u + 1;
    x = (x ^ (x >> 31)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 29)) * 0x94D049BB133111EBu;
    return (double)((x ^ (x >> 32)) >> 11) * 0x1p-53;
}

static double bell(int64_t row, int column, int salt)
{
    double sum = 0;
    for (int i = 0; i < 6; i++)
        sum += noise((uint64_t)row, (uint64_t)(column * 7 + i), (uint64_t)salt);
    return sum / 3 - 1;
}

static void set_texts(rf_table *table, int32_t column, const char *const *texts, int32_t n)
{
    rf_error err = {0};
    int64_t offsets[64] = {0};
    char bytes[1024];
    for (int32_t i = 0; i < n; i++) {
        const size_t length = strlen(texts[i]);
        memcpy(bytes + offsets[i], texts[i], length);
        offsets[i + 1] = offsets[i] + (int64_t)length;
    }
    const rf_dict dict = {.n = n, .offsets = offsets, .bytes = bytes};
    assert_ok(rf_table_set_dict(table, column, &dict, &err));
}

static double income_of(int64_t row, int salt)
{
    const double b = bell(row, HTML_INCOME, salt) * 2.4;
    double value = 20000; /* long-tailed: powers of 1.7 by halves */
    for (double left = fabs(b); left > 0; left -= 0.25)
        value = b > 0 ? value * 1.31 : value / 1.2;
    return value * (1 + 0.1 * noise((uint64_t)row, 77, (uint64_t)salt));
}

static void fill_values(rf_table *table, int salt)
{
    for (int64_t row = 0; row < table->n_rows; row++) {
        const double a = bell(row, HTML_AGE, salt);
        table->columns[HTML_AGE].values[row] = rint(44 + 24 * a + salt);
        table->columns[HTML_INCOME].values[row] = row % 11 == 0 ? NAN : income_of(row, salt);
        table->columns[HTML_GAIN].values[row] =
            noise((uint64_t)row, HTML_GAIN, (uint64_t)salt) < 0.85 ? 0 : rint(income_of(row, salt + 5) / 3);
        table->columns[HTML_JOINED].values[row] =
            86400.0 * rint(16800 + 900 * noise((uint64_t)row, HTML_JOINED, (uint64_t)salt));
        table->columns[HTML_LONG].values[row] = 50.17 + 0.01 * rint(1000 * bell(row, HTML_LONG, salt));
        table->columns[HTML_CONSTANT].values[row] = 7;
    }
    table->columns[HTML_INCOME].n_missing = (table->n_rows + 10) / 11;
}

static void fill_codes(rf_table *table, int salt)
{
    static const char *const cities[] = {"Lisbon", "Oslo",   "Lima",  "Accra", "Hanoi",
                                         "Quito",  "Turin",  "Perth", "Osaka", "Delhi",
                                         "Minsk",  "Bogota", "Sofia", "Dakar", "Nobodyville"};
    static const char *const cities_shuffled[] = {"Oslo",  "Lisbon", "Lima",  "Accra", "Hanoi",
                                                  "Quito", "Turin",  "Perth", "Osaka", "Delhi",
                                                  "Minsk", "Bogota", "Sofia", "Dakar", "Atlantis"};
    static const char *const truths[] = {"yes", "no"};
    static const char *const odd[] = {hostile_category, "plain", ""};
    static const char *const keys[] = {"K-1", "K-2"};
    set_texts(table, HTML_CITY, salt ? cities_shuffled : cities, 15);
    set_texts(table, HTML_MEMBER, truths, 2);
    set_texts(table, HTML_HOSTILE, odd, 3);
    set_texts(table, HTML_KEY, keys, 2);
    for (int64_t row = 0; row < table->n_rows; row++) {
        const double u = noise((uint64_t)row, HTML_CITY, (uint64_t)salt);
        table->columns[HTML_CITY].codes[row] = row < 3 ? 14 : (int32_t)(14 * u * u);
        table->columns[HTML_MEMBER].codes[row] =
            bell(row, HTML_AGE, salt) + 0.4 * bell(row, HTML_MEMBER, salt) > 0;
        table->columns[HTML_HOSTILE].codes[row] =
            (int32_t)(3 * noise((uint64_t)row, HTML_HOSTILE, (uint64_t)salt));
        table->columns[HTML_KEY].codes[row] = (int32_t)(row % 2);
    }
}

/* One column and one pair of everything, with scores that fall from 0.99. */
void html_sample_quality(rf_quality *quality, const rf_schema *schema)
{
    rf_arena_init(&quality->arena);
    quality->n_columns = schema->n_fields;
    quality->columns = RF_ARENA_ARRAY(&quality->arena, rf_quality_column, schema->n_fields + 1);
    quality->pairs =
        RF_ARENA_ARRAY(&quality->arena, rf_quality_pair, schema->n_fields * schema->n_fields + 1);
    assert_false(quality->arena.failed);
    for (int32_t i = 0; i < schema->n_fields; i++) {
        const bool coded = rf_kind_is_coded(schema->fields[i].kind),
                   modelled = schema->fields[i].kind != RF_KIND_ID;
        quality->columns[i] = (rf_quality_column){.field = i,
                                                  .modelled = modelled,
                                                  .shape = modelled ? 0.99 - 0.037 * i : NAN,
                                                  .validity = 1 - 0.002 * i,
                                                  .metric = !modelled ? NULL
                                                            : coded   ? "TVComplement"
                                                                      : "KSComplement",
                                                  .format_validity = NAN,
                                                  .validity_metric = modelled ? "BoundaryAdherence" : NULL,
                                                  .missing_similarity = 1,
                                                  .coverage = modelled ? 0.9 : NAN,
                                                  .coverage_metric = modelled ? "RangeCoverage" : NULL};
        for (int32_t j = 0; j < i && modelled; j++) {
            const bool numeric = !coded && !rf_kind_is_coded(schema->fields[j].kind);
            rf_quality_pair *pair = &quality->pairs[quality->n_pairs++];
            *pair = (rf_quality_pair){.a = j,
                                      .b = i,
                                      .score = 0.98 - 0.01 * i - 0.02 * j,
                                      .metric = "ContingencySimilarity",
                                      .real_correlation = numeric ? 0.5 - 0.13 * j : NAN,
                                      .synthetic_correlation = numeric ? 0.4 - 0.1 * j : NAN,
                                      .real_association = numeric ? NAN : 0.1 * j,
                                      .gated_in = j > 3};
            quality->n_pairs_gated_in += pair->gated_in;
        }
    }
}

static void describe_run(html_sample *s)
{
    rf_notes_init(&s->notes);
    rf_note(&s->notes, "column \"constant\" has one value and is kept as it is");
    rf_note(&s->notes, "column \"%s\" has an unusual name", html_hostile);
    s->context = (rf_report_context){
        .title = "people.csv",
        .model = "ctgan",
        .seed = 7,
        .has_seed = true,
        .params_json = "{\"epochs\": 300, \"generator_dim\": [256, 256], \"generator_lr\": 2e-4}",
        .train_seconds = 163.2,
        .sample_seconds = 0.31,
        .device = "cpu, 2 threads",
        .created = "2026-01-02T03:04:05Z",
        .notes = &s->notes};
}

rf_table *html_sample_table(const rf_schema *schema, int64_t n_rows)
{
    rf_error err = {0};
    rf_table *table = NULL;
    assert_ok(rf_table_create(&table, schema, n_rows, &err));
    return table;
}

void html_sample_open(html_sample *s)
{
    *s = (html_sample){0};
    for (int i = 0; i < HTML_COLUMNS; i++)
        html_sample_fields[i].label = html_sample_fields[i].name;
    const rf_schema schema = {.n_fields = HTML_COLUMNS,
                              .fields = html_sample_fields,
                              .dialect = {.delimiter = ',', .decimal_point = '.'}};
    s->real = html_sample_table(&schema, HTML_ROWS);
    s->synthetic = html_sample_table(&schema, HTML_ROWS - 100);
    fill_values(s->real, 0);
    fill_values(s->synthetic, 4);
    fill_codes(s->real, 0);
    fill_codes(s->synthetic, 4);
    html_sample_quality(&s->quality, &schema);
    rf_quality *q = &s->quality;
    q->n_real = HTML_ROWS;
    q->n_synthetic = HTML_ROWS - 100;
    q->shapes = 0.874;
    q->trends_gated = 0.7023;
    q->trends_all = 0.8249;
    q->overall_gated = 0.788;
    q->overall_all = 0.849;
    q->validity = 0.95;
    q->structure = 1;
    q->diagnostic = 0.975;
    q->exact_copies = 3;
    q->dcr = (rf_dcr_summary){.n_synthetic = 500,
                              .n_real = 600,
                              .min = 0,
                              .p5 = 0.021,
                              .median = 0.083,
                              .mean = 0.091,
                              .max = 0.31};
    q->has_holdout = true;
    q->n_holdout = 100;
    q->holdout_copies = 1;
    q->dcr_holdout = (rf_dcr_summary){.n_synthetic = 100,
                                      .n_real = 600,
                                      .min = 0.004,
                                      .p5 = 0.032,
                                      .median = 0.088,
                                      .mean = 0.094,
                                      .max = 0.28};
    q->columns[HTML_INCOME].missing_real = q->columns[HTML_INCOME].missing_synthetic = 0.091;
    q->columns[HTML_CONSTANT].shape = NAN;
    q->columns[HTML_CONSTANT].problem = "the column has <one> value";
    describe_run(s);
}

void html_sample_close(html_sample *s)
{
    rf_arena_free(&s->quality.arena);
    rf_notes_free(&s->notes);
    rf_table_free(s->real);
    rf_table_free(s->synthetic);
}

char *html_sample_page(html_sample *s, rf_buf *buf)
{
    rf_buf_init(buf);
    rf_quality_html(&s->quality, s->real, s->synthetic, &s->context, buf);
    assert_false(buf->failed);
    return buf->data;
}
