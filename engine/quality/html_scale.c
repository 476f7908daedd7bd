/* html_scale.c - round numbers: where a histogram's edges and ticks lie.
 *
 * Edges are round for two reasons. People read them; and an axis that ended at the real table's own
 * minimum would print one of its cells. No transcendental function is used: a logarithmic axis steps
 * through the preferred numbers of ISO 3 (series R10: 1, 1.25, 1.6, 2 … 8), which are round and equally
 * far apart on it to within 1.3 %.
 */
#include "engine/quality/html_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "engine/table/datetime.h"

enum { TICKS_WANTED = 5, DATE_BINS_MAX = 48, DATE_TICKS_MAX = 4 };

/* ------------------------------------------------------------------ steps */

static double power10(int exponent)
{
    double power = 1;
    for (int i = 0; i < exponent; i++)
        power *= 10;
    return power;
}

double rfi_scale10(double value, int exponent)
{
    return exponent >= 0 ? value * power10(exponent) : value / power10(-exponent);
}

double rfi_step_times(rfi_step step, double count)
{
    return rfi_scale10(step.mantissa * count, step.exponent);
}

/* The greatest e with 10^e <= value. */
static int exponent_of(double value)
{
    int e = 0;
    while (e < 300 && rfi_scale10(1, e + 1) <= value)
        e++;
    while (e > -300 && rfi_scale10(1, e) > value)
        e--;
    return e;
}

rfi_step rfi_step_nice(double raw, double unit)
{
    static const double mantissas[] = {1, 2, 2.5, 5};
    rfi_step step = {1, exponent_of(raw < unit ? unit : raw)};
    for (;; step.exponent++) {
        for (size_t i = 0; i < 4; i++) {
            step.mantissa = mantissas[i];
            const double width = rfi_step_times(step, 1);
            const bool on_grid =
                unit <= 0 || mantissas[i] != 2.5 || rfi_scale10(1, step.exponent) > 1.5 * unit;
            if (width >= raw * (1 - 1e-9) && width >= unit * (1 - 1e-9) && on_grid)
                return step;
        }
        if (step.exponent >= 300)
            return step;
    }
}

/* Digits after the point that multiples of the step need; negative when they end in zeros. */
static int step_digits(rfi_step step)
{
    return (step.mantissa == 2.5 ? 1 : 0) - step.exponent;
}

static int clamp_digits(int digits)
{
    return digits < 0 ? 0 : digits > 17 ? 17 : digits;
}

/* ------------------------------------------------------------------ numbers as ticks */

/* 2500 -> "2500", 12500 -> "12.5k", 3e6 -> "3M"; `largest` chooses one suffix for a whole axis. */
static void tick_text(char out[RFI_EDGE_TEXT], double value, double largest, int decimals)
{
    static const struct {
        double from;
        int exponent;
        const char *suffix;
    } scales[] = {{1e15, 0, ""}, {1e9, 9, "G"}, {1e6, 6, "M"}, {1e4, 3, "k"}, {0, 0, ""}};
    char text[RF_NUMBER_TEXT_MAX];
    size_t i = 0;
    while (largest < scales[i].from)
        i++;
    if (i == 0 || (largest < 1e-3 && largest > 0)) {
        rf_format_f64(text, value);
    } else {
        const int exponent = scales[i].exponent;
        rf_format_fixed(text, rfi_scale10(value, -exponent), clamp_digits(decimals + exponent), 0);
    }
    snprintf(out, RFI_EDGE_TEXT, "%.*s%s", RFI_EDGE_TEXT - 8, text, value == 0 ? "" : scales[i].suffix);
}

static void add_tick(rfi_bins *bins, double position, const char *text)
{
    if (bins->n_ticks == RFI_TICKS_MAX || !(position >= -1e-9 && position <= 1 + 1e-9))
        return;
    bins->tick_position[bins->n_ticks] = position;
    snprintf(bins->tick_text[bins->n_ticks], RFI_EDGE_TEXT, "%s", text);
    bins->n_ticks++;
}

/* ------------------------------------------------------------------ linear */

static bool edges_ascend(const rfi_bins *bins)
{
    for (int32_t i = 0; i < bins->n; i++)
        if (!(bins->edge[i] < bins->edge[i + 1]) || !isfinite(bins->edge[i + 1] - bins->edge[0]))
            return false;
    return bins->n > 0;
}

static void place_evenly(rfi_bins *bins)
{
    const double first = bins->edge[0], span = bins->edge[bins->n] - first;
    for (int32_t i = 0; i <= bins->n; i++)
        bins->position[i] = (bins->edge[i] - first) / span;
}

