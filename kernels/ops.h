/* ops.h - everything a model may ask of a device.
 *
 * Each operation is a struct of arguments and one entry of rf_ops. Matrices are row-major float32 with a leading dimension, weights are
 * stored [inputs x outputs], so that a forward product, the gather of a weight row and its update share one layout. A one-hot input is
 * never multiplied: its weight row is gathered, and its gradient is scattered.
 *
 * Sums are in a fixed order for any number of threads, so the same arguments give the same bits; on the CPU also on every instruction
 * set (contraction off, fused multiply-adds written out, no library functions but exact ones: kernels/math). Unless an operation says
 * otherwise its outputs may not overlap its inputs. Every operation has a plain-loop oracle in tests/kernels and is held to it within the
 * tolerance named there; random numbers are bit-equal. Tolerances in short: an element of a product over K terms of size one 1e-6 sqrt(K),
 * softmax and tanh 1e-6, losses 1e-5 of their size, gradients 1e-4 of finite differences.
 *
 * Random numbers are addressed (core/philox.h). The step lives in device memory, so that a recorded sequence of operations can be
 * replayed: `noise.step` points to it.
 *
 * What the loops of the two networks need, in the order of a step:
 *   draw_normal draw_conditions draw_rows affine affine_coded batchnorm_relu activate interpolate leaky_dropout critic_head affine_back
 *   penalty update update_vector activate_back batchnorm_relu_back; take_rows reparameterise reconstruct latent_back; decode.
 * Compounds of these stand at the end.
 */
#ifndef RF_KERNELS_OPS_H
#define RF_KERNELS_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/backend.h"
#include "kernels/span.h"

/* Row-major view: element (r, c) at data[r * ld + c]. data == NULL: absent. */
typedef struct rf_mat {
    float *data;
    int32_t rows, cols;
    int64_t ld;
} rf_mat;

/* The address of a draw; `step` is device memory. */
typedef struct rf_noise {
    uint64_t seed;
    const uint32_t *step;
    uint32_t purpose, trial;
} rf_noise;

/* Adam's scalars, in device memory; adam_tick moves them on. Kingma and Ba, "Adam", 2015, algorithm 1, with L2 decay added to the gradient:
 *   g += decay * w;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  w -= rate * m / (sqrt(v) * root + eps)
 * rate = lr / (1 - b1^t), root = 1 / sqrt(1 - b2^t). */
typedef struct rf_adam {
    double power1, power2; /* b1^t, b2^t; 1 before the first tick */
    float lr, beta1, beta2, eps, decay;
    float rate, root;
} rf_adam;

/* ------------------------------------------------------------------ numbers from nowhere */

/* out[e] = lo + (hi - lo) * uniform_open(word e), e = 0..n-1. */
typedef struct rf_draw_uniform {
    float *out;
    int64_t n;
    float lo, hi;
    rf_noise noise;
} rf_draw_uniform;

/* Standard normals by Box-Muller: elements 2k and 2k+1 from words 2k and 2k+1 of element index e = r * out.cols + c. */
typedef struct rf_draw_normal {
    rf_mat out;
    rf_noise noise;
} rf_draw_normal;

/* What conditions are drawn from; arrays in device memory. */
typedef struct rf_condition_table {
    int32_t n_conditions, width;     /* columns; C                                                      */
    const int32_t *offsets;          /* (n_conditions + 1) first entry of each column                   */
    const double *cumulative;        /* (C) running sum of the column's probabilities, its last entry 1 */
    const int64_t *list_offsets;     /* (C + 1) into list; NULL when no rows are needed                 */
    const uint32_t *list;            /* rows of the table that hold entry e                             */
} rf_condition_table;

/* Row r: column j = below(word 4r, n_conditions); u = (word 4r+1 + 0.5) * 2^-32; entry = the first of the column whose cumulative > u.
 * out[r] = entry (0..C-1), out_column[r] = j. fixed_entry >= 0: out[r] = fixed_entry in every row, nothing is drawn. */
