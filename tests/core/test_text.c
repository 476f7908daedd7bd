#include "core/text.h"

#include "rf_test.h"

/* ---------------------------------------------------------------- UTF-8 */

static void the_first_bad_byte_of_utf8_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bad;
    } cases[] = {
        {"", -1},
        {"plain", -1},
        {"K\xC3\xB8"
         "benhavn",
         -1},
        {"\xE2\x82\xAC", -1},     /* the euro sign            */
        {"\xF0\x9F\x90\xA2", -1}, /* beyond 16 bits           */
        {"\xC2\x80", -1},         /* least of two bytes       */
        {"\xDF\xBF", -1},         /* greatest of two          */
        {"\xE0\xA0\x80", -1},     /* least of three           */
        {"\xED\x9F\xBF", -1},     /* last before surrogates   */
        {"\xEE\x80\x80", -1},     /* first behind them        */
        {"\xEF\xBF\xBF", -1},
        {"\xF0\x90\x80\x80", -1}, /* least of four            */
        {"\xF4\x8F\xBF\xBF", -1}, /* U+10FFFF                 */
        {"\xF4\x90\x80\x80", 0},  /* beyond it                */
        {"\xF5\x80\x80\x80", 0},
        {"\xFF", 0},
        {"\xFE", 0},
        {"a\x80", 1},    /* a tail without a head    */
        {"\xC0\xAF", 0}, /* overlong                 */
        {"\xC1\xBF", 0},
        {"\xE0\x9F\xBF", 0},
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xED\xA0\x80", 0}, /* surrogates               */
        {"\xED\xBF\xBF", 0},
        {"ab\xC3", 2}, /* cut off                  */
        {"ab\xE2\x82", 2},
        {"ab\xF0\x9F\x90", 2},
        {"\xC3(", 0},
        {"\xE2(\xA1", 0},
        {"\xE2\x82(", 0},
        {"\xF0\x9F(\xA2", 0},
        {"caf\xE9 latin-1", 3},
        {"0123456701234567012345670123456701234567\xFF", 40},
        {"0123456701234567012345670123456\xC3\xA9 and \xFF", 38},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t length = strlen(cases[i].text);
        char *const exact = malloc(length + (length == 0));
        assert_non_null(exact);
        memcpy(exact, cases[i].text, length);
        const int64_t got = rf_utf8_find_invalid(exact, length);
        free(exact);
        if (got != cases[i].bad)
            print_error("case %zu: got %lld, wanted %lld\n", i, (long long)got, (long long)cases[i].bad);
        assert_int_equal(got, cases[i].bad);
    }
}

/* Encodes a code point as RFC 3629 says; 0 for what is none. */
static size_t encode(uint32_t point, char out[4])
{
    if (point >= 0xD800 && point < 0xE000)
        return 0;
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    const size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    out[0] = (char)((size == 2 ? 0xC0 : size == 3 ? 0xE0 : 0xF0) | point);
    return size;
}

static void every_code_point_is_valid_and_no_other_sequence_is(void **state)
{
    (void)state;
    char text[4];
    int64_t n_two = 0, n_three = 0;
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        const size_t size = encode(point, text);
        if (size == 0)
            continue;
        assert_int_equal(rf_utf8_find_invalid(text, size), -1);
        for (size_t cut = 1; cut < size; cut++)
            assert_int_equal(rf_utf8_find_invalid(text, cut), 0);
        n_two += size == 2;
        n_three += size == 3;
    }
    for (uint32_t word = 0; word < 1u << 24; word++) {
        text[0] = (char)(word >> 16);
        text[1] = (char)(word >> 8);
        text[2] = (char)word;
        if ((word >> 16) < 0xC0)
            continue;
        n_three -= rf_utf8_find_invalid(text, 3) < 0 && (word >> 16) >= 0xE0;
        n_two -= (word & 0xFF) == 0 && rf_utf8_find_invalid(text, 2) < 0;
    }
    assert_int_equal(n_two, 0);
    assert_int_equal(n_three, 0);
}

