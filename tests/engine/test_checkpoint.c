/* Training that is stopped, killed, and taken up again. */
#include "rf_test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/file.h"
#include "engine/fitted.h"
#include "pipeline_rig.h"

static const rf_model_kind kinds[] = {RF_MODEL_CTGAN, RF_MODEL_TVAE};
enum { KINDS = 2 };

/* Asks to stop at the first word after `at` steps. */
typedef struct stopper {
    int64_t at, last_done;
    int calls;
    bool ordered;
} stopper;

static bool stop_after(void *arg, const rf_progress *progress)
{
    stopper *s = arg;
    if (strcmp(progress->phase, "train") != 0)
        return true;
    s->calls++;
    s->ordered &= progress->done >= s->last_done && progress->done <= progress->total;
    s->last_done = progress->done;
    return progress->done < s->at;
}

static void assert_same_model(rf_fitted *a, rf_fitted *b)
{
    rf_buf first = rig_bytes(a), second = rig_bytes(b);
    assert_int_equal(first.size_bytes, second.size_bytes);
    assert_memory_equal(first.data, second.data, first.size_bytes);
    rf_buf_free(&first);
    rf_buf_free(&second);
}

static void a_stopped_training_goes_on_to_the_bytes_of_an_undisturbed_one(void **state)
{
    (void)state;
    static const int threads[] = {2, 1, 4};
    rf_table *table = rig_table(1);
    const char *path = rig_path("model.ckpt");
    for (int k = 0; k < KINDS; k++) {
        rf_error err = {0};
        rf_device *device = rig_device(1);
        rf_fit_options options = rig_options(kinds[k], device, 40);
        rf_fitted *whole = rig_fit(table, &options), *resumed = NULL;
        options.checkpoint_path = path;
        options.resume = true;
        options.progress = stop_after;
        /* Stopped twice, on other numbers of threads, then to the end. */
        for (int i = 0; i < 3; i++) {
            rf_device *other = rig_device(threads[i]);
            stopper s = {.at = i < 2 ? 100 * (i + 1) : INT64_MAX, .ordered = true};
            options.device = other;
            options.progress_arg = &s;
            if (i < 2) {
                assert_fails(rf_fit(&resumed, table, &options, NULL, &err), RF_INTERRUPTED, "model.ckpt");
                assert_int_equal(access(path, F_OK), 0);
            } else {
                assert_ok(rf_fit(&resumed, table, &options, NULL, &err));
                assert_same_model(whole, resumed);
                rf_fitted_free(resumed);
            }
            assert_true(s.ordered);
            rf_device_close(other);
        }
        rf_fitted_free(whole);
        rf_device_close(device);
        rf_checkpoint_remove(path);
    }
    rf_table_free(table);
    rig_clean();
}

/* Dies inside the callback, as hard as a process can. */
static bool die_later(void *arg, const rf_progress *progress)
{
    const char *path = arg;
    if (progress->done > 0 && access(path, F_OK) == 0)
        raise(SIGKILL);
    return true;
}

static void a_killed_training_goes_on_to_the_bytes_of_an_undisturbed_one(void **state)
{
    (void)state;
    rf_table *table = rig_table(1);
    const char *path = rig_path("killed.ckpt");
    for (int k = 0; k < KINDS; k++) {
        rf_error err = {0};
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            rf_fitted *lost = NULL;
            rf_fit_options options = rig_options(kinds[k], rig_device(2), 4000);
            options.checkpoint_path = path;
            options.checkpoint_s = 1e-9; /* after every piece */
            options.progress = die_later;
            options.progress_arg = (void *)(uintptr_t)path;
            _exit(rf_fit(&lost, table, &options, NULL, &err) == RF_OK ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        rf_checkpoint_info info;
        assert_ok(rf_checkpoint_peek(&info, path, &err));
        assert_int_equal(info.seed, 7);
        assert_true(info.step > 0 && info.step < info.n_steps);
        rf_device *device = rig_device(2);
        rf_fit_options options = rig_options(kinds[k], device, 4000);
        /* The full number of epochs would take long; the checkpoint says how far it came, and the test ends a
         * little later. */
        rf_buf wanted, got;
        rf_fitted *fitted = NULL;
        stopper s = {.at = info.step + 50, .ordered = true};
        options.checkpoint_path = path;
        options.resume = true;
        options.progress = stop_after;
        options.progress_arg = &s;
        assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_INTERRUPTED, "");
        rf_file_bytes bytes = {0};
        assert_ok(rf_file_bytes_open(&bytes, path, &err));
        rf_buf_init(&got);
        rf_buf_append(&got, bytes.data, bytes.size_bytes);
        rf_file_bytes_close(&bytes);
        assert_ok(rf_checkpoint_peek(&info, path, &err));
        rf_checkpoint_remove(path);
        /* The same place, undisturbed: pieces end where the clock says, so the steps are taken one by one. */
        rf_model *model = NULL;
        rf_transform *transform = NULL;
        rf_coded rows = {0};
        rf_losses losses;
        const rf_transform_options transform_options = {.seed = options.seed};
        assert_ok(rf_transform_fit(&transform, table, &transform_options, device->pool, NULL, &err));
        assert_ok(rf_transform_apply(transform, table, options.seed, device->pool, &rows, &err));
        const rf_model_setup setup = rfi_model_setup(transform, &options.params, options.seed, false, device);
        const rf_model_class *type = rf_model_class_find(kinds[k]);
        assert_ok(type->create(&model, &setup, &err));
        assert_ok(type->attach(model, &rows, &err));
        assert_ok(type->train(model, info.step, &losses, &err));
        rf_buf_init(&wanted);
        assert_ok(type->store(model, true, &wanted, &err));
        assert_true(got.size_bytes > wanted.size_bytes);
        /* The training state is the file's last section. */
        assert_memory_equal(got.data + got.size_bytes - wanted.size_bytes, wanted.data, wanted.size_bytes);
        rf_buf_free(&wanted);
        rf_buf_free(&got);
        type->free(model);
        rf_coded_free(&rows);
        rf_transform_free(transform);
        rf_device_close(device);
    }
    rf_table_free(table);
    rig_clean();
}

