/* test_cuda_training.c - whole trainings on the emulated GPU: against the CPU, resumed across devices, recorded, counted, and failing. */
#include "rf_test.h"

#include <dlfcn.h>
#include <math.h>

#include "../engine/model/toy.h"
#include "emu_control.h"

static const rf_model_kind kinds[] = {RF_MODEL_CTGAN, RF_MODEL_TVAE};
enum { KINDS = 2 };
/* Enough for graphs of many steps, where a step is cheap to emulate: not with every access checked. */
#if defined(__SANITIZE_ADDRESS__)
static const int64_t many_steps[] = {3, 5};
#else
static const int64_t many_steps[] = {8, 70};
#endif

/* ------------------------------------------------------------------ the emulated GPU's own calls */

static struct {
    void (*read)(rf_emu_counts *);
    void (*reset)(void);
    void (*order)(int);
    void (*break_call)(int, int64_t, int);
    void (*machine)(int, int, int64_t);
} gpu;

static void find(void *library, const char *name, void *out)
{
    void *symbol = dlsym(library, name);
    assert_non_null(symbol);
    memcpy(out, &symbol, sizeof symbol);
}

static int find_gpu(void **state)
{
    (void)state;
    void *library = dlopen(getenv("ROWFORGE_CUDA_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    find(library, "rf_emu_read", &gpu.read);
    find(library, "rf_emu_reset", &gpu.reset);
    find(library, "rf_emu_order", &gpu.order);
    find(library, "rf_emu_fail", &gpu.break_call);
    find(library, "rf_emu_machine", &gpu.machine);
    return 0;
}

/* ------------------------------------------------------------------ a training on a device */

static void start_on(toy *t, rf_model_kind kind, const char *device, rf_construction construction)
{
    rf_error err = {0};
    toy_init(t, kind);
    const rf_device_options options = {.n_threads = 1, .construction = construction};
    assert_ok(rf_device_open_with(&t->device, device, &options, &err));
    t->setup.device = t->device;
    const rf_model_class *type = rf_model_class_find(kind);
    assert_ok(type->create(&t->model, &t->setup, &err));
    assert_ok(type->attach(t->model, &t->rows, &err));
}

static rf_buf trained_on(rf_model_kind kind, const char *device, rf_construction construction, int64_t steps)
{
    toy t;
    start_on(&t, kind, device, construction);
    toy_train(&t, steps);
    rf_buf bytes = toy_store(&t, true);
    toy_end(&t);
    return bytes;
}

static void assert_same_bytes(const rf_buf *a, const rf_buf *b)
{
    assert_int_equal(a->size_bytes, b->size_bytes);
    assert_memory_equal(a->data, b->data, a->size_bytes);
}

/* The largest difference between the weights of two stored models (floats only). */
static double distance(const rf_buf *a, const rf_buf *b)
{
    double most = 0.0;
    assert_int_equal(a->size_bytes, b->size_bytes);
    for (size_t at = 0; at + 4 <= a->size_bytes; at += 4) {
        float x, y;
        memcpy(&x, a->data + at, 4);
        memcpy(&y, b->data + at, 4);
        most = fmax(most, fabs((double)x - (double)y));
    }
    return most;
}

static rf_buf weights_on(rf_model_kind kind, const char *device, rf_construction construction, int64_t steps)
{
    toy t;
    start_on(&t, kind, device, construction);
    toy_train(&t, steps);
    rf_buf bytes = toy_store(&t, false);
    toy_end(&t);
    return bytes;
}

/* ------------------------------------------------------------------ the same training */

static void every_construction_trains_as_the_cpu_does(void **state)
{
    (void)state;
    static const rf_construction ways[] = {RF_CONSTRUCTION_PLAIN, RF_CONSTRUCTION_GRAPH,
                                           RF_CONSTRUCTION_FUSED};
    for (int k = 0; k < KINDS; k++) {
        rf_buf cpu = weights_on(kinds[k], "cpu", RF_CONSTRUCTION_AUTO, 6);
        for (int i = 0; i < 3; i++) {
            rf_buf cuda = weights_on(kinds[k], "cuda:0", ways[i], 6);
            assert_true(distance(&cpu, &cuda) < 1e-4);
            assert_true(distance(&cpu, &cuda) >
                        0.0); /* its sums have another order: were they equal, it was the CPU */
            rf_buf_free(&cuda);
        }
        rf_buf_free(&cpu);
    }
}

static void two_runs_give_the_same_bytes_whatever_the_order_of_threads(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        rf_buf bytes[3];
        for (int order = RF_EMU_FORWARD; order <= RF_EMU_SHUFFLED; order++) {
            gpu.order(order);
            bytes[order] = trained_on(kinds[k], "cuda:0", RF_CONSTRUCTION_FUSED, 4);
        }
        gpu.order(RF_EMU_FORWARD);
        assert_same_bytes(&bytes[0], &bytes[1]);
        assert_same_bytes(&bytes[0], &bytes[2]);
        for (int i = 0; i < 3; i++)
            rf_buf_free(&bytes[i]);
    }
}

static void a_recorded_training_is_the_one_that_ran_as_it_came(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        rf_buf plain = trained_on(kinds[k], "cuda:0", RF_CONSTRUCTION_PLAIN, many_steps[k]);
        rf_buf graph = trained_on(kinds[k], "cuda:0", RF_CONSTRUCTION_GRAPH, many_steps[k]);
        assert_same_bytes(&plain, &graph);
        rf_buf_free(&plain);
        rf_buf_free(&graph);
    }
}

