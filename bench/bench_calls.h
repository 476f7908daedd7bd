/* bench_calls.h - how the operations of a step are timed, one by one.
 *
 * A device that is watched has a table of operations whose entries note the time and do what the device's own do. A compound that the
 * device does by its parts is not a call; its parts are.
 */
#ifndef RF_BENCH_CALLS_H
#define RF_BENCH_CALLS_H

#include <stdbool.h>

#include "kernels/ops.h"

enum { CALLS_MAX = 128, STEPS_MAX = 4096 };

_Noreturn void bench_die(const char *what);

/* Other work on the machine takes turns with ours: one thread is timed by the processor time that it got, several by the
 * wall clock, because they wait for each other. */
void bench_clock_of(int threads);
double bench_now_s(void);

typedef struct call {
    char name[64]; /* the operation, and the shape of its product */
    double mflop;
    float *ms; /* (STEPS_MAX) */
} call;

typedef struct bench {
    rf_device *device;
    call calls[CALLS_MAX];
    int n_calls, at, step; /* `at` is 0 where a step begins */
    bool timing;
} bench;

/* From now on the operations of b->device are calls of b. One device at a time. */
void bench_watch(bench *b);

#endif
