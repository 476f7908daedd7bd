#include "engine/transform/mixture_step.h"

#define RFI_STEP      rfi_step_plain
#define RFI_STEP_NAME "plain"
extern const rfi_step rfi_step_plain;
#include "engine/transform/mixture_step_body.h"

#ifdef RFI_STEP_X86
extern const rfi_step rfi_step_avx2, rfi_step_avx512;
#endif

int rfi_step_list(const rfi_step *out[4])
{
    int n = 0;
    out[n++] = &rfi_step_plain;
#ifdef RFI_STEP_X86
    /* what the builds were allowed to use: x86-64-v3 and x86-64-v4 */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        out[n++] = &rfi_step_avx2;
    if (n == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512cd"))
        out[n++] = &rfi_step_avx512;
#endif
    return n;
}

const rfi_step *rfi_step_best(void)
{
    const rfi_step *steps[4];
    return steps[rfi_step_list(steps) - 1];
}

void rfi_density_of(const rf_mixture *mixture, rfi_density *out)
{
    out->n = mixture->n;
    for (int32_t k = 0; k < mixture->n; k++) {
        out->mean[k] = mixture->mean[k];
        out->minus_half_precision[k] = -0.5 / mixture->variance[k];
        out->base[k] = mixture->log_base[k];
    }
}
