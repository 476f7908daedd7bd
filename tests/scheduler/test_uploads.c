/* A table comes in, is profiled, may be profiled anew with other kinds, and goes. */
#include "dataset_rig.h"

#include "domain/plan.h"

static void an_upload_is_stored_hashed_and_profiled(void **state)
{
    house *const h = *state;
    const int64_t id = house_upload_plain(h);
    assert_int_equal(house_objects(h), 1);
    house_profile(h, 2);
    const rf_dataset dataset = house_dataset(h, id);
    assert_int_equal(dataset.status, RF_DATASET_READY);
    assert_int_equal(dataset.n_rows, 2);
    assert_int_equal(dataset.n_columns, 2);
    assert_non_null(strstr(dataset.profile, "\"city\""));
}

static void an_upload_that_breaks_off_leaves_nothing(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_upload *up = NULL;
    assert_ok(rf_upload_open(&up, h->s, h->user, "people.csv", &err));
    assert_ok(rf_upload_write(up, house_table, 5, &err));
    rf_upload_close(up); /* the client left */
    assert_int_equal(house_objects(h), 0);
    rf_dataset *list = NULL;
    int32_t n = 0;
    assert_ok(rf_dataset_list(h->s, h->user, 0, 50, &h->arena, &list, &n, &err));
    assert_int_equal(n, 0);
}

static void an_upload_whose_row_cannot_be_written_leaves_nothing(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    for (int64_t nth = 1; nth < 6; nth++) {
        rf_upload *up = NULL;
        rf_receipt receipt;
        rf_dataset dataset;
        assert_ok(rf_upload_open(&up, h->s, h->user, "people.csv", &err));
        assert_ok(rf_upload_write(up, house_table, 5, &err));
        rf_db_fail_at(h->db, nth);
        assert_fails(rf_upload_commit(up, NULL, &h->arena, &receipt, &dataset, &err), RF_UNAVAILABLE,
                     "database");
        rf_db_fail_at(h->db, 0);
        rf_upload_close(up);
        assert_int_equal(house_objects(h), 0);
    }
}

static void names_and_empty_files_are_refused_with_a_sentence(void **state)
{
    house *const h = *state;
    static const struct {
        const char *name;
        rf_code code;
        const char *says;
    } cases[] = {
        {"a.xlsx", RF_UNSUPPORTED_TYPE, ".csv, .tsv"},
        {"csv", RF_UNSUPPORTED_TYPE, "end with"},
        {"", RF_MALFORMED, "needs a name"},
        {"dir/", RF_MALFORMED, "needs a name"},
        {"a\nb.csv", RF_MALFORMED, "control"},
        {"\xff.csv", RF_MALFORMED, "UTF-8"},
    };
    rf_error err = {0};
    rf_upload *up = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(rf_upload_open(&up, h->s, h->user, cases[i].name, &err), cases[i].code, cases[i].says);
    rf_receipt receipt;
    rf_dataset dataset;
    assert_ok(rf_upload_open(&up, h->s, h->user, "../../etc/passwd.CSV", &err));
    assert_fails(rf_upload_commit(up, NULL, &h->arena, &receipt, &dataset, &err), RF_INPUT, "empty");
    assert_ok(rf_upload_write(up, house_table, 5, &err));
    assert_ok(rf_upload_commit(up, NULL, &h->arena, &receipt, &dataset, &err));
    assert_string_equal(dataset.name, "passwd.CSV"); /* the path is gone, and was never a key */
    assert_non_null(strstr(dataset.key, "datasets/"));
    rf_upload_close(up);
}

static void the_same_upload_twice_is_one_dataset(void **state)
{
    house *const h = *state;
    rf_receipt first, second;
    const rf_idempotency key = {.key = "k", .hash = "h"};
    const int64_t a = house_upload(h, h->user, "people.csv", &key, &first);
    const int64_t b = house_upload(h, h->user, "people.csv", &key, &second);
    assert_int_equal(a, b);
    assert_true(second.repeated && !first.repeated);
    rf_error err = {0};
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(house_objects(h), 1);
}

