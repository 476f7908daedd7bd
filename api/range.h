/* range.h - what a client asks to have: the Range header (RFC 9110, section 14), for one range, and the Accept headers. Any
 * thread. */
#ifndef RF_API_RANGE_H
#define RF_API_RANGE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum rfi_range_kind {
    RFI_RANGE_WHOLE,   /* none was asked for, or in a way that may be ignored (several, other units) */
    RFI_RANGE_PART,    /* *offset and *length say which; length is at least 1                        */
    RFI_RANGE_OUTSIDE, /* nothing of it is there                                                     */
} rfi_range_kind;

/* `header` may be NULL. offset and length are set for a part only. */
rfi_range_kind rfi_range_read(const char *header, int64_t size_bytes, int64_t *offset, int64_t *length);

/* How much an Accept or Accept-Encoding header (NULL: none) wants "text/html" or "gzip", in thousandths; 0: not at all. What
 * is named counts before "text/...", and that before "*". */
int rfi_accept_weight(const char *header, const char *name);
/* Whether an Accept-Encoding header (NULL: none) takes gzip. */
bool rfi_accepts_gzip(const char *header);

#endif
