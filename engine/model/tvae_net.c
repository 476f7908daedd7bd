/* The autoencoder's networks: encode, decode, backward, update. */
#include "engine/model/tvae.h"

#include "core/philox.h"
#include "engine/model/models.h"

/* The bounds that the public reference keeps sigma in. */
static const float sigma_lo = 0.01f, sigma_hi = 1.0f;

/* ------------------------------------------------------------------ shapes */

static void shape_stack(rfi_tvae_stack *stack, const rf_dims *dims, int32_t inputs, int32_t outputs)
{
    stack->n_layers = dims->n;
    for (int32_t l = 0; l < dims->n; l++) {
        rfi_tvae_layer *layer = &stack->layers[l];
        layer->width = dims->width[l];
        layer->w = rfi_tensors_add(&stack->tensors, inputs, layer->width, inputs);
        layer->bias = rfi_tensors_add(&stack->tensors, 1, layer->width, inputs);
        inputs = layer->width;
    }
    stack->w = rfi_tensors_add(&stack->tensors, inputs, outputs, inputs);
    stack->bias = rfi_tensors_add(&stack->tensors, 1, outputs, inputs);
}

void rfi_tvae_shape(rfi_tvae *m)
{
    const rf_params *params = &m->base.setup.params;
    const int32_t n_scalars = m->base.setup.layout->n_scalars;
    shape_stack(&m->decoder, &params->decompress_dims, m->z, m->d);
    m->sigma = n_scalars ? rfi_tensors_add_filled(&m->decoder.tensors, 1, n_scalars, 0.1f) : NULL;
    m->encoder.tensors.first_index = RFI_TENSORS_MAX;
    shape_stack(&m->encoder, &params->compress_dims, m->d, 2 * m->z);
}

static void place_activations(rfi_tvae_stack *stack, rfi_slab *slab, size_t b)
{
    for (int32_t l = 0; l < stack->n_layers; l++)
        stack->layers[l].h = rfi_slab_floats(slab, b, (size_t)stack->layers[l].width);
    stack->out = rfi_slab_floats(slab, b, (size_t)stack->w->cols);
}

static void place_gradients(rfi_tvae_stack *stack, rfi_slab *slab, size_t b)
{
    rfi_tensors_place_moments(&stack->tensors, slab);
    for (int32_t l = 0; l < stack->n_layers; l++)
        stack->layers[l].dh = rfi_slab_floats(slab, b, (size_t)stack->layers[l].width);
    stack->dout = rfi_slab_floats(slab, b, (size_t)stack->w->cols);
}

void rfi_tvae_place(rfi_tvae *m, rfi_slab *slab)
{
    rfi_tensors_place_weights(&m->decoder.tensors, slab);
    place_activations(&m->decoder, slab, (size_t)m->b);
    m->latent = rfi_slab_floats(slab, (size_t)m->b, (size_t)m->z);
}

void rfi_tvae_place_training(rfi_tvae *m, rfi_slab *slab)
{
    const size_t b = (size_t)m->b, z = (size_t)m->z;
    rfi_tensors_place_weights(&m->encoder.tensors, slab);
    place_activations(&m->encoder, slab, b);
    place_gradients(&m->encoder, slab, b);
    place_gradients(&m->decoder, slab, b);
    m->dlatent = rfi_slab_floats(slab, b, z);
    m->eps = rfi_slab_floats(slab, b, z);
    m->dsigma = rfi_slab_floats(slab, 1, (size_t)m->base.setup.layout->n_scalars);
}

/* ------------------------------------------------------------------ forward */

static rf_mat weights(const rfi_tensor *tensor)
{
    return rfi_mat(tensor->w, tensor->rows, tensor->cols);
}

static rf_affine affine_of(const rfi_tvae *m, rf_mat x, const rfi_tensor *w, const rfi_tensor *bias, float *y)
{
    return (rf_affine){.y = rfi_mat(y, m->b, w->cols), .x = x, .w = weights(w), .bias = bias->w};
}

/* Layers from `first` on, from x; returns what the linear end reads. */
static rf_mat hidden(rfi_tvae *m, const rfi_tvae_stack *stack, int32_t first, rf_mat x)
{
    rf_device *device = m->base.setup.device;
    for (int32_t l = first; l < stack->n_layers; l++) {
        const rfi_tvae_layer *layer = &stack->layers[l];
        rf_affine op = affine_of(m, x, layer->w, layer->bias, layer->h);
        op.relu = true;
        device->ops->affine(device, &op);
        x = op.y;
    }
    return x;
}

