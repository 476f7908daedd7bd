/* accounts_internal.h - what accounts.c and account_sessions.c share. Folder-private. */
#ifndef RF_SCHEDULER_ACCOUNTS_INTERNAL_H
#define RF_SCHEDULER_ACCOUNTS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "scheduler/accounts.h"
#include "scheduler/lockout.h"

enum { RFI_SEEN_SETS = 1024 };

/* A session that was found alive a moment ago. */
typedef struct rfi_seen {
    rf_identity identity;
    double until_s; /* of the monotonic clock */
    uint64_t generation;
} rfi_seen;

struct rf_accounts {
    rf_accounts_options options; /* without zeros */
    rfi_lockout *lockout;
    _Atomic uint64_t generation; /* raised whenever a session or an account ends */
    pthread_mutex_t seen_lock;
    rfi_seen seen[RFI_SEEN_SETS];
};

static inline int64_t rfi_accounts_now(const rf_accounts *accounts)
{
    return accounts->options.now_ms(accounts->options.now_arg);
}

/* `email` in lower case, without blanks around it. False when it cannot be an address. */
bool rfi_email_normalise(char out[RF_EMAIL_BYTES_MAX + 1], const char *email);

/* Makes every later check ask the database. Called after the commit that ended something, before its caller hears of it. */
static inline void rfi_accounts_forget(rf_accounts *accounts)
{
    atomic_fetch_add(&accounts->generation, 1);
}

#endif