static void a_checkpoint_goes_on_on_the_other_device(void **state)
{
    (void)state;
    static const char *const devices[] = {"cpu", "cuda:0"};
    for (int k = 0; k < KINDS; k++) {
        rf_buf whole = weights_on(kinds[k], "cpu", RF_CONSTRUCTION_AUTO, 6);
        for (int from = 0; from < 2; from++) {
            rf_buf half = trained_on(kinds[k], devices[from], RF_CONSTRUCTION_AUTO, 4);
            toy t;
            start_on(&t, kinds[k], devices[1 - from], RF_CONSTRUCTION_AUTO);
            toy_load(&t, true, &half);
            toy_train(&t, 2);
            rf_buf end = toy_store(&t, false);
            assert_true(distance(&whole, &end) < 1e-4);
            toy_end(&t);
            rf_buf_free(&half);
            rf_buf_free(&end);
        }
        rf_buf_free(&whole);
    }
}

/* ------------------------------------------------------------------ nothing waits */

static void a_training_waits_once_a_call_and_not_once_a_step(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        toy t;
        rf_emu_counts counts;
        start_on(&t, kinds[k], "cuda:0", RF_CONSTRUCTION_FUSED);
        toy_train(&t, 2);
        gpu.reset();
        toy_train(&t, many_steps[k]);
        gpu.read(&counts);
        assert_int_equal(counts.calls[RF_EMU_SYNC], 1); /* the losses are read at the end */
        assert_int_equal(counts.calls[RF_EMU_COPY], 1);
        assert_int_equal(counts.calls[RF_EMU_MALLOC], 0);
        assert_int_equal(counts.calls[RF_EMU_REPLAY], many_steps[k] / 64 + many_steps[k] % 64);
        assert_true(counts.kernels >= (uint64_t)(many_steps[k] * t.device->stats.nodes));
        toy_end(&t);
    }
}

static void the_losses_of_every_step_come_back_together(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        toy cpu, cuda;
        start_on(&cpu, kinds[k], "cpu", RF_CONSTRUCTION_AUTO);
        start_on(&cuda, kinds[k], "cuda:0", RF_CONSTRUCTION_FUSED);
        toy_train(&cpu, 6);
        toy_train(&cuda, 6);
        assert_int_equal(cuda.model->epoch.n, 6);
        assert_near(cuda.model->epoch.sum.generator, cpu.model->epoch.sum.generator, 1e-3);
        if (kinds[k] == RF_MODEL_CTGAN)
            assert_near(cuda.model->epoch.sum.discriminator, cpu.model->epoch.sum.discriminator, 1e-4);
        toy_end(&cpu);
        toy_end(&cuda);
    }
}

/* ------------------------------------------------------------------ rows */

enum { BATCH = 40, MOST_ROWS = 7 * BATCH };

typedef struct coded_rows {
    float scalars[MOST_ROWS * TOY_SCALARS];
    uint16_t codes[MOST_ROWS * TOY_CODES];
} coded_rows;