typedef struct rf_draw_conditions {
    int32_t *out, *out_column; /* (n) */
    int32_t n;
    int32_t fixed_entry;
    const rf_condition_table *table; /* host struct */
    rf_noise noise;
} rf_draw_conditions;

/* A real batch for the critic. Row i: entry e = entries[permute(i)] (kernels/math/permute.h, keyed by words 0..3 of `permute`), out_entries[i] = e,
 * a row drawn uniformly from list[list_offsets[e] .. list_offsets[e+1]-1] by words 4i and 4i+1 of `noise` (rf_uniform_below64). With entries == NULL: rows uniform over the
 * whole table. Its scalars and codes are copied. An entry that no row holds is never drawn: its probability is 0. */
typedef struct rf_draw_rows {
    int32_t n;
    const int32_t *entries;
    int32_t *out_entries;
    float *out_scalars;   /* (n, n_scalars) */
    uint16_t *out_codes;  /* (n, n_codes)   */
    const rf_layout *layout;
    const rf_coded *table; /* device pointers */
    const rf_condition_table *conditions;
    rf_noise noise, permute;
} rf_draw_rows;

/* Rows first .. first+n-1 of the epoch's order: row i of the order is permute(i) over table->n_rows, keyed by words 0..3 of
 * noise at step = epoch: *noise.step / steps_per_epoch; first = (*noise.step % steps_per_epoch) * batch. Rows past the end of the table are not
 * written; *out_n = how many were (the last batch may be short). */
typedef struct rf_take_rows {
    int32_t batch;
    int64_t steps_per_epoch;
    int32_t *out_n;       /* device */
    float *out_scalars;
    uint16_t *out_codes;
    const rf_layout *layout;
    const rf_coded *table;
    rf_noise noise;
} rf_take_rows;

/* ------------------------------------------------------------------ products */

typedef enum rf_gate {
    RF_GATE_NONE,
    RF_GATE_MULTIPLY, /* times gate(r,c)           */
    RF_GATE_POSITIVE, /* times gate(r,c) > 0       */
} rf_gate;

/* y = f( [y] + bias + x w + sum over slots s of gather(s * gather_stride + ids[r * n_ids + s], :) ) row_scale[r] gate(r, c)
 * f is the identity or ReLU; [y] only when accumulate. Order of a sum: accumulated y, products over k ascending (one chain of
 * fused multiply-adds, whatever the tiles), slots ascending, bias last. */
typedef struct rf_affine {
    rf_mat y;             /* (R, N) */
    rf_mat x;             /* (R, K); absent: no product */
    rf_mat w;             /* (K, N), ld == N */
    const float *bias;    /* (N) or NULL */
    rf_mat gather;        /* (n_ids * gather_stride, N) or absent */
    const int32_t *ids;   /* (R * n_ids) */
    int32_t n_ids, gather_stride;
    bool accumulate, relu;
    const float *row_scale; /* (R) or NULL */
    rf_mat gate;          /* (R, N) */
    rf_gate gate_kind;
} rf_affine;

/* The product with one-hot rows: y(r) = f( sum over slots s, spans in order of
 *     scalar span: scalar * w(s * width + offset, :)     code span: w(s * width + offset + code, :)
 *   then, over slots again, gather(s * gather_stride + ids[r * pack + s], :), then bias ).   Coded rows r * pack + s. */
typedef struct rf_affine_coded {
    rf_mat y;             /* (R, N) */
    rf_mat w;             /* (pack * width, N) */
    const float *bias;
    const rf_layout *layout;
    const float *scalars;
    const uint16_t *codes;
    int32_t pack;
    rf_mat gather;        /* (pack * gather_stride, N) or absent */
    const int32_t *ids;
    int32_t gather_stride;
    bool relu;
} rf_affine_coded;

