/* bench_cuda.c - a GPU's products: how exact in each precision, and how fast in each construction; and what a recorded kernel costs.
 *
 *     bench_cuda [cuda:0] [--quick]
 *
 * The shapes are the seventeen of CTGAN on the Adult table (157 columns encoded, 104 of conditions, batches of 500 in packs of 10), and
 * three of TVAE. Inputs are fresh random numbers of each run; a product is checked against double precision before it is timed. --quick: small
 * shapes, few repeats. One JSON document.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/philox.h"
#include "kernels/ops.h"

enum { ROUNDS = 7, CHECKED_ROWS = 5 };

/* Whose factor lies transposed: y = x w, dx = dy w^T, g = a^T b. */
typedef enum kind { FORWARD, BACK, GRADIENT } kind;

/* result (rows, cols), summed over depth */
typedef struct shape {
    const char *name;
    kind kind;
    int32_t rows, depth, cols;
} shape;

static const shape shapes[] = {
    {"generator 1", FORWARD, 500, 128, 256},
    {"generator 2", FORWARD, 500, 384, 256},
    {"generator out", FORWARD, 500, 640, 157},
    {"critic 1", FORWARD, 50, 1570, 256},
    {"critic 1, conditions", FORWARD, 50, 1040, 256},
    {"critic 2", FORWARD, 150, 256, 256},
    {"critic 2 back", BACK, 150, 256, 256},
    {"critic 1 back", BACK, 50, 256, 1570},
    {"critic 1 back, conditions", BACK, 50, 256, 1040},
    {"generator out back", BACK, 500, 157, 512},
    {"generator 2 back", BACK, 500, 256, 256},
    {"critic 1 weights", GRADIENT, 1570, 100, 256},
    {"critic 1 weights, conditions", GRADIENT, 1040, 50, 256},
    {"critic 2 weights", GRADIENT, 256, 150, 256},
    {"generator out weights", GRADIENT, 640, 500, 157},
    {"generator 2 weights", GRADIENT, 384, 500, 256},
    {"generator 1 weights", GRADIENT, 128, 500, 256},
    {"autoencoder in", FORWARD, 500, 157, 128},
    {"autoencoder", FORWARD, 500, 128, 128},
    {"autoencoder out", FORWARD, 500, 128, 157},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static int repeats = 200, rounds = ROUNDS;
static bool quick;

typedef struct setup {
    rf_device *device;
    shape size;
    size_t n_left, n_right, n_result;
    float *left, *right, *result; /* device */
    float *host_left, *host_right, *host_result;
} setup;

/* ------------------------------------------------------------------ memory */

static rf_code make_factor(const setup *s, size_t n, uint32_t step, const rf_draw *draw, float **host,
                           float **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_draw own = *draw;
    own.step = step;
    RF_TRY(RF_NEW_ARRAY(host, n, "a matrix", err));
    for (size_t i = 0; i < n; i++)
        (*host)[i] = 2 * rf_uniform_open(rf_philox_u32(own, (uint32_t)i)) - 1;
    RF_TRY(rf_device_alloc(s->device, (void **)out, n * sizeof(float), err));
    RF_TRY(rf_device_write(s->device, *out, *host, n * sizeof(float), err));
out:
    return rc;
}

static rf_code setup_make(setup *s, const rf_draw *draw, rf_error *err)
{
    rf_code rc = RF_OK;
    const size_t rows = (size_t)s->size.rows, depth = (size_t)s->size.depth, cols = (size_t)s->size.cols;
    s->n_result = rows * cols;
    RF_TRY(make_factor(s, rows * depth, 1, draw, &s->host_left, &s->left, err));
    RF_TRY(make_factor(s, depth * cols, 2, draw, &s->host_right, &s->right, err));
    RF_TRY(RF_NEW_ARRAY(&s->host_result, s->n_result, "a matrix", err));
    RF_TRY(rf_device_alloc(s->device, (void **)&s->result, s->n_result * sizeof(float), err));
out:
    return rc;
}

static void setup_free(setup *s)
{
    rf_device_forget(s->device, s);
    rf_device_free(s->device, s->left);
    rf_device_free(s->device, s->right);
    rf_device_free(s->device, s->result);
    rf_free(s->host_left);
    rf_free(s->host_right);
    rf_free(s->host_result);
}

/* ------------------------------------------------------------------ one product */

static rf_mat matrix(float *data, int32_t rows, int32_t cols)
{
    return (rf_mat){data, rows, cols, cols};
}

static void multiply(void *arg)
{
    const setup *s = arg;
    const struct rf_ops *ops = s->device->ops;
    const int32_t rows = s->size.rows, depth = s->size.depth, cols = s->size.cols;
    const rf_mat result = matrix(s->result, rows, cols);
    if (s->size.kind == FORWARD)
        ops->affine(
            s->device,
            &(rf_affine){.y = result, .x = matrix(s->left, rows, depth), .w = matrix(s->right, depth, cols)});
    else if (s->size.kind == BACK)
        ops->affine_back(s->device, &(rf_affine_back){.dx = result,
                                                      .dy = matrix(s->left, rows, depth),
                                                      .w = matrix(s->right, cols, depth)});
    else
        ops->update(s->device,
                    &(rf_update){.rows = rows,
                                 .cols = cols,
                                 .n_dense = 1,
                                 .dense = {{matrix(s->left, depth, rows), matrix(s->right, depth, cols)}},
                                 .grad = s->result});
}

static double element_of(const setup *s, int32_t r, int32_t c)
{
    const int64_t rows = s->size.rows, depth = s->size.depth, cols = s->size.cols;
    double sum = 0.0;
    for (int64_t k = 0; k < depth; k++) {
        const float left = s->host_left[s->size.kind == GRADIENT ? k * rows + r : r * depth + k];
        const float right = s->host_right[s->size.kind == BACK ? c * depth + k : k * cols + c];
        sum += (double)left * (double)right;
    }
    return sum;
}

/* The largest error of some rows, as a share of the root mean square of an element. */
static double error_of(const setup *s)
{
    double worst = 0.0;
    for (int32_t i = 0; i < CHECKED_ROWS; i++) {
        const int32_t r = (int32_t)((int64_t)i * (s->size.rows - 1) / (CHECKED_ROWS - 1));
        for (int32_t c = 0; c < s->size.cols; c++)
            worst = fmax(worst,
                         fabs(element_of(s, r, c) - (double)s->host_result[(int64_t)r * s->size.cols + c]));
    }
    return worst / (sqrt((double)s->size.depth) /
                    3.0); /* the product of two uniform numbers has the mean square 1/9 */
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of `rounds` times, in microseconds for each of `repeats` runs of `step`. */
static rf_code time_of(rf_device *device, const void *key, rf_step_fn step, void *arg, double *out,
                       rf_error *err)
{
    rf_code rc = RF_OK;
    double times[ROUNDS];
    rf_device_repeat(device, key, repeats, step, arg);
    RF_TRY(rf_device_sync(device, err));
    for (int i = 0; i < rounds; i++) {
        const double before = rf_clock_s();
        rf_device_repeat(device, key, repeats, step, arg);
        RF_TRY(rf_device_sync(device, err));
        times[i] = (rf_clock_s() - before) * 1e6 / repeats;
    }
    qsort(times, (size_t)rounds, sizeof times[0], by_size);
    *out = times[rounds / 2];
out:
    return rc;
}

/* Of error_of, in the order of rf_precision. Beyond these a product is wrong, not inexact. */
static const double bounds[] = {5e-5, 3e-3, 3e-2};

static rf_code measure(rf_device *device, const shape *size, rf_precision precision, const rf_draw *draw,
                       double *error, double *us, rf_error *err)
{
    rf_code rc = RF_OK;
    setup s = {.device = device, .size = *size};
    RF_TRY(setup_make(&s, draw, err));
    multiply(&s);
    RF_TRY(rf_device_read(device, s.host_result, s.result, s.n_result * sizeof(float), err));
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

/* For a look at the program itself, where a product takes long. */
static shape scaled(const shape *size)
{
    const int32_t by = quick ? 16 : 1;
    return (shape){size->name, size->kind, (size->rows - 1) / by + 1, (size->depth - 1) / by + 1,
                   (size->cols - 1) / by + 1};
}

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
        const shape size = scaled(&shapes[i]);
        RF_TRY(measure(device, &size, precision, &draw, &error, &us, err));
        printf("%s\n  {\"product\": \"%s\", \"construction\": \"%s\", \"precision\": \"%s\", \"rows\": %d, "
               "\"depth\": %d, "
               "\"cols\": %d, \"error\": %.3g, \"us\": %.2f, \"gflops\": %.1f}",
               *first ? "" : ",", shapes[i].name, constructions[construction], precisions[precision],
               (int)size.rows, (int)size.depth, (int)size.cols, error, us,
               2e-3 * (double)size.rows * (double)size.depth * (double)size.cols / us);
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
    quick = argc > 1 && strcmp(argv[argc - 1], "--quick") == 0;
    argc -= quick;
    if (quick)
        repeats = rounds = 1;
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
    printf("{\"device\": \"%s\", \"quick\": %s, \"products\": [", name, quick ? "true" : "false");
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
