#include "engine/model/conditions.h"

#include "kernels/math/math64.h"

void rfi_condition_columns(const rf_layout *layout, int32_t *offsets, int32_t *spans)
{
    for (int32_t s = 0; s < layout->n_spans; s++) {
        const rf_span *span = &layout->spans[s];
        if (span->condition < 0)
            continue;
        offsets[span->condition] = span->cond_offset;
        spans[span->condition] = s;
    }
    offsets[layout->n_conditions] = layout->condition_width;
}

/* ln(0 + 1) is 0: a category without rows has no weight either way. */
static double weight_of(int64_t count, bool log_frequency)
{
    return log_frequency ? rf_log_f64((double)count + 1) : (double)count;
}

static void accumulate(const int64_t *counts, int32_t n, bool log_frequency, double *cumulative)
{
    double total = 0, running = 0;
    int32_t last = 0;
    for (int32_t c = 0; c < n; c++) {
        total += weight_of(counts[c], log_frequency);
        last = counts[c] > 0 ? c : last;
    }
    for (int32_t c = 0; c < n; c++) {
        running += weight_of(counts[c], log_frequency);
        cumulative[c] = c < last ? running / total : 1.0;
    }
}

void rfi_condition_cumulative(const rf_layout *layout, const int64_t *counts, bool log_frequency,
                              double *cumulative)
{
    for (int32_t s = 0; s < layout->n_spans; s++) {
        const rf_span *span = &layout->spans[s];
        if (span->condition >= 0)
            accumulate(counts + span->cond_offset, span->width, log_frequency,
                       cumulative + span->cond_offset);
    }
}

void rfi_condition_rows(const rf_layout *layout, const rf_span *span, const rf_coded *rows, int64_t *starts,
                        uint32_t *list)
{
    const uint16_t *codes = rows->codes + span->source;
    for (int32_t c = 0; c <= span->width; c++)
        starts[c] = 0;
    for (int64_t r = 0; r < rows->n_rows; r++)
        starts[codes[r * layout->n_codes] + 1]++;
    for (int32_t c = 0; c < span->width; c++)
        starts[c + 1] += starts[c];
    for (int64_t r = 0; r < rows->n_rows; r++)
        list[starts[codes[r * layout->n_codes]]++] = (uint32_t)r;
    /* Filling moved each start to its category's end, which is the next one's start. */
    for (int32_t c = span->width; c > 0; c--)
        starts[c] = starts[c - 1];
    starts[0] = 0;
}