/* dx = ([dx] + dy w^T) gate: the gradient of a product with respect to its input. dx may be a view of the wider input. */
typedef struct rf_affine_back {
    rf_mat dx;            /* (R, K) */
    rf_mat dy;            /* (R, N) */
    rf_mat w;             /* (K, N) */
    bool accumulate;
    rf_mat gate;          /* (R, K) */
    rf_gate gate_kind;
} rf_affine_back;

/* ------------------------------------------------------------------ updates */

enum { RF_UPDATE_DENSE_MAX = 2, RF_UPDATE_GATHER_MAX = 2 };

/* The gradient of one weight matrix from all its uses, and Adam on it:
 *   g(k, n) = sum over dense sources of sum_r a(r, k) b(r, n)
 *           + the coded rows: scalar * b(r, n) into w's row s * width + offset, b(r, n) into row s * width + offset + code
 *           + gathered rows: b(r, n) into row s * stride + ids[r * n_ids + s]
 * adam NULL: nothing is updated. grad not NULL: g is written there (K, N). Dense sources come first, then coded, then gathered; rows of a
 * source are added in ascending order. A coded or gathered source goes with K = pack * layout->width or n_ids * stride. */
typedef struct rf_update {
    float *w, *m, *v;     /* (K, N) each */
    int32_t rows, cols;   /* K, N */
    int32_t n_dense;
    struct { rf_mat a, b; } dense[RF_UPDATE_DENSE_MAX];
    struct {
        rf_mat b;         /* (R, N); absent: no coded source */
        const rf_layout *layout;
        const float *scalars;
        const uint16_t *codes;
        int32_t pack;
    } coded;
    int32_t n_gather;
    struct {
        rf_mat b;         /* (R, N) */
        const int32_t *ids;
        int32_t n_ids, stride;
    } gather[RF_UPDATE_GATHER_MAX];
    const rf_adam *adam;  /* device */
    float *grad;
} rf_update;

/* A vector: g(n) = [given(n)] + sum_r coef[r] b(r, n) (coef NULL: 1), then Adam, then clamping to [lo, hi] when lo < hi. */
typedef struct rf_update_vector {
    float *w, *m, *v;     /* (n) */
    int32_t n;
    rf_mat b;             /* (R, n) or absent */
    const float *coef;    /* (R) or NULL */
    const float *given;   /* (n) or NULL */
    float lo, hi;
    const rf_adam *adam;
    float *grad;          /* (n) or NULL */
} rf_update_vector;

/* ------------------------------------------------------------------ generator */

/* h = ReLU(gamma * (a - mean) * rstd + beta), statistics over the rows, biased variance, eps 1e-5 (Ioffe and Szegedy, 2015). A NaN stays
 * one. Sums over rows are taken in blocks of 32 rows, then over the blocks. */
typedef struct rf_batchnorm_relu {
    rf_mat h, a;          /* (R, N) */
    const float *gamma, *beta;
    float *mean, *rstd;   /* (N) out */
} rf_batchnorm_relu;

/* da, dgamma, dbeta from dh. da may be dh. */
typedef struct rf_batchnorm_relu_back {
    rf_mat da, dh, h, a;
    const float *gamma, *mean, *rstd;
    float *dgamma, *dbeta; /* (N) out */
} rf_batchnorm_relu_back;

/* out = tanh(logit) on scalar spans; softmax((logit + gumbel) / tau) on code spans, gumbel = -ln(-ln u), u = uniform_open(word of element
 * r * width + c). Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", 2017. Shares below 2^-64 of the largest are 0:
 * they are below the rounding of the sum, and denormal numbers further on would be slow. */
typedef struct rf_activate {
    rf_mat out, logits;   /* (R, width) */
    const rf_layout *layout;
    float tau;
    rf_noise noise;
} rf_activate;

