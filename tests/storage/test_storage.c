/* What every side of the seam must do. */
#include "rf_test.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage_rig.h"

static rf_error err;

/* ---- keys ------------------------------------------------------------------------------------ */

static void only_keys_made_of_safe_segments_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a/b", "jobs/12/7/checkpoint-100", "a.b/c_d-e", "0"};
    static const char *const bad[] = {"",     "/",    "/a",    "a/",       "a//b", ".", "..",
                                      "a/..", "../a", "a/./b", ".a",       "a/.b", "A", "a b",
                                      "a\\b", "a%2e", "a\nb",  "\xc3\xa9", "a:b",  "~", "a/../../etc/passwd"};
    rf_object object;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(rf_key_is_valid(good[i]));
        assert_ok(rig_put(good[i], "x", &err));
        assert_ok(rf_storage_delete(rig_storage, good[i], &err));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(rf_key_is_valid(bad[i]));
        assert_fails(rig_put(bad[i], "x", &err), RF_USAGE, "cannot be the key");
        assert_fails(rf_storage_stat(rig_storage, bad[i], &object, &err), RF_USAGE, "cannot be the key");
        assert_fails(rf_storage_delete(rig_storage, bad[i], &err), RF_USAGE, "cannot be the key");
    }
    assert_false(rf_key_is_valid(NULL));
}

static void key_may_have_200_bytes_and_no_more(void **state)
{
    (void)state;
    char key[RF_KEY_BYTES_MAX + 2];
    memset(key, 'k', sizeof key);
    key[RF_KEY_BYTES_MAX] = 0;
    assert_ok(rig_put(key, "long", &err));
    assert_string_equal(rig_get(key), "long");
    key[RF_KEY_BYTES_MAX] = 'k';
    key[RF_KEY_BYTES_MAX + 1] = 0;
    assert_fails(rig_put(key, "x", &err), RF_USAGE, "cannot be the key");
}

/* ---- putting and getting --------------------------------------------------------------------- */

