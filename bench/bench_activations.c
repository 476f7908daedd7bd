/* bench_activations.c - how exact each precision is on what a training really multiplies.
 *
 *     bench_activations [cuda:0] [table.csv] [steps]      (a generated table and 100 steps where nothing is said; "small" for a table: tiny sizes)
 *
 * A CTGAN takes some steps; then its last hidden layers (ReLU of normalised numbers: sparse, one-sided) and the weights behind them are
 * read, and their product is made anew in each precision and held to double precision. Figures are the largest and the root mean square
 * error over all elements, as shares of the product's root mean square. One JSON document.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "engine/model/ctgan.h"
#include "engine/table/demo.h"
#include "engine/transform/transform.h"

typedef struct setup {
    rf_device *device;
    rf_table *table;
    rf_transform *transform;
    rf_coded rows;
    rf_model *model;
    float *x, *w; /* (n, depth), (depth, cols) */
    int32_t n, depth, cols;
} setup;

/* ------------------------------------------------------------------ a training */

static rf_code train(setup *s, const char *device, const char *path, int64_t steps, rf_error *err)
{
    rf_code rc = RF_OK;
    const bool small = path && strcmp(path, "small") == 0;
    const rf_transform_options options = {.seed = 1};
    rf_losses losses;
    if (path && !small)
        RF_TRY(rf_table_read(&s->table, path, &(rf_table_options){0}, NULL, err));
    else
        RF_TRY(rf_demo_table(&s->table, small ? 200 : 20000, 1, err));
    RF_TRY(rf_device_open(&s->device, device, 0, err));
    RF_TRY(rf_transform_fit(&s->transform, s->table, &options, s->device->pool, NULL, err));
    RF_TRY(rf_transform_apply(s->transform, s->table, 1, s->device->pool, &s->rows, err));
    rf_model_setup with = {.device = s->device,
                           .layout = rf_transform_layout(s->transform),
                           .condition_counts = rf_transform_condition_counts(s->transform),
                           .n_rows = s->rows.n_rows,
                           .seed = 1};
    rf_params_init(&with.params, RF_MODEL_CTGAN);
    with.params.batch_size = small ? 20 : 500;
    if (small)
        with.params.generator_dim = with.params.discriminator_dim = (rf_dims){2, {16, 16}};
    const rf_model_class *type = rf_model_class_find(RF_MODEL_CTGAN);
    RF_TRY(type->create(&s->model, &with, err));
    RF_TRY(type->attach(s->model, &s->rows, err));
    RF_TRY(type->train(s->model, steps, &losses, err));
out:
    return rc;
}

static rf_code read_factors(setup *s, rf_error *err)
{
    rf_code rc = RF_OK;
    const rfi_generator *g = &((const rfi_ctgan *)(const void *)s->model)->generator;
    s->n = (int32_t)s->model->setup.params.batch_size;
    s->depth = g->x_width;
    s->cols = g->w->cols;
    const size_t nx = (size_t)s->n * (size_t)s->depth, nw = (size_t)s->depth * (size_t)s->cols;
    RF_TRY(RF_NEW_ARRAY(&s->x, nx, "activations", err));
    RF_TRY(RF_NEW_ARRAY(&s->w, nw, "weights", err));
    RF_TRY(rf_device_read(s->device, s->x, g->trained.x, nx * sizeof *s->x, err));
    RF_TRY(rf_device_read(s->device, s->w, g->w->w, nw * sizeof *s->w, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ the product */

typedef struct errors {
    double largest, rms;
} errors;

static errors compare(const setup *s, const float *y)
{
    double largest = 0, squares = 0, size = 0;
    for (int64_t r = 0; r < s->n; r++)
        for (int64_t c = 0; c < s->cols; c++) {
            double sum = 0;
            for (int64_t k = 0; k < s->depth; k++)
                sum += (double)s->x[r * s->depth + k] * (double)s->w[k * s->cols + c];
            const double error = fabs((double)y[r * s->cols + c] - sum);
            largest = fmax(largest, error);
            squares += error * error;
            size += sum * sum;
        }
    return (errors){largest / sqrt(size / ((double)s->n * s->cols)), sqrt(squares / size)};
}

static rf_code multiply(const setup *s, const char *name, rf_precision precision, errors *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_device *device = NULL;
    float *x = NULL, *w = NULL, *y = NULL, *host = NULL;
    const rf_device_options options = {.precision = precision};
    const size_t nx = (size_t)s->n * (size_t)s->depth * sizeof(float),
                 nw = (size_t)s->depth * (size_t)s->cols * sizeof(float),
                 ny = (size_t)s->n * (size_t)s->cols * sizeof(float);
    RF_TRY(rf_device_open_with(&device, name, &options, err));
    RF_TRY(rf_device_alloc(device, (void **)&x, nx, err));
    RF_TRY(rf_device_alloc(device, (void **)&w, nw, err));
    RF_TRY(rf_device_alloc(device, (void **)&y, ny, err));
    RF_TRY(RF_NEW_ARRAY(&host, ny / sizeof *host, "a product", err));
    RF_TRY(rf_device_write(device, x, s->x, nx, err));
    RF_TRY(rf_device_write(device, w, s->w, nw, err));
    device->ops->affine(device, &(rf_affine){.y = {y, s->n, s->cols, s->cols},
                                             .x = {x, s->n, s->depth, s->depth},
                                             .w = {w, s->depth, s->cols, s->cols}});
    RF_TRY(rf_device_read(device, host, y, ny, err));
    *out = compare(s, host);
out:
    if (device) {
        rf_device_free(device, x);
        rf_device_free(device, w);
        rf_device_free(device, y);
    }
    rf_free(host);
    rf_device_close(device);
    return rc;
}

/* ------------------------------------------------------------------ everything */

static void setup_free(setup *s)
{
    if (s->model)
        s->model->type->free(s->model);
    rf_free(s->x);
    rf_free(s->w);
    rf_coded_free(&s->rows);
    rf_transform_free(s->transform);
    rf_table_free(s->table);
    rf_device_close(s->device);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"3xtf32", "tf32", "bf16"};
    static const double bounds[] = {1e-5, 1e-2, 1e-1};
    rf_code rc = RF_OK;
    rf_error error = {0}, *err = &error;
    setup s = {0};
    const char *device = argc > 1 ? argv[1] : "cpu";
    RF_TRY(train(&s, device, argc > 2 ? argv[2] : NULL, argc > 3 ? strtol(argv[3], NULL, 10) : 100, err));
    RF_TRY(read_factors(&s, err));
    printf("{\"device\": \"%s\", \"rows\": %d, \"depth\": %d, \"cols\": %d, \"activations\": [", device,
           (int)s.n, (int)s.depth, (int)s.cols);
    for (int p = 0; p < RF_PRECISION_COUNT; p++) {
        errors e = {0};
        RF_TRY(multiply(&s, device, (rf_precision)p, &e, err));
        if (!(e.rms < bounds[p]))
            RF_TRY(rf_fail(err, RF_INTERNAL, "in precision %s the product is wrong by %.3g of its size",
                           names[p], e.rms));
        printf("%s\n  {\"precision\": \"%s\", \"largest_error\": %.3g, \"rms_error\": %.3g}", p ? "," : "",
               names[p], e.largest, e.rms);
    }
    printf("]}\n");
out:
    if (rc != RF_OK)
        fprintf(stderr, "bench_activations: %s (%s)\n", error.message, error.detail);
    setup_free(&s);
    return rc != RF_OK;
}
