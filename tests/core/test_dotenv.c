#include "rf_test.h"

#include <unistd.h>

#include "core/alloc.h"
#include "core/dotenv.h"

static rf_code parse(rf_dotenv *env, const char *text, rf_error *err)
{
    return rf_dotenv_parse(env, text, strlen(text), err);
}

static void values_are_read_in_every_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"A=1", "1"},
        {"A=1\n", "1"},
        {"A=1\r\nB=2\r\n", "1"},
        {"  A = 1  # one", "1"},
        {"export A=1", "1"},
        {"\xEF\xBB\xBF"
         "A=1",
         "1"},
        {"# A=0\n\n A=1", "1"},
        {"A=0\nA=1", "1"},
        {"A=", ""},
        {"A=\nB=1", ""},
        {"A= # nothing", ""},
        {"A=two words", "two words"},
        {"A=a#b", "a#b"},
        {"A=x=y", "x=y"},
        {"A=\"two words\" # said", "two words"},
        {"A=\"a\\n\\\"b\\\"\\\\\\$\"", "a\n\"b\"\\$"},
        {"A='a\\n\"b\"'", "a\\n\"b\""},
        {"A=\"one\ntwo\"\nB=2", "one\ntwo"},
        {"A=\"\"", ""},
        {"A=\"# no comment\"", "# no comment"},
    };
    rf_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_dotenv env;
        assert_ok(parse(&env, cases[i].text, &err));
        const char *value = rf_dotenv_find(&env, "A");
        if (!value || strcmp(value, cases[i].value))
            fail_msg("case %zu: \"%s\"", i, value ? value : "(absent)");
        assert_null(rf_dotenv_find(&env, "C"));
        rf_dotenv_free(&env);
    }
}

static void lines_are_counted_through_quotes(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_dotenv env;
    assert_ok(parse(&env, "A=\"one\ntwo\"\n\nB=2", &err));
    assert_int_equal(env.n, 2);
    assert_int_equal(env.pairs[0].line, 1);
    assert_int_equal(env.pairs[1].line, 4);
    rf_dotenv_free(&env);
}

static void line_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"A=1\nnonsense\n", "line 2 is not NAME=value"},
        {"=1", "line 1 is not NAME=value"},
        {"1A=1", "line 1 is not NAME=value"},
        {"A-B=1", "line 1 is not NAME=value"},
        {"A B=1", "line 1 is not NAME=value"},
        {"B=1\nA=\"open\n\n", "line 2 opens a quote that is not closed"},
        {"A='open", "line 1 opens a quote"},
        {"A=\"x\"y", "line 1 goes on after the closing quote"},
    };
    rf_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_dotenv env;
        assert_fails(parse(&env, cases[i].text, &err), RF_INPUT, cases[i].part);
        rf_dotenv_free(&env);
    }
    rf_dotenv env;
    assert_fails(rf_dotenv_parse(&env, "A=\0001", 4, &err), RF_INPUT, "NUL");
    rf_dotenv_free(&env);
}

static void lines_around_a_broken_one_are_read(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_dotenv env;
    assert_fails(parse(&env, "A=1\n?\nB=2\n!\nC=3", &err), RF_INPUT, "line 2 is not");
    assert_string_equal(rf_dotenv_find(&env, "A"), "1");
    assert_string_equal(rf_dotenv_find(&env, "B"), "2");
    assert_string_equal(rf_dotenv_find(&env, "C"), "3");
    rf_dotenv_free(&env);
}

static void file_that_is_not_there_is_empty(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_dotenv env;
    assert_ok(rf_dotenv_load(&env, "/tmp/no-such-file-of-rowforge", &err));
    assert_int_equal(env.n, 0);
    assert_null(rf_dotenv_find(&env, "A"));
    rf_dotenv_free(&env);
    assert_fails(rf_dotenv_load(&env, "/tmp", &err), RF_INPUT, "/tmp");
    rf_dotenv_free(&env);
}

static void file_is_named_with_its_faulty_line(void **state)
{
    (void)state;
    char path[] = "/tmp/rowforge-env-XXXXXX";
    const int fd = mkstemp(path);
    assert_int_equal(write(fd, "A=1\n?\n", 6), 6);
    close(fd);
    rf_error err = {0};
    rf_dotenv env;
    assert_fails(rf_dotenv_load(&env, path, &err), RF_INPUT, "line 2 is not");
    assert_non_null(strstr(err.message, path));
    rf_dotenv_free(&env);
    unlink(path);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int64_t nth = 1;; nth++) {
        rf_error err = {0};
        rf_dotenv env;
        rf_alloc_fail_at(nth);
        const rf_code rc = parse(&env, "A=1\nB=\"two\"\n", &err);
        const bool all_done = rf_alloc_count() < nth;
        rf_alloc_fail_at(0);
        rf_dotenv_free(&env);
        if (all_done) {
            assert_int_equal(rc, RF_OK);
            break;
        }
        assert_int_equal(rc, RF_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_in_every_spelling),
        cmocka_unit_test(lines_are_counted_through_quotes),
        cmocka_unit_test(line_that_cannot_be_read_is_named),
        cmocka_unit_test(lines_around_a_broken_one_are_read),
        cmocka_unit_test(file_that_is_not_there_is_empty),
        cmocka_unit_test(file_is_named_with_its_faulty_line),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
