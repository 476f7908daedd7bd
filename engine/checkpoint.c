/* Checkpoints: all that training needs to go on, and what it belongs to.
 *
 * Sections of the container: PARM the parameters, INFO what the checkpoint belongs to, STAT the model's
 * training state. The table is not in it: whoever resumes hands it over again, and a fingerprint tells
 * whether it is the same.
 */
#include "engine/container.h"
#include "engine/fitted.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "core/file.h"

typedef struct checkpoint_info {
    uint64_t seed, data_hash;
    bool compat;
    int64_t n_rows, n_steps, step;
} checkpoint_info;

/* ------------------------------------------------------------------ the fingerprint */

rf_code rfi_data_hash(uint64_t *out, const rf_transform *transform, const rf_coded *rows, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_layout *layout = rf_transform_layout(transform);
    const size_t n = (size_t)rows->n_rows;
    rf_buf bytes;
    rf_buf_init(&bytes);
    rf_transform_store(transform, &bytes);
    RF_TRY(rf_buf_check(&bytes, "the fingerprint of the table", err));
    uint32_t crc = 0;
    if (layout->n_scalars)
        crc = rf_crc32c(crc, rows->scalars, n * (size_t)layout->n_scalars * sizeof *rows->scalars);
    if (layout->n_codes)
        crc = rf_crc32c(crc, rows->codes, n * (size_t)layout->n_codes * sizeof *rows->codes);
    *out = (uint64_t)rf_crc32c(0, bytes.data, bytes.size_bytes) << 32 | crc;
out:
    rf_buf_free(&bytes);
    return rc;
}

/* ------------------------------------------------------------------ writing */

static void put_info(rf_buf *out, const rfi_checkpoint_key *key, int64_t step)
{
    const size_t at = rfi_section_begin(out, "INFO");
    rf_put_u64(out, key->seed);
    rf_put_u64(out, key->data_hash);
    rf_put_u8(out, key->compat);
    rf_put_i64(out, key->n_rows);
    rf_put_i64(out, key->n_steps);
    rf_put_i64(out, step);
    rfi_section_end(out, at);
}

rf_code rfi_checkpoint_store(const char *path, const rfi_checkpoint_key *key, rf_model *model, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf bytes;
    rf_buf_init(&bytes);
    rf_buf_reserve(&bytes, 4096 + model->type->stored_size(&model->setup, true));
    rfi_container_begin(&bytes, RFI_CONTAINER_CHECKPOINT);
    put_info(&bytes, key, model->step);
    size_t at = rfi_section_begin(&bytes, "PARM");
    rf_params_store(key->params, &bytes);
    rfi_section_end(&bytes, at);
    at = rfi_section_begin(&bytes, "STAT");
    RF_TRY(model->type->store(model, true, &bytes, err));
    rfi_section_end(&bytes, at);
    rfi_container_end(&bytes);
    RF_TRY(rf_buf_check(&bytes, "the checkpoint", err));
    RF_TRY(rf_file_store(path, bytes.data, bytes.size_bytes, err));
out:
    rf_buf_free(&bytes);
    return rc;
}

void rf_checkpoint_remove(const char *path)
{
    if (path)
        (void)unlink(path);
}

/* ------------------------------------------------------------------ reading */

static rf_code get_info(checkpoint_info *out, const rfi_container *container, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_reader reader;
    RF_TRY(rfi_container_section(container, "INFO", &reader, err));
    out->seed = rf_get_u64(&reader);
    out->data_hash = rf_get_u64(&reader);
    out->compat = rf_get_u8(&reader) != 0;
    out->n_rows = rf_get_i64(&reader);
    out->n_steps = rf_get_i64(&reader);
    out->step = rf_get_i64(&reader);
    RF_TRY(rfi_section_finish(container, "INFO", &reader, err));
out:
    return rc;
}

rf_code rf_checkpoint_peek(rf_checkpoint_info *out, const char *path, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_file_bytes bytes = {0};
    rfi_container container;
    checkpoint_info info;
    RF_TRY(rf_file_bytes_open(&bytes, path, err));
    RF_TRY(rfi_container_open(&container, RFI_CONTAINER_CHECKPOINT, path, bytes.data, bytes.size_bytes, err));
    RF_TRY(get_info(&info, &container, err));
    *out = (rf_checkpoint_info){.seed = info.seed, .step = info.step, .n_steps = info.n_steps};
out:
    rf_file_bytes_close(&bytes);
    return rc;
}

