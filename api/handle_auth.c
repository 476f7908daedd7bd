/* Accounts: who comes in, and how. */
#include <string.h>

#include "api/handlers.h"
#include "api/present.h"
#include "api/server_internal.h"
#include "core/clock.h"
#include "scheduler/accounts.h"

rf_code rfi_identify_account(const rf_server *server, rf_claims *who, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_identity identity;
    RF_TRY(rf_account_check(server->accounts, who->user_id, who->family_id, &identity, err));
    who->is_admin = identity.role == RF_ROLE_ADMIN;
out:
    return rc;
}

static rf_code reply_tokens(rfi_call *call, const rf_session *session, const char *message, rf_error *err)
{
    rf_code rc = RF_OK;
    const int64_t lifetime_s = call->server->set->access_minutes * 60;
    const rf_claims who = {.user_id = session->user.id,
                           .family_id = session->family_id,
                           .is_admin = session->user.role == RF_ROLE_ADMIN};
    rf_buf token;
    rf_buf_init(&token);
    RF_TRY(rf_jwt_issue(call->server->jwt, &who, rf_clock_wall_us() / 1000000, lifetime_s, &token, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_text(data, "access_token", token.data);
    rfi_json_put_text(data, "refresh_token", session->refresh_token);
    rfi_json_put_text(data, "token_type", "bearer");
    rfi_json_put_int(data, "expires_in", lifetime_s);
    rfi_json_close(data, '}');
    rc = rfi_data_end(call, 200, message, err);
out:
    rf_buf_free(&token);
    return rc;
}

rf_code rfi_register(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_user user;
    const char *password = rfi_body_text(call, "password", "");
    const rf_new_account wanted = {.email = rfi_body_text(call, "email", ""),
                                   .password = password,
                                   .password_bytes = strlen(password),
                                   .name = rfi_body_text(call, "name", NULL),
                                   .role = RF_ROLE_USER};
    RF_TRY(rf_account_register(call->server->accounts, &wanted, &call->arena, &user, err));
    rfi_log_security(call, "an account was made");
    rfi_put_user(rfi_data_begin(call), &user, false);
    rc = rfi_data_end(call, 201, "the account is made", err);
out:
    return rc;
}

rf_code rfi_login(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_session session = {0};
    const char *password = rfi_body_text(call, "password", "");
    rc = rf_account_login(call->server->accounts, rfi_body_text(call, "email", ""), password,
                          strlen(password), &call->arena, &session, &call->retry_after_s, err);
    if (rc == RF_UNAUTHENTICATED || rc == RF_RATE_LIMITED)
        rfi_log_security(call, "a login failed");
    RF_TRY(rc);
    rc = reply_tokens(call, &session, "welcome", err);
out:
    return rc;
}

rf_code rfi_refresh(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_session session = {0};
    rc = rf_account_refresh(call->server->accounts, rfi_body_text(call, "refresh_token", ""), &call->arena,
                            &session, err);
    if (rc == RF_UNAUTHENTICATED)
        rfi_log_security(call, "a refresh token was refused");
    RF_TRY(rc);
    rc = reply_tokens(call, &session, "here are new tokens", err);
out:
    return rc;
}

rf_code rfi_me(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_user user;
    RF_TRY(rf_account_get(call->server->accounts, call->who.user_id, &call->arena, &user, err));
    rfi_put_user(rfi_data_begin(call), &user, false);
    rc = rfi_data_end(call, 200, "this is you", err);
out:
    return rc;
}

rf_code rfi_logout(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_account_logout(call->server->accounts, call->who.user_id, call->who.family_id, err));
    rc = rfi_data_none(call, 200, "this session has ended", err);
out:
    return rc;
}
