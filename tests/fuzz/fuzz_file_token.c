/* fuzz_file_token.c - any text as the token of a temporary URL, and any bytes as the payload of a token that is signed well. */
#include <string.h>

#include "core/buf.h"
#include "crypto/base64url.h"
#include "storage/file_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_token(const rf_hmac *hmac, const char *token, bool may_open)
{
    rf_error err = {0};
    rf_signed found;
    const rf_code rc = rfi_file_token_open(hmac, token, 0, &found, &err);
    if (rc == RF_OK ? !may_open || !rf_key_is_valid(found.key) : rc != RF_FORBIDDEN || !err.message[0])
        __builtin_trap();
}

static void put(rf_buf *out, const void *data, size_t size)
{
    if (rf_buf_reserve(out, RF_BASE64URL_LENGTH(size)))
        out->size_bytes += rf_base64url_encode(out->data + out->size_bytes, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rf_hmac *hmac = NULL;
    rf_buf token;
    uint8_t signature[RF_SHA256_BYTES];
    if (rfi_file_token_key(&hmac, "secret", 6, NULL) != RF_OK)
        return 0;
    rf_buf_init(&token);
    rf_buf_append(&token, data, size);
    open_token(hmac, token.data, false);
    rf_buf_clear(&token);
    if (rf_hmac_sign(hmac, signature, data, size, NULL) == RF_OK) {
        put(&token, data, size);
        rf_buf_puts(&token, ".");
        put(&token, signature, sizeof signature);
        open_token(hmac, token.data, true);
    }
    rf_buf_free(&token);
    rf_hmac_close(hmac);
    return 0;
}
