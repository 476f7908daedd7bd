#include "engine/table/datetime.h"

#include <math.h>

#include "core/text.h"
#include "rf_test.h"

static bool parse(const char *text, const char *format, double *out, int32_t *offset)
{
    const size_t length = strlen(text);
    char *const exact = malloc(length + (length == 0)); /* nothing behind it */
    assert_non_null(exact);
    memcpy(exact, text, length);
    const bool ok = rf_datetime_parse(exact, length, format, out, offset);
    free(exact);
    return ok;
}

/* ---------------------------------------------------------------- the calendar */

static void every_day_from_1600_to_2400_is_read_and_written(void **state)
{
    (void)state;
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const char *const weekdays[7] = {"Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri"};
    int64_t day_number = -135140; /* 1600-01-01, a Saturday */
    int weekday = 0;
    for (int year = 1600; year <= 2400; year++) {
        const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        int day_of_year = 0;
        for (int month = 1; month <= 12; month++) {
            const int days = lengths[month - 1] + (month == 2 && leap);
            for (int day = 1; day <= days; day++) {
                char wanted[64], got[64];
                double value = 0.5;
                int32_t offset = 7;
                snprintf(wanted, sizeof wanted, "%04d-%02d-%02d", year, month, day);
                assert_true(parse(wanted, "%Y-%m-%d", &value, &offset));
                assert_true(value == (double)day_number * 86400.0);
                assert_int_equal(offset, 0);
                snprintf(wanted, sizeof wanted, "%s %04d-%02d-%02d %03d", weekdays[weekday], year, month, day,
                         ++day_of_year);
                assert_int_equal(rf_datetime_format(got, sizeof got, value, "%a %Y-%m-%d %j", 0),
                                 strlen(wanted));
                assert_string_equal(got, wanted);
                snprintf(wanted, sizeof wanted, "%04d/%03d", year, day_of_year);
                assert_true(parse(wanted, "%Y/%j", &value, &offset));
                assert_true(value == (double)day_number * 86400.0);
                day_number++;
                weekday = (weekday + 1) % 7;
            }
            char beyond[64];
            double value;
            snprintf(beyond, sizeof beyond, "%04d-%02d-%02d", year, month, days + 1);
            assert_false(parse(beyond, "%Y-%m-%d", &value, NULL));
        }
    }
}

static void every_month_of_the_years_1_to_9999_begins_and_ends(void **state)
{
    (void)state;
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day_number = -719162; /* 0001-01-01 */
    for (int year = 1; year <= 9999; year++) {
        const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 1; month <= 12; month++) {
            const int days = lengths[month - 1] + (month == 2 && leap);
            for (int day = 1; day <= days; day += days - 1) {
                char wanted[40], got[16];
                double value = 0;
                snprintf(wanted, sizeof wanted, "%04d-%02d-%02d", year, month, day);
                assert_true(rf_datetime_parse(wanted, 10, "%Y-%m-%d", &value, NULL));
                assert_true(value == (double)(day_number + day - 1) * 86400.0);
                rf_datetime_format(got, sizeof got, value, "%Y-%m-%d", 0);
                assert_string_equal(got, wanted);
            }
            day_number += days;
        }
    }
}

static void every_line_of_the_reference_is_read_and_written(void **state)
{
    (void)state;
    FILE *const file = fopen(RF_TEST_DATA "/reference/datetimes.tsv", "r");
    assert_non_null(file);
    char line[256];
    int n = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char *save = NULL;
        const char *const us_text = strtok_r(line, "\t", &save), *const offset_text =
                                                                     strtok_r(NULL, "\t", &save);
        const char *const format = strtok_r(NULL, "\t", &save), *const text = strtok_r(NULL, "\n", &save);
        int64_t us = 0, offset = 0;
        double value = 0;
        int32_t got_offset = 0;
        char written[128];
        assert_non_null(text);
        assert_true(rf_parse_i64(us_text, strlen(us_text), &us));
        assert_true(rf_parse_i64(offset_text, strlen(offset_text), &offset));
        if (!parse(text, format, &value, &got_offset))
            print_error("\"%s\" is refused by %s\n", text, format);
        /* a double holds microseconds until the year 2200; beyond, some */
        assert_near(value, (double)us / 1e6, fabs(value) * 0x1p-52);
        assert_int_equal(got_offset, offset);
        rf_datetime_format(written, sizeof written, value, format, got_offset);
        if (strstr(format, "%f") == NULL || fabs(value) < 7.2e9)
            assert_string_equal(written, text);
        n++;
    }
    fclose(file);
    assert_true(n > 500);
}

