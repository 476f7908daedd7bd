#include "domain/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "domain/fields.h"

/* The number of this form of the JSON: a worker of another version refuses a plan that it could misread. */
enum { PLAN_VERSION = 1, NAME_BYTES_MAX = 1024, COLUMN_BYTES_MAX = 64 << 10, ITEMS_MAX = 10000 };

static const char *const what_plan = "the plan";

/* What each kind of job is told. */
static bool has_dataset(rf_job_kind kind)
{
    return kind == RF_JOB_PROFILE || kind == RF_JOB_GENERATE;
}

static bool makes_rows(rf_job_kind kind)
{
    return kind == RF_JOB_GENERATE || kind == RF_JOB_SAMPLE;
}

static bool format_fits(rf_job_kind kind, const char *format)
{
    return !strcmp(format, "csv") || !strcmp(format, kind == RF_JOB_SAMPLE ? "ndjson" : "tsv");
}

/* A key is a path below a root, whatever the storage: nothing in it may climb. */
static bool is_key(const char *key)
{
    if (!key || !*key || *key == '/' || strlen(key) > RF_OBJECT_KEY_MAX)
        return false;
    for (const unsigned char *c = (const unsigned char *)key; *c; c++)
        if (*c < 0x21 || *c > 0x7e || *c == '\\')
            return false;
    return !strstr(key, "..") && !strstr(key, "//");
}

/* ------------------------------------------------------------------ writing: what cannot be written */

static rf_code bad(const char *name, rf_error *err)
{
    return rf_fail(err, RF_USAGE, "a plan cannot be written: %s is missing or out of range", name);
}

static rf_code check_dataset(const rf_plan_dataset *d, rf_error *err)
{
    if (!is_key(d->key) || !rfi_is_hex64(d->sha256))
        return bad("the key or the sum of the dataset", err);
    if (!d->format || (strcmp(d->format, "csv") && strcmp(d->format, "tsv")))
        return bad("the format of the dataset", err);
    if (d->n_kinds < 0 || d->n_kinds > ITEMS_MAX)
        return bad("the number of kinds", err);
    return RF_OK;
}

static rf_code check_rows(const rf_plan *plan, rf_error *err)
{
    if (plan->seed > INT64_MAX)
        return bad("seed", err);
    if (plan->rows < 1 || plan->rows > RF_PLAN_ROWS_MAX)
        return bad("rows", err);
    if (!plan->output_format || !format_fits(plan->kind, plan->output_format))
        return bad("output_format", err);
    if (plan->n_conditions < 0 || plan->n_conditions > ITEMS_MAX)
        return bad("the number of conditions", err);
    return RF_OK;
}

static rf_code check(const rf_plan *plan, rf_error *err)
{
    rf_code rc = RF_OK;
    if (plan->timeout_s < 0)
        RF_TRY(bad("timeout_s", err));
    if (has_dataset(plan->kind))
        RF_TRY(check_dataset(&plan->dataset, err));
    if (makes_rows(plan->kind))
        RF_TRY(check_rows(plan, err));
    if (plan->kind == RF_JOB_GENERATE && plan->has_checkpoint &&
        (!is_key(plan->checkpoint.key) || !rfi_is_hex64(plan->checkpoint.sha256) ||
         plan->checkpoint.step < 1))
        RF_TRY(bad("the checkpoint", err));
    if (plan->kind == RF_JOB_SAMPLE && (!is_key(plan->model.key) || !rfi_is_hex64(plan->model.sha256)))
        RF_TRY(bad("the model", err));
    if (plan->kind == RF_JOB_NOOP && (plan->work_ms < 0 || plan->work_ms > RF_NOOP_MS_MAX))
        RF_TRY(bad("work_ms", err));
out:
    return rc;
}

/* ------------------------------------------------------------------ writing */

static void put_text(json_t *object, const char *name, const char *text, bool *failed)
{
    rfi_put(object, name, json_string(text), failed);
}

