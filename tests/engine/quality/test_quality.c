#include <jansson.h>
#include <unistd.h>

#include "core/alloc.h"
#include "engine/quality/quality.h"
#include "hand_table.h"

#define GOLDEN RF_TEST_DATA "/reference/quality/"

/* ---- a small pair of tables ------------------------------------------------------------------ */

static const hand_column small_real[] = {
    {"age", RF_KIND_INTEGER, .values = NUMBERS(20, 30, 40, 50, NAN, 70)},
    {"pay", RF_KIND_CONTINUOUS, .values = NUMBERS(1, 2, 3.5, 4, 5, 6), .decimals = 1},
    {"key", RF_KIND_ID, .texts = TEXTS("k1", "k2", "k3", "k4", "k5", "k6"), .regex = "k\\d",
     .primary_key = true},
    {"day", RF_KIND_DATETIME, .values = NUMBERS(0, 86400, 172800, 0, NAN, 86400),
     .datetime_format = "%Y-%m-%d"},
    {"city", RF_KIND_CATEGORICAL, .texts = TEXTS("x", "y", "x", NULL, "y", "z")},
    {"paid", RF_KIND_BOOLEAN, .texts = TEXTS("yes", "no", "yes", "no", "no", "no")},
    {0}};

static const hand_column small_synthetic[] = {
    {"city", RF_KIND_CATEGORICAL, .texts = TEXTS("y", "y", "w", NULL, "x")},
    {"age", RF_KIND_INTEGER, .values = NUMBERS(25, 30, 45, NAN, 90)},
    {"key", RF_KIND_ID, .texts = TEXTS("k9", "k8", "k7", "k7", "no")},
    {"pay", RF_KIND_CONTINUOUS, .values = NUMBERS(5, 2, 3.5, 1, 2), .decimals = 1},
    {"paid", RF_KIND_BOOLEAN, .texts = TEXTS("no", "no", "yes", "no", NULL)},
    {"day", RF_KIND_DATETIME, .values = NUMBERS(0, 86400, NAN, 0, 86400), .datetime_format = "%Y-%m-%d"},
    {0}};

static rf_quality *evaluate(const rf_table *real, const rf_table *synthetic,
                            const rf_quality_options *options, rf_pool *pool)
{
    rf_error err = {0};
    rf_quality *q = NULL;
    assert_ok(rf_quality_evaluate(&q, real, synthetic, options, pool, &err));
    return q;
}

static char *json_of(rf_quality *q, const rf_table *real)
{
    rf_buf buf;
    rf_buf_init(&buf);
    q->seconds = 0; /* the one number that may differ between runs */
    rf_quality_json(q, real, NULL, &buf);
    assert_false(buf.failed);
    return buf.data;
}

static json_t *parse(const char *text)
{
    json_error_t at;
    json_t *root = json_loads(text, 0, &at);
    if (!root)
        fail_msg("line %d: %s", at.line, at.text);
    return root;
}

/* ---- golden numbers -------------------------------------------------------------------------- */

static double golden_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_non_null(value);
    return json_is_string(value) ? NAN : json_number_value(value);
}

static void assert_same(double got, double wanted, const char *what, const char *a, const char *b)
{
    if (isnan(wanted) ? !isnan(got) : !(fabs(got - wanted) < 1e-9))
        fail_msg("%s of %s %s is %.12g, sdmetrics says %.12g", what, a, b, got, wanted);
}

static const rf_quality_column *find_column(const rf_quality *q, const rf_table *real, const char *name)
{
    for (int32_t i = 0; i < q->n_columns; i++) {
        if (strcmp(real->schema.fields[q->columns[i].field].name, name) == 0)
            return &q->columns[i];
    }
    fail_msg("no column %s", name);
    return NULL;
}

