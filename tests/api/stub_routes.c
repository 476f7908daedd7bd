#include "stub_routes.h"

#include <string.h>
#include <unistd.h>

#include "api/handlers.h"
#include "api/server_internal.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "crypto/digest.h"

/* ---- replies ---------------------------------------------------------------------------------- */

static rf_code hello(rfi_call *call, rf_error *err)
{
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_int(data, "user_id", call->who.user_id);
    rfi_json_put_int(data, "id", rfi_path_id(call));
    rfi_json_put_int(data, "limit", rfi_query_int(call, "limit", 50));
    rfi_json_close(data, '}');
    return rfi_data_end(call, 200, "hello", err);
}

static rf_code echo(rfi_call *call, rf_error *err)
{
    char *text = json_dumps(call->json, JSON_COMPACT);
    rfi_json_raw(rfi_data_begin(call), text);
    free(text);
    return rfi_data_end(call, 200, "as it came", err);
}

/* Long enough for a client to leave. */
static rf_code slow(rfi_call *call, rf_error *err)
{
    usleep((useconds_t)rfi_query_int(call, "ms", 50) * 1000);
    return rfi_data_none(call, 200, "at last", err);
}

static rf_code broken(rfi_call *call, rf_error *err)
{
    (void)call;
    return rf_fail(err, RF_INTERNAL, "a secret of the inside");
}

static rf_code large(rfi_call *call, rf_error *err)
{
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '[');
    for (int i = 0; i < 1000; i++)
        rfi_json_int(data, i);
    rfi_json_close(data, ']');
    return rfi_data_end(call, 200, "many", err);
}

/* ---- a stored thing of 10,000,000 bytes, byte i being i % 251 ------------------------------------ */

enum { STORED_BYTES = 10000000 };

typedef struct stored {
    rfi_stream stream;
    int64_t at, end;
} stored;

static ssize_t stored_read(rfi_stream *stream, char *out, size_t capacity)
{
    stored *s = (stored *)stream;
    size_t n = 0;
    for (; n < capacity && s->at < s->end; n++, s->at++)
        out[n] = (char)(s->at % 251);
    return n ? (ssize_t)n : RFI_STREAM_END;
}

static void stored_close(rfi_stream *stream)
{
    rfi_stream_destroy(stream);
    rf_free(stream);
}

static rf_code stored_open(void *arg, int64_t offset, int64_t length, rfi_stream **out, rf_error *err)
{
    (void)arg;
    stored *s = rf_malloc(sizeof *s);
    if (!s)
        return rf_fail(err, RF_NO_MEMORY, "no memory");
    rfi_stream_init(&s->stream, stored_read, stored_close);
    s->at = offset;
    s->end = offset + length;
    *out = &s->stream;
    return RF_OK;
}

static rf_code file(rfi_call *call, rf_error *err)
{
    return rfi_reply_content(call,
                             &(rfi_content){.size_bytes = STORED_BYTES,
                                            .type = "text/csv",
                                            .name = "na\"me\r\nX: y \xC3\xA4.csv",
                                            .etag = "\"abc\"",
                                            .open = stored_open},
                             err);
}

static rf_code endless(rfi_call *call, rf_error *err)
{
    rfi_stream *stream = NULL;
    rf_code rc = stored_open(NULL, 0, rfi_query_int(call, "bytes", 1000), &stream, err);
    if (rc == RF_OK)
        rfi_reply_stream(call, "text/csv; charset=utf-8", stream);
    return rc;
}

/* ---- events: a ping now and then, until the server or the client ends ------------------------------ */

typedef struct pings {
    rfi_stream stream;
    rfi_watcher watcher;
    rfi_watch *watch;
    int64_t told;
} pings;

static ssize_t pings_read(rfi_stream *stream, char *out, size_t capacity)
{
    pings *p = (pings *)stream;
    if (atomic_load(&p->watcher.gone))
        return RFI_STREAM_END;
    if (!atomic_exchange(&p->watcher.ping, false))
        return 0;
    atomic_store(&p->watcher.spoke_us, (int64_t)(rf_clock_s() * 1e6));
    return snprintf(out, capacity, ": ping %lld\n\n", (long long)p->told++);
}

static void pings_close(rfi_stream *stream)
{
    pings *p = (pings *)stream;
    rfi_watch_remove(p->watch, &p->watcher);
    rfi_stream_destroy(stream);
    rf_free(p);
}

static rf_code events(rfi_call *call, rf_error *err)
{
    pings *p = rf_malloc(sizeof *p);
    if (!p)
        return rf_fail(err, RF_NO_MEMORY, "no memory");
    *p = (pings){.watch = call->server->watch};
    rfi_stream_init(&p->stream, pings_read, pings_close);
    p->watcher.stream = &p->stream;
    p->watcher.user_id = call->who.user_id;
    p->watcher.job_id = 1;
    p->watcher.fd = call->peer ? call->peer->fd : -1;
    p->watcher.counts = true;
    const rf_code rc = rfi_watch_add(p->watch, &p->watcher, err);
    if (rc != RF_OK) {
        rfi_stream_destroy(&p->stream);
        rf_free(p);
        return rc;
    }
    rfi_reply_stream(call, "text/event-stream", &p->stream);
    return RF_OK;
}

/* ---- an upload that is hashed and forgotten -------------------------------------------------------- */

typedef struct taken {
    rf_sha256 *hash;
    int64_t size_bytes;
    char name[1024];
} taken;

static rf_code taken_begin(rfi_call *call, const char *name, rf_error *err)
{
    taken *t = rf_malloc(sizeof *t);
    if (!t)
        return rf_fail(err, RF_NO_MEMORY, "no memory");
    *t = (taken){0};
    snprintf(t->name, sizeof t->name, "%s", name);
    call->upload = t;
    return rf_sha256_open(&t->hash, err);
}

