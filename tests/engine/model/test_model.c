/* What every model promises: the same bytes for any threads and cuts, rows that are like the table, and
 * honest refusals. Each test runs for both models. */
#include "rf_test_device.h"

#include <math.h>

#include "core/alloc.h"
#include "toy.h"

static const rf_model_kind kinds[] = {RF_MODEL_CTGAN, RF_MODEL_TVAE};
enum { KINDS = 2 };

static void assert_same_bytes(const rf_buf *a, const rf_buf *b)
{
    assert_int_equal(a->size_bytes, b->size_bytes);
    assert_memory_equal(a->data, b->data, a->size_bytes);
}

static void same_bytes_for_any_number_of_threads(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 4};
    for (int k = 0; k < KINDS; k++) {
        rf_buf bytes[3];
        for (int i = 0; i < 3; i++) {
            toy t;
            toy_init(&t, kinds[k]);
            t.setup.params.discriminator_steps = 2;
            toy_start(&t, threads[i]);
            toy_train(&t, 25);
            bytes[i] = toy_store(&t, true);
            toy_end(&t);
        }
        assert_same_bytes(&bytes[0], &bytes[1]);
        assert_same_bytes(&bytes[0], &bytes[2]);
        for (int i = 0; i < 3; i++)
            rf_buf_free(&bytes[i]);
    }
}

static void ten_steps_are_three_and_seven(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        toy whole, cut;
        toy_init(&whole, kinds[k]);
        toy_init(&cut, kinds[k]);
        toy_start(&whole, 1);
        toy_start(&cut, 2);
        const rf_losses a = toy_train(&whole, 10);
        toy_train(&cut, 3);
        const rf_losses b = toy_train(&cut, 7);
        assert_true(a.generator == b.generator);
        rf_buf first = toy_store(&whole, true), second = toy_store(&cut, true);
        assert_same_bytes(&first, &second);
        rf_buf_free(&first);
        rf_buf_free(&second);
        toy_end(&whole);
        toy_end(&cut);
    }
}

static void a_loaded_training_goes_on_to_the_same_bytes(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        toy whole, resumed;
        toy_init(&whole, kinds[k]);
        toy_init(&resumed, kinds[k]);
        whole.setup.params.discriminator_steps = resumed.setup.params.discriminator_steps = 3;
        toy_start(&whole, 1);
        toy_train(&whole,
                  13); /* in the second epoch: where its batch is short or its order new must come back too */
        rf_buf half = toy_store(&whole, true);
        toy_train(&whole, 9);
        toy_start(&resumed, 2);
        toy_load(&resumed, true, &half);
        assert_int_equal(resumed.model->step, 13);
        toy_train(&resumed, 9);
        rf_buf first = toy_store(&whole, true), second = toy_store(&resumed, true);
        assert_same_bytes(&first, &second);
        rf_buf_free(&half);
        rf_buf_free(&first);
        rf_buf_free(&second);
        toy_end(&whole);
        toy_end(&resumed);
    }
}

static void another_seed_gives_other_weights(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        toy a, b;
        toy_init(&a, kinds[k]);
        toy_init(&b, kinds[k]);
        b.setup.seed = 6;
        toy_start(&a, 1);
        toy_start(&b, 1);
        rf_buf first = toy_store(&a, false), second = toy_store(&b, false);
        assert_memory_not_equal(first.data, second.data, first.size_bytes);
        rf_buf_free(&first);
        rf_buf_free(&second);
        toy_end(&a);
        toy_end(&b);
    }
}

/* ------------------------------------------------------------------ rows */

enum { SAMPLED = 2000 };

typedef struct sampled {
    float scalars[SAMPLED * TOY_SCALARS];
    uint16_t codes[SAMPLED * TOY_CODES];
} sampled;

static void sample(toy *t, sampled *out, int64_t first, int64_t n, int32_t entry)
{
    rf_error err = {0};
    const rf_sample_request request = {.seed = 3, .first_row = first, .n_rows = n, .condition_entry = entry};
    rf_coded rows = {
        .n_rows = n, .scalars = out->scalars + first * TOY_SCALARS, .codes = out->codes + first * TOY_CODES};
    assert_ok(t->model->type->sample(t->model, &request, &rows, &err));
}

