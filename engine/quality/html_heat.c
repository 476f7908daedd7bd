/* html_heat.c - how columns move together: real, synthetic and the difference, as three triangles.
 *
 * Two numbers share one scale: the correlation of two numeric columns (-1 to 1), and Cramer's V of a
 * pair with a category in it (0 to 1).
 *
 * Each column's name stands on the diagonal and serves the row to its left and the column below it:
 *
 *     age
 *      ##  income
 *      ##  ##  city
 */
#include "engine/quality/html_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/quality/pairs.h"

enum { CELL_NAME_BYTES = 60, SMALL_MAX = 22 };
static const double difference_full = 0.5; /* the difference that has the full colour */

/* ------------------------------------------------------------------ which columns, which values */

typedef struct heat {
    int32_t n;
    int32_t field[RFI_HEAT_MAX];
    bool numeric[RFI_HEAT_MAX][RFI_HEAT_MAX];
    double value[2][RFI_HEAT_MAX][RFI_HEAT_MAX]; /* real, synthetic; [row][column] with column < row */
} heat;

static double strength_of(const rf_quality_pair *pair)
{
    const double value =
        isnan(pair->real_correlation) ? pair->real_association : fabs(pair->real_correlation);
    return isnan(value) ? 0 : value;
}

/* Every compared column when there are few, else those that go most together with others; in table order.
 * `place` is where each field stands, -1 for those left out. Returns how many were compared. */
static int32_t choose_columns(heat *h, const rf_quality *quality, double *strength, int32_t *place)
{
    int32_t n_compared = 0;
    for (int32_t i = 0; i < quality->n_columns; i++) {
        n_compared += quality->columns[i].modelled;
        place[quality->columns[i].field] = -1;
    }
    for (int32_t i = 0; i < quality->n_pairs; i++) {
        strength[quality->pairs[i].a] += strength_of(&quality->pairs[i]);
        strength[quality->pairs[i].b] += strength_of(&quality->pairs[i]);
    }
    for (int32_t taken = 0; taken < RFI_HEAT_MAX && taken < n_compared; taken++) {
        int32_t best = -1;
        for (int32_t i = 0; i < quality->n_columns; i++) {
            const rf_quality_column *column = &quality->columns[i];
            if (column->modelled && place[column->field] < 0 &&
                (best < 0 || strength[column->field] > strength[best]))
                best = column->field;
        }
        place[best] = 0;
    }
    for (int32_t i = 0; i < quality->n_columns; i++) {
        const int32_t field = quality->columns[i].field;
        if (place[field] < 0)
            continue;
        h->field[h->n] = field;
        place[field] = h->n++;
    }
    return n_compared;
}

static void fill_from_pairs(heat *h, const rf_quality *quality, const int32_t *place)
{
    for (int32_t i = 0; i < RFI_HEAT_MAX; i++)
        for (int32_t j = 0; j < RFI_HEAT_MAX; j++)
            h->value[0][i][j] = h->value[1][i][j] = NAN;
    for (int32_t i = 0; i < quality->n_pairs; i++) {
        const rf_quality_pair *pair = &quality->pairs[i];
        const int32_t a = place[pair->a], b = place[pair->b];
        if (a < 0 || b < 0)
            continue;
        const int32_t row = a > b ? a : b, column = a > b ? b : a;
        h->numeric[row][column] = !isnan(pair->real_correlation);
        h->value[0][row][column] = h->numeric[row][column] ? pair->real_correlation : pair->real_association;
        h->value[1][row][column] = pair->synthetic_correlation;
    }
}

