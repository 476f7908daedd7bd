#include "core/alloc.h"
#include "engine/quality/fullmatch.h"
#include "rf_test.h"

static const struct {
    const char *pattern, *text;
    bool matches;
} cases[] = {
    {"", "", true},
    {"", "a", false},
    {"abc", "abc", true},
    {"abc", "abcd", false},
    {"abc", "ab", false},
    {"a.c", "axc", true},
    {"a.c", "a\nc", false},
    {"a.c",
     "a\xC3\xA9"
     "c",
     true},
    {"\\d{30}", "123456789012345678901234567890", true},
    {"\\d{30}", "12345678901234567890123456789", false},
    {"P-[0-9]{5}", "P-00017", true},
    {"P-[0-9]{5}", "Q-00017", false},
    {"[A-F]{2}\\d{1,3}(x|yz)?", "AB7", true},
    {"[A-F]{2}\\d{1,3}(x|yz)?", "AB777yz", true},
    {"[A-F]{2}\\d{1,3}(x|yz)?", "AB7777", false},
    {"[A-F]{2}\\d{1,3}(x|yz)?", "AB7y", false},
    {"a{,2}b", "b", true},
    {"a{,2}b", "aab", true},
    {"a{,2}b", "aaab", false},
    {"a{2,}", "a", false},
    {"a{2,}", "aaaaa", true},
    {"a{x}", "a{x}", true},
    {"a{", "a{", true},
    {"[^a-c]+", "xyz", true},
    {"[^a-c]+", "xbz", false},
    {"[]a]+", "]a]", true},
    {"[a-]+", "a-a", true},
    {"[\\w-]+", "some-word_9", true},
    {"[\\D]+", "abc", true},
    {"[\\D]+", "ab1", false},
    {"\\S+\\s\\S+", "two words", true},
    {"\\S+\\s\\S+", "twowords", false},
    {"\\W", "-", true},
    {"\\.\\*\\\\", ".*\\", true},
    {"\\t\\n", "\t\n", true},
    {"(a|b)*c", "ababc", true},
    {"(a|b)*c", "abdc", false},
    {"(?:ab)+?", "ababab", true},
    {"(a*)*", "aaaa", true},
    {"(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
    {"(|a)b", "b", true},
    {"a|bc|d", "bc", true},
    {"^abc$", "abc", true},
    {"a^b", "ab", false},
    {"\\Aab\\Z", "ab", true},
    {"[\xC3\xA0-\xC3\xBC]+", "\xC3\xA9\xC3\xA8", true},
    {"\xC3\xA9{2}", "\xC3\xA9\xC3\xA9", true},
    {"(((a{0}){9999}){9999}){9999}b", "b", true},
};

static void a_text_matches_when_all_of_it_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rf_error err = {0};
        rfi_regex *regex = NULL;
        const char *problem = NULL;
        assert_ok(rfi_regex_create(&regex, &problem, cases[i].pattern, &err));
        if (!regex)
            fail_msg("%s: %s", cases[i].pattern, problem);
        for (int again = 0; again < 2; again++) { /* a match leaves nothing behind */
            if (rfi_regex_match(regex, cases[i].text, strlen(cases[i].text)) != cases[i].matches)
                fail_msg("'%s' against '%s' should be %d", cases[i].text, cases[i].pattern, cases[i].matches);
        }
        rfi_regex_free(regex);
    }
}

static void a_pattern_that_is_not_understood_says_why(void **state)
{
    static const char *const patterns[] = {
        "(",      "a)",    "[a",  "*a",  "a\\",      "(?P<name>a)",     "(?=a)",  "\\1",
        "a{3,1}", "[b-a]", "a*+", "\\b", "a{99999}", "(a{9999}){9999}", "[\\d-z]"};
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        rf_error err = {0};
        rfi_regex *regex = NULL;
        const char *problem = NULL;
        assert_ok(rfi_regex_create(&regex, &problem, patterns[i], &err));
        if (regex || !problem)
            fail_msg("'%s' was taken", patterns[i]);
    }
}

static void nesting_has_a_limit(void **state)
{
    char deep[1200];
    rf_error err = {0};
    rfi_regex *regex = NULL;
    const char *problem = NULL;
    (void)state;
    memset(deep, '(', 1000);
    deep[1000] = 0;
    assert_ok(rfi_regex_create(&regex, &problem, deep, &err));
    assert_null(regex);
    assert_non_null(strstr(problem, "nested"));
}

static void every_allocation_may_fail(void **state)
{
    rf_code rc = RF_NO_MEMORY;
    (void)state;
    for (int64_t nth = 1; rc != RF_OK; nth++) {
        rf_error err = {0};
        rfi_regex *regex = NULL;
        const char *problem = NULL;
        rf_alloc_fail_at(nth);
        rc = rfi_regex_create(&regex, &problem, "(a|b)*[0-9]{3}", &err);
        rf_alloc_fail_at(0);
        assert_true(rc == RF_OK || (rc == RF_NO_MEMORY && !regex));
        rfi_regex_free(regex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_matches_when_all_of_it_does),
        cmocka_unit_test(a_pattern_that_is_not_understood_says_why),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
