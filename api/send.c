/* The last step: a reply becomes the library's response, with the headers that every reply has. */
#include <string.h>

#include "api/document.h"
#include "api/names.h"
#include "api/range.h"
#include "api/reply.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "core/alloc.h"
#include "core/clock.h"

enum { WORTH_PACKING_BYTES = 1400 };

static const char usual_policy[] = "default-src 'self'";

static void put(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

/* Other sites' pages may read a reply only when their origin is listed; "*" never comes with credentials. */
static void put_cors(const rfi_call *call, struct MHD_Response *response)
{
    const rf_setting_list *origins = &call->server->set->cors_origins;
    const char *origin = origins->n > 0 ? rfi_header(call, "Origin") : NULL;
    if (origins->n > 0)
        put(response, "Vary", "Origin");
    if (!origin)
        return;
    if (rfi_names_have(origins, origin)) {
        put(response, "Access-Control-Allow-Origin", origin);
        put(response, "Access-Control-Allow-Credentials", "true");
    } else if (rfi_names_have(origins, "*"))
        put(response, "Access-Control-Allow-Origin", "*");
    else
        return;
    put(response, "Access-Control-Expose-Headers",
        "Content-Disposition, Content-Range, ETag, Retry-After, X-Request-Id");
}

static void put_headers(const rfi_call *call, struct MHD_Response *response)
{
    const rfi_reply *reply = &call->reply;
    bool has_cache = false;
    put(response, "X-Content-Type-Options", "nosniff");
    put(response, "X-Frame-Options", "DENY");
    put(response, "X-XSS-Protection", "1; mode=block");
    put(response, "Strict-Transport-Security", "max-age=31536000");
    put(response, "Content-Security-Policy", reply->policy ? reply->policy : usual_policy);
    put(response, "X-Request-Id", call->request_id);
    if (reply->type)
        put(response, "Content-Type", reply->type);
    for (int i = 0; i < reply->n_headers; i++) {
        put(response, reply->headers[i].name, reply->headers[i].value);
        has_cache |= strcmp(reply->headers[i].name, "ETag") == 0;
    }
    put(response, "Cache-Control", has_cache ? "no-cache" : "no-store");
    if (reply->close || atomic_load_explicit(&call->server->draining, memory_order_relaxed))
        put(response, "Connection", "close");
    put_cors(call, response);
}

/* ---- bodies ----------------------------------------------------------------------------------- */

static bool may_pack(const rfi_call *call)
{
    const char *type = call->reply.type;
    return type &&
           (strncmp(type, "application/json", 16) == 0 || strncmp(type, "text/", 5) == 0 ||
            strncmp(type, "application/x-ndjson", 20) == 0) &&
           strncmp(type, "text/event-stream", 17) != 0;
}

static void note_packed(rfi_call *call)
{
    rfi_reply_header(call, "Content-Encoding", "gzip");
    rfi_reply_header(call, "Vary", "Accept-Encoding");
}

static struct MHD_Response *text_response(rfi_call *call)
{
    rfi_reply *reply = &call->reply;
    if (reply->text.failed)
        return NULL; /* half of a reply is worse than none */
    if (reply->constant)
        return MHD_create_response_from_buffer(reply->constant_bytes, (void *)(uintptr_t)reply->constant,
                                               MHD_RESPMEM_PERSISTENT);
    if (reply->text.size_bytes >= WORTH_PACKING_BYTES && may_pack(call) &&
        rfi_accepts_gzip(rfi_header(call, "Accept-Encoding"))) {
        rf_buf packed;
        rf_buf_init(&packed);
        if (rfi_pack(reply->text.data, reply->text.size_bytes, 3, &packed)) {
            rf_buf_free(&reply->text);
            reply->text = packed;
            note_packed(call);
        } else
            rf_buf_free(&packed);
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(reply->text.size_bytes, reply->text.data, rf_free);
    if (response)
        rf_buf_init(&reply->text); /* the response owns the bytes now */
    return response;
}

static struct MHD_Response *file_response(rfi_call *call)
{
    struct MHD_Response *response =
        MHD_create_response_from_fd_at_offset64((uint64_t)call->reply.size_bytes, call->reply.fd, 0);
    if (response)
        call->reply.fd = -1;
    return response;
}

/* Of a HEAD request only the length is told; the library wants somebody to ask all the same. */
static ssize_t read_nothing(void *arg, uint64_t position, char *out, size_t capacity)
{
    (void)arg;
    (void)position;
    (void)out;
    (void)capacity;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *stream_response(rfi_call *call)
{
    rfi_reply *reply = &call->reply;
    if (!reply->stream)
        return MHD_create_response_from_callback((uint64_t)reply->size_bytes, 1024, read_nothing, NULL, NULL);
    if (reply->size_bytes < 0 && may_pack(call) && rfi_accepts_gzip(rfi_header(call, "Accept-Encoding"))) {
        rfi_stream *packed = rfi_stream_gzip(reply->stream);
        if (packed) {
            reply->stream = packed;
            note_packed(call);
        }
    }
    struct MHD_Response *response = rfi_stream_response(reply->stream, call->connection, reply->size_bytes,
                                                        call->peer, call->server->set->download_rate);
    if (response)
        reply->stream = NULL;
    return response;
}

/* Of a reply that is whole the library tells us only its end: the client has as long as its size takes at the least rate. A
 * stream keeps its own time. */
static double patience_s(const rfi_call *call, int64_t size_bytes)
{
    const int64_t rate = call->server->set->download_rate;
    if (rate <= 0 || size_bytes < 0)
        return -1;
    return RFI_PACE_GRACE_S + (double)size_bytes / (double)rate;
}

static int64_t size_of_whole(const rfi_reply *reply)
{
    if (reply->kind == RFI_REPLY_STREAM)
        return -1;
    if (reply->kind == RFI_REPLY_FILE)
        return reply->size_bytes;
    return (int64_t)(reply->constant ? reply->constant_bytes : reply->text.size_bytes);
}

enum MHD_Result rfi_send(rfi_call *call)
{
    struct MHD_Response *response = NULL;
    const double allowed_s = patience_s(call, size_of_whole(&call->reply));
    switch (call->reply.kind) {
    case RFI_REPLY_NONE:
    case RFI_REPLY_TEXT:
        response = text_response(call);
        break;
    case RFI_REPLY_FILE:
        response = file_response(call);
        break;
    case RFI_REPLY_STREAM:
        response = stream_response(call);
        break;
    }
    if (!response)
        return MHD_NO;
    put_headers(call, response);
    call->stage = RFI_STAGE_SENT;
    const enum MHD_Result result =
        MHD_queue_response(call->connection, (unsigned)call->reply.status, response);
    MHD_destroy_response(response);
    if (call->peer)
        rfi_peer_give(call->peer, allowed_s);
    rfi_meters_count(call->server->meters, call->route, call->reply.status, rf_clock_s() - call->started_s);
    return result;
}
