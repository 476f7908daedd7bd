/* schema.c - brings a database to the shape that this program expects, and refuses what it does not know. */
#include "db/schema.h"

#include <string.h>

#include "crypto/digest.h"
#include "db/query.h"

static const char table_of_migrations[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version BIGINT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, "
    "applied_ms BIGINT NOT NULL)";

typedef struct applied {
    int64_t version, applied_ms;
    const char *name, *sha256;
} applied;

static rf_code read_applied(const rfi_row *row, rf_arena *arena, void *element, rf_error *err)
{
    (void)err;
    *(applied *)element = (applied){.version = rfi_row_int(row, 0),
                                    .name = rfi_row_text(row, 1, arena),
                                    .sha256 = rfi_row_text(row, 2, arena),
                                    .applied_ms = rfi_row_int(row, 3)};
    return RF_OK;
}

static rf_code list_applied(rf_db_tx *tx, rf_arena *arena, applied **out, int *n, rf_error *err)
{
    rfi_list list = {.arena = arena, .read = read_applied, .size = sizeof(applied)};
    const rf_code rc = rfi_list_run(tx, RFI_SQL_migration_list, NULL, 0, &list, err);
    *out = (applied *)list.elements;
    *n = list.n;
    return rc;
}

/* ------------------------------------------------------------------ what there is and what there should be */

static rf_code judge(const applied *row, rf_migration_state *out, rf_error *err)
{
    char sum[RF_SHA256_HEX_SIZE];
    rf_code rc = RF_OK;
    *out = RF_MIGRATION_UNKNOWN;
    for (int i = 0; i < rfi_migration_count; i++) {
        if (rfi_migrations[i].version != row->version)
            continue;
        RF_TRY(rf_sha256_hex(sum, rfi_migrations[i].sql, strlen(rfi_migrations[i].sql), err));
        *out = strcmp(sum, row->sha256) ? RF_MIGRATION_EDITED : RF_MIGRATION_APPLIED;
    }
out:
    return rc;
}

static bool is_applied(const applied *rows, int n, int version)
{
    for (int i = 0; i < n; i++)
        if (rows[i].version == version)
            return true;
    return false;
}

typedef struct listing {
    rf_arena *arena;
    rf_migration *rows;
    int n;
} listing;

static rf_code list_all(rf_db_tx *tx, void *arg, rf_error *err)
{
    listing *const to = arg;
    applied *rows = NULL;
    int n = 0;
    rf_code rc = RF_OK;
    RF_TRY(rfi_script(tx, table_of_migrations, err));
    RF_TRY(list_applied(tx, to->arena, &rows, &n, err));
    to->rows = RF_ARENA_ARRAY(to->arena, rf_migration, n + rfi_migration_count);
    RF_TRY(rf_arena_check(to->arena, "the list of migrations", err));
    to->n = 0;
    for (int i = 0; i < n; i++) {
        rf_migration *const row = &to->rows[to->n++];
        *row = (rf_migration){
            .version = (int32_t)rows[i].version, .name = rows[i].name, .applied_ms = rows[i].applied_ms};
        RF_TRY(judge(&rows[i], &row->state, err));
    }
    for (int i = 0; i < rfi_migration_count; i++)
        if (!is_applied(rows, n, rfi_migrations[i].version))
            to->rows[to->n++] = (rf_migration){.version = rfi_migrations[i].version,
                                               .name = rfi_migrations[i].name,
                                               .state = RF_MIGRATION_PENDING};
out:
    return rc;
}

rf_code rf_db_migrations(rf_db *db, rf_arena *arena, rf_migration **out, int *n, rf_error *err)
{
    listing to = {.arena = arena};
    const rf_code rc = rf_db_write(db, list_all, &to, err);
    *out = to.rows;
    *n = to.n;
    return rc;
}

/* ------------------------------------------------------------------ migrate */

typedef struct migration_run {
    int64_t now_ms;
    int applied;
} migration_run;

static rf_code refuse(const rf_migration *row, rf_error *err)
{
    if (row->state == RF_MIGRATION_EDITED)
        return rf_fail(
            err, RF_CONFLICT,
            "the migration %s was applied in another form than this program has; use the program that made "
            "the database, or restore the file",
            row->name);
    return rf_fail(
        err, RF_CONFLICT,
        "the database was made by a newer rowforge (migration %s); use that one, or a backup from before",
        row->name);
}

static rf_code apply_one(rf_db_tx *tx, const rfi_migration *migration, int64_t now_ms, rf_error *err)
{
    char sum[RF_SHA256_HEX_SIZE];
    rf_code rc = RF_OK;
    RF_TRY(rf_sha256_hex(sum, migration->sql, strlen(migration->sql), err));
    RF_TRY(rfi_script(tx, migration->sql, err));
    RF_TRY(rfi_query_run(
        tx, RFI_SQL_migration_insert,
        RFI_VALUES(rfi_int(migration->version), rfi_text(migration->name), rfi_text(sum), rfi_int(now_ms)),
        NULL, NULL, NULL, err));
out:
    if (rc != RF_OK)
        rf_error_context(err, "migration %s", migration->name);
    return rc;
}

static rf_code migrate(rf_db_tx *tx, void *arg, rf_error *err)
{
    migration_run *const what = arg;
    rf_arena arena;
    rf_arena_init(&arena);
    listing all = {.arena = &arena};
    rf_code rc = RF_OK;
    what->applied = 0;
    RF_TRY(list_all(tx, &all, err));
    for (int i = 0; i < all.n; i++)
        if (all.rows[i].state == RF_MIGRATION_EDITED || all.rows[i].state == RF_MIGRATION_UNKNOWN) {
            rc = refuse(&all.rows[i], err);
            goto out;
        }
    for (int i = 0; i < rfi_migration_count; i++) {
        for (int j = 0; j < all.n; j++)
            if (all.rows[j].version == rfi_migrations[i].version &&
                all.rows[j].state == RF_MIGRATION_PENDING) {
                RF_TRY(apply_one(tx, &rfi_migrations[i], what->now_ms, err));
                what->applied++;
            }
    }
out:
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_db_migrate(rf_db *db, int64_t now_ms, int *n_applied, rf_error *err)
{
    migration_run what = {.now_ms = now_ms};
    const rf_code rc = rf_db_write(db, migrate, &what, err);
    if (n_applied)
        *n_applied = rc == RF_OK ? what.applied : 0;
    return rc;
}
