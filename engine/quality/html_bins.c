/* html_bins.c - a numeric column's histogram, real and synthetic over the same bins.
 *
 * The axis is chosen on the real values alone, so that a bad synthetic column cannot stretch it:
 *
 *   1. a value that at least half of the rows have ("capital gain 0"), or a least value of 0 that a tenth
 *      of them have ("spend 0"), is taken out and told in words;
 *   2. the axis spans the middle 99 % when the tails are longer than that, else all of it;
 *   3. it is logarithmic when the values are positive, span two decades and lean to the left.
 *
 * What lies outside is counted in one bin on either side.
 */
#include "engine/quality/html_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "engine/table/datetime.h"

static const double spike_from = 0.5; /* share of the rows that one value needs to stand apart */
static const double zero_from = 0.1;  /* and that 0 needs when nothing lies below it           */
static const double tail = 0.005;     /* on either side, outside the axis when it is long      */

/* ------------------------------------------------------------------ choosing the axis */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Every k-th present value, in order. Returns how many. */
static int64_t sorted_sample(double *out, const rfi_side *side, double offset)
{
    const int64_t stride = (side->n_rows + RFI_SAMPLE_MAX - 1) / RFI_SAMPLE_MAX;
    int64_t n = 0;
    for (int64_t row = 0; row < side->n_rows; row += stride)
        if (isfinite(side->values[row]))
            out[n++] = side->values[row] + offset;
    if (n > 1)
        qsort(out, (size_t)n, sizeof *out, compare_doubles);
    return n;
}

/* The most frequent value of a sorted sample, as [*from, *to). */
static void longest_run(const double *sorted, int64_t n, int64_t *from, int64_t *to)
{
    *from = *to = 0;
    for (int64_t start = 0, i = 1; i <= n; i++) {
        if (i < n && sorted[i] == sorted[start])
            continue;
        if (i - start > *to - *from) {
            *from = start;
            *to = i;
        }
        start = i;
    }
}

/* Removes the spike from the sample when there is one and enough is left to draw. */
static int64_t take_spike(rfi_bins *bins, double *sorted, int64_t n)
{
    int64_t from = 0, to = 0;
    longest_run(sorted, n, &from, &to);
    const double span = sorted[n - 1] - sorted[0];
    const bool few_values = bins->unit > 0 && span / bins->unit < 40;
    const double needed = from == 0 && sorted[0] == 0 ? zero_from : spike_from;
    if ((double)(to - from) < needed * (double)n || n - (to - from) < 20 || few_values)
        return n;
    bins->has_spike = true;
    bins->spike = sorted[from];
    memmove(sorted + from, sorted + to, (size_t)(n - to) * sizeof *sorted);
    return n - (to - from);
}

static bool choose_axis(rfi_bins *bins, const rf_field *field, const double *sorted, int64_t n)
{
    const double min = sorted[0], max = sorted[n - 1], median = sorted[n / 2];
    const double low = sorted[(int64_t)(tail * (double)(n - 1))];
    const double high = sorted[(int64_t)((1 - tail) * (double)(n - 1))];
    const bool long_tails = max - min > 2 * (high - low) && high > low;
    if (field->kind == RF_KIND_DATETIME)
        return rfi_scale_dates(bins, long_tails ? low : min, long_tails ? high : max);
    const bool leans = low > 0 && high / low >= 100 && high - median > 8 * (median - low);
    if (leans && rfi_scale_logarithmic(bins, min > 0 ? min : low, max))
        return true;
    bins->n_ticks = 0;
    bins->logarithmic = false;
    return rfi_scale_linear(bins, long_tails ? low : min, long_tails ? high : max);
}

/* ------------------------------------------------------------------ counting */

/* The bin of a value that lies on the axis. */
static int32_t bin_of(const rfi_bins *bins, double value)
{
    int32_t low = 0, high = bins->n - 1;
    while (low < high) {
        const int32_t middle = (low + high + 1) / 2;
        if (value < bins->edge[middle])
            high = middle - 1;
        else
            low = middle;
    }
    return low;
}

