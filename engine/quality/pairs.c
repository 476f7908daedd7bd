#include "engine/quality/pairs.h"

#include <math.h>

enum {
    BINS = 10,
    LAST_BIN = BINS + 1, /* of the largest value, and of missing cells */
    LANES = 8,
    BLOCK_ROWS = 1024 /* partial sums, so that rounding does not grow with the table */
};

static const double correlation_gate = 0.5, association_gate = 0.3;

/* ---- bins ----------------------------------------------------------------------------------- */

/* Edges of equal width, in the arithmetic of the reference (start + k * step), because a value that lies
 * on an edge changes its bin with the edge's last bit. False when doubles cannot tell the edges apart, as
 * around a single datetime. */
static bool bin_edges(double edges[BINS + 1], double low, double high)
{
    if (low == high) {
        low -= 0.5;
        high += 0.5;
    }
    const double step = (high - low) / BINS;
    for (int k = 0; k < BINS; k++)
        edges[k] = k * step + low;
    edges[BINS] = high;
    bool rising = isfinite(high - low);
    for (int k = 0; k < BINS; k++)
        rising = rising && edges[k] < edges[k + 1];
    return rising;
}

/* The number of edges that are not above the value: 1..10 inside, 11 for the largest. */
static uint16_t bin_of(const double edges[BINS + 1], double value)
{
    int bin = 0;
    for (int k = 0; k <= BINS; k++)
        bin += edges[k] <= value;
    return isnan(value) ? LAST_BIN : (uint16_t)bin;
}

/* Datetimes are cut on the reference's scale, whole nanoseconds as doubles, again for the last bit. */
static bool fill_bins(uint16_t *bins, const rfi_side *side, const rfi_range *range, double scale)
{
    double edges[BINS + 1];
    const double low = range->n ? range->min * scale : 0, high = range->n ? range->max * scale : 1;
    if (!bin_edges(edges, low, high))
        return false;
    for (int64_t row = 0; row < side->n_rows; row++)
        bins[row] = bin_of(edges, side->values[row] * scale);
    return true;
}

static void fill_codes(uint16_t *ids, const rfi_side *side)
{
    for (int64_t row = 0; row < side->n_rows; row++)
        ids[row] = (uint16_t)(side->codes[row] + 1);
}

/* ---- strands -------------------------------------------------------------------------------- */

static void fill_strand(void *arg, int64_t task)
{
    rfi_strand *strand = &((rfi_strand *)arg)[task];
    const rfi_facing *face = strand->face;
    uint16_t *real = (uint16_t *)strand->real.narrow, *other = (uint16_t *)strand->other.narrow;
    if (rfi_kind_is_continuous(face->kind)) {
        const double scale = face->kind == RF_KIND_DATETIME ? 1e9 : 1;
        strand->real_range = rfi_range_of(&face->real);
        strand->other_range = rfi_range_of(&face->other);
        strand->unbinnable = !fill_bins(real, &face->real, &strand->real_range, scale) ||
                             !fill_bins(other, &face->other, &strand->other_range, scale);
    } else if (real) {
        fill_codes(real, &face->real);
        fill_codes(other, &face->other);
    }
}

static rfi_axis axis_of(rf_arena *arena, const rfi_side *side, int32_t n_ids)
{
    rfi_axis axis = {.n_rows = side->n_rows, .n_ids = n_ids};
    if (n_ids <= UINT16_MAX + 1)
        axis.narrow = RF_ARENA_ARRAY(arena, uint16_t, side->n_rows);
    else
        axis.wide = side->codes;
    return axis;
}

