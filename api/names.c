#include "api/names.h"

#include <string.h>
#include <strings.h>

bool rfi_names_have(const rf_setting_list *names, const char *text)
{
    for (int i = 0; i < names->n; i++)
        if (strcasecmp(names->item[i], text) == 0)
            return true;
    return false;
}

static bool host_matches(const char *pattern, const char *host, size_t length)
{
    const size_t pattern_length = strlen(pattern);
    if (strcmp(pattern, "*") == 0)
        return true;
    if (pattern[0] != '*' || pattern[1] != '.')
        return pattern_length == length && strncasecmp(pattern, host, length) == 0;
    const size_t tail = pattern_length - 1; /* with the dot */
    return length > tail && strncasecmp(pattern + 1, host + length - tail, tail) == 0;
}

bool rfi_names_have_host(const rf_setting_list *names, const char *host)
{
    const char *bracket =
        host[0] == '[' ? strchr(host, ']') : NULL; /* an IPv6 address has colons of its own */
    const size_t length = bracket ? (size_t)(bracket + 1 - host) : strcspn(host, ":");
    for (int i = 0; i < names->n; i++)
        if (host_matches(names->item[i], host, length))
            return true;
    return false;
}
