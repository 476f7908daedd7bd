/* failure.h - what a client is told when something went wrong: the one place where an rf_code becomes a status.
 *
 * Each failure has a name that programs act on (`error.code`), an HTTP status and a sentence for the documentation.
 */
#ifndef RF_API_FAILURE_H
#define RF_API_FAILURE_H

#include "core/error.h"

/* name, HTTP status, when it is answered */
#define RFI_FAILURE_TABLE(X)                                                                                 \
    X(MALFORMED, 400, "The request cannot be read: broken JSON, a bad header, an impossible path.")          \
    X(UNAUTHENTICATED, 401, "There is no token, or one that is not good (any more).")                        \
    X(FORBIDDEN, 403, "The caller is known but may not do that.")                                            \
    X(NOT_FOUND, 404, "There is no such thing, or it belongs to somebody else.")                             \
    X(METHOD_NOT_ALLOWED, 405, "The path exists, but not with this method; Allow lists those it has.")       \
    X(CONFLICT, 409, "It is there already, or in a state that does not allow that.")                         \
    X(NOT_READY, 409, "The job has not ended yet.")                                                          \
    X(TOO_LARGE, 413, "The body is larger than this route takes.")                                           \
    X(UNSUPPORTED_TYPE, 415, "A content type or file type that is not read here.")                           \
    X(RANGE_NOT_SATISFIABLE, 416, "The range lies outside of the content.")                                  \
    X(VALIDATION_ERROR, 422, "Well-formed but invalid; details names each field and why.")                   \
    X(NOT_AVAILABLE, 422, "This version cannot do that.")                                                    \
    X(RATE_LIMITED, 429, "Too many requests; Retry-After says when to come back.")                           \
    X(INTERNAL_ERROR, 500, "A fault of the server.")                                                         \
    X(UNAVAILABLE, 503, "Something that is needed does not answer now; Retry-After says when to try again.")

typedef enum rfi_failure {
#define RFI_FAILURE_ENUM(name, status, summary) RFI_##name,
    RFI_FAILURE_TABLE(RFI_FAILURE_ENUM)
#undef RFI_FAILURE_ENUM
        RFI_FAILURE_COUNT
} rfi_failure;

const char *rfi_failure_name(rfi_failure failure);
int rfi_failure_status(rfi_failure failure);
const char *rfi_failure_summary(rfi_failure failure);
rfi_failure rfi_failure_of(rf_code code);

#endif
