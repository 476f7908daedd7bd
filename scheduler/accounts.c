#include "scheduler/accounts.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/text.h"
#include "crypto/password.h"
#include "db/db_accounts.h"
#include "db/db_ops.h"
#include "scheduler/accounts_internal.h"

enum { LOCAL_PART_MAX = 64 };

/* ---- the whole ------------------------------------------------------------------------------- */

static int64_t wall_ms(void *arg)
{
    (void)arg;
    return rf_clock_wall_us() / 1000;
}

rf_code rf_accounts_open(rf_accounts **out, const rf_accounts_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_accounts *accounts = NULL;
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&accounts, 1, "the accounts", err));
    pthread_mutex_init(&accounts->seen_lock, NULL);
    accounts->options = *options;
    if (!accounts->options.password_cost)
        accounts->options.password_cost = RF_PASSWORD_COST;
    if (!accounts->options.refresh_ms)
        accounts->options.refresh_ms = (int64_t)7 * 24 * 3600 * 1000;
    if (!accounts->options.now_ms)
        accounts->options.now_ms = wall_ms;
    atomic_init(&accounts->generation, 1);
    RF_TRY(rfi_lockout_open(&accounts->lockout, options->failures_a_minute, err));
    *out = accounts;
    accounts = NULL;
out:
    rf_accounts_close(accounts);
    return rc;
}

void rf_accounts_close(rf_accounts *accounts)
{
    if (!accounts)
        return;
    rfi_lockout_close(accounts->lockout);
    pthread_mutex_destroy(&accounts->seen_lock);
    rf_free(accounts);
}

/* ---- what somebody may be called ------------------------------------------------------------- */

static bool is_printable(const char *text, size_t length, bool blanks)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7F || (!blanks && c == ' '))
            return false;
    }
    return rf_utf8_find_invalid(text, length) < 0;
}

static bool is_domain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const bool at_edge = i == 0 || i + 1 == length || text[i - 1] == '.' || text[i + 1] == '.';
        const char c = text[i];
        if (c == '.' ? at_edge : strchr("@,;:<>()[]\\\"/", c) != NULL || (at_edge && c == '-'))
            return false;
    }
    return length > 0;
}

bool rfi_email_normalise(char out[RF_EMAIL_BYTES_MAX + 1], const char *email)
{
    email += strspn(email, " ");
    size_t length = strlen(email);
    while (length > 0 && email[length - 1] == ' ')
        length--;
    out[0] = 0;
    if (length > RF_EMAIL_BYTES_MAX || !is_printable(email, length, false))
        return false;
    for (size_t i = 0; i < length; i++)
        out[i] = email[i] >= 'A' && email[i] <= 'Z' ? (char)(email[i] - 'A' + 'a') : email[i];
    out[length] = 0;
    const char *at = strrchr(out, '@');
    const size_t local = at ? (size_t)(at - out) : 0;
    return at && local > 0 && local <= LOCAL_PART_MAX && !memchr(out, '@', local) &&
           is_domain(at + 1, strlen(at + 1));
}

static rf_code check_wanted(const rf_new_account *wanted, size_t password_bytes,
                            char email[RF_EMAIL_BYTES_MAX + 1], rf_error *err)
{
    const size_t name_bytes = wanted->name ? strlen(wanted->name) : 0;
    rf_code rc = rf_password_check(wanted->password, password_bytes, err);
    if (rc != RF_OK)
        rf_error_context(err, "password");
    if (name_bytes > RF_NAME_BYTES_MAX || !is_printable(wanted->name ? wanted->name : "", name_bytes, true)) {
        rc = rf_fail(err, RF_USAGE, "a name has at most %d bytes of text without control characters",
                     RF_NAME_BYTES_MAX);
        rf_error_context(err, "name");
    }
    if (!rfi_email_normalise(email, wanted->email)) {
        rc = rf_fail(err, RF_USAGE, "\"%.100s\" is not an email address", wanted->email);
        rf_error_context(err, "email");
    }
    return rc;
}

/* ---- people ---------------------------------------------------------------------------------- */

static rf_code insert_user(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_user_insert(tx, arg, err);
}

