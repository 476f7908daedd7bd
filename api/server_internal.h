/* server_internal.h - what the files behind server.h share. */
#ifndef RF_API_SERVER_INTERNAL_H
#define RF_API_SERVER_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "api/call.h"
#include "api/crew.h"
#include "api/document.h"
#include "api/jwt.h"
#include "api/meters.h"
#include "api/rates.h"
#include "api/server.h"
#include "api/watch.h"
#include "core/arena.h"

struct rf_server {
    const rf_settings *set; /* lent, as the next two */
    struct rf_scheduler *scheduler;
    struct rf_accounts *accounts;
    rf_arena arena;
    const char *docs_dir; /* NULL: none */
    rfi_routes routes;
    rfi_bounds bounds;
    rf_jwt *jwt;
    rfi_rates *rates;
    rfi_meters *meters;
    rfi_peers *peers;
    rfi_crew *crew;
    rfi_watch *watch;
    rfi_document openapi, docs_page;
    void (*forget)(rf_server *server); /* nobody tells of jobs any more; NULL: nobody did */
    struct MHD_Daemon *daemon;
    int32_t port;
    _Atomic int64_t n_calls; /* being read or answered */
    _Atomic bool draining;
};

/* As rf_server_open, with a table of routes of one's own: for tests. */
rf_code rfi_server_open_routes(rf_server **out, const rf_server_options *options, const rfi_routes *routes,
                               rf_error *err) RF_MUST_CHECK;

/* routes.c: the table of the service. */
const rfi_routes *rfi_service_routes(void);

/* admit.c: everything that is checked before a body is read. OK: goes on. Otherwise the reply is made, and `close` set
 * where the connection must not be used again. */
bool rfi_admit(rfi_call *call, const char *version);
/* body.c: the most bytes that the body may have. */
size_t rfi_body_limit(const rfi_call *call);
/* Takes part of a body; false when it is more than the route allows. */
bool rfi_body_feed(rfi_call *call, const char *data, size_t size_bytes);
/* The body is complete: reads and checks it. Makes the reply and returns false when it is not good. */
bool rfi_body_finish(rfi_call *call);
/* send.c: hands the reply to the library. */
enum MHD_Result rfi_send(rfi_call *call);
/* target.c */
rf_code rfi_target_read(rfi_call *call, rf_error *err) RF_MUST_CHECK;
rf_code rfi_query_read(rfi_call *call, rf_buf *faults, int *n_faults, rf_error *err) RF_MUST_CHECK;
/* auth.c: who calls, from the Authorization header. */
rf_code rfi_authenticate(rfi_call *call, rf_error *err) RF_MUST_CHECK;
/* Whether they still are: for replies that last. A database that does not answer turns nobody out. */
bool rfi_is_welcome(const rf_server *server, const rf_claims *who);

#endif
