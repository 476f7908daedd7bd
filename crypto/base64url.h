/* base64url.h - bytes as text that is safe in a URL (RFC 4648 section 5, without padding). Any thread.
 *
 * Decoding is strict, so that one value has one spelling: no padding, no blanks, no foreign characters, and the
 * bits that a last character holds too many are zero.
 */
#ifndef RF_CRYPTO_BASE64URL_H
#define RF_CRYPTO_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

/* Characters for so many bytes, without the NUL; and the most bytes that so many characters can hold. */
#define RF_BASE64URL_LENGTH(size_bytes) (((size_bytes)*4 + 2) / 3)
#define RF_BASE64URL_BYTES(length)      ((length) / 4 * 3 + ((length) % 4 ? (length) % 4 - 1 : 0))

/* Writes RF_BASE64URL_LENGTH(size_bytes) characters and a NUL; returns the length. */
size_t rf_base64url_encode(char *out, const void *data, size_t size_bytes);

/* Writes at most `capacity` bytes and their number. False, and *size_bytes 0, for what is not base64url or does not fit. */
bool rf_base64url_decode(void *out, size_t capacity, size_t *size_bytes, const char *text, size_t length);

#endif
