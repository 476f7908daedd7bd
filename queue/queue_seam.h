/* queue_seam.h - what each side of queue.h fills in. Private to queue/ (and to its tests). */
#ifndef RF_QUEUE_QUEUE_SEAM_H
#define RF_QUEUE_QUEUE_SEAM_H

#include "queue/queue.h"

/* The verbs of queue.h, in its order. NULL: this side does not have it (NOT_AVAILABLE). */
typedef struct rfi_queue_class {
    const char *name;
    void (*close)(rf_queue *q);
    rf_code (*serve_fd)(rf_queue *q, int fd, rf_error *err);
    rf_code (*offer)(rf_queue *q, const rf_offer *offers, int32_t n, rf_error *err);
    rf_code (*settle)(rf_queue *q, const rf_lease_id *ended, int32_t n, rf_error *err);
    rf_code (*withdraw)(rf_queue *q, int64_t job_id, int64_t token, rf_error *err);
    rf_code (*credit)(rf_queue *q, int64_t job_id, int64_t token, int64_t parts, rf_error *err);
    rf_code (*expired)(rf_queue *q, rf_lease_id *out, int32_t max, int32_t *n, rf_error *err);
    rf_code (*events_take)(rf_queue *q, rf_event *out, int32_t max, int64_t timeout_ms, int32_t *n,
                           rf_error *err);
    void (*poke)(rf_queue *q);
    rf_code (*pause)(rf_queue *q, const char *need, bool paused, rf_error *err);
    rf_code (*epoch)(rf_queue *q, uint64_t *out, rf_error *err);
    rf_code (*position)(rf_queue *q, int64_t job_id, int64_t *out, rf_error *err);
    rf_code (*depths)(rf_queue *q, rf_queue_depth **out, int32_t *n, rf_error *err);
    rf_code (*workers)(rf_queue *q, rf_worker_info **out, int32_t *n, rf_error *err);
    rf_code (*worker_wish)(rf_queue *q, int64_t worker_id, rf_worker_wish wish, rf_error *err);
    rf_code (*enlist)(rf_queue *q, const rf_worker_info *self, int64_t *worker_id, rf_error *err);
    rf_code (*lease)(rf_queue *q, int64_t worker_id, int64_t timeout_ms, rf_lease *out, rf_error *err);
    rf_code (*beat)(rf_queue *q, int64_t worker_id, int64_t rss_bytes, rf_beat *beats, int32_t n,
                    rf_worker_wish *wish, rf_error *err);
    rf_code (*beat_wait)(rf_queue *q, int64_t worker_id, int64_t timeout_ms, rf_error *err);
    rf_code (*send)(rf_queue *q, const rf_event *event, rf_error *err);
    rf_code (*stream_add)(rf_queue *q, int64_t job_id, const char *json, bool last, rf_error *err);
    rf_code (*stream_read)(rf_queue *q, int64_t job_id, int64_t after_id, rf_stream_entry *out, int32_t max,
                           int32_t *n, bool *known, rf_error *err);
    rf_code (*stream_listen)(rf_queue *q, void (*wake)(void *arg, int64_t job_id), void *arg, rf_error *err);
} rfi_queue_class;

/* Each side begins its own struct with this. */
struct rf_queue {
    const rfi_queue_class *type;
};

#endif
