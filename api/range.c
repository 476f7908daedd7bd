#include "api/range.h"

#include <string.h>
#include <strings.h>

#include "core/text.h"

static bool read_number(const char **at, int64_t *out)
{
    const size_t n = strspn(*at, "0123456789");
    if (n == 0 || n > 18 || !rf_parse_i64(*at, n, out))
        return false;
    *at += n;
    return true;
}

static rfi_range_kind last_bytes(int64_t n, int64_t size_bytes, int64_t *offset, int64_t *length)
{
    if (n == 0 || size_bytes == 0)
        return RFI_RANGE_OUTSIDE;
    *length = n < size_bytes ? n : size_bytes;
    *offset = size_bytes - *length;
    return RFI_RANGE_PART;
}

rfi_range_kind rfi_range_read(const char *header, int64_t size_bytes, int64_t *offset, int64_t *length)
{
    int64_t first = 0, last = 0;
    if (!header || strncasecmp(header, "bytes=", 6) != 0)
        return RFI_RANGE_WHOLE;
    const char *at = header + 6;
    if (*at == '-') {
        at++;
        return read_number(&at, &last) && !*at ? last_bytes(last, size_bytes, offset, length)
                                               : RFI_RANGE_WHOLE;
    }
    if (!read_number(&at, &first) || *at++ != '-')
        return RFI_RANGE_WHOLE;
    if (!*at)
        last = INT64_MAX;
    else if (!read_number(&at, &last) || *at || last < first)
        return RFI_RANGE_WHOLE;
    if (first >= size_bytes)
        return RFI_RANGE_OUTSIDE;
    *offset = first;
    *length = (last < size_bytes ? last + 1 : size_bytes) - first;
    return RFI_RANGE_PART;
}

/* "gzip", "gzip;q=0.5", "*", but not "gzip;q=0". */
bool rfi_accepts_gzip(const char *header)
{
    for (const char *at = header; at && *at;) {
        at += strspn(at, " \t,");
        const size_t length = strcspn(at, ",");
        const size_t name = strcspn(at, ";, \t");
        const char *q = memmem(at, length, "q=", 2);
        const bool refused = q && q[2] == '0' && strspn(q + 2, "0.") == strcspn(q + 2, ", \t");
        if (((name == 4 && strncasecmp(at, "gzip", 4) == 0) || (name == 1 && *at == '*')) && !refused)
            return true;
        at += length;
    }
    return false;
}
