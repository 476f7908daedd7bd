/* Operations: is it alive, is it ready, how much does it do. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "api/handlers.h"
#include "api/server_internal.h"
#include "crypto/secret.h"
#include "scheduler/admin.h"

rf_code rfi_health(rfi_call *call, rf_error *err)
{
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_text(data, "status", "ok");
    rfi_json_put_text(data, "version", RF_VERSION);
    rfi_json_close(data, '}');
    return rfi_data_end(call, 200, "alive", err);
}

rf_code rfi_ready(rfi_call *call, rf_error *err)
{
    rf_readiness ready = {0};
    if (atomic_load(&call->server->draining))
        return rf_fail(err, RF_UNAVAILABLE, "the server is about to stop");
    rf_admin_ready(call->server->scheduler, &ready);
    if (!ready.database || !ready.queue || !ready.storage || !ready.threads)
        return rf_fail(err, RF_UNAVAILABLE, "%s", ready.why);
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_flag(data, "database", ready.database);
    rfi_json_put_flag(data, "queue", ready.queue);
    rfi_json_put_flag(data, "storage", ready.storage);
    rfi_json_put_flag(data, "threads", ready.threads);
    rfi_json_close(data, '}');
    return rfi_data_end(call, 200, "ready", err);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static void put_one(rf_buf *out, const char *name, const char *type, const char *help, double value)
{
    rfi_meter_head(out, name, type, help);
    rfi_meter_line(out, name, NULL, value);
}

static double resident_bytes(void)
{
    long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lld %lld", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void put_server(const rf_server *server, rf_buf *out)
{
    put_one(out, "rowforge_http_connections", "gauge", "Open connections.",
            (double)rfi_peers_count(server->peers));
    put_one(out, "rowforge_http_streams", "gauge", "Open event streams and samples.",
            (double)rfi_watch_count(server->watch));
    put_one(out, "rowforge_http_late_total", "counter", "Connections that were closed for being too slow.",
            (double)rfi_peers_late(server->peers));
    put_one(out, "rowforge_http_waiting", "gauge", "Requests that wait for a thread.",
            (double)rfi_crew_waiting(server->crew));
    put_one(out, "process_resident_memory_bytes", "gauge", "Memory of the server's process.",
            resident_bytes());
}

static void put_queues(const rf_metrics *m, rf_buf *out)
{
    char labels[64];
    static const struct {
        const char *name, *help;
    } gauges[] = {{"rowforge_queue_waiting", "Jobs that wait, by class."},
                  {"rowforge_queue_delayed", "Jobs that wait for their time, by class."},
                  {"rowforge_queue_running", "Jobs that a worker has, by class."},
                  {"rowforge_queue_oldest_seconds", "Age of the oldest waiting job, by class."},
                  {"rowforge_queue_paused", "1 when no job of the class is started."}};
    for (size_t g = 0; g < sizeof gauges / sizeof *gauges; g++) {
        rfi_meter_head(out, gauges[g].name, "gauge", gauges[g].help);
        for (int32_t i = 0; i < m->n_queues; i++) {
            const rf_queue_depth *q = &m->queues[i];
            const double values[] = {(double)q->waiting, (double)q->delayed, (double)q->leased,
                                     (double)q->oldest_ms / 1e3, q->paused};
            snprintf(labels, sizeof labels, "class=\"%s\"", q->need);
            rfi_meter_line(out, gauges[g].name, labels, values[g]);
        }
    }
}

static void put_jobs(const rf_metrics *m, rf_buf *out)
{
    char labels[96];
    rfi_meter_head(
        out, "rowforge_jobs", "gauge",
        "Jobs by kind and state: those not ended as they are now, the others since the process began.");
    for (int kind = 0; kind < RF_JOB_KIND_COUNT; kind++)
        for (int state = 0; state < RF_JOB_STATE_COUNT; state++) {
            snprintf(labels, sizeof labels, "kind=\"%s\",state=\"%s\"", rf_job_kind_name((rf_job_kind)kind),
                     rf_job_state_name((rf_job_state)state));
            rfi_meter_line(out, "rowforge_jobs", labels, (double)m->jobs[kind][state]);
        }
}

static void put_workers(const rf_metrics *m, rf_buf *out)
{
    int64_t busy = 0, draining = 0, gpus = 0;
    for (int32_t i = 0; i < m->n_workers; i++) {
        busy += m->workers[i].job_id > 0;
        draining += m->workers[i].wish != RF_WORKER_RUN;
        gpus += strncmp(m->workers[i].device, "cuda", 4) == 0;
    }
    put_one(out, "rowforge_workers", "gauge", "Workers.", m->n_workers);
    put_one(out, "rowforge_workers_busy", "gauge", "Workers with a job.", (double)busy);
    put_one(out, "rowforge_workers_draining", "gauge", "Workers that take no more jobs.", (double)draining);
    put_one(out, "rowforge_workers_gpu", "gauge", "Workers on a GPU.", (double)gpus);
}

static void put_scheduler(const rf_metrics *m, rf_buf *out)
{
    put_queues(m, out);
    put_jobs(m, out);
    put_workers(m, out);
    put_one(out, "rowforge_crashes_total", "counter", "Attempts that ended with their worker.",
            (double)m->crashes);
    put_one(out, "rowforge_retries_total", "counter", "Attempts that were made again.", (double)m->retries);
    put_one(out, "rowforge_fenced_total", "counter", "Words of workers that came too late to count.",
            (double)m->fenced);
    put_one(out, "rowforge_outbox", "gauge", "Offers that were not made yet.", (double)m->outbox);
    put_one(out, "rowforge_reap_age_seconds", "gauge", "Time since lost jobs were looked for.",
            m->since_reap_s);
    put_one(out, "rowforge_reconcile_age_seconds", "gauge", "Time since queue and database were compared.",
            m->since_reconcile_s);
    put_one(out, "rowforge_db_commits_total", "counter", "Transactions.", (double)m->db_commits);
    put_one(out, "rowforge_db_writes_total", "counter", "Writes.", (double)m->db_writes);
    put_one(out, "rowforge_db_reads_total", "counter", "Reads.", (double)m->db_reads);
    put_one(out, "rowforge_db_failures_total", "counter", "Statements that failed.", (double)m->db_failures);
}

static bool may_see_metrics(const rfi_call *call)
{
    const char *wanted = call->server->set->metrics_token, *header = rfi_header(call, "Authorization");
    if (!wanted || !*wanted)
        return true;
    return header && strncasecmp(header, "Bearer ", 7) == 0 &&
           rf_secret_equal(header + 7, strlen(header + 7), wanted, strlen(wanted));
}

rf_code rfi_metrics(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_metrics metrics = {0};
    rf_buf text;
    rf_buf_init(&text);
    if (!call->server->set->metrics)
        return rf_fail(err, RF_NOT_FOUND, "there is nothing under this path");
    if (!may_see_metrics(call))
        return rf_fail(err, RF_UNAUTHENTICATED, "this needs the token of METRICS_TOKEN as a bearer token");
    RF_TRY(rf_admin_metrics(call->server->scheduler, &call->arena, &metrics, err));
    put_server(call->server, &text);
    put_scheduler(&metrics, &text);
    if (call->server->set->performance)
        rfi_meters_text(call->server->meters, &text);
    RF_TRY(rf_buf_check(&text, "the metrics", err));
    rfi_reply_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
out:
    rf_buf_free(&text);
    return rc;
}
