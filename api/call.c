#include "api/call.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/form.h"
#include "api/server_internal.h"
#include "api/stream.h"
#include "core/alloc.h"
#include "core/clock.h"

rfi_call *rfi_call_create(rf_server *server, struct MHD_Connection *connection, const char *target)
{
    rfi_call *call = rf_malloc(sizeof *call);
    if (!call)
        return NULL;
    *call = (rfi_call){.server = server, .connection = connection, .content_length = -1};
    call->reply.fd = -1;
    call->started_s = rf_clock_s();
    rf_arena_init(&call->arena);
    rf_buf_init(&call->body);
    rf_buf_init(&call->reply.text);
    call->line = target;
    call->line_bytes = strlen(target);
    call->target = rf_arena_string(&call->arena, target, call->line_bytes);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    call->peer = info ? info->socket_context : NULL;
    atomic_fetch_add(&server->n_calls, 1);
    return call;
}

void rfi_call_free(rfi_call *call)
{
    if (!call)
        return;
    atomic_fetch_sub(&call->server->n_calls, 1);
    if (call->form && call->route->sink->drop)
        call->route->sink->drop(call);
    rfi_form_free(call->form);
    json_decref(call->json);
    rf_buf_free(&call->body);
    rf_buf_free(&call->reply.text);
    if (call->reply.fd >= 0)
        close(call->reply.fd);
    if (call->reply.stream)
        call->reply.stream->close(call->reply.stream);
    rf_arena_free(&call->arena);
    rf_free(call);
}

const char *rfi_header(const rfi_call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

char *rfi_call_text(rfi_call *call, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : RF_ARENA_ARRAY(&call->arena, char, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

/* ---- path and query --------------------------------------------------------------------------- */

int64_t rfi_path_id(const rfi_call *call)
{
    int64_t id = 0;
    for (const char *p = rfi_path_text(call, 0); p && *p >= '0' && *p <= '9'; p++)
        id = id * 10 + (*p - '0'); /* the router admits at most 18 digits */
    return id;
}

const char *rfi_path_text(const rfi_call *call, int i)
{
    return call->match.value[i];
}

const char *rfi_query_text(const rfi_call *call, const char *name, const char *fallback)
{
    for (int i = 0; i < call->n_pairs; i++)
        if (strcmp(call->pairs[i].name, name) == 0)
            return call->pairs[i].value;
    return fallback;
}

int64_t rfi_query_int(const rfi_call *call, const char *name, int64_t fallback)
{
    const char *text = rfi_query_text(call, name, NULL);
    int64_t value = 0;
    if (!text)
        return fallback;
    const bool negative = *text == '-';
    for (text += negative; *text; text++)
        value = value * 10 + (*text - '0'); /* checked when the query was read */
    return negative ? -value : value;
}

/* ---- fields of the body ----------------------------------------------------------------------- */

const char *rfi_body_text(const rfi_call *call, const char *name, const char *fallback)
{
    const char *text = json_string_value(json_object_get(call->json, name));
    return text ? text : fallback;
}

/* 5000 and 5e3 and 5000.0 are the same number to a client. */
int64_t rfi_json_integer(const json_t *value, int64_t fallback)
{
    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_real(value) && json_real_value(value) > -9e18 && json_real_value(value) < 9e18)
        return (int64_t)json_real_value(value);
    return fallback;
}

int64_t rfi_body_int(const rfi_call *call, const char *name, int64_t fallback)
{
    return rfi_json_integer(json_object_get(call->json, name), fallback);
}

bool rfi_body_flag(const rfi_call *call, const char *name, bool fallback)
{
    const json_t *value = json_object_get(call->json, name);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}