/* ---------------------------------------------------------------- reading */

static void forms_and_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *format;
        double value;
        int32_t offset;
    } cases[] = {
        {"1970-01-01", "%Y-%m-%d", 0, 0},
        {"2020-02-29", "%Y-%m-%d", 1582934400, 0},
        {"5/3/2020", "%d/%m/%Y", 1583366400, 0}, /* one digit where two are usual */
        {"5/3/2020", "%-d/%-m/%Y", 1583366400, 0},
        {"05/03/2020", "%-d/%-m/%Y", 1583366400, 0},
        {"9:05", "%H:%M", -2208956100, 0}, /* 1900-01-01 */
        {"12:30 AM", "%I:%M %p", -2208986999 - 1, 0},
        {"12:30 PM", "%I:%M %p", -2208943800, 0},
        {"01:30 pm", "%I:%M %p", -2208940200, 0},
        {"2020-03", "%Y-%m", 1583020800, 0},
        {"2020", "%Y", 1577836800, 0},
        {"31-DEC-99", "%d-%b-%y", 946598400, 0},
        {"31-dec-1999", "%d-%b-%Y", 946598400, 0},
        {"DECEMBER 31, 1999", "%B %d, %Y", 946598400, 0},
        {"01/01/69", "%d/%m/%y", -31536000, 0},
        {"01/01/68", "%d/%m/%y", 3092601600, 0},
        {"1970-01-01 00:00:00.5", "%Y-%m-%d %H:%M:%S.%f", 0.5, 0},
        {"1970-01-01 00:00:00.123456789", "%Y-%m-%d %H:%M:%S.%f", 0.123456789, 0},
        {"1969-12-31 23:59:59.250", "%Y-%m-%d %H:%M:%S.%f", -0.75, 0},
        {"1970-01-01T02:00:00+02:00", "%Y-%m-%dT%H:%M:%S%z", 0, 7200},
        {"1970-01-01T02:00:00+0200", "%Y-%m-%dT%H:%M:%S%z", 0, 7200},
        {"1970-01-01T02:00:00+02", "%Y-%m-%dT%H:%M:%S%z", 0, 7200},
        {"1970-01-01T02:00:00+02:00", "%Y-%m-%dT%H:%M:%S%:z", 0, 7200},
        {"1969-12-31T20:30:00-03:30", "%Y-%m-%dT%H:%M:%S%z", 0, -12600},
        {"1970-01-01T00:00:00Z", "%Y-%m-%dT%H:%M:%S%z", 0, 0},
        {"1970-01-01T00:00:00Z", "%Y-%m-%dT%H:%M:%SZ", 0, 0},
        {"1970-01-01 00:00 GMT", "%Y-%m-%d %H:%M %Z", 0, 0},
        {"1970-01-01 23:59:60", "%Y-%m-%d %H:%M:%S", 86400, 0}, /* a leap second */
        {"20200229", "%Y%m%d", 1582934400, 0},
        {"2020年2月29日", "%Y年%m月%d日", 1582934400, 0},
        {"0001-01-01", "%Y-%m-%d", -62135596800.0, 0},
        {"9999-12-31", "%Y-%m-%d", 253402214400.0, 0},
        {"50% 1970", "50%% %Y", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 1e9;
        int32_t offset = -1;
        if (!parse(cases[i].text, cases[i].format, &value, &offset) || value != cases[i].value)
            print_error("\"%s\" by %s: %.17g\n", cases[i].text, cases[i].format, value);
        assert_true(value == cases[i].value);
        assert_int_equal(offset, cases[i].offset);
    }
}

