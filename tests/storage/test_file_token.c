#include "rf_test.h"

#include "storage/file_token.h"

static rf_hmac *hmac;
static rf_buf token;
static rf_error err;

static const rf_sign_options options = {
    .expires_ms = 1000, .download_name = "Zürich \"2024\".csv", .type = "text/csv; charset=utf-8"};

static int begin(void **state)
{
    (void)state;
    rf_buf_init(&token);
    return rfi_file_token_key(&hmac, "secret", 6, &err) == RF_OK &&
                   rfi_file_token_make(hmac, "jobs/12/7/data", &options, &token, &err) == RF_OK
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    rf_hmac_close(hmac);
    rf_buf_free(&token);
    return 0;
}

static void token_gives_back_what_was_signed(void **state)
{
    (void)state;
    rf_signed found;
    assert_ok(rfi_file_token_open(hmac, token.data, 999, &found, &err));
    assert_string_equal(found.key, "jobs/12/7/data");
    assert_string_equal(found.download_name, options.download_name);
    assert_string_equal(found.type, options.type);
    assert_int_equal(found.expires_ms, 1000);
    for (const char *at = token.data; *at; at++)
        assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", *at));
}

static void token_without_name_and_type_has_none(void **state)
{
    (void)state;
    rf_signed found;
    rf_buf bare;
    rf_buf_init(&bare);
    assert_ok(rfi_file_token_make(hmac, "a", &(rf_sign_options){.expires_ms = 5}, &bare, &err));
    assert_ok(rfi_file_token_open(hmac, bare.data, 4, &found, &err));
    assert_string_equal(found.download_name, "");
    assert_string_equal(found.type, "");
    rf_buf_free(&bare);
}

static void token_expires(void **state)
{
    (void)state;
    rf_signed found;
    assert_fails(rfi_file_token_open(hmac, token.data, 1000, &found, &err), RF_FORBIDDEN, "has expired");
    assert_string_equal(found.key, "");
}

static void token_that_was_changed_anywhere_is_refused(void **state)
{
    (void)state;
    rf_signed found;
    for (size_t i = 0; i < token.size_bytes; i++) {
        const char before = token.data[i];
        for (int change = 0; change < 3; change++) {
            token.data[i] = "Az."[change];
            if (token.data[i] != before)
                assert_fails(rfi_file_token_open(hmac, token.data, 1, &found, &err), RF_FORBIDDEN,
                             "not valid");
        }
        token.data[i] = before;
    }
    for (size_t length = 0; length < token.size_bytes; length++) {
        char cut[1024];
        snprintf(cut, sizeof cut, "%.*s", (int)length, token.data);
        assert_fails(rfi_file_token_open(hmac, cut, 1, &found, &err), RF_FORBIDDEN, "not valid");
    }
}

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    rf_signed found;
    static char longest[20000];
    memset(longest, 'A', sizeof longest - 1);
    static const char *const cases[] = {"", ".", "..", "a.b", "AAAA.AAAA", "%2e%2e", longest};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(rfi_file_token_open(hmac, cases[i], 1, &found, &err), RF_FORBIDDEN, "not valid");
}

static void token_of_another_server_is_refused(void **state)
{
    (void)state;
    rf_signed found;
    rf_hmac *other = NULL;
    assert_ok(rfi_file_token_key(&other, "secret2", 7, &err));
    assert_fails(rfi_file_token_open(other, token.data, 1, &found, &err), RF_FORBIDDEN, "not valid");
    rf_hmac_close(other);
}

static void url_of_a_folder_is_a_path_with_a_token(void **state)
{
    (void)state;
    char folder[] = "/tmp/rowforge-objects-XXXXXX";
    rf_storage *storage = NULL;
    rf_signed found;
    rf_buf url;
    rf_buf_init(&url);
    assert_non_null(mkdtemp(folder));
    assert_ok(rf_storage_open_folder(&storage, folder, "secret", 6, &err));
    assert_ok(rf_storage_sign(storage, "a/b", &options, &url, &err));
    assert_memory_equal(url.data, "/files/", 7);
    assert_ok(rf_storage_open_token(storage, url.data + 7, 1, &found, &err));
    assert_string_equal(found.key, "a/b");
    assert_fails(rf_storage_open_token(storage, "x", 1, &found, &err), RF_FORBIDDEN, "not valid");
    rf_storage_close(storage);
    rf_buf_free(&url);
    assert_int_equal(remove(folder), 0);
}

int main(void)
{
#define SIGNED(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        SIGNED(token_gives_back_what_was_signed),
        SIGNED(token_without_name_and_type_has_none),
        SIGNED(token_expires),
        SIGNED(token_that_was_changed_anywhere_is_refused),
        SIGNED(what_is_no_token_is_refused),
        SIGNED(token_of_another_server_is_refused),
        cmocka_unit_test(url_of_a_folder_is_a_path_with_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
