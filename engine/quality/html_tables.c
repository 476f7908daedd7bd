/* html_tables.c - what is weakest, and every column and pair in rows. */
#include "engine/quality/html_page.h"

#include <math.h>
#include <string.h>

enum { WEAK_COLUMNS = 6, WEAK_PAIRS = 8, UNFOLDED_MAX = 80 };

static const char *label_of(const rfi_page *page, int32_t field)
{
    return page->real->schema.fields[field].label;
}

/* ------------------------------------------------------------------ weakest first */

static void score_bar(rf_buf *out, double score)
{
    rf_buf_printf(
        out,
        "<svg class=\"bar %s\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect "
        "class=\"track\" width=\"100\" height=\"8\"/><rect class=\"fill\" height=\"8\" width=\"",
        rfi_html_level(score));
    rfi_html_number(out, isnan(score) ? 0 : 100 * score);
    rf_buf_puts(out, "\"/></svg>");
}

static void score_end(rf_buf *out, double score, const char *problem)
{
    score_bar(out, score);
    rf_buf_printf(out, "<span class=\"score %s\">", rfi_html_level(score));
    rfi_html_score(out, score, problem);
    rf_buf_puts(out, "</span></li>\n");
}

static void weak_columns(rfi_page *page)
{
    rf_buf *out = page->out;
    int32_t listed = 0;
    rf_buf_puts(out, "<div class=\"card\"><h3>Columns</h3><ol class=\"weak\">");
    for (int32_t i = 0; i < page->quality->n_columns && listed < WEAK_COLUMNS; i++) {
        const rf_quality_column *column = &page->quality->columns[page->weakest[i]];
        if (!column->modelled)
            continue;
        rf_buf_puts(out, "<li><span class=\"what\">");
        rf_buf_printf(out, listed < RFI_OVERLAYS_MAX ? "<a href=\"#c%d\">" : "<a>", column->field);
        rfi_html_name(out, label_of(page, column->field));
        rf_buf_puts(out, "</a><small>");
        rf_buf_puts(out, rf_kind_name(page->real->schema.fields[column->field].kind));
        rf_buf_puts(out, "</small></span>");
        score_end(out, column->shape, column->problem);
        listed++;
    }
    rf_buf_puts(out, listed ? "</ol></div>" : "</ol><p class=\"none\">No column was compared.</p></div>");
}

/* What the pair's score rests on. */
static void pair_basis(rf_buf *out, const rf_quality_pair *pair)
{
    if (!isnan(pair->real_correlation)) {
        rf_buf_puts(out, "correlation ");
        rfi_html_fixed(out, pair->real_correlation, 2, 2);
        rf_buf_puts(out, " real, ");
        if (isnan(pair->synthetic_correlation))
            rf_buf_puts(out, "undefined");
        else
            rfi_html_fixed(out, pair->synthetic_correlation, 2, 2);
        rf_buf_puts(out, " synthetic");
    } else if (!isnan(pair->real_association)) {
        rf_buf_puts(out, "V ");
        rfi_html_fixed(out, pair->real_association, 2, 2);
        rf_buf_puts(out, " in the real table");
    } else
        rf_buf_puts(out, "undefined in the real table");
    if (pair->gated_in)
        rf_buf_puts(out, " <em class=\"chip\">strong</em>");
}

static void weak_pairs(rfi_page *page)
{
    rf_buf *out = page->out;
    rf_buf_puts(out, "<div class=\"card\"><h3>Pairs of columns</h3><ol class=\"weak\">");
    for (int32_t i = 0; i < page->n_weak_pairs && i < WEAK_PAIRS; i++) {
        const rf_quality_pair *pair = &page->quality->pairs[page->weak_pairs[i]];
        rf_buf_puts(out, "<li><span class=\"what\"><span>");
        rfi_html_name(out, label_of(page, pair->a));
        rf_buf_puts(out, " × ");
        rfi_html_name(out, label_of(page, pair->b));
        rf_buf_puts(out, "</span><small>");
        pair_basis(out, pair);
        rf_buf_puts(out, "</small></span>");
        score_end(out, pair->score, pair->problem);
    }
    rf_buf_puts(out, page->n_weak_pairs ? "</ol></div>"
                                        : "</ol><p class=\"none\">There is no pair to compare.</p></div>");
}

