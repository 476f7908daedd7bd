/* digest.h - SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104).
 *
 *     rf_sha256 *hash = NULL;
 *     RF_TRY(rf_sha256_open(&hash, err));
 *     rf_sha256_update(hash, part, part_bytes);          // as often as there are parts
 *     RF_TRY(rf_sha256_finish(hash, digest, err));
 * out:
 *     rf_sha256_close(hash);
 *
 * A failure of the library while it works (there is none in practice) comes out of finish, or as NO_MEMORY of the one-call forms.
 *
 * Threads: a handle belongs to one thread at a time; the one-call forms are free.
 */
#ifndef RF_CRYPTO_DIGEST_H
#define RF_CRYPTO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum {
    RF_SHA256_BYTES = 32,
    RF_SHA256_HEX_SIZE = 65, /* 64 lower-case digits and the NUL */
};

typedef struct rf_sha256 rf_sha256;

rf_code rf_sha256_open(rf_sha256 **out, rf_error *err) RF_MUST_CHECK;
void rf_sha256_update(rf_sha256 *hash, const void *data, size_t size_bytes);
/* After finish the handle may only be closed. */
rf_code rf_sha256_finish(rf_sha256 *hash, uint8_t out[RF_SHA256_BYTES], rf_error *err) RF_MUST_CHECK;
rf_code rf_sha256_finish_hex(rf_sha256 *hash, char out[RF_SHA256_HEX_SIZE], rf_error *err) RF_MUST_CHECK;
void rf_sha256_close(rf_sha256 *hash); /* NULL is fine */

rf_code rf_sha256_bytes(uint8_t out[RF_SHA256_BYTES], const void *data, size_t size_bytes,
                        rf_error *err) RF_MUST_CHECK;
rf_code rf_sha256_hex(char out[RF_SHA256_HEX_SIZE], const void *data, size_t size_bytes,
                      rf_error *err) RF_MUST_CHECK;

/* A key that is prepared once costs half of one that is given anew. Any thread may use a prepared key. */
typedef struct rf_hmac rf_hmac;
rf_code rf_hmac_open(rf_hmac **out, const void *key, size_t key_bytes, rf_error *err) RF_MUST_CHECK;
rf_code rf_hmac_sign(const rf_hmac *hmac, uint8_t out[RF_SHA256_BYTES], const void *data, size_t size_bytes,
                     rf_error *err) RF_MUST_CHECK;
void rf_hmac_close(rf_hmac *hmac); /* wipes the key; NULL is fine */

rf_code rf_hmac_sha256(uint8_t out[RF_SHA256_BYTES], const void *key, size_t key_bytes, const void *data,
                       size_t size_bytes, rf_error *err) RF_MUST_CHECK;

/* Lower-case hexadecimal with a final NUL: 2 * size_bytes + 1 bytes. */
void rf_hex_encode(char *out, const void *data, size_t size_bytes);

#endif
