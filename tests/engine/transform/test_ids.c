#include "rf_test.h"

#include <ctype.h>
#include <math.h>

#include "core/alloc.h"
#include "engine/transform/categories.h"
#include "engine/transform/ids.h"
#include "transform_rig.h"

enum { OLD_MAX = 5000, NEW = 20000 };

typedef void (*make_fn)(int64_t i, char out[64]);

/* A dictionary of n ids. */
static void fill(rf_dict *dict, make_fn make, int32_t n)
{
    dict->n = n;
    dict->offsets = calloc((size_t)n + 1, sizeof(int64_t));
    dict->bytes = malloc((size_t)n * 64 + 1);
    for (int32_t i = 0; i < n; i++) {
        char text[64];
        make(i, text);
        memcpy(dict->bytes + dict->offsets[i], text, strlen(text));
        dict->offsets[i + 1] = dict->offsets[i] + (int64_t)strlen(text);
    }
}

static void clear(rf_dict *dict)
{
    free(dict->offsets);
    free(dict->bytes);
}

static rfi_ids *learn(const rf_dict *dict, const char *regex)
{
    rf_error err = {0};
    rfi_ids *ids = NULL;
    bool refused;
    rf_field field = rig_field("id", RF_KIND_ID);
    field.regex = regex;
    assert_ok(rfi_ids_learn(&ids, dict, &field, 0.0, 11, 2, &refused, &err));
    assert_false(refused);
    return ids;
}

static const char *make_new(const rfi_ids *ids, int64_t row, uint64_t seed)
{
    static char text[RFI_ID_TEXT_MAX + 1];
    text[rfi_ids_make(ids, row, seed, 2, text)] = '\0';
    return text;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* n new ids are different from each other and from all old ones. */
static void check_new_and_unique(const rfi_ids *ids, const rf_dict *old, int64_t n)
{
    rf_error err = {0};
    rfi_text_index index;
    assert_ok(rfi_text_index_create(&index, old, &err));
    char **texts = malloc((size_t)n * sizeof *texts);
    for (int64_t row = 0; row < n; row++) {
        texts[row] = strdup(make_new(ids, row, 77));
        if (rfi_text_index_find(&index, texts[row], strlen(texts[row])) >= 0) {
            print_error("row %d got the old id %s\n", (int)row, texts[row]);
            fail();
        }
    }
    qsort(texts, (size_t)n, sizeof *texts, compare_texts);
    for (int64_t row = 1; row < n; row++)
        assert_string_not_equal(texts[row - 1], texts[row]);
    for (int64_t row = 0; row < n; row++)
        free(texts[row]);
    free(texts);
    rfi_text_index_free(&index);
}

/* ------------------------------------------------------------------ makes */

static void running_number(int64_t i, char out[64])
{
    snprintf(out, 64, "%d", (int)(17264 + i));
}

static void padded_number(int64_t i, char out[64])
{
    snprintf(out, 64, "user-%06d.x", (int)(3 * i + 5));
}

static void plate(int64_t i, char out[64])
{
    const uint64_t u = rfi_permute((uint64_t)i, 175760000, 3);
    snprintf(out, 64, "%c%c%c-%04d", (char)('A' + u / 6760000 % 26), (char)('A' + u / 260000 % 26),
             (char)('A' + u / 10000 % 26), (int)(u % 10000));
}

static void uuid(int64_t i, char out[64])
{
    const uint64_t a = rfi_permute((uint64_t)i, UINT64_C(1) << 62, 8),
                   b = rfi_permute((uint64_t)i, UINT64_C(1) << 62, 9);
    snprintf(out, 64, "%08x-%04x-4%03x-%c%03x-%012llx", (unsigned)a, (unsigned)(a >> 32) & 0xffff,
             (unsigned)(a >> 48) & 0xfff, "89ab"[b & 3], (unsigned)(b >> 2) & 0xfff,
             (unsigned long long)(b >> 14));
}

static void sparse_number(int64_t i, char out[64])
{
    snprintf(out, 64, "%d", (int)(100000 + rfi_permute((uint64_t)i, 900000, 4)));
}

static void two_letters(int64_t i, char out[64])
{
    snprintf(out, 64, "%c%c", (char)('a' + i / 26 % 26), (char)('a' + i % 26));
}

static void not_ascii(int64_t i, char out[64])
{
    snprintf(out, 64, "J\xc3\xb6rg %d", (int)i);
}

static void mail(int64_t i, char out[64])
{
    snprintf(out, 64, "%.*s%d@example.com", (int)(i % 7) + 3, "abcdefghij", (int)(i * 7));
}

static void address(int64_t i, char out[64])
{
    const uint64_t a = rfi_permute((uint64_t)i, UINT64_C(1) << 32, 6);
    snprintf(out, 64, "%d.%d.%d.%d", (int)(a >> 24), (int)(a >> 16 & 255), (int)(a >> 8 & 255),
             (int)(a & 255));
}

static void signed_64_bits(int64_t i, char out[64])
{
    snprintf(out, 64, "%lld",
             (long long)(INT64_MAX - (int64_t)rfi_permute((uint64_t)i, INT64_C(1) << 61, 6)));
}

static void shop_mail(int64_t i, char out[64])
{
    snprintf(out, 64, "user%d@shop%d.com", (int)i, (int)(i % 7));
}

static void phone(int64_t i, char out[64])
{
    snprintf(out, 64, "0%d", (int)(100000000 + rfi_permute((uint64_t)i, 900000000, 4)));
}

static void one(int64_t i, char out[64])
{
    (void)i;
    snprintf(out, 64, "Only-1");
}

static void ids_of_every_make_are_new_and_unique(void **state)
{
    (void)state;
    const make_fn makes[] = {running_number, padded_number, plate, uuid,
                             sparse_number,  not_ascii,     mail,  address,
                             signed_64_bits, shop_mail,     phone, one};
    const int32_t counts[] = {5000, 5000, 5000, 5000, 5000, 300, 3000, 2000, 3000, 1200, 1200, 1};
    for (size_t m = 0; m < sizeof makes / sizeof *makes; m++) {
        rf_dict old;
        fill(&old, makes[m], counts[m]);
        rfi_ids *ids = learn(&old, NULL);
        print_message("%.*s -> %s\n", (int)old.offsets[1], old.bytes, make_new(ids, 0, 77));
        check_new_and_unique(ids, &old, NEW);
        rfi_ids_free(ids);
        clear(&old);
    }
}

static void numbers_that_run_on_continue_after_the_largest(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, running_number, 215);
    rfi_ids *ids = learn(&old, NULL);
    assert_string_equal(make_new(ids, 0, 1), "17479");
    assert_string_equal(make_new(ids, 99, 1), "17578");
    rfi_ids_free(ids);
    clear(&old);
    fill(&old, padded_number, 100);
    ids = learn(&old, NULL);
    assert_string_equal(make_new(ids, 0, 1), "user-000303.x");
    assert_string_equal(make_new(ids, 999999, 1), "user-1000302.x");
    rfi_ids_free(ids);
    clear(&old);
}

