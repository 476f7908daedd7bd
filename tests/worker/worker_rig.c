#include "worker_rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/philox.h"

static const char *sum_of_table(worker_rig *r, const rf_buf *table)
{
    char *sum = rf_arena_alloc(&r->arena, 1, 65);
    rig_put(r, "datasets/1/data", table->data, table->size_bytes, sum);
    return sum;
}

/* ------------------------------------------------------------------ life */

void rig_open(worker_rig *r)
{
    rf_error err = {0};
    memset(r, 0, sizeof *r);
    rf_arena_init(&r->arena);
    snprintf(r->folder, sizeof r->folder, "/tmp/rowforge-test-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->scratch, sizeof r->scratch, "%s/scratch", r->folder);
    char objects[96];
    snprintf(objects, sizeof objects, "%s/objects", r->folder);
    assert_ok(rf_queue_open_memory(&r->queue, NULL, &err));
    assert_ok(rf_storage_open_folder(&r->storage, objects, "secret", 6, &err));
    r->options = (rf_worker_options){.queue = r->queue,
                                     .storage = r->storage,
                                     .scratch = r->scratch,
                                     .device = "cpu",
                                     .threads = 2,
                                     .beat_s = 0.05};
}

static void *work(void *arg)
{
    worker_rig *r = arg;
    rf_error err = {0};
    r->ended = rf_worker_run(&r->options, &err);
    if (r->ended != RF_OK)
        fprintf(stderr, "the worker ended: %s\n", err.message);
    return NULL;
}

void rig_start(worker_rig *r)
{
    assert_int_equal(pthread_create(&r->thread, NULL, work, r), 0);
    r->running = true;
}

void rig_end_worker(worker_rig *r)
{
    rf_error err = {0};
    rf_worker_info *list = NULL;
    int32_t n = 0;
    if (!r->running)
        return;
    while (n == 0) {
        rf_free(list);
        assert_ok(rf_queue_workers(r->queue, &list, &n, &err));
    }
    for (int32_t i = 0; i < n; i++)
        (void)!rf_queue_worker_wish(r->queue, list[i].id, RF_WORKER_END, &err);
    rf_free(list);
}

void rig_close(worker_rig *r)
{
    char command[128];
    rig_end_worker(r);
    if (r->running)
        pthread_join(r->thread, NULL);
    assert_int_equal(r->ended, RF_OK);
    rf_queue_close(r->queue);
    rf_storage_close(r->storage);
    for (int32_t i = 0; i < r->n_events; i++)
        rf_event_free(&r->events[i]);
    rf_arena_free(&r->arena);
    snprintf(command, sizeof command, "rm -r %s", r->folder);
    assert_int_equal(system(command), 0);
}

/* ------------------------------------------------------------------ storage */

void rig_put(worker_rig *r, const char *key, const char *bytes, size_t size, char sha256[65])
{
    rf_error err = {0};
    rf_object made;
    assert_ok(rf_storage_put_bytes(r->storage, key, bytes, size, NULL, &made, &err));
    memcpy(sha256, made.sha256, 65);
}

void rig_get(worker_rig *r, const rf_stored *stored, rf_buf *out)
{
    rf_error err = {0};
    rf_buf_init(out);
    assert_ok(rf_storage_get_bytes(r->storage, stored->key, 1 << 30, out, &err));
    assert_int_equal(out->size_bytes, stored->size_bytes);
}

/* ------------------------------------------------------------------ jobs and words */

void rig_offer(worker_rig *r, int64_t job_id, const rf_plan *plan)
{
    rf_error err = {0};
    rf_buf text;
    rf_buf_init(&text);
    assert_ok(rf_plan_write(plan, &text, &err));
    const rf_offer offer = {.job_id = job_id,
                            .token = ++r->token,
                            .user_id = 1,
                            .kind = plan->kind,
                            .priority = RF_PRIORITY_DEFAULT,
                            .plan = text.data};
    assert_ok(rf_queue_offer(r->queue, &offer, 1, &err));
    rf_buf_free(&text);
}

const rf_event *rig_next(worker_rig *r)
{
    rf_error err = {0};
    int32_t n = 0;
    assert_true(r->n_events < RIG_EVENTS_MAX);
    while (n == 0)
        assert_ok(rf_queue_events_take(r->queue, &r->events[r->n_events], 1, 60000, &n, &err));
    return &r->events[r->n_events++];
}

const rf_event *rig_until(worker_rig *r, int64_t job_id, rf_event_kind kind)
{
    for (;;) {
        const rf_event *event = rig_next(r);
        if (event->job_id == job_id && event->kind == kind)
            return event;
        if (event->kind == RF_EVENT_FAILED)
            fail_msg("waited for %s, and it failed: %s", rf_event_kind_name(kind), event->body);
    }
}

const rf_event *rig_end_of(worker_rig *r, int64_t job_id)
{
    rf_error err = {0};
    for (;;) {
        const rf_event *event = rig_next(r);
        if (event->job_id != job_id || (event->kind != RF_EVENT_DONE && event->kind != RF_EVENT_FAILED &&
                                        event->kind != RF_EVENT_RELEASED))
            continue;
        const rf_lease_id id = {.job_id = job_id, .token = event->token};
        assert_ok(rf_queue_settle(r->queue, &id, 1, &err));
        return event;
    }
}

static const rf_event *end_as(worker_rig *r, int64_t job_id, rf_event_kind kind)
{
    const rf_event *event = rig_end_of(r, job_id);
    if (event->kind != kind)
        fail_msg("job %lld ended with %s %s, not %s", (long long)job_id, rf_event_kind_name(event->kind),
                 event->body, rf_event_kind_name(kind));
    return event;
}

rf_result_done rig_done(worker_rig *r, int64_t job_id)
{
    rf_error err = {0};
    rf_result_done done;
    assert_ok(rf_result_read_done(&done, &r->arena, end_as(r, job_id, RF_EVENT_DONE)->body, &err));
    return done;
}

rf_result_failure rig_failure(worker_rig *r, int64_t job_id)
{
    rf_error err = {0};
    rf_result_failure failure;
    assert_ok(rf_result_read_failure(&failure, &r->arena, end_as(r, job_id, RF_EVENT_FAILED)->body, &err));
    return failure;
}

rf_result_released rig_released(worker_rig *r, int64_t job_id)
{
    rf_error err = {0};
    rf_result_released released;
    assert_ok(
        rf_result_read_released(&released, &r->arena, end_as(r, job_id, RF_EVENT_RELEASED)->body, &err));
    return released;
}

/* ------------------------------------------------------------------ a table */

/* Names of regions that are shorter than name_width are made so long. */
static void write_table(rf_buf *out, int n, size_t name_width)
{
    static const char *const regions[] = {"north", "south", "east"};
    rf_buf_init(out);
    rf_buf_puts(out, "age,income,region\n");
    for (int i = 0; i < n; i++) {
        const rf_philox_block block = rf_philox((rf_draw){.seed = 5, .purpose = RF_DRAW_DEMO}, (uint32_t)i);
        const int age = 18 + (int)rf_uniform_below(block.word[0], 60);
        const int region = (int)rf_uniform_below(block.word[1], 3);
        const double income = 1000.0 * region + 20.5 * age + (double)rf_uniform_below(block.word[2], 500);
        rf_buf_printf(out, "%d,%.2f,%s", age, income, regions[region]);
        for (size_t length = strlen(regions[region]); length < name_width; length++)
            rf_buf_puts(out, "-");
        rf_buf_puts(out, "\n");
    }
}

void rig_table(rf_buf *out, int n)
{
    write_table(out, n, 0);
}

static rf_plan generate_plan(worker_rig *r, int n_rows, int epochs, size_t name_width)
{
    rf_error err = {0};
    rf_buf table;
    char text[16];
    write_table(&table, n_rows, name_width);
    rf_plan plan = {.kind = RF_JOB_GENERATE,
                    .dataset = {.key = "datasets/1/data", .name = "people.csv", .format = "csv"},
                    .seed = 11,
                    .rows = 200,
                    .output_format = "csv",
                    .include_metadata = true};
    plan.dataset.sha256 = sum_of_table(r, &table);
    rf_buf_free(&table);
    rf_params_init(&plan.params, RF_MODEL_CTGAN);
    snprintf(text, sizeof text, "%d", epochs);
    assert_ok(rf_params_set(&plan.params, "epochs", text, &err));
    assert_ok(rf_params_set(&plan.params, "batch_size", "100", &err));
    assert_ok(rf_params_set(&plan.params, "generator_dim", "32,32", &err));
    assert_ok(rf_params_set(&plan.params, "discriminator_dim", "32,32", &err));
    assert_ok(rf_params_finish(&plan.params, n_rows, false, &err));
    return plan;
}

rf_plan rig_generate_plan(worker_rig *r, int n_rows, int epochs)
{
    return generate_plan(r, n_rows, epochs, 0);
}

rf_plan rig_generate_wide_plan(worker_rig *r, int n_rows, int epochs)
{
    return generate_plan(r, n_rows, epochs, 1000);
}
