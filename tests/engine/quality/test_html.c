/* The HTML report, from two tables and an evaluation that are made by hand. */
#include "rf_test.h"

#include <math.h>

#include "core/alloc.h"
#include "core/buf.h"
#include "core/text.h"
#include "engine/quality/quality.h"

/* ------------------------------------------------------------------ a sample to report on */

enum { ROWS = 600, COLUMNS = 10 };

static const char hostile[] = "</script><img src=x onerror=\"alert(1)\">&'";
static const char hostile_category[] = "<b onclick='x'>\xC3\xA9\xFF\x01</b>";
static const char long_name[] = "a column whose name goes on and on until nobody can remember how it began";

enum { AGE, INCOME, GAIN, JOINED, CITY, MEMBER, HOSTILE, LONG, CONSTANT, KEY };

static rf_field sample_fields[COLUMNS] = {
    {.name = "age", .kind = RF_KIND_INTEGER},
    {.name = "income", .kind = RF_KIND_CONTINUOUS, .decimals = -1},
    {.name = "gain", .kind = RF_KIND_INTEGER},
    {.name = "joined", .kind = RF_KIND_DATETIME, .datetime_format = "%Y-%m-%d"},
    {.name = "city", .kind = RF_KIND_CATEGORICAL},
    {.name = "member", .kind = RF_KIND_BOOLEAN},
    {.name = hostile, .kind = RF_KIND_CATEGORICAL},
    {.name = long_name, .kind = RF_KIND_CONTINUOUS, .decimals = 2},
    {.name = "constant", .kind = RF_KIND_INTEGER},
    {.name = "key", .kind = RF_KIND_ID},
};

typedef struct sample {
    rf_table *real, *synthetic;
    rf_quality quality;
    rf_notes notes;
    rf_report_context context;
} sample;

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
    const double b = bell(row, INCOME, salt) * 2.4;
    double value = 20000; /* long-tailed: powers of 1.7 by halves */
    for (double left = fabs(b); left > 0; left -= 0.25)
        value = b > 0 ? value * 1.31 : value / 1.2;
    return value * (1 + 0.1 * noise((uint64_t)row, 77, (uint64_t)salt));
}

static void fill_values(rf_table *table, int salt)
{
    for (int64_t row = 0; row < table->n_rows; row++) {
        const double a = bell(row, AGE, salt);
        table->columns[AGE].values[row] = rint(44 + 24 * a + salt);
        table->columns[INCOME].values[row] = row % 11 == 0 ? NAN : income_of(row, salt);
        table->columns[GAIN].values[row] =
            noise((uint64_t)row, GAIN, (uint64_t)salt) < 0.85 ? 0 : rint(income_of(row, salt + 5) / 3);
        table->columns[JOINED].values[row] =
            86400.0 * rint(16800 + 900 * noise((uint64_t)row, JOINED, (uint64_t)salt));
        table->columns[LONG].values[row] = 50.17 + 0.01 * rint(1000 * bell(row, LONG, salt));
        table->columns[CONSTANT].values[row] = 7;
    }
    table->columns[INCOME].n_missing = (table->n_rows + 10) / 11;
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
    set_texts(table, CITY, salt ? cities_shuffled : cities, 15);
    set_texts(table, MEMBER, truths, 2);
    set_texts(table, HOSTILE, odd, 3);
    set_texts(table, KEY, keys, 2);
    for (int64_t row = 0; row < table->n_rows; row++) {
        const double u = noise((uint64_t)row, CITY, (uint64_t)salt);
        table->columns[CITY].codes[row] = row < 3 ? 14 : (int32_t)(14 * u * u);
        table->columns[MEMBER].codes[row] = bell(row, AGE, salt) + 0.4 * bell(row, MEMBER, salt) > 0;
        table->columns[HOSTILE].codes[row] = (int32_t)(3 * noise((uint64_t)row, HOSTILE, (uint64_t)salt));
        table->columns[KEY].codes[row] = (int32_t)(row % 2);
    }
}

/* One column and one pair of everything, with scores that fall from 0.99. */
static void fill_quality(rf_quality *quality, const rf_schema *schema)
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

