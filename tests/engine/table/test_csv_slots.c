/* Numbers as texts of up to 16 bytes: on every road those of the exact formatter. */
#include <math.h>

#include "core/philox.h"
#include "core/text.h"
#include "engine/table/csv_scan.h"
#include "engine/table/csv_slots.h"
#include "rf_test.h"

enum { VALUES = 41 };

static uint32_t draw(uint32_t step, uint32_t element)
{
    return rf_philox_u32((rf_draw){.seed = 11, .step = step, .purpose = RF_DRAW_DEMO}, element);
}

static size_t expected_text(char *out, double value, const rfi_slot_format *format)
{
    size_t n;
    if (value != value) {
        memcpy(out, format->missing.text, format->n_missing);
        return format->n_missing;
    }
    n = rf_format_fixed(out, value, format->decimals, format->least);
    char *dot = memchr(out, '.', n);
    if (dot)
        *dot = format->point;
    memcpy(out + n, format->end, format->n_end);
    return n + format->n_end;
}

/* How many were left to the caller. */
static int assert_texts(const rfi_slot_format *format, const double *values)
{
    int n_left = 0;
    for (int path = RFI_CSV_PLAIN; path < RFI_CSV_PATHS; path++) {
        rfi_slot slots[VALUES];
        uint8_t lengths[VALUES];
        if (!rfi_csv_scan_force(path))
            continue;
        n_left = 0;
        rfi_slots_fill(format, values, VALUES, slots, lengths);
        for (int i = 0; i < VALUES; i++) {
            char text[RF_NUMBER_TEXT_MAX + 2];
            n_left += lengths[i] == 0;
            if (!lengths[i])
                continue;
            assert_int_equal(lengths[i], expected_text(text, values[i], format));
            assert_memory_equal(slots[i].text, text, lengths[i]);
        }
    }
    rfi_csv_scan_force(-1);
    return n_left;
}

static rfi_slot_format format_of(uint32_t round)
{
    rfi_slot_format format = {.decimals = (int)(round % (RFI_SLOT_DECIMALS + 1)),
                              .point = round & 8 ? ',' : '.',
                              .end = {'\r', '\n'},
                              .n_end = 2};
    format.least = (int)(draw(round, 1000) % (uint32_t)(format.decimals + 1));
    if (round & 16) {
        format.end[0] = ';';
        format.end[1] = 0;
        format.n_end = 1;
    }
    memcpy(format.missing.text, "NA", 2);
    memcpy(format.missing.text + 2, format.end, format.n_end);
    format.n_missing = (uint8_t)(2 + format.n_end);
    return format;
}

static void slots_hold_what_the_exact_formatter_writes(void **state)
{
    (void)state;
    static const double odd[] = {0,         -0.0,      NAN,        1,         -1,         9,     10,
                                 99999999,  -99999999, 100000000,  -1e8,      99999999.5, 0.5,   1.5,
                                 2.5,       -0.5,      0.05,       0.15,      0.25,       -0.05, 1e-9,
                                 -1e-9,     1e300,     INFINITY,   -INFINITY, 12.5,       0.125, 0.375,
                                 1234.5675, 9.9999999, 0.99999995, 5e-324};
    enum { ODD = sizeof odd / sizeof *odd };
    for (uint32_t round = 0; round < 20000; round++) {
        const rfi_slot_format format = format_of(round);
        double values[VALUES];
        for (uint32_t i = 0; i < VALUES; i++) {
            const uint32_t w = draw(round, i);
            const double whole = (double)(int32_t)draw(round, 100 + i);
            values[i] =
                w % 9 == 0 ? odd[(w >> 8) % ODD] : whole / pow(10, w >> 4 & 15) / (double)(1 << (w >> 28));
        }
        assert_texts(&format, values);
    }
}

static void plain_numbers_are_not_left_to_the_caller(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 1000; round++) {
        rfi_slot_format format = format_of(round);
        const bool is_short = format.decimals < 8;
        double values[VALUES];
        if (format.decimals > 10) { /* a zero, the point, ten digits, a sign and an end of two */
            format.decimals = 10;
            format.least = format.least < 10 ? format.least : 10;
        }
        for (uint32_t i = 0; i < VALUES; i++) {
            const uint32_t w = draw(round, i);
            values[i] = is_short ? ((double)(w % 199999999) - 99999999) / pow(10, format.decimals)
                                 : ((double)w - 2147483648.0) / 2147483648.0;
        }
        values[3] = NAN;
        assert_int_equal(assert_texts(&format, values), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_hold_what_the_exact_formatter_writes),
        cmocka_unit_test(plain_numbers_are_not_left_to_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
