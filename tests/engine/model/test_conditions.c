#include "rf_test.h"

#include "engine/model/conditions.h"

/* A scalar, a free code, and two conditioned columns with 3 and 2 entries. */
static const rf_span spans[] = {{RF_SPAN_SCALAR, 0, 1, 0, -1, 0},
                                {RF_SPAN_CODE, 1, 2, 0, -1, 0},
                                {RF_SPAN_CODE, 3, 3, 1, 0, 0},
                                {RF_SPAN_CODE, 6, 2, 2, 1, 3}};
static const rf_layout layout = {.n_spans = 4,
                                 .width = 8,
                                 .n_scalars = 1,
                                 .n_codes = 3,
                                 .n_conditions = 2,
                                 .condition_width = 5,
                                 .spans = spans};

static void each_column_begins_where_the_last_one_ended(void **state)
{
    (void)state;
    int32_t offsets[3], span_of[2];
    rfi_condition_columns(&layout, offsets, span_of);
    assert_int_equal(offsets[0], 0);
    assert_int_equal(offsets[1], 3);
    assert_int_equal(offsets[2], 5);
    assert_int_equal(span_of[0], 2);
    assert_int_equal(span_of[1], 3);
}

static void true_frequencies_are_shares_of_the_rows(void **state)
{
    (void)state;
    static const int64_t counts[5] = {1, 6, 3, 5, 5};
    double cumulative[5];
    rfi_condition_cumulative(&layout, counts, false, cumulative);
    assert_near(cumulative[0], 0.1, 1e-15);
    assert_near(cumulative[1], 0.7, 1e-15);
    assert_true(cumulative[2] == 1.0);
    assert_near(cumulative[3], 0.5, 1e-15);
    assert_true(cumulative[4] == 1.0);
}

static void log_frequencies_lift_the_rare(void **state)
{
    (void)state;
    static const int64_t counts[5] = {1, 99, 9999, 3, 3};
    double cumulative[5];
    rfi_condition_cumulative(&layout, counts, true, cumulative);
    /* ln 2 / (ln 2 + ln 100 + ln 10000) */
    assert_near(cumulative[0], 0.0477747, 1e-7);
    assert_near(cumulative[1], 0.3651831, 1e-7);
    assert_true(cumulative[2] == 1.0);
}

static void a_category_without_rows_is_never_drawn(void **state)
{
    (void)state;
    static const int64_t counts[5] = {0, 4, 0, 7, 0};
    double cumulative[5];
    for (int log_frequency = 0; log_frequency < 2; log_frequency++) {
        rfi_condition_cumulative(&layout, counts, log_frequency, cumulative);
        assert_true(cumulative[0] == 0.0); /* no u in (0, 1) is below it */
        assert_true(cumulative[1] == 1.0); /* and every one is below this */
        assert_true(cumulative[3] == 1.0);
    }
}

static void the_lists_hold_every_row_once_in_order(void **state)
{
    (void)state;
    uint16_t codes[] = {0, 2, 1, 0, 0, 0, 1, 2, 1, 0, 2, 0, 1, 0, 1};
    const rf_coded rows = {.n_rows = 5, .codes = codes};
    int64_t starts[4];
    uint32_t list[5];
    rfi_condition_rows(&layout, &spans[2], &rows, starts, list);
    static const int64_t wanted_starts[] = {0, 2, 2, 5};
    static const uint32_t wanted_list[] = {1, 4, 0, 2, 3};
    assert_memory_equal(starts, wanted_starts, sizeof starts);
    assert_memory_equal(list, wanted_list, sizeof list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_column_begins_where_the_last_one_ended),
        cmocka_unit_test(true_frequencies_are_shares_of_the_rows),
        cmocka_unit_test(log_frequencies_lift_the_rare),
        cmocka_unit_test(a_category_without_rows_is_never_drawn),
        cmocka_unit_test(the_lists_hold_every_row_once_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
