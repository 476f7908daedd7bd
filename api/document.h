/* document.h - bytes that are made once and served often, plain and compressed. */
#ifndef RF_API_DOCUMENT_H
#define RF_API_DOCUMENT_H

#include "core/buf.h"

typedef struct rfi_document {
    rf_buf plain, packed;           /* packed is empty when it would not be smaller */
    char etag[24], packed_etag[24]; /* quoted */
} rfi_document;

/* Takes `text`. NO_MEMORY. */
rf_code rfi_document_make(rfi_document *out, rf_buf *text, rf_error *err) RF_MUST_CHECK;
void rfi_document_free(rfi_document *document);

/* Appends the bytes as gzip; false without memory or when they did not get smaller. */
bool rfi_pack(const char *data, size_t size_bytes, int level, rf_buf *out);

#endif
