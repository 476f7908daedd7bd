/* How many processors this process may use: the affinity mask (taskset, cpusets), cut by the quota that
 * a container was given. Only version 2 and the usual mount of version 1 of control groups are read;
 * whatever cannot be read limits nothing. */
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/pool.h"

static int affinity_count(void)
{
    enum { MOST_CPUS = 8192 };
    cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
    int count = 0;
    if (set && sched_getaffinity(0, CPU_ALLOC_SIZE(MOST_CPUS), set) == 0)
        count = CPU_COUNT_S(CPU_ALLOC_SIZE(MOST_CPUS), set);
    CPU_FREE(set);
    return count >= 1 ? count : 1;
}

static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool got = fgets(line, size, file) != NULL;
    fclose(file);
    return got;
}

/* Processors that a quota is worth, rounded up; INT_MAX without one. */
static int worth(long long quota_us, long long period_us)
{
    if (quota_us <= 0 || period_us <= 0)
        return INT_MAX;
    long long cpus = (quota_us + period_us - 1) / period_us;
    return cpus < INT_MAX ? (int)cpus : INT_MAX;
}

static int quota_v2_at(const char *group)
{
    char path[PATH_MAX + 64], line[128];
    long long quota_us = 0, period_us = 0;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld %lld", &quota_us, &period_us) != 2)
        return INT_MAX;
    return worth(quota_us, period_us);
}

/* The quota of a group holds for all below it: the smallest on the way up counts. */
static int quota_v2(void)
{
    char line[PATH_MAX + 8];
    int least = quota_v2_at("");
    if (!read_line("/proc/self/cgroup", line, sizeof line) || strncmp(line, "0::/", 4) != 0)
        return least;
    char *group = line + 3;
    group[strcspn(group, "\n")] = 0;
    for (char *slash = group + strlen(group); slash; slash = strrchr(group, '/')) {
        *slash = 0;
        int quota = quota_v2_at(group);
        least = quota < least ? quota : least;
    }
    return least;
}

static int quota_v1(void)
{
    char line[64];
    long long quota_us = 0, period_us = 0;
    if (!read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line) ||
        sscanf(line, "%lld", &quota_us) != 1 ||
        !read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line, sizeof line) ||
        sscanf(line, "%lld", &period_us) != 1)
        return INT_MAX;
    return worth(quota_us, period_us);
}

int rf_pool_cpu_count(void)
{
    int count = affinity_count();
    int quota = quota_v2();
    count = quota < count ? quota : count;
    quota = quota_v1();
    return quota < count ? quota : count;
}
