/* What a profile knows of conditions, and what it leaves to the worker. */
#include "rf_test.h"
#include "scheduler/scheduler_state.h"

static const char profile[] =
    "{\"n_rows\":400,\"columns\":["
    "{\"name\":\"region\",\"label\":\"region\",\"type\":\"categorical\",\"missing\":0,\"distinct\":3,"
    "\"top\":[{\"value\":\"north\",\"count\":200},{\"value\":\"south\",\"count\":150},{\"value\":\"east\","
    "\"count\":50}]},"
    "{\"name\":\"town\",\"label\":\"town\",\"type\":\"categorical\",\"missing\":7,\"distinct\":900,"
    "\"top\":[{\"value\":\"Aa\",\"count\":2}]},"
    "{\"name\":\"age\",\"label\":\"age\",\"type\":\"integer\",\"missing\":0,\"distinct\":60,\"min\":18,"
    "\"max\":90},"
    "{\"name\":\"age\",\"label\":\"age.2\",\"type\":\"continuous\",\"missing\":1,\"distinct\":60,\"min\":-0."
    "5,\"max\":0.5},"
    "{\"name\":\"joined\",\"label\":\"joined\",\"type\":\"datetime\",\"missing\":0,\"distinct\":60,"
    "\"min\":\"2010-01-01\",\"max\":\"2024-12-31\"},"
    "{\"name\":\"empty\",\"label\":\"empty\",\"type\":\"categorical\",\"missing\":400,\"distinct\":0,\"top\":"
    "[]},"
    "{\"name\":\"id\",\"label\":\"id\",\"type\":\"id\",\"missing\":0,\"distinct\":400},"
    "{\"name\":\"note\",\"label\":\"note\",\"type\":\"ignored\",\"missing\":0,\"distinct\":400}],"
    "\"warnings\":[]}";

static rf_code check(const char *column, const char *value, rf_error *err)
{
    const rf_plan_condition condition = {.column = column, .value = value};
    *err = (rf_error){0};
    return rfi_conditions_check(&condition, 1, profile, err);
}

static void what_the_table_may_hold_passes(void **state)
{
    (void)state;
    static const rf_plan_condition fine[] = {{"region", "north"},
                                             {"region", "east"},
                                             {"town", "Zz, which is rare"},
                                             {"town", ""},
                                             {"age", "18"},
                                             {"age", "90"},
                                             {"age", "1.8e1"},
                                             {"age.2", "0.5"},
                                             {"age.2", ""},
                                             {"age", "18,5"},
                                             {"joined", "2011-02-03"},
                                             {"empty", ""}};
    rf_error err = {0};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (check(fine[i].column, fine[i].value, &err) != RF_OK)
            fail_msg("%s = %s: %s", fine[i].column, fine[i].value, err.message);
    assert_ok(rfi_conditions_check(fine, sizeof fine / sizeof *fine, profile, &err));
    assert_ok(rfi_conditions_check(NULL, 0, "no profile yet", &err));
}

static void what_it_never_holds_is_told_with_what_it_does(void **state)
{
    (void)state;
    static const struct {
        const char *column, *value, *why;
    } wrong[] = {
        {"region", "nowhere", "it holds \"north\", \"south\" and \"east\""},
        {"region", "North", "never holds \"North\""},
        {"region", "", "never empty"},
        {"empty", "x", "no value at all"},
        {"age", "", "never empty"},
        {"age", "17", "from 18 to 90"},
        {"age", "1e9", "from 18 to 90"},
        {"age", "old", "\"old\" is none"},
        {"age.2", "0.6", "from -0.5 to 0.5"},
        {"joined", "", "never empty"},
        {"id", "7", "made anew"},
        {"note", "7", "left out"},
        {"regoin", "north", "did you mean \"region\"?"},
        {"nothing alike", "north", "no column \"nothing alike\""},
    };
    rf_error err;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char field[64];
        assert_fails(check(wrong[i].column, wrong[i].value, &err), RF_USAGE, wrong[i].why);
        snprintf(field, sizeof field, "conditions.%s", wrong[i].column);
        assert_string_equal(err.context, field);
    }
}

static void values_that_may_have_been_cut_prove_nothing(void **state)
{
    (void)state;
    char text[1024], value[201];
    rf_error err = {0};
    memset(value, 'x', 200);
    value[200] = '\0';
    snprintf(text, sizeof text,
             "{\"columns\":[{\"name\":\"a\",\"type\":\"categorical\",\"missing\":0,\"distinct\":1,"
             "\"top\":[{\"value\":\"%s\",\"count\":2}]}]}",
             value);
    const rf_plan_condition condition = {.column = "a", .value = "something else"};
    assert_ok(rfi_conditions_check(&condition, 1, text, &err));
}

static void kinds_are_chosen_for_columns_that_are_there(void **state)
{
    (void)state;
    rf_error err = {0};
    const rf_column_kind fine[] = {{"age", RF_KIND_CATEGORICAL}, {"age.2", RF_KIND_INTEGER}};
    const rf_column_kind wrong[] = {{"age", RF_KIND_CATEGORICAL}, {"tonw", RF_KIND_ID}};
    assert_ok(rfi_kinds_check(fine, 2, profile, &err));
    assert_fails(rfi_kinds_check(wrong, 2, profile, &err), RF_USAGE, "did you mean \"town\"?");
    assert_string_equal(err.context, "columns.tonw");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_table_may_hold_passes),
        cmocka_unit_test(what_it_never_holds_is_told_with_what_it_does),
        cmocka_unit_test(values_that_may_have_been_cut_prove_nothing),
        cmocka_unit_test(kinds_are_chosen_for_columns_that_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
