/* html_overlay.c - every column drawn twice: the real table as a filled area, the synthetic as a line.
 *
 * Shape tells the two apart as well as colour does, on paper and to any eyes. Under each drawing stand
 * the shares that it leaves out: missing cells, and one value that most rows have.
 */
#include "engine/quality/html_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/quality/marginals.h"

/* Units of the drawings' own coordinates; a card is about as wide as that many CSS pixels. */
static const double chart_width = 400, chart_left = 38, chart_right = 6, chart_top = 8, plot_height = 164;
static const double slot_width = 14, slot_gap = 6; /* of what lies outside the axis */
static const double letter_height = 11;

/* ------------------------------------------------------------------ histogram */

typedef struct histogram {
    const rfi_bins *bins;
    double left, right; /* of the axis, without the slots */
    double top_share;   /* at the top of the plot         */
    bool below, above;
} histogram;

static double x_of(const histogram *h, double position)
{
    return h->left + position * (h->right - h->left);
}

static double y_of(const histogram *h, double share)
{
    return chart_top + plot_height * (1 - share / h->top_share);
}

static histogram histogram_layout(const rfi_bins *bins)
{
    histogram h = {.bins = bins, .left = chart_left, .right = chart_width - chart_right};
    double top = 0;
    for (int side = 0; side < 2; side++) {
        for (int32_t i = 0; i < bins->n; i++)
            top = fmax(top, bins->share[side][i]);
        top = fmax(top, fmax(bins->below[side], bins->above[side]));
    }
    h.below = bins->below[0] > 0 || bins->below[1] > 0;
    h.above = bins->above[0] > 0 || bins->above[1] > 0;
    h.left += h.below ? slot_width + slot_gap : 0;
    h.right -= h.above ? slot_width + slot_gap : 0;
    h.top_share = top > 0 ? top * 1.06 : 1;
    return h;
}

static void grid(rf_buf *out, const histogram *h)
{
    const rfi_step step = rfi_step_nice(h->top_share / 4.2, 0);
    for (int k = 0;; k++) {
        const double share = rfi_step_times(step, k), y = y_of(h, share);
        if (share > h->top_share)
            break;
        rf_buf_puts(out, k == 0 ? "<path class=\"axis\" d=\"M" : "<path class=\"grid\" d=\"M");
        rfi_html_number(out, chart_left);
        rf_buf_puts(out, " ");
        rfi_html_number(out, y);
        rf_buf_puts(out, "H");
        rfi_html_number(out, chart_width - chart_right);
        rf_buf_puts(out, "\"/><text class=\"e\" x=\"");
        rfi_html_number(out, chart_left - 5);
        rf_buf_puts(out, "\" y=\"");
        rfi_html_number(out, y + 3.5);
        rf_buf_puts(out, "\">");
        rfi_html_fixed(out, 100 * share, 3, 0);
        rf_buf_puts(out, "%</text>");
    }
}

/* The outline over all bins, closed to the ground when it is to be filled. */
static void outline(rf_buf *out, const histogram *h, int side, bool closed)
{
    const rfi_bins *bins = h->bins;
    rf_buf_printf(out, "<path class=\"%s\" d=\"M", closed ? "real" : "syn");
    rfi_html_number(out, x_of(h, 0));
    rf_buf_puts(out, " ");
    rfi_html_number(out, y_of(h, 0));
    for (int32_t i = 0; i < bins->n; i++) {
        rf_buf_puts(out, "V");
        rfi_html_number(out, y_of(h, bins->share[side][i]));
        rf_buf_puts(out, "H");
        rfi_html_number(out, x_of(h, bins->position[i + 1]));
    }
    rf_buf_puts(out, "V");
    rfi_html_number(out, y_of(h, 0));
    rf_buf_puts(out, closed ? "Z\"/>" : "\"/>");
}

