/* run_profile.c - what an uploaded table holds. A table that cannot be read is the person's to mend: the engine's own
 * sentence says where. */
#include <string.h>

#include "engine/table/profile.h"
#include "worker/worker_state.h"

rf_code rfi_run_profile(rfi_job *job, rf_result_done *done, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table *table = NULL;
    rf_profile *profile = NULL;
    rf_buf text;
    rf_buf_init(&text);
    rfi_job_phase(job, "read", 0);
    RF_TRY(rfi_read_dataset(job, &table, err));
    rfi_job_phase(job, "profile", 50);
    RF_TRY(rf_profile_create(&profile, table, job->worker->device->pool, err));
    rf_profile_note(profile, table, &job->notes);
    rf_profile_json(profile, table, &job->notes, &text);
    RF_TRY(rf_buf_check(&text, "the profile", err));
    done->n_rows = profile->n_rows;
    done->n_columns = profile->n_columns;
    done->profile_json = rf_arena_string(&job->plan.arena, text.data, text.size_bytes);
    RF_TRY(rf_arena_check(&job->plan.arena, "the profile", err));
out:
    rf_buf_free(&text);
    rf_profile_free(profile);
    rf_table_free(table);
    return rc;
}
