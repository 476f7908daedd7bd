/* db_rows.h - how a row of jobs becomes an rf_job: shared by the files that ask about jobs. */
#ifndef RF_DB_DB_ROWS_H
#define RF_DB_DB_ROWS_H

#include "db/query.h"
#include "domain/job.h"

/* For JOB_WHOLE and JOB_GLANCE of statements.h. */
rf_code rfi_read_job(const rfi_row *row, rf_arena *arena, void *element, rf_error *err) RF_MUST_CHECK;
rf_code rfi_list_jobs(rf_db_tx *tx, rfi_statement statement, const rfi_value *params, int n_params,
                      rf_arena *arena, rf_job **out, int32_t *n, rf_error *err) RF_MUST_CHECK;

#endif
