/* bench_clock.h - the processor's clock and the order of figures, for every program that times.
 */
#ifndef RF_BENCH_CLOCK_H
#define RF_BENCH_CLOCK_H

#include <time.h>

/* For qsort of doubles. */
static inline int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Time of the processor, of all threads: on a busy machine the one figure that stays. */
static inline double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
