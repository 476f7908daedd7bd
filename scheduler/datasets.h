/* datasets.h - tables that people upload. scheduler.h says how these functions behave.
 *
 *     RF_TRY(rf_upload_open(&upload, s, me, "people.csv", err));
 *     while (bytes come) RF_TRY(rf_upload_write(upload, data, size, err));
 *     RF_TRY(rf_upload_commit(upload, &idempotency, &arena, &receipt, &dataset, err));
 * out:
 *     rf_upload_close(upload);                         // without a commit nothing is left behind
 *
 * Bytes stream into storage and are hashed on the way. The profile (kinds, statistics, warnings) is a job of its own:
 * the dataset is `profiling` until it is done.
 */
#ifndef RF_SCHEDULER_DATASETS_H
#define RF_SCHEDULER_DATASETS_H

#include "domain/dataset.h"
#include "domain/kind.h"
#include "scheduler/scheduler.h"

typedef struct rf_upload rf_upload;

/* The format follows the name's end: .csv, .tsv, .tab (UNSUPPORTED_TYPE names what is read). The name is kept for people,
 * cut to 255 bytes at its last '/' or '\'; MALFORMED when nothing, control bytes or no UTF-8 is left. */
rf_code rf_upload_open(rf_upload **out, rf_scheduler *s, int64_t user_id, const char *name,
                       rf_error *err) RF_MUST_CHECK;
rf_code rf_upload_write(rf_upload *upload, const void *data, size_t size_bytes, rf_error *err) RF_MUST_CHECK;
int64_t rf_upload_size(const rf_upload *upload);
const char *rf_upload_format(const rf_upload *upload); /* "csv", "tsv" */
/* 64 hex digits, after the last write: part of the hash of an idempotent request. */
rf_code rf_upload_sha256(rf_upload *upload, char out[65], rf_error *err) RF_MUST_CHECK;
/* The dataset and its profile job are on disk. INPUT for an empty file. A request that was made before gives its receipt
 * and the dataset of then; the new bytes go. */
rf_code rf_upload_commit(rf_upload *upload, const rf_idempotency *idempotency, rf_arena *arena,
                         rf_receipt *receipt, rf_dataset *out, rf_error *err) RF_MUST_CHECK;
void rf_upload_close(rf_upload *upload); /* NULL is fine */

/* Reads. */
rf_code rf_dataset_get(rf_scheduler *s, int64_t user_id, int64_t id, rf_arena *arena, rf_dataset *out,
                       rf_error *err) RF_MUST_CHECK;
/* Reads. Newest first, ids below before_id (0: from the newest), without profile and kinds. */
rf_code rf_dataset_list(rf_scheduler *s, int64_t user_id, int64_t before_id, int32_t limit, rf_arena *arena,
                        rf_dataset **out, int32_t *n, rf_error *err) RF_MUST_CHECK;

typedef struct rf_column_kind {
    const char *column;
    rf_kind kind;
} rf_column_kind;
/* Kinds that the owner chooses; those chosen before stay unless named again. The dataset is profiled anew. NOT_READY while it
 * is being profiled, USAGE for a column that it does not have, CONFLICT while jobs use it. */
rf_code rf_dataset_set_kinds(rf_scheduler *s, int64_t user_id, int64_t id, const rf_column_kind *kinds,
                             int32_t n, rf_arena *arena, rf_dataset *out, rf_error *err) RF_MUST_CHECK;
/* With its stored object. CONFLICT while requests that have not ended use it; its profile job is cancelled. */
rf_code rf_dataset_delete(rf_scheduler *s, int64_t user_id, int64_t id, rf_error *err) RF_MUST_CHECK;

#endif