/* ------------------------------------------------------------------ refusals */

/* A checkpoint of the first table at `path`. */
static void make_checkpoint(const rf_table *table, rf_fit_options *options, const char *path)
{
    rf_error err = {0};
    rf_fitted *fitted = NULL;
    stopper s = {.at = 1, .ordered = true};
    options->checkpoint_path = path;
    options->progress = stop_after;
    options->progress_arg = &s;
    assert_fails(rf_fit(&fitted, table, options, NULL, &err), RF_INTERRUPTED, "");
    options->progress = NULL;
    options->resume = true;
}

static void another_training_is_refused_by_what_differs(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_fitted *fitted = NULL;
    rf_table *table = rig_table(1), *other = rig_table(2);
    rf_device *device = rig_device(1);
    const char *path = rig_path("a.ckpt");
    rf_fit_options base = rig_options(RF_MODEL_CTGAN, device, 5);
    make_checkpoint(table, &base, path);
    rf_fit_options options = base;
    options.params.epochs = 6;
    assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_USAGE, "another epochs");
    options = base;
    options.params.generator_dim.width[1] = 17;
    assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_USAGE, "another generator_dim");
    options = base;
    options.params.generator_lr = 1e-3;
    assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_USAGE, "another generator_lr");
    options = rig_options(RF_MODEL_TVAE, device, 5);
    options.checkpoint_path = path;
    options.resume = true;
    assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_USAGE, "another model");
    options = base;
    options.seed = 8;
    assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_USAGE, "seed 7, not 8");
    options = base;
    options.compat = true;
    assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_USAGE, "--compat");
    assert_fails(rf_fit(&fitted, other, &base, NULL, &err), RF_USAGE, "other columns or values");
    assert_ok(rf_fit(&fitted, table, &base, NULL, &err));
    rf_fitted_free(fitted);
    rf_checkpoint_remove(path);
    rf_device_close(device);
    rf_table_free(table);
    rf_table_free(other);
    rig_clean();
}

static void without_a_checkpoint_training_starts_anew_and_says_so(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_notes notes;
    rf_fitted *anew = NULL;
    rf_checkpoint_info info;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    rf_fit_options options = rig_options(RF_MODEL_TVAE, device, 2);
    rf_fitted *plain = rig_fit(table, &options);
    options.checkpoint_path = rig_path("none.ckpt");
    options.resume = true;
    rf_notes_init(&notes);
    assert_fails(rf_checkpoint_peek(&info, options.checkpoint_path, &err), RF_NOT_FOUND, "none.ckpt");
    memset(&err, 0, sizeof err);
    assert_ok(rf_fit(&anew, table, &options, &notes, &err));
    assert_same_model(plain, anew);
    bool said = false;
    for (int i = 0; i < notes.n; i++)
        said |= strstr(notes.texts[i], "no checkpoint") != NULL;
    assert_true(said);
    rf_notes_free(&notes);
    rf_fitted_free(plain);
    rf_fitted_free(anew);
    rf_device_close(device);
    rf_table_free(table);
    rig_clean();
}

static void a_damaged_checkpoint_is_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_fitted *fitted = NULL;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    const char *path = rig_path("b.ckpt");
    rf_fit_options options = rig_options(RF_MODEL_TVAE, device, 5);
    make_checkpoint(table, &options, path);
    rf_file_bytes bytes = {0};
    rf_buf copy;
    rf_buf_init(&copy);
    assert_ok(rf_file_bytes_open(&bytes, path, &err));
    rf_buf_append(&copy, bytes.data, bytes.size_bytes);
    rf_file_bytes_close(&bytes);
    for (size_t at = 0; at < copy.size_bytes; at += 1 + copy.size_bytes / 50) {
        copy.data[at] ^= 1;
        assert_ok(rf_file_store(path, copy.data, copy.size_bytes, &err));
        copy.data[at] ^= 1;
        assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_CORRUPT, "b.ckpt");
        memset(&err, 0, sizeof err);
        assert_ok(rf_file_store(path, copy.data, at, &err));
        assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_CORRUPT, "b.ckpt");
        memset(&err, 0, sizeof err);
    }
    rf_buf_free(&copy);
    rf_checkpoint_remove(path);
    rf_device_close(device);
    rf_table_free(table);
    rig_clean();
}

