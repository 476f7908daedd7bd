/* test_generator.c - batch normalisation and span activation: forward against oracles, back against finite differences. */
#include "rig.h"

#include <math.h>

#include "kernels/math/math32.h"

static double *new_doubles(int64_t n)
{
    double *out = calloc((size_t)n, sizeof *out);
    assert_non_null(out);
    return out;
}

/* ------------------------------------------------------------------ batch normalisation */

/* a (rows, cols) in, h out. */
static void norm_oracle(double *h, const double *a, const double *gamma, const double *beta, int32_t rows,
                        int32_t cols)
{
    for (int32_t c = 0; c < cols; c++) {
        double mean = 0.0, var = 0.0;
        for (int32_t r = 0; r < rows; r++)
            mean += a[r * cols + c] / rows;
        for (int32_t r = 0; r < rows; r++)
            var += (a[r * cols + c] - mean) * (a[r * cols + c] - mean) / rows;
        for (int32_t r = 0; r < rows; r++) {
            double y = gamma[c] * (a[r * cols + c] - mean) / sqrt(var + 1e-5) + beta[c];
            h[r * cols + c] = y < 0.0 ? 0.0 : y;
        }
    }
}

typedef struct norm_data {
    rig_state rig;
    rf_batchnorm_relu op;
    double *a, *gamma, *beta, *h;
} norm_data;

static void norm_begin(norm_data *d, int32_t rows, int32_t cols, float shift)
{
    rig_begin(&d->rig, 31);
    float *gamma = rig_vector(&d->rig, cols), *beta = rig_vector(&d->rig, cols);
    d->op = (rf_batchnorm_relu){.h = rig_mat(&d->rig, rows, cols, cols + 7),
                                .a = rig_mat(&d->rig, rows, cols, cols + 2)};
    d->op.gamma = gamma;
    d->op.beta = beta;
    d->op.mean = rig_vector(&d->rig, cols);
    d->op.rstd = rig_vector(&d->rig, cols);
    d->a = new_doubles((int64_t)rows * cols);
    d->h = new_doubles((int64_t)rows * cols);
    d->gamma = new_doubles(cols);
    d->beta = new_doubles(cols);
    for (int32_t c = 0; c < cols; c++) {
        d->gamma[c] = (double)gamma[c];
        d->beta[c] = (double)beta[c];
        for (int32_t r = 0; r < rows; r++) {
            d->op.a.data[r * d->op.a.ld + c] += shift;
            d->a[r * cols + c] = (double)d->op.a.data[r * d->op.a.ld + c];
        }
    }
}

static void norm_end(norm_data *d)
{
    free(d->a), free(d->h), free(d->gamma), free(d->beta);
    rig_end(&d->rig);
}

static void check_norm(int32_t rows, int32_t cols, float shift, double tolerance)
{
    norm_data d;
    norm_begin(&d, rows, cols, shift);
    norm_oracle(d.h, d.a, d.gamma, d.beta, rows, cols);
    rig_run(&d.rig, RIG_OP(batchnorm_relu, &d.op));
    rig_near("h", d.op.h, d.h, tolerance, 1e-5);
    norm_end(&d);
}

static void batchnorm_normalises_columns(void **state)
{
    (void)state;
    check_norm(500, 256, 0.0f, 1e-5);
    check_norm(7, 33, 0.0f, 1e-4);
    check_norm(31, 1, 0.5f, 1e-4);
    check_norm(2, 157, 0.0f, 1e-3);
    check_norm(1, 31, 0.0f, 1e-5);
    check_norm(257, 64, 1000.0f, 2e-2); /* the mean is 1,700 standard deviations from zero */
}

/* L = sum of weight * h, so that dh = weight. */
static double norm_loss(norm_data *d, const double *weight)
{
    int32_t rows = d->op.a.rows, cols = d->op.a.cols;
    double loss = 0.0;
    norm_oracle(d->h, d->a, d->gamma, d->beta, rows, cols);
    for (int64_t i = 0; i < (int64_t)rows * cols; i++)
        loss += weight[i] * d->h[i];
    return loss;
}

