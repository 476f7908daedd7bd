/* The generator: forward, activation, backward. */
#include "engine/model/ctgan.h"

#include <assert.h>

#include "core/philox.h"
#include "engine/model/models.h"

/* The temperature of the softmax, as Xu et al. chose it. */
static const float tau = 0.2f;

/* ------------------------------------------------------------------ shapes */

static void shape_layers(rfi_ctgan *m)
{
    const rf_dims *dims = &m->base.setup.params.generator_dim;
    rfi_generator *g = &m->generator;
    g->n_layers = dims->n;
    g->hidden = 0;
    for (int32_t l = 0; l < dims->n; l++)
        g->hidden += dims->width[l];
    g->x_width = g->hidden + m->z;
    int32_t at = g->hidden;
    for (int32_t l = 0; l < dims->n; l++) {
        rfi_generator_layer *layer = &g->layers[l];
        layer->width = dims->width[l];
        layer->input_at = at;
        layer->hidden = g->hidden - at;
        layer->at = at -= layer->width;
    }
}

void rfi_generator_shape(rfi_ctgan *m)
{
    rfi_generator *g = &m->generator;
    shape_layers(m);
    for (int32_t l = 0; l < g->n_layers; l++) {
        rfi_generator_layer *layer = &g->layers[l];
        const int64_t inputs = g->x_width - layer->input_at;
        layer->w = rfi_tensors_add(&g->tensors, inputs, layer->width, inputs + m->c);
        layer->wc = m->c ? rfi_tensors_add(&g->tensors, m->c, layer->width, inputs + m->c) : NULL;
        layer->gamma = rfi_tensors_add_filled(&g->tensors, 1, layer->width, 1);
        layer->beta = rfi_tensors_add_filled(&g->tensors, 1, layer->width, 0);
    }
    g->w = rfi_tensors_add(&g->tensors, g->x_width, m->d, (int64_t)g->x_width + m->c);
    g->wc = m->c ? rfi_tensors_add(&g->tensors, m->c, m->d, (int64_t)g->x_width + m->c) : NULL;
    g->bias = rfi_tensors_add(&g->tensors, 1, m->d, (int64_t)g->x_width + m->c);
}

static void place_rows(const rfi_ctgan *m, rfi_generator_rows *rows, int32_t n, rfi_slab *slab)
{
    const rfi_generator *g = &m->generator;
    const size_t all = (size_t)n * (size_t)m->b;
    rows->n = n;
    rows->x = rfi_slab_floats(slab, all, (size_t)g->x_width);
    rows->logits = rfi_slab_floats(slab, all, (size_t)m->d);
    rows->entries = rfi_slab_take(slab, all, sizeof *rows->entries);
    rows->columns = rfi_slab_take(slab, all, sizeof *rows->columns);
    for (int32_t l = 0; l < g->n_layers; l++) {
        const size_t width = (size_t)g->layers[l].width;
        rows->a[l] = rfi_slab_floats(slab, all, width);
        rows->mean[l] = rfi_slab_floats(slab, (size_t)n, width);
        rows->rstd[l] = rfi_slab_floats(slab, (size_t)n, width);
    }
}

void rfi_generator_place(rfi_ctgan *m, rfi_slab *slab)
{
    rfi_generator *g = &m->generator;
    rfi_tensors_place_weights(&g->tensors, slab);
    place_rows(m, &g->sampled, 1, slab);
}

void rfi_generator_place_training(rfi_ctgan *m, rfi_slab *slab)
{
    rfi_generator *g = &m->generator;
    rfi_tensors_place_moments(&g->tensors, slab);
    /* Where the critic learns once a step, its batch and the generator's come from the same weights and are made together. */
    place_rows(m, &g->trained, m->base.setup.params.discriminator_steps == 1 ? 2 : 1, slab);
    g->dx = rfi_slab_floats(slab, (size_t)m->b, (size_t)g->hidden);
    g->da = rfi_slab_floats(slab, (size_t)m->b, (size_t)g->hidden);
    g->dlogits = rfi_slab_floats(slab, (size_t)m->b, (size_t)m->d);
    for (int32_t l = 0; l < g->n_layers; l++) {
        g->layers[l].dgamma = rfi_slab_floats(slab, 1, (size_t)g->layers[l].width);
        g->layers[l].dbeta = rfi_slab_floats(slab, 1, (size_t)g->layers[l].width);
    }
}

