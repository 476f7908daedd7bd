/* The library's callbacks, in the order in which they come for a request:
 *
 *     note_connection(started) ─► read_line ─► answer (headers) ─► answer (body)* ─► answer (end) ─► finish_request
 *                                    ▲                                                      │
 *                                    └──────────────── the connection is kept ◄────────────┘
 *     note_connection(closed)
 *
 * A blocking handler: at the end of the body the connection is suspended and the call is posted to the crew; its thread makes
 * the reply and resumes the connection, and the library calls answer once more, which sends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/form.h"
#include "api/openapi.h"
#include "api/reply.h"
#include "api/server_internal.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "core/log.h"

enum { CONNECTION_BYTES = 64 << 10, WAITING_MAX = 1024, DISCARD_MAX_BYTES = 4 << 20, BACKLOG = 511 };

/* Uploads may be slow for so long. */
static const double upload_grace_s = 10;

/* ---- a request -------------------------------------------------------------------------------- */

static void *read_line(void *arg, const char *target, struct MHD_Connection *connection)
{
    return rfi_call_create(arg, connection, target);
}

static void run_handler(rfi_call *call)
{
    rf_error err = {0};
    if (call->route->role == RFI_ROLE_ADMIN && call->route->method != RFI_GET)
        rfi_log_security(call, call->route->summary);
    if (call->route->handler(call, &err) != RF_OK)
        rfi_reply_error(call, &err);
    call->stage = call->decide ? RFI_STAGE_DECIDING : RFI_STAGE_ANSWERED;
}

/* On a thread of the crew. The call belongs to the event thread again as soon as the connection is resumed. */
static void run_blocking(void *arg)
{
    rfi_call *call = arg;
    struct MHD_Connection *connection = call->connection;
    run_handler(call);
    MHD_resume_connection(connection);
}

static enum MHD_Result dispatch(rfi_call *call)
{
    if (call->peer)
        rfi_peer_give(call->peer, -1);
    if (call->route->run == RFI_FAST) {
        run_handler(call);
        return rfi_send(call);
    }
    call->stage = RFI_STAGE_WORKING;
    MHD_suspend_connection(call->connection);
    if (!rfi_crew_post(call->server->crew, run_blocking, call)) {
        rfi_reply_failure(call, RFI_UNAVAILABLE, "the server has too much to do now", NULL);
        call->stage = RFI_STAGE_ANSWERED;
        MHD_resume_connection(call->connection);
    }
    return MHD_YES;
}

/* A client that has begun to send a body and does not look for a reply meanwhile would lose it with the connection: bytes
 * that nobody read reset it. A body of moderate size is thrown away first. Who asks before sending (Expect) is told at once. */
static bool is_worth_discarding(const rfi_call *call)
{
    return call->content_length > 0 && call->content_length <= DISCARD_MAX_BYTES && !call->reply.close &&
           !rfi_header(call, "Expect");
}

/* A reply that is made before the body was read ends the connection, since the body would be taken for the next
 * request; without a body, or when it is thrown away, the connection may go on. */
static enum MHD_Result refuse_early(rfi_call *call)
{
    if (is_worth_discarding(call)) {
        call->stage = RFI_STAGE_DISCARD;
        if (call->peer)
            rfi_peer_give(call->peer, call->server->set->body_s);
        return MHD_YES;
    }
    call->stage = RFI_STAGE_ANSWERED;
    if (call->has_body || call->reply.close) {
        call->reply.close = true;
        return rfi_send(call);
    }
    return MHD_YES;
}

static enum MHD_Result begin(rfi_call *call, const char *method, const char *version)
{
    const rf_settings *set = call->server->set;
    call->method_text = rf_arena_string(&call->arena, method, strlen(method));
    if (!call->target || !call->method_text)
        return MHD_NO;
    if (!rfi_admit(call, version))
        return refuse_early(call);
    call->stage = RFI_STAGE_BODY;
    call->began_work_s = rf_clock_s();
    if (call->peer)
        rfi_peer_give(call->peer, call->form ? upload_grace_s : set->body_s);
    return MHD_YES;
}

/* An upload must have come as far as the least rate would have brought it, once its grace is over; and it
 * has an end. */
static void set_upload_deadline(const rfi_call *call)
{
    const rf_settings *set = call->server->set;
    const double rate = (double)set->upload_rate;
    double allowed_s = rate > 0 ? (double)call->received_bytes / rate : set->upload_s;
    if (allowed_s < upload_grace_s)
        allowed_s = upload_grace_s;
    if (allowed_s > set->upload_s)
        allowed_s = set->upload_s;
    const double left_s = call->began_work_s + allowed_s - rf_clock_s();
    if (call->peer)
        rfi_peer_give(call->peer, left_s > 0 ? left_s : 0);
}

