/* stream.h - a reply whose bytes come bit by bit, from whoever has them.
 *
 * The server reads a stream when the client can take more. A stream that has nothing now answers 0; its connection
 * then sleeps without cost until somebody calls rfi_stream_wake. The source frees itself in `close`, after which
 * nobody may wake it: whoever wakes from another thread must take it off his list there, under his own lock.
 *
 * Locks: a waker may hold its own lock while it wakes; `read` is called under the stream's lock and must take no
 * lock under which somebody wakes.
 */
#ifndef RF_API_STREAM_H
#define RF_API_STREAM_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "api/peer.h"
#include "core/error.h"

enum { RFI_STREAM_END = -1, RFI_STREAM_BROKEN = -2 };

/* How long the client may still take. It spends what it has while the library waits for its socket to have room, and
 * earns with each byte that it takes; while there is nothing to send, nothing is spent. */
typedef struct rfi_pace {
    rfi_peer *peer; /* NULL: nobody looks */
    double bytes_per_s, left_s, given_s;
    bool waits; /* since given_s, for what was given then */
} rfi_pace;

typedef struct rfi_stream rfi_stream;
struct rfi_stream {
    /* up to `capacity` bytes; 0: nothing now; or RFI_STREAM_…. One call at a time. */
    ssize_t (*read)(rfi_stream *stream, char *out, size_t capacity);
    void (*close)(rfi_stream *stream); /* frees the stream, wherever its end came from */
    /* below: the server's */
    pthread_mutex_t lock;
    bool woken, asleep;
    rfi_stream *outer; /* reads this one; it sleeps instead */
    struct MHD_Connection *connection;
    rfi_pace pace;
};

/* Before anybody may wake it. */
void rfi_stream_init(rfi_stream *stream, ssize_t (*read)(rfi_stream *, char *, size_t),
                     void (*close)(rfi_stream *));
void rfi_stream_destroy(rfi_stream *stream); /* what init made; called by `close` */
void rfi_stream_wake(rfi_stream *stream);

/* Lets the connection sleep until the stream is woken; false when it was woken already. On the event thread. */
bool rfi_stream_sleep(rfi_stream *stream, struct MHD_Connection *connection);

/* The library's response that reads the stream and closes it at the end; size_bytes -1: until it ends. A client that takes
 * fewer bytes a second is late (api/peer.h), once it has used up RFI_PACE_GRACE_S; 0: none is; `peer` may be NULL. */
enum { RFI_PACE_GRACE_S = 10, RFI_PACE_MOST_S = 60 };
struct MHD_Response *rfi_stream_response(rfi_stream *stream, struct MHD_Connection *connection,
                                         int64_t size_bytes, rfi_peer *peer, int64_t bytes_per_s);

/* The same bytes, compressed: takes `inner`. NULL without memory, and then `inner` is still the caller's. */
rfi_stream *rfi_stream_gzip(rfi_stream *inner);

#endif
