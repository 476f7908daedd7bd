/* The parts of the server that need no socket: ranges, rates, names, JSON text, the router and meters. */
#include "api/crew.h"
#include "api/json_text.h"
#include "api/meters.h"
#include "api/names.h"
#include "api/range.h"
#include "api/rates.h"
#include "api/route.h"
#include "rf_test.h"
#include "stub_routes.h"

#include <stdatomic.h>
#include <unistd.h>

static void a_range_is_read_as_the_standard_says(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        rfi_range_kind kind;
        int64_t offset, length;
    } cases[] = {
        {NULL, RFI_RANGE_WHOLE, 0, 0},
        {"bytes=0-", RFI_RANGE_PART, 0, 1000},
        {"bytes=0-0", RFI_RANGE_PART, 0, 1},
        {"Bytes=10-19", RFI_RANGE_PART, 10, 10},
        {"bytes=999-5000", RFI_RANGE_PART, 999, 1},
        {"bytes=-1", RFI_RANGE_PART, 999, 1},
        {"bytes=-5000", RFI_RANGE_PART, 0, 1000},
        {"bytes=1000-", RFI_RANGE_OUTSIDE, 0, 0},
        {"bytes=-0", RFI_RANGE_OUTSIDE, 0, 0},
        {"bytes=20-10", RFI_RANGE_WHOLE, 0, 0},
        {"bytes=1-2,4-5", RFI_RANGE_WHOLE, 0, 0},
        {"bytes=--1", RFI_RANGE_WHOLE, 0, 0},
        {"bytes= 1-2", RFI_RANGE_WHOLE, 0, 0},
        {"bytes=9999999999999999999999-", RFI_RANGE_OUTSIDE, 0, 0},
        {"bytes=990-9999999999999999999999", RFI_RANGE_PART, 990, 10},
        {"bytes=-9999999999999999999999", RFI_RANGE_PART, 0, 1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t offset = 0, length = 0;
        assert_int_equal(rfi_range_read(cases[i].header, 1000, &offset, &length), cases[i].kind);
        assert_int_equal(offset, cases[i].offset);
        assert_int_equal(length, cases[i].length);
    }
    int64_t offset, length;
    assert_int_equal(rfi_range_read("bytes=0-", 0, &offset, &length), RFI_RANGE_OUTSIDE);
}

