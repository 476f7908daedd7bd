/* artifacts.h - what jobs left behind: rows, reports, models, and samples that are fetched while they are made.
 * scheduler.h says how these functions behave.
 */
#ifndef RF_SCHEDULER_ARTIFACTS_H
#define RF_SCHEDULER_ARTIFACTS_H

#include <stddef.h>

#include "domain/dataset.h"
#include "domain/job.h"
#include "scheduler/scheduler.h"

/* ------------------------------------------------------------------ files of a request */

/* Reads. NOT_FOUND: no such request, or none of that role. NOT_READY: it has not completed (yet); the sentence says how it
 * stands. user_id 0: an admin asks. */
rf_code rf_artifact_get(rf_scheduler *s, int64_t user_id, int64_t job_id, rf_artifact_role role,
                        rf_arena *arena, rf_artifact *out, rf_error *err) RF_MUST_CHECK;

/* Bytes on their way out. A handle belongs to one thread at a time. */
typedef struct rf_download rf_download;
/* From offset, length bytes (-1: to the end). NOT_FOUND when storage has lost it, USAGE for a range beyond its end. */
rf_code rf_artifact_open(rf_download **out, rf_scheduler *s, const rf_artifact *artifact, int64_t offset,
                         int64_t length, rf_error *err) RF_MUST_CHECK;
/* Up to capacity bytes; *n 0 at the end. */
rf_code rf_download_read(rf_download *download, void *out, size_t capacity, size_t *n,
                         rf_error *err) RF_MUST_CHECK;
/* The object's file, lent until close, for sending without copying (at offsets of the whole object); -1: there is none. */
int rf_download_fd(const rf_download *download);
void rf_download_close(rf_download *download); /* NULL is fine */

/* A URL that needs no login and ends at *expires_ms: absolute, or a path of our own ("/files/…"). */
rf_code rf_artifact_sign(rf_scheduler *s, const rf_artifact *artifact, int64_t ttl_ms, rf_arena *arena,
                         const char **url, int64_t *expires_ms, rf_error *err) RF_MUST_CHECK;
/* What a token of /files/{token} stands for (key, size, type and name are set). FORBIDDEN: expired or not ours;
 * NOT_FOUND: deleted since. */
rf_code rf_artifact_from_token(rf_scheduler *s, const char *token, rf_arena *arena, rf_artifact *out,
                               rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ models */

/* Reads, all of it. */
rf_code rf_model_get(rf_scheduler *s, int64_t user_id, int64_t id, rf_arena *arena, rf_model_card *out,
                     rf_error *err) RF_MUST_CHECK;
rf_code rf_model_list(rf_scheduler *s, int64_t user_id, int64_t before_id, int32_t limit, rf_arena *arena,
                      rf_model_card **out, int32_t *n, rf_error *err) RF_MUST_CHECK;
/* CONFLICT while a sample of it has not ended. */
rf_code rf_model_delete(rf_scheduler *s, int64_t user_id, int64_t id, rf_error *err) RF_MUST_CHECK;

/* ------------------------------------------------------------------ samples, part by part */

typedef enum rf_sample_step {
    RF_SAMPLE_PART,   /* `download` holds the next one: send all of it, then rf_sample_sent             */
    RF_SAMPLE_WAIT,   /* none yet: ask again when the job's stream wakes (rf_job_events_listen)       */
    RF_SAMPLE_END,    /* all sent                                                                     */
    RF_SAMPLE_FAILED, /* there will be no more: `state` and `error`                                   */
} rf_sample_step;

typedef struct rf_sample_next {
    rf_sample_step step;
    int64_t n, size_bytes;
    rf_download *download; /* PART: the caller's to close */
    rf_job_state state;
    const char *error;
} rf_sample_next;
/* The next part that was not sent; parts come in order, each is sent once. */
rf_code rf_sample_next_part(rf_scheduler *s, int64_t user_id, int64_t job_id, rf_arena *arena,
                            rf_sample_next *out, rf_error *err) RF_MUST_CHECK;
/* Part n was sent: its object goes, and the worker may make one more. */
rf_code rf_sample_sent(rf_scheduler *s, int64_t user_id, int64_t job_id, int64_t n,
                       rf_error *err) RF_MUST_CHECK;

#endif
