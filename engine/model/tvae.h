/* tvae.h - the variational autoencoder of TVAE, as its files share it.
 *
 * Xu et al., "Modeling tabular data using conditional GAN", NeurIPS 2019, section 4.4; the objective after
 * Kingma and Welling, "Auto-encoding variational Bayes", 2014.
 *
 * Shapes: B rows a batch, D width of an encoded row, Z of the latent space.
 *
 *     coded row -> encoder layers (ReLU) -> code (B, 2Z) = [mu | logvar] -> z = mu + exp(logvar / 2) eps
 *     z -> decoder layers (ReLU) -> logits (B, D), with one sigma for each scalar span
 *
 * The first encoder layer reads coded rows: weight rows are gathered, the one-hot row never exists. An epoch
 * visits every row once in a shuffled order; its last batch may be short, and the operations that make losses
 * give the rows beyond it no gradient.
 */
#ifndef RF_ENGINE_MODEL_TVAE_H
#define RF_ENGINE_MODEL_TVAE_H

#include "engine/model/batches.h"
#include "engine/model/model.h"
#include "engine/model/tensors.h"

typedef struct rfi_tvae_layer {
    int32_t width;
    rfi_tensor *w, *bias;
    float *h, *dh; /* (B, width); dh only while training */
} rfi_tvae_layer;

typedef struct rfi_tvae_stack {
    int32_t n_layers;
    rfi_tvae_layer layers[RF_DIMS_MAX];
    rfi_tensor *w, *bias; /* the linear layer at its end */
    float *out, *dout;    /* (B, 2Z) code, or (B, D) logits */
    rfi_tensors tensors;
} rfi_tvae_stack;

enum { RFI_TVAE_RECONSTRUCTION, RFI_TVAE_DIVERGENCE, RFI_TVAE_LOSSES };

typedef struct rfi_tvae {
    rf_model base;
    int32_t b, d, z;

    rfi_tvae_stack encoder, decoder;
    rfi_tensor *sigma; /* (n_scalars), part of the decoder's tensors; NULL without scalars */

    void *kept, *training;         /* the two slabs                                     */
    uint32_t *zero, *step;         /* counters in device memory                         */
    float *latent;                 /* (B, Z)                                            */
    float *dlatent, *eps, *dsigma; /* (B, Z), (B, Z), (n_scalars)                       */
    float *scalars;                /* rows of a batch                                   */
    uint16_t *codes;
    int32_t *n;           /* device: rows of this batch */
    float *losses, *ring; /* device: of a step, of RFI_RING_STEPS steps */
    rf_adam *adam;
    rf_coded table;      /* the training rows, device    */
    rfi_batches batches; /* sampled rows on their way    */
} rfi_tvae;

/* ------------------------------------------------------------------ tvae_net.c */

void rfi_tvae_shape(rfi_tvae *m);
void rfi_tvae_place(rfi_tvae *m, rfi_slab *slab);          /* decoder */
void rfi_tvae_place_training(rfi_tvae *m, rfi_slab *slab); /* encoder, gradients, moments */

/* latent to logits */
void rfi_tvae_decode(rfi_tvae *m);
/* One step on the batch that the step's number gives, and the next number. */
void rfi_tvae_learn(rfi_tvae *m);

#endif
