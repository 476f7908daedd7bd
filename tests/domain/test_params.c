/* params.h and kind.h */
#include "rf_test.h"

#include "core/alloc.h"
#include "domain/kind.h"
#include "domain/params.h"

static rf_params params_of(rf_model_kind model)
{
    rf_params params;
    rf_params_init(&params, model);
    return params;
}

static void assert_dims(const rf_dims *dims, int n, const int32_t *width)
{
    assert_int_equal(dims->n, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(dims->width[i], width[i]);
}

/* ---- names -------------------------------------------------------------------------------------- */

static void kinds_are_found_by_their_names(void **state)
{
    (void)state;
    for (int kind = 0; kind < RF_KIND_COUNT; kind++)
        assert_int_equal(rf_kind_find(rf_kind_name((rf_kind)kind)), kind);
    assert_int_equal(rf_kind_find("number"), -1);
    assert_int_equal(rf_kind_find(""), -1);
    assert_string_equal(rf_kind_name(RF_KIND_DATETIME), "datetime");
    assert_string_equal(rf_kind_name(RF_KIND_COUNT), "unknown");
}

static void models_are_found_by_their_names_and_later_ones_are_said_to_be_later(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_model_kind model = RF_MODEL_COUNT;
    assert_ok(rf_model_kind_parse(&model, "tvae", &err));
    assert_int_equal(model, RF_MODEL_TVAE);
    assert_ok(rf_model_kind_parse(&model, "ctgan", &err));
    assert_int_equal(model, RF_MODEL_CTGAN);
    assert_string_equal(rf_model_kind_name(RF_MODEL_TVAE), "tvae");
    assert_fails(rf_model_kind_parse(&model, "auto", &err), RF_USAGE, "not in this version");
    assert_fails(rf_model_kind_parse(&model, "circuit", &err), RF_USAGE, "not in this version");
    assert_fails(rf_model_kind_parse(&model, "forest", &err), RF_USAGE, "not in this version");
    assert_fails(rf_model_kind_parse(&model, "gpt", &err), RF_USAGE, "ctgan and tvae");
}

/* ---- setting ------------------------------------------------------------------------------------ */

static void defaults_are_those_of_the_table(void **state)
{
    (void)state;
    rf_params params = params_of(RF_MODEL_CTGAN);
    assert_int_equal(params.epochs, 100);
    assert_int_equal(params.batch_size, 500);
    assert_int_equal(params.pac, 10);
    assert_true(params.generator_lr == 2e-4 && params.generator_decay == 1e-6);
    assert_true(params.log_frequency);
    assert_dims(&params.generator_dim, 2, (const int32_t[]){256, 256});
    assert_dims(&params.compress_dims, 2, (const int32_t[]){128, 128});
    assert_true(params.given == 0);
}

static void values_are_taken_as_json_or_as_a_comma_list(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_params params = params_of(RF_MODEL_CTGAN);
    static const char *const good[] = {"epochs=7",
                                       "batch_size= 40 ",
                                       "generator_lr=1e-3",
                                       "discriminator_lr=1",
                                       "log_frequency=true",
                                       "log_frequency=False",
                                       "generator_dim=64,32,16",
                                       "discriminator_dim=[512]",
                                       "pac=1",
                                       "embedding_dim=1e2"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_ok(rf_params_assign(&params, good[i], &err));
    assert_int_equal(params.epochs, 7);
    assert_int_equal(params.batch_size, 40);
    assert_true(params.generator_lr == 1e-3 && params.discriminator_lr == 1);
    assert_false(params.log_frequency);
    assert_dims(&params.generator_dim, 3, (const int32_t[]){64, 32, 16});
    assert_dims(&params.discriminator_dim, 1, (const int32_t[]){512});
    assert_int_equal(params.embedding_dim, 100);
    assert_int_equal(__builtin_popcountll(params.given), 9);
}

static void wrong_assignments_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *assignment, *part;
    } cases[] = {
        {"epochs", "not of the form name=value"},
        {"=5", "not of the form name=value"},
        {"", "not of the form name=value"},
        {"epocs=5", "did you mean epochs?"},
        {"generator_dims=5", "did you mean generator_dim?"},
        {"qqqqqqqqqqqqqqq=5", "has no parameter"},
        {"compress_dims=5", "belongs to another model"},
        {"a_name_that_is_very_much_longer_than_any_of_those_that_the_table_has_to_offer=5", "no parameter"},
        {"epochs=0", "a whole number from 1 to 1000000, not '0'"},
        {"epochs=1000001", "from 1 to 1000000"},
        {"epochs=99999999999999999999999", "from 1 to 1000000"},
        {"epochs=-3", "from 1 to 1000000"},
        {"epochs=2.5", "a whole number"},
        {"epochs=true", "a whole number"},
        {"epochs=\"5\"", "a whole number"},
        {"epochs=abc", "not 'abc'"},
        {"epochs=", "not ''"},
        {"epochs=5 5", "not '5 5'"},
        {"epochs=nan", "a whole number"},
        {"generator_lr=0", "from 0.000000001 to 1"},
        {"generator_lr=1e999", "a number"},
        {"generator_lr=[1]", "a number"},
        {"log_frequency=1", "true or false"},
        {"log_frequency=yes", "true or false, not 'yes'"},
        {"generator_dim=", "1 to 8 whole numbers"},
        {"generator_dim=[]", "1 to 8 whole numbers"},
        {"generator_dim=256,,256", "1 to 8 whole numbers"},
        {"generator_dim=256,0", "from 1 to 8192"},
        {"generator_dim=8193", "from 1 to 8192"},
        {"generator_dim=1,2,3,4,5,6,7,8,9", "1 to 8 whole numbers"},
        {"generator_dim=[256", "1 to 8 whole numbers"},
        {"generator_dim={}", "1 to 8 whole numbers"},
        {"generator_dim=[[1]]", "1 to 8 whole numbers"},
    };
    rf_error err;
    const rf_params before = params_of(RF_MODEL_CTGAN);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_params params = params_of(RF_MODEL_CTGAN);
        assert_fails(rf_params_assign(&params, cases[i].assignment, &err), RF_USAGE, cases[i].part);
        assert_true(params.given == 0);
        assert_int_equal(params.epochs, before.epochs);
        assert_memory_equal(&params.generator_dim, &before.generator_dim, sizeof before.generator_dim);
    }
}

