/* The estimate of a job's work: what was measured comes out, and it grows with what makes more work. */
#include "domain/cost.h"
#include "rf_test.h"

static rf_params defaults(rf_model_kind model)
{
    rf_error err = {0};
    rf_params params;
    rf_params_init(&params, model);
    assert_ok(rf_params_assign(&params, "batch_size=500", &err));
    assert_ok(rf_params_finish(&params, 32561, false, &err));
    return params;
}

static void a_step_takes_what_was_measured(void **state)
{
    (void)state;
    const struct {
        rf_model_kind model;
        double low_ms, high_ms;
    } cases[] = {{RF_MODEL_CTGAN, 9.4, 11.4}, {RF_MODEL_TVAE, 2.5, 3.1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const rf_params params = defaults(cases[i].model);
        const rf_cost cost = rf_cost_generate(&params, 32561, 15, 0);
        const double step_ms = 1e3 * cost.seconds / (double)cost.steps;
        assert_int_equal(cost.steps, 65 * 100);
        assert_true(step_ms > cases[i].low_ms);
        assert_true(step_ms < cases[i].high_ms);
    }
}

static void what_makes_more_work_costs_more(void **state)
{
    (void)state;
    static const char *const larger[] = {"epochs=200", "embedding_dim=512", "generator_dim=512,512",
                                         "discriminator_dim=512,512", "discriminator_steps=3"};
    rf_params params = defaults(RF_MODEL_CTGAN);
    const double usual = rf_cost_generate(&params, 32561, 15, 1000).seconds;
    assert_true(rf_cost_generate(&params, 65122, 15, 1000).seconds > 1.9 * usual);
    assert_true(rf_cost_generate(&params, 32561, 30, 1000).seconds > 1.2 * usual);
    assert_true(rf_cost_generate(&params, 32561, 15, 1000000).seconds > usual + 3);
    for (size_t i = 0; i < sizeof larger / sizeof *larger; i++) {
        rf_error err = {0};
        params = defaults(RF_MODEL_CTGAN);
        assert_ok(rf_params_assign(&params, larger[i], &err));
        assert_true(rf_cost_generate(&params, 32561, 15, 1000).seconds > 1.05 * usual);
    }
}

static void a_table_smaller_than_a_batch_takes_a_step_an_epoch(void **state)
{
    (void)state;
    const rf_params params = defaults(RF_MODEL_TVAE);
    const rf_cost cost = rf_cost_generate(&params, 7, 1, 1);
    assert_int_equal(cost.steps, params.epochs);
    assert_true(cost.seconds > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_takes_what_was_measured),
        cmocka_unit_test(what_makes_more_work_costs_more),
        cmocka_unit_test(a_table_smaller_than_a_batch_takes_a_step_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
