/* password.h - passwords as bcrypt hashes ("$2b$", Provos and Mazieres 1999).
 *
 * A hash takes a quarter of a second at the usual cost, on purpose. At most two run at once in a process; others wait for
 * their turn, so that a crowd of logins cannot take every processor. Never call this on a thread that serves others.
 *
 * bcrypt reads 72 bytes of a password and ignores the rest: a longer one is refused, not shortened. Any thread.
 */
#ifndef RF_CRYPTO_PASSWORD_H
#define RF_CRYPTO_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

enum {
    RF_PASSWORD_COST = 12,    /* 2^12 rounds */
    RF_PASSWORD_COST_MIN = 4, /* the least that bcrypt knows; for tests */
    RF_PASSWORD_BYTES_MIN = 8,
    RF_PASSWORD_BYTES_MAX = 72,
    RF_PASSWORD_HASH_SIZE = 61, /* 60 characters and the NUL */
};

/* Whether this may be a password: 8 to 72 bytes of UTF-8 without NUL. USAGE with a sentence otherwise. */
rf_code rf_password_check(const char *password, size_t length, rf_error *err) RF_MUST_CHECK;

/* A new hash with a salt of its own; `cost` is 4..31. USAGE as rf_password_check. */
rf_code rf_password_hash(char out[RF_PASSWORD_HASH_SIZE], const char *password, size_t length, int cost,
                         rf_error *err) RF_MUST_CHECK;

/* Sets *matches. A password that could never have been hashed takes as long as any other and does not match. CORRUPT when
 * `hash` is no bcrypt hash. */
rf_code rf_password_verify(bool *matches, const char *password, size_t length, const char *hash,
                           rf_error *err) RF_MUST_CHECK;

#endif
