/* parts.h - what the compounds of ops.h mean, in the words of the other operations.
 *
 * The CPU does them so, and so does a GPU where it fuses nothing: the oracle of those that do.
 */
#ifndef RF_KERNELS_PARTS_H
#define RF_KERNELS_PARTS_H

#include "kernels/ops.h"

static inline void rf_parts_draw_batches(rf_device *device, const rf_draw_batches *op)
{
    for (int32_t i = 0; i < op->n; i++) {
        device->ops->draw_normal(device, &op->normal[i]);
        if (op->conditions[i].out)
            device->ops->draw_conditions(device, &op->conditions[i]);
    }
    if (op->rows.layout)
        device->ops->draw_rows(device, &op->rows);
}

static inline void rf_parts_batchnorm_batches(rf_device *device, const rf_batchnorm_batches *op)
{
    for (int32_t i = 0; i < op->n; i++)
        device->ops->batchnorm_relu(device, &op->batch[i]);
}

static inline void rf_parts_activate_batches(rf_device *device, const rf_activate_batches *op)
{
    for (int32_t i = 0; i < op->n; i++)
        device->ops->activate(device, &op->batch[i]);
}

static inline void rf_parts_generate(rf_device *device, const rf_generate *op)
{
    for (int32_t l = 0; l < op->n_layers; l++) {
        device->ops->affine(device, &op->layer[l].affine);
        device->ops->batchnorm_batches(device, &op->layer[l].norm);
    }
    device->ops->affine(device, &op->output);
}

static inline void rf_parts_generate_back(rf_device *device, const rf_generate_back *op)
{
    if (op->activate.layout)
        device->ops->activate_back(device, &op->activate);
    device->ops->affine_back(device, &op->output);
    for (int32_t l = 0; l < op->n_layers; l++) {
        device->ops->batchnorm_relu_back(device, &op->layer[l].norm);
        if (op->layer[l].back.dx.data)
            device->ops->affine_back(device, &op->layer[l].back);
    }
}

static inline void rf_parts_take_layer(rf_device *device, const rf_take_layer *op)
{
    device->ops->take_rows(device, &op->take);
    device->ops->affine_coded(device, &op->affine);
}

static inline void rf_parts_latent(rf_device *device, const rf_latent *op)
{
    device->ops->affine(device, &op->affine);
    device->ops->reparameterise(device, &op->draw);
}

static inline void rf_parts_latent_gradient(rf_device *device, const rf_latent_gradient *op)
{
    device->ops->affine_back(device, &op->back);
    device->ops->latent_back(device, &op->latent);
}

static inline void rf_parts_reconstruct_gradient(rf_device *device, const rf_reconstruct_gradient *op)
{
    device->ops->reconstruct(device, &op->reconstruct);
    device->ops->affine_back(device, &op->back);
}

static inline void rf_parts_critic_layer(rf_device *device, const rf_critic_layer *op)
{
    device->ops->affine(device, &op->affine);
    device->ops->leaky_dropout(device, &op->drop);
    if (op->head.h.data)
        device->ops->critic_head(device, &op->head);
}

static inline void rf_parts_critic_first(rf_device *device, const rf_critic_first *op)
{
    device->ops->affine(device, &op->fake);
    device->ops->affine_coded(device, &op->real);
    device->ops->interpolate(device, &op->between);
    device->ops->leaky_dropout(device, &op->drop);
}

static inline void rf_parts_gradient_penalty(rf_device *device, const rf_gradient_penalty *op)
{
    for (int32_t i = 0; i < op->n; i++)
        device->ops->affine_back(device, &op->back[i]);
    device->ops->penalty(device, &op->penalty);
    for (int32_t i = 0; i < op->n; i++)
        device->ops->affine(device, &op->again[i]);
}

#endif
