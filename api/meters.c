#include "api/meters.h"

#include <stdatomic.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"

/* Seconds; the last bucket is +Inf. */
static const double limits[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,  0.5,    1,     2.5,  10,    30};
enum { N_LIMITS = sizeof limits / sizeof *limits, N_CLASSES = 4 }; /* 2xx 3xx 4xx 5xx */

typedef struct meter {
    _Atomic int64_t by_class[N_CLASSES];
    _Atomic int64_t bucket[N_LIMITS + 1];
    _Atomic int64_t total_us;
} meter;

struct rfi_meters {
    rfi_routes routes;
    meter *meters; /* one for each route and a last one for what had none */
};

rf_code rfi_meters_open(rfi_meters **out, const rfi_routes *routes, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_meters *meters = rf_malloc(sizeof *meters);
    if (!meters)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the server's counters");
    *meters = (rfi_meters){.routes = *routes};
    RF_TRY(RF_NEW_ARRAY(&meters->meters, routes->n + 1, "the server's counters", err));
    *out = meters;
    meters = NULL;
out:
    rfi_meters_close(meters);
    return rc;
}

void rfi_meters_close(rfi_meters *meters)
{
    if (!meters)
        return;
    rf_free(meters->meters);
    rf_free(meters);
}

static void add(_Atomic int64_t *counter, int64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void rfi_meters_count(rfi_meters *meters, const rfi_route *route, int status, double seconds)
{
    const size_t at = route ? (size_t)(route - meters->routes.rows) : meters->routes.n;
    meter *m = &meters->meters[at];
    const int class = status / 100 - 2;
    int bucket = 0;
    while (bucket < N_LIMITS && seconds > limits[bucket])
        bucket++;
    add(&m->by_class[class < 0 || class >= N_CLASSES ? N_CLASSES - 1 : class], 1);
    add(&m->bucket[bucket], 1);
    add(&m->total_us, (int64_t)(seconds * 1e6));
}

/* ---- as text ---------------------------------------------------------------------------------- */

void rfi_meter_head(rf_buf *out, const char *name, const char *type, const char *help)
{
    rf_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void rfi_meter_line(rf_buf *out, const char *name, const char *labels, double value)
{
    char number[RF_NUMBER_TEXT_MAX];
    rf_format_f64(number, value);
    rf_buf_printf(out, labels ? "%s{%s} %s\n" : "%s%s %s\n", name, labels ? labels : "", number);
}

static int64_t get(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static int64_t total(const meter *m)
{
    int64_t n = 0;
    for (int i = 0; i < N_CLASSES; i++)
        n += get(&m->by_class[i]);
    return n;
}

static void put_labels(char *out, size_t size, const rfi_meters *meters, size_t i, const char *more)
{
    if (i < meters->routes.n)
        snprintf(out, size, "method=\"%s\",path=\"%s\"%s", rfi_method_name(meters->routes.rows[i].method),
                 meters->routes.rows[i].path, more);
    else
        snprintf(out, size, "method=\"\",path=\"\"%s", more);
}

static void put_histogram(const rfi_meters *meters, size_t i, rf_buf *out)
{
    const meter *m = &meters->meters[i];
    char labels[256], more[64], number[RF_NUMBER_TEXT_MAX];
    int64_t so_far = 0;
    for (int bucket = 0; bucket <= N_LIMITS; bucket++) {
        so_far += get(&m->bucket[bucket]);
        if (bucket < N_LIMITS)
            rf_format_f64(number, limits[bucket]);
        snprintf(more, sizeof more, ",le=\"%.40s\"", bucket < N_LIMITS ? number : "+Inf");
        put_labels(labels, sizeof labels, meters, i, more);
        rfi_meter_line(out, "rowforge_http_request_seconds_bucket", labels, (double)so_far);
    }
    put_labels(labels, sizeof labels, meters, i, "");
    rfi_meter_line(out, "rowforge_http_request_seconds_sum", labels, (double)get(&m->total_us) * 1e-6);
    rfi_meter_line(out, "rowforge_http_request_seconds_count", labels, (double)so_far);
}

void rfi_meters_text(const rfi_meters *meters, rf_buf *out)
{
    static const char *const classes[N_CLASSES] = {",status=\"2xx\"", ",status=\"3xx\"", ",status=\"4xx\"",
                                                   ",status=\"5xx\""};
    char labels[256];
    rfi_meter_head(out, "rowforge_http_requests_total", "counter", "Requests that were answered.");
    for (size_t i = 0; i <= meters->routes.n; i++)
        for (int class = 0; class < N_CLASSES; class ++) {
            const int64_t n = get(&meters->meters[i].by_class[class]);
            put_labels(labels, sizeof labels, meters, i, classes[class]);
            if (n > 0)
                rfi_meter_line(out, "rowforge_http_requests_total", labels, (double)n);
        }
    rfi_meter_head(out, "rowforge_http_request_seconds", "histogram",
                   "Time from the headers of a request to its reply.");
    for (size_t i = 0; i <= meters->routes.n; i++)
        if (total(&meters->meters[i]) > 0)
            put_histogram(meters, i, out);
}
