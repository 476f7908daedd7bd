#include "api/document.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "core/text.h"

bool rfi_pack(const char *data, size_t size_bytes, int level, rf_buf *out)
{
    z_stream z = {0};
    if (size_bytes > UINT32_MAX / 2 ||
        deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bool done = false;
    if (rf_buf_reserve(out, size_bytes)) {
        z.next_in = (Bytef *)(uintptr_t)data;
        z.avail_in = (uInt)size_bytes;
        z.next_out = (Bytef *)out->data + out->size_bytes;
        z.avail_out = (uInt)size_bytes;
        done = deflate(&z, Z_FINISH) == Z_STREAM_END;
        out->size_bytes += done ? z.total_out : 0;
    }
    deflateEnd(&z);
    return done;
}

rf_code rfi_document_make(rfi_document *out, rf_buf *text, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_buf_check(text, "a document", err));
    *out = (rfi_document){.plain = *text};
    rf_buf_init(text);
    rf_buf_init(&out->packed);
    if (!rfi_pack(out->plain.data, out->plain.size_bytes, 9, &out->packed))
        rf_buf_clear(&out->packed);
    const unsigned long long sum = rf_hash_bytes(out->plain.data, out->plain.size_bytes);
    snprintf(out->etag, sizeof out->etag, "\"%016llx\"", sum);
    snprintf(out->packed_etag, sizeof out->packed_etag, "\"%016llx-z\"", sum);
out:
    return rc;
}

void rfi_document_free(rfi_document *document)
{
    rf_buf_free(&document->plain);
    rf_buf_free(&document->packed);
}
