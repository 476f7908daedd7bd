/* cuda_latent.cuh - one element of the latent space or of the reconstruction, for kernels that come to it in different ways. */
#ifndef RF_CUDA_LATENT_CUH
#define RF_CUDA_LATENT_CUH

#include "kernels/cuda/cuda_private.h"

/* Gradients of mu and logvar where that of z is dz, and the element's part of the divergence. Rows from n on get none. */
__device__ inline float rfi_latent_element(const rf_latent_back &op, float dz, int32_t r, int32_t c,
                                           int32_t n, const rfi_trials &trials)
{
    const int32_t width = op.dz.cols;
    const float share = n > 0 ? 1.0f / (float)n : 0.0f, eps = rfi_at(op.eps.data, trials)[r * op.eps.ld + c];
    const float *code = rfi_at(op.code.data, trials) + r * op.code.ld + c;
    const float mu = code[0], logvar = code[width];
    const float root = rf_exp_f32(0.5f * logvar), variance = rf_exp_f32(logvar);
    float *dcode = rfi_at(op.dcode.data, trials) + r * op.dcode.ld + c;
    dcode[0] = r < n ? fmaf(mu, share, dz) : 0.0f;
    dcode[width] = r < n ? fmaf(0.5f * dz * eps, root, 0.5f * share * (variance - 1.0f)) : 0.0f;
    return fmaf(-mu, mu, 1.0f + logvar) - variance;
}

/* A scalar span: gradient of its logit, square of its difference; returns its loss. */
__device__ inline float rfi_reconstruct_scalar(float x, float logit, float sigma, float scale, float *dlogit,
                                               float *square)
{
    const float u = rf_tanh_f32(logit), d = x - u, precision = 1.0f / (sigma * sigma);
    *square = d * d;
    *dlogit = -scale * d * precision * fmaf(-u, u, 1.0f);
    return fmaf(0.5f * d * d, precision, rf_log_f32(sigma));
}

/* d of (square / (2 sigma^2) + ln sigma) summed over n rows: n / sigma - squares / sigma^3 */
__device__ inline float rfi_sigma_gradient(float of, double squares, int32_t n, float scale)
{
    const double sigma = (double)of;
    return (float)((double)scale * (n / sigma - squares / (sigma * sigma * sigma)));
}

#endif
