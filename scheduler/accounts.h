/* accounts.h - who may come in: passwords, sessions, roles.
 *
 *     rf_accounts *accounts = NULL;
 *     RF_TRY(rf_accounts_open(&accounts, &(rf_accounts_options){.db = db}, err));
 *     RF_TRY(rf_account_register(accounts, &(rf_new_account){.email = "a@b.example", .password = words}, &arena, &user, err));
 *     RF_TRY(rf_account_login(accounts, "a@b.example", words, strlen(words), &arena, &session, &retry_s, err));
 *     … an access token is made by the caller, for session.user.id and session.family_id …
 *     RF_TRY(rf_account_check(accounts, user_id, family_id, &identity, err));       // at each request
 *
 * A session is a family of refresh tokens: each is used once and gives the next; one that is used twice ends the session, since one of
 * the two who have it stole it. Only hashes of them are kept. Access tokens name their family, so that the end of a session, and a
 * disabled account, stop them at once.
 *
 * Login gives one answer, after one time, for a wrong password, an unknown account and a disabled one. After so many failures in a minute an
 * account, known or not, answers RATE_LIMITED until the minute is over.
 *
 * In errors about what somebody sent, err->context is the name of the field ("email", "password", "name").
 * Threads: any. All but rf_account_check, rf_account_get and rf_account_list take long (bcrypt, a write): never on a thread that serves others.
 */
#ifndef RF_SCHEDULER_ACCOUNTS_H
#define RF_SCHEDULER_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/error.h"
#include "domain/user.h"

struct rf_db;
typedef struct rf_accounts rf_accounts;

enum {
    RF_REFRESH_TOKEN_SIZE = 44, /* 43 characters of base64url and the NUL */
    RF_EMAIL_BYTES_MAX = 254,
    RF_NAME_BYTES_MAX = 400, /* 100 letters of any script */
};

typedef struct rf_accounts_options {
    struct rf_db *db;             /* lent                                  */
    int password_cost;            /* 0: 12                                 */
    int64_t refresh_ms;           /* life of a refresh token; 0: 7 days    */
    int32_t failures_a_minute;    /* of one account; 0: no limit           */
    int64_t (*now_ms)(void *arg); /* NULL: the wall clock                  */
    void *now_arg;
} rf_accounts_options;

rf_code rf_accounts_open(rf_accounts **out, const rf_accounts_options *options, rf_error *err) RF_MUST_CHECK;
void rf_accounts_close(rf_accounts *accounts); /* NULL is fine */

/* ---- people ---------------------------------------------------------------------------------- */

typedef struct rf_new_account {
    const char *email; /* any case; kept in lower case            */
    const char *password;
    size_t password_bytes; /* 0: strlen                               */
    const char *name;      /* NULL: none                              */
    rf_role role;
} rf_new_account;

/* USAGE for an email, a password or a name that cannot be one, CONFLICT when the email is taken. */
rf_code rf_account_register(rf_accounts *accounts, const rf_new_account *wanted, rf_arena *arena,
                            rf_user *out, rf_error *err) RF_MUST_CHECK;

/* Reads. NOT_FOUND when there is none. */
rf_code rf_account_get(rf_accounts *accounts, int64_t user_id, rf_arena *arena, rf_user *out,
                       rf_error *err) RF_MUST_CHECK;
/* Reads: newest first, ids below before_id (0: from the newest), up to limit. */
rf_code rf_account_list(rf_accounts *accounts, int64_t before_id, int32_t limit, rf_arena *arena,
                        rf_user **out, int32_t *n, rf_error *err) RF_MUST_CHECK;

/* Disables an enabled account and ends its sessions, or enables a disabled one; `out` is how it is then. CONFLICT for one's own account,
 * NOT_FOUND when there is none. Tokens of a disabled account stop before this returns. */
rf_code rf_account_toggle(rf_accounts *accounts, int64_t admin_id, int64_t user_id, rf_arena *arena,
                          rf_user *out, rf_error *err) RF_MUST_CHECK;

/* ---- sessions -------------------------------------------------------------------------------- */

typedef struct rf_session {
    rf_user user;
    int64_t family_id;
    char refresh_token[RF_REFRESH_TOKEN_SIZE];
    int64_t refresh_expires_ms;
} rf_session;

/* UNAUTHENTICATED, or RATE_LIMITED with *retry_s set (else 0). */
rf_code rf_account_login(rf_accounts *accounts, const char *email, const char *password,
                         size_t password_bytes, rf_arena *arena, rf_session *out, int64_t *retry_s,
                         rf_error *err) RF_MUST_CHECK;

/* The next token of the family; the one given is spent. UNAUTHENTICATED for one that is unknown, spent (the family ends), expired or of a
 * disabled account. Of two that come together one wins, and the other ends the family. */
rf_code rf_account_refresh(rf_accounts *accounts, const char *token, rf_arena *arena, rf_session *out,
                           rf_error *err) RF_MUST_CHECK;

/* Ends the session that an access token names. Nothing happens when it has ended. */
rf_code rf_account_logout(rf_accounts *accounts, int64_t user_id, int64_t family_id,
                          rf_error *err) RF_MUST_CHECK;

typedef struct rf_identity {
    int64_t user_id, family_id;
    rf_role role;
} rf_identity;

/* Reads. Whether the bearer of an access token still has a session and an enabled account: UNAUTHENTICATED otherwise. Answers from memory
 * for up to a second what it asked the database; whatever ends a session here empties that memory. */
rf_code rf_account_check(rf_accounts *accounts, int64_t user_id, int64_t family_id, rf_identity *out,
                         rf_error *err) RF_MUST_CHECK;

#endif
