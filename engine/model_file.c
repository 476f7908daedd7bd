/* The model file: parameters, what is known of the training, the transform, the generating network's weights.
 * No row of the table, no critic, no encoder, no optimiser. Byte by byte in docs/model-file.md. */
#include "engine/container.h"
#include "engine/fitted.h"

#include <string.h>

#include "core/alloc.h"
#include "core/file.h"

/* ------------------------------------------------------------------ writing */

static void put_info(const rf_fitted_info *info, rf_buf *out)
{
    const size_t at = rfi_section_begin(out, "INFO");
    rf_put_u64(out, info->seed);
    rf_put_i64(out, info->n_rows);
    rf_put_i64(out, info->epochs_done);
    rf_put_u8(out, info->compat);
    rf_put_f64(out, info->losses.generator);
    rf_put_f64(out, info->losses.discriminator);
    rfi_section_end(out, at);
}

rf_code rfi_model_file_format(rf_fitted *fitted, rf_buf *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_container_begin(out, RFI_CONTAINER_MODEL);
    put_info(&fitted->info, out);
    size_t at = rfi_section_begin(out, "PARM");
    rf_params_store(&fitted->info.params, out);
    rfi_section_end(out, at);
    at = rfi_section_begin(out, "TRAN");
    rf_transform_store(fitted->transform, out);
    rfi_section_end(out, at);
    at = rfi_section_begin(out, "WGHT");
    RF_TRY(fitted->model->type->store(fitted->model, false, out, err));
    rfi_section_end(out, at);
    rfi_container_end(out);
    RF_TRY(rf_buf_check(out, "the model file", err));
out:
    return rc;
}

rf_code rf_fitted_store(rf_fitted *fitted, const char *path, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf bytes;
    rf_buf_init(&bytes);
    RF_TRY(rfi_model_file_format(fitted, &bytes, err));
    RF_TRY(rf_file_store(path, bytes.data, bytes.size_bytes, err));
out:
    rf_buf_free(&bytes);
    return rc;
}

/* ------------------------------------------------------------------ reading */

static rf_code get_info(rf_fitted_info *out, const rfi_container *file, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_reader reader;
    RF_TRY(rfi_container_section(file, "INFO", &reader, err));
    out->seed = rf_get_u64(&reader);
    out->n_rows = rf_get_i64(&reader);
    out->epochs_done = rf_get_i64(&reader);
    out->compat = rf_get_u8(&reader) != 0;
    out->losses.generator = rf_get_f64(&reader);
    out->losses.discriminator = rf_get_f64(&reader);
    RF_TRY(rfi_section_finish(file, "INFO", &reader, err));
    if (out->n_rows < 1 || out->n_rows > UINT32_MAX || out->epochs_done < 0)
        rc = rf_fail(err, RF_CORRUPT, "%s is damaged: its number of rows or epochs cannot be", file->name);
out:
    return rc;
}

/* Every single parameter was checked against its range; these are the rules between them. */
static rf_code get_params(rf_params *out, const rfi_container *file, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_reader reader;
    RF_TRY(rfi_container_section(file, "PARM", &reader, err));
    RF_TRY(rf_params_load(out, &reader, err));
    RF_TRY(rfi_section_finish(file, "PARM", &reader, err));
    if (!rf_model_class_find(out->model) || (out->model == RF_MODEL_CTGAN && out->batch_size % out->pac))
        rc = rf_fail(err, RF_CORRUPT, "%s is damaged: its parameters do not fit together", file->name);
out:
    return rc;
}

static rf_code get_transform(rf_transform **out, const rfi_container *file, int64_t n_rows, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_reader reader;
    RF_TRY(rfi_container_section(file, "TRAN", &reader, err));
    RF_TRY(rf_transform_load(out, &reader, err));
    RF_TRY(rfi_section_finish(file, "TRAN", &reader, err));
    if (rf_transform_rows(*out) != n_rows)
        rc = rf_fail(err, RF_CORRUPT, "%s is damaged: it names two numbers of rows", file->name);
out:
    return rc;
}

/* The size of the weights follows from parameters and transform, and is compared before a model of that size
 * is made. */
static rf_code get_model(rf_fitted *fitted, const rfi_container *file, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_reader reader;
    const rf_fitted_info *info = &fitted->info;
    const rf_model_class *type = rf_model_class_find(info->params.model);
    const rf_model_setup setup =
        rfi_model_setup(fitted->transform, &info->params, info->seed, info->compat, fitted->device);
    RF_TRY(rfi_container_section(file, "WGHT", &reader, err));
    const size_t expected = type->stored_size(&setup, false);
    if (expected && expected != rf_reader_left(&reader))
        return rf_fail(err, RF_CORRUPT, "%s is damaged: its weights do not fit its columns and parameters",
                       file->name);
    if (strcmp(fitted->device->type->kind, "cpu") == 0)
        RF_TRY(rfi_memory_check(type->plan_sampling(&setup), "sampling from this model", err));
    RF_TRY(type->create(&fitted->model, &setup, err));
    RF_TRY(type->load(fitted->model, false, &reader, err));
    RF_TRY(rfi_section_finish(file, "WGHT", &reader, err));
out:
    return rc;
}

rf_code rfi_model_file_parse(rf_fitted **out, const char *name, const char *data, size_t size_bytes,
                             rf_device *device, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_fitted *fitted = NULL;
    rfi_container file;
    *out = NULL;
    RF_TRY(rfi_container_open(&file, RFI_CONTAINER_MODEL, name, data, size_bytes, err));
    RF_TRY(RF_NEW_ARRAY(&fitted, 1, "the model", err));
    fitted->device = device;
    RF_TRY(get_info(&fitted->info, &file, err));
    RF_TRY(get_params(&fitted->info.params, &file, err));
    RF_TRY(get_transform(&fitted->transform, &file, fitted->info.n_rows, err));
    RF_TRY(get_model(fitted, &file, err));
    *out = fitted;
    fitted = NULL;
out:
    rf_fitted_free(fitted);
    return rc;
}

rf_code rf_fitted_load(rf_fitted **out, const char *path, rf_device *device, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_file_bytes bytes = {0};
    *out = NULL;
    RF_TRY(rf_file_bytes_open(&bytes, path, err));
    RF_TRY(rfi_model_file_parse(out, path, bytes.data, bytes.size_bytes, device, err));
out:
    rf_file_bytes_close(&bytes);
    return rc;
}
