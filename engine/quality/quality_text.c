/* The report for a terminal: what somebody wants to know before opening the page. */
#include "engine/quality/quality.h"

#include <math.h>

enum { WEAKEST = 3, LABEL_WIDTH = 24 };

static void put_score(rf_buf *out, double score)
{
    if (isnan(score))
        rf_buf_puts(out, "-");
    else
        rf_buf_printf(out, "%.1f %%", 100 * score);
}

static void put_line(rf_buf *out, const char *name, double score)
{
    rf_buf_printf(out, "%-20s", name);
    put_score(out, score);
}

/* ---- the weakest ---------------------------------------------------------------------------- */

/* Keeps the indices of the lowest scores in order; equal ones stay in the order they came. */
typedef struct lowest {
    int32_t index[WEAKEST];
    double score[WEAKEST];
    int n;
} lowest;

static void offer(lowest *kept, int32_t index, double score)
{
    if (isnan(score) || (kept->n == WEAKEST && score >= kept->score[WEAKEST - 1]))
        return;
    int at = kept->n < WEAKEST ? kept->n++ : WEAKEST - 1;
    for (; at > 0 && kept->score[at - 1] > score; at--) {
        kept->score[at] = kept->score[at - 1];
        kept->index[at] = kept->index[at - 1];
    }
    kept->score[at] = score;
    kept->index[at] = index;
}

/* The width is counted in bytes, but a cut never splits a character. */
static void put_label(rf_buf *out, const char *label)
{
    int length = 0;
    while (label[length] && length < LABEL_WIDTH)
        length++;
    while (length > 0 && ((unsigned char)label[length] & 0xC0) == 0x80)
        length--;
    rf_buf_printf(out, "%.*s%s", length, label, label[length] ? "..." : "");
}

static void put_weakest_columns(rf_buf *out, const rf_quality *q, const rf_table *real)
{
    lowest kept = {0};
    for (int32_t i = 0; i < q->n_columns; i++)
        offer(&kept, i, q->columns[i].shape);
    rf_buf_puts(out, kept.n ? "weakest columns     " : "");
    for (int i = 0; i < kept.n; i++) {
        rf_buf_puts(out, i ? ", " : "");
        put_label(out, real->schema.fields[q->columns[kept.index[i]].field].label);
        rf_buf_printf(out, " %.1f %%", 100 * kept.score[i]);
    }
    rf_buf_puts(out, kept.n ? "\n" : "");
}

/* Of the pairs that count in the score, or of all when none does. */
static void put_weakest_pairs(rf_buf *out, const rf_quality *q, const rf_table *real)
{
    lowest kept = {0};
    for (int32_t i = 0; i < q->n_pairs; i++) {
        if (q->pairs[i].gated_in || q->n_pairs_gated_in == 0)
            offer(&kept, i, q->pairs[i].score);
    }
    rf_buf_puts(out, kept.n ? "weakest pairs       " : "");
    for (int i = 0; i < kept.n; i++) {
        const rf_quality_pair *pair = &q->pairs[kept.index[i]];
        rf_buf_puts(out, i ? ", " : "");
        put_label(out, real->schema.fields[pair->a].label);
        rf_buf_puts(out, " / ");
        put_label(out, real->schema.fields[pair->b].label);
        rf_buf_printf(out, " %.1f %%", 100 * kept.score[i]);
    }
    rf_buf_puts(out, kept.n ? "\n" : "");
}

static int32_t count_problems(const rf_quality *q)
{
    int32_t n = 0;
    for (int32_t i = 0; i < q->n_columns; i++)
        n += q->columns[i].problem || q->columns[i].validity_problem || q->columns[i].format_problem;
    for (int32_t i = 0; i < q->n_pairs; i++)
        n += q->pairs[i].problem != NULL;
    return n;
}

/* ---- privacy -------------------------------------------------------------------------------- */

static void put_dcr(rf_buf *out, const char *name, const rf_dcr_summary *dcr, const char *rows_name)
{
    if (dcr->n_synthetic == 0)
        return;
    rf_buf_printf(out, "%-20s median %.4f, 5 %% below %.4f (%lld %s rows against %lld real)\n", name,
                  dcr->median, dcr->p5, (long long)dcr->n_synthetic, rows_name, (long long)dcr->n_real);
}

/* ---- the text ------------------------------------------------------------------------------- */

void rf_quality_text(const rf_quality *quality, const rf_table *real, rf_buf *out)
{
    const rf_quality *q = quality;
    rf_buf_printf(out, "%-20s%lld real, %lld synthetic\n", "rows", (long long)q->n_real,
                  (long long)q->n_synthetic);
    put_line(out, "quality", q->overall_gated);
    rf_buf_puts(out, "\n");
    put_line(out, "  column shapes", q->shapes);
    rf_buf_puts(out, "\n");
    put_line(out, "  column pairs", q->trends_gated);
    rf_buf_printf(out, "  (%d strong pairs; ", q->n_pairs_gated_in);
    put_score(out, q->trends_all);
    rf_buf_printf(out, " over all %d)\n", q->n_pairs);
    put_line(out, "diagnostic", q->diagnostic);
    rf_buf_puts(out, "  (validity ");
    put_score(out, q->validity);
    rf_buf_puts(out, ", structure ");
    put_score(out, q->structure);
    rf_buf_puts(out, ")\n");
    put_weakest_columns(out, q, real);
    put_weakest_pairs(out, q, real);
    rf_buf_printf(out, "%-20s%lld", "exact copies", (long long)q->exact_copies);
    if (q->has_holdout)
        rf_buf_printf(out, "  (holdout: %lld of %lld rows)", (long long)q->holdout_copies,
                      (long long)q->n_holdout);
    rf_buf_puts(out, "\n");
    put_dcr(out, "closest record", &q->dcr, "synthetic");
    put_dcr(out, "  holdout", &q->dcr_holdout, "holdout");
    const int32_t problems = count_problems(q);
    if (problems > 0)
        rf_buf_printf(out, "%-20s%d score%s could not be computed; the report says why\n", "problems",
                      problems, problems == 1 ? "" : "s");
}
