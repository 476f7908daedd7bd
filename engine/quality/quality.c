#include "engine/quality/quality.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "engine/quality/copies.h"
#include "engine/quality/dcr.h"
#include "engine/quality/diagnostic.h"
#include "engine/quality/marginals.h"
#include "engine/quality/pairs.h"

enum { DCR_SYNTHETIC_ROWS = 10000, DCR_REAL_ROWS = 100000 };

/* Everything that lives as long as one evaluation. */
typedef struct evaluation {
    rf_quality *quality;
    const rf_table *real, *synthetic;
    const rf_quality_options *options;
    rf_pool *pool;
    rf_arena scratch;
    int32_t n_fields;
    int32_t *fields;   /* (n_fields) of the real table, in the report's order */
    rfi_rules *rules;  /* (n_fields)                                          */
    rfi_facing *faces; /* (n_fields)                                         */
    int32_t n_strands;
    rfi_strand *strands;
    atomic_bool failed; /* a task found no memory: nothing else can fail in one */
} evaluation;

/* ---- which columns -------------------------------------------------------------------------- */

/* Without metadata a key is what reads like one: an id whose cells are all present and different. */
static bool looks_like_key(const rf_table *table, int32_t index)
{
    const rf_column *column = &table->columns[index];
    const rf_field *field = &table->schema.fields[index];
    return field->primary_key ||
           (field->kind == RF_KIND_ID && column->n_missing == 0 && column->dict.n == table->n_rows);
}

static void add_field(evaluation *e, int32_t index, const rf_metadata_column *known)
{
    const rf_field *field = &e->real->schema.fields[index];
    if (field->kind == RF_KIND_IGNORED)
        return;
    rfi_rules rules = {.key = known ? known->primary_key || known->alternate_key
                                    : looks_like_key(e->real, index),
                       .datetime_format = field->datetime_format,
                       .regex = field->regex,
                       .given = known};
    if (known && known->datetime_format)
        rules.datetime_format = known->datetime_format;
    if (known && known->regex)
        rules.regex = known->regex;
    e->fields[e->n_fields] = index;
    e->rules[e->n_fields++] = rules;
}

static rf_code choose_fields(evaluation *e, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_schema *schema = &e->real->schema;
    const rf_metadata *metadata = e->options->metadata;
    const int32_t most = metadata ? metadata->n_columns : schema->n_fields;
    e->fields = RF_ARENA_ARRAY(&e->scratch, int32_t, most);
    e->rules = RF_ARENA_ARRAY(&e->scratch, rfi_rules, most);
    RF_TRY(rf_arena_check(&e->scratch, "the columns of a report", err));
    for (int32_t i = 0; i < most; i++) {
        const int32_t index = metadata ? rf_schema_find(schema, metadata->columns[i].name) : i;
        if (index >= 0)
            add_field(e, index, metadata ? &metadata->columns[i] : NULL);
    }
out:
    return rc;
}

static rf_code check_common(const evaluation *e, rf_error *err)
{
    for (int32_t i = 0; i < e->n_fields; i++) {
        if (e->faces[i].other_field >= 0)
            return RF_OK;
    }
    return rf_fail(
        err, RF_INPUT,
        "the synthetic table has none of the real table's columns: are these two the right files?");
}

/* ---- an end before the end ------------------------------------------------------------------ */

static bool is_stopped(const evaluation *e)
{
    return e->options->stop && atomic_load_explicit(e->options->stop, memory_order_relaxed);
}

static rf_code check_stop(const evaluation *e, rf_error *err)
{
    return is_stopped(e) ? rf_fail(err, RF_INTERRUPTED, "stopped before the tables were compared") : RF_OK;
}

/* ---- columns and pairs ---------------------------------------------------------------------- */

static void evaluate_column(void *arg, int64_t task)
{
    evaluation *e = arg;
    const rfi_facing *face = &e->faces[task];
    rf_quality_column *out = &e->quality->columns[task];
    *out = (rf_quality_column){.field = face->field,
                               .modelled = rfi_kind_is_modelled(face->kind),
                               .key = e->rules[task].key,
                               .shape = NAN,
                               .missing_real = NAN,
                               .missing_synthetic = NAN,
                               .missing_similarity = NAN,
                               .coverage = NAN};
    if (is_stopped(e))
        return;
    if (rfi_marginals(out, face, NULL) != RF_OK ||
        rfi_diagnose(out, face, &e->rules[task], e->synthetic, NULL) != RF_OK)
        atomic_store(&e->failed, true);
}

