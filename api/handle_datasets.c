/* Tables that people upload. */
#include <string.h>

#include "api/handlers.h"
#include "api/present.h"
#include "api/repeat.h"
#include "api/server_internal.h"
#include "crypto/digest.h"
#include "scheduler/datasets.h"

/* ---- an upload, as its bytes arrive --------------------------------------------------------------- */

/* SUPPORTED_FILE_TYPES may leave out what this program could read. */
static rf_code check_type(const rf_settings *set, const char *format, rf_error *err)
{
    for (int i = 0; i < set->file_types.n; i++)
        if (strcmp(set->file_types.item[i], format) == 0)
            return RF_OK;
    return rf_fail(err, RF_UNSUPPORTED_TYPE, "%s is not read here; this server reads %s", format,
                   set->file_types.item[0]);
}

static rf_code begin_file(rfi_call *call, const char *name, rf_error *err)
{
    rf_upload *upload = NULL;
    rf_code rc = rf_upload_open(&upload, call->server->scheduler, call->who.user_id, name, err);
    if (rc == RF_OK)
        rc = check_type(call->server->set, rf_upload_format(upload), err);
    call->upload = upload;
    return rc;
}

static rf_code take_bytes(rfi_call *call, const char *data, size_t size_bytes, rf_error *err)
{
    const int64_t most = call->server->set->max_file_mb << 20;
    if (rf_upload_size(call->upload) + (int64_t)size_bytes > most)
        return rf_fail(err, RF_TOO_LARGE, "the file is larger than %lld bytes, the most that is taken here",
                       (long long)most);
    return rf_upload_write(call->upload, data, size_bytes, err);
}

static void drop_file(rfi_call *call)
{
    rf_upload_close(call->upload);
    call->upload = NULL;
}

const rfi_sink rfi_upload_sink = {begin_file, take_bytes, drop_file};

rf_code rfi_upload(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    char sum[RF_SHA256_HEX_SIZE];
    rf_idempotency key;
    rf_receipt receipt = {0};
    rf_dataset dataset;
    RF_TRY(rf_upload_sha256(call->upload, sum, err));
    RF_TRY(rfi_repeat_key(call, sum, &key, err));
    RF_TRY(rf_upload_commit(call->upload, &key, &call->arena, &receipt, &dataset, err));
    if (rfi_repeat_answer(call, &receipt))
        return RF_OK;
    rfi_log_security(call, "a table was uploaded");
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_put_int(data, "id", dataset.id);
    rfi_json_put_text(data, "name", dataset.name);
    rfi_json_put_int(data, "size_bytes", dataset.size_bytes);
    rfi_json_put_text(data, "sha256", dataset.sha256);
    rfi_json_put_text(data, "status", rf_dataset_status_name(dataset.status));
    rfi_json_close(data, '}');
    RF_TRY(rfi_data_end(call, 202, "the table is here; its profile is being made", err));
    rfi_repeat_keep(call, &key);
out:
    return rc;
}

/* ---- what is there ------------------------------------------------------------------------------ */

rf_code rfi_datasets(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t before_id;
    int32_t limit, n = 0;
    rf_dataset *list = NULL;
    RF_TRY(rfi_page_begin(call, &before_id, &limit, err));
    RF_TRY(rf_dataset_list(call->server->scheduler, call->who.user_id, before_id, limit, &call->arena, &list,
                           &n, err));
    rf_buf *data = rfi_data_begin(call);
    rfi_json_open(data, '{');
    rfi_json_key(data, "items");
    rfi_json_open(data, '[');
    for (int32_t i = 0; i < n; i++)
        rfi_put_dataset(data, &list[i], false);
    rfi_page_end(data, n, limit, n > 0 ? list[n - 1].id : 0);
    rc = rfi_data_end(call, 200, "your datasets", err);
out:
    return rc;
}

static rf_code reply_dataset(rfi_call *call, const rf_dataset *dataset, const char *message, rf_error *err)
{
    rfi_put_dataset(rfi_data_begin(call), dataset, true);
    return rfi_data_end(call, 200, message, err);
}

rf_code rfi_dataset(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_dataset dataset;
    RF_TRY(rf_dataset_get(call->server->scheduler, call->who.user_id, rfi_path_id(call), &call->arena,
                          &dataset, err));
    rc = reply_dataset(call, &dataset, "the dataset", err);
out:
    return rc;
}

rf_code rfi_dataset_kinds(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    json_t *columns = json_object_get(call->json, "columns"), *word;
    const char *name;
    rf_dataset dataset;
    int32_t n = 0;
    rf_column_kind *kinds = RF_ARENA_ARRAY(&call->arena, rf_column_kind, json_object_size(columns) + 1);
    RF_TRY(rf_arena_check(&call->arena, "the request", err));
    json_object_foreach(columns, name, word)
    {
        kinds[n++] = (rf_column_kind){.column = name, .kind = (rf_kind)rf_kind_find(json_string_value(word))};
    }
    RF_TRY(rf_dataset_set_kinds(call->server->scheduler, call->who.user_id, rfi_path_id(call), kinds, n,
                                &call->arena, &dataset, err));
    rc = reply_dataset(call, &dataset, "the types are set; the profile is being made anew", err);
out:
    return rc;
}

rf_code rfi_dataset_delete(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_dataset_delete(call->server->scheduler, call->who.user_id, rfi_path_id(call), err));
    rc = rfi_data_none(call, 200, "the dataset is deleted", err);
out:
    return rc;
}
