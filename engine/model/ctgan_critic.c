/* The critic: its own step, the penalty in it, and what it tells the generator.
 *
 * One backward pass serves three sources. With coef the derivative of the loss with respect to each score
 * (1/M generated, -1/M real, 1 interpolated), d_k of all 3M rows come from the same products:
 *
 *     d_K = coef mask_K w        d_k = mask_k (d_(k+1) W_(k+1)^T)
 *
 * mask being the slope of the leaky ReLU times the dropout factor. On the interpolated rows d_1 gives the
 * gradient of the score with respect to the input, g = d_1 W_1^T, of which the penalty wants the norm. Its
 * own gradient goes forward again, for the masks are constants (v = dpenalty / dg = scale g):
 *
 *     q_1 = mask_1 (v W_1)       q_k = mask_k (q_(k-1) W_k)
 *     dW_1 = v^T d_1             dW_k = q_(k-1)^T d_k          dw = sum of q_K's rows
 *
 * So q_k takes the place of h_k in the interpolated rows, scale moves from g into d_1, and each matrix has
 * one update over all 3M rows, as if all of them were ordinary.
 */
#include "engine/model/ctgan.h"

#include "core/alloc.h"
#include "core/philox.h"

/* The penalty's weight, as Gulrajani et al. chose it. */
static const float lambda = 10;

/* ------------------------------------------------------------------ shapes */

void rfi_critic_shape(rfi_ctgan *m)
{
    const rf_dims *dims = &m->base.setup.params.discriminator_dim;
    rfi_critic *critic = &m->critic;
    int64_t data = (int64_t)m->p * m->d, condition = (int64_t)m->p * m->c;
    critic->n_layers = dims->n;
    for (int32_t k = 0; k < dims->n; k++) {
        rfi_critic_layer *layer = &critic->layers[k];
        layer->width = dims->width[k];
        layer->w = rfi_tensors_add(&critic->tensors, data, layer->width, data + condition);
        layer->wc =
            condition ? rfi_tensors_add(&critic->tensors, condition, layer->width, data + condition) : NULL;
        layer->bias = rfi_tensors_add(&critic->tensors, 1, layer->width, data + condition);
        data = layer->width;
        condition = 0;
    }
    critic->w = rfi_tensors_add(&critic->tensors, data, 1, data);
    critic->bias = rfi_tensors_add(&critic->tensors, 1, 1, data);
}

void rfi_critic_place(rfi_ctgan *m, rfi_slab *slab)
{
    rfi_critic *critic = &m->critic;
    const size_t packs = (size_t)m->m;
    rfi_tensors_place_weights(&critic->tensors, slab);
    rfi_tensors_place_moments(&critic->tensors, slab);
    for (int32_t k = 0; k < critic->n_layers; k++) {
        rfi_critic_layer *layer = &critic->layers[k];
        layer->h = rfi_slab_floats(slab, 3 * packs, (size_t)layer->width);
        layer->mask = rfi_slab_floats(slab, 3 * packs, (size_t)layer->width);
        layer->d = rfi_slab_floats(slab, 3 * packs, (size_t)layer->width);
    }
    critic->coef = rfi_slab_floats(slab, 3, packs);
    critic->coef_fake = rfi_slab_floats(slab, 1, packs);
    critic->score = rfi_slab_floats(slab, 3, packs);
    critic->scale = rfi_slab_floats(slab, 1, packs);
    critic->g = rfi_slab_floats(slab, (size_t)m->b, (size_t)m->d);
    critic->gc = rfi_slab_floats(slab, (size_t)m->b, (size_t)m->c);
}

rf_code rfi_critic_start(rfi_ctgan *m, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_device *device = m->base.setup.device;
    const float share = 1.0f / (float)m->m;
    float *coef = NULL;
    RF_TRY(RF_NEW_ARRAY(&coef, 3 * (int64_t)m->m, "the critic's coefficients", err));
    for (int32_t i = 0; i < m->m; i++) {
        coef[i] = -share;
        coef[m->m + i] = -share;
        coef[2 * m->m + i] = 1;
    }
    RF_TRY(rf_device_write(device, m->critic.coef_fake, coef, (size_t)m->m * sizeof *coef, err));
    for (int32_t i = 0; i < m->m; i++)
        coef[i] = share;
    RF_TRY(rf_device_write(device, m->critic.coef, coef, 3 * (size_t)m->m * sizeof *coef, err));
    rfi_tensors_start(&m->critic.tensors, device, m->base.setup.seed, m->zero);
out:
    rf_free(coef);
    return rc;
}

/* ------------------------------------------------------------------ views */

