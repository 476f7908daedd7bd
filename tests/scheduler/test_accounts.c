#include "rf_test.h"

#include <pthread.h>

#include "../db/db_rig.h"
#include "crypto/password.h"
#include "scheduler/accounts.h"
#include "scheduler/lockout.h"

/* ---- a house with accounts ------------------------------------------------------------------- */

typedef struct house {
    void *db_state;
    db_rig *rig;
    rf_accounts *accounts;
    int64_t now_ms;
    rf_arena arena;
} house;

static house h;
static rf_error err;

static int64_t told_time(void *arg)
{
    return ((house *)arg)->now_ms;
}

static int begin(void **state)
{
    (void)state;
    h = (house){.now_ms = 1700000000000};
    err = (rf_error){0};
    rf_arena_init(&h.arena);
    if (db_rig_setup(&h.db_state) != 0)
        return -1;
    h.rig = h.db_state;
    const rf_accounts_options options = {.db = h.rig->db,
                                         .password_cost = RF_PASSWORD_COST_MIN,
                                         .failures_a_minute = 3,
                                         .now_ms = told_time,
                                         .now_arg = &h};
    return rf_accounts_open(&h.accounts, &options, &err) == RF_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    rf_accounts_close(h.accounts);
    rf_arena_free(&h.arena);
    return db_rig_teardown(&h.db_state);
}

static rf_code try_register(const char *email, const char *password, rf_user *out)
{
    return rf_account_register(h.accounts,
                               &(rf_new_account){.email = email, .password = password, .name = "Ann"},
                               &h.arena, out, &err);
}

static int64_t ann(void)
{
    rf_user user;
    assert_ok(try_register("Ann@Example.org", "correct horse", &user));
    return user.id;
}

static rf_code try_login(const char *email, const char *password, rf_session *out)
{
    int64_t retry_s = 0;
    return rf_account_login(h.accounts, email, password, strlen(password), &h.arena, out, &retry_s, &err);
}

static rf_session login(void)
{
    rf_session session;
    assert_ok(try_login("ann@example.org", "correct horse", &session));
    return session;
}

static rf_code check(const rf_session *session)
{
    rf_identity identity;
    return rf_account_check(h.accounts, session->user.id, session->family_id, &identity, &err);
}

/* ---- registering ----------------------------------------------------------------------------- */

static void registered_user_can_be_found_and_logs_in(void **state)
{
    (void)state;
    rf_user user, found;
    assert_ok(try_register("  Ann@Example.ORG ", "correct horse", &user));
    assert_string_equal(user.email, "ann@example.org");
    assert_int_equal(user.role, RF_ROLE_USER);
    assert_int_equal(user.created_ms, h.now_ms);
    assert_ok(rf_account_get(h.accounts, user.id, &h.arena, &found, &err));
    assert_string_equal(found.name, "Ann");
    const rf_session session = login();
    assert_int_equal(session.user.id, user.id);
    assert_int_equal(strlen(session.refresh_token), 43);
    assert_int_equal(session.refresh_expires_ms, h.now_ms + (int64_t)7 * 24 * 3600 * 1000);
    assert_ok(check(&session));
    assert_fails(rf_account_get(h.accounts, 999, &h.arena, &found, &err), RF_NOT_FOUND, "999");
}

static void email_is_taken_once_in_any_case(void **state)
{
    (void)state;
    rf_user user;
    ann();
    assert_fails(try_register("ANN@example.org", "another one", &user), RF_CONFLICT, "already");
    assert_string_equal(err.context, "email");
}

