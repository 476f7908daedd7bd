/* clock.h - what time it is. Any thread. */
#ifndef RF_CORE_CLOCK_H
#define RF_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

double rf_clock_s(void);      /* monotonic seconds, for durations */
int64_t rf_clock_wall_us(void); /* microseconds since 1970-01-01 UTC */

/* "2026-11-22T15:04:05Z" (21 bytes with the NUL). */
void rf_clock_rfc3339(char out[32], int64_t wall_us);

#endif
