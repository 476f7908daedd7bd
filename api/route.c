#include "api/route.h"

#include <string.h>

const char *rfi_method_name(rfi_method method)
{
    static const char *const names[RFI_METHOD_COUNT] = {"GET", "POST", "PUT", "DELETE"};
    return names[method];
}

/* Cuts at '/', in place. -1 when there are too many parts for any route. */
static int split(char *path, const char *parts[RFI_PATH_PARTS_MAX])
{
    int n = 0;
    for (char *at = path; at; n++) {
        if (n == RFI_PATH_PARTS_MAX)
            return -1;
        *at++ = 0;
        parts[n] = at;
        at = strchr(at, '/');
    }
    return n;
}

static bool is_positive_integer(const char *text)
{
    const size_t length = strspn(text, "0123456789");
    return length > 0 && length <= 18 && !text[length] && text[0] != '0';
}

/* An {id} that is no integer matches too, so that the answer is "no such thing" with the method's own rules. */
static bool part_matches(const char *pattern, size_t pattern_length, const char *part, rfi_match *out, int *n)
{
    if (pattern[0] != '{')
        return strlen(part) == pattern_length && memcmp(pattern, part, pattern_length) == 0;
    if (!*part || *n == RFI_PATH_VALUES_MAX)
        return false;
    if (pattern_length == 4 && memcmp(pattern, "{id}", 4) == 0 && !is_positive_integer(part))
        return false;
    out->value[(*n)++] = part;
    return true;
}

static bool path_matches(const char *pattern, const char *const *parts, int n_parts, rfi_match *out)
{
    int n_values = 0;
    for (int i = 0; i < n_parts; i++) {
        if (*pattern++ != '/')
            return false;
        const size_t length = strcspn(pattern, "/");
        if (!part_matches(pattern, length, parts[i], out, &n_values))
            return false;
        pattern += length;
    }
    return *pattern == 0;
}

void rfi_route_find(const rfi_routes *routes, rfi_method method, char *path, rfi_match *out)
{
    const char *parts[RFI_PATH_PARTS_MAX];
    const int n_parts = split(path, parts);
    rfi_match found = {0};
    *out = (rfi_match){0};
    if (n_parts < 0)
        return;
    /* a fixed word wins over a {name}: rows stand in that order in the table */
    for (size_t i = 0; i < routes->n; i++) {
        const rfi_route *row = &routes->rows[i];
        if (!path_matches(row->path, parts, n_parts, &found))
            continue;
        out->methods |= 1u << row->method;
        if (row->method == method && !out->route) {
            memcpy(out->value, found.value, sizeof found.value);
            out->route = row;
        }
    }
}

unsigned rfi_route_failures(const rfi_route *route)
{
    unsigned set =
        route->fails | RFI_FAILS(MALFORMED) | RFI_FAILS(UNAVAILABLE) | RFI_FAILS(METHOD_NOT_ALLOWED);
    if (route->role != RFI_ROLE_ANYONE)
        set |= RFI_FAILS(UNAUTHENTICATED);
    if (route->role == RFI_ROLE_ADMIN)
        set |= RFI_FAILS(FORBIDDEN);
    if (route->query || route->request)
        set |= RFI_FAILS(VALIDATION_ERROR);
    if (route->body != RFI_BODY_NONE)
        set |= RFI_FAILS(TOO_LARGE) | RFI_FAILS(UNSUPPORTED_TYPE);
    if (strchr(route->path, '{'))
        set |= RFI_FAILS(NOT_FOUND);
    if (route->rate != RFI_RATE_NONE)
        set |= RFI_FAILS(RATE_LIMITED);
    if (route->idempotent)
        set |= RFI_FAILS(CONFLICT);
    return set;
}
