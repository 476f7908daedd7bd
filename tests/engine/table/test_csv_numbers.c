/* Columns of numbers, on every road: the values and facts are those of the slow parser, cell by cell. */
#include <math.h>

#include "core/buf.h"
#include "core/philox.h"
#include "engine/table/csv_numbers.h"
#include "engine/table/csv_scan.h"
#include "rf_test.h"

enum { CELLS_MAX = 64 };

static uint32_t draw(uint32_t step, uint32_t element)
{
    return rf_philox_u32((rf_draw){.seed = 9, .step = step, .purpose = RF_DRAW_DEMO}, element);
}

/* ---------------------------------------------------------------- a column of cells */

typedef struct column {
    rf_buf text;
    uint32_t begins[CELLS_MAX], ends[CELLS_MAX];
    int64_t n;
    char point;
    rfi_number_facts slow; /* of cells that went through the door */
} column;

static void add_cell(column *to, const char *text)
{
    to->begins[to->n] = (uint32_t)to->text.size_bytes - 1;
    rf_buf_puts(&to->text, text);
    to->ends[to->n++] = (uint32_t)to->text.size_bytes;
    rf_buf_puts(&to->text, to->n % 5 ? "," : "7");
    if (to->n % 5 == 0)
        to->text.data[to->text.size_bytes - 1] = '\n';
}

static rfi_csv_cells cells_of(const column *from)
{
    return (rfi_csv_cells){.data = from->text.data,
                           .begins = from->begins,
                           .ends = from->ends,
                           .n = from->n,
                           .first = from->text.data,
                           .limit = from->text.data + from->text.size_bytes};
}

static double slowly(column *from, int64_t i, rfi_number_facts *facts)
{
    const rfi_csv_cells cells = cells_of(from);
    double value = NAN;
    const rfi_number_class class = rfi_number_parse_slow(
        rfi_csv_cell_text(&cells, i), rfi_csv_cell_length(&cells, i), from->point, &value, facts);
    return class == RFI_NUMBER ? value : -1234567 - (double)class;
}

static double door(void *arg, int64_t i)
{
    column *from = arg;
    return slowly(from, i, &from->slow);
}

static void assert_same_facts(const rfi_number_facts *a, const rfi_number_facts *b)
{
    assert_int_equal(a->decimals, b->decimals);
    assert_int_equal(a->max_written, b->max_written);
    assert_int_equal(a->min_written, b->min_written);
    assert_int_equal(a->minus, b->minus);
    assert_int_equal(a->exponent, b->exponent);
    assert_int_equal(a->shortest, b->shortest);
    assert_int_equal(a->scientific, b->scientific);
    assert_int_equal(a->significant, b->significant);
    assert_int_equal(a->n_exponents, b->n_exponents);
}

/* A copy of exactly these bytes, so that reading past them is seen; the last cell ends the bytes. */
static void assert_all_roads_agree(column *from)
{
    rfi_number_facts expected = RFI_NUMBER_FACTS_NONE;
    double right[CELLS_MAX], values[CELLS_MAX];
    from->text.size_bytes = from->ends[from->n - 1];
    char *exact = malloc(from->text.size_bytes ? from->text.size_bytes : 1), *whole = from->text.data;
    memcpy(exact, whole, from->text.size_bytes);
    for (int64_t i = 0; i < from->n; i++)
        right[i] = slowly(from, i, &expected);
    from->text.data = exact;
    for (int path = RFI_CSV_PLAIN; path < RFI_CSV_PATHS; path++)
        for (int decimals = 0; decimals < 2; decimals++) {
            if (!rfi_csv_scan_force(path))
                continue;
            from->slow = RFI_NUMBER_FACTS_NONE;
            rfi_number_facts seen = RFI_NUMBER_FACTS_NONE;
            const rfi_number_road road = {.cells = cells_of(from),
                                          .point = from->point,
                                          .decimals = decimals,
                                          .door = door,
                                          .arg = from};
            rfi_numbers_read(&road, values, &seen);
            rfi_number_facts_merge(&seen, &from->slow);
            assert_memory_equal(values, right, (size_t)from->n * sizeof *values); /* the sign of 0 too */
            assert_same_facts(&seen, &expected);
        }
    rfi_csv_scan_force(-1);
    from->text.data = whole;
    free(exact);
}

