/* What only the folder side can be asked. */
#include "rf_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "storage_rig.h"

static rf_error err;

static char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", rig_folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    fputs(text, file);
    fclose(file);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void byte_that_changed_on_disk_is_found_by_the_reader(void **state)
{
    (void)state;
    rf_buf buf;
    rf_buf_init(&buf);
    assert_ok(rig_put("a/b", "correct", &err));
    write_file("a/b", "corrupt");
    assert_fails(rf_storage_get_bytes(rig_storage, "a/b", 100, &buf, &err), RF_CORRUPT, "a/b is damaged");
    const int out = open("/dev/null", O_WRONLY);
    assert_fails(rf_storage_get_fd(rig_storage, "a/b", out, NULL, NULL, &err), RF_CORRUPT, "a/b is damaged");
    close(out);
    rf_buf_free(&buf);
}

static void object_whose_digest_is_lost_is_still_read(void **state)
{
    (void)state;
    rf_object object;
    assert_ok(rig_put("a/b", "text", &err));
    assert_int_equal(unlink(path_of("a/.b.sha256")), 0);
    assert_ok(rf_storage_stat(rig_storage, "a/b", &object, &err));
    assert_string_equal(object.sha256, "");
    assert_string_equal(rig_get("a/b"), "text");
    write_file("a/.b.sha256", "nonsense");
    assert_string_equal(rig_get("a/b"), "text");
}

static void replacement_that_ended_between_digest_and_bytes_leaves_the_old_ones_readable(void **state)
{
    (void)state;
    static const char *const replacements[] = {"longer than before", "new"};
    for (size_t i = 0; i < 2; i++) {
        assert_ok(rig_put("a", "old", &err));
        rf_storage_fail_at(0);
        assert_ok(rig_put("probe", replacements[i], &err));
        const int64_t n_ops = rf_storage_op_count();
        rf_storage_fail_at(n_ops); /* the last: the rename of the bytes */
        assert_fails(rig_put("a", replacements[i], &err), RF_UNAVAILABLE, "the disk is full");
        rf_storage_fail_at(0);
        assert_string_equal(rig_get("a"), "old");
        assert_ok(rig_put("a", "newest", &err));
        assert_string_equal(rig_get("a"), "newest");
    }
}

/* ---- other things in the folder -------------------------------------------------------------- */

static void symbolic_links_are_not_followed(void **state)
{
    (void)state;
    rf_object object;
    char outside[] = "/tmp/rowforge-outside-XXXXXX";
    assert_non_null(mkdtemp(outside));
    assert_int_equal(symlink(outside, path_of("link")), 0);
    assert_int_equal(symlink("/etc/passwd", path_of("passwd")), 0);
    rf_error put_err = {0};
    assert_int_not_equal(rig_put("link/file", "x", &put_err), RF_OK);
    assert_fails(rf_storage_stat(rig_storage, "passwd", &object, &err), RF_NOT_FOUND, "passwd");
    assert_fails(rf_storage_stat(rig_storage, "link/file", &object, &err), RF_NOT_FOUND, "link/file");
    assert_string_equal(rig_list("", 4), "");
    assert_ok(rig_put("passwd", "mine", &err)); /* takes the name, not the target */
    assert_string_equal(rig_get("passwd"), "mine");
    assert_int_equal(rmdir(outside), 0);
}

static void pipes_and_folders_are_no_objects(void **state)
{
    (void)state;
    rf_object object;
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    assert_fails(rf_storage_stat(rig_storage, "pipe", &object, &err), RF_NOT_FOUND, "pipe");
    assert_fails(rf_storage_stat(rig_storage, "folder", &object, &err), RF_NOT_FOUND, "folder");
    assert_string_equal(rig_list("", 4), "");
}

