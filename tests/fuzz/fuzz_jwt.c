/* fuzz_jwt.c - any bytes as an access token: never accepted. The same bytes as claims, rightly signed: accepted only as what
 * they say. */
#include <string.h>

#include "api/jwt.h"
#include "crypto/base64url.h"
#include "crypto/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char secret[] = "0123456789abcdef0123456789abcdef";
enum { CLAIMS_MAX = 1024 };

static void check_signed(const rf_jwt *jwt, const uint8_t *data, size_t size)
{
    rf_error err = {0};
    rf_claims who;
    char text[RF_BASE64URL_LENGTH(CLAIMS_MAX) + 1];
    uint8_t signature[RF_SHA256_BYTES];
    rf_buf token;
    rf_buf_init(&token);
    rf_buf_puts(&token, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.");
    rf_base64url_encode(text, data, size);
    rf_buf_puts(&token, text);
    if (rf_hmac_sha256(signature, secret, strlen(secret), token.data, token.size_bytes, &err) == RF_OK) {
        rf_base64url_encode(text, signature, sizeof signature);
        rf_buf_printf(&token, ".%s", text);
        if (rf_jwt_check(jwt, token.data, token.size_bytes, 1700000000, &who, &err) == RF_OK &&
            who.user_id <= 0)
            __builtin_trap();
    }
    rf_buf_free(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rf_jwt *jwt;
    rf_error err = {0};
    rf_claims who;
    if (!jwt && rf_jwt_open(&jwt, secret, strlen(secret), &err) != RF_OK)
        __builtin_trap();
    if (rf_jwt_check(jwt, (const char *)data, size, 1700000000, &who, &err) == RF_OK)
        __builtin_trap(); /* the fuzzer does not know the key */
    if (size <= CLAIMS_MAX)
        check_signed(jwt, data, size);
    return 0;
}
