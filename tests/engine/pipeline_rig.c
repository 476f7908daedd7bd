#include "pipeline_rig.h"

#include <unistd.h>

#include "core/philox.h"
#include "engine/fitted.h"
#include "rf_test_device.h"

/* ------------------------------------------------------------------ table */

static int write_row(char *out, size_t size, uint64_t seed, int row)
{
    static const char *const cities[] = {"Lyon", "Graz", "Oslo"};
    const rf_draw draw = {.seed = seed, .purpose = RF_DRAW_DEMO};
    const rf_philox_block w = rf_philox(draw, (uint32_t)row);
    const int city = w.word[0] % 10 < 6 ? 0 : w.word[0] % 10 < 9 ? 1 : 2;
    const double height = 150 + 20 * city + 10 * (double)rf_uniform_open(w.word[1]);
    char age[16] = "";
    if (city != 2 || w.word[3] % 2)
        snprintf(age, sizeof age, "%d", 18 + (int)(w.word[2] % 60));
    return snprintf(out, size, "%s,%s,%.1f,2024-0%d-1%d,%s,K%04d\n", age, cities[city], height,
                    1 + (int)(w.word[2] >> 8) % 9, (int)(w.word[2] >> 16) % 10, w.word[3] & 2 ? "yes" : "no",
                    row);
}

rf_table *rig_table(uint64_t seed)
{
    enum { ROWS = 600, ROW_MAX = 80 };
    static char text[ROWS * ROW_MAX];
    rf_error err = {0};
    rf_table *table = NULL;
    const rf_table_options options = {0};
    size_t at = (size_t)snprintf(text, sizeof text, "age,city,height,day,member,id\n");
    for (int row = 0; row < ROWS; row++)
        at += (size_t)write_row(text + at, sizeof text - at, seed, row);
    assert_ok(rf_table_read_bytes(&table, "rig.csv", text, at, &options, NULL, &err));
    assert_int_equal(table->n_rows, ROWS);
    return table;
}

/* ------------------------------------------------------------------ fit and sample */

rf_device *rig_device(int n_threads)
{
    return rf_test_device(n_threads);
}

rf_fit_options rig_options(rf_model_kind kind, rf_device *device, int64_t epochs)
{
    rf_fit_options options = {.seed = 7, .device = device};
    rf_params *params = &options.params;
    rf_params_init(params, kind);
    params->epochs = epochs;
    params->batch_size = 40;
    params->pac = 4;
    params->embedding_dim = 8;
    params->generator_dim = params->discriminator_dim = (rf_dims){2, {24, 16}};
    params->compress_dims = params->decompress_dims = (rf_dims){2, {24, 16}};
    return options;
}

rf_fitted *rig_fit(const rf_table *table, const rf_fit_options *options)
{
    rf_error err = {0};
    rf_fitted *fitted = NULL;
    assert_ok(rf_fit(&fitted, table, options, NULL, &err));
    return fitted;
}

static rf_code collect(void *arg, const rf_table *rows, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf *text = arg, piece;
    rf_buf_init(&piece);
    RF_TRY(rf_table_format(rows, &piece, err));
    /* Every piece has the header; one is enough. */
    const char *body = text->size_bytes ? strchr(piece.data, '\n') + 1 : piece.data;
    rf_buf_puts(text, body);
    RF_TRY(rf_buf_check(text, "the rows", err));
out:
    rf_buf_free(&piece);
    return rc;
}

char *rig_sample(rf_fitted *fitted, int64_t n_rows, uint64_t seed, const char *const *where, int32_t n_where)
{
    rf_error err = {0};
    rf_buf text;
    rf_buf_init(&text);
    const rf_sample_options options = {.n_rows = n_rows, .seed = seed, .where = where, .n_where = n_where};
    assert_ok(rf_fitted_sample(fitted, &options, collect, &text, &err));
    char *out = strdup(text.data ? text.data : "");
    rf_buf_free(&text);
    return out;
}

rf_buf rig_bytes(rf_fitted *fitted)
{
    rf_error err = {0};
    rf_buf bytes;
    rf_buf_init(&bytes);
    assert_ok(rfi_model_file_format(fitted, &bytes, &err));
    return bytes;
}

/* ------------------------------------------------------------------ files */

static char folder[64];

const char *rig_path(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/rowforge-pipeline-XXXXXX");
        assert_non_null(mkdtemp(folder));
    }
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void rig_clean(void)
{
    if (folder[0])
        assert_int_equal(rmdir(folder), 0); /* fails when a test left a file behind */
    folder[0] = 0;
}
