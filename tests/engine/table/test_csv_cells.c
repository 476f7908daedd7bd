/* The small parts: special bytes, records, numbers, digits, dictionaries; each against a plain loop. */
#include <float.h>
#include <math.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "core/text.h"
#include "csv_test.h"
#include "engine/table/cell_dict.h"
#include "engine/table/cell_number.h"
#include "engine/table/csv_digits.h"
#include "engine/table/csv_record.h"
#include "engine/table/csv_settle.h"

enum { PATHS = RFI_CSV_PATHS };

static uint32_t draw(uint32_t step, uint32_t element)
{
    return rf_philox_u32((rf_draw){.seed = 5, .step = step, .purpose = RF_DRAW_DEMO}, element);
}

/* ---------------------------------------------------------------- bytes */

/* Random bytes of few kinds, so that every special one is frequent. */
static char *random_bytes(uint32_t step, size_t n)
{
    static const char kinds[] = {',', '\n', '"', 'a', 'b', '\r', '\xC3', 'c', 'd', 'e'};
    char *bytes = malloc(n ? n : 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = kinds[rf_uniform_below(draw(step, (uint32_t)i), sizeof kinds)];
    return bytes;
}

static void every_path_marks_the_same_bytes_as_a_plain_loop(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 300; n += n < 140 ? 1 : 37) {
        char *bytes = random_bytes(n, n);
        if (n > 70)
            bytes[69] = 0;
        uint64_t separators[8], newlines[8], quotes[8];
        for (int path = -1; path < PATHS; path++) {
            if (!rfi_csv_scan_force(path))
                continue;
            rfi_csv_marks marks = {.separators = separators, .newlines = newlines, .quotes = quotes};
            memset(separators, 0xAA, sizeof separators);
            rfi_csv_scan(&marks, bytes, n, ',', '\n');
            int64_t n_separators = 0, n_newlines = 0;
            bool quote = false, high = false;
            for (size_t i = 0; i < n; i++) {
                const bool is_separator = bytes[i] == ',' || bytes[i] == '\n';
                assert_int_equal(separators[i / 64] >> i % 64 & 1, is_separator);
                assert_int_equal(newlines[i / 64] >> i % 64 & 1, bytes[i] == '\n');
                assert_int_equal(quotes[i / 64] >> i % 64 & 1, bytes[i] == '"');
                n_separators += is_separator;
                n_newlines += bytes[i] == '\n';
                quote |= bytes[i] == '"';
                high |= (bytes[i] & 0x80) != 0;
            }
            assert_int_equal(marks.n_separators, n_separators);
            assert_int_equal(marks.n_newlines, n_newlines);
            assert_int_equal(marks.has_quote, quote);
            assert_int_equal(marks.has_high, high);
            assert_int_equal(marks.has_nul, n > 70);
            uint32_t ends[300 + RFI_CSV_EXPAND_ROOM];
            const size_t found = rfi_csv_expand(ends, separators, RFI_CSV_MARK_WORDS(n));
            size_t at = 0;
            for (size_t i = 0; i < n; i++)
                if (bytes[i] == ',' || bytes[i] == '\n')
                    assert_int_equal(ends[at++], i);
            assert_int_equal(found, at);
        }
        free(bytes);
    }
    rfi_csv_scan_force(-1);
}

/* RFC 4180 a byte at a time: the ends of the cells. */
static size_t plain_cells(const char *bytes, size_t n, uint32_t *ends, bool *open)
{
    size_t n_ends = 0, begin = 0;
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        if (inside) {
            if (bytes[i] == '"' && i + 1 < n && bytes[i + 1] == '"')
                i++;
            else if (bytes[i] == '"')
                inside = false;
        } else if (bytes[i] == '"' && i == begin) {
            inside = true;
        } else if (bytes[i] == ',' || bytes[i] == '\n') {
            ends[n_ends++] = (uint32_t)i;
            begin = i + 1;
        }
    }
    *open = inside;
    if (n && !(n_ends && ends[n_ends - 1] == n - 1 && bytes[n - 1] == '\n'))
        ends[n_ends++] = (uint32_t)n;
    return n_ends;
}