static void rows_do_not_depend_on_how_they_are_asked_for(void **state)
{
    (void)state;
    static sampled whole, pieces;
    for (int k = 0; k < KINDS; k++) {
        toy t;
        toy_init(&t, kinds[k]);
        toy_start(&t, 2);
        toy_train(&t, 5);
        sample(&t, &whole, 0, 990, -1);
        sample(&t, &pieces, 0, 40, -1);
        sample(&t, &pieces, 40, 480, -1);
        sample(&t, &pieces, 520, 470, -1);
        assert_memory_equal(whole.scalars, pieces.scalars, 990 * TOY_SCALARS * sizeof(float));
        assert_memory_equal(whole.codes, pieces.codes, 990 * TOY_CODES * sizeof(uint16_t));
        toy_end(&t);
    }
}

static void rows_far_into_a_result_do_not_depend_on_where_the_ring_ends(void **state)
{
    (void)state;
    static sampled whole, pieces;
    for (int k = 0; k < KINDS; k++) {
        toy t;
        rf_error err = {0};
        toy_init(&t, kinds[k]);
        toy_start(&t, 2);
        toy_train(&t, 5);
        /* Every number of batches from here on ends somewhere else in the ring; it wraps in one of them. */
        for (int64_t first = 800; first < 830; first += 10) {
            const rf_sample_request request = {
                .seed = 3, .first_row = first * 40, .n_rows = 400, .condition_entry = -1};
            rf_coded rows = {.n_rows = 400, .scalars = whole.scalars, .codes = whole.codes};
            assert_ok(t.model->type->sample_ahead(t.model, &request, &err));
            assert_ok(t.model->type->sample(t.model, &request, &rows, &err));
            for (int i = 0; i < 10; i++) {
                const rf_sample_request one = {
                    .seed = 3, .first_row = (first + i) * 40, .n_rows = 40, .condition_entry = -1};
                rf_coded piece = {.n_rows = 40,
                                  .scalars = pieces.scalars + i * 40 * TOY_SCALARS,
                                  .codes = pieces.codes + i * 40 * TOY_CODES};
                assert_ok(t.model->type->sample(t.model, &one, &piece, &err));
            }
            assert_memory_equal(whole.scalars, pieces.scalars, 400 * TOY_SCALARS * sizeof(float));
            assert_memory_equal(whole.codes, pieces.codes, 400 * TOY_CODES * sizeof(uint16_t));
        }
        toy_end(&t);
    }
}

static void sampling_between_steps_does_not_move_the_training(void **state)
{
    (void)state;
    static sampled rows;
    for (int k = 0; k < KINDS; k++) {
        toy a, b;
        toy_init(&a, kinds[k]);
        toy_init(&b, kinds[k]);
        toy_start(&a, 1);
        toy_start(&b, 1);
        toy_train(&a, 12);
        toy_train(&b, 5);
        sample(&b, &rows, 0, 100, -1);
        toy_train(&b, 7);
        rf_buf first = toy_store(&a, true), second = toy_store(&b, true);
        assert_same_bytes(&first, &second);
        rf_buf_free(&first);
        rf_buf_free(&second);
        toy_end(&a);
        toy_end(&b);
    }
}

static void weights_alone_are_enough_to_sample(void **state)
{
    (void)state;
    static sampled before, after;
    for (int k = 0; k < KINDS; k++) {
        rf_error err = {0};
        toy t, fresh;
        toy_init(&t, kinds[k]);
        toy_init(&fresh, kinds[k]);
        toy_start(&t, 2);
        toy_train(&t, 20);
        t.model->type->detach(t.model);
        sample(&t, &before, 0, 400, -1);
        rf_buf weights = toy_store(&t, false);
        fresh.device = rf_test_device(1);
        fresh.setup.device = fresh.device;
        assert_ok(rf_model_class_find(kinds[k])->create(&fresh.model, &fresh.setup, &err));
        toy_load(&fresh, false, &weights);
        sample(&fresh, &after, 0, 400, -1);
        assert_memory_equal(before.codes, after.codes, 400 * TOY_CODES * sizeof(uint16_t));
        assert_memory_equal(before.scalars, after.scalars, 400 * TOY_SCALARS * sizeof(float));
        rf_buf_free(&weights);
        toy_end(&t);
        toy_end(&fresh);
    }
}