/* The evaluation keeps the real table's V only; the synthetic one comes from the same axes. */
static rf_code fill_synthetic(heat *h, const rfi_page *page, rf_arena *arena)
{
    rf_code rc = RF_OK;
    rfi_facing *faces = NULL;
    rfi_strand *strands = NULL;
    int32_t n_strands = 0, place[RFI_HEAT_MAX];
    RF_TRY(rfi_face(&faces, arena, page->real, page->synthetic, h->field, h->n, NULL));
    RF_TRY(rfi_strands(&strands, &n_strands, arena, faces, h->n, NULL, NULL));
    for (int32_t i = 0; i < n_strands; i++)
        place[i] = (int32_t)(strands[i].face - faces);
    for (int32_t i = 1; i < n_strands; i++)
        for (int32_t j = 0; j < i; j++) {
            const rfi_strand *a = &strands[i], *b = &strands[j];
            rfi_contingency both = {0};
            if ((a->face->real.values && b->face->real.values) || a->unbinnable || b->unbinnable)
                continue;
            RF_TRY(rfi_contingency_of(&both, &a->other, &b->other, &a->other, &b->other, NULL));
            h->value[1][place[i]][place[j]] = both.association;
        }
out:
    return rc;
}

/* ------------------------------------------------------------------ drawing */

typedef enum map_kind { MAP_REAL, MAP_SYNTHETIC, MAP_DIFFERENCE } map_kind;

static double cell_value(const heat *h, map_kind kind, int32_t row, int32_t column)
{
    const double real = h->value[0][row][column], synthetic = h->value[1][row][column];
    return kind == MAP_REAL ? real : kind == MAP_SYNTHETIC ? synthetic : synthetic - real;
}

static void put_cell(rfi_page *page, const heat *h, map_kind kind, int32_t row, int32_t column, double x,
                     double y, double size)
{
    rf_buf *out = page->out;
    const double value = cell_value(h, kind, row, column);
    const double depth = fmin(1, fabs(value) / (kind == MAP_DIFFERENCE ? difference_full : 1));
    rf_buf_puts(out, isnan(value) ? "<rect class=\"c u\" x=\""
                     : value < 0  ? "<rect class=\"c neg\" x=\""
                                  : "<rect class=\"c pos\" x=\"");
    rfi_html_number(out, x);
    rf_buf_puts(out, "\" y=\"");
    rfi_html_number(out, y);
    rf_buf_puts(out, "\" width=\"");
    rfi_html_number(out, size);
    rf_buf_puts(out, "\" height=\"");
    rfi_html_number(out, size);
    if (!isnan(value)) {
        rf_buf_puts(out, "\" fill-opacity=\"");
        rfi_html_fixed(out, depth, 2, 0);
    }
    rf_buf_puts(out, "\"><title>");
    const char *a = page->real->schema.fields[h->field[row]].label,
               *b = page->real->schema.fields[h->field[column]].label;
    rfi_html_cut(out, a, strlen(a), CELL_NAME_BYTES);
    rf_buf_puts(out, " × ");
    rfi_html_cut(out, b, strlen(b), CELL_NAME_BYTES);
    if (isnan(value))
        rf_buf_puts(out, ": undefined");
    else {
        rf_buf_puts(out, h->numeric[row][column] ? ": correlation " : ": V ");
        rf_buf_puts(out, kind == MAP_DIFFERENCE && value > 0 ? "+" : "");
        rfi_html_fixed(out, value, 2, 2);
    }
    rf_buf_puts(out, "</title></rect>");
}

static void put_map(rfi_page *page, const heat *h, map_kind kind, const char *title, const char *scale)
{
    rf_buf *out = page->out;
    const double width = h->n <= SMALL_MAX ? 400 : 640, letters = h->n <= SMALL_MAX ? 11 : 10,
                 label = h->n <= SMALL_MAX ? 96 : 84;
    const double cell = fmin(34, (width - label) / h->n), gap = cell > 12 ? 1 : 0.5;
    rf_buf_printf(
        out, "<figure class=\"map\"><figcaption><b>%s</b><span>%s</span></figcaption><div class=\"scroll\">",
        title, scale);
    rf_buf_printf(out, "<svg class=\"heat%s\" viewBox=\"0 0 ", h->n <= SMALL_MAX ? "" : " wide");
    rfi_html_number(out, width);
    rf_buf_puts(out, " ");
    rfi_html_number(out, cell * h->n + 2);
    rf_buf_printf(out, "\" role=\"img\" aria-label=\"Heat map: %s\">", title);
    for (int32_t i = 0; i < h->n; i++) {
        const char *name = page->real->schema.fields[h->field[i]].label;
        rf_buf_puts(out, "<text x=\"");
        rfi_html_number(out, cell * i + (i > 0 ? 4 : 1));
        rf_buf_puts(out, "\" y=\"");
        rfi_html_number(out, cell * (i + 0.5) + letters * 0.36);
        rf_buf_puts(out, "\">");
        rfi_svg_name(out, name, strlen(name), fmin(16, (width - cell * i - 8) / letters));
        rf_buf_puts(out, "</text>");
    }
    for (int32_t i = 1; i < h->n; i++)
        for (int32_t j = 0; j < i; j++)
            put_cell(page, h, kind, i, j, cell * j, cell * i, cell - gap);
    rf_buf_puts(out, "</svg></div></figure>\n");
}

