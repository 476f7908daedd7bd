#include "rf_test.h"

#include <errno.h>

static void fail_stores_code_and_sentence_and_returns_the_code(void **state)
{
    (void)state;
    rf_error err = {0};
    assert_int_equal(rf_fail(&err, RF_INPUT, "row %d has %d cells", 7, 3), RF_INPUT);
    assert_int_equal(err.code, RF_INPUT);
    assert_string_equal(err.message, "row 7 has 3 cells");
    assert_string_equal(err.detail, "");
    assert_string_equal(err.context, "");
}

static void nobody_needs_to_listen(void **state)
{
    (void)state;
    assert_int_equal(rf_fail(NULL, RF_IO, "x"), RF_IO);
    assert_int_equal(rf_fail_errno(NULL, RF_IO, "x"), RF_IO);
    rf_error_context(NULL, "x");
}

static void long_message_is_cut_between_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "é", "€", "𝄞"};
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++)
        for (size_t lead = 0; lead < 4; lead++) {
            char text[600] = "";
            size_t size = strlen(characters[i]), at = lead;
            memset(text, '.', lead);
            for (; at + size < sizeof text; at += size)
                memcpy(text + at, characters[i], size);
            rf_error err = {0};
            rf_fail(&err, RF_INPUT, "%s", text);
            size_t length = strlen(err.message);
            assert_true(length > sizeof err.message - 1 - size);
            assert_int_equal((length - lead) % size, 0);
            assert_memory_equal(err.message, text, length);
        }
}

static void control_characters_become_blanks(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_fail(&err, RF_INPUT, "no file '%s'", "a\nb\x1b[31m\x7f");
    assert_string_equal(err.message, "no file 'a b [31m '");
}

static void message_may_be_made_of_the_message_before(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_fail(&err, RF_IO, "inner");
    rf_fail(&err, RF_INPUT, "outer (%s)", err.message);
    assert_string_equal(err.message, "outer (inner)");
}

static void errno_goes_into_the_detail_and_survives(void **state)
{
    (void)state;
    rf_error err = {0};
    errno = ENOSPC;
    assert_int_equal(rf_fail_errno(&err, RF_IO, "x could not be written"), RF_IO);
    assert_int_equal(errno, ENOSPC);
    assert_string_equal(err.detail, "ENOSPC: No space left on device");
    assert_string_equal(err.message, "x could not be written");
}

static void context_is_outermost_first_and_never_replaces_the_cause(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_error_context(&err, "nothing failed");
    assert_string_equal(err.context, "");
    rf_fail(&err, RF_DIVERGED, "the loss is not finite");
    rf_error_context(&err, "epoch %d", 12);
    rf_error_context(&err, "train");
    assert_string_equal(err.context, "train > epoch 12");
    assert_string_equal(err.message, "the loss is not finite");
    for (int i = 0; i < 50; i++)
        rf_error_context(&err, "a rather long name of a step");
    assert_true(strlen(err.context) < sizeof err.context);
    assert_int_equal(err.code, RF_DIVERGED);
}

static void every_code_has_a_name_and_an_exit(void **state)
{
    (void)state;
    static const struct {
        rf_code code;
        const char *name;
        int exit_code;
    } cases[] = {{RF_OK, "OK", 0},
                 {RF_USAGE, "USAGE", 2},
                 {RF_INPUT, "INPUT", 3},
                 {RF_CORRUPT, "CORRUPT", 3},
                 {RF_NOT_FOUND, "NOT_FOUND", 3},
                 {RF_IO, "IO", 1},
                 {RF_NO_MEMORY, "NO_MEMORY", 1},
                 {RF_INTERRUPTED, "INTERRUPTED", 130}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(rf_code_name(cases[i].code), cases[i].name);
        assert_int_equal(rf_code_exit(cases[i].code), cases[i].exit_code);
    }
    assert_string_equal(rf_code_name(RF_CODE_COUNT), "UNKNOWN");
    assert_int_equal(rf_code_exit(RF_CODE_COUNT), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_stores_code_and_sentence_and_returns_the_code),
        cmocka_unit_test(nobody_needs_to_listen),
        cmocka_unit_test(long_message_is_cut_between_characters),
        cmocka_unit_test(control_characters_become_blanks),
        cmocka_unit_test(message_may_be_made_of_the_message_before),
        cmocka_unit_test(errno_goes_into_the_detail_and_survives),
        cmocka_unit_test(context_is_outermost_first_and_never_replaces_the_cause),
        cmocka_unit_test(every_code_has_a_name_and_an_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
