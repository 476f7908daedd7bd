/* html_overlay.c - a card for every column: its drawing, its score, and the shares that the drawing
 * leaves out, which are the missing cells and one value that most rows have.
 */
#include "engine/quality/html_page.h"

#include <math.h>

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
    rf_buf_puts(out, "</span><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" "
                     "aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"10\"/>");
    rfi_svg_box(out, "real", 0, isnan(real) ? 0 : 100 * real, 0, 5);
    rf_buf_puts(out, "/>");
    rfi_svg_box(out, "synb", 0, isnan(synthetic) ? 0 : 100 * synthetic, 5, 5);
    rf_buf_puts(out, "/></svg><span class=\"v\">");
    rfi_html_two_shares(out, real, synthetic);
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
    rfi_draw_histogram(out, &bins);
    if (bins.has_spike) {
        char text[RFI_EDGE_TEXT];
        rfi_bins_spike_text(&bins, text);
        mini(out, "exactly", text, bins.spike_share[0], bins.spike_share[1]);
    }
    if (bins.has_spike || bins.logarithmic)
        rf_buf_printf(out, "<p class=\"hint\">%s%s.</p>",
                      bins.has_spike ? "The drawing shows the other values" : "",
                      !bins.logarithmic ? ""
                      : bins.has_spike  ? ", on a logarithmic axis"
                                        : "Logarithmic axis");
    if (bins.n_binned[1] == 0)
        rf_buf_puts(out, "<p class=\"hint\">The synthetic column has none of these values.</p>");
}

static void category_body(rfi_page *page, const rfi_facing *face, rf_arena *arena)
{
    rf_buf *out = page->out;
    int32_t n_folded = 0;
    switch (rfi_draw_bars(out, face, arena, &n_folded)) {
    case RFI_BARS_NO_MEMORY:
        out->failed = true;
        return;
    case RFI_BARS_EMPTY:
        nothing(out, "The real column has no value.");
        return;
    case RFI_BARS_RARE:
        nothing(out,
                "No value is common enough to be shown: fewer than five real rows have any one of them.");
        return;
    case RFI_BARS_DRAWN:
        break;
    }
    if (n_folded > 0) {
        rf_buf_puts(out, "<p class=\"hint\">“other” holds ");
        rfi_html_count(out, n_folded);
        rf_buf_puts(out, n_folded == 1 ? " value.</p>" : " values.</p>");
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
    rf_buf_puts(out, "<section id=\"columns\"><h2>Columns, weakest first</h2><p class=\"lead\">Each drawing "
                     "lays the synthetic column over the real one. The number is the column’s shape score: 1 "
                     "means that the two distributions are the same. Point at a bar to read it; bars under "
                     "&lt; and &gt; hold what lies beyond the axis.</p>");
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