static const rf_quality_pair *find_pair(const rf_quality *q, const rf_table *real, const char *a,
                                        const char *b)
{
    for (int32_t i = 0; i < q->n_pairs; i++) {
        if (strcmp(real->schema.fields[q->pairs[i].a].name, a) == 0 &&
            strcmp(real->schema.fields[q->pairs[i].b].name, b) == 0)
            return &q->pairs[i];
    }
    fail_msg("no pair %s, %s", a, b);
    return NULL;
}

static void check_columns(const rf_quality *q, const rf_table *real, const json_t *golden)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(golden, "shapes"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "Column"));
        const rf_quality_column *c = find_column(q, real, name);
        assert_string_equal(c->metric, json_string_value(json_object_get(row, "Metric")));
        assert_same(c->shape, golden_number(row, "Score"), "the shape", name, "");
        assert_true(isnan(c->shape) == (c->problem != NULL));
    }
    json_array_foreach(json_object_get(golden, "columns"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "Column"));
        const rf_quality_column *c = find_column(q, real, name);
        assert_same(c->coverage, golden_number(row, "coverage"), "the coverage", name, "");
        assert_same(c->missing_similarity, golden_number(row, "missing"), "the missing similarity", name, "");
    }
    int32_t n = 0;
    json_array_foreach(json_object_get(json_object_get(golden, "diagnostic"), "rows"), i, row)
    {
        const char *name = json_string_value(json_object_get(row, "Column"));
        const char *metric = json_string_value(json_object_get(row, "Metric"));
        const rf_quality_column *c = find_column(q, real, name);
        const bool format = c->format_metric && strcmp(c->format_metric, metric) == 0;
        if (!format)
            assert_string_equal(c->validity_metric, metric);
        assert_same(format ? c->format_validity : c->validity, golden_number(row, "Score"), metric, name, "");
    }
    for (int32_t k = 0; k < q->n_columns; k++)
        n += (q->columns[k].validity_metric != NULL) + (q->columns[k].format_metric != NULL);
    assert_int_equal(n, json_array_size(json_object_get(json_object_get(golden, "diagnostic"), "rows")));
}

static void check_pairs(const rf_quality *q, const rf_table *real, const json_t *golden)
{
    const json_t *all = json_object_get(json_object_get(golden, "ungated"), "pairs");
    const json_t *gated = json_object_get(json_object_get(golden, "gated"), "pairs");
    assert_int_equal(json_array_size(all), q->n_pairs);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *row = json_array_get(all, i), *gate = json_array_get(gated, i);
        const char *a = json_string_value(json_object_get(row, "Column 1"));
        const char *b = json_string_value(json_object_get(row, "Column 2"));
        const rf_quality_pair *p = find_pair(q, real, a, b);
        assert_string_equal(p->metric, json_string_value(json_object_get(row, "Metric")));
        assert_same(p->score, golden_number(row, "Score"), "the trend", a, b);
        assert_same(p->real_correlation, golden_number(row, "Real Correlation"), "the real rho", a, b);
        assert_same(p->synthetic_correlation, golden_number(row, "Synthetic Correlation"),
                    "the synthetic rho", a, b);
        assert_same(p->real_association, golden_number(gate, "Real Association"), "Cramer's V", a, b);
        assert_true(isnan(p->score) == (p->problem != NULL));
        if (p->gated_in != json_is_true(json_object_get(gate, "Meets Threshold?")))
            fail_msg("the gate of %s, %s is %d", a, b, p->gated_in);
    }
}

