/* reply.h - how a handler answers.
 *
 *     rf_buf *data = rfi_data_begin(call);
 *     rfi_json_open(data, '{');
 *     rfi_json_put_int(data, "id", id);
 *     rfi_json_close(data, '}');
 *     return rfi_data_end(call, 200, "here it is", err);
 *
 * The envelope, the headers that every reply has, compression, ranges and HEAD are the server's affair.
 */
#ifndef RF_API_REPLY_H
#define RF_API_REPLY_H

#include "api/call.h"
#include "api/json_text.h"
#include "api/stream.h"

/* The buffer into which `data` is written as one JSON value. */
rf_buf *rfi_data_begin(rfi_call *call);
rf_code rfi_data_end(rfi_call *call, int status, const char *message, rf_error *err) RF_MUST_CHECK;
/* data: null */
rf_code rfi_data_none(rfi_call *call, int status, const char *message, rf_error *err) RF_MUST_CHECK;

/* A reply that is no envelope. Takes the text's bytes. `type` is a constant. */
void rfi_reply_text(rfi_call *call, int status, const char *type, rf_buf *text);
/* Bytes that live as long as the server, known to clients by their sum `etag` (quoted; NULL: none). */
void rfi_reply_constant(rfi_call *call, const char *type, const char *bytes, size_t size_bytes,
                        const char *etag);
/* Something that is stored, whole or the range that was asked for: If-None-Match, If-Range and Range are looked at, then
 * `open` is called for the part that is wanted (not at all for 304, 416 and HEAD). Texts live as long as the call. */
typedef struct rfi_content {
    int64_t size_bytes;
    const char *type;
    const char *name; /* offered to be saved under; NULL: shown where it is */
    const char *etag; /* quoted */
    rf_code (*open)(void *arg, int64_t offset, int64_t length, rfi_stream **out, rf_error *err);
    void *arg;
} rfi_content;
rf_code rfi_reply_content(rfi_call *call, const rfi_content *content, rf_error *err) RF_MUST_CHECK;
/* Takes fd: a whole file of ours. */
void rfi_reply_file(rfi_call *call, int fd, int64_t size_bytes, const char *type);
/* Takes the stream, of any length. */
void rfi_reply_stream(rfi_call *call, const char *type, rfi_stream *stream);
/* `value` lives as long as the call. More than RFI_HEADERS_MAX is a bug. */
void rfi_reply_header(rfi_call *call, const char *name, const char *value);
/* "attachment; filename=…" with a name that cannot break out of the header. */
void rfi_reply_attachment(rfi_call *call, const char *name);

/* The error envelope; `details` is a JSON object or NULL for {}. */
void rfi_reply_failure(rfi_call *call, rfi_failure failure, const char *message, const char *details);
/* A line of the security log: who did what, and from where. */
void rfi_log_security(const rfi_call *call, const char *message);

/* What a handler's error becomes. */
void rfi_reply_error(rfi_call *call, const rf_error *err);

#endif
