/* ctgan.h - the two networks of CTGAN, as their files share them.
 *
 * Xu, Skoularidou, Cuesta-Infante, Veeramachaneni: "Modeling tabular data using conditional GAN", NeurIPS
 * 2019; packing after Lin et al., "PacGAN", 2018; the penalty after Gulrajani et al., "Improved training of
 * Wasserstein GANs", 2017.
 *
 * Shapes: B rows a batch, P rows a pack, M = B / P packs, D width of an encoded row, C width of the
 * condition, Z of the noise.
 *
 * GENERATOR. Layer l maps everything before it to h_l and the next layer sees h_l in front of what it saw.
 * All inputs lie in one buffer x, newest in front, so that every layer's input is a suffix of its rows and
 * nothing is ever copied:
 *
 *     x (B, X)   [ h_L | ... | h_2 | h_1 | z ]     layer 1 reads [z], layer 2 [h_1 | z], the output all of it
 *
 * The condition is one-hot, hence its part of each weight matrix is a matrix of its own, of which one row is
 * gathered. The layers have no bias: batch normalisation subtracts it again, and its gradient is zero.
 *
 * CRITIC. Its first layer reads P encoded rows and their P conditions: w (P * D, H), pack-major, so a (B, D)
 * matrix of generated rows is read as (M, P * D) as it lies, and wc (P * C, H), gathered. Generated, real and
 * interpolated packs are rows of one matrix:
 *
 *     h, mask, d (3M, H)   rows 0..M-1 generated, M..2M-1 real, 2M..3M-1 interpolated
 *
 * Because its activations are piecewise linear the penalty's second derivatives need only the masks;
 * ctgan_critic.c works them out.
 *
 * The two networks learn from each other's rows, so ctgan.c, ctgan_generator.c and ctgan_critic.c are one module in three
 * files: this header is what they share; besides them only tests and a benchmark look inside.
 */
#ifndef RF_ENGINE_MODEL_CTGAN_H
#define RF_ENGINE_MODEL_CTGAN_H

#include "engine/model/batches.h"
#include "engine/model/model.h"
#include "engine/model/tensors.h"

typedef struct rfi_generator_layer {
    int32_t width;      /* h */
    int32_t at;         /* its first column in x                                          */
    int32_t input_at;   /* where its input begins in x                                    */
    int32_t hidden;     /* columns of that input which are hidden units and need gradients */
    rfi_tensor *w, *wc; /* (X - input_at, h), (C, h) or NULL                              */
    rfi_tensor *gamma, *beta;
    float *dgamma, *dbeta; /* (h) */
} rfi_generator_layer;

/* What a forward pass works in: n batches, one below the other. Each has statistics of its own, so that batches may go together
 * or one by one. */
typedef struct rfi_generator_rows {
    int32_t n;
    float *x, *logits;                            /* (n B, X), (n B, D)                */
    int32_t *entries, *columns;                   /* (n B) the condition of each row   */
    float *a[RF_DIMS_MAX];                        /* (n B, h) before the normalisation */
    float *mean[RF_DIMS_MAX], *rstd[RF_DIMS_MAX]; /* (n, h)                            */
} rfi_generator_rows;

typedef struct rfi_generator {
    int32_t n_layers, x_width, hidden; /* hidden = x_width - Z */
    rfi_generator_layer layers[RF_DIMS_MAX];
    rfi_tensor *w, *wc, *bias; /* the output layer: (X, D), (C, D), (D) */
    rfi_generator_rows sampled, trained;
    float *dx, *da, *dlogits; /* (B, hidden) twice, (B, D); only while training */
    rfi_tensors tensors;
} rfi_generator;

typedef struct rfi_critic_layer {
    int32_t width;
    rfi_tensor *w, *wc, *bias; /* wc: the first layer's only, and only with conditions */
    float *h, *mask, *d;       /* (3M, width) */
} rfi_critic_layer;

typedef struct rfi_critic {
    int32_t n_layers;
    rfi_critic_layer layers[RF_DIMS_MAX];
    rfi_tensor *w, *bias;    /* the output: (H, 1), (1) */
    float *coef, *coef_fake; /* (3M) of the critic's step, (M) of the generator's: d loss / d score */
    float *score, *scale;    /* (3M), (M)                                                         */
    float *g, *gc;           /* (M, P D), (M, P C): gradient of the interpolates' scores          */
    rfi_tensors tensors;
} rfi_critic;