/* ---------------------------------------------------------------- hashing and names */

static int compare_u64(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void different_short_texts_have_different_hashes(void **state)
{
    (void)state;
    enum { N = 300000 };
    uint64_t *const hashes = malloc(N * sizeof hashes[0]);
    assert_non_null(hashes);
    for (int i = 0; i < N; i++) {
        char text[32];
        const int length = i % 3 == 0   ? snprintf(text, sizeof text, "%d", i)
                           : i % 3 == 1 ? snprintf(text, sizeof text, "customer-%d", i)
                                        : snprintf(text, sizeof text, "%08d-0000-%d", i, i % 10);
        hashes[i] = rf_hash_bytes(text, (size_t)length);
    }
    qsort(hashes, N, sizeof hashes[0], compare_u64);
    for (int i = 1; i < N; i++)
        assert_true(hashes[i] != hashes[i - 1]);
    free(hashes);
}

static void every_bit_and_the_length_change_the_hash(void **state)
{
    (void)state;
    unsigned char bytes[40] = {0};
    for (size_t length = 0; length < sizeof bytes; length++) {
        const uint64_t plain = rf_hash_bytes(bytes, length);
        assert_true(plain != rf_hash_bytes(bytes, length + 1));
        for (size_t bit = 0; bit < length * 8; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            const uint64_t other = rf_hash_bytes(bytes, length);
            bytes[bit / 8] = 0;
            assert_true(plain != other);
            /* tables use the low bits */
            assert_true(__builtin_popcountll((plain ^ other) & 0xFFFF) > 0);
        }
    }
}

static void letters_compare_without_case(void **state)
{
    (void)state;
    assert_true(rf_text_equal_nocase("NaN", 3, "nan"));
    assert_true(rf_text_equal_nocase("", 0, ""));
    assert_false(rf_text_equal_nocase("na", 2, "nan"));
    assert_false(rf_text_equal_nocase("nano", 4, "nan"));
    assert_false(rf_text_equal_nocase("@", 1, "`"));
    assert_false(rf_text_equal_nocase("a\0b", 3, "a"));
}

static void a_slip_finds_the_name_that_was_meant(void **state)
{
    (void)state;
    static const char *const names[] = {"epochs",       "batch_size", "embedding_dim",
                                        "generator_lr", "pac",        "seed"};
    static const struct {
        const char *text, *nearest;
    } cases[] = {
        {"epoch", "epochs"},
        {"ephocs", "epochs"},
        {"EPOCHS", "epochs"},
        {"batchsize", "batch_size"},
        {"batch-size", "batch_size"},
        {"generator-rl", "generator_lr"},
        {"pack", "pac"},
        {"sede", "seed"},
        {"xyzzy", NULL},
        {"", NULL},
        {"q", NULL},
        {"weather", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const got = rf_text_nearest(cases[i].text, names, 6);
        if ((got == NULL) != (cases[i].nearest == NULL) ||
            (got != NULL && strcmp(got, cases[i].nearest) != 0))
            print_error("%s: got %s\n", cases[i].text, got != NULL ? got : "nothing");
        assert_true((got == NULL) == (cases[i].nearest == NULL));
        if (got != NULL)
            assert_string_equal(got, cases[i].nearest);
    }
    assert_null(rf_text_nearest("epochs", names, 0));
    char long_text[300];
    memset(long_text, 'e', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_null(rf_text_nearest(long_text, names, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_bad_byte_of_utf8_is_found),
        cmocka_unit_test(every_code_point_is_valid_and_no_other_sequence_is),
        cmocka_unit_test(different_short_texts_have_different_hashes),
        cmocka_unit_test(every_bit_and_the_length_change_the_hash),
        cmocka_unit_test(letters_compare_without_case),
        cmocka_unit_test(a_slip_finds_the_name_that_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
