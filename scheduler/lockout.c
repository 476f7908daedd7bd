#include "scheduler/lockout.h"

#include <pthread.h>
#include <string.h>

#include "core/alloc.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

enum { SETS = 2048, WAYS = 4, WINDOW_MS = 60000, KEY_BYTES = 16 };

typedef struct entry {
    uint8_t key[KEY_BYTES]; /* all zero: free */
    int64_t began_ms;
    int32_t n;
} entry;

struct rfi_lockout {
    pthread_mutex_t lock;
    int32_t most;
    rf_hmac *hmac;
    entry entries[SETS][WAYS];
};

rf_code rfi_lockout_open(rfi_lockout **out, int32_t most, rf_error *err)
{
    rf_code rc = RF_OK;
    uint8_t key[RF_SHA256_BYTES];
    rfi_lockout *lockout = NULL;
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&lockout, 1, "the table of failed logins", err));
    pthread_mutex_init(&lockout->lock, NULL);
    lockout->most = most;
    RF_TRY(rf_random_bytes(key, sizeof key, err));
    RF_TRY(rf_hmac_open(&lockout->hmac, key, sizeof key, err));
    *out = lockout;
    lockout = NULL;
out:
    rfi_lockout_close(lockout);
    return rc;
}

void rfi_lockout_close(rfi_lockout *lockout)
{
    if (!lockout)
        return;
    rf_hmac_close(lockout->hmac);
    pthread_mutex_destroy(&lockout->lock);
    rf_free(lockout);
}

/* False without memory: then nobody is counted. */
static bool find_key(const rfi_lockout *lockout, const char *name, uint8_t key[RF_SHA256_BYTES])
{
    return rf_hmac_sign(lockout->hmac, key, name, strlen(name), NULL) == RF_OK;
}

static entry *set_of(rfi_lockout *lockout, const uint8_t key[RF_SHA256_BYTES])
{
    const unsigned index = (unsigned)key[KEY_BYTES] << 8 | key[KEY_BYTES + 1];
    return lockout->entries[index % SETS];
}

static entry *find(entry *set, const uint8_t *key)
{
    for (int i = 0; i < WAYS; i++)
        if (memcmp(set[i].key, key, KEY_BYTES) == 0)
            return &set[i];
    return NULL;
}

/* A free place, or that of the account that failed least; among equals, longest ago. */
static entry *make_room(entry *set, const uint8_t *key, int64_t now_ms)
{
    entry *least = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (now_ms - set[i].began_ms >= WINDOW_MS)
            set[i].n = 0;
        if (set[i].n < least->n || (set[i].n == least->n && set[i].began_ms < least->began_ms))
            least = &set[i];
    }
    *least = (entry){.began_ms = now_ms};
    memcpy(least->key, key, KEY_BYTES);
    return least;
}

bool rfi_lockout_take(rfi_lockout *lockout, const char *name, int64_t now_ms, int64_t *retry_ms)
{
    uint8_t key[RF_SHA256_BYTES];
    *retry_ms = 0;
    if (lockout->most == 0 || !find_key(lockout, name, key))
        return true;
    pthread_mutex_lock(&lockout->lock);
    entry *set = set_of(lockout, key);
    entry *found = find(set, key);
    if (!found || now_ms - found->began_ms >= WINDOW_MS || now_ms < found->began_ms)
        found = make_room(set, key, now_ms);
    const bool free = found->n < lockout->most;
    if (free)
        found->n++;
    else
        *retry_ms = found->began_ms + WINDOW_MS - now_ms;
    pthread_mutex_unlock(&lockout->lock);
    return free;
}

void rfi_lockout_give_back(rfi_lockout *lockout, const char *name)
{
    uint8_t key[RF_SHA256_BYTES];
    if (lockout->most == 0 || !find_key(lockout, name, key))
        return;
    pthread_mutex_lock(&lockout->lock);
    entry *found = find(set_of(lockout, key), key);
    if (found && found->n > 0)
        found->n--;
    pthread_mutex_unlock(&lockout->lock);
}