static void scattered_numbers_keep_their_width(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, sparse_number, 3000);
    rfi_ids *ids = learn(&old, NULL);
    assert_false(ids->is_sequence && ids->next > 999999);
    for (int64_t row = 0; row < 3000; row++) {
        const char *text = make_new(ids, row, 5);
        assert_int_equal(strlen(text), 6);
        assert_true(text[0] != '0');
    }
    rfi_ids_free(ids);
    clear(&old);
}

static void parts_of_an_address_stay_below_the_largest(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, address, 2000);
    rfi_ids *ids = learn(&old, NULL);
    for (int64_t row = 0; row < 2000; row++) {
        int part[4], end = 0;
        const char *text = make_new(ids, row, 5);
        assert_int_equal(sscanf(text, "%d.%d.%d.%d%n", &part[0], &part[1], &part[2], &part[3], &end), 4);
        assert_int_equal(text[end], '\0');
        for (int i = 0; i < 4; i++)
            assert_in_range(part[i], 0, 255);
    }
    rfi_ids_free(ids);
    clear(&old);
}

static void numbers_of_64_bits_stay_within_them(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, signed_64_bits, 3000);
    rfi_ids *ids = learn(&old, NULL);
    for (int64_t row = 0; row < 3000; row++) {
        const char *text = make_new(ids, row, 5);
        assert_int_equal(strlen(text), 19);
        assert_true(strcmp(text, "9223372036854775807") < 0);
    }
    rfi_ids_free(ids);
    clear(&old);
}

