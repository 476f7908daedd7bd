/* handlers.h - what answers each row of the route table. Each parses, asks the scheduler and replies. */
#ifndef RF_API_HANDLERS_H
#define RF_API_HANDLERS_H

#include "api/reply.h"

struct rf_job_view;

/* operations */
rfi_handler rfi_health, rfi_ready, rfi_metrics;
rfi_handler rfi_openapi, rfi_docs, rfi_redoc, rfi_docs_asset;

/* accounts */
rfi_identify rfi_identify_account;
rfi_handler rfi_register, rfi_login, rfi_refresh, rfi_me, rfi_logout;

/* datasets */
extern const rfi_sink rfi_upload_sink;
rfi_handler rfi_upload, rfi_datasets, rfi_dataset, rfi_dataset_kinds, rfi_dataset_delete;

/* requests and what they left behind */
rfi_handler rfi_start, rfi_requests, rfi_status, rfi_events, rfi_cancel, rfi_download, rfi_report, rfi_file;
rfi_handler rfi_config, rfi_validate;
/* The generation that the path names; NOT_FOUND for another kind of job. user_id 0: an administrator asks. */
rf_code rfi_find_request(rfi_call *call, int64_t user_id, struct rf_job_view *out,
                         rf_error *err) RF_MUST_CHECK;
rf_code rfi_list_requests(rfi_call *call, int64_t user_id, rf_error *err) RF_MUST_CHECK;

/* models */
rfi_handler rfi_models, rfi_model, rfi_model_delete, rfi_sample;

/* administration */
rfi_handler rfi_admin_users, rfi_admin_toggle, rfi_admin_requests, rfi_admin_approve, rfi_admin_reject;
rfi_handler rfi_admin_queues, rfi_admin_pause, rfi_admin_resume, rfi_admin_dead, rfi_admin_retry;
rfi_handler rfi_admin_workers, rfi_admin_drain, rfi_admin_undrain;

#endif