static void sample_rows(toy *t, uint64_t seed, int64_t first, int64_t n, coded_rows *out)
{
    rf_error err = {0};
    const rf_sample_request request = {.seed = seed, .first_row = first, .n_rows = n, .condition_entry = -1};
    rf_coded rows = {.n_rows = n, .scalars = out->scalars, .codes = out->codes};
    assert_ok(t->model->type->sample(t->model, &request, &rows, &err));
}

static void ask_ahead(toy *t, uint64_t seed, int64_t first, int64_t n)
{
    rf_error err = {0};
    const rf_sample_request request = {.seed = seed, .first_row = first, .n_rows = n, .condition_entry = -1};
    assert_ok(t->model->type->sample_ahead(t->model, &request, &err));
}

static void assert_same_rows(const coded_rows *a, const coded_rows *b, int64_t n)
{
    assert_memory_equal(a->scalars, b->scalars, (size_t)n * TOY_SCALARS * sizeof(float));
    assert_memory_equal(a->codes, b->codes, (size_t)n * TOY_CODES * sizeof(uint16_t));
}

static void many_batches_of_rows_cost_one_wait(void **state)
{
    (void)state;
    static coded_rows rows;
    for (int k = 0; k < KINDS; k++) {
        toy t;
        rf_emu_counts counts;
        start_on(&t, kinds[k], "cuda:0", RF_CONSTRUCTION_FUSED);
        sample_rows(&t, 3, 0, BATCH, &rows);
        gpu.reset();
        sample_rows(&t, 3, BATCH, MOST_ROWS - 1, &rows);
        gpu.read(&counts);
        assert_int_equal(counts.calls[RF_EMU_SYNC], 1);
        assert_int_equal(counts.calls[RF_EMU_COPY], 2); /* scalars, codes; the counter was there already */
        assert_int_equal(counts.calls[RF_EMU_MALLOC], 0);
        gpu.reset();
        ask_ahead(&t, 3, 8 * BATCH, MOST_ROWS);
        gpu.read(&counts);
        assert_int_equal(counts.calls[RF_EMU_SYNC], 0);
        assert_int_equal(counts.calls[RF_EMU_REPLAY], 7);
        sample_rows(&t, 3, 8 * BATCH, MOST_ROWS, &rows);
        gpu.read(&counts);
        assert_int_equal(counts.calls[RF_EMU_SYNC], 1);
        assert_int_equal(counts.calls[RF_EMU_REPLAY], 7);
        toy_end(&t);
    }
}

static void rows_asked_for_ahead_are_the_same_rows(void **state)
{
    (void)state;
    static const rf_construction ways[] = {RF_CONSTRUCTION_PLAIN, RF_CONSTRUCTION_FUSED};
    static coded_rows plain, ahead;
    for (int i = 0; i < 2 * KINDS; i++) {
        toy t;
        start_on(&t, kinds[i % 2], "cuda:0", ways[i / 2]);
        toy_train(&t, 2);
        for (int64_t first = 816; first < 820; first++) { /* where the ring of 819 slots ends */
            sample_rows(&t, 3, first * BATCH, 3 * BATCH, &plain);
            ask_ahead(&t, 4, 0, BATCH); /* that nobody comes for */
            ask_ahead(&t, 3, first * BATCH, 3 * BATCH);
            ask_ahead(&t, 3, (first + 3) * BATCH, 2 * BATCH);
            sample_rows(&t, 3, first * BATCH, 3 * BATCH, &ahead);
            assert_same_rows(&plain, &ahead, 3 * BATCH);
        }
        sample_rows(&t, 3, 823 * BATCH, BATCH, &plain);
        ask_ahead(&t, 3, 823 * BATCH, BATCH);
        toy_train(&t, 1); /* other weights: what was begun does not count */
        sample_rows(&t, 3, 823 * BATCH, BATCH, &ahead);
        assert_memory_not_equal(plain.scalars, ahead.scalars, BATCH * TOY_SCALARS * sizeof(float));
        toy_end(&t);
    }
}