static void check_scores(const rf_quality *q, const json_t *golden)
{
    const json_t *gated = json_object_get(golden, "gated"), *all = json_object_get(golden, "ungated");
    const json_t *diagnostic = json_object_get(golden, "diagnostic"), *dcr = json_object_get(golden, "dcr");
    assert_same(q->overall_gated, golden_number(gated, "overall"), "overall", "", "");
    assert_same(q->overall_all, golden_number(all, "overall"), "overall without gate", "", "");
    assert_same(q->shapes, golden_number(gated, "shapes"), "shapes", "", "");
    assert_same(q->trends_gated, golden_number(gated, "trends"), "trends", "", "");
    assert_same(q->trends_all, golden_number(all, "trends"), "trends without gate", "", "");
    assert_same(q->diagnostic, golden_number(diagnostic, "overall"), "diagnostic", "", "");
    assert_same(q->validity, golden_number(diagnostic, "validity"), "validity", "", "");
    assert_same(q->structure, golden_number(diagnostic, "structure"), "structure", "", "");
    assert_int_equal(q->exact_copies, (int64_t)golden_number(golden, "copies"));
    if (q->dcr.n_synthetic != (int64_t)golden_number(dcr, "n")) /* sdmetrics was given a few rows only */
        return;
    assert_same(q->dcr.min, golden_number(dcr, "min"), "the least distance", "", "");
    assert_same(q->dcr.p5, golden_number(dcr, "p5"), "the 5 % quantile of distances", "", "");
    assert_same(q->dcr.median, golden_number(dcr, "median"), "the median distance", "", "");
    assert_same(q->dcr.mean, golden_number(dcr, "mean"), "the mean distance", "", "");
    assert_same(q->dcr.max, golden_number(dcr, "max"), "the largest distance", "", "");
    assert_same(q->dcr.share_zero * (double)q->dcr.n_synthetic, golden_number(dcr, "zeros"), "zeros", "", "");
}

static void check_golden(const char *golden_path, const char *real_path, const char *synthetic_path,
                         const char *metadata_path, bool read_like)
{
    rf_error err = {0};
    rf_arena arena;
    rf_metadata metadata;
    rf_table *real = NULL, *synthetic = NULL;
    const rf_table_options options = {.metadata_path = metadata_path};
    json_error_t at;
    json_t *golden = json_load_file(golden_path, 0, &at);
    assert_non_null(golden);
    rf_arena_init(&arena);
    if (metadata_path)
        assert_ok(rf_metadata_read(&metadata, &arena, metadata_path, NULL, &err));
    assert_ok(rf_table_read(&real, real_path, &options, NULL, &err));
    if (read_like)
        assert_ok(rf_table_read_like(&synthetic, synthetic_path, &real->schema, &options, NULL, &err));
    else
        assert_ok(rf_table_read(&synthetic, synthetic_path, &options, NULL, &err));
    rf_quality *q =
        evaluate(real, synthetic, &(rf_quality_options){.metadata = metadata_path ? &metadata : NULL}, NULL);
    check_columns(q, real, golden);
    check_pairs(q, real, golden);
    check_scores(q, golden);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
    rf_arena_free(&arena);
    json_decref(golden);
}

static void the_committed_table_gets_the_numbers_of_sdmetrics(void **state)
{
    (void)state;
    for (int like = 0; like < 2; like++)
        check_golden(GOLDEN "golden.json", GOLDEN "real.csv", GOLDEN "synthetic.csv", GOLDEN "metadata.json",
                     like);
}

/* The public tables are not in the repository: their folder is ROWFORGE_DATA. */
static void data_path(char path[512], const char *name)
{
    const char *folder = getenv("ROWFORGE_DATA");
    snprintf(path, 512, "%s/%s", folder ? folder : RF_TEST_DATA "/../../shared/data", name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        print_message("%s is not there: set ROWFORGE_DATA to the folder of the public tables\n", path);
        skip();
    }
    fclose(file);
}

static void the_students_get_the_numbers_of_sdmetrics(void **state)
{
    char real[512], synthetic[512], metadata[512];
    (void)state;
    data_path(real, "student_placements_real.csv");
    data_path(synthetic, "student_placements_synthetic.csv");
    data_path(metadata, "student_placements_metadata.json");
    check_golden(GOLDEN "golden_students.json", real, synthetic, metadata, false);
    check_golden(GOLDEN "golden_students.json", real, synthetic, metadata, true);
}

static void adult_gets_the_numbers_of_sdmetrics(void **state)
{
    char real[512], synthetic[512];
    (void)state;
    data_path(real, "adult.csv");
    data_path(synthetic, "adult_test.csv");
    check_golden(GOLDEN "golden_adult.json", real, synthetic, NULL, true);
}

