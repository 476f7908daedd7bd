/* For those who run the service. */
#include "api/handlers.h"
#include "api/present.h"
#include "api/server_internal.h"
#include "scheduler/accounts.h"
#include "scheduler/admin.h"

/* ---- users ------------------------------------------------------------------------------------ */

rf_code rfi_admin_users(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t before_id;
    int32_t limit, n = 0;
    rf_user *list = NULL;
    RF_TRY(rfi_page_begin(call, &before_id, &limit, err));
    RF_TRY(rf_account_list(call->server->accounts, before_id, limit, &call->arena, &list, &n, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_key(data, "items");
    rfi_json_open(data, '[');
    for (int32_t i = 0; i < n; i++)
        rfi_put_user(data, &list[i], true);
    rfi_page_end(data, n, limit, n > 0 ? list[n - 1].id : 0);
    rc = rfi_data_end(call, 200, "users", err);
out:
    return rc;
}

rf_code rfi_admin_toggle(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_user user;
    RF_TRY(rf_account_toggle(call->server->accounts, call->who.user_id, rfi_path_id(call), &call->arena,
                             &user, err));
    rfi_put_user(rfi_data_begin(call), &user, true);
    rc = rfi_data_end(call, 200, user.disabled ? "the user is disabled" : "the user is enabled", err);
out:
    return rc;
}

/* ---- requests --------------------------------------------------------------------------------- */

rf_code rfi_admin_requests(rfi_call *call, rf_error *err)
{
    return rfi_list_requests(call, 0, err);
}

static rf_code reply_request(rfi_call *call, const char *message, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_job_view view;
    RF_TRY(rfi_find_request(call, 0, &view, err));
    rfi_put_status(rfi_data_begin(call), &view, true);
    rc = rfi_data_end(call, 200, message, err);
out:
    return rc;
}

rf_code rfi_admin_approve(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_admin_approve(call->server->scheduler, call->who.user_id, rfi_path_id(call), err));
    rc = reply_request(call, "approved", err);
out:
    return rc;
}

rf_code rfi_admin_reject(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_admin_reject(call->server->scheduler, call->who.user_id, rfi_path_id(call),
                           rfi_body_text(call, "reason", ""), err));
    rc = reply_request(call, "rejected", err);
out:
    return rc;
}

/* ---- queues ----------------------------------------------------------------------------------- */

