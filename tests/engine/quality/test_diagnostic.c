#include "engine/quality/diagnostic.h"
#include "hand_table.h"

/* One column's diagnosis. */
static rf_quality_column diagnose(int64_t n_real, hand_column real, int64_t n_other, hand_column other,
                                  rfi_rules rules)
{
    rf_error err = {0};
    rf_arena arena;
    rfi_facing *face;
    rf_quality_column out = {0};
    const int32_t field = 0;
    rf_arena_init(&arena);
    rf_table *a = hand_table(n_real, (hand_column[]){real, {0}}),
             *b = hand_table(n_other, (hand_column[]){other, {0}});
    assert_ok(rfi_face(&face, &arena, a, b, &field, 1, &err));
    assert_ok(rfi_diagnose(&out, face, &rules, b, &err));
    rf_arena_free(&arena);
    rf_table_free(a);
    rf_table_free(b);
    return out;
}

static double structure(const rf_table *a, const rf_table *b)
{
    rf_error err = {0};
    double score;
    assert_ok(rfi_structure(&score, a, b, &err));
    return score;
}

#define REAL(...)                                                                                            \
    (hand_column)                                                                                            \
    {                                                                                                        \
        "x", RF_KIND_CONTINUOUS, .values = NUMBERS(__VA_ARGS__)                                              \
    }
#define WORDS(...)                                                                                           \
    (hand_column)                                                                                            \
    {                                                                                                        \
        "x", RF_KIND_CATEGORICAL, .texts = TEXTS(__VA_ARGS__)                                                \
    }
#define IDS(...)                                                                                             \
    (hand_column)                                                                                            \
    {                                                                                                        \
        "x", RF_KIND_ID, .texts = TEXTS(__VA_ARGS__)                                                         \
    }

static const rfi_rules none = {0};

static void values_outside_the_real_range_are_not_valid(void **state)
{
    (void)state;
    assert_near(diagnose(2, REAL(1, 5), 4, REAL(1, 5, 0.5, 6), none).validity, 0.5, 0);
    assert_near(diagnose(3, REAL(1, NAN, 5), 4, REAL(1, NAN, NAN, 6), none).validity, 0.5, 0);
    assert_near(diagnose(2, REAL(1, 5), 4, REAL(1, NAN, NAN, 6), none).validity, 0.25, 0);
    const rf_quality_column empty = diagnose(2, REAL(NAN, NAN), 2, REAL(NAN, NAN), none);
    assert_true(isnan(empty.validity));
    assert_non_null(empty.validity_problem);
    assert_string_equal(empty.validity_metric, "BoundaryAdherence");
}

static void categories_that_the_real_column_lacks_are_not_valid(void **state)
{
    (void)state;
    assert_near(diagnose(2, WORDS("a", "b"), 4, WORDS("a", "b", "c", NULL), none).validity, 0.5, 0);
    assert_near(diagnose(3, WORDS("a", "b", NULL), 4, WORDS("a", "b", "c", NULL), none).validity, 0.75, 0);
}

static void ranges_of_the_metadata_replace_the_real_ones(void **state)
{
    static const char *const values[] = {"a", "c"};
    const rf_metadata_column range = {.range_min = 0, .range_max = NAN, .nullable = 1};
    const rf_metadata_column list = {
        .range_values = values, .n_range_values = 2, .range_min = NAN, .range_max = NAN};
    const rf_metadata_column strict = {.range_min = NAN, .range_max = NAN, .nullable = -1};
    (void)state;
    assert_near(diagnose(2, REAL(1, 5), 4, REAL(0, 6, NAN, -1), (rfi_rules){.given = &range}).validity,
                1 / 3.0, 1e-15);
    assert_near(diagnose(2, WORDS("a", "b"), 3, WORDS("a", "b", "c"), (rfi_rules){.given = &list}).validity,
                2 / 3.0, 1e-15);
    assert_near(diagnose(2, REAL(1, NAN), 2, REAL(1, NAN), (rfi_rules){.given = &strict}).validity, 0.5, 0);
    assert_near(diagnose(2, WORDS("a", NULL), 2, WORDS("a", NULL), (rfi_rules){.given = &strict}).validity,
                0.5, 0);
}

static void keys_that_repeat_or_are_missing_are_not_unique(void **state)
{
    const rfi_rules key = {.key = true};
    (void)state;
    assert_near(diagnose(2, IDS("a", "b"), 4, IDS("p", "q", "p", NULL), key).validity, 0.5, 0);
    assert_near(diagnose(2, IDS("a", "b"), 3, IDS("a", "b", "c"), key).validity, 1, 0);
    assert_null(diagnose(2, IDS("a", "b"), 2, IDS("a", "a"), none).validity_metric); /* no key, no row */
    const hand_column numbers = {"x", RF_KIND_INTEGER, .values = NUMBERS(1, 2, 2, NAN)};
    assert_near(diagnose(2, IDS("a", "b"), 4, numbers, key).validity, 0.5, 0);
}

