/* cpu_update.c - gradients of weights, and Adam on them in the same breath.
 *
 * A task owns some rows of w. It builds their gradient in a buffer that stays in the second-level cache: the dense
 * sources as a product (a transposed times b), then the coded rows and the gathered rows that fall into its range, and at
 * once Adam, so that a gradient is never written to memory.
 */
#include "kernels/cpu/cpu_gemm.h"
#include "kernels/math/adam.h"

#include <string.h>

enum {
    GRAD_FLOATS = 12288,         /* a task's gradient: 48 KB                           */
    GRAD_ROWS = RFI_COLUMN_ROWS, /* at most so many rows of w at once                  */
    STRIP_COLS = 512,            /* and so many columns; a multiple of every RFI_PANEL */
    FEW_TASKS = 8,               /* a small matrix is still cut into so many           */
    ADDITIONS_MAX = 1024,        /* rows to add that are sorted at a time              */
    STRIP = 64,                  /* columns of an addition in registers                */
};

/* ------------------------------------------------------------------ Adam over a run of weights */

static void adam_run(float *restrict w, float *restrict m, float *restrict v, const float *restrict g,
                     int64_t n, const rf_adam *adam)
{
    const rf_adam s = *adam;
    for (int64_t i = 0; i < n; i++)
        w[i] = rf_adam_weight(w[i], &m[i], &v[i], g[i], s.beta1, s.beta2, s.eps, s.decay, s.rate, s.root);
}

/* ------------------------------------------------------------------ a matrix */

/* A worker's copy of the dense sources' right factors, in panels. */
typedef struct update_job {
    const rf_update *op;
    float *packed;         /* one after the other for each worker */
    size_t packed_floats;  /* of a worker                          */
    int32_t *packed_strip; /* which strip of columns a worker holds, -1: none */
    int32_t rows_a_task, n_tasks_a_strip;
} update_job;

/* What a task owns, and its gradient: g(k, n) at g[(k - first) * ld + n - left]. */
typedef struct patch {
    float *g;
    int32_t first, end, left, right, ld;
} patch;

/* Adam's arrays, fetched while the products run. A strip of a wide matrix is left to the hardware. */
static rfi_ahead fetch_weights(const rf_update *op, const patch *p)
{
    rfi_ahead ahead = {.n = 0};
    float *const arrays[] = {op->w, op->m, op->v};
    if (!op->adam || p->ld != op->cols)
        return ahead;
    for (; ahead.n < 3; ahead.n++) {
        ahead.stream[ahead.n].at = (const char *)(arrays[ahead.n] + (int64_t)p->first * op->cols);
        ahead.stream[ahead.n].step = 256;
        ahead.stream[ahead.n].groups = (p->end - p->first) * op->cols / 64 + 1;
    }
    return ahead;
}

static rfi_factor dense_factor(const rf_update *op, int32_t source, int32_t left, int32_t right)
{
    const rf_mat *b = &op->dense[source].b;
    return (rfi_factor){.data = b->data + left, .ld = b->ld, .depth = b->rows, .cols = right - left};
}

/* This worker's panels of the strip that p lies in. */
static const float *packed_sources(const update_job *job, int worker, const patch *p)
{
    const rf_update *op = job->op;
    float *packed = job->packed + (size_t)worker * job->packed_floats, *at = packed;
    if (job->packed_strip[worker] == p->left)
        return packed;
    job->packed_strip[worker] = p->left;
    for (int32_t d = 0; d < op->n_dense; d++) {
        const rfi_factor b = dense_factor(op, d, p->left, p->right);
        RFI_FN(rfi_pack)(at, &b);
        at += RFI_FN(rfi_packed_size)(&b);
    }
    return packed;
}

static void add_dense(const update_job *job, int worker, const patch *p)
{
    const rf_update *op = job->op;
    rfi_ahead ahead = fetch_weights(op, p);
    const float *packed = packed_sources(job, worker, p);
    for (int32_t d = 0; d < op->n_dense; d++) {
        const rf_mat *a = &op->dense[d].a;
        const rfi_product product = {
            .rows = p->end - p->first,
            .a = a->data + p->first,
            .a_row = 1,
            .a_step = a->ld,
            .b = dense_factor(op, d, p->left, p->right),
            .c = p->g,
            .ldc = p->ld,
            .accumulate = d > 0,
        };
        RFI_FN(rfi_multiply_packed)(&product, packed, &ahead);
        packed += RFI_FN(rfi_packed_size)(&product.b);
    }
}

/* ------------------------------------------------------------------ rows that are added
 *
 * One-hot inputs add rows of b to single rows of w. Those that fall into the patch are listed, sorted by row of w (keeping
 * their order within a row, which is the order of the sum), and added while that row is in registers.
 */