static enum MHD_Result take_body(rfi_call *call, const char *data, size_t *size_bytes)
{
    const size_t n = *size_bytes;
    *size_bytes = 0;
    if (call->stage == RFI_STAGE_BODY && !rfi_body_feed(call, data, n))
        call->stage = RFI_STAGE_DISCARD;
    else if (call->stage == RFI_STAGE_DISCARD) {
        /* the library takes no reply before the end of a body: a little more is read for its sake */
        call->received_bytes += n;
        if (call->received_bytes > (call->route ? rfi_body_limit(call) : 0) + DISCARD_MAX_BYTES)
            return MHD_NO;
    }
    if (call->form && call->stage == RFI_STAGE_BODY)
        set_upload_deadline(call);
    return MHD_YES;
}

static enum MHD_Result finish_body(rfi_call *call)
{
    if (call->stage == RFI_STAGE_BODY && rfi_body_finish(call))
        return dispatch(call);
    call->stage = RFI_STAGE_ANSWERED;
    return rfi_send(call);
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *size_bytes,
                              void **state)
{
    rfi_call *call = *state;
    (void)arg;
    (void)url;
    if (!call)
        return MHD_NO; /* there was no memory for it */
    switch (call->stage) {
    case RFI_STAGE_LINE:
        return begin(call, method, version);
    case RFI_STAGE_BODY:
    case RFI_STAGE_DISCARD:
        return *size_bytes > 0 ? take_body(call, data, size_bytes) : finish_body(call);
    case RFI_STAGE_WORKING:
        return MHD_YES;
    case RFI_STAGE_DECIDING:
        while (!call->decide(call))
            if (rfi_stream_sleep(call->reply.stream, connection))
                return MHD_YES;
        return rfi_send(call);
    case RFI_STAGE_ANSWERED:
        if (*size_bytes > 0) {
            *size_bytes = 0;
            return MHD_YES;
        }
        return rfi_send(call);
    case RFI_STAGE_SENT:
        break;
    }
    return MHD_NO;
}

static void log_access(const rfi_call *call)
{
    if (!call->server->set->access_log || !rf_log_wants(RF_LOG_INFO) || call->stage != RFI_STAGE_SENT)
        return;
    const double ms = (rf_clock_s() - call->started_s) * 1e3;
    const rf_log_pair pairs[] = {RF_LOG_TEXT("method", call->method_text),
                                 RF_LOG_TEXT("route", call->route ? call->route->path : ""),
                                 RF_LOG_NUMBER("status", call->reply.status),
                                 RF_LOG_NUMBER("ms", (int64_t)ms),
                                 RF_LOG_NUMBER("received_bytes", (int64_t)call->received_bytes),
                                 RF_LOG_TEXT("address", call->peer ? call->peer->address : "")};
    rf_log_write(&(rf_log_event){.level = RF_LOG_INFO,
                                 .module = "api",
                                 .user_id = call->who.user_id,
                                 .request_id = call->request_id,
                                 .message = "request",
                                 .metadata = pairs,
                                 .n_metadata = sizeof pairs / sizeof *pairs});
}

static void finish_request(void *arg, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode why)
{
    rfi_call *call = *state;
    (void)arg;
    (void)connection;
    (void)why;
    *state = NULL;
    if (!call)
        return;
    if (call->peer) /* the next request's headers, or silence */
        rfi_peer_give(call->peer, call->server->set->idle_s);
    log_access(call);
    rfi_call_free(call);
}

static void note_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    rf_server *server = arg;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        rfi_peer_remove(server->peers, *socket_context);
        *socket_context = NULL;
        return;
    }
    const int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    *socket_context = rfi_peer_add(server->peers, fd, address, server->set->header_s);
}

/* Escapes are decoded by target.c, once; the library shall leave them alone. */
static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}

static void drop_library_message(void *arg, const char *format, va_list args)
{
    char text[256];
    (void)arg;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = 0;
    rf_log(RF_LOG_DEBUG, "http", "%s", text);
}

/* ---- opening ---------------------------------------------------------------------------------- */

static rf_code listen_on(int *out, const rf_settings *set, int32_t *port, rf_error *err)
{
    rf_code rc = RF_OK;
    char service[16];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct sockaddr_storage bound;
    socklen_t bound_bytes = sizeof bound;
    int fd = -1;
    snprintf(service, sizeof service, "%lld", (long long)set->port);
    if (getaddrinfo(set->host, service, &hints, &found) != 0)
        return rf_fail(err, RF_USAGE, "HOST is not an address to listen on: %s", set->host);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        rc = rf_fail_errno(err, RF_UNAVAILABLE, "cannot listen on %s port %lld; is it taken?", set->host,
                           (long long)set->port);
        goto out;
    }
    getsockname(fd, (struct sockaddr *)&bound, &bound_bytes);
    *port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                              : ((struct sockaddr_in *)&bound)->sin_port);
    *out = fd;
    fd = -1;
out:
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return rc;
}

