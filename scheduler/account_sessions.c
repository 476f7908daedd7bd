#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "crypto/base64url.h"
#include "crypto/digest.h"
#include "crypto/password.h"
#include "crypto/secret.h"
#include "db/db_accounts.h"
#include "scheduler/accounts_internal.h"

enum { TOKEN_BYTES = 32, DECOY_SIZE = RF_PASSWORD_HASH_SIZE };

static_assert(RF_BASE64URL_LENGTH(TOKEN_BYTES) + 1 == RF_REFRESH_TOKEN_SIZE,
              "a token is its random bytes as text");

static const double SEEN_FOR_S = 1.0;

/* ---- refresh tokens -------------------------------------------------------------------------- */

static rf_code draw_token(char token[RF_REFRESH_TOKEN_SIZE], char hash[RF_SHA256_HEX_SIZE], rf_error *err)
{
    uint8_t random[TOKEN_BYTES];
    rf_code rc = RF_OK;
    RF_TRY(rf_random_bytes(random, sizeof random, err));
    const size_t length = rf_base64url_encode(token, random, sizeof random);
    RF_TRY(rf_sha256_hex(hash, token, length, err));
out:
    rf_secret_wipe(random, sizeof random);
    return rc;
}

typedef struct session_write {
    rf_accounts *accounts;
    const char *spent;             /* refresh: the hash of the token that was brought */
    char hash[RF_SHA256_HEX_SIZE]; /* of the new token                                */
    int64_t now_ms;
    rf_arena *arena;
    rf_session *out;
    bool refused; /* committed all the same: what must be ended is ended */
    bool stolen;
} session_write;

static rf_code insert_token(rf_db_tx *tx, const session_write *w, rf_error *err)
{
    rf_session *session = w->out;
    session->refresh_expires_ms = w->now_ms + w->accounts->options.refresh_ms;
    const rf_refresh refresh = {.hash = w->hash,
                                .family_id = session->family_id,
                                .user_id = session->user.id,
                                .created_ms = w->now_ms,
                                .expires_ms = session->refresh_expires_ms};
    return rf_db_refresh_insert(tx, &refresh, err);
}

/* ---- logging in ------------------------------------------------------------------------------ */

static rf_code wrong_login(rf_error *err)
{
    return rf_fail(err, RF_UNAUTHENTICATED, "the email or the password is wrong");
}

static rf_code find_by_email(rf_accounts *accounts, const char *email, rf_arena *arena, rf_user *out,
                             bool *found, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_db_tx *tx = NULL;
    RF_TRY(rf_db_read_begin(accounts->options.db, &tx, err));
    RF_TRY(rf_db_user_find_email(tx, email, arena, out, found, err));
out:
    rf_db_read_end(tx);
    return rc;
}

/* An unknown account costs the same hash as a known one: against a hash that nobody's password has. */
static rf_code password_is_right(const rf_accounts *accounts, const rf_user *user, const char *password,
                                 size_t password_bytes, bool *right, rf_error *err)
{
    char decoy[DECOY_SIZE];
    snprintf(decoy, sizeof decoy, "$2b$%02d$%s", accounts->options.password_cost,
             "nobodyhasthispassword.nobodyhasthispasswordatallhere.");
    rf_code rc = rf_password_verify(right, password, password_bytes, user ? user->password_hash : decoy, err);
    *right = *right && user && !user->disabled;
    return rc;
}

static rf_code begin_session(rf_db_tx *tx, void *arg, rf_error *err)
{
    rf_code rc = RF_OK;
    session_write *w = arg;
    rf_user now;
    bool found = false;
    RF_TRY(rf_db_user_find(tx, w->out->user.id, w->arena, &now, &found, err));
    if (!found || now.disabled)
        RF_TRY(wrong_login(err));
    RF_TRY(rf_db_refresh_family(tx, &w->out->family_id, err));
    RF_TRY(insert_token(tx, w, err));
out:
    return rc;
}

rf_code rf_account_login(rf_accounts *accounts, const char *email, const char *password,
                         size_t password_bytes, rf_arena *arena, rf_session *out, int64_t *retry_s,
                         rf_error *err)
{
    rf_code rc = RF_OK;
    char address[RF_EMAIL_BYTES_MAX + 1];
    bool found = false, right = false;
    int64_t retry_ms = 0;
    session_write w = {
        .accounts = accounts, .now_ms = rfi_accounts_now(accounts), .arena = arena, .out = out};
    const bool possible = rfi_email_normalise(address, email);
    *retry_s = 0;
    memset(out, 0, sizeof *out);
    if (possible && !rfi_lockout_take(accounts->lockout, address, w.now_ms, &retry_ms)) {
        *retry_s = retry_ms / 1000 + 1;
        return rf_fail(err, RF_RATE_LIMITED,
                       "too many failed logins to this account; try again in %lld seconds",
                       (long long)*retry_s);
    }
    if (possible)
        RF_TRY(find_by_email(accounts, address, arena, &out->user, &found, err));
    RF_TRY(password_is_right(accounts, found ? &out->user : NULL, password, password_bytes, &right, err));
    if (!right)
        RF_TRY(wrong_login(err));
    RF_TRY(draw_token(out->refresh_token, w.hash, err));
    RF_TRY(rf_db_write(accounts->options.db, begin_session, &w, err));
out:
    if (possible && rc != RF_UNAUTHENTICATED)
        rfi_lockout_give_back(accounts->lockout, address);
    if (rc != RF_OK)
        memset(out, 0, sizeof *out);
    return rc;
}

/* ---- going on -------------------------------------------------------------------------------- */