static void describe_run(sample *s)
{
    rf_notes_init(&s->notes);
    rf_note(&s->notes, "column \"constant\" has one value and is kept as it is");
    rf_note(&s->notes, "column \"%s\" has an unusual name", hostile);
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

static rf_table *make_table(const rf_schema *schema, int64_t n_rows)
{
    rf_error err = {0};
    rf_table *table = NULL;
    assert_ok(rf_table_create(&table, schema, n_rows, &err));
    return table;
}

static void sample_open(sample *s)
{
    *s = (sample){0};
    for (int i = 0; i < COLUMNS; i++)
        sample_fields[i].label = sample_fields[i].name;
    const rf_schema schema = {
        .n_fields = COLUMNS, .fields = sample_fields, .dialect = {.delimiter = ',', .decimal_point = '.'}};
    s->real = make_table(&schema, ROWS);
    s->synthetic = make_table(&schema, ROWS - 100);
    fill_values(s->real, 0);
    fill_values(s->synthetic, 4);
    fill_codes(s->real, 0);
    fill_codes(s->synthetic, 4);
    fill_quality(&s->quality, &schema);
    rf_quality *q = &s->quality;
    q->n_real = ROWS;
    q->n_synthetic = ROWS - 100;
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
    q->columns[INCOME].missing_real = q->columns[INCOME].missing_synthetic = 0.091;
    q->columns[CONSTANT].shape = NAN;
    q->columns[CONSTANT].problem = "the column has <one> value";
    describe_run(s);
}

static void sample_close(sample *s)
{
    rf_arena_free(&s->quality.arena);
    rf_notes_free(&s->notes);
    rf_table_free(s->real);
    rf_table_free(s->synthetic);
}

static char *page_of(sample *s, rf_buf *buf)
{
    rf_buf_init(buf);
    rf_quality_html(&s->quality, s->real, s->synthetic, &s->context, buf);
    assert_false(buf->failed);
    return buf->data;
}

/* ------------------------------------------------------------------ a checker of tags */

enum { DEPTH_MAX = 64, NAME_MAX_BYTES = 32 };

typedef struct checker {
    const char *at;
    char open[DEPTH_MAX][NAME_MAX_BYTES];
    int depth;
    const char *fault;
} checker;

static bool is_void(const char *name)
{
    static const char *const names[] = {"meta", "link", "img", "br", "hr", "input"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void read_name(checker *c, char name[NAME_MAX_BYTES])
{
    size_t n = 0;
    while (n + 1 < NAME_MAX_BYTES && ((*c->at >= 'a' && *c->at <= 'z') || (*c->at >= 'A' && *c->at <= 'Z') ||
                                      (*c->at >= '0' && *c->at <= '9')))
        name[n++] = *c->at++;
    name[n] = 0;
}

/* Attributes are name="value" or a bare name; none is a handler or a style. True when it closed itself. */
static bool read_attributes(checker *c)
{
    while (*c->at && *c->at != '>' && *c->at != '/') {
        if (*c->at != ' ') {
            c->fault = "text inside a tag";
            return false;
        }
        c->at++;
        if (strncmp(c->at, "on", 2) == 0 || strncmp(c->at, "style", 5) == 0 || strncmp(c->at, "src", 3) == 0)
            c->fault = "an attribute that may not be there";
        c->at += strcspn(c->at, "= >\"<");
        if (*c->at != '=')
            continue;
        if (c->at[1] != '"')
            c->fault = "a value without quotes";
        c->at += 2;
        c->at += strcspn(c->at, "\"<");
        if (*c->at != '"')
            c->fault = "a value that does not end";
        else
            c->at++;
    }
    const bool closed = *c->at == '/';
    c->at += closed;
    if (*c->at != '>')
        c->fault = "a tag that does not end";
    else
        c->at++;
    return closed;
}

static void read_tag(checker *c)
{
    char name[NAME_MAX_BYTES];
    const bool end = c->at[1] == '/';
    c->at += end ? 2 : 1;
    read_name(c, name);
    if (!name[0] || read_attributes(c) || c->fault || is_void(name)) {
        if (!name[0])
            c->fault = "a tag without a name";
        return;
    }
    if (!end) {
        if (c->depth == DEPTH_MAX) {
            c->fault = "too deep";
            return;
        }
        snprintf(c->open[c->depth++], NAME_MAX_BYTES, "%s", name);
        if (strcmp(name, "script") == 0 || strcmp(name, "style") == 0) {
            const char *close = strstr(c->at, "</");
            c->at = close ? close : "";
        }
    } else if (c->depth == 0 || strcmp(c->open[--c->depth], name) != 0)
        c->fault = "an end that nothing opened";
}

/* NULL when every tag is balanced, else what is wrong, and *where begins there. */
static const char *find_fault(const char *page, const char **where)
{
    checker c = {.at = page};
    static const char doctype[] = "<!DOCTYPE html>";
    if (strncmp(c.at, doctype, sizeof doctype - 1) != 0)
        return "no doctype";
    c.at += sizeof doctype - 1;
    while (*c.at && !c.fault) {
        *where = c.at;
        if (*c.at == '<')
            read_tag(&c);
        else
            c.at++;
    }
    return c.fault ? c.fault : c.depth ? "something stays open" : NULL;
}

static void assert_well_formed(const char *page)
{
    const char *where = page, *fault = find_fault(page, &where);
    if (fault) {
        print_error("%s at: %.200s\n", fault, where);
        fail();
    }
}

static int count_of(const char *page, const char *part)
{
    int n = 0;
    for (const char *at = strstr(page, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

static void assert_has(const char *page, const char *part)
{
    if (!strstr(page, part)) {
        print_error("the page lacks: %s\n", part);
        fail();
    }
}

static void assert_lacks(const char *page, const char *part)
{
    const char *at = strstr(page, part);
    if (at) {
        print_error("the page has: %s in: %.120s\n", part, at);
        fail();
    }
}

/* ------------------------------------------------------------------ tests */

static void page_is_well_formed_and_valid_utf8(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    const char *page = page_of(&s, &buf);
    assert_well_formed(page);
    assert_int_equal(rf_utf8_find_invalid(page, buf.size_bytes), -1);
    assert_int_equal(strlen(page), buf.size_bytes);
    rf_buf_free(&buf);
    sample_close(&s);
}

static void checker_sees_what_it_is_for(void **state)
{
    (void)state;
    static const struct {
        const char *page;
        bool good;
    } cases[] = {
        {"<!DOCTYPE html><p>a</p>", true},
        {"<!DOCTYPE html><p>a", false},
        {"<!DOCTYPE html><p><b>a</p></b>", false},
        {"<!DOCTYPE html><p class=a>a</p>", false},
        {"<!DOCTYPE html><p onclick=\"a\">a</p>", false},
        {"<!DOCTYPE html><p title=\"a<b\">a</p>", false},
        {"<!DOCTYPE html>a < b", false},
        {"<!DOCTYPE html><meta charset=\"utf-8\"><path d=\"M0 0\"/>", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *where = NULL;
        assert_int_equal(find_fault(cases[i].page, &where) == NULL, cases[i].good);
    }
}

static void page_names_every_column_escaped(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    const char *page = page_of(&s, &buf);
    for (int i = 0; i < COLUMNS; i++)
        if (i != HOSTILE)
            assert_has(page, sample_fields[i].name);
    assert_has(page, "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#39;");
    assert_has(page, "people.csv");
    rf_buf_free(&buf);
    sample_close(&s);
}

static void path_as_a_title_is_told_by_its_last_part(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    s.context.title = "/home/somebody/private/people.csv";
    const char *page = page_of(&s, &buf);
    assert_has(page, "<h1>people.csv</h1>");
    assert_lacks(page, "somebody");
    rf_buf_free(&buf);
    sample_close(&s);
}

static void hostile_names_stay_text(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    s.context.title = hostile;
    s.context.model = hostile;
    s.context.device = hostile;
    s.context.created = hostile;
    s.context.params_json = "{\"</dd><script>\": \"</script>\"}";
    s.quality.columns[CONSTANT].problem = hostile;
    const char *page = page_of(&s, &buf);
    assert_well_formed(page);
    assert_int_equal(count_of(page, "<script"), 1);
    assert_int_equal(count_of(page, "</script"), 1);
    assert_lacks(page, "<img");
    assert_lacks(page, "<b onclick");
    assert_int_equal(rf_utf8_find_invalid(page, buf.size_bytes), -1);
    rf_buf_free(&buf);
    s.context.params_json = "</pre><script>not json";
    page = page_of(&s, &buf);
    assert_well_formed(page);
    assert_int_equal(count_of(page, "<script"), 1);
    rf_buf_free(&buf);
    sample_close(&s);
}

static void page_loads_nothing(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    const char *page = page_of(&s, &buf);
    static const char *const outside[] = {"http://", "https://", "url(",  "@import", " src=\"",
                                          "<iframe", "<object",  "<base", "xlink"};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_lacks(page, outside[i]);
    for (const char *at = strstr(page, " href=\""); at; at = strstr(at + 1, " href=\""))
        if (at[7] != '#' && strncmp(at + 7, "data:,\"", 7) != 0)
            fail_msg("a link that leads out: %.60s", at);
    assert_has(page, "default-src 'none'");
    assert_int_equal(count_of(page, "'sha256-"), 2);
    rf_buf_free(&buf);
    sample_close(&s);
}

static void score_that_is_not_a_number_is_a_dash_with_its_reason(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    rf_quality *q = &s.quality;
    q->trends_gated = q->trends_all = q->overall_gated = q->diagnostic = q->validity = q->structure = NAN;
    q->pairs[0].score = NAN;
    q->pairs[0].problem = "not \"defined\"";
    const char *page = page_of(&s, &buf);
    assert_well_formed(page);
    assert_has(page, "title=\"the column has &lt;one&gt; value\">—<");
    assert_has(page, "title=\"not &quot;defined&quot;\">—<");
    const char *script = strstr(page, "<script>");
    buf.data[script - page] = 0; /* the script has isNaN in it */
    assert_lacks(page, "nan<");
    assert_lacks(page, "nan\"/");
    assert_lacks(page, ">nan");
    assert_lacks(page, "NaN");
    rf_buf_free(&buf);
    sample_close(&s);
}

static void evaluation_of_nothing_makes_a_page(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    s.quality.n_columns = s.quality.n_pairs = s.quality.n_pairs_gated_in = 0;
    s.quality.dcr = s.quality.dcr_holdout = (rf_dcr_summary){0};
    s.quality.has_holdout = false;
    s.notes.n = 0;
    assert_well_formed(page_of(&s, &buf));
    rf_buf_clear(&buf);
    rf_quality_html(&s.quality, s.real, s.synthetic, NULL, &buf);
    assert_false(buf.failed);
    assert_well_formed(buf.data);
    rf_buf_free(&buf);
    s.notes.n = 2;
    sample_close(&s);
}

static void columns_without_values_make_a_page(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    for (int c = 0; c < COLUMNS; c++)
        for (int64_t row = 0; row < ROWS; row++) {
            if (s.real->columns[c].values)
                s.real->columns[c].values[row] = NAN;
            else
                s.real->columns[c].codes[row] = -1;
        }
    const char *page = page_of(&s, &buf);
    assert_well_formed(page);
    assert_has(page, "has no value");
    rf_buf_free(&buf);
    sample_close(&s);
}

static void extreme_numbers_make_a_page(void **state)
{
    (void)state;
    static const double extremes[][3] = {
        {-1.7e308, 0, 1.7e308},     {5e-324, 1e-320, 1e-310},  {1e300, 1e307, 1.7e308},
        {1e15, 1e15 + 1, 1e15 + 2}, {-1e-9, 0, 1e-9},          {0.1, 0.1, 0.1},
        {-6.2e10, 0, 2.5e11},       {9007199254740991, 0, -1}, {1e-12, 1e4, 1e12}};
    sample s;
    rf_buf buf;
    sample_open(&s);
    for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
        for (int64_t row = 0; row < ROWS; row++)
            for (int c = 0; c < COLUMNS; c++)
                if (s.real->columns[c].values)
                    s.real->columns[c].values[row] = extremes[i][row % 3];
        assert_well_formed(page_of(&s, &buf));
        assert_lacks(buf.data, "-nan");
        assert_lacks(buf.data, "\"inf");
        rf_buf_free(&buf);
    }
    sample_close(&s);
}

static void rare_categories_and_extreme_cells_are_not_told(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    s.real->columns[INCOME].values[1] = 1234.56789; /* the least and the greatest */
    s.real->columns[INCOME].values[2] = 9876543.21;
    const char *page = page_of(&s, &buf);
    assert_has(page, "Lisbon");
    assert_lacks(page, "Nobodyville"); /* three real rows */
    assert_lacks(page, "Atlantis");    /* synthetic only */
    assert_has(page, "not in the real table");
    assert_lacks(page, "1234.5");
    assert_lacks(page, "9876543");
    rf_buf_free(&buf);
    sample_close(&s);
}

static void column_that_the_synthetic_table_lacks_is_said(void **state)
{
    (void)state;
    rf_error err = {0};
    sample s;
    rf_buf buf;
    sample_open(&s);
    rf_schema fewer = s.synthetic->schema;
    fewer.n_fields = 3;
    rf_table *narrow = NULL;
    assert_ok(rf_table_create(&narrow, &fewer, 50, &err));
    rf_buf_init(&buf);
    rf_quality_html(&s.quality, s.real, narrow, &s.context, &buf);
    assert_false(buf.failed);
    assert_well_formed(buf.data);
    assert_has(buf.data, "The synthetic table has no such column.");
    rf_buf_free(&buf);
    rf_table_free(narrow);
    sample_close(&s);
}

static void wide_table_makes_a_small_page_that_says_what_it_left_out(void **state)
{
    (void)state;
    enum { WIDE = 700 };
    sample s;
    rf_buf buf;
    static rf_field fields[WIDE];
    static char names[WIDE][256];
    for (int i = 0; i < WIDE; i++) {
        memset(names[i], '&', 240);
        snprintf(names[i] + 240, 16, "%d", i);
        fields[i] =
            (rf_field){.name = names[i], .label = names[i], .kind = RF_KIND_CONTINUOUS, .decimals = -1};
    }
    const rf_schema schema = {.n_fields = WIDE, .fields = fields};
    s = (sample){.real = make_table(&schema, 30), .synthetic = make_table(&schema, 30)};
    for (int i = 0; i < WIDE; i++)
        for (int row = 0; row < 30; row++)
            s.real->columns[i].values[row] = s.synthetic->columns[i].values[row] = row * (i + 1);
    fill_quality(&s.quality, &schema);
    const char *page = page_of(&s, &buf);
    assert_well_formed(page);
    assert_int_equal(count_of(page, "class=\"card col\""), 60);
    assert_has(page, "The 60 weakest of 700 columns are drawn");
    assert_has(page, "Shown are the 40 columns of 700");
    assert_has(page, "of which the 2,000 weakest are listed");
    assert_true(buf.size_bytes < 12u << 20);
    rf_buf_free(&buf);
    rf_arena_free(&s.quality.arena);
    rf_table_free(s.real);
    rf_table_free(s.synthetic);
}

static void weakest_stand_first(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    s.quality.columns[CITY].shape = 0.111;
    const char *page = page_of(&s, &buf), *cards = strstr(page, "<div class=\"cards\">");
    assert_non_null(cards);
    const char *city = strstr(cards, "id=\"c4\""), *age = strstr(cards, "id=\"c0\""),
               *constant = strstr(cards, "id=\"c8\"");
    assert_true(city && age && constant && city < age && age < constant);
    rf_buf_free(&buf);
    sample_close(&s);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    sample s;
    rf_buf buf;
    sample_open(&s);
    rf_alloc_fail_at(0);
    page_of(&s, &buf);
    const int64_t n = rf_alloc_count();
    rf_buf_free(&buf);
    assert_true(n > 3);
    for (int64_t i = 1; i <= n; i++) {
        rf_buf_init(&buf);
        rf_alloc_fail_at(i);
        rf_quality_html(&s.quality, s.real, s.synthetic, &s.context, &buf);
        rf_alloc_fail_at(0);
        if (!buf.failed)
            fail_msg("allocation %lld of %lld failed and nobody said so", (long long)i, (long long)n);
        rf_buf_free(&buf);
    }
    sample_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checker_sees_what_it_is_for),
        cmocka_unit_test(page_is_well_formed_and_valid_utf8),
        cmocka_unit_test(page_names_every_column_escaped),
        cmocka_unit_test(path_as_a_title_is_told_by_its_last_part),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(page_loads_nothing),
        cmocka_unit_test(score_that_is_not_a_number_is_a_dash_with_its_reason),
        cmocka_unit_test(evaluation_of_nothing_makes_a_page),
        cmocka_unit_test(columns_without_values_make_a_page),
        cmocka_unit_test(extreme_numbers_make_a_page),
        cmocka_unit_test(rare_categories_and_extreme_cells_are_not_told),
        cmocka_unit_test(column_that_the_synthetic_table_lacks_is_said),
        cmocka_unit_test(wide_table_makes_a_small_page_that_says_what_it_left_out),
        cmocka_unit_test(weakest_stand_first),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
