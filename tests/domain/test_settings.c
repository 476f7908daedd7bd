#include "rf_test.h"

#include <unistd.h>

#include <jansson.h>

#include "core/alloc.h"
#include "core/file.h"
#include "domain/settings.h"

/* ---- a loading ------------------------------------------------------------------------------- */

static rf_settings settings;
static rf_notes faults, remarks;
static rf_error err;

static int begin(void **state)
{
    (void)state;
    settings = (rf_settings){0};
    err = (rf_error){0};
    rf_notes_init(&faults);
    rf_notes_init(&remarks);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rf_settings_free(&settings);
    rf_notes_free(&faults);
    rf_notes_free(&remarks);
    return 0;
}

static rf_code load(const char *file_text, const char *const environment[])
{
    rf_dotenv file;
    assert_ok(rf_dotenv_parse(&file, file_text, strlen(file_text), &err));
    rf_code rc = rf_settings_load(&settings, (char *const *)environment, &file, &faults, &remarks, &err);
    rf_dotenv_free(&file);
    return rc;
}

#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool has_fault(const char *part)
{
    for (int i = 0; i < faults.n; i++)
        if (strstr(faults.texts[i], part))
            return true;
    return false;
}

/* ---- values ---------------------------------------------------------------------------------- */

static void nothing_given_is_the_documented_default(void **state)
{
    (void)state;
    assert_ok(load("", NULL));
    assert_int_equal(settings.port, 8000);
    assert_string_equal(settings.host, "127.0.0.1");
    assert_string_equal(settings.data_dir, "./rowforge-data");
    assert_string_equal(settings.database_path, "./rowforge-data/rowforge.db");
    assert_int_equal(settings.max_file_mb, 500);
    assert_int_equal(settings.max_concurrent, 5);
    assert_int_equal(settings.access_minutes, 30);
    assert_int_equal(settings.file_types.n, 2);
    assert_string_equal(settings.file_types.item[1], "tsv");
    assert_int_equal(settings.cors_origins.n, 0);
    assert_string_equal(settings.allowed_hosts.item[0], "*");
    assert_true(settings.rate_limit);
    assert_false(settings.require_approval);
    assert_true(settings.lease_s == 30 && settings.beat_s == 10 && settings.reap_s == 5);
    assert_int_equal(settings.origin[RF_SET_PORT], RF_FROM_DEFAULT);
}

static void environment_wins_over_the_file_and_the_file_over_the_default(void **state)
{
    (void)state;
    assert_ok(load("PORT=9000\nAPP_NAME=\"from the file\"\nHOST=\n",
                   ENVIRONMENT("PORT=9100", "PORTX=1", "APP_NAME=")));
    assert_int_equal(settings.port, 9100);
    assert_string_equal(settings.app_name, "from the file");
    assert_string_equal(settings.host, "127.0.0.1");
    assert_int_equal(settings.origin[RF_SET_PORT], RF_FROM_ENVIRONMENT);
    assert_int_equal(settings.origin[RF_SET_APP_NAME], RF_FROM_FILE);
    assert_int_equal(settings.origin[RF_SET_HOST], RF_FROM_DEFAULT);
}

static void values_of_every_type_are_read(void **state)
{
    (void)state;
    assert_ok(load("", ENVIRONMENT("LEASE_SECONDS=2.5", "BEAT_SECONDS=.5", "REQUIRE_APPROVAL=Yes",
                                   "METRICS_ENABLED=0", "LOG_LEVEL=WARNING",
                                   "CORS_ORIGINS= https://a.example , http://b:81,",
                                   "SUPPORTED_FILE_TYPES=csv", "DATABASE_URL=sqlite:////var/lib/x.db")));
    assert_true(settings.lease_s == 2.5 && settings.beat_s == 0.5);
    assert_int_equal(rf_settings_ms(settings.lease_s), 2500);
    assert_true(settings.require_approval);
    assert_false(settings.metrics);
    assert_string_equal(settings.log_level, "warning");
    assert_int_equal(settings.cors_origins.n, 2);
    assert_string_equal(settings.cors_origins.item[0], "https://a.example");
    assert_string_equal(settings.cors_origins.item[1], "http://b:81");
    assert_int_equal(settings.file_types.n, 1);
    assert_string_equal(settings.database_path, "/var/lib/x.db");
}

