/* test_cuda_jobs.c - whole jobs on the emulated GPU: two at once on one card, and one whose card is lost while it trains. */
#include "rf_test.h"

#include <dlfcn.h>
#include <math.h>

#include "../engine/model/toy.h"
#include "../engine/pipeline_rig.h"
#include "emu_control.h"

/* ------------------------------------------------------------------ two on one card */

static void start_on(toy *t, rf_model_kind kind)
{
    rf_error err = {0};
    const rf_model_class *type = rf_model_class_find(kind);
    toy_init(t, kind);
    assert_ok(rf_device_open(&t->device, "cuda:0", 1, &err));
    t->setup.device = t->device;
    assert_ok(type->create(&t->model, &t->setup, &err));
    assert_ok(type->attach(t->model, &t->rows, &err));
}

static rf_buf train_alone(rf_model_kind kind, int64_t steps)
{
    toy t;
    start_on(&t, kind);
    toy_train(&t, steps);
    rf_buf bytes = toy_store(&t, true);
    toy_end(&t);
    return bytes;
}

static void two_jobs_on_one_card_are_what_each_is_alone(void **state)
{
    (void)state;
    toy ctgan, tvae;
    start_on(&ctgan, RF_MODEL_CTGAN);
    start_on(&tvae, RF_MODEL_TVAE);
    for (int i = 0; i < 3; i++) {
        toy_train(&ctgan, 2);
        toy_train(&tvae, 3);
    }
    rf_buf beside[2] = {toy_store(&ctgan, true), toy_store(&tvae, true)};
    toy_end(&ctgan);
    toy_end(&tvae);
    rf_buf alone[2] = {train_alone(RF_MODEL_CTGAN, 6), train_alone(RF_MODEL_TVAE, 9)};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(beside[i].size_bytes, alone[i].size_bytes);
        assert_memory_equal(beside[i].data, alone[i].data, alone[i].size_bytes);
        rf_buf_free(&beside[i]);
        rf_buf_free(&alone[i]);
    }
}

/* ------------------------------------------------------------------ a card that is lost */

static void (*break_call)(int, int64_t, int);

static int find_gpu(void **state)
{
    (void)state;
    void *library = dlopen(getenv("ROWFORGE_CUDA_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    void *symbol = dlsym(library, "rf_emu_fail");
    assert_non_null(symbol);
    memcpy(&break_call, &symbol, sizeof symbol);
    return 0;
}

typedef struct heard {
    int64_t first; /* finished steps when the training was heard of for the first time */
    int64_t last;
    int64_t break_at; /* after so many steps the next replay fails; 0: none does */
} heard;

static bool hear(void *arg, const rf_progress *progress)
{
    heard *h = arg;
    if (strcmp(progress->phase, "train") != 0)
        return true;
    h->first = h->first < 0 ? progress->done : h->first;
    h->last = progress->done;
    if (h->break_at > 0 && progress->done >= h->break_at) {
        break_call(RF_EMU_REPLAY, 1, 719);
        h->break_at = 0;
    }
    return true;
}

static void a_training_whose_card_is_lost_goes_on_from_its_checkpoint(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_fitted *fitted = NULL;
    rf_device *gpu = NULL, *next = NULL;
    rf_table *table = rig_table(1);
    heard before = {.first = -1, .break_at = 6}, after = {.first = -1};
    assert_ok(rf_device_open(&gpu, "auto", 1, &err));
    assert_string_equal(gpu->name, "cuda:0");
    rf_fit_options options = rig_options(RF_MODEL_TVAE, gpu, 1);
    options.checkpoint_path = rig_path("lost.ckpt");
    options.checkpoint_s = 1e-9; /* after every piece */
    options.progress = hear;
    options.progress_arg = &before;
    assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_DEVICE, "cuda:0 failed");
    assert_true(before.last >= 6);
    rf_device_close(gpu);
    break_call(-1, 0, 0);

    memset(&err, 0, sizeof err);
    assert_ok(rf_device_open(&next, "auto", 1, &err)); /* the card is well again, but lost to this process */
    assert_string_equal(next->name, "cpu");
    options.device = next;
    options.resume = true;
    options.progress_arg = &after;
    assert_ok(rf_fit(&fitted, table, &options, NULL, &err));
    assert_int_equal(after.first, before.last); /* nothing but the failed piece is done again */
    rf_fitted_info info;
    rf_fitted_describe(fitted, &info);
    assert_int_equal(info.epochs_done, 1);
    assert_true(isfinite(info.losses.generator));
    rf_fitted_free(fitted);
    rf_device_close(next);
    rf_table_free(table);
    rf_checkpoint_remove(options.checkpoint_path);
    rig_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_jobs_on_one_card_are_what_each_is_alone),
        cmocka_unit_test(a_training_whose_card_is_lost_goes_on_from_its_checkpoint),
    };
    return cmocka_run_group_tests(tests, find_gpu, NULL);
}
