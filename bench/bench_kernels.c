/* bench_kernels.c - a training step of each network on the shapes of the Adult table, whole and operation by operation.
 *
 *     bench_kernels [--table] [--steps N] [--threads N] [--network ctgan|tvae] [--unchecked]
 *
 * The step is the model's own (bench_step.c); its operations are timed on their way to the device (bench_calls.c). The limit is
 * measured in the same run: chains of fused multiply-adds on as many threads, in a burst before and after every step, since a shared
 * machine is not equally fast all the time. A step's share is its rate over the mean of the two bursts around it; the median of the
 * shares is what counts.
 *
 * Before anything is timed, one step must leave the same weights as the plain code of the baseline does with one thread, to
 * the bit; that one is held to plain loops by tests/kernels. --unchecked leaves this out, for a profiler that should see
 * the steps alone.
 *
 * Prints JSON, an object a line; with --table a table for people. Medians over steps.
 */
#include "bench_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ------------------------------------------------------------------ the limit */

enum { PEAK_ROUNDS = 20000 };
static volatile float peak_sink;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void peak_512(void)
{
    __m512 sum[24], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-3f);
    for (int i = 0; i < 24; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int k = 0; k < PEAK_ROUNDS; k++) {
#pragma GCC unroll 24
        for (int i = 0; i < 24; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], x, y);
    }
    for (int i = 1; i < 24; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    peak_sink = _mm512_reduce_add_ps(sum[0]);
}

__attribute__((target("avx2,fma"))) static void peak_256(void)
{
    __m256 sum[12], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
    for (int i = 0; i < 12; i++)
        sum[i] = _mm256_set1_ps((float)i);
    for (int k = 0; k < 4 * PEAK_ROUNDS; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], x, y);
    }
    for (int i = 1; i < 12; i++)
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    peak_sink = _mm256_cvtss_f32(sum[0]);
}
#endif

/* A burst of the same number of flops on every thread. */
static void peak_task(void *arg, int64_t task)
{
    (void)arg;
    (void)task;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        peak_512();
    else if (__builtin_cpu_supports("fma"))
        peak_256();
#endif
}

static void no_task(void *arg, int64_t task)
{
    (void)arg;
    (void)task;
}

static double peak_gflops(rf_device *device)
{
    int threads = rf_pool_threads(device->pool);
    rf_pool_run(device->pool, no_task, NULL, threads); /* wakes those who sleep */
    double start = bench_now_s();
    rf_pool_run(device->pool, peak_task, NULL, threads);
    return 2.0 * 16 * 24 * PEAK_ROUNDS * threads / (bench_now_s() - start) * 1e-9;
}

/* ------------------------------------------------------------------ medians */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median(float *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return (double)values[n / 2];
}

/* ------------------------------------------------------------------ measuring */

static rf_device *open_cpu(const char *isa, int threads)
{
    rf_error err = {0};
    rf_device *device = NULL;
    if (isa)
        setenv("ROWFORGE_CPU", isa, 1);
    if (rf_device_open(&device, "cpu", threads, &err) != RF_OK)
        bench_die(err.message);
    if (isa)
        unsetenv("ROWFORGE_CPU");
    return device;
}

static uint32_t crc_after_a_step(const network *n, const char *isa, int threads)
{
    bench b = {.device = open_cpu(isa, threads)};
    rf_model *model = network_create(n, &b);
    network_step(model);
    const uint32_t out = network_crc(model);
    network_free(model);
    rf_device_close(b.device);
    return out;
}

static void print_calls(const network *n, bench *b, int steps, double peak, bool table, int threads)
{
    for (int i = 0; i < b->n_calls; i++) {
        const call *c = &b->calls[i];
        double ms = median(c->ms, steps), gflops = c->mflop / ms;
        if (table)
            printf("%-36s %8.1f us %8.1f MF %8.1f GF/s %5.1f %%\n", c->name, ms * 1e3, c->mflop, gflops,
                   100.0 * gflops / peak);
        else
            printf("{\"name\":\"%s %d threads: %02d %s\",\"us\":%.1f,\"gflops\":%.1f}\n", n->name, threads, i,
                   c->name, ms * 1e3, gflops);
    }
}

static void measure(const network *n, int threads, int steps, bool table)
{
    static float step_ms[STEPS_MAX], peak[STEPS_MAX], share[STEPS_MAX];
    bench *b = calloc(1, sizeof *b);
    if (!b)
        bench_die("no memory");
    bench_clock_of(threads);
    b->device = open_cpu(NULL, threads);
    rf_model *model = network_create(n, b);
    for (int i = 0; i < 20; i++)
        network_step(model);
    b->timing = true;
    double before = peak_gflops(b->device);
    for (b->step = 0; b->step < steps; b->step++) {
        b->at = 0;
        double start = bench_now_s();
        network_step(model);
        double ms = (bench_now_s() - start) * 1e3, after = peak_gflops(b->device);
        step_ms[b->step] = (float)ms;
        peak[b->step] = (float)(0.5 * (before + after));
        share[b->step] = (float)(100.0 * n->mflop / ms / (double)peak[b->step]);
        before = after;
    }
    double limit = median(peak, steps), ms = median(step_ms, steps);
    double low = (double)step_ms[steps / 20], high = (double)step_ms[steps - 1 - steps / 20];
    double percent = median(share, steps);
    print_calls(n, b, steps, limit, table, threads);
    printf(table ? "%s, %s: %.3f ms a step (5 %% to 95 %%: %.3f to %.3f), %.1f GF/s, limit %.1f GF/s, %.1f "
                   "%% of it\n\n"
                 : "{\"name\":\"%s "
                   "step\",\"device\":\"%s\",\"ms\":%.3f,\"ms_5\":%.3f,\"ms_95\":%.3f,\"gflops\":%.1f,"
                   "\"limit_gflops\":%.1f,\"percent\":%.1f}\n",
           n->name, b->device->summary, ms, low, high, n->mflop / ms, limit, percent);
    network_free(model);
    rf_device_close(b->device);
    for (int i = 0; i < b->n_calls; i++)
        free(b->calls[i].ms);
    free(b);
}

int main(int argc, char **argv)
{
    bool table = false, check = true;
    int steps = 300, only = 0;
    const char *network_name = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--table") == 0)
            table = true;
        else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
            steps = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            only = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--network") == 0 && i + 1 < argc)
            network_name = argv[++i];
        else if (strcmp(argv[i], "--unchecked") == 0)
            check = false;
        else
            bench_die("usage: bench_kernels [--table] [--steps N] [--threads N] [--network ctgan|tvae] "
                      "[--unchecked]");
    }
    if (steps < 20 || steps > STEPS_MAX)
        bench_die("--steps must be 20 to 4096");
    for (size_t i = 0; i < N_NETWORKS; i++) {
        if (network_name && strcmp(network_name, networks[i].name) != 0)
            continue;
        if (check && crc_after_a_step(&networks[i], NULL, 2) != crc_after_a_step(&networks[i], "baseline", 1))
            bench_die("a step's weights differ from those of the baseline");
        for (int threads = 1; threads <= 2; threads++)
            if (only == 0 || only == threads)
                measure(&networks[i], threads, steps, table);
    }
    return 0;
}
