/* The report as one JSON document. Keys and their meaning are in docs/report.md; what is not a number is
 * null, and a key is there whether it has a value or not. */
#include "engine/quality/quality.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/quality/sort64.h"

enum { PAIRS_MAX = 100000 }; /* listed; 448 columns have more, and nobody reads that many */

/* ---- JSON ----------------------------------------------------------------------------------- */

static void put_text(rf_buf *out, const char *text)
{
    if (!text) {
        rf_buf_puts(out, "null");
        return;
    }
    rf_buf_puts(out, "\"");
    for (const char *run = text; *run;) {
        const char *end = run;
        while ((unsigned char)*end >= ' ' && *end != '"' && *end != '\\' && *end != 0x7F)
            end++;
        rf_buf_append(out, run, (size_t)(end - run));
        if (*end)
            rf_buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*end++);
        run = end;
    }
    rf_buf_puts(out, "\"");
}

static void put_number(rf_buf *out, double value)
{
    char text[RF_NUMBER_TEXT_MAX];
    if (!isfinite(value)) {
        rf_buf_puts(out, "null");
        return;
    }
    rf_buf_append(out, text, rf_format_f64(text, value));
}

static void put_count(rf_buf *out, int64_t value)
{
    char text[RF_NUMBER_TEXT_MAX];
    rf_buf_append(out, text, rf_format_i64(text, value));
}

/* Each of these begins with what stands before the key: "{" or ", " or a new line. */
static void key(rf_buf *out, const char *before, const char *name)
{
    rf_buf_puts(out, before);
    put_text(out, name);
    rf_buf_puts(out, ": ");
}

static void number(rf_buf *out, const char *before, const char *name, double value)
{
    key(out, before, name);
    put_number(out, value);
}

static void count(rf_buf *out, const char *before, const char *name, int64_t value)
{
    key(out, before, name);
    put_count(out, value);
}

static void text(rf_buf *out, const char *before, const char *name, const char *value)
{
    key(out, before, name);
    put_text(out, value);
}

static void flag(rf_buf *out, const char *before, const char *name, bool value)
{
    key(out, before, name);
    rf_buf_puts(out, value ? "true" : "false");
}

/* ---- the parts ------------------------------------------------------------------------------ */

static void put_run(rf_buf *out, const rf_report_context *context)
{
    static const rf_report_context nothing = {.train_seconds = NAN, .sample_seconds = NAN};
    const rf_report_context *c = context ? context : &nothing;
    text(out, "{", "title", c->title);
    text(out, ", ", "model", c->model);
    key(out, ", ", "parameters");
    rf_buf_puts(out, c->params_json ? c->params_json : "null");
    key(out, ", ", "seed");
    if (c->has_seed)
        rf_buf_printf(out, "%llu", (unsigned long long)c->seed);
    else
        rf_buf_puts(out, "null");
    number(out, ", ", "train_seconds", c->train_seconds);
    number(out, ", ", "sample_seconds", c->sample_seconds);
    text(out, ", ", "device", c->device);
    text(out, ", ", "created", c->created);
    rf_buf_puts(out, "}");
}

static void put_scores(rf_buf *out, const rf_quality *q)
{
    key(out, ",\n", "quality");
    number(out, "{", "overall", q->overall_gated);
    number(out, ", ", "overall_ungated", q->overall_all);
    number(out, ", ", "column_shapes", q->shapes);
    number(out, ", ", "column_pair_trends", q->trends_gated);
    number(out, ", ", "column_pair_trends_ungated", q->trends_all);
    count(out, ", ", "pairs", q->n_pairs);
    count(out, ", ", "pairs_gated_in", q->n_pairs_gated_in);
    rf_buf_puts(out, "}");
    key(out, ",\n", "diagnostic");
    number(out, "{", "overall", q->diagnostic);
    number(out, ", ", "data_validity", q->validity);
    number(out, ", ", "data_structure", q->structure);
    number(out, ", ", "composite_key_uniqueness", q->key_uniqueness);
    rf_buf_puts(out, "}");
}

static void put_dcr(rf_buf *out, const rf_dcr_summary *dcr, const char *rows_name)
{
    key(out, ", ", "distance_to_closest_record");
    if (dcr->n_synthetic == 0) {
        rf_buf_puts(out, "null");
        return;
    }
    count(out, "{", rows_name, dcr->n_synthetic);
    count(out, ", ", "real_rows", dcr->n_real);
    number(out, ", ", "min", dcr->min);
    number(out, ", ", "p5", dcr->p5);
    number(out, ", ", "median", dcr->median);
    number(out, ", ", "mean", dcr->mean);
    number(out, ", ", "max", dcr->max);
    number(out, ", ", "share_zero", dcr->share_zero);
    rf_buf_puts(out, "}");
}

static void put_copies(rf_buf *out, int64_t copies, int64_t rows)
{
    count(out, "{", "exact_copies", copies);
    number(out, ", ", "exact_copies_share", rows ? (double)copies / (double)rows : NAN);
}

static void put_privacy(rf_buf *out, const rf_quality *q)
{
    key(out, ",\n", "privacy");
    put_copies(out, q->exact_copies, q->n_synthetic);
    put_dcr(out, &q->dcr, "synthetic_rows");
    key(out, ", ", "holdout");
    if (q->has_holdout) {
        put_copies(out, q->holdout_copies, q->n_holdout);
        put_dcr(out, &q->dcr_holdout, "holdout_rows");
        rf_buf_puts(out, "}");
    } else {
        rf_buf_puts(out, "null");
    }
    rf_buf_puts(out, "}");
}