static json_t *dataset_json(const rf_plan_dataset *d, bool *failed)
{
    json_t *kinds = json_object(), *object = json_object();
    for (int32_t i = 0; i < d->n_kinds; i++)
        put_text(kinds, d->kinds[i].column, rf_kind_name(d->kinds[i].kind), failed);
    put_text(object, "key", d->key, failed);
    put_text(object, "sha256", d->sha256, failed);
    put_text(object, "name", d->name ? d->name : "", failed);
    put_text(object, "format", d->format, failed);
    rfi_put(object, "kinds", kinds, failed);
    return object;
}

static json_t *object_json(const char *key, const char *sha256, bool *failed)
{
    json_t *object = json_object();
    put_text(object, "key", key, failed);
    put_text(object, "sha256", sha256, failed);
    return object;
}

static json_t *checkpoint_json(const rf_plan *plan, bool *failed)
{
    if (!plan->has_checkpoint)
        return json_null();
    json_t *object = object_json(plan->checkpoint.key, plan->checkpoint.sha256, failed);
    rfi_put(object, "step", json_integer(plan->checkpoint.step), failed);
    return object;
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

static void put_rows(json_t *object, const rf_plan *plan, bool *failed)
{
    json_t *conditions = json_object();
    for (int32_t i = 0; i < plan->n_conditions; i++)
        put_text(conditions, plan->conditions[i].column, plan->conditions[i].value, failed);
    rfi_put(object, "seed", json_integer((json_int_t)plan->seed), failed);
    rfi_put(object, "rows", json_integer(plan->rows), failed);
    put_text(object, "output_format", plan->output_format, failed);
    rfi_put(object, "conditions", conditions, failed);
}

static void put_noop(json_t *object, const rf_plan *plan, bool *failed)
{
    rfi_put(object, "work_ms", json_integer(plan->work_ms), failed);
    rfi_put(object, "failure", plan->fails ? json_string(rf_failure_name(plan->failure)) : json_null(),
            failed);
}

static json_t *plan_json(const rf_plan *plan, bool *failed)
{
    json_t *object = json_object();
    rfi_put(object, "version", json_integer(PLAN_VERSION), failed);
    put_text(object, "kind", rf_job_kind_name(plan->kind), failed);
    rfi_put(object, "timeout_s", json_integer(plan->timeout_s), failed);
    if (has_dataset(plan->kind))
        rfi_put(object, "dataset", dataset_json(&plan->dataset, failed), failed);
    if (makes_rows(plan->kind))
        put_rows(object, plan, failed);
    if (plan->kind == RF_JOB_GENERATE) {
        put_text(object, "model", rf_model_kind_name(plan->params.model), failed);
        rfi_put(object, "params", params_json(&plan->params), failed);
        rfi_put(object, "include_metadata", json_boolean(plan->include_metadata), failed);
        rfi_put(object, "checkpoint", checkpoint_json(plan, failed), failed);
    }
    if (plan->kind == RF_JOB_SAMPLE)
        rfi_put(object, "model", object_json(plan->model.key, plan->model.sha256, failed), failed);
    if (plan->kind == RF_JOB_NOOP)
        put_noop(object, plan, failed);
    return object;
}

rf_code rf_plan_write(const rf_plan *plan, rf_buf *out, rf_error *err)
{
    bool failed = false;
    const rf_code rc = check(plan, err);
    if (rc != RF_OK)
        return rc;
    json_t *object = plan_json(plan, &failed);
    return rfi_fields_print(object, failed, what_plan, RF_PLAN_BYTES_MAX, RFI_DIGITS_EXACT, out, err);
}

/* ------------------------------------------------------------------ reading */

static const char *get_key(rfi_fields *fields, const char *name)
{
    const char *key = rfi_field_text(fields, name, RF_OBJECT_KEY_MAX);
    if (!is_key(key))
        rfi_fields_fault(fields, name, "the key of a stored object");
    return key;
}

static const char *get_format(rfi_fields *fields, const char *name, rf_job_kind kind)
{
    const char *format = rfi_field_text(fields, name, NAME_BYTES_MAX);
    if (!format_fits(kind, format))
        rfi_fields_fault(fields, name, "a format that this kind of job knows");
    return format;
}

/* An object of texts by column: kinds and conditions. Copies the i-th pair to `put`. */
typedef void put_pair(void *list, size_t i, const char *column, const char *value, rfi_fields *fields);

static void *get_pairs(rfi_fields *fields, const char *name, size_t item_bytes, put_pair *put, int32_t *n)
{
    json_t *value = rfi_field(fields, name), *item;
    const char *column;
    size_t i = 0;
    const size_t count = json_object_size(value);
    *n = 0;
    if (!json_is_object(value) || count > ITEMS_MAX) {
        rfi_fields_fault(fields, name, "an object of texts");
        return NULL;
    }
    void *list = rf_arena_alloc(fields->arena, count, item_bytes);
    if (!list)
        return NULL;
    json_object_foreach(value, column, item)
    {
        rfi_fields one = rfi_fields_begin(value, name, fields->arena, fields->err);
        const char *text = rfi_field_text(&one, column, COLUMN_BYTES_MAX);
        if (strlen(column) > COLUMN_BYTES_MAX)
            rfi_fields_fault(&one, "a column", "shorter");
        put(list, i++, rf_arena_string(fields->arena, column, strlen(column)), text, &one);
        if (fields->rc == RF_OK)
            fields->rc = one.rc;
    }
    *n = (int32_t)count;
    return list;
}

static void put_kind(void *list, size_t i, const char *column, const char *value, rfi_fields *fields)
{
    const int kind = rf_kind_find(value);
    if (kind < 0)
        rfi_fields_fault(fields, "a column's kind", "one that there is");
    ((rf_plan_kind *)list)[i] = (rf_plan_kind){.column = column, .kind = (rf_kind)(kind < 0 ? 0 : kind)};
}

static void put_condition(void *list, size_t i, const char *column, const char *value, rfi_fields *fields)
{
    (void)fields;
    ((rf_plan_condition *)list)[i] = (rf_plan_condition){.column = column, .value = value};
}

static void get_dataset(rfi_fields *fields, rf_plan *plan)
{
    rfi_fields inner = rfi_field_object(fields, "dataset");
    rf_plan_dataset *d = &plan->dataset;
    d->key = get_key(&inner, "key");
    d->sha256 = rfi_field_hex(&inner, "sha256");
    d->name = rfi_field_text(&inner, "name", NAME_BYTES_MAX);
    d->format = get_format(&inner, "format", RF_JOB_PROFILE);
    d->kinds = get_pairs(&inner, "kinds", sizeof *d->kinds, put_kind, &d->n_kinds);
    rfi_fields_join(fields, &inner);
}

static void get_rows(rfi_fields *fields, rf_plan *plan)
{
    plan->seed = (uint64_t)rfi_field_int(fields, "seed", 0, INT64_MAX);
    plan->rows = rfi_field_int(fields, "rows", 1, RF_PLAN_ROWS_MAX);
    plan->output_format = get_format(fields, "output_format", plan->kind);
    plan->conditions =
        get_pairs(fields, "conditions", sizeof *plan->conditions, put_condition, &plan->n_conditions);
}

/* Every parameter of the model must be there: a worker's own defaults could be others. */
static rf_code get_params(rfi_fields *fields, rf_params *params, rf_error *err)
{
    rf_code rc = RF_OK;
    char *text = NULL;
    json_t *all = NULL, *value, *given = rfi_field(fields, "params");
    const char *name, *model = rfi_field_text(fields, "model", NAME_BYTES_MAX);
    rf_model_kind kind;
    if (fields->rc != RF_OK)
        return fields->rc;
    RF_TRY(rf_model_kind_parse(&kind, model, err));
    rf_params_init(params, kind);
    all = params_json(params);
    if (!all)
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "there is no memory for the parameters of a plan"));
    if (json_object_size(given) != json_object_size(all))
        RF_TRY(rf_fail(err, RF_MALFORMED, "the plan: params must hold every parameter of %s", model));
    json_object_foreach(given, name, value)
    {
        free(text);
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(RFI_DIGITS_EXACT));
        if (!text)
            RF_TRY(rf_fail(err, RF_NO_MEMORY, "there is no memory for the parameters of a plan"));
        RF_TRY(rf_params_set(params, name, text, err));
    }
    RF_TRY(rf_params_finish(params, 1, false, err));
