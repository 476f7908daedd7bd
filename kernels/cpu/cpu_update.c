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
    TASKS_A_THREAD = 2,          /* a small matrix is still cut into so many           */
    ADDITIONS_MAX = 1024,        /* rows to add that are listed at a time              */
    STRIP = 64,                  /* columns that are added at a time                   */
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

/* A worker's own memory: the first column of the strip that it holds, -1 for none; then, a vector further on, that strip of the dense
 * sources' right factors, in panels. */
typedef struct update_job {
    const rf_update *op;
    float *own; /* (workers, own_floats) */
    size_t own_floats;
    int32_t rows_a_task, n_tasks_a_strip;
} update_job;

/* What a task owns, and its gradient: g(k, n) at g[(k - first) * ld + n - left]. */
typedef struct patch {
    float *g;
    int32_t first, end, left, right, ld;
} patch;

static void add_stream(rfi_ahead *ahead, const float *at, int64_t step_floats, int32_t groups)
{
    ahead->stream[ahead->n].at = (const char *)at;
    ahead->stream[ahead->n].step = step_floats * (int64_t)sizeof *at;
    ahead->stream[ahead->n++].groups = groups;
}

/* What is fetched while the products run: Adam's arrays, and before them the columns of the left factors that the next patch takes, a few
 * lines from each row, which the hardware does not foresee. A strip of a wide matrix is left to the hardware. */
static rfi_ahead fetch_weights(const rf_update *op, const patch *p)
{
    rfi_ahead ahead = {.n = 0};
    const float *const arrays[] = {op->w, op->m, op->v};
    const bool whole = p->right - p->left == op->cols;
    for (int i = 0; i < 3 && op->adam && whole; i++)
        add_stream(&ahead, arrays[i] + (int64_t)p->first * op->cols, 64,
                   (p->end - p->first) * op->cols / 64 + 1);
    for (int32_t i = 0; i < op->n_dense && whole && p->end < op->rows; i++)
        add_stream(&ahead, op->dense[i].a.data + p->end, op->dense[i].a.ld, op->dense[i].a.rows);
    return ahead;
}

/* The right factors of both dense sources, one on the other. */
static rfi_factor dense_factor(const rf_update *op, int32_t left, int32_t right)
{
    const rf_mat *b = &op->dense[0].b, *more = &op->dense[1].b;
    rfi_factor out = {
        .data = b->data + left, .ld = b->ld, .depth = b->rows, .cols = right - left, .block = RFI_DEEP};
    if (op->n_dense == 2) {
        out.more = more->data + left;
        out.more_ld = more->ld;
        out.split = b->rows;
        out.depth += more->rows;
    }
    return out;
}

/* This worker's panels of the strip that p lies in. */
static float *packed_strip(const update_job *job, int worker, const patch *p)
{
    float *own = job->own + (size_t)worker * job->own_floats, *packed = own + RFI_LANES;
    int32_t *held = (int32_t *)(void *)own;
    if (*held != p->left) {
        const rfi_factor b = dense_factor(job->op, p->left, p->right);
        RFI_FN(rfi_pack)(packed, &b);
        *held = p->left;
    }
    return packed;
}

static void add_dense(const update_job *job, int worker, const patch *p)
{
    const rf_update *op = job->op;
    const rf_mat *a = &op->dense[0].a, *more = &op->dense[1].a;
    const bool both = op->n_dense == 2;
    const rfi_product product = {
        .rows = p->end - p->first,
        .a = a->data + p->first,
        .a_row = 1,
        .a_step = a->ld,
        .a_more = both ? more->data + p->first : NULL,
        .a_more_step = both ? more->ld : 0,
        .b = dense_factor(op, p->left, p->right),
        .c = p->g,
        .ldc = p->ld,
    };
    rfi_ahead ahead = fetch_weights(op, p);
    RFI_FN(rfi_multiply_packed)(&product, packed_strip(job, worker, p), &ahead);
}