static void database_path_with_three_slashes_is_relative(void **state)
{
    (void)state;
    assert_ok(load("DATABASE_URL=sqlite:///x/y.db", NULL));
    assert_string_equal(settings.database_path, "x/y.db");
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void every_fault_is_a_sentence_that_names_its_variable(void **state)
{
    static const struct {
        const char *given, *part;
    } cases[] = {
        {"PORT=80000", "PORT is a whole number from 0 to 65535, not \"80000\""},
        {"PORT=x", "PORT is a whole number"},
        {"PORT=1.5", "PORT is a whole number"},
        {"LEASE_SECONDS=0", "LEASE_SECONDS is a number of seconds from 0.2 to 3600"},
        {"LEASE_SECONDS=nan", "LEASE_SECONDS is a number of seconds"},
        {"DEBUG=maybe", "DEBUG is true or false, not \"maybe\""},
        {"LOG_LEVEL=loud", "LOG_LEVEL is one of debug|info|warning|error"},
        {"ALGORITHM=none", "ALGORITHM is one of HS256"},
        {"ALGORITHM=HS", "ALGORITHM is one of"},
        {"APP_NAME=a\tb", "APP_NAME holds control characters"},
        {"SECRET_KEY=short", "SECRET_KEY is too short"},
        {"SECRET_KEY_FILE=/no/such/file", "SECRET_KEY_FILE cannot be read"},
        {"REDIS_URL=redis://localhost", "REDIS_URL cannot be used"},
        {"SUPABASE_URL=https://x.supabase.co", "SUPABASE_URL cannot be used"},
        {"SUPABASE_KEY=abc", "SUPABASE_KEY cannot be used"},
        {"SUPABASE_BUCKET_NAME=abc", "SUPABASE_BUCKET_NAME cannot be used"},
        {"DATABASE_URL=postgresql://u:hunter2@h/d", "DATABASE_URL cannot be postgresql://"},
        {"DATABASE_URL=mysql://u:hunter2@h/d", "DATABASE_URL must be sqlite:///path"},
        {"DATABASE_URL=sqlite:///", "DATABASE_URL must be sqlite:///path"},
        {"CORS_ORIGINS=*", "CORS_ORIGINS cannot be *"},
        {"CORS_ORIGINS=example.com", "CORS_ORIGINS: \"example.com\" is not an origin"},
        {"CORS_ORIGINS=https://a.example/path", "CORS_ORIGINS: "},
        {"CORS_ORIGINS=https://", "CORS_ORIGINS: "},
        {"CORS_ORIGINS=https://a:x", "CORS_ORIGINS: "},
        {"CORS_ORIGINS=https://[::1", "CORS_ORIGINS: "},
        {"ALLOWED_HOSTS=a b", "ALLOWED_HOSTS: \"a b\" is not a host name"},
        {"ALLOWED_HOSTS=,", "ALLOWED_HOSTS names no host"},
        {"SUPPORTED_FILE_TYPES=csv,xlsx", "SUPPORTED_FILE_TYPES: \"xlsx\" is not read"},
        {"WORKER_DEVICE=gpu", "WORKER_DEVICE is \"gpu\", and must be auto, cpu, cuda or cuda:N"},
        {"WORKER_DEVICE=cuda:", "WORKER_DEVICE is \"cuda:\""},
        {"WORKER_DEVICE=cuda:one", "WORKER_DEVICE is \"cuda:one\""},
        {"MIN_SAMPLE_SIZE=200000", "MIN_SAMPLE_SIZE (200000) is more than MAX_SAMPLE_SIZE (100000)"},
        {"MAX_EPOCHS=5", "MIN_EPOCHS (10) is more than MAX_EPOCHS (5)"},
        {"DEFAULT_SAMPLE_SIZE=50", "MIN_SAMPLE_SIZE (100) is more than DEFAULT_SAMPLE_SIZE (50)"},
        {"DEFAULT_EPOCHS=501", "DEFAULT_EPOCHS (501) is more than MAX_EPOCHS (500)"},
        {"BEAT_SECONDS=20", "BEAT_SECONDS (20) is more than half of LEASE_SECONDS (30)"},
        {"ENABLE_PUSH_NOTIFICATIONS=true", "ENABLE_PUSH_NOTIFICATIONS cannot be true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(state);
        assert_fails(load("", ENVIRONMENT(cases[i].given)), RF_USAGE, cases[i].part);
        assert_int_equal(faults.n, 1);
        assert_null(strstr(faults.texts[0], "hunter2"));
        end(state);
    }
}

static void defaults_follow_the_limits_that_somebody_gave(void **state)
{
    (void)state;
    assert_ok(load("MAX_EPOCHS=50\nMIN_SAMPLE_SIZE=5000\n",
                   ENVIRONMENT("LEASE_SECONDS=3", "RETRY_CAP_SECONDS=0.5", "MAX_OPTIMIZATION_TRIALS=7")));
    assert_int_equal(settings.default_epochs, 50);
    assert_int_equal(settings.default_sample_size, 5000);
    assert_int_equal(settings.optimization_trials, 7);
    assert_near(settings.beat_s, 1, 0);
    assert_near(settings.retry_base_s, 0.5, 0);
}

static void all_faults_are_told_at_once(void **state)
{
    (void)state;
    assert_fails(load("PORT=x\nREDIS_URL=redis://h\n",
                      ENVIRONMENT("MAX_FILE_SIZE_MB=0", "ENVIRONMENT=production", "DEBUG=1")),
                 RF_USAGE, "PORT");
    assert_int_equal(faults.n, 4);
    assert_true(has_fault("PORT") && has_fault("REDIS_URL") && has_fault("MAX_FILE_SIZE_MB") &&
                has_fault("DEBUG cannot be true while ENVIRONMENT is production"));
}

static void name_in_the_file_that_is_no_setting_is_remarked(void **state)
{
    (void)state;
    assert_ok(load("PROT=1\nSECRET_KEY_FILE=\nPORT_FILE=x\n", NULL));
    assert_int_equal(remarks.n, 2);
    assert_non_null(
        strstr(remarks.texts[0], "line 1 of the .env file: PROT is not a setting; did you mean PORT"));
    assert_non_null(strstr(remarks.texts[1], "PORT_FILE is not a setting"));
}

/* ---- secrets --------------------------------------------------------------------------------- */

static void secret_may_stand_in_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/rowforge-secret-XXXXXX", variable[80];
    const int fd = mkstemp(path);
    static const char text[] = "0123456789abcdef0123456789abcdef\r\nsecond line\n";
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    snprintf(variable, sizeof variable, "SECRET_KEY_FILE=%s", path);
    assert_ok(load("", ENVIRONMENT(variable)));
    assert_string_equal(settings.secret_key, "0123456789abcdef0123456789abcdef");
    unlink(path);
}

static void secrets_never_print(void **state)
{
    (void)state;
    static const char key[] = "hunter2-hunter2-hunter2-hunter2-";
    rf_buf text, json;
    rf_buf_init(&text);
    rf_buf_init(&json);
    assert_ok(
        load("PORT=81\nMETRICS_TOKEN=hunter2\n", ENVIRONMENT("SECRET_KEY=hunter2-hunter2-hunter2-hunter2-")));
    assert_string_equal(settings.secret_key, key);
    rf_settings_text(&settings, &text);
    rf_settings_json(&settings, &json);
    assert_null(strstr(text.data, "hunter2"));
    assert_null(strstr(json.data, "hunter2"));
    assert_non_null(strstr(text.data, "\nSECRET_KEY=(hidden)    # environment\n"));
    assert_non_null(strstr(text.data, "\nSUPABASE_KEY=(not set)\n"));
    assert_non_null(strstr(text.data, "\nPORT=81    # .env\n"));
    json_t *document = json_loadb(json.data, json.size_bytes, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_object_size(document), RF_SETTING_COUNT);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(document, "PORT"), "value")), 81);
    json_decref(document);
    rf_buf_free(&text);
    rf_buf_free(&json);
}

