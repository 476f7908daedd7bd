/* bench_step.h - the trainings whose steps bench_kernels measures. */
#ifndef RF_BENCH_STEP_H
#define RF_BENCH_STEP_H

#include "bench_calls.h"
#include "engine/model/model.h"

typedef struct network {
    const char *name;
    rf_model_kind kind;
    double mflop; /* what a step needs, as models usually count it */
} network;

enum { N_NETWORKS = 2 };
extern const network networks[N_NETWORKS];

/* A training of the network on a table of Adult's shapes, batches of 500; every operation that its device does from now on is a call
 * of b (bench_calls.h). */
rf_model *network_create(const network *n, bench *b);
void network_step(rf_model *model);
/* Of everything that a training keeps: weights, moments, the step. */
uint32_t network_crc(rf_model *model);
void network_free(rf_model *model);

#endif