/* ------------------------------------------------------------------ rows that are added
 *
 * One-hot inputs add rows of b to single rows of w. Those that fall into the patch are listed, then added strip by strip: a strip of the
 * patch and of b stays in the first-level cache.
 */
typedef struct addition {
    const float *b; /* at the patch's left column */
    int32_t row;    /* of the patch               */
    float times;
} addition;

typedef struct additions {
    int32_t n;
    addition list[ADDITIONS_MAX];
} additions;

static void add_strip(const patch *p, const additions *a, int32_t left)
{
    for (int32_t i = 0; i < a->n; i++) {
        const addition *add = &a->list[i];
        float *g = p->g + (int64_t)add->row * p->ld + left;
        v16 times = v16_set(add->times);
        for (int j = 0; j < STRIP; j += RFI_LANES)
            v16_store(g + j, v16_fma(times, v16_load(add->b + left + j), v16_load(g + j)));
    }
}

/* The same for the columns that are left over. */
static void add_rest(const patch *p, const additions *a, int32_t left)
{
    for (int32_t i = 0; i < a->n; i++) {
        const addition *add = &a->list[i];
        float *g = p->g + (int64_t)add->row * p->ld;
        for (int32_t c = left; c < p->right - p->left; c += RFI_LANES) {
            int here = rfi_min32(RFI_LANES, p->right - p->left - c);
            v16 sum = v16_fma(v16_set(add->times), v16_load_n(add->b + c, here), v16_load_n(g + c, here));
            v16_store_n(g + c, sum, here);
        }
    }
}

static void add_all(const patch *p, additions *a)
{
    int32_t left = 0;
    for (; left + STRIP <= p->right - p->left; left += STRIP)
        add_strip(p, a, left);
    add_rest(p, a, left);
    a->n = 0;
}

/* Written always and counted if it belongs to the patch: whether it does is a coin that no branch could foresee. */
RFI_INLINE void push(const patch *p, additions *a, int32_t row, const float *b, float times)
{
    if (a->n == ADDITIONS_MAX)
        add_all(p, a);
    a->list[a->n] = (addition){b + p->left, row - p->first, times};
    a->n += row >= p->first && row < p->end;
}

