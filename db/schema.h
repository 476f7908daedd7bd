/* schema.h - the migrations that this program was built with, in order (db/migrations/NNN_name.sql). */
#ifndef RF_DB_SCHEMA_H
#define RF_DB_SCHEMA_H

#include "db/db.h"

typedef struct rfi_migration {
    int version;
    const char *name; /* "001_first" */
    const char *sql;
} rfi_migration;

extern const rfi_migration rfi_migrations[];
extern const int rfi_migration_count;

/* Several statements without parameters (db.c). */
rf_code rfi_script(rf_db_tx *tx, const char *sql, rf_error *err) RF_MUST_CHECK;

#endif