/* ------------------------------------------------------------------ views */

/* Columns at..at+width-1 of x, in batches first..first+n-1. */
static rf_mat x_of(const rfi_ctgan *m, const rfi_generator_rows *rows, int32_t first, int32_t n, int32_t at,
                   int32_t width)
{
    const int64_t ld = m->generator.x_width;
    return rfi_view(rows->x + (int64_t)first * m->b * ld + at, n * m->b, width, ld);
}

/* The same of the batch that the generator learns from. */
static rf_mat x_view(const rfi_ctgan *m, int32_t at, int32_t width)
{
    return x_of(m, &m->generator.trained, rfi_batch_of(m, RFI_FOR_GENERATOR), 1, at, width);
}

/* Batch i of a matrix of all batches. */
static rf_mat batch_of(const rfi_ctgan *m, float *data, int32_t i, int32_t width)
{
    return rfi_mat(data + (int64_t)i * m->b * width, m->b, width);
}

static rf_mat dx_view(const rfi_ctgan *m, int32_t at, int32_t width)
{
    return rfi_view(m->generator.dx + at, m->b, width, m->generator.hidden);
}

static rf_mat da_view(const rfi_ctgan *m, const rfi_generator_layer *layer)
{
    return rfi_view(m->generator.da + layer->at, m->b, layer->width, m->generator.hidden);
}

static rf_mat weights(const rfi_tensor *tensor)
{
    return tensor ? rfi_mat(tensor->w, tensor->rows, tensor->cols) : (rf_mat){0};
}

/* The first rows of a weight matrix: those that hidden units feed. */
static rf_mat hidden_rows(const rfi_tensor *tensor, int32_t n)
{
    return rfi_mat(tensor->w, n, tensor->cols);
}

/* ------------------------------------------------------------------ forward */

/* y = x[:, from:] w + wc[entry] + bias */
static rf_affine affine_of(const rfi_ctgan *m, const rfi_generator_rows *rows, float *y, int32_t from,
                           const rfi_tensor *w, const rfi_tensor *wc, const float *bias)
{
    return (rf_affine){.y = rfi_mat(y, rows->n * m->b, w->cols),
                       .x = x_of(m, rows, 0, rows->n, from, m->generator.x_width - from),
                       .w = weights(w),
                       .bias = bias,
                       .gather = weights(wc),
                       .ids = wc ? rows->entries : NULL,
                       .n_ids = wc ? 1 : 0,
                       .gather_stride = m->c};
}

static void draw_inputs(rfi_ctgan *m, const rfi_generator_rows *rows, const rfi_generator_draws *draws,
                        const rf_draw_rows *real)
{
    rf_device *device = m->base.setup.device;
    rf_draw_batches op = {.n = rows->n};
    for (int32_t i = 0; i < rows->n; i++) {
        const rf_noise noise = {.seed = draws[i].seed, .step = draws[i].step, .purpose = draws[i].noise};
        rf_noise condition = noise;
        condition.purpose = draws[i].condition;
        op.normal[i] =
            (rf_draw_normal){.out = x_of(m, rows, i, 1, m->generator.hidden, m->z), .noise = noise};
        if (m->c)
            op.conditions[i] = (rf_draw_conditions){.out = rows->entries + (int64_t)i * m->b,
                                                    .out_column = rows->columns + (int64_t)i * m->b,
                                                    .n = m->b,
                                                    .fixed_entry = draws[i].fixed_entry,
                                                    .table = draws[i].conditions,
                                                    .noise = condition};
    }
    if (real)
        op.rows = *real;
    device->ops->draw_batches(device, &op);
}