static double slope_of(double (*loss)(norm_data *, const double *), norm_data *d, const double *weight,
                       double *x)
{
    const double step = 1e-6, was = *x;
    *x = was + step;
    double up = loss(d, weight);
    *x = was - step;
    double down = loss(d, weight);
    *x = was;
    return (up - down) / (2.0 * step);
}

static void check_norm_back(int32_t rows, int32_t cols, bool in_place)
{
    norm_data d;
    norm_begin(&d, rows, cols, 0.25f);
    rig_device()->ops->batchnorm_relu(rig_device(), &d.op);
    rig_sync();
    rf_batchnorm_relu_back op = {
        .h = d.op.h, .a = d.op.a, .gamma = d.op.gamma, .mean = d.op.mean, .rstd = d.op.rstd};
    op.dh = rig_mat(&d.rig, rows, cols, cols + 1);
    op.da = in_place ? op.dh : rig_mat(&d.rig, rows, cols, cols);
    op.dgamma = rig_vector(&d.rig, cols);
    op.dbeta = rig_vector(&d.rig, cols);
    double *weight = new_doubles((int64_t)rows * cols), *da = new_doubles((int64_t)rows * cols);
    double *dgamma = new_doubles(cols), *dbeta = new_doubles(cols);
    for (int64_t i = 0; i < (int64_t)rows * cols; i++)
        weight[i] = (double)op.dh.data[i / cols * op.dh.ld + i % cols];
    for (int64_t i = 0; i < (int64_t)rows * cols; i++)
        da[i] = slope_of(norm_loss, &d, weight, &d.a[i]);
    for (int32_t c = 0; c < cols; c++) {
        dgamma[c] = slope_of(norm_loss, &d, weight, &d.gamma[c]);
        dbeta[c] = slope_of(norm_loss, &d, weight, &d.beta[c]);
    }
    rig_run(&d.rig, RIG_OP(batchnorm_relu_back, &op));
    rig_near("da", op.da, da, 2e-5, 1e-4);
    rig_near_vector("dgamma", op.dgamma, dgamma, cols, 5e-5, 1e-4);
    rig_near_vector("dbeta", op.dbeta, dbeta, cols, 5e-5, 1e-4);
    free(weight), free(da), free(dgamma), free(dbeta);
    norm_end(&d);
}

static void batchnorm_back_meets_finite_differences(void **state)
{
    (void)state;
    check_norm_back(31, 33, false);
    check_norm_back(50, 7, true);
    check_norm_back(33, 1, false);
}

/* ------------------------------------------------------------------ activation */

static double gumbel_of(const rf_noise *noise, int64_t element)
{
    rf_draw draw = {
        .seed = noise->seed, .step = *noise->step, .purpose = noise->purpose, .trial = noise->trial};
    return (double)rf_gumbel_f32(rf_philox_u32(draw, (uint32_t)element));
}

/* One row of logits through the spans; noise == NULL adds none. */
static void activate_oracle(double *out, const double *logits, const rf_layout *layout, double tau,
                            const rf_noise *noise, int64_t row)
{
    for (int32_t i = 0; i < layout->n_spans; i++) {
        const rf_span *span = &layout->spans[i];
        const double *l = logits + span->offset;
        double *y = out + span->offset, sum = 0.0, top = -INFINITY;
        if (span->kind == RF_SPAN_SCALAR) {
            *y = tanh(*l);
            continue;
        }
        for (int32_t c = 0; c < span->width; c++) {
            y[c] = (l[c] + (noise ? gumbel_of(noise, row * layout->width + span->offset + c) : 0.0)) / tau;
            top = fmax(top, y[c]);
        }
        for (int32_t c = 0; c < span->width; c++)
            sum += y[c] = exp(y[c] - top);
        for (int32_t c = 0; c < span->width; c++)
            y[c] /= sum;
    }
}

