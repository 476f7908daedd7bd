/* Bodies: collected within limits, parsed once, checked against the route's schema. */
#include "api/form.h"
#include "api/reply.h"
#include "api/server_internal.h"

enum { JSON_DEPTH_MAX = 32, SMALL_BYTES = 64 << 10 };

/* jansson stops at a depth of 2,048 by itself; nothing here is deeper than a few. */
static bool is_too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if (in_text && c == '\\')
            i++;
        else if (c == '"')
            in_text = !in_text;
        else if (!in_text && (c == '{' || c == '['))
            depth++;
        else if (!in_text && (c == '}' || c == ']'))
            depth--;
        if (depth > JSON_DEPTH_MAX)
            return true;
    }
    return false;
}

size_t rfi_body_limit(const rfi_call *call)
{
    const size_t most = (size_t)call->server->set->max_request_mb << 20;
    const size_t wanted = call->route->body_max_bytes ? call->route->body_max_bytes : SMALL_BYTES;
    if (call->route->body == RFI_BODY_MULTIPART)
        return ((size_t)call->server->set->max_file_mb << 20) + SMALL_BYTES; /* the form's own lines */
    return wanted < most ? wanted : most;
}

static bool feed_json(rfi_call *call, const char *data, size_t size_bytes)
{
    rf_buf_append(&call->body, data, size_bytes);
    if (!call->body.failed)
        return true;
    rfi_reply_failure(call, RFI_UNAVAILABLE, "there is no memory for the request now", NULL);
    return false;
}

static bool feed_form(rfi_call *call, const char *data, size_t size_bytes)
{
    rf_error err = {0};
    if (rfi_form_feed(call->form, data, size_bytes, &err) == RF_OK)
        return true;
    rfi_reply_error(call, &err);
    return false;
}

bool rfi_body_feed(rfi_call *call, const char *data, size_t size_bytes)
{
    call->received_bytes += size_bytes;
    if (call->received_bytes > rfi_body_limit(call)) {
        rfi_reply_failure(call, RFI_TOO_LARGE, "the body is larger than this route takes", NULL);
        return false;
    }
    switch (call->route->body) {
    case RFI_BODY_JSON:
        return feed_json(call, data, size_bytes);
    case RFI_BODY_MULTIPART:
        return feed_form(call, data, size_bytes);
    case RFI_BODY_NONE:
        break;
    }
    return true; /* what nobody asked for is thrown away */
}

/* ---- the whole body --------------------------------------------------------------------------- */

static const char *what_is_wrong(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "a key is there twice";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a text holds \\u0000";
    case json_error_invalid_utf8:
        return "a text is not UTF-8";
    case json_error_premature_end_of_input:
        return "it ends too soon";
    default:
        return "something is wrong";
    }
}

static bool refuse_json(rfi_call *call, const json_error_t *error)
{
    const char *message = error ? rfi_call_text(call, "the body is not JSON: %s at line %d, column %d",
                                                what_is_wrong(error), error->line, error->column)
                                : "the body is nested too deeply";
    rfi_reply_failure(call, RFI_MALFORMED, message, NULL);
    return false;
}

static bool finish_json(rfi_call *call)
{
    json_error_t error;
    rf_buf faults;
    const bool is_empty = call->body.size_bytes == 0;
    if (is_empty && call->route->body_optional)
        call->json = json_object();
    else if (!is_empty && is_too_deep(call->body.data, call->body.size_bytes))
        return refuse_json(call, NULL);
    else if (is_empty) {
        rfi_reply_failure(call, RFI_MALFORMED, "the body is empty; send JSON", NULL);
        return false;
    } else
        call->json = json_loadb(call->body.data, call->body.size_bytes,
                                JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!call->json)
        return refuse_json(call, &error);
    rf_buf_init(&faults);
    const int n = rfi_schema_check(call->route->request, &call->server->bounds, call->json, &faults);
    if (n > 0)
        rfi_reply_failure(call, RFI_VALIDATION_ERROR, "fields of the body do not fit; see details",
                          faults.data);
    rf_buf_free(&faults);
    return n == 0;
}

bool rfi_body_finish(rfi_call *call)
{
    rf_error err = {0};
    if (call->route->body == RFI_BODY_JSON)
        return finish_json(call);
    if (call->route->body == RFI_BODY_MULTIPART && rfi_form_finish(call->form, &err) != RF_OK) {
        rfi_reply_error(call, &err);
        return false;
    }
    return true;
}