static void cells_end_where_a_plain_reader_ends_them(void **state)
{
    (void)state;
    const rfi_csv_syntax syntax = {.delimiter = ',', .newline = '\n'};
    for (uint32_t round = 0; round < 2000; round++) {
        const size_t n = rf_uniform_below(draw(round, 1000), 150);
        char *bytes = random_bytes(1000 + round, n);
        uint64_t separators[4], newlines[4], quotes[4];
        uint32_t expected[200], ends[200 + RFI_CSV_EXPAND_ROOM];
        rfi_csv_marks marks = {.separators = separators, .newlines = newlines, .quotes = quotes};
        rfi_csv_scan(&marks, bytes, n, ',', '\n');
        bool open;
        const size_t n_expected = plain_cells(bytes, n, expected, &open);
        rfi_csv_count count, indexed;
        rfi_csv_count_records(&count, &marks, bytes, n, &syntax, false);
        assert_int_equal(count.open, open);
        int64_t n_ends = 0;
        for (size_t i = 0; i < n_expected; i++)
            n_ends += expected[i] < n && bytes[expected[i]] == '\n';
        assert_int_equal(count.n_ends, n_ends);
        assert_int_equal(rfi_csv_index_cells(ends, &marks, bytes, n, &syntax, &indexed), n_expected);
        assert_int_equal(indexed.n_ends, n_ends);
        assert_int_equal(indexed.open, open);
        if (open)
            assert_int_equal(indexed.opened_at, count.opened_at);
        assert_memory_equal(ends, expected, n_expected * sizeof *ends);
        free(bytes);
    }
}

static void quoted_cells_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        bool last, good;
        const char *text;
    } cases[] = {
        {"", false, true, ""},
        {"abc", false, true, "abc"},
        {"\"abc\"", false, true, "abc"},
        {"\"\"", false, true, ""},
        {"\"a\"\"b\"", false, true, "a\"b"},
        {"\"\"\"\"", false, true, "\""},
        {"a\"b", false, true, "a\"b"},
        {"abc\r", true, true, "abc"},
        {"abc\r", false, true, "abc\r"},
        {"\"abc\"\r", true, true, "abc"},
        {"\"abc", false, false, ""},
        {"\"", false, false, ""},
        {"\"a\"b\"", false, false, ""},
        {"\"a\"b", false, false, ""},
        {"\"a\"\"", false, false, ""},
    };
    rf_buf scratch;
    rf_buf_init(&scratch);
    const rfi_csv_syntax syntax = {.delimiter = ',', .newline = '\n'};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rfi_csv_cell cell;
        const bool good =
            rfi_csv_decode(&cell, cases[i].raw, strlen(cases[i].raw), cases[i].last, &syntax, &scratch);
        assert_int_equal(good, cases[i].good);
        if (good) {
            assert_int_equal(cell.length, strlen(cases[i].text));
            assert_memory_equal(cell.text, cases[i].text, cell.length);
        }
    }
    rf_buf_free(&scratch);
}

/* ---------------------------------------------------------------- numbers */

/* All roads to a number must agree; the slow one and strtod are the judges. */
static void assert_number(const char *text)
{
    char *bytes = malloc(strlen(text) + 16);
    memcpy(bytes, text, strlen(text) + 1);
    memset(bytes + strlen(text) + 1, '7', 15);
    for (int room = 0; room < 2; room++) {
        const char *limit = bytes + strlen(text) + (room ? 16 : 0);
        double value = 99, slow = 99;
        rfi_number_facts facts = RFI_NUMBER_FACTS_NONE, slow_facts = RFI_NUMBER_FACTS_NONE;
        const rfi_number_class expected = rfi_number_parse_slow(bytes, strlen(text), '.', &slow, &slow_facts);
        uint64_t minus = 0;
        bool whole = room && rfi_number_parse_whole(bytes, strlen(text), &value, &minus);
        if (whole) {
            facts.min_written = 0;
            facts.minus = minus != 0;
        }
        const rfi_number_class got =
            whole ? RFI_NUMBER : rfi_number_parse(bytes, strlen(text), limit, '.', &value, &facts);
        if (got != expected || (got == RFI_NUMBER && (value != slow || value != strtod(text, NULL)))) {
            print_error("%s: class %d, value %.17g instead of %d, %.17g\n", text, got, value, expected, slow);
            fail();
        }
        if (got == RFI_NUMBER &&
            (facts.decimals != slow_facts.decimals || facts.max_written != slow_facts.max_written ||
             facts.min_written != slow_facts.min_written || facts.minus != slow_facts.minus)) {
            print_error("%s: the facts differ\n", text);
            fail();
        }
    }
    free(bytes);
}

