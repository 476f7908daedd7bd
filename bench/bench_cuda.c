/* bench_cuda.c - a GPU's products: how exact in each precision, and how fast in each construction; and what a recorded kernel costs.
 *
 *     bench_cuda [cuda:0]
 *
 * The shapes are those of CTGAN on the Adult table (157 columns encoded, 104 of conditions, batches of 500 in packs of 10). Inputs are fresh
 * random numbers of each run; a product is checked against double precision before it is timed. One JSON document.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/philox.h"
#include "kernels/ops.h"

enum { REPEATS = 200, ROUNDS = 7, CHECKED_ROWS = 5 };

/* y (rows, cols) = x (rows, depth) w (depth, cols) */
typedef struct shape {
    const char *name;
    int32_t rows, depth, cols;
} shape;

static const shape shapes[] = {
    {"generator 1", 500, 128, 256},     {"generator 2", 500, 384, 256},
    {"generator out", 500, 640, 157},   {"critic 1", 50, 1570, 256},
    {"critic 2", 150, 256, 256},        {"conditions of the penalty", 50, 1040, 256},
    {"autoencoder in", 500, 157, 128},  {"autoencoder", 500, 128, 128},
    {"autoencoder out", 500, 128, 157},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct setup {
    rf_device *device;
    shape size;
    float *x, *w, *y; /* device */
    float *host_x, *host_w, *host_y;
} setup;

/* ------------------------------------------------------------------ memory */

static rf_code setup_make(setup *s, const rf_draw *draw, rf_error *err)
{
    rf_code rc = RF_OK;
    const size_t nx = (size_t)s->size.rows * (size_t)s->size.depth,
                 nw = (size_t)s->size.depth * (size_t)s->size.cols;
    const size_t ny = (size_t)s->size.rows * (size_t)s->size.cols;
    RF_TRY(RF_NEW_ARRAY(&s->host_x, nx, "a matrix", err));
    RF_TRY(RF_NEW_ARRAY(&s->host_w, nw, "a matrix", err));
    RF_TRY(RF_NEW_ARRAY(&s->host_y, ny, "a matrix", err));
    for (size_t i = 0; i < nx; i++)
        s->host_x[i] = 2 * rf_uniform_open(rf_philox_u32(*draw, (uint32_t)i)) - 1;
    for (size_t i = 0; i < nw; i++)
        s->host_w[i] = 2 * rf_uniform_open(rf_philox_u32(*draw, (uint32_t)(nx + i))) - 1;
    RF_TRY(rf_device_alloc(s->device, (void **)&s->x, nx * sizeof(float), err));
    RF_TRY(rf_device_alloc(s->device, (void **)&s->w, nw * sizeof(float), err));
    RF_TRY(rf_device_alloc(s->device, (void **)&s->y, ny * sizeof(float), err));
    RF_TRY(rf_device_write(s->device, s->x, s->host_x, nx * sizeof(float), err));
    RF_TRY(rf_device_write(s->device, s->w, s->host_w, nw * sizeof(float), err));
out:
    return rc;
}

static void setup_free(setup *s)
{
    rf_device_forget(s->device, s);
    rf_device_free(s->device, s->x);
    rf_device_free(s->device, s->w);
    rf_device_free(s->device, s->y);
    rf_free(s->host_x);
    rf_free(s->host_w);
    rf_free(s->host_y);
}

/* ------------------------------------------------------------------ one product */

static void multiply(void *arg)
{
    const setup *s = arg;
    s->device->ops->affine(s->device, &(rf_affine){.y = {s->y, s->size.rows, s->size.cols, s->size.cols},
                                                   .x = {s->x, s->size.rows, s->size.depth, s->size.depth},
                                                   .w = {s->w, s->size.depth, s->size.cols, s->size.cols}});
}

/* The largest error of some rows, as a share of the root mean square of an element. */
static double error_of(const setup *s)
{
    double worst = 0.0;
    for (int32_t i = 0; i < CHECKED_ROWS; i++) {
        const int32_t r = (int32_t)((int64_t)i * (s->size.rows - 1) / (CHECKED_ROWS - 1));
        for (int32_t c = 0; c < s->size.cols; c++) {
            double sum = 0.0;
            for (int32_t k = 0; k < s->size.depth; k++)
                sum += (double)s->host_x[(int64_t)r * s->size.depth + k] *
                       (double)s->host_w[(int64_t)k * s->size.cols + c];
            worst = fmax(worst, fabs(sum - (double)s->host_y[(int64_t)r * s->size.cols + c]));
        }
    }
    return worst / (sqrt((double)s->size.depth) /
                    3.0); /* the product of two uniform numbers has the mean square 1/9 */
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of ROUNDS times, in microseconds for each of REPEATS runs of `step`. */
static rf_code time_of(rf_device *device, const void *key, rf_step_fn step, void *arg, double *out,
                       rf_error *err)
{
    rf_code rc = RF_OK;
    double times[ROUNDS];
    rf_device_repeat(device, key, REPEATS, step, arg);
    RF_TRY(rf_device_sync(device, err));
    for (int i = 0; i < ROUNDS; i++) {
        const double before = rf_clock_s();
        rf_device_repeat(device, key, REPEATS, step, arg);
        RF_TRY(rf_device_sync(device, err));
        times[i] = (rf_clock_s() - before) * 1e6 / REPEATS;
    }
    qsort(times, ROUNDS, sizeof times[0], by_size);
    *out = times[ROUNDS / 2];
out:
    return rc;
}

static const double bounds[] = {2e-6, 3e-3, 3e-2}; /* of error_of, in the order of rf_precision */

static rf_code measure(rf_device *device, const shape *size, rf_precision precision, const rf_draw *draw,
                       double *error, double *us, rf_error *err)
{
    rf_code rc = RF_OK;
    setup s = {.device = device, .size = *size};
    RF_TRY(setup_make(&s, draw, err));
    multiply(&s);
    RF_TRY(
        rf_device_read(device, s.host_y, s.y, (size_t)size->rows * (size_t)size->cols * sizeof(float), err));
    *error = error_of(&s);
    if (!(*error < bounds[precision]))
        rc = rf_fail(err, RF_INTERNAL, "the product \"%s\" is wrong by %.3g of its size", size->name, *error);
    else
        rc = time_of(device, &s, multiply, &s, us, err);
out:
    setup_free(&s);
    return rc;
}

/* ------------------------------------------------------------------ everything */

static const char *const constructions[] = {"auto", "plain", "graph", "fused"}, *const precisions[] = {
                                                                                    "3xtf32", "tf32", "bf16"};

static rf_code run(const char *name, rf_construction construction, rf_precision precision, bool *first,
                   rf_error *err)
{
    rf_code rc = RF_OK;
    rf_device *device = NULL;
    const rf_device_options options = {.construction = construction, .precision = precision};
    const rf_draw draw = {.seed = (uint64_t)(rf_clock_s() * 1e6), .purpose = 1000};
    RF_TRY(rf_device_open_with(&device, name, &options, err));
    for (int i = 0; i < SHAPES; i++) {
        double error = 0, us = 0;
        RF_TRY(measure(device, &shapes[i], precision, &draw, &error, &us, err));
        printf("%s\n  {\"product\": \"%s\", \"construction\": \"%s\", \"precision\": \"%s\", \"rows\": %d, "
               "\"depth\": %d, "
               "\"cols\": %d, \"error\": %.3g, \"us\": %.2f, \"gflops\": %.1f}",
               *first ? "" : ",", shapes[i].name, constructions[construction], precisions[precision],
               (int)shapes[i].rows, (int)shapes[i].depth, (int)shapes[i].cols, error, us,
               2e-3 * (double)shapes[i].rows * (double)shapes[i].depth * (double)shapes[i].cols / us);
        *first = false;
    }
out:
    rf_device_close(device);
    return rc;
}

typedef struct tick {
    rf_device *device;
    uint32_t *step;
} tick;

static void tick_once(void *arg)
{
    const tick *t = arg;
    t->device->ops->step_tick(t->device, &(rf_step_tick){.step = t->step});
}

/* A kernel of one thread: what is left is the launch, or the gap between two nodes of a graph. */
static rf_code empty_kernel(const char *name, rf_construction construction, double *us, rf_error *err)
{
    rf_code rc = RF_OK;
    tick t = {0};
    const rf_device_options options = {.construction = construction};
    RF_TRY(rf_device_open_with(&t.device, name, &options, err));
    RF_TRY(rf_device_alloc(t.device, (void **)&t.step, sizeof *t.step, err));
    RF_TRY(time_of(t.device, &t, tick_once, &t, us, err));
out:
    if (t.device) {
        rf_device_forget(t.device, &t);
        rf_device_free(t.device, t.step);
    }
    rf_device_close(t.device);
    return rc;
}

/* Without cuBLASLt or cuDNN there is no plain construction: `lost` says why, and the rest is measured. */
static bool can_open(const char *name, rf_construction construction, char lost[256])
{
    rf_error err = {0};
    rf_device *device = NULL;
    const rf_device_options options = {.construction = construction};
    const bool can = rf_device_open_with(&device, name, &options, &err) == RF_OK;
    if (!can)
        snprintf(lost, 256, "%s", err.message);
    rf_device_close(device);
    return can;
}

int main(int argc, char **argv)
{
    char lost[256] = "";
    const char *name = argc > 1 ? argv[1] : "cuda:0";
    rf_error err = {0};
    double launched = 0, recorded = 0;
    bool first = true;
    rf_device *device = NULL;
    if (argc <= 1 && rf_device_open(&device, name, 1, &err) != RF_OK) {
        printf(
            "{\"skipped\": \"no GPU\"}\n"); /* script/bench runs everything here; a GPU that was named must be there */
        return 0;
    }
    rf_device_close(device);
    printf("{\"device\": \"%s\", \"products\": [", name);
    for (int way = RF_CONSTRUCTION_GRAPH; way <= RF_CONSTRUCTION_FUSED; way++)
        for (int precision = 0; can_open(name, (rf_construction)way, lost) && precision < RF_PRECISION_COUNT;
             precision++)
            if (run(name, (rf_construction)way, (rf_precision)precision, &first, &err) != RF_OK)
                goto failed;
    if (!lost[0] && empty_kernel(name, RF_CONSTRUCTION_PLAIN, &launched, &err) != RF_OK)
        goto failed;
    if (empty_kernel(name, RF_CONSTRUCTION_FUSED, &recorded, &err) != RF_OK)
        goto failed;
    printf("],\n \"launch_us\": %.2f, \"graph_node_us\": %.2f, \"lost\": \"%s\"}\n", launched, recorded,
           lost);
    return 0;
failed:
    fprintf(stderr, "bench_cuda: %s (%s)\n", err.message, err.detail);
    return 1;
}
