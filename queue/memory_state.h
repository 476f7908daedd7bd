/* memory_state.h - what the queue inside the process consists of, and who may touch what.
 *
 *      offer ──► DELAYED ──due──► WAITING ──lease──► LEASED ──deadline, lost──► EXPIRED
 *                  heap            a lane             heap                       list
 *
 * A job's entry is in exactly one of the four places, and entry_place/entry_unplace (memory_jobs.c) are the only doors.
 * Waiting jobs of a user in a class stand in a lane: two ranked sets, of those that count toward the user's limit and
 * those that do not. Lanes that could give a job now are in their class's ring, a heap by virtual time.
 *
 *      class ── ring ──► lane (user 7) ── ranked sets ──► entries by created_ms - age_ms * priority
 *                        lane (user 9)
 *      user 7 ── held: the list of its leased entries that count; its size is what the limit is held against
 *
 * Everything is under one lock, rfi_memory.lock; functions named rfi_… here expect it to be held unless they say
 * otherwise. No lock is taken under it. Private to queue/.
 */
#ifndef RF_QUEUE_MEMORY_STATE_H
#define RF_QUEUE_MEMORY_STATE_H

#include <pthread.h>

#include "queue/due_heap.h"
#include "queue/id_map.h"
#include "queue/queue_seam.h"
#include "queue/ranked.h"

enum {
    RFI_CLASSES_MAX = 64,
    RFI_EVENTS_MAX = 200000,
    RFI_STREAM_JSON_MAX = 64 << 10,
    RFI_STREAM_ENTRIES = 1000,
};
#define RFI_EVENT_BYTES_MAX   ((size_t)256 << 20) /* of all bodies that wait                */
#define RFI_STREAM_BYTES_MAX  ((size_t)64 << 20)  /* of ended streams; the oldest go first  */
#define RFI_STREAM_TTL_MS     ((int64_t)3600 * 1000)
#define RFI_STREAM_SILENCE_MS ((int64_t)24 * 3600 * 1000)

/* ------------------------------------------------------------------ lists */

/* A ring of two pointers; the head's own `next` and `prev` are first and last. */
typedef struct rfi_link {
    struct rfi_link *next, *prev;
} rfi_link;

static inline void rfi_link_init(rfi_link *head)
{
    head->next = head->prev = head;
}
static inline void rfi_link_append(rfi_link *head, rfi_link *link)
{
    *link = (rfi_link){.next = head, .prev = head->prev};
    head->prev->next = link;
    head->prev = link;
}
static inline void rfi_link_remove(rfi_link *link)
{
    if (!link->next)
        return;
    link->next->prev = link->prev;
    link->prev->next = link->next;
    *link = (rfi_link){0};
}
#define RFI_OWNER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* ------------------------------------------------------------------ things */

typedef struct rfi_class {
    char name[RF_CLASS_BYTES];
    bool paused;
    rfi_due_heap ring; /* lanes that could give a job, by virtual time      */
    double now;        /* virtual time of the lane that was served last     */
    rfi_id_map lanes;  /* by user                                           */
    rfi_link arrivals; /* waiting entries in the order in which they came   */
    int64_t n_waiting, n_delayed, n_leased;
} rfi_class;

typedef struct rfi_user {
    int64_t id;
    rfi_link held; /* leased entries that count toward the limit */
    int64_t n_held;
    rfi_link lanes; /* in all classes */
    int64_t n_entries;
} rfi_user;

typedef struct rfi_lane {
    rfi_due turn; /* in the class's ring; key: virtual time */
    double time;
    rfi_class *class;
    rfi_user *user;
    rfi_link of_user;
    rfi_ranked limited, unlimited;
} rfi_lane;

typedef enum rfi_place { RFI_NOWHERE, RFI_DELAYED, RFI_WAITING, RFI_LEASED, RFI_EXPIRED } rfi_place;

struct rfi_event_node;

