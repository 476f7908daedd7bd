/* peer.h - the open connections, each with a moment by which it must have done its part.
 *
 * The HTTP library's timeout begins anew with every byte, so a client that drips one byte now and then would hold a
 * connection for ever. Here each connection has a deadline that dripping does not move: headers and small bodies must be
 * there in a fixed time, uploads must keep a least rate. A thread of its own looks through the list and shuts down the
 * sockets of those that are late; the library then sees the end of the connection and cleans up as for any other.
 *
 * A socket is only shut down while its entry is in the list, and the entry leaves the list before the library
 * closes the socket: a descriptor that was given to somebody else is never touched.
 *
 * Threads: entries belong to the event thread of their connection; deadlines may be set from any thread.
 */
#ifndef RF_API_PEER_H
#define RF_API_PEER_H

#include <netinet/in.h>
#include <stdatomic.h>

#include "core/error.h"

typedef struct rfi_peer {
    struct rfi_peer *next, *previous;
    int fd;
    char address[INET6_ADDRSTRLEN];
    _Atomic int64_t deadline_us; /* monotonic; INT64_MAX: none */
} rfi_peer;

typedef struct rfi_peers rfi_peers;

/* Looks every `period_s` seconds. */
rf_code rfi_peers_open(rfi_peers **out, double period_s, rf_error *err) RF_MUST_CHECK;
void rfi_peers_close(rfi_peers *peers); /* every entry must be gone; NULL is fine */

/* A new entry in the list, with a deadline `seconds` from now; NULL without memory. */
rfi_peer *rfi_peer_add(rfi_peers *peers, int fd, const struct sockaddr *address, double seconds);
void rfi_peer_remove(rfi_peers *peers, rfi_peer *peer); /* and frees; NULL is fine */

/* From now; a negative number means none. */
void rfi_peer_give(rfi_peer *peer, double seconds);

int64_t rfi_peers_count(rfi_peers *peers);
int64_t rfi_peers_late(rfi_peers *peers); /* how many were shut down so far */

/* Shuts down all that are open: at the end of a drain. */
void rfi_peers_shut_down(rfi_peers *peers);

#endif