static void child_is_given_the_settings_and_no_secret(void **state)
{
    (void)state;
    const char *const environment[] = {
        "PATH=/bin",        "PORT=81",       "SECRET_KEY=hunter2-hunter2-hunter2-hunter2-",
        "SECRET_KEY_FILE=", "DATABASE_URL=", NULL};
    char **given = NULL;
    rf_buf joined;
    rf_buf_init(&joined);
    assert_ok(load("DATA_DIR=/srv\nMETRICS_TOKEN=hunter2\nLEASE_SECONDS=2.5\nBEAT_SECONDS=1\n", environment));
    assert_ok(rf_settings_environment(&settings, (char *const *)environment, &given, &err));
    for (; *given; given++)
        rf_buf_printf(&joined, "%s|", *given);
    assert_string_equal(joined.data, "PATH=/bin|PORT=81|DATA_DIR=/srv|LEASE_SECONDS=2.5|BEAT_SECONDS=1|");
    rf_buf_free(&joined);
}

/* ---- documents and memory -------------------------------------------------------------------- */

static void document_lists_every_setting_as_it_is(void **state)
{
    (void)state;
    rf_buf table;
    rf_file_bytes page = {0};
    rf_buf_init(&table);
    rf_settings_reference(&table);
    assert_ok(rf_file_bytes_open(&page, RF_TEST_DATA "/../docs/settings.md", &err));
    if (!memmem(page.data, page.size_bytes, table.data, table.size_bytes)) {
        FILE *out = fopen("settings-table.md", "w");
        fputs(table.data, out);
        fclose(out);
        fail_msg("docs/settings.md is not what the table says; the right lines are in settings-table.md "
                 "beside this test's log");
    }
    rf_file_bytes_close(&page);
    rf_buf_free(&table);
}

