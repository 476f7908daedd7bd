/* html_histogram.c - a numeric column drawn twice: the real table as a filled area, the synthetic as a line.
 *
 * Shape tells the two apart as well as colour does, on paper and to any eyes.
 */
#include "engine/quality/html_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

/* Units of the drawings' own coordinates; a card is about as wide as that many CSS pixels. */
static const double chart_width = 400, chart_left = 38, chart_right = 6, chart_top = 8, plot_height = 164;
static const double slot_width = 14, slot_gap = 6; /* of what lies outside the axis */
static const double letter_height = 11;

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
        char text[RF_NUMBER_TEXT_MAX + 1];
        const size_t length = rf_format_fixed(text, 100 * share, 3, 0);
        memcpy(text + length, "%", 2);
        rfi_svg_across(out, k == 0 ? "axis" : "grid", chart_left, chart_width - chart_right, y);
        rfi_svg_text(out, "e", chart_left - 5, y + 3.5, text);
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

/* An invisible column over a bin, which tells its numbers to the pointer. */
static void hover(rf_buf *out, double x, double width, const char *text, double real, double synthetic)
{
    rfi_svg_box(out, "hit", x, width, chart_top, plot_height);
    rf_buf_puts(out, "><title>");
    rfi_html_puts(out, text);
    rf_buf_puts(out, ": ");
    rfi_html_two_shares(out, real, synthetic);
    rf_buf_puts(out, "</title></rect>");
}

static void slot(rf_buf *out, const histogram *h, double x, const double share[2], const char *text)
{
    const double ground = y_of(h, 0), real = y_of(h, share[0]), synthetic = y_of(h, share[1]);
    rfi_svg_box(out, "real out", x, slot_width, real, ground - real);
    rf_buf_puts(out, "/>");
    rfi_svg_box(out, "syn", x, slot_width, synthetic, ground - synthetic);
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

/* Ticks from left to right; a label that would touch the one before it is left out. */
static void ticks(rf_buf *out, const histogram *h)
{
    const double ground = y_of(h, 0);
    double free_from = h->below ? chart_left + slot_width : 0;
    const double free_to = h->above ? h->right : chart_width;
    if (h->below)
        rfi_svg_text(out, "m", chart_left + slot_width / 2, ground + 16, "<");
    if (h->above)
        rfi_svg_text(out, "m", chart_width - chart_right - slot_width / 2, ground + 16, ">");
    for (int32_t i = 0; i < h->bins->n_ticks; i++) {
        const char *text = h->bins->tick_text[i];
        const double x = x_of(h, h->bins->tick_position[i]);
        const double half = rfi_html_width(text, strlen(text)) * letter_height / 2;
        rfi_svg_down(out, "axis", x, ground, 4);
        const double centre = x + half > free_to ? free_to - half : x - half < 0 ? half : x;
        if (fabs(centre - x) > half || centre - half < free_from)
            continue;
        rfi_svg_text(out, "m", centre, ground + 16, text);
        free_from = centre + half + 6;
    }
}

void rfi_draw_histogram(rf_buf *out, const rfi_bins *bins)
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