static void what_cannot_be_an_account_names_its_field(void **state)
{
    (void)state;
    static char long_email[300], long_name[500];
    memset(long_email, 'a', sizeof long_email - 1);
    memcpy(long_email + 60, "@", 1);
    memset(long_name, 'n', sizeof long_name - 1);
    const struct {
        const char *email, *password, *name, *field;
    } cases[] = {
        {"ann", "correct horse", NULL, "email"},
        {"@example.org", "correct horse", NULL, "email"},
        {"ann@", "correct horse", NULL, "email"},
        {"a@b@c", "correct horse", NULL, "email"},
        {"a b@c.d", "correct horse", NULL, "email"},
        {"a@b..c", "correct horse", NULL, "email"},
        {"a@.b", "correct horse", NULL, "email"},
        {"a@b.", "correct horse", NULL, "email"},
        {"a@-b.c", "correct horse", NULL, "email"},
        {"a\n@b.c", "correct horse", NULL, "email"},
        {"a@b\r\nX: y", "correct horse", NULL, "email"},
        {"", "correct horse", NULL, "email"},
        {"\xff@b.c", "correct horse", NULL, "email"},
        {long_email, "correct horse", NULL, "email"},
        {"a@b.c", "short", NULL, "password"},
        {"a@b.c", "correct horse", "a\nb", "name"},
        {"a@b.c", "correct horse", long_name, "name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_user user;
        const rf_new_account wanted = {
            .email = cases[i].email, .password = cases[i].password, .name = cases[i].name};
        assert_fails(rf_account_register(h.accounts, &wanted, &h.arena, &user, &err), RF_USAGE, "");
        assert_string_equal(err.context, cases[i].field);
    }
}

static void password_is_kept_as_a_hash_only(void **state)
{
    (void)state;
    rf_user user;
    assert_ok(try_register("a@b.c", "correct horse", &user));
    assert_memory_equal(user.password_hash, "$2b$04$", 7);
    assert_null(strstr(user.password_hash, "horse"));
}

/* ---- logging in ------------------------------------------------------------------------------ */

static void wrong_password_unknown_and_disabled_account_are_answered_alike(void **state)
{
    (void)state;
    rf_session session;
    rf_user user, bob;
    char first[256];
    const int64_t id = ann();
    assert_ok(try_register("bob@example.org", "correct horse", &bob));
    assert_fails(try_login("ann@example.org", "wrong horse", &session), RF_UNAUTHENTICATED, "wrong");
    memcpy(first, err.message, sizeof first);
    assert_fails(try_login("nobody@example.org", "correct horse", &session), RF_UNAUTHENTICATED, first);
    assert_fails(try_login("no address", "correct horse", &session), RF_UNAUTHENTICATED, first);
    assert_ok(rf_account_toggle(h.accounts, bob.id, id, &h.arena, &user, &err));
    assert_fails(try_login("ann@example.org", "correct horse", &session), RF_UNAUTHENTICATED, first);
    assert_int_equal(session.family_id, 0);
    assert_string_equal(session.refresh_token, "");
}

static void account_with_too_many_failures_waits_whether_it_exists_or_not(void **state)
{
    (void)state;
    static const char *const emails[] = {"ann@example.org", "nobody@example.org"};
    rf_session session;
    int64_t retry_s = 0;
    ann();
    for (int e = 0; e < 2; e++) {
        for (int i = 0; i < 3; i++)
            assert_fails(try_login(emails[e], "wrong horse", &session), RF_UNAUTHENTICATED, "wrong");
        h.now_ms += 20000;
        assert_fails(
            rf_account_login(h.accounts, emails[e], "correct horse", 13, &h.arena, &session, &retry_s, &err),
            RF_RATE_LIMITED, "try again in 41 seconds");
        assert_int_equal(retry_s, 41);
        h.now_ms -= 20000;
    }
    h.now_ms += 60000;
    login();
    assert_fails(try_login("nobody@example.org", "wrong horse", &session), RF_UNAUTHENTICATED, "wrong");
}

static void right_logins_are_not_counted_as_failures(void **state)
{
    (void)state;
    ann();
    for (int i = 0; i < 10; i++)
        login();
}

static void many_at_once_get_no_more_tries(void **state)
{
    (void)state;
    rfi_lockout *lockout = NULL;
    int64_t retry_ms = 0;
    assert_ok(rfi_lockout_open(&lockout, 3, &err));
    for (int i = 0; i < 3; i++)
        assert_true(rfi_lockout_take(lockout, "ann", 1000, &retry_ms));
    assert_false(rfi_lockout_take(lockout, "ann", 1001, &retry_ms));
    assert_int_equal(retry_ms, 59999);
    assert_true(rfi_lockout_take(lockout, "bob", 1001, &retry_ms));
    rfi_lockout_give_back(lockout, "ann");
    assert_true(rfi_lockout_take(lockout, "ann", 1002, &retry_ms));
    assert_false(rfi_lockout_take(lockout, "ann", 60999, &retry_ms));
    assert_true(rfi_lockout_take(lockout, "ann", 61000, &retry_ms));
    rfi_lockout_close(lockout);
}

static void crowd_of_other_names_does_not_free_a_locked_one(void **state)
{
    (void)state;
    rfi_lockout *lockout = NULL;
    int64_t retry_ms = 0;
    char name[32];
    assert_ok(rfi_lockout_open(&lockout, 3, &err));
    while (rfi_lockout_take(lockout, "ann", 1000, &retry_ms))
        ;
    for (int i = 0; i < 30000; i++) {
        snprintf(name, sizeof name, "other %d", i);
        assert_true(rfi_lockout_take(lockout, name, 1001, &retry_ms));
    }
    assert_false(rfi_lockout_take(lockout, "ann", 1002, &retry_ms));
    rfi_lockout_close(lockout);
}

/* ---- refreshing ------------------------------------------------------------------------------ */

static rf_code refresh(const char *token, rf_session *out)
{
    return rf_account_refresh(h.accounts, token, &h.arena, out, &err);
}

static void refresh_token_is_used_once_and_gives_the_next_of_its_family(void **state)
{
    (void)state;
    rf_session second, third;
    ann();
    const rf_session first = login();
    assert_ok(refresh(first.refresh_token, &second));
    assert_string_not_equal(first.refresh_token, second.refresh_token);
    assert_int_equal(first.family_id, second.family_id);
    assert_int_equal(first.user.id, second.user.id);
    assert_ok(refresh(second.refresh_token, &third));
    assert_ok(check(&third));
}

static void token_that_is_used_twice_ends_its_family_and_no_other(void **state)
{
    (void)state;
    rf_session second, again;
    ann();
    const rf_session first = login(), elsewhere = login();
    assert_ok(refresh(first.refresh_token, &second));
    assert_ok(check(&second));
    assert_fails(refresh(first.refresh_token, &again), RF_UNAUTHENTICATED, "used before");
    assert_fails(check(&second), RF_UNAUTHENTICATED, "has ended");
    assert_fails(refresh(second.refresh_token, &again), RF_UNAUTHENTICATED, "not valid");
    assert_string_equal(again.refresh_token, "");
    assert_ok(check(&elsewhere));
    assert_ok(refresh(elsewhere.refresh_token, &again));
}

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    rf_session session;
    static const char *const cases[] = {"", "x", "' OR 1=1 --",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(refresh(cases[i], &session), RF_UNAUTHENTICATED, "not valid");
}

static void token_expires(void **state)
{
    (void)state;
    rf_session next;
    ann();
    const rf_session session = login();
    h.now_ms = session.refresh_expires_ms - 1;
    assert_ok(refresh(session.refresh_token, &next));
    h.now_ms = next.refresh_expires_ms;
    assert_fails(refresh(next.refresh_token, &next), RF_UNAUTHENTICATED, "not valid");
}

typedef struct racer {
    const char *token;
    pthread_barrier_t *start;
    rf_code rc;
    rf_session session;
} racer;

static void *race(void *arg)
{
    racer *r = arg;
    rf_error own = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    pthread_barrier_wait(r->start);
    r->rc = rf_account_refresh(h.accounts, r->token, &arena, &r->session, &own);
    rf_arena_free(&arena);
    return NULL;
}

static void of_two_that_come_together_one_wins_and_the_other_ends_the_family(void **state)
{
    (void)state;
    ann();
    for (int round = 0; round < 20; round++) {
        const rf_session session = login();
        pthread_barrier_t start;
        pthread_t threads[2];
        racer racers[2] = {{.token = session.refresh_token, .start = &start},
                           {.token = session.refresh_token, .start = &start}};
        pthread_barrier_init(&start, NULL, 2);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&start);
        assert_true((racers[0].rc == RF_OK) != (racers[1].rc == RF_OK));
        assert_int_equal(racers[racers[0].rc == RF_OK].rc, RF_UNAUTHENTICATED);
        assert_fails(check(&session), RF_UNAUTHENTICATED, "has ended");
    }
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void logout_ends_one_session_at_once(void **state)
{
    (void)state;
    rf_session next;
    ann();
    const rf_session session = login(), other = login();
    assert_ok(check(&session)); /* and is remembered */
    assert_ok(rf_account_logout(h.accounts, session.user.id, session.family_id, &err));
    assert_fails(check(&session), RF_UNAUTHENTICATED, "has ended");
    assert_fails(refresh(session.refresh_token, &next), RF_UNAUTHENTICATED, "not valid");
    assert_ok(check(&other));
    assert_ok(rf_account_logout(h.accounts, session.user.id, session.family_id, &err));
}

static void disabled_account_stops_at_once_and_enabled_one_logs_in_anew(void **state)
{
    (void)state;
    rf_user admin, user;
    rf_session next;
    const int64_t id = ann();
    assert_ok(rf_account_register(
        h.accounts,
        &(rf_new_account){.email = "root@example.org", .password = "correct horse", .role = RF_ROLE_ADMIN},
        &h.arena, &admin, &err));
    assert_int_equal(admin.role, RF_ROLE_ADMIN);
    const rf_session session = login();
    assert_ok(check(&session));
    assert_ok(rf_account_toggle(h.accounts, admin.id, id, &h.arena, &user, &err));
    assert_true(user.disabled);
    assert_fails(check(&session), RF_UNAUTHENTICATED, "has ended");
    assert_fails(refresh(session.refresh_token, &next), RF_UNAUTHENTICATED, "not valid");
    assert_ok(rf_account_toggle(h.accounts, admin.id, id, &h.arena, &user, &err));
    assert_false(user.disabled);
    assert_fails(check(&session), RF_UNAUTHENTICATED, "has ended");
    login();
    assert_fails(rf_account_toggle(h.accounts, admin.id, admin.id, &h.arena, &user, &err), RF_CONFLICT,
                 "own account");
    assert_fails(rf_account_toggle(h.accounts, admin.id, 999, &h.arena, &user, &err), RF_NOT_FOUND, "999");
    rf_db_tx *tx = NULL;
    rf_db_audit *deeds;
    int32_t n = 0;
    assert_ok(rf_db_read_begin(h.rig->db, &tx, &err));
    assert_ok(rf_db_audit_list(tx, admin.id, "user_disabled", 0, 10, &h.arena, &deeds, &n, &err));
    rf_db_read_end(tx);
    assert_int_equal(n, 1);
}

static void check_says_who_and_refuses_anothers_session(void **state)
{
    (void)state;
    rf_identity identity;
    ann();
    const rf_session session = login();
    for (int i = 0; i < 2; i++) { /* from the database, from memory */
        assert_ok(rf_account_check(h.accounts, session.user.id, session.family_id, &identity, &err));
        assert_int_equal(identity.user_id, session.user.id);
        assert_int_equal(identity.role, RF_ROLE_USER);
    }
    assert_fails(rf_account_check(h.accounts, session.user.id + 1, session.family_id, &identity, &err),
                 RF_UNAUTHENTICATED, "has ended");
    assert_fails(rf_account_check(h.accounts, session.user.id, session.family_id + 1, &identity, &err),
                 RF_UNAUTHENTICATED, "has ended");
}

/* ---- trouble below --------------------------------------------------------------------------- */

static void database_that_fails_at_any_statement_changes_nothing_and_says_so(void **state)
{
    (void)state;
    ann();
    const rf_session session = login();
    rf_session next;
    rf_db_fail_at(h.rig->db, 0);
    const rf_session probe = login();
    assert_int_not_equal(probe.family_id, 0);
    const int64_t n_login = rf_db_statement_count(h.rig->db);
    for (int64_t nth = 1; nth <= n_login; nth++) {
        rf_db_fail_at(h.rig->db, nth);
        assert_int_not_equal(try_login("ann@example.org", "correct horse", &next), RF_OK);
        assert_int_equal(next.family_id, 0);
    }
    rf_db_fail_at(h.rig->db, 0);
    login(); /* failures of the database are no failures of the account */
    for (int64_t nth = 1; nth <= 4; nth++) {
        rf_db_fail_at(h.rig->db, nth);
        assert_int_equal(refresh(session.refresh_token, &next), RF_UNAVAILABLE);
    }
    rf_db_fail_at(h.rig->db, 0);
    assert_ok(refresh(session.refresh_token, &next));
}

int main(void)
{
#define HOUSED(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        HOUSED(registered_user_can_be_found_and_logs_in),
        HOUSED(email_is_taken_once_in_any_case),
        HOUSED(what_cannot_be_an_account_names_its_field),
        HOUSED(password_is_kept_as_a_hash_only),
        HOUSED(wrong_password_unknown_and_disabled_account_are_answered_alike),
        HOUSED(account_with_too_many_failures_waits_whether_it_exists_or_not),
        HOUSED(right_logins_are_not_counted_as_failures),
        cmocka_unit_test(many_at_once_get_no_more_tries),
        cmocka_unit_test(crowd_of_other_names_does_not_free_a_locked_one),
        HOUSED(refresh_token_is_used_once_and_gives_the_next_of_its_family),
        HOUSED(token_that_is_used_twice_ends_its_family_and_no_other),
        HOUSED(what_is_no_token_is_refused),
        HOUSED(token_expires),
        HOUSED(of_two_that_come_together_one_wins_and_the_other_ends_the_family),
        HOUSED(logout_ends_one_session_at_once),
        HOUSED(disabled_account_stops_at_once_and_enabled_one_logs_in_anew),
        HOUSED(check_says_who_and_refuses_anothers_session),
        HOUSED(database_that_fails_at_any_statement_changes_nothing_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
