/* dataset.h - a table that somebody uploaded, and what is made from it. Open records; texts are lent by whoever filled
 * them in (an arena, as a rule). Times are milliseconds since 1970 UTC, 0 is "never". A text that is not there is "".
 */
#ifndef RF_DOMAIN_DATASET_H
#define RF_DOMAIN_DATASET_H

#include <stdint.h>

/* name in the program, name for people */
#define RF_DATASET_STATUS_TABLE(X)                                                                           \
    X(PROFILING, "profiling")                                                                                \
    X(READY, "ready")                                                                                        \
    X(INVALID, "invalid")

typedef enum rf_dataset_status {
#define RF_DATASET_STATUS_ENUM(name, text) RF_DATASET_##name,
    RF_DATASET_STATUS_TABLE(RF_DATASET_STATUS_ENUM)
#undef RF_DATASET_STATUS_ENUM
        RF_DATASET_STATUS_COUNT
} rf_dataset_status;

const char *rf_dataset_status_name(rf_dataset_status status);
int rf_dataset_status_find(const char *name); /* -1: none */

typedef struct rf_dataset {
    int64_t id, user_id;
    const char *name;   /* as uploaded: for people, never a path        */
    const char *format; /* "csv", "tsv"                                  */
    int64_t size_bytes;
    const char *sha256; /* 64 lower-case hex digits                      */
    const char *key;    /* where storage has it; never shown to clients  */
    rf_dataset_status status;
    int64_t n_rows;
    int32_t n_columns;
    const char *profile; /* JSON {"n_rows", "columns", "warnings"}; "" until the profile is there  */
    const char *kinds;   /* JSON {"column": "kind"}: what its owner chose; "" for nothing          */
    const char *error;   /* why it is invalid                                                      */
    int64_t profile_job_id;
    int64_t created_ms, updated_ms;
} rf_dataset;

/* name in the program, name in the database and for people */
#define RF_ARTIFACT_ROLE_TABLE(X)                                                                            \
    X(DATA, "data")                                                                                          \
    X(REPORT_JSON, "report_json")                                                                            \
    X(REPORT_HTML, "report_html")                                                                            \
    X(METADATA, "metadata")

typedef enum rf_artifact_role {
#define RF_ARTIFACT_ROLE_ENUM(name, text) RF_ARTIFACT_##name,
    RF_ARTIFACT_ROLE_TABLE(RF_ARTIFACT_ROLE_ENUM)
#undef RF_ARTIFACT_ROLE_ENUM
        RF_ARTIFACT_ROLE_COUNT
} rf_artifact_role;

const char *rf_artifact_role_name(rf_artifact_role role);
int rf_artifact_role_find(const char *name); /* -1: none */

/* A file that a job made. */
typedef struct rf_artifact {
    int64_t id, user_id, job_id;
    rf_artifact_role role;
    const char *key, *sha256;
    int64_t size_bytes;
    const char *type; /* "text/csv; charset=utf-8" */
    const char *name; /* to download it under       */
    int64_t created_ms;
} rf_artifact;

/* A trained model that was kept. */
typedef struct rf_model_card {
    int64_t id, user_id, job_id, dataset_id;
    const char *model; /* "ctgan" */
    const char *dataset_name;
    const char *key, *sha256;
    int64_t size_bytes;
    int64_t n_rows, n_columns; /* of the table that it learned                    */
    int64_t seed;
    const char *params;  /* JSON: all parameters, finished                        */
    const char *quality; /* JSON: the scores of the report of its request         */
    int64_t created_ms;
} rf_model_card;

#endif
