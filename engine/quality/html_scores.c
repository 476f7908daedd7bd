/* html_scores.c - the headline scores as gauges, and what can be said about privacy.
 *
 * Each number stands beside two sentences: what it means, and what it does not.
 */
#include "engine/quality/html_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

/* ------------------------------------------------------------------ scores */

/* The arc is half a circle whose length is called 100, so that a share of it needs no trigonometry. */
static void gauge(rf_buf *out, const char *name, double score, const char *level)
{
    rf_buf_printf(out, "<svg class=\"gauge %s\" viewBox=\"0 0 124 72\" role=\"img\" aria-label=\"%s: ", level,
                  name);
    if (isnan(score))
        rf_buf_puts(out, "not scored");
    else
        rfi_html_fixed(out, score, 3, 3);
    rf_buf_puts(out, "\"><path class=\"track\" d=\"M12 64A50 50 0 0 1 112 64\"/>");
    if (score > 0) {
        rf_buf_puts(
            out,
            "<path class=\"fill\" pathLength=\"100\" d=\"M12 64A50 50 0 0 1 112 64\" stroke-dasharray=\"");
        rfi_html_fixed(out, fmin(100, 100 * score), 2, 0);
        rf_buf_puts(out, " 200\"/>");
    }
    rf_buf_puts(out, "<text x=\"62\" y=\"60\">");
    if (isnan(score))
        rf_buf_puts(out, "—");
    else
        rfi_html_fixed(out, score, 3, 3);
    rf_buf_puts(out, "</text></svg>");
}

/* `verdict` and `level` as in rfi_html_verdict; `why_not` is said of a score that is not a number. */
static void open_judged(rf_buf *out, const char *name, double score, const char *why_not, const char *verdict,
                        const char *level)
{
    rf_buf_printf(out, "<article class=\"card headline\"><h3>%s</h3>", name);
    gauge(out, name, score, level);
    rf_buf_printf(out, "<p class=\"verdict %s\">%s</p><p>", level, isnan(score) ? why_not : verdict);
}

static void open_card(rf_buf *out, const char *name, double score, const char *why_not)
{
    open_judged(out, name, score, why_not, rfi_html_verdict(score), rfi_html_level(score));
}

static void close_card(rf_buf *out, const char *not_said)
{
    rf_buf_printf(out, "</p><p class=\"not\">%s</p></article>\n", not_said);
}

static void trend_cards(rf_buf *out, const rf_quality *quality)
{
    open_card(out, "Trends, strong pairs", quality->trends_gated, "no strong pair");
    rf_buf_puts(out, "How well relations between two columns survive, over the ");
    rfi_html_count(out, quality->n_pairs_gated_in);
    rf_buf_puts(out, " of ");
    rfi_html_count(out, quality->n_pairs);
    rf_buf_puts(out, quality->n_pairs == 1 ? " pair whose columns" : " pairs whose columns");
    rf_buf_puts(out, " are clearly related in the real table.");
    close_card(out, "Relations among three or more columns are not seen.");
    open_card(out, "Trends, all pairs", quality->trends_all, "no pair");
    rf_buf_puts(out, "The same over every pair, as most published tables give it.");
    close_card(out, "It flatters: most pairs are unrelated, and that is easy to imitate.");
}

/* A diagnostic below 1 is a defect, so it has no words for near misses. */
static void diagnostic_card(rf_buf *out, const rf_quality *quality)
{
    const bool sound = quality->diagnostic >= 0.9995; /* what prints as 1.000 */
    const char *level = isnan(quality->diagnostic)   ? "ln"
                        : sound                      ? "l3"
                        : quality->diagnostic >= 0.9 ? "l1"
                                                     : "l0";
    open_judged(out, "Diagnostic", quality->diagnostic, "not scored", sound ? "sound" : "has defects", level);
    rf_buf_puts(out, "Whether the basics hold: values inside the real ranges and categories, keys unique, "
                     "the same columns and types. Validity ");
    rfi_html_score(out, quality->validity, NULL);
    rf_buf_puts(out, ", structure ");
    rfi_html_score(out, quality->structure, NULL);
    rf_buf_puts(out, ".");
    close_card(out, "Expect 1.000. Less is a defect, not a matter of degree.");
}