void rfi_html_weakest(rfi_page *page)
{
    rf_buf_puts(
        page->out,
        "<section id=\"weakest\"><h2>Weakest first</h2><p class=\"lead\">Where the synthetic table departs "
        "most from the real one. A pair is marked <em class=\"chip\">strong</em> when its columns are "
        "clearly related in the real table; only those count in the overall score.</p><div class=\"two\">");
    weak_columns(page);
    weak_pairs(page);
    rf_buf_puts(page->out, "</div></section>\n");
}

/* ------------------------------------------------------------------ all columns */

typedef struct heading {
    const char *text;
    bool words; /* its cells are words, which begin at the left */
} heading;

static void open_table(rf_buf *out, const char *caption, const heading *headings, size_t n)
{
    rf_buf_printf(out, "<div class=\"scroll\"><table class=\"sortable\"><caption>%s</caption><thead><tr>",
                  caption);
    for (size_t i = 0; i < n; i++)
        rf_buf_printf(out, "<th scope=\"col\"%s>%s</th>", headings[i].words ? " class=\"t\"" : "",
                      headings[i].text);
    rf_buf_puts(out, "</tr></thead><tbody>\n");
}

static void number_cell(rf_buf *out, double value, const char *problem)
{
    rf_buf_puts(out, "<td>");
    rfi_html_score(out, value, problem);
    rf_buf_puts(out, "</td>");
}

static void share_cell(rf_buf *out, double share)
{
    rf_buf_puts(out, "<td>");
    rfi_html_share(out, share);
    rf_buf_puts(out, "</td>");
}

/* A number with the name of the measure it was made by. */
static void measured_cell(rf_buf *out, double value, const char *measure, const char *problem)
{
    rf_buf_puts(out, "<td");
    if (measure) {
        rf_buf_puts(out, " title=\"");
        rfi_html_puts(out, measure);
        rf_buf_puts(out, "\"");
    }
    rf_buf_puts(out, ">");
    rfi_html_score(out, value, problem);
    rf_buf_puts(out, "</td>");
}

static void column_row(rfi_page *page, const rf_quality_column *column)
{
    rf_buf *out = page->out;
    rf_buf_puts(out, "<tr><th scope=\"row\">");
    rfi_html_name(out, label_of(page, column->field));
    rf_buf_printf(out, "</th><td class=\"t\">%s</td><td class=\"t\">",
                  rf_kind_name(page->real->schema.fields[column->field].kind));
    rfi_html_puts(out, column->metric ? column->metric : column->modelled ? "" : "not compared");
    rf_buf_printf(out, "</td><td class=\"%s\">", rfi_html_level(column->shape));
    rfi_html_score(out, column->shape, column->modelled ? column->problem : NULL);
    rf_buf_puts(out, "</td>");
    measured_cell(out, column->validity, column->validity_metric, column->validity_problem);
    measured_cell(out, column->format_validity, column->format_metric, column->format_problem);
    measured_cell(out, column->coverage, column->coverage_metric, NULL);
    share_cell(out, column->missing_real);
    share_cell(out, column->missing_synthetic);
    rf_buf_puts(out, "</tr>\n");
}

