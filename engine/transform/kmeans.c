#include "engine/transform/kmeans.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/philox.h"

enum { LLOYD_MAX = 300 };

typedef struct kmeans {
    const rfi_points *points;
    rf_draw draw;
    double *nearest;    /* (n) count times squared distance to the nearest centre so far */
    double *cumulative; /* (n) of `nearest` */
    double *count_sum;  /* (n + 1) prefix sums of count and of count * value */
    double *value_sum;
} kmeans;

/* ------------------------------------------------------------------ seeding */

static double draw_uniform(kmeans *state)
{
    rf_philox_block block = rf_philox(state->draw, 0);
    state->draw.step++;
    return rf_uniform_f64(block.word[0], block.word[1]);
}

/* First point whose cumulative sum exceeds `target`; the last point that adds anything when none does. */
static int64_t find_cumulative(const double *cumulative, int64_t n, double target)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (cumulative[middle] > target || cumulative[middle] >= cumulative[n - 1])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static double weighted_distance(const rfi_points *points, int64_t i, double centre)
{
    double d = points->value[i] - centre;
    return points->count[i] * (d * d);
}

/* What would be left if `centre` were added. */
static double potential_with(const kmeans *state, double centre)
{
    double sum = 0.0;
    for (int64_t i = 0; i < state->points->n; i++) {
        double d = weighted_distance(state->points, i, centre);
        sum += d < state->nearest[i] ? d : state->nearest[i];
    }
    return sum;
}

/* Returns the potential. */
static double add_centre(kmeans *state, double centre)
{
    double sum = 0.0;
    for (int64_t i = 0; i < state->points->n; i++) {
        double d = weighted_distance(state->points, i, centre);
        state->nearest[i] = d < state->nearest[i] ? d : state->nearest[i];
        sum += state->nearest[i];
        state->cumulative[i] = sum;
    }
    return sum;
}

/* Returns how many centres were found: fewer than k when every point has one. */
static int32_t seed_centres(kmeans *state, int32_t k, double *centre)
{
    const rfi_points *points = state->points;
    const int32_t n_candidates = k >= 8 ? 4 : k >= 3 ? 3 : 2; /* 2 + floor(ln k) */
    const double all = state->count_sum[points->n];
    centre[0] = points->value[find_cumulative(state->count_sum + 1, points->n, draw_uniform(state) * all)];
    for (int64_t i = 0; i < points->n; i++)
        state->nearest[i] = INFINITY;
    double potential = add_centre(state, centre[0]);

    for (int32_t c = 1; c < k; c++) {
        if (!(potential > 0.0))
            return c;
        double best = INFINITY;
        for (int32_t j = 0; j < n_candidates; j++) {
            int64_t i = find_cumulative(state->cumulative, points->n, draw_uniform(state) * potential);
            double left = potential_with(state, points->value[i]);
            if (left < best) {
                best = left;
                centre[c] = points->value[i];
            }
        }
        potential = add_centre(state, centre[c]);
    }
    return k;
}

/* ------------------------------------------------------------------ Lloyd */

/* Clusters by ascending centre, ties by index. */
static void order_centres(const double *centre, int32_t k, int32_t *order)
{
    for (int32_t c = 0; c < k; c++) {
        int32_t at = c;
        for (; at > 0 && centre[order[at - 1]] > centre[c]; at--)
            order[at] = order[at - 1];
        order[at] = c;
    }
}

/* First point beyond `border`. */
static int64_t find_border(const rfi_points *points, int64_t low, double border)
{
    int64_t high = points->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (points->value[middle] > border)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Gives each point to its nearest centre; false when nothing changed. */
static bool assign_points(const rfi_points *points, rfi_clusters *clusters, int32_t k)
{
    int32_t order[RF_MIXTURE_MAX];
    order_centres(clusters->centre, k, order);
    bool changed = false;
    int64_t first = 0;
    for (int32_t j = 0; j < k; j++) {
        const int32_t c = order[j];
        int64_t end = points->n;
        if (j + 1 < k)
            end = find_border(points, first,
                              clusters->centre[c] +
                                  0.5 * (clusters->centre[order[j + 1]] - clusters->centre[c]));
        changed = changed || clusters->first[c] != first || clusters->end[c] != end;
        clusters->first[c] = first;
        clusters->end[c] = end;
        first = end;
    }
    return changed;
}

/* Moves each centre to the mean of its points; returns the sum of the squared moves. An empty cluster stays
 * where it is. */
static double move_centres(const kmeans *state, rfi_clusters *clusters, int32_t k)
{
    double moved = 0.0;
    for (int32_t c = 0; c < k; c++) {
        const int64_t first = clusters->first[c], end = clusters->end[c];
        if (first == end)
            continue;
        double mean = (state->value_sum[end] - state->value_sum[first]) /
                      (state->count_sum[end] - state->count_sum[first]);
        double d = mean - clusters->centre[c];
        moved += d * d;
        clusters->centre[c] = mean;
    }
    return moved;
}

static void sum_prefixes(kmeans *state)
{
    const rfi_points *points = state->points;
    double counts = 0.0, values = 0.0;
    for (int64_t i = 0; i < points->n; i++) {
        counts += points->count[i];
        values = fma(points->count[i], points->value[i], values);
        state->count_sum[i + 1] = counts;
        state->value_sum[i + 1] = values;
    }
}

rf_code rfi_kmeans(rfi_clusters *out, const rfi_points *points, int32_t k, double tolerance, uint64_t seed,
                   uint32_t column, rf_error *err)
{
    rf_code rc = RF_OK;
    double *scratch = NULL;
    RF_TRY(RF_NEW_ARRAY(&scratch, 4 * points->n + 2, "the start of a mixture", err));
    kmeans state = {.points = points,
                    .draw = {.seed = seed, .purpose = RF_DRAW_KMEANS, .trial = column},
                    .nearest = scratch,
                    .cumulative = scratch + points->n,
                    .count_sum = scratch + 2 * points->n,
                    .value_sum = scratch + 3 * points->n + 1};
    sum_prefixes(&state);

    memset(out, 0, sizeof *out);
    out->n = k;
    const int32_t found = seed_centres(&state, k, out->centre);
    bool changed = assign_points(points, out, found);
    for (int i = 0; i < LLOYD_MAX && changed; i++) {
        double moved = move_centres(&state, out, found);
        changed = assign_points(points, out, found);
        if (moved <= tolerance)
            break;
    }
out:
    rf_free(scratch);
    return rc;
}