rf_code rfi_admin_queues(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_queue_view *list = NULL;
    int32_t n = 0;
    RF_TRY(rf_admin_queues(call->server->scheduler, &call->arena, &list, &n, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_key(data, "items");
    rfi_json_open(data, '[');
    for (int32_t i = 0; i < n; i++) {
        rfi_json_open(data, '{');
        rfi_json_put_text(data, "name", list[i].depth.need);
        rfi_json_put_int(data, "waiting", list[i].depth.waiting);
        rfi_json_put_int(data, "delayed", list[i].depth.delayed);
        rfi_json_put_int(data, "running", list[i].depth.leased);
        rfi_json_put_real(data, "oldest_s", (double)list[i].depth.oldest_ms / 1e3);
        rfi_json_put_flag(data, "paused", list[i].depth.paused);
        rfi_json_put_int(data, "completed", list[i].completed);
        rfi_json_put_int(data, "failed", list[i].failed);
        rfi_json_close(data, '}');
    }
    rfi_json_close(data, ']');
    rfi_json_close(data, '}');
    rc = rfi_data_end(call, 200, "queues", err);
out:
    return rc;
}

static rf_code pause_queue(rfi_call *call, bool paused, const char *message, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_admin_queue_pause(call->server->scheduler, call->who.user_id, rfi_path_text(call, 0), paused,
                                err));
    rc = rfi_data_none(call, 200, message, err);
out:
    return rc;
}

rf_code rfi_admin_pause(rfi_call *call, rf_error *err)
{
    return pause_queue(call, true, "no job of this queue will be started", err);
}

rf_code rfi_admin_resume(rfi_call *call, rf_error *err)
{
    return pause_queue(call, false, "jobs of this queue are started again", err);
}

rf_code rfi_admin_dead(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t before_id;
    int32_t limit, n = 0;
    rf_job *list = NULL;
    RF_TRY(rfi_page_begin(call, &before_id, &limit, err));
    RF_TRY(rf_admin_dead_list(call->server->scheduler, before_id, limit, &call->arena, &list, &n, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_key(data, "items");
    rfi_json_open(data, '[');
    for (int32_t i = 0; i < n; i++) {
        rfi_json_open(data, '{');
        rfi_json_put_int(data, "id", list[i].id);
        rfi_json_put_int(data, "user_id", list[i].user_id);
        rfi_json_put_text(data, "kind", rf_job_kind_name(list[i].kind));
        rfi_json_put_text(data, "error_class", list[i].error_class);
        rfi_json_put_text(data, "error", list[i].error_message);
        rfi_json_put_int(data, "attempt", list[i].attempt);
        rfi_json_put_int(data, "crashes", list[i].crashes);
        rfi_json_put_time(data, "created_at", list[i].created_ms);
        rfi_json_put_time(data, "finished_at", list[i].finished_ms);
        rfi_json_close(data, '}');
    }
    rfi_page_end(data, n, limit, n > 0 ? list[n - 1].id : 0);
    rc = rfi_data_end(call, 200, "jobs that failed for good", err);
out:
    return rc;
}

rf_code rfi_admin_retry(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_admin_dead_retry(call->server->scheduler, call->who.user_id, rfi_path_id(call), err));
    rc = rfi_data_none(call, 200, "the job is queued again", err);
out:
    return rc;
}

/* ---- workers ---------------------------------------------------------------------------------- */

static void put_worker(rf_buf *out, const rf_worker_info *worker)
{
    static const char *const states[] = {
        [RF_WORKER_RUN] = "running", [RF_WORKER_DRAIN] = "draining", [RF_WORKER_END] = "ending"};
    rfi_json_open(out, '{');
    rfi_json_put_int(out, "id", worker->id);
    rfi_json_put_text(out, "host", worker->host);
    rfi_json_put_text(out, "version", worker->version);
    rfi_json_put_text(out, "device", worker->device);
    rfi_json_put_text(out, "queue", worker->need);
    rfi_json_put_int(out, "pid", worker->pid);
    rfi_json_put_int(out, "memory_bytes", worker->memory_bytes);
    rfi_json_put_int(out, "device_memory_bytes", worker->device_memory_bytes);
    rfi_json_put_int(out, "rss_bytes", worker->rss_bytes);
    rfi_json_key(out, "job_id");
    if (worker->job_id > 0)
        rfi_json_int(out, worker->job_id);
    else
        rfi_json_null(out);
    rfi_json_put_text(out, "state", states[worker->wish]);
    rfi_json_put_time(out, "started_at", worker->started_ms);
    rfi_json_put_time(out, "heartbeat_at", worker->beat_ms);
    rfi_json_close(out, '}');
}

rf_code rfi_admin_workers(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_worker_info *list = NULL;
    int32_t n = 0;
    RF_TRY(rf_admin_workers(call->server->scheduler, &call->arena, &list, &n, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_key(data, "items");
    rfi_json_open(data, '[');
    for (int32_t i = 0; i < n; i++)
        put_worker(data, &list[i]);
    rfi_json_close(data, ']');
    rfi_json_close(data, '}');
    rc = rfi_data_end(call, 200, "workers", err);
out:
    return rc;
}

static rf_code wish(rfi_call *call, rf_worker_wish what, const char *message, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_admin_worker_wish(call->server->scheduler, call->who.user_id, rfi_path_id(call), what, err));
    rc = rfi_data_none(call, 200, message, err);
out:
    return rc;
}

rf_code rfi_admin_drain(rfi_call *call, rf_error *err)
{
    return wish(call, RF_WORKER_DRAIN, "the worker ends its job and takes no more", err);
}

rf_code rfi_admin_undrain(rfi_call *call, rf_error *err)
{
    return wish(call, RF_WORKER_RUN, "the worker takes jobs again", err);
}