static void column_table(rfi_page *page)
{
    static const heading headings[] = {
        {"Column", true},    {"Kind", true},           {"Shape metric", true},
        {"Shape", false},    {"Validity", false},      {"Format", false},
        {"Coverage", false}, {"Missing, real", false}, {"Missing, synthetic", false}};
    rf_buf *out = page->out;
    const bool folded = page->quality->n_columns > UNFOLDED_MAX;
    rf_buf_puts(out, folded ? "<details><summary>Columns: " : "<h3>Columns: ");
    rfi_html_count(out, page->quality->n_columns);
    rf_buf_puts(out, folded ? "</summary>" : "</h3>");
    open_table(out, "Every column, weakest first", headings, sizeof headings / sizeof headings[0]);
    for (int32_t i = 0; i < page->quality->n_columns; i++)
        column_row(page, &page->quality->columns[page->weakest[i]]);
    rf_buf_puts(out, "</tbody></table></div>\n");
    if (page->quality->n_key_columns > 0) {
        rf_buf_printf(out, "<p class=\"hint\">The primary key of %d columns: KeyUniqueness ",
                      page->quality->n_key_columns);
        rfi_html_score(out, page->quality->key_uniqueness, NULL);
        rf_buf_puts(out, ".</p>");
    }
    rf_buf_puts(out, folded ? "</details>" : "");
}

/* ------------------------------------------------------------------ all pairs */

static void pair_row(rfi_page *page, const rf_quality_pair *pair)
{
    rf_buf *out = page->out;
    rf_buf_puts(out, "<tr><th scope=\"row\">");
    rfi_html_name(out, label_of(page, pair->a));
    rf_buf_puts(out, "</th><th scope=\"row\">");
    rfi_html_name(out, label_of(page, pair->b));
    rf_buf_puts(out, "</th><td class=\"t\">");
    rfi_html_puts(out, pair->metric ? pair->metric : "");
    rf_buf_printf(out, "</td><td class=\"%s\">", rfi_html_level(pair->score));
    rfi_html_score(out, pair->score, pair->problem);
    rf_buf_puts(out, "</td>");
    number_cell(out, pair->real_correlation, NULL);
    number_cell(out, pair->synthetic_correlation, NULL);
    number_cell(out, pair->real_association, NULL);
    rf_buf_printf(out, "<td class=\"t\">%s</td></tr>\n", pair->gated_in ? "yes" : "no");
}

static void pair_table(rfi_page *page)
{
    static const heading headings[] = {{"Column", true},
                                       {"Column", true},
                                       {"Metric", true},
                                       {"Score", false},
                                       {"Correlation, real", false},
                                       {"Correlation, synthetic", false},
                                       {"Cramér’s V, real", false},
                                       {"Strong", true}};
    rf_buf *out = page->out;
    if (page->n_weak_pairs == 0) {
        rf_buf_puts(out, "<h3>Pairs</h3><p class=\"none\">There is no pair to compare.</p>");
        return;
    }
    rf_buf_puts(out, "<details><summary>Pairs: ");
    rfi_html_count(out, page->quality->n_pairs);
    if (page->n_weak_pairs < page->quality->n_pairs) {
        rf_buf_puts(out, ", of which the ");
        rfi_html_count(out, page->n_weak_pairs);
        rf_buf_puts(out, " weakest are listed; the JSON report has all");
    }
    rf_buf_puts(out, "</summary>");
    open_table(out, "Pairs of columns, weakest first", headings, sizeof headings / sizeof headings[0]);
    for (int32_t i = 0; i < page->n_weak_pairs; i++)
        pair_row(page, &page->quality->pairs[page->weak_pairs[i]]);
    rf_buf_puts(out, "</tbody></table></div></details>\n");
}

void rfi_html_tables(rfi_page *page)
{
    rf_buf_puts(
        page->out,
        "<section id=\"tables\"><h2>All numbers</h2><p class=\"lead\">Shape, pair trends, validity and "
        "format are defined as in SDMetrics 0.32.0. Coverage is the share of the real range or of the real "
        "categories that the synthetic column reaches. A dash means not defined for that column.</p>");
    column_table(page);
    pair_table(page);
    rf_buf_puts(page->out, "</section>\n");
}
