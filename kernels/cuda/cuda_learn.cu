/* cuda_learn.cu - all updates of a network in one kernel: gradients of matrices and vectors, Adam on them, and the step's counters.
 *
 * Blocks are dealt over a list, vectors first, since they wait more than they work:
 *
 *     | vector 0 | vector 1 | ... | matrix 0: tiles x splits | matrix 1 | ... |
 *
 * Every block works out Adam's next scalars from the present ones by itself. Whoever comes last of all blocks writes them down, and
 * moves the step's number on: by then each has read what it needs. A gradient is never written to memory, unless somebody asks.
 */
#include "kernels/cuda/cuda_gemm_run.cuh"
#include "kernels/cuda/cuda_products.h"
#include "kernels/cuda/cuda_sources.cuh"

enum {
    VECTOR_COLS = 8, /* 32 bytes of a row, the least that memory gives                 */
    VECTOR_ROWS = 16,
    VECTOR_AHEAD = 4, /* rows that a thread asks for before it needs the first of them */
    LEARN_THREADS = VECTOR_COLS * VECTOR_ROWS,
};

struct learn_matrix {
    rf_update op;
    rfi_layout layout;
};

struct learn_list {
    int32_t n_matrices, n_vectors;
    int32_t first_of_vector[RFI_LEARN_VECTORS + 1], first_of_matrix[RFI_LEARN_MATRICES + 1]; /* blocks */
    bool ticks;           /* Adam's scalars are the next ones    */
    const rf_adam *adam;  /* of all: NULL when there is none */
    rf_adam *ticked_adam; /* the same, to be written */
    rf_step_tick tick;    /* step NULL: nothing is written down yet */
    unsigned *counter;
    rfi_gemm gemm[RFI_LEARN_MATRICES];
    learn_matrix matrix[RFI_LEARN_MATRICES];
    rf_update_vector vector[RFI_LEARN_VECTORS];
};
static_assert(sizeof(learn_list) + sizeof(rfi_trials) <= 4096,
              "what every driver takes as arguments of a kernel");

/* ------------------------------------------------------------------ a matrix */

struct learn_epilogue : rfi_epilogue {
    const learn_matrix &matrix;
    const rf_adam &adam;

    /* One-hot inputs add rows of b to single rows of the tile: a warp takes a row, its lanes look through the batch. */
    template <class Tile>
    __device__ void tile(float *sums, int32_t row, int32_t col, const rfi_trials &trials) const
    {
        const rf_update &op = matrix.op;
        if (!op.coded.b.data && op.n_gather == 0)
            return;
        const int32_t cols = op.cols - col < Tile::COLS ? op.cols - col : Tile::COLS;
        for (int32_t i = (int32_t)(threadIdx.x / RFI_WARP); i < Tile::ROWS && row + i < op.rows;
             i += Tile::THREADS / RFI_WARP)
            rfi_add_sources(op, matrix.layout, sums + i * Tile::COLS, row + i, col, cols, trials);
        __syncthreads();
    }

    __device__ void element(float sum, int32_t r, int32_t c, const rfi_trials &trials) const
    {
        rfi_update_weight(matrix.op, (int64_t)r * matrix.op.cols + c, sum, adam, trials);
    }
};

/* ------------------------------------------------------------------ a vector */

/* A thread's part of the sum over the rows of b: rows y, y + 16, y + 32 and so on. */
__device__ static float sum_of_rows(const rf_update_vector &op, int32_t c, int32_t y,
                                    const rfi_trials &trials)
{
    const float *b = rfi_at(op.b.data, trials) + c, *coef = rfi_at(op.coef, trials);
    float sum = 0.0f;
    for (int32_t first = y; first < op.b.rows; first += VECTOR_AHEAD * VECTOR_ROWS) {
        float value[VECTOR_AHEAD], times[VECTOR_AHEAD];
        for (int32_t i = 0; i < VECTOR_AHEAD; i++) {
            const int32_t r = first + i * VECTOR_ROWS;
            value[i] = r < op.b.rows ? b[r * op.b.ld] : 0.0f;
            times[i] = r < op.b.rows && op.coef ? coef[r] : 1.0f;
        }
        for (int32_t i = 0; i < VECTOR_AHEAD; i++)
            sum = fmaf(times[i], value[i], sum);
    }
    return sum;
}

