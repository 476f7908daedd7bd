/* bench_step.h - between the networks that bench_kernels runs (bench_step.c) and what times them (bench_kernels.c). */
#ifndef RF_BENCH_STEP_H
#define RF_BENCH_STEP_H

#include "kernels/ops.h"

enum { CALLS_MAX = 128, STEPS_MAX = 4096 };

_Noreturn void bench_die(const char *what);
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

typedef struct network {
    const char *name;
    void (*create)(void *model, rf_device *device);
    void (*step)(bench *b, void *model);
    uint32_t (*crc)(rf_device *device, void *model);
    double mflop; /* what a step needs, as models usually count it */
} network;

enum { N_NETWORKS = 2 };
extern const network networks[N_NETWORKS];

/* Before anything else. */
void networks_init(void);

/* Memory that any network's model fits into, zeroed. */
void *network_memory(void);

#endif