static void every_road_reads_the_same_number(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "7",
        "-7",
        "10",
        "99999999",
        "-99999999",
        "100000000",
        "12345678901",
        "1.5",
        "-1.5",
        "0.5",
        ".5",
        "5.",
        "00.5",
        "1.50",
        "12345678.12345678",
        "1234567.12345678",
        "0.00000001",
        "99999999.9999999",
        "1e5",
        "1.5E-3",
        "-",
        "",
        "--1",
        "1-",
        "1.2.3",
        "1,5",
        "abc",
        "0x10",
        "inf",
        "nan",
        " 5",
        "5 ",
        "1e999",
        "-1e999",
        "9007199254740992",
        "9007199254740993",
        "007",
        "+5",
        "1.",
        "-.5",
        "1_000",
        "12a",
        "123456789a",
        "0.1234567890123456789",
        "1e-400",
        "12:30",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_number(texts[i]);
    for (uint32_t i = 0; i < 20000; i++) {
        char text[64];
        const uint32_t kind = rf_uniform_below(draw(i, 0), 4), digits = rf_uniform_below(draw(i, 1), 9);
        const double size = pow(10, rf_uniform_below(draw(i, 2), 12)) * draw(i, 3) / 4294967296.0;
        snprintf(text, sizeof text, "%s%.*f", kind & 1 ? "-" : "", kind & 2 ? (int)digits : 0, size);
        assert_number(text);
    }
}

static void digits_are_those_of_the_exact_formatter(void **state)
{
    (void)state;
    char fast[64], slow[RF_NUMBER_TEXT_MAX];
    int64_t n_fast = 0;
    for (uint32_t i = 0; i < 40000; i++) {
        const int decimals = (int)rf_uniform_below(draw(i, 10), RFI_FAST_DECIMALS + 1);
        const int least = (int)rf_uniform_below(draw(i, 11), (uint32_t)decimals + 1);
        double value =
            pow(10, (int)rf_uniform_below(draw(i, 12), 18) - 6) * (draw(i, 13) / 4294967296.0 - 0.5);
        if (i % 3 == 0)
            value = rint(value * 1000) / 1000;
        if (i % 5 == 0)
            value = rint(value * 2) / 2;
        const char *end = rfi_put_fixed(fast, value, decimals, least, '.');
        if (!end)
            continue;
        n_fast++;
        const size_t length = rf_format_fixed(slow, value, decimals, least);
        if ((size_t)(end - fast) != length || memcmp(fast, slow, length) != 0) {
            print_error("%.17g with %d..%d digits: %.*s instead of %.*s\n", value, least, decimals,
                        (int)(end - fast), fast, (int)length, slow);
            fail();
        }
    }
    assert_true(n_fast > 20000);
    static const double edges[] = {0,
                                   -0.0,
                                   1,
                                   -1,
                                   9,
                                   10,
                                   99,
                                   100,
                                   9999,
                                   10000,
                                   99999999,
                                   100000000,
                                   999999999999999,
                                   0.5,
                                   1.5,
                                   2.5,
                                   -0.5,
                                   0.05,
                                   0.005,
                                   1e15,
                                   -1e15,
                                   123456789.5,
                                   0.1,
                                   0.9999999,
                                   12345678.9,
                                   99999999.5};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (int decimals = 0; decimals <= RFI_FAST_DECIMALS; decimals++) {
            const char *end = rfi_put_fixed(fast, edges[i], decimals, 0, '.');
            const size_t length = rf_format_fixed(slow, edges[i], decimals, 0);
            if (end && ((size_t)(end - fast) != length || memcmp(fast, slow, length) != 0)) {
                print_error("%.17g with %d digits: %.*s instead of %s\n", edges[i], decimals,
                            (int)(end - fast), fast, slow);
                fail();
            }
        }
}