static void texts_that_do_not_match_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "%Y"},
        {"2021-02-29", "%Y-%m-%d"},
        {"1900-02-29", "%Y-%m-%d"},
        {"2020-04-31", "%Y-%m-%d"},
        {"2020-00-10", "%Y-%m-%d"},
        {"2020-13-10", "%Y-%m-%d"},
        {"2020-10-00", "%Y-%m-%d"},
        {"0000-01-01", "%Y-%m-%d"},
        {"20-01-01", "%Y-%m-%d"},
        {"2020-01-01 ", "%Y-%m-%d"},
        {" 2020-01-01", "%Y-%m-%d"},
        {"2020-01-0", "%Y-%m-%d"},
        {"2020-01-", "%Y-%m-%d"},
        {"2020/01/01", "%Y-%m-%d"},
        {"2020-01-01T", "%Y-%m-%d"},
        {"2021/366", "%Y/%j"},
        {"2020/000", "%Y/%j"},
        {"24:00", "%H:%M"},
        {"12:60", "%H:%M"},
        {"12:00:61", "%H:%M:%S"},
        {"13:00 PM", "%I:%M %p"},
        {"00:00 AM", "%I:%M %p"},
        {"01:00 XM", "%I:%M %p"},
        {"01:00 P", "%I:%M %p"},
        {"31 Foo 2020", "%d %b %Y"},
        {"31 Ja", "%d %b"},
        {"1 June 2020", "%d %b %Y"},
        {"12:00:00.", "%H:%M:%S.%f"},
        {"12:00:00.1234567890", "%H:%M:%S.%f"},
        {"12:00:00.12", "%H:%M:%S.%3f"},
        {"12:00+24:00", "%H:%M%z"},
        {"12:00+02:60", "%H:%M%z"},
        {"12:00+2", "%H:%M%z"},
        {"12:00 CET", "%H:%M %Z"},
        {"2020111", "%Y%m%d"},
        {"-001-01-01", "%Y-%m-%d"},
        {"2020-+1-01", "%Y-%m-%d"},
        {"2020", "%Q"},
        {"2020", "%Y%"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 7;
        int32_t offset = 7;
        if (parse(cases[i][0], cases[i][1], &value, &offset))
            print_error("\"%s\" was read by %s as %.17g\n", cases[i][0], cases[i][1], value);
        assert_true(value == 7 && offset == 7);
    }
}

/* ---------------------------------------------------------------- writing */

static void values_are_rounded_to_the_last_unit(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *format, *text;
        int32_t offset;
    } cases[] = {
        {43199.0, "%Y-%m-%d", "1970-01-01", 0},
        {43200.0, "%Y-%m-%d", "1970-01-02", 0},
        {-43201.0, "%Y-%m-%d", "1969-12-31", 0},
        {-43200.0, "%Y-%m-%d", "1970-01-01", 0},
        {29.999, "%H:%M", "00:00", 0},
        {30.0, "%H:%M", "00:01", 0},
        {86399.5, "%Y-%m-%d %H:%M:%S", "1970-01-02 00:00:00", 0},
        {86399.4999, "%Y-%m-%d %H:%M:%S", "1970-01-01 23:59:59", 0},
        {-0.25, "%Y-%m-%d %H:%M:%S.%f", "1969-12-31 23:59:59.750000", 0},
        {0.9999996, "%S.%f", "01.000000", 0},
        {0.1234, "%S.%3f", "00.123", 0},
        {0.9996, "%S.%3f", "01.000", 0},
        {1582934400, "%-d/%-m/%y", "29/2/20", 0},
        {1583366400, "%-d.%-m.%Y %-H:%M", "5.3.2020 0:00", 0},
        {946598400, "%d-%^b-%Y, %^A", "31-DEC-1999, FRIDAY", 0},
        {0, "%I:%M %p", "12:00 AM", 0},
        {43200, "%-I:%M %P", "12:00 pm", 0},
        {0, "%Y-%m-%dT%H:%M:%S%:z", "1970-01-01T05:45:00+05:45", 20700},
        {0, "%Y-%m-%dT%H:%M:%S%z", "1969-12-31T20:30:00-0330", -12600},
        {0, "%H:%M %Z", "00:00 UTC", 0},
        {-62135596800.0, "%Y-%m-%d", "0001-01-01", 0},
    };
    char text[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t length =
            rf_datetime_format(text, sizeof text, cases[i].value, cases[i].format, cases[i].offset);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(length, strlen(cases[i].text));
    }
}

