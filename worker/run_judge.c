/* run_judge.c - the report on the rows as they were written: read back, compared with the table, stored as JSON and as a
 * page. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "engine/quality/quality.h"
#include "worker/worker_state.h"

static rf_result_quality scores_of(const rf_quality *q)
{
    return (rf_result_quality){.overall = q->overall_gated,
                               .column_shapes = q->shapes,
                               .column_pair_trends = q->trends_gated,
                               .data_validity = q->validity,
                               .data_structure = q->structure,
                               .copies =
                                   q->n_synthetic ? (double)q->exact_copies / (double)q->n_synthetic : 0};
}

typedef void render(const rf_quality *quality, const rf_table *real, const rf_table *synthetic,
                    const rf_report_context *context, rf_buf *out);

static void render_json(const rf_quality *quality, const rf_table *real, const rf_table *synthetic,
                        const rf_report_context *context, rf_buf *out)
{
    (void)synthetic;
    rf_quality_json(quality, real, context, out);
}

static rf_code keep_report(rfi_job *job, const char *name, const rf_buf *text, rf_stored *out, rf_error *err)
{
    char key[RF_KEY_BYTES_MAX + 1];
    rf_code rc = rf_buf_check(text, "the report", err);
    if (rc != RF_OK)
        return rc;
    snprintf(key, sizeof key, "jobs/%lld/%lld/%s", (long long)job->lease.job_id, (long long)job->lease.token,
             name);
    return rfi_keep_bytes(job, key, text->data, text->size_bytes, false, out, err);
}

static rf_code write_report(rfi_job *job, render *how, const char *name, const rf_quality *quality,
                            const rf_table *real, const rf_table *synthetic, const rf_report_context *context,
                            rf_stored *out, rf_error *err)
{
    rf_buf text;
    rf_buf_init(&text);
    how(quality, real, synthetic, context, &text);
    const rf_code rc = keep_report(job, name, &text, out, err);
    rf_buf_free(&text);
    return rc;
}

rf_code rfi_judge(rfi_job *job, const rf_table *real, const char *rows_path, const rf_fitted_info *info,
                  double sample_s, rf_result_done *done, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table *synthetic = NULL;
    rf_quality *quality = NULL;
    char created[32];
    rf_buf params;
    rf_buf_init(&params);
    const rf_worker *w = job->worker;
    const rf_table_options read = {
        .format = job->plan.output_format, .pool = w->device->pool, .allow_one_row = true};
    RF_TRY(rf_table_read_like(&synthetic, rows_path, &real->schema, &read, &job->notes, err));
    RF_TRY(rfi_job_check(job, err));
    const rf_quality_options options = {.stop = &job->held->stop};
    RF_TRY(rf_quality_evaluate(&quality, real, synthetic, &options, w->device->pool, err));
    RF_TRY(rfi_job_check(job, err));
    rf_params_json(&info->params, &params);
    RF_TRY(rf_buf_check(&params, "the parameters", err));
    rf_clock_rfc3339(created, rf_clock_wall_us());
    const rf_report_context context = {.title = job->plan.dataset.name,
                                       .model = rf_model_kind_name(info->params.model),
                                       .params_json = params.data,
                                       .seed = info->seed,
                                       .has_seed = true,
                                       .train_seconds = info->train_seconds,
                                       .sample_seconds = sample_s,
                                       .device = w->device->summary,
                                       .created = created,
                                       .notes = &job->notes};
    RF_TRY(write_report(job, render_json, "report.json", quality, real, synthetic, &context,
                        &done->report_json, err));
    RF_TRY(write_report(job, rf_quality_html, "report.html", quality, real, synthetic, &context,
                        &done->report_html, err));
    done->quality = scores_of(quality);
out:
    rf_buf_free(&params);
    rf_quality_free(quality);
    rf_table_free(synthetic);
    return rc;
}