/* All pairs whose first column is strand `task`. */
static void evaluate_pairs(void *arg, int64_t task)
{
    evaluation *e = arg;
    const int64_t n = e->n_strands, before = task * n - task * (task + 1) / 2;
    for (int64_t other = task + 1; other < n && !is_stopped(e); other++) {
        rf_quality_pair *out = &e->quality->pairs[before + other - task - 1];
        if (rfi_pair_score(out, &e->strands[task], &e->strands[other], NULL) != RF_OK)
            atomic_store(&e->failed, true);
    }
}

static rf_code evaluate_columns_and_pairs(evaluation *e, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_quality *q = e->quality;
    RF_TRY(rfi_strands(&e->strands, &e->n_strands, &e->scratch, e->faces, e->n_fields, e->pool, err));
    q->n_columns = e->n_fields;
    q->n_pairs = (int32_t)((int64_t)e->n_strands * (e->n_strands - 1) / 2);
    q->columns = RF_ARENA_ARRAY(&q->arena, rf_quality_column, q->n_columns);
    q->pairs = RF_ARENA_ARRAY(&q->arena, rf_quality_pair, q->n_pairs);
    RF_TRY(rf_arena_check(&q->arena, "the columns and pairs of a report", err));
    rf_pool_run(e->pool, evaluate_column, e, q->n_columns);
    rf_pool_run(e->pool, evaluate_pairs, e, e->n_strands);
    if (atomic_load(&e->failed))
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "not enough memory for the comparison of two tables"));
    RF_TRY(check_stop(e, err));
out:
    return rc;
}

/* ---- a key of several columns ---------------------------------------------------------------- */

static bool is_key_part(const evaluation *e, int32_t i)
{
    return e->rules[i].given && e->rules[i].given->composite_key;
}

static rf_code evaluate_composite_key(evaluation *e, rf_error *err)
{
    rf_code rc = RF_OK;
    int32_t n = 0;
    int64_t bad = 0;
    int32_t *fields = RF_ARENA_ARRAY(&e->scratch, int32_t, e->n_fields);
    RF_TRY(rf_arena_check(&e->scratch, "the keys of a table", err));
    for (int32_t i = 0; i < e->n_fields; i++) {
        if (!is_key_part(e, i))
            continue;
        if (e->faces[i].other_field < 0)
            goto out; /* the column's own line says so */
        fields[n++] = e->faces[i].other_field;
    }
    if (n == 0 || e->synthetic->n_rows == 0)
        goto out;
    RF_TRY(rfi_count_bad_keys(&bad, e->synthetic, fields, n, e->pool, err));
    e->quality->n_key_columns = n;
    e->quality->key_uniqueness = 1 - (double)bad / (double)e->synthetic->n_rows;
out:
    return rc;
}

/* ---- scores --------------------------------------------------------------------------------- */

/* The mean of what is not NaN; NaN when nothing is. */
typedef struct mean {
    double sum;
    int64_t n;
} mean;

static void mean_add(mean *m, double value)
{
    if (isnan(value))
        return;
    m->sum += value;
    m->n++;
}

static double mean_of(const mean *m)
{
    return m->n ? m->sum / (double)m->n : NAN;
}

static double mean_of_two(double a, double b)
{
    mean m = {0};
    mean_add(&m, a);
    mean_add(&m, b);
    return mean_of(&m);
}

static void sum_up(rf_quality *q)
{
    mean shapes = {0}, validity = {0}, all = {0}, gated = {0};
    mean_add(&validity, q->key_uniqueness);
    for (int32_t i = 0; i < q->n_columns; i++) {
        mean_add(&shapes, q->columns[i].shape);
        mean_add(&validity, q->columns[i].validity);
        mean_add(&validity, q->columns[i].format_validity);
    }
    for (int32_t i = 0; i < q->n_pairs; i++) {
        mean_add(&all, q->pairs[i].score);
        if (q->pairs[i].gated_in) {
            mean_add(&gated, q->pairs[i].score);
            q->n_pairs_gated_in++;
        }
    }
    q->shapes = mean_of(&shapes);
    q->trends_all = mean_of(&all);
    q->trends_gated = mean_of(&gated);
    q->overall_all = mean_of_two(q->shapes, q->trends_all);
    q->overall_gated = mean_of_two(q->shapes, q->trends_gated);
    q->validity = mean_of(&validity);
    q->diagnostic = mean_of_two(q->validity, q->structure);
}