static void a_table_that_cannot_be_read_makes_an_invalid_dataset(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    const int64_t id = house_upload_plain(h);
    const int64_t waiting = house_generate(h, id, NULL);
    int64_t token = 0;
    const int64_t job = house_lease(h, &token);
    house_send(h, RF_EVENT_FAILED, job, token,
               "{\"class\":\"permanent\",\"message\":\"line 3 has 7 fields\",\"detail\":\"\"}");
    house_apply(h);
    const rf_dataset dataset = house_dataset(h, id);
    assert_int_equal(dataset.status, RF_DATASET_INVALID);
    assert_string_equal(dataset.error, "line 3 has 7 fields");
    const rf_job row = house_look(h, waiting); /* what waited for it fails with it */
    assert_int_equal(row.state, RF_JOB_FAILED);
    assert_non_null(strstr(row.error_message, "line 3 has 7 fields"));
    rf_params params;
    rf_receipt receipt;
    rf_params_init(&params, RF_MODEL_CTGAN);
    const rf_generation ask = house_asking(h, &params, id);
    assert_fails(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err), RF_USAGE, "line 3");
}

static void other_kinds_are_profiled_anew(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_dataset dataset;
    const int64_t id = house_upload_plain(h);
    const rf_column_kind kinds[] = {{"age", RF_KIND_CATEGORICAL}}, unknown[] = {{"nope", RF_KIND_ID}};
    assert_fails(rf_dataset_set_kinds(h->s, h->user, id, kinds, 1, &h->arena, &dataset, &err), RF_NOT_READY,
                 "profiled");
    house_profile(h, 2);
    assert_fails(rf_dataset_set_kinds(h->s, h->user, id, unknown, 1, &h->arena, &dataset, &err), RF_USAGE,
                 "nope");
    assert_fails(rf_dataset_set_kinds(h->s, h->other, id, kinds, 1, &h->arena, &dataset, &err), RF_NOT_FOUND,
                 "no");
    assert_ok(rf_dataset_set_kinds(h->s, h->user, id, kinds, 1, &h->arena, &dataset, &err));
    assert_int_equal(dataset.status, RF_DATASET_PROFILING);
    const char *text = NULL;
    int64_t token = 0;
    rf_plan plan;
    const int64_t job = house_lease_plan(h, &token, &text);
    assert_ok(rf_plan_read(&plan, text, &err));
    assert_int_equal(plan.dataset.n_kinds, 1);
    assert_string_equal(plan.dataset.kinds[0].column, "age");
    assert_int_equal(plan.dataset.kinds[0].kind, RF_KIND_CATEGORICAL);
    rf_plan_free(&plan);
    assert_true(job > 0);
}

static void a_dataset_in_use_stays_and_then_goes_with_its_object(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    rf_dataset dataset;
    const int64_t id = house_upload_plain(h);
    const int64_t job = house_generate(h, id, NULL);
    assert_fails(rf_dataset_delete(h->s, h->user, id, &err), RF_CONFLICT, "1 request that uses it");
    assert_fails(rf_dataset_delete(h->s, h->other, id, &err), RF_NOT_FOUND, "no dataset");
    assert_ok(rf_job_cancel(h->s, h->user, job, "user", &after, &err));
    assert_ok(rf_dataset_delete(h->s, h->user, id, &err)); /* its profile, which waits, is stopped */
    assert_int_equal(house_lease(h, NULL), 0);
    assert_fails(rf_dataset_get(h->s, h->user, id, &h->arena, &dataset, &err), RF_NOT_FOUND, "no dataset");
    assert_ok(rf_scheduler_clean(h->s, NULL, &err));
    assert_int_equal(house_objects(h), 0);
}

static void a_profile_that_is_cancelled_leaves_nothing_waiting_for_it(void **state)
{
    house *const h = *state;
    rf_error err = {0};
    rf_job_state after;
    const int64_t id = house_upload_plain(h);
    const int64_t job = house_generate(h, id, NULL);
    assert_ok(rf_job_cancel(h->s, h->user, house_dataset(h, id).profile_job_id, "user", &after, &err));
    assert_int_equal(after, RF_JOB_CANCELLED);
    assert_int_equal(house_dataset(h, id).status, RF_DATASET_INVALID);
    assert_int_equal(house_state(h, job), RF_JOB_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_upload_is_stored_hashed_and_profiled),
        TEST(an_upload_that_breaks_off_leaves_nothing),
        TEST(an_upload_whose_row_cannot_be_written_leaves_nothing),
        TEST(names_and_empty_files_are_refused_with_a_sentence),
        TEST(the_same_upload_twice_is_one_dataset),
        TEST(a_table_that_cannot_be_read_makes_an_invalid_dataset),
        TEST(other_kinds_are_profiled_anew),
        TEST(a_dataset_in_use_stays_and_then_goes_with_its_object),
        TEST(a_profile_that_is_cancelled_leaves_nothing_waiting_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
