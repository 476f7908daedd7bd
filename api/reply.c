#include "api/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/range.h"
#include "api/server_internal.h"
#include "core/clock.h"
#include "core/log.h"

enum { RETRY_AFTER_S = 5 };

static const char envelope_type[] = "application/json";

/* ---- the envelope ----------------------------------------------------------------------------- */

static void put_timestamp(rf_buf *out)
{
    char text[32];
    rf_clock_rfc3339(text, rf_clock_wall_us());
    rfi_json_put_text(out, "timestamp", text);
}

rf_buf *rfi_data_begin(rfi_call *call)
{
    rf_buf *out = &call->reply.text;
    rf_buf_clear(out);
    rf_buf_puts(out, "{\"success\":true,\"data\":");
    return out;
}

rf_code rfi_data_end(rfi_call *call, int status, const char *message, rf_error *err)
{
    rf_buf *out = &call->reply.text;
    rfi_json_put_text(out, "message", message);
    put_timestamp(out);
    rfi_json_close(out, '}');
    call->reply.kind = RFI_REPLY_TEXT;
    call->reply.status = status;
    call->reply.type = envelope_type;
    return rf_buf_check(out, "a reply", err);
}

rf_code rfi_data_none(rfi_call *call, int status, const char *message, rf_error *err)
{
    rfi_json_null(rfi_data_begin(call));
    return rfi_data_end(call, status, message, err);
}

/* ---- other replies ---------------------------------------------------------------------------- */

void rfi_reply_header(rfi_call *call, const char *name, const char *value)
{
    rfi_reply *reply = &call->reply;
    assert(reply->n_headers < RFI_HEADERS_MAX);
    if (value)
        reply->headers[reply->n_headers++] = (rfi_pair){.name = name, .value = value};
}

void rfi_reply_text(rfi_call *call, int status, const char *type, rf_buf *text)
{
    rf_buf_free(&call->reply.text);
    call->reply.text = *text;
    rf_buf_init(text);
    call->reply.kind = RFI_REPLY_TEXT;
    call->reply.status = status;
    call->reply.type = type;
}

void rfi_reply_file(rfi_call *call, int fd, int64_t size_bytes, const char *type)
{
    call->reply.kind = RFI_REPLY_FILE;
    call->reply.status = 200;
    call->reply.type = type;
    call->reply.fd = fd;
    call->reply.size_bytes = size_bytes;
}

void rfi_reply_stream(rfi_call *call, const char *type, rfi_stream *stream)
{
    call->reply.kind = RFI_REPLY_STREAM;
    call->reply.status = 200;
    call->reply.type = type;
    call->reply.stream = stream;
    call->reply.size_bytes = -1;
}

static bool matches_etag(const char *header, const char *etag)
{
    return header && etag && (strcmp(header, "*") == 0 || strstr(header, etag));
}

static void reply_not_modified(rfi_call *call)
{
    call->reply.kind = RFI_REPLY_TEXT;
    call->reply.status = 304;
}

void rfi_reply_constant(rfi_call *call, const char *type, const char *bytes, size_t size_bytes,
                        const char *etag)
{
    if (etag)
        rfi_reply_header(call, "ETag", etag);
    if (matches_etag(rfi_header(call, "If-None-Match"), etag)) {
        reply_not_modified(call);
        return;
    }
    call->reply.kind = RFI_REPLY_TEXT;
    call->reply.status = 200;
    call->reply.type = type;
    call->reply.constant = bytes;
    call->reply.constant_bytes = size_bytes;
}

rf_code rfi_reply_content(rfi_call *call, const rfi_content *content, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *condition = rfi_header(call, "If-Range");
    const char *header =
        condition && strcmp(condition, content->etag) != 0 ? NULL : rfi_header(call, "Range");
    int64_t offset = 0, length = content->size_bytes;
    const rfi_range_kind kind = rfi_range_read(header, content->size_bytes, &offset, &length);
    rfi_reply_header(call, "ETag", content->etag);
    rfi_reply_header(call, "Accept-Ranges", "bytes");
    if (matches_etag(rfi_header(call, "If-None-Match"), content->etag)) {
        reply_not_modified(call);
        return RF_OK;
    }
    if (kind == RFI_RANGE_OUTSIDE) {
        rfi_reply_header(call, "Content-Range",
                         rfi_call_text(call, "bytes */%lld", (long long)content->size_bytes));
        rfi_reply_failure(call, RFI_RANGE_NOT_SATISFIABLE, "the range lies outside of the content", NULL);
        return RF_OK;
    }
    if (!call->is_head)
        RF_TRY(content->open(content->arg, offset, length, &call->reply.stream, err));
    if (kind == RFI_RANGE_PART)
        rfi_reply_header(call, "Content-Range",
                         rfi_call_text(call, "bytes %lld-%lld/%lld", (long long)offset,
                                       (long long)(offset + length - 1), (long long)content->size_bytes));
    if (content->name)
        rfi_reply_attachment(call, content->name);
    call->reply.kind = RFI_REPLY_STREAM;
    call->reply.status = kind == RFI_RANGE_PART ? 206 : 200;
    call->reply.type = content->type;
    call->reply.size_bytes = length;
out:
    return rc;
}

