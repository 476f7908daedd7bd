/* Columns of texts, on every road: the codes are those of a list of texts that is searched from its start. */
#include "core/buf.h"
#include "core/philox.h"
#include "engine/table/csv_record.h"
#include "engine/table/csv_scan.h"
#include "engine/table/csv_texts.h"
#include "rf_test.h"

enum { CELLS = 100, TEXTS_MAX = CELLS * 4 };

static const char *const token_texts[] = {"", "NA", "null"};
static const size_t token_lengths[] = {0, 2, 4};
static const rfi_tokens tokens = {.n = 3, .texts = token_texts, .lengths = token_lengths, .longest = 4};

static uint32_t draw(uint32_t step, uint32_t element)
{
    return rf_philox_u32((rf_draw){.seed = 10, .step = step, .purpose = RF_DRAW_DEMO}, element);
}

/* ---------------------------------------------------------------- a column of cells */

typedef struct column {
    rf_buf text, scratch;
    uint32_t begins[CELLS], ends[CELLS];
    int64_t n;
    rfi_dict dict;
    int32_t codes[CELLS];
    int64_t n_quoted, n_uncoded_door,
        n_door; /* cells in quotes, without a code, and all, that went through the door */
} column;

static void add_cell(column *to, const char *text)
{
    to->begins[to->n] = (uint32_t)to->text.size_bytes - 1;
    rf_buf_puts(&to->text, text);
    to->ends[to->n++] = (uint32_t)to->text.size_bytes;
    if (to->n < CELLS)
        rf_buf_puts(&to->text, to->n % 7 ? "," : "\n");
}

static rfi_csv_cells cells_of(const column *from, const char *data)
{
    return (rfi_csv_cells){.data = data,
                           .begins = from->begins,
                           .ends = from->ends,
                           .n = from->n,
                           .first = data,
                           .limit = data + from->text.size_bytes};
}

/* Cell i without its quotes; false when it is broken. */
static bool decoded(column *from, int64_t i, rfi_csv_cell *cell)
{
    static const rfi_csv_syntax syntax = {.delimiter = ',', .newline = '\n'};
    const rfi_csv_cells cells = cells_of(from, from->text.data);
    return rfi_csv_decode(cell, rfi_csv_cell_text(&cells, i), rfi_csv_cell_length(&cells, i), false, &syntax,
                          &from->scratch);
}

static int32_t code_at(column *from, int64_t i)
{
    rfi_csv_cell cell;
    if (!decoded(from, i, &cell))
        return RFI_CODE_EMPTY;
    from->n_quoted += cell.quoted;
    if (!cell.length)
        return RFI_CODE_EMPTY;
    const char *limit = cell.text + cell.length;
    return cell.quoted ? rfi_dict_code_quoted(&from->dict, cell.text, cell.length, limit)
                       : rfi_dict_code(&from->dict, cell.text, cell.length, limit);
}

static void door(void *arg, int64_t i)
{
    column *from = arg;
    from->n_door++;
    from->codes[i] = code_at(from, i);
    from->n_uncoded_door += from->codes[i] < 0;
}

/* ---------------------------------------------------------------- the plain list */

typedef struct list {
    char texts[TEXTS_MAX][128];
    int32_t n;
} list;

static int32_t find(list *in, const char *text)
{
    int32_t code = 0;
    while (code < in->n && strcmp(in->texts[code], text) != 0)
        code++;
    if (code == in->n)
        snprintf(in->texts[in->n++], sizeof in->texts[0], "%s", text);
    return code;
}

/* Adds one for each cell in quotes. */
static int32_t plain_code(list *in, column *from, int64_t i, int64_t *n_quoted)
{
    char text[128];
    rfi_csv_cell cell;
    if (!decoded(from, i, &cell))
        return RFI_CODE_EMPTY;
    *n_quoted += cell.quoted;
    const int32_t token = rfi_tokens_find(&tokens, cell.text, cell.length);
    if (cell.length == 0)
        return RFI_CODE_EMPTY;
    if (token >= 0 && !cell.quoted)
        return RFI_CODE_TOKEN(token);
    if (token >= 0) /* one text, whatever blanks stand around it */
        snprintf(text, sizeof text, "token %d", token);
    else
        snprintf(text, sizeof text, "%.*s", (int)cell.length, cell.text);
    return find(in, text);
}

