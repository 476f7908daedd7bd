/* Texts that are written: which stand in quotes, how they do, and texts of any length among many. */
#include "core/philox.h"
#include "csv_test.h"
#include "engine/table/csv_quote.h"

static uint32_t draw(uint32_t step, uint32_t element)
{
    return rf_philox_u32((rf_draw){.seed = 13, .step = step, .purpose = RF_DRAW_DEMO}, element);
}

/* ---------------------------------------------------------------- a byte at a time */

static bool plain_special(const char *text, size_t length, char delimiter)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == delimiter || text[i] == '"' || text[i] == '\n' || text[i] == '\r')
            return true;
    return false;
}

static void plain_put(rf_buf *out, const char *text, size_t length, bool quoted)
{
    if (quoted)
        rf_buf_puts(out, "\"");
    for (size_t i = 0; i < length; i++) {
        if (quoted && text[i] == '"')
            rf_buf_puts(out, "\"");
        rf_buf_append(out, text + i, 1);
    }
    if (quoted)
        rf_buf_puts(out, "\"");
}

/* Of each length, with a special byte at each place, or two, among bytes that differ from one by a bit. */
static void texts_are_quoted_as_a_byte_at_a_time(void **state)
{
    (void)state;
    static const char special[] = {'"', ';', '\t', '\n', '\r', '#', '!', '\x0B', (char)0xA2, (char)0x8A, 'x'};
    rf_buf plain;
    rf_buf_init(&plain);
    for (size_t length = 0; length <= 35; length++)
        for (size_t at = 0; at <= length; at++)
            for (size_t s = 0; s < sizeof special; s++) {
                char *text = malloc(length + 1), fast[2 * 36 + RFI_QUOTE_ROOM];
                for (size_t i = 0; i < length; i++)
                    text[i] = (char)draw((uint32_t)(length * 64 + at), (uint32_t)i) | 0x40;
                if (at < length)
                    text[at] = special[s];
                if (at + s < length)
                    text[at + s] = special[s];
                for (int tab = 0; tab < 2; tab++)
                    assert_int_equal(rfi_quote_special(text, length, tab ? '\t' : ';'),
                                     plain_special(text, length, tab ? '\t' : ';'));
                for (int quoted = 0; quoted < 2; quoted++) {
                    rf_buf_clear(&plain);
                    plain_put(&plain, text, length, quoted);
                    assert_int_equal(rfi_quote_put(fast, text, length, quoted), plain.size_bytes);
                    if (plain.size_bytes)
                        assert_memory_equal(fast, plain.data, plain.size_bytes);
                }
                free(text);
            }
    rf_buf_free(&plain);
}

static void texts_that_would_be_missing_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *text, *own;
        bool missing;
    } cases[] = {{"", "", true},
                 {"NA", "", true},
                 {" NA\t", "", true},
                 {"NAN", "", false},
                 {"unknown", "", false},
                 {"  ", "", true},
                 {"null", "?", true},
                 {"?", "?", true},
                 {" unknown ", "unknown", true},
                 {"unknowns", "unknown", false},
                 {"nulls", "nulls!", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            rfi_quote_missing(cases[i].text, strlen(cases[i].text), cases[i].own, strlen(cases[i].own)),
            cases[i].missing);
    assert_true(rfi_quote_sep_line("sep=;", 5) && !rfi_quote_sep_line("separate", 8));
}

/* ---------------------------------------------------------------- in a table */

enum { FEW = 7, MANY = 9000 };

/* Of 1 to 400 bytes; which of them are new, and which come again, differs by column. */
static void add_text(rf_buf *out, uint32_t which)
{
    char text[512];
    const int n =
        snprintf(text, sizeof text, "%u%.*s", which, (int)(draw(which, 0) % (which % 9 ? 70 : 390)),
                 "some words, and \"more\" words; a line\nand another, so that nearly all of these have to "
                 "stand in quotes, and their lengths are around those that are copied in one step, or in a "
                 "few, or by the library \"as a whole\": that is, from one byte up to some hundreds of "
                 "them, and now and then there's nothing at all, which is an empty text, or nothing but "
                 "this, which goes on and on, to the end");
    plain_put(out, text, (size_t)n, plain_special(text, (size_t)n, ','));
}

static void texts_of_any_length_come_back(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    rf_buf csv, back;
    rf_buf_init(&csv);
    rf_buf_init(&back);
    rf_buf_puts(&csv, "few,many,all\n");
    for (uint32_t row = 0; row < 30000; row++) {
        add_text(&csv, draw(row, 1) % FEW);
        rf_buf_puts(&csv, ",");
        if (row % 50 != 49)
            add_text(&csv, draw(row, 2) % MANY);
        rf_buf_puts(&csv, ",");
        add_text(&csv, row);
        rf_buf_puts(&csv, "\n");
    }
    assert_ok(csv_read(f, csv.data, csv.size_bytes, NULL, &err));
    assert_ok(rf_table_format(f->table, &back, &err));
    assert_int_equal(back.size_bytes, csv.size_bytes);
    assert_memory_equal(back.data, csv.data, csv.size_bytes);
    rf_buf_free(&back);
    rf_buf_free(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_quoted_as_a_byte_at_a_time),
        cmocka_unit_test(texts_that_would_be_missing_are_known),
        cmocka_unit_test_setup_teardown(texts_of_any_length_come_back, csv_set_up, csv_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