/* Rows of a (3M, width) matrix: `first` in packs of M, `n` of them. */
static rf_mat rows_of(const rfi_ctgan *m, float *data, int32_t width, int32_t first, int32_t n)
{
    return rfi_mat(data + (int64_t)first * m->m * width, n * m->m, width);
}

static rf_mat weights(const rfi_tensor *tensor)
{
    return tensor ? rfi_mat(tensor->w, tensor->rows, tensor->cols) : (rf_mat){0};
}

/* A (B, any) matrix read as packs. */
static rf_mat packs(const rfi_ctgan *m, float *data, int32_t width)
{
    return width ? rfi_mat(data, m->m, m->p * width) : (rf_mat){0};
}

static rf_noise noise(const rfi_ctgan *m, const uint32_t *step, uint32_t purpose)
{
    return (rf_noise){.seed = m->base.setup.seed, .step = step, .purpose = purpose};
}

enum { FAKE, REAL, BETWEEN };

/* ------------------------------------------------------------------ forward */

/* One way through the critic: over `n` blocks of M rows, with the dropout that `step` and `purpose` address (layer k: purpose
 * + 64 k) and d from `coef`; the loss is that of the first n_loss blocks. */
typedef struct critic_pass {
    int32_t n, n_loss;
    const uint32_t *step;
    uint32_t purpose;
    const float *coef;
    float *loss;
} critic_pass;

static rf_affine first_of_fake(const rfi_ctgan *m, int whose)
{
    const rfi_critic_layer *layer = &m->critic.layers[0];
    return (rf_affine){.y = rows_of(m, layer->h, layer->width, FAKE, 1),
                       .x = packs(m, rfi_fake_of(m, whose), m->d),
                       .w = weights(layer->w),
                       .bias = layer->bias->w,
                       .gather = weights(layer->wc),
                       .ids = layer->wc ? rfi_entries_of(m, whose) : NULL,
                       .n_ids = layer->wc ? m->p : 0,
                       .gather_stride = m->c};
}

static rf_affine_coded first_of_real(const rfi_ctgan *m)
{
    const rfi_critic_layer *layer = &m->critic.layers[0];
    return (rf_affine_coded){.y = rows_of(m, layer->h, layer->width, REAL, 1),
                             .w = weights(layer->w),
                             .bias = layer->bias->w,
                             .layout = m->base.setup.layout,
                             .scalars = m->real_scalars,
                             .codes = m->real_codes,
                             .pack = m->p,
                             .gather = weights(layer->wc),
                             .ids = layer->wc ? m->real_entries : NULL,
                             .gather_stride = m->c};
}

/* The first layer is affine, so what it makes of a blend is the blend of what it made: no product. */
static rf_interpolate first_of_between(const rfi_ctgan *m)
{
    const rfi_critic_layer *layer = &m->critic.layers[0];
    return (rf_interpolate){.out = rows_of(m, layer->h, layer->width, BETWEEN, 1),
                            .real = rows_of(m, layer->h, layer->width, REAL, 1),
                            .fake = rows_of(m, layer->h, layer->width, FAKE, 1),
                            .noise = noise(m, m->critic_step, RF_DRAW_ALPHA)};
}

static rf_affine product(const rfi_ctgan *m, int32_t k, int32_t n)
{
    const rfi_critic_layer *layer = &m->critic.layers[k];
    if (k == 0)
        return first_of_fake(m, RFI_FOR_GENERATOR);
    return (rf_affine){.y = rows_of(m, layer->h, layer->width, 0, n),
                       .x = rows_of(m, layer[-1].h, layer[-1].width, 0, n),
                       .w = weights(layer->w),
                       .bias = layer->bias->w};
}

static rf_leaky_dropout dropout(const rfi_ctgan *m, int32_t k, const critic_pass *pass)
{
    const rfi_critic_layer *layer = &m->critic.layers[k];
    const rf_mat h = rows_of(m, layer->h, layer->width, 0, pass->n);
    return (rf_leaky_dropout){.y = h,
                              .a = h,
                              .mask = rows_of(m, layer->mask, layer->width, 0, pass->n),
                              .noise = noise(m, pass->step, pass->purpose + 64 * (uint32_t)k)};
}

static rf_critic_head head(const rfi_ctgan *m, const critic_pass *pass)
{
    const rfi_critic *critic = &m->critic;
    const rfi_critic_layer *last = &critic->layers[critic->n_layers - 1];
    return (rf_critic_head){.h = rows_of(m, last->h, last->width, 0, pass->n),
                            .mask = rows_of(m, last->mask, last->width, 0, pass->n),
                            .d = rows_of(m, last->d, last->width, 0, pass->n),
                            .w = critic->w->w,
                            .bias = critic->bias->w,
                            .coef = pass->coef,
                            .score = critic->score,
                            .n_loss_rows = pass->n_loss * m->m,
                            .loss = pass->loss};
}