static void a_make_with_few_texts_gets_digits_where_it_has_a_number(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, shop_mail, 1200);
    rfi_ids *ids = learn(&old, NULL);
    for (int64_t row = 0; row < 2000; row++) {
        unsigned long number;
        int shop, end = 0;
        const char *text = make_new(ids, row, 5);
        assert_int_equal(sscanf(text, "user%lu@shop%d.com%n", &number, &shop, &end), 2);
        assert_true(end > 0 && text[end] == '\0' && shop < 7);
    }
    rfi_ids_free(ids);
    clear(&old);
}

static void scattered_numbers_with_room_between_them_do_not_run_on(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, phone, 1200);
    rfi_ids *ids = learn(&old, NULL);
    assert_false(ids->is_sequence);
    for (int64_t row = 0; row < 2000; row++) {
        const char *text = make_new(ids, row, 5);
        assert_int_equal(strlen(text), 10);
        assert_int_equal(text[0], '0');
    }
    rfi_ids_free(ids);
    clear(&old);
}

static void templates_keep_the_kind_of_each_character(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, uuid, 2000);
    rfi_ids *ids = learn(&old, NULL);
    for (int64_t row = 0; row < 500; row++) {
        const char *text = make_new(ids, row, 5);
        assert_int_equal(strlen(text), 36);
        for (int i = 0; i < 36; i++) {
            if (i == 8 || i == 13 || i == 18 || i == 23)
                assert_int_equal(text[i], '-');
            else if (i == 14)
                assert_int_equal(text[i], '4');
            else if (i == 19)
                assert_non_null(strchr("89ab", text[i]));
            else
                assert_non_null(strchr("0123456789abcdef", text[i]));
        }
    }
    rfi_ids_free(ids);
    clear(&old);
    fill(&old, plate, 2000);
    ids = learn(&old, NULL);
    for (int64_t row = 0; row < 500; row++) {
        const char *text = make_new(ids, row, 5);
        for (int i = 0; i < 8; i++)
            assert_true(i == 3 ? text[i] == '-' : i < 3 ? isupper(text[i]) : isdigit(text[i]));
    }
    rfi_ids_free(ids);
    clear(&old);
}

static void another_seed_gives_other_ids_of_a_template(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, plate, 1000);
    rfi_ids *ids = learn(&old, NULL);
    int same = 0;
    for (int64_t row = 0; row < 100; row++) {
        char first[RFI_ID_TEXT_MAX + 1];
        snprintf(first, sizeof first, "%s", make_new(ids, row, 1));
        same += strcmp(first, make_new(ids, row, 2)) == 0;
        assert_string_equal(first, make_new(ids, row, 1));
    }
    assert_true(same < 5);
    rfi_ids_free(ids);
    clear(&old);
}

static void a_used_up_template_is_lengthened(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, two_letters, 600); /* of 676 */
    rfi_ids *ids = learn(&old, "[a-z]{2}");
    check_new_and_unique(ids, &old, NEW);
    rfi_ids_free(ids);
    clear(&old);
}

/* Every text of the template, and texts that a lengthened one would be. */
static void all_and_lengthened(int64_t i, char out[64])
{
    if (i < 676)
        two_letters(i, out);
    else
        snprintf(out, 64, "%c%c-%010d", (char)('a' + i % 26), (char)('a' + i / 26 % 26), (int)(1 + i % 3));
}

static void lengthened_texts_take_a_length_that_no_old_id_has(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, all_and_lengthened, 676 * 4);
    rfi_ids *ids = learn(&old, "[a-z]{2}");
    assert_int_equal(ids->n_gaps, 0);
    assert_int_equal(ids->long_length, 14);
    check_new_and_unique(ids, &old, NEW);
    rfi_ids_free(ids);
    clear(&old);
}

static void two_numbers(int64_t i, char out[64])
{
    snprintf(out, 64, "%d/%d", (int)(100 + rfi_permute((uint64_t)i, 900, 4)),
             (int)(10 + rfi_permute((uint64_t)i, 90, 5)));
}

static void numbers_inside_a_template_do_not_begin_with_0(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, two_numbers, 40);
    rfi_ids *ids = learn(&old, NULL);
    assert_false(ids->is_sequence);
    for (int64_t row = 0; row < 2000; row++) {
        const char *text = make_new(ids, row, 9);
        assert_true(text[0] != '0' && text[4] != '0');
    }
    rfi_ids_free(ids);
    clear(&old);
}

