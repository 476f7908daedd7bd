#include "engine/transform/mixture_points.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/transform/sort_f64.h"

static_assert(RFI_BINS % RFI_LANES == 0, "bins come in whole blocks");

int64_t rfi_points_room(int64_t n)
{
    return (n + RFI_LANES - 1) / RFI_LANES * RFI_LANES;
}

static void pad(double *value, double *count, double *spread, int64_t n)
{
    for (int64_t i = n; i < rfi_points_room(n); i++) {
        value[i] = value[n - 1];
        count[i] = 0.0;
        if (spread)
            spread[i] = 0.0;
    }
}

/* Shifts the values to mean 0 and finds their variance; the second term removes what the mean's rounding
 * left. */
static void centre_values(rfi_prepared *data)
{
    double sum = 0.0, first = 0.0, second = 0.0;
    for (int64_t i = 0; i < data->n; i++)
        sum = fma(data->count[i], data->value[i], sum);
    data->shift = sum / (double)data->n_values;
    for (int64_t i = 0; i < data->n; i++) {
        double d = data->value[i] - data->shift;
        data->value[i] = d;
        first = fma(data->count[i], d, first);
        second = fma(data->count[i] * d, d, second);
    }
    double variance = 0.0;
    if (data->n_values > 1)
        variance = (second - first * first / (double)data->n_values) / (double)(data->n_values - 1);
    data->variance = variance > 0.0 ? variance : 0.0;
}

void rfi_points_prepare(rfi_prepared *out, const double *values, int64_t n, double *scratch)
{
    out->value = scratch;
    out->count = scratch + rfi_points_room(n);
    out->n_values = n;
    memcpy(out->value, values, (size_t)n * sizeof *values);
    rfi_sort_f64(out->value, out->count, n);
    out->n = rfi_merge_equal(out->value, out->count, n);
    centre_values(out);
    pad(out->value, out->count, NULL, out->n);
}

/* Where a value falls on the way from the lowest (0) to the highest (1). By rank alone the few values of a
 * long tail would share wide bins, and a component that lives there would feel it; by position alone a
 * crowd would share one. So a third of the way each is by rank, by position, and by the root of the
 * distance from the mean, which holds when one value lies far outside. */
typedef struct way {
    double per_rank, low, per_distance, root_low, per_root;
} way;

static double signed_root(double x)
{
    return x < 0.0 ? -sqrt(-x) : sqrt(x);
}

/* Bins for each unit of a stretch. A stretch too short to divide by counts for nothing. */
static double bins_per(double stretch)
{
    const double bins = RFI_BINS / 3.0 / stretch;
    return bins < 1e300 ? bins : 0.0;
}

static void find_way(way *out, const rfi_prepared *data)
{
    const double low = data->value[0], high = data->value[data->n - 1];
    out->per_rank = bins_per((double)data->n_values);
    out->low = low;
    out->per_distance = bins_per(high - low);
    out->root_low = signed_root(low);
    out->per_root = bins_per(signed_root(high) - signed_root(low));
}

static double bin_of(const way *along, double before, double value)
{
    return floor(before * along->per_rank + (value - along->low) * along->per_distance +
                 (signed_root(value) - along->root_low) * along->per_root);
}

void rfi_points_bin(rfi_points *out, const rfi_prepared *data, double *scratch)
{
    double *value = scratch, *count = scratch + RFI_BINS_ROOM, *spread = scratch + 2 * RFI_BINS_ROOM;
    way along;
    find_way(&along, data);
    double before = 0.0, next = bin_of(&along, 0.0, data->value[0]);
    int64_t n = 0;
    for (int64_t i = 0; i < data->n; n++) {
        const double bin = next, origin = data->value[i];
        double weight = 0.0, first = 0.0, second = 0.0;
        for (; i < data->n && next == bin; i++) {
            double d = data->value[i] - origin, w = data->count[i];
            weight += w;
            first = fma(w, d, first);
            second = fma(w * d, d, second);
            before += w;
            if (i + 1 < data->n)
                next = bin_of(&along, before, data->value[i + 1]);
        }
        double mean = first / weight, variance = second / weight - mean * mean;
        value[n] = origin + mean;
        count[n] = weight;
        spread[n] = variance > 0.0 ? variance : 0.0;
    }
    pad(value, count, spread, n);
    *out = (rfi_points){.value = value, .count = count, .spread = spread, .n = n};
}