static void put_column(rf_buf *out, const rf_quality_column *c, const rf_table *real)
{
    const rf_field *field = &real->schema.fields[c->field];
    text(out, "{", "name", field->name);
    text(out, ", ", "label", field->label);
    text(out, ", ", "kind", rf_kind_name(field->kind));
    flag(out, ", ", "key", c->key);
    text(out, ", ", "shape_metric", c->metric);
    number(out, ", ", "shape", c->shape);
    text(out, ", ", "shape_problem", c->problem);
    text(out, ", ", "validity_metric", c->validity_metric);
    number(out, ", ", "validity", c->validity);
    text(out, ", ", "validity_problem", c->validity_problem);
    text(out, ", ", "format_metric", c->format_metric);
    number(out, ", ", "format", c->format_validity);
    text(out, ", ", "format_problem", c->format_problem);
    text(out, ", ", "coverage_metric", c->coverage_metric);
    number(out, ", ", "coverage", c->coverage);
    number(out, ", ", "missing_real", c->missing_real);
    number(out, ", ", "missing_synthetic", c->missing_synthetic);
    number(out, ", ", "missing_similarity", c->missing_similarity);
    rf_buf_puts(out, "}");
}

static void put_pair(rf_buf *out, const rf_quality_pair *p, const rf_table *real)
{
    text(out, "{", "a", real->schema.fields[p->a].label);
    text(out, ", ", "b", real->schema.fields[p->b].label);
    text(out, ", ", "metric", p->metric);
    number(out, ", ", "score", p->score);
    flag(out, ", ", "gated_in", p->gated_in);
    number(out, ", ", "real_correlation", p->real_correlation);
    number(out, ", ", "synthetic_correlation", p->synthetic_correlation);
    number(out, ", ", "real_association", p->real_association);
    text(out, ", ", "problem", p->problem);
    rf_buf_puts(out, "}");
}

/* ---- which pairs ---------------------------------------------------------------------------- */

/* Scores in order, none last. */
static uint64_t pair_key(const rf_quality_pair *pair)
{
    return isnan(pair->score) ? UINT64_MAX : rfi_key_of(pair->score);
}

/* Of more pairs than are listed the weakest: those below `limit`, and the first `n_equal` at it. */
typedef struct weakest {
    uint64_t limit;
    int64_t n_equal;
} weakest;

static bool find_weakest(weakest *out, const rf_quality *q)
{
    uint64_t *keys = NULL;
    *out = (weakest){.limit = UINT64_MAX, .n_equal = q->n_pairs};
    if (q->n_pairs <= PAIRS_MAX)
        return true;
    if (RF_NEW_ARRAY(&keys, 2 * (size_t)q->n_pairs, "the pairs of a report", NULL) != RF_OK)
        return false;
    for (int32_t i = 0; i < q->n_pairs; i++)
        keys[i] = pair_key(&q->pairs[i]);
    rfi_sort64(keys, keys + q->n_pairs, q->n_pairs);
    out->limit = keys[PAIRS_MAX - 1];
    for (out->n_equal = 0; out->n_equal < PAIRS_MAX && keys[PAIRS_MAX - 1 - out->n_equal] == out->limit;)
        out->n_equal++;
    rf_free(keys);
    return true;
}

static void put_pairs(rf_buf *out, const rf_quality *q, const rf_table *real)
{
    weakest listed;
    int64_t n = 0;
    key(out, ",\n", "pairs");
    out->failed |= !find_weakest(&listed, q);
    for (int32_t i = 0; i < q->n_pairs && !out->failed; i++) {
        const uint64_t own = pair_key(&q->pairs[i]);
        if (own > listed.limit || (own == listed.limit && listed.n_equal-- <= 0))
            continue;
        rf_buf_puts(out, n++ ? ",\n " : "[\n ");
        put_pair(out, &q->pairs[i], real);
    }
    rf_buf_puts(out, n ? "]" : "[]");
}

static void put_notes(rf_buf *out, const rf_notes *notes)
{
    key(out, ",\n", "notes");
    rf_buf_puts(out, "[");
    for (int i = 0; notes && i < notes->n; i++) {
        rf_buf_puts(out, i ? ", " : "");
        put_text(out, notes->texts[i]);
    }
    rf_buf_puts(out, "]");
}

/* ---- the document --------------------------------------------------------------------------- */

void rf_quality_json(const rf_quality *quality, const rf_table *real, const rf_report_context *context,
                     rf_buf *out)
{
    const rf_quality *q = quality;
    text(out, "{", "format", "rowforge report 1");
    text(out, ",\n", "rowforge", RF_VERSION);
    text(out, ",\n", "sdmetrics", "0.32.0");
    key(out, ",\n", "run");
    put_run(out, context);
    key(out, ",\n", "rows");
    count(out, "{", "real", q->n_real);
    count(out, ", ", "synthetic", q->n_synthetic);
    key(out, ", ", "holdout");
    if (q->has_holdout)
        put_count(out, q->n_holdout);
    else
        rf_buf_puts(out, "null");
    rf_buf_puts(out, "}");
    put_scores(out, q);
    put_privacy(out, q);
    key(out, ",\n", "columns");
    for (int32_t i = 0; i < q->n_columns; i++) {
        rf_buf_puts(out, i ? ",\n " : "[\n ");
        put_column(out, &q->columns[i], real);
    }
    rf_buf_puts(out, q->n_columns ? "]" : "[]");
    put_pairs(out, q, real);
    put_notes(out, context ? context->notes : NULL);
    number(out, ",\n", "seconds", q->seconds);
    rf_buf_puts(out, "}\n");
}
