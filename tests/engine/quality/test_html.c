/* The HTML report, from two tables and an evaluation that are made by hand. */
#include <math.h>

#include "core/alloc.h"
#include "core/text.h"
#include "html_checker.h"
#include "html_sample.h"
#include "rf_test.h"

static void page_is_well_formed_and_valid_utf8(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    const char *page = html_sample_page(&s, &buf);
    assert_well_formed(page);
    assert_int_equal(rf_utf8_find_invalid(page, buf.size_bytes), -1);
    assert_int_equal(strlen(page), buf.size_bytes);
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void checker_sees_what_it_is_for(void **state)
{
    (void)state;
    static const struct {
        const char *page;
        bool good;
    } cases[] = {
        {"<!DOCTYPE html><p>a</p>", true},
        {"<!DOCTYPE html><p>a", false},
        {"<!DOCTYPE html><p><b>a</p></b>", false},
        {"<!DOCTYPE html><p class=a>a</p>", false},
        {"<!DOCTYPE html><p onclick=\"a\">a</p>", false},
        {"<!DOCTYPE html><p title=\"a<b\">a</p>", false},
        {"<!DOCTYPE html>a < b", false},
        {"<!DOCTYPE html><meta charset=\"utf-8\"><path d=\"M0 0\"/>", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *where = NULL;
        assert_int_equal(html_find_fault(cases[i].page, &where) == NULL, cases[i].good);
    }
}

static void page_names_every_column_escaped(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    const char *page = html_sample_page(&s, &buf);
    for (int i = 0; i < HTML_COLUMNS; i++)
        if (i != HTML_HOSTILE)
            assert_page_has(page, html_sample_fields[i].name);
    assert_page_has(page, "&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#39;");
    assert_page_has(page, "people.csv");
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void path_as_a_title_is_told_by_its_last_part(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    s.context.title = "/home/somebody/private/people.csv";
    const char *page = html_sample_page(&s, &buf);
    assert_page_has(page, "<h1>people.csv</h1>");
    assert_page_lacks(page, "somebody");
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void hostile_names_stay_text(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    s.context.title = html_hostile;
    s.context.model = html_hostile;
    s.context.device = html_hostile;
    s.context.created = html_hostile;
    s.context.params_json = "{\"</dd><script>\": \"</script>\"}";
    s.quality.columns[HTML_CONSTANT].problem = html_hostile;
    const char *page = html_sample_page(&s, &buf);
    assert_well_formed(page);
    assert_int_equal(html_count(page, "<script"), 1);
    assert_int_equal(html_count(page, "</script"), 1);
    assert_page_lacks(page, "<img");
    assert_page_lacks(page, "<b onclick");
    assert_int_equal(rf_utf8_find_invalid(page, buf.size_bytes), -1);
    rf_buf_free(&buf);
    s.context.params_json = "</pre><script>not json";
    page = html_sample_page(&s, &buf);
    assert_well_formed(page);
    assert_int_equal(html_count(page, "<script"), 1);
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void page_loads_nothing(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    const char *page = html_sample_page(&s, &buf);
    static const char *const outside[] = {"http://", "https://", "url(",  "@import", " src=\"",
                                          "<iframe", "<object",  "<base", "xlink"};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_page_lacks(page, outside[i]);
    for (const char *at = strstr(page, " href=\""); at; at = strstr(at + 1, " href=\""))
        if (at[7] != '#' && strncmp(at + 7, "data:,\"", 7) != 0)
            fail_msg("a link that leads out: %.60s", at);
    assert_page_has(page, "default-src 'none'");
    assert_int_equal(html_count(page, "'sha256-"), 2);
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void score_that_is_not_a_number_is_a_dash_with_its_reason(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    rf_quality *q = &s.quality;
    q->trends_gated = q->trends_all = q->overall_gated = q->diagnostic = q->validity = q->structure = NAN;
    q->pairs[0].score = NAN;
    q->pairs[0].problem = "not \"defined\"";
    const char *page = html_sample_page(&s, &buf);
    assert_well_formed(page);
    assert_page_has(page, "title=\"the column has &lt;one&gt; value\">—<");
    assert_page_has(page, "title=\"not &quot;defined&quot;\">—<");
    const char *script = strstr(page, "<script>");
    buf.data[script - page] = 0; /* the script has isNaN in it */
    assert_page_lacks(page, "nan<");
    assert_page_lacks(page, "nan\"/");
    assert_page_lacks(page, ">nan");
    assert_page_lacks(page, "NaN");
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void evaluation_of_nothing_makes_a_page(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    s.quality.n_columns = s.quality.n_pairs = s.quality.n_pairs_gated_in = 0;
    s.quality.dcr = s.quality.dcr_holdout = (rf_dcr_summary){0};
    s.quality.has_holdout = false;
    s.notes.n = 0;
    assert_well_formed(html_sample_page(&s, &buf));
    rf_buf_clear(&buf);
    rf_quality_html(&s.quality, s.real, s.synthetic, NULL, &buf);
    assert_false(buf.failed);
    assert_well_formed(buf.data);
    rf_buf_free(&buf);
    s.notes.n = 2;
    html_sample_close(&s);
}

static void columns_without_values_make_a_page(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    for (int c = 0; c < HTML_COLUMNS; c++)
        for (int64_t row = 0; row < HTML_ROWS; row++) {
            if (s.real->columns[c].values)
                s.real->columns[c].values[row] = NAN;
            else
                s.real->columns[c].codes[row] = -1;
        }
    const char *page = html_sample_page(&s, &buf);
    assert_well_formed(page);
    assert_page_has(page, "has no value");
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void extreme_numbers_make_a_page(void **state)
{
    (void)state;
    static const double extremes[][3] = {
        {-1.7e308, 0, 1.7e308},     {5e-324, 1e-320, 1e-310},  {1e300, 1e307, 1.7e308},
        {1e15, 1e15 + 1, 1e15 + 2}, {-1e-9, 0, 1e-9},          {0.1, 0.1, 0.1},
        {-6.2e10, 0, 2.5e11},       {9007199254740991, 0, -1}, {1e-12, 1e4, 1e12}};
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
        for (int64_t row = 0; row < HTML_ROWS; row++)
            for (int c = 0; c < HTML_COLUMNS; c++)
                if (s.real->columns[c].values)
                    s.real->columns[c].values[row] = extremes[i][row % 3];
        assert_well_formed(html_sample_page(&s, &buf));
        assert_page_lacks(buf.data, "-nan");
        assert_page_lacks(buf.data, "\"inf");
        rf_buf_free(&buf);
    }
    html_sample_close(&s);
}

static void rare_categories_and_extreme_cells_are_not_told(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    s.real->columns[HTML_INCOME].values[1] = 1234.56789; /* the least and the greatest */
    s.real->columns[HTML_INCOME].values[2] = 9876543.21;
    const char *page = html_sample_page(&s, &buf);
    assert_page_has(page, "Lisbon");
    assert_page_lacks(page, "Nobodyville"); /* three real rows */
    assert_page_lacks(page, "Atlantis");    /* synthetic only */
    assert_page_has(page, "not in the real table");
    assert_page_lacks(page, "1234.5");
    assert_page_lacks(page, "9876543");
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void column_that_the_synthetic_table_lacks_is_said(void **state)
{
    (void)state;
    rf_error err = {0};
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    rf_schema fewer = s.synthetic->schema;
    fewer.n_fields = 3;
    rf_table *narrow = NULL;
    assert_ok(rf_table_create(&narrow, &fewer, 50, &err));
    rf_buf_init(&buf);
    rf_quality_html(&s.quality, s.real, narrow, &s.context, &buf);
    assert_false(buf.failed);
    assert_well_formed(buf.data);
    assert_page_has(buf.data, "The synthetic table has no such column.");
    rf_buf_free(&buf);
    rf_table_free(narrow);
    html_sample_close(&s);
}

static void wide_table_makes_a_small_page_that_says_what_it_left_out(void **state)
{
    (void)state;
    enum { WIDE = 700 };
    html_sample s;
    rf_buf buf;
    static rf_field fields[WIDE];
    static char names[WIDE][256];
    for (int i = 0; i < WIDE; i++) {
        memset(names[i], '&', 240);
        snprintf(names[i] + 240, 16, "%d", i);
        fields[i] =
            (rf_field){.name = names[i], .label = names[i], .kind = RF_KIND_CONTINUOUS, .decimals = -1};
    }
    const rf_schema schema = {.n_fields = WIDE, .fields = fields};
    s = (html_sample){.real = html_sample_table(&schema, 30), .synthetic = html_sample_table(&schema, 30)};
    for (int i = 0; i < WIDE; i++)
        for (int row = 0; row < 30; row++)
            s.real->columns[i].values[row] = s.synthetic->columns[i].values[row] = row * (i + 1);
    html_sample_quality(&s.quality, &schema);
    const char *page = html_sample_page(&s, &buf);
    assert_well_formed(page);
    assert_int_equal(html_count(page, "class=\"card col\""), 60);
    assert_page_has(page, "The 60 weakest of 700 columns are drawn");
    assert_page_has(page, "Shown are the 40 columns of 700");
    assert_page_has(page, "of which the 2,000 weakest are listed");
    assert_true(buf.size_bytes < 12u << 20);
    rf_buf_free(&buf);
    rf_arena_free(&s.quality.arena);
    rf_table_free(s.real);
    rf_table_free(s.synthetic);
}

static void weakest_stand_first(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    s.quality.columns[HTML_CITY].shape = 0.111;
    const char *page = html_sample_page(&s, &buf), *cards = strstr(page, "<div class=\"cards\">");
    assert_non_null(cards);
    const char *city = strstr(cards, "id=\"c4\""), *age = strstr(cards, "id=\"c0\""),
               *constant = strstr(cards, "id=\"c8\"");
    assert_true(city && age && constant && city < age && age < constant);
    rf_buf_free(&buf);
    html_sample_close(&s);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    html_sample s;
    rf_buf buf;
    html_sample_open(&s);
    rf_alloc_fail_at(0);
    html_sample_page(&s, &buf);
    const int64_t n = rf_alloc_count();
    rf_buf_free(&buf);
    assert_true(n > 3);
    for (int64_t i = 1; i <= n; i++) {
        rf_buf_init(&buf);
        rf_alloc_fail_at(i);
        rf_quality_html(&s.quality, s.real, s.synthetic, &s.context, &buf);
        rf_alloc_fail_at(0);
        if (!buf.failed)
            fail_msg("allocation %lld of %lld failed and nobody said so", (long long)i, (long long)n);
        rf_buf_free(&buf);
    }
    html_sample_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checker_sees_what_it_is_for),
        cmocka_unit_test(page_is_well_formed_and_valid_utf8),
        cmocka_unit_test(page_names_every_column_escaped),
        cmocka_unit_test(path_as_a_title_is_told_by_its_last_part),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(page_loads_nothing),
        cmocka_unit_test(score_that_is_not_a_number_is_a_dash_with_its_reason),
        cmocka_unit_test(evaluation_of_nothing_makes_a_page),
        cmocka_unit_test(columns_without_values_make_a_page),
        cmocka_unit_test(extreme_numbers_make_a_page),
        cmocka_unit_test(rare_categories_and_extreme_cells_are_not_told),
        cmocka_unit_test(column_that_the_synthetic_table_lacks_is_said),
        cmocka_unit_test(wide_table_makes_a_small_page_that_says_what_it_left_out),
        cmocka_unit_test(weakest_stand_first),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
