/* Asking for rows, and how far they are. */
#include <string.h>

#include "api/ask.h"
#include "api/handlers.h"
#include "api/present.h"
#include "api/repeat.h"
#include "api/server_internal.h"
#include "core/text.h"
#include "domain/params.h"

rf_code rfi_find_request(rfi_call *call, int64_t user_id, rf_job_view *out, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_job_look(call->server->scheduler, user_id, rfi_path_id(call), &call->arena, out, err));
    if (out->job.kind != RF_JOB_GENERATE)
        rc = rf_fail(err, RF_NOT_FOUND, "there is no request %lld", (long long)rfi_path_id(call));
out:
    return rc;
}

/* ---- starting --------------------------------------------------------------------------------- */

rf_code rfi_start(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_generation ask;
    rf_params params;
    rf_idempotency key;
    rf_receipt receipt = {0};
    rf_job_view view;
    RF_TRY(rfi_ask_generation(call, &ask, &params, err));
    RF_TRY(rfi_repeat_key(call, NULL, &key, err));
    RF_TRY(rf_job_submit_generation(call->server->scheduler, &ask, &key, &call->arena, &receipt, err));
    if (rfi_repeat_answer(call, &receipt))
        return RF_OK;
    RF_TRY(rf_job_look(call->server->scheduler, call->who.user_id, receipt.id, &call->arena, &view, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_int(data, "id", receipt.id);
    rfi_json_put_text(data, "status", rf_job_state_name(view.job.state));
    rfi_json_key(data, "queue_position");
    if (view.queue_position > 0)
        rfi_json_int(data, view.queue_position);
    else
        rfi_json_null(data);
    rfi_json_close(data, '}');
    RF_TRY(rfi_data_end(call, 202, "the request is taken", err));
    rfi_repeat_keep(call, &key);
out:
    return rc;
}

/* ---- looking ---------------------------------------------------------------------------------- */

rf_code rfi_status(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_job_view view;
    RF_TRY(rfi_find_request(call, call->who.user_id, &view, err));
    rfi_put_status(rfi_data_begin(call), &view, false);
    rc = rfi_data_end(call, 200, rf_job_state_name(view.job.state), err);
out:
    return rc;
}

rf_code rfi_list_requests(rfi_call *call, int64_t user_id, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_job_view *list = NULL;
    int32_t n = 0;
    const char *state = rfi_query_text(call, "status", NULL);
    rf_job_filter filter = {
        .user_id = user_id, .state = state ? rf_job_state_find(state) : -1, .kind = RF_JOB_GENERATE};
    RF_TRY(rfi_page_begin(call, &filter.before_id, &filter.limit, err));
    RF_TRY(rf_job_list(call->server->scheduler, &filter, &call->arena, &list, &n, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_key(data, "items");
    rfi_json_open(data, '[');
    for (int32_t i = 0; i < n; i++)
        rfi_put_status(data, &list[i], user_id == 0);
    rfi_page_end(data, n, filter.limit, n > 0 ? list[n - 1].job.id : 0);
    rc = rfi_data_end(call, 200, "requests", err);
out:
    return rc;
}

rf_code rfi_requests(rfi_call *call, rf_error *err)
{
    return rfi_list_requests(call, call->who.user_id, err);
}

rf_code rfi_cancel(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_job_view view;
    rf_job_state state;
    RF_TRY(rfi_find_request(call, call->who.user_id, &view, err));
    RF_TRY(rf_job_cancel(call->server->scheduler, call->who.user_id, view.job.id, "user", &state, err));
    if (state == RF_JOB_COMPLETED || state == RF_JOB_FAILED || state == RF_JOB_REJECTED)
        rc = rf_fail(err, RF_CONFLICT, "the request has ended already: it is %s", rf_job_state_name(state));
    else
        rc = rfi_data_none(call, 200, state == RF_JOB_CANCELLED ? "cancelled" : "it will stop in a moment",
                           err);
out:
    return rc;
}

/* ---- the advanced form ------------------------------------------------------------------------- */

static void put_parameter(rf_buf *out, const char *name, const char *type, const char *value, double low,
                          double high, bool has_range, const char *help)
{
    rfi_json_open(out, '{');
    rfi_json_put_text(out, "name", name);
    rfi_json_put_text(out, "type", type);
    rfi_json_put_raw(out, "default", value);
    rfi_json_key(out, "minimum");
    if (has_range)
        rfi_real_json(out, low);
    else
        rfi_json_null(out);
    rfi_json_key(out, "maximum");
    if (has_range)
        rfi_real_json(out, high);
    else
        rfi_json_null(out);
    rfi_json_put_text(out, "help", help);
    rfi_json_close(out, '}');
}

static void put_model(rf_buf *out, rf_model_kind model, const rf_settings *set)
{
    const int bit = 1 << model;
    rfi_json_open(out, '{');
    rfi_json_put_text(out, "model_type", rf_model_kind_name(model));
    rfi_json_key(out, "parameters");
    rfi_json_open(out, '[');
#define BY_SIZE(field)   (strcmp(#field, "epochs") == 0 || strcmp(#field, "batch_size") == 0)
#define IS_EPOCHS(field) (strcmp(#field, "epochs") == 0)
#define PUT_INT(field, in, value, low, high, help)                                                           \
    if ((in)&bit)                                                                                            \
        put_parameter(out, #field, "integer", BY_SIZE(field) ? "null" : #value,                              \
                      IS_EPOCHS(field) ? (double)set->min_epochs : (double)(low),                            \
                      IS_EPOCHS(field) ? (double)set->max_epochs : (double)(high), true,                     \
                      BY_SIZE(field) ? help "; chosen by the size of the dataset when neither epochs nor "   \
                                            "batch_size is given"                                            \
                                     : help);
#define PUT_REAL(field, in, value, low, high, help)                                                          \
    if ((in)&bit)                                                                                            \
        put_parameter(out, #field, "number", #value, low, high, true, help);
#define PUT_FLAG(field, in, value, help)                                                                     \
    if ((in)&bit)                                                                                            \
        put_parameter(out, #field, "boolean", (value) ? "true" : "false", 0, 0, false, help);
#define PUT_DIMS(field, in, width, n, low, high, help)                                                       \
    if ((in)&bit)                                                                                            \
        put_parameter(out, #field, "list of integers", "[" #width "," #width "]", low, high, true, help);
    RF_PARAM_TABLE(PUT_INT, PUT_REAL, PUT_FLAG, PUT_DIMS)
    rfi_json_close(out, ']');
    rfi_json_close(out, '}');
}

rf_code rfi_config(rfi_call *call, rf_error *err)
{
    const rf_settings *set = call->server->set;
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_key(data, "models");
    rfi_json_open(data, '[');
    for (int model = 0; model < RF_MODEL_COUNT; model++)
        put_model(data, (rf_model_kind)model, set);
    rfi_json_close(data, ']');
    rfi_json_key(data, "sample_size");
    rfi_json_open(data, '{');
    rfi_json_put_int(data, "minimum", set->min_sample_size);
    rfi_json_put_int(data, "maximum", set->max_sample_size);
    rfi_json_put_int(data, "default", set->default_sample_size);
    rfi_json_close(data, '}');
    rfi_json_put_raw(data, "output_formats", "[\"csv\",\"tsv\"]");
    rfi_json_put_flag(data, "optimization", false);
    rfi_json_close(data, '}');
    return rfi_data_end(call, 200, "what may be asked for", err);
}

static void put_warnings(rf_buf *out, const rf_notes *warnings)
{
    rfi_json_key(out, "warnings");
    rfi_json_open(out, '[');
    for (int i = 0; i < warnings->n; i++)
        rfi_json_text(out, warnings->texts[i]);
    rfi_json_close(out, ']');
}

rf_code rfi_validate(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_generation ask;
    rf_params params;
    rf_generation_check check;
    rf_notes warnings;
    rf_notes_init(&warnings);
    RF_TRY(rfi_ask_generation(call, &ask, &params, err));
    RF_TRY(rf_job_check_generation(call->server->scheduler, &ask, &check, &warnings, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_flag(data, "valid", true);
    rfi_json_put_flag(data, "ready", check.ready);
    if (check.ready) {
        rfi_json_put_int(data, "n_rows", check.n_rows);
        rfi_json_put_int(data, "n_columns", check.n_columns);
        rfi_json_key(data, "parameters");
        rf_params_json(&check.params, data);
        rfi_json_key(data, "cost");
        rfi_json_open(data, '{');
        rfi_json_put_int(data, "steps", check.cost.steps);
        rfi_json_put_real(data, "estimated_s", check.cost.seconds);
        rfi_json_close(data, '}');
    } else
        rf_buf_puts(data, ",\"n_rows\":null,\"n_columns\":null,\"parameters\":null,\"cost\":null");
    put_warnings(data, &warnings);
    rfi_json_close(data, '}');
    rc = rfi_data_end(
        call, 200, check.ready ? "this can be started" : "this can be started; the dataset is being profiled",
        err);
out:
    rf_notes_free(&warnings);
    return rc;
}
