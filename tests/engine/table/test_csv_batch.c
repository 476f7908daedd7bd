/* Texts that are coded many at a time have the codes that they have one after another. */
#include "core/alloc.h"
#include "core/philox.h"
#include "csv_test.h"
#include "engine/table/csv_batch.h"
#include "engine/table/csv_record.h"

static const char *const token_texts[] = {"", "NA", "null"};
static const size_t token_lengths[] = {0, 2, 4};
static const rfi_tokens tokens = {.n = 3, .texts = token_texts, .lengths = token_lengths, .longest = 4};

static uint32_t draw(uint32_t step, uint32_t element)
{
    return rf_philox_u32((rf_draw){.seed = 11, .step = step, .purpose = RF_DRAW_DEMO}, element);
}

/* ---------------------------------------------------------------- doubled quotes */

/* A byte at a time; SIZE_MAX when a quote stands alone. */
static size_t plain_undouble(char *out, const char *text, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        out[n++] = text[i];
        if (text[i] == '"' && (++i == length || text[i] != '"'))
            return SIZE_MAX;
    }
    return n;
}

static void quotes_are_undoubled_as_a_byte_at_a_time(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 20000; round++) {
        const uint32_t length = draw(round, 0) % 40, often = 1 + draw(round, 1) % 12;
        char *text = malloc(length + 1), plain[48], fast[48 + RFI_CSV_UNDOUBLE_ROOM];
        for (uint32_t i = 0; i < length;) {
            const uint32_t w = draw(round, 2 + i);
            if (w % often == 0 && w % 64 != 0 && i + 2 <= length)
                text[i++] = '"';
            text[i++] = w % often == 0 ? '"' : (char)(w >> 24); /* any byte, zeros and those above '"' too */
        }
        const size_t wanted = plain_undouble(plain, text, length);
        assert_int_equal(rfi_csv_undouble(fast, text, length), wanted);
        if (wanted != SIZE_MAX)
            assert_memory_equal(fast, plain, wanted);
        free(text);
    }
}

/* ---------------------------------------------------------------- batches */

enum { TEXTS = 30000, DIFFERENT = 9000 };

typedef struct texts {
    rf_buf bytes;
    size_t offsets[TEXTS + 1];
} texts;

/* Texts of 1 to 80 bytes, each several times, now and then in the same batch; tokens among them. */
static void make_texts(texts *out)
{
    rf_buf_init(&out->bytes);
    for (uint32_t i = 0; i < TEXTS; i++) {
        const uint32_t w = draw(i, 0);
        const uint32_t which = w % 4 == 0   ? i / 8 % 3
                               : w % 3 == 0 ? draw(i / 4, 1) % DIFFERENT
                                            : w % DIFFERENT;
        out->offsets[i] = out->bytes.size_bytes;
        if (which % 500 == 7)
            rf_buf_puts(&out->bytes, which % 1000 == 7 ? " NA" : "null");
        else
            rf_buf_printf(&out->bytes, "%u%.*s", which, (int)(which % 70),
                          "a text whose end is the same as that of many others, as far as it goes");
    }
    out->offsets[TEXTS] = out->bytes.size_bytes;
}

static rfi_dict_text text_at(const texts *from, int64_t i)
{
    return (rfi_dict_text){.text = from->bytes.data + from->offsets[i],
                           .limit = from->bytes.data + from->bytes.size_bytes,
                           .length = from->offsets[i + 1] - from->offsets[i],
                           .quoted = i % 5 == 0};
}

static void assert_same_dicts(const rfi_dict *a, const rfi_dict *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->offsets, b->offsets, ((size_t)a->n + 1) * sizeof *a->offsets);
    assert_memory_equal(a->bytes, b->bytes, (size_t)a->offsets[a->n]);
    assert_int_equal(a->has_tokens, b->has_tokens);
}

static void codes_do_not_depend_on_how_many_are_asked_for(void **state)
{
    (void)state;
    static texts from;
    static int32_t codes[TEXTS];
    rfi_dict alone;
    make_texts(&from);
    rfi_dict_init(&alone, &tokens);
    for (int64_t i = 0; i < TEXTS; i++) {
        rfi_dict_text one = text_at(&from, i);
        rfi_dict_code_texts(&alone, &one, 1);
        codes[i] = one.code;
    }
    for (int most = 2; most <= RFI_DICT_BATCH; most += 31)
        for (int resting = 0; resting < 2; resting++) {
            rfi_dict together;
            rfi_dict_init(&together, &tokens);
            together.front_rests = resting;
            for (int64_t i = 0; i < TEXTS; i += most) {
                rfi_dict_text some[RFI_DICT_BATCH];
                const int n = TEXTS - i < most ? (int)(TEXTS - i) : most;
                for (int j = 0; j < n; j++)
                    some[j] = text_at(&from, i + j);
                rfi_dict_code_texts(&together, some, n);
                for (int j = 0; j < n; j++)
                    assert_int_equal(some[j].code, codes[i + j]);
            }
            assert_same_dicts(&together, &alone);
            rfi_dict_free(&together);
        }
    rfi_dict_free(&alone);
    rf_buf_free(&from.bytes);
}