out:
    free(text);
    json_decref(all);
    if (rc == RF_USAGE) { /* whose fault it is changes, the sentence stays */
        rc = RF_MALFORMED;
        if (err)
            err->code = rc;
    }
    return rc;
}

static void get_checkpoint(rfi_fields *fields, rf_plan *plan)
{
    plan->has_checkpoint = !rfi_field_is_null(fields, "checkpoint");
    if (!plan->has_checkpoint)
        return;
    rfi_fields inner = rfi_field_object(fields, "checkpoint");
    plan->checkpoint.key = get_key(&inner, "key");
    plan->checkpoint.sha256 = rfi_field_hex(&inner, "sha256");
    plan->checkpoint.step = rfi_field_int(&inner, "step", 1, INT64_MAX);
    rfi_fields_join(fields, &inner);
}

static void get_model(rfi_fields *fields, rf_plan *plan)
{
    rfi_fields inner = rfi_field_object(fields, "model");
    plan->model.key = get_key(&inner, "key");
    plan->model.sha256 = rfi_field_hex(&inner, "sha256");
    rfi_fields_join(fields, &inner);
}

static void get_noop(rfi_fields *fields, rf_plan *plan)
{
    plan->work_ms = rfi_field_int(fields, "work_ms", 0, RF_NOOP_MS_MAX);
    if (rfi_field_is_null(fields, "failure"))
        return;
    const int failure = rf_failure_find(rfi_field_text(fields, "failure", NAME_BYTES_MAX));
    if (failure < 0)
        rfi_fields_fault(fields, "failure", "a class of failure");
    plan->fails = true;
    plan->failure = (rf_failure)(failure < 0 ? 0 : failure);
}

