/* emu_control.h - how tests steer the emulated GPU and read its counters. C; found in the plugin by dlsym.
 *
 * For other processes the environment says the same:
 *     RF_EMU_DEVICES=2            GPUs of the machine; 0: none
 *     RF_EMU_DRIVER=12000         the driver's CUDA version; 0: no driver
 *     RF_EMU_MEMORY=1000000       bytes of memory of each
 *     RF_EMU_FAIL=launch:100:719  the 100th launch fails with error 719
 */
#ifndef RF_EMU_CONTROL_H
#define RF_EMU_CONTROL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rf_emu_call {
    RF_EMU_LAUNCH,
    RF_EMU_MALLOC,
    RF_EMU_COPY,
    RF_EMU_SYNC,
    RF_EMU_CAPTURE,
    RF_EMU_REPLAY,
    RF_EMU_CALLS
} rf_emu_call;

typedef enum rf_emu_thread_order { RF_EMU_FORWARD, RF_EMU_BACKWARD, RF_EMU_SHUFFLED } rf_emu_thread_order;

/* Counts since the last reset. A replayed kernel counts as one that ran, not as a launch. */
typedef struct rf_emu_counts {
    uint64_t calls[RF_EMU_CALLS]; /* copies: both ways; syncs: everything that makes the host wait */
    uint64_t kernels, library_calls;
    uint64_t allocated_bytes; /* now, on the device */
} rf_emu_counts;

#define RF_EMU_EXPORT __attribute__((visibility("default")))
RF_EMU_EXPORT void rf_emu_read(rf_emu_counts *out);
RF_EMU_EXPORT void rf_emu_reset(void);
RF_EMU_EXPORT void rf_emu_order(int order);
/* The nth call from now fails with a CUDA error number; after a sticky one (700 and more) all do. nth 0: none, and the
 * GPUs are well again. */
RF_EMU_EXPORT void rf_emu_fail(int call, int64_t nth, int error);
RF_EMU_EXPORT void rf_emu_machine(int devices, int driver_version, int64_t memory_bytes);

#ifdef __cplusplus
}
#endif

#endif