static void what_cannot_be_written_gives_nothing(void **state)
{
    (void)state;
    static const double beyond[] = {253402300800.0, -62135596801.0, 1e15, -1e300, INFINITY, -INFINITY, NAN};
    char text[64];
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
        assert_int_equal(rf_datetime_format(text, sizeof text, beyond[i], "%Y-%m-%d %H:%M:%S", 0), 0);
    assert_int_equal(rf_datetime_format(text, sizeof text, 253402300799.0, "%Y-%m-%d", 0),
                     0); /* rounds into 10000 */
    assert_int_equal(rf_datetime_format(text, sizeof text, 0, "%Y %Q", 0), 0);
    assert_int_equal(rf_datetime_format(text, sizeof text, 0, "%Y", 100000), 0);
}

static void a_text_that_does_not_fit_is_not_begun_beyond_its_room(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 12; capacity++) {
        char *const exact = malloc(capacity + (capacity == 0));
        assert_non_null(exact);
        const size_t length = rf_datetime_format(exact, capacity, 0, "%Y-%m-%d", 0);
        assert_int_equal(length, capacity >= 11 ? 10 : 0);
        free(exact);
    }
}

static void units_are_the_finest_that_the_format_shows(void **state)
{
    (void)state;
    assert_true(rf_datetime_unit_s("%Y-%m-%d") == 86400);
    assert_true(rf_datetime_unit_s("%Y") == 86400);
    assert_true(rf_datetime_unit_s("%Y-%m-%d %H") == 3600);
    assert_true(rf_datetime_unit_s("%I:%M %p") == 60);
    assert_true(rf_datetime_unit_s("%H:%M:%S") == 1);
    assert_true(rf_datetime_unit_s("%H:%M:%S.%f") == 1e-6);
    assert_true(rf_datetime_unit_s("%H:%M:%S.%3f") == 1e-3);
    assert_true(rf_datetime_unit_s("%H:%M:%S.%9f") == 1e-9);
}

static void formats_are_checked_with_a_reason(void **state)
{
    (void)state;
    static const char *const good[] = {
        "%Y-%m-%d", "%d %b %Y",        "%Y-%m-%d %H:%M:%S.%f",           "%-d/%-m/%y",
        "%^b %Y",   "%H:%M:%S.%3f%:z", "%A, %B %d %I %p %P %Z %j %a %z", "100%% %Y"};
    static const char *const bad[] = {
        "",   "no conversion",     "%%",   "%Q", "%Y-%", "%", "%-Y", "%^m", "%3S", "%0d", "%:Y",
        "%s", "%Y \xC3\xA9 %\xC3", "%10f", "%-%"};
    const char *reason;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(rf_datetime_format_valid(good[i], &reason));
        assert_null(reason);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (rf_datetime_format_valid(bad[i], &reason))
            print_error("\"%s\" was accepted\n", bad[i]);
        assert_non_null(reason);
    }
}

/* ---------------------------------------------------------------- guessing */

enum { TEXTS_MOST = 4 };

static const char *guess(const char *const texts[TEXTS_MOST], bool *ambiguous)
{
    size_t lengths[TEXTS_MOST];
    int64_t n = 0;
    for (; n < TEXTS_MOST && texts[n] != NULL; n++)
        lengths[n] = strlen(texts[n]);
    return rf_datetime_guess(texts, lengths, n, ambiguous);
}

