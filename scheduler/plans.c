/* plans.c - from what was asked to what a worker is told.
 *
 * A row keeps what its owner asked for (spec). The plan is made when the job can run: the table's size is known then, and
 * with it the parameters that nobody gave. Once made it stays, so that every attempt gives the same bytes. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "domain/cost.h"
#include "scheduler/scheduler_state.h"

/* ------------------------------------------------------------------ JSON in and out */

static rf_code no_memory(rf_error *err)
{
    return rf_fail(err, RF_NO_MEMORY, "there is no memory for a request");
}

static rf_code dump(json_t *json, rf_buf *out, rf_error *err)
{
    char *const text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (!text)
        return no_memory(err);
    rf_buf_puts(out, text);
    free(text);
    return rf_buf_check(out, "a request", err);
}

static rf_code parse(const char *text, json_t **out, rf_error *err)
{
    *out = json_loads(*text ? text : "{}", JSON_REJECT_DUPLICATES, NULL);
    return *out ? RF_OK : rf_fail(err, RF_CORRUPT, "the database holds a request that cannot be read");
}

static const char *buf_into(rf_arena *arena, const rf_buf *buf)
{
    const char *const text = rf_arena_string(arena, buf->data ? buf->data : "", buf->size_bytes);
    return text ? text : "";
}

/* ------------------------------------------------------------------ conditions */

static json_t *conditions_json(const rf_plan_condition *conditions, int32_t n)
{
    json_t *const list = json_array();
    for (int32_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "column", conditions[i].column, "value", conditions[i].value));
    return list;
}

static rf_code conditions_read(const json_t *spec, rf_arena *arena, const rf_plan_condition **out, int32_t *n,
                               rf_error *err)
{
    const json_t *const list = json_object_get(spec, "conditions");
    const size_t count = json_array_size(list);
    rf_plan_condition *const conditions = RF_ARENA_ARRAY(arena, rf_plan_condition, count ? count : 1);
    for (size_t i = 0; conditions && i < count; i++) {
        const json_t *const each = json_array_get(list, i);
        const char *const column = json_string_value(json_object_get(each, "column"));
        const char *const value = json_string_value(json_object_get(each, "value"));
        conditions[i].column = rf_arena_string(arena, column ? column : "", column ? strlen(column) : 0);
        conditions[i].value = rf_arena_string(arena, value ? value : "", value ? strlen(value) : 0);
    }
    *out = conditions;
    *n = (int32_t)count;
    return rf_arena_check(arena, "conditions", err);
}

/* ------------------------------------------------------------------ parameters */

/* Those that somebody gave: the others are chosen when the table's size is known. */
static json_t *given_params(const rf_params *params)
{
    rf_buf text;
    rf_buf_init(&text);
    rf_params_json(params, &text);
    json_t *const all = text.failed ? NULL : json_loads(text.data, 0, NULL);
    rf_buf_free(&text);
    json_t *const given = json_object();
    static const char *const names[] = {
#define NAME(name, ...) #name,
        RF_PARAM_TABLE(NAME, NAME, NAME, NAME)
#undef NAME
    };
    for (size_t i = 0; all && i < sizeof names / sizeof *names; i++)
        if (params->given >> i & 1)
            json_object_set(given, names[i], json_object_get(all, names[i]));
    json_decref(all);
    return given;
}

static rf_code params_read(const json_t *spec, rf_params *out, rf_error *err)
{
    const char *const model = json_string_value(json_object_get(spec, "model"));
    rf_model_kind kind;
    rf_code rc = RF_OK;
    RF_TRY(rf_model_kind_parse(&kind, model ? model : "", err));
    rf_params_init(out, kind);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json_object_get(spec, "params"), name, value)
    {
        char *const text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        rc = text ? rf_params_set(out, name, text, err) : no_memory(err);
        free(text);
        if (rc != RF_OK)
            goto out;
    }
out:
    return rc;
}

static int param_index(const char *wanted)
{
    static const char *const names[] = {
#define NAME(name, ...) #name,
        RF_PARAM_TABLE(NAME, NAME, NAME, NAME)
#undef NAME
    };
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (!strcmp(names[i], wanted))
            return i;
    return -1;
}