/* ---- privacy -------------------------------------------------------------------------------- */

static rf_code measure_dcr(rf_dcr_summary *out, const evaluation *e, const rfi_facing *faces, rf_error *err)
{
    const rf_quality_options *o = e->options;
    const rfi_dcr_plan plan = {.most_rows =
                                   o->dcr_synthetic_max > 0 ? o->dcr_synthetic_max : DCR_SYNTHETIC_ROWS,
                               .most_real_rows = o->dcr_real_max > 0 ? o->dcr_real_max : DCR_REAL_ROWS,
                               .seed = o->seed,
                               .stop = o->stop};
    *out = (rf_dcr_summary){.min = NAN, .p5 = NAN, .median = NAN, .mean = NAN, .max = NAN, .share_zero = NAN};
    if (o->no_dcr)
        return RF_OK;
    const rf_code rc = rfi_dcr(out, faces, e->n_fields, &plan, e->pool, err);
    return rc == RF_OK ? check_stop(e, err) : rc;
}

static rf_code evaluate_holdout(evaluation *e, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_quality *q = e->quality;
    const rf_table *holdout = e->options->holdout;
    rfi_facing *faces;
    q->has_holdout = true;
    q->n_holdout = holdout->n_rows;
    RF_TRY(rfi_face(&faces, &e->scratch, e->real, holdout, e->fields, e->n_fields, err));
    RF_TRY(rfi_count_copies(&q->holdout_copies, faces, e->n_fields, e->pool, err));
    RF_TRY(measure_dcr(&q->dcr_holdout, e, faces, err));
out:
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static rf_code evaluate(evaluation *e, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_quality *q = e->quality;
    RF_TRY(choose_fields(e, err));
    RF_TRY(rfi_face(&e->faces, &e->scratch, e->real, e->synthetic, e->fields, e->n_fields, err));
    RF_TRY(check_common(e, err));
    RF_TRY(evaluate_columns_and_pairs(e, err));
    RF_TRY(evaluate_composite_key(e, err));
    RF_TRY(rfi_structure(&q->structure, e->real, e->synthetic, err));
    sum_up(q);
    RF_TRY(rfi_count_copies(&q->exact_copies, e->faces, e->n_fields, e->pool, err));
    RF_TRY(check_stop(e, err));
    RF_TRY(measure_dcr(&q->dcr, e, e->faces, err));
    if (e->options->holdout)
        RF_TRY(evaluate_holdout(e, err));
out:
    return rc;
}

rf_code rf_quality_evaluate(rf_quality **out, const rf_table *real, const rf_table *synthetic,
                            const rf_quality_options *options, rf_pool *pool, rf_error *err)
{
    static const rf_quality_options defaults = {0};
    rf_code rc = RF_OK;
    const double start_s = rf_clock_s();
    evaluation e = {
        .real = real, .synthetic = synthetic, .options = options ? options : &defaults, .pool = pool};
    rf_arena_init(&e.scratch);
    *out = NULL;
    RF_TRY(RF_NEW_ARRAY(&e.quality, 1, "a report", err));
    rf_arena_init(&e.quality->arena);
    e.quality->n_real = real->n_rows;
    e.quality->n_synthetic = synthetic->n_rows;
    e.quality->key_uniqueness = NAN;
    RF_TRY(evaluate(&e, err));
    e.quality->seconds = rf_clock_s() - start_s;
    *out = e.quality;
    e.quality = NULL;
out:
    rf_quality_free(e.quality);
    rf_arena_free(&e.scratch);
    return rc;
}

void rf_quality_free(rf_quality *quality)
{
    if (!quality)
        return;
    rf_arena_free(&quality->arena);
    rf_free(quality);
}