/* A border right beside an old id would give that id away. */
static void no_border_of_a_gap_points_at_an_old_id(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_dict old;
    rfi_text_index index;
    fill(&old, plate, 5000);
    rfi_ids *ids = learn(&old, NULL);
    assert_ok(rfi_text_index_create(&index, &old, &err));
    assert_int_equal(ids->n_gaps, RFI_ID_GAPS_MAX);
    for (int32_t i = 0; i < ids->n_gaps; i++) {
        const uint64_t beside[] = {ids->gaps[i].first - 1, ids->gaps[i].first + ids->gaps[i].n};
        for (int b = 0; b < 2; b++) {
            char text[RFI_ID_POSITIONS_MAX];
            if (beside[b] >= ids->template.size)
                continue;
            rfi_id_template_write(&ids->template, rfi_unpermute(beside[b], ids->template.size, ids->key),
                                  text);
            assert_int_equal(rfi_text_index_find(&index, text, (size_t)ids->template.n_positions), -1);
        }
    }
    rfi_text_index_free(&index);
    rfi_ids_free(ids);
    clear(&old);
}

/* ------------------------------------------------------------------ regexes */

static void regexes_make_texts_that_match(void **state)
{
    (void)state;
    const struct {
        const char *regex, *shape; /* d digit, U upper, l lower, w any of them, else itself */
    } cases[] = {
        {"\\d{30}", "dddddddddddddddddddddddddddddd"},
        {"[A-Z]{3}-\\d{4}", "UUU-dddd"},
        {"^ID[0-9]{2,5}$", "IDddddd"},
        {"(ab[0-9]){2}x?", "abdabdx"},
        {"[a-z]+\\.[^ -/:-~]", "llllllll.d"},
        {"(?:\\d\\d)\\-\\w{2,}", "dd-wwwwwwww"},
        {"a.b*", "awbbbbbbbb"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rf_dict old;
        fill(&old, one, 1);
        rfi_ids *ids = learn(&old, cases[c].regex);
        for (int64_t row = 0; row < 50; row++) {
            const char *text = make_new(ids, row, 3), *shape = cases[c].shape;
            if (ids->template.size >= 1000)
                assert_int_equal(strlen(text), strlen(shape));
            for (size_t i = 0; shape[i]; i++) {
                const int ch = (unsigned char)text[i];
                const bool fits = shape[i] == 'd'   ? isdigit(ch)
                                  : shape[i] == 'U' ? isupper(ch)
                                  : shape[i] == 'l' ? islower(ch)
                                  : shape[i] == 'w' ? isalnum(ch) || ch == '_'
                                                    : ch == shape[i];
                if (!fits) {
                    print_error("%s gave %s\n", cases[c].regex, text);
                    fail();
                }
            }
        }
        check_new_and_unique(ids, &old, 2000);
        rfi_ids_free(ids);
        clear(&old);
    }
}

static void regexes_beyond_the_subset_are_not_understood(void **state)
{
    (void)state;
    static const char *const regexes[] = {
        "",           "a|b",   "(a|b)", "[a",   "a{3", "a{2,1}", "a{999}",
        "(a",         "a)",    "*a",    "a**b", "\\b", "(?=a)b", "a{,}",
        "\\",         "[z-a]", "é",     "^*",   "a$b", "[]",     "((((((((((a))))))))))",
        "(a{64}){3}", "a{0}"};
    for (size_t i = 0; i < sizeof regexes / sizeof *regexes; i++) {
        rfi_id_template *t = malloc(sizeof *t);
        if (rfi_id_template_parse(t, regexes[i])) {
            print_error("\"%s\" was understood\n", regexes[i]);
            fail();
        }
        free(t);
    }
}

/* ------------------------------------------------------------------ bijections */

static void permutations_are_bijections_with_an_inverse(void **state)
{
    (void)state;
    const uint64_t sizes[] = {1, 2, 3, 10, 64, 65, 1000, 4097};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        bool hit[4097] = {0};
        for (uint64_t x = 0; x < sizes[s]; x++) {
            const uint64_t y = rfi_permute(x, sizes[s], 99);
            assert_true(y < sizes[s] && !hit[y]);
            hit[y] = true;
            assert_true(rfi_unpermute(y, sizes[s], 99) == x);
        }
    }
    for (uint64_t x = 0; x < 1000; x++) {
        const uint64_t n = (UINT64_C(1) << 62) - 17, y = rfi_permute(n - 1 - x, n, 5);
        assert_true(y < n && rfi_unpermute(y, n, 5) == n - 1 - x);
    }
}