static void box(rf_buf *out, const char *class_name, double x, double width, double y, double height)
{
    rf_buf_printf(out, "<rect class=\"%s\" x=\"", class_name);
    rfi_html_number(out, x);
    rf_buf_puts(out, "\" y=\"");
    rfi_html_number(out, y);
    rf_buf_puts(out, "\" width=\"");
    rfi_html_number(out, width);
    rf_buf_puts(out, "\" height=\"");
    rfi_html_number(out, height);
    rf_buf_puts(out, "\"");
}

static void two_shares(rf_buf *out, double real, double synthetic)
{
    rf_buf_puts(out, "real ");
    rfi_html_share(out, real);
    rf_buf_puts(out, ", synthetic ");
    rfi_html_share(out, synthetic);
}

/* An invisible column over a bin, which tells its numbers to the pointer. */
static void hover(rf_buf *out, double x, double width, const char *text, double real, double synthetic)
{
    box(out, "hit", x, width, chart_top, plot_height);
    rf_buf_puts(out, "><title>");
    rfi_html_puts(out, text);
    rf_buf_puts(out, ": ");
    two_shares(out, real, synthetic);
    rf_buf_puts(out, "</title></rect>");
}

static void slot(rf_buf *out, const histogram *h, double x, const double share[2], const char *text)
{
    const double ground = y_of(h, 0), real = y_of(h, share[0]), synthetic = y_of(h, share[1]);
    box(out, "real out", x, slot_width, real, ground - real);
    rf_buf_puts(out, "/>");
    box(out, "syn", x, slot_width, synthetic, ground - synthetic);
    rf_buf_puts(out, "/>");
    hover(out, x, slot_width, text, share[0], share[1]);
}

static void slots(rf_buf *out, const histogram *h)
{
    char end[RFI_EDGE_TEXT], text[RFI_EDGE_TEXT + 16];
    const rfi_bins *bins = h->bins;
    if (h->below) {
        rfi_bins_value_text(bins, bins->edge[0], end);
        snprintf(text, sizeof text, "below %s", end);
        slot(out, h, chart_left, bins->below, text);
    }
    if (h->above) {
        rfi_bins_value_text(bins, bins->edge[bins->n], end);
        snprintf(text, sizeof text, "above %s", end);
        slot(out, h, h->right + slot_gap, bins->above, text);
    }
}

static void text_at(rf_buf *out, const char *class_name, double x, double y, const char *text)
{
    rf_buf_printf(out, "<text class=\"%s\" x=\"", class_name);
    rfi_html_number(out, x);
    rf_buf_puts(out, "\" y=\"");
    rfi_html_number(out, y);
    rf_buf_puts(out, "\">");
    rfi_html_puts(out, text);
    rf_buf_puts(out, "</text>");
}

/* Ticks from left to right; a label that would touch the one before it is left out. */
static void ticks(rf_buf *out, const histogram *h)
{
    const double ground = y_of(h, 0);
    double free_from = h->below ? chart_left + slot_width : 0;
    const double free_to = h->above ? h->right : chart_width;
    if (h->below)
        text_at(out, "m", chart_left + slot_width / 2, ground + 16, "<");
    if (h->above)
        text_at(out, "m", chart_width - chart_right - slot_width / 2, ground + 16, ">");
    for (int32_t i = 0; i < h->bins->n_ticks; i++) {
        const char *text = h->bins->tick_text[i];
        const double x = x_of(h, h->bins->tick_position[i]);
        const double half = rfi_html_width(text, strlen(text)) * letter_height / 2;
        rf_buf_puts(out, "<path class=\"axis\" d=\"M");
        rfi_html_number(out, x);
        rf_buf_puts(out, " ");
        rfi_html_number(out, ground);
        rf_buf_puts(out, "v4\"/>");
        const double centre = x + half > free_to ? free_to - half : x - half < 0 ? half : x;
        if (fabs(centre - x) > half || centre - half < free_from)
            continue;
        text_at(out, "m", centre, ground + 16, text);
        free_from = centre + half + 6;
    }
}

