/* db_rig.h - a database for one test: opened in a folder of its own, migrated, removed at the end.
 *
 * The suites of this folder take the side as a parameter: the URL comes from rig_url, which today knows SQLite. */
#ifndef DB_RIG_H
#define DB_RIG_H

#include "db/db.h"
#include "db/db_accounts.h"
#include "db/db_jobs.h"
#include "db/db_objects.h"
#include "db/db_ops.h"

typedef struct db_rig {
    char folder[128], url[256];
    rf_db *db;
    rf_arena arena;
} db_rig;

/* cmocka's setup and teardown: *state is a db_rig with a migrated database. */
int db_rig_setup(void **state);
int db_rig_teardown(void **state);
/* Closes and opens again, as after a restart. */
void db_rig_reopen(db_rig *rig);

/* A user to own things; its id. */
int64_t db_rig_user(db_rig *rig, const char *email);
/* A queued noop job of that user, token 1. */
int64_t db_rig_job(db_rig *rig, int64_t user_id);
rf_job db_rig_look(db_rig *rig, int64_t job_id);

#endif
