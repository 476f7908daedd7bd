/* cuda_latent.cu - the autoencoder's own: the latent draw, the reconstruction loss, and the divergence with its gradient. */
#include "kernels/cuda/cuda_latent.cuh"
#include "kernels/cuda/cuda_reduce.cuh"

enum {
    LATENT_THREADS = 128,
    LATENT_WARPS = LATENT_THREADS / RFI_WARP,
};

/* ------------------------------------------------------------------ the latent draw */

/* A thread makes the four normals of one Philox block. */
__global__ void reparameterise_kernel(rf_reparameterise op, rfi_trials trials)
{
    const int64_t n = (int64_t)op.z.rows * op.z.cols;
    const int64_t first = 4 * ((int64_t)blockIdx.x * LATENT_THREADS + threadIdx.x);
    if (first >= n)
        return;
    const rf_philox_block words = rf_philox(rfi_draw_of(op.noise, trials), (uint32_t)(first / 4));
    float normal[4], *eps = rfi_at(op.eps.data, trials), *z = rfi_at(op.z.data, trials);
    const float *code = rfi_at(op.code.data, trials);
    rf_normal_pair(words.word[0], words.word[1], &normal[0], &normal[1]);
    rf_normal_pair(words.word[2], words.word[3], &normal[2], &normal[3]);
    for (int i = 0; i < 4 && first + i < n; i++) {
        const int64_t r = (first + i) / op.z.cols, c = (first + i) % op.z.cols;
        const float mu = code[r * op.code.ld + c], logvar = code[r * op.code.ld + op.z.cols + c];
        eps[r * op.eps.ld + c] = normal[i];
        z[r * op.z.ld + c] = fmaf(rf_exp_f32(0.5f * logvar), normal[i], mu);
    }
}

void rfi_cuda_reparameterise(rf_device *device, const rf_reparameterise *op)
{
    const int64_t n = (int64_t)op->z.rows * op->z.cols;
    if (!rfi_ready(device) || n == 0)
        return;
    RFI_LAUNCH(device, reparameterise_kernel, rfi_divide_up(n, 4 * LATENT_THREADS), 1, LATENT_THREADS, 0,
               *op);
}

/* ------------------------------------------------------------------ reconstruction */

/* What the rows leave for the sums over them: (rows) losses, (rows, n_scalars) squares of x - tanh l. */
struct reconstruct_parts {
    float *row_loss, *pull;
};

__device__ static reconstruct_parts parts_of(float *shared, int32_t rows, int32_t n_scalars)
{
    float *own = rfi_own(shared, (size_t)rows * (size_t)(1 + n_scalars));
    return {own, own + rows};
}

/* One warp, one code span: the gradient, and the loss in every lane. */
__device__ static float code_span(const float *x, int32_t n, int32_t target, float scale, float *dx)
{
    const int32_t lane = (int32_t)(threadIdx.x % RFI_WARP);
    float top = -INFINITY, sum = 0.0f;
    bool broken = false;
    for (int32_t c = lane; c < n; c += RFI_WARP) {
        top = x[c] > top ? x[c] : top;
        broken |= x[c] != x[c];
    }
    top = rfi_warp_max(top);
    for (int32_t c = lane; c < n; c += RFI_WARP)
        sum += rfi_exp_term(x[c] - top);
    sum = rfi_warp_sum(sum);
    if (__any_sync(RFI_ALL, broken))
        sum = NAN;
    for (int32_t c = lane; c < n; c += RFI_WARP)
        dx[c] = scale / sum * rfi_exp_term(x[c] - top) - (c == target ? scale : 0.0f);
    return rf_log_f32(sum) - (x[target] - top);
}

/* The row's spans by the block's warps; each warp's loss comes back in all of its lanes. */
__device__ static float reconstruct_row(const rf_reconstruct &op, const rfi_layout &layout, int32_t r,
                                        float scale, float *pull, const rfi_trials &trials)
{
    const float *logits = rfi_at(op.logits.data, trials) + r * op.logits.ld;
    const float *scalars = rfi_at(op.scalars, trials) + (int64_t)r * layout.n_scalars;
    const uint16_t *codes = rfi_at(op.codes, trials) + (int64_t)r * layout.n_codes;
    float *dlogits = rfi_at(op.dlogits.data, trials) + r * op.dlogits.ld, loss = 0.0f;
    for (int32_t i = (int32_t)(threadIdx.x / RFI_WARP); i < layout.n_spans; i += LATENT_WARPS) {
        const rf_span span = layout.spans[i];
        const int32_t at = span.offset;
        if (span.kind == RF_SPAN_CODE) {
            loss += code_span(logits + at, span.width, codes[span.source], scale, dlogits + at);
            continue;
        }
        float dlogit, square;
        const float sigma = rfi_at(op.sigma, trials)[span.source];
        loss += rfi_reconstruct_scalar(scalars[span.source], logits[at], sigma, scale, &dlogit, &square);
        if (threadIdx.x % RFI_WARP == 0) {
            dlogits[at] = dlogit;
            pull[(int64_t)r * layout.n_scalars + span.source] = square;
        }
    }
    return loss;
}

