/* html_page.h - what the files that write the HTML report share.
 *
 * The page is text in a buffer that never complains on the way: rf_buf is sticky, so is the arena, and
 * rf_quality_html checks once. Behind it stand:
 *
 *     html_svg.c       the few shapes that drawings are made of
 *     html_text.c      escaping, cutting, numbers as people read them
 *     html_scale.c      round numbers and calendar dates: where the edges of a histogram lie
 *     html_bins.c      which axis suits a column, and what falls between its edges
 *     html_histogram.c a numeric column drawn twice: real as a filled area, synthetic as a line
 *     html_bars.c      a category column drawn twice
 *     html_overlay.c   the cards around those drawings
 *     html_heat.c      pairs of columns as three triangles
 *     html_tables.c    what is weakest, and every column and pair in rows
 *     html_scores.c    the scores as gauges, and the privacy card
 *     html.c           the page itself
 *
 * page.css and page.js become C arrays at build time (page.cmake), together with their SHA-256, which
 * the page's own content security policy names: nothing else in it may run, whatever a table's column
 * is called. No element has a style attribute or an event handler for the same reason.
 *
 * No row of the real table is ever written: axes end at round numbers, categories are listed only when
 * at least RFI_CATEGORY_MIN real rows have them.
 *
 * Threads: one page at a time per thread; nothing here is shared.
 */
#ifndef RF_ENGINE_QUALITY_HTML_PAGE_H
#define RF_ENGINE_QUALITY_HTML_PAGE_H

#include "engine/quality/facing.h"
#include "engine/quality/quality.h"

enum {
    RFI_CATEGORY_MIN = 5,      /* real rows that a category needs to be named           */
    RFI_CATEGORIES_MAX = 12,   /* bars of one column, "other" not counted               */
    RFI_OVERLAYS_MAX = 60,     /* columns drawn                                         */
    RFI_HEAT_MAX = 40,         /* columns of a heat map                                 */
    RFI_TITLE_BYTES_MAX = 400, /* of a tooltip                                        */
    RFI_PAIR_ROWS_MAX = 2000   /* rows of the table of pairs                            */
};

typedef struct rfi_page {
    rf_buf *out;
    rf_arena arena; /* scratch, freed with the page */
    const rf_quality *quality;
    const rf_table *real, *synthetic;
    const rf_report_context *context; /* never NULL */
    int32_t *weakest; /* (n_columns): indices into quality->columns, lowest shape first, unscored last */
    int32_t n_weak_pairs;
    double *scratch;     /* (RFI_SAMPLE_MAX)                                                              */
    int32_t *weak_pairs; /* indices into quality->pairs, lowest score first; at most RFI_PAIR_ROWS_MAX    */
} rfi_page;

/* ------------------------------------------------------------------ text (html_text.c) */

/* Text as content and as the value of a quoted attribute. Bytes that are not UTF-8, and characters that
 * HTML forbids, become U+FFFD. */
void rfi_html_text(rf_buf *out, const char *text, size_t length);
void rfi_html_puts(rf_buf *out, const char *text);

/* At most so many bytes of it, cut between characters, with an ellipsis. */
void rfi_html_cut(rf_buf *out, const char *text, size_t length, size_t bytes_max);

/* How many bytes of the text fit into `width` (1 = the height of the letters), by estimate. */
size_t rfi_html_fit(const char *text, size_t length, double width);
double rfi_html_width(const char *text, size_t length);

/* A name for HTML: isolated from the direction of the text around it, and cut with the whole as a tooltip. */
void rfi_html_name(rf_buf *out, const char *name);
void rfi_html_fixed(rf_buf *out, double value, int decimals, int min_decimals);
void rfi_html_number(rf_buf *out, double value);  /* a coordinate: at most one decimal */
void rfi_html_count(rf_buf *out, int64_t count);  /* 32,561 */
void rfi_html_share(rf_buf *out, double share);   /* 12.3 %, < 0.1 % */
void rfi_html_percent(rf_buf *out, double share); /* the same without its sign */
/* Three decimals; a score that is not a number is a dash with `problem` (may be NULL) as its tooltip. */
void rfi_html_score(rf_buf *out, double score, const char *problem);
void rfi_html_seconds(rf_buf *out, double seconds); /* 0.4 s, 12 s, 3 min 20 s */

/* "very close", "close", "fair", "weak" and the class that colours them; "not scored" for NaN. */
const char *rfi_html_verdict(double score);
const char *rfi_html_level(double score);

/* ------------------------------------------------------------------ drawings (html_svg.c) */

/* "<rect class x y width height", left open for a '>' or "/>". */
void rfi_svg_box(rf_buf *out, const char *class_name, double x, double width, double y, double height);
void rfi_svg_text(rf_buf *out, const char *class_name, double x, double y, const char *text);
/* A path of one straight line: sideways to x2, or down by `down`. */
void rfi_svg_across(rf_buf *out, const char *class_name, double x1, double x2, double y);
void rfi_svg_down(rf_buf *out, const char *class_name, double x, double y, double down);
/* A name as the content of a <text> element; its <title> comes first when it had to be cut. */
void rfi_svg_name(rf_buf *out, const char *name, size_t length, double width);
/* "real 12.3 %, synthetic 10.0 %" */
void rfi_html_two_shares(rf_buf *out, double real, double synthetic);