static const int32_t mixed[] = {0, 10, 9, 0, 16, 300, 2}, scalars[] = {0, 0, 0}, codes[] = {7, 1, 31, 1000};

static void check_activate(const int32_t *widths, int32_t n, int32_t rows, float tau)
{
    rig_state rig;
    rig_layout layout;
    rig_begin(&rig, 32);
    rig_layout_make(&layout, widths, n, 0);
    int32_t width = layout.layout.width;
    rf_activate op = {.out = rig_mat(&rig, rows, width, width + 3), .layout = &layout.layout, .tau = tau};
    op.logits = rig_mat(&rig, rows, width, width + 1);
    op.noise = (rf_noise){.seed = 77, .step = rig_step(5), .purpose = RF_DRAW_GUMBEL_D};
    double *wanted = new_doubles((int64_t)rows * width), *row = new_doubles(width);
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t c = 0; c < width; c++)
            row[c] = (double)(op.logits.data[r * op.logits.ld + c] *= 3.0f);
        activate_oracle(wanted + (int64_t)r * width, row, &layout.layout, (double)tau, &op.noise, r);
    }
    rig_run(&rig, RIG_OP(activate, &op));
    rig_near("out", op.out, wanted, 1e-6, 3e-5);
    free(wanted), free(row);
    rig_end(&rig);
}

static void activate_agrees_with_its_oracle(void **state)
{
    (void)state;
    check_activate(mixed, 7, 33, 0.2f);
    check_activate(scalars, 3, 7, 0.2f);
    check_activate(codes, 4, 31, 1.0f);
    check_activate(codes, 1, 1, 0.2f);
}

static void activate_passes_a_nan_on(void **state)
{
    (void)state;
    rig_state rig;
    rig_layout layout;
    static const int32_t widths[] = {0, 5, 4};
    rig_begin(&rig, 33);
    rig_layout_make(&layout, widths, 3, 0);
    rf_activate op = {.out = rig_mat(&rig, 1, 10, 10),
                      .logits = rig_mat(&rig, 1, 10, 10),
                      .layout = &layout.layout,
                      .tau = 0.2f};
    op.noise = (rf_noise){.seed = 1, .step = rig_step(5)};
    op.logits.data[4] = NAN;
    rig_run(&rig, RIG_OP(activate, &op));
    for (int32_t c = 0; c < 10; c++)
        assert_int_equal(isnan(op.out.data[c]) != 0, c >= 1 && c < 6);
    rig_end(&rig);
}

typedef struct activate_data {
    const rf_layout *layout;
    const double *weight, *gumbel_free;
    double tau;
    int32_t entry, column;
    const int32_t *condition_span;
    int32_t rows;
} activate_data;

/* weight . activate(l + fixed noise) + the conditional loss / rows, of one row. The fixed noise is folded into `shift`. */
static double activate_loss(const activate_data *d, const double *l, const double *shift)
{
    int32_t width = d->layout->width;
    double *x = new_doubles(width), *y = new_doubles(width), loss = 0.0;
    for (int32_t c = 0; c < width; c++)
        x[c] = l[c] + shift[c];
    activate_oracle(y, x, d->layout, d->tau, NULL, 0);
    for (int32_t c = 0; c < width; c++)
        loss += d->weight[c] * y[c];
    if (d->entry >= 0) {
        const rf_span *span = &d->layout->spans[d->condition_span[d->column]];
        double sum = 0.0;
        for (int32_t c = 0; c < span->width; c++)
            sum += exp(l[span->offset + c]);
        loss += (log(sum) - l[span->offset + d->entry - span->cond_offset]) / d->rows;
    }
    free(x), free(y);
    return loss;
}