static void draw_histogram(rf_buf *out, const rfi_bins *bins)
{
    const histogram h = histogram_layout(bins);
    rf_buf_printf(out,
                  "<svg class=\"chart\" viewBox=\"0 0 400 196\" role=\"img\" aria-label=\"Histogram, real "
                  "and synthetic%s\">",
                  bins->logarithmic ? ", logarithmic axis" : "");
    grid(out, &h);
    outline(out, &h, 0, true);
    if (bins->n_present[1] > 0)
        outline(out, &h, 1, false);
    slots(out, &h);
    ticks(out, &h);
    for (int32_t i = 0; i < bins->n; i++) {
        char text[RFI_RANGE_TEXT];
        rfi_bins_range_text(bins, i, text);
        const double x = x_of(&h, bins->position[i]);
        hover(out, x, x_of(&h, bins->position[i + 1]) - x, text, bins->share[0][i], bins->share[1][i]);
    }
    rf_buf_puts(out, "</svg>");
}

/* ------------------------------------------------------------------ categories */

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
    enum { HEAD = 18, LABEL = 128, BAR = 184, REAL_END = 348, SYNTHETIC_END = 398 };
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
    text_at(out, "e", REAL_END, 11, "real %");
    text_at(out, "e st", SYNTHETIC_END, 11, "synth. %");
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
        box(out, "real", LABEL, item->share[0] * scale, middle - thick, thick);
        rf_buf_puts(out, "/>");
        box(out, "synb", LABEL, item->share[1] * scale, middle, thick * 0.8);
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

/* ------------------------------------------------------------------ cards */

/* Two thin bars for a share that the drawing leaves out. */
static void mini(rf_buf *out, const char *what, const char *value, double real, double synthetic)
{
    rf_buf_puts(out, "<div class=\"mini\"><span>");
    rf_buf_puts(out, what);
    if (value) {
        rf_buf_puts(out, " <b>");
        rfi_html_puts(out, value);
        rf_buf_puts(out, "</b>");
    }
    rf_buf_puts(out, "</span><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                     "<rect class=\"track\" width=\"100\" height=\"10\"/>");
    box(out, "real", 0, isnan(real) ? 0 : 100 * real, 0, 5);
    rf_buf_puts(out, "/>");
    box(out, "synb", 0, isnan(synthetic) ? 0 : 100 * synthetic, 5, 5);
    rf_buf_puts(out, "/></svg><span class=\"v\">");
    two_shares(out, real, synthetic);
    rf_buf_puts(out, "</span></div>");
}

static void nothing(rf_buf *out, const char *why)
{
    rf_buf_printf(out, "<p class=\"none\">%s</p>", why);
}

static void numeric_body(rfi_page *page, const rf_field *field, const rfi_facing *face)
{
    rf_buf *out = page->out;
    rfi_bins bins;
    if (!rfi_bins_make(&bins, field, &face->real, &face->other, page->scratch)) {
        nothing(out, "The real column has no value that can be drawn.");
        return;
    }
    draw_histogram(out, &bins);
    if (bins.has_spike) {
        char text[RFI_EDGE_TEXT];
        rfi_bins_spike_text(&bins, text);
        mini(out, "exactly", text, bins.spike_share[0], bins.spike_share[1]);
        rf_buf_puts(out, "<p class=\"hint\">The drawing shows the other values.</p>");
    }
    if (bins.n_binned[1] == 0)
        rf_buf_puts(out, "<p class=\"hint\">The synthetic column has none of these values.</p>");
}

static void category_body(rfi_page *page, const rfi_facing *face, rf_arena *arena)
{
    rf_buf *out = page->out;
    bars b;
    if (!bars_make(&b, face, arena)) {
        out->failed = true;
        return;
    }
    const bool named = b.n > 0 && (!b.bar[0].ours || b.bar[0].length == 0);
    if (b.n == 0)
        nothing(out, "The real column has no value.");
    else if (!named)
        nothing(out,
                "No value is common enough to be shown: fewer than five real rows have any one of them.");
    else
        draw_bars(out, &b);
    if (named && b.n_folded > 0) {
        rf_buf_puts(out, "<p class=\"hint\">“other” holds ");
        rfi_html_count(out, b.n_folded);
        rf_buf_puts(out, b.n_folded == 1 ? " value.</p>" : " values.</p>");
    }
}

