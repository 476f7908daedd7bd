#include "api/failure.h"

static const struct {
    const char *name;
    int status;
    const char *summary;
} failures[RFI_FAILURE_COUNT] = {
#define ROW(name, status, summary) [RFI_##name] = {#name, status, summary},
    RFI_FAILURE_TABLE(ROW)
#undef ROW
};

const char *rfi_failure_name(rfi_failure failure)
{
    return failures[failure].name;
}

int rfi_failure_status(rfi_failure failure)
{
    return failures[failure].status;
}

const char *rfi_failure_summary(rfi_failure failure)
{
    return failures[failure].summary;
}

rfi_failure rfi_failure_of(rf_code code)
{
    switch (code) {
    case RF_MALFORMED:
        return RFI_MALFORMED;
    case RF_UNAUTHENTICATED:
        return RFI_UNAUTHENTICATED;
    case RF_FORBIDDEN:
        return RFI_FORBIDDEN;
    case RF_NOT_FOUND:
        return RFI_NOT_FOUND;
    case RF_CONFLICT:
        return RFI_CONFLICT;
    case RF_NOT_READY:
        return RFI_NOT_READY;
    case RF_NOT_AVAILABLE:
        return RFI_NOT_AVAILABLE;
    case RF_TOO_LARGE:
        return RFI_TOO_LARGE;
    case RF_UNSUPPORTED_TYPE:
        return RFI_UNSUPPORTED_TYPE;
    case RF_RATE_LIMITED:
        return RFI_RATE_LIMITED;
    case RF_USAGE:
    case RF_INPUT:
        return RFI_VALIDATION_ERROR;
    case RF_UNAVAILABLE:
    case RF_NO_MEMORY:
    case RF_IO:
    case RF_DEVICE:
    case RF_INTERRUPTED:
        return RFI_UNAVAILABLE;
    case RF_OK:
    case RF_CORRUPT:
    case RF_DIVERGED:
    case RF_EXHAUSTED:
    case RF_INTERNAL:
    case RF_CODE_COUNT:
        break;
    }
    return RFI_INTERNAL_ERROR;
}
