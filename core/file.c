/* Writing. A reader of the target sees the old file or the whole new one: the bytes go to a hidden file
 * in the same folder, which takes the target's name when it is complete and on disk. What cannot be
 * replaced so (standard output, a device, a pipe) is written in place. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/clock.h"

enum { BUFFER_BYTES = 1 << 18, MOST_LINKS = 40, MOST_NAME_TRIES = 100, SHOWN_NAME_MAX = 180 };

struct rf_file_writer {
    int fd;
    bool in_place;
    bool is_broken; /* a write failed: what follows must not be committed */
    char shown[SHOWN_NAME_MAX];
    char target[PATH_MAX], temporary[PATH_MAX];
    size_t n_buffered;
    char buffer[BUFFER_BYTES];
};

/* ---- failing on purpose ---------------------------------------------------------------------- */

static atomic_bool counting;
static _Atomic int64_t n_ops;
static _Atomic int64_t fail_at;

void rf_file_fail_at(int64_t nth)
{
    atomic_store(&n_ops, 0);
    atomic_store(&fail_at, nth);
    atomic_store(&counting, true);
}

int64_t rf_file_op_count(void)
{
    return atomic_load(&n_ops);
}

/* Counts an operation on a file; true, with errno set, when it is the one that must fail. */
static bool must_fail(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return false;
    if (atomic_fetch_add(&n_ops, 1) + 1 != atomic_load(&fail_at))
        return false;
    errno = ENOSPC;
    return true;
}

/* ---- saying what went wrong ------------------------------------------------------------------ */

static rf_code write_failed(const rf_file_writer *writer, rf_error *err)
{
    const char *name = writer->shown;
    switch (errno) {
    case ENOSPC:
        return rf_fail_errno(err, RF_IO, "%s could not be written: the disk is full", name);
    case EDQUOT:
        return rf_fail_errno(err, RF_IO, "%s could not be written: your quota on this disk is used up", name);
    case EFBIG:
        return rf_fail_errno(err, RF_IO, "%s could not be written: files here may not be that large", name);
    case EPIPE:
        return rf_fail_errno(err, RF_IO, "%s was closed by its reader before everything was written", name);
    case EACCES:
    case EPERM:
        return rf_fail_errno(err, RF_IO, "%s could not be written: permission is missing", name);
    case EROFS:
        return rf_fail_errno(err, RF_IO, "%s could not be written: the disk is read-only", name);
    default:
        return rf_fail_errno(err, RF_IO, "%s could not be written: %s", name, strerrordesc_np(errno));
    }
}

static rf_code open_failed(const rf_file_writer *writer, rf_error *err)
{
    const char *name = writer->shown;
    switch (errno) {
    case ENOENT:
        return rf_fail_errno(err, RF_NOT_FOUND, "%s cannot be made: its folder does not exist", name);
    case ENOTDIR:
        return rf_fail_errno(err, RF_INPUT, "%s cannot be made: a part of its path is a file, not a folder",
                             name);
    case EISDIR:
        return rf_fail_errno(err, RF_INPUT, "%s is a folder; give the name of a file", name);
    case ENAMETOOLONG:
        return rf_fail_errno(err, RF_INPUT, "%s cannot be made: the name is too long", name);
    case ELOOP:
        return rf_fail_errno(err, RF_INPUT, "%s cannot be made: its symbolic links go in a circle", name);
    default:
        return write_failed(writer, err);
    }
}

/* ---- where the bytes go ---------------------------------------------------------------------- */

/* Replaces the last part of `path`, which is a symbolic link, by what the link says. */
static bool follow_link(char path[PATH_MAX])
{
    char link[PATH_MAX];
    ssize_t length = readlink(path, link, sizeof link - 1);
    if (length < 0)
        return false;
    link[length] = 0;
    char *slash = strrchr(path, '/');
    size_t folder = link[0] == '/' || !slash ? 0 : (size_t)(slash - path) + 1;
    if (folder + (size_t)length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(path + folder, link, (size_t)length + 1);
    return true;
}

/* The file behind `path`: renaming onto a link would replace the link, not the file. */
static bool resolve(char out[PATH_MAX], const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || length >= PATH_MAX) {
        errno = length ? ENAMETOOLONG : ENOENT;
        return false;
    }
    memcpy(out, path, length + 1);
    for (int i = 0; i < MOST_LINKS; i++) {
        struct stat info;
        if (lstat(out, &info) != 0)
            return errno == ENOENT;
        if (!S_ISLNK(info.st_mode))
            return true;
        if (!follow_link(out))
            return false;
    }
    errno = ELOOP;
    return false;
}