static void what_is_named_weighs_more_than_a_star(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int weight;
    } cases[] = {
        {NULL, 0},
        {"text/html", 1000},
        {"TEXT/HTML;q=0.5", 500},
        {"text/*;q=0.3, */*;q=0.9", 300},
        {"text/html;q=0, */*", 0},
        {"application/json", 0},
        {"*/*;q=0.125", 125},
        {"text/html;level=1; q=0.7", 700},
        {"text/htmlx, text/htm", 0},
        {"text/html;q=9", 1000},
        {"text/html;q=", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(rfi_accept_weight(cases[i].header, "text/html"), cases[i].weight);
}

static void gzip_is_taken_only_by_those_who_say_so(void **state)
{
    (void)state;
    assert_true(rfi_accepts_gzip("gzip"));
    assert_true(rfi_accepts_gzip("br, GZIP;q=0.1"));
    assert_true(rfi_accepts_gzip("*"));
    assert_true(rfi_accepts_gzip("gzip;q=0.001"));
    assert_false(rfi_accepts_gzip(NULL));
    assert_false(rfi_accepts_gzip(""));
    assert_false(rfi_accepts_gzip("br, deflate"));
    assert_false(rfi_accepts_gzip("gzip;q=0"));
    assert_false(rfi_accepts_gzip("gzip;q=0.000"));
    assert_false(rfi_accepts_gzip("xgzip"));
    assert_false(rfi_accepts_gzip("*, gzip;q=0"));
}

static void a_burst_is_allowed_and_then_one_each_share_of_the_minute(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_settings settings;
    rfi_rates *rates = NULL;
    assert_ok(rf_settings_default(&settings, &err));
    settings.rate_login = 60;
    assert_ok(rfi_rates_open(&rates, &settings, &err));
    for (int i = 0; i < 60; i++)
        assert_int_equal(rfi_rates_take(rates, RFI_RATE_LOGIN, "10.0.0.1", 100), 0);
    assert_int_equal(rfi_rates_take(rates, RFI_RATE_LOGIN, "10.0.0.1", 100), 1 + 1);
    assert_int_equal(rfi_rates_take(rates, RFI_RATE_LOGIN, "10.0.0.2", 100), 0);
    assert_int_equal(rfi_rates_take(rates, RFI_RATE_REGISTER, "10.0.0.1", 100), 0);
    assert_int_equal(rfi_rates_take(rates, RFI_RATE_LOGIN, "10.0.0.1", 101.01), 0);
    assert_true(rfi_rates_take(rates, RFI_RATE_LOGIN, "10.0.0.1", 101.02) > 0);
    assert_int_equal(rfi_rates_take(rates, RFI_RATE_LOGIN, "10.0.0.1", 200), 0);
    settings.rate_limit = false;
    for (int i = 0; i < 500; i++)
        assert_int_equal(rfi_rates_take(rates, RFI_RATE_LOGIN, "10.0.0.1", 200), 0);
    rfi_rates_close(rates);
    rf_settings_free(&settings);
}

static void a_crowd_of_addresses_does_not_free_the_one_that_is_limited(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_settings settings;
    rfi_rates *rates = NULL;
    char address[32];
    assert_ok(rf_settings_default(&settings, &err));
    settings.rate_login = 5;
    assert_ok(rfi_rates_open(&rates, &settings, &err));
    for (int i = 0; i < 5; i++)
        assert_int_equal(rfi_rates_take(rates, RFI_RATE_LOGIN, "bad", 10), 0);
    for (int i = 0; i < 100000; i++) {
        snprintf(address, sizeof address, "10.%d.%d", i / 256, i % 256);
        rfi_rates_take(rates, RFI_RATE_LOGIN, address, 10);
    }
    assert_true(rfi_rates_take(rates, RFI_RATE_LOGIN, "bad", 10) > 0);
    rfi_rates_close(rates);
    rf_settings_free(&settings);
}

static void hosts_match_without_their_port(void **state)
{
    (void)state;
    static const char *list[] = {"example.com", "*.example.org", "[::1]"};
    const rf_setting_list names = {.item = list, .n = 3};
    assert_true(rfi_names_have_host(&names, "Example.com:8000"));
    assert_true(rfi_names_have_host(&names, "a.b.example.org"));
    assert_true(rfi_names_have_host(&names, "[::1]:80"));
    assert_false(rfi_names_have_host(&names, "example.org"));
    assert_false(rfi_names_have_host(&names, "badexample.org"));
    assert_false(rfi_names_have_host(&names, "example.com.evil"));
    assert_false(rfi_names_have_host(&names, ""));
}

static void any_bytes_become_json_that_can_be_read(void **state)
{
    (void)state;
    rf_buf out;
    rf_buf_init(&out);
    rfi_json_open(&out, '{');
    rfi_json_put_text(&out, "a", "\"\\\n\t\x01\x7F\xC3\xA4");
    rfi_json_put_text(&out, "b", "x\xFFy\xC3");
    rfi_json_put_text(&out, "c", NULL);
    rfi_json_put_int(&out, "d", -5);
    rfi_json_put_real(&out, "e", 0.1);
    rfi_json_put_real(&out, "f", 0.0 / 0.0);
    rfi_json_put_time(&out, "g", 0);
    rfi_json_key(&out, "h");
    rfi_json_open(&out, '[');
    rfi_json_int(&out, 1);
    rfi_json_flag(&out, true);
    rfi_json_close(&out, ']');
    rfi_json_put_raw(&out, "i", "");
    rfi_json_close(&out, '}');
    assert_string_equal(out.data,
                        "{\"a\":\"\\\"\\\\\\n\\t\\u0001\x7F\xC3\xA4\",\"b\":\"x\xEF\xBF\xBDy\xEF\xBF\xBD\","
                        "\"c\":null,\"d\":-5,\"e\":0.1,\"f\":null,\"g\":null,\"h\":[1,true],\"i\":null}");
    rf_buf_free(&out);
}

static void a_path_finds_its_row_and_what_else_it_has(void **state)
{
    (void)state;
    rfi_match match;
    char things[] = "/things/17", none[] = "/things/17/more", zero[] = "/things/0", slash[] = "/things/",
         hello[] = "/hello/";
    rfi_route_find(&stub_routes, RFI_DELETE, things, &match);
    assert_string_equal(match.route->name, "thingDelete");
    assert_string_equal(match.value[0], "17");
    assert_int_equal(match.methods, 1u << RFI_GET | 1u << RFI_DELETE);
    rfi_route_find(&stub_routes, RFI_GET, none, &match);
    assert_null(match.route);
    assert_int_equal(match.methods, 0);
    rfi_route_find(&stub_routes, RFI_GET, zero, &match);
    assert_null(match.route);
    rfi_route_find(&stub_routes, RFI_GET, slash, &match);
    assert_null(match.route);
    rfi_route_find(&stub_routes, RFI_GET, hello, &match);
    assert_null(match.route);
}

static void meters_are_told_in_the_text_form(void **state)
{
    (void)state;
    rf_error err = {0};
    rfi_meters *meters = NULL;
    rf_buf out;
    rf_buf_init(&out);
    assert_ok(rfi_meters_open(&meters, &stub_routes, &err));
    rfi_meters_count(meters, &stub_routes.rows[0], 200, 0.002);
    rfi_meters_count(meters, &stub_routes.rows[0], 404, 40);
    rfi_meters_count(meters, NULL, 400, 0.0001);
    rfi_meters_text(meters, &out);
    assert_non_null(
        strstr(out.data, "rowforge_http_requests_total{method=\"GET\",path=\"/hello\",status=\"4xx\"} 1\n"));
    assert_non_null(strstr(out.data, "seconds_bucket{method=\"GET\",path=\"/hello\",le=\"0.001\"} 0\n"));
    assert_non_null(strstr(out.data, "seconds_bucket{method=\"GET\",path=\"/hello\",le=\"0.0025\"} 1\n"));
    assert_non_null(strstr(out.data, "seconds_bucket{method=\"GET\",path=\"/hello\",le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(out.data, "seconds_count{method=\"\",path=\"\"} 1\n"));
    rfi_meters_close(meters);
    rf_buf_free(&out);
}

static _Atomic int done;

static void do_it(void *arg)
{
    (void)arg;
    usleep(1000);
    atomic_fetch_add(&done, 1);
}

static void a_crew_refuses_what_is_too_much_and_ends_what_it_took(void **state)
{
    (void)state;
    rf_error err = {0};
    rfi_crew *crew = NULL;
    int taken = 0;
    atomic_store(&done, 0);
    assert_ok(rfi_crew_open(&crew, 2, 10, &err));
    for (int i = 0; i < 100; i++)
        taken += rfi_crew_post(crew, do_it, NULL);
    assert_true(taken >= 10 && taken < 100);
    taken += rfi_crew_post_urgent(crew, do_it, NULL);
    rfi_crew_close(crew);
    assert_int_equal(atomic_load(&done), taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_read_as_the_standard_says),
        cmocka_unit_test(what_is_named_weighs_more_than_a_star),
        cmocka_unit_test(gzip_is_taken_only_by_those_who_say_so),
        cmocka_unit_test(a_burst_is_allowed_and_then_one_each_share_of_the_minute),
        cmocka_unit_test(a_crowd_of_addresses_does_not_free_the_one_that_is_limited),
        cmocka_unit_test(hosts_match_without_their_port),
        cmocka_unit_test(any_bytes_become_json_that_can_be_read),
        cmocka_unit_test(a_path_finds_its_row_and_what_else_it_has),
        cmocka_unit_test(meters_are_told_in_the_text_form),
        cmocka_unit_test(a_crew_refuses_what_is_too_much_and_ends_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