static void a_failure_while_rows_are_made_is_told(void **state)
{
    (void)state;
    static coded_rows rows;
    toy t;
    rf_error err = {0};
    const rf_sample_request request = {.seed = 3, .first_row = BATCH, .n_rows = BATCH, .condition_entry = -1};
    rf_coded coded = {.n_rows = BATCH, .scalars = rows.scalars, .codes = rows.codes};
    gpu.machine(2, 13000, (int64_t)4 << 30);
    start_on(&t, RF_MODEL_CTGAN, "cuda:1", RF_CONSTRUCTION_FUSED);
    sample_rows(&t, 3, 0, BATCH, &rows);
    ask_ahead(&t, 3, BATCH, BATCH);
    gpu.break_call(RF_EMU_SYNC, 1, 2); /* out of memory: this GPU is taken again by the next tests */
    assert_fails(t.model->type->sample(t.model, &request, &coded, &err), RF_NO_MEMORY, "memory");
    toy_end(&t);
    gpu.break_call(-1, 0, 0);
    gpu.machine(1, 13000, (int64_t)4 << 30);
}

static void a_fused_step_has_few_kernels(void **state)
{
    (void)state;
    static const int64_t most[] = {20, 12};
    for (int k = 0; k < KINDS; k++) {
        toy t;
        start_on(&t, kinds[k], "cuda:0", RF_CONSTRUCTION_FUSED);
        toy_train(&t, 3);
        print_message("%d kernels a step\n", (int)t.device->stats.nodes);
        assert_in_range(t.device->stats.nodes, 1, most[k]);
        toy_end(&t);
    }
}

static void what_a_training_held_is_given_back(void **state)
{
    (void)state;
    rf_emu_counts before, after;
    gpu.read(&before);
    for (int k = 0; k < KINDS; k++) {
        rf_buf bytes = trained_on(kinds[k], "cuda:0", RF_CONSTRUCTION_FUSED, 3);
        rf_buf_free(&bytes);
    }
    gpu.read(&after);
    assert_int_equal(before.allocated_bytes, after.allocated_bytes);
}

/* ------------------------------------------------------------------ failures */

/* A whole life with the nth call failing; whether it failed. */
static bool fails_at(rf_model_kind kind, rf_emu_call call, int64_t nth, int error)
{
    toy t;
    rf_error err = {0};
    rf_losses losses;
    rf_emu_counts before, after;
    gpu.read(&before);
    toy_init(&t, kind);
    gpu.break_call(call, nth, error);
    rf_code code = rf_device_open(&t.device, "cuda:0", 1, &err);
    t.setup.device = t.device;
    const rf_model_class *type = rf_model_class_find(kind);
    if (code == RF_OK)
        code = type->create(&t.model, &t.setup, &err);
    if (code == RF_OK)
        code = type->attach(t.model, &t.rows, &err);
    if (code == RF_OK)
        code = type->train(t.model, 2, &losses, &err);
    if (t.model)
        type->free(t.model);
    rf_device_close(t.device);
    gpu.break_call(-1, 0, 0);
    gpu.read(&after);
    assert_int_equal(before.allocated_bytes, after.allocated_bytes);
    assert_int_equal(code, err.code);
    assert_true(code == RF_OK || code == RF_NO_MEMORY);
    return code != RF_OK;
}

static void running_out_of_memory_anywhere_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        int64_t nth = 1;
        while (fails_at(kinds[k], RF_EMU_MALLOC, nth, 2))
            nth++;
        assert_true(nth > 3);
    }
}

static void a_card_with_too_little_memory_is_refused_with_the_numbers(void **state)
{
    (void)state;
    toy t;
    rf_error err = {0};
    rf_emu_counts counts;
    toy_init(&t, RF_MODEL_CTGAN);
    assert_ok(rf_device_open(&t.device, "cuda:0", 1, &err));
    t.setup.device = t.device;
    const rf_model_class *type = rf_model_class_find(RF_MODEL_CTGAN);
    assert_ok(type->create(&t.model, &t.setup, &err));
    gpu.read(&counts);
    gpu.machine(1, 13000, (int64_t)counts.allocated_bytes + 1000);
    assert_fails(type->attach(t.model, &t.rows, &err), RF_NO_MEMORY, "GiB free");
    type->free(t.model);
    rf_device_close(t.device);
    gpu.machine(1, 13000, (int64_t)4 << 30);
}

