#include "api/download.h"

#include <string.h>

#include "api/server_internal.h"
#include "core/alloc.h"
#include "core/log.h"
#include "core/text.h"

typedef struct bytes {
    rfi_stream stream;
    rf_download *download;
} bytes;

static ssize_t read_bytes(rfi_stream *stream, char *out, size_t capacity)
{
    rf_error err = {0};
    size_t n = 0;
    if (rf_download_read(((bytes *)stream)->download, out, capacity, &n, &err) != RF_OK) {
        rf_log_failure(RF_LOG_ERROR, "api", &err); /* the client sees a body that ends too early */
        return RFI_STREAM_BROKEN;
    }
    return n > 0 ? (ssize_t)n : RFI_STREAM_END;
}

static void close_bytes(rfi_stream *stream)
{
    rf_download_close(((bytes *)stream)->download);
    rfi_stream_destroy(stream);
    rf_free(stream);
}

rfi_stream *rfi_download_stream(rf_download *download)
{
    bytes *b = rf_malloc(sizeof *b);
    if (!b) {
        rf_download_close(download);
        return NULL;
    }
    rfi_stream_init(&b->stream, read_bytes, close_bytes);
    b->download = download;
    return &b->stream;
}

/* ---- replies ---------------------------------------------------------------------------------- */

typedef struct source {
    rf_scheduler *scheduler;
    const rf_artifact *artifact;
} source;

static rf_code open_part(void *arg, int64_t offset, int64_t length, rfi_stream **out, rf_error *err)
{
    rf_code rc = RF_OK;
    const source *from = arg;
    rf_download *download = NULL;
    RF_TRY(rf_artifact_open(&download, from->scheduler, from->artifact, offset, length, err));
    *out = rfi_download_stream(download);
    if (!*out)
        rc = rf_fail(err, RF_NO_MEMORY, "there is no memory for a download now");
out:
    return rc;
}

/* Keys are written once and never changed, so that a key and its size name the bytes. */
static const char *etag_of(rfi_call *call, const rf_artifact *artifact)
{
    const unsigned long long hash = rf_hash_bytes(artifact->key, strlen(artifact->key));
    if (artifact->sha256 && artifact->sha256[0])
        return rfi_call_text(call, "\"%.32s\"", artifact->sha256);
    return rfi_call_text(call, "\"%016llx-%llx\"", hash, (unsigned long long)artifact->size_bytes);
}

rf_code rfi_reply_artifact(rfi_call *call, const rf_artifact *artifact, bool shown, rf_error *err)
{
    source from = {call->server->scheduler, artifact};
    const bool has_type = artifact->type && *artifact->type, has_name = artifact->name && *artifact->name;
    const rfi_content content = {.size_bytes = artifact->size_bytes,
                                 .type = has_type ? artifact->type : "application/octet-stream",
                                 .name = shown      ? NULL
                                         : has_name ? artifact->name
                                                    : "download",
                                 .etag = etag_of(call, artifact),
                                 .open = open_part,
                                 .arg = &from};
    if (!content.etag)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for a download now");
    return rfi_reply_content(call, &content, err);
}
