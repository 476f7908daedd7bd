/* libxcrypt's traps: crypt_data is 32 KiB and must be zeroed; a failure is a string that begins with '*', which must be compared
 * with nothing; the setting may not lie in the output. */
#include "crypto/password.h"

#include <pthread.h>
#include <string.h>

#include <crypt.h>

#include "core/alloc.h"
#include "core/text.h"
#include "crypto/secret.h"

enum { AT_ONCE = 2, SALT_BYTES = 16 };

/* ---- taking turns ---------------------------------------------------------------------------- */

static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_free = PTHREAD_COND_INITIALIZER;
static int n_hashing;

static void take_turn(void)
{
    pthread_mutex_lock(&turn_lock);
    while (n_hashing >= AT_ONCE)
        pthread_cond_wait(&turn_free, &turn_lock);
    n_hashing++;
    pthread_mutex_unlock(&turn_lock);
}

static void end_turn(void)
{
    pthread_mutex_lock(&turn_lock);
    n_hashing--;
    pthread_cond_signal(&turn_free);
    pthread_mutex_unlock(&turn_lock);
}

/* ---- hashing --------------------------------------------------------------------------------- */

rf_code rf_password_check(const char *password, size_t length, rf_error *err)
{
    if (length < RF_PASSWORD_BYTES_MIN)
        return rf_fail(err, RF_USAGE, "the password is too short: at least %d characters",
                       RF_PASSWORD_BYTES_MIN);
    if (length > RF_PASSWORD_BYTES_MAX)
        return rf_fail(err, RF_USAGE,
                       "the password is too long: at most %d bytes (a letter outside ASCII takes 2 to 4)",
                       RF_PASSWORD_BYTES_MAX);
    if (memchr(password, 0, length) || rf_utf8_find_invalid(password, length) >= 0)
        return rf_fail(err, RF_USAGE, "the password is not text in UTF-8");
    return RF_OK;
}

/* A hash or a "$2b$12$salt" setting that bcrypt will take. */
static bool is_setting(const char *setting)
{
    return strncmp(setting, "$2b$", 4) == 0 || strncmp(setting, "$2a$", 4) == 0 ||
           strncmp(setting, "$2y$", 4) == 0;
}

static rf_code hash_by(char out[RF_PASSWORD_HASH_SIZE], const char *password, const char *setting,
                       rf_error *err)
{
    rf_code rc = RF_OK;
    struct crypt_data *data = NULL;
    RF_TRY(RF_NEW_ARRAY(&data, 1, "a password's hash", err));
    take_turn();
    const char *hash = crypt_r(password, setting, data);
    end_turn();
    if (!hash || hash[0] == '*' || strlen(hash) != RF_PASSWORD_HASH_SIZE - 1)
        RF_TRY(rf_fail(err, RF_CORRUPT, "a password's hash could not be computed"));
    memcpy(out, hash, RF_PASSWORD_HASH_SIZE);
out:
    if (data)
        rf_secret_wipe(data, sizeof *data);
    rf_free(data);
    return rc;
}

rf_code rf_password_hash(char out[RF_PASSWORD_HASH_SIZE], const char *password, size_t length, int cost,
                         rf_error *err)
{
    rf_code rc = RF_OK;
    char salt[SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE], text[RF_PASSWORD_BYTES_MAX + 1];
    out[0] = 0;
    RF_TRY(rf_password_check(password, length, err));
    memcpy(text, password, length);
    text[length] = 0;
    RF_TRY(rf_random_bytes(salt, sizeof salt, err));
    if (!crypt_gensalt_rn("$2b$", (unsigned long)cost, salt, sizeof salt, setting, sizeof setting))
        RF_TRY(rf_fail(err, RF_INTERNAL, "bcrypt knows no cost of %d", cost));
    RF_TRY(hash_by(out, text, setting, err));
out:
    rf_secret_wipe(text, sizeof text);
    return rc;
}

rf_code rf_password_verify(bool *matches, const char *password, size_t length, const char *hash,
                           rf_error *err)
{
    char text[RF_PASSWORD_BYTES_MAX + 1] = "", computed[RF_PASSWORD_HASH_SIZE];
    const bool possible = length <= RF_PASSWORD_BYTES_MAX && !memchr(password, 0, length);
    rf_code rc = RF_OK;
    *matches = false;
    if (strlen(hash) != RF_PASSWORD_HASH_SIZE - 1 || !is_setting(hash))
        RF_TRY(rf_fail(err, RF_CORRUPT, "a stored password is not a bcrypt hash"));
    if (possible)
        memcpy(text, password, length);
    RF_TRY(hash_by(computed, text, hash, err));
    *matches =
        possible && rf_secret_equal(computed, RF_PASSWORD_HASH_SIZE - 1, hash, RF_PASSWORD_HASH_SIZE - 1);
out:
    rf_secret_wipe(text, sizeof text);
    return rc;
}