static void models_refuse_each_others_parameters(void **state)
{
    (void)state;
    rf_error err;
    rf_params params = params_of(RF_MODEL_TVAE);
    assert_fails(rf_params_set(&params, "pac", "5", &err), RF_USAGE, "tvae has no parameter pac");
    assert_fails(rf_params_set(&params, "generator_dim", "5", &err), RF_USAGE, "tvae has no parameter");
    assert_ok(rf_params_set(&params, "loss_factor", "3", &err));
    assert_true(params.loss_factor == 3);
}

/* ---- rules ------------------------------------------------------------------------------------- */

static void size_of_the_table_chooses_epochs_and_batch(void **state)
{
    (void)state;
    static const struct {
        int64_t n_rows;
        bool compat;
        const char *set;
        int64_t epochs, batch_size;
    } cases[] = {
        {0, false, NULL, 200, 100},
        {999, false, NULL, 200, 100},
        {1000, false, NULL, 150, 500},
        {10000, false, NULL, 150, 500},
        {10001, false, NULL, 100, 1000},
        {INT64_C(1) << 40, false, NULL, 100, 1000},
        {500, false, "epochs=7", 7, 500},
        {50000, false, "epochs=100", 100, 500},
        {500, false, "batch_size=50", 100, 50},
        {500, false, "pac=5", 200, 100},
        {500, true, NULL, 300, 500},
        {50000, true, NULL, 300, 500},
        {50000, true, "epochs=7", 7, 500},
        {50000, true, "batch_size=50", 300, 50},
    };
    rf_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_params params = params_of(RF_MODEL_CTGAN);
        if (cases[i].set)
            assert_ok(rf_params_assign(&params, cases[i].set, &err));
        assert_ok(rf_params_finish(&params, cases[i].n_rows, cases[i].compat, &err));
        assert_int_equal(params.epochs, cases[i].epochs);
        assert_int_equal(params.batch_size, cases[i].batch_size);
    }
}

static void batch_must_be_even_and_a_multiple_of_pac(void **state)
{
    (void)state;
    static const struct {
        rf_model_kind model;
        const char *batch_size, *pac, *part; /* NULL: fine */
    } cases[] = {
        {RF_MODEL_CTGAN, "500", "10", NULL},
        {RF_MODEL_CTGAN, "510", "10", NULL},
        {RF_MODEL_CTGAN, "14", "7", NULL},
        {RF_MODEL_CTGAN, "500", "7", "batch_size 490 would be"},
        {RF_MODEL_CTGAN, "500", "16", "batch_size 496 would be"},
        {RF_MODEL_CTGAN, "4", "10", "batch_size 10 would be"},
        {RF_MODEL_CTGAN, "25", "5", "even"},
        {RF_MODEL_CTGAN, "505", "10", "not a multiple of pac 10"},
        {RF_MODEL_TVAE, "502", NULL, NULL},
        {RF_MODEL_TVAE, "501", NULL, "even"},
    };
    rf_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_params params = params_of(cases[i].model);
        assert_ok(rf_params_set(&params, "batch_size", cases[i].batch_size, &err));
        if (cases[i].pac)
            assert_ok(rf_params_set(&params, "pac", cases[i].pac, &err));
        if (cases[i].part)
            assert_fails(rf_params_finish(&params, 5000, false, &err), RF_USAGE, cases[i].part);
        else
            assert_ok(rf_params_finish(&params, 5000, false, &err));
    }
}

/* ---- text and bytes ---------------------------------------------------------------------------- */