/* ".name.<unique>.tmp" in the target's folder; the name is cut so that the whole fits a file name. */
static bool name_temporary(rf_file_writer *writer, int attempt)
{
    static _Atomic uint32_t n_named;
    const char *slash = strrchr(writer->target, '/');
    int folder = slash ? (int)(slash - writer->target) + 1 : 0;
    unsigned unique = (unsigned)rf_clock_wall_us() ^ (unsigned)attempt << 20;
    int length = snprintf(writer->temporary, sizeof writer->temporary, "%.*s.%.200s.%d-%u-%08x.tmp", folder,
                          writer->target, writer->target + folder, (int)getpid(),
                          atomic_fetch_add(&n_named, 1), unique);
    if (length < 0 || (size_t)length >= sizeof writer->temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

/* The mode of a new file follows the umask; a file that is replaced hands its mode on. */
static bool open_temporary(rf_file_writer *writer, const struct stat *replaced)
{
    for (int attempt = 0; attempt < MOST_NAME_TRIES; attempt++) {
        if (!name_temporary(writer, attempt) || must_fail())
            break;
        writer->fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writer->fd >= 0) {
            if (replaced)
                (void)!fchmod(writer->fd, replaced->st_mode & 07777);
            return true;
        }
        if (errno != EEXIST)
            break;
    }
    writer->temporary[0] = 0;
    return false;
}

static bool open_in_place(rf_file_writer *writer, const char *path)
{
    writer->in_place = true;
    if (must_fail())
        return false;
    do
        writer->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    while (writer->fd < 0 && errno == EINTR);
    return writer->fd >= 0;
}

static bool open_stdout(rf_file_writer *writer)
{
    writer->in_place = true;
    writer->fd = must_fail() ? -1 : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    return writer->fd >= 0;
}

static bool open_absent(rf_file_writer *writer)
{
    const char *end = strchr(writer->target, 0);
    if (end > writer->target && end[-1] == '/') {
        errno = EISDIR;
        return false;
    }
    return open_temporary(writer, NULL);
}

/* The kind of thing is asked for by the name that was given: /dev/fd/3 is a link whose text is no path. */
static bool open_target(rf_file_writer *writer, const char *path)
{
    struct stat info;
    if (strcmp(path, "-") == 0)
        return open_stdout(writer);
    const bool exists = stat(path, &info) == 0;
    if (!exists && errno != ENOENT)
        return false;
    if (exists && S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return false;
    }
    if (exists && (!S_ISREG(info.st_mode) || strncmp(path, "/dev/", 5) == 0))
        return open_in_place(writer, path);
    if (!resolve(writer->target, path))
        return false;
    if (!exists)
        return open_absent(writer);
    return faccessat(AT_FDCWD, writer->target, W_OK, AT_EACCESS) == 0 && open_temporary(writer, &info);
}

rf_code rf_file_writer_open(rf_file_writer **out, const char *path, rf_error *err)
{
    *out = NULL;
    rf_file_writer *writer = rf_malloc(sizeof *writer);
    if (!writer)
        return rf_fail(err, RF_NO_MEMORY, "not enough memory to write %s", path);
    memset(writer, 0, offsetof(rf_file_writer, buffer));
    writer->fd = -1;
    snprintf(writer->shown, sizeof writer->shown, "%s", strcmp(path, "-") == 0 ? "standard output" : path);
    if (!open_target(writer, path)) {
        rf_code rc = open_failed(writer, err);
        rf_file_writer_close(writer);
        return rc;
    }
    *out = writer;
    return RF_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A pipe without a reader raises SIGPIPE, which would end the program without a word. It is held back
 * around the write and taken off the list, so that only the error remains. */
static ssize_t write_without_signal(int fd, const char *data, size_t size_bytes)
{
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t n = write(fd, data, size_bytes);
    int failure = errno;
    if (n < 0 && failure == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_only, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failure;
    return n;
}

static bool write_all(rf_file_writer *writer, const char *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        size_t part = size_bytes < (1u << 30) ? size_bytes : 1u << 30;
        if (must_fail())
            return false;
        ssize_t n =
            writer->in_place ? write_without_signal(writer->fd, data, part) : write(writer->fd, data, part);
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = writer->fd, .events = POLLOUT}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            data += n;
            size_bytes -= (size_t)n;
        }
    }
    return true;
}

static rf_code flush(rf_file_writer *writer, rf_error *err)
{
    if (writer->is_broken)
        return rf_fail(err, RF_IO, "%s could not be written: an earlier part of it failed", writer->shown);
    size_t n_buffered = writer->n_buffered;
    writer->n_buffered = 0;
    if (write_all(writer, writer->buffer, n_buffered))
        return RF_OK;
    writer->is_broken = true;
    return write_failed(writer, err);
}

rf_code rf_file_write(rf_file_writer *writer, const void *data, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    if (size_bytes > BUFFER_BYTES - writer->n_buffered)
        RF_TRY(flush(writer, err));
    if (size_bytes >= BUFFER_BYTES) {
        RF_TRY(flush(writer, err));
        if (!write_all(writer, data, size_bytes)) {
            writer->is_broken = true;
            return write_failed(writer, err);
        }
        return RF_OK;
    }
    if (size_bytes)
        memcpy(writer->buffer + writer->n_buffered, data, size_bytes);
    writer->n_buffered += size_bytes;
out:
    return rc;
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool sync_file(int fd)
{
    if (must_fail())
        return false;
    int failed;
    do
        failed = fsync(fd);
    while (failed && errno == EINTR);
    return !failed || errno == EINVAL; /* some file systems have nothing to sync */
}

/* Makes the new name last. The file is whole already, so a failure here is not worth an error. */
static void sync_folder(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path ? 1 : 0] = 0;
    int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

rf_code rf_file_writer_commit(rf_file_writer *writer, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(flush(writer, err));
    if (writer->in_place)
        return RF_OK;
    if (!sync_file(writer->fd) || must_fail() || rename(writer->temporary, writer->target) != 0) {
        writer->is_broken = true;
        return write_failed(writer, err);
    }
    writer->temporary[0] = 0;
    sync_folder(writer->target);
out:
    return rc;
}

void rf_file_writer_close(rf_file_writer *writer)
{
    if (!writer)
        return;
    int failure = errno;
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->temporary[0])
        unlink(writer->temporary);
    rf_free(writer);
    errno = failure;
}

rf_code rf_file_store(const char *path, const void *data, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_file_writer *writer = NULL;
    RF_TRY(rf_file_writer_open(&writer, path, err));
    RF_TRY(rf_file_write(writer, data, size_bytes, err));
    RF_TRY(rf_file_writer_commit(writer, err));
out:
    rf_file_writer_close(writer);
    return rc;
}
