/* watch.h - streams that wait for news of a job: event streams, and samples that are fetched while they are made.
 *
 * One list of those who wait. The queue tells of each event (rfi_watch_tell) and the streams of that job wake. A thread
 * looks at all of them now and then: a stream that was silent for long wakes to send a ping, and one whose client has left,
 * which the sleeping library cannot see, wakes to end.
 *
 * Locks: the list's lock is held while streams are woken (stream.h).
 */
#ifndef RF_API_WATCH_H
#define RF_API_WATCH_H

#include <stdatomic.h>

#include "api/stream.h"

typedef struct rfi_watch rfi_watch;

/* Set the first fields before adding. */
typedef struct rfi_watcher {
    rfi_stream *stream;
    int64_t job_id, user_id;
    int fd;                   /* of the client */
    bool counts;              /* toward the limits of streams */
    _Atomic bool gone;        /* the client left, or the server ends: end the stream */
    _Atomic bool told;        /* there is news; the stream sets it back to false */
    _Atomic bool ping;        /* say something; the stream sets it back to false */
    _Atomic int64_t spoke_us; /* when the stream last had something to say; it sets it */
    struct rfi_watcher *next, *previous;
} rfi_watcher;

rf_code rfi_watch_open(rfi_watch **out, double ping_s, int64_t per_user_max, int64_t total_max,
                       rf_error *err) RF_MUST_CHECK;
void rfi_watch_close(rfi_watch *watch); /* all watchers are gone; NULL is fine */

/* RATE_LIMITED when the user, or everybody together, has as many streams as are allowed. */
rf_code rfi_watch_add(rfi_watch *watch, rfi_watcher *watcher, rf_error *err) RF_MUST_CHECK;
void rfi_watch_remove(rfi_watch *watch, rfi_watcher *watcher);

/* There is news of this job. Never blocks for long; any thread. */
void rfi_watch_tell(void *watch, int64_t job_id);
/* Ends all streams. */
void rfi_watch_end(rfi_watch *watch);

int64_t rfi_watch_count(rfi_watch *watch);

#endif