/* The batch that the step's number gives, to its latent draw. */
static void encode(rfi_tvae *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_tvae_stack *encoder = &m->encoder;
    const rfi_tvae_layer *first = &encoder->layers[0];
    rf_mat h = rfi_mat(first->h, m->b, first->width);
    rf_noise noise = {.seed = m->base.setup.seed, .step = m->step, .purpose = RF_DRAW_SHUFFLE};
    device->ops->take_layer(device, &(rf_take_layer){.take = {.batch = m->b,
                                                              .steps_per_epoch = m->base.steps_per_epoch,
                                                              .out_n = m->n,
                                                              .out_scalars = m->scalars,
                                                              .out_codes = m->codes,
                                                              .layout = m->base.setup.layout,
                                                              .table = &m->table,
                                                              .noise = noise},
                                                     .affine = {.y = h,
                                                                .w = weights(first->w),
                                                                .bias = first->bias->w,
                                                                .layout = m->base.setup.layout,
                                                                .scalars = m->scalars,
                                                                .codes = m->codes,
                                                                .pack = 1,
                                                                .relu = true}});
    h = hidden(m, encoder, 1, h);
    noise.purpose = RF_DRAW_LATENT;
    device->ops->latent(device,
                        &(rf_latent){.affine = affine_of(m, h, encoder->w, encoder->bias, encoder->out),
                                     .draw = {.z = rfi_mat(m->latent, m->b, m->z),
                                              .code = rfi_mat(encoder->out, m->b, 2 * m->z),
                                              .eps = rfi_mat(m->eps, m->b, m->z),
                                              .noise = noise}});
}

void rfi_tvae_decode(rfi_tvae *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_tvae_stack *decoder = &m->decoder;
    const rf_mat h = hidden(m, decoder, 0, rfi_mat(m->latent, m->b, m->z));
    const rf_affine end = affine_of(m, h, decoder->w, decoder->bias, decoder->out);
    device->ops->affine(device, &end);
}

/* ------------------------------------------------------------------ update */

static rf_update update_of(const rfi_tvae *m, const rfi_tensor *w)
{
    return (rf_update){.w = w->w, .m = w->m, .v = w->v, .rows = w->rows, .cols = w->cols, .adam = m->adam};
}

static void update_bias(rfi_tvae *m, const rfi_tensor *bias, rf_mat dy)
{
    rf_device *device = m->base.setup.device;
    device->ops->update_vector(
        device, &(rf_update_vector){
                    .w = bias->w, .m = bias->m, .v = bias->v, .n = bias->cols, .b = dy, .adam = m->adam});
}

static void update_matrix(rfi_tvae *m, const rfi_tensor *w, const rfi_tensor *bias, rf_mat x, rf_mat dy)
{
    rf_device *device = m->base.setup.device;
    rf_update matrix = update_of(m, w);
    matrix.n_dense = 1;
    matrix.dense[0].a = x;
    matrix.dense[0].b = dy;
    device->ops->update(device, &matrix);
    update_bias(m, bias, dy);
}

static void update_coded(rfi_tvae *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_tvae_layer *first = &m->encoder.layers[0];
    const rf_mat dy = rfi_mat(first->dh, m->b, first->width);
    rf_update matrix = update_of(m, first->w);
    matrix.coded.b = dy;
    matrix.coded.layout = m->base.setup.layout;
    matrix.coded.scalars = m->scalars;
    matrix.coded.codes = m->codes;
    matrix.coded.pack = 1;
    device->ops->update(device, &matrix);
    update_bias(m, first->bias, dy);
}

static void update_sigma(rfi_tvae *m)
{
    rf_device *device = m->base.setup.device;
    if (m->sigma)
        device->ops->update_vector(device, &(rf_update_vector){.w = m->sigma->w,
                                                               .m = m->sigma->m,
                                                               .v = m->sigma->v,
                                                               .n = m->sigma->cols,
                                                               .given = m->dsigma,
                                                               .lo = sigma_lo,
                                                               .hi = sigma_hi,
                                                               .adam = m->adam});
}

