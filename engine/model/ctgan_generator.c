/* The generator: forward, activation, backward. */
#include "engine/model/ctgan.h"

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

void rfi_generator_place(rfi_ctgan *m, rfi_slab *slab)
{
    rfi_generator *g = &m->generator;
    const size_t b = (size_t)m->b;
    rfi_tensors_place_weights(&g->tensors, slab);
    g->x = rfi_slab_floats(slab, b, (size_t)g->x_width);
    g->logits = rfi_slab_floats(slab, b, (size_t)m->d);
    g->entries = rfi_slab_take(slab, b, sizeof *g->entries);
    g->columns = rfi_slab_take(slab, b, sizeof *g->columns);
    for (int32_t l = 0; l < g->n_layers; l++) {
        rfi_generator_layer *layer = &g->layers[l];
        const size_t width = (size_t)layer->width;
        layer->a = rfi_slab_floats(slab, b, width);
        layer->mean = rfi_slab_floats(slab, 1, width);
        layer->rstd = rfi_slab_floats(slab, 1, width);
    }
}

void rfi_generator_place_training(rfi_ctgan *m, rfi_slab *slab)
{
    rfi_generator *g = &m->generator;
    rfi_tensors_place_moments(&g->tensors, slab);
    g->dx = rfi_slab_floats(slab, (size_t)m->b, (size_t)g->hidden);
    g->dlogits = rfi_slab_floats(slab, (size_t)m->b, (size_t)m->d);
    for (int32_t l = 0; l < g->n_layers; l++) {
        g->layers[l].dgamma = rfi_slab_floats(slab, 1, (size_t)g->layers[l].width);
        g->layers[l].dbeta = rfi_slab_floats(slab, 1, (size_t)g->layers[l].width);
    }
}

/* ------------------------------------------------------------------ views */

/* Columns at..at+width-1 of x. */
static rf_mat x_view(const rfi_ctgan *m, int32_t at, int32_t width)
{
    return rfi_view(m->generator.x + at, m->b, width, m->generator.x_width);
}

