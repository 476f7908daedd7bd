/* cpu_gemm.h - the product of two matrices, the heart of every step.
 *
 *     c(i, j) = [c(i, j)] + sum over k ascending of a(i, k) b(k, j)
 *
 * Every element is one chain of fused multiply-adds over ascending k, however the work is cut: between pieces of k the
 * sum waits in c as the float it is. So tiles, threads and instruction sets cannot change a bit.
 *
 * b is copied ("packed") into panels of up to RFI_PANEL columns by `block` values of k, zeros beyond its last column, so that the
 * inner loop reads it in order. Few rows take RFI_DEPTH values of k at a time, which stay in the first-level cache. Many rows take
 * RFI_DEEP, from the second-level cache, which is fast enough for a tile, and so c is seldom read and written in between:
 *
 *     packed block at k0 (kc = min(block, depth - k0) values of k), panel p of width v*16:
 *         packed + k0 * padded + kc * RFI_PANEL * p, then [kc][v * 16]            padded = columns rounded up to 16
 *
 * A tile of rows x panel lives in registers while k runs. a is read where it lies when its rows are contiguous; when its
 * columns are (a gradient: a transposed), a block of it is copied first, since its lines would fall on each other in the cache.
 *
 * While a tile computes, it can fetch memory that is needed next (rfi_ahead): weights and moments come from the third-level
 * cache or from memory, and there are free slots for it between the multiplications.
 */
#ifndef RF_CPU_GEMM_H
#define RF_CPU_GEMM_H

#include "kernels/cpu/cpu_isa.h"
#include "kernels/cpu/cpu_lanes.h"

enum {
    RFI_PANEL = RFI_TILE_VECTORS * RFI_LANES, /* columns of a panel                                    */
    RFI_DEPTH = 128,                          /* values of k at a time: 128 x 64 floats are 32 KB in L1 */
    RFI_DEEP = 640,                           /* and 160 KB in L2                                      */
    RFI_COLUMN_ROWS = 48,                     /* rows of c at a time when a is read by columns         */
};

/* Whole lanes. */
RFI_INLINE int32_t rfi_padded(int32_t cols)
{
    return (cols + RFI_LANES - 1) / RFI_LANES * RFI_LANES;
}

/* b(k, j) at data[k * ld + j], or when transposed at data[j * ld + k]. */
typedef struct rfi_factor {
    const float *data;
    int64_t ld;
    bool transposed;
    int32_t depth, cols;
    int32_t block; /* values of k at a time, at most RFI_DEEP; rfi_multiply chooses them */
    const float
        *more; /* or NULL: from k = split on b lies there, b(k, j) at more[(k - split) * more_ld + j] */
    int64_t more_ld;
    int32_t split;
} rfi_factor;

/* Memory to be fetched, in groups of four lines: at, at + step, …. Tiles take from the last stream first. */
typedef struct rfi_ahead {
    int n;
    struct {
        const char *at;
        int64_t step; /* bytes */
        int32_t groups;
    } stream[RFI_DEEP / 64];
} rfi_ahead;

/* What to do with finished elements of c: rows first..end-1, columns left..right-1. */
typedef void (*rfi_finish_fn)(const void *arg, int32_t first, int32_t end, int32_t left, int32_t right);

typedef struct rfi_product {
    int32_t rows;
    const float *a; /* a(i, k) at a[i * a_row + k * a_step]; one of the two is 1 */
    int64_t a_row, a_step;
    const float
        *a_more; /* for b.more, with columns as a has: a(i, k) at a_more[i + (k - b.split) * a_more_step] */
    int64_t a_more_step;
    rfi_factor b;
    float *c;
    int64_t ldc;
    bool accumulate;
    rfi_finish_fn finish; /* or NULL */
    const void *finish_arg;
} rfi_product;

/* The whole product, on the device's threads. */
void RFI_FN(rfi_multiply)(rf_device *device, const rfi_product *product);

/* Its pieces, for operations that own their tasks. Floats that a packed b takes, and the packing, on this thread. */
size_t RFI_FN(rfi_packed_size)(const rfi_factor *b);
void RFI_FN(rfi_pack)(float *packed, const rfi_factor *b);

/* The whole product on this thread, without `finish`. `ahead` may be NULL. */
void RFI_FN(rfi_multiply_packed)(const rfi_product *product, float *packed, rfi_ahead *ahead);

#endif
