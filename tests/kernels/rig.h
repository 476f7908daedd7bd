/* rig.h - runs one operation on every path of a device and holds the results against each other.
 *
 *     rig_state rig;
 *     rig_begin(&rig, 7);
 *     rf_mat x = rig_mat(&rig, 31, 33, 40), y = rig_mat(&rig, 31, 157, 160);      // filled with small random numbers
 *     rig_run(&rig, RIG_OP(affine, &(rf_affine){.y = y, .x = x, …}));
 *     …compare y with the oracle…
 *     rig_end(&rig);
 *
 * Every buffer lies between guard zones, and so does every row whose leading dimension is longer than the row: they hold one
 * pattern, a NaN when read as a float, so that a read outside poisons the result and a write outside is found. rig_run
 * runs the operation on each instruction set that the processor has, with 1, 2 and 4 threads, from the same
 * memory each time, and demands the same bits everywhere; the memory then holds the result.
 *
 * RF_TEST_DEVICE=cuda:0 runs the same tests on a GPU, in the construction that RF_TEST_CONSTRUCTION names: the operation runs
 * several times (on the emulated GPU with its threads in another order each time) and must give the same bits each time. All
 * memory that operations see is then memory that both sides can follow, so tests hand out no pointer of their own.
 */
#ifndef RF_TEST_RIG_H
#define RF_TEST_RIG_H

#include "rf_test.h"

#include "core/philox.h"
#include "kernels/ops.h"

enum { RIG_BLOCKS_MAX = 64, RIG_VARIANTS_MAX = 9 };

typedef struct rig_block {
    uint8_t *raw, *before, *first; /* memory, its content before the operation, and after the first variant */
    size_t size, start, row_bytes, stride;
    int64_t rows;
} rig_block;

typedef struct rig_state {
    rf_draw draw;
    uint32_t drawn;
    int n_blocks;
    rig_block block[RIG_BLOCKS_MAX];
} rig_state;

void rig_begin(rig_state *rig, uint64_t seed);
void rig_end(rig_state *rig);

/* Uniform in [lo, hi). */
float rig_uniform(rig_state *rig, float lo, float hi);
int32_t rig_below(rig_state *rig, int32_t n);

/* Guarded memory: uniform in [-1, 1) for matrices and vectors, zeros for the rest. */
rf_mat rig_mat(rig_state *rig, int32_t rows, int32_t cols, int64_t ld);
float *rig_vector(rig_state *rig, int64_t n);
void *rig_bytes(rig_state *rig, size_t size_bytes);
int32_t *rig_ids(rig_state *rig, int64_t n, int32_t below); /* uniform in 0..below-1 */
void *rig_copy(rig_state *rig, const void *from, size_t size_bytes);

/* A step number where operations can read it; lives to the end of the program. */
uint32_t *rig_step(uint32_t value);

typedef void (*rig_fn)(rf_device *device, const void *op);
void rig_run(rig_state *rig, rig_fn fn, const void *op);
#define RIG_OP(name, op) rig_call_##name, (op)
#define RIG_CALL(name, args)                                                                                 \
    static inline __attribute__((unused)) void rig_call_##name(rf_device *device, const void *op)            \
    {                                                                                                        \
        device->ops->name(device, op);                                                                       \
    }
RF_OPS_TABLE(RIG_CALL)
#undef RIG_CALL

/* A device of the best instruction set with one thread, for tests that need no comparison. Lent. What it was asked for is
 * done after rig_sync. */
rf_device *rig_device(void);
void rig_sync(void);
bool rig_is_cpu(void);

/* |got - wanted| <= absolute + relative * |wanted| for every element; prints the first that is not. */
void rig_near(const char *what, rf_mat got, const double *wanted, double absolute, double relative);
void rig_near_vector(const char *what, const float *got, const double *wanted, int64_t n, double absolute,
                     double relative);

/* A layout with these spans: positive = a code of so many categories, 0 = a scalar. Conditioned: the last n_conditions codes. */
typedef struct rig_layout {
    rf_layout layout;
    rf_span span[32];
} rig_layout;
void rig_layout_make(rig_layout *out, const int32_t *widths, int32_t n, int32_t n_conditions);

/* Random coded rows of a layout, guarded. */
rf_coded rig_coded(rig_state *rig, const rf_layout *layout, int64_t n_rows);

/* The encoded row that a coded one stands for: width doubles. */
void rig_encode(double *out, const rf_layout *layout, const rf_coded *rows, int64_t row);

#endif
