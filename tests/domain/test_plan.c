/* Plans and the bodies of events, there and back, and what is refused. */
#include <math.h>

#include "core/alloc.h"
#include "domain/plan.h"
#include "domain/result.h"
#include "rf_test.h"

static const char sum[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static rf_plan generate_plan(void)
{
    static const rf_plan_kind kinds[] = {{"zip code", RF_KIND_CATEGORICAL}, {"n\"ame", RF_KIND_ID}};
    static const rf_plan_condition conditions[] = {{"region", "north"}, {"age", "30"}};
    rf_plan plan = {.kind = RF_JOB_GENERATE,
                    .timeout_s = 3600,
                    .dataset = {.key = "datasets/1/data",
                                .sha256 = sum,
                                .name = "Größe.csv",
                                .format = "tsv",
                                .n_kinds = 2,
                                .kinds = kinds},
                    .seed = INT64_MAX,
                    .rows = 5000,
                    .output_format = "csv",
                    .include_metadata = true,
                    .n_conditions = 2,
                    .conditions = conditions,
                    .has_checkpoint = true,
                    .checkpoint = {.key = "jobs/1/2/checkpoint-40", .sha256 = sum, .step = 40}};
    rf_error err = {0};
    rf_params_init(&plan.params, RF_MODEL_CTGAN);
    assert_ok(rf_params_set(&plan.params, "generator_lr", "0.1", &err));
    assert_ok(rf_params_finish(&plan.params, 20000, false, &err));
    return plan;
}

/* Writes, reads, writes again: the two texts must be equal. */
static void there_and_back(const rf_plan *plan, rf_plan *out)
{
    rf_error err = {0};
    rf_buf first, second;
    rf_buf_init(&first);
    rf_buf_init(&second);
    assert_ok(rf_plan_write(plan, &first, &err));
    assert_ok(rf_plan_read(out, first.data, &err));
    assert_ok(rf_plan_write(out, &second, &err));
    assert_string_equal(first.data, second.data);
    rf_buf_free(&first);
    rf_buf_free(&second);
}

static void generation_survives_the_way(void **state)
{
    (void)state;
    rf_plan got;
    const rf_plan plan = generate_plan();
    there_and_back(&plan, &got);
    assert_true(got.seed == INT64_MAX);
    assert_int_equal(got.rows, 5000);
    assert_string_equal(got.dataset.name, "Größe.csv");
    assert_int_equal(got.dataset.n_kinds, 2);
    assert_string_equal(got.dataset.kinds[1].column, "n\"ame");
    assert_int_equal(got.dataset.kinds[1].kind, RF_KIND_ID);
    assert_string_equal(got.conditions[0].value, "north");
    assert_int_equal(got.params.epochs, plan.params.epochs);
    assert_true(got.params.generator_lr == 0.1);
    assert_int_equal(got.checkpoint.step, 40);
    rf_plan_free(&got);
}

static void other_kinds_survive_the_way(void **state)
{
    (void)state;
    rf_plan got;
    const rf_plan plans[] = {
        {.kind = RF_JOB_PROFILE, .dataset = {.key = "d/1", .sha256 = sum, .name = "", .format = "csv"}},
        {.kind = RF_JOB_SAMPLE,
         .model = {.key = "m/1", .sha256 = sum},
         .seed = 0,
         .rows = RF_PLAN_ROWS_MAX,
         .output_format = "ndjson"},
        {.kind = RF_JOB_NOOP, .work_ms = 5},
        {.kind = RF_JOB_NOOP, .fails = true, .failure = RF_FAILURE_CRASH},
    };
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        there_and_back(&plans[i], &got);
        assert_int_equal(got.kind, plans[i].kind);
        assert_int_equal(got.fails, plans[i].fails);
        rf_plan_free(&got);
    }
}