/* A block owns eight columns; its sixteen rows of threads are added up in order. */
__device__ static void learn_vector(float *parts, const rf_update_vector &op, const rf_adam &adam,
                                    int32_t block, const rfi_trials &trials)
{
    const int32_t x = (int32_t)threadIdx.x % VECTOR_COLS, y = (int32_t)threadIdx.x / VECTOR_COLS;
    const int32_t c = block * VECTOR_COLS + x;
    const bool sums = op.b.data && c < op.n;
    parts[threadIdx.x] = sums ? sum_of_rows(op, c, y, trials) : 0.0f;
    __syncthreads();
    if (y > 0 || c >= op.n)
        return;
    float g = op.given ? rfi_at(op.given, trials)[c] : 0.0f;
    for (int32_t i = 0; i < VECTOR_ROWS; i++)
        g += parts[i * VECTOR_COLS + x];
    rfi_update_bounded(op, c, g, adam, trials);
}

/* ------------------------------------------------------------------ the kernel */

__device__ static int32_t item_of(const int32_t *first, int32_t n, int32_t block)
{
    int32_t i = 0;
    while (i + 1 < n && block >= first[i + 1])
        i++;
    return i;
}

template <class Tile, rf_precision PRECISION>
__global__ void __launch_bounds__(LEARN_THREADS)
    learn_kernel(const __grid_constant__ learn_list list, const __grid_constant__ rfi_trials trials)
{
    static_assert(Tile::THREADS == LEARN_THREADS, "matrices and vectors share a block's threads");
    using product = rfi_tile_product<Tile, PRECISION, true, false>;
    RF_SHARED(float, shared, product::FLOATS);
    RF_SHARED(rf_adam, adam, 1);
    const int32_t block = (int32_t)blockIdx.x;
    if (threadIdx.x == 0) {
        rf_adam next = rfi_adam_of(list.adam, trials);
        if (list.ticks)
            rf_adam_scalars(&next.power1, &next.power2, next.lr, next.beta1, next.beta2, &next.rate,
                            &next.root);
        adam[0] = next;
    }
    __syncthreads();
    if (block < list.first_of_matrix[0]) {
        const int32_t i = item_of(list.first_of_vector, list.n_vectors, block);
        learn_vector(shared, list.vector[i], adam[0], block - list.first_of_vector[i], trials);
    } else {
        const int32_t i = item_of(list.first_of_matrix, list.n_matrices, block);
        const learn_epilogue epilogue = {{}, list.matrix[i], adam[0]};
        rfi_gemm_block<Tile, PRECISION, true, false>(shared, list.gemm[i], epilogue,
                                                     block - list.first_of_matrix[i], trials);
    }
    if (!list.tick.step || !rfi_is_last_block(rfi_own(list.counter, RFI_COUNTERS), gridDim.x) ||
        threadIdx.x > 0)
        return;
    rf_adam *ticked = rfi_at(list.ticked_adam, trials);
    ticked->power1 = adam[0].power1;
    ticked->power2 = adam[0].power2;
    ticked->rate = adam[0].rate;
    ticked->root = adam[0].root;
    rfi_tick(list.tick, trials);
}

/* ------------------------------------------------------------------ launching */

template <class Tile, rf_precision PRECISION> static void launch_tile(rf_device *device, learn_list *list)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    const int32_t n = list->n_vectors;
    for (int32_t i = 0; i < n; i++)
        list->first_of_vector[i + 1] =
            list->first_of_vector[i] + (int32_t)rfi_divide_up(list->vector[i].n, VECTOR_COLS);
    list->first_of_matrix[0] = list->first_of_vector[n];
    /* Two blocks for each multiprocessor: much of a block's time goes to fetching moments. */
    if (!rfi_gemm_cut<Tile, learn_epilogue>(device, list->gemm, list->n_matrices, list->first_of_matrix,
                            2 * cuda->n_multiprocessors))
        return;
    auto kernel = learn_kernel<Tile, PRECISION>;
    RFI_LAUNCH(device, kernel, list->first_of_matrix[list->n_matrices], 1, LEARN_THREADS, 0, *list);
}

