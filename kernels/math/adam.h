/* adam.h - one weight's step of Adam, and the step of its scalars.
 *
 * Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1 in the form of its section 2 (bias
 * corrections folded into the rate and into the root of v), with L2 decay added to the gradient, as the public reference
 * of CTGAN does; this is not the decoupled decay of AdamW.
 */
#ifndef RF_KERNELS_ADAM_H
#define RF_KERNELS_ADAM_H

#include <math.h>

#include "core/hostdev.h"
#include "kernels/math/math32.h"

/* Where a weight gets no gradient but the decay's, it shrinks by a constant factor each step once sqrt(v) is below eps, and
 * ends among the denormal numbers, on which every product takes a hundred times as long. Nothing so small can move a
 * result: below 2^-95, where the upper three bits of the exponent are 0, it is made 0. */
RF_HD float rf_adam_settle(float x)
{
    return (rf_bits_of_f32(x) & 0x70000000u) != 0 ? x : 0.0f;
}

RF_HD float rf_adam_weight(float w, float *m, float *v, float g, float beta1, float beta2, float eps,
                           float decay, float rate, float root)
{
    g = fmaf(decay, w, g);
    *m = rf_adam_settle(fmaf(beta1, *m, (1.0f - beta1) * g));
    *v = rf_adam_settle(fmaf(beta2, *v, (1.0f - beta2) * g * g));
    return rf_adam_settle(fmaf(-rate * *m, rf_reciprocal_f32(fmaf(sqrtf(*v), root, eps)), w));
}

/* The powers move on in double precision: after 20,000 steps a float power would have drifted. */
RF_HD void rf_adam_scalars(double *power1, double *power2, float lr, float beta1, float beta2, float *rate,
                           float *root)
{
    *power1 *= (double)beta1;
    *power2 *= (double)beta2;
    *rate = (float)((double)lr / (1.0 - *power1));
    *root = (float)(1.0 / sqrt(1.0 - *power2));
}

#endif
