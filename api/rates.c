#include "api/rates.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"

enum { SLOTS = 1 << 14, WAYS = 8, WHOM_BYTES = 256 };

/* A hash stands for the name: two that share 64 bits share an allowance, which harms nobody. */
typedef struct slot {
    uint64_t key; /* 0: empty */
    double whole_s;
} slot;

struct rfi_rates {
    const rf_settings *settings;
    pthread_mutex_t lock; /* of the slots */
    slot slots[SLOTS];
};

static const double period_s = 60;

static const struct {
    size_t setting; /* offset in rf_settings */
    rfi_rate_whom whom;
} classes[RFI_RATE_COUNT] = {
#define ROW(name, setting, whom) [RFI_RATE_##name] = {offsetof(rf_settings, setting), RFI_RATE_##whom},
    RFI_RATE_TABLE(ROW)
#undef ROW
};

rf_code rfi_rates_open(rfi_rates **out, const rf_settings *settings, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_rates *rates = NULL;
    RF_TRY(rf_alloc_array((void **)&rates, 1, sizeof *rates, "the table of request rates", err));
    rates->settings = settings;
    pthread_mutex_init(&rates->lock, NULL);
    *out = rates;
out:
    return rc;
}

void rfi_rates_close(rfi_rates *rates)
{
    if (!rates)
        return;
    pthread_mutex_destroy(&rates->lock);
    rf_free(rates);
}

rfi_rate_whom rfi_rate_counts_for(rfi_rate rate)
{
    return classes[rate].whom;
}

static uint64_t key_of(rfi_rate rate, const char *whom)
{
    char text[WHOM_BYTES];
    const int length = snprintf(text, sizeof text, "%d %s", (int)rate, whom);
    const size_t used = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    const uint64_t hash = rf_hash_bytes(text, used);
    return hash ? hash : 1;
}

/* The slot of the key, or the one that it may take: the least loaded of its set. */
static slot *find(rfi_rates *rates, uint64_t key)
{
    slot *set = &rates->slots[(key >> 20) % (SLOTS / WAYS) * WAYS], *least = set;
    for (slot *s = set; s < set + WAYS; s++) {
        if (s->key == key)
            return s;
        if (s->whole_s < least->whole_s)
            least = s;
    }
    return least;
}

static int64_t ask(rfi_rates *rates, rfi_rate rate, const char *whom, double now_s, bool count)
{
    if (rate == RFI_RATE_NONE || !rates->settings->rate_limit)
        return 0;
    const int64_t n = *(const int64_t *)((const char *)rates->settings + classes[rate].setting);
    const uint64_t key = key_of(rate, whom);
    const double share_s = period_s / (double)n;
    pthread_mutex_lock(&rates->lock);
    slot *s = find(rates, key);
    const double known_s = s->key == key ? s->whole_s : 0;
    const double whole_s = (known_s > now_s ? known_s : now_s) + share_s;
    const double wait_s = whole_s - now_s - period_s;
    if (wait_s <= 1e-9 && count)
        *s = (slot){.key = key, .whole_s = whole_s};
    pthread_mutex_unlock(&rates->lock);
    return wait_s <= 1e-9 ? 0 : (int64_t)wait_s + 1;
}

int64_t rfi_rates_take(rfi_rates *rates, rfi_rate rate, const char *whom, double now_s)
{
    return ask(rates, rate, whom, now_s, true);
}

int64_t rfi_rates_peek(rfi_rates *rates, rfi_rate rate, const char *whom, double now_s)
{
    return ask(rates, rate, whom, now_s, false);
}
