/* What comes to the queue and from it as bytes: frames, plans, the bodies of events. The first byte chooses. */
#include <string.h>

#include "core/alloc.h"
#include "domain/plan.h"
#include "domain/result.h"
#include "queue/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read must be writable again, or be refused. */
static void try_plan(const char *text)
{
    rf_plan plan;
    rf_buf out;
    rf_error err = {0};
    rf_buf_init(&out);
    if (rf_plan_read(&plan, text, &err) == RF_OK) {
        if (rf_plan_write(&plan, &out, &err) != RF_OK)
            __builtin_trap();
        rf_plan_free(&plan);
    }
    rf_buf_free(&out);
}

static void try_results(const char *text)
{
    rf_error err = {0};
    rf_arena arena;
    union {
        rf_result_started started;
        rf_result_progress progress;
        rf_result_checkpoint checkpoint;
        rf_result_part part;
        rf_result_failure failure;
        rf_result_released released;
        rf_result_done done;
    } out;
    rf_arena_init(&arena);
    (void)!rf_result_read_started(&out.started, &arena, text, &err);
    (void)!rf_result_read_progress(&out.progress, &arena, text, &err);
    (void)!rf_result_read_checkpoint(&out.checkpoint, &arena, text, &err);
    (void)!rf_result_read_part(&out.part, &arena, text, &err);
    (void)!rf_result_read_failure(&out.failure, &arena, text, &err);
    (void)!rf_result_read_released(&out.released, &arena, text, &err);
    (void)!rf_result_read_done(&out.done, &arena, text, &err);
    rf_arena_free(&arena);
}

static void try_frame(const uint8_t *data, size_t size)
{
    rfi_frame frame;
    rf_worker_info worker;
    rf_lease lease;
    rf_event event;
    if (rfi_frame_look(&frame, data, size) != 1)
        return;
    rf_reader body = frame.body;
    (void)rfi_get_worker(&body, &worker);
    body = frame.body;
    (void)rfi_get_lease(&body, &lease);
    rf_lease_free(&lease);
    body = frame.body;
    (void)rfi_get_event(&body, &event);
    rf_event_free(&event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *text = rf_malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 3 == 0)
        try_plan(text);
    else if (data[0] % 3 == 1)
        try_results(text);
    else
        try_frame(data + 1, size - 1);
    rf_free(text);
    return 0;
}
