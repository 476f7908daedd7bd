/* bench_step.h - the networks whose steps bench_kernels runs. */
#ifndef RF_BENCH_STEP_H
#define RF_BENCH_STEP_H

#include "bench_calls.h"

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

/* Frees what a model has on the device; before the device is closed. */
void network_forget(rf_device *device);

#endif