/* How many of the rows have b equal to a, and x on the side that a says. */
static void count_dependences(const sampled *rows, int *equal, int *side)
{
    *equal = *side = 0;
    for (int r = 0; r < SAMPLED; r++) {
        const uint16_t *codes = rows->codes + r * TOY_CODES;
        *equal += codes[1] == codes[2];
        *side += (codes[1] == 0) == (rows->scalars[r * TOY_SCALARS] < 0);
    }
}

static void what_depends_in_the_table_depends_in_the_rows(void **state)
{
    (void)state;
    static const int64_t steps[KINDS] = {3000, 5000};
    static sampled rows;
    for (int k = 0; k < KINDS; k++) {
        toy t;
        int equal, side;
        toy_init(&t, kinds[k]);
        t.setup.params.generator_lr = t.setup.params.discriminator_lr = 1e-3;
        toy_start(&t, 2);
        toy_train(&t, steps[k]);
        sample(&t, &rows, 0, SAMPLED, -1);
        count_dependences(&rows, &equal, &side);
        print_message("%s: b = a in %d, x on a's side in %d of %d rows\n", rf_model_kind_name(kinds[k]),
                      equal, side, SAMPLED);
        /* By chance they would be a third and about a half; in the table 95 and 100 %. */
        assert_true(equal > SAMPLED * 3 / 4);
        assert_true(side > SAMPLED * 4 / 5);
        toy_end(&t);
    }
}

static void a_condition_draws_ctgan_to_its_category(void **state)
{
    (void)state;
    static sampled rows;
    toy t;
    toy_init(&t, RF_MODEL_CTGAN);
    t.setup.params.generator_lr = t.setup.params.discriminator_lr = 1e-3;
    toy_start(&t, 2);
    toy_train(&t, 4000);
    int all = 0;
    for (int32_t entry = 0; entry < 6; entry++) {
        int hits = 0;
        sample(&t, &rows, 0, SAMPLED, entry);
        for (int r = 0; r < SAMPLED; r++)
            hits += rows.codes[r * TOY_CODES + (entry < 3 ? 1 : 2)] == entry % 3;
        print_message("entry %d: %d of %d rows\n", entry, hits, SAMPLED);
        assert_true(hits > SAMPLED * 2 / 5); /* a third without it */
        all += hits;
    }
    assert_true(all > 6 * SAMPLED / 2);
    toy_end(&t);
}

/* ------------------------------------------------------------------ losses */

static void the_losses_of_an_epoch_are_the_means_over_its_steps(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        toy t;
        double sum = 0;
        toy_init(&t, kinds[k]);
        toy_start(&t, 1);
        const int64_t steps = t.model->steps_per_epoch;
        for (int64_t i = 0; i < 2 * steps; i++) {
            const double loss = toy_train(&t, 1).generator;
            sum = i % steps == 0 ? loss : sum + loss;
            if (i < steps) /* the first epoch is shown as far as it has come */
                assert_true(t.model->epoch.mean.generator == sum / (double)(i + 1));
        }
        assert_true(t.model->epoch.mean.generator == sum / (double)steps);
        toy_train(&t, steps - 1);
        assert_true(t.model->epoch.mean.generator == sum / (double)steps);
        assert_int_equal(isnan(t.model->epoch.mean.discriminator) != 0, kinds[k] == RF_MODEL_TVAE);
        toy_end(&t);
    }
}