/* What nobody asked for keeps to the limits of those who ask. */
static void keep_within(const rf_scheduler *s, int64_t *epochs)
{
    if (s->options.max_epochs && *epochs > s->options.max_epochs)
        *epochs = s->options.max_epochs;
    if (*epochs < s->options.min_epochs)
        *epochs = s->options.min_epochs;
}

rf_code rfi_params_finish(const rf_scheduler *s, rf_params *params, int64_t n_rows, rf_error *err)
{
    const bool epochs = params->given >> param_index("epochs") & 1;
    const bool batch = params->given >> param_index("batch_size") & 1;
    rf_code rc = RF_OK;
    if (batch && !epochs) {
        char text[16];
        snprintf(text, sizeof text, "%d", s->options.default_epochs);
        RF_TRY(rf_params_set(params, "epochs", text, err));
    }
    rc = rf_params_finish(params, n_rows, false, err);
    if (!epochs)
        keep_within(s, &params->epochs);
    if (rc == RF_USAGE && err) { /* which field of a request it is about */
        char why[sizeof err->message];
        snprintf(why, sizeof why, "%s", err->message);
        rc = rf_fail(err, rc, "model_config: %.230s", why);
    }
out:
    return rc;
}

/* ------------------------------------------------------------------ specs */

rf_code rfi_spec_write(const rf_generation *ask, rf_buf *out, rf_error *err)
{
    json_t *const json =
        json_pack("{s:s, s:o, s:s, s:b, s:o}", "model", rf_model_kind_name(ask->params->model), "params",
                  given_params(ask->params), "output_format", ask->output_format ? ask->output_format : "csv",
                  "include_metadata", ask->include_metadata, "conditions",
                  conditions_json(ask->conditions, ask->n_conditions));
    const rf_code rc = dump(json, out, err);
    json_decref(json);
    return rc;
}

rf_code rfi_spec_write_sampling(const rf_sampling *ask, rf_buf *out, rf_error *err)
{
    json_t *const json = json_pack("{s:s, s:o}", "output_format", ask->format ? ask->format : "csv",
                                   "conditions", conditions_json(ask->conditions, ask->n_conditions));
    const rf_code rc = dump(json, out, err);
    json_decref(json);
    return rc;
}

/* ------------------------------------------------------------------ plans */

static rf_code write_plan(const rf_plan *plan, rf_job *job, rf_arena *arena, rf_error *err)
{
    rf_buf text;
    rf_buf_init(&text);
    rf_code rc = RF_OK;
    RF_TRY(rf_plan_write(plan, &text, err));
    RF_TRY(rf_buf_check(&text, "a plan", err));
    job->plan = buf_into(arena, &text);
    RF_TRY(rf_arena_check(arena, "a plan", err));
out:
    rf_buf_free(&text);
    return rc;
}

rf_code rfi_kinds_read(const char *text, rf_arena *arena, rf_plan_kind **out, int32_t *n, rf_error *err)
{
    json_t *json = NULL, *value;
    const char *column;
    rf_code rc = RF_OK;
    *n = 0;
    *out = NULL;
    RF_TRY(parse(text, &json, err));
    const size_t count = json_object_size(json);
    rf_plan_kind *const kinds = RF_ARENA_ARRAY(arena, rf_plan_kind, count ? count : 1);
    RF_TRY(rf_arena_check(arena, "the kinds of columns", err));
    json_object_foreach(json, column, value)
    {
        const char *const name = json_string_value(value);
        const int kind = name ? rf_kind_find(name) : -1;
        if (kind < 0)
            continue; /* of a version that knew more kinds */
        kinds[*n].column = rf_arena_string(arena, column, strlen(column));
        kinds[(*n)++].kind = (rf_kind)kind;
    }
    RF_TRY(rf_arena_check(arena, "the kinds of columns", err));
    *out = kinds;
out:
    json_decref(json);
    return rc;
}

static rf_code plan_dataset(rf_plan *plan, const rf_dataset *dataset, rf_arena *arena, rf_error *err)
{
    rf_plan_kind *kinds = NULL;
    plan->dataset = (rf_plan_dataset){
        .key = dataset->key, .sha256 = dataset->sha256, .name = dataset->name, .format = dataset->format};
    const rf_code rc = rfi_kinds_read(dataset->kinds, arena, &kinds, &plan->dataset.n_kinds, err);
    plan->dataset.kinds = kinds;
    return rc;
}

