/* bench_calls.h - how the operations of a step are timed, one by one. */
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
    const char *name;
    double mflop;
    float *ms; /* (STEPS_MAX) */
} call;

typedef struct bench {
    rf_device *device;
    call calls[CALLS_MAX];
    int n_calls, at, step;
    bool timing;
} bench;

/* One call of an operation is over; it began at `start`. */
void bench_record(bench *b, const char *name, double mflop, double start);

/* RUN(b, "what", mflop, operation, fields …) */
#define RUN(b, what, mflop, operation, ...)                                                                  \
    do {                                                                                                     \
        double start_ = bench_now_s();                                                                       \
        (b)->device->ops->operation((b)->device, &(rf_##operation){__VA_ARGS__});                            \
        bench_record((b), (what), (mflop), start_);                                                          \
    } while (0)

#endif
