/* repeat.h - requests that come again with the same Idempotency-Key.
 *
 * The hash is of method, path and body, so that a key which is used for something else is found out. The first reply is kept
 * by the scheduler beside what was made, and sent again as it was. */
#ifndef RF_API_REPEAT_H
#define RF_API_REPEAT_H

#include "api/reply.h"
#include "scheduler/scheduler.h"

/* The call's key and hash; no key when the client sent none. `more` (may be NULL) is hashed instead of the body: the sum of an
 * upload. Texts live as long as the call. */
rf_code rfi_repeat_key(rfi_call *call, const char *more, rf_idempotency *out, rf_error *err) RF_MUST_CHECK;

/* Whether the receipt holds a first reply; if so it is the call's reply now. */
bool rfi_repeat_answer(rfi_call *call, const rf_receipt *receipt);

/* Keeps the reply that was just made. What cannot be kept is logged and changes nothing for the client. */
void rfi_repeat_keep(rfi_call *call, const rf_idempotency *key);

#endif