rf_code rfi_plan_profile(rf_job *job, const rf_dataset *dataset, rf_arena *arena, rf_error *err)
{
    rf_plan plan = {.kind = RF_JOB_PROFILE, .timeout_s = job->timeout_ms / 1000};
    rf_code rc = RF_OK;
    RF_TRY(plan_dataset(&plan, dataset, arena, err));
    RF_TRY(write_plan(&plan, job, arena, err));
out:
    return rc;
}

rf_code rfi_plan_generate(const rf_scheduler *s, rf_job *job, const rf_dataset *dataset, rf_arena *arena,
                          rf_error *err)
{
    json_t *spec = NULL;
    rf_plan plan = {.kind = RF_JOB_GENERATE,
                    .timeout_s = job->timeout_ms / 1000,
                    .seed = (uint64_t)job->seed,
                    .rows = job->rows};
    rf_code rc = RF_OK;
    RF_TRY(parse(job->spec, &spec, err));
    RF_TRY(params_read(spec, &plan.params, err));
    RF_TRY(rfi_rows_check(dataset->n_rows, err));
    RF_TRY(rfi_params_finish(s, &plan.params, dataset->n_rows, err));
    RF_TRY(conditions_read(spec, arena, &plan.conditions, &plan.n_conditions, err));
    RF_TRY(rfi_conditions_check(plan.conditions, plan.n_conditions, dataset->profile, err));
    RF_TRY(plan_dataset(&plan, dataset, arena, err));
    const char *const format = json_string_value(json_object_get(spec, "output_format"));
    plan.output_format = format ? format : "csv";
    plan.include_metadata = json_is_true(json_object_get(spec, "include_metadata"));
    RF_TRY(write_plan(&plan, job, arena, err));
    job->cost = rf_cost_generate(&plan.params, dataset->n_rows, dataset->n_columns, job->rows).seconds;
out:
    json_decref(spec);
    return rc;
}

rf_code rfi_plan_sampling(rf_job *job, const rf_model_card *model, rf_arena *arena, rf_error *err)
{
    json_t *spec = NULL;
    rf_plan plan = {.kind = RF_JOB_SAMPLE,
                    .timeout_s = job->timeout_ms / 1000,
                    .seed = (uint64_t)job->seed,
                    .rows = job->rows,
                    .model = {.key = model->key, .sha256 = model->sha256}};
    rf_code rc = RF_OK;
    RF_TRY(parse(job->spec, &spec, err));
    RF_TRY(conditions_read(spec, arena, &plan.conditions, &plan.n_conditions, err));
    const char *const format = json_string_value(json_object_get(spec, "output_format"));
    plan.output_format = format ? format : "csv";
    RF_TRY(write_plan(&plan, job, arena, err));
    job->cost = rf_cost_sample(job->rows);
out:
    json_decref(spec);
    return rc;
}

rf_code rfi_plan_noop(rf_job *job, const rf_noop *ask, rf_arena *arena, rf_error *err)
{
    const rf_plan plan = {
        .kind = RF_JOB_NOOP, .work_ms = ask->work_ms, .fails = ask->fails, .failure = ask->failure};
    job->cost = ask->cost > 0 ? ask->cost : 1.0;
    return write_plan(&plan, job, arena, err);
}

rf_code rfi_plan_resumed(const rf_job *job, rf_arena *arena, const char **out, rf_error *err)
{
    rf_plan plan = {0};
    rf_result_checkpoint checkpoint;
    rf_job copy = *job;
    rf_code rc = RF_OK;
    RF_TRY(rf_result_read_checkpoint(&checkpoint, arena, job->checkpoint, err));
    RF_TRY(rf_plan_read(&plan, job->plan, err));
    plan.has_checkpoint = true;
    plan.checkpoint =
        (rf_plan_checkpoint){.key = checkpoint.key, .sha256 = checkpoint.sha256, .step = checkpoint.step};
    RF_TRY(write_plan(&plan, &copy, arena, err));
    *out = copy.plan;
out:
    rf_plan_free(&plan);
    return rc;
}
