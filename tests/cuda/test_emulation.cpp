/* test_emulation.cpp - the emulated GPU itself: what its threads know, how they meet, and that it finds what is wrong. */
#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

extern "C" {
#include <cmocka.h>
}

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

#include "emu_internal.h"
#include "kernels/cuda/ptx.cuh"

static cudaStream_t stream;

/* ------------------------------------------------------------------ kernels */

__global__ void reverse_kernel(int *out, const int *in, int n)
{
    RF_SHARED(int, tile, 64);
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n)
        tile[threadIdx.x] = in[i];
    __syncthreads();
    const int last = n - (int)(blockIdx.x * blockDim.x) < (int)blockDim.x ? n - (int)(blockIdx.x * blockDim.x)
                                                                          : (int)blockDim.x;
    if (i < n)
        out[i] = tile[last - 1 - (int)threadIdx.x];
}

__global__ void reverse_without_barrier_kernel(int *out, const int *in, int n)
{
    RF_SHARED(int, tile, 64);
    const int i = (int)threadIdx.x;
    tile[i] = in[i];
    out[i] = tile[n - 1 - i];
}

__global__ void warp_kernel(unsigned *out)
{
    const unsigned lane = threadIdx.x % 32;
    unsigned sum = lane;
    for (int flip = 16; flip > 0; flip /= 2)
        sum += __shfl_xor_sync(0xFFFFFFFFu, sum, flip);
    const unsigned first = __shfl_sync(0xFFFFFFFFu, threadIdx.x, 0),
                   down = __shfl_down_sync(0xFFFFFFFFu, lane, 1);
    const unsigned votes = __ballot_sync(0xFFFFFFFFu, lane % 3 == 0);
    unsigned *mine = out + 4 * threadIdx.x;
    mine[0] = sum, mine[1] = first, mine[2] = down, mine[3] = votes;
}

__global__ void grid_kernel(int *values, int *out)
{
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x), n = (int)(gridDim.x * blockDim.x);
    values[i] = i;
    rf_grid_sync();
    out[i] = values[n - 1 - i];
    rf_grid_sync();
    values[i] = -1;
}

__global__ void count_kernel(int *counter)
{
    atomicAdd(counter, 1);
}

__global__ void half_a_barrier_kernel(int *out)
{
    if (threadIdx.x < 7)
        __syncthreads();
    out[threadIdx.x] = 1;
}

__global__ void wrong_mask_kernel(int *out)
{
    if (threadIdx.x < 16)
        __syncwarp(0x0000FFFFu);
    else
        __syncwarp(0xFFFFFFFFu);
    out[threadIdx.x] = 1;
}

__global__ void outside_kernel(int *out)
{
    RF_SHARED(int, tile, 4);
    volatile int *wide = tile;
    wide[threadIdx.x] = 1;
    out[0] = 1;
}

/* ------------------------------------------------------------------ tests */

static void launch_and_wait(std::function<void()> launch)
{
    for (int order = RF_EMU_FORWARD; order <= RF_EMU_SHUFFLED; order++) {
        rf_emu_order(order);
        launch();
        assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    }
    rf_emu_order(RF_EMU_FORWARD);
}

static void a_barrier_lets_a_block_turn_its_tile_around(void **)
{
    enum { N = 150 };
    int in[N], out[N];
    for (int i = 0; i < N; i++)
        in[i] = i;
    launch_and_wait([&] { RF_CUDA_LAUNCH(reverse_kernel, 3, 64, 0, stream, out, in, N); });
    for (int i = 0; i < N; i++) {
        const int block = i / 64 * 64, size = N - block < 64 ? N - block : 64;
        assert_int_equal(out[i], block + size - 1 - i % 64);
    }
}

static void a_missing_barrier_gives_another_result(void **)
{
    int in[64], out[64], wrong = 0;
    for (int i = 0; i < 64; i++)
        in[i] = i;
    for (int order = RF_EMU_FORWARD; order <= RF_EMU_SHUFFLED; order++) {
        rf_emu_order(order);
        RF_CUDA_LAUNCH(reverse_without_barrier_kernel, 1, 64, 0, stream, out, in, 64);
        assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
        for (int i = 0; i < 64; i++)
            wrong += out[i] != 63 - i;
    }
    rf_emu_order(RF_EMU_FORWARD);
    assert_true(wrong > 64);
}

static void lanes_exchange_and_vote(void **)
{
    unsigned out[4 * 96];
    launch_and_wait([&] { RF_CUDA_LAUNCH(warp_kernel, 1, 96, 0, stream, out); });
    for (unsigned i = 0; i < 96; i++) {
        assert_int_equal(out[4 * i], 31 * 32 / 2);
        assert_int_equal(out[4 * i + 1], i / 32 * 32);
        assert_int_equal(out[4 * i + 2], i % 32 == 31 ? 31 : i % 32 + 1);
        assert_int_equal(out[4 * i + 3], 0x49249249u);
    }
}

static void a_cooperative_grid_meets(void **)
{
    int values[5 * 33], out[5 * 33];
    launch_and_wait([&] { RF_CUDA_LAUNCH_COOPERATIVE(grid_kernel, 5, 33, 0, stream, values, out); });
    for (int i = 0; i < 5 * 33; i++) {
        assert_int_equal(out[i], 5 * 33 - 1 - i);
        assert_int_equal(values[i], -1);
    }
}

