#include "bench_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"

_Noreturn void bench_die(const char *what)
{
    fprintf(stderr, "bench_kernels: %s\n", what);
    exit(1);
}

/* ------------------------------------------------------------------ the clock */

static bool alone;

void bench_clock_of(int threads)
{
    alone = threads == 1;
}

double bench_now_s(void)
{
    struct timespec t;
    if (!alone)
        return rf_clock_s();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ------------------------------------------------------------------ a call */

static void record(bench *b, const call *done, double ms)
{
    if (b->at == CALLS_MAX)
        bench_die("too many calls in a step");
    call *c = &b->calls[b->at++];
    if (!c->ms) {
        c->ms = calloc(STEPS_MAX, sizeof *c->ms);
        if (!c->ms)
            bench_die("no memory");
        b->n_calls = b->at;
    }
    memcpy(c->name, done->name, sizeof c->name);
    c->mflop = done->mflop;
    c->ms[b->step] = (float)ms;
}

/* What a call is: those without a product have a name only. */
static void describe_product(call *c, int64_t rows, int64_t depth, int64_t cols)
{
    const size_t used = strlen(c->name);
    snprintf(c->name + used, sizeof c->name - used, " %dx%dx%d", (int)rows, (int)depth, (int)cols);
    c->mflop += 2e-6 * (double)rows * (double)depth * (double)cols;
}

static void describe_affine(call *c, const rf_affine *op)
{
    if (op->x.data)
        describe_product(c, op->y.rows, op->x.cols, op->y.cols);
}

static void describe_affine_coded(call *c, const rf_affine_coded *op)
{
    describe_product(c, op->y.rows, (int64_t)op->pack * op->layout->n_spans, op->y.cols);
}

static void describe_affine_back(call *c, const rf_affine_back *op)
{
    describe_product(c, op->dx.rows, op->dy.cols, op->dx.cols);
}

static void describe_update(call *c, const rf_update *op)
{
    int64_t rows = 0;
    for (int32_t i = 0; i < op->n_dense; i++)
        rows += op->dense[i].a.rows;
    describe_product(c, op->rows, rows, op->cols);
    if (op->coded.b.data)
        c->mflop += 2e-6 * (double)op->coded.b.rows * op->coded.pack * op->coded.layout->n_spans * op->cols;
}

static void describe_nothing(call *c, const void *op)
{
    (void)c;
    (void)op;
}

#define DESCRIBE(c, op)                                                                                      \
    _Generic((op),                                                                                           \
        const rf_affine *: describe_affine,                                                                  \
        const rf_affine_coded *: describe_affine_coded,                                                      \
        const rf_affine_back *: describe_affine_back,                                                        \
        const rf_update *: describe_update,                                                                  \
        default: describe_nothing)((c), (op))

/* ------------------------------------------------------------------ the table */

static const rf_ops *own; /* the device's */
static bench *watching;
static int64_t n_recorded; /* calls so far: a compound some of whose parts were recorded is none itself */

#define WATCHED(entry, args)                                                                                 \
    static void watched_##entry(rf_device *device, const args *op)                                           \
    {                                                                                                        \
        const int64_t before = n_recorded;                                                                   \
        const double start = bench_now_s();                                                                  \
        own->entry(device, op);                                                                              \
        const double ms = (bench_now_s() - start) * 1e3;                                                     \
        if (!watching->timing || n_recorded != before)                                                       \
            return;                                                                                          \
        call c = {.name = #entry};                                                                           \
        DESCRIBE(&c, op);                                                                                    \
        record(watching, &c, ms);                                                                            \
        n_recorded++;                                                                                        \
    }
RF_OPS_TABLE(WATCHED)

void bench_watch(bench *b)
{
#define WATCHED_ENTRY(entry, args) .entry = watched_##entry,
    static rf_ops watched;
    own = b->device->ops;
    watched = (rf_ops){RF_OPS_TABLE(WATCHED_ENTRY).step_tick = own->step_tick, .adam_tick = own->adam_tick,
                       .updates_begin = own->updates_begin, .updates_end = own->updates_end};
    watching = b;
    b->device->ops = &watched;
}