typedef struct rfi_entry {
    int64_t job_id, token;
    rf_job_kind kind;
    rfi_place place;
    bool unlimited, cancelled, lost;
    int32_t user_limit;
    int priority;
    int64_t created_ms, credit;
    int64_t leased_ms; /* LEASED: since when, monotonic */
    double cost;       /* seconds that the lane was charged, or will be */
    char *plan;
    rfi_class *class;
    rfi_user *user;
    rfi_lane *lane;
    rfi_rank rank;    /* WAITING: in the lane                            */
    rfi_link arrival; /* WAITING: in the class; EXPIRED: in that list    */
    rfi_due due;      /* DELAYED: in delayed; LEASED: in leases          */
    rfi_link held;    /* LEASED: of the user, when it counts             */
    rfi_link of_worker;
    struct rfi_worker *worker; /* LEASED; EXPIRED: NULL, and worker_id says who it was */
    int64_t worker_id;
    struct rfi_event_node *progress, *end; /* of this token, not yet taken */
} rfi_entry;

typedef struct rfi_worker {
    rf_worker_info info;
    rfi_class *class;
    rfi_link leases;  /* entries, by of_worker         */
    int64_t heard_ms; /* monotonic                     */
    bool attention;   /* a beat would learn something  */
} rfi_worker;

typedef struct rfi_event_node {
    rfi_link link;
    rf_event event;
    rfi_entry *entry; /* whose progress or end this is; NULL: of none any more */
    size_t size_bytes;
} rfi_event_node;

typedef struct rfi_stream rfi_stream;

typedef struct rfi_memory {
    rf_queue base;
    rf_queue_options options;
    pthread_mutex_t lock;
    pthread_cond_t work;   /* leases that wait: a job may be had            */
    pthread_cond_t news;   /* rf_queue_events_take                          */
    pthread_cond_t notice; /* rf_queue_beat_wait                            */
    pthread_cond_t idle;   /* the last waiter left (close)                  */
    int n_waiters;
    bool closing, poked, all_paused;
    bool stir_work, stir_notice, stir_news; /* whom to wake when the lock is given back */
    size_t sweep_users_at;
    uint64_t epoch;
    int64_t (*now_ms)(void); /* monotonic; tests put their own */
    int n_classes;
    rfi_class *classes[RFI_CLASSES_MAX];
    rfi_id_map entries, users, workers;
    rfi_due_heap delayed, leases;
    rfi_link expired;
    int64_t next_worker_id;
    rfi_link events;
    int64_t n_events;
    size_t event_bytes;
    struct rfi_streams *streams;
    struct rfi_server *server; /* NULL until the first serve_fd */
} rfi_memory;

/* ------------------------------------------------------------------ memory_lanes.c: order and fairness */

rf_code rfi_class_find(rfi_memory *m, const char *name, rfi_class **out, rf_error *err) RF_MUST_CHECK;
rf_code rfi_lane_find(rfi_memory *m, rfi_class *class, int64_t user_id, rfi_lane **out,
                      rf_error *err) RF_MUST_CHECK;
void rfi_lane_add(rfi_lane *lane, rfi_entry *entry);
void rfi_lane_remove(rfi_lane *lane, rfi_entry *entry);
/* The job that this class gives next, still in its lane; NULL when it has none now. */
rfi_entry *rfi_class_next(const rfi_class *class);
/* The lane pays for a job that is leased from it. */
void rfi_lane_charge(rfi_lane *lane, double cost_s);
/* It took so long in truth. */
void rfi_lane_correct(rfi_lane *lane, double cost_s, double used_s);
/* The number of jobs that the user holds has changed: its lanes enter or leave their rings. */
void rfi_user_settle(rfi_user *user);
/* Frees a user that has no entry and whose lanes owe nothing. True: it is gone. */
bool rfi_user_forget(rfi_memory *m, rfi_user *user);
int64_t rfi_lane_position(const rfi_lane *lane, const rfi_entry *entry);
void rfi_lanes_free(rfi_memory *m);

/* ------------------------------------------------------------------ memory_jobs.c: a job's places */