static void no_loss_is_missed_wherever_a_training_is_cut(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        toy whole, cut;
        toy_init(&whole, kinds[k]);
        toy_init(&cut, kinds[k]);
        toy_start(&whole, 1);
        toy_start(&cut, 1);
        const rf_losses last = toy_train(&whole, 1040); /* more than the device keeps at once */
        toy_train(&cut, 7);
        toy_train(&cut, 1020);
        const rf_losses other = toy_train(&cut, 13);
        assert_true(last.generator == other.generator);
        assert_memory_equal(&whole.model->epoch.sum.generator, &cut.model->epoch.sum.generator,
                            sizeof(double));
        assert_memory_equal(&whole.model->epoch.mean.generator, &cut.model->epoch.mean.generator,
                            sizeof(double));
        assert_int_equal(whole.model->epoch.ended, cut.model->epoch.ended);
        toy_end(&whole);
        toy_end(&cut);
    }
}

/* ------------------------------------------------------------------ refusals */

/* What a training with impossible rates says when it is cut into pieces of so many steps. */
static void say_divergence(toy *t, int64_t piece, char out[256])
{
    rf_error err = {0};
    rf_losses losses;
    rf_code code = RF_OK;
    t->model->type->free(t->model);
    assert_ok(rf_model_class_find(t->setup.params.model)->create(&t->model, &t->setup, &err));
    assert_ok(t->model->type->attach(t->model, &t->rows, &err));
    for (int64_t done = 0; done < 40 && code == RF_OK; done += piece)
        code = t->model->type->train(t->model, piece, &losses, &err);
    assert_int_equal(code, RF_DIVERGED);
    snprintf(out, 256, "%s", err.message);
}

static void divergence_names_the_first_step_without_a_finite_loss(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        char whole[256], single[256], wanted[64];
        toy t;
        toy_init(&t, kinds[k]);
        toy_start(&t, 1);
        t.setup.params.generator_lr = t.setup.params.discriminator_lr = t.setup.params.learning_rate = 1e30;
        say_divergence(&t, 40, whole);
        say_divergence(&t, 1, single);
        assert_string_equal(whole, single);
        snprintf(wanted, sizeof wanted, "at step %lld:", (long long)t.model->step);
        assert_non_null(strstr(single, wanted));
        toy_end(&t);
    }
}

static void a_rate_that_is_too_high_is_told_as_divergence(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        rf_error err = {0};
        rf_losses losses;
        toy t;
        toy_init(&t, kinds[k]);
        toy_start(&t, 1);
        t.model->type->free(t.model);
        /* Rates this high are outside the range that users may give: the rows overflow within a few steps. */
        t.setup.params.generator_lr = t.setup.params.discriminator_lr = t.setup.params.learning_rate = 1e30;
        assert_ok(t.setup.device ? RF_OK : RF_INTERNAL);
        assert_ok(rf_model_class_find(kinds[k])->create(&t.model, &t.setup, &err));
        assert_ok(t.model->type->attach(t.model, &t.rows, &err));
        assert_fails(t.model->type->train(t.model, 30, &losses, &err), RF_DIVERGED, "at step");
        rf_buf bytes;
        rf_buf_init(&bytes);
        assert_fails(t.model->type->store(t.model, true, &bytes, &err), RF_DIVERGED, "finite");
        rf_buf_free(&bytes);
        toy_end(&t);
    }
}

static void short_or_altered_state_is_refused(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        rf_error err = {0};
        rf_reader reader;
        toy t;
        toy_init(&t, kinds[k]);
        toy_start(&t, 1);
        rf_buf bytes = toy_store(&t, true);
        for (size_t cut = 0; cut < bytes.size_bytes; cut += cut < 16 ? 1 : 997) {
            rf_reader_init(&reader, bytes.data, cut);
            assert_int_equal(t.model->type->load(t.model, true, &reader, &err), RF_CORRUPT);
        }
        const float broken = (float)NAN;
        memcpy(bytes.data + sizeof(int64_t) + 100 * sizeof broken, &broken, sizeof broken);
        rf_reader_init(&reader, bytes.data, bytes.size_bytes);
        assert_fails(t.model->type->load(t.model, true, &reader, &err), RF_CORRUPT, "not finite");
        rf_buf_free(&bytes);
        toy_end(&t);
    }
}

