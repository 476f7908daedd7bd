/* fuzz_request.c - any bytes as the target and the body of a request: read or refused, and what is refused is told in JSON. */
#include <string.h>

#include "api/reply.h"
#include "api/server_internal.h"
#include "api/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_json(const rf_buf *text)
{
    json_t *json = text->size_bytes ? json_loadb(text->data, text->size_bytes, JSON_REJECT_DUPLICATES, NULL)
                                    : json_null();
    if (!json)
        __builtin_trap();
    json_decref(json);
}

static void read_target(rfi_call *call, const char *text, size_t size)
{
    rf_error err = {0};
    rf_buf faults;
    int n_faults = 0;
    rf_buf_init(&faults);
    call->target = rf_arena_string(&call->arena, text, strnlen(text, size));
    if (rfi_target_read(call, &err) == RF_OK && strstr(call->path, "/../"))
        __builtin_trap();
    if (rfi_query_read(call, &faults, &n_faults, &err) == RF_OK)
        must_be_json(&faults);
    rf_buf_free(&faults);
}

static void read_body(rfi_call *call, const char *text, size_t size)
{
    rf_buf_append(&call->body, text, size);
    if (!rfi_body_finish(call))
        must_be_json(&call->reply.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const rfi_schema *const shapes[] = {&rfi_shape_start_v2, &rfi_shape_register, &rfi_shape_kinds,
                                               &rfi_shape_sample};
    rf_server server = {0};
    if (size < 2)
        return 0;
    const rfi_route route = {
        .path = "/", .body = RFI_BODY_JSON, .request = shapes[data[0] % 4], .query = rfi_query_requests};
    rfi_call call = {.server = &server, .route = &route};
    server.bounds.range[RFI_BOUND_SAMPLE_SIZE] = (rfi_range){100, 100000};
    server.bounds.range[RFI_BOUND_EPOCHS] = (rfi_range){10, 500};
    rf_arena_init(&call.arena);
    rf_buf_init(&call.body);
    rf_buf_init(&call.reply.text);
    if (data[1] % 2)
        read_target(&call, (const char *)data + 2, size - 2);
    else
        read_body(&call, (const char *)data + 2, size - 2);
    json_decref(call.json);
    rf_buf_free(&call.body);
    rf_buf_free(&call.reply.text);
    rf_arena_free(&call.arena);
    return 0;
}
