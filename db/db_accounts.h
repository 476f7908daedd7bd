/* db_accounts.h - questions about people and their refresh tokens. db.h says how to ask. */
#ifndef RF_DB_DB_ACCOUNTS_H
#define RF_DB_DB_ACCOUNTS_H

#include "db/db.h"
#include "domain/user.h"

/* Sets user->id. CONFLICT when the email is taken. */
rf_code rf_db_user_insert(rf_db_tx *tx, rf_user *user, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_user_find(rf_db_tx *tx, int64_t id, rf_arena *arena, rf_user *out, bool *found,
                        rf_error *err) RF_MUST_CHECK;
rf_code rf_db_user_find_email(rf_db_tx *tx, const char *email, rf_arena *arena, rf_user *out, bool *found,
                              rf_error *err) RF_MUST_CHECK;
/* Newest first, those with id < before_id (0: from the newest), up to limit. */
rf_code rf_db_users_list(rf_db_tx *tx, int64_t before_id, int32_t limit, rf_arena *arena, rf_user **out,
                         int32_t *n, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_users_count(rf_db_tx *tx, int64_t *out, rf_error *err) RF_MUST_CHECK;
/* *changed is false when there is no such user. */
rf_code rf_db_user_set_disabled(rf_db_tx *tx, int64_t id, bool disabled, bool *changed,
                                rf_error *err) RF_MUST_CHECK;
rf_code rf_db_user_set_password(rf_db_tx *tx, int64_t id, const char *password_hash, bool *changed,
                                rf_error *err) RF_MUST_CHECK;
rf_code rf_db_user_set_role(rf_db_tx *tx, int64_t id, rf_role role, bool *changed,
                            rf_error *err) RF_MUST_CHECK;

/* The id of a new family of refresh tokens. */
rf_code rf_db_refresh_family(rf_db_tx *tx, int64_t *out, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_refresh_insert(rf_db_tx *tx, const rf_refresh *refresh, rf_error *err) RF_MUST_CHECK;
rf_code rf_db_refresh_find(rf_db_tx *tx, const char *hash, rf_arena *arena, rf_refresh *out, bool *found,
                           rf_error *err) RF_MUST_CHECK;
/* Marks it used if it was neither used nor revoked and has not expired; *changed says whether. One UPDATE: of two that
 * come together one wins. */
rf_code rf_db_refresh_use(rf_db_tx *tx, const char *hash, int64_t now_ms, bool *changed,
                          rf_error *err) RF_MUST_CHECK;
rf_code rf_db_refresh_revoke_family(rf_db_tx *tx, int64_t family_id, int64_t now_ms,
                                    rf_error *err) RF_MUST_CHECK;
rf_code rf_db_refresh_revoke_user(rf_db_tx *tx, int64_t user_id, int64_t now_ms, rf_error *err) RF_MUST_CHECK;
/* Whether some token of the family is neither revoked nor expired: the session still stands. */
rf_code rf_db_refresh_family_alive(rf_db_tx *tx, int64_t family_id, int64_t now_ms, bool *alive,
                                   rf_error *err) RF_MUST_CHECK;
/* Forgets up to limit tokens that expired before then. */
rf_code rf_db_refresh_purge(rf_db_tx *tx, int64_t before_ms, int32_t limit, int64_t *n,
                            rf_error *err) RF_MUST_CHECK;

#endif
