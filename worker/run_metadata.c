/* run_metadata.c - what a reader needs to make the same rows again, and to know how good they are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "worker/worker_state.h"

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *quality_json(const rf_result_quality *q)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "overall", number(q->overall), "column_shapes",
                     number(q->column_shapes), "column_pair_trends", number(q->column_pair_trends),
                     "data_validity", number(q->data_validity), "data_structure", number(q->data_structure),
                     "copies", number(q->copies));
}

static json_t *params_json(const rf_params *params)
{
    rf_buf text;
    rf_buf_init(&text);
    rf_params_json(params, &text);
    json_t *object = text.failed ? NULL : json_loadb(text.data, text.size_bytes, 0, NULL);
    rf_buf_free(&text);
    return object;
}

static json_t *conditions_json(const rf_plan *plan)
{
    json_t *object = json_object();
    for (int32_t i = 0; i < plan->n_conditions; i++)
        json_object_set_new(object, plan->conditions[i].column, json_string(plan->conditions[i].value));
    return object;
}

/* A part that found no memory makes json_pack fail as a whole. */
static rf_code metadata_text(const rf_plan *plan, int64_t n_real, const rf_result_done *done, rf_buf *out,
                             rf_error *err)
{
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:I, s:I, s:o, s:{s:s, s:s, s:I}, s:o}", "rowforge", RF_VERSION, "model",
                  rf_model_kind_name(plan->params.model), "params", params_json(&plan->params), "seed",
                  (json_int_t)plan->seed, "rows", (json_int_t)plan->rows, "conditions", conditions_json(plan),
                  "dataset", "name", plan->dataset.name, "sha256", plan->dataset.sha256, "rows",
                  (json_int_t)n_real, "quality", quality_json(&done->quality));
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(object);
    if (!text)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the metadata");
    rf_buf_printf(out, "%s\n", text);
    free(text);
    return rf_buf_check(out, "the metadata", err);
}

rf_code rfi_keep_metadata(rfi_job *job, int64_t n_real, rf_result_done *done, rf_error *err)
{
    rf_code rc = RF_OK;
    char key[RF_KEY_BYTES_MAX + 1];
    rf_buf text;
    rf_buf_init(&text);
    RF_TRY(metadata_text(&job->plan, n_real, done, &text, err));
    snprintf(key, sizeof key, "jobs/%lld/%lld/metadata.json", (long long)job->lease.job_id,
             (long long)job->lease.token);
    RF_TRY(rfi_keep_bytes(job, key, text.data, text.size_bytes, false, &done->metadata, err));
    done->has_metadata = true;
out:
    rf_buf_free(&text);
    return rc;
}
