/* cuda_sources.cuh - what one-hot inputs add to the gradient of a weight matrix, and Adam's step on one weight.
 *
 * A row k of w belongs to one slot and one span (or is one of a gather's rows). A warp takes such a row: its lanes look at 32 rows of the batch
 * at a time and vote which of them point at k; those add their row of b, in order, with the lanes side by side along the columns.
 */
#ifndef RF_CUDA_SOURCES_CUH
#define RF_CUDA_SOURCES_CUH

#include "kernels/cuda/cuda_reduce.cuh"

/* The number of the span that column `at` of an encoded row belongs to. */
__device__ inline int32_t rfi_span_number(const rfi_layout &layout, int32_t at)
{
    int32_t low = 0, high = layout.n_spans - 1;
    while (low < high) {
        const int32_t middle = low + (high - low + 1) / 2;
        if (layout.spans[middle].offset <= at)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* The weight row that entry i of a coded row stands for, and its share: slot i / n_spans, span i % n_spans. */
__device__ inline void rfi_coded_entry(const rfi_layout &layout, const float *scalars, const uint16_t *codes,
                                       int32_t i, int32_t *row, float *times)
{
    const int32_t slot = i / layout.n_spans;
    const rf_span span = layout.spans[i % layout.n_spans];
    const bool scalar = span.kind == RF_SPAN_SCALAR;
    *row = slot * layout.width + span.offset;
    *times = 1.0f;
    if (scalar)
        *times = scalars[(int64_t)slot * layout.n_scalars + span.source];
    else
        *row += codes[(int64_t)slot * layout.n_codes + span.source];
}

/* sums[0..cols-1] += times(r) * b(r, col ..) for the 32 rows from `first` on that voted yes. */
__device__ inline void rfi_add_rows(float *sums, const float *b, int64_t ld, int32_t first, bool mine,
                                    float times, int32_t col, int32_t cols)
{
    for (unsigned votes = __ballot_sync(RFI_ALL, mine); votes; votes &= votes - 1) {
        const int lane = __ffs((int)votes) - 1;
        const float by = __shfl_sync(RFI_ALL, times, lane);
        const float *from = b + (first + lane) * ld + col;
        for (int32_t c = (int32_t)(threadIdx.x % RFI_WARP); c < cols; c += RFI_WARP)
            sums[c] = fmaf(by, from[c], sums[c]);
    }
}

__device__ inline void rfi_add_coded(const rf_update &op, const rfi_layout &layout, float *sums, int32_t k,
                                     int32_t col, int32_t cols, const rfi_trials &trials)
{
    const int32_t slot = k / layout.width, at = k % layout.width, rows = op.coded.b.rows;
    const rf_span span = layout.spans[rfi_span_number(layout, at)];
    const float *scalars = rfi_at(op.coded.scalars, trials);
    const uint16_t *codes = rfi_at(op.coded.codes, trials);
    for (int32_t first = 0; first < rows; first += RFI_WARP) {
        const int32_t r = first + (int32_t)(threadIdx.x % RFI_WARP);
        const int64_t coded = (int64_t)r * op.coded.pack + slot;
        bool mine = r < rows;
        float times = 1.0f;
        if (mine && span.kind == RF_SPAN_SCALAR)
            times = scalars[coded * layout.n_scalars + span.source];
        else if (mine)
            mine = codes[coded * layout.n_codes + span.source] == at - span.offset;
        rfi_add_rows(sums, rfi_at(op.coded.b.data, trials), op.coded.b.ld, first, mine, times, col, cols);
    }
}

__device__ inline void rfi_add_gathered(const rf_update &op, int32_t source, float *sums, int32_t k,
                                        int32_t col, int32_t cols, const rfi_trials &trials)
{
    const auto &gather = op.gather[source];
    const int32_t slot = k / gather.stride, id = k % gather.stride, rows = gather.b.rows;
    const int32_t *ids = rfi_at(gather.ids, trials);
    for (int32_t first = 0; first < rows; first += RFI_WARP) {
        const int32_t r = first + (int32_t)(threadIdx.x % RFI_WARP);
        const bool mine = r < rows && ids[(int64_t)r * gather.n_ids + slot] == id;
        rfi_add_rows(sums, rfi_at(gather.b.data, trials), gather.b.ld, first, mine, 1.0f, col, cols);
    }
}

/* Columns col .. col + cols - 1 of row k of w, by a warp: coded rows first, then gathered ones. */
__device__ inline void rfi_add_sources(const rf_update &op, const rfi_layout &layout, float *sums, int32_t k,
                                       int32_t col, int32_t cols, const rfi_trials &trials)
{
    if (op.coded.b.data)
        rfi_add_coded(op, layout, sums, k, col, cols, trials);
    for (int32_t source = 0; source < op.n_gather; source++)
        rfi_add_gathered(op, source, sums, k, col, cols, trials);
}

/* The finished gradient of the weight at `at`, of a matrix or a vector: kept, and used by Adam with the scalars `a`. */
template <class Update>
__device__ void rfi_update_weight(const Update &op, int64_t at, float g, const rf_adam &a,
                                  const rfi_trials &trials)
{
    if (op.grad)
        rfi_at(op.grad, trials)[at] = g;
    if (!op.adam)
        return;
    float *w = rfi_at(op.w, trials) + at;
    *w = rf_adam_weight(*w, rfi_at(op.m, trials) + at, rfi_at(op.v, trials) + at, g, a.beta1, a.beta2, a.eps,
                        a.decay, a.rate, a.root);
}

/* The scalars of an operation that may have none. */
__device__ inline rf_adam rfi_adam_of(const rf_adam *adam, const rfi_trials &trials)
{
    return adam ? *rfi_at(adam, trials) : rf_adam{};
}

/* A vector's weight: Adam, then its bounds. */
__device__ inline void rfi_update_bounded(const rf_update_vector &op, int32_t c, float g, const rf_adam &a,
                                          const rfi_trials &trials)
{
    rfi_update_weight(op, c, g, a, trials);
    if (!op.adam || !(op.lo < op.hi))
        return;
    float *w = rfi_at(op.w, trials) + c;
    *w = *w < op.lo ? op.lo : *w > op.hi ? op.hi : *w; /* a NaN stays one */
}

#endif