static bool same_dims(rf_dims a, rf_dims b)
{
    return a.n == b.n && memcmp(a.width, b.width, (size_t)a.n * sizeof a.width[0]) == 0;
}

/* The first parameter of their model in which they differ, NULL when there is none. */
static const char *params_differ(const rf_params *a, const rf_params *b)
{
    const int model = b->model == RF_MODEL_CTGAN ? RF_IN_CTGAN : RF_IN_TVAE;
    if (a->model != b->model)
        return "model";
#define DIFFER_VALUE(name, models, ...)                                                                      \
    if (((models)&model) && a->name != b->name)                                                              \
        return #name;
#define DIFFER_DIMS(name, models, ...)                                                                       \
    if (((models)&model) && !same_dims(a->name, b->name))                                                    \
        return #name;
    RF_PARAM_TABLE(DIFFER_VALUE, DIFFER_VALUE, DIFFER_VALUE, DIFFER_DIMS)
#undef DIFFER_VALUE
#undef DIFFER_DIMS
    return NULL;
}

/* Steps follow from rows and parameters, so they need no sentence of their own. */
static rf_code check_key(const char *path, const checkpoint_info *info, const rf_params *params,
                         const rfi_checkpoint_key *key, rf_error *err)
{
    const char *name = params_differ(params, key->params);
    if (name)
        return rf_fail(err, RF_USAGE,
                       "%s is of a training with another %s; give the same, or leave out --resume", path,
                       name);
    if (info->compat != key->compat)
        return rf_fail(err, RF_USAGE, "%s is of a training %s --compat; do the same, or leave out --resume",
                       path, info->compat ? "with" : "without");
    if (info->seed != key->seed)
        return rf_fail(err, RF_USAGE,
                       "%s is of a training with seed %llu, not %llu; give the same, or leave out --resume",
                       path, (unsigned long long)info->seed, (unsigned long long)key->seed);
    if (info->n_rows != key->n_rows)
        return rf_fail(err, RF_USAGE,
                       "%s is of a table with %lld rows, this one has %lld; leave out --resume", path,
                       (long long)info->n_rows, (long long)key->n_rows);
    if (info->data_hash != key->data_hash)
        return rf_fail(err, RF_USAGE, "%s is of a table with other columns or values; leave out --resume",
                       path);
    if (info->n_steps != key->n_steps || info->step > info->n_steps)
        return rf_fail(err, RF_CORRUPT, "%s is damaged: its number of steps cannot be", path);
    return RF_OK;
}

static rf_code load_state(const rfi_container *container, const checkpoint_info *info, rf_model *model,
                          rf_error *err)
{
    rf_code rc = RF_OK;
    rf_reader reader;
    RF_TRY(rfi_container_section(container, "STAT", &reader, err));
    RF_TRY(model->type->load(model, true, &reader, err));
    RF_TRY(rfi_section_finish(container, "STAT", &reader, err));
    if (model->step != info->step)
        rc = rf_fail(err, RF_CORRUPT, "%s is damaged: it names two numbers of steps", container->name);
out:
    return rc;
}

rf_code rfi_checkpoint_load(const char *path, const rfi_checkpoint_key *key, rf_model *model, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_file_bytes bytes = {0};
    rfi_container container;
    checkpoint_info info;
    rf_params params;
    rf_reader reader;
    RF_TRY(rf_file_bytes_open(&bytes, path, err));
    RF_TRY(rfi_container_open(&container, RFI_CONTAINER_CHECKPOINT, path, bytes.data, bytes.size_bytes, err));
    RF_TRY(get_info(&info, &container, err));
    RF_TRY(rfi_container_section(&container, "PARM", &reader, err));
    RF_TRY(rf_params_load(&params, &reader, err));
    RF_TRY(check_key(path, &info, &params, key, err));
    RF_TRY(load_state(&container, &info, model, err));
out:
    rf_file_bytes_close(&bytes);
    return rc;
}