rf_code rf_account_register(rf_accounts *accounts, const rf_new_account *wanted, rf_arena *arena,
                            rf_user *out, rf_error *err)
{
    rf_code rc = RF_OK;
    char email[RF_EMAIL_BYTES_MAX + 1], hash[RF_PASSWORD_HASH_SIZE];
    const size_t password_bytes = wanted->password_bytes ? wanted->password_bytes : strlen(wanted->password);
    const char *name = wanted->name ? wanted->name : "";
    RF_TRY(check_wanted(wanted, password_bytes, email, err));
    RF_TRY(rf_password_hash(hash, wanted->password, password_bytes, accounts->options.password_cost, err));
    *out = (rf_user){.email = rf_arena_string(arena, email, strlen(email)),
                     .name = rf_arena_string(arena, name, strlen(name)),
                     .password_hash = rf_arena_string(arena, hash, strlen(hash)),
                     .role = wanted->role,
                     .created_ms = rfi_accounts_now(accounts)};
    RF_TRY(rf_arena_check(arena, "an account", err));
    rc = rf_db_write(accounts->options.db, insert_user, out, err);
    if (rc == RF_CONFLICT) {
        rc = rf_fail(err, RF_CONFLICT, "there is an account with this email already");
        rf_error_context(err, "email");
    }
out:
    return rc;
}

static rf_code no_user(int64_t user_id, rf_error *err)
{
    return rf_fail(err, RF_NOT_FOUND, "there is no user %lld", (long long)user_id);
}

rf_code rf_account_get(rf_accounts *accounts, int64_t user_id, rf_arena *arena, rf_user *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_db_tx *tx = NULL;
    bool found = false;
    RF_TRY(rf_db_read_begin(accounts->options.db, &tx, err));
    RF_TRY(rf_db_user_find(tx, user_id, arena, out, &found, err));
    if (!found)
        RF_TRY(no_user(user_id, err));
out:
    rf_db_read_end(tx);
    return rc;
}

rf_code rf_account_list(rf_accounts *accounts, int64_t before_id, int32_t limit, rf_arena *arena,
                        rf_user **out, int32_t *n, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_db_tx *tx = NULL;
    RF_TRY(rf_db_read_begin(accounts->options.db, &tx, err));
    RF_TRY(rf_db_users_list(tx, before_id, limit, arena, out, n, err));
out:
    rf_db_read_end(tx);
    return rc;
}

/* ---- letting in and shutting out ------------------------------------------------------------- */

typedef struct toggle {
    int64_t admin_id, user_id, now_ms;
    rf_arena *arena;
    rf_user *out;
} toggle;

static rf_code toggle_user(rf_db_tx *tx, void *arg, rf_error *err)
{
    rf_code rc = RF_OK;
    toggle *t = arg;
    bool found = false, changed = false;
    char subject[32];
    RF_TRY(rf_db_user_find(tx, t->user_id, t->arena, t->out, &found, err));
    if (!found)
        RF_TRY(no_user(t->user_id, err));
    t->out->disabled = !t->out->disabled;
    RF_TRY(rf_db_user_set_disabled(tx, t->user_id, t->out->disabled, &changed, err));
    if (t->out->disabled)
        RF_TRY(rf_db_refresh_revoke_user(tx, t->user_id, t->now_ms, err));
    snprintf(subject, sizeof subject, "user %lld", (long long)t->user_id);
    RF_TRY(rf_db_audit_insert(tx,
                              &(rf_db_audit){.at_ms = t->now_ms,
                                             .user_id = t->admin_id,
                                             .action = t->out->disabled ? "user_disabled" : "user_enabled",
                                             .subject = subject,
                                             .address = "",
                                             .request_id = "",
                                             .detail = ""},
                              err));
out:
    return rc;
}

rf_code rf_account_toggle(rf_accounts *accounts, int64_t admin_id, int64_t user_id, rf_arena *arena,
                          rf_user *out, rf_error *err)
{
    if (admin_id == user_id)
        return rf_fail(err, RF_CONFLICT, "nobody can disable their own account");
    toggle t = {admin_id, user_id, rfi_accounts_now(accounts), arena, out};
    rf_code rc = rf_db_write(accounts->options.db, toggle_user, &t, err);
    rfi_accounts_forget(accounts);
    return rc;
}