void rfi_html_scores(rfi_page *page)
{
    rf_buf *out = page->out;
    const rf_quality *quality = page->quality;
    rf_buf_puts(out, "<section id=\"scores\"><h2>Scores</h2><div class=\"headlines\">\n");
    open_card(out, "Overall", quality->overall_gated, "not scored");
    rf_buf_puts(out, "The mean of column shapes and strong-pair trends: how much the two tables look alike, "
                     "one column and one pair at a time.");
    close_card(out,
               "It says nothing about privacy, and columns shuffled independently would still score well.");
    open_card(out, "Column shapes", quality->shapes, "no column");
    rf_buf_puts(out, "How closely each column’s own distribution is matched, averaged over the columns.");
    close_card(out, "Missing cells and relations between columns play no part.");
    trend_cards(out, quality);
    diagnostic_card(out, quality);
    rf_buf_puts(out, "</div><p class=\"hint\">1 is a perfect match, 0 none at all. From 0.95 a score is "
                     "called very close, from 0.90 close, from 0.80 fair, below that weak.</p></section>\n");
}

/* ------------------------------------------------------------------ privacy */

static void copies(rf_buf *out, const rf_quality *quality)
{
    const double share =
        quality->n_synthetic > 0 ? (double)quality->exact_copies / (double)quality->n_synthetic : NAN;
    rf_buf_puts(out, "<div class=\"card\"><h3>Exact copies</h3><p class=\"big\">");
    rfi_html_count(out, quality->exact_copies);
    rf_buf_puts(out, " <small>of ");
    rfi_html_count(out, quality->n_synthetic);
    rf_buf_puts(out, " synthetic rows (");
    rfi_html_share(out, share);
    rf_buf_puts(out, ")</small></p><p>equal one of the ");
    rfi_html_count(out, quality->n_real);
    rf_buf_puts(out, " real rows in every modelled column.");
    if (quality->has_holdout && quality->n_holdout > 0) {
        rf_buf_puts(out, " Of the ");
        rfi_html_count(out, quality->n_holdout);
        rf_buf_puts(out, " holdout rows, which the model never saw, ");
        rfi_html_count(out, quality->holdout_copies);
        rf_buf_puts(out, " (");
        rfi_html_share(out, (double)quality->holdout_copies / (double)quality->n_holdout);
        rf_buf_puts(out, ") do: that is how often chance makes one.");
    } else
        rf_buf_puts(out, " In a table of few or coarse columns some appear by chance; a holdout "
                         "(<code>--holdout</code>) tells how many.");
    rf_buf_puts(out, "</p></div>\n");
}

static void distance_row(rf_buf *out, const char *what, const rf_dcr_summary *dcr)
{
    const double numbers[] = {dcr->min, dcr->p5, dcr->median, dcr->mean, dcr->max};
    rf_buf_printf(out, "<tr><th scope=\"row\">%s</th><td>", what);
    rfi_html_count(out, dcr->n_synthetic);
    rf_buf_puts(out, "</td><td>");
    rfi_html_count(out, dcr->n_real);
    rf_buf_puts(out, "</td>");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        rf_buf_puts(out, "<td>");
        rfi_html_score(out, numbers[i], NULL);
        rf_buf_puts(out, "</td>");
    }
    rf_buf_puts(out, "<td>");
    rfi_html_share(out, dcr->share_zero);
    rf_buf_puts(out, "</td></tr>");
}

/* Where the drawing of distances begins, and how wide one unit of distance is. */
typedef struct distance_scale {
    double left, per_unit;
} distance_scale;

/* Least to greatest as a thin line, 5 % to the median as a thick one, the mean as a stroke. */
static void distance_line(rf_buf *out, const char *class_name, const char *what, const rf_dcr_summary *dcr,
                          distance_scale scale, double y)
{
    const double left = scale.left, unit = scale.per_unit;
    rf_buf_printf(out, "<g class=\"%s\">", class_name);
    rfi_svg_text(out, "n", 0, y + 4, what);
    rfi_svg_across(out, "thin", left + dcr->min * unit, left + dcr->max * unit, y);
    rfi_svg_across(out, "thick", left + dcr->p5 * unit, left + dcr->median * unit, y);
    rfi_svg_down(out, "stroke", left + dcr->mean * unit, y - 8, 16);
    rf_buf_puts(out, "</g>");
}

