/* children.h - workers as child processes of this one: started, restarted, ended.
 *
 *     const char *const command[] = {"rowforge", "worker", "--fd", "3", NULL};
 *     rf_children_start(&children, &(rf_children_options){.queue = queue, .n = 2, .command = command}, err);
 *     …
 *     rf_children_quiet(children);                  // SIGTERM: finish what is in hand, take no more
 *     rf_children_close(children, 120000);          // waits so long, then SIGKILL
 *
 * Each child is this same program (/proc/self/exe) with one end of a socket pair as descriptor 3; the other end goes to
 * the queue (rf_queue_serve_fd). A child that dies is started again: at once when it had lived for a while, soon when it
 * was killed (a job that kills workers is the scheduler's to stop), and when it ended by itself after a pause that doubles
 * from a tenth of a second to ten seconds. A child dies with this process (PR_SET_PDEATHSIG), and
 * ends by itself when its socket closes. Secrets of the environment are not handed on (children.c has the list).
 *
 * Threads: any, but one at a time for a handle; each child has a thread that waits for it.
 */
#ifndef RF_WORKER_CHILDREN_H
#define RF_WORKER_CHILDREN_H

#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "queue/queue.h"

typedef struct rf_children rf_children;

enum { RF_CHILDREN_MAX = 64, RF_CHILD_FD = 3 };

typedef struct rf_children_options {
    rf_queue *queue;            /* lent; must outlive the children */
    int n;                      /* 0..RF_CHILDREN_MAX              */
    const char *program;        /* NULL: /proc/self/exe                     */
    const char *const *command; /* argv, NULL at the end; copied            */
} rf_children_options;

rf_code rf_children_start(rf_children **out, const rf_children_options *options, rf_error *err) RF_MUST_CHECK;
/* SIGTERM to all; those that end are not started again. May be repeated. */
void rf_children_quiet(rf_children *children);
/* Quiet, waits up to grace_ms for all to end, kills the rest, frees. NULL is fine. */
void rf_children_close(rf_children *children, int64_t grace_ms);

/* How many are alive, and how many were started again since the start. */
int rf_children_alive(rf_children *children, int64_t *restarts);
/* The process of child i, 0 while it has none: for tests, which kill them. */
pid_t rf_children_pid(rf_children *children, int i);

#endif
