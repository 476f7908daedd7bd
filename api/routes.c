/* The route table. Who may call is said in each row; a row that does not say is for administrators.
 * Where a fixed word and a {name} could both match, the fixed word stands first. */
#include "api/handlers.h"
#include "api/server_internal.h"
#include "api/shapes.h"
#include "core/log.h"
#include "scheduler/jobs.h"

#define ROW(method_, path_, name_, tag_, summary_)                                                           \
    .method = RFI_##method_, .path = path_, .name = name_, .tag = tag_, .summary = summary_
#define FOR_ANYONE .role = RFI_ROLE_ANYONE
#define FOR_USERS  .role = RFI_ROLE_USER
#define FOR_ADMINS .role = RFI_ROLE_ADMIN
#define TAKES_JSON .body = RFI_BODY_JSON

static const rfi_route rows[] = {
    /* ---- accounts */
    {ROW(POST, "/auth/register", "register", "accounts", "Make an account"), FOR_ANYONE, TAKES_JSON,
     .rate = RFI_RATE_REGISTER, .handler = rfi_register, .request = &rfi_shape_register,
     .reply = &rfi_shape_user, .status = 201, .fails = RFI_FAILS(CONFLICT)},
    {ROW(POST, "/auth/login", "login", "accounts", "Log in"), FOR_ANYONE, TAKES_JSON, .rate = RFI_RATE_LOGIN,
     .handler = rfi_login, .request = &rfi_shape_login, .reply = &rfi_shape_tokens,
     .fails = RFI_FAILS(UNAUTHENTICATED) | RFI_FAILS(RATE_LIMITED),
     .notes = "After several failures an account answers 429 until a minute is over."},
    {ROW(POST, "/auth/refresh", "refresh", "accounts", "Exchange the refresh token for new tokens"),
     FOR_ANYONE, TAKES_JSON, .rate = RFI_RATE_REFRESH, .handler = rfi_refresh, .request = &rfi_shape_refresh,
     .reply = &rfi_shape_tokens, .fails = RFI_FAILS(UNAUTHENTICATED),
     .notes = "A refresh token is good once. One that is used twice ends the whole session."},
    {ROW(GET, "/auth/me", "me", "accounts", "Who am I"), FOR_USERS, .run = RFI_FAST, .handler = rfi_me,
     .reply = &rfi_shape_user},
    {ROW(POST, "/auth/logout", "logout", "accounts", "End this session"), FOR_USERS, .handler = rfi_logout},

    /* ---- datasets */
    {ROW(POST, "/upload/dataset", "upload", "datasets", "Upload a table"), FOR_USERS,
     .body = RFI_BODY_MULTIPART, .rate = RFI_RATE_UPLOAD, .idempotent = true, .handler = rfi_upload,
     .sink = &rfi_upload_sink, .reply = &rfi_shape_uploaded, .status = 202,
     .fails = RFI_FAILS(VALIDATION_ERROR),
     .notes = "One file as the form field `file`: CSV or TSV. It is validated, typed and profiled by a job "
              "of its own; the "
              "dataset is `profiling` until then."},
    {ROW(GET, "/upload/datasets", "datasets", "datasets", "My datasets"), FOR_USERS, .run = RFI_FAST,
     .handler = rfi_datasets, .query = rfi_query_page, .reply = &rfi_shape_datasets},
    {ROW(GET, "/upload/datasets/{id}", "dataset", "datasets", "A dataset with its columns and warnings"),
     FOR_USERS, .handler = rfi_dataset, .reply = &rfi_shape_dataset}, /* of ten thousand columns: 0.3 s */
    {ROW(DELETE, "/upload/datasets/{id}", "deleteDataset", "datasets",
         "Delete a dataset and its stored table"),
     FOR_USERS, .handler = rfi_dataset_delete, .fails = RFI_FAILS(CONFLICT)},
    {ROW(PUT, "/upload/datasets/{id}/columns", "setColumnTypes", "datasets", "Choose the types of columns"),
     FOR_USERS, TAKES_JSON, .body_max_bytes = 1 << 20, .handler = rfi_dataset_kinds,
     .request = &rfi_shape_kinds, .reply = &rfi_shape_dataset,
     .fails = RFI_FAILS(CONFLICT) | RFI_FAILS(NOT_READY),
     .notes = "Types chosen before stay unless they are named again. The profile is made anew."},

    /* ---- generation */
    {ROW(POST, "/generation/start", "start", "generation", "Ask for synthetic rows"), FOR_USERS, TAKES_JSON,
     .rate = RFI_RATE_START, .idempotent = true, .handler = rfi_start, .request = &rfi_shape_start,
     .reply = &rfi_shape_started, .status = 202,
     .fails = RFI_FAILS(NOT_FOUND) | RFI_FAILS(NOT_AVAILABLE) | RFI_FAILS(CONFLICT),
     .notes = "The dataset may still be profiling. A seed that is left out is drawn and kept."},
    {ROW(GET, "/generation/requests", "requests", "generation", "My requests"), FOR_USERS, .run = RFI_FAST,
     .handler = rfi_requests, .query = rfi_query_requests, .reply = &rfi_shape_requests},
    {ROW(DELETE, "/generation/requests/{id}", "cancel", "generation", "Cancel a request"), FOR_USERS,
     .handler = rfi_cancel, .fails = RFI_FAILS(CONFLICT),
     .notes = "A running job stops within two seconds; its status says `cancelled` then."},
    {ROW(GET, "/generation/status/{id}", "status", "generation", "How far a request is"), FOR_USERS,
     .run = RFI_FAST, .handler = rfi_status, .reply = &rfi_shape_status},
    {ROW(GET, "/generation/events/{id}", "events", "generation", "The same as Server-Sent Events"), FOR_USERS,
     .handler = rfi_events, .other_types = "text/event-stream", .fails = RFI_FAILS(RATE_LIMITED),
     .notes = "`event: status` with the object of the status, live, then `event: end`. Last-Event-ID goes on "
              "behind the "
              "event that it names; 204 when all was told."},
    {ROW(GET, "/generation/download/{id}", "download", "generation", "The synthetic rows"), FOR_USERS,
     .handler = rfi_download, .query = rfi_query_download, .reply = &rfi_shape_link,
     .other_types = "text/csv; charset=utf-8, text/tab-separated-values; charset=utf-8",
     .fails = RFI_FAILS(NOT_READY) | RFI_FAILS(RANGE_NOT_SATISFIABLE),
     .notes = "A temporary address that needs no login, or with `inline=1` the bytes."},
    {ROW(GET, "/generation/report/{id}", "report", "generation", "The quality report"), FOR_USERS,
     .handler = rfi_report, .reply = &rfi_shape_report, .other_types = "text/html",
     .fails = RFI_FAILS(NOT_READY) | RFI_FAILS(RANGE_NOT_SATISFIABLE) | RFI_FAILS(TOO_LARGE),
     .notes = "JSON, or a page with `Accept: text/html`."},
    {ROW(POST, "/generation-v2/start", "startAdvanced", "generation",
         "Ask for synthetic rows, with conditions"),
     FOR_USERS, TAKES_JSON, .rate = RFI_RATE_START, .idempotent = true, .handler = rfi_start,
     .request = &rfi_shape_start_v2, .reply = &rfi_shape_started, .status = 202,
     .fails = RFI_FAILS(NOT_FOUND) | RFI_FAILS(NOT_AVAILABLE) | RFI_FAILS(CONFLICT)},
    {ROW(GET, "/generation-v2/config", "config", "generation", "Every parameter with its default and range"),
     FOR_USERS, .run = RFI_FAST, .handler = rfi_config, .reply = &rfi_shape_config},
    {ROW(POST, "/generation-v2/validate", "validate", "generation", "Check a request and estimate its cost"),
     FOR_USERS, TAKES_JSON, .handler = rfi_validate, .request = &rfi_shape_start_v2,
     .reply = &rfi_shape_validated,
     .fails = RFI_FAILS(NOT_FOUND) | RFI_FAILS(NOT_AVAILABLE) | RFI_FAILS(RATE_LIMITED),
     .notes = "Nothing is started. The cost is an estimate for two processor cores."},

    /* ---- models */
    {ROW(GET, "/models", "models", "models", "My trained models"), FOR_USERS, .run = RFI_FAST,
     .handler = rfi_models, .query = rfi_query_page, .reply = &rfi_shape_models},
    {ROW(GET, "/models/{id}", "model", "models", "A trained model"), FOR_USERS, .run = RFI_FAST,
     .handler = rfi_model, .reply = &rfi_shape_model},
    {ROW(DELETE, "/models/{id}", "deleteModel", "models", "Delete a trained model"), FOR_USERS,
     .handler = rfi_model_delete, .fails = RFI_FAILS(CONFLICT)},
    {ROW(POST, "/models/{id}/sample", "sample", "models", "Make rows from a trained model"), FOR_USERS,
     TAKES_JSON, .rate = RFI_RATE_START, .idempotent = true, .handler = rfi_sample,
     .request = &rfi_shape_sample, .other_types = "text/csv; charset=utf-8, application/x-ndjson",
     .fails = RFI_FAILS(NOT_AVAILABLE),
     .notes =
         "Rows are sent while they are made, any number of them. A client that leaves ends the work. With an "
         "Idempotency-Key the same request gives the same rows."},

    /* ---- files */
    {ROW(GET, "/files/{token}", "file", "files", "A temporary address"), FOR_ANYONE, .handler = rfi_file,
     .other_types = "application/octet-stream",
     .fails = RFI_FAILS(FORBIDDEN) | RFI_FAILS(RANGE_NOT_SATISFIABLE)},

    /* ---- administration */
    {ROW(GET, "/admin/users", "adminUsers", "administration", "All users"), FOR_ADMINS, .run = RFI_FAST,
     .handler = rfi_admin_users, .query = rfi_query_page, .reply = &rfi_shape_users},
    {ROW(POST, "/admin/users/{id}/toggle", "adminToggleUser", "administration", "Disable or enable a user"),
     FOR_ADMINS, .handler = rfi_admin_toggle, .reply = &rfi_shape_listed_user, .fails = RFI_FAILS(CONFLICT),
     .notes = "Tokens of a disabled user stop at once."},
    {ROW(GET, "/admin/requests", "adminRequests", "administration", "All requests"), FOR_ADMINS,
     .run = RFI_FAST, .handler = rfi_admin_requests, .query = rfi_query_requests,
     .reply = &rfi_shape_requests},
    {ROW(POST, "/admin/approve/{id}", "adminApprove", "administration", "Let a request begin"), FOR_ADMINS,
     .handler = rfi_admin_approve, .reply = &rfi_shape_status, .fails = RFI_FAILS(CONFLICT)},
    {ROW(POST, "/admin/reject/{id}", "adminReject", "administration", "Refuse a request"), FOR_ADMINS,
     TAKES_JSON, .body_optional = true, .handler = rfi_admin_reject, .request = &rfi_shape_reject,
     .reply = &rfi_shape_status, .fails = RFI_FAILS(CONFLICT)},
    {ROW(GET, "/admin/workers", "adminWorkers", "administration", "The workers"), FOR_ADMINS,
     .handler = rfi_admin_workers, .reply = &rfi_shape_workers},
    {ROW(POST, "/admin/workers/{id}/drain", "adminDrainWorker", "administration",
         "Let a worker end its job and rest"),
     FOR_ADMINS, .handler = rfi_admin_drain},
    {ROW(POST, "/admin/workers/{id}/resume", "adminResumeWorker", "administration",
         "Let a worker take jobs again"),
     FOR_ADMINS, .handler = rfi_admin_undrain},
    {ROW(GET, "/admin/queues", "adminQueues", "administration", "The queues"), FOR_ADMINS,
     .handler = rfi_admin_queues, .reply = &rfi_shape_queues},
    {ROW(GET, "/admin/queues/dead", "adminDead", "administration", "Jobs that failed for good"), FOR_ADMINS,
     .run = RFI_FAST, .handler = rfi_admin_dead, .query = rfi_query_page, .reply = &rfi_shape_dead},
    {ROW(POST, "/admin/queues/dead/{id}/retry", "adminRetryDead", "administration", "Try a failed job again"),
     FOR_ADMINS, .handler = rfi_admin_retry, .fails = RFI_FAILS(CONFLICT)},
    {ROW(POST, "/admin/queues/{name}/pause", "adminPauseQueue", "administration", "Start no job of a queue"),
     FOR_ADMINS, .handler = rfi_admin_pause, .notes = "A class of worker, or `all`."},
    {ROW(POST, "/admin/queues/{name}/resume", "adminResumeQueue", "administration",
         "Start jobs of a queue again"),
     FOR_ADMINS, .handler = rfi_admin_resume},

    /* ---- operations */
    {ROW(GET, "/health", "health", "operations", "Is it alive"), FOR_ANYONE, .run = RFI_FAST,
     .handler = rfi_health, .reply = &rfi_shape_health},
    {ROW(GET, "/ready", "ready", "operations", "Do its dependencies answer"), FOR_ANYONE,
     .handler = rfi_ready, .reply = &rfi_shape_readiness},
    {ROW(GET, "/metrics", "metrics", "operations", "Numbers for Prometheus"), FOR_ANYONE,
     .handler = rfi_metrics, .other_types = "text/plain; version=0.0.4; charset=utf-8",
     .fails = RFI_FAILS(UNAUTHENTICATED) | RFI_FAILS(NOT_FOUND)},
    {ROW(GET, "/openapi.json", "openapi", "documentation", "This description"), FOR_ANYONE, .run = RFI_FAST,
     .handler = rfi_openapi, .is_raw_json = true},
    {ROW(GET, "/docs", "docs", "documentation", "This description, for people"), FOR_ANYONE, .run = RFI_FAST,
     .handler = rfi_docs, .other_types = "text/html; charset=utf-8"},
    {ROW(GET, "/redoc", "redoc", "documentation", "This description, for people"), FOR_ANYONE,
     .run = RFI_FAST, .handler = rfi_redoc, .other_types = "text/html; charset=utf-8"},
    {ROW(GET, "/docs/{file}", "docsFile", "documentation", "Parts of the pages"), FOR_ANYONE, .run = RFI_FAST,
     .handler = rfi_docs_asset, .other_types = "text/css, text/javascript, image/png"},
};

static const rfi_routes all = {rows, sizeof rows / sizeof *rows, rfi_identify_account};

const rfi_routes *rfi_service_routes(void)
{
    return &all;
}

static void forget_jobs(rf_server *server)
{
    rf_error err = {0};
    if (rf_job_events_listen(server->scheduler, NULL, NULL, &err) != RF_OK)
        rf_log_failure(RF_LOG_WARNING, "api", &err);
}

static rf_code listen_to_jobs(rf_server *server, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_job_events_listen(server->scheduler, rfi_watch_tell, server->watch, err));
    server->forget = forget_jobs;
out:
    return rc;
}

rf_code rf_server_open(rf_server **out, const rf_server_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_server_open_routes(out, options, &all, err));
    if (options->scheduler)
        rc = listen_to_jobs(*out, err);
    if (rc != RF_OK) {
        rf_server_close(*out);
        *out = NULL;
    }
out:
    return rc;
}
