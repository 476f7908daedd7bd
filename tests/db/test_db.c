/* Transactions, group commit, migrations: what every side of the database must do. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "db/schema.h"
#include "db_rig.h"
#include "rf_test.h"

/* ------------------------------------------------------------------ transactions */

static char fact_a[] = "a", fact_b[] = "b";

static rf_code set_fact(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_fact_set(tx, arg, "yes", err);
}

static rf_code set_fact_and_fail(rf_db_tx *tx, void *arg, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_db_fact_set(tx, arg, "no", err));
    rc = rf_fail(err, RF_CONFLICT, "on second thoughts");
out:
    return rc;
}

static bool has_fact(db_rig *rig, const char *name)
{
    rf_error err = {0};
    rf_db_tx *tx = NULL;
    const char *value = NULL;
    bool found = false;
    assert_ok(rf_db_read_begin(rig->db, &tx, &err));
    assert_ok(rf_db_fact_get(tx, name, &rig->arena, &value, &found, &err));
    rf_db_read_end(tx);
    return found;
}

static void a_write_is_there_for_every_reader_and_after_a_restart(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    assert_ok(rf_db_write(rig->db, set_fact, fact_a, &err));
    assert_true(has_fact(rig, "a"));
    db_rig_reopen(rig);
    assert_true(has_fact(rig, "a"));
    assert_false(has_fact(rig, "b"));
}

static void a_write_that_fails_leaves_nothing(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    assert_fails(rf_db_write(rig->db, set_fact_and_fail, fact_a, &err), RF_CONFLICT, "second thoughts");
    assert_false(has_fact(rig, "a"));
    assert_int_equal(rf_db_counts_get(rig->db).failures, 0); /* of the database: it did as it was told */
    assert_ok(rf_db_write(rig->db, set_fact, fact_b, &err)); /* and the next is fine */
    assert_true(has_fact(rig, "b"));
}

static void a_commit_that_fails_leaves_nothing(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    rf_db_fail_at(rig->db, 2); /* the statement, then the commit */
    assert_fails(rf_db_write(rig->db, set_fact, fact_a, &err), RF_UNAVAILABLE, "does not answer");
    rf_db_fail_at(rig->db, 0);
    assert_int_equal(rf_db_counts_get(rig->db).failures, 1);
    assert_false(has_fact(rig, "a"));
    assert_ok(rf_db_write(rig->db, set_fact, fact_a, &err));
    assert_true(has_fact(rig, "a"));
}

static void a_reader_cannot_write(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    rf_db_tx *tx = NULL;
    assert_ok(rf_db_read_begin(rig->db, &tx, &err));
    assert_fails(rf_db_fact_set(tx, "a", "b", &err), RF_UNAVAILABLE, "cannot be read or written");
    rf_db_read_end(tx);
}

/* ------------------------------------------------------------------ many threads */

enum { THREADS = 8, WRITES = 200 };

typedef struct crowd {
    db_rig *rig;
    _Atomic int number;
    _Atomic int conflicts, fine;
} crowd;

typedef struct crowd_write {
    char name[32];
    bool fails;
} crowd_write;

static rf_code write_of_crowd(rf_db_tx *tx, void *arg, rf_error *err)
{
    crowd_write *const w = arg;
    return w->fails ? set_fact_and_fail(tx, w->name, err) : set_fact(tx, w->name, err);
}

static void *write_many(void *arg)
{
    crowd *const c = arg;
    const int me = atomic_fetch_add(&c->number, 1);
    for (int i = 0; i < WRITES; i++) {
        rf_error err = {0};
        crowd_write w = {.fails = i % 5 == 0};
        snprintf(w.name, sizeof w.name, "%d-%d", me, i);
        const rf_code rc = rf_db_write(c->rig->db, write_of_crowd, &w, &err);
        atomic_fetch_add(rc == RF_OK ? &c->fine : &c->conflicts, 1);
    }
    return NULL;
}

static void *read_many(void *arg)
{
    crowd *const c = arg;
    for (int i = 0; i < WRITES; i++) {
        rf_arena arena;
        rf_arena_init(&arena);
        rf_error err = {0};
        rf_db_tx *tx = NULL;
        const char *value = NULL;
        bool found = false;
        if (rf_db_read_begin(c->rig->db, &tx, &err) == RF_OK) {
            if (rf_db_fact_get(tx, "0-1", &arena, &value, &found, &err) == RF_OK && found)
                assert_string_equal(value, "yes");
            rf_db_read_end(tx);
        }
        rf_arena_free(&arena);
    }
    return NULL;
}

