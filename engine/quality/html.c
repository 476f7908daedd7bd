/* html.c - the HTML report: the page around its parts, in the order in which a person reads.
 *
 * One file that needs no other: style and script are inside, drawings are SVG. It reads in full with
 * scripts off; the script only sorts tables, links the heat maps and opens what is folded for print.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/quality/html_page.h"

enum { NOTES_MAX = 200 };

/* ------------------------------------------------------------------ order */

/* Lower scores first, ties and scores that are not numbers by index. A total order. */
static int compare_scores(double a, int32_t a_index, double b, int32_t b_index)
{
    if (isnan(a) != isnan(b))
        return isnan(a) - isnan(b);
    if (!isnan(a) && a != b)
        return a < b ? -1 : 1;
    return (a_index > b_index) - (a_index < b_index);
}

static int compare_columns(const void *a, const void *b, void *context)
{
    const rf_quality_column *columns = context;
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return compare_scores(columns[x].shape, x, columns[y].shape, y);
}

static int compare_pairs(const void *a, const void *b, void *context)
{
    const rf_quality_pair *pairs = context;
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return compare_scores(pairs[x].score, x, pairs[y].score, y);
}

/* A heap of the weakest so far, its strongest on top: millions of pairs need no sorting. */
static void sink(int32_t *heap, int32_t n, int32_t at, rf_quality_pair *pairs)
{
    for (;;) {
        int32_t top = at;
        for (int32_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
            if (compare_pairs(&heap[child], &heap[top], pairs) > 0)
                top = child;
        if (top == at)
            return;
        const int32_t moved = heap[at];
        heap[at] = heap[top];
        heap[top] = moved;
        at = top;
    }
}

static void order_pairs(rfi_page *page)
{
    rf_quality_pair *pairs = page->quality->pairs;
    const int32_t n = page->quality->n_pairs, kept = n < RFI_PAIR_ROWS_MAX ? n : RFI_PAIR_ROWS_MAX;
    int32_t *heap = page->weak_pairs;
    for (int32_t i = 0; i < kept; i++)
        heap[i] = i;
    for (int32_t i = kept / 2 - 1; i >= 0 && n > kept; i--)
        sink(heap, kept, i, pairs);
    for (int32_t i = kept; i < n; i++)
        if (compare_pairs(&i, &heap[0], pairs) < 0) {
            heap[0] = i;
            sink(heap, kept, 0, pairs);
        }
    page->n_weak_pairs = kept;
    if (kept > 1)
        qsort_r(heap, (size_t)kept, sizeof *heap, compare_pairs, pairs);
}

static bool prepare(rfi_page *page)
{
    const rf_quality *quality = page->quality;
    rf_arena_init(&page->arena);
    page->weakest = RF_ARENA_ARRAY(&page->arena, int32_t, quality->n_columns + 1);
    page->weak_pairs = RF_ARENA_ARRAY(&page->arena, int32_t, RFI_PAIR_ROWS_MAX);
    page->scratch = RF_ARENA_ARRAY(&page->arena, double, RFI_SAMPLE_MAX);
    if (page->arena.failed)
        return false;
    for (int32_t i = 0; i < quality->n_columns; i++)
        page->weakest[i] = i;
    if (quality->n_columns > 1)
        qsort_r(page->weakest, (size_t)quality->n_columns, sizeof *page->weakest, compare_columns,
                quality->columns);
    order_pairs(page);
    return true;
}

/* ------------------------------------------------------------------ head */

/* A path is told by its last part: a page that is passed on should not describe the machine it is from. */
static const char *title_of(const rfi_page *page)
{
    const char *title = page->context->title, *slash = title ? strrchr(title, '/') : NULL;
    if (!title || !title[0])
        return "Synthetic table";
    return slash && slash[1] ? slash + 1 : title;
}

static void head(rfi_page *page)
{
    rf_buf *out = page->out;
    rf_buf_puts(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
        "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src '");
    rf_buf_puts(out, rfi_page_css_hash);
    rf_buf_puts(out, "'; script-src '");
    rf_buf_puts(out, rfi_page_js_hash);
    rf_buf_puts(
        out,
        "'; base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" "
        "content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
    rfi_html_puts(out, title_of(page));
    rf_buf_puts(out, " – synthetic data report</title>\n<style>");
    rf_buf_puts(out, rfi_page_css);
    rf_buf_puts(out, "</style>\n</head>\n<body>\n");
}

/* The two words that every drawing uses, as the drawings show them. */
static void legend(rf_buf *out)
{
    rf_buf_puts(
        out, "<span class=\"legend\"><svg viewBox=\"0 0 22 12\" aria-hidden=\"true\"><path class=\"real\" "
             "d=\"M0 12V5H8V1H15V7H22V12Z\"/></svg>real<svg viewBox=\"0 0 22 12\" aria-hidden=\"true\"><path "
             "class=\"syn\" d=\"M0 11V6H8V2H15V8H22V11\"/></svg>synthetic</span>");
}

static void navigation(rf_buf *out)
{
    static const char *const links[][2] = {
        {"scores", "Scores"},       {"privacy", "Privacy"},    {"weakest", "Weakest"}, {"columns", "Columns"},
        {"relations", "Relations"}, {"tables", "All numbers"}, {"run", "Run"}};
    rf_buf_puts(out, "<nav aria-label=\"Parts of this page\"><div>");
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        rf_buf_printf(out, "<a href=\"#%s\">%s</a>", links[i][0], links[i][1]);
    legend(out);
    rf_buf_puts(out, "</div></nav>\n");
}

static void fact(rf_buf *out, const char *text)
{
    if (!text || !text[0])
        return;
    rf_buf_puts(out, "<li>");
    rfi_html_puts(out, text);
    rf_buf_puts(out, "</li>");
}

static void score_words(rf_buf *out, const char *what, double score)
{
    rf_buf_printf(out, "%s <b class=\"%s\">%s</b>", what, rfi_html_level(score), rfi_html_verdict(score));
    if (!isnan(score)) {
        rf_buf_puts(out, " (");
        rfi_html_fixed(out, score, 2, 2);
        rf_buf_puts(out, ")");
    }
}

/* The whole report in one sentence. */
static void summary(rfi_page *page)
{
    rf_buf *out = page->out;
    const rf_quality *quality = page->quality;
    rf_buf_puts(out, "<p class=\"summary\">");
    score_words(out, "Single columns are", quality->shapes);
    if (!isnan(quality->trends_gated))
        score_words(out, "; strong relations between columns are", quality->trends_gated);
    rf_buf_puts(out, ". ");
    if (quality->exact_copies == 0)
        rf_buf_puts(out, "No synthetic row copies a real one.");
    else {
        rfi_html_count(out, quality->exact_copies);
        rf_buf_puts(out, quality->exact_copies == 1 ? " synthetic row equals a real one."
                                                    : " synthetic rows equal a real one.");
    }
    const int n_notes = page->context->notes ? page->context->notes->n : 0;
    if (n_notes > 0)
        rf_buf_printf(out, " <a href=\"#notes\">%d note%s</a>", n_notes, n_notes == 1 ? "" : "s");
    rf_buf_puts(out, "</p>");
}

static void masthead(rfi_page *page)
{
    rf_buf *out = page->out;
    const rf_report_context *context = page->context;
    rf_buf_puts(out, "<header class=\"mast\"><p class=\"brand\">rowforge · synthetic data report</p><h1>");
    rfi_html_puts(out, title_of(page));
    rf_buf_puts(out, "</h1><ul class=\"runline\"><li>");
    rfi_html_count(out, page->quality->n_real);
    rf_buf_puts(out, " real rows</li><li>");
    rfi_html_count(out, page->quality->n_synthetic);
    rf_buf_puts(out, " synthetic rows</li><li>");
    rfi_html_count(out, page->real->schema.n_fields);
    rf_buf_puts(out, page->real->schema.n_fields == 1 ? " column</li>" : " columns</li>");
    fact(out, context->model);
    if (context->has_seed)
        rf_buf_printf(out, "<li>seed %llu</li>", (unsigned long long)context->seed);
    fact(out, context->created);
    rf_buf_puts(out, "</ul>");
    summary(page);
    rf_buf_puts(out, "</header>\n");
}

/* ------------------------------------------------------------------ the run */

static void term(rf_buf *out, const char *name, const char *text)
{
    if (!text || !text[0])
        return;
    rf_buf_printf(out, "<div><dt>%s</dt><dd>", name);
    rfi_html_puts(out, text);
    rf_buf_puts(out, "</dd></div>");
}

static void duration(rf_buf *out, const char *name, double seconds)
{
    if (!(seconds > 0))
        return;
    rf_buf_printf(out, "<div><dt>%s</dt><dd>", name);
    rfi_html_seconds(out, seconds);
    rf_buf_puts(out, "</dd></div>");
}

static void parameter(rf_buf *out, const char *name, const json_t *value)
{
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    rf_buf_puts(out, "<div><dt>");
    rfi_html_puts(out, name);
    rf_buf_puts(out, "</dt><dd>");
    rfi_html_puts(out, text ? text : json_string_value(value));
    rf_buf_puts(out, "</dd></div>");
    free(text);
}

static void parameters(rf_buf *out, const char *params_json)
{
    if (!params_json || !params_json[0])
        return;
    json_t *object = json_loads(params_json, 0, NULL);
    const char *name;
    json_t *value;
    rf_buf_puts(out, "<h3>Parameters</h3>");
    if (json_is_object(object)) {
        rf_buf_puts(out, "<dl class=\"terms\">");
        json_object_foreach(object, name, value) parameter(out, name, value);
        rf_buf_puts(out, "</dl>");
    } else {
        rf_buf_puts(out, "<pre>");
        rfi_html_puts(out, params_json);
        rf_buf_puts(out, "</pre>");
    }
    json_decref(object);
}

static void notes(rf_buf *out, const rf_notes *list)
{
    if (!list || list->n == 0)
        return;
    rf_buf_puts(out, "<h3 id=\"notes\">Notes</h3><ul class=\"notes\">");
    for (int i = 0; i < list->n && i < NOTES_MAX; i++)
        fact(out, list->texts[i]);
    rf_buf_puts(out, "</ul>");
    if (list->n > NOTES_MAX)
        rf_buf_printf(out, "<p class=\"hint\">%d more notes are left out.</p>", list->n - NOTES_MAX);
}

static void run(rfi_page *page)
{
    rf_buf *out = page->out;
    const rf_report_context *context = page->context;
    rf_buf_puts(out, "<section id=\"run\"><h2>The run</h2><dl class=\"terms\">");
    term(out, "Model", context->model);
    if (context->has_seed)
        rf_buf_printf(out, "<div><dt>Seed</dt><dd>%llu</dd></div>", (unsigned long long)context->seed);
    term(out, "Device", context->device);
    duration(out, "Training", context->train_seconds);
    duration(out, "Sampling", context->sample_seconds);
    duration(out, "Evaluation", page->quality->seconds);
    term(out, "Made at", context->created);
    term(out, "Version", "rowforge " RF_VERSION);
    term(out, "Definitions", "SDMetrics 0.32.0");
    rf_buf_puts(out, "</dl>");
    parameters(out, context->params_json);
    notes(out, context->notes);
    rf_buf_puts(out, "</section>\n");
}

/* ------------------------------------------------------------------ the page */

void rf_quality_html(const rf_quality *quality, const rf_table *real, const rf_table *synthetic,
                     const rf_report_context *context, rf_buf *out)
{
    static const rf_report_context no_context;
    rfi_page page = {.out = out,
                     .quality = quality,
                     .real = real,
                     .synthetic = synthetic,
                     .context = context ? context : &no_context};
    if (!prepare(&page)) {
        out->failed = true;
    } else {
        head(&page);
        masthead(&page);
        navigation(out);
        rf_buf_puts(out, "<main>\n");
        rfi_html_scores(&page);
        rfi_html_privacy(&page);
        rfi_html_weakest(&page);
        rfi_html_overlays(&page);
        rfi_html_heat(&page);
        rfi_html_tables(&page);
        run(&page);
        rf_buf_puts(out, "</main>\n<footer><p>Made by rowforge. This page needs no network and holds no row "
                         "of either table.</p></footer>\n<script>");
        rf_buf_puts(out, rfi_page_js);
        rf_buf_puts(out, "</script>\n</body>\n</html>\n");
    }
    rf_arena_free(&page.arena);
}