static void files_and_folders_are_for_their_owner_alone(void **state)
{
    (void)state;
    struct stat info;
    const mode_t before = umask(0);
    assert_ok(rig_put("a/b", "x", &err));
    umask(before);
    assert_int_equal(stat(path_of("a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(path_of("a/b"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(path_of("a/.b.sha256"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void empty_folders_go_with_their_last_object(void **state)
{
    (void)state;
    assert_ok(rig_put("jobs/1/7/data", "x", &err));
    assert_ok(rig_put("jobs/2/8/data", "x", &err));
    assert_ok(rf_storage_delete(rig_storage, "jobs/1/7/data", &err));
    assert_int_equal(access(path_of("jobs/1"), F_OK), -1);
    assert_int_equal(access(path_of("jobs/2/8"), F_OK), 0);
    assert_ok(rf_storage_delete(rig_storage, "jobs/2/8/data", &err));
    assert_int_equal(rig_count_files(), 0);
}

static void left_over_files_are_swept_by_their_age(void **state)
{
    (void)state;
    int64_t n = -1;
    assert_ok(rig_put("a/b", "x", &err));
    write_file("a/.tmp-0123456789abcdef", "half");
    write_file("a/.gone.sha256", "digest of nothing");
    assert_ok(rf_storage_sweep(rig_storage, 3600 * 1000, &n, &err));
    assert_int_equal(n, 0);
    assert_ok(rf_storage_sweep(rig_storage, -1000, &n, &err)); /* older than a second from now */
    assert_int_equal(n, 2);
    assert_int_equal(rig_count_files(), 3); /* a, a/b, a/.b.sha256 */
    assert_string_equal(rig_get("a/b"), "x");
}

static void folder_is_shared_between_processes(void **state)
{
    (void)state;
    rf_storage *other = rig_open_again();
    rf_object object;
    assert_ok(rig_put("a", "x", &err));
    assert_ok(rf_storage_stat(other, "a", &object, &err));
    assert_ok(rf_storage_delete(other, "a", &err));
    assert_fails(rf_storage_stat(rig_storage, "a", &object, &err), RF_NOT_FOUND, "a");
    rf_storage_close(other);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void full_disk_at_any_moment_leaves_the_old_object_and_nothing_else(void **state)
{
    (void)state;
    static char text[300000];
    memset(text, 'x', sizeof text - 1);
    rf_storage_fail_at(0);
    assert_ok(rig_put("deep/er/probe", text, &err));
    const int64_t n_ops = rf_storage_op_count();
    assert_true(n_ops >= 8); /* folders, a file, a write, a sync, the same of the digest, two renames */
    assert_ok(rf_storage_delete(rig_storage, "deep/er/probe", &err));
    for (int64_t nth = 1; nth <= n_ops; nth++) {
        rf_storage_fail_at(nth);
        assert_fails(rig_put("deep/er/fresh", text, &err), RF_UNAVAILABLE, "the disk is full");
        rf_storage_fail_at(0);
        assert_string_equal(rig_list("", 4), "");
        assert_in_range(rig_count_files(), 0, 1); /* an empty folder may stay when its own making failed */
    }
    assert_ok(rig_put("kept", "old", &err));
    const int n_files = rig_count_files();
    for (int64_t nth = 1; nth <= n_ops - 2; nth++) {
        rf_storage_fail_at(nth);
        assert_fails(rig_put("kept", text, &err), RF_UNAVAILABLE, "the disk is full");
        rf_storage_fail_at(0);
        assert_string_equal(rig_get("kept"), "old");
        assert_int_equal(rig_count_files(), n_files);
    }
}

static void file_that_the_system_allows_no_further_is_refused_and_removed(void **state)
{
    (void)state;
    static char text[300000];
    memset(text, 'x', sizeof text - 1);
    struct rlimit before, small = {.rlim_cur = 100000};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rf_error put_err = {0};
    const rf_code rc = rig_put("a/b", text, &put_err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, RF_TOO_LARGE);
    assert_int_equal(rig_count_files(), 0);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int64_t nth = 1;; nth++) {
        rf_buf buf;
        rf_buf_init(&buf);
        rf_alloc_fail_at(nth);
        rf_code rc = rig_put("a/b", "text", &err);
        if (rc == RF_OK)
            rc = rf_storage_get_bytes(rig_storage, "a/b", 100, &buf, &err);
        if (rc == RF_OK)
            rc = rf_storage_delete_prefix(rig_storage, "a/", NULL, &err);
        const bool all_done = rf_alloc_count() < nth;
        rf_alloc_fail_at(0);
        rf_buf_free(&buf);
        assert_ok(rf_storage_delete(rig_storage, "a/b", &err));
        assert_int_equal(rig_count_files(), 0);
        assert_int_equal(rc, all_done ? RF_OK : RF_NO_MEMORY);
        if (all_done)
            break;
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *put_and_delete(void *arg)
{
    rf_error own = {0};
    char key[64];
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "shared/folder/%d", (int)(intptr_t)arg);
        if (rf_storage_put_bytes(rig_storage, key, "x", 1, &(rf_put_options){.transient = true}, NULL,
                                 &own) != RF_OK ||
            rf_storage_delete(rig_storage, key, &own) != RF_OK)
            return strdup(own.message);
    }
    return NULL;
}

static void folders_that_go_and_come_lose_no_object(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_delete, (void *)i), 0);
    for (int i = 0; i < 4; i++) {
        void *failure = NULL;
        pthread_join(threads[i], &failure);
        if (failure)
            fail_msg("%s", (char *)failure);
    }
    assert_int_equal(rig_count_files(), 0);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void folder_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    rf_storage *storage = NULL;
    write_file("file", "x");
    assert_fails(rf_storage_open_folder(&storage, path_of("file"), "s", 1, &err), RF_IO,
                 "file cannot be opened");
    assert_fails(rf_storage_open_folder(&storage, path_of("no/such"), "s", 1, &err), RF_IO,
                 "no/such cannot be made");
    assert_null(storage);
}

int main(void)
{
#define STORED(name) cmocka_unit_test_setup_teardown(name, rig_begin_folder, rig_end_folder)
    const struct CMUnitTest tests[] = {
        STORED(byte_that_changed_on_disk_is_found_by_the_reader),
        STORED(object_whose_digest_is_lost_is_still_read),
        STORED(replacement_that_ended_between_digest_and_bytes_leaves_the_old_ones_readable),
        STORED(symbolic_links_are_not_followed),
        STORED(pipes_and_folders_are_no_objects),
        STORED(files_and_folders_are_for_their_owner_alone),
        STORED(empty_folders_go_with_their_last_object),
        STORED(left_over_files_are_swept_by_their_age),
        STORED(folder_is_shared_between_processes),
        STORED(full_disk_at_any_moment_leaves_the_old_object_and_nothing_else),
        STORED(file_that_the_system_allows_no_further_is_refused_and_removed),
        STORED(every_allocation_may_fail),
        STORED(folders_that_go_and_come_lose_no_object),
        STORED(folder_that_cannot_be_opened_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