template <rf_precision PRECISION> static void launch_any_tile(rf_device *device, learn_list *list)
{
    if (rfi_is_wide(static_cast<const rfi_cuda *>(device->self), list->gemm, list->n_matrices))
        launch_tile<RFI_WIDE_TILE, PRECISION>(device, list);
    else
        launch_tile<RFI_SMALL_TILE, PRECISION>(device, list);
}

static void launch(rf_device *device, learn_list *list)
{
    const rfi_cuda *cuda = static_cast<const rfi_cuda *>(device->self);
    list->counter = cuda->counters + RFI_COUNTERS - 1;
    if (cuda->precision == RF_PRECISION_TF32)
        launch_any_tile<RF_PRECISION_TF32>(device, list);
    else if (cuda->precision == RF_PRECISION_BF16)
        launch_any_tile<RF_PRECISION_BF16>(device, list);
    else
        launch_any_tile<RF_PRECISION_3XTF32>(device, list);
}

static void add_matrix(learn_list *list, const rf_update *op, const rfi_layout *layout)
{
    const int32_t i = list->n_matrices++;
    rfi_gemm *g = &list->gemm[i];
    list->matrix[i] = {*op, *layout};
    g->rows = op->rows;
    g->cols = op->cols;
    for (int32_t d = 0; d < op->n_dense; d++) {
        const rf_mat *a = &op->dense[d].a, *b = &op->dense[d].b;
        if (a->rows > 0)
            g->source[g->n_sources++] = {{a->data, a->ld}, {b->data, b->ld}, a->rows};
    }
}

/* ------------------------------------------------------------------ collecting */

/* What was put off so far, in one kernel. tick.step NULL: more will follow, and the counters stay. */
static void flush(rf_device *device, const rf_step_tick &tick)
{
    rfi_learn *learn = &static_cast<rfi_cuda *>(device->self)->learn;
    learn_list list = {};
    list.adam = list.ticked_adam = learn->adam;
    list.ticks = true;
    list.tick = tick;
    for (int32_t i = 0; i < learn->n_matrices; i++)
        add_matrix(&list, &learn->matrix[i].op, &learn->matrix[i].layout);
    for (int32_t i = 0; i < learn->n_vectors; i++)
        list.vector[list.n_vectors++] = learn->vector[i];
    learn->n_matrices = learn->n_vectors = 0;
    launch(device, &list);
}

void rfi_fused_updates_begin(rf_device *device, rf_adam *adam)
{
    rfi_learn *learn = &static_cast<rfi_cuda *>(device->self)->learn;
    learn->adam = adam;
    learn->n_matrices = learn->n_vectors = 0;
}

void rfi_fused_updates_end(rf_device *device, const rf_step_tick *op)
{
    rfi_learn *learn = &static_cast<rfi_cuda *>(device->self)->learn;
    if (learn->n_matrices + learn->n_vectors > 0) {
        flush(device, *op);
    } else {
        rfi_cuda_adam_tick(device, learn->adam);
        rfi_cuda_step_tick(device, op);
    }
    learn->adam = nullptr;
}

void rfi_fused_update(rf_device *device, const rf_update *op, const rfi_layout *layout)
{
    rfi_learn *learn = &static_cast<rfi_cuda *>(device->self)->learn;
    if (learn->adam && op->adam == learn->adam) {
        if (learn->n_matrices == RFI_LEARN_MATRICES)
            flush(device, {});
        learn->matrix[learn->n_matrices++] = {*op, *layout};
        return;
    }
    learn_list list = {};
    list.adam = op->adam;
    add_matrix(&list, op, layout);
    launch(device, &list);
}

void rfi_fused_update_vector(rf_device *device, const rf_update_vector *op)
{
    rfi_learn *learn = &static_cast<rfi_cuda *>(device->self)->learn;
    if (learn->adam && op->adam == learn->adam) {
        if (learn->n_vectors == RFI_LEARN_VECTORS)
            flush(device, {});
        learn->vector[learn->n_vectors++] = *op;
        return;
    }
    learn_list list = {};
    list.adam = op->adam;
    list.vector[list.n_vectors++] = *op;
    launch(device, &list);
}