/* ---- behaviour ------------------------------------------------------------------------------- */

static void a_table_against_itself_scores_exactly_1(void **state)
{
    rf_table *real = hand_table(6, small_real);
    rf_quality *q = evaluate(real, real, NULL, NULL);
    (void)state;
    assert_true(q->shapes == 1 && q->trends_all == 1 && q->overall_all == 1 && q->overall_gated == 1);
    assert_true(q->validity == 1 && q->structure == 1 && q->diagnostic == 1);
    assert_int_equal(q->exact_copies, 6);
    assert_true(q->dcr.max == 0 && q->dcr.share_zero == 1);
    for (int32_t i = 0; i < q->n_columns; i++)
        assert_true(!q->columns[i].modelled || (q->columns[i].shape == 1 && q->columns[i].coverage == 1));
    rf_quality_free(q);
    rf_table_free(real);
}

static void ids_are_checked_and_not_modelled(void **state)
{
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(5, small_synthetic);
    rf_quality *q = evaluate(real, synthetic, NULL, NULL);
    (void)state;
    assert_int_equal(q->n_columns, 6);
    assert_int_equal(q->n_pairs, 10);
    assert_near(q->structure, 1, 0);
    const rf_quality_column *key = find_column(q, real, "key");
    assert_true(key->key && !key->modelled && isnan(key->shape) && !key->metric);
    assert_near(key->validity, 0.8, 1e-15);
    assert_near(key->format_validity, 0.8, 1e-15);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

static void ignored_columns_are_left_out(void **state)
{
    static const char text[] = "a,b\n1,x\n2,y\n3,x\n";
    const rf_type_override types[] = {{.column = "b", .kind = RF_KIND_IGNORED}};
    const rf_table_options options = {.types = types, .n_types = 1};
    rf_error err = {0};
    rf_table *real = NULL,
             *synthetic =
                 hand_table(2, (hand_column[]){{"a", RF_KIND_INTEGER, .values = NUMBERS(1, 2)}, {0}});
    (void)state;
    assert_ok(rf_table_read_bytes(&real, "text", text, sizeof text - 1, &options, NULL, &err));
    rf_quality *q = evaluate(real, synthetic, NULL, NULL);
    assert_int_equal(q->n_columns, 1);
    assert_near(q->structure, 1, 0);
    assert_int_equal(q->exact_copies, 2);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

static void cells_that_do_not_fit_are_wrong_and_not_missing(void **state)
{
    static const char text[] = "n,day\n1,2020-01-01\n,\n2,2020-01-03\n3,2020-01-02\n";
    static const char odd[] = "n,day\n1,2020-01-01\nmany,soon\n2,\n,2020-01-02\n";
    const rf_table_options options = {0};
    char path[] = "/tmp/rowforge-quality-XXXXXX";
    rf_error err = {0};
    rf_table *real = NULL, *synthetic = NULL;
    const int file = mkstemp(path);
    (void)state;
    assert_true(file >= 0 && write(file, odd, sizeof odd - 1) == sizeof odd - 1);
    close(file);
    assert_ok(rf_table_read_bytes(&real, "text", text, sizeof text - 1, &options, NULL, &err));
    assert_ok(rf_table_read_like(&synthetic, path, &real->schema, &options, NULL, &err));
    unlink(path);
    rf_quality *q = evaluate(real, synthetic, NULL, NULL);
    for (int32_t i = 0; i < 2; i++) {
        assert_near(q->columns[i].validity, 2 / 3.0, 1e-15); /* of three cells that are there */
        assert_near(q->columns[i].missing_synthetic, 0.25, 0);
    }
    assert_near(q->columns[1].format_validity, 0.75, 0);
    assert_near(q->structure, 0, 0);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

static void a_column_that_is_missing_lowers_the_structure_and_is_not_scored(void **state)
{
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(5, &small_synthetic[1]);
    rf_quality *q = evaluate(real, synthetic, NULL, NULL);
    (void)state;
    const rf_quality_column *city = find_column(q, real, "city");
    assert_true(isnan(city->shape) && isnan(city->validity) && city->problem && city->validity_problem);
    assert_int_equal(q->n_pairs, 6);
    assert_near(q->structure, 5 / 6.0, 1e-15);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

static void tables_without_a_common_column_are_refused(void **state)
{
    const hand_column other[] = {{"else", RF_KIND_INTEGER, .values = NUMBERS(1, 2)}, {0}};
    rf_error err = {0};
    rf_quality *q = NULL;
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(2, other);
    (void)state;
    assert_fails(rf_quality_evaluate(&q, real, synthetic, NULL, NULL, &err), RF_INPUT,
                 "none of the real table's columns");
    assert_null(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

static void one_column_and_one_row_are_enough(void **state)
{
    const hand_column one[] = {{"n", RF_KIND_INTEGER, .values = NUMBERS(1)}, {0}};
    rf_table *real = hand_table(1, one);
    rf_quality *q = evaluate(real, real, NULL, NULL);
    (void)state;
    assert_true(q->shapes == 1 && isnan(q->trends_all) && q->overall_all == 1);
    rf_quality_free(q);
    rf_table_free(real);
}

static void an_empty_synthetic_table_has_no_scores(void **state)
{
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(0, small_synthetic);
    rf_quality *q = evaluate(real, synthetic, NULL, NULL);
    (void)state;
    assert_true(isnan(q->shapes) && isnan(q->trends_all) && isnan(q->overall_gated) && isnan(q->validity));
    assert_int_equal(q->dcr.n_synthetic, 0);
    char *json = json_of(q, real);
    json_decref(parse(json));
    rf_free(json);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

static void metadata_gives_the_order_the_keys_and_the_columns(void **state)
{
    rf_metadata_column columns[] = {
        {.name = "paid", .range_min = NAN, .range_max = NAN},
        {.name = "gone", .range_min = NAN, .range_max = NAN},
        {.name = "age", .range_min = 28, .range_max = NAN, .composite_key = true},
        {.name = "city", .range_min = NAN, .range_max = NAN, .composite_key = true},
    };
    const rf_metadata metadata = {.table_name = "t", .n_columns = 4, .columns = columns};
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(5, small_synthetic);
    rf_quality *q = evaluate(real, synthetic, &(rf_quality_options){.metadata = &metadata}, NULL);
    (void)state;
    assert_int_equal(q->n_columns, 3);
    assert_int_equal(q->columns[0].field, 5);
    assert_int_equal(q->columns[1].field, 0);
    assert_near(q->columns[1].validity, 0.5, 0); /* 30 and 45 of 25, 30, 45, 90 */
    assert_int_equal(q->n_key_columns, 2);
    assert_near(q->key_uniqueness, 0.8, 1e-15); /* one row has neither */
    assert_near(q->validity, (0.8 + 0.8 + 0.5 + 0.8) / 4, 1e-15);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

static void a_holdout_is_measured_beside_the_synthetic_table(void **state)
{
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(5, small_synthetic);
    rf_quality *q = evaluate(real, synthetic, &(rf_quality_options){.holdout = real}, NULL);
    (void)state;
    assert_true(q->has_holdout);
    assert_int_equal(q->holdout_copies, 6);
    assert_near(q->dcr_holdout.max, 0, 0);
    assert_int_equal(q->exact_copies, 1);
    assert_near(q->dcr.share_zero, 0.2, 1e-15);
    rf_quality_free(q);
    q = evaluate(real, synthetic, &(rf_quality_options){.holdout = real, .no_dcr = true}, NULL);
    assert_int_equal(q->dcr.n_synthetic, 0);
    assert_int_equal(q->dcr_holdout.n_synthetic, 0);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

static void any_number_of_threads_gives_the_same_bytes(void **state)
{
    char *first = NULL;
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        rf_error err = {0};
        rf_pool *pool = NULL;
        rf_table *real = NULL, *synthetic = NULL;
        const rf_table_options options = {0};
        assert_ok(rf_pool_create(&pool, threads, &err));
        assert_ok(rf_table_read(&real, GOLDEN "real.csv", &options, NULL, &err));
        assert_ok(
            rf_table_read_like(&synthetic, GOLDEN "synthetic.csv", &real->schema, &options, NULL, &err));
        const rf_quality_options asked = {
            .seed = 3, .dcr_synthetic_max = 100, .dcr_real_max = 200, .holdout = synthetic};
        rf_quality *q = evaluate(real, synthetic, &asked, pool);
        char *json = json_of(q, real);
        if (!first)
            first = strdup(json);
        assert_string_equal(json, first);
        rf_free(json);
        rf_quality_free(q);
        rf_table_free(synthetic);
        rf_table_free(real);
        rf_pool_free(pool);
    }
    free(first);
}

static void every_allocation_may_fail(void **state)
{
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(5, small_synthetic);
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        rf_error err = {0};
        rf_pool *pool = NULL;
        rf_code rc = RF_NO_MEMORY;
        assert_ok(rf_pool_create(&pool, threads, &err));
        for (int64_t nth = 1; rc != RF_OK; nth++) {
            rf_quality *q = NULL;
            rf_alloc_fail_at(nth);
            rc = rf_quality_evaluate(&q, real, synthetic, &(rf_quality_options){.holdout = synthetic}, pool,
                                     &err);
            rf_alloc_fail_at(0);
            if (rc != RF_OK) {
                assert_int_equal(rc, RF_NO_MEMORY);
                assert_null(q);
                assert_true(err.message[0]);
            }
            rf_quality_free(q);
        }
        rf_pool_free(pool);
    }
    rf_table_free(synthetic);
    rf_table_free(real);
}

/* ---- JSON and text --------------------------------------------------------------------------- */

static void the_json_holds_every_column_and_pair(void **state)
{
    const hand_column odd[] = {{"a \"quoted\" \\ name\n\t\x7f", RF_KIND_INTEGER, .values = NUMBERS(1, 2, 3)},
                               {"\xC3\xA9t\xC3\xA9", RF_KIND_INTEGER, .values = NUMBERS(3, 3, 3)},
                               {0}};
    rf_notes notes;
    rf_buf buf;
    (void)state;
    rf_notes_init(&notes);
    rf_note(&notes, "one \"note\"");
    rf_buf_init(&buf);
    rf_table *real = hand_table(3, odd);
    rf_quality *q = evaluate(real, real, NULL, NULL);
    const rf_report_context context = {.title = "odd.csv",
                                       .model = "ctgan",
                                       .params_json = "{\"epochs\": 3}",
                                       .seed = 18446744073709551615u >> 1,
                                       .has_seed = true,
                                       .train_seconds = 1.5,
                                       .notes = &notes};
    rf_quality_json(q, real, &context, &buf);
    json_t *root = parse(buf.data);
    const json_t *run = json_object_get(root, "run"), *columns = json_object_get(root, "columns");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(run, "parameters"), "epochs")), 3);
    assert_int_equal(json_integer_value(json_object_get(run, "seed")), INT64_MAX);
    assert_int_equal(json_array_size(columns), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(columns, 0), "name")), odd[0].name);
    const json_t *pair = json_array_get(json_object_get(root, "pairs"), 0);
    assert_true(json_is_null(json_object_get(pair, "score")));
    assert_non_null(strstr(json_string_value(json_object_get(pair, "problem")), "constant"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(root, "notes"), 0)), "one \"note\"");
    json_decref(root);
    rf_buf_free(&buf);
    rf_quality_free(q);
    rf_table_free(real);
    rf_notes_free(&notes);
}

static void of_very_many_pairs_the_weakest_are_listed(void **state)
{
    enum { N = 100007 };
    rf_buf buf;
    rf_table *real = hand_table(6, small_real);
    rf_quality_pair *pairs = calloc(N, sizeof *pairs);
    rf_quality q = {.n_pairs = N, .pairs = pairs};
    (void)state;
    rf_buf_init(&buf);
    for (int32_t i = 0; i < N; i++) /* 4 of 0.9, at the ends and between, 6 without a score */
        pairs[i] = (rf_quality_pair){.a = 0,
                                     .b = 1,
                                     .metric = "m",
                                     .score = i % 33335 == 0 ? 0.9
                                              : i < 7        ? NAN
                                                             : 0.5};
    rf_quality_json(&q, real, NULL, &buf);
    json_t *root = parse(buf.data), *list = json_object_get(root, "pairs");
    size_t i, n_high = 0;
    json_t *pair;
    assert_int_equal(json_array_size(list), 100000);
    json_array_foreach(list, i, pair)
    {
        assert_false(json_is_null(json_object_get(pair, "score")));
        n_high += json_real_value(json_object_get(pair, "score")) > 0.5;
    }
    assert_int_equal(n_high, 3); /* the last of the four is one too many */
    assert_false(json_real_value(json_object_get(json_array_get(list, 99999), "score")) > 0.5);
    json_decref(root);
    rf_buf_free(&buf);
    free(pairs);
    rf_table_free(real);
}

static void evaluation_that_is_to_stop_is_interrupted(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_quality *q = NULL;
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(5, small_synthetic);
    atomic_int stop = 0;
    const rf_quality_options options = {.stop = &stop};
    rf_quality_free(evaluate(real, synthetic, &options, NULL));
    stop = 1;
    assert_fails(rf_quality_evaluate(&q, real, synthetic, &options, NULL, &err), RF_INTERRUPTED, "stopped");
    assert_null(q);
    rf_table_free(real);
    rf_table_free(synthetic);
}

static void the_text_is_a_dozen_lines(void **state)
{
    rf_buf buf;
    rf_table *real = hand_table(6, small_real), *synthetic = hand_table(5, small_synthetic);
    rf_quality *q = evaluate(real, synthetic, &(rf_quality_options){.holdout = synthetic}, NULL);
    int lines = 0;
    (void)state;
    rf_buf_init(&buf);
    rf_quality_text(q, real, &buf);
    for (const char *at = buf.data; (at = strchr(at, '\n')); at++)
        lines++;
    assert_in_range(lines, 9, 13);
    assert_non_null(strstr(buf.data, "exact copies"));
    assert_non_null(strstr(buf.data, "5 synthetic rows against 6 real"));
    rf_buf_free(&buf);
    rf_quality_free(q);
    rf_table_free(synthetic);
    rf_table_free(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_committed_table_gets_the_numbers_of_sdmetrics),
        cmocka_unit_test(the_students_get_the_numbers_of_sdmetrics),
        cmocka_unit_test(adult_gets_the_numbers_of_sdmetrics),
        cmocka_unit_test(a_table_against_itself_scores_exactly_1),
        cmocka_unit_test(ids_are_checked_and_not_modelled),
        cmocka_unit_test(ignored_columns_are_left_out),
        cmocka_unit_test(cells_that_do_not_fit_are_wrong_and_not_missing),
        cmocka_unit_test(a_column_that_is_missing_lowers_the_structure_and_is_not_scored),
        cmocka_unit_test(tables_without_a_common_column_are_refused),
        cmocka_unit_test(one_column_and_one_row_are_enough),
        cmocka_unit_test(an_empty_synthetic_table_has_no_scores),
        cmocka_unit_test(metadata_gives_the_order_the_keys_and_the_columns),
        cmocka_unit_test(a_holdout_is_measured_beside_the_synthetic_table),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bytes),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_json_holds_every_column_and_pair),
        cmocka_unit_test(of_very_many_pairs_the_weakest_are_listed),
        cmocka_unit_test(evaluation_that_is_to_stop_is_interrupted),
        cmocka_unit_test(the_text_is_a_dozen_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