/* ---- failures --------------------------------------------------------------------------------- */

void rfi_reply_failure(rfi_call *call, rfi_failure failure, const char *message, const char *details)
{
    rf_buf *out = &call->reply.text;
    rf_buf_clear(out);
    rf_buf_puts(out, "{\"success\":false,\"error\":{");
    rfi_json_put_text(out, "code", rfi_failure_name(failure));
    rfi_json_put_text(out, "message", message ? message : rfi_failure_summary(failure));
    rfi_json_put_raw(out, "details", details && *details ? details : "{}");
    rfi_json_close(out, '}');
    put_timestamp(out);
    rfi_json_close(out, '}');
    call->reply.kind = RFI_REPLY_TEXT;
    call->reply.status = rfi_failure_status(failure);
    call->reply.type = envelope_type;
    if (failure == RFI_UNAUTHENTICATED)
        rfi_reply_header(call, "WWW-Authenticate", "Bearer");
    if (failure == RFI_RATE_LIMITED || failure == RFI_UNAVAILABLE) {
        const int64_t seconds = call->retry_after_s > 0 ? call->retry_after_s : RETRY_AFTER_S;
        rfi_reply_header(call, "Retry-After", rfi_call_text(call, "%lld", (long long)seconds));
    }
}

static void log_failure(const rfi_call *call, const rf_error *err, rfi_failure failure)
{
    const rf_log_pair pairs[] = {RF_LOG_TEXT("code", rf_code_name(err->code)),
                                 RF_LOG_TEXT("detail", err->detail), RF_LOG_TEXT("context", err->context),
                                 RF_LOG_TEXT("route", call->route ? call->route->path : "")};
    rf_log_write(&(rf_log_event){.level = failure == RFI_INTERNAL_ERROR ? RF_LOG_ERROR : RF_LOG_WARNING,
                                 .module = "api",
                                 .user_id = call->who.user_id,
                                 .request_id = call->request_id,
                                 .message = err->message,
                                 .metadata = pairs,
                                 .n_metadata = sizeof pairs / sizeof *pairs});
}

void rfi_log_security(const rfi_call *call, const char *message)
{
    const rf_log_pair pairs[] = {RF_LOG_TEXT("address", call->peer ? call->peer->address : ""),
                                 RF_LOG_TEXT("method", call->method_text),
                                 RF_LOG_TEXT("route", call->route ? call->route->path : ""),
                                 RF_LOG_NUMBER("id", rfi_path_id(call))};
    rf_log_write(&(rf_log_event){.level = RF_LOG_INFO,
                                 .module = "security",
                                 .user_id = call->who.user_id,
                                 .request_id = call->request_id,
                                 .message = message,
                                 .metadata = pairs,
                                 .n_metadata = sizeof pairs / sizeof *pairs});
}

/* A field's name travels as the error's context, which was put there where the field was looked at, or as the first word of
 * the sentence: "conditions: the table has no column ...". */
static const char *field_of(rfi_call *call, const rf_error *err)
{
    const size_t n = strspn(err->message, "abcdefghijklmnopqrstuvwxyz_");
    if (err->context[0])
        return err->context;
    if (n == 0 || err->message[n] != ':' || err->message[n + 1] != ' ')
        return "body";
    return rfi_call_text(call, "%.*s", (int)n, err->message);
}

void rfi_reply_error(rfi_call *call, const rf_error *err)
{
    const rfi_failure failure = rfi_failure_of(err->code);
    rf_buf details;
    rf_buf_init(&details);
    rfi_json_open(&details, '{');
    if (failure == RFI_VALIDATION_ERROR)
        rfi_json_put_text(&details, field_of(call, err), err->message);
    rfi_json_close(&details, '}');
    if (rfi_failure_status(failure) >= 500)
        log_failure(call, err, failure);
    rfi_reply_failure(call, failure,
                      failure == RFI_INTERNAL_ERROR
                          ? "the server failed; its log says why under this request's id"
                          : err->message,
                      details.failed ? NULL : details.data);
    rf_buf_free(&details);
}

/* ---- names of downloads ----------------------------------------------------------------------- */

/* RFC 6266: a plain name for old clients, and the exact one as UTF-8 in the form of RFC 8187. */
void rfi_reply_attachment(rfi_call *call, const char *name)
{
    rf_buf text;
    rf_buf_init(&text);
    rf_buf_puts(&text, "attachment; filename=\"");
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        const bool plain = *p >= 0x20 && *p < 0x7F && !strchr("\"\\/%;", *p);
        rf_buf_append(&text, plain ? (const char *)p : "_", 1);
    }
    rf_buf_puts(&text, "\"; filename*=UTF-8''");
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        const bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
                           *p == '-' || *p == '.' || *p == '_';
        if (plain)
            rf_buf_append(&text, p, 1);
        else
            rf_buf_printf(&text, "%%%02X", *p);
    }
    rfi_reply_header(call, "Content-Disposition",
                     text.failed ? "attachment" : rfi_call_text(call, "%s", text.data));
    rf_buf_free(&text);
}