static void ids_are_matched_against_their_regex(void **state)
{
    rf_quality_column c =
        diagnose(1, IDS("P-1"), 4, IDS("P-1", "P-2", "Q-3", NULL), (rfi_rules){.regex = "P-[0-9]"});
    (void)state;
    assert_near(c.format_validity, 0.5, 0);
    assert_string_equal(c.format_metric, "RegexFormatAdherence");
    c = diagnose(1, IDS("P-1"), 2, IDS("P-1", NULL), (rfi_rules){.regex = ".*"}); /* "nan" matches */
    assert_near(c.format_validity, 1, 0);
    c = diagnose(1, IDS("P-1"), 1, IDS("P-1"), (rfi_rules){.regex = "(?P<n>a)"});
    assert_true(isnan(c.format_validity));
    assert_non_null(c.format_problem);
    const hand_column numbers = {"x", RF_KIND_INTEGER, .values = NUMBERS(17, 5)};
    c = diagnose(1, IDS("P-1"), 2, numbers, (rfi_rules){.regex = "\\d{2}"});
    assert_near(c.format_validity, 0.5, 0);
}

static void dates_are_matched_against_their_format(void **state)
{
    const hand_column days = {"x", RF_KIND_DATETIME, .values = NUMBERS(0, NAN),
                              .datetime_format = "%Y-%m-%d"};
    const hand_column hours = {"x", RF_KIND_DATETIME, .values = NUMBERS(0, NAN),
                               .datetime_format = "%Y-%m-%d %H:%M"};
    const rfi_rules rules = {.datetime_format = "%Y-%m-%d"};
    (void)state;
    assert_near(diagnose(2, days, 2, days, rules).format_validity, 1, 0);
    assert_near(diagnose(2, days, 2, hours, rules).format_validity, 0.5, 0); /* the missing one is no fault */
    assert_near(diagnose(2, days, 4, WORDS("2020-01-01", NULL, "soon", "1/1/2020"), rules).format_validity,
                0.5, 0);
    assert_string_equal(diagnose(2, days, 2, days, rules).format_metric, "DatetimeFormatAdherence");
    assert_null(diagnose(2, days, 2, days, none).format_metric);
}

static void structure_is_the_share_of_columns_with_equal_name_and_type(void **state)
{
    const hand_column whole = {"n", RF_KIND_INTEGER, .values = NUMBERS(1, 2)};
    const hand_column holes = {"n", RF_KIND_INTEGER, .values = NUMBERS(1, NAN)};
    const hand_column fraction = {"n", RF_KIND_CONTINUOUS, .values = NUMBERS(1, 2), .decimals = 1};
    const hand_column text = {"t", RF_KIND_CATEGORICAL, .texts = TEXTS("a", "b")};
    const hand_column truth = {"t", RF_KIND_BOOLEAN, .texts = TEXTS("True", "False")};
    const hand_column digits = {"t", RF_KIND_CATEGORICAL, .texts = TEXTS("1", "2")};
    rf_table *a = hand_table(2, (hand_column[]){whole, text, {0}}),
             *b = hand_table(2, (hand_column[]){text, whole, {0}});
    rf_table *c = hand_table(2, (hand_column[]){holes, text, {0}}),
             *d = hand_table(2, (hand_column[]){fraction, truth, {0}});
    rf_table *e = hand_table(2, (hand_column[]){holes, digits, {0}}),
             *f = hand_table(2, (hand_column[]){text, {0}});
    (void)state;
    assert_near(structure(a, a), 1, 0);
    assert_near(structure(a, b), 1, 0);           /* the order is no matter */
    assert_near(structure(a, c), 1 / 3.0, 1e-15); /* int64 against float64 */
    assert_near(structure(c, d), 1 / 3.0, 1e-15); /* object against bool   */
    assert_near(structure(d, e), 1 / 3.0, 1e-15); /* bool against int64    */
    assert_near(structure(a, f), 0.5, 0);
    rf_table *const all[] = {a, b, c, d, e, f};
    for (int i = 0; i < 6; i++)
        rf_table_free(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_outside_the_real_range_are_not_valid),
        cmocka_unit_test(categories_that_the_real_column_lacks_are_not_valid),
        cmocka_unit_test(ranges_of_the_metadata_replace_the_real_ones),
        cmocka_unit_test(keys_that_repeat_or_are_missing_are_not_unique),
        cmocka_unit_test(ids_are_matched_against_their_regex),
        cmocka_unit_test(dates_are_matched_against_their_format),
        cmocka_unit_test(structure_is_the_share_of_columns_with_equal_name_and_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
