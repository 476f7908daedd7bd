#include "api/ask.h"

#include <stdlib.h>
#include <string.h>

#include "api/server_internal.h"
#include "core/text.h"

/* ---- conditions ------------------------------------------------------------------------------- */

static const char *scalar_text(rfi_call *call, const json_t *value)
{
    char number[RF_NUMBER_TEXT_MAX];
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        rf_format_i64(number, json_integer_value(value));
    else
        rf_format_f64(number, json_number_value(value));
    return rfi_call_text(call, "%s", number);
}

rf_code rfi_ask_conditions(rfi_call *call, const json_t *json, const rf_plan_condition **out, int32_t *n,
                           rf_error *err)
{
    const char *column;
    json_t *value;
    *n = 0;
    *out = NULL;
    const size_t size = json_object_size(json);
    if (size == 0)
        return RF_OK;
    rf_plan_condition *list = RF_ARENA_ARRAY(&call->arena, rf_plan_condition, size);
    json_object_foreach((json_t *)(uintptr_t)json, column, value)
    {
        if (list)
            list[(*n)++] = (rf_plan_condition){.column = column, .value = scalar_text(call, value)};
    }
    *out = list;
    return rf_arena_check(&call->arena, "the request", err);
}

/* ---- the model --------------------------------------------------------------------------------- */

static rf_code set_parameter(rf_params *params, const char *name, const json_t *value, rf_error *err)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the request");
    const rf_code rc = rf_params_set(params, name, text, err);
    if (rc != RF_OK)
        rf_error_context(err, "model_config.%s", name);
    free(text);
    return rc;
}

static rf_code read_model(const json_t *config, rf_generation *out, rf_params *params, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *name, *type = json_string_value(json_object_get(config, "model_type"));
    json_t *value;
    rf_model_kind model = RF_MODEL_CTGAN;
    if (type)
        RF_TRY(rf_model_kind_parse(&model, type, err));
    rf_params_init(params, model);
    json_object_foreach((json_t *)(uintptr_t)config, name, value)
    {
        if (strcmp(name, "model_type") == 0)
            continue;
        if (strcmp(name, "seed") == 0) {
            out->has_seed = true;
            out->seed = rfi_json_integer(value, 0);
            continue;
        }
        RF_TRY(set_parameter(params, name, value, err));
    }
out:
    return rc;
}

/* ---- what is not there yet ---------------------------------------------------------------------- */

static bool is_on(const json_t *json, const char *name)
{
    return json_is_true(json_object_get(json_object_get(json, name), "enabled"));
}

static rf_code refuse_later_things(const json_t *json, const char *format, rf_error *err)
{
    if (is_on(json, "optimization_config"))
        return rf_fail(err, RF_NOT_AVAILABLE,
                       "searches are not in this version; leave optimization_config out");
    if (is_on(json, "privacy"))
        return rf_fail(err, RF_NOT_AVAILABLE,
                       "differential privacy is not in this version; leave privacy out");
    if (json_array_size(json_object_get(json, "constraints")) > 0)
        return rf_fail(err, RF_NOT_AVAILABLE, "constraints are not in this version; leave them out");
    if (strcmp(format, "csv") != 0 && strcmp(format, "tsv") != 0)
        return rf_fail(err, RF_NOT_AVAILABLE, "results as %s are not in this version; it writes csv and tsv",
                       format);
    return RF_OK;
}

rf_code rfi_ask_generation(rfi_call *call, rf_generation *out, rf_params *params, rf_error *err)
{
    rf_code rc = RF_OK;
    const json_t *json = call->json;
    const char *format = rfi_body_text(call, "output_format", "csv");
    const json_t *priority = json_object_get(json, "priority");
    *out = (rf_generation){.user_id = call->who.user_id,
                           .dataset_id = rfi_body_int(call, "dataset_id", 0),
                           .rows = rfi_body_int(call, "sample_size", call->server->set->default_sample_size),
                           .params = params,
                           .output_format = format,
                           .include_metadata = rfi_body_flag(call, "include_metadata", false),
                           .priority_plus_1 = priority ? (int32_t)rfi_json_integer(priority, 0) + 1 : 0};
    RF_TRY(refuse_later_things(json, format, err));
    RF_TRY(read_model(json_object_get(json, "model_config"), out, params, err));
    RF_TRY(rfi_ask_conditions(call, json_object_get(json, "conditions"), &out->conditions, &out->n_conditions,
                              err));
out:
    return rc;
}
