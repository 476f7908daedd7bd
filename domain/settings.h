/* settings.h - every setting of the service, in one table.
 *
 * A setting comes from the environment or from a .env file; the environment wins, and an empty value is none. Reading, checking,
 * `rowforge config` and docs/settings.md all follow from RF_SETTING_TABLE. Everything is checked at the start and all faults
 * are told at once; afterwards an rf_settings is only read.
 *
 *     rf_settings settings;
 *     if (rf_settings_load(&settings, environ, &dotenv, &faults, &remarks, err) != RF_OK)
 *         …print each of faults.texts…
 *
 * Threads: loading, one at a time; a loaded one, any.
 */
#ifndef RF_DOMAIN_SETTINGS_H
#define RF_DOMAIN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/dotenv.h"
#include "core/error.h"
#include "core/notes.h"

typedef struct rf_setting_list {
    const char **item;
    int n;
} rf_setting_list;

/* TEXT(field, NAME, default, help)          one line of text; "" is none
 * SECRET(field, NAME, help)                 never printed; NAME_FILE may name a file that holds it
 * CHOICE(field, NAME, default, choices, help)
 * LIST(field, NAME, default, help)          commas between, blanks dropped
 * INT(field, NAME, default, low, high, help)
 * SECONDS(field, NAME, default, low, high, help)   may have a fraction; kept as double
 * FLAG(field, NAME, default, help)          true/false, 1/0, yes/no, on/off
 */