/* ---------------------------------------------------------------- dictionaries */

static const char *const token_texts[] = {"", "NA", "null"};
static const size_t token_lengths[] = {0, 2, 4};
static const rfi_tokens tokens = {.n = 3, .texts = token_texts, .lengths = token_lengths, .longest = 4};

static void codes_follow_the_first_appearance(void **state)
{
    (void)state;
    rf_error err = {0};
    rfi_dict dict;
    rfi_dict_init(&dict, &tokens);
    char text[64];
    /* 3,000 texts of 1 to 45 bytes, met again in other orders */
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 3000; i++) {
            const int which = round == 1 ? 2999 - i : i;
            const int length = snprintf(text, sizeof text, "%d%.*s", which, which % 41,
                                        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst");
            assert_int_equal(
                rfi_dict_code(&dict, text, (size_t)length, text + (which % 2 ? length : (int)sizeof text)),
                which);
        }
    assert_int_equal(dict.n, 3000);
    assert_ok(rfi_dict_check(&dict, "a", &err));
    rf_dict done;
    assert_ok(rfi_dict_finish(&dict, &done, &err));
    size_t length;
    assert_memory_equal(rf_dict_text(&done, 2999, &length), "2999ab", 6);
    assert_int_equal(done.n, 3000);
    rf_free(done.offsets);
    rf_free(done.bytes);
}

static void tokens_have_no_code_unless_quoted(void **state)
{
    (void)state;
    rfi_dict dict;
    rfi_dict_init(&dict, &tokens);
    const char *limit = NULL;
#define CODE(text)   rfi_dict_code(&dict, text, strlen(text), (limit = text + strlen(text)))
#define QUOTED(text) rfi_dict_code_quoted(&dict, text, strlen(text), (limit = text + strlen(text)))
    assert_int_equal(CODE("x"), 0);
    assert_int_equal(CODE("NA"), RFI_CODE_TOKEN(1));
    assert_int_equal(CODE(" null "), RFI_CODE_TOKEN(2));
    assert_int_equal(CODE("  "), RFI_CODE_EMPTY);
    assert_int_equal(QUOTED("NA"), 1);
    assert_int_equal(CODE("NA"), RFI_CODE_TOKEN(1));
    assert_int_equal(QUOTED("NA"), 1);
    assert_int_equal(QUOTED("x"), 0);
    assert_int_equal(CODE("NAN"), 2);
    assert_int_equal(QUOTED("\"q\""), 3);
    rfi_dict other;
    rfi_dict_init(&other, &tokens);
    int32_t map[4];
    assert_int_equal(rfi_dict_code(&other, "z", 1, limit = "z" + 1), 0);
    rfi_dict_merge(&other, &dict, 0, map);
    assert_int_equal(map[0], 1);
    assert_int_equal(map[1], 2);
    assert_int_equal(rfi_dict_code_quoted(&other, "NA", 2, NULL), 2);
    rfi_dict_free(&dict);
    rfi_dict_free(&other);
}

static void names_that_say_id(void **state)
{
    (void)state;
    static const char *const yes[] = {"id",          "ID",     "user_id",       "userId",
                                      "User ID",     "e-mail", "Email Address", "phone",
                                      "PhoneNumber", "ssn",    "city",          "uuid"};
    static const char *const no[] = {"",          "idea", "width", "paid",   "velocity",
                                     "statement", "age",  "grid",  "amount", "kidney"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!rfi_name_says_id(yes[i])) {
            print_error("%s\n", yes[i]);
            fail();
        }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (rfi_name_says_id(no[i])) {
            print_error("%s\n", no[i]);
            fail();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_marks_the_same_bytes_as_a_plain_loop),
        cmocka_unit_test(cells_end_where_a_plain_reader_ends_them),
        cmocka_unit_test(quoted_cells_are_decoded),
        cmocka_unit_test(every_road_reads_the_same_number),
        cmocka_unit_test(digits_are_those_of_the_exact_formatter),
        cmocka_unit_test(codes_follow_the_first_appearance),
        cmocka_unit_test(tokens_have_no_code_unless_quoted),
        cmocka_unit_test(names_that_say_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
