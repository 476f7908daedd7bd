#include "crypto/base64url.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t rf_base64url_encode(char *out, const void *data, size_t size_bytes)
{
    const uint8_t *bytes = data;
    size_t length = 0;
    for (size_t i = 0; i < size_bytes; i += 3) {
        const size_t n = size_bytes - i < 3 ? size_bytes - i : 3;
        const uint32_t group =
            (uint32_t)bytes[i] << 16 | (n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (n > 2 ? bytes[i + 2] : 0);
        for (size_t k = 0; k <= n; k++)
            out[length++] = alphabet[group >> (18 - 6 * k) & 63];
    }
    out[length] = 0;
    return length;
}

/* 0..63, or -1. */
static int value_of(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    return character == '-' ? 62 : character == '_' ? 63 : -1;
}

bool rf_base64url_decode(void *out, size_t capacity, size_t *size_bytes, const char *text, size_t length)
{
    uint8_t *bytes = out;
    uint32_t group = 0;
    int n_bits = 0;
    *size_bytes = 0;
    if (length % 4 == 1 || RF_BASE64URL_BYTES(length) > capacity)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        const int value = value_of(text[i]);
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            bytes[n++] = (uint8_t)(group >> n_bits);
            group &= (1u << n_bits) - 1;
        }
    }
    if (group != 0)
        return false;
    *size_bytes = n;
    return true;
}
