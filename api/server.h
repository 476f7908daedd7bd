/* server.h - the HTTP interface: one server on one port.
 *
 *     rf_server_options options = {.settings = &settings, .scheduler = scheduler};
 *     rf_server *server = NULL;
 *     RF_TRY(rf_server_open(&server, &options, err));      // it serves from here on, on threads of its own
 *     … wait for SIGTERM …
 *     rf_server_drain(server, 30.0);                       // no new connections, ends those that are idle
 *     rf_server_close(server);
 *
 * The server decides nothing: it reads requests, asks the scheduler and writes what it answered. Two event threads read
 * and write sockets and answer what needs no waiting; a few more threads run what may block. docs/http.md tells what
 * is checked before a handler runs.
 *
 * Threads: any thread may call; close once, by one.
 */
#ifndef RF_API_SERVER_H
#define RF_API_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "domain/settings.h"

typedef struct rf_server rf_server;
struct rf_scheduler;
struct rf_accounts;

typedef struct rf_server_options {
    const rf_settings *settings;    /* lent while the server lives; its secret_key must be there   */
    struct rf_scheduler *scheduler; /* lent; NULL: only what needs none is answered (for tests)   */
    struct rf_accounts *accounts;   /* lent; NULL: nobody can log in (for tests)                  */
    const char *docs_dir;           /* Swagger UI and ReDoc, if they were fetched; NULL: own page */
} rf_server_options;

/* Listens and serves. USAGE for a setting that cannot be, UNAVAILABLE when the port is taken. */
rf_code rf_server_open(rf_server **out, const rf_server_options *options, rf_error *err) RF_MUST_CHECK;

/* The port it listens on, also when the settings said 0. */
int32_t rf_server_port(const rf_server *server);

/* Takes no new connection, ends event streams and waits up to `seconds` for requests that are being answered. NULL is fine. */
void rf_server_drain(rf_server *server, double seconds);

/* Ends what is still open and frees. The scheduler must still be there, stopped or not. NULL is fine. */
void rf_server_close(rf_server *server);

#endif