/* One UPDATE decides who of two has used the token. The one who comes second, now or in a week, ends the family, and that must be
 * committed: so this returns OK and says `refused`. */
static rf_code rotate(rf_db_tx *tx, void *arg, rf_error *err)
{
    rf_code rc = RF_OK;
    session_write *w = arg;
    rf_refresh old;
    bool found = false, used = false;
    w->refused = w->stolen = false;
    RF_TRY(rf_db_refresh_find(tx, w->spent, w->arena, &old, &found, err));
    if (found)
        RF_TRY(rf_db_refresh_use(tx, w->spent, w->now_ms, &used, err));
    if (!used) {
        w->refused = true;
        w->stolen = found && old.used_ms != 0;
        if (w->stolen)
            RF_TRY(rf_db_refresh_revoke_family(tx, old.family_id, w->now_ms, err));
        goto out;
    }
    RF_TRY(rf_db_user_find(tx, old.user_id, w->arena, &w->out->user, &found, err));
    w->refused = !found || w->out->user.disabled;
    if (w->refused)
        goto out;
    w->out->family_id = old.family_id;
    RF_TRY(insert_token(tx, w, err));
out:
    return rc;
}

rf_code rf_account_refresh(rf_accounts *accounts, const char *token, rf_arena *arena, rf_session *out,
                           rf_error *err)
{
    rf_code rc = RF_OK;
    char spent[RF_SHA256_HEX_SIZE];
    session_write w = {.accounts = accounts,
                       .spent = spent,
                       .now_ms = rfi_accounts_now(accounts),
                       .arena = arena,
                       .out = out};
    memset(out, 0, sizeof *out);
    RF_TRY(rf_sha256_hex(spent, token, strlen(token), err));
    RF_TRY(draw_token(out->refresh_token, w.hash, err));
    RF_TRY(rf_db_write(accounts->options.db, rotate, &w, err));
    if (w.stolen)
        rfi_accounts_forget(accounts);
    if (w.refused)
        RF_TRY(rf_fail(err, RF_UNAUTHENTICATED, "%s",
                       w.stolen ? "this refresh token was used before; its session has ended, log in again"
                                : "this refresh token is not valid; log in again"));
out:
    if (rc != RF_OK)
        memset(out, 0, sizeof *out);
    return rc;
}

/* ---- ending ---------------------------------------------------------------------------------- */

typedef struct ending {
    int64_t user_id, family_id, now_ms;
} ending;

/* A family belongs to the user whose access token names it; both came out of a signed token. */
static rf_code end_session(rf_db_tx *tx, void *arg, rf_error *err)
{
    const ending *e = arg;
    return rf_db_refresh_revoke_family(tx, e->family_id, e->now_ms, err);
}

rf_code rf_account_logout(rf_accounts *accounts, int64_t user_id, int64_t family_id, rf_error *err)
{
    ending e = {user_id, family_id, rfi_accounts_now(accounts)};
    rf_code rc = rf_db_write(accounts->options.db, end_session, &e, err);
    rfi_accounts_forget(accounts);
    return rc;
}

/* ---- checking -------------------------------------------------------------------------------- */

static rfi_seen *place_of(rf_accounts *accounts, int64_t family_id)
{
    return &accounts->seen[(uint64_t)family_id % RFI_SEEN_SETS];
}

static bool was_seen(rf_accounts *accounts, int64_t user_id, int64_t family_id, rf_identity *out)
{
    const uint64_t generation = atomic_load(&accounts->generation);
    pthread_mutex_lock(&accounts->seen_lock);
    const rfi_seen *seen = place_of(accounts, family_id);
    const bool hit = seen->generation == generation && seen->identity.family_id == family_id &&
                     seen->identity.user_id == user_id && rf_clock_s() < seen->until_s;
    if (hit)
        *out = seen->identity;
    pthread_mutex_unlock(&accounts->seen_lock);
    return hit;
}

/* `generation` was read before the database was asked: what ended in between makes this entry worthless at once. */
static void remember(rf_accounts *accounts, const rf_identity *identity, uint64_t generation)
{
    pthread_mutex_lock(&accounts->seen_lock);
    *place_of(accounts, identity->family_id) =
        (rfi_seen){.identity = *identity, .until_s = rf_clock_s() + SEEN_FOR_S, .generation = generation};
    pthread_mutex_unlock(&accounts->seen_lock);
}

rf_code rf_account_check(rf_accounts *accounts, int64_t user_id, int64_t family_id, rf_identity *out,
                         rf_error *err)
{
    rf_code rc = RF_OK;
    rf_db_tx *tx = NULL;
    rf_arena arena;
    rf_user user = {0};
    bool found = false, alive = false;
    if (was_seen(accounts, user_id, family_id, out))
        return RF_OK;
    const uint64_t generation = atomic_load(&accounts->generation);
    rf_arena_init(&arena);
    RF_TRY(rf_db_read_begin(accounts->options.db, &tx, err));
    RF_TRY(rf_db_user_find(tx, user_id, &arena, &user, &found, err));
    if (found && !user.disabled)
        RF_TRY(rf_db_refresh_family_alive(tx, family_id, rfi_accounts_now(accounts), &alive, err));
    if (!alive)
        RF_TRY(rf_fail(err, RF_UNAUTHENTICATED, "this session has ended; log in again"));
    *out = (rf_identity){.user_id = user_id, .family_id = family_id, .role = user.role};
    remember(accounts, out, generation);
out:
    rf_db_read_end(tx);
    rf_arena_free(&arena);
    return rc;
}
