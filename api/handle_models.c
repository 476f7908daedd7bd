/* Trained models that their requests kept, and sampling them again. */
#include <string.h>

#include "api/ask.h"
#include "api/handlers.h"
#include "api/present.h"
#include "api/repeat.h"
#include "api/sampled.h"
#include "api/server_internal.h"
#include "scheduler/artifacts.h"

rf_code rfi_models(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t before_id;
    int32_t limit, n = 0;
    rf_model_card *list = NULL;
    RF_TRY(rfi_page_begin(call, &before_id, &limit, err));
    RF_TRY(rf_model_list(call->server->scheduler, call->who.user_id, before_id, limit, &call->arena, &list,
                         &n, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_key(data, "items");
    rfi_json_open(data, '[');
    for (int32_t i = 0; i < n; i++)
        rfi_put_model(data, &list[i]);
    rfi_page_end(data, n, limit, n > 0 ? list[n - 1].id : 0);
    rc = rfi_data_end(call, 200, "your models", err);
out:
    return rc;
}

rf_code rfi_model(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_model_card card;
    RF_TRY(rf_model_get(call->server->scheduler, call->who.user_id, rfi_path_id(call), &call->arena, &card,
                        err));
    rfi_put_model(rfi_data_begin(call), &card);
    rc = rfi_data_end(call, 200, "the model", err);
out:
    return rc;
}

rf_code rfi_model_delete(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_model_delete(call->server->scheduler, call->who.user_id, rfi_path_id(call), err));
    rc = rfi_data_none(call, 200, "the model is deleted", err);
out:
    return rc;
}

/* ---- sampling --------------------------------------------------------------------------------- */

static const char *sample_format(const rfi_call *call)
{
    const char *accept = rfi_header(call, "Accept");
    const bool wants_lines = accept && strstr(accept, "application/x-ndjson");
    return rfi_body_text(call, "format", wants_lines ? "ndjson" : "csv");
}

/* The same request again gives the same rows: they are made anew from the seed that was drawn for the first. */
static rf_code submit(rfi_call *call, rf_sampling *ask, int64_t *job_id, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_idempotency key;
    rf_receipt receipt = {0};
    rf_job_view first;
    RF_TRY(rfi_repeat_key(call, NULL, &key, err));
    RF_TRY(rf_job_submit_sampling(call->server->scheduler, ask, &key, &call->arena, &receipt, err));
    if (receipt.repeated) {
        RF_TRY(
            rf_job_look(call->server->scheduler, call->who.user_id, receipt.id, &call->arena, &first, err));
        ask->has_seed = true;
        ask->seed = first.job.seed;
        RF_TRY(rf_job_submit_sampling(call->server->scheduler, ask, &(rf_idempotency){0}, &call->arena,
                                      &receipt, err));
    }
    *job_id = receipt.id;
out:
    return rc;
}

rf_code rfi_sample(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    const json_t *seed = json_object_get(call->json, "seed");
    int64_t job_id = 0;
    rf_sampling ask = {.user_id = call->who.user_id,
                       .model_id = rfi_path_id(call),
                       .rows = rfi_body_int(call, "rows", 0),
                       .has_seed = seed != NULL,
                       .seed = rfi_json_integer(seed, 0),
                       .format = sample_format(call)};
    RF_TRY(rfi_ask_conditions(call, json_object_get(call->json, "conditions"), &ask.conditions,
                              &ask.n_conditions, err));
    RF_TRY(submit(call, &ask, &job_id, err));
    const bool is_csv = strcmp(ask.format, "csv") == 0;
    rfi_reply_attachment(call,
                         rfi_call_text(call, "model-%lld-sample.%s", (long long)ask.model_id, ask.format));
    rc = rfi_reply_sampled(call, job_id, is_csv ? "text/csv; charset=utf-8" : "application/x-ndjson", err);
out:
    return rc;
}