/* Every batch by its own statistics. */
static rf_batchnorm_batches norm_of(const rfi_ctgan *m, const rfi_generator_rows *rows, int32_t l)
{
    const rfi_generator_layer *layer = &m->generator.layers[l];
    rf_batchnorm_batches op = {.n = rows->n};
    for (int32_t i = 0; i < rows->n; i++)
        op.batch[i] = (rf_batchnorm_relu){.h = x_of(m, rows, i, 1, layer->at, layer->width),
                                          .a = batch_of(m, rows->a[l], i, layer->width),
                                          .gamma = layer->gamma->w,
                                          .beta = layer->beta->w,
                                          .mean = rows->mean[l] + (int64_t)i * layer->width,
                                          .rstd = rows->rstd[l] + (int64_t)i * layer->width};
    return op;
}

static_assert((int)RF_LAYERS_MAX >= (int)RF_DIMS_MAX, "operations take every generator");

void rfi_generator_forward(rfi_ctgan *m, const rfi_generator_rows *rows, const rfi_generator_draws *draws,
                           const rf_draw_rows *real)
{
    rf_device *device = m->base.setup.device;
    const rfi_generator *g = &m->generator;
    rf_generate op = {.n_layers = g->n_layers,
                      .output = affine_of(m, rows, rows->logits, 0, g->w, g->wc, g->bias->w)};
    draw_inputs(m, rows, draws, real);
    for (int32_t l = 0; l < g->n_layers; l++) {
        const rfi_generator_layer *layer = &g->layers[l];
        op.layer[l].affine = affine_of(m, rows, rows->a[l], layer->input_at, layer->w, layer->wc, NULL);
        op.layer[l].norm = norm_of(m, rows, l);
    }
    device->ops->generate(device, &op);
}

void rfi_generator_activate(rfi_ctgan *m, const rfi_generator_draws *draws)
{
    rf_device *device = m->base.setup.device;
    const rfi_generator_rows *rows = &m->generator.trained;
    rf_activate_batches op = {.n = rows->n};
    for (int32_t i = 0; i < rows->n; i++)
        op.batch[i] = (rf_activate){
            .out = batch_of(m, m->fake, i, m->d),
            .logits = batch_of(m, rows->logits, i, m->d),
            .layout = m->base.setup.layout,
            .tau = tau,
            .noise = {.seed = draws[i].seed, .step = draws[i].step, .purpose = draws[i].gumbel}};
    device->ops->activate_batches(device, &op);
}

/* ------------------------------------------------------------------ backward */

static rf_activate_back activate_back_of(const rfi_ctgan *m)
{
    const rfi_generator *g = &m->generator;
    const int32_t batch = rfi_batch_of(m, RFI_FOR_GENERATOR);
    return (rf_activate_back){.dlogits = rfi_mat(g->dlogits, m->b, m->d),
                              .dout = rfi_mat(m->critic.g, m->b, m->d),
                              .out = rfi_mat(rfi_fake_of(m, RFI_FOR_GENERATOR), m->b, m->d),
                              .logits = batch_of(m, g->trained.logits, batch, m->d),
                              .layout = m->base.setup.layout,
                              .tau = tau,
                              .entries = m->c ? rfi_entries_of(m, RFI_FOR_GENERATOR) : NULL,
                              .columns = m->c ? g->trained.columns + (int64_t)batch * m->b : NULL,
                              .condition_span = m->condition_spans,
                              .loss = &m->losses[RFI_LOSS_CONDITION]};
}

static void update_matrix(rfi_ctgan *m, const rfi_tensor *w, rf_mat input, rf_mat dy)
{
    rf_device *device = m->base.setup.device;
    device->ops->update(device, &(rf_update){.w = w->w,
                                             .m = w->m,
                                             .v = w->v,
                                             .rows = w->rows,
                                             .cols = w->cols,
                                             .n_dense = 1,
                                             .dense = {{.a = input, .b = dy}},
                                             .adam = m->generator_adam});
}

static void update_condition(rfi_ctgan *m, const rfi_tensor *wc, rf_mat dy)
{
    rf_device *device = m->base.setup.device;
    if (!wc)
        return;
    device->ops->update(
        device,
        &(rf_update){
            .w = wc->w,
            .m = wc->m,
            .v = wc->v,
            .rows = wc->rows,
            .cols = wc->cols,
            .n_gather = 1,
            .gather = {{.b = dy, .ids = rfi_entries_of(m, RFI_FOR_GENERATOR), .n_ids = 1, .stride = m->c}},
            .adam = m->generator_adam});
}