static void card_body(rfi_page *page, const rf_quality_column *column)
{
    rf_arena arena;
    rfi_facing *face = NULL;
    rf_arena_init(&arena);
    if (rfi_face(&face, &arena, page->real, page->synthetic, &column->field, 1, NULL) != RF_OK)
        page->out->failed = true;
    else if (face->other_field < 0)
        nothing(page->out, "The synthetic table has no such column.");
    else if (!face->modelled)
        nothing(page->out, "The synthetic column cannot be read as this kind.");
    else if (face->real.values)
        numeric_body(page, &page->real->schema.fields[column->field], face);
    else
        category_body(page, face, &arena);
    rf_arena_free(&arena);
}

static void card_facts(rf_buf *out, const rf_quality_column *column, const rf_field *field)
{
    rf_buf_puts(out, "<p class=\"facts\">");
    rf_buf_puts(out, rf_kind_name(field->kind));
    if (!isnan(column->validity)) {
        rf_buf_puts(out, " · valid ");
        rfi_html_share(out, column->validity);
    }
    if (!isnan(column->coverage)) {
        rf_buf_puts(out, " · covers ");
        rfi_html_share(out, column->coverage);
    }
    rf_buf_puts(out, "</p>");
}

static void card(rfi_page *page, const rf_quality_column *column)
{
    rf_buf *out = page->out;
    const rf_field *field = &page->real->schema.fields[column->field];
    rf_buf_printf(out, "<article class=\"card col\" id=\"c%d\"><header><h3>", column->field);
    rfi_html_name(out, field->label);
    rf_buf_printf(out, "</h3><span class=\"score %s\">", rfi_html_level(column->shape));
    rfi_html_score(out, column->shape, column->problem);
    rf_buf_puts(out, "</span></header>");
    card_facts(out, column, field);
    card_body(page, column);
    if (column->missing_real > 0 || column->missing_synthetic > 0)
        mini(out, "missing", NULL, column->missing_real, column->missing_synthetic);
    if (column->problem) {
        rf_buf_puts(out, "<p class=\"hint\">Not scored: ");
        rfi_html_puts(out, column->problem);
        rf_buf_puts(out, "</p>");
    }
    rf_buf_puts(out, "</article>\n");
}

void rfi_html_overlays(rfi_page *page)
{
    rf_buf *out = page->out;
    int32_t n_modelled = 0, n_drawn = 0;
    for (int32_t i = 0; i < page->quality->n_columns; i++)
        n_modelled += page->quality->columns[i].modelled;
    rf_buf_puts(
        out, "<section id=\"columns\"><h2>Columns, weakest first</h2>"
             "<p class=\"lead\">Each drawing lays the synthetic column over the real one. The number is the "
             "column’s "
             "shape score: 1 means that the two distributions are the same. Point at a bar to read it.</p>");
    if (n_modelled == 0)
        rf_buf_puts(out, "<p class=\"none\">No column was compared.</p>");
    rf_buf_puts(out, "<div class=\"cards\">\n");
    for (int32_t i = 0; i < page->quality->n_columns && n_drawn < RFI_OVERLAYS_MAX; i++) {
        const rf_quality_column *column = &page->quality->columns[page->weakest[i]];
        if (!column->modelled)
            continue;
        card(page, column);
        n_drawn++;
    }
    rf_buf_puts(out, "</div>");
    if (n_modelled > n_drawn) {
        rf_buf_printf(out, "<p class=\"hint\">The %d weakest of ", n_drawn);
        rfi_html_count(out, n_modelled);
        rf_buf_puts(out, " columns are drawn; the table below lists all of them.</p>");
    }
    rf_buf_puts(out, "</section>\n");
}
