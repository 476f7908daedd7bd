#include <stdio.h>
#include <string.h>

#include "cli/service.h"
#include "core/clock.h"

/* ------------------------------------------------------------------ migrate */

static rf_code migrate(rf_cli *cli, rf_db *db, rf_error *err)
{
    int applied = 0;
    rf_code rc = rf_db_migrate(db, rf_clock_wall_us() / 1000, &applied, err);
    if (rc != RF_OK)
        return rc;
    rf_cli_result(cli, "applied", json_integer(applied));
    if (applied == 0)
        rf_cli_say(cli, "the database is up to date");
    else
        rf_cli_say(cli, "%d migration%s applied", applied, applied == 1 ? "" : "s");
    return RF_OK;
}

/* ------------------------------------------------------------------ status */

static const char *state_name(rf_migration_state state)
{
    static const char *const names[] = {[RF_MIGRATION_PENDING] = "pending",
                                        [RF_MIGRATION_APPLIED] = "applied",
                                        [RF_MIGRATION_EDITED] = "edited since it was applied",
                                        [RF_MIGRATION_UNKNOWN] = "from a newer program"};
    return names[state];
}

static json_t *show(const rf_migration *migration, bool print)
{
    char when[32] = "";
    if (migration->applied_ms)
        rf_clock_rfc3339(when, migration->applied_ms * 1000);
    if (print)
        printf("%03d  %-20s  %s %s\n", (int)migration->version, migration->name, state_name(migration->state),
               when);
    return json_pack("{s:i, s:s, s:s, s:s*}", "version", (int)migration->version, "name", migration->name,
                     "state", state_name(migration->state), "applied_at", when[0] ? when : NULL);
}

static rf_code status(rf_cli *cli, rf_db *db, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_arena arena;
    rf_migration *migrations = NULL;
    int n = 0;
    rf_arena_init(&arena);
    RF_TRY(rf_db_migrations(db, &arena, &migrations, &n, err));
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, show(&migrations[i], !cli->json));
    rf_cli_result(cli, "migrations", list);
out:
    rf_arena_free(&arena);
    return rc;
}

/* ------------------------------------------------------------------ the command */

rf_code rf_cmd_db(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_service service = {.lock_fd = -1};
    rf_db *db = NULL;
    RF_TRY(rf_options_operands(&cli->options, 1, "migrate or status", err));
    const char *verb = cli->options.operands.text[0];
    const bool migrates = !strcmp(verb, "migrate");
    if (!migrates && strcmp(verb, "status") != 0)
        RF_TRY(rf_fail(err, RF_USAGE, "there is no \"rowforge db %s\"; there is db migrate and db status",
                       verb));
    RF_TRY(rf_service_load(&service, cli, migrates ? RF_SERVICE_ALONE : RF_SERVICE_SHARED, err));
    RF_TRY(rf_service_open_db(&service, false, &db, err));
    RF_TRY(migrates ? migrate(cli, db, err) : status(cli, db, err));
out:
    rf_db_close(db);
    rf_service_free(&service);
    return rc;
}