rf_code rfi_strands(rfi_strand **out, int32_t *n_out, rf_arena *arena, const rfi_facing *faces,
                    int32_t n_faces, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    int32_t n = 0;
    rfi_strand *strands = RF_ARENA_ARRAY(arena, rfi_strand, n_faces);
    RF_TRY(rf_arena_check(arena, "the column pairs of a report", err));
    for (int32_t i = 0; i < n_faces; i++) {
        if (!faces[i].modelled)
            continue;
        const int32_t n_ids =
            rfi_kind_is_continuous(faces[i].kind) ? LAST_BIN + 1 : faces[i].n_categories + 1;
        strands[n++] = (rfi_strand){.face = &faces[i],
                                    .real = axis_of(arena, &faces[i].real, n_ids),
                                    .other = axis_of(arena, &faces[i].other, n_ids)};
    }
    RF_TRY(rf_arena_check(arena, "the column pairs of a report", err));
    rf_pool_run(pool, fill_strand, strands, n);
    *out = strands;
    *n_out = n;
out:
    return rc;
}

/* ---- correlation ---------------------------------------------------------------------------- */

/* Sums over the rows in which both values are present: eight lanes in a block, the lanes in order, the
 * blocks in order. The result does not depend on what vectors the machine has. */
typedef struct moments {
    double scale_x, scale_y; /* powers of two, see scale_of               */
    double n, x, y;          /* first pass: sums, then x and y the means  */
    double xx, yy, xy;       /* second pass */
    bool x_varies, y_varies;
} moments;

/* The lanes of three sums. */
typedef struct lanes {
    double a[LANES], b[LANES], c[LANES];
} lanes;

static double lane_sum(const double values[LANES])
{
    double total = 0;
    for (int l = 0; l < LANES; l++)
        total += values[l];
    return total;
}

/* `rows` is LANES for all but a table's last rows; inlined, so that it is a constant there. */
static inline void lanes_add_means(lanes *sums, const double *x, const double *y, int rows)
{
    for (int l = 0; l < rows; l++) {
        const bool keep = (x[l] == x[l]) & (y[l] == y[l]);
        sums->a[l] += keep ? 1.0 : 0.0;
        sums->b[l] += keep ? x[l] : 0.0;
        sums->c[l] += keep ? y[l] : 0.0;
    }
}

static inline void lanes_add_products(lanes *sums, const double *x, const double *y, int rows,
                                      const moments *m)
{
    for (int l = 0; l < rows; l++) {
        const bool keep = (x[l] == x[l]) & (y[l] == y[l]);
        const double dx = keep ? (x[l] - m->x) * m->scale_x : 0.0;
        const double dy = keep ? (y[l] - m->y) * m->scale_y : 0.0;
        sums->a[l] += dx * dx;
        sums->b[l] += dy * dy;
        sums->c[l] += dx * dy;
    }
}

static void add_means(moments *m, const double *x, const double *y, int64_t n)
{
    lanes sums = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        lanes_add_means(&sums, x + i, y + i, LANES);
    lanes_add_means(&sums, x + i, y + i, (int)(n - i));
    m->n += lane_sum(sums.a);
    m->x += lane_sum(sums.b);
    m->y += lane_sum(sums.c);
}

static void add_products(moments *m, const double *x, const double *y, int64_t n)
{
    lanes sums = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        lanes_add_products(&sums, x + i, y + i, LANES, m);
    lanes_add_products(&sums, x + i, y + i, (int)(n - i), m);
    m->xx += lane_sum(sums.a);
    m->yy += lane_sum(sums.b);
    m->xy += lane_sum(sums.c);
}

static void find_variation(moments *m, const double *x, const double *y, int64_t n)
{
    int64_t first = -1;
    for (int64_t i = 0; i < n && !(m->x_varies && m->y_varies); i++) {
        if (isnan(x[i]) || isnan(y[i]))
            continue;
        first = first < 0 ? i : first;
        m->x_varies |= x[i] != x[first];
        m->y_varies |= y[i] != y[first];
    }
}

/* A power of two that brings the range near 1, so that squares neither overflow nor vanish. */
static double scale_of(const rfi_range *range)
{
    int exponent;
    frexp(range->max - range->min, &exponent);
    return ldexp(1, exponent > -1000 ? -exponent : 1000);
}

/* Pearson's rho; NaN when a column does not vary over the rows in which both are present. Returns false
 * when there are fewer than two such rows. */