#define RF_SETTING_TABLE(TEXT, SECRET, CHOICE, LIST, INT, SECONDS, FLAG)                                     \
    TEXT(app_name, APP_NAME, "rowforge", "the name in documents and pages")                                  \
    CHOICE(environment, ENVIRONMENT, "development", "development|test|production", "where this runs")        \
    FLAG(debug, DEBUG, false, "log level debug, whatever LOG_LEVEL says; not in production")                 \
    TEXT(host, HOST, "127.0.0.1", "the address to listen on")                                                \
    INT(port, PORT, 8000, 0, 65535, "the port to listen on; 0 takes a free one and says which")              \
    TEXT(data_dir, DATA_DIR, "./rowforge-data",                                                              \
         "the folder of the database, the files and the key; one server a folder")                           \
    TEXT(database_url, DATABASE_URL, "",                                                                     \
         "sqlite:///path (three slashes relative, four absolute); by default rowforge.db in DATA_DIR")       \
    CHOICE(database_synchronous, DATABASE_SYNCHRONOUS, "normal", "normal|full",                              \
           "full waits for the disk at each commit: a power cut loses nothing")                              \
    TEXT(redis_url, REDIS_URL, "", "not in this version: the queue is inside the process")                   \
    TEXT(supabase_url, SUPABASE_URL, "", "not in this version: files are kept under DATA_DIR")               \
    SECRET(supabase_key, SUPABASE_KEY, "not in this version")                                                \
    TEXT(supabase_bucket, SUPABASE_BUCKET_NAME, "", "not in this version")                                   \
    SECRET(secret_key, SECRET_KEY,                                                                           \
           "signs tokens and URLs, at least 32 characters; made and kept in DATA_DIR when absent")           \
    CHOICE(algorithm, ALGORITHM, "HS256", "HS256", "how access tokens are signed")                           \
    INT(access_minutes, ACCESS_TOKEN_EXPIRE_MINUTES, 30, 1, 1440, "life of an access token")                 \
    INT(refresh_days, REFRESH_TOKEN_EXPIRE_DAYS, 7, 1, 365, "life of a refresh token")                       \
    INT(password_cost, PASSWORD_COST, 12, 4, 16,                                                             \
        "bcrypt rounds as a power of two; less than 10 is for tests")                                        \
    INT(max_file_mb, MAX_FILE_SIZE_MB, 500, 1, 1048576, "largest upload")                                    \
    INT(max_request_mb, MAX_REQUEST_SIZE_MB, 100, 1, 1024, "largest body of other requests")                 \
    LIST(file_types, SUPPORTED_FILE_TYPES, "csv,tsv", "what may be uploaded: csv, tsv")                      \
    INT(default_sample_size, DEFAULT_SAMPLE_SIZE, 1000, 1, 1000000000,                                       \
        "rows of a generation that names none")                                                              \
    INT(min_sample_size, MIN_SAMPLE_SIZE, 100, 1, 1000000000, "fewest rows of a generation")                 \
    INT(max_sample_size, MAX_SAMPLE_SIZE, 100000, 1, 1000000000, "most rows of a generation")                \
    INT(default_epochs, DEFAULT_EPOCHS, 100, 1, 1000000, "epochs when only batch_size was given")            \
    INT(min_epochs, MIN_EPOCHS, 10, 1, 1000000, "fewest epochs of a generation")                             \
    INT(max_epochs, MAX_EPOCHS, 500, 1, 1000000, "most epochs of a generation")                              \
    INT(max_concurrent, MAX_CONCURRENT_GENERATIONS, 5, 1, 10000, "running jobs of one user")                 \
    INT(max_queued, MAX_QUEUED_GENERATIONS, 200, 1, 1000000,                                                 \
        "jobs of one user that have not ended; more are refused")                                            \
    INT(job_seconds, REQUEST_TIMEOUT_SECONDS, 3600, 1, 2592000,                                              \
        "longest time of an attempt; not of a sample")                                                       \
    FLAG(require_approval, REQUIRE_APPROVAL, false, "an admin approves each generation before it is queued") \
    INT(optimization_trials, DEFAULT_OPTIMIZATION_TRIALS, 20, 1, 10000,                                      \
        "trials of a search; no searches in this version")                                                   \
    INT(max_optimization_trials, MAX_OPTIMIZATION_TRIALS, 100, 1, 10000,                                     \
        "most trials of a search; no searches in this version")                                              \
    INT(optimization_hours, OPTIMIZATION_TIMEOUT_HOURS, 24, 1, 720,                                          \
        "longest time of a search; no searches in this version")                                             \
    INT(workers, WORKERS, 1, 0, 64, "worker processes that serve starts")                                    \
    INT(worker_threads, WORKER_THREADS, 0, 0, 1024, "threads of a worker; 0: all processors")                \
    TEXT(worker_device, WORKER_DEVICE, "auto", "what workers compute on: auto, cpu, cuda or cuda:N")               \
    TEXT(docs_dir, DOCS_DIR, "",                                                                             \
         "Swagger UI and ReDoc as `script/bootstrap --docs` fetched them; by default beside the program, "   \
         "if they are there")                                                                                \
    SECONDS(checkpoint_s, CHECKPOINT_SECONDS, 10, 0.01, 3600, "time between two checkpoints of a training")  \
    SECONDS(lease_s, LEASE_SECONDS, 30, 0.2, 3600, "a worker that is silent for so long has lost its job")   \
    SECONDS(beat_s, BEAT_SECONDS, 10, 0.05, 1200, "time between two signs of life of a worker")              \
    SECONDS(reap_s, REAP_SECONDS, 5, 0.05, 600, "time between two looks for lost jobs")                      \
    SECONDS(reconcile_s, RECONCILE_SECONDS, 30, 0.2, 3600,                                                   \
            "time between two comparisons of queue and database")                                            \
    SECONDS(relay_s, RELAY_SECONDS, 1, 0.05, 60,                                                             \
            "a submitted job that was not offered is offered after so long")                                 \
    SECONDS(drain_s, DRAIN_SECONDS, 120, 0, 3600,                                                            \
            "how long the end waits for running jobs before it gives them back")                             \
    SECONDS(cancel_grace_s, CANCEL_GRACE_SECONDS, 30, 0.1, 3600,                                             \
            "a worker that does not let go of a cancelled job by then is fenced")                            \
    INT(max_attempts, MAX_ATTEMPTS, 5, 1, 100, "attempts of a job before it is dead")                        \
    INT(max_crashes, MAX_CRASHES, 3, 1, 100, "workers that may die of a job before it is dead")              \
    SECONDS(retry_base_s, RETRY_BASE_SECONDS, 2, 0.01, 600,                                                  \
            "first delay of a retry; doubled each time, drawn from 0 to that")                               \
    SECONDS(retry_cap_s, RETRY_CAP_SECONDS, 600, 0.01, 86400, "longest delay of a retry")                    \
    SECONDS(ageing_s, AGEING_SECONDS, 60, 0.1, 86400, "a waiting job gains one priority in so long")         \
    INT(retention_days, RETENTION_DAYS, 30, 1, 3650, "ended jobs and their files are kept so long")          \
    INT(temporary_hours, TEMPORARY_HOURS, 24, 1, 720,                                                        \
        "left-over temporary files and idempotency keys are kept so long")                                   \
    SECONDS(sweep_s, SWEEP_SECONDS, 600, 0.2, 86400, "time between two cleanings")                           \
    SECONDS(signed_url_s, SIGNED_URL_SECONDS, 300, 1, 3600, "life of a temporary download URL")              \
    FLAG(rate_limit, RATE_LIMIT_ENABLED, true, "limits on requests a minute")                                \
    INT(rate_register, RATE_LIMIT_REGISTER, 30, 1, 1000000, "registrations a minute from one address")       \
    INT(rate_login, RATE_LIMIT_LOGIN, 60, 1, 1000000, "logins a minute from one address")                    \
    INT(rate_login_failures, RATE_LIMIT_LOGIN_FAILURES, 10, 1, 1000000,                                      \
        "failed logins a minute for one account")                                                            \
    INT(rate_refresh, RATE_LIMIT_REFRESH, 60, 1, 1000000, "refreshes a minute from one address")             \
    INT(rate_upload, RATE_LIMIT_UPLOAD, 60, 1, 1000000, "uploads a minute by one user")                      \
    INT(rate_start, RATE_LIMIT_START, 120, 1, 1000000, "started jobs a minute by one user")                  \
    LIST(cors_origins, CORS_ORIGINS, "",                                                                     \
         "origins whose pages may call this service, as https://example.com")                                \
    LIST(allowed_hosts, ALLOWED_HOSTS, "*",                                                                  \
         "names that this service answers to; *.example.com is any name below")                              \
    INT(http_threads, HTTP_THREADS, 2, 1, 64, "threads that serve connections")                              \
    INT(blocking_threads, BLOCKING_THREADS, 4, 1, 64,                                                        \
        "threads for what waits: passwords, writes to the database, files")                                  \
    INT(max_connections, MAX_CONNECTIONS, 1000, 1, 100000, "open connections")                               \
    INT(max_connections_address, MAX_CONNECTIONS_PER_ADDRESS, 200, 1, 100000,                                \
        "open connections from one address")                                                                 \
    SECONDS(header_s, HEADER_TIMEOUT_SECONDS, 10, 0.1, 600, "a request's header must arrive within this")    \
    SECONDS(body_s, BODY_TIMEOUT_SECONDS, 15, 0.1, 3600,                                                     \
            "a request's body must arrive within this, uploads excepted")                                    \
    SECONDS(idle_s, IDLE_TIMEOUT_SECONDS, 60, 0.1, 3600,                                                     \
            "a connection without a request is closed after this")                                           \
    INT(upload_rate, UPLOAD_MIN_BYTES_PER_SECOND, 16384, 0, 1073741824,                                      \
        "slower uploads are cut, averaged after ten seconds")                                                \
    SECONDS(upload_s, UPLOAD_TIMEOUT_SECONDS, 3600, 0.1, 86400, "longest time of an upload")                 \
    INT(download_rate, DOWNLOAD_MIN_BYTES_PER_SECOND, 4096, 0, 1073741824,                                   \
        "slower readers of replies are cut, averaged over a minute")                                         \
    INT(streams_user, MAX_EVENT_STREAMS_PER_USER, 5, 1, 10000, "open event streams of one user")             \
    INT(streams, MAX_EVENT_STREAMS, 500, 1, 100000, "open event streams")                                    \
    SECONDS(ping_s, EVENT_PING_SECONDS, 15, 0.1, 600, "a silent event stream says something after this")     \
    CHOICE(log_level, LOG_LEVEL, "info", "debug|info|warning|error", "what is less important is not logged") \
    TEXT(log_path, LOG_FILE_PATH, "", "a file for the log; standard error when absent")                      \
    INT(log_rotate_mb, LOG_ROTATION_SIZE_MB, 10, 1, 102400, "a log file of this size moves aside")           \
    INT(log_backups, LOG_BACKUP_COUNT, 5, 0, 1000, "log files that moved aside and are kept")                \
    FLAG(access_log, ACCESS_LOG, true, "a log line for each request")                                        \
    FLAG(metrics, METRICS_ENABLED, true, "/metrics")                                                         \
    SECRET(metrics_token, METRICS_TOKEN, "when set, /metrics wants it as a bearer token")                    \
    FLAG(performance, PERFORMANCE_MONITORING, true, "latency histograms in /metrics")                        \
    FLAG(push, ENABLE_PUSH_NOTIFICATIONS, false, "not in this version")                                      \
    TEXT(push_url, PUSH_URL, "", "not in this version")                                                      \
    INT(notification_batch, NOTIFICATION_BATCH_SIZE, 100, 1, 10000, "not in this version")

