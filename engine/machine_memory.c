/* How much memory there is to take: the kernel's own estimate, within the limits of the control groups above
 * this process. */
#include "engine/fitted.h"

#include <stdio.h>
#include <string.h>

/* A file of some lines, cut at the end of `text`; empty when it cannot be read. */
static void read_text(const char *path, char *text, size_t size)
{
    size_t length = 0;
    FILE *file = fopen(path, "re");
    if (file) {
        length = fread(text, 1, size - 1, file);
        fclose(file);
    }
    text[length] = 0;
}

/* The number behind `key` at the beginning of a line; false when it is not there ("max" is no number). */
static bool find_number(const char *text, const char *key, unsigned long long *out)
{
    const size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, length) == 0)
            return sscanf(line + length, "%llu", out) == 1;
    return false;
}

static bool read_number(const char *folder, const char *file, const char *key, unsigned long long *out)
{
    char path[512], text[8192];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, file);
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    read_text(path, text, sizeof text);
    return text[0] && find_number(text, key, out);
}

/* What a control group leaves; file pages that nobody uses are given back before anything is refused. */
static size_t group_left(const char *folder, const char *limit_file, const char *used_file,
                         const char *idle_key)
{
    unsigned long long limit, used = 0, idle = 0;
    if (!read_number(folder, limit_file, "", &limit) || !read_number(folder, used_file, "", &used))
        return SIZE_MAX;
    (void)read_number(folder, "memory.stat", idle_key, &idle);
    used -= idle < used ? idle : used;
    return limit > used ? (size_t)(limit - used) : 0;
}

/* The group of this process and all above it, up to the root of its mount. */
static size_t groups_left(void)
{
    char text[1024], folder[512] = "/sys/fs/cgroup";
    const size_t root = strlen(folder);
    size_t least = group_left("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                              "total_inactive_file ");
    read_text("/proc/self/cgroup", text, sizeof text);
    const char *own = strstr(text, "0::/");
    if (own) {
        own += strlen("0::");
        const size_t length = strcspn(own, "\n");
        if (length < sizeof folder - root) {
            memcpy(folder + root, own, length);
            folder[root + length] = 0;
        }
    }
    for (;;) {
        const size_t left = group_left(folder, "memory.max", "memory.current", "inactive_file ");
        least = left < least ? left : least;
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= root || !slash)
            return least;
        *slash = 0;
    }
}

size_t rfi_memory_available(void)
{
    unsigned long long kib;
    size_t available = groups_left();
    if (read_number("/proc", "meminfo", "MemAvailable:", &kib) && kib < SIZE_MAX / 1024) {
        const size_t free_bytes = (size_t)kib * 1024;
        available = free_bytes < available ? free_bytes : available;
    }
    return available;
}

rf_code rfi_memory_check(size_t needed, const char *what, rf_error *err)
{
    const double mb = 1e6;
    const size_t available = rfi_memory_available();
    if (needed == SIZE_MAX)
        return rf_fail(
            err, RF_NO_MEMORY,
            "%s needs more memory than any machine has; make batch_size, pac or the layers smaller", what);
    if (needed > available)
        return rf_fail(
            err, RF_NO_MEMORY,
            "%s needs %.0f MB of memory and %.0f MB are free; make batch_size, pac or the layers smaller",
            what, (double)needed / mb, (double)available / mb);
    return RF_OK;
}