/* What ctgan.losses holds. */
enum { RFI_LOSS_CRITIC, RFI_LOSS_PENALTY, RFI_LOSS_SCORE, RFI_LOSS_CONDITION, RFI_LOSSES };

typedef struct rfi_ctgan {
    rf_model base;
    int32_t b, p, m, d, c, z; /* the shapes of the essay */

    rfi_generator generator;
    rfi_critic critic;

    void *kept, *training; /* the two slabs                                                     */
    uint32_t *zero, *step, *critic_step;   /* counters in device memory: address the draws */
    rf_adam *generator_adam, *critic_adam; /* device */
    float *losses, *ring;                  /* device: of a step, of RFI_RING_STEPS steps */
    float *fake;         /* generated rows, (B, D) of each batch that trains at once          */
    float *real_scalars; /* (B, n_scalars) real rows of a batch                                */
    uint16_t *real_codes;
    int32_t *real_entries; /* (B) */
    int32_t *condition_offsets, *condition_spans;
    double *sampling_cumulative, *training_cumulative;
    int64_t *list_offsets;
    uint32_t *list;
    rf_coded table;                          /* the training rows, device */
    rf_condition_table sampling, conditions; /* host structs of device pointers */
    rfi_batches batches;                     /* sampled rows on their way       */
} rfi_ctgan;

/* The generated rows, and their conditions, that the critic learns from and those that the generator does: the first and the last of the
 * batches that were made at once. */
enum { RFI_FOR_CRITIC, RFI_FOR_GENERATOR };
static inline int32_t rfi_batch_of(const rfi_ctgan *m, int whose)
{
    return whose == RFI_FOR_CRITIC ? 0 : m->generator.trained.n - 1;
}

static inline float *rfi_fake_of(const rfi_ctgan *m, int whose)
{
    return m->fake + (int64_t)rfi_batch_of(m, whose) * m->b * m->d;
}

static inline int32_t *rfi_entries_of(const rfi_ctgan *m, int whose)
{
    return m->generator.trained.entries + (int64_t)rfi_batch_of(m, whose) * m->b;
}

/* ------------------------------------------------------------------ ctgan_generator.c */

/* Sets the shapes and declares the tensors; places what sampling needs, and what training needs besides. */
void rfi_generator_shape(rfi_ctgan *m);
void rfi_generator_place(rfi_ctgan *m, rfi_slab *slab);
void rfi_generator_place_training(rfi_ctgan *m, rfi_slab *slab);

/* Where a batch finds its random numbers; `step` counts the batches. */
typedef struct rfi_generator_draws {
    uint64_t seed;
    const uint32_t *step;
    uint32_t noise, condition, gumbel; /* purposes */
    int32_t fixed_entry;               /* -1: conditions are drawn */
    const rf_condition_table *conditions;
} rfi_generator_draws;

/* Noise and conditions to logits: draws[i] for each batch of rows. `real` rows are drawn beside them; NULL: none. */
void rfi_generator_forward(rfi_ctgan *m, const rfi_generator_rows *rows, const rfi_generator_draws *draws,
                           const rf_draw_rows *real);
/* The training's logits to generated rows in `fake`. */
void rfi_generator_activate(rfi_ctgan *m, const rfi_generator_draws *draws);
/* From the gradient of `fake` (critic.g) to updated weights, and the next step. */
void rfi_generator_learn(rfi_ctgan *m);

/* ------------------------------------------------------------------ ctgan_critic.c */

void rfi_critic_shape(rfi_ctgan *m);
void rfi_critic_place(rfi_ctgan *m, rfi_slab *slab);
rf_code rfi_critic_start(rfi_ctgan *m, rf_error *err) RF_MUST_CHECK;

/* The critic's step: `fake` and the real batch are there; ends with updated weights and the next critic_step. */
void rfi_critic_learn(rfi_ctgan *m);
/* The generator's side of the critic: scores of `fake`, then critic.g, their gradient with respect to it. */
void rfi_critic_judge(rfi_ctgan *m);

#endif