typedef enum rf_setting_id {
#define RF_SETTING_ENUM(field, NAME, ...) RF_SET_##NAME,
    RF_SETTING_TABLE(RF_SETTING_ENUM, RF_SETTING_ENUM, RF_SETTING_ENUM, RF_SETTING_ENUM, RF_SETTING_ENUM,
                     RF_SETTING_ENUM, RF_SETTING_ENUM)
#undef RF_SETTING_ENUM
        RF_SETTING_COUNT
} rf_setting_id;

/* Where a value came from. */
typedef enum rf_setting_origin {
    RF_FROM_DEFAULT,
    RF_FROM_FILE,
    RF_FROM_ENVIRONMENT,
} rf_setting_origin;

typedef struct rf_settings {
    rf_arena arena;
    rf_setting_origin origin[RF_SETTING_COUNT];
    const char
        *database_path; /* the file behind DATABASE_URL; relative to the working directory or absolute */
#define RF_SETTING_TEXT(field, ...)    const char *field;
#define RF_SETTING_LIST(field, ...)    rf_setting_list field;
#define RF_SETTING_INT(field, ...)     int64_t field;
#define RF_SETTING_SECONDS(field, ...) double field;
#define RF_SETTING_FLAG(field, ...)    bool field;
    RF_SETTING_TABLE(RF_SETTING_TEXT, RF_SETTING_TEXT, RF_SETTING_TEXT, RF_SETTING_LIST, RF_SETTING_INT,
                     RF_SETTING_SECONDS, RF_SETTING_FLAG)
#undef RF_SETTING_TEXT
#undef RF_SETTING_LIST
#undef RF_SETTING_INT
#undef RF_SETTING_SECONDS
#undef RF_SETTING_FLAG
} rf_settings;