/* dlogits from dout through `out`, plus the conditional loss: on the span of the row's conditioned column
 *   (softmax(logits) - onehot(entry)) / R.    *loss = mean cross-entropy of it (0 without conditions). entries NULL: no such loss. */
typedef struct rf_activate_back {
    rf_mat dlogits, dout, out, logits;
    const rf_layout *layout;
    float tau;
    const int32_t *entries, *columns; /* (R) as from draw_conditions */
    const int32_t *condition_span;    /* (n_conditions) the span of each conditioned column, device */
    float *loss;
} rf_activate_back;

/* ------------------------------------------------------------------ critic */

/* out(r) = alpha_r * real(r) + (1 - alpha_r) * fake(r), alpha_r = uniform_open(word r). */
typedef struct rf_interpolate {
    rf_mat out, real, fake;
    rf_noise noise;
} rf_interpolate;

/* slope = a > 0 ? 1 : 0.2; keep = bit (e & 31) of word e >> 5, e = r * N + c; mask = keep ? 2 * slope : 0; y = mask * a. y may be a. */
typedef struct rf_leaky_dropout {
    rf_mat y, a, mask;    /* (R, N) */
    rf_noise noise;
} rf_leaky_dropout;

/* score[r] = h(r) . w + *bias;  d(r, :) = coef[r] * mask(r, :) * w;  *loss = sum over r < n_loss_rows of coef[r] * score[r]. */
typedef struct rf_critic_head {
    rf_mat h, mask, d;    /* (R, N) */
    const float *w, *bias, *coef; /* (N), (1), (R) */
    float *score;         /* (R) */
    int32_t n_loss_rows;
    float *loss;
} rf_critic_head;

/* Gradient penalty (Gulrajani et al., "Improved training of Wasserstein GANs", 2017), two-sided. Per row r: norm over (g1, g2) together;
 *   scale[r] = (2 lambda / R) (1 - 1 / norm), 0 when norm is 0;   d(r, :) *= scale[r];   *loss = lambda * mean (norm - 1)^2. */
typedef struct rf_penalty {
    rf_mat g1, g2;        /* (R, any); g2 may be absent */
    rf_mat d;             /* (R, N) in place */
    float *scale;         /* (R) out */
    float lambda;
    float *loss;
} rf_penalty;

/* ------------------------------------------------------------------ autoencoder */

/* z = mu + exp(logvar / 2) * eps, eps normal as draw_normal of z's shape. code = [mu | logvar] (R, 2 Z). eps is kept for the way back. */
typedef struct rf_reparameterise {
    rf_mat z, code, eps;
    rf_noise noise;
} rf_reparameterise;

/* Reconstruction loss over *n rows (device) of the batch, and its gradients, both times factor / *n:
 *   scalar span j: (x - tanh l)^2 / (2 sigma_j^2) + ln sigma_j    code span: cross-entropy of softmax(l) against the code
 * dlogits rows beyond *n are zero. dsigma (n_scalars). *loss = factor * sum / *n. */
typedef struct rf_reconstruct {
    rf_mat dlogits, logits; /* (R, width) */
    const rf_layout *layout;
    const float *scalars;
    const uint16_t *codes;
    const float *sigma;
    float *dsigma, *loss;
    float factor;
    const int32_t *n;
} rf_reconstruct;

/* dcode = [dz + mu / n | dz * eps * exp(logvar/2) / 2 + (exp(logvar) - 1) / (2 n)];  *loss = -0.5 / n * sum(1 + logvar - mu^2 - exp(logvar)),
 * over *n rows; rows beyond are zero. */
typedef struct rf_latent_back {
    rf_mat dcode, dz, code, eps;
    float *loss;
    const int32_t *n;
} rf_latent_back;

/* ------------------------------------------------------------------ sampling */