static void templates_number_their_texts(void **state)
{
    (void)state;
    rfi_id_template *t = malloc(sizeof *t);
    assert_true(rfi_id_template_parse(t, "[ab]x\\d[A-C]"));
    assert_true(t->size == 60);
    for (uint64_t rank = 0; rank < t->size; rank++) {
        char text[RFI_ID_POSITIONS_MAX];
        uint64_t back;
        rfi_id_template_write(t, rank, text);
        assert_true(rfi_id_template_rank(t, text, 4, &back));
        assert_true(back == rank);
    }
    uint64_t rank;
    assert_false(rfi_id_template_rank(t, "ax5D", 4, &rank));
    assert_false(rfi_id_template_rank(t, "ax5", 3, &rank));
    free(t);
}

/* ------------------------------------------------------------------ stored, and out of memory */

static void stored_ids_make_the_same_texts(void **state)
{
    (void)state;
    rf_error err = {0};
    const make_fn makes[] = {running_number, plate, uuid};
    for (size_t m = 0; m < sizeof makes / sizeof *makes; m++) {
        rf_dict old;
        rf_buf bytes;
        rf_reader reader;
        rfi_ids *loaded = NULL;
        fill(&old, makes[m], 500);
        rfi_ids *ids = learn(&old, NULL);
        rf_buf_init(&bytes);
        rfi_ids_store(ids, &bytes);
        rf_reader_init(&reader, bytes.data, bytes.size_bytes);
        assert_ok(rfi_ids_load(&loaded, &reader, &err));
        for (int64_t row = 0; row < 1000; row += 7) {
            char text[RFI_ID_TEXT_MAX + 1];
            snprintf(text, sizeof text, "%s", make_new(ids, row, 6));
            assert_string_equal(text, make_new(loaded, row, 6));
        }
        rf_buf_free(&bytes);
        rfi_ids_free(loaded);
        rfi_ids_free(ids);
        clear(&old);
    }
}

static void every_failing_allocation_is_an_error(void **state)
{
    (void)state;
    rf_dict old;
    fill(&old, plate, 100);
    const rf_field field = rig_field("id", RF_KIND_ID);
    int64_t nth = 1;
    for (;; nth++) {
        rf_error err = {0};
        rfi_ids *ids = NULL;
        bool refused;
        rf_alloc_fail_at(nth);
        const rf_code rc = rfi_ids_learn(&ids, &old, &field, 0.0, 1, 1, &refused, &err);
        rf_alloc_fail_at(0);
        if (rc == RF_OK) {
            rfi_ids_free(ids);
            break;
        }
        assert_int_equal(rc, RF_NO_MEMORY);
        assert_null(ids);
    }
    assert_true(nth > 3);
    clear(&old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_every_make_are_new_and_unique),
        cmocka_unit_test(numbers_that_run_on_continue_after_the_largest),
        cmocka_unit_test(scattered_numbers_keep_their_width),
        cmocka_unit_test(parts_of_an_address_stay_below_the_largest),
        cmocka_unit_test(numbers_of_64_bits_stay_within_them),
        cmocka_unit_test(a_make_with_few_texts_gets_digits_where_it_has_a_number),
        cmocka_unit_test(scattered_numbers_with_room_between_them_do_not_run_on),
        cmocka_unit_test(templates_keep_the_kind_of_each_character),
        cmocka_unit_test(another_seed_gives_other_ids_of_a_template),
        cmocka_unit_test(a_used_up_template_is_lengthened),
        cmocka_unit_test(lengthened_texts_take_a_length_that_no_old_id_has),
        cmocka_unit_test(numbers_inside_a_template_do_not_begin_with_0),
        cmocka_unit_test(no_border_of_a_gap_points_at_an_old_id),
        cmocka_unit_test(regexes_make_texts_that_match),
        cmocka_unit_test(regexes_beyond_the_subset_are_not_understood),
        cmocka_unit_test(permutations_are_bijections_with_an_inverse),
        cmocka_unit_test(templates_number_their_texts),
        cmocka_unit_test(stored_ids_make_the_same_texts),
        cmocka_unit_test(every_failing_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
