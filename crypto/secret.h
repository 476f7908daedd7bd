/* secret.h - random bytes, comparison that tells nothing, forgetting. Any thread. */
#ifndef RF_CRYPTO_SECRET_H
#define RF_CRYPTO_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* From the kernel's generator; IO when it refuses. */
rf_code rf_random_bytes(void *out, size_t size_bytes, rf_error *err) RF_MUST_CHECK;

/* True when both are the same bytes. The time depends on the lengths alone, which are no secret. */
bool rf_secret_equal(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

/* Overwrites a secret that is not needed any more; the compiler may not leave it out. */
void rf_secret_wipe(void *data, size_t size_bytes);

#endif