static rf_mat dx_view(const rfi_ctgan *m, int32_t at, int32_t width)
{
    return rfi_view(m->generator.dx + at, m->b, width, m->generator.hidden);
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
static void affine(rfi_ctgan *m, float *y, int32_t from, const rfi_tensor *w, const rfi_tensor *wc,
                   const float *bias)
{
    rf_device *device = m->base.setup.device;
    device->ops->affine(device, &(rf_affine){.y = rfi_mat(y, m->b, w->cols),
                                             .x = x_view(m, from, m->generator.x_width - from),
                                             .w = weights(w),
                                             .bias = bias,
                                             .gather = weights(wc),
                                             .ids = wc ? m->generator.entries : NULL,
                                             .n_ids = wc ? 1 : 0,
                                             .gather_stride = m->c});
}

static void draw_inputs(rfi_ctgan *m, const rfi_generator_draws *draws)
{
    rf_device *device = m->base.setup.device;
    rfi_generator *g = &m->generator;
    const rf_noise noise = {.seed = draws->seed, .step = draws->step, .purpose = draws->noise};
    device->ops->draw_normal(device, &(rf_draw_normal){.out = x_view(m, g->hidden, m->z), .noise = noise});
    if (!m->c)
        return;
    device->ops->draw_conditions(
        device, &(rf_draw_conditions){
                    .out = g->entries,
                    .out_column = g->columns,
                    .n = m->b,
                    .fixed_entry = draws->fixed_entry,
                    .table = draws->conditions,
                    .noise = {.seed = draws->seed, .step = draws->step, .purpose = draws->condition}});
}

void rfi_generator_forward(rfi_ctgan *m, const rfi_generator_draws *draws)
{
    rf_device *device = m->base.setup.device;
    rfi_generator *g = &m->generator;
    draw_inputs(m, draws);
    for (int32_t l = 0; l < g->n_layers; l++) {
        const rfi_generator_layer *layer = &g->layers[l];
        affine(m, layer->a, layer->input_at, layer->w, layer->wc, NULL);
        device->ops->batchnorm_relu(device, &(rf_batchnorm_relu){.h = x_view(m, layer->at, layer->width),
                                                                 .a = rfi_mat(layer->a, m->b, layer->width),
                                                                 .gamma = layer->gamma->w,
                                                                 .beta = layer->beta->w,
                                                                 .mean = layer->mean,
                                                                 .rstd = layer->rstd});
    }
    affine(m, g->logits, 0, g->w, g->wc, g->bias->w);
}

void rfi_generator_activate(rfi_ctgan *m, const uint32_t *step, uint32_t purpose)
{
    rf_device *device = m->base.setup.device;
    device->ops->activate(
        device, &(rf_activate){.out = rfi_mat(m->fake, m->b, m->d),
                               .logits = rfi_mat(m->generator.logits, m->b, m->d),
                               .layout = m->base.setup.layout,
                               .tau = tau,
                               .noise = {.seed = m->base.setup.seed, .step = step, .purpose = purpose}});
}

/* ------------------------------------------------------------------ backward */

static void activate_back(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    rfi_generator *g = &m->generator;
    device->ops->activate_back(device, &(rf_activate_back){.dlogits = rfi_mat(g->dlogits, m->b, m->d),
                                                           .dout = rfi_mat(m->critic.g, m->b, m->d),
                                                           .out = rfi_mat(m->fake, m->b, m->d),
                                                           .logits = rfi_mat(g->logits, m->b, m->d),
                                                           .layout = m->base.setup.layout,
                                                           .tau = tau,
                                                           .entries = m->c ? g->entries : NULL,
                                                           .columns = m->c ? g->columns : NULL,
                                                           .condition_span = m->condition_spans,
                                                           .loss = &m->losses[RFI_LOSS_CONDITION]});
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
        device, &(rf_update){.w = wc->w,
                             .m = wc->m,
                             .v = wc->v,
                             .rows = wc->rows,
                             .cols = wc->cols,
                             .n_gather = 1,
                             .gather = {{.b = dy, .ids = m->generator.entries, .n_ids = 1, .stride = m->c}},
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

/* Everything that the output layer learns from dlogits, after its gradient has gone to dx. */
static void update_output(rfi_ctgan *m)
{
    const rfi_generator *g = &m->generator;
    const rf_mat dlogits = rfi_mat(g->dlogits, m->b, m->d);
    update_matrix(m, g->w, x_view(m, 0, g->x_width), dlogits);
    update_condition(m, g->wc, dlogits);
    update_vector(m, g->bias, dlogits, NULL);
}

static void update_layer(rfi_ctgan *m, const rfi_generator_layer *layer, rf_mat da)
{
    update_matrix(m, layer->w, x_view(m, layer->input_at, m->generator.x_width - layer->input_at), da);
    update_condition(m, layer->wc, da);
    update_vector(m, layer->gamma, (rf_mat){0}, layer->dgamma);
    update_vector(m, layer->beta, (rf_mat){0}, layer->dbeta);
}

/* Last layer first; dx becomes the gradient of every pre-activation. A layer is updated as soon as the gradient has passed it,
 * while its input and its gradient are still in the caches. */
static void backward(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    rfi_generator *g = &m->generator;
    device->ops->affine_back(device, &(rf_affine_back){.dx = dx_view(m, 0, g->hidden),
                                                       .dy = rfi_mat(g->dlogits, m->b, m->d),
                                                       .w = hidden_rows(g->w, g->hidden)});
    update_output(m);
    for (int32_t l = g->n_layers - 1; l >= 0; l--) {
        const rfi_generator_layer *layer = &g->layers[l];
        const rf_mat da = dx_view(m, layer->at, layer->width);
        device->ops->batchnorm_relu_back(device,
                                         &(rf_batchnorm_relu_back){.da = da,
                                                                   .dh = da,
                                                                   .h = x_view(m, layer->at, layer->width),
                                                                   .a = rfi_mat(layer->a, m->b, layer->width),
                                                                   .gamma = layer->gamma->w,
                                                                   .mean = layer->mean,
                                                                   .rstd = layer->rstd,
                                                                   .dgamma = layer->dgamma,
                                                                   .dbeta = layer->dbeta});
        if (layer->hidden)
            device->ops->affine_back(device,
                                     &(rf_affine_back){.dx = dx_view(m, layer->input_at, layer->hidden),
                                                       .dy = da,
                                                       .w = hidden_rows(layer->w, layer->hidden),
                                                       .accumulate = true});
        update_layer(m, layer, da);
    }
}

void rfi_generator_learn(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    activate_back(m);
    device->ops->updates_begin(device, m->generator_adam);
    backward(m);
    device->ops->updates_end(device, &(rf_step_tick){.step = m->step,
                                                     .losses = m->losses,
                                                     .ring = m->ring,
                                                     .n = RFI_LOSSES,
                                                     .length = RFI_RING_STEPS});
}
