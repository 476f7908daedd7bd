#include "core/text.h"

#include <locale.h>
#include <math.h>

#include "rf_test.h"

/* ---------------------------------------------------------------- help */

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Parses from memory with nothing behind it, so that a sanitizer sees a read past the end. */
static bool parse_f64(const char *text, double *out)
{
    const size_t length = strlen(text);
    char *const exact = malloc(length + (length == 0));
    assert_non_null(exact);
    memcpy(exact, text, length);
    const bool ok = rf_parse_f64(exact, length, out);
    free(exact);
    return ok;
}

static void assert_same_double(const char *what, double got, double wanted)
{
    if (bits_of_double(got) != bits_of_double(wanted)) {
        print_error("%s: got %.17g (%a), wanted %.17g (%a)\n", what, got, got, wanted, wanted);
        fail();
    }
}

static void assert_round_trip(double value)
{
    char text[RF_NUMBER_TEXT_MAX];
    double back = 0;
    const size_t length = rf_format_f64(text, value);
    assert_int_equal(strlen(text), length);
    assert_true(parse_f64(text, &back));
    assert_same_double(text, back, value);
}

/* ---------------------------------------------------------------- integers */

static void integers_are_read_up_to_their_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"+7", true, 7},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"18446744073709551616", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+", false, 0},
        {"--1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"0x10", false, 0},
        {"1\0", true, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = -77;
        const bool ok = rf_parse_i64(cases[i].text, strlen(cases[i].text), &value);
        if (ok != cases[i].ok || (ok && value != cases[i].value)) {
            print_error("\"%s\": %s %lld\n", cases[i].text, ok ? "read as" : "refused", (long long)value);
            fail();
        }
        if (!ok)
            assert_int_equal(value, -77);
    }
    int64_t value;
    assert_false(rf_parse_i64("1\0", 2, &value));
}

static void integers_are_written_as_printf_would(void **state)
{
    (void)state;
    char got[RF_NUMBER_TEXT_MAX], wanted[32];
    static const int64_t edges[] = {0, -1, 9, 10, 99, 100, -100, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        snprintf(wanted, sizeof wanted, "%lld", (long long)edges[i]);
        assert_int_equal(rf_format_i64(got, edges[i]), strlen(wanted));
        assert_string_equal(got, wanted);
    }
    for (int i = 0; i < 100000; i++) {
        const int64_t value = (int64_t)random_u64() >> (random_u64() % 64);
        snprintf(wanted, sizeof wanted, "%lld", (long long)value);
        assert_int_equal(rf_format_i64(got, value), strlen(wanted));
        assert_string_equal(got, wanted);
    }
}

/* ---------------------------------------------------------------- reading doubles */

static void numbers_are_read_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0.0},
        {"-0", -0.0},
        {"0.0", 0.0},
        {"-0.000e5", -0.0},
        {"0e999999999", 0.0},
        {"1", 1.0},
        {"+1", 1.0},
        {"-0.5", -0.5},
        {".5", 0.5},
        {"5.", 5.0},
        {"1e-3", 1e-3},
        {"1E+3", 1e3},
        {"1.5e0003", 1500.0},
        {"00012.5000", 12.5},
        {"0.0000001", 1e-7},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"3.141592653589793238462643383279502884197", 0x1.921fb54442d18p+1},
        {"1e22", 1e22},
        {"1e23", 1e23},
        {"8.5e-27", 8.5e-27},
        {"1e308", 1e308},
        {"1.7976931348623157e308", 0x1.fffffffffffffp+1023},
        {"1.7976931348623158e308", 0x1.fffffffffffffp+1023},
        {"2.2250738585072014e-308", 0x1p-1022},
        {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
        {"4.9406564584124654e-324", 0x1p-1074},
        {"5e-324", 0x1p-1074},
        {"2.4703282292062328e-324", 0x1p-1074},
        {"2.4703282292062327e-324", 0.0},
        {"1e-400", 0.0},
        {"-1e-400", -0.0},
        {"0.00000000000000000000000000000000000000000000000001e50", 1.0},
        {"100000000000000000000000000000000000000000000000000e-50", 1.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 7;
        if (!parse_f64(cases[i].text, &value))
            print_error("\"%s\" was refused\n", cases[i].text);
        assert_same_double(cases[i].text, value, cases[i].value);
    }
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",        "+",     "-",     ".",   "-.",    "e5",       ".e5",   "1e",     "1e+",
        "1e-",     "1e5.0", "1.2.3", "1,5", " 1",    "1 ",       "1_0",   "0x1",    "0x1p3",
        "inf",     "Inf",   "-inf",  "nan", "NaN",   "infinity", "1e309", "-1e309", "1e999999999999",
        "1.8e308", "--1",   "+-1",   "1-",  "1e5e5", "1d5",      "१",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 7;
        if (parse_f64(cases[i], &value))
            print_error("\"%s\" was read as %.17g\n", cases[i], value);
        assert_true(value == 7);
    }
}

