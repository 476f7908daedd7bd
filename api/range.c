#include "api/range.h"

#include <string.h>
#include <strings.h>

#include "core/text.h"

static bool read_number(const char **at, int64_t *out)
{
    const size_t n = strspn(*at, "0123456789");
    if (n == 0)
        return false;
    if (!rf_parse_i64(*at, n, out))
        *out = INT64_MAX; /* beyond the end of anything */
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

/* ---- what a client takes (RFC 9110, section 12.5) ------------------------------------------------ */

/* "q=0.5" among the parameters of one item, in thousandths; 1000 when there is none. */
static int read_weight(const char *item, size_t length)
{
    int weight = 0, unit = 1000;
    const char *q = memmem(item, length, ";q=", 3);
    if (!q)
        q = memmem(item, length, "; q=", 4);
    if (!q)
        return 1000;
    for (const char *at = strchr(q, '=') + 1; at < item + length && unit > 0; at++) {
        if (*at >= '0' && *at <= '9')
            weight += (*at - '0') * unit, unit /= 10;
        else if (*at != '.')
            break;
    }
    return weight < 1000 ? weight : 1000;
}

/* 3: the name itself, 2: "text/...", 1: anything, 0: something else. */
static int closeness(const char *item, size_t n, const char *name)
{
    const char *slash = strchr(name, '/');
    if (n == strlen(name) && strncasecmp(item, name, n) == 0)
        return 3;
    if (slash && n == (size_t)(slash - name) + 2 && item[n - 1] == '*' && strncasecmp(item, name, n - 1) == 0)
        return 2;
    return (n == 1 && *item == '*') || (n == 3 && memcmp(item, "*/*", 3) == 0);
}

int rfi_accept_weight(const char *header, const char *name)
{
    int best = 0, weight = 0;
    for (const char *at = header; at && *at;) {
        at += strspn(at, " \t,");
        const size_t length = strcspn(at, ",");
        const int close = closeness(at, strcspn(at, ";, \t"), name);
        if (length > 0 && close > best) {
            best = close;
            weight = read_weight(at, length);
        }
        at += length;
    }
    return weight;
}

bool rfi_accepts_gzip(const char *header)
{
    return rfi_accept_weight(header, "gzip") > 0;
}