static void writes_of_many_threads_share_commits_and_each_stands_alone(void **state)
{
    crowd c = {.rig = *state};
    pthread_t writers[THREADS], readers[2];
    const rf_db_counts before = rf_db_counts_get(c.rig->db);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_many, &c), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_many, &c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(writers[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(c.conflicts, THREADS * WRITES / 5);
    assert_int_equal(c.fine, THREADS * WRITES * 4 / 5);
    for (int me = 0; me < THREADS; me++)
        for (int i = 0; i < WRITES; i += 7) {
            char name[32];
            snprintf(name, sizeof name, "%d-%d", me, i);
            assert_int_equal(has_fact(c.rig, name), i % 5 != 0); /* the failed ones left nothing */
        }
    const rf_db_counts after = rf_db_counts_get(c.rig->db);
    assert_int_equal(after.writes - before.writes, THREADS * WRITES);
    assert_true(after.commits - before.commits < after.writes - before.writes);
}

/* ------------------------------------------------------------------ migrations */

static void a_new_database_is_migrated_once(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    int applied = -1, n = 0;
    rf_migration *list = NULL;
    assert_ok(rf_db_migrate(rig->db, 2000, &applied, &err));
    assert_int_equal(applied, 0);
    assert_ok(rf_db_migrations(rig->db, &rig->arena, &list, &n, &err));
    assert_int_equal(n, rfi_migration_count);
    for (int i = 0; i < n; i++) {
        assert_int_equal(list[i].state, RF_MIGRATION_APPLIED);
        assert_int_equal(list[i].applied_ms, 1000);
    }
}

static void raw(db_rig *rig, const char *sql)
{
    sqlite3 *handle = NULL;
    assert_int_equal(sqlite3_open(rig->url + strlen("sqlite:///"), &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

static void an_edited_migration_is_refused(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    raw(rig, "UPDATE schema_migrations SET sha256 = 'other' WHERE version = 1");
    assert_fails(rf_db_migrate(rig->db, 2000, NULL, &err), RF_CONFLICT,
                 "001_first was applied in another form");
}

static void a_database_of_a_newer_program_is_refused(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    raw(rig, "INSERT INTO schema_migrations VALUES (999, '999_later', 'x', 1)");
    assert_fails(rf_db_migrate(rig->db, 2000, NULL, &err), RF_CONFLICT,
                 "newer rowforge (migration 999_later)");
}

/* ------------------------------------------------------------------ opening */

static void urls_and_files_that_cannot_be_are_refused_with_a_sentence(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    rf_db *db = NULL;
    static const struct {
        const char *url;
        rf_code code;
        const char *says;
    } cases[] = {
        {"postgresql://localhost/x", RF_USAGE, "sqlite:///"},
        {"sqlite://x", RF_USAGE, "sqlite:///"},
        {"sqlite:///", RF_USAGE, "names no file"},
        {"sqlite:////no/such/folder/x.db", RF_IO, "cannot be opened"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(rf_db_open(&db, &(rf_db_options){.url = cases[i].url}, &err), cases[i].code,
                     cases[i].says);
        assert_null(db);
    }
    struct stat info;
    assert_int_equal(stat(rig->url + strlen("sqlite:///"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_file_that_is_no_database_is_named_damaged(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    rf_db *db = NULL;
    char path[256], url[300];
    snprintf(path, sizeof path, "%s/other", rig->folder);
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database at all\n", file);
    fclose(file);
    snprintf(url, sizeof url, "sqlite:///%s", path);
    assert_fails(rf_db_open(&db, &(rf_db_options){.url = url}, &err), RF_CORRUPT, "damaged");
    remove(path);
}

static rf_code insert_same(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_user_insert(tx, arg, err);
}

static void two_users_cannot_have_one_address(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    db_rig_user(rig, "a@example.org");
    rf_user user = {.email = "a@example.org", .name = "", .password_hash = ""};
    assert_fails(rf_db_write(rig->db, insert_same, &user, &err), RF_CONFLICT, "one already");
    assert_null(strstr(err.message, "example")); /* what a row holds stays in the log's detail at most */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_rig_setup, db_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_is_there_for_every_reader_and_after_a_restart),
        TEST(a_write_that_fails_leaves_nothing),
        TEST(a_commit_that_fails_leaves_nothing),
        TEST(a_reader_cannot_write),
        TEST(writes_of_many_threads_share_commits_and_each_stands_alone),
        TEST(a_new_database_is_migrated_once),
        TEST(an_edited_migration_is_refused),
        TEST(a_database_of_a_newer_program_is_refused),
        TEST(urls_and_files_that_cannot_be_are_refused_with_a_sentence),
        TEST(a_file_that_is_no_database_is_named_damaged),
        TEST(two_users_cannot_have_one_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
