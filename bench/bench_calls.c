#include "bench_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"

_Noreturn void bench_die(const char *what)
{
    fprintf(stderr, "bench_kernels: %s\n", what);
    exit(1);
}

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

void bench_record(bench *b, const char *name, double mflop, double start)
{
    if (!b->timing)
        return;
    if (b->at == CALLS_MAX)
        bench_die("too many calls in a step");
    call *c = &b->calls[b->at++];
    if (!c->ms) {
        c->ms = calloc(STEPS_MAX, sizeof *c->ms);
        if (!c->ms)
            bench_die("no memory");
        b->n_calls = b->at;
    }
    c->name = name;
    c->mflop = mflop;
    c->ms[b->step] = (float)((bench_now_s() - start) * 1e3);
}
