/* worker.h - leases jobs, runs the engine for them and reports; knows no HTTP and no SQL.
 *
 *     rf_queue_connect_fd(&queue, fd, err);
 *     rf_storage_open_folder(&storage, folder, …);
 *     const rf_worker_options options = {.queue = queue, .storage = storage, .scratch = "/tmp/rowforge-work"};
 *     rc = rf_worker_run(&options, err);       // until it is told to end, or its queue is gone
 *
 * One job at a time. A second thread sends the signs of life, so that no long step can delay them; it hears of
 * cancellation and tells the running job, which looks up between two steps; when it does not, the thread answers in its place
 * and ends the process. When no beat could be sent for so long that
 * the lease may have been given to another, the job is dropped without a word (it is fenced). What was done is repeated
 * until a beat answers that the scheduler has taken note; the next job begins meanwhile.
 *
 * Whatever a job makes is stored under jobs/<job>/<token>/ (samples: samples/<job>/<token>/): two attempts never write
 * the same key, and only the attempt whose `done` was applied is ever seen.
 */
#ifndef RF_WORKER_WORKER_H
#define RF_WORKER_WORKER_H

#include "core/error.h"
#include "queue/queue.h"
#include "storage/storage.h"

typedef struct rf_worker_options {
    rf_queue *queue;     /* lent */
    rf_storage *storage; /* lent; NULL: only noop jobs can be run */
    const char *
        scratch; /* a folder for files on their way, made when it is not there; each worker has one of its own in
                            it, removed at the end; what dead workers left is removed at the start */
    const char *device;  /* NULL: auto                                                    */
    int threads;         /* 0: all processors                                             */
    const char *need;    /* the class that it serves; NULL: cpu                           */
    double beat_s;       /* between two signs of life; 0: 10                              */
    double checkpoint_s; /* between two checkpoints of a training; 0: 10                  */
    double drain_s;      /* after rf_worker_quiet: how long the job in hand may go on     */
    double let_go_s;     /* how long a job may take to see that it shall stop; 0: 1       */
    /* Ends the process, for a job that has not seen it by then: it is in a step that nobody wants any more, or hangs. NULL:
     * it is waited for. From the thread of the signs of life. */
    void (*end_process)(void);
} rf_worker_options;

/* Runs until rf_worker_quiet, until the queue asks it to end, or until the queue is gone (all OK). Anything else: why it
 * could not begin, as the device or the scratch folder. One at a time in a process. */
rf_code rf_worker_run(const rf_worker_options *options, rf_error *err) RF_MUST_CHECK;

/* Take no more jobs; finish the one in hand if it ends within drain_s, else give it back with its checkpoint stored; then
 * return from rf_worker_run. There is no way back. May be called by a signal handler. */
void rf_worker_quiet(void);

#endif
