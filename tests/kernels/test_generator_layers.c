/* test_generator_layers.c - the generator's compounds, there and back, against plain loops in double precision.
 *
 * As the model lays it out: x holds [h_L | ... | h_1 | z], a layer reads what is behind its own h.
 */
#include "oracle.h"

#include <math.h>

enum { LAYERS = 3, SPANS_MAX = 70 };

typedef struct generator_case {
    int32_t rows, batches, n_layers, width[LAYERS], noise, out, entries;
    int32_t span[4], n_spans, n_conditions; /* of the way back: the activation of `out`; n_spans 0: none */
} generator_case;

/* Where layer l's h begins in x; l = -1: the noise. */
static int32_t front_of(const generator_case *c, int32_t l)
{
    int32_t at = 0;
    for (int32_t i = l + 1; i < c->n_layers; i++)
        at += c->width[i];
    return at;
}

static rf_mat columns_of(rf_mat mat, int32_t first, int32_t n)
{
    mat.data += first;
    mat.cols = n;
    return mat;
}

static rf_affine generator_affine(rig_state *rig, const generator_case *c, rf_mat x, int32_t from, rf_mat y,
                                  const int32_t *ids)
{
    const rf_mat input = columns_of(x, from, x.cols - from);
    rf_affine op = {.y = y, .x = input, .w = rig_mat(rig, input.cols, y.cols, y.cols)};
    if (c->entries > 0) {
        op.gather = rig_mat(rig, c->entries, y.cols, y.cols);
        op.ids = ids;
        op.n_ids = 1;
        op.gather_stride = c->entries;
    }
    return op;
}

static void generate_make(rig_state *rig, const generator_case *c, rf_generate *op, rf_mat *x)
{
    const int32_t all = c->rows * c->batches, width = front_of(c, -1) + c->noise;
    const int32_t *ids = rig_ids(rig, all, c->entries > 0 ? c->entries : 1);
    *x = rig_mat(rig, all, width, width + 1);
    *op = (rf_generate){.n_layers = c->n_layers};
    for (int32_t l = 0; l < c->n_layers; l++) {
        const int32_t n = c->width[l];
        const rf_mat a = rig_mat(rig, all, n, n);
        op->layer[l].affine = generator_affine(rig, c, *x, front_of(c, l - 1), a, ids);
        op->layer[l].norm.n = c->batches;
        const float *gamma = rig_vector(rig, n), *beta = rig_vector(rig, n);
        float *mean = rig_vector(rig, c->batches * n), *rstd = rig_vector(rig, c->batches * n);
        for (int32_t i = 0; i < c->batches; i++)
            op->layer[l].norm.batch[i] =
                (rf_batchnorm_relu){.h = columns_of(rows_of(*x, i * c->rows, c->rows), front_of(c, l), n),
                                    .a = rows_of(a, i * c->rows, c->rows),
                                    .gamma = gamma,
                                    .beta = beta,
                                    .mean = mean + i * n,
                                    .rstd = rstd + i * n};
    }
    op->output = generator_affine(rig, c, *x, 0, rig_mat(rig, all, c->out, c->out + 3), ids);
    op->output.bias = rig_vector(rig, c->out);
}

/* Row by row into y, from the x that is known so far. */
static void product_oracle(double *y, const rf_affine *op, const double *x, int32_t x_width)
{
    const int32_t from = x_width - op->x.cols;
    for (int32_t r = 0; r < op->y.rows; r++)
        for (int32_t c = 0; c < op->y.cols; c++) {
            double sum = op->bias ? (double)op->bias[c] : 0.0;
            for (int32_t k = 0; k < op->x.cols; k++)
                sum += x[(int64_t)r * x_width + from + k] * at(op->w, k, c);
            if (op->gather.data)
                sum += at(op->gather, op->ids[r], c);
            y[(int64_t)r * op->y.cols + c] = sum;
        }
}