/* Three readings with one dictionary: at first all is new, then all was met. */
static void assert_codes(column *from, int path)
{
    static list known;
    known.n = 0;
    rfi_dict_init(&from->dict, &tokens);
    /* a copy of exactly these bytes, so that reading past them is seen */
    char *exact = malloc(from->text.size_bytes ? from->text.size_bytes : 1);
    memcpy(exact, from->text.data, from->text.size_bytes);
    if (rfi_csv_scan_force(path))
        for (int round = 0; round < 3; round++) {
            int64_t n_quoted = 0, n_uncoded = 0;
            rfi_text_facts seen = {0};
            const rfi_text_road road = {
                .cells = cells_of(from, exact), .dict = &from->dict, .door = door, .arg = from};
            from->n_quoted = from->n_door = from->n_uncoded_door = 0;
            rfi_texts_read(&road, from->codes, &seen);
            const int64_t n_quoted_door = from->n_quoted;
            for (int64_t i = 0; i < from->n; i++) {
                assert_int_equal(from->codes[i], plain_code(&known, from, i, &n_quoted));
                n_uncoded += from->codes[i] < 0;
            }
            assert_int_equal(seen.n_quoted + n_quoted_door, n_quoted);
            assert_int_equal(seen.n_uncoded + from->n_uncoded_door, n_uncoded);
        }
    assert_int_equal(from->dict.n, known.n);
    rfi_csv_scan_force(-1);
    rfi_dict_free(&from->dict);
    free(exact);
}

/* ---------------------------------------------------------------- */

static void codes_are_those_of_a_plain_list(void **state)
{
    (void)state;
    static const char *const odd[] = {"\"\"",     "\"a\"",  "\"a\"\"b\"", "a\"\"b",   "\"a\"b", "\"",
                                      "NA",       "\"NA\"", "null",       "\"null\"", " NA ",   "\" NA\"",
                                      "\"\"\"\"", "a\"b",   "",           "\"a",      "a",      "\"x,y\""};
    enum { ODD = sizeof odd / sizeof *odd };
    column it = {0};
    rf_buf_init(&it.text);
    rf_buf_init(&it.scratch);
    for (uint32_t round = 0; round < 300; round++) {
        rf_buf_clear(&it.text);
        it.n = 0;
        const uint32_t texts = 1 + draw(round, 0) % 30, rare = 1 + draw(round, 1) % 20,
                       longest = 1 + draw(round, 2) % 60;
        for (uint32_t i = 0; i < CELLS; i++) {
            const uint32_t w = draw(round, 10 + i), which = w % texts;
            char text[128];
            if ((w >> 8) % rare == 0 && rare < 15)
                snprintf(text, sizeof text, "%s", odd[(w >> 16) % ODD]);
            else
                snprintf(text, sizeof text, w >> 30 == 3 ? "\"%.*s%u\"" : "%.*s%u",
                         (int)(which * 7 % longest),
                         "the quick brown fox jumps over the lazy dog and goes on", which);
            add_cell(&it, text);
        }
        for (int path = RFI_CSV_PLAIN; path < RFI_CSV_PATHS; path++)
            assert_codes(&it, path);
    }
    rf_buf_free(&it.text);
    rf_buf_free(&it.scratch);
}

/* Texts that push each other out of their place in front are set apart, whatever they are. */
static void few_texts_end_up_in_front(void **state)
{
    (void)state;
    column it = {0};
    rf_buf_init(&it.text);
    rf_buf_init(&it.scratch);
    for (uint32_t set = 0; set < 50; set++) {
        rf_buf_clear(&it.text);
        it.n = 0;
        rfi_dict_init(&it.dict, &tokens);
        for (uint32_t i = 0; i < CELLS; i++) {
            char text[32];
            snprintf(text, sizeof text, "%s%u", set % 2 ? "a long text, " : "", draw(set, i % 12));
            add_cell(&it, text);
        }
        rf_buf_puts(&it.text, "\n# the end of a file is read with care, so here it lies further on");
        const rfi_text_road road = {
            .cells = cells_of(&it, it.text.data), .dict = &it.dict, .door = door, .arg = &it};
        for (int round = 0; round < 20; round++) {
            it.n_door = 0;
            rfi_text_facts seen = {0};
            rfi_texts_read(&road, it.codes, &seen);
        }
        assert_int_equal(it.n_door, 0);
        rfi_dict_free(&it.dict);
    }
    rf_buf_free(&it.text);
    rf_buf_free(&it.scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_a_plain_list),
        cmocka_unit_test(few_texts_end_up_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
