/* philox.h, crc32c.h and clock.h: against published numbers */
#include "rf_test.h"

#include "core/clock.h"
#include "core/crc32c.h"
#include "core/philox.h"

static void philox_gives_the_known_answers_of_its_authors(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], word[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_philox_block block = rf_philox_raw(cases[i].counter, cases[i].key);
        assert_memory_equal(block.word, cases[i].word, sizeof block.word);
    }
}

static void draw_is_addressed_by_all_its_parts(void **state)
{
    (void)state;
    const rf_draw draw = {
        .seed = UINT64_C(0x123456789abcdef0), .step = 5, .purpose = RF_DRAW_NOISE_G, .trial = 2};
    const uint32_t counter[4] = {5, RF_DRAW_NOISE_G, 7, 2}, key[2] = {0x9abcdef0, 0x12345678};
    rf_philox_block raw = rf_philox_raw(counter, key), block = rf_philox(draw, 7);
    assert_memory_equal(raw.word, block.word, sizeof raw.word);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(rf_philox_u32(draw, 28 + i), block.word[i]);
}

static void uniform_numbers_stay_in_their_interval(void **state)
{
    (void)state;
    static const uint32_t words[] = {0, 1, 0x1FF, 0x200, 0x7FFFFFFF, 0x80000000, 0xFFFFFE00, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        float open = rf_uniform_open(words[i]);
        double half_open = rf_uniform_f64(words[i], 0xFFFFFFFF);
        assert_true(open > 0 && open < 1);
        assert_true(half_open >= 0 && half_open < 1);
        for (uint32_t n = 1; n < 20; n++) {
            assert_true(rf_uniform_below(words[i], n) < n);
            assert_true(rf_uniform_below64(words[i], words[i], n) < n);
        }
        assert_true(rf_uniform_below64(words[i], 0xFFFFFFFF, UINT64_MAX) < UINT64_MAX);
    }
    assert_true(rf_uniform_below(0xFFFFFFFF, 10) == 9 && rf_uniform_below(0, 10) == 0);
}

static void uniform_numbers_fill_their_interval_evenly(void **state)
{
    (void)state;
    enum { N = 1 << 16, BINS = 16 };
    int bins[BINS] = {0};
    double sum = 0;
    for (uint32_t i = 0; i < N; i++) {
        float value = rf_uniform_open(rf_philox_u32((rf_draw){.seed = 1, .purpose = RF_DRAW_ALPHA}, i));
        bins[(int)(value * BINS)]++;
        sum += (double)value;
    }
    assert_near(sum / N, 0.5, 0.005); /* four standard deviations: 4 * 0.2887 / 256 */
    double chi_square = 0;
    for (int bin = 0; bin < BINS; bin++) {
        double off = bins[bin] - (double)N / BINS;
        chi_square += off * off / ((double)N / BINS);
    }
    assert_true(chi_square < 44.3); /* 15 degrees of freedom, one in ten thousand */
}

static void crc32c_gives_the_known_answers_of_rfc_3720(void **state)
{
    (void)state;
    unsigned char bytes[32];
    assert_int_equal(rf_crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(rf_crc32c(0, "", 0), 0);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(rf_crc32c(0, bytes, sizeof bytes), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(rf_crc32c(0, bytes, sizeof bytes), 0x62A8AB43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(rf_crc32c(0, bytes, sizeof bytes), 0x46DD794E);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(rf_crc32c(0, bytes, sizeof bytes), 0x113FDB5C);
}

/* The definition, a bit at a time: the check for lengths and offsets that the fast paths split. */
static uint32_t crc_by_bits(const unsigned char *bytes, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void crc32c_is_the_same_in_one_piece_and_in_two(void **state)
{
    (void)state;
    unsigned char bytes[80];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
    for (size_t from = 0; from < 8; from++)
        for (size_t size = 0; from + size <= sizeof bytes; size++) {
            uint32_t whole = rf_crc32c(0, bytes + from, size);
            assert_int_equal(whole, crc_by_bits(bytes + from, size));
            for (size_t cut = 0; cut <= size; cut += 5)
                assert_int_equal(rf_crc32c(rf_crc32c(0, bytes + from, cut), bytes + from + cut, size - cut),
                                 whole);
        }
}

static void times_are_written_as_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_us;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},
                 {INT64_C(1795359845999999), "2026-11-22T15:04:05Z"},
                 {-1, "1969-12-31T23:59:59Z"},
                 {INT64_C(951782400000000), "2000-02-29T00:00:00Z"},
                 {INT64_C(-1000000), "1969-12-31T23:59:59Z"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        rf_clock_rfc3339(text, cases[i].wall_us);
        assert_string_equal(text, cases[i].text);
    }
}

static void clock_never_goes_back(void **state)
{
    (void)state;
    double before = rf_clock_s();
    for (int i = 0; i < 1000; i++) {
        double now = rf_clock_s();
        assert_true(now >= before);
        before = now;
    }
    assert_true(rf_clock_wall_us() > INT64_C(1600000000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers_of_its_authors),
        cmocka_unit_test(draw_is_addressed_by_all_its_parts),
        cmocka_unit_test(uniform_numbers_stay_in_their_interval),
        cmocka_unit_test(uniform_numbers_fill_their_interval_evenly),
        cmocka_unit_test(crc32c_gives_the_known_answers_of_rfc_3720),
        cmocka_unit_test(crc32c_is_the_same_in_one_piece_and_in_two),
        cmocka_unit_test(times_are_written_as_rfc_3339),
        cmocka_unit_test(clock_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
