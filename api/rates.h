/* rates.h - who may ask how often: the generic cell rate algorithm (ITU-T I.371, 1996), in memory.
 *
 * For each class and whom it counts for (an address, a user, an account) one moment is kept: when the allowance will be
 * whole again. A request moves it forward by one share; it is refused when that would lie more than the class's
 * period ahead. A burst of n is allowed, then one each period/n seconds.
 *
 * The table is of fixed size. When it is full the entry that is nearest to being whole among a few gives way, so a
 * crowd of addresses costs no memory. Any thread.
 */
#ifndef RF_API_RATES_H
#define RF_API_RATES_H

#include "api/route.h"
#include "domain/settings.h"

typedef struct rfi_rates rfi_rates;

rf_code rfi_rates_open(rfi_rates **out, const rf_settings *settings, rf_error *err) RF_MUST_CHECK;
void rfi_rates_close(rfi_rates *rates);

typedef enum rfi_rate_whom {
    RFI_RATE_NOBODY,
    RFI_RATE_ADDRESS,
    RFI_RATE_USER,
    RFI_RATE_ACCOUNT
} rfi_rate_whom;
rfi_rate_whom rfi_rate_counts_for(rfi_rate rate);

/* Counts one request of `whom`. Returns 0 when it may go on, else the seconds to wait, rounded up. */
int64_t rfi_rates_take(rfi_rates *rates, rfi_rate rate, const char *whom, double now_s);
/* The same answer without counting: for things that only count when they fail. */
int64_t rfi_rates_peek(rfi_rates *rates, rfi_rate rate, const char *whom, double now_s);

#endif