static void plan_that_cannot_be_is_not_written(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_buf out;
    rf_buf_init(&out);
    rf_plan plan = generate_plan();
    plan.dataset.key = "../secret";
    assert_fails(rf_plan_write(&plan, &out, &err), RF_USAGE, "dataset");
    plan = generate_plan();
    plan.rows = 0;
    assert_fails(rf_plan_write(&plan, &out, &err), RF_USAGE, "rows");
    plan = generate_plan();
    plan.checkpoint.sha256 = "ABC";
    assert_fails(rf_plan_write(&plan, &out, &err), RF_USAGE, "checkpoint");
    plan = generate_plan();
    plan.output_format = "xlsx";
    assert_fails(rf_plan_write(&plan, &out, &err), RF_USAGE, "output_format");
    plan = generate_plan();
    plan.dataset.name = "\xff";
    assert_int_equal(rf_plan_write(&plan, &out, &err), RF_NO_MEMORY);
    rf_buf_free(&out);
}

static void plan_that_was_altered_is_refused(void **state)
{
    (void)state;
    static const char noop[] =
        "{\"version\":1,\"kind\":\"noop\",\"timeout_s\":0,\"work_ms\":0,\"failure\":null";
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"", "empty"},
        {"[]", "object"},
        {"{\"kind\":\"noop\",\"kind\":\"noop\"}", "JSON"},
        {"{\"version\":2,\"kind\":\"noop\",\"timeout_s\":0,\"work_ms\":0,\"failure\":null}", "version"},
        {"{\"version\":1,\"kind\":\"rm\",\"timeout_s\":0,\"work_ms\":0,\"failure\":null}", "kind"},
        {"{\"version\":1,\"kind\":\"noop\",\"timeout_s\":-1,\"work_ms\":0,\"failure\":null}", "timeout_s"},
        {"{\"version\":1,\"kind\":\"noop\",\"timeout_s\":0,\"work_ms\":1.5,\"failure\":null}", "work_ms"},
        {"{\"version\":1,\"kind\":\"noop\",\"timeout_s\":0,\"failure\":null}", "work_ms"},
        {"{\"version\":1,\"kind\":\"noop\",\"timeout_s\":0,\"work_ms\":0,\"failure\":\"x\"}", "failure"},
        {"{\"version\":1,\"kind\":\"noop\",\"timeout_s\":0,\"work_ms\":0,\"failure\":null,\"a\":1}",
         "not known"},
        {"{\"version\":1,\"kind\":\"noop\",\"timeout_s\":0,\"work_ms\":0,\"failure\":null} x", "JSON"},
        {"{\"version\":1,\"kind\":\"sample\",\"timeout_s\":0,\"seed\":1,\"rows\":1,\"output_format\":\"csv\","
         "\"conditions\":{},\"model\":{\"key\":\"/etc/passwd\",\"sha256\":\"\"}}",
         "key"},
        {"{\"version\":1,\"kind\":\"sample\",\"timeout_s\":0,\"seed\":1,\"rows\":1,\"output_format\":\"csv\","
         "\"conditions\":{\"a\":1},\"model\":{\"key\":\"m\",\"sha256\":\"\"}}",
         "a must be"},
    };
    rf_error err = {0};
    rf_plan plan;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_fails(rf_plan_read(&plan, rows[i].text, &err), RF_MALFORMED, rows[i].part);
    assert_fails(rf_plan_read(&plan, noop, &err), RF_MALFORMED, "JSON");
}

/* Every byte of a plan changed to every of a few others: it is read or refused, and nothing else happens. */
static void damaged_plans_are_read_or_refused(void **state)
{
    (void)state;
    static const char others[] = {'"', '{', '}', ',', ':', '0', 'x', ' ', '\\', -1};
    rf_error err = {0};
    rf_plan got;
    rf_buf text;
    rf_buf_init(&text);
    const rf_plan plan = generate_plan();
    assert_ok(rf_plan_write(&plan, &text, &err));
    for (size_t at = 0; at < text.size_bytes; at++)
        for (size_t k = 0; k < sizeof others; k++) {
            const char kept = text.data[at];
            text.data[at] = others[k];
            const rf_code rc = rf_plan_read(&got, text.data, &err);
            assert_true(rc == RF_OK || rc == RF_MALFORMED);
            if (rc == RF_OK)
                rf_plan_free(&got);
            text.data[at] = kept;
        }
    rf_buf_free(&text);
}