/* By the last block, a warp a scalar. */
__device__ static void sigma_gradient(const rf_reconstruct &op, const rfi_layout &layout, const float *pull,
                                      int32_t n, float scale, const rfi_trials &trials)
{
    for (int32_t j = (int32_t)(threadIdx.x / RFI_WARP); j < layout.n_scalars; j += LATENT_WARPS) {
        double sum = 0.0;
        for (int32_t r = (int32_t)(threadIdx.x % RFI_WARP); r < n; r += RFI_WARP)
            sum += (double)__ldcg(pull + (int64_t)r * layout.n_scalars + j);
        sum = rfi_warp_sum(sum);
        if (threadIdx.x % RFI_WARP == 0)
            rfi_at(op.dsigma, trials)[j] = rfi_sigma_gradient(rfi_at(op.sigma, trials)[j], sum, n, scale);
    }
}

__global__ void reconstruct_kernel(rf_reconstruct op, rfi_layout layout, float *shared, unsigned *counters,
                                   rfi_trials trials)
{
    RF_SHARED(float, warp_loss, LATENT_WARPS);
    RF_SHARED(double, sums, LATENT_WARPS);
    const int32_t r = (int32_t)blockIdx.x, n = *rfi_at(op.n, trials);
    const float scale = n > 0 ? op.factor / (float)n : 0.0f;
    const reconstruct_parts parts = parts_of(shared, op.logits.rows, layout.n_scalars);
    if (r < n) {
        const float loss = reconstruct_row(op, layout, r, scale, parts.pull, trials);
        if (threadIdx.x % RFI_WARP == 0)
            warp_loss[threadIdx.x / RFI_WARP] = loss;
        __syncthreads();
        if (threadIdx.x == 0) {
            float sum = warp_loss[0];
            for (int i = 1; i < LATENT_WARPS; i++)
                sum += warp_loss[i];
            parts.row_loss[r] = sum;
        }
    } else {
        float *dlogits = rfi_at(op.dlogits.data, trials) + r * op.dlogits.ld;
        for (int32_t c = (int32_t)threadIdx.x; c < layout.width; c += LATENT_THREADS)
            dlogits[c] = 0.0f;
    }
    if (!rfi_is_last_block(rfi_own(counters, RFI_COUNTERS), gridDim.x))
        return;
    sigma_gradient(op, layout, parts.pull, n, scale, trials);
    const double total = rfi_block_total(parts.row_loss, n, sums);
    if (op.loss && threadIdx.x == 0)
        *rfi_at(op.loss, trials) = (float)((double)scale * total);
}

void rfi_cuda_reconstruct(rf_device *device, const rf_reconstruct *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    rfi_layout layout;
    if (!cuda || op->logits.rows == 0 || !rfi_layout_of(device, op->layout, &layout))
        return;
    const size_t n = (size_t)op->logits.rows * (size_t)(1 + layout.n_scalars);
    float *shared = reinterpret_cast<float *>(rfi_scratch(device, n * sizeof(float)));
    if (shared)
        RFI_LAUNCH(device, reconstruct_kernel, op->logits.rows, 1, LATENT_THREADS, 0, *op, layout, shared,
                   cuda->counters);
}

/* ------------------------------------------------------------------ divergence */

__global__ void latent_back_kernel(rf_latent_back op, float *shared_loss, unsigned *counters,
                                   rfi_trials trials)
{
    RF_SHARED(float, parts, LATENT_WARPS);
    RF_SHARED(double, sums, LATENT_WARPS);
    const int32_t r = (int32_t)blockIdx.x, n = *rfi_at(op.n, trials);
    const float share = n > 0 ? 1.0f / (float)n : 0.0f, *dz = rfi_at(op.dz.data, trials) + r * op.dz.ld;
    float *row_loss = rfi_own(shared_loss, (size_t)op.dz.rows), loss = 0.0f;
    for (int32_t c = (int32_t)threadIdx.x; c < op.dz.cols; c += LATENT_THREADS)
        loss += rfi_latent_element(op, dz[c], r, c, n, trials);
    loss = rfi_block_sum(loss, parts);
    if (threadIdx.x == 0)
        row_loss[r] = loss;
    if (!op.loss || !rfi_is_last_block(rfi_own(counters, RFI_COUNTERS), gridDim.x))
        return;
    const double total = rfi_block_total(row_loss, n, sums);
    if (threadIdx.x == 0)
        *rfi_at(op.loss, trials) = (float)(-0.5 * (double)share * total);
}

void rfi_cuda_latent_back(rf_device *device, const rf_latent_back *op)
{
    const rfi_cuda *cuda = rfi_ready(device);
    if (!cuda || op->dz.rows == 0)
        return;
    float *row_loss = reinterpret_cast<float *>(rfi_scratch(device, (size_t)op->dz.rows * sizeof(float)));
    if (row_loss)
        RFI_LAUNCH(device, latent_back_kernel, op->dz.rows, 1, LATENT_THREADS, 0, *op, row_loss,
                   cuda->counters);
}