static rf_code taken_data(rfi_call *call, const char *data, size_t size_bytes, rf_error *err)
{
    taken *t = call->upload;
    (void)err;
    rf_sha256_update(t->hash, data, size_bytes);
    t->size_bytes += (int64_t)size_bytes;
    return RF_OK;
}

static void taken_drop(rfi_call *call)
{
    taken *t = call->upload;
    if (t)
        rf_sha256_close(t->hash);
    rf_free(t);
}

static const rfi_sink sink = {taken_begin, taken_data, taken_drop};

static rf_code upload(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    taken *t = call->upload;
    char sum[RF_SHA256_HEX_SIZE];
    RF_TRY(rf_sha256_finish_hex(t->hash, sum, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_text(data, "name", t->name);
    rfi_json_put_text(data, "sha256", sum);
    rfi_json_put_int(data, "size_bytes", t->size_bytes);
    rfi_json_close(data, '}');
    rc = rfi_data_end(call, 202, "taken", err);
out:
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------------- */

static const char *const colours[] = {"red", "green", NULL};
static const rfi_schema count = {.type = RFI_INTEGER, .has_range = true, .low = 1, .high = 100};
static const rfi_schema colour = {.type = RFI_STRING, .words = colours};
static const rfi_schema name = {.type = RFI_STRING, .length_low = 1, .length_high = 20};
static const rfi_schema email = {.type = RFI_STRING, .format = "email", .length_high = 254};
static const rfi_schema flag = {.type = RFI_BOOLEAN};
static const rfi_schema widths = {.type = RFI_ARRAY, .items = &count, .length_low = 1, .length_high = 4};
static const rfi_field inner_fields[] = {{"count", &count, 0, NULL, NULL}, {0}};
static const rfi_schema inner = {.name = "Inner", .type = RFI_OBJECT, .fields = inner_fields};
static const rfi_field thing_fields[] = {
    {"name", &name, RFI_REQUIRED, "what it is called", NULL},
    {"colour", &colour, 0, NULL, "\"red\""},
    {"email", &email, RFI_NULLABLE, NULL, NULL},
    {"flag", &flag, 0, NULL, NULL},
    {"widths", &widths, 0, NULL, NULL},
    {"inner", &inner, 0, NULL, NULL},
    {0},
};
static const rfi_schema thing = {
    .name = "Thing", .type = RFI_OBJECT, .fields = thing_fields, .example = "{\"name\":\"a\"}"};
static const rfi_schema limit = {.type = RFI_INTEGER, .has_range = true, .low = 1, .high = 200};
static const rfi_schema large_number = {.type = RFI_INTEGER, .has_range = true, .low = 0, .high = 1e9};
static const rfi_query limits[] = {{"limit", &limit, "how many"}, {0}};
static const rfi_query bytes[] = {{"bytes", &large_number, "how many"}, {0}};
static const rfi_query ms[] = {{"ms", &large_number, "how long"}, {0}};

static const rfi_route rows[] = {
    {.method = RFI_GET,
     .path = "/hello",
     .name = "hello",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = hello,
     .query = limits},
    {.method = RFI_GET,
     .path = "/me",
     .name = "me",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_USER,
     .run = RFI_FAST,
     .handler = hello},
    {.method = RFI_GET,
     .path = "/admin",
     .name = "admin",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ADMIN,
     .run = RFI_FAST,
     .handler = hello},
    {.method = RFI_GET,
     .path = "/things/{id}",
     .name = "thing",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = hello},
    {.method = RFI_DELETE,
     .path = "/things/{id}",
     .name = "thingDelete",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = hello},
    {.method = RFI_POST,
     .path = "/echo",
     .name = "echo",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .body = RFI_BODY_JSON,
     .handler = echo,
     .request = &thing,
     .reply = &thing},
    {.method = RFI_POST,
     .path = "/echo-blocking",
     .name = "echoBlocking",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .body = RFI_BODY_JSON,
     .handler = echo,
     .request = &thing,
     .reply = &thing},
    {.method = RFI_POST,
     .path = "/login",
     .name = "login",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .body = RFI_BODY_JSON,
     .rate = RFI_RATE_LOGIN,
     .handler = echo,
     .request = &thing,
     .reply = &thing},
    {.method = RFI_GET,
     .path = "/slow",
     .name = "slow",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .handler = slow,
     .query = ms},
    {.method = RFI_GET,
     .path = "/broken",
     .name = "broken",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = broken},
    {.method = RFI_GET,
     .path = "/large",
     .name = "large",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = large},
    {.method = RFI_GET,
     .path = "/file",
     .name = "file",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = file,
     .other_types = "text/csv"},
    {.method = RFI_GET,
     .path = "/endless",
     .name = "endless",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = endless,
     .query = bytes,
     .other_types = "text/csv"},
    {.method = RFI_GET,
     .path = "/events",
     .name = "events",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_USER,
     .run = RFI_FAST,
     .handler = events,
     .other_types = "text/event-stream"},
    {.method = RFI_POST,
     .path = "/upload",
     .name = "upload",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .body = RFI_BODY_MULTIPART,
     .handler = upload,
     .sink = &sink},
    {.method = RFI_GET,
     .path = "/openapi.json",
     .name = "openapi",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = rfi_openapi},
    {.method = RFI_GET,
     .path = "/docs",
     .name = "docs",
     .tag = "t",
     .summary = "s",
     .role = RFI_ROLE_ANYONE,
     .run = RFI_FAST,
     .handler = rfi_docs},
};

const rfi_routes stub_routes = {rows, sizeof rows / sizeof *rows, NULL};