static void object_comes_back_as_it_was_put_with_its_digest(void **state)
{
    (void)state;
    rf_object made, found;
    assert_ok(rf_storage_put_bytes(rig_storage, "a/b", "abc", 3, NULL, &made, &err));
    assert_string_equal(made.key, "a/b");
    assert_int_equal(made.size_bytes, 3);
    assert_string_equal(made.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(made.changed_ms > 1600000000000);
    assert_ok(rf_storage_stat(rig_storage, "a/b", &found, &err));
    assert_memory_equal(&made, &found, sizeof made);
    assert_string_equal(rig_get("a/b"), "abc");
}

static void empty_object_is_one(void **state)
{
    (void)state;
    rf_object object;
    assert_ok(rf_storage_put_bytes(rig_storage, "empty", NULL, 0, NULL, &object, &err));
    assert_int_equal(object.size_bytes, 0);
    assert_string_equal(object.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(rig_get("empty"), "");
}

static void object_is_there_at_commit_and_not_before(void **state)
{
    (void)state;
    rf_storage_writer *writer = NULL;
    rf_object object;
    assert_ok(rf_storage_writer_open(rig_storage, "a/b", NULL, &writer, &err));
    assert_ok(rf_storage_write(writer, "one ", 4, &err));
    assert_ok(rf_storage_write(writer, "two", 3, &err));
    assert_fails(rf_storage_stat(rig_storage, "a/b", &object, &err), RF_NOT_FOUND, "a/b");
    assert_string_equal(rig_list("", 4), "");
    assert_ok(rf_storage_writer_commit(writer, NULL, &err));
    rf_storage_writer_close(writer);
    assert_string_equal(rig_get("a/b"), "one two");
}

static void writer_without_a_commit_leaves_nothing_and_spares_the_old(void **state)
{
    (void)state;
    rf_storage_writer *writer = NULL;
    assert_ok(rig_put("kept", "old", &err));
    assert_ok(rf_storage_writer_open(rig_storage, "kept", NULL, &writer, &err));
    assert_ok(rf_storage_write(writer, "new", 3, &err));
    rf_storage_writer_close(writer);
    assert_ok(rf_storage_writer_open(rig_storage, "never", NULL, &writer, &err));
    rf_storage_writer_close(writer);
    rf_storage_writer_close(NULL);
    assert_string_equal(rig_get("kept"), "old");
    assert_string_equal(rig_list("", 4), "kept");
}

static void object_that_is_put_again_is_replaced(void **state)
{
    (void)state;
    rf_object object;
    assert_ok(rig_put("a", "one", &err));
    assert_ok(rf_storage_put_bytes(rig_storage, "a", "twelve", 6, &(rf_put_options){.transient = true},
                                   &object, &err));
    assert_int_equal(object.size_bytes, 6);
    assert_string_equal(rig_get("a"), "twelve");
    assert_ok(rig_put("a", "eleven", &err));
    assert_string_equal(rig_get("a"), "eleven");
}

static void object_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    rf_object object;
    rf_storage_reader *reader = NULL;
    rf_buf buf;
    rf_buf_init(&buf);
    assert_ok(rig_put("a/b", "x", &err));
    static const char *const absent[] = {"none", "a", "a/c", "a/b/c", "x/y/z"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        assert_fails(rf_storage_stat(rig_storage, absent[i], &object, &err), RF_NOT_FOUND, absent[i]);
        assert_fails(rf_storage_reader_open(rig_storage, absent[i], NULL, NULL, &reader, &err), RF_NOT_FOUND,
                     absent[i]);
        assert_null(reader);
        assert_fails(rf_storage_get_bytes(rig_storage, absent[i], 10, &buf, &err), RF_NOT_FOUND, absent[i]);
    }
    rf_buf_free(&buf);
}

static void more_than_the_limit_is_too_large_and_leaves_nothing(void **state)
{
    (void)state;
    const rf_put_options options = {.limit_bytes = 5};
    rf_storage_writer *writer = NULL;
    assert_ok(rf_storage_put_bytes(rig_storage, "fits", "12345", 5, &options, NULL, &err));
    assert_fails(rf_storage_put_bytes(rig_storage, "not", "123456", 6, &options, NULL, &err), RF_TOO_LARGE,
                 "5 bytes");
    assert_ok(rf_storage_writer_open(rig_storage, "not", &options, &writer, &err));
    assert_ok(rf_storage_write(writer, "123", 3, &err));
    assert_fails(rf_storage_write(writer, "456", 3, &err), RF_TOO_LARGE, "5 bytes");
    assert_fails(rf_storage_write(writer, "4", 1, &err), RF_IO, "an earlier part");
    assert_fails(rf_storage_writer_commit(writer, NULL, &err), RF_IO, "a part of it failed");
    rf_storage_writer_close(writer);
    assert_string_equal(rig_list("", 4), "fits");
}

static void bytes_that_are_not_those_announced_are_refused(void **state)
{
    (void)state;
    rf_put_options options = {.sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"};
    assert_ok(rf_storage_put_bytes(rig_storage, "right", "abc", 3, &options, NULL, &err));
    assert_fails(rf_storage_put_bytes(rig_storage, "wrong", "abd", 3, &options, NULL, &err), RF_CORRUPT,
                 "SHA-256");
    options.sha256 = "short";
    assert_fails(rf_storage_put_bytes(rig_storage, "wrong", "abc", 3, &options, NULL, &err), RF_USAGE,
                 "SHA-256");
    assert_string_equal(rig_list("", 4), "right");
}

static int temporary_file(const char *text, size_t repeat)
{
    char path[] = "/tmp/rowforge-put-XXXXXX";
    const int fd = mkstemp(path);
    unlink(path);
    for (size_t i = 0; i < repeat; i++)
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void file_goes_in_and_out_through_descriptors(void **state)
{
    (void)state;
    enum { LINES = 100000 };
    rf_object made, got;
    const int in = temporary_file("ten bytes\n", LINES), out = temporary_file("", 0);
    assert_ok(rf_storage_put_fd(rig_storage, "big", in, NULL, &made, &err));
    assert_int_equal(made.size_bytes, 10 * LINES);
    assert_ok(rf_storage_get_fd(rig_storage, "big", out, made.sha256, &got, &err));
    assert_string_equal(got.sha256, made.sha256);
    assert_int_equal(lseek(out, 0, SEEK_END), 10 * LINES);
    char last[11] = "";
    assert_int_equal(pread(out, last, 10, 10 * LINES - 10), 10);
    assert_string_equal(last, "ten bytes\n");
    made.sha256[0] = made.sha256[0] == '0' ? '1' : '0';
    assert_fails(rf_storage_get_fd(rig_storage, "big", out, made.sha256, NULL, &err), RF_CORRUPT, "big");
    close(in);
    close(out);
}

static void descriptor_that_cannot_be_read_leaves_nothing(void **state)
{
    (void)state;
    const int fd = open("/tmp", O_RDONLY | O_DIRECTORY);
    assert_fails(rf_storage_put_fd(rig_storage, "a/b", fd, NULL, NULL, &err), RF_IO, "cannot be read");
    close(fd);
    assert_string_equal(rig_list("", 4), "");
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static const char *read_range(int64_t offset, int64_t length)
{
    static char text[64];
    rf_storage_reader *reader = NULL;
    const rf_range range = {offset, length};
    size_t at = 0, n = 0;
    assert_ok(rf_storage_reader_open(rig_storage, "digits", &range, NULL, &reader, &err));
    do {
        assert_ok(rf_storage_read(reader, text + at, 3, &n, &err));
        at += n;
    } while (n > 0);
    text[at] = 0;
    rf_storage_reader_close(reader);
    return text;
}

static void part_of_an_object_is_read_by_its_range(void **state)
{
    (void)state;
    rf_storage_reader *reader = NULL;
    assert_ok(rig_put("digits", "0123456789", &err));
    assert_string_equal(read_range(0, -1), "0123456789");
    assert_string_equal(read_range(0, 10), "0123456789");
    assert_string_equal(read_range(3, 4), "3456");
    assert_string_equal(read_range(9, 1), "9");
    assert_string_equal(read_range(8, 100), "89");
    assert_string_equal(read_range(10, -1), "");
    assert_string_equal(read_range(4, 0), "");
    static const rf_range bad[] = {{11, 1}, {-1, 1}, {0, -2}};
    for (size_t i = 0; i < 3; i++)
        assert_fails(rf_storage_reader_open(rig_storage, "digits", &bad[i], NULL, &reader, &err), RF_USAGE,
                     "of an object of 10");
}

static void reader_goes_on_while_the_object_is_replaced_or_deleted(void **state)
{
    (void)state;
    rf_storage_reader *reader = NULL;
    char text[16] = "";
    size_t n = 0, rest = 0;
    assert_ok(rig_put("a", "the old one", &err));
    assert_ok(rf_storage_reader_open(rig_storage, "a", NULL, NULL, &reader, &err));
    assert_ok(rf_storage_read(reader, text, 4, &n, &err));
    assert_ok(rig_put("a", "another", &err));
    assert_ok(rf_storage_delete(rig_storage, "a", &err));
    assert_ok(rf_storage_read(reader, text + n, sizeof text - n, &rest, &err));
    assert_ok(rf_storage_read(reader, text + n + rest, 1, &n, &err));
    assert_int_equal(n, 0);
    assert_string_equal(text, "the old one");
    rf_storage_reader_close(reader);
    rf_storage_reader_close(NULL);
}

static void more_than_was_expected_is_not_read_into_memory(void **state)
{
    (void)state;
    rf_buf buf;
    rf_buf_init(&buf);
    assert_ok(rig_put("a", "0123456789", &err));
    assert_fails(rf_storage_get_bytes(rig_storage, "a", 9, &buf, &err), RF_TOO_LARGE, "10 bytes");
    assert_int_equal(buf.size_bytes, 0);
    rf_buf_free(&buf);
}

/* ---- deleting and listing -------------------------------------------------------------------- */

static void deleting_twice_is_deleting_once(void **state)
{
    (void)state;
    rf_object object;
    assert_ok(rig_put("a/b/c", "x", &err));
    assert_ok(rf_storage_delete(rig_storage, "a/b/c", &err));
    assert_ok(rf_storage_delete(rig_storage, "a/b/c", &err));
    assert_ok(rf_storage_delete(rig_storage, "never/was", &err));
    assert_fails(rf_storage_stat(rig_storage, "a/b/c", &object, &err), RF_NOT_FOUND, "a/b/c");
}

static void deleting_a_prefix_deletes_all_below_and_nothing_beside(void **state)
{
    (void)state;
    int64_t n = 0;
    static const char *const keys[] = {"jobs/1/a", "jobs/1/b/c", "jobs/10/a", "jobs/1x", "k"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_ok(rig_put(keys[i], "x", &err));
    assert_ok(rf_storage_delete_prefix(rig_storage, "jobs/1/", &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(rig_list("", 4), "jobs/10/a jobs/1x k");
    assert_fails(rf_storage_delete_prefix(rig_storage, "", NULL, &err), RF_USAGE, "");
    assert_fails(rf_storage_delete_prefix(rig_storage, "jobs", NULL, &err), RF_USAGE, "jobs");
    for (int i = 0; i < 250; i++) {
        char key[32];
        snprintf(key, sizeof key, "many/%d", i);
        assert_ok(
            rf_storage_put_bytes(rig_storage, key, "x", 1, &(rf_put_options){.transient = true}, NULL, &err));
    }
    assert_ok(rf_storage_delete_prefix(rig_storage, "many/", &n, &err));
    assert_int_equal(n, 250);
    assert_string_equal(rig_list("many/", 8), "");
}

static void list_is_in_byte_order_by_prefix_and_in_pages(void **state)
{
    (void)state;
    static const char *const keys[] = {"b", "a/c/1", "a-b", "a/b", "a", "a.b", "a/c/0", "ab/x", "a0"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], "a") != 0) /* a name cannot be a file and a folder in every store */
            assert_ok(rig_put(keys[i], keys[i], &err));
    for (int32_t page = 1; page <= 8; page++) {
        assert_string_equal(rig_list("", page), "a-b a.b a/b a/c/0 a/c/1 a0 ab/x b");
        assert_string_equal(rig_list("a", page), "a-b a.b a/b a/c/0 a/c/1 a0 ab/x");
        assert_string_equal(rig_list("a/", page), "a/b a/c/0 a/c/1");
        assert_string_equal(rig_list("a/c", page), "a/c/0 a/c/1");
        assert_string_equal(rig_list("a/c/1", page), "a/c/1");
        assert_string_equal(rig_list("x/", page), "");
    }
}

static void list_says_how_large_each_is(void **state)
{
    (void)state;
    rf_object objects[4];
    int32_t n = 0;
    assert_ok(rig_put("a", "123", &err));
    assert_ok(rf_storage_list(rig_storage, "", "", objects, 4, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(objects[0].size_bytes, 3);
    assert_true(objects[0].changed_ms > 1600000000000);
}

static void list_begins_after_any_key_whether_it_is_there_or_not(void **state)
{
    (void)state;
    rf_object objects[4];
    int32_t n = 0;
    assert_ok(rig_put("a/1", "x", &err));
    assert_ok(rig_put("c/1", "x", &err));
    static const struct {
        const char *after;
        int32_t n;
    } cases[] = {{"", 2},  {"a", 2}, {"a/0", 2}, {"a/1", 1}, {"a/2", 1},
                 {"b", 1}, {"c", 1}, {"c/1", 0}, {"d", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(rf_storage_list(rig_storage, "", cases[i].after, objects, 4, &n, &err));
        assert_int_equal(n, cases[i].n);
    }
    assert_fails(rf_storage_list(rig_storage, "../", "", objects, 4, &n, &err), RF_USAGE, "../");
    assert_fails(rf_storage_list(rig_storage, "", "", objects, 0, &n, &err), RF_USAGE, "");
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void storage_that_works_says_so(void **state)
{
    (void)state;
    assert_ok(rf_storage_check(rig_storage, &err));
    rf_storage_close(NULL);
}

static void name_that_would_split_a_header_is_not_signed(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\r\nSet-Cookie: x", "a\x01", "\x7f", "\xff", NULL};
    rf_buf url;
    rf_buf_init(&url);
    for (int i = 0; bad[i]; i++) {
        const rf_sign_options name = {.expires_ms = 1, .download_name = bad[i]};
        const rf_sign_options type = {.expires_ms = 1, .type = bad[i]};
        assert_fails(rf_storage_sign(rig_storage, "a", &name, &url, &err), RF_USAGE, "under that name");
        assert_fails(rf_storage_sign(rig_storage, "a", &type, &url, &err), RF_USAGE, "under that name");
    }
    assert_fails(rf_storage_sign(rig_storage, "../a", &(rf_sign_options){0}, &url, &err), RF_USAGE, "key");
    rf_buf_free(&url);
}

#define TESTS(X)                                                                                             \
    X(only_keys_made_of_safe_segments_are_taken)                                                             \
    X(key_may_have_200_bytes_and_no_more)                                                                    \
    X(object_comes_back_as_it_was_put_with_its_digest)                                                       \
    X(empty_object_is_one)                                                                                   \
    X(object_is_there_at_commit_and_not_before)                                                              \
    X(writer_without_a_commit_leaves_nothing_and_spares_the_old)                                             \
    X(object_that_is_put_again_is_replaced)                                                                  \
    X(object_that_is_not_there_is_not_found)                                                                 \
    X(more_than_the_limit_is_too_large_and_leaves_nothing)                                                   \
    X(bytes_that_are_not_those_announced_are_refused)                                                        \
    X(file_goes_in_and_out_through_descriptors)                                                              \
    X(descriptor_that_cannot_be_read_leaves_nothing)                                                         \
    X(part_of_an_object_is_read_by_its_range)                                                                \
    X(reader_goes_on_while_the_object_is_replaced_or_deleted)                                                \
    X(more_than_was_expected_is_not_read_into_memory)                                                        \
    X(deleting_twice_is_deleting_once)                                                                       \
    X(deleting_a_prefix_deletes_all_below_and_nothing_beside)                                                \
    X(list_is_in_byte_order_by_prefix_and_in_pages)                                                          \
    X(list_says_how_large_each_is)                                                                           \
    X(list_begins_after_any_key_whether_it_is_there_or_not)                                                  \
    X(storage_that_works_says_so)                                                                            \
    X(name_that_would_split_a_header_is_not_signed)

int main(void)
{
    int n_failed = 0;
    for (int i = 0; i < rig_n_sides; i++) {
        const rf_storage_side *side = &rig_sides[i];
#define ON_SIDE(name) cmocka_unit_test_setup_teardown(name, side->begin, side->end),
        const struct CMUnitTest tests[] = {TESTS(ON_SIDE)};
        n_failed += cmocka_run_group_tests_name(side->name, tests, NULL, NULL);
    }
    return n_failed;
}