static void linear_ticks(rfi_bins *bins)
{
    const double low = bins->edge[0], high = bins->edge[bins->n];
    const rfi_step step = rfi_step_nice((high - low) / TICKS_WANTED, bins->unit);
    const double largest = fmax(fabs(low), fabs(high)), width = rfi_step_times(step, 1);
    for (double k = ceil(low / width - 1e-9); bins->n_ticks < RFI_TICKS_MAX; k += 1) {
        const double value = rfi_step_times(step, k);
        if (value > high + 1e-9 * width)
            break;
        char text[RFI_EDGE_TEXT];
        tick_text(text, value, largest, step_digits(step));
        add_tick(bins, (value - low) / (high - low), text);
    }
}

bool rfi_scale_linear(rfi_bins *bins, double low, double high)
{
    const double unit = bins->unit;
    double span = high - low;
    if (!isfinite(span) || !isfinite(low))
        return false;
    if (span <= 0) { /* one value: it stands in the middle */
        const double wing = unit > 0 ? 2 * unit : low != 0 ? fabs(low) / 20 : 1;
        low -= wing;
        high += wing;
        span = high - low;
    }
    const bool one_by_one = unit > 0 && span / unit <= bins->wanted + 5; /* each value its own bin */
    const rfi_step step = rfi_step_nice(one_by_one ? unit : span / bins->wanted, unit);
    const double width = rfi_step_times(step, 1);
    const double first = floor(low / width + 1e-9);
    const double last =
        unit > 0 ? floor(high / width + 1e-9) + 1 : fmax(ceil(high / width - 1e-9), first + 1);
    if (!(last - first <= RFI_BINS_MAX))
        return false;
    bins->n = (int32_t)(last - first);
    for (int32_t i = 0; i <= bins->n; i++)
        bins->edge[i] = rfi_step_times(step, first + i) - unit / 2;
    bins->decimals = clamp_digits(step_digits(step));
    if (!edges_ascend(bins))
        return false;
    place_evenly(bins);
    linear_ticks(bins);
    return true;
}

/* ------------------------------------------------------------------ logarithmic */

/* The k-th preferred number, k = 10 * decade + place; k may be negative. */
static double preferred(int32_t k)
{
    static const double series[10] = {1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8};
    const int32_t place = ((k % 10) + 10) % 10;
    return rfi_scale10(series[place], (k - place) / 10);
}

static void logarithmic_ticks(rfi_bins *bins, int32_t first, int32_t last)
{
    const int32_t span = last - first;
    const int32_t every = span <= 12 ? 1 : span > 60 ? 10 * ((span + 59) / 60) : span > 30 ? 10 : 0;
    for (int32_t k = first; k <= last; k++) {
        const int32_t place = ((k % 10) + 10) % 10;
        const bool wanted = every == 0   ? place == 0 || place == 3 || place == 7
                            : every == 1 ? place % 3 == 0
                                         : ((k % every) + every) % every == 0;
        if (!wanted)
            continue;
        char text[RFI_EDGE_TEXT];
        const double value = preferred(k);
        tick_text(text, value, value, value < 1 ? 4 : value < 10 ? 2 : 0);
        add_tick(bins, (double)(k - first) / span, text);
    }
}

bool rfi_scale_logarithmic(rfi_bins *bins, double low, double high)
{
    if (!(low > 1e-290 && high < 1e290 && high > low))
        return false;
    int32_t first = 10 * exponent_of(low), last = 10 * exponent_of(high);
    while (preferred(first + 1) <= low)
        first++;
    while (preferred(last) <= high)
        last++;
    int32_t stride = 1;
    while ((last - first + stride - 1) / stride > RFI_BINS_MAX / 2)
        stride++;
    last = first + (last - first + stride - 1) / stride * stride;
    const double unit = bins->unit, span = last - first;
    bins->n = -1;
    for (int32_t k = first; k <= last; k += stride) {
        const double value = preferred(k);
        const double edge = unit > 0 ? ceil(value / unit - 1e-9) * unit - unit / 2 : value;
        if (bins->n < 0 || edge > bins->edge[bins->n])
            bins->n++;
        bins->edge[bins->n] = edge;
        bins->position[bins->n] = (k - first) / span;
    }
    bins->position[0] = 0;
    bins->logarithmic = true;
    if (!edges_ascend(bins))
        return false;
    logarithmic_ticks(bins, first, last);
    return true;
}

/* ------------------------------------------------------------------ dates */

/* Steps of the calendar: seconds, or months when `months` is not 0. `tick` is how a tick of that step is
 * written, `edge` how an edge is. */
