#include "storage/file_token.h"

#include <string.h>

#include "core/buf.h"
#include "crypto/base64url.h"
#include "crypto/secret.h"

enum {
    VERSION = 1,
    PAYLOAD_MAX = 1 + 8 + 12 + RF_KEY_BYTES_MAX + RF_DOWNLOAD_NAME_BYTES_MAX + RF_CONTENT_TYPE_BYTES_MAX,
    SIGNATURE_LENGTH = RF_BASE64URL_LENGTH(RF_SHA256_BYTES),
};

rf_code rfi_file_token_key(rf_hmac **out, const void *secret, size_t secret_bytes, rf_error *err)
{
    static const char purpose[] = "rowforge temporary file URLs, version 1";
    uint8_t key[RF_SHA256_BYTES];
    rf_code rc = RF_OK;
    *out = NULL;
    RF_TRY(rf_hmac_sha256(key, secret, secret_bytes, purpose, sizeof purpose - 1, err));
    RF_TRY(rf_hmac_open(out, key, sizeof key, err));
out:
    rf_secret_wipe(key, sizeof key);
    return rc;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void put_base64url(rf_buf *out, const void *data, size_t size_bytes)
{
    if (rf_buf_reserve(out, RF_BASE64URL_LENGTH(size_bytes)))
        out->size_bytes += rf_base64url_encode(out->data + out->size_bytes, data, size_bytes);
}

static void put_text(rf_buf *out, const char *text)
{
    rf_put_string(out, text ? text : "", text ? strlen(text) : 0);
}

rf_code rfi_file_token_make(const rf_hmac *hmac, const char *key, const rf_sign_options *options, rf_buf *out,
                            rf_error *err)
{
    rf_code rc = RF_OK;
    uint8_t signature[RF_SHA256_BYTES];
    rf_buf payload;
    rf_buf_init(&payload);
    rf_put_u8(&payload, VERSION);
    rf_put_i64(&payload, options->expires_ms);
    put_text(&payload, key);
    put_text(&payload, options->download_name);
    put_text(&payload, options->type);
    RF_TRY(rf_buf_check(&payload, "a temporary URL", err));
    RF_TRY(rf_hmac_sign(hmac, signature, payload.data, payload.size_bytes, err));
    put_base64url(out, payload.data, payload.size_bytes);
    rf_buf_puts(out, ".");
    put_base64url(out, signature, sizeof signature);
    RF_TRY(rf_buf_check(out, "a temporary URL", err));
out:
    rf_buf_free(&payload);
    return rc;
}

/* ---- opening --------------------------------------------------------------------------------- */

static rf_code refuse(rf_error *err)
{
    return rf_fail(err, RF_FORBIDDEN, "this link is not valid");
}

static bool take_text(rf_reader *reader, char *out, size_t most)
{
    size_t length = 0;
    const char *text = rf_get_string(reader, &length);
    if (reader->failed || length > most)
        return false;
    if (length)
        memcpy(out, text, length);
    out[length] = 0;
    return true;
}

static bool read_payload(const void *payload, size_t size_bytes, rf_signed *out)
{
    rf_reader reader;
    rf_reader_init(&reader, payload, size_bytes);
    if (rf_get_u8(&reader) != VERSION)
        return false;
    out->expires_ms = rf_get_i64(&reader);
    return take_text(&reader, out->key, RF_KEY_BYTES_MAX) &&
           take_text(&reader, out->download_name, RF_DOWNLOAD_NAME_BYTES_MAX) &&
           take_text(&reader, out->type, RF_CONTENT_TYPE_BYTES_MAX) && rf_reader_left(&reader) == 0 &&
           rf_key_is_valid(out->key);
}

/* The signature is compared before a byte of the payload is understood. */
rf_code rfi_file_token_open(const rf_hmac *hmac, const char *token, int64_t now_ms, rf_signed *out,
                            rf_error *err)
{
    uint8_t payload[PAYLOAD_MAX], given[RF_SHA256_BYTES], right[RF_SHA256_BYTES];
    size_t payload_bytes = 0, given_bytes = 0;
    rf_code rc = RF_OK;
    const char *dot = strchr(token, '.');
    if (!dot || strlen(dot + 1) != SIGNATURE_LENGTH ||
        !rf_base64url_decode(given, sizeof given, &given_bytes, dot + 1, SIGNATURE_LENGTH) ||
        !rf_base64url_decode(payload, sizeof payload, &payload_bytes, token, (size_t)(dot - token)))
        return refuse(err);
    RF_TRY(rf_hmac_sign(hmac, right, payload, payload_bytes, err));
    if (!rf_secret_equal(given, given_bytes, right, sizeof right) ||
        !read_payload(payload, payload_bytes, out))
        RF_TRY(refuse(err));
    if (now_ms >= out->expires_ms)
        RF_TRY(rf_fail(err, RF_FORBIDDEN, "this link has expired; ask for a new one"));
out:
    if (rc != RF_OK)
        memset(out, 0, sizeof *out);
    return rc;
}