static void start(column *to, char point)
{
    rf_buf_free(&to->text);
    *to = (column){.point = point};
    rf_buf_init(&to->text);
    rf_buf_puts(&to->text, ",");
    rf_buf_clear(&to->text);
}

/* ---------------------------------------------------------------- */

static void cells_of_any_kind_are_read_alike(void **state)
{
    (void)state;
    static const char *const odd[] = {"",
                                      "-",
                                      ".",
                                      "-.",
                                      ".5",
                                      "5.",
                                      "-.5",
                                      "007",
                                      "-007",
                                      "00",
                                      "0",
                                      "-0",
                                      "0.0",
                                      "-0.0",
                                      "1..2",
                                      "1.2.3",
                                      "1.2.",
                                      "..",
                                      "+5",
                                      "--5",
                                      "5-",
                                      "1e5",
                                      "1E-3",
                                      " 12",
                                      "12 ",
                                      "1,5",
                                      "abc",
                                      "12a",
                                      "a12",
                                      "1.a",
                                      "\"12\"",
                                      "0.10",
                                      "00.5",
                                      "0.00",
                                      "/",
                                      ":",
                                      "1:2",
                                      "9/9",
                                      "inf",
                                      "nan",
                                      "\x80",
                                      "1\xB9",
                                      "-1",
                                      "99999999",
                                      "1234567",
                                      "-12345678",
                                      "123456789",
                                      "-123.4567",
                                      "12345678.12345678",
                                      "123456789012345",
                                      "1234567890123456",
                                      "12345678901234567",
                                      "0.12345678901234",
                                      "0.123456789012345",
                                      "-0.123456789012345",
                                      "1234567.12345678",
                                      "0.333333333333333333",
                                      "9007199254740993",
                                      "-9007199254740992",
                                      "1.10",
                                      "100.000",
                                      "-99.9999",
                                      "67.0"};
    enum { ODD = sizeof odd / sizeof *odd };
    column it = {0};
    rf_buf_init(&it.text);
    for (uint32_t round = 0; round < 4000; round++) {
        start(&it, round % 3 ? '.' : ',');
        const uint32_t n = 1 + rf_uniform_below(draw(round, 0), 40), rare = 1 + draw(round, 1) % 12;
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t w = draw(round, 10 + i);
            char text[64];
            if (w % rare == 0)
                snprintf(text, sizeof text, "%s", odd[(w >> 8) % ODD]);
            else if (round % 2)
                snprintf(text, sizeof text, "%s%u", w & 64 ? "-" : "", (w >> 7) % 1000003 >> w % 20);
            else
                snprintf(text, sizeof text, "%.*f", (int)(w >> 8 & 7),
                         (double)((int32_t)draw(round, 1000 + i)) / (double)(1u << (w & 31)));
            for (char *c = text; *c; c++)
                if (it.point == ',' && *c == '.')
                    *c = ',';
            add_cell(&it, text);
        }
        assert_all_roads_agree(&it);
    }
    rf_buf_free(&it.text);
}

/* Every place of the point in every length, with and without a sign: all roads and the slow one. */
static void every_shape_of_a_plain_number_is_read_exactly(void **state)
{
    (void)state;
    column it = {0};
    rf_buf_init(&it.text);
    for (int length = 1; length <= 20; length++)
        for (int place = 0; place <= length; place++) {
            start(&it, '.');
            for (uint32_t i = 0; i < 19; i++) {
                char text[32];
                int n = 0;
                if (i & 1)
                    text[n++] = '-';
                for (int d = 0; d < length; d++) {
                    if (d == place)
                        text[n++] = '.';
                    text[n++] =
                        (char)('0' + draw((uint32_t)(length * 32 + place), i * 32 + (uint32_t)d) % 10);
                }
                text[n] = 0;
                add_cell(&it, text);
            }
            assert_all_roads_agree(&it);
        }
    rf_buf_free(&it.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_of_any_kind_are_read_alike),
        cmocka_unit_test(every_shape_of_a_plain_number_is_read_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