/* The layers from the k-th on, to scores, their loss and d of the last layer. */
static void layers_from(rfi_ctgan *m, int32_t k, const critic_pass *pass)
{
    rf_device *device = m->base.setup.device;
    for (; k < m->critic.n_layers; k++) {
        rf_critic_layer layer = {.affine = product(m, k, pass->n), .drop = dropout(m, k, pass)};
        if (k == m->critic.n_layers - 1)
            layer.head = head(m, pass);
        device->ops->critic_layer(device, &layer);
    }
}

/* Generated, real and interpolated rows, all three blocks. */
static void forward(rfi_ctgan *m, const critic_pass *pass)
{
    rf_device *device = m->base.setup.device;
    device->ops->critic_first(device, &(rf_critic_first){.fake = first_of_fake(m, RFI_FOR_CRITIC),
                                                         .real = first_of_real(m),
                                                         .between = first_of_between(m),
                                                         .drop = dropout(m, 0, pass)});
    if (m->critic.n_layers == 1) {
        const rf_critic_head only = head(m, pass);
        device->ops->critic_head(device, &only);
    }
    layers_from(m, 1, pass);
}

/* ------------------------------------------------------------------ backward */

static void backward(rfi_ctgan *m, int32_t n)
{
    rf_device *device = m->base.setup.device;
    for (int32_t k = m->critic.n_layers - 1; k > 0; k--) {
        const rfi_critic_layer *layer = &m->critic.layers[k], *below = layer - 1;
        device->ops->affine_back(device,
                                 &(rf_affine_back){.dx = rows_of(m, below->d, below->width, 0, n),
                                                   .dy = rows_of(m, layer->d, layer->width, 0, n),
                                                   .w = weights(layer->w),
                                                   .gate = rows_of(m, below->mask, below->width, 0, n),
                                                   .gate_kind = RF_GATE_MULTIPLY});
    }
}

/* The gradient of the generated rows' scores with respect to them. */
static void input_gradient(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_critic_layer *first = &m->critic.layers[0];
    device->ops->affine_back(device, &(rf_affine_back){.dx = packs(m, m->critic.g, m->d),
                                                       .dy = rows_of(m, first->d, first->width, FAKE, 1),
                                                       .w = weights(first->w)});
}

/* ------------------------------------------------------------------ the penalty */

/* The input gradient g w^T of the interpolated rows by one of the first layer's matrices, and its product with the same matrix
 * once more: q_1 = mask_1 scale (g W + gc Wc) takes the place of h_1. */
static void penalise_by(const rfi_ctgan *m, rf_gradient_penalty *op, const rfi_tensor *w, rf_mat g)
{
    const rfi_critic_layer *first = &m->critic.layers[0];
    const int32_t i = op->n++;
    op->back[i] =
        (rf_affine_back){.dx = g, .dy = rows_of(m, first->d, first->width, BETWEEN, 1), .w = weights(w)};
    op->again[i] = (rf_affine){
        .y = rows_of(m, first->h, first->width, BETWEEN, 1), .x = g, .w = weights(w), .accumulate = i > 0};
}

/* The norm covers the conditions too. */
static void penalise_first(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_critic_layer *first = &m->critic.layers[0];
    rf_gradient_penalty op = {.penalty = {.g1 = packs(m, m->critic.g, m->d),
                                          .g2 = packs(m, m->critic.gc, m->c),
                                          .d = rows_of(m, first->d, first->width, BETWEEN, 1),
                                          .scale = m->critic.scale,
                                          .lambda = lambda,
                                          .loss = &m->losses[RFI_LOSS_PENALTY]}};
    penalise_by(m, &op, first->w, op.penalty.g1);
    if (first->wc)
        penalise_by(m, &op, first->wc, op.penalty.g2);
    rf_affine *last = &op.again[op.n - 1];
    last->row_scale = m->critic.scale;
    last->gate = rows_of(m, first->mask, first->width, BETWEEN, 1);
    last->gate_kind = RF_GATE_MULTIPLY;
    device->ops->gradient_penalty(device, &op);
}

static void penalise(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    penalise_first(m);
    for (int32_t k = 1; k < m->critic.n_layers; k++) {
        const rfi_critic_layer *layer = &m->critic.layers[k], *below = layer - 1;
        device->ops->affine(device, &(rf_affine){.y = rows_of(m, layer->h, layer->width, BETWEEN, 1),
                                                 .x = rows_of(m, below->h, below->width, BETWEEN, 1),
                                                 .w = weights(layer->w),
                                                 .gate = rows_of(m, layer->mask, layer->width, BETWEEN, 1),
                                                 .gate_kind = RF_GATE_MULTIPLY});
    }
}

