/* lockout.h - how often logins to an account failed within a minute. Folder-private.
 *
 * A login takes one of the account's tries before its password is looked at and gives it back when it was right, so that many at once get
 * no more tries than one after the other. Accounts that do not exist are counted like those that do. The table has a fixed size; its index is a
 * keyed hash, so that nobody can choose names that push others out. Threads: any.
 */
#ifndef RF_SCHEDULER_LOCKOUT_H
#define RF_SCHEDULER_LOCKOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

typedef struct rfi_lockout rfi_lockout;

/* `most` failures a minute; 0: any number. */
rf_code rfi_lockout_open(rfi_lockout **out, int32_t most, rf_error *err) RF_MUST_CHECK;
void rfi_lockout_close(rfi_lockout *lockout); /* NULL is fine */

/* Takes a try. False, and *retry_ms until the next, when there is none left. */
bool rfi_lockout_take(rfi_lockout *lockout, const char *name, int64_t now_ms, int64_t *retry_ms);
void rfi_lockout_give_back(rfi_lockout *lockout, const char *name);

#endif