static bool pearson(double *rho, const rfi_side *a, const rfi_range *range_a, const rfi_side *b,
                    const rfi_range *range_b)
{
    moments m = {.scale_x = scale_of(range_a), .scale_y = scale_of(range_b)};
    *rho = NAN;
    for (int64_t at = 0; at < a->n_rows; at += BLOCK_ROWS) {
        const int64_t n = a->n_rows - at < BLOCK_ROWS ? a->n_rows - at : BLOCK_ROWS;
        add_means(&m, a->values + at, b->values + at, n);
    }
    if (m.n < 2)
        return false;
    find_variation(&m, a->values, b->values, a->n_rows);
    if (!m.x_varies || !m.y_varies)
        return true;
    m.x /= m.n;
    m.y /= m.n;
    for (int64_t at = 0; at < a->n_rows; at += BLOCK_ROWS) {
        const int64_t n = a->n_rows - at < BLOCK_ROWS ? a->n_rows - at : BLOCK_ROWS;
        add_products(&m, a->values + at, b->values + at, n);
    }
    *rho = m.xy / (sqrt(m.xx) * sqrt(m.yy));
    *rho = *rho > 1 ? 1 : *rho < -1 ? -1 : *rho;
    if (m.n == 2)
        *rho = rint(*rho);
    return true;
}

static const char *constant_problem(const rfi_strand *a, const rfi_strand *b)
{
    if (a->real_range.distinct == 1 || b->real_range.distinct == 1)
        return "a real column is constant: it has no correlation";
    if (a->other_range.distinct == 1 || b->other_range.distinct == 1)
        return "a synthetic column is constant: it has no correlation";
    return NULL;
}

static void score_correlation(rf_quality_pair *out, const rfi_strand *a, const rfi_strand *b)
{
    double real, other;
    out->metric = "CorrelationSimilarity";
    out->problem = constant_problem(a, b);
    if (out->problem)
        return;
    if (!pearson(&real, &a->face->real, &a->real_range, &b->face->real, &b->real_range))
        out->problem = "fewer than two real rows have both values";
    else if (!pearson(&other, &a->face->other, &a->other_range, &b->face->other, &b->other_range))
        out->problem = "fewer than two synthetic rows have both values";
    if (out->problem)
        return;
    out->real_correlation = real;
    out->synthetic_correlation = other;
    out->gated_in = fabs(real) > correlation_gate;
    out->score = 1 - fabs(real - other) / 2;
    if (isnan(real))
        out->problem = "a real column is constant in the rows that have both values";
    else if (isnan(other))
        out->problem = "a synthetic column is constant in the rows that have both values";
}

/* ---- association ---------------------------------------------------------------------------- */

static rf_code score_contingency(rf_quality_pair *out, const rfi_strand *a, const rfi_strand *b,
                                 rf_error *err)
{
    rfi_contingency found;
    out->metric = "ContingencySimilarity";
    if (a->unbinnable || b->unbinnable)
        out->problem = "the range of a column is too narrow or not finite: it cannot be cut into ten bins";
    else if (a->real.n_rows == 0 || a->other.n_rows == 0)
        out->problem = "a table has no rows";
    if (out->problem)
        return RF_OK;
    const rf_code rc = rfi_contingency_of(&found, &a->real, &b->real, &a->other, &b->other, err);
    if (rc == RF_OK) {
        out->score = found.score;
        out->real_association = found.association;
        out->gated_in = found.association > association_gate;
    }
    return rc;
}

rf_code rfi_pair_score(rf_quality_pair *out, const rfi_strand *a, const rfi_strand *b, rf_error *err)
{
    *out = (rf_quality_pair){.a = a->face->field,
                             .b = b->face->field,
                             .score = NAN,
                             .real_correlation = NAN,
                             .synthetic_correlation = NAN,
                             .real_association = NAN};
    if (!rfi_kind_is_continuous(a->face->kind) || !rfi_kind_is_continuous(b->face->kind))
        return score_contingency(out, a, b, err);
    score_correlation(out, a, b);
    return RF_OK;
}
