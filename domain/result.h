/* result.h - the bodies of events: what a worker reports, kind by kind (event.h).
 *
 *     worker:     RF_TRY(rf_result_write_part(&part, &body, err));      →  event.body
 *     scheduler:  RF_TRY(rf_result_read_part(&part, &arena, event.body, err));
 *
 * Strings are lent by the caller when writing; when reading they are in the caller's arena. Reading is strict, as in
 * plan.h: MALFORMED names the field. A number that does not exist is NaN here and null there. Any thread.
 */
#ifndef RF_DOMAIN_RESULT_H
#define RF_DOMAIN_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"
#include "domain/job.h"
#include "domain/plan.h"

enum {
    RF_RESULT_BYTES_MAX = 8 << 20, /* a body as JSON                                            */
    RF_PART_BYTES_MAX = 4 << 20,   /* of a sample                                               */
    RF_PARTS_UNSENT_MAX = 8,       /* then the worker waits for rf_queue_credit                 */
};

/* An object that the worker has stored. */
typedef struct rf_stored {
    const char *key;
    const char *sha256; /* RF_SHA256_HEX digits */
    int64_t size_bytes;
} rf_stored;

/* started: {"device": "cpu, 2 threads, AVX2"} */
typedef struct rf_result_started {
    const char *device;
} rf_result_started;

typedef struct rf_result_progress {
    const char *phase;     /* "read", "transform", "train", "sample", "judge", "store"          */
    int64_t epoch, epochs; /* finished and all; 0 and 0 where there are none                */
    double percent;        /* of the whole job, 0..100                                      */
    double eta_s;          /* NaN: not known                                                */
    double generator_loss, discriminator_loss;
} rf_result_progress;

typedef struct rf_result_checkpoint {
    const char *key;
    const char *sha256;
    int64_t step, size_bytes;
} rf_result_checkpoint;

/* Parts are numbered from 0, and each ends with a whole row. */
typedef struct rf_result_part {
    int64_t n, rows;
    const char *key;
    const char *sha256;
    int64_t size_bytes;
} rf_result_part;

typedef struct rf_result_failure {
    rf_failure failure;
    const char *message; /* for the person who asked: one sentence          */
    const char *detail;  /* for the log; may be ""                          */
} rf_result_failure;

typedef struct rf_result_released {
    bool cancelled;     /* because a beat said so                           */
    const char *reason; /* "cancelled", "drained", "fenced", …              */
} rf_result_released;

/* The scores of the report that a status shows; 0..1, NaN where undefined. */
typedef struct rf_result_quality {
    double overall, column_shapes, column_pair_trends; /* SDMetrics' gate on pairs             */
    double data_validity, data_structure;
    double copies; /* share of rows that are exact copies of a real one                        */
} rf_result_quality;

/* done, by kind of job */
typedef struct rf_result_done {
    rf_job_kind kind;

    /* profile: what was found. `profile_json` is the document of engine/table/profile.h ({"n_rows", "columns",
     * "warnings"}) with long values cut, so that it fits a row of the database; its three parts are also here. */
    int64_t n_rows;
    int32_t n_columns;
    const char *profile_json;

    /* generate, sample */
    int64_t rows;

    /* generate */
    rf_stored data, model, report_json, report_html;
    bool has_metadata;
    rf_stored metadata;
    rf_result_quality quality;
    double train_s, sample_s;
    double generator_loss, discriminator_loss; /* the last */

    /* sample */
    int64_t parts;
} rf_result_done;

rf_code rf_result_write_started(const rf_result_started *from, rf_buf *out, rf_error *err) RF_MUST_CHECK;
rf_code rf_result_write_progress(const rf_result_progress *from, rf_buf *out, rf_error *err) RF_MUST_CHECK;
rf_code rf_result_write_checkpoint(const rf_result_checkpoint *from, rf_buf *out,
                                   rf_error *err) RF_MUST_CHECK;
rf_code rf_result_write_part(const rf_result_part *from, rf_buf *out, rf_error *err) RF_MUST_CHECK;
rf_code rf_result_write_failure(const rf_result_failure *from, rf_buf *out, rf_error *err) RF_MUST_CHECK;
rf_code rf_result_write_released(const rf_result_released *from, rf_buf *out, rf_error *err) RF_MUST_CHECK;
rf_code rf_result_write_done(const rf_result_done *from, rf_buf *out, rf_error *err) RF_MUST_CHECK;

rf_code rf_result_read_started(rf_result_started *out, rf_arena *arena, const char *json,
                               rf_error *err) RF_MUST_CHECK;
rf_code rf_result_read_progress(rf_result_progress *out, rf_arena *arena, const char *json,
                                rf_error *err) RF_MUST_CHECK;
rf_code rf_result_read_checkpoint(rf_result_checkpoint *out, rf_arena *arena, const char *json,
                                  rf_error *err) RF_MUST_CHECK;
rf_code rf_result_read_part(rf_result_part *out, rf_arena *arena, const char *json,
                            rf_error *err) RF_MUST_CHECK;
rf_code rf_result_read_failure(rf_result_failure *out, rf_arena *arena, const char *json,
                               rf_error *err) RF_MUST_CHECK;
rf_code rf_result_read_released(rf_result_released *out, rf_arena *arena, const char *json,
                                rf_error *err) RF_MUST_CHECK;
/* The kind that the body names is in out->kind: compare it with the job's. */
rf_code rf_result_read_done(rf_result_done *out, rf_arena *arena, const char *json,
                            rf_error *err) RF_MUST_CHECK;

#endif