/* Logits to coded rows, from row (*slot % n_slots) * R of scalars and codes on (slot NULL: from row 0). Scalar span: u = tanh(l), plus sigma[source] * normal(element r * n_scalars + source of scalar_noise) when sigma is given, clipped to [-1, 1].
 * Code span: argmax of l + gumbel (code_noise.step not NULL; a draw from softmax(l), Gumbel 1954), else argmax of l, else with
 * saturate of tanh(l) as the public reference's TVAE does; ties to the lowest index. */
typedef struct rf_decode {
    rf_mat logits;
    const rf_layout *layout;
    float *scalars;
    uint16_t *codes;
    const float *sigma;
    rf_noise scalar_noise, code_noise;
    bool saturate;
    const uint32_t *slot; /* device */
    int32_t n_slots;
} rf_decode;

/* ------------------------------------------------------------------ compounds
 *
 * Each means its parts, one after the other: kernels/parts.h says it in code, and the CPU does just that. A device may do them
 * in one go where each part takes up what the one before it wrote.
 */

enum { RF_BATCHES_MAX = 2, RF_LAYERS_MAX = 8 };

/* What a step draws: noise and conditions of n batches, and the real rows. */
typedef struct rf_draw_batches {
    int32_t n;
    rf_draw_normal normal[RF_BATCHES_MAX];
    rf_draw_conditions conditions[RF_BATCHES_MAX]; /* out NULL: none       */
    rf_draw_rows rows;                             /* layout NULL: none    */
} rf_draw_batches;

/* Batches side by side, each with statistics or noise of its own. */
typedef struct rf_batchnorm_batches {
    int32_t n;
    rf_batchnorm_relu batch[RF_BATCHES_MAX];
} rf_batchnorm_batches;

typedef struct rf_activate_batches {
    int32_t n;
    rf_activate batch[RF_BATCHES_MAX]; /* of the same layout and shape */
} rf_activate_batches;

/* The generator from its input to its logits: layers of a product and the normalisation of its batches, which lie one below the other, then
 * the product to the output. What a layer normalised lies in front of what the next product reads. */
typedef struct rf_generate {
    int32_t n_layers;
    struct {
        rf_affine affine;
        rf_batchnorm_batches norm;
    } layer[RF_LAYERS_MAX];
    rf_affine output;
} rf_generate;

/* And back, from the gradient of the activated rows: to the logits, to what the output read, then through the layers, the last one first: back
 * through a normalisation, and from its da to what that layer read. dh is the front of the dx before it, and is used up. */
typedef struct rf_generate_back {
    rf_activate_back activate; /* dlogits = output.dy; layout NULL: that is there already */
    int32_t n_layers;
    rf_affine_back output;
    struct {
        rf_batchnorm_relu_back norm;
        rf_affine_back back; /* dx absent: what the layer read wants no gradient */
    } layer[RF_LAYERS_MAX];  /* in the order of the way back */
} rf_generate_back;

/* The encoder's first layer, on the rows that the epoch's order gives. */
typedef struct rf_take_layer {
    rf_take_rows take;
    rf_affine_coded affine; /* of take's out_scalars and out_codes */
} rf_take_layer;

/* The code and the latent draw from it; and back from the decoder's first layer to the code. */
typedef struct rf_latent {
    rf_affine affine; /* y = draw.code */
    rf_reparameterise draw;
} rf_latent;

typedef struct rf_latent_gradient {
    rf_affine_back back; /* dx = latent.dz */
    rf_latent_back latent;
} rf_latent_gradient;

/* The reconstruction and the first product on the way back from it. */
typedef struct rf_reconstruct_gradient {
    rf_reconstruct reconstruct;
    rf_affine_back back; /* dy = reconstruct.dlogits */
} rf_reconstruct_gradient;

/* A layer of the critic, the last one with the head. */
typedef struct rf_critic_layer {
    rf_affine affine;
    rf_leaky_dropout drop; /* affine.y, in place       */
    rf_critic_head head;   /* h absent: there is none  */
} rf_critic_layer;

