#include "crypto/secret.h"

#include <errno.h>
#include <sys/random.h>

#include <openssl/crypto.h>

rf_code rf_random_bytes(void *out, size_t size_bytes, rf_error *err)
{
    char *at = out;
    while (size_bytes > 0) {
        const ssize_t n = getrandom(at, size_bytes, 0);
        if (n < 0 && errno != EINTR)
            return rf_fail_errno(err, RF_IO, "the system gave no random bytes");
        if (n > 0) {
            at += n;
            size_bytes -= (size_t)n;
        }
    }
    return RF_OK;
}

bool rf_secret_equal(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    return a_bytes == b_bytes && CRYPTO_memcmp(a, b, a_bytes) == 0;
}

void rf_secret_wipe(void *data, size_t size_bytes)
{
    OPENSSL_cleanse(data, size_bytes);
}