/* ------------------------------------------------------------------ backward
 *
 * A matrix is updated as soon as the gradient has passed it, while its input and its gradient are still in the caches.
 */

/* The product from dy to the dh of layer l; w is the matrix behind that layer. */
static rf_affine_back back_to(const rfi_tvae *m, const rfi_tvae_stack *stack, int32_t l, const rfi_tensor *w,
                              rf_mat dy)
{
    const rfi_tvae_layer *layer = &stack->layers[l];
    return (rf_affine_back){.dx = rfi_mat(layer->dh, m->b, layer->width),
                            .dy = dy,
                            .w = weights(w),
                            .gate = rfi_mat(layer->h, m->b, layer->width),
                            .gate_kind = RF_GATE_POSITIVE};
}

/* From dout to the dh of the first layer; the matrices behind it are updated on the way. `began`: the first product is done. */
static void backward(rfi_tvae *m, rfi_tvae_stack *stack, bool began)
{
    rf_device *device = m->base.setup.device;
    const rfi_tensor *w = stack->w, *bias = stack->bias;
    rf_mat dy = rfi_mat(stack->dout, m->b, w->cols);
    for (int32_t l = stack->n_layers - 1; l >= 0; l--) {
        const rfi_tvae_layer *layer = &stack->layers[l];
        const rf_affine_back op = back_to(m, stack, l, w, dy);
        if (l < stack->n_layers - 1 || !began)
            device->ops->affine_back(device, &op);
        update_matrix(m, w, bias, op.gate, dy);
        w = layer->w;
        bias = layer->bias;
        dy = op.dx;
    }
}

/* Through the decoder's first layer and the latent draw to the dout of the encoder. */
static void latent_back(rfi_tvae *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_tvae_layer *first = &m->decoder.layers[0];
    const rf_mat dy = rfi_mat(first->dh, m->b, first->width);
    device->ops->latent_gradient(
        device, &(rf_latent_gradient){
                    .back = {.dx = rfi_mat(m->dlatent, m->b, m->z), .dy = dy, .w = weights(first->w)},
                    .latent = {.dcode = rfi_mat(m->encoder.dout, m->b, 2 * m->z),
                               .dz = rfi_mat(m->dlatent, m->b, m->z),
                               .code = rfi_mat(m->encoder.out, m->b, 2 * m->z),
                               .eps = rfi_mat(m->eps, m->b, m->z),
                               .loss = &m->losses[RFI_TVAE_DIVERGENCE],
                               .n = m->n}});
    update_matrix(m, first->w, first->bias, rfi_mat(m->latent, m->b, m->z), dy);
}

/* The loss, and back to the decoder's last layer. */
static void reconstruct(rfi_tvae *m)
{
    rf_device *device = m->base.setup.device;
    const rfi_tvae_stack *decoder = &m->decoder;
    const rf_mat dlogits = rfi_mat(decoder->dout, m->b, m->d);
    device->ops->reconstruct_gradient(
        device,
        &(rf_reconstruct_gradient){.reconstruct = {.dlogits = dlogits,
                                                   .logits = rfi_mat(decoder->out, m->b, m->d),
                                                   .layout = m->base.setup.layout,
                                                   .scalars = m->scalars,
                                                   .codes = m->codes,
                                                   .sigma = m->sigma ? m->sigma->w : NULL,
                                                   .dsigma = m->dsigma,
                                                   .loss = &m->losses[RFI_TVAE_RECONSTRUCTION],
                                                   .factor = (float)m->base.setup.params.loss_factor,
                                                   .n = m->n},
                                   .back = back_to(m, decoder, decoder->n_layers - 1, decoder->w, dlogits)});
}

void rfi_tvae_learn(rfi_tvae *m)
{
    rf_device *device = m->base.setup.device;
    encode(m);
    rfi_tvae_decode(m);
    reconstruct(m);
    device->ops->updates_begin(device, m->adam);
    backward(m, &m->decoder, true);
    latent_back(m);
    backward(m, &m->encoder, false);
    update_coded(m);
    update_sigma(m);
    device->ops->updates_end(device, &(rf_step_tick){.step = m->step,
                                                     .losses = m->losses,
                                                     .ring = m->ring,
                                                     .n = RFI_TVAE_LOSSES,
                                                     .length = RFI_RING_STEPS});
}