/* Exactly between two doubles: the even one. A digit far behind decides otherwise. */
static void halfway_goes_to_even_and_the_last_digit_decides(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740995", 9007199254740996.0},
        {"9007199254740993.0", 9007199254740992.0},
        {"9007199254740993.00000000000000000000000000000000000001", 9007199254740994.0},
        {"9007199254740992.99999999999999999999999999999999999999", 9007199254740992.0},
        {"90071992547409930e-1", 9007199254740992.0},
        {"900719925474099300000e-5", 9007199254740992.0},
        {"1.00000000000000011102230246251565404236316680908203125", 1.0},
        {"1.00000000000000011102230246251565404236316680908203126", 0x1.0000000000001p0},
        {"1.00000000000000011102230246251565404236316680908203124", 1.0},
        {"1.00000000000000033306690738754696212708950042724609375", 0x1.0000000000002p0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 7;
        assert_true(parse_f64(cases[i].text, &value));
        assert_same_double(cases[i].text, value, cases[i].value);
    }
}

static void a_digit_behind_eight_hundred_others_still_decides(void **state)
{
    (void)state;
    char text[2048];
    double value;
    size_t n = (size_t)snprintf(text, sizeof text, "9007199254740993.");
    memset(text + n, '0', 1500);
    text[n + 1500] = '\0';
    assert_true(parse_f64(text, &value));
    assert_same_double("zeros only", value, 9007199254740992.0);
    text[n + 1499] = '1';
    assert_true(parse_f64(text, &value));
    assert_same_double("a last one", value, 9007199254740994.0);
    /* The same number with the point moved in front of everything by the exponent. */
    n = (size_t)snprintf(text, sizeof text, "0.00000000009007199254740993");
    memset(text + n, '0', 1000);
    snprintf(text + n + 1000, sizeof text - n - 1000, "1e26");
    assert_true(parse_f64(text, &value));
    assert_same_double("with an exponent", value, 9007199254740994.0);
}

static void random_texts_read_as_strtod_reads_them(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        char text[128];
        size_t n = 0;
        const int n_digits = 1 + (int)(random_u64() % (i % 8 == 0 ? 60 : 20));
        const int point = (int)(random_u64() % 24);
        for (int d = 0; d < n_digits; d++) {
            if (d == point)
                text[n++] = '.';
            text[n++] = (char)('0' + random_u64() % 10);
        }
        text[n] = '\0';
        if (i % 2 == 0) {
            const int range = i % 16 == 0 ? 340 : 30;
            snprintf(text + n, sizeof text - n, "e%d", (int)(random_u64() % (uint64_t)(2 * range)) - range);
        }
        const double wanted = strtod(text, NULL);
        double got = 7;
        assert_int_equal(parse_f64(text, &got), !isinf(wanted));
        if (!isinf(wanted))
            assert_same_double(text, got, wanted);
    }
}

/* ---------------------------------------------------------------- writing doubles, shortest */

