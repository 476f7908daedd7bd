#include "api/jwt.h"

#include <jansson.h>
#include <string.h>

#include "core/alloc.h"
#include "crypto/base64url.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

enum { SECRET_BYTES_MIN = 32, SIGNATURE_LENGTH = 43, PART_BYTES_MAX = RF_JWT_BYTES_MAX };

/* {"alg":"HS256","typ":"JWT"}: what we write, and the only header that we accept. */
static const char header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
enum { HEADER_LENGTH = sizeof header - 1 };

struct rf_jwt {
    rf_hmac *key;
};

rf_code rf_jwt_open(rf_jwt **out, const char *secret, size_t secret_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    if (!secret || secret_bytes < SECRET_BYTES_MIN)
        return rf_fail(err, RF_USAGE, "the secret key must have at least %d characters", SECRET_BYTES_MIN);
    rf_jwt *jwt = rf_malloc(sizeof *jwt);
    if (!jwt)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the key of tokens");
    *jwt = (rf_jwt){0};
    RF_TRY(rf_hmac_open(&jwt->key, secret, secret_bytes, err));
    *out = jwt;
    jwt = NULL;
out:
    rf_jwt_close(jwt);
    return rc;
}

void rf_jwt_close(rf_jwt *jwt)
{
    if (!jwt)
        return;
    rf_hmac_close(jwt->key);
    rf_free(jwt);
}

/* ---- issuing ---------------------------------------------------------------------------------- */

rf_code rf_jwt_issue(const rf_jwt *jwt, const rf_claims *who, int64_t now_s, int64_t lifetime_s, rf_buf *out,
                     rf_error *err)
{
    rf_code rc = RF_OK;
    char claims[320], text[RF_BASE64URL_LENGTH(sizeof claims) + 1];
    uint8_t signature[RF_SHA256_BYTES];
    const size_t start = out->size_bytes;
    const int length =
        snprintf(claims, sizeof claims,
                 "{\"iss\":\"rowforge\",\"typ\":\"access\",\"sub\":\"%lld\",\"sid\":\"%lld\",\"role\":\"%s\","
                 "\"iat\":%lld,\"exp\":%lld}",
                 (long long)who->user_id, (long long)who->family_id, who->is_admin ? "admin" : "user",
                 (long long)now_s, (long long)(now_s + lifetime_s));
    rf_buf_printf(out, "%s.", header);
    rf_base64url_encode(text, claims, (size_t)length);
    rf_buf_puts(out, text);
    RF_TRY(rf_buf_check(out, "an access token", err));
    RF_TRY(rf_hmac_sign(jwt->key, signature, out->data + start, out->size_bytes - start, err));
    rf_base64url_encode(text, signature, sizeof signature);
    rf_buf_printf(out, ".%s", text);
    RF_TRY(rf_buf_check(out, "an access token", err));
out:
    return rc;
}

/* ---- checking --------------------------------------------------------------------------------- */

bool rf_jwt_signature_holds(const rf_jwt *jwt, const char *token, size_t length)
{
    uint8_t given[RF_SHA256_BYTES], wanted[RF_SHA256_BYTES];
    size_t given_bytes = 0;
    if (length < SIGNATURE_LENGTH + 3 || token[length - SIGNATURE_LENGTH - 1] != '.')
        return false;
    const size_t signed_length = length - SIGNATURE_LENGTH - 1;
    if (!rf_base64url_decode(given, sizeof given, &given_bytes, token + signed_length + 1, SIGNATURE_LENGTH))
        return false;
    if (rf_hmac_sign(jwt->key, wanted, token, signed_length, NULL) != RF_OK)
        return false;
    return rf_secret_equal(given, given_bytes, wanted, sizeof wanted);
}

/* "123" as we write it; anything else gives 0. */
static int64_t read_id(const json_t *value)
{
    const char *text = json_string_value(value);
    int64_t id = 0;
    if (!text || !*text || *text == '0' || strlen(text) > 18)
        return 0;
    for (; *text >= '0' && *text <= '9'; text++)
        id = id * 10 + (*text - '0');
    return *text ? 0 : id;
}

static bool is_text(const json_t *claims, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(claims, name));
    return text && strcmp(text, wanted) == 0;
}

static rf_code check_times(const json_t *claims, int64_t now_s, rf_error *err)
{
    const json_t *issued = json_object_get(claims, "iat"), *expires = json_object_get(claims, "exp");
    const json_t *not_before = json_object_get(claims, "nbf");
    if (!json_is_integer(issued) || !json_is_integer(expires) || (not_before && !json_is_integer(not_before)))
        return rf_fail(err, RF_UNAUTHENTICATED, "the token is not one of ours");
    if (json_integer_value(issued) > now_s + RF_JWT_SKEW_S ||
        json_integer_value(not_before) > now_s + RF_JWT_SKEW_S)
        return rf_fail(err, RF_UNAUTHENTICATED, "the token is not valid yet");
    if (json_integer_value(expires) <= now_s - RF_JWT_SKEW_S)
        return rf_fail(err, RF_UNAUTHENTICATED,
                       "the token has expired; ask for a new one with the refresh token");
    return RF_OK;
}

static rf_code read_claims(const json_t *claims, int64_t now_s, rf_claims *out, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(check_times(claims, now_s, err));
    const bool is_admin = is_text(claims, "role", "admin");
    *out = (rf_claims){.user_id = read_id(json_object_get(claims, "sub")),
                       .family_id = read_id(json_object_get(claims, "sid")),
                       .is_admin = is_admin};
    if (out->user_id == 0 || !is_text(claims, "iss", "rowforge") || !is_text(claims, "typ", "access") ||
        !(is_admin || is_text(claims, "role", "user")))
        rc = rf_fail(err, RF_UNAUTHENTICATED, "the token is not one of ours");
out:
    if (rc != RF_OK)
        *out = (rf_claims){0};
    return rc;
}

rf_code rf_jwt_check(const rf_jwt *jwt, const char *token, size_t length, int64_t now_s, rf_claims *out,
                     rf_error *err)
{
    char text[RF_BASE64URL_BYTES(PART_BYTES_MAX) + 1];
    size_t text_bytes = 0;
    *out = (rf_claims){0};
    if (length > RF_JWT_BYTES_MAX)
        return rf_fail(err, RF_UNAUTHENTICATED, "the token is longer than any of ours");
    if (length < HEADER_LENGTH + 1 + 1 + SIGNATURE_LENGTH || memcmp(token, header, HEADER_LENGTH) != 0 ||
        token[HEADER_LENGTH] != '.' || !rf_jwt_signature_holds(jwt, token, length))
        return rf_fail(err, RF_UNAUTHENTICATED, "the token is not one of ours");
    const size_t claims_at = HEADER_LENGTH + 1, claims_length = length - SIGNATURE_LENGTH - 1 - claims_at;
    if (!rf_base64url_decode(text, sizeof text - 1, &text_bytes, token + claims_at, claims_length))
        return rf_fail(err, RF_UNAUTHENTICATED, "the token is not one of ours");
    json_t *claims = json_loadb(text, text_bytes, JSON_REJECT_DUPLICATES, NULL);
    const rf_code rc = json_is_object(claims)
                           ? read_claims(claims, now_s, out, err)
                           : rf_fail(err, RF_UNAUTHENTICATED, "the token is not one of ours");
    json_decref(claims);
    return rc;
}