static void plan_needs_every_parameter(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_plan got;
    rf_buf text;
    rf_buf_init(&text);
    const rf_plan plan = generate_plan();
    assert_ok(rf_plan_write(&plan, &text, &err));
    char *pac = strstr(text.data, ",\"pac\":10");
    assert_non_null(pac);
    memmove(pac, pac + 9, strlen(pac + 9) + 1);
    assert_fails(rf_plan_read(&got, text.data, &err), RF_MALFORMED, "every parameter");
    rf_buf_free(&text);
}

static void lack_of_memory_anywhere_leaks_nothing(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_plan got;
    rf_buf text;
    rf_buf_init(&text);
    const rf_plan plan = generate_plan();
    assert_ok(rf_plan_write(&plan, &text, &err));
    rf_code rc = RF_NO_MEMORY;
    for (int64_t nth = 1; rc != RF_OK; nth++) {
        rf_alloc_fail_at(nth);
        rc = rf_plan_read(&got, text.data, &err);
        rf_alloc_fail_at(0);
        assert_true(rc == RF_OK || rc == RF_NO_MEMORY);
    }
    rf_plan_free(&got);
    rf_buf_free(&text);
}

/* ------------------------------------------------------------------ results */

static void result_of_a_generation_survives_the_way(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_result_done got;
    rf_buf text;
    rf_arena arena;
    const rf_stored stored = {.key = "jobs/1/1/data.csv", .sha256 = sum, .size_bytes = 12};
    const rf_result_done done = {.kind = RF_JOB_GENERATE,
                                 .rows = 10,
                                 .data = stored,
                                 .model = stored,
                                 .report_json = stored,
                                 .report_html = stored,
                                 .quality = {.overall = 0.875, .copies = (double)NAN},
                                 .generator_loss = (double)NAN};
    rf_buf_init(&text);
    rf_arena_init(&arena);
    assert_ok(rf_result_write_done(&done, &text, &err));
    assert_ok(rf_result_read_done(&got, &arena, text.data, &err));
    assert_string_equal(got.data.key, stored.key);
    assert_int_equal(got.report_html.size_bytes, 12);
    assert_false(got.has_metadata);
    assert_true(got.quality.overall == 0.875);
    assert_true(isnan(got.quality.copies));
    assert_true(isnan(got.generator_loss));
    rf_arena_free(&arena);
    rf_buf_free(&text);
}

static void long_values_of_a_profile_are_cut_between_letters(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_result_done got;
    rf_buf text, profile;
    rf_arena arena;
    rf_buf_init(&text);
    rf_buf_init(&profile);
    rf_arena_init(&arena);
    rf_buf_puts(&profile, "{\"n_rows\":3,\"columns\":[{\"name\":\"a\",\"top\":[{\"count\":3,\"value\":\"x");
    for (int i = 0; i < 5000; i++)
        rf_buf_puts(&profile, "ü");
    rf_buf_puts(&profile, "\"}]}],\"warnings\":[]}");
    const rf_result_done done = {
        .kind = RF_JOB_PROFILE, .n_rows = 3, .n_columns = 1, .profile_json = profile.data};
    assert_ok(rf_result_write_done(&done, &text, &err));
    assert_ok(rf_result_read_done(&got, &arena, text.data, &err));
    assert_true(strlen(got.profile_json) < 400);
    assert_non_null(strstr(got.profile_json, "ü…"));
    rf_arena_free(&arena);
    rf_buf_free(&text);
    rf_buf_free(&profile);
}

