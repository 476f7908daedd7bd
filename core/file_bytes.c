/* Reading a whole file: mapped when it can be, else read to its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/file.h"

enum { FIRST_READ_BYTES = 1 << 16 };

static rf_code open_failed(const char *path, rf_error *err)
{
    switch (errno) {
    case ENOENT:
        return rf_fail_errno(err, RF_NOT_FOUND, "%s does not exist",
                             path[0] ? path : "a file without a name");
    case ENOTDIR:
        return rf_fail_errno(err, RF_NOT_FOUND, "%s does not exist: a part of its path is a file", path);
    case EACCES:
    case EPERM:
        return rf_fail_errno(err, RF_IO, "%s could not be read: permission is missing", path);
    case ELOOP:
        return rf_fail_errno(err, RF_INPUT, "%s could not be read: its symbolic links go in a circle", path);
    case ENAMETOOLONG:
        return rf_fail_errno(err, RF_INPUT, "%s could not be read: the name is too long", path);
    default:
        return rf_fail_errno(err, RF_IO, "%s could not be read: %s", path, strerrordesc_np(errno));
    }
}

static ssize_t read_some(int fd, char *out, size_t size_bytes)
{
    ssize_t n;
    do
        n = read(fd, out, size_bytes);
    while (n < 0 && errno == EINTR);
    return n;
}

/* One byte more than the content is kept and is zero, so that `data` is never NULL. */
static rf_code read_to_end(rf_file_bytes *out, int fd, const char *shown, rf_error *err)
{
    rf_code rc = RF_OK;
    size_t capacity = 0;
    for (;;) {
        size_t needed = out->size_bytes + FIRST_READ_BYTES;
        RF_TRY(rf_grow_array(&out->memory, &capacity, needed, 1, shown, err));
        char *memory = out->memory;
        ssize_t n = read_some(fd, memory + out->size_bytes, capacity - out->size_bytes - 1);
        if (n < 0)
            return rf_fail_errno(err, RF_IO, "%s could not be read: %s", shown, strerrordesc_np(errno));
        out->size_bytes += (size_t)n;
        if (n == 0) {
            memory[out->size_bytes] = 0;
            out->data = memory;
            break;
        }
    }
out:
    return rc;
}

/* False when the file cannot be mapped and must be read. */
static bool map(rf_file_bytes *out, int fd, const struct stat *info)
{
    if (!S_ISREG(info->st_mode) || info->st_size <= 0) /* files of /proc claim to be empty */
        return false;
    if (lseek(fd, 0, SEEK_CUR) != 0) /* a redirected file that somebody has read from */
        return false;
    void *mapping = mmap(NULL, (size_t)info->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED)
        return false;
    madvise(mapping, (size_t)info->st_size, MADV_SEQUENTIAL);
    out->mapping = mapping;
    out->data = mapping;
    out->size_bytes = (size_t)info->st_size;
    return true;
}

rf_code rf_file_bytes_open(rf_file_bytes *out, const char *path, rf_error *err)
{
    rf_code rc = RF_OK;
    struct stat info;
    const bool is_stdin = strcmp(path, "-") == 0;
    const char *shown = is_stdin ? "standard input" : path;
    *out = (rf_file_bytes){0};
    int fd;
    do
        fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 || fstat(fd, &info) != 0)
        rc = open_failed(shown, err);
    else if (S_ISDIR(info.st_mode))
        rc = rf_fail(err, RF_INPUT, "%s is a folder; give the name of a file", shown);
    else if (!map(out, fd, &info))
        rc = read_to_end(out, fd, shown, err);
    if (fd >= 0 && !is_stdin)
        close(fd);
    if (rc != RF_OK)
        rf_file_bytes_close(out);
    return rc;
}

void rf_file_bytes_close(rf_file_bytes *bytes)
{
    if (bytes->mapping)
        munmap(bytes->mapping, bytes->size_bytes);
    rf_free(bytes->memory);
    *bytes = (rf_file_bytes){0};
}

void rf_file_bytes_release(rf_file_bytes *bytes, size_t offset)
{
    if (!bytes->mapping)
        return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t end = (offset < bytes->size_bytes ? offset : bytes->size_bytes) / page * page;
    if (end)
        madvise(bytes->mapping, end, MADV_DONTNEED);
}