static void the_plan_covers_what_is_allocated(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        toy t;
        toy_init(&t, kinds[k]);
        toy_start(&t, 1);
        const rf_model_class *type = t.model->type;
        rf_model_setup larger = t.setup;
        const size_t plan = type->plan(&t.setup);
        assert_true(plan > type->stored_size(&t.setup, true));
        assert_true(plan > type->plan_sampling(&t.setup));
        larger.n_rows += 1000;
        assert_true(type->plan(&larger) >= plan + 1000 * (TOY_SCALARS * 4 + TOY_CODES * 2) - 1024);
        larger.params.batch_size = 1000000;
        larger.params.generator_dim = larger.params.discriminator_dim = larger.params.compress_dims =
            (rf_dims){8, {8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192}};
        assert_true(type->plan(&larger) > (size_t)100e9);
        toy_end(&t);
    }
}

static void a_matrix_larger_than_any_index_is_planned_as_impossible(void **state)
{
    (void)state;
    toy t;
    toy_init(&t, RF_MODEL_CTGAN);
    t.layout.width = 1 << 28;
    t.setup.params.pac = 1000;
    t.setup.params.batch_size = 1000;
    assert_true(rf_model_class_find(RF_MODEL_CTGAN)->plan(&t.setup) == SIZE_MAX);
}

static rf_code whole_life(toy *t, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_losses losses;
    rf_buf bytes;
    rf_reader reader;
    const rf_model_class *type = rf_model_class_find(t->setup.params.model);
    rf_buf_init(&bytes);
    t->model = NULL;
    RF_TRY(type->create(&t->model, &t->setup, err));
    RF_TRY(type->attach(t->model, &t->rows, err));
    RF_TRY(type->train(t->model, 1, &losses, err));
    RF_TRY(type->store(t->model, true, &bytes, err));
    rf_reader_init(&reader, bytes.data, bytes.size_bytes);
    RF_TRY(type->load(t->model, true, &reader, err));
out:
    rf_buf_free(&bytes);
    type->free(t->model);
    t->model = NULL;
    return rc;
}

static void every_failed_allocation_is_told(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        rf_error err = {0};
        toy t;
        toy_init(&t, kinds[k]);
        assert_ok(rf_device_open(&t.device, "cpu", 1, &err));
        t.setup.device = t.device;
        assert_ok(whole_life(&t, &err));
        rf_alloc_fail_at(0);
        assert_ok(whole_life(&t, &err));
        const int64_t n = rf_alloc_count();
        assert_true(n > 3);
        for (int64_t i = 1; i <= n; i++) {
            rf_alloc_fail_at(i);
            assert_fails(whole_life(&t, &err), RF_NO_MEMORY, "");
        }
        rf_alloc_fail_at(0);
        assert_ok(whole_life(&t, &err));
        rf_device_close(t.device);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_for_any_number_of_threads),
        cmocka_unit_test(ten_steps_are_three_and_seven),
        cmocka_unit_test(a_loaded_training_goes_on_to_the_same_bytes),
        cmocka_unit_test(another_seed_gives_other_weights),
        cmocka_unit_test(rows_do_not_depend_on_how_they_are_asked_for),
        cmocka_unit_test(rows_far_into_a_result_do_not_depend_on_where_the_ring_ends),
        cmocka_unit_test(sampling_between_steps_does_not_move_the_training),
        cmocka_unit_test(weights_alone_are_enough_to_sample),
        cmocka_unit_test(what_depends_in_the_table_depends_in_the_rows),
        cmocka_unit_test(a_condition_draws_ctgan_to_its_category),
        cmocka_unit_test(a_rate_that_is_too_high_is_told_as_divergence),
        cmocka_unit_test(short_or_altered_state_is_refused),
        cmocka_unit_test(the_losses_of_an_epoch_are_the_means_over_its_steps),
        cmocka_unit_test(no_loss_is_missed_wherever_a_training_is_cut),
        cmocka_unit_test(divergence_names_the_first_step_without_a_finite_loss),
        cmocka_unit_test(the_plan_covers_what_is_allocated),
        cmocka_unit_test(a_matrix_larger_than_any_index_is_planned_as_impossible),
        cmocka_unit_test(every_failed_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