static void every_allocation_may_fail(void **state)
{
    for (int64_t nth = 1;; nth++) {
        begin(state);
        rf_alloc_fail_at(nth);
        const rf_code rc = rf_settings_load(&settings, NULL, NULL, &faults, &remarks, &err);
        const bool all_done = rf_alloc_count() < nth;
        rf_alloc_fail_at(0);
        end(state);
        if (all_done) {
            assert_int_equal(rc, RF_OK);
            break;
        }
        assert_int_equal(rc, RF_NO_MEMORY);
    }
}

int main(void)
{
#define LOADING(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        LOADING(nothing_given_is_the_documented_default),
        LOADING(environment_wins_over_the_file_and_the_file_over_the_default),
        LOADING(values_of_every_type_are_read),
        LOADING(database_path_with_three_slashes_is_relative),
        cmocka_unit_test(every_fault_is_a_sentence_that_names_its_variable),
        LOADING(defaults_follow_the_limits_that_somebody_gave),
        LOADING(all_faults_are_told_at_once),
        LOADING(name_in_the_file_that_is_no_setting_is_remarked),
        LOADING(secret_may_stand_in_a_file),
        LOADING(secrets_never_print),
        LOADING(child_is_given_the_settings_and_no_secret),
        LOADING(document_lists_every_setting_as_it_is),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