/* ------------------------------------------------------------------ histograms (html_bins.c) */

enum {
    RFI_BINS_MAX = 80,
    RFI_TICKS_MAX = 16,
    RFI_EDGE_TEXT = 40,
    RFI_RANGE_TEXT = 96,
    RFI_SAMPLE_MAX = 65536 /* values on which the axis is chosen; every value is counted */
};

/* The bins of one numeric or datetime column, chosen on the real values and filled from both sides.
 * Index 0 of a pair is the real table, 1 the synthetic. Shares are of the present values; the bins' own
 * are of those without the spike. */
typedef struct rfi_bins {
    int32_t n, wanted; /* bins; at most so many on a linear axis */
    double
        edge[RFI_BINS_MAX + 1]; /* ascending; a bin holds edge[i] <= v < edge[i + 1], the last its end too */
    double position[RFI_BINS_MAX +
                    1]; /* of each edge on the axis, 0..1                                          */
    double unit;        /* the grid that all values stand on; 0: none. Edges lie half a unit below */
    bool logarithmic;
    int decimals;            /* of an edge's text                              */
    const char *date_format; /* of an edge's text; NULL for numbers            */
    bool has_spike;          /* one value that most rows have: told in words, left out of the bins */
    double spike, spike_share[2];
    double share[2][RFI_BINS_MAX], below[2], above[2];
    int64_t n_present[2], n_binned[2];
    int32_t n_ticks;
    double tick_position[RFI_TICKS_MAX];
    char tick_text[RFI_TICKS_MAX][RFI_EDGE_TEXT];
} rfi_bins;

/* `field` is the real column's, both sides hold values. False when there is nothing to draw: no real
 * value, or a range that doubles cannot divide. `scratch` has room for RFI_SAMPLE_MAX. */
bool rfi_bins_make(rfi_bins *bins, const rf_field *field, const rfi_side *real, const rfi_side *synthetic,
                   double *scratch);

/* "30 – 34" for a bin, as its values would be written. */
void rfi_bins_range_text(const rfi_bins *bins, int32_t bin, char out[RFI_RANGE_TEXT]);
/* The ends of the axis, and the value that stands apart. */
void rfi_bins_value_text(const rfi_bins *bins, double value, char out[RFI_EDGE_TEXT]);
void rfi_bins_spike_text(const rfi_bins *bins, char out[RFI_EDGE_TEXT]);

/* ------------------------------------------------------------------ axes (html_scale.c) */

/* mantissa * 10^exponent: the width of a bin or the distance of two ticks. Kept in two parts, so that
 * a multiple of it is rounded once and prints short. */
typedef struct rfi_step {
    double mantissa; /* 1, 2, 2.5, 5 */
    int exponent;
} rfi_step;

/* The smallest step >= raw; with a unit > 0 also a multiple of it. */
rfi_step rfi_step_nice(double raw, double unit);
double rfi_step_times(rfi_step step, double count);
double rfi_scale10(double value, int exponent);

/* These set n, edge and position of `bins` so that [low, high] is covered, then its ticks. False when
 * the range cannot be divided. Times are seconds since 1970, with the zone's offset added already. */
bool rfi_scale_linear(rfi_bins *bins, double low, double high);
bool rfi_scale_logarithmic(rfi_bins *bins, double low, double high);
bool rfi_scale_dates(rfi_bins *bins, double low, double high);

/* ------------------------------------------------------------------ one column drawn */

void rfi_draw_histogram(rf_buf *out, const rfi_bins *bins); /* html_histogram.c */

typedef enum rfi_bars_drawn {
    RFI_BARS_DRAWN,
    RFI_BARS_EMPTY, /* the real column has no value; nothing was drawn                         */
    RFI_BARS_RARE,  /* no value is common enough to be named; nothing was drawn                */
    RFI_BARS_NO_MEMORY
} rfi_bars_drawn;

/* Categories as pairs of bars (html_bars.c). *n_folded: categories in "other". */
rfi_bars_drawn rfi_draw_bars(rf_buf *out, const rfi_facing *face, rf_arena *arena, int32_t *n_folded);

/* ------------------------------------------------------------------ parts of the page */

void rfi_html_scores(rfi_page *page); /* html_scores.c */
void rfi_html_privacy(rfi_page *page);
void rfi_html_weakest(rfi_page *page);  /* html_tables.c */
void rfi_html_overlays(rfi_page *page); /* html_overlay.c */
void rfi_html_heat(rfi_page *page);     /* html_heat.c */
void rfi_html_tables(rfi_page *page);   /* html_tables.c */

/* ------------------------------------------------------------------ built from page.css and page.js */

extern const char rfi_page_css[], rfi_page_js[];
extern const char rfi_page_css_hash[], rfi_page_js_hash[]; /* "sha256-…", as in a policy */

#endif