static void numbers_of_a_profile_stay_as_people_wrote_them(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_result_done got;
    rf_buf text;
    rf_arena arena;
    rf_buf_init(&text);
    rf_arena_init(&arena);
    const rf_result_done done = {
        .kind = RF_JOB_PROFILE,
        .n_rows = 3,
        .n_columns = 1,
        .profile_json = "{\"n_rows\":3,\"columns\":[{\"min\":0.1,\"max\":2.675}],\"warnings\":[]}"};
    assert_ok(rf_result_write_done(&done, &text, &err));
    assert_ok(rf_result_read_done(&got, &arena, text.data, &err));
    assert_non_null(strstr(got.profile_json, "\"min\":0.1,\"max\":2.675}"));
    rf_arena_free(&arena);
    rf_buf_free(&text);
}

static void profile_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_result_done got;
    rf_arena arena;
    rf_arena_init(&arena);
    assert_fails(rf_result_read_done(&got, &arena,
                                     "{\"kind\":\"profile\",\"n_rows\":4,\"n_columns\":0,\"profile\":"
                                     "{\"n_rows\":3,\"columns\":[],\"warnings\":[]}}",
                                     &err),
                 RF_MALFORMED, "profile");
    rf_arena_free(&arena);
}

static void words_survive_the_way(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_arena arena;
    rf_buf text;
    rf_arena_init(&arena);
    rf_buf_init(&text);
    const rf_result_progress progress = {
        .phase = "train", .epoch = 3, .epochs = 10, .percent = 12.5, .eta_s = (double)NAN};
    rf_result_progress p;
    assert_ok(rf_result_write_progress(&progress, &text, &err));
    assert_ok(rf_result_read_progress(&p, &arena, text.data, &err));
    assert_int_equal(p.epoch, 3);
    assert_true(isnan(p.eta_s));
    rf_buf_clear(&text);
    const rf_result_part part = {.n = 4, .rows = 100, .key = "samples/1/1/4", .sha256 = sum, .size_bytes = 9};
    rf_result_part q;
    assert_ok(rf_result_write_part(&part, &text, &err));
    assert_ok(rf_result_read_part(&q, &arena, text.data, &err));
    assert_int_equal(q.n, 4);
    rf_buf_clear(&text);
    const rf_result_failure failure = {
        .failure = RF_FAILURE_MEMORY, .message = "too \"large\"\n", .detail = NULL};
    rf_result_failure f;
    assert_ok(rf_result_write_failure(&failure, &text, &err));
    assert_ok(rf_result_read_failure(&f, &arena, text.data, &err));
    assert_int_equal(f.failure, RF_FAILURE_MEMORY);
    assert_string_equal(f.message, "too \"large\"\n");
    assert_fails(
        rf_result_read_failure(&f, &arena, "{\"class\":\"bad luck\",\"message\":\"\",\"detail\":\"\"}", &err),
        RF_MALFORMED, "class");
    assert_fails(
        rf_result_read_progress(&p, &arena,
                                "{\"phase\":\"x\",\"epoch\":0,\"epochs\":0,\"percent\":101,\"eta_s\":null,"
                                "\"generator_loss\":null,\"discriminator_loss\":null}",
                                &err),
        RF_MALFORMED, "percent");
    rf_arena_free(&arena);
    rf_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generation_survives_the_way),
        cmocka_unit_test(other_kinds_survive_the_way),
        cmocka_unit_test(plan_that_cannot_be_is_not_written),
        cmocka_unit_test(plan_that_was_altered_is_refused),
        cmocka_unit_test(damaged_plans_are_read_or_refused),
        cmocka_unit_test(plan_needs_every_parameter),
        cmocka_unit_test(lack_of_memory_anywhere_leaks_nothing),
        cmocka_unit_test(result_of_a_generation_survives_the_way),
        cmocka_unit_test(long_values_of_a_profile_are_cut_between_letters),
        cmocka_unit_test(numbers_of_a_profile_stay_as_people_wrote_them),
        cmocka_unit_test(profile_that_contradicts_itself_is_refused),
        cmocka_unit_test(words_survive_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