static void update_vector(rfi_ctgan *m, const rfi_tensor *w, rf_mat b, const float *given)
{
    rf_device *device = m->base.setup.device;
    device->ops->update_vector(device, &(rf_update_vector){.w = w->w,
                                                           .m = w->m,
                                                           .v = w->v,
                                                           .n = w->cols,
                                                           .b = b,
                                                           .given = given,
                                                           .adam = m->generator_adam});
}

/* Everything that the output layer learns from dlogits. */
static void update_output(rfi_ctgan *m)
{
    const rfi_generator *g = &m->generator;
    const rf_mat dlogits = rfi_mat(g->dlogits, m->b, m->d);
    update_matrix(m, g->w, x_view(m, 0, g->x_width), dlogits);
    update_condition(m, g->wc, dlogits);
    update_vector(m, g->bias, dlogits, NULL);
}

static void update_layer(rfi_ctgan *m, const rfi_generator_layer *layer)
{
    const rf_mat da = da_view(m, layer);
    update_matrix(m, layer->w, x_view(m, layer->input_at, m->generator.x_width - layer->input_at), da);
    update_condition(m, layer->wc, da);
    update_vector(m, layer->gamma, (rf_mat){0}, layer->dgamma);
    update_vector(m, layer->beta, (rf_mat){0}, layer->dbeta);
}

static rf_batchnorm_relu_back norm_back_of(const rfi_ctgan *m, int32_t l)
{
    const rfi_generator_layer *layer = &m->generator.layers[l];
    const rfi_generator_rows *rows = &m->generator.trained;
    const int32_t batch = rfi_batch_of(m, RFI_FOR_GENERATOR);
    return (rf_batchnorm_relu_back){.da = da_view(m, layer),
                                    .dh = dx_view(m, layer->at, layer->width),
                                    .h = x_view(m, layer->at, layer->width),
                                    .a = batch_of(m, rows->a[l], batch, layer->width),
                                    .gamma = layer->gamma->w,
                                    .mean = rows->mean[l] + (int64_t)batch * layer->width,
                                    .rstd = rows->rstd[l] + (int64_t)batch * layer->width,
                                    .dgamma = layer->dgamma,
                                    .dbeta = layer->dbeta};
}

/* Last layer first; da becomes the gradient of every pre-activation. */
static void backward(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_generator *g = &m->generator;
    rf_generate_back op = {.activate = activate_back_of(m),
                           .n_layers = g->n_layers,
                           .output = {.dx = dx_view(m, 0, g->hidden),
                                      .dy = rfi_mat(g->dlogits, m->b, m->d),
                                      .w = hidden_rows(g->w, g->hidden)}};
    for (int32_t i = 0; i < g->n_layers; i++) {
        const int32_t l = g->n_layers - 1 - i;
        const rfi_generator_layer *layer = &g->layers[l];
        op.layer[i].norm = norm_back_of(m, l);
        if (layer->hidden)
            op.layer[i].back = (rf_affine_back){.dx = dx_view(m, layer->input_at, layer->hidden),
                                                .dy = da_view(m, layer),
                                                .w = hidden_rows(layer->w, layer->hidden),
                                                .accumulate = true};
    }
    device->ops->generate_back(device, &op);
}

static void update(rfi_ctgan *m)
{
    update_output(m);
    for (int32_t l = m->generator.n_layers - 1; l >= 0; l--)
        update_layer(m, &m->generator.layers[l]);
}

void rfi_generator_learn(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    backward(m);
    device->ops->updates_begin(device, m->generator_adam);
    update(m);
    device->ops->updates_end(device, &(rf_step_tick){.step = m->step,
                                                     .losses = m->losses,
                                                     .ring = m->ring,
                                                     .n = RFI_LOSSES,
                                                     .length = RFI_RING_STEPS});
}
