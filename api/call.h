/* call.h - one request on its way through the server, and the reply that is made for it.
 *
 *     line read        first call of the library     body            handler               reply queued
 *     rfi_call_create ─► rfi_admit ──────────────► collected ──► on the event thread ──► rfi_send ──► free
 *                          │ refused                              or suspended, on the crew
 *                          └───────────────────────────────────────────────────────────► rfi_send
 *
 * A call belongs to the event thread of its connection, except while it is suspended: then to the crew's thread
 * that runs its handler. A client may leave at any moment; the library notices when the connection goes on, so a
 * suspended call always outlives its handler.
 */
#ifndef RF_API_CALL_H
#define RF_API_CALL_H

#include <microhttpd.h>

#include "api/jwt.h"
#include "api/peer.h"
#include "api/route.h"
#include "core/arena.h"
#include "core/buf.h"

typedef struct rf_server rf_server;
typedef struct rfi_stream rfi_stream;
typedef struct rfi_form rfi_form;

enum { RFI_HEADERS_MAX = 12, RFI_REQUEST_ID_BYTES = 65, RFI_QUERY_MAX = 16 };

typedef enum rfi_stage {
    RFI_STAGE_LINE,     /* the request line is there                       */
    RFI_STAGE_BODY,     /* admitted; the body is being read                */
    RFI_STAGE_DISCARD,  /* refused; the rest of the body is thrown away    */
    RFI_STAGE_WORKING,  /* suspended; the handler runs                     */
    RFI_STAGE_DECIDING, /* the handler is done, and what to reply shows soon */
    RFI_STAGE_ANSWERED, /* the reply is ready                              */
    RFI_STAGE_SENT,
} rfi_stage;

typedef enum rfi_reply_kind {
    RFI_REPLY_NONE,
    RFI_REPLY_TEXT,
    RFI_REPLY_FILE,
    RFI_REPLY_STREAM
} rfi_reply_kind;

typedef struct rfi_pair {
    const char *name, *value;
    bool is_told; /* that something is wrong with it: once is enough */
} rfi_pair;

typedef struct rfi_reply {
    rfi_reply_kind kind;
    int status;
    const char *type; /* content type; NULL: none */
    rf_buf text;
    const char *constant; /* instead of text: bytes that live as long as the server */
    size_t constant_bytes;
    int fd;             /* owned */
    int64_t size_bytes; /* of a file; of a stream: -1 when nobody knows */
    rfi_stream *stream; /* owned; NULL with a size: a HEAD request's */
    rfi_pair headers[RFI_HEADERS_MAX];
    int n_headers;
    bool close;         /* the connection ends with this reply */
    const char *policy; /* Content-Security-Policy instead of the usual one */
} rfi_reply;

struct rfi_call {
    rf_server *server;
    struct MHD_Connection *connection;
    rfi_peer *peer;
    rf_arena arena;
    rfi_stage stage;
    double started_s, began_work_s;

    const char *line; /* the library's copy of the target, for the check of what follows it */
    size_t line_bytes;
    const char *target; /* as it came */
    char *path;         /* decoded; cut into its parts by the router */
    const char *query;  /* as it came, after the '?'; NULL: none */
    rfi_pair pairs[RFI_QUERY_MAX];
    int n_pairs;
    const char *method_text;
    bool is_head;
    rfi_match match;
    const rfi_route *route; /* NULL: none was found */
    char request_id[RFI_REQUEST_ID_BYTES];
    const char *idempotency_key; /* NULL: none */
    rf_claims who;               /* user_id 0: nobody */

    int64_t content_length; /* -1: not given */
    bool has_body;
    size_t received_bytes;
    rf_buf body;
    json_t *json;   /* the body, checked; NULL for routes without one */
    rfi_form *form; /* multipart routes */
    void *upload;   /* of the route's sink */

    int64_t retry_after_s; /* for 429 and 503 */

    /* Set by a handler whose reply depends on what its stream meets first: asked on the event thread until true, when
     * call->reply is what it shall be; between two questions the connection sleeps until the stream is woken. */
    bool (*decide)(rfi_call *call);
    rfi_reply reply;
};

rfi_call *rfi_call_create(rf_server *server, struct MHD_Connection *connection, const char *target);
void rfi_call_free(rfi_call *call);

/* A request header; NULL when it is not there. Lives as long as the call. */
const char *rfi_header(const rfi_call *call, const char *name);

/* The {id} of the path: 1, 2, …; 0 when there is none. */
int64_t rfi_path_id(const rfi_call *call);
const char *rfi_path_text(const rfi_call *call, int i);

/* Parameters of the query, already checked against the route's list; `fallback` when absent. */
const char *rfi_query_text(const rfi_call *call, const char *name, const char *fallback);
int64_t rfi_query_int(const rfi_call *call, const char *name, int64_t fallback);

/* Fields of the JSON body, already checked; `fallback` when absent or null. */
const char *rfi_body_text(const rfi_call *call, const char *name, const char *fallback);
int64_t rfi_body_int(const rfi_call *call, const char *name, int64_t fallback);
bool rfi_body_flag(const rfi_call *call, const char *name, bool fallback);
int64_t rfi_json_integer(const json_t *value, int64_t fallback);

/* A text that lives as long as the call; NULL without memory. */
char *rfi_call_text(rfi_call *call, const char *format, ...) RF_PRINTF(2, 3);

#endif