static void distance_ticks(rf_buf *out, rfi_step step, double end, distance_scale scale, double ground)
{
    for (int k = 0; rfi_step_times(step, k) <= end * (1 + 1e-9); k++) {
        char text[RF_NUMBER_TEXT_MAX];
        const double x = scale.left + rfi_step_times(step, k) * scale.per_unit;
        rf_format_fixed(text, rfi_step_times(step, k), 6, 0);
        rfi_svg_down(out, "grid", x, 2, ground);
        rfi_svg_text(out, "m", x, ground + 17, text);
    }
}

static void distance_drawing(rf_buf *out, const rf_quality *quality, bool holdout)
{
    enum { LEFT = 108, WIDTH = 488 };
    const double top = fmax(quality->dcr.max, holdout ? quality->dcr_holdout.max : 0);
    const rfi_step step = rfi_step_nice(top > 0 ? top / 5 : 0.2, 0);
    const double width = rfi_step_times(step, 1), end = fmax(width, width * ceil(top / width - 1e-9));
    const distance_scale scale = {LEFT, WIDTH / end};
    const int ground = holdout ? 62 : 34;
    rf_buf_printf(out, "<svg class=\"distances\" viewBox=\"0 0 612 %d\" role=\"img\" ", ground + 22);
    rf_buf_puts(out, "aria-label=\"Distances to the closest real row\">");
    distance_ticks(out, step, end, scale, ground);
    distance_line(out, "ds", "synthetic", &quality->dcr, scale, 18);
    if (holdout)
        distance_line(out, "dh", "holdout", &quality->dcr_holdout, scale, 46);
    rf_buf_puts(out, "</svg>");
}

static void distance_reading(rf_buf *out, const rf_quality *quality, bool holdout)
{
    rf_buf_puts(out, "<p>For ");
    rfi_html_count(out, quality->dcr.n_synthetic);
    rf_buf_puts(out, " synthetic rows, how far the nearest of ");
    rfi_html_count(out, quality->dcr.n_real);
    rf_buf_puts(out, " real rows is: 0 is a copy, 1 differs in everything. ");
    rf_buf_puts(out, holdout ? "The holdout is the yardstick: synthetic rows that lie clearly nearer than "
                               "its rows do, most of all at the 5&nbsp;% mark, remember real ones."
                             : "Without a holdout there is no yardstick for what is near; one can be given "
                               "with <code>--holdout</code>.");
    rf_buf_puts(out, "</p>");
}

static void distances(rf_buf *out, const rf_quality *quality)
{
    const bool holdout = quality->has_holdout && quality->dcr_holdout.n_synthetic > 0;
    rf_buf_puts(out, "<div class=\"card\"><h3>Distance to the closest real row</h3>");
    if (quality->dcr.n_synthetic == 0) {
        rf_buf_puts(out, "<p class=\"none\">Not measured in this run.</p></div>");
        return;
    }
    distance_reading(out, quality, holdout);
    distance_drawing(out, quality, holdout);
    rf_buf_puts(
        out,
        "<p class=\"hint\">Thin line: least to greatest. Thick line: from the 5&nbsp;% mark to the median. "
        "Stroke: mean.</p><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Rows</th><th "
        "scope=\"col\">Compared</th><th scope=\"col\">With real</th><th scope=\"col\">Least</th><th "
        "scope=\"col\">5&nbsp;%</th><th scope=\"col\">Median</th><th scope=\"col\">Mean</th><th "
        "scope=\"col\">Greatest</th><th scope=\"col\">At 0</th></tr></thead><tbody>");
    distance_row(out, "Synthetic", &quality->dcr);
    if (holdout)
        distance_row(out, "Holdout", &quality->dcr_holdout);
    rf_buf_puts(out, "</tbody></table></div></div>\n");
}

void rfi_html_privacy(rfi_page *page)
{
    rf_buf *out = page->out;
    rf_buf_puts(out, "<section id=\"privacy\"><h2>Privacy</h2><p class=\"lead\">Two checks for rows that "
                     "were remembered instead of made. They can find trouble; they cannot prove that there "
                     "is none.</p><div class=\"privacy\">\n");
    copies(out, page->quality);
    distances(out, page->quality);
    rf_buf_puts(out, "</div></section>\n");
}
