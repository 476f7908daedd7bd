/* What a request left behind: rows and the report about them. */
#include <string.h>

#include "api/download.h"
#include "api/handlers.h"
#include "api/present.h"
#include "api/range.h"
#include "api/server_internal.h"

enum { REPORT_BYTES_MAX = 64 << 20, HEAD_BYTES = 8192 };

/* ---- rows ------------------------------------------------------------------------------------- */

static rf_code find_artifact(rfi_call *call, rf_artifact_role role, rf_artifact *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_job_view view;
    RF_TRY(rfi_find_request(call, call->who.user_id, &view, err));
    RF_TRY(rf_artifact_get(call->server->scheduler, call->who.user_id, view.job.id, role, &call->arena, out,
                           err));
out:
    return rc;
}

/* A path of our own becomes a whole URL by the name under which the client came. */
static const char *whole_url(rfi_call *call, const char *url)
{
    const char *host = rfi_header(call, "Host"), *scheme = rfi_header(call, "X-Forwarded-Proto");
    if (url[0] != '/' || !host)
        return url;
    return rfi_call_text(call, "%s://%s%s", scheme && strcmp(scheme, "https") == 0 ? "https" : "http", host,
                         url);
}

rf_code rfi_download(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_artifact artifact;
    const char *url = NULL, *inline_ = rfi_query_text(call, "inline", "0");
    int64_t expires_ms = 0;
    RF_TRY(find_artifact(call, RF_ARTIFACT_DATA, &artifact, err));
    rfi_log_security(call, "a result was asked for");
    if (strcmp(inline_, "1") == 0 || strcmp(inline_, "true") == 0) {
        rc = rfi_reply_artifact(call, &artifact, false, err);
        goto out;
    }
    const int64_t ttl_ms = rf_settings_ms(call->server->set->signed_url_s);
    RF_TRY(
        rf_artifact_sign(call->server->scheduler, &artifact, ttl_ms, &call->arena, &url, &expires_ms, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_text(data, "url", whole_url(call, url));
    rfi_json_put_time(data, "expires_at", expires_ms);
    rfi_json_close(data, '}');
    rc = rfi_data_end(call, 200, "the address needs no login until it expires", err);
out:
    return rc;
}

rf_code rfi_file(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_artifact artifact;
    RF_TRY(rf_artifact_from_token(call->server->scheduler, rfi_path_text(call, 0), &call->arena, &artifact,
                                  err));
    rc = rfi_reply_artifact(call, &artifact, false, err);
out:
    return rc;
}

/* ---- the report ------------------------------------------------------------------------------- */

static rf_code append_part(rf_buf *out, rf_download *download, size_t most, rf_error *err)
{
    rf_code rc = RF_OK;
    char block[16384];
    size_t n = 1;
    for (size_t total = 0; n > 0 && total < most; total += n) {
        RF_TRY(rf_download_read(download, block, sizeof block < most ? sizeof block : most, &n, err));
        rf_buf_append(out, block, n);
    }
    RF_TRY(rf_buf_check(out, "a report", err));
out:
    return rc;
}

static rf_code reply_report_json(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_artifact artifact;
    rf_download *download = NULL;
    RF_TRY(find_artifact(call, RF_ARTIFACT_REPORT_JSON, &artifact, err));
    if (artifact.size_bytes > REPORT_BYTES_MAX) {
        rc = rf_fail(err, RF_TOO_LARGE, "the report is too large to be sent as JSON; ask for text/html");
        goto out;
    }
    RF_TRY(rf_artifact_open(&download, call->server->scheduler, &artifact, 0, -1, err));
    RF_TRY(append_part(rfi_data_begin(call), download, (size_t)artifact.size_bytes, err));
    rc = rfi_data_end(call, 200, "the quality report", err);
out:
    rf_download_close(download);
    return rc;
}

/* The page carries its own policy with the digest of its script; the header repeats that digest, so that the script which
 * came with the page may run and no other. */
static rf_code report_policy(rfi_call *call, const rf_artifact *artifact, rf_error *err)
{
    static const char mark[] = "script-src 'sha256-";
    rf_code rc = RF_OK;
    rf_download *download = NULL;
    rf_buf head;
    rf_buf_init(&head);
    RF_TRY(rf_artifact_open(&download, call->server->scheduler, artifact, 0,
                            artifact->size_bytes < HEAD_BYTES ? artifact->size_bytes : HEAD_BYTES, err));
    RF_TRY(append_part(&head, download, HEAD_BYTES, err));
    const char *at = head.size_bytes ? strstr(head.data, mark) : NULL;
    const char *digest = at ? at + strlen(mark) : "";
    const size_t length = strspn(digest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=");
    call->reply.policy = rfi_call_text(
        call, "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src %s%.*s%s",
        length ? "'sha256-" : "'none'", (int)length, digest, length ? "'" : "");
out:
    rf_download_close(download);
    rf_buf_free(&head);
    return rc;
}

static rf_code reply_report_html(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_artifact artifact;
    RF_TRY(find_artifact(call, RF_ARTIFACT_REPORT_HTML, &artifact, err));
    RF_TRY(report_policy(call, &artifact, err));
    rc = rfi_reply_artifact(call, &artifact, true, err);
out:
    return rc;
}

/* A browser wants text/html most; programs say application/json or nothing. What is wanted alike is decided by the order. */
rf_code rfi_report(rfi_call *call, rf_error *err)
{
    const char *accept = rfi_header(call, "Accept");
    const char *html = accept ? strstr(accept, "text/html") : NULL;
    const char *json = accept ? strstr(accept, "application/json") : NULL;
    const int more = rfi_accept_weight(accept, "text/html") - rfi_accept_weight(accept, "application/json");
    const bool page = more > 0 || (more == 0 && html && (!json || html < json));
    rfi_reply_header(call, "Vary", "Accept");
    return page && rfi_accept_weight(accept, "text/html") > 0 ? reply_report_html(call, err)
                                                              : reply_report_json(call, err);
}
