#include "dataset_rig.h"

#include "core/buf.h"
#include "domain/result.h"

const char *const house_sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const char *const house_table = "age,city\n1,a\n2,b\n";

int64_t house_upload(house *h, int64_t user, const char *name, const rf_idempotency *key, rf_receipt *receipt)
{
    rf_error err = {0};
    rf_upload *up = NULL;
    rf_dataset dataset;
    assert_ok(rf_upload_open(&up, h->s, user, name, &err));
    assert_ok(rf_upload_write(up, house_table, 5, &err));
    assert_ok(rf_upload_write(up, house_table + 5, strlen(house_table) - 5, &err));
    assert_int_equal(rf_upload_size(up), strlen(house_table));
    assert_ok(rf_upload_commit(up, key, &h->arena, receipt, &dataset, &err));
    rf_upload_close(up);
    assert_int_equal(dataset.status, RF_DATASET_PROFILING);
    assert_int_equal(strlen(dataset.sha256), 64);
    return dataset.id;
}

int64_t house_upload_plain(house *h)
{
    rf_receipt receipt;
    return house_upload(h, h->user, "people.csv", NULL, &receipt);
}

rf_dataset house_dataset(house *h, int64_t id)
{
    rf_error err = {0};
    rf_dataset dataset;
    assert_ok(rf_dataset_get(h->s, h->user, id, &h->arena, &dataset, &err));
    return dataset;
}

/* The worker takes the profile that waits and finds so many rows. */
void house_profile(house *h, int64_t n_rows)
{
    int64_t token = 0;
    const int64_t job = house_lease(h, &token);
    assert_int_equal(house_look(h, job).kind, RF_JOB_PROFILE);
    char body[512];
    snprintf(
        body, sizeof body,
        "{\"kind\":\"profile\",\"n_rows\":%lld,\"n_columns\":2,\"profile\":{\"n_rows\":%lld,\"columns\":["
        "{\"name\":\"age\",\"label\":\"age\",\"kind\":\"integer\"},"
        "{\"name\":\"city\",\"label\":\"city\",\"kind\":\"categorical\"}],\"warnings\":[]}}",
        (long long)n_rows, (long long)n_rows);
    house_send(h, RF_EVENT_DONE, job, token, body);
    house_apply(h);
    assert_int_equal(house_state(h, job), RF_JOB_COMPLETED);
}

rf_generation house_asking(house *h, const rf_params *params, int64_t dataset)
{
    return (rf_generation){.user_id = h->user, .dataset_id = dataset, .rows = 100, .params = params};
}

int64_t house_generate(house *h, int64_t dataset, const char *assignment)
{
    rf_error err = {0};
    rf_params params;
    rf_receipt receipt;
    rf_params_init(&params, RF_MODEL_CTGAN);
    if (assignment)
        assert_ok(rf_params_assign(&params, assignment, &err));
    const rf_generation ask = house_asking(h, &params, dataset);
    assert_ok(rf_job_submit_generation(h->s, &ask, NULL, &h->arena, &receipt, &err));
    return receipt.id;
}

rf_stored house_stored(house *h, int64_t job, int64_t token, const char *name, char key[64])
{
    rf_error err = {0};
    rf_object object;
    snprintf(key, 64, "jobs/%lld/%lld/%s", (long long)job, (long long)token, name);
    assert_ok(rf_storage_put_bytes(h->storage, key, name, strlen(name), NULL, &object, &err));
    return (rf_stored){.key = key, .sha256 = house_sum, .size_bytes = (int64_t)strlen(name)};
}

/* The worker takes the generation, stores its files and says so. */
int64_t house_finish_generation(house *h, int64_t job)
{
    rf_error err = {0};
    char keys[5][64];
    rf_buf body;
    rf_buf_init(&body);
    const int64_t token = house_start(h, job);
    const rf_result_done done = {.kind = RF_JOB_GENERATE,
                                 .rows = 100,
                                 .data = house_stored(h, job, token, "data.csv", keys[0]),
                                 .model = house_stored(h, job, token, "model.rfm", keys[1]),
                                 .report_json = house_stored(h, job, token, "report.json", keys[2]),
                                 .report_html = house_stored(h, job, token, "report.html", keys[3]),
                                 .has_metadata = true,
                                 .metadata = house_stored(h, job, token, "metadata.json", keys[4]),
                                 .quality = {.overall = 0.9, .copies = 0}};
    assert_ok(rf_result_write_done(&done, &body, &err));
    house_send(h, RF_EVENT_DONE, job, token, body.data);
    house_apply(h);
    rf_buf_free(&body);
    return token;
}

int32_t house_objects(house *h)
{
    rf_error err = {0};
    rf_object list[64];
    int32_t n = 0;
    assert_ok(rf_storage_list(h->storage, "", "", list, 64, &n, &err));
    return n;
}