static void doubles_are_written_in_their_shortest_form(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100.0, "100"},
        {123456.789, "123456.789"},
        {1.0 / 3.0, "0.3333333333333333"},
        {2.0 / 3.0, "0.6666666666666666"},
        {0.0001, "0.0001"},
        {0.00012345, "0.00012345"},
        {0.00001, "1e-05"},
        {1.25e-7, "1.25e-07"},
        {9007199254740991.0, "9007199254740991"},
        {9007199254740993.0, "9007199254740992"},
        {1e15, "1000000000000000"},
        {9999999999999998.0, "9999999999999998"},
        {1e16, "1e+16"},
        {1e21, "1e+21"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {9.5e-100, "9.5e-100"},
        {1e300, "1e+300"},
        {5e-324, "5e-324"},
        {0x1p-1022, "2.2250738585072014e-308"},
        {0x0.fffffffffffffp-1022, "2.225073858507201e-308"},
        {0x1.fffffffffffffp+1023, "1.7976931348623157e+308"},
        {0x1p-44, "5.684341886080802e-14"}, /* above a power of two: the nearest 16 digits are 801 or 802 */
        {2.98023223876953125e-8, "2.9802322387695312e-08"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    char text[RF_NUMBER_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(rf_format_f64(text, cases[i].value), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void what_was_written_reads_back_as_the_same_double(void **state)
{
    (void)state;
    for (int e = -1074; e < 1024; e++) {
        const double power = ldexp(1.0, e);
        assert_round_trip(power);
        assert_round_trip(nextafter(power, 0));
        assert_round_trip(-nextafter(power, INFINITY));
    }
    for (int i = 0; i < 20000; i++) {
        const double any = double_of_bits(random_u64());
        if (isfinite(any))
            assert_round_trip(any);
        assert_round_trip(double_of_bits(random_u64() >> (12 + random_u64() % 52))); /* denormal */
    }
    for (int i = 0; i < 200000; i++) {
        const double unit = (double)(random_u64() >> 11) * 0x1p-53;
        assert_round_trip(unit);
        assert_round_trip((double)(int64_t)(random_u64() >> (random_u64() % 64)) / 1000.0);
        assert_round_trip(unit * 1e6);
    }
}

/* Digits of a positive number written by rf_format_f64. */
static int count_digits(const char *text)
{
    int n = 0;
    char kept[RF_NUMBER_TEXT_MAX];
    for (; *text != '\0' && *text != 'e'; text++)
        if (*text != '.' && (n > 0 || *text != '0'))
            kept[n++] = *text;
    while (n > 0 && kept[n - 1] == '0')
        n--;
    return n;
}

/* Neither neighbour with one digit less is the same double. */
static void nothing_shorter_would_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < 60000; i++) {
        char text[RF_NUMBER_TEXT_MAX], shorter[64];
        double value = i < 2098 ? ldexp(1.0, i - 1074) : double_of_bits(random_u64() & INT64_MAX);
        if (i % 2 == 1)
            value = (double)(random_u64() >> 11) * 0x1p-50;
        if (!isfinite(value) || value == 0)
            continue;
        rf_format_f64(text, value);
        const int n = count_digits(text);
        if (n < 2)
            continue;
        snprintf(shorter, sizeof shorter, "%.*e", n - 2, value);
        char *const mantissa_end = strchr(shorter, 'e');
        assert_non_null(mantissa_end);
        assert_true(strtod(shorter, NULL) != value);
        /* printf rounded one way; the neighbour on the other side is one unit of the last digit away. */
        const bool below = strtod(shorter, NULL) < value;
        for (char *at = mantissa_end - 1; at >= shorter; at--) {
            if (*at == '.')
                continue;
            if (below ? *at != '9' : *at != '0') {
                *at = (char)(*at + (below ? 1 : -1));
                break;
            }
            *at = below ? '0' : '9';
        }
        if (strtod(shorter, NULL) == value)
            print_error("%s, but %s would do\n", text, shorter);
        assert_true(strtod(shorter, NULL) != value);
    }
}

/* ---------------------------------------------------------------- writing doubles, fixed */

static void fixed_decimals_round_the_exact_value_half_to_even(void **state)
{
    (void)state;
    static const struct {
        double value;
        int decimals, min_decimals;
        const char *text;
    } cases[] = {
        {0, 2, 0, "0"},
        {0, 2, 2, "0.00"},
        {-0.0, 1, 1, "0.0"},
        {-0.004, 2, 2, "0.00"},
        {-0.006, 2, 2, "-0.01"},
        {0.5, 0, 0, "0"},
        {1.5, 0, 0, "2"},
        {2.5, 0, 0, "2"},
        {-2.5, 0, 0, "-2"},
        {0.125, 2, 0, "0.12"},
        {0.375, 2, 0, "0.38"},
        {1.005, 2, 0, "1"}, /* the double is below 1.005 */
        {1.005, 2, 2, "1.00"},
        {2.675, 2, 0, "2.67"},
        {67, 2, 1, "67.0"},
        {79.33, 2, 1, "79.33"},
        {79.3, 2, 1, "79.3"},
        {100, 2, 0, "100"},
        {0.05, 1, 0, "0.1"}, /* the double is above 0.05 */
        {0.1, 17, 0, "0.10000000000000001"},
        {0.1, 17, 3, "0.10000000000000001"},
        {1e-10, 5, 5, "0.00000"},
        {5e-324, 17, 0, "0"},
        {9.995, 2, 0, "9.99"},
        {99.9999, 2, 0, "100"},
        {9007199254740993.0, 0, 0, "9007199254740992"},
        {1e17, 17, 0, "100000000000000000"},
        {1e22, 3, 1, "10000000000000000000000.0"},
        {1e300, 0, 0, NULL},
        {123456789.123456789, 17, 0, NULL},
        {0x1.fffffffffffffp+1023, 17, 17, NULL},
        {INFINITY, 2, 2, "inf"},
    };
    char got[RF_NUMBER_TEXT_MAX], wanted[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = (size_t)snprintf(wanted, sizeof wanted, "%.*f", cases[i].decimals, cases[i].value);
        if (cases[i].text != NULL)
            n = (size_t)snprintf(wanted, sizeof wanted, "%s", cases[i].text);
        else
            for (int d = cases[i].decimals; d > cases[i].min_decimals && wanted[n - 1] == '0'; d--)
                wanted[--n] = '\0';
        assert_int_equal(rf_format_fixed(got, cases[i].value, cases[i].decimals, cases[i].min_decimals), n);
        assert_string_equal(got, wanted);
    }
}

static void fixed_decimals_are_those_of_an_exact_printf(void **state)
{
    (void)state;
    char got[RF_NUMBER_TEXT_MAX], wanted[512];
    for (int i = 0; i < 300000; i++) {
        const int decimals = (int)(random_u64() % 18);
        double value;
        switch (i % 5) {
        case 0: /* ties: multiples of 2^-k */
            value = (double)(int64_t)(random_u64() % 200000) * ldexp(1.0, -(int)(random_u64() % 20));
            break;
        case 1:
            value = (double)(random_u64() >> 11) * 0x1p-53;
            break;
        case 2:
            value = ((double)(random_u64() % 1000000) + 0.5) / 1000.0;
            break;
        case 3: /* around where 64 bits end */
            value = (double)random_u64() * ldexp(1.0, -(int)(random_u64() % 64));
            break;
        default:
            value = double_of_bits(random_u64());
            if (!isfinite(value))
                value = 1;
        }
        snprintf(wanted, sizeof wanted, "%.*f", decimals, fabs(value));
        rf_format_fixed(got, fabs(value), decimals, decimals);
        assert_string_equal(got, wanted);
    }
}

static void no_locale_changes_a_number(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "C.UTF-8"};
    char text[RF_NUMBER_TEXT_MAX];
    double value = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (setlocale(LC_ALL, names[i]) == NULL)
            continue;
        rf_format_f64(text, 1e-300 * 1.5);
        assert_string_equal(text, "1.5e-300");
        assert_true(parse_f64("1.5e-300", &value));
        assert_same_double("1.5e-300", value, 1.5e-300);
    }
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_up_to_their_limits),
        cmocka_unit_test(integers_are_written_as_printf_would),
        cmocka_unit_test(numbers_are_read_in_every_form),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(halfway_goes_to_even_and_the_last_digit_decides),
        cmocka_unit_test(a_digit_behind_eight_hundred_others_still_decides),
        cmocka_unit_test(random_texts_read_as_strtod_reads_them),
        cmocka_unit_test(doubles_are_written_in_their_shortest_form),
        cmocka_unit_test(what_was_written_reads_back_as_the_same_double),
        cmocka_unit_test(nothing_shorter_would_read_back),
        cmocka_unit_test(fixed_decimals_round_the_exact_value_half_to_even),
        cmocka_unit_test(fixed_decimals_are_those_of_an_exact_printf),
        cmocka_unit_test(no_locale_changes_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
