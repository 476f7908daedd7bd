#include "rf_test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"

/* ---- the line -------------------------------------------------------------------------------- */

static char text[RF_LOG_LINE_MAX + 1];

static const char *format(const rf_log_event *event)
{
    const size_t length = rf_log_format(text, event, 1734085800125000);
    assert_in_range(length, 1, RF_LOG_LINE_MAX);
    text[length] = 0;
    assert_int_equal(text[length - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    return text;
}

static void line_holds_who_what_and_when(void **state)
{
    (void)state;
    const rf_log_event event = {
        .level = RF_LOG_WARNING,
        .module = "accounts",
        .user_id = 7,
        .request_id = "4f-1",
        .message = "a login failed",
        .metadata = (rf_log_pair[]){RF_LOG_TEXT("address", "127.0.0.1"), RF_LOG_NUMBER("failures", -3)},
        .n_metadata = 2};
    assert_string_equal(
        format(&event),
        "{\"timestamp\":\"2024-12-13T10:30:00.125Z\",\"level\":\"warning\",\"module\":\"accounts\","
        "\"user_id\":7,\"request_id\":\"4f-1\",\"message\":\"a login failed\","
        "\"metadata\":{\"address\":\"127.0.0.1\",\"failures\":-3}}\n");
}

static void what_is_not_known_is_null(void **state)
{
    (void)state;
    assert_string_equal(format(&(rf_log_event){.level = RF_LOG_INFO, .module = "m", .message = ""}),
                        "{\"timestamp\":\"2024-12-13T10:30:00.125Z\",\"level\":\"info\",\"module\":\"m\","
                        "\"user_id\":null,\"request_id\":null,\"message\":\"\",\"metadata\":{}}\n");
}

static void nobody_begins_a_line_or_a_field_of_their_own(void **state)
{
    (void)state;
    const rf_log_event event = {.module = "m", .message = "a\nb\"c\\d\x1b[31m\r\x7f é \xff\xc3 \xed\xa0\x80"};
    assert_non_null(strstr(format(&event),
                           "\"message\":\"a\\nb\\\"c\\\\d\\u001b[31m\\u000d\\u007f é \\ufffd\\ufffd "
                           "\\ufffd\\ufffd\\ufffd\""));
}

static void secrets_are_hidden_by_their_names(void **state)
{
    (void)state;
    static const char *const names[] = {"password", "refresh_token", "SECRET_KEY", "Authorization"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const rf_log_pair pair = RF_LOG_TEXT(names[i], "hunter2");
        const rf_log_event event = {.module = "m", .message = "x", .metadata = &pair, .n_metadata = 1};
        assert_non_null(strstr(format(&event), "\"[hidden]\""));
        assert_null(strstr(text, "hunter2"));
    }
}

static void long_text_is_cut_and_the_line_stays_whole(void **state)
{
    (void)state;
    static char quotes[9000], letters[9000];
    memset(quotes, '"', sizeof quotes - 1);
    memset(letters, 'x', sizeof letters - 1);
    rf_log_pair pairs[40];
    for (int i = 0; i < 40; i++)
        pairs[i] = RF_LOG_TEXT(letters, i % 2 ? quotes : letters);
    const rf_log_event event = {.module = quotes,
                                .user_id = INT64_MAX,
                                .request_id = letters,
                                .message = quotes,
                                .metadata = pairs,
                                .n_metadata = 40};
    format(&event);
    assert_non_null(strstr(text, "...\""));
    assert_non_null(strstr(text, "\"left_out\":"));
    assert_string_equal(strrchr(text, '}') - 1, "}}\n");
}

static void line_never_grows_past_its_limit(void **state)
{
    (void)state;
    static char value[1100];
    for (int last = 0; last < 1050; last++) {
        rf_log_pair pairs[] = {RF_LOG_TEXT("a", value), RF_LOG_TEXT("b", value), RF_LOG_TEXT("c", value),
                               RF_LOG_NUMBER("d", INT64_MIN), RF_LOG_NUMBER("e", 1)};
        memset(value, 'y', sizeof value - 1);
        value[last] = 0;
        const rf_log_event event = {.module = "m", .message = value, .metadata = pairs, .n_metadata = 5};
        format(&event);
        assert_string_equal(strrchr(text, '}') - 1, "}}\n");
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

static char folder[64];

static int enter_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rowforge-log-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    (void)state;
    rf_log_close();
    static const char *const names[] = {"log", "log.1", "log.2", "log.3", "moved"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(names[i]);
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static int64_t count_lines_in(const char *path)
{
    rf_error err = {0};
    rf_file_bytes bytes = {0};
    int64_t n = 0;
    assert_ok(rf_file_bytes_open(&bytes, path, &err));
    for (size_t i = 0; i < bytes.size_bytes; i++)
        n += bytes.data[i] == '\n';
    assert_true(bytes.size_bytes == 0 || bytes.data[bytes.size_bytes - 1] == '\n');
    rf_file_bytes_close(&bytes);
    return n;
}

static void open_log(rf_log_level least, int64_t rotate_bytes, int backups)
{
    rf_error err = {0};
    const rf_log_options options = {
        .least = least, .path = "log", .rotate_bytes = rotate_bytes, .backups = backups};
    assert_ok(rf_log_open(&options, &err));
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    open_log(RF_LOG_WARNING, 1 << 20, 1);
    rf_log(RF_LOG_INFO, "m", "dropped");
    rf_log(RF_LOG_WARNING, "m", "kept %d", 1);
    rf_log(RF_LOG_ERROR, "m", "kept %d", 2);
    assert_int_equal(count_lines_in("log"), 2);
    assert_false(rf_log_wants(RF_LOG_INFO));
    struct stat info;
    assert_int_equal(stat("log", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void full_file_moves_aside_and_the_oldest_falls_off(void **state)
{
    (void)state;
    open_log(RF_LOG_INFO, 1000, 2);
    for (int i = 0; i < 40; i++)
        rf_log(RF_LOG_INFO, "m", "line %03d", i);
    struct stat info;
    static const char *const names[] = {"log", "log.1", "log.2"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(names[i], &info), 0);
        assert_in_range(info.st_size, 1, 1000);
    }
    assert_int_equal(access("log.3", F_OK), -1);
    rf_error err = {0};
    rf_file_bytes bytes;
    assert_ok(rf_file_bytes_open(&bytes, "log", &err));
    assert_non_null(memmem(bytes.data, bytes.size_bytes, "line 039", 8));
    rf_file_bytes_close(&bytes);
}

static void file_without_backups_begins_anew(void **state)
{
    (void)state;
    open_log(RF_LOG_INFO, 1000, 0);
    for (int i = 0; i < 40; i++)
        rf_log(RF_LOG_INFO, "m", "line %03d", i);
    struct stat info;
    assert_int_equal(stat("log", &info), 0);
    assert_in_range(info.st_size, 1, 1000);
    assert_int_equal(access("log.1", F_OK), -1);
}

static void file_that_another_process_moved_is_followed(void **state)
{
    (void)state;
    open_log(RF_LOG_INFO, 0, 0);
    rf_log(RF_LOG_INFO, "m", "one");
    assert_int_equal(rename("log", "moved"), 0);
    rf_log(RF_LOG_INFO, "m", "two");
    assert_int_equal(count_lines_in("moved"), 1);
    assert_int_equal(count_lines_in("log"), 1);
}

static void *log_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        rf_log(RF_LOG_INFO, "thread", "line %d of many", i);
    return NULL;
}

static void lines_of_many_threads_do_not_mix(void **state)
{
    (void)state;
    open_log(RF_LOG_INFO, 1 << 20, 1);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_some, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(count_lines_in("log"), 800);
    rf_error err = {0};
    rf_file_bytes bytes;
    assert_ok(rf_file_bytes_open(&bytes, "log", &err));
    for (const char *at = bytes.data, *end = at + bytes.size_bytes; at < end;
         at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1)
        assert_memory_equal(at, "{\"timestamp\":\"", 14);
    rf_file_bytes_close(&bytes);
}

static void file_that_cannot_be_opened_is_refused_with_its_name(void **state)
{
    (void)state;
    rf_error err = {0};
    const rf_log_options options = {.path = "absent/log"};
    assert_fails(rf_log_open(&options, &err), RF_IO, "the log file absent/log cannot be opened");
}

static void failure_is_logged_with_its_detail(void **state)
{
    (void)state;
    open_log(RF_LOG_INFO, 1 << 20, 1);
    rf_error failure = {0};
    errno = ENOSPC;
    assert_int_equal(rf_fail_errno(&failure, RF_IO, "it could not be written"), RF_IO);
    rf_error_context(&failure, "job %d", 12);
    rf_log_failure(RF_LOG_ERROR, "storage", &failure);
    rf_error err = {0};
    rf_file_bytes bytes;
    assert_ok(rf_file_bytes_open(&bytes, "log", &err));
    static const char *const parts[] = {"\"it could not be written\"", "\"code\":\"IO\"", "ENOSPC", "job 12"};
    for (size_t i = 0; i < 4; i++)
        assert_non_null(memmem(bytes.data, bytes.size_bytes, parts[i], strlen(parts[i])));
    rf_file_bytes_close(&bytes);
}

static void levels_are_found_by_name_in_any_case(void **state)
{
    (void)state;
    rf_log_level level = RF_LOG_DEBUG;
    assert_true(rf_log_level_find(&level, "WARNING") && level == RF_LOG_WARNING);
    assert_true(rf_log_level_find(&level, "error") && level == RF_LOG_ERROR);
    assert_false(rf_log_level_find(&level, "loud"));
    assert_string_equal(rf_log_level_name(RF_LOG_DEBUG), "debug");
}

int main(void)
{
#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_holds_who_what_and_when),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(nobody_begins_a_line_or_a_field_of_their_own),
        cmocka_unit_test(secrets_are_hidden_by_their_names),
        cmocka_unit_test(long_text_is_cut_and_the_line_stays_whole),
        cmocka_unit_test(line_never_grows_past_its_limit),
        IN_FOLDER(lines_below_the_level_are_dropped),
        IN_FOLDER(full_file_moves_aside_and_the_oldest_falls_off),
        IN_FOLDER(file_without_backups_begins_anew),
        IN_FOLDER(file_that_another_process_moved_is_followed),
        IN_FOLDER(lines_of_many_threads_do_not_mix),
        IN_FOLDER(file_that_cannot_be_opened_is_refused_with_its_name),
        IN_FOLDER(failure_is_logged_with_its_detail),
        cmocka_unit_test(levels_are_found_by_name_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
