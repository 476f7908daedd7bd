/* cuda_plugin.h - what rowforge and librowforge_cuda.so know of each other.
 *
 * The CUDA side is a shared object that is looked for at run time, so that the same rowforge runs on machines with and without a driver:
 * at ROWFORGE_CUDA_LIBRARY (a path; "none": nowhere), beside the program, or in lib beside the program's folder. It has one
 * door, rf_cuda_plugin_get.
 */
#ifndef RF_KERNELS_CUDA_PLUGIN_H
#define RF_KERNELS_CUDA_PLUGIN_H

#include "kernels/backend.h"
#include "kernels/ops.h"

/* Both sides of one build: a stale object is refused. */
typedef struct rf_cuda_contract {
    uint32_t version;
    uint32_t ops_bytes, device_bytes, class_bytes;
} rf_cuda_contract;
enum { RF_CUDA_CONTRACT = 2 };

typedef struct rf_cuda_plugin {
    rf_cuda_contract contract;
    /* How many GPUs the driver shows; 0 and DEVICE with the reason when none can be used. */
    rf_code (*count)(int *out, rf_error *err);
    /* One line for people; DEVICE with the reason for one that cannot be used. */
    rf_code (*describe)(int ordinal, char *summary, size_t size, rf_error *err);
    /* Fills in a zeroed device. On failure nothing is left behind. */
    rf_code (*open)(rf_device *device, int ordinal, const rf_device_options *options, rf_error *err);
} rf_cuda_plugin;

typedef const rf_cuda_plugin *(*rf_cuda_plugin_get_fn)(void);
#define RF_CUDA_PLUGIN_SYMBOL "rf_cuda_plugin_get"
#define RF_CUDA_LIBRARY_NAME  "librowforge_cuda.so"

#endif