/* The critic's first layer over M generated, M real and M interpolated rows, which lie one below the other. */
typedef struct rf_critic_first {
    rf_affine fake;
    rf_affine_coded real;
    rf_interpolate between;
    rf_leaky_dropout drop; /* all 3M rows, in place */
} rf_critic_first;

/* The gradient penalty from d of the first layer to the product that its own gradient takes: g = d w^T for each of n matrices of the
 * layer, the penalty on all of them, then y = sum of g w. */
typedef struct rf_gradient_penalty {
    int32_t n; /* 1, or 2 with conditions */
    rf_affine_back back[2];
    rf_penalty penalty;
    rf_affine again[2]; /* the second one accumulates; the last one scales and gates */
} rf_gradient_penalty;

/* ------------------------------------------------------------------ the end of a step */

/* *step += 1. Before it the step's losses are kept: ring[(*step % length) * n + i] = losses[i]; losses NULL: none are. */
typedef struct rf_step_tick {
    uint32_t *step;
    const float *losses; /* (n)         */
    float *ring;         /* (length, n) */
    int32_t n, length;
} rf_step_tick;

/* ------------------------------------------------------------------ the table */

/* name of the entry, its arguments */
#define RF_OPS_TABLE(X)                               \
    X(draw_uniform, rf_draw_uniform)                  \
    X(draw_normal, rf_draw_normal)                    \
    X(draw_conditions, rf_draw_conditions)            \
    X(draw_rows, rf_draw_rows)                        \
    X(take_rows, rf_take_rows)                        \
    X(affine, rf_affine)                              \
    X(affine_coded, rf_affine_coded)                  \
    X(affine_back, rf_affine_back)                    \
    X(update, rf_update)                              \
    X(update_vector, rf_update_vector)                \
    X(batchnorm_relu, rf_batchnorm_relu)              \
    X(batchnorm_relu_back, rf_batchnorm_relu_back)    \
    X(activate, rf_activate)                          \
    X(activate_back, rf_activate_back)                \
    X(interpolate, rf_interpolate)                    \
    X(leaky_dropout, rf_leaky_dropout)                \
    X(critic_head, rf_critic_head)                    \
    X(penalty, rf_penalty)                            \
    X(reparameterise, rf_reparameterise)              \
    X(reconstruct, rf_reconstruct)                    \
    X(latent_back, rf_latent_back)                    \
    X(decode, rf_decode)                              \
    X(draw_batches, rf_draw_batches)                  \
    X(batchnorm_batches, rf_batchnorm_batches)        \
    X(activate_batches, rf_activate_batches)          \
    X(generate, rf_generate)                          \
    X(generate_back, rf_generate_back)                \
    X(take_layer, rf_take_layer)                      \
    X(latent, rf_latent)                              \
    X(latent_gradient, rf_latent_gradient)            \
    X(reconstruct_gradient, rf_reconstruct_gradient)  \
    X(critic_layer, rf_critic_layer)                  \
    X(critic_first, rf_critic_first)                  \
    X(gradient_penalty, rf_gradient_penalty)

typedef struct rf_ops {
#define RF_OP_ENTRY(name, args) void (*name)(rf_device * device, const args *op);
    RF_OPS_TABLE(RF_OP_ENTRY)
#undef RF_OP_ENTRY
    void (*step_tick)(rf_device *device, const rf_step_tick *op);
    /* t += 1: power1 *= beta1, power2 *= beta2, rate and root follow */
    void (*adam_tick)(rf_device *device, rf_adam *adam);
    /* Around the last part of a step: adam_tick before it, step_tick after it, and update and update_vector with this `adam`
     * between them may be put off to its end, to be done all at once. What such an update reads stays as it is until then, and its
     * results are read afterwards only. Everything else between the two is done as ever. */
    void (*updates_begin)(rf_device *device, rf_adam *adam);
    void (*updates_end)(rf_device *device, const rf_step_tick *op);
} rf_ops;

#endif