/* Slot s of the packs touches rows s * width .. (s + 1) * width - 1 of w. */
static void push_coded_slot(const rf_update *op, const patch *p, additions *a, int32_t s)
{
    const rf_layout *layout = op->coded.layout;
    const int32_t base = s * layout->width;
    int32_t first = 0, end = layout->n_spans; /* the spans that meet the patch */
    while (first < end && base + layout->spans[first].offset + layout->spans[first].width <= p->first)
        first++;
    while (end > first && base + layout->spans[end - 1].offset >= p->end)
        end--;
    for (int32_t r = 0; r < op->coded.b.rows; r++) {
        int64_t coded = (int64_t)r * op->coded.pack + s;
        const float *scalars = op->coded.scalars + coded * layout->n_scalars;
        const uint16_t *codes = op->coded.codes + coded * layout->n_codes;
        const float *b = op->coded.b.data + r * op->coded.b.ld;
        for (int32_t i = first; i < end; i++) {
            const rf_span *span = &layout->spans[i];
            if (span->kind == RF_SPAN_SCALAR)
                push(p, a, base + span->offset, b, scalars[span->source]);
            else
                push(p, a, base + span->offset + codes[span->source], b, 1.0f);
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

/* A row of w that the next task updates: what is fetched here need not be fetched while its products run. */
RFI_INLINE void fetch_row(const float *w, int32_t width)
{
    for (int32_t c = 0; c < width; c += RFI_LANES)
        __builtin_prefetch(w + c, 0, 2);
}

static void finish_patch(const rf_update *op, const patch *p)
{
    int32_t width = p->right - p->left, next = p->end - p->first;
    for (int32_t k = p->first; k < p->end; k++) {
        const float *g = p->g + (int64_t)(k - p->first) * p->ld;
        int64_t at = (int64_t)k * op->cols + p->left;
        if (op->adam && k + next < op->rows)
            fetch_row(op->w + at + (int64_t)next * op->cols, width);
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
    p.ld = rfi_padded(p.right - left); /* rows of a gradient begin at cache lines */
    if (op->n_dense == 0)
        memset(g, 0, (size_t)(p.end - p.first) * (size_t)p.ld * sizeof *g);
    else
        add_dense(job, worker, &p);
    if (op->coded.b.data || op->n_gather > 0)
        add_rows_of_w(op, &p);
    finish_patch(op, &p);
}

/* Room for every worker's panels of one strip; false when there is no memory. A worker's part begins at the same place in every update: what
 * one thread wrote last time would come to another through the third-level cache. */
static bool place_panels(rf_device *device, update_job *job)
{
    const rf_update *op = job->op;
    const rfi_cpu *cpu = device->self;
    const size_t n_workers = (size_t)rf_pool_threads(device->pool);
    size_t floats = RFI_LANES;
    if (op->n_dense > 0) {
        const rfi_factor b = dense_factor(op, 0, rfi_min32(op->cols, STRIP_COLS));
        floats += RFI_FN(rfi_packed_size)(&b);
    }
    job->own = rfi_scratch(device, n_workers * floats * sizeof(float));
    if (!job->own)
        return false;
    job->own_floats = cpu->scratch_bytes / sizeof(float) / n_workers / RFI_LANES * RFI_LANES;
    for (size_t i = 0; i < n_workers; i++)
        *(int32_t *)(void *)(job->own + i * job->own_floats) = -1;
    return true;
}

void RFI_FN(rfi_update)(rf_device *device, const rf_update *op)
{
    update_job job = {.op = op};
    const int32_t room = rfi_min32(GRAD_FLOATS / rfi_padded(rfi_min32(op->cols, STRIP_COLS)), GRAD_ROWS);
    const int64_t threads = rf_pool_threads(device->pool);
    int64_t tasks = rfi_divide_up(op->rows, room * threads); /* of a thread */
    tasks = threads > 1 && tasks < TASKS_A_THREAD ? TASKS_A_THREAD : tasks;
    job.rows_a_task = (int32_t)rfi_divide_up(op->rows, tasks * threads);
    job.n_tasks_a_strip = (int32_t)rfi_divide_up(op->rows, job.rows_a_task);
    if (place_panels(device, &job))
        rfi_run_workers(device, update_task, &job, job.n_tasks_a_strip * rfi_divide_up(op->cols, STRIP_COLS));
}

/* ------------------------------------------------------------------ a vector */

enum { VECTOR_STRIP = 64 };

/* g += the sum over rows of columns left..left+n-1, n <= VECTOR_STRIP */
static void sum_columns(const rf_update_vector *op, float g[VECTOR_STRIP], int32_t left, int32_t n)
{
    enum { VECTORS = VECTOR_STRIP / RFI_LANES };
    v16 sum[VECTORS];
    for (int j = 0; j < VECTORS; j++)
        sum[j] = v16_load(g + j * RFI_LANES);
    for (int32_t r = 0; r < op->b.rows; r++) {
        const float *b = op->b.data + r * op->b.ld + left;
        const v16 coef = v16_set(op->coef ? op->coef[r] : 1.0f);
        for (int j = 0; j < VECTORS; j++) {
            const int here = rfi_min32(RFI_LANES, n - j * RFI_LANES);
            if (here > 0)
                sum[j] = v16_fma(coef, v16_load_n(b + j * RFI_LANES, here), sum[j]);
        }
    }
    for (int j = 0; j < VECTORS; j++)
        v16_store(g + j * RFI_LANES, sum[j]);
}

static void update_vector_task(void *arg, int64_t task)
{
    const rf_update_vector *op = arg;
    float g[VECTOR_STRIP] = {0};
    int32_t left = (int32_t)task * VECTOR_STRIP, right = rfi_min32(left + VECTOR_STRIP, op->n);
    for (int32_t c = left; c < right; c++)
        g[c - left] = op->given ? op->given[c] : 0.0f;
    if (op->b.data)
        sum_columns(op, g, left, right - left);
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