static void json_has_the_models_own_parameters_in_table_order(void **state)
{
    (void)state;
    rf_params params = params_of(RF_MODEL_TVAE);
    rf_buf json;
    rf_buf_init(&json);
    rf_params_json(&params, &json);
    assert_string_equal(json.data, "{\"epochs\":100,\"batch_size\":500,\"embedding_dim\":128,"
                                   "\"compress_dims\":[128,128],\"decompress_dims\":[128,128],"
                                   "\"l2scale\":1e-05,\"learning_rate\":0.001,\"loss_factor\":2}");
    rf_buf_free(&json);
}

static void help_has_a_line_for_each_parameter(void **state)
{
    (void)state;
    rf_buf help;
    rf_buf_init(&help);
    rf_params_help(RF_MODEL_CTGAN, &help);
    assert_non_null(strstr(help.data, "  generator_dim"));
    assert_non_null(strstr(help.data, "256,256"));
    assert_non_null(strstr(help.data, "rows the discriminator judges together"));
    assert_null(strstr(help.data, "compress_dims"));
    rf_buf_free(&help);
}

static void stored_parameters_come_back(void **state)
{
    (void)state;
    rf_error err = {0};
    for (int model = 0; model < RF_MODEL_COUNT; model++) {
        rf_params params = params_of((rf_model_kind)model), loaded;
        assert_ok(rf_params_set(&params, "epochs", "12", &err));
        assert_ok(rf_params_set(&params, model == RF_MODEL_CTGAN ? "generator_dim" : "compress_dims",
                                "8,9,10", &err));
        assert_ok(rf_params_finish(&params, 100, false, &err));
        rf_buf bytes;
        rf_reader reader;
        rf_buf_init(&bytes);
        rf_params_store(&params, &bytes);
        rf_reader_init(&reader, bytes.data, bytes.size_bytes);
        memset(&loaded, 0xEE, sizeof loaded);
        assert_ok(rf_params_load(&loaded, &reader, &err));
        assert_int_equal(rf_reader_left(&reader), 0);
        rf_buf before, after;
        rf_buf_init(&before);
        rf_buf_init(&after);
        rf_params_json(&params, &before);
        rf_params_json(&loaded, &after);
        assert_string_equal(after.data, before.data);
        assert_true(loaded.given == params.given && loaded.model == params.model);
        rf_buf_free(&before);
        rf_buf_free(&after);
        rf_buf_free(&bytes);
    }
}

/* Every byte is a name, a flag, a type or a value: a change is refused or gives values in range. */
static void damaged_parameters_are_refused_or_in_range(void **state)
{
    (void)state;
    rf_error err;
    rf_params params = params_of(RF_MODEL_CTGAN), loaded;
    rf_buf bytes;
    rf_reader reader;
    int n_refused = 0;
    rf_buf_init(&bytes);
    rf_params_store(&params, &bytes);
    for (size_t size = 0; size < bytes.size_bytes; size++) {
        rf_reader_init(&reader, bytes.data, size);
        assert_fails(rf_params_load(&loaded, &reader, &err), RF_CORRUPT, "the file");
    }
    for (size_t at = 0; at < bytes.size_bytes; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[at] ^= (char)(1 << bit);
            rf_reader_init(&reader, bytes.data, bytes.size_bytes);
            rf_code rc = rf_params_load(&loaded, &reader, &err);
            n_refused += rc != RF_OK;
            if (rc == RF_OK) {
                assert_in_range(loaded.epochs, 1, 1000000);
                assert_in_range(loaded.generator_dim.n, 1, RF_DIMS_MAX);
                assert_true(loaded.generator_lr > 0 && loaded.generator_lr <= 1);
                assert_int_equal(loaded.batch_size % loaded.pac, 0);
            } else
                assert_int_equal(rc, RF_CORRUPT);
            bytes.data[at] ^= (char)(1 << bit);
        }
    assert_true(n_refused > (int)bytes.size_bytes * 4);
    rf_buf_free(&bytes);
}

static void setting_without_memory_says_so(void **state)
{
    (void)state;
    rf_error err;
    rf_params params = params_of(RF_MODEL_CTGAN);
    rf_alloc_fail_at(1);
    assert_fails(rf_params_set(&params, "epochs", "5", &err), RF_NO_MEMORY, "epochs");
    rf_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_found_by_their_names),
        cmocka_unit_test(models_are_found_by_their_names_and_later_ones_are_said_to_be_later),
        cmocka_unit_test(defaults_are_those_of_the_table),
        cmocka_unit_test(values_are_taken_as_json_or_as_a_comma_list),
        cmocka_unit_test(wrong_assignments_are_refused_and_change_nothing),
        cmocka_unit_test(models_refuse_each_others_parameters),
        cmocka_unit_test(size_of_the_table_chooses_epochs_and_batch),
        cmocka_unit_test(batch_must_be_even_and_a_multiple_of_pac),
        cmocka_unit_test(json_has_the_models_own_parameters_in_table_order),
        cmocka_unit_test(help_has_a_line_for_each_parameter),
        cmocka_unit_test(stored_parameters_come_back),
        cmocka_unit_test(damaged_parameters_are_refused_or_in_range),
        cmocka_unit_test(setting_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