/* h of one batch into its columns of x, and the statistics. */
static void norm_oracle(double *x, int32_t x_width, double *mean, double *rstd, const double *a,
                        const rf_batchnorm_relu *op)
{
    const int32_t rows = op->a.rows, cols = op->a.cols;
    for (int32_t c = 0; c < cols; c++) {
        double squares = 0.0;
        mean[c] = 0.0;
        for (int32_t r = 0; r < rows; r++)
            mean[c] += a[r * cols + c] / rows;
        for (int32_t r = 0; r < rows; r++)
            squares += (a[r * cols + c] - mean[c]) * (a[r * cols + c] - mean[c]);
        rstd[c] = 1.0 / sqrt(squares / rows + 1e-5);
        for (int32_t r = 0; r < rows; r++) {
            const double h =
                (double)op->gamma[c] * (a[r * cols + c] - mean[c]) * rstd[c] + (double)op->beta[c];
            x[(int64_t)r * x_width + c] = h > 0.0 ? h : 0.0;
        }
    }
}

/* `once`: on one path only, where all of them would take long. */
static void check_generate(const generator_case *c, bool once)
{
    rig_state rig;
    rf_generate op;
    rf_mat x;
    rig_begin(&rig, 58);
    generate_make(&rig, c, &op, &x);
    double *known = doubles((int64_t)x.rows * x.cols), *a[LAYERS], *mean[LAYERS], *rstd[LAYERS];
    double *logits = doubles((int64_t)x.rows * c->out);
    for (int32_t r = 0; r < x.rows; r++)
        for (int32_t k = 0; k < x.cols; k++)
            known[(int64_t)r * x.cols + k] = at(x, r, k);
    for (int32_t l = 0; l < c->n_layers; l++) {
        const int32_t n = c->width[l];
        a[l] = doubles((int64_t)x.rows * n);
        mean[l] = doubles(c->batches * n);
        rstd[l] = doubles(c->batches * n);
        product_oracle(a[l], &op.layer[l].affine, known, x.cols);
        for (int32_t i = 0; i < c->batches; i++)
            norm_oracle(known + (int64_t)i * c->rows * x.cols + front_of(c, l), x.cols, mean[l] + i * n,
                        rstd[l] + i * n, a[l] + (int64_t)i * c->rows * n, &op.layer[l].norm.batch[i]);
    }
    product_oracle(logits, &op.output, known, x.cols);
    if (once) {
        rig_device()->ops->generate(rig_device(), &op);
        rig_sync();
    } else {
        rig_run(&rig, RIG_OP(generate, &op));
    }
    for (int32_t l = 0; l < c->n_layers; l++) {
        const int32_t n = c->batches * c->width[l];
        rig_near("a", op.layer[l].affine.y, a[l], 1e-4, 1e-5);
        rig_near_vector("mean", op.layer[l].norm.batch[0].mean, mean[l], n, 1e-4, 1e-5);
        rig_near_vector("rstd", op.layer[l].norm.batch[0].rstd, rstd[l], n, 1e-4, 1e-4);
        free(a[l]), free(mean[l]), free(rstd[l]);
    }
    rig_near("x", x, known, 2e-4, 1e-4);
    rig_near("logits", op.output.y, logits, 2e-3, 1e-4);
    free(known), free(logits);
    rig_end(&rig);
}