static rf_code get_plan(rf_plan *plan, json_t *object, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_fields fields = rfi_fields_begin(object, what_plan, &plan->arena, err);
    (void)rfi_field_int(&fields, "version", PLAN_VERSION, PLAN_VERSION);
    const int kind = rf_job_kind_find(rfi_field_text(&fields, "kind", NAME_BYTES_MAX));
    if (kind < 0)
        rfi_fields_fault(&fields, "kind", "a kind of job");
    plan->kind = (rf_job_kind)(kind < 0 ? 0 : kind);
    plan->timeout_s = rfi_field_int(&fields, "timeout_s", 0, INT32_MAX);
    if (fields.rc == RF_OK && has_dataset(plan->kind))
        get_dataset(&fields, plan);
    if (fields.rc == RF_OK && makes_rows(plan->kind))
        get_rows(&fields, plan);
    if (fields.rc == RF_OK && plan->kind == RF_JOB_GENERATE) {
        RF_TRY(get_params(&fields, &plan->params, err));
        plan->include_metadata = rfi_field_flag(&fields, "include_metadata");
        get_checkpoint(&fields, plan);
    }
    if (fields.rc == RF_OK && plan->kind == RF_JOB_SAMPLE)
        get_model(&fields, plan);
    if (fields.rc == RF_OK && plan->kind == RF_JOB_NOOP)
        get_noop(&fields, plan);
    RF_TRY(rfi_fields_end(&fields));
out:
    return rc;
}

rf_code rf_plan_read(rf_plan *out, const char *json, rf_error *err)
{
    json_t *object = NULL;
    memset(out, 0, sizeof *out);
    rf_arena_init(&out->arena);
    rf_code rc = rfi_fields_parse(&object, what_plan, json, RF_PLAN_BYTES_MAX, err);
    if (rc == RF_OK)
        rc = get_plan(out, object, err);
    json_decref(object);
    if (rc != RF_OK)
        rf_plan_free(out);
    return rc;
}

void rf_plan_free(rf_plan *plan)
{
    if (plan)
        rf_arena_free(&plan->arena);
}
