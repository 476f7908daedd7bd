#include "db/db_accounts.h"

#include "db/query.h"

/* ------------------------------------------------------------------ users */

static rf_code read_user(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    rf_user *const user = element;
    int role = 0;
    const rf_code rc = rfi_row_name(row, 4, rf_role_find, &role, err);
    *user = (rf_user){
        .id = rfi_row_int(row, 0),
        .email = rfi_row_text(row, 1, arena),
        .name = rfi_row_text(row, 2, arena),
        .password_hash = rfi_row_text(row, 3, arena),
        .role = (rf_role)role,
        .disabled = rfi_row_int(row, 5) != 0,
        .created_ms = rfi_row_int(row, 6),
    };
    return rc;
}

rf_code rf_db_user_insert(rf_db_tx *tx, rf_user *user, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rfi_next_id(tx, "users", &user->id, err));
    RF_TRY(rfi_change(tx, RFI_SQL_user_insert,
                      RFI_VALUES(rfi_int(user->id), rfi_text(user->email), rfi_text(user->name),
                                 rfi_text(user->password_hash), rfi_text(rf_role_name(user->role)),
                                 rfi_int(user->disabled), rfi_int(user->created_ms)),
                      NULL, err));
out:
    return rc;
}

rf_code rf_db_user_find(rf_db_tx *tx, int64_t id, rf_arena *arena, rf_user *out, bool *found, rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_user_find, RFI_VALUES(rfi_int(id)), read_user, arena, out, found, err);
}

rf_code rf_db_user_find_email(rf_db_tx *tx, const char *email, rf_arena *arena, rf_user *out, bool *found,
                              rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_user_find_email, RFI_VALUES(rfi_text(email)), read_user, arena, out,
                        found, err);
}

rf_code rf_db_users_list(rf_db_tx *tx, int64_t before_id, int32_t limit, rf_arena *arena, rf_user **out,
                         int32_t *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_user, .size = sizeof(rf_user)};
    const rf_code rc =
        rfi_list_run(tx, RFI_SQL_user_list,
                     RFI_VALUES(rfi_int(before_id ? before_id : INT64_MAX), rfi_int(limit)), &list, err);
    *out = (rf_user *)list.elements;
    *n = list.n;
    return rc;
}

rf_code rf_db_users_count(rf_db_tx *tx, int64_t *out, rf_error *err)
{
    return rfi_number(tx, RFI_SQL_user_count, NULL, 0, out, NULL, err);
}

rf_code rf_db_user_set_disabled(rf_db_tx *tx, int64_t id, bool disabled, bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_user_set_disabled, RFI_VALUES(rfi_int(id), rfi_int(disabled)), changed,
                      err);
}

rf_code rf_db_user_set_password(rf_db_tx *tx, int64_t id, const char *password_hash, bool *changed,
                                rf_error *err)
{
    return rfi_change(tx, RFI_SQL_user_set_password, RFI_VALUES(rfi_int(id), rfi_text(password_hash)),
                      changed, err);
}

rf_code rf_db_user_set_role(rf_db_tx *tx, int64_t id, rf_role role, bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_user_set_role, RFI_VALUES(rfi_int(id), rfi_text(rf_role_name(role))),
                      changed, err);
}

/* ------------------------------------------------------------------ refresh tokens */

static rf_code read_refresh(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(rf_refresh *)element = (rf_refresh){
        .hash = rfi_row_text(row, 0, arena),
        .family_id = rfi_row_int(row, 1),
        .user_id = rfi_row_int(row, 2),
        .created_ms = rfi_row_int(row, 3),
        .expires_ms = rfi_row_int(row, 4),
        .used_ms = rfi_row_int(row, 5),
        .revoked_ms = rfi_row_int(row, 6),
    };
    return RF_OK;
}

rf_code rf_db_refresh_family(rf_db_tx *tx, int64_t *out, rf_error *err)
{
    return rfi_next_id(tx, "families", out, err);
}

rf_code rf_db_refresh_insert(rf_db_tx *tx, const rf_refresh *refresh, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_refresh_insert,
                      RFI_VALUES(rfi_text(refresh->hash), rfi_int(refresh->family_id),
                                 rfi_int(refresh->user_id), rfi_int(refresh->created_ms),
                                 rfi_int(refresh->expires_ms), rfi_int(refresh->used_ms),
                                 rfi_int(refresh->revoked_ms)),
                      NULL, err);
}

rf_code rf_db_refresh_find(rf_db_tx *tx, const char *hash, rf_arena *arena, rf_refresh *out, bool *found,
                           rf_error *err)
{
    return rfi_find_run(tx, RFI_SQL_refresh_find, RFI_VALUES(rfi_text(hash)), read_refresh, arena, out, found,
                        err);
}

rf_code rf_db_refresh_use(rf_db_tx *tx, const char *hash, int64_t now_ms, bool *changed, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_refresh_use, RFI_VALUES(rfi_text(hash), rfi_int(now_ms)), changed, err);
}

rf_code rf_db_refresh_revoke_family(rf_db_tx *tx, int64_t family_id, int64_t now_ms, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_refresh_revoke_family, RFI_VALUES(rfi_int(family_id), rfi_int(now_ms)),
                      NULL, err);
}

rf_code rf_db_refresh_revoke_user(rf_db_tx *tx, int64_t user_id, int64_t now_ms, rf_error *err)
{
    return rfi_change(tx, RFI_SQL_refresh_revoke_user, RFI_VALUES(rfi_int(user_id), rfi_int(now_ms)), NULL,
                      err);
}

rf_code rf_db_refresh_family_alive(rf_db_tx *tx, int64_t family_id, int64_t now_ms, bool *alive,
                                   rf_error *err)
{
    int64_t one = 0;
    return rfi_number(tx, RFI_SQL_refresh_family_alive, RFI_VALUES(rfi_int(family_id), rfi_int(now_ms)), &one,
                      alive, err);
}

rf_code rf_db_refresh_purge(rf_db_tx *tx, int64_t before_ms, int32_t limit, int64_t *n, rf_error *err)
{
    return rfi_query_run(tx, RFI_SQL_refresh_purge, RFI_VALUES(rfi_int(before_ms), rfi_int(limit)), NULL,
                         NULL, n, err);
}