static void a_checkpoint_survives_every_failed_allocation_and_write(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_model *model = NULL;
    rf_transform *transform = NULL;
    rf_coded rows = {0};
    rf_losses losses;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    const char *path = rig_path("c.ckpt");
    const rf_fit_options options = rig_options(RF_MODEL_CTGAN, device, 5);
    const rf_transform_options transform_options = {.seed = options.seed};
    assert_ok(rf_transform_fit(&transform, table, &transform_options, NULL, NULL, &err));
    assert_ok(rf_transform_apply(transform, table, options.seed, NULL, &rows, &err));
    const rf_model_setup setup = rfi_model_setup(transform, &options.params, options.seed, false, device);
    const rf_model_class *type = rf_model_class_find(RF_MODEL_CTGAN);
    assert_ok(type->create(&model, &setup, &err));
    assert_ok(type->attach(model, &rows, &err));
    assert_ok(type->train(model, 2, &losses, &err));
    rfi_checkpoint_key key = {.seed = 7, .n_rows = 600, .n_steps = 75, .params = &options.params};
    assert_ok(rfi_data_hash(&key.data_hash, transform, &rows, &err));
    assert_ok(rfi_checkpoint_store(path, &key, model, &err));
    for (int64_t i = 1;; i++) { /* until one more than there are */
        rf_alloc_fail_at(i);
        memset(&err, 0, sizeof err);
        rf_code rc = rfi_checkpoint_store(path, &key, model, &err);
        rc = rc == RF_OK ? rfi_checkpoint_load(path, &key, model, &err) : rc;
        if (rc == RF_OK)
            break;
        assert_int_equal(rc, RF_NO_MEMORY);
        rf_alloc_fail_at(0);
        /* The last good one stands. */
        assert_ok(rfi_checkpoint_load(path, &key, model, &err));
    }
    rf_alloc_fail_at(0);
    for (int64_t i = 1;; i++) {
        rf_file_fail_at(i);
        memset(&err, 0, sizeof err);
        const rf_code rc = rfi_checkpoint_store(path, &key, model, &err);
        rf_file_fail_at(0);
        if (rc == RF_OK)
            break;
        assert_int_equal(rc, RF_IO);
        assert_true(i < 50);
        assert_ok(rfi_checkpoint_load(path, &key, model, &err));
    }
    type->free(model);
    rf_coded_free(&rows);
    rf_transform_free(transform);
    rf_checkpoint_remove(path);
    rf_device_close(device);
    rf_table_free(table);
    rig_clean();
}

static void a_model_that_cannot_fit_is_refused_with_the_number(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_fitted *fitted = NULL;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    rf_fit_options options = rig_options(RF_MODEL_CTGAN, device, 1);
    options.params.batch_size = 1000000;
    options.params.generator_dim = (rf_dims){8, {8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192}};
    assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_NO_MEMORY, "MB of memory and");
    assert_true(rfi_memory_available() > 1000000);
    rf_device_close(device);
    rf_table_free(table);
}

static void a_rate_that_is_too_high_ends_with_the_epoch(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_fitted *fitted = NULL;
    rf_table *table = rig_table(1);
    rf_device *device = rig_device(1);
    for (int k = 0; k < KINDS; k++) {
        rf_fit_options options = rig_options(kinds[k], device, 50);
        options.params.generator_lr = options.params.learning_rate = options.params.discriminator_lr = 1e30;
        options.checkpoint_path = rig_path("d.ckpt");
        options.checkpoint_s = 1e-9;
        assert_fails(rf_fit(&fitted, table, &options, NULL, &err), RF_DIVERGED, "");
        /* Whatever checkpoint there is holds finite numbers; a later rate could go on from it. */
        rf_checkpoint_remove(options.checkpoint_path);
    }
    rf_device_close(device);
    rf_table_free(table);
    rig_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_training_goes_on_to_the_bytes_of_an_undisturbed_one),
        cmocka_unit_test(a_killed_training_goes_on_to_the_bytes_of_an_undisturbed_one),
        cmocka_unit_test(another_training_is_refused_by_what_differs),
        cmocka_unit_test(without_a_checkpoint_training_starts_anew_and_says_so),
        cmocka_unit_test(a_damaged_checkpoint_is_refused),
        cmocka_unit_test(a_checkpoint_survives_every_failed_allocation_and_write),
        cmocka_unit_test(a_model_that_cannot_fit_is_refused_with_the_number),
        cmocka_unit_test(a_rate_that_is_too_high_ends_with_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
