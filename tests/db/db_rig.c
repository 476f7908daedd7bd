#include "db_rig.h"

#include <unistd.h>

#include "core/alloc.h"
#include "rf_test.h"

static void open_db(db_rig *rig)
{
    rf_error err = {0};
    assert_ok(rf_db_open(&rig->db, &(rf_db_options){.url = rig->url, .readers = 2}, &err));
}

int db_rig_setup(void **state)
{
    rf_error err = {0};
    db_rig *const rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/rowforge-db-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->url, sizeof rig->url, "sqlite:///%s/test.db", rig->folder);
    rf_arena_init(&rig->arena);
    open_db(rig);
    assert_ok(rf_db_migrate(rig->db, 1000, NULL, &err));
    *state = rig;
    return 0;
}

int db_rig_teardown(void **state)
{
    static const char *const files[] = {"test.db", "test.db-wal", "test.db-shm"};
    db_rig *const rig = *state;
    rf_db_close(rig->db);
    rf_arena_free(&rig->arena);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", rig->folder, files[i]);
        unlink(path);
    }
    rmdir(rig->folder);
    free(rig);
    return 0;
}

void db_rig_reopen(db_rig *rig)
{
    rf_db_close(rig->db);
    open_db(rig);
}

/* ------------------------------------------------------------------ things to ask about */

static rf_code insert_user(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_user_insert(tx, arg, err);
}

int64_t db_rig_user(db_rig *rig, const char *email)
{
    rf_error err = {0};
    rf_user user = {.email = email, .name = "A person", .password_hash = "$2b$", .created_ms = 5};
    assert_ok(rf_db_write(rig->db, insert_user, &user, &err));
    return user.id;
}

static rf_code insert_job(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_job_insert(tx, arg, err);
}

int64_t db_rig_job(db_rig *rig, int64_t user_id)
{
    rf_error err = {0};
    rf_job job = {.user_id = user_id,
                  .kind = RF_JOB_NOOP,
                  .state = RF_JOB_QUEUED,
                  .priority = 5,
                  .need = "cpu",
                  .cost = 1.5,
                  .spec = "{}",
                  .plan = "{\"kind\":\"noop\"}",
                  .token = 1,
                  .created_ms = 100,
                  .timeout_ms = 1000};
    assert_ok(rf_db_write(rig->db, insert_job, &job, &err));
    return job.id;
}

rf_job db_rig_look(db_rig *rig, int64_t job_id)
{
    rf_error err = {0};
    rf_db_tx *tx = NULL;
    rf_job job = {0};
    bool found = false;
    assert_ok(rf_db_read_begin(rig->db, &tx, &err));
    assert_ok(rf_db_job_find(tx, 0, job_id, &rig->arena, &job, &found, &err));
    rf_db_read_end(tx);
    assert_true(found);
    return job;
}