static void a_wrong_driver_or_none_is_told(void **state)
{
    (void)state;
    rf_device *device = NULL;
    rf_error err = {0};
    gpu.machine(1, 12000, (int64_t)4 << 30);
    assert_fails(rf_device_open(&device, "cuda", 1, &err), RF_DEVICE, "too old");
    gpu.machine(1, 0, (int64_t)4 << 30);
    assert_fails(rf_device_open(&device, "cuda:0", 1, &err), RF_DEVICE, "no NVIDIA driver");
    gpu.machine(0, 13000, (int64_t)4 << 30);
    assert_fails(rf_device_open(&device, "cuda:0", 1, &err), RF_DEVICE, "no GPU");
    gpu.machine(1, 13000, (int64_t)4 << 30);
    assert_fails(rf_device_open(&device, "cuda:5", 1, &err), RF_DEVICE, "1 GPU");
    gpu.machine(0, 13000, (int64_t)4 << 30);
    assert_ok(rf_device_open(&device, "auto", 1, &err));
    assert_string_equal(device->name, "cpu");
    rf_device_close(device);
    gpu.machine(1, 13000, (int64_t)4 << 30);
}

/* The last tests: cuda:0, then cuda:1 are lost to this process. */
static void a_gpu_that_is_lost_is_told_survived_and_not_taken_again(void **state)
{
    (void)state;
    toy t;
    rf_error err = {0};
    rf_losses losses;
    rf_device *device = NULL;
    gpu.machine(2, 13000, (int64_t)4 << 30);
    start_on(&t, RF_MODEL_TVAE, "cuda:0", RF_CONSTRUCTION_FUSED);
    toy_train(&t, 5);
    rf_buf half = toy_store(&t, true);
    gpu.break_call(RF_EMU_REPLAY, 2, 719);
    assert_fails(t.model->type->train(t.model, 5, &losses, &err), RF_DEVICE, "cuda:0 failed");
    assert_non_null(strstr(err.detail, "cudaErrorLaunchFailure"));
    toy_end(&t);
    gpu.break_call(-1, 0, 0);
    assert_fails(rf_device_open(&device, "cuda:0", 1, &err), RF_DEVICE, "failed earlier");
    start_on(&t, RF_MODEL_TVAE, "auto", RF_CONSTRUCTION_AUTO);
    assert_string_equal(t.device->name, "cuda:1");
    toy_load(&t, true, &half);
    toy_train(&t, 5);
    toy_end(&t);
    rf_buf_free(&half);
}

static void a_failure_in_the_middle_of_a_recording_is_told(void **state)
{
    (void)state;
    toy t;
    rf_error err = {0};
    rf_losses losses;
    rf_device *device = NULL;
    start_on(&t, RF_MODEL_CTGAN, "cuda:1", RF_CONSTRUCTION_FUSED);
    toy_train(&t, 1);
    gpu.break_call(RF_EMU_LAUNCH, 10, 700);
    assert_fails(t.model->type->train(t.model, 3, &losses, &err), RF_DEVICE, "lost");
    toy_end(&t);
    gpu.break_call(-1, 0, 0);
    assert_ok(rf_device_open(&device, "auto", 1, &err));
    assert_string_equal(device->name, "cpu");
    rf_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_construction_trains_as_the_cpu_does),
        cmocka_unit_test(two_runs_give_the_same_bytes_whatever_the_order_of_threads),
        cmocka_unit_test(a_recorded_training_is_the_one_that_ran_as_it_came),
        cmocka_unit_test(a_checkpoint_goes_on_on_the_other_device),
        cmocka_unit_test(a_training_waits_once_a_call_and_not_once_a_step),
        cmocka_unit_test(the_losses_of_every_step_come_back_together),
        cmocka_unit_test(many_batches_of_rows_cost_one_wait),
        cmocka_unit_test(rows_asked_for_ahead_are_the_same_rows),
        cmocka_unit_test(a_failure_while_rows_are_made_is_told),
        cmocka_unit_test(a_fused_step_has_few_kernels),
        cmocka_unit_test(what_a_training_held_is_given_back),
        cmocka_unit_test(running_out_of_memory_anywhere_is_told_and_leaks_nothing),
        cmocka_unit_test(a_card_with_too_little_memory_is_refused_with_the_numbers),
        cmocka_unit_test(a_wrong_driver_or_none_is_told),
        cmocka_unit_test(a_gpu_that_is_lost_is_told_survived_and_not_taken_again),
        cmocka_unit_test(a_failure_in_the_middle_of_a_recording_is_told),
    };
    return cmocka_run_group_tests(tests, find_gpu, NULL);
}