/* A strip of the colours, from the one end to the other. */
static void put_legend(rf_buf *out)
{
    rf_buf_puts(
        out, "<svg class=\"key\" viewBox=\"5 0 210 12\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
    for (int i = 0; i < 21; i++) {
        rf_buf_printf(out, "<rect class=\"%s\" x=\"%d\" width=\"10\" height=\"12\" fill-opacity=\"",
                      i < 10 ? "neg" : "pos", 5 + 10 * i);
        rfi_html_fixed(out, fabs(i - 10.0) / 10, 1, 0);
        rf_buf_puts(out, "\"/>");
    }
    rf_buf_puts(out, "</svg>");
}

static void put_lead(rf_buf *out, int32_t n, int32_t n_compared)
{
    rf_buf_puts(out,
                "<p class=\"lead\">Correlation for two numeric columns (−1 to 1), Cramér’s V when one of ");
    rf_buf_puts(
        out, "them has categories (0 to 1: unrelated to determined). Each name serves the row to its left ");
    rf_buf_puts(out,
                "and the column below it. Good synthetic data makes the first two alike and the third pale.");
    if (n < n_compared) {
        rf_buf_printf(out, " Shown are the %d columns of ", n);
        rfi_html_count(out, n_compared);
        rf_buf_puts(out, " that go most together with others.");
    }
    rf_buf_puts(out, "</p>");
}

void rfi_html_heat(rfi_page *page)
{
    rf_buf *out = page->out;
    const size_t n_fields = (size_t)page->real->schema.n_fields;
    double *strength = RF_ARENA_ARRAY(&page->arena, double, n_fields + 1);
    int32_t *place = RF_ARENA_ARRAY(&page->arena, int32_t, n_fields + 1);
    heat *h = RF_ARENA_NEW(&page->arena, heat);
    if (!strength || !place || !h) {
        out->failed = true;
        return;
    }
    memset(place, 0xFF, (n_fields + 1) * sizeof *place);
    const int32_t n_compared = choose_columns(h, page->quality, strength, place);
    rf_buf_puts(out, "<section id=\"relations\"><h2>Relations between columns</h2>");
    if (h->n < 2) {
        rf_buf_puts(out, "<p class=\"none\">Fewer than two columns were compared, so there is no pair to "
                         "show.</p></section>\n");
        return;
    }
    fill_from_pairs(h, page->quality, place);
    rf_arena arena;
    rf_arena_init(&arena);
    if (page->synthetic->n_rows > 0 && page->real->n_rows > 0 && fill_synthetic(h, page, &arena) != RF_OK)
        out->failed = true;
    rf_arena_free(&arena);
    put_lead(out, h->n, n_compared);
    rf_buf_printf(out, "<div class=\"maps%s\">", h->n <= SMALL_MAX ? "" : " few");
    put_map(page, h, MAP_REAL, "Real", "−1 to 1");
    put_map(page, h, MAP_SYNTHETIC, "Synthetic", "−1 to 1");
    put_map(page, h, MAP_DIFFERENCE, "Synthetic − real", "full colour at ±0.5");
    rf_buf_puts(out, "</div><p class=\"keyline\"><span>negative, less</span>");
    put_legend(out);
    rf_buf_puts(out, "<span>positive, more</span><output id=\"readout\"></output></p></section>\n");
}