/* ------------------------------------------------------------------ update */

static rf_update update_of(const rfi_ctgan *m, const rfi_tensor *w)
{
    return (rf_update){
        .w = w->w, .m = w->m, .v = w->v, .rows = w->rows, .cols = w->cols, .adam = m->critic_adam};
}

static void update_first(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_critic_layer *first = &m->critic.layers[0];
    const rf_mat fake = rows_of(m, first->d, first->width, FAKE, 1);
    const rf_mat real = rows_of(m, first->d, first->width, REAL, 1);
    const rf_mat between = rows_of(m, first->d, first->width, BETWEEN, 1);
    rf_update data = update_of(m, first->w);
    data.n_dense = 2;
    data.dense[0].a = packs(m, rfi_fake_of(m, RFI_FOR_CRITIC), m->d);
    data.dense[0].b = fake;
    data.dense[1].a = packs(m, m->critic.g, m->d);
    data.dense[1].b = between;
    data.coded.b = real;
    data.coded.layout = m->base.setup.layout;
    data.coded.scalars = m->real_scalars;
    data.coded.codes = m->real_codes;
    data.coded.pack = m->p;
    device->ops->update(device, &data);
    if (!first->wc)
        return;
    rf_update condition = update_of(m, first->wc);
    condition.n_dense = 1;
    condition.dense[0].a = packs(m, m->critic.gc, m->c);
    condition.dense[0].b = between;
    condition.n_gather = 2;
    for (int i = 0; i < 2; i++) {
        condition.gather[i].b = i ? real : fake;
        condition.gather[i].ids = i ? m->real_entries : rfi_entries_of(m, RFI_FOR_CRITIC);
        condition.gather[i].n_ids = m->p;
        condition.gather[i].stride = m->c;
    }
    device->ops->update(device, &condition);
}

static void update_vector(rfi_ctgan *m, const rfi_tensor *w, int32_t n, rf_mat b, const float *coef)
{
    rf_device *device = m->base.setup.device;
    device->ops->update_vector(
        device, &(rf_update_vector){
                    .w = w->w, .m = w->m, .v = w->v, .n = n, .b = b, .coef = coef, .adam = m->critic_adam});
}

static void update(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    rfi_critic *critic = &m->critic;
    const rfi_critic_layer *last = &critic->layers[critic->n_layers - 1];
    update_first(m);
    for (int32_t k = 0; k < critic->n_layers; k++) {
        const rfi_critic_layer *layer = &critic->layers[k];
        if (k > 0) {
            rf_update matrix = update_of(m, layer->w);
            matrix.n_dense = 1;
            matrix.dense[0].a = rows_of(m, layer[-1].h, layer[-1].width, 0, 3);
            matrix.dense[0].b = rows_of(m, layer->d, layer->width, 0, 3);
            device->ops->update(device, &matrix);
        }
        /* The penalty does not reach a bias: two blocks only. */
        update_vector(m, layer->bias, layer->width, rows_of(m, layer->d, layer->width, 0, 2), NULL);
    }
    update_vector(m, critic->w, last->width, rows_of(m, last->h, last->width, 0, 3), critic->coef);
    /* The coefficients of generated and real rows sum to zero: the last bias only decays. */
    update_vector(m, critic->bias, 1, (rf_mat){0}, NULL);
}

/* ------------------------------------------------------------------ the two steps */

void rfi_critic_learn(rfi_ctgan *m)
{
    rf_device *device = m->base.setup.device;
    forward(m, &(critic_pass){.n = 3,
                              .n_loss = 2,
                              .step = m->critic_step,
                              .purpose = RF_DRAW_DROPOUT_D1,
                              .coef = m->critic.coef,
                              .loss = &m->losses[RFI_LOSS_CRITIC]});
    backward(m, 3);
    penalise(m);
    device->ops->updates_begin(device, m->critic_adam);
    update(m);
    device->ops->updates_end(device, &(rf_step_tick){.step = m->critic_step});
}

void rfi_critic_judge(rfi_ctgan *m)
{
    layers_from(m, 0,
                &(critic_pass){.n = 1,
                               .n_loss = 1,
                               .step = m->step,
                               .purpose = RF_DRAW_DROPOUT_G1,
                               .coef = m->critic.coef_fake,
                               .loss = &m->losses[RFI_LOSS_SCORE]});
    backward(m, 1);
    input_gradient(m);
}