static rf_code start_daemon(rf_server *server, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_settings *set = server->set;
    int fd = -1;
    RF_TRY(listen_on(&fd, set, &server->port, err));
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    server->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, answer, server,                        //
                         MHD_OPTION_EXTERNAL_LOGGER, drop_library_message, NULL,      //
                         MHD_OPTION_LISTEN_SOCKET, fd,                                //
                         MHD_OPTION_THREAD_POOL_SIZE, (unsigned)set->http_threads,    //
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)set->max_connections, //
                         MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)set->max_connections_address,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(set->idle_s < 1 ? 1 : set->idle_s), //
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,                 //
                         MHD_OPTION_URI_LOG_CALLBACK, read_line, server,                               //
                         MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,                             //
                         MHD_OPTION_NOTIFY_COMPLETED, finish_request, server,                          //
                         MHD_OPTION_NOTIFY_CONNECTION, note_connection, server,                        //
                         MHD_OPTION_END);
    if (!server->daemon) {
        close(fd);
        rc = rf_fail(err, RF_UNAVAILABLE, "the HTTP server could not be started");
    }
out:
    return rc;
}

static void read_bounds(rfi_bounds *out, const rf_settings *set)
{
    out->range[RFI_BOUND_SAMPLE_SIZE] =
        (rfi_range){(double)set->min_sample_size, (double)set->max_sample_size};
    out->range[RFI_BOUND_EPOCHS] = (rfi_range){(double)set->min_epochs, (double)set->max_epochs};
}

/* The reaper looks four times within the shortest patience, and at least once a second. */
static double reaper_period_s(const rf_settings *set)
{
    double shortest = set->header_s < set->body_s ? set->header_s : set->body_s;
    shortest = set->idle_s < shortest ? set->idle_s : shortest;
    return shortest / 4 < 1 ? shortest / 4 : 1;
}

rf_code rfi_server_open_routes(rf_server **out, const rf_server_options *options, const rfi_routes *routes,
                               rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_settings *set = options->settings;
    rf_server *server = rf_malloc(sizeof *server);
    if (!server)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the server");
    *server = (rf_server){
        .set = set, .scheduler = options->scheduler, .accounts = options->accounts, .routes = *routes};
    rf_arena_init(&server->arena);
    if (options->docs_dir)
        server->docs_dir = rf_arena_string(&server->arena, options->docs_dir, strlen(options->docs_dir));
    read_bounds(&server->bounds, set);
    RF_TRY(rf_arena_check(&server->arena, "the server", err));
    RF_TRY(rf_jwt_open(&server->jwt, set->secret_key, strlen(set->secret_key), err));
    RF_TRY(rfi_rates_open(&server->rates, set, err));
    RF_TRY(rfi_meters_open(&server->meters, &server->routes, err));
    RF_TRY(rfi_openapi_make(server, &server->openapi, err));
    RF_TRY(rfi_docs_make(server, &server->docs_page, err));
    RF_TRY(rfi_peers_open(&server->peers, reaper_period_s(set), err));
    RF_TRY(rfi_watch_open(&server->watch, set->ping_s, set->streams_user, set->streams, err));
    RF_TRY(rfi_crew_open(&server->crew, (int)set->blocking_threads, WAITING_MAX, err));
    RF_TRY(start_daemon(server, err));
    *out = server;
    server = NULL;
out:
    rf_server_close(server);
    return rc;
}

int32_t rf_server_port(const rf_server *server)
{
    return server->port;
}

/* ---- ending ----------------------------------------------------------------------------------- */

static void wait_for_calls(rf_server *server, double seconds)
{
    const double until_s = rf_clock_s() + seconds;
    while (atomic_load(&server->n_calls) > 0 && rf_clock_s() < until_s)
        usleep(5000);
}

void rf_server_drain(rf_server *server, double seconds)
{
    if (!server || atomic_exchange(&server->draining, true))
        return;
    const MHD_socket fd = MHD_quiesce_daemon(server->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    rfi_watch_end(server->watch);
    wait_for_calls(server, seconds);
}

/* The library must not be stopped while a connection sleeps: streams are told to end, sockets are shut, and what handlers
 * still do is waited for. */
void rf_server_close(rf_server *server)
{
    if (!server)
        return;
    if (server->forget)
        server->forget(server);
    if (server->daemon) {
        rf_server_drain(server, 0);
        rfi_peers_shut_down(server->peers);
        rfi_watch_end(server->watch);
    }
    for (int tries = 0; server->daemon && tries < 100 && atomic_load(&server->n_calls) > 0; tries++) {
        rfi_watch_end(server->watch);
        wait_for_calls(server, 0.3);
    }
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    rfi_crew_close(server->crew); /* what streams left to be done at their end */
    rfi_watch_close(server->watch);
    rfi_peers_close(server->peers);
    rfi_document_free(&server->docs_page);
    rfi_document_free(&server->openapi);
    rfi_meters_close(server->meters);
    rfi_rates_close(server->rates);
    rf_jwt_close(server->jwt);
    rf_arena_free(&server->arena);
    rf_free(server);
}