/* Reads and checks everything. `environment` is a list like environ; `file` may be NULL. Each fault is a sentence in `faults` that names
 * its variable, and USAGE is returned when there is one (its message is the first). `remarks` (may be NULL) takes what is worth saying:
 * names in the file that are no settings. Free with rf_settings_free in any case. */
rf_code rf_settings_load(rf_settings *out, char *const *environment, const rf_dotenv *file, rf_notes *faults,
                         rf_notes *remarks, rf_error *err) RF_MUST_CHECK;

/* All defaults; for tests. */
rf_code rf_settings_default(rf_settings *out, rf_error *err) RF_MUST_CHECK;
void rf_settings_free(rf_settings *settings);

/* What a child process is given: NAME=value for each setting that is no secret and was given by somebody, and all of `environment` that is
 * no setting; NULL at the end; in the settings' arena. */
rf_code rf_settings_environment(rf_settings *settings, char *const *environment, char ***out,
                                rf_error *err) RF_MUST_CHECK;

/* Milliseconds of a SECONDS field, rounded. */
int64_t rf_settings_ms(double seconds);

/* What `rowforge config` prints: one NAME=value a line with its origin; or one JSON object {"NAME": {"value", "origin"}}. A secret is
 * "(hidden)", or "(not set)". */
void rf_settings_text(const rf_settings *settings, rf_buf *out);
void rf_settings_json(const rf_settings *settings, rf_buf *out);

/* The table of docs/settings.md: one "| `NAME` | default | values | help |" a line. */
void rf_settings_reference(rf_buf *out);

#endif
