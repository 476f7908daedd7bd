/* html_bars.c - a category column drawn twice: its most frequent values as pairs of bars. */
#include "engine/quality/html_page.h"

#include <math.h>
#include <stdlib.h>

#include "engine/quality/marginals.h"

static const double letter_height = 11;

typedef struct bar {
    const char *text;
    size_t length;
    bool ours; /* a word of the page, not of the table */
    double share[2];
} bar;

typedef struct bars {
    int32_t n, n_folded; /* categories in "other" */
    bar bar[RFI_CATEGORIES_MAX + 2];
    int64_t n_present[2];
} bars;

typedef struct category {
    int32_t code;
    int64_t count;
} category;

static int compare_categories(const void *a, const void *b)
{
    const category *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count)
                                : (x->code > y->code) - (x->code < y->code);
}

static void add_bar(bars *b, const char *text, size_t length, bool ours, int64_t real, int64_t synthetic)
{
    bar *next = &b->bar[b->n++];
    *next = (bar){.text = text, .length = length, .ours = ours};
    next->share[0] = b->n_present[0] > 0 ? (double)real / (double)b->n_present[0] : 0;
    next->share[1] = b->n_present[1] > 0 ? (double)synthetic / (double)b->n_present[1] : 0;
}

/* The most frequent real categories, then what is left of them, then what the real table never had. */
static void fill_bars(bars *b, const rfi_facing *face, const category *order, const int64_t *synthetic)
{
    int64_t rest[2] = {0, 0}, unseen = 0;
    for (int32_t i = 0; i < face->n_categories; i++) {
        const rfi_word *word = &face->categories[order[i].code];
        const int64_t ours = order[i].count, theirs = synthetic[order[i].code];
        if (ours >= RFI_CATEGORY_MIN && b->n < RFI_CATEGORIES_MAX) {
            add_bar(b, word->text, word->length, word->length == 0, ours, theirs);
        } else if (ours > 0) {
            rest[0] += ours;
            rest[1] += theirs;
            b->n_folded++;
        } else
            unseen += theirs;
    }
    if (b->n_folded > 0)
        add_bar(b, "other", 5, true, rest[0], rest[1]);
    if (unseen > 0)
        add_bar(b, "not in the real table", 21, true, 0, unseen);
}

static int64_t sum_of(const int64_t *counts, int32_t n)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

static bool bars_make(bars *b, const rfi_facing *face, rf_arena *arena)
{
    const int32_t n = face->n_categories;
    int64_t *real = RF_ARENA_ARRAY(arena, int64_t, n + 1), *synthetic = RF_ARENA_ARRAY(arena, int64_t, n + 1);
    category *order = RF_ARENA_ARRAY(arena, category, n + 1);
    if (!real || !synthetic || !order)
        return false;
    rfi_count_codes(real, n, &face->real);
    rfi_count_codes(synthetic, n, &face->other);
    for (int32_t code = 0; code < n; code++)
        order[code] = (category){code, real[code]};
    if (n > 1)
        qsort(order, (size_t)n, sizeof *order, compare_categories);
    *b = (bars){.n_present = {sum_of(real, n), sum_of(synthetic, n)}};
    fill_bars(b, face, order, synthetic);
    return true;
}

static void draw_bars(rf_buf *out, const bars *b)
{
    enum { HEAD = 18, LABEL = 128, BAR = 178, REAL_END = 342, SYNTHETIC_END = 398 };
    const int row = b->n > 10  ? 18
                    : b->n > 6 ? 22
                    : b->n > 3 ? 30
                               : 44; /* one height of the card, more or less */
    double longest = 0;
    for (int32_t i = 0; i < b->n; i++)
        longest = fmax(longest, fmax(b->bar[i].share[0], b->bar[i].share[1]));
    const double scale = longest > 0 ? BAR / longest : 0;
    rf_buf_printf(
        out,
        "<svg class=\"chart\" viewBox=\"0 0 400 %d\" role=\"img\" aria-label=\"Bars, real and synthetic\">",
        HEAD + row * b->n + 4);
    rfi_svg_text(out, "e", REAL_END, 11, "real %");
    rfi_svg_text(out, "e st", SYNTHETIC_END, 11, "synth. %");
    for (int32_t i = 0; i < b->n; i++) {
        const bar *item = &b->bar[i];
        const double y = HEAD + row * i, middle = y + row * 0.5, thick = row * 0.4;
        rf_buf_puts(out, item->ours ? "<text class=\"e i\" x=\"" : "<text class=\"e n\" x=\"");
        rfi_html_number(out, LABEL - 8);
        rf_buf_puts(out, "\" y=\"");
        rfi_html_number(out, middle + 4);
        rf_buf_puts(out, "\">");
        if (item->length > 0)
            rfi_svg_name(out, item->text, item->length, (LABEL - 10) / letter_height);
        else
            rf_buf_puts(out, "empty text");
        rf_buf_puts(out, "</text>");
        rfi_svg_box(out, "real", LABEL, item->share[0] * scale, middle - thick, thick);
        rf_buf_puts(out, "/>");
        rfi_svg_box(out, "synb", LABEL, item->share[1] * scale, middle, thick * 0.8);
        rf_buf_puts(out, "/>");
        for (int side = 0; side < 2; side++) {
            rf_buf_printf(out, "<text class=\"%s\" x=\"%d\" y=\"", side ? "e st" : "e",
                          side ? SYNTHETIC_END : REAL_END);
            rfi_html_number(out, middle + 4);
            rf_buf_puts(out, "\">");
            rfi_html_percent(out, b->n_present[side] > 0 ? item->share[side] : NAN);
            rf_buf_puts(out, "</text>");
        }
    }
    rf_buf_puts(out, "</svg>");
}

rfi_bars_drawn rfi_draw_bars(rf_buf *out, const rfi_facing *face, rf_arena *arena, int32_t *n_folded)
{
    bars b;
    if (!bars_make(&b, face, arena))
        return RFI_BARS_NO_MEMORY;
    *n_folded = b.n_folded;
    if (b.n_present[0] == 0)
        return RFI_BARS_EMPTY;
    if (b.bar[0].ours && b.bar[0].length > 0)
        return RFI_BARS_RARE;
    draw_bars(out, &b);
    return RFI_BARS_DRAWN;
}