static const struct date_step {
    double seconds;
    int months;
    const char *tick, *edge;
} date_steps[] = {
    {1, 0, "%H:%M:%S", "%Y-%m-%d %H:%M:%S"},
    {5, 0, "%H:%M:%S", "%Y-%m-%d %H:%M:%S"},
    {15, 0, "%H:%M:%S", "%Y-%m-%d %H:%M:%S"},
    {60, 0, "%H:%M", "%Y-%m-%d %H:%M"},
    {300, 0, "%H:%M", "%Y-%m-%d %H:%M"},
    {900, 0, "%H:%M", "%Y-%m-%d %H:%M"},
    {3600, 0, "%H:%M", "%Y-%m-%d %H:%M"},
    {10800, 0, "%d %b %H:%M", "%Y-%m-%d %H:%M"},
    {43200, 0, "%d %b %H:%M", "%Y-%m-%d %H:%M"},
    {86400, 0, "%d %b %Y", "%Y-%m-%d"},
    {2 * 86400, 0, "%d %b %Y", "%Y-%m-%d"},
    {7 * 86400, 0, "%d %b %Y", "%Y-%m-%d"},
    {14 * 86400, 0, "%d %b %Y", "%Y-%m-%d"},
    {0, 1, "%b %Y", "%b %Y"},
    {0, 3, "%b %Y", "%b %Y"},
    {0, 6, "%b %Y", "%b %Y"},
    {0, 12, "%Y", "%Y"},
    {0, 24, "%Y", "%Y"},
    {0, 60, "%Y", "%Y"},
    {0, 120, "%Y", "%Y"},
    {0, 300, "%Y", "%Y"},
    {0, 600, "%Y", "%Y"},
    {0, 1200, "%Y", "%Y"},
    {0, 3000, "%Y", "%Y"},
};
enum { N_DATE_STEPS = sizeof date_steps / sizeof date_steps[0] };

/* Weeks begin on Monday; 1970-01-01 was a Thursday. */
static double date_anchor(const struct date_step *step)
{
    return step->seconds >= 7 * 86400 ? -3 * 86400.0 : 0;
}

/* Months since the year 0 of the month that holds `seconds`; -1 outside the years 1 to 9999. */
static int64_t month_of(double seconds)
{
    char text[32];
    int64_t year = 0, month = 0;
    const size_t length = rf_datetime_format(text, sizeof text, seconds, "%Y-%m", 0);
    if (length != 7 || !rf_parse_i64(text, 4, &year) || !rf_parse_i64(text + 5, 2, &month))
        return -1;
    return year * 12 + month - 1;
}

/* NaN outside the years 1 to 9999. */
static double month_start(int64_t month)
{
    char text[32];
    double seconds = 0;
    int32_t offset = 0;
    const int length =
        snprintf(text, sizeof text, "%04lld-%02lld-01", (long long)(month / 12), (long long)(month % 12) + 1);
    if (month < 12 || length != 10 || !rf_datetime_parse(text, 10, "%Y-%m-%d", &seconds, &offset))
        return NAN;
    return seconds;
}

/* The index of the step that holds `seconds`, and where the step of an index begins. */
static double date_index(const struct date_step *step, double seconds)
{
    if (step->months == 0)
        return floor((seconds - date_anchor(step)) / step->seconds);
    const int64_t month = month_of(seconds);
    return month < 0 ? NAN : (double)(month / step->months);
}

static double date_start(const struct date_step *step, double index)
{
    if (step->months == 0)
        return index * step->seconds + date_anchor(step);
    return month_start((int64_t)index * step->months);
}

static void date_ticks(rfi_bins *bins)
{
    const double low = bins->edge[0], high = bins->edge[bins->n];
    for (size_t i = 0; i < N_DATE_STEPS; i++) {
        const struct date_step *step = &date_steps[i];
        const double from = date_index(step, low), to = date_index(step, high);
        if (!(to - from <= DATE_TICKS_MAX) && i + 1 < N_DATE_STEPS)
            continue;
        for (double k = from; k <= to && bins->n_ticks < RFI_TICKS_MAX; k += 1) {
            char text[RFI_EDGE_TEXT];
            const double at = date_start(step, k);
            if (at >= low && rf_datetime_format(text, sizeof text, at, step->tick, 0) > 0)
                add_tick(bins, (at - low) / (high - low), text);
        }
        return;
    }
}

bool rfi_scale_dates(rfi_bins *bins, double low, double high)
{
    if (!isfinite(high - low))
        return false;
    for (size_t i = 0; i < N_DATE_STEPS; i++) {
        const struct date_step *step = &date_steps[i];
        const double first = date_index(step, low), last = date_index(step, high) + 1;
        /* a step finer than the texts' own would leave gaps between them */
        const bool too_fine = step->months == 0 && step->seconds < bins->unit;
        if (isnan(first) || isnan(last))
            return false;
        if (too_fine || last - first > DATE_BINS_MAX)
            continue;
        bins->n = (int32_t)(last - first);
        for (int32_t k = 0; k <= bins->n; k++)
            bins->edge[k] = date_start(step, first + k);
        bins->date_format = step->edge;
        if (!edges_ascend(bins))
            return false;
        place_evenly(bins);
        date_ticks(bins);
        return true;
    }
    return false;
}