static void the_generators_layers_agree_with_plain_loops(void **state)
{
    (void)state;
    static const generator_case cases[] = {
        {.rows = 1, .batches = 1, .n_layers = 1, .width = {1}, .noise = 1, .out = 1},
        {.rows = 7, .batches = 2, .n_layers = 2, .width = {31, 33}, .noise = 5, .out = 17, .entries = 7},
        {.rows = 33, .batches = 2, .n_layers = 1, .width = {7}, .noise = 31, .out = 70, .entries = 5},
        {.rows = 50, .batches = 2, .n_layers = 3, .width = {33, 31, 1}, .noise = 8, .out = 31, .entries = 3},
        {.rows = 257, .batches = 1, .n_layers = 1, .width = {31}, .noise = 7, .out = 40, .entries = 9},
        /* cut along the depth; wide tiles */
        {.rows = 15, .batches = 1, .n_layers = 2, .width = {20, 270}, .noise = 300, .out = 9},
        {.rows = 157, .batches = 2, .n_layers = 2, .width = {70, 257}, .noise = 33, .out = 65},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_generate(&cases[i], false);
}

/* The list of spans, again and again up to n_spans. */
static void spans_make(const generator_case *c, rf_span *spans, rf_layout *layout)
{
    *layout = (rf_layout){.spans = spans, .n_spans = c->n_spans};
    for (int32_t i = 0; i < c->n_spans; i++) {
        const int32_t width = c->span[i % 4];
        spans[i] = (rf_span){.kind = width ? RF_SPAN_CODE : RF_SPAN_SCALAR,
                             .offset = layout->width,
                             .width = width ? width : 1,
                             .source = width ? layout->n_codes++ : layout->n_scalars++,
                             .condition = -1};
        layout->width += spans[i].width;
        if (width && layout->n_conditions < c->n_conditions) {
            spans[i].condition = layout->n_conditions++;
            spans[i].cond_offset = layout->condition_width;
            layout->condition_width += width;
        }
    }
}

static rf_activate_back activate_back_make(rig_state *rig, const generator_case *c, rf_mat dlogits,
                                           const rf_layout *layout)
{
    rf_activate_back op = {.dlogits = dlogits,
                           .dout = rig_mat(rig, c->rows, c->out, c->out),
                           .out = rig_mat(rig, c->rows, c->out, c->out + 1),
                           .logits = rig_mat(rig, c->rows, c->out, c->out + 3),
                           .layout = layout,
                           .tau = 0.2f,
                           .loss = rig_vector(rig, 1)};
    if (c->n_conditions == 0)
        return op;
    int32_t *spans = rig_ids(rig, c->n_conditions, 1), *columns = rig_ids(rig, c->rows, c->n_conditions);
    int32_t *entries = rig_ids(rig, c->rows, 1);
    for (int32_t i = 0; i < layout->n_spans; i++)
        if (layout->spans[i].condition >= 0)
            spans[layout->spans[i].condition] = i;
    for (int32_t r = 0; r < c->rows; r++) {
        const rf_span *span = &layout->spans[spans[columns[r]]];
        entries[r] = span->cond_offset + rig_below(rig, span->width);
    }
    op.condition_span = spans;
    op.columns = columns;
    op.entries = entries;
    return op;
}

/* dlogits, and the loss. */
static double activate_back_oracle(double *dlogits, const rf_activate_back *op)
{
    const rf_layout *layout = op->layout;
    const int32_t rows = op->out.rows, width = layout->width;
    double loss = 0.0;
    for (int32_t r = 0; r < rows; r++) {
        double *dl = dlogits + (int64_t)r * width;
        for (int32_t i = 0; i < layout->n_spans; i++) {
            const rf_span *span = &layout->spans[i];
            double dot = 0.0;
            for (int32_t k = span->offset; k < span->offset + span->width; k++)
                dot += at(op->dout, r, k) * at(op->out, r, k);
            for (int32_t k = span->offset; k < span->offset + span->width; k++)
                dl[k] = span->kind == RF_SPAN_SCALAR
                            ? at(op->dout, r, k) * (1.0 - at(op->out, r, k) * at(op->out, r, k))
                            : at(op->out, r, k) * (at(op->dout, r, k) - dot) / (double)op->tau;
        }
        if (!op->entries)
            continue;
        const rf_span *span = &layout->spans[op->condition_span[op->columns[r]]];
        const int32_t target = span->offset + op->entries[r] - span->cond_offset;
        double sum = 0.0;
        for (int32_t k = span->offset; k < span->offset + span->width; k++)
            sum += exp(at(op->logits, r, k));
        for (int32_t k = span->offset; k < span->offset + span->width; k++)
            dl[k] += (exp(at(op->logits, r, k)) / sum - (k == target ? 1.0 : 0.0)) / rows;
        loss += (log(sum) - at(op->logits, r, target)) / rows;
    }
    return loss;
}

/* The way back of a case: rows of one batch. x, a and the statistics are any numbers. */
static void generate_back_make(rig_state *rig, const generator_case *c, bool in_place,
                               const rf_layout *layout, rf_generate_back *op, rf_mat *dx)
{
    const int32_t hidden = front_of(c, -1);
    const rf_mat h = rig_mat(rig, c->rows, hidden, hidden + 2);
    const rf_mat da = rig_mat(rig, c->rows, hidden, hidden + 1);
    *dx = rig_mat(rig, c->rows, hidden, hidden + 1);
    *op = (rf_generate_back){.n_layers = c->n_layers,
                             .output = {.dx = *dx,
                                        .dy = rig_mat(rig, c->rows, c->out, c->out + 1),
                                        .w = rig_mat(rig, hidden, c->out, c->out)}};
    if (c->n_spans > 0)
        op->activate = activate_back_make(rig, c, op->output.dy, layout);
    for (int32_t i = 0; i < c->n_layers; i++) {
        const int32_t l = c->n_layers - 1 - i, n = c->width[l], from = front_of(c, l - 1);
        const rf_mat dh = columns_of(*dx, front_of(c, l), n);
        op->layer[i].norm = (rf_batchnorm_relu_back){.da = in_place ? dh : columns_of(da, front_of(c, l), n),
                                                     .dh = dh,
                                                     .h = columns_of(h, front_of(c, l), n),
                                                     .a = rig_mat(rig, c->rows, n, n + i),
                                                     .gamma = rig_vector(rig, n),
                                                     .mean = rig_vector(rig, n),
                                                     .rstd = rig_vector(rig, n),
                                                     .dgamma = rig_vector(rig, n),
                                                     .dbeta = rig_vector(rig, n)};
        if (l > 0)
            op->layer[i].back = (rf_affine_back){.dx = columns_of(*dx, from, hidden - from),
                                                 .dy = op->layer[i].norm.da,
                                                 .w = rig_mat(rig, hidden - from, n, n),
                                                 .accumulate = true};
    }
}

/* dx += dy w^T, from column `from` of dx on; dy and dx as they are known, rows of `pitch`. */
static void back_oracle(double *dx, int32_t pitch, const double *dy, int32_t dy_pitch,
                        const rf_affine_back *op)
{
    for (int32_t r = 0; r < op->dx.rows; r++)
        for (int32_t k = 0; k < op->dx.cols; k++)
            for (int32_t n = 0; n < op->dy.cols; n++)
                dx[(int64_t)r * pitch + k] += dy[(int64_t)r * dy_pitch + n] * at(op->w, k, n);
}

/* dh to da where it stands. */
static void norm_back_oracle(double *dh, int32_t pitch, double *dgamma, double *dbeta,
                             const rf_batchnorm_relu_back *op)
{
    const int32_t rows = op->a.rows;
    for (int32_t c = 0; c < op->a.cols; c++) {
        const double mean = (double)op->mean[c], rstd = (double)op->rstd[c];
        dgamma[c] = dbeta[c] = 0.0;
        for (int32_t r = 0; r < rows; r++) {
            double *dy = &dh[(int64_t)r * pitch + c];
            *dy = at(op->h, r, c) > 0.0 ? *dy : 0.0;
            dbeta[c] += *dy;
            dgamma[c] += *dy * (at(op->a, r, c) - mean) * rstd;
        }
        for (int32_t r = 0; r < rows; r++) {
            double *dy = &dh[(int64_t)r * pitch + c];
            *dy = (double)op->gamma[c] * rstd *
                  (*dy - dbeta[c] / rows - (at(op->a, r, c) - mean) * rstd * dgamma[c] / rows);
        }
    }
}

static void check_generate_back(const generator_case *c, bool in_place)
{
    rig_state rig;
    rf_generate_back op;
    rf_mat dx;
    rf_span spans[SPANS_MAX];
    rf_layout layout;
    double loss = 0.0;
    rig_begin(&rig, 59);
    spans_make(c, spans, &layout);
    assert_int_equal(c->n_spans > 0 ? layout.width : c->out, c->out);
    generate_back_make(&rig, c, in_place, &layout, &op, &dx);
    const int32_t hidden = dx.cols;
    double *dy = doubles((int64_t)c->rows * c->out), *known = doubles((int64_t)c->rows * hidden);
    double *dgamma[LAYERS], *dbeta[LAYERS];
    for (int32_t r = 0; r < c->rows; r++)
        for (int32_t k = 0; k < c->out; k++)
            dy[(int64_t)r * c->out + k] = at(op.output.dy, r, k);
    if (c->n_spans > 0)
        loss = activate_back_oracle(dy, &op.activate);
    back_oracle(known, hidden, dy, c->out, &op.output);
    for (int32_t i = 0; i < c->n_layers; i++) {
        const int32_t l = c->n_layers - 1 - i;
        double *dh = known + front_of(c, l);
        dgamma[i] = doubles(c->width[l]);
        dbeta[i] = doubles(c->width[l]);
        norm_back_oracle(dh, hidden, dgamma[i], dbeta[i], &op.layer[i].norm);
        if (l > 0)
            back_oracle(known + front_of(c, l - 1), hidden, dh, hidden, &op.layer[i].back);
    }
    rig_run(&rig, RIG_OP(generate_back, &op));
    rig_near("dlogits", op.output.dy, dy, 2e-5, 1e-5);
    if (c->n_spans > 0)
        assert_near((double)*op.activate.loss, loss, 1e-5);
    rf_mat da = op.layer[0].norm.da;
    da.cols = hidden;
    rig_near("da", da, known, 2e-4, 1e-4);
    for (int32_t i = 0; i < c->n_layers; i++) {
        const int32_t n = op.layer[i].norm.a.cols;
        rig_near_vector("dgamma", op.layer[i].norm.dgamma, dgamma[i], n, 1e-3, 1e-4);
        rig_near_vector("dbeta", op.layer[i].norm.dbeta, dbeta[i], n, 1e-3, 1e-4);
        free(dgamma[i]), free(dbeta[i]);
    }
    free(dy), free(known);
    rig_end(&rig);
}

static void the_way_back_through_the_generator_agrees_with_plain_loops(void **state)
{
    (void)state;
    static const generator_case cases[] = {
        {.rows = 1, .n_layers = 1, .width = {1}, .out = 1},
        {.rows = 1, .n_layers = 2, .width = {1, 1}, .out = 7},
        {.rows = 33, .n_layers = 2, .width = {7, 31}, .out = 17},
        {.rows = 31, .n_layers = 3, .width = {33, 1, 70}, .out = 33},
        {.rows = 50, .n_layers = 2, .width = {31, 33}, .out = 157},
        {.rows = 257, .n_layers = 2, .width = {20, 11}, .out = 9},
        /* cut along the depth; wide tiles, hence by its parts */
        {.rows = 15, .n_layers = 2, .width = {9, 300}, .out = 400},
        {.rows = 157, .n_layers = 2, .width = {257, 33}, .out = 31},
        /* from the activated rows: with conditions and without, cut along the depth, of too many spans, wide tiles */
        {.rows = 33,
         .n_layers = 2,
         .width = {7, 31},
         .out = 38,
         .span = {0, 33, 1, 3},
         .n_spans = 4,
         .n_conditions = 2},
        {.rows = 1, .n_layers = 1, .width = {1}, .out = 2, .span = {1, 0}, .n_spans = 2, .n_conditions = 1},
        {.rows = 257, .n_layers = 2, .width = {20, 11}, .out = 8, .span = {0, 2}, .n_spans = 6},
        {.rows = 15,
         .n_layers = 2,
         .width = {9, 31},
         .out = 400,
         .span = {300, 31, 0, 68},
         .n_spans = 4,
         .n_conditions = 3},
        {.rows = 31,
         .n_layers = 1,
         .width = {33},
         .out = 122,
         .span = {0, 2, 3, 1},
         .n_spans = 70,
         .n_conditions = 9},
        {.rows = 157, .n_layers = 1, .width = {257}, .out = 7, .span = {7}, .n_spans = 1, .n_conditions = 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_generate_back(&cases[i], false);
    check_generate_back(&cases[3], true);
}

static void more_tiles_than_a_gpu_counts_are_done_by_their_parts(void **state)
{
    (void)state;
    static const generator_case tall = {
        .rows = 66000, .batches = 1, .n_layers = 1, .width = {1}, .noise = 1, .out = 1};
    check_generate(&tall, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generators_layers_agree_with_plain_loops),
        cmocka_unit_test(the_way_back_through_the_generator_agrees_with_plain_loops),
        cmocka_unit_test(more_tiles_than_a_gpu_counts_are_done_by_their_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