typedef struct addition {
    const float *b; /* at the patch's left column */
    int32_t row;    /* of the patch               */
    float times;
} addition;

typedef struct additions {
    int32_t n;
    addition list[ADDITIONS_MAX], sorted[ADDITIONS_MAX + 1];
} additions;

/* Adds `n` rows to one row of the gradient. Looks one row past the list to fetch it. */
static void add_rows(float *g, const addition *list, int32_t n, int32_t width)
{
    int32_t c = 0;
    for (; c + STRIP <= width; c += STRIP) {
        v16 sum[STRIP / RFI_LANES];
        for (int j = 0; j < STRIP / RFI_LANES; j++)
            sum[j] = v16_load(g + c + j * RFI_LANES);
        for (int32_t i = 0; i < n; i++) {
            v16 times = v16_set(list[i].times);
            for (int j = 0; j < STRIP / RFI_LANES; j++) {
                __builtin_prefetch(list[i + 1].b + c + j * RFI_LANES);
                sum[j] = v16_fma(times, v16_load(list[i].b + c + j * RFI_LANES), sum[j]);
            }
        }
        for (int j = 0; j < STRIP / RFI_LANES; j++)
            v16_store(g + c + j * RFI_LANES, sum[j]);
    }
    for (; c < width; c += RFI_LANES) {
        int here = rfi_min32(RFI_LANES, width - c);
        v16 sum = v16_load_n(g + c, here);
        for (int32_t i = 0; i < n; i++)
            sum = v16_fma(v16_set(list[i].times), v16_load_n(list[i].b + c, here), sum);
        v16_store_n(g + c, sum, here);
    }
}

static void add_all(const patch *p, additions *a)
{
    int32_t start[GRAD_ROWS + 1] = {0}, next[GRAD_ROWS];
    for (int32_t i = 0; i < a->n; i++)
        start[a->list[i].row + 1]++;
    for (int32_t row = 0; row < GRAD_ROWS; row++) {
        start[row + 1] += start[row];
        next[row] = start[row];
    }
    for (int32_t i = 0; i < a->n; i++)
        a->sorted[next[a->list[i].row]++] = a->list[i];
    a->sorted[a->n] = a->sorted[0];
    for (int32_t row = 0; row < p->end - p->first; row++)
        if (start[row + 1] > start[row])
            add_rows(p->g + (int64_t)row * p->ld, a->sorted + start[row], start[row + 1] - start[row],
                     p->right - p->left);
    a->n = 0;
}

RFI_INLINE void push(const patch *p, additions *a, int32_t row, const float *b, float times)
{
    if (row < p->first || row >= p->end)
        return;
    if (a->n == ADDITIONS_MAX)
        add_all(p, a);
    a->list[a->n++] = (addition){b + p->left, row - p->first, times};
}

/* Slot s of the packs touches rows s * width .. (s + 1) * width - 1 of w. */
static void push_coded_slot(const rf_update *op, const patch *p, additions *a, int32_t s)
{
    const rf_layout *layout = op->coded.layout;
    for (int32_t r = 0; r < op->coded.b.rows; r++) {
        int64_t coded = (int64_t)r * op->coded.pack + s;
        const float *scalars = op->coded.scalars + coded * layout->n_scalars;
        const uint16_t *codes = op->coded.codes + coded * layout->n_codes;
        const float *b = op->coded.b.data + r * op->coded.b.ld;
        for (int32_t i = 0; i < layout->n_spans; i++) {
            const rf_span *span = &layout->spans[i];
            int32_t row = s * layout->width + span->offset;
            if (row >= p->end || row + span->width <= p->first)
                continue;
            if (span->kind == RF_SPAN_SCALAR)
                push(p, a, row, b, scalars[span->source]);
            else
                push(p, a, row + codes[span->source], b, 1.0f);
        }
    }
}

static void push_gathered(const rf_update *op, const patch *p, additions *a, int32_t source)
{
    const rf_mat *b = &op->gather[source].b;
    const int32_t *ids = op->gather[source].ids;
    int32_t n_ids = op->gather[source].n_ids, stride = op->gather[source].stride;
    for (int32_t r = 0; r < b->rows; r++)
        for (int32_t s = n_ids == 1 ? 0 : p->first / stride; s < n_ids && s * stride < p->end; s++)
            push(p, a, s * stride + ids[(int64_t)r * n_ids + s], b->data + r * b->ld, 1.0f);
}

static void add_rows_of_w(const rf_update *op, const patch *p)
{
    additions a;
    a.n = 0;
    if (op->coded.b.data) {
        int32_t width = op->coded.layout->width;
        for (int32_t s = p->first / width; s < op->coded.pack && s * width < p->end; s++)
            push_coded_slot(op, p, &a, s);
    }
    for (int32_t source = 0; source < op->n_gather; source++)
        push_gathered(op, p, &a, source);
    add_all(p, &a);
}