rf_code rfi_jobs_offer(rfi_memory *m, const rf_offer *offer, rf_error *err) RF_MUST_CHECK;
void rfi_jobs_settle(rfi_memory *m, const rf_lease_id *ended);
void rfi_jobs_withdraw(rfi_memory *m, int64_t job_id, int64_t token);
void rfi_jobs_credit(rfi_memory *m, int64_t job_id, int64_t token, int64_t parts);
void rfi_jobs_expire(rfi_memory *m); /* leases past their deadline become expired */
void rfi_jobs_lose(rfi_memory *m, rfi_worker *worker);
void rfi_jobs_promote(rfi_memory *m); /* delayed jobs that are due become waiting */
rf_code rfi_jobs_lease(rfi_memory *m, rfi_worker *worker, rf_lease *out, rf_error *err) RF_MUST_CHECK;
void rfi_jobs_beat(rfi_memory *m, rfi_worker *worker, rf_beat *beat);
int64_t rfi_jobs_position(rfi_memory *m, int64_t job_id);
void rfi_jobs_free(rfi_memory *m);

/* ------------------------------------------------------------------ memory_workers.c */

rf_code rfi_workers_add(rfi_memory *m, const rf_worker_info *self, int64_t *id, rf_error *err) RF_MUST_CHECK;
void rfi_workers_remove(rfi_memory *m, int64_t id); /* its leases are lost */
rf_code rfi_workers_find(rfi_memory *m, int64_t id, rfi_worker **out, rf_error *err) RF_MUST_CHECK;
void rfi_workers_sweep(rfi_memory *m);
rf_code rfi_workers_list(rfi_memory *m, rf_worker_info **out, int32_t *n, rf_error *err) RF_MUST_CHECK;
void rfi_workers_free(rfi_memory *m);

/* ------------------------------------------------------------------ memory_events.c */

rf_code rfi_events_add(rfi_memory *m, const rf_event *event, rf_error *err) RF_MUST_CHECK;
int32_t rfi_events_take(rfi_memory *m, rf_event *out, int32_t max);
void rfi_events_free(rfi_memory *m);

/* ------------------------------------------------------------------ memory_streams.c: with a lock of its own */

rf_code rfi_streams_create(struct rfi_streams **out, rf_error *err) RF_MUST_CHECK;
void rfi_streams_stop(struct rfi_streams *streams); /* ends the listener's thread */
void rfi_streams_free(struct rfi_streams *streams);
rf_code rfi_streams_add(rf_queue *q, int64_t job_id, const char *json, bool last, rf_error *err);
rf_code rfi_streams_read(rf_queue *q, int64_t job_id, int64_t after_id, rf_stream_entry *out, int32_t max,
                         int32_t *n, bool *known, rf_error *err);
rf_code rfi_streams_listen(rf_queue *q, void (*wake)(void *arg, int64_t job_id), void *arg, rf_error *err);

/* ------------------------------------------------------------------ queue_memory.c: steps without waiting, lock taken inside */

/* For queue_server.c: one try each. The two files are halves of one machine and name each other: the server takes these
 * steps for those who are not in this process, and whoever changes the state wakes the server. `*wait_ms` is how long until the next try could succeed by time alone; -1: only by
 * news. */
rf_code rfi_memory_try_lease(rfi_memory *m, int64_t worker_id, rf_lease *out, int64_t *wait_ms,
                             rf_error *err) RF_MUST_CHECK;
bool rfi_memory_try_notice(rfi_memory *m, int64_t worker_id);
void rfi_memory_leave(rfi_memory *m, int64_t worker_id); /* its connection has closed */

/* ------------------------------------------------------------------ queue_server.c */

rf_code rfi_server_start(rfi_memory *m, struct rfi_server **out, rf_error *err) RF_MUST_CHECK;
rf_code rfi_server_add(struct rfi_server *server, int fd, rf_error *err) RF_MUST_CHECK;
void rfi_server_wake(struct rfi_server *server); /* any thread; NULL is fine */
void rfi_server_stop(struct rfi_server *server); /* closes all connections, joins, frees */

#endif