static void a_batch_without_memory_gives_no_codes(void **state)
{
    (void)state;
    static texts from;
    make_texts(&from);
    bool done = false;
    for (int64_t nth = 1; !done; nth++) {
        rfi_dict dict;
        rf_error err = {0};
        rfi_dict_init(&dict, &tokens);
        rf_alloc_fail_at(nth);
        for (int64_t i = 0; i + RFI_DICT_BATCH <= TEXTS; i += RFI_DICT_BATCH) {
            rfi_dict_text some[RFI_DICT_BATCH];
            for (int j = 0; j < RFI_DICT_BATCH; j++)
                some[j] = text_at(&from, i + j);
            rfi_dict_code_texts(&dict, some, RFI_DICT_BATCH);
            for (int j = 0; j < RFI_DICT_BATCH; j++)
                assert_true(some[j].code < dict.n);
        }
        done = rf_alloc_count() < nth;
        rf_alloc_fail_at(0);
        assert_int_equal(rfi_dict_check(&dict, "a", &err), done ? RF_OK : RF_NO_MEMORY);
        rfi_dict_free(&dict);
        assert_true(nth < 1000);
    }
    rf_buf_free(&from.bytes);
}

/* ---------------------------------------------------------------- in a file */

/* Cells with doubled quotes around the length that a batch keeps, and so many of them that it must be emptied. */
static void long_cells_with_doubled_quotes_keep_their_texts(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    static const int lengths[] = {1,
                                  7,
                                  8,
                                  9,
                                  2000,
                                  5000,
                                  RFI_BATCH_BYTES - RFI_CSV_UNDOUBLE_ROOM - 2,
                                  RFI_BATCH_BYTES - RFI_CSV_UNDOUBLE_ROOM - 1,
                                  RFI_BATCH_BYTES,
                                  40000};
    enum { LENGTHS = sizeof lengths / sizeof *lengths, ROWS = 200 };
    rf_buf csv, text;
    rf_buf_init(&csv);
    rf_buf_init(&text);
    rf_buf_puts(&csv, "a,b\n");
    for (uint32_t row = 0; row < ROWS; row++) {
        const int length = lengths[draw(row, 0) % LENGTHS];
        rf_buf_puts(&csv, "x,\"\"\"");
        for (int i = 0; i < length; i++)
            rf_buf_append(&csv, row % 3 && i % 700 == 5 ? "\n" : "y", 1);
        rf_buf_printf(&csv, "%u\"\n", row % 50);
    }
    assert_ok(csv_read(f, csv.data, csv.size_bytes, NULL, &err));
    const rf_column *column = &f->table->columns[1];
    for (uint32_t row = 0; row < ROWS; row++) {
        size_t got;
        const char *shown = rf_dict_text(&column->dict, column->codes[row], &got);
        rf_buf_clear(&text);
        rf_buf_printf(&text, "%u", row % 50);
        assert_int_equal(got, 1 + (size_t)lengths[draw(row, 0) % LENGTHS] + text.size_bytes);
        assert_int_equal(shown[0], '"');
        assert_memory_equal(shown + got - text.size_bytes, text.data, text.size_bytes);
    }
    rf_buf_free(&text);
    rf_buf_free(&csv);
}

/* At first all texts are new, so that the front of the dictionary rests; then few come again and again; tokens, cells in
 * quotes and empty ones stand in both parts. */
static void a_column_may_change_its_habits(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    enum { NEW = 20000, AGAIN = 40000, KNOWN = 5 };
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_puts(&csv, "a,b\n");
    for (uint32_t row = 0; row < NEW + AGAIN; row++) {
        const uint32_t which = row < NEW ? row : draw(row, 0) % KNOWN;
        const char *quote = which % 7 == 3 ? "\"" : "";
        if (row % 100 == 99)
            rf_buf_puts(&csv, row % 200 == 99 ? "NA,1\n" : ",1\n");
        else
            rf_buf_printf(&csv, "%stext %u%s,1\n", quote, which, quote);
    }
    assert_ok(csv_read(f, csv.data, csv.size_bytes, NULL, &err));
    const rf_column *column = &f->table->columns[0];
    assert_int_equal(column->n_missing, (NEW + AGAIN) / 100);
    assert_int_equal(column->dict.n, NEW - NEW / 100);
    for (uint32_t row = 0; row < NEW + AGAIN; row++) {
        const uint32_t which = row < NEW ? row : draw(row, 0) % KNOWN;
        assert_int_equal(column->codes[row], row % 100 == 99 ? -1 : (int32_t)(which - which / 100));
    }
    rf_buf_free(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_are_undoubled_as_a_byte_at_a_time),
        cmocka_unit_test(codes_do_not_depend_on_how_many_are_asked_for),
        cmocka_unit_test(a_batch_without_memory_gives_no_codes),
        cmocka_unit_test_setup_teardown(long_cells_with_doubled_quotes_keep_their_texts, csv_set_up,
                                        csv_tear_down),
        cmocka_unit_test_setup_teardown(a_column_may_change_its_habits, csv_set_up, csv_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