static void count(rfi_bins *bins, int side, const rfi_side *from, double offset)
{
    int64_t counts[RFI_BINS_MAX] = {0}, below = 0, above = 0, spikes = 0;
    for (int64_t row = 0; row < from->n_rows; row++) {
        const double value = from->values[row] + offset;
        if (isnan(value))
            continue;
        bins->n_present[side]++;
        if (bins->has_spike && value == bins->spike)
            spikes++;
        else if (value < bins->edge[0])
            below++;
        else if (value > bins->edge[bins->n])
            above++;
        else
            counts[bin_of(bins, value)]++;
    }
    const int64_t binned = bins->n_present[side] - spikes;
    const double scale = binned > 0 ? 1.0 / (double)binned : 0;
    bins->n_binned[side] = binned;
    for (int32_t i = 0; i < bins->n; i++)
        bins->share[side][i] = (double)counts[i] * scale;
    bins->below[side] = (double)below * scale;
    bins->above[side] = (double)above * scale;
    bins->spike_share[side] =
        bins->n_present[side] > 0 ? (double)spikes / (double)bins->n_present[side] : NAN;
}

bool rfi_bins_make(rfi_bins *bins, const rf_field *field, const rfi_side *real, const rfi_side *synthetic,
                   double *scratch)
{
    const bool date = field->kind == RF_KIND_DATETIME;
    const double offset = date ? field->utc_offset_s : 0;
    *bins = (rfi_bins){.spike_share = {NAN, NAN}, .wanted = real->n_rows < 2000 ? 30 : 55};
    if (date)
        bins->unit = field->datetime_format ? rf_datetime_unit_s(field->datetime_format) : 0;
    else if (field->decimals >= 0 && field->decimals <= 17)
        bins->unit = rfi_scale10(1, -field->decimals);
    int64_t n = sorted_sample(scratch, real, offset);
    if (n == 0)
        return false;
    n = take_spike(bins, scratch, n);
    if (!choose_axis(bins, field, scratch, n))
        return false;
    count(bins, 0, real, offset);
    count(bins, 1, synthetic, offset);
    return true;
}

/* ------------------------------------------------------------------ texts */

void rfi_bins_value_text(const rfi_bins *bins, double value, char out[RFI_EDGE_TEXT])
{
    char text[RF_NUMBER_TEXT_MAX];
    if (bins->date_format) {
        if (rf_datetime_format(out, RFI_EDGE_TEXT, value, bins->date_format, 0) == 0)
            snprintf(out, RFI_EDGE_TEXT, "?");
        return;
    }
    const double size = fabs(value);
    if (size >= 1e15 || (size > 0 && size < 1e-6) || (bins->logarithmic && size < 1))
        rf_format_f64(text, value);
    else
        rf_format_fixed(text, value, bins->logarithmic ? 2 : bins->decimals, 0);
    snprintf(out, RFI_EDGE_TEXT, "%.*s", RFI_EDGE_TEXT - 1, text);
}

void rfi_bins_spike_text(const rfi_bins *bins, char out[RFI_EDGE_TEXT])
{
    char text[RF_NUMBER_TEXT_MAX];
    const char *format = bins->unit >= 86400 ? "%Y-%m-%d" : "%Y-%m-%d %H:%M:%S";
    if (bins->date_format) {
        if (rf_datetime_format(out, RFI_EDGE_TEXT, bins->spike, format, 0) == 0)
            snprintf(out, RFI_EDGE_TEXT, "?");
        return;
    }
    rf_format_f64(text, bins->spike);
    snprintf(out, RFI_EDGE_TEXT, "%.*s", RFI_EDGE_TEXT - 1, text);
}

void rfi_bins_range_text(const rfi_bins *bins, int32_t bin, char out[RFI_RANGE_TEXT])
{
    char low[RFI_EDGE_TEXT], high[RFI_EDGE_TEXT];
    const double half = bins->date_format ? 0 : bins->unit / 2;
    /* on a grid the last value of a bin is one unit below the next one's first */
    rfi_bins_value_text(bins, bins->edge[bin] + half, low);
    rfi_bins_value_text(bins, bins->edge[bin + 1] - half, high);
    if (strcmp(low, high) == 0 || bins->date_format)
        snprintf(out, RFI_RANGE_TEXT, "%s%s", bins->date_format ? "from " : "", low);
    else
        snprintf(out, RFI_RANGE_TEXT, "%s – %s", low, high);
}