/* ------------------------------------------------------------------ a patch from beginning to end */

static void finish_patch(const rf_update *op, const patch *p)
{
    int32_t width = p->right - p->left;
    for (int32_t k = p->first; k < p->end; k++) {
        const float *g = p->g + (int64_t)(k - p->first) * p->ld;
        int64_t at = (int64_t)k * op->cols + p->left;
        if (op->grad)
            memcpy(op->grad + at, g, (size_t)width * sizeof *g);
        if (op->adam)
            adam_run(op->w + at, op->m + at, op->v + at, g, width, op->adam);
    }
}

static void update_task(void *arg, int worker, int64_t task)
{
    const update_job *job = arg;
    const rf_update *op = job->op;
    _Alignas(64) float g[GRAD_FLOATS];
    int32_t first = (int32_t)(task % job->n_tasks_a_strip) * job->rows_a_task;
    int32_t left = (int32_t)(task / job->n_tasks_a_strip) * STRIP_COLS;
    patch p = {g, first, rfi_min32(first + job->rows_a_task, op->rows), left, 0, 0};
    p.right = rfi_min32(left + STRIP_COLS, op->cols);
    p.ld = p.right - left;
    if (op->n_dense == 0)
        memset(g, 0, (size_t)(p.end - p.first) * (size_t)p.ld * sizeof *g);
    else
        add_dense(job, worker, &p);
    if (op->coded.b.data || op->n_gather > 0)
        add_rows_of_w(op, &p);
    finish_patch(op, &p);
}

/* Room for every worker's panels of one strip; false when there is no memory. */
static bool place_panels(rf_device *device, update_job *job)
{
    const rf_update *op = job->op;
    size_t n_workers = (size_t)rf_pool_threads(device->pool);
    for (int32_t d = 0; d < op->n_dense; d++) {
        const rfi_factor b = dense_factor(op, d, 0, rfi_min32(op->cols, STRIP_COLS));
        job->packed_floats += RFI_FN(rfi_packed_size)(&b);
    }
    job->packed = rfi_scratch(device, n_workers * (job->packed_floats * sizeof(float) + sizeof(int32_t)));
    if (!job->packed)
        return false;
    job->packed_strip = (int32_t *)(job->packed + n_workers * job->packed_floats);
    for (size_t i = 0; i < n_workers; i++)
        job->packed_strip[i] = -1;
    return true;
}

void RFI_FN(rfi_update)(rf_device *device, const rf_update *op)
{
    update_job job = {.op = op};
    int32_t room = rfi_min32(GRAD_FLOATS / rfi_min32(op->cols, STRIP_COLS), GRAD_ROWS);
    job.rows_a_task = rfi_min32(room, 6 * (int32_t)rfi_divide_up(op->rows, 6 * FEW_TASKS));
    job.n_tasks_a_strip = (int32_t)rfi_divide_up(op->rows, job.rows_a_task);
    if (place_panels(device, &job))
        rfi_run_workers(device, update_task, &job, job.n_tasks_a_strip * rfi_divide_up(op->cols, STRIP_COLS));
}

/* ------------------------------------------------------------------ a vector */

static void sum_columns(const rf_update_vector *op, float *restrict g, int32_t left, int32_t right)
{
    for (int32_t r = 0; r < op->b.rows; r++) {
        const float *restrict b = op->b.data + r * op->b.ld;
        float coef = op->coef ? op->coef[r] : 1.0f;
        for (int32_t c = left; c < right; c++)
            g[c - left] = fmaf(coef, b[c], g[c - left]);
    }
}

enum { VECTOR_STRIP = 64 };

static void update_vector_task(void *arg, int64_t task)
{
    const rf_update_vector *op = arg;
    float g[VECTOR_STRIP];
    int32_t left = (int32_t)task * VECTOR_STRIP, right = rfi_min32(left + VECTOR_STRIP, op->n);
    for (int32_t c = left; c < right; c++)
        g[c - left] = op->given ? op->given[c] : 0.0f;
    if (op->b.data)
        sum_columns(op, g, left, right);
    for (int32_t c = left; op->grad && c < right; c++)
        op->grad[c] = g[c - left];
    if (!op->adam)
        return;
    adam_run(op->w + left, op->m + left, op->v + left, g, right - left, op->adam);
    for (int32_t c = left; op->lo < op->hi && c < right; c++) {
        float w = op->w[c];
        w = w < op->lo ? op->lo : w;
        op->w[c] = w > op->hi ? op->hi : w;
    }
}

void RFI_FN(rfi_update_vector)(rf_device *device, const rf_update_vector *op)
{
    rfi_run(device, update_vector_task, (void *)op, rfi_divide_up(op->n, VECTOR_STRIP));
}
