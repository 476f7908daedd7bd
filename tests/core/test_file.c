#include "rf_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/file.h"

/* ---- a folder of its own for each test ---------------------------------------------------------- */

enum { NOBODY = 65534 };

static char folder[256];

static int enter_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/rowforge test XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int count_files(void)
{
    int n = 0;
    DIR *dir = opendir(".");
    for (struct dirent *entry; (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static void remove_all(void)
{
    DIR *dir = opendir(".");
    for (struct dirent *entry; (entry = readdir(dir));)
        if (unlink(entry->d_name) != 0)
            (void)!rmdir(entry->d_name);
    closedir(dir);
}

static int leave_folder(void **state)
{
    (void)state;
    chmod(".", 0700);
    remove_all();
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void assert_content(const char *path, const char *expected)
{
    rf_error err = {0};
    rf_file_bytes bytes;
    assert_ok(rf_file_bytes_open(&bytes, path, &err));
    assert_int_equal(bytes.size_bytes, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.size_bytes);
    rf_file_bytes_close(&bytes);
}

static rf_code store(const char *path, const char *text, rf_error *err)
{
    return rf_file_store(path, text, strlen(text), err);
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void file_appears_at_commit_and_not_before(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_writer *writer = NULL;
    assert_ok(rf_file_writer_open(&writer, "out.csv", &err));
    assert_ok(rf_file_write(writer, "a,b\n", 4, &err));
    assert_int_equal(access("out.csv", F_OK), -1);
    assert_ok(rf_file_writer_commit(writer, &err));
    assert_content("out.csv", "a,b\n");
    rf_file_writer_close(writer);
    assert_int_equal(count_files(), 1);
    rf_file_writer_close(NULL);
}

static void file_that_is_not_committed_leaves_nothing_and_spares_the_old_one(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_writer *writer = NULL;
    assert_ok(store("out.csv", "old", &err));
    assert_ok(rf_file_writer_open(&writer, "out.csv", &err));
    assert_ok(rf_file_write(writer, "new", 3, &err));
    rf_file_writer_close(writer);
    assert_content("out.csv", "old");
    assert_int_equal(count_files(), 1);
}

static void pieces_of_any_size_arrive_in_order(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, 262143, 262144, 262145, 3, 700000, 0, 5};
    rf_error err = {0};
    rf_file_writer *writer = NULL;
    static char piece[700000];
    size_t total = 0;
    assert_ok(rf_file_writer_open(&writer, "big", &err));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(piece, 'a' + (int)i, sizes[i]);
        assert_ok(rf_file_write(writer, piece, sizes[i], &err));
        total += sizes[i];
    }
    assert_ok(rf_file_writer_commit(writer, &err));
    rf_file_writer_close(writer);
    rf_file_bytes bytes;
    assert_ok(rf_file_bytes_open(&bytes, "big", &err));
    assert_int_equal(bytes.size_bytes, total);
    size_t at = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (bytes.data[at++] != 'a' + (char)i)
                fail_msg("byte %zu is not of piece %zu", at - 1, i);
    rf_file_bytes_close(&bytes);
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_mode & 07777 : 0;
}

static void new_file_follows_the_umask_and_a_replaced_one_keeps_its_mode(void **state)
{
    (void)state;
    rf_error err = {0};
    mode_t before = umask(027);
    assert_ok(store("new", "x", &err));
    umask(before);
    assert_int_equal(mode_of("new"), 0640);
    assert_int_equal(chmod("new", 0600), 0);
    assert_ok(store("new", "y", &err));
    assert_int_equal(mode_of("new"), 0600);
    assert_content("new", "y");
}

static void symbolic_links_stay_and_their_targets_are_written(void **state)
{
    (void)state;
    rf_error err = {0};
    struct stat info;
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_ok(store("sub/target", "old", &err));
    assert_int_equal(symlink("sub/target", "one"), 0);
    assert_int_equal(symlink("one", "two"), 0);
    assert_int_equal(symlink("sub/absent", "dangling"), 0);
    assert_ok(store("two", "new", &err));
    assert_ok(store("dangling", "made", &err));
    assert_content("sub/target", "new");
    assert_content("sub/absent", "made");
    assert_true(lstat("one", &info) == 0 && S_ISLNK(info.st_mode));
    assert_true(lstat("two", &info) == 0 && S_ISLNK(info.st_mode));
    assert_int_equal(unlink("sub/target") | unlink("sub/absent"), 0);
}

static void name_as_long_as_the_system_allows_can_be_written(void **state)
{
    (void)state;
    rf_error err = {0};
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    assert_ok(store(name, "x", &err));
    assert_content(name, "x");
}

static void device_is_written_in_place(void **state)
{
    (void)state;
    rf_error err = {0};
    assert_ok(store("/dev/null", "x", &err));
    struct stat info;
    assert_true(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
}

static void descriptor_named_as_a_file_is_written_in_place(void **state)
{
    (void)state;
    rf_error err = {0};
    int ends[2];
    char name[32], text[8] = "";
    assert_int_equal(pipe(ends), 0);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[1]);
    assert_ok(store(name, "through", &err));
    assert_int_equal(read(ends[0], text, sizeof text), 7);
    assert_memory_equal(text, "through", 7);
    close(ends[0]);
    close(ends[1]);
}

static void names_that_cannot_be_written_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static char too_long[6000];
    memset(too_long, 'x', sizeof too_long - 1);
    const struct {
        const char *path;
        rf_code code;
        const char *part;
    } cases[] = {{"absent/out.csv", RF_NOT_FOUND, "absent/out.csv cannot be made: its folder does not exist"},
                 {".", RF_INPUT, "is a folder"},
                 {"sub", RF_INPUT, "is a folder"},
                 {"absent/", RF_INPUT, "is a folder"},
                 {"", RF_NOT_FOUND, "does not exist"},
                 {"file/out.csv", RF_INPUT, "a part of its path is a file"},
                 {"circle", RF_INPUT, "go in a circle"},
                 {too_long, RF_INPUT, ""},
                 {"/dev/full", RF_IO, "the disk is full"}};
    rf_error err = {0};
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(symlink("circle", "circle"), 0);
    assert_ok(store("file", "x", &err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(store(cases[i].path, "x", &err), cases[i].code, cases[i].part);
    assert_int_equal(count_files(), 3);
}

static void file_that_may_not_be_written_is_not_replaced(void **state)
{
    (void)state;
    rf_error err = {0};
    const bool is_root = geteuid() == 0; /* who may write everything, and so steps down for a moment */
    assert_ok(store("theirs", "old", &err));
    assert_int_equal(chmod("theirs", 0444), 0);
    assert_true(!is_root || (chown(".", NOBODY, NOBODY) == 0 && seteuid(NOBODY) == 0));
    rf_error file_err = {0}, folder_err = {0};
    rf_code file_rc = store("theirs", "new", &file_err);
    const bool is_closed = chmod(".", 0500) == 0;
    rf_code folder_rc = store("other", "new", &folder_err);
    assert_true(!is_root || seteuid(0) == 0);
    assert_true(is_closed);
    assert_int_equal(file_rc, RF_IO);
    assert_non_null(strstr(file_err.message, "permission is missing"));
    assert_int_equal(folder_rc, RF_IO);
    assert_non_null(strstr(folder_err.message, "permission is missing"));
    assert_content("theirs", "old");
}

static void failure_of_any_write_leaves_the_old_file_and_nothing_else(void **state)
{
    (void)state;
    static char text[600000]; /* more than a buffer, so that write is called more than once */
    memset(text, 'x', sizeof text - 1);
    rf_error err = {0};
    rf_file_fail_at(0);
    assert_ok(store("probe", text, &err));
    int64_t n_ops = rf_file_op_count();
    assert_true(n_ops >= 4); /* open, write, fsync, rename */
    assert_int_equal(unlink("probe"), 0);
    for (int64_t nth = 1; nth <= n_ops; nth++) {
        rf_file_fail_at(nth);
        assert_fails(store("fresh", text, &err), RF_IO, "the disk is full");
        rf_file_fail_at(0);
        assert_int_equal(count_files(), 0);
    }
    assert_ok(store("kept", "old", &err));
    for (int64_t nth = 1; nth <= n_ops; nth++) {
        rf_file_fail_at(nth);
        assert_fails(store("kept", text, &err), RF_IO, "the disk is full");
        rf_file_fail_at(0);
        assert_content("kept", "old");
        assert_int_equal(count_files(), 1);
    }
}

static void writer_that_failed_once_cannot_be_committed(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_writer *writer = NULL;
    static const char piece[1 << 18];
    assert_ok(rf_file_writer_open(&writer, "out", &err));
    rf_file_fail_at(1);
    assert_fails(rf_file_write(writer, piece, sizeof piece, &err), RF_IO, "the disk is full");
    rf_file_fail_at(0);
    assert_fails(rf_file_write(writer, piece, sizeof piece, &err), RF_IO, "an earlier part");
    assert_fails(rf_file_writer_commit(writer, &err), RF_IO, "an earlier part");
    rf_file_writer_close(writer);
    assert_int_equal(count_files(), 0);
}

static void writer_without_memory_says_so(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_alloc_fail_at(1);
    assert_fails(store("out", "x", &err), RF_NO_MEMORY, "not enough memory to write out");
    rf_alloc_fail_at(0);
    assert_int_equal(count_files(), 0);
}

static void pipe_without_a_reader_is_an_error_and_no_signal(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_writer *writer = NULL;
    sigset_t pending;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    int reader = open("pipe", O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_ok(rf_file_writer_open(&writer, "pipe", &err));
    close(reader);
    assert_ok(rf_file_write(writer, "x", 1, &err));
    assert_fails(rf_file_writer_commit(writer, &err), RF_IO, "was closed by its reader");
    rf_file_writer_close(writer);
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGPIPE));
}

/* ---- reading ------------------------------------------------------------------------------------ */

static void empty_file_is_empty_and_not_absent(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_bytes bytes;
    assert_ok(store("empty", "", &err));
    assert_ok(rf_file_bytes_open(&bytes, "empty", &err));
    assert_non_null(bytes.data);
    assert_int_equal(bytes.size_bytes, 0);
    rf_file_bytes_close(&bytes);
    rf_file_bytes_close(&bytes);
    rf_file_bytes_close(&(rf_file_bytes){0});
}

static void *feed_pipe(void *arg)
{
    static char piece[50000];
    memset(piece, 'p', sizeof piece);
    int fd = open((const char *)arg, O_WRONLY);
    for (int i = 0; i < 10; i++)
        for (size_t sent = 0; sent < sizeof piece;) {
            ssize_t n = write(fd, piece + sent, sizeof piece - sent);
            sent += n > 0 ? (size_t)n : 0;
        }
    close(fd);
    return NULL;
}

static void pipe_is_read_to_its_end(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_bytes bytes;
    pthread_t feeder;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(pthread_create(&feeder, NULL, feed_pipe, (void *)"pipe"), 0);
    assert_ok(rf_file_bytes_open(&bytes, "pipe", &err));
    pthread_join(feeder, NULL);
    assert_int_equal(bytes.size_bytes, 500000);
    assert_true(bytes.data[0] == 'p' && bytes.data[499999] == 'p');
    rf_file_bytes_release(&bytes, 400000);
    assert_int_equal(bytes.data[0], 'p');
    rf_file_bytes_close(&bytes);
}

static void file_of_proc_that_claims_to_be_empty_is_read(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_bytes bytes;
    assert_ok(rf_file_bytes_open(&bytes, "/proc/self/status", &err));
    assert_true(bytes.size_bytes > 100);
    rf_file_bytes_close(&bytes);
}

static void released_part_of_a_file_can_still_be_read(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_bytes bytes;
    static char text[100000];
    memset(text, 'r', sizeof text - 1);
    assert_ok(store("file", text, &err));
    assert_ok(rf_file_bytes_open(&bytes, "file", &err));
    static const size_t offsets[] = {0, 1, 4096, 50001, 99999, SIZE_MAX};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        rf_file_bytes_release(&bytes, offsets[i]);
        assert_memory_equal(bytes.data, text, bytes.size_bytes);
    }
    rf_file_bytes_close(&bytes);
}

static void files_that_cannot_be_read_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        rf_code code;
        const char *part;
    } cases[] = {{"absent.csv", RF_NOT_FOUND, "absent.csv does not exist"},
                 {"absent/file.csv", RF_NOT_FOUND, "does not exist"},
                 {"", RF_NOT_FOUND, "does not exist"},
                 {"file/x", RF_NOT_FOUND, "a part of its path is a file"},
                 {"circle", RF_INPUT, "go in a circle"},
                 {".", RF_INPUT, "is a folder"}};
    rf_error err = {0};
    rf_file_bytes bytes;
    assert_int_equal(symlink("circle", "circle"), 0);
    assert_ok(store("file", "x", &err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(rf_file_bytes_open(&bytes, cases[i].path, &err), cases[i].code, cases[i].part);
        rf_file_bytes_close(&bytes);
    }
}

static void reading_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_file_bytes bytes;
    rf_alloc_fail_at(0);
    assert_ok(rf_file_bytes_open(&bytes, "/proc/self/status", &err));
    rf_file_bytes_close(&bytes);
    int64_t n_allocations = rf_alloc_count();
    assert_true(n_allocations >= 1);
    for (int64_t nth = 1; nth <= n_allocations; nth++) {
        rf_alloc_fail_at(nth);
        assert_fails(rf_file_bytes_open(&bytes, "/proc/self/status", &err), RF_NO_MEMORY,
                     "/proc/self/status");
        rf_file_bytes_close(&bytes);
    }
    rf_alloc_fail_at(0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(file_appears_at_commit_and_not_before),
        IN_FOLDER(file_that_is_not_committed_leaves_nothing_and_spares_the_old_one),
        IN_FOLDER(pieces_of_any_size_arrive_in_order),
        IN_FOLDER(new_file_follows_the_umask_and_a_replaced_one_keeps_its_mode),
        IN_FOLDER(symbolic_links_stay_and_their_targets_are_written),
        IN_FOLDER(name_as_long_as_the_system_allows_can_be_written),
        IN_FOLDER(device_is_written_in_place),
        IN_FOLDER(descriptor_named_as_a_file_is_written_in_place),
        IN_FOLDER(names_that_cannot_be_written_are_refused_with_a_sentence),
        IN_FOLDER(file_that_may_not_be_written_is_not_replaced),
        IN_FOLDER(failure_of_any_write_leaves_the_old_file_and_nothing_else),
        IN_FOLDER(writer_that_failed_once_cannot_be_committed),
        IN_FOLDER(writer_without_memory_says_so),
        IN_FOLDER(pipe_without_a_reader_is_an_error_and_no_signal),
        IN_FOLDER(empty_file_is_empty_and_not_absent),
        IN_FOLDER(pipe_is_read_to_its_end),
        IN_FOLDER(file_of_proc_that_claims_to_be_empty_is_read),
        IN_FOLDER(released_part_of_a_file_can_still_be_read),
        IN_FOLDER(files_that_cannot_be_read_are_refused_with_a_sentence),
        IN_FOLDER(reading_survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