static void formats_are_guessed_from_the_texts(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        bool ambiguous;
        const char *texts[TEXTS_MOST];
    } cases[] = {
        {"%Y-%m-%d", false, {"2020-07-23", "2020-01-11"}},
        {"%Y-%m-%d %H:%M:%S", false, {"2020-07-23 10:11:12"}},
        {"%Y-%m-%d %H:%M", false, {"2020-07-23 10:11"}},
        {"%Y-%m-%dT%H:%M:%S", false, {"2020-07-23T10:11:12"}},
        {"%Y-%m-%dT%H:%M:%SZ", false, {"2020-07-23T10:11:12Z"}},
        {"%Y-%m-%dT%H:%M:%S.%3fZ", false, {"2020-07-23T10:11:12.123Z"}},
        {"%Y-%m-%dT%H:%M:%S%:z", false, {"2020-07-23T10:11:12+02:00", "2020-01-23T10:11:12+01:00"}},
        {"%Y-%m-%d %H:%M:%S%:z", false, {"2020-07-23 10:11:12+00:00"}},
        {"%Y-%m-%d %H:%M:%S %z", false, {"2020-07-23 10:11:12 +0200"}},
        {"%Y-%m-%d %H:%M:%S %Z", false, {"2020-07-23 10:11:12 UTC"}},
        {"%Y-%m-%d %H:%M:%S.%6f", false, {"2020-07-23 10:11:12.123456"}},
        {"%Y-%m-%d %H:%M:%S.%f", false, {"2020-07-23 10:11:12.5", "2020-07-23 10:11:12.123456"}},
        {"%Y/%m/%d", false, {"2020/07/23"}},
        {"%Y-%m", false, {"2020-07", "2021-12"}},
        {"%m/%d/%Y", true, {"01/02/2020", "03/04/2020"}},
        {"%m/%d/%Y", false, {"01/02/2020", "03/14/2020"}},
        {"%d/%m/%Y", false, {"01/02/2020", "14/03/2020"}},
        {"%-m/%-d/%Y", true, {"1/2/2020", "10/12/2020"}},
        {"%-d/%-m/%Y", false, {"1/2/2020", "31/12/2020"}},
        {"%m/%d/%y", false, {"12/31/20"}},
        {"%-m/%-d/%y", false, {"3/14/20"}},
        {"%d.%m.%Y", false, {"01.02.2020"}},
        {"%-d.%-m.%Y", false, {"1.2.2020", "31.12.2020"}},
        {"%d.%m.%Y %H:%M", false, {"31.12.2020 23:59"}},
        {"%m-%d-%Y", true, {"01-02-2020"}},
        {"%d-%m-%Y", false, {"31-12-2020"}},
        {"%m/%d/%Y %H:%M", true, {"01/02/2020 10:00"}},
        {"%m/%d/%Y %-I:%M:%S %p", false, {"12/31/2020 1:59:00 PM", "12/31/2020 11:59:00 AM"}},
        {"%m/%d/%Y, %H:%M:%S", true, {"01/02/2020, 10:00:00"}},
        {"%d %b %Y", false, {"31 Dec 2020", "01 May 2020"}},
        {"%d %B %Y", false, {"31 December 2020", "01 May 2020"}},
        {"%-d %B %Y", false, {"31 December 2020", "1 May 2020"}},
        {"%d-%b-%Y", false, {"31-Dec-2020"}},
        {"%d-%^b-%Y", false, {"31-DEC-2020"}},
        {"%d-%^b-%y", false, {"31-DEC-20"}},
        {"%b %d, %Y", false, {"Dec 31, 2020"}},
        {"%B %-d, %Y", false, {"December 1, 2020", "January 10, 2020"}},
        {"%d%^b%Y", false, {"31DEC2020"}},
        {"%b %Y", false, {"Dec 2020", "Jan 2021"}},
        {"%A, %B %-d, %Y", false, {"Tuesday, December 1, 2020"}},
        {"%a, %d %b %Y %H:%M:%S %z", false, {"Mon, 02 Nov 2020 10:00:00 +0000"}},
        {"%a %b %d %H:%M:%S %Y", false, {"Mon Nov 02 10:00:00 2020"}},
        {"%d/%b/%Y:%H:%M:%S %z", false, {"10/Oct/2000:13:55:36 -0700"}},
        {"%Y%m%d", false, {"20201231", "19000101", "21001231"}},
        {"%Y%m%d%H%M%S", false, {"20201231235959"}},
        {"%Y%m%dT%H%M%SZ", false, {"20201231T235959Z"}},
        {"%Y年%m月%d日", false, {"2020年12月31日"}},
        {"%Y. %-m. %-d.", false, {"2020. 12. 31.", "2020. 1. 2."}},
        /* written in two ways: a form that reads both */
        {"%d/%m/%Y", false, {"01/02/2020", "1/2/2020", "31/12/2020"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool ambiguous = !cases[i].ambiguous;
        const char *const got = guess(cases[i].texts, &ambiguous);
        if (got == NULL || strcmp(got, cases[i].format) != 0 || ambiguous != cases[i].ambiguous)
            print_error("\"%s\": got %s%s, wanted %s\n", cases[i].texts[0], got != NULL ? got : "nothing",
                        ambiguous ? " (ambiguous)" : "", cases[i].format);
        assert_non_null(got);
        assert_string_equal(got, cases[i].format);
        assert_int_equal(ambiguous, cases[i].ambiguous);
        assert_ptr_equal(guess(cases[i].texts, NULL), got);
    }
}

static void what_only_looks_like_dates_is_not_guessed(void **state)
{
    (void)state;
    static const char *const cases[][TEXTS_MOST] = {
        {NULL},
        {""},
        {"Private"},
        {"2020"},
        {"12345678"},             /* month 56 */
        {"20201231", "20201301"}, /* one is no date */
        {"18991231"},             /* before 1900 */
        {"21010101"},
        {"20201231", "2020123"},
        {"20201231", "2020-12-31"},
        {"2020-02-30"},
        {"2020-12-31", "yesterday"},
        {"2020-12-31", ""},
        {"01/13/2020", "13/01/2020"}, /* neither order reads both */
        {"10.0.0.1"},
        {"192.168.1.1"},
        {"1.10.200"},
        {"12:30"},
        {"17.5"},
        {"555-1234"},
        {"2021-W01"},
        {"A-2020-01-01"},
        {"2020-01-01 to 2020-02-01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool ambiguous = true;
        const char *const got = guess(cases[i], &ambiguous);
        if (got != NULL)
            print_error("\"%s\" was taken for %s\n", cases[i][0], got);
        assert_null(got);
        assert_false(ambiguous);
    }
}

static void a_guessed_format_writes_the_texts_as_they_were(void **state)
{
    (void)state;
    static const char *const formats[] = {
        "%Y-%m-%d",  "%d/%m/%Y",  "%-m/%-d/%Y %-I:%M %p", "%d.%m.%Y %H:%M:%S",     "%b %d, %Y",
        "%-d %B %Y", "%d-%^b-%Y", "%Y-%m-%dT%H:%M:%SZ",   "%Y-%m-%d %H:%M:%S.%3f", "%a, %d %b %Y %H:%M:%S %z",
        "%d-%m-%y",  "%Y%m%d",
    };
    enum { N = 200 };
    static char texts[N][64];
    const char *pointers[N];
    size_t lengths[N];
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        for (int i = 0; i < N; i++) {
            const double value = 946684800.0 + i * 2700000.0 + i * 61.347;
            lengths[i] = rf_datetime_format(texts[i], sizeof texts[i], value, formats[f], 0);
            pointers[i] = texts[i];
        }
        const char *const format = rf_datetime_guess(pointers, lengths, N, NULL);
        assert_non_null(format);
        for (int i = 0; i < N; i++) {
            char again[64];
            double value;
            int32_t offset;
            assert_true(parse(texts[i], format, &value, &offset));
            rf_datetime_format(again, sizeof again, value, format, offset);
            assert_string_equal(again, texts[i]);
        }
    }
}

static void any_bytes_are_survived(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789-/.: TZ+,JanDecMonPM%Yfz\xC3\xA9";
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        char bytes[24], format[24], out[16];
        size_t length = 0;
        for (size_t k = 0; k < sizeof bytes; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[k] = alphabet[random % (sizeof alphabet - 1)];
            format[k] = random >> 60 < 7 ? '%' : alphabet[(random >> 8) % (sizeof alphabet - 1)];
            length = random >> 32 & 15;
        }
        format[length + 4] = '\0';
        const char *const text = bytes;
        double value = 0;
        int32_t offset = 0;
        if (i % 8 == 0)
            rf_datetime_guess(&text, &length, 1, NULL);
        if (rf_datetime_parse(bytes, length, format, &value, &offset))
            assert_true(fabs(value) < 1e12);
        assert_true(rf_datetime_format(out, sizeof out, value, format, offset) < sizeof out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_from_1600_to_2400_is_read_and_written),
        cmocka_unit_test(every_month_of_the_years_1_to_9999_begins_and_ends),
        cmocka_unit_test(every_line_of_the_reference_is_read_and_written),
        cmocka_unit_test(forms_and_their_values),
        cmocka_unit_test(texts_that_do_not_match_are_refused),
        cmocka_unit_test(values_are_rounded_to_the_last_unit),
        cmocka_unit_test(what_cannot_be_written_gives_nothing),
        cmocka_unit_test(a_text_that_does_not_fit_is_not_begun_beyond_its_room),
        cmocka_unit_test(units_are_the_finest_that_the_format_shows),
        cmocka_unit_test(formats_are_checked_with_a_reason),
        cmocka_unit_test(formats_are_guessed_from_the_texts),
        cmocka_unit_test(what_only_looks_like_dates_is_not_guessed),
        cmocka_unit_test(a_guessed_format_writes_the_texts_as_they_were),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