static void check_activate_back(const int32_t *widths, int32_t n, int32_t n_conditions, int32_t rows)
{
    rig_state rig;
    rig_layout layout;
    rig_begin(&rig, 34);
    rig_layout_make(&layout, widths, n, n_conditions);
    const rf_layout *L = &layout.layout;
    int32_t width = L->width, *condition_span = rig_ids(&rig, 32, 1);
    for (int32_t i = 0; i < n; i++)
        if (L->spans[i].condition >= 0)
            condition_span[L->spans[i].condition] = i;
    rf_activate forward = {.out = rig_mat(&rig, rows, width, width),
                           .logits = rig_mat(&rig, rows, width, width + 2),
                           .layout = L,
                           .tau = 0.5f};
    forward.noise = (rf_noise){.seed = 7, .step = rig_step(5), .purpose = RF_DRAW_GUMBEL_G};
    rig_device()->ops->activate(rig_device(), &forward);
    rig_sync();
    rf_activate_back op = {.dlogits = rig_mat(&rig, rows, width, width + 1),
                           .dout = rig_mat(&rig, rows, width, width),
                           .out = forward.out};
    op.logits = forward.logits;
    op.layout = L;
    op.tau = 0.5f;
    op.condition_span = condition_span;
    op.loss = rig_vector(&rig, 1);
    int32_t *entries = rig_ids(&rig, rows, 1),
            *columns = rig_ids(&rig, rows, n_conditions > 0 ? n_conditions : 1);
    for (int32_t r = 0; n_conditions > 0 && r < rows; r++) {
        const rf_span *span = &L->spans[condition_span[columns[r]]];
        entries[r] = span->cond_offset + rig_below(&rig, span->width);
    }
    op.entries = n_conditions > 0 ? entries : NULL;
    op.columns = columns;
    double *wanted = new_doubles((int64_t)rows * width), *l = new_doubles(width), *shift = new_doubles(width),
           *weight = new_doubles(width);
    double cross_entropy = 0.0;
    for (int32_t r = 0; r < rows; r++) {
        activate_data d = {.layout = L,
                           .weight = weight,
                           .tau = 0.5,
                           .entry = n_conditions > 0 ? entries[r] : -1,
                           .column = columns[r],
                           .condition_span = condition_span,
                           .rows = rows};
        for (int32_t i = 0; i < n; i++)
            for (int32_t c = L->spans[i].offset; c < L->spans[i].offset + L->spans[i].width; c++) {
                l[c] = (double)op.logits.data[r * op.logits.ld + c];
                weight[c] = 0.0;
                shift[c] = L->spans[i].kind == RF_SPAN_CODE
                               ? gumbel_of(&forward.noise, (int64_t)r * width + c)
                               : 0.0;
            }
        cross_entropy += activate_loss(&d, l, shift);
        for (int32_t c = 0; c < width; c++)
            weight[c] = (double)op.dout.data[r * op.dout.ld + c];
        for (int32_t c = 0; c < width; c++) {
            double was = l[c];
            l[c] = was + 1e-5;
            double up = activate_loss(&d, l, shift);
            l[c] = was - 1e-5;
            wanted[(int64_t)r * width + c] = (up - activate_loss(&d, l, shift)) / 2e-5;
            l[c] = was;
        }
    }
    rig_run(&rig, RIG_OP(activate_back, &op));
    rig_near("dlogits", op.dlogits, wanted, 3e-6, 1e-4);
    assert_near((double)*op.loss, cross_entropy, 1e-5);
    free(wanted), free(l), free(shift), free(weight);
    rig_end(&rig);
}

static void activate_back_meets_finite_differences(void **state)
{
    (void)state;
    static const int32_t small[] = {0, 10, 0, 9, 33};
    check_activate_back(small, 5, 2, 31);
    check_activate_back(small, 5, 0, 7);
    check_activate_back(scalars, 3, 0, 33);
    check_activate_back(codes, 3, 3, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batchnorm_normalises_columns),
        cmocka_unit_test(batchnorm_back_meets_finite_differences),
        cmocka_unit_test(activate_agrees_with_its_oracle),
        cmocka_unit_test(activate_passes_a_nan_on),
        cmocka_unit_test(activate_back_meets_finite_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