static void work_waits_until_somebody_asks(void **)
{
    int counter = 0;
    RF_CUDA_LAUNCH(count_kernel, 7, 31, 0, stream, &counter);
    assert_int_equal(counter, 0);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    assert_int_equal(counter, 7 * 31);
}

static void an_event_waits_for_what_was_before_it_and_no_more(void **)
{
    int before = 0, after = 0;
    cudaEvent_t event;
    assert_int_equal(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
    for (int i = 1; i <= 2; i++) {
        RF_CUDA_LAUNCH(count_kernel, 1, 31, 0, stream, &before);
        assert_int_equal(cudaEventRecord(event, stream), cudaSuccess);
        RF_CUDA_LAUNCH(count_kernel, 1, 33, 0, stream, &after);
        assert_int_equal(cudaEventSynchronize(event), cudaSuccess);
        assert_int_equal(before, 31 * i);
        assert_int_equal(after, 33 * (i - 1));
        assert_int_equal(cudaEventSynchronize(event), cudaSuccess);
    }
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    assert_int_equal(after, 66);
    assert_int_equal(cudaEventDestroy(event), cudaSuccess);
}

static void a_graph_does_its_work_once_for_each_launch(void **)
{
    int counter = 0;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    RF_CUDA_LAUNCH(count_kernel, 1, 1, 0, stream, &counter);
    RF_CUDA_LAUNCH(count_kernel, 1, 2, 0, stream, &counter);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    assert_int_equal(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cudaGraphLaunch(exec, stream), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    assert_int_equal(counter, 15);
    assert_int_equal(cudaGraphExecDestroy(exec), cudaSuccess);
    assert_int_equal(cudaGraphDestroy(graph), cudaSuccess);
}

/* The nearest number of so many significant bits, no finer than `least`; halves as `nearest` takes them. */
static double to_bits(float x, int bits, double least, double (*nearest)(double))
{
    int exponent;
    (void)std::frexp((double)x, &exponent);
    const double unit = std::fmax(std::ldexp(1.0, exponent - bits), least);
    return nearest((double)x / unit) * unit;
}

static void operands_are_rounded_as_the_instructions_do(void **)
{
    for (uint32_t exponent = 0; exponent < 255; exponent++)
        for (uint32_t i = 0; i < 4096; i++) {
            const uint32_t low = i % 8 == 0   ? 0x1000
                                 : i % 8 == 1 ? 0x8000
                                 : i % 8 == 2 ? 0x18000
                                              : i * 2654435761u >> 9;
            const float x =
                rf_f32_of_bits((i & 1) << 31 | exponent << 23 | ((i * 40503u << 13 ^ low) & 0x7FFFFFu));
            /* A step beyond the largest float is infinity in both. */
            const float tf32 = rf_f32_of_bits(rfi_tf32(x)),
                        bf16 = rf_f32_of_bits(rfi_bf16_pair(x, 0.0f) << 16);
            assert_true(tf32 == (float)to_bits(x, 11, 0x1p-136, std::round));
            assert_true(bf16 == (float)to_bits(x, 8, 0x1p-133, std::rint));
            assert_int_equal(rfi_tf32(x) & 0x1FFF, 0);
            assert_int_equal(rfi_bf16_pair(1.0f, x) & 0xFFFF, 0x3F80);
            assert_true(rf_f32_of_bits(rfi_bf16_pair(1.0f, x) & 0xFFFF0000u) == bf16);
        }
    assert_true(std::isinf(rf_f32_of_bits(rfi_tf32(-INFINITY))));
    assert_true(std::isnan(rf_f32_of_bits(rfi_tf32(NAN))));
    assert_true(std::isinf(rf_f32_of_bits(rfi_bf16_pair(INFINITY, 0.0f) << 16)));
    assert_true(std::isnan(rf_f32_of_bits(rfi_bf16_pair(rf_f32_of_bits(0x7F800001u), 0.0f) << 16)));
}

/* Whether a process that does this is stopped. */
static bool stops(std::function<void()> launch)
{
    const pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(0);
        launch();
        (void)cudaStreamSynchronize(stream);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status != 0;
}

static void wrong_programs_are_stopped(void **)
{
    int out[64];
    assert_true(stops([&] { RF_CUDA_LAUNCH(half_a_barrier_kernel, 1, 8, 0, stream, out); }));
    assert_true(stops([&] { RF_CUDA_LAUNCH(wrong_mask_kernel, 1, 32, 0, stream, out); }));
#if defined(__SANITIZE_ADDRESS__)
    assert_true(stops([&] { RF_CUDA_LAUNCH(outside_kernel, 1, 32, 0, stream, out); }));
#else
    (void)outside_kernel;
#endif
    assert_false(stops([&] { RF_CUDA_LAUNCH(count_kernel, 1, 32, 0, stream, out); }));
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_barrier_lets_a_block_turn_its_tile_around),
        cmocka_unit_test(a_missing_barrier_gives_another_result),
        cmocka_unit_test(lanes_exchange_and_vote),
        cmocka_unit_test(a_cooperative_grid_meets),
        cmocka_unit_test(work_waits_until_somebody_asks),
        cmocka_unit_test(an_event_waits_for_what_was_before_it_and_no_more),
        cmocka_unit_test(operands_are_rounded_as_the_instructions_do),
        cmocka_unit_test(a_graph_does_its_work_once_for_each_launch),
        cmocka_unit_test(wrong_programs_are_stopped),
    };
    (void)cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
