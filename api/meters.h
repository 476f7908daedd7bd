/* meters.h - what the server counts of itself, and the text form in which Prometheus reads numbers (0.0.4).
 *
 * Counters are by route and class of status, latencies by route in fixed buckets; both rise with relaxed atomics, so
 * that counting costs nothing that can be felt. Any thread.
 */
#ifndef RF_API_METERS_H
#define RF_API_METERS_H

#include "api/route.h"

typedef struct rfi_meters rfi_meters;

rf_code rfi_meters_open(rfi_meters **out, const rfi_routes *routes, rf_error *err) RF_MUST_CHECK;
void rfi_meters_close(rfi_meters *meters);

/* `route` NULL: none was found. */
void rfi_meters_count(rfi_meters *meters, const rfi_route *route, int status, double seconds);

/* Appends everything counted. */
void rfi_meters_text(const rfi_meters *meters, rf_buf *out);

/* One number of one's own: a line of help, a type ("gauge", "counter") and the value; labels as `class="cpu"` or NULL. The
 * heading is written by rfi_meter_head, once for all lines of a name. */
void rfi_meter_head(rf_buf *out, const char *name, const char *type, const char *help);
void rfi_meter_line(rf_buf *out, const char *name, const char *labels, double value);

#endif
