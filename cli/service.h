/* service.h - the ground that every command of the service stands on: settings, the data folder, its lock and key, the log.
 *
 *     rf_service service;
 *     RF_TRY(rf_service_load(&service, cli, RF_SERVICE_SETTINGS_ONLY, err));    // config
 *     RF_TRY(rf_service_load(&service, cli, RF_SERVICE_SHARED, err));           // admin: beside a running server
 *     RF_TRY(rf_service_load(&service, cli, RF_SERVICE_ALONE, err));            // serve, db migrate: the folder's only one
 *   out:
 *     rf_service_free(&service);
 *
 * The data folder (DATA_DIR, 0700) holds
 *     rowforge.db       the database
 *     objects/          files
 *     work/             what workers are at
 *     secret.key        what tokens are signed with, when SECRET_KEY is not given; 0600
 *     server.lock       held by the server while it runs
 */
#ifndef RF_CLI_SERVICE_H
#define RF_CLI_SERVICE_H

#include "cli/command.h"
#include "db/db.h"
#include "domain/settings.h"

typedef enum rf_service_use {
    RF_SERVICE_SETTINGS_ONLY, /* nothing is made or locked */
    RF_SERVICE_SHARED,
    RF_SERVICE_ALONE,
} rf_service_use;

typedef struct rf_service {
    rf_dotenv dotenv;
    rf_settings settings;
    int lock_fd; /* -1: not held */
} rf_service;

/* Prints every fault of the settings; USAGE when there is one. From here on files are made for their owner alone (umask 077). */
rf_code rf_service_load(rf_service *out, rf_cli *cli, rf_service_use use, rf_error *err) RF_MUST_CHECK;
void rf_service_free(rf_service *service);

/* Opens the log that the settings name. `rotates` is true for the one process that moves full files aside. */
rf_code rf_service_open_log(const rf_service *service, bool rotates, rf_error *err) RF_MUST_CHECK;

/* Opens the database, and brings its schema up to date when `migrate`. */
rf_code rf_service_open_db(const rf_service *service, bool migrate, rf_db **out, rf_error *err) RF_MUST_CHECK;

/* DATA_DIR/name, in the settings' arena. */
rf_code rf_service_path(rf_service *service, const char *name, const char **out, rf_error *err) RF_MUST_CHECK;

#endif
