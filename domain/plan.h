/* plan.h - what a worker is told about a job: all that it needs and nothing that it must look up.
 *
 *     scheduler:  rf_plan plan = {.kind = RF_JOB_PROFILE, .dataset = {.key = key, .sha256 = sum, .name = name}};
 *                 RF_TRY(rf_plan_write(&plan, &text, err));
 *     worker:     RF_TRY(rf_plan_read(&plan, lease.plan, err));
 *                 … plan.dataset.key …
 *                 rf_plan_free(&plan);
 *
 * Everything is decided before a plan is written: parameters are finished (rf_params_finish), seeds drawn. The same
 * plan gives the same bytes on any worker, whenever it is run. docs/queue.md shows the JSON of each kind.
 *
 * Strings are lent by the caller in a plan to be written, and by the plan in one that was read. Reading is strict:
 * a field that is missing, unknown, of another type or out of its range is MALFORMED, with its name. Any thread.
 */
#ifndef RF_DOMAIN_PLAN_H
#define RF_DOMAIN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"
#include "domain/job.h"
#include "domain/kind.h"
#include "domain/params.h"

enum {
    RF_PLAN_BYTES_MAX = 4 << 20, /* a plan as JSON                      */
    RF_OBJECT_KEY_MAX = 512,     /* the name of a stored object         */
    RF_SHA256_HEX = 64,          /* lower-case digits                   */
    RF_NOOP_MS_MAX = 3600 * 1000,
};
#define RF_PLAN_ROWS_MAX INT64_C(1000000000000)

/* A stored object that is to be read, and what its bytes must hash to. */
typedef struct rf_plan_object {
    const char *key;
    const char *sha256; /* RF_SHA256_HEX digits */
} rf_plan_object;

typedef struct rf_plan_kind {
    const char *column; /* its label in the profile */
    rf_kind kind;
} rf_plan_kind;

typedef struct rf_plan_dataset {
    const char *key, *sha256;
    const char *name;   /* as uploaded: for titles and messages, never a path         */
    const char *format; /* "csv", "tsv"                                               */
    int32_t n_kinds;    /* kinds that its owner chose instead of the inferred         */
    const rf_plan_kind *kinds;
} rf_plan_dataset;

/* Every row shall have this value in this column. */
typedef struct rf_plan_condition {
    const char *column, *value;
} rf_plan_condition;

/* Where an earlier attempt stopped. */
typedef struct rf_plan_checkpoint {
    const char *key, *sha256;
    int64_t step;
} rf_plan_checkpoint;

typedef struct rf_plan {
    rf_job_kind kind;
    int64_t timeout_s; /* of this attempt; 0: none                                        */

    rf_plan_dataset dataset; /* profile, generate                                         */

    rf_params params;          /* generate                                                        */
    uint64_t seed;             /* generate, sample: at most INT64_MAX                             */
    int64_t rows;              /* generate, sample: how many to make                              */
    const char *output_format; /* generate: "csv", "tsv"; sample: "csv", "ndjson"          */
    bool include_metadata;     /* generate                                                */
    int32_t n_conditions;      /* generate, sample                                        */
    const rf_plan_condition *conditions;
    bool has_checkpoint; /* generate                                                      */
    rf_plan_checkpoint checkpoint;

    rf_plan_object model; /* sample                                                       */

    int64_t work_ms;    /* noop: how long it takes                                      */
    bool fails;         /* noop: ends as `failure`                                      */
    rf_failure failure; /* noop: CRASH ends the worker's process                        */

    rf_arena arena; /* of rf_plan_read; zero in a plan that is to be written              */
} rf_plan;

/* Appends one line of JSON. USAGE when a field is missing or out of its range: a bug of the caller's, or a limit
 * that was not checked before. NO_MEMORY. */
rf_code rf_plan_write(const rf_plan *plan, rf_buf *out, rf_error *err) RF_MUST_CHECK;
/* MALFORMED, NO_MEMORY. On failure *out needs no freeing. */
rf_code rf_plan_read(rf_plan *out, const char *json, rf_error *err) RF_MUST_CHECK;
void rf_plan_free(rf_plan *plan);

#endif
