/* file_token.h - a claim to one object until a moment, as text that nobody else can make. Folder-private.
 *
 *     token   = base64url(payload) "." base64url(HMAC-SHA-256(key, payload))
 *     payload = u8 version, u64 expires_ms, then key, download name and content type, each u32 length and bytes
 *
 * The key is derived from the server's secret and used for nothing else, so that a token of another kind is never one of these.
 */
#ifndef RF_STORAGE_FILE_TOKEN_H
#define RF_STORAGE_FILE_TOKEN_H

#include "crypto/digest.h"
#include "storage/storage.h"

/* A key of its own for tokens; closed with rf_hmac_close. */
rf_code rfi_file_token_key(rf_hmac **out, const void *secret, size_t secret_bytes,
                           rf_error *err) RF_MUST_CHECK;

rf_code rfi_file_token_make(const rf_hmac *hmac, const char *key, const rf_sign_options *options, rf_buf *out,
                            rf_error *err) RF_MUST_CHECK;

/* FORBIDDEN when it is not ours or has expired. */
rf_code rfi_file_token_open(const rf_hmac *hmac, const char *token, int64_t now_ms, rf_signed *out,
                            rf_error *err) RF_MUST_CHECK;

#endif
