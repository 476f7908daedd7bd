#include "crypto/digest.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/alloc.h"

enum { BLOCK_BYTES = 64 };

/* ---- SHA-256 --------------------------------------------------------------------------------- */

struct rf_sha256 {
    EVP_MD_CTX *context;
    bool failed;
};

static rf_code no_memory(rf_error *err)
{
    return rf_fail(err, RF_NO_MEMORY, "there is no memory for a checksum");
}

rf_code rf_sha256_open(rf_sha256 **out, rf_error *err)
{
    *out = NULL;
    rf_sha256 *hash = rf_malloc(sizeof *hash);
    if (!hash)
        return no_memory(err);
    hash->failed = false;
    hash->context = EVP_MD_CTX_new();
    if (!hash->context || !EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL)) {
        rf_sha256_close(hash);
        return no_memory(err);
    }
    *out = hash;
    return RF_OK;
}

void rf_sha256_update(rf_sha256 *hash, const void *data, size_t size_bytes)
{
    if (size_bytes && !EVP_DigestUpdate(hash->context, data, size_bytes))
        hash->failed = true;
}

rf_code rf_sha256_finish(rf_sha256 *hash, uint8_t out[RF_SHA256_BYTES], rf_error *err)
{
    memset(out, 0, RF_SHA256_BYTES);
    if (hash->failed || !EVP_DigestFinal_ex(hash->context, out, NULL))
        return rf_fail(err, RF_INTERNAL, "a checksum could not be computed");
    return RF_OK;
}

rf_code rf_sha256_finish_hex(rf_sha256 *hash, char out[RF_SHA256_HEX_SIZE], rf_error *err)
{
    uint8_t digest[RF_SHA256_BYTES];
    rf_code rc = rf_sha256_finish(hash, digest, err);
    rf_hex_encode(out, digest, sizeof digest);
    return rc;
}

void rf_sha256_close(rf_sha256 *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    rf_free(hash);
}

rf_code rf_sha256_bytes(uint8_t out[RF_SHA256_BYTES], const void *data, size_t size_bytes, rf_error *err)
{
    if (!EVP_Digest(size_bytes ? data : "", size_bytes, out, NULL, EVP_sha256(), NULL))
        return no_memory(err);
    return RF_OK;
}

rf_code rf_sha256_hex(char out[RF_SHA256_HEX_SIZE], const void *data, size_t size_bytes, rf_error *err)
{
    uint8_t digest[RF_SHA256_BYTES] = {0};
    rf_code rc = rf_sha256_bytes(digest, data, size_bytes, err);
    rf_hex_encode(out, digest, sizeof digest);
    return rc;
}

/* ---- HMAC ------------------------------------------------------------------------------------ */

/* H(key ^ opad, H(key ^ ipad, data)), RFC 2104. Both hashes have taken their block of the key already;
 * a signature begins with copies of them. */
struct rf_hmac {
    EVP_MD_CTX *inner, *outer;
};

static EVP_MD_CTX *begin_padded(const uint8_t key[BLOCK_BYTES], uint8_t pad)
{
    uint8_t block[BLOCK_BYTES];
    for (int i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ pad;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const bool ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) &&
                    EVP_DigestUpdate(context, block, sizeof block);
    OPENSSL_cleanse(block, sizeof block);
    if (ok)
        return context;
    EVP_MD_CTX_free(context);
    return NULL;
}

static rf_code shorten_key(uint8_t out[BLOCK_BYTES], const void *key, size_t key_bytes, rf_error *err)
{
    memset(out, 0, BLOCK_BYTES);
    if (key_bytes > BLOCK_BYTES)
        return rf_sha256_bytes(out, key, key_bytes, err);
    if (key_bytes)
        memcpy(out, key, key_bytes);
    return RF_OK;
}

rf_code rf_hmac_open(rf_hmac **out, const void *key, size_t key_bytes, rf_error *err)
{
    *out = NULL;
    uint8_t block[BLOCK_BYTES];
    rf_code rc = RF_OK;
    rf_hmac *hmac = rf_malloc(sizeof *hmac);
    if (!hmac)
        return no_memory(err);
    *hmac = (rf_hmac){0};
    RF_TRY(shorten_key(block, key, key_bytes, err));
    hmac->inner = begin_padded(block, 0x36);
    hmac->outer = begin_padded(block, 0x5c);
    if (!hmac->inner || !hmac->outer)
        RF_TRY(no_memory(err));
    *out = hmac;
    hmac = NULL;
out:
    OPENSSL_cleanse(block, sizeof block);
    rf_hmac_close(hmac);
    return rc;
}

rf_code rf_hmac_sign(const rf_hmac *hmac, uint8_t out[RF_SHA256_BYTES], const void *data, size_t size_bytes,
                     rf_error *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const bool ok = context && EVP_MD_CTX_copy_ex(context, hmac->inner) &&
                    EVP_DigestUpdate(context, size_bytes ? data : "", size_bytes) &&
                    EVP_DigestFinal_ex(context, out, NULL) && EVP_MD_CTX_copy_ex(context, hmac->outer) &&
                    EVP_DigestUpdate(context, out, RF_SHA256_BYTES) && EVP_DigestFinal_ex(context, out, NULL);
    EVP_MD_CTX_free(context);
    if (ok)
        return RF_OK;
    memset(out, 0, RF_SHA256_BYTES);
    return no_memory(err);
}

void rf_hmac_close(rf_hmac *hmac)
{
    if (!hmac)
        return;
    EVP_MD_CTX_free(hmac->inner);
    EVP_MD_CTX_free(hmac->outer);
    rf_free(hmac);
}

rf_code rf_hmac_sha256(uint8_t out[RF_SHA256_BYTES], const void *key, size_t key_bytes, const void *data,
                       size_t size_bytes, rf_error *err)
{
    rf_hmac *hmac = NULL;
    rf_code rc = RF_OK;
    RF_TRY(rf_hmac_open(&hmac, key, key_bytes, err));
    RF_TRY(rf_hmac_sign(hmac, out, data, size_bytes, err));
out:
    rf_hmac_close(hmac);
    return rc;
}

/* ---- hexadecimal ----------------------------------------------------------------------------- */

void rf_hex_encode(char *out, const void *data, size_t size_bytes)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size_bytes; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = 0;
}
