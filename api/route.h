/* route.h - one row of the route table: everything that the server and the documentation know about an endpoint.
 *
 * routes.c holds the rows. From them come the routing, who may call, what bodies are taken, the limits of rate, the
 * checks of bodies and query, and /openapi.json; a route that is not in the table does not exist.
 */
#ifndef RF_API_ROUTE_H
#define RF_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "api/failure.h"
#include "api/jwt.h"
#include "api/schema.h"

typedef struct rfi_call rfi_call;
typedef struct rf_server rf_server;

/* Answers the call (reply.h) and returns OK, or fails with what the client shall be told. */
typedef rf_code rfi_handler(rfi_call *call, rf_error *err);

typedef enum rfi_method { RFI_GET, RFI_POST, RFI_PUT, RFI_DELETE, RFI_METHOD_COUNT } rfi_method;

/* Zero is the strictest, so that a row which forgets to say is closed. */
typedef enum rfi_role { RFI_ROLE_ADMIN, RFI_ROLE_USER, RFI_ROLE_ANYONE } rfi_role;

/* Where a handler runs: on the event thread (microseconds; single-row reads) or on one that may block. */
typedef enum rfi_run { RFI_BLOCKING, RFI_FAST } rfi_run;

typedef enum rfi_body_kind { RFI_BODY_NONE, RFI_BODY_JSON, RFI_BODY_MULTIPART } rfi_body_kind;

/* name, setting that says how many a minute, counted for */
#define RFI_RATE_TABLE(X)                                                                                    \
    X(REGISTER, rate_register, ADDRESS)                                                                      \
    X(LOGIN, rate_login, ADDRESS)                                                                            \
    X(LOGIN_FAILURES, rate_login_failures, ACCOUNT)                                                          \
    X(REFRESH, rate_refresh, ADDRESS)                                                                        \
    X(UPLOAD, rate_upload, USER)                                                                             \
    X(START, rate_start, USER)

typedef enum rfi_rate {
    RFI_RATE_NONE,
#define RFI_RATE_ENUM(name, setting, whom) RFI_RATE_##name,
    RFI_RATE_TABLE(RFI_RATE_ENUM)
#undef RFI_RATE_ENUM
        RFI_RATE_COUNT
} rfi_rate;

/* A parameter of the query string. Values are text; integers and flags are checked and handed out as such. */
typedef struct rfi_query {
    const char *name;
    const rfi_schema *schema;
    const char *help;
} rfi_query;

/* Where the bytes of an uploaded file go, while they arrive. */
typedef struct rfi_sink {
    rf_code (*begin)(rfi_call *call, const char *file_name, rf_error *err);
    rf_code (*data)(rfi_call *call, const char *data, size_t size_bytes, rf_error *err);
    void (*drop)(rfi_call *call); /* at the end of the call, whatever came of it */
} rfi_sink;

#define RFI_FAILS(failure) (1u << RFI_##failure)

typedef struct rfi_route {
    rfi_method method;
    const char *path; /* "/generation/status/{id}"; {id} is a positive integer, any other name a text */
    const char *name; /* operationId */
    const char *tag;
    const char *summary;
    rfi_role role;
    rfi_run run;
    rfi_body_kind body;
    size_t body_max_bytes; /* 0: 64 KiB for JSON, the upload limit for multipart      */
    rfi_rate rate;
    bool is_raw_json;   /* a JSON reply without the envelope                             */
    bool idempotent;    /* takes Idempotency-Key                                     */
    bool body_optional; /* an empty body counts as {}                                */
    rfi_handler *handler;
    const rfi_sink *sink;      /* of multipart routes                                  */
    const rfi_query *query;    /* up to a zero row                                     */
    const rfi_schema *request; /* JSON body, or the fields of the form                 */
    const rfi_schema *reply;   /* `data` of the envelope; NULL with other_types        */
    int status;                /* 0: 200                                               */
    const char *other_types;   /* replies that are no envelope: "text/csv, text/html"  */
    unsigned fails;            /* RFI_FAILS of the handler; those of the server are added */
    const char *notes;         /* a paragraph for the documentation                    */
} rfi_route;

/* Whether the bearer of these claims may still come in; sets his role as it is now. */
typedef rf_code rfi_identify(const rf_server *server, rf_claims *who, rf_error *err);

typedef struct rfi_routes {
    const rfi_route *rows;
    size_t n;
    rfi_identify *identify; /* NULL: the claims are believed (tests) */
} rfi_routes;

const char *rfi_method_name(rfi_method method);

enum { RFI_PATH_PARTS_MAX = 8, RFI_PATH_VALUES_MAX = 2 };

/* What the {names} of a path matched, in order. */
typedef struct rfi_match {
    const rfi_route *route; /* NULL when no route has this path and method */
    unsigned methods;       /* bit for each rfi_method that the path has    */
    const char *value[RFI_PATH_VALUES_MAX];
} rfi_match;

/* `path` is decoded and starts with '/'. It is cut into its parts in place, so that the values point into it. */
void rfi_route_find(const rfi_routes *routes, rfi_method method, char *path, rfi_match *out);

/* All failures that a route can answer with, those of the server included, as a set of 1u << failure. */
unsigned rfi_route_failures(const rfi_route *route);

#endif
