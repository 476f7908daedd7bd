/* Objects as files of a folder.
 *
 *     objects/datasets/12/data              the bytes
 *     objects/datasets/12/.data.sha256      "<sha256> <size>\n", and while it is being replaced a second line for the old bytes
 *     objects/datasets/12/.tmp-4f0c…        what is being written
 *
 * Bytes go to a temporary file, are synced, and take their name by a rename; the digest takes its name just before. A process that
 * dies between the two leaves old bytes under a digest file that knows both. Folders are opened one by one without following symbolic
 * links: nothing outside is ever touched, whatever lies in there. A folder that has become empty goes; a writer that finds its folder
 * gone makes it again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/text.h"
#include "crypto/secret.h"
#include "storage/file_token.h"
#include "storage/storage_internal.h"
#include "storage/storage_tree.h"

enum { MOST_TRIES = 20, NAME_BYTES = 256, LEAST_FREE_BYTES = 16 << 20, DIGESTS = 2, SIDE_BYTES_MAX = 256 };

typedef struct folder {
    rf_storage base;
    int root_fd;
    rf_hmac *hmac;
} folder;

typedef struct folder_writer {
    rf_storage_writer base;
    int dir_fd, fd;
    bool transient;
    char temporary[32], name[NAME_BYTES];
} folder_writer;

typedef struct folder_reader {
    rf_storage_reader base;
    int fd;
    int64_t at;
    char digest[DIGESTS][RF_SHA256_HEX_SIZE];
} folder_reader;

/* ---- failing on purpose ---------------------------------------------------------------------- */

static atomic_bool counting;
static _Atomic int64_t n_ops, fail_at;

void rf_storage_fail_at(int64_t nth)
{
    atomic_store(&n_ops, 0);
    atomic_store(&fail_at, nth);
    atomic_store(&counting, true);
}

int64_t rf_storage_op_count(void)
{
    return atomic_load(&n_ops);
}

static bool must_fail(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed) ||
        atomic_fetch_add(&n_ops, 1) + 1 != atomic_load(&fail_at))
        return false;
    errno = ENOSPC;
    return true;
}

static rf_code write_failed(const char *key, rf_error *err)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return rf_fail_errno(err, RF_UNAVAILABLE, "%s could not be stored: the disk is full", key);
    if (errno == EFBIG)
        return rf_fail_errno(err, RF_TOO_LARGE, "%s could not be stored: files here may not be that large",
                             key);
    return rf_fail_errno(err, RF_IO, "%s could not be stored", key);
}

/* ---- the way to a file ----------------------------------------------------------------------- */

static int open_folder(int fd, const char *name)
{
    return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Goes one folder down, making it when asked to; a new folder is synced into its parent. */
static int enter_folder(int fd, const char *name, bool make)
{
    int below = open_folder(fd, name);
    if (below >= 0 || errno != ENOENT || !make)
        return below;
    if (must_fail() || (mkdirat(fd, name, 0700) != 0 && errno != EEXIST))
        return -1;
    fsync(fd);
    return open_folder(fd, name);
}

/* The folder that holds `key` and the last part of its name; -1 with errno. */
static int open_parent(const folder *store, const char *key, bool make, char name[NAME_BYTES])
{
    int fd = fcntl(store->root_fd, F_DUPFD_CLOEXEC, 3);
    for (const char *slash; fd >= 0 && (slash = strchr(key, '/')); key = slash + 1) {
        snprintf(name, NAME_BYTES, "%.*s", (int)(slash - key), key);
        const int below = enter_folder(fd, name, make);
        const int failure = errno;
        close(fd);
        errno = failure;
        fd = below;
    }
    snprintf(name, NAME_BYTES, "%s", key);
    return fd;
}

static void side_name(char out[NAME_BYTES], const char *name)
{
    snprintf(out, NAME_BYTES, ".%.*s%s", RF_KEY_BYTES_MAX, name, RFI_SIDE_END);
}

/* ---- digests beside files -------------------------------------------------------------------- */

/* The text of the side file; "" when there is none. */
static void read_side(int dir_fd, const char *name, char text[SIDE_BYTES_MAX])
{
    char side[NAME_BYTES];
    side_name(side, name);
    text[0] = 0;
    const int fd = openat(dir_fd, side, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    const ssize_t n = read(fd, text, SIDE_BYTES_MAX - 1);
    text[n > 0 ? n : 0] = 0;
    close(fd);
}

/* The digests of those lines whose size is that of the file; the newest first. */
static void find_digests(const char *text, int64_t size_bytes, char out[DIGESTS][RF_SHA256_HEX_SIZE])
{
    int n = 0;
    memset(out, 0, (size_t)DIGESTS * RF_SHA256_HEX_SIZE);
    while (n < DIGESTS && strlen(text) > RF_SHA256_HEX_SIZE && text[RF_SHA256_HEX_SIZE - 1] == ' ') {
        const char *number = text + RF_SHA256_HEX_SIZE;
        const size_t length = strcspn(number, "\n");
        int64_t size = -1;
        if (rf_parse_i64(number, length, &size) && size == size_bytes)
            memcpy(out[n++], text, RF_SHA256_HEX_SIZE - 1);
        text = number + length + (number[length] == '\n');
    }
}

static bool write_whole(int fd, const char *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        const ssize_t n = must_fail() ? -1 : write(fd, data, size_bytes);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            data += n;
            size_bytes -= (size_t)n;
        }
    }
    return true;
}

static bool sync_file(int fd, bool transient)
{
    return transient || (!must_fail() && fsync(fd) == 0);
}

/* A file of a new name in dir_fd; -1 with errno. */
static int make_temporary(int dir_fd, char name[32])
{
    uint64_t random = 0;
    if (must_fail() || rf_random_bytes(&random, sizeof random, NULL) != RF_OK)
        return -1;
    snprintf(name, 32, RFI_TEMPORARY "%016llx", (unsigned long long)random);
    return openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* The line of the new bytes, and behind it that of the old ones until they are replaced. */
static bool store_side(const folder_writer *writer, const char *sha256)
{
    char text[2 * SIDE_BYTES_MAX], old[SIDE_BYTES_MAX], temporary[32], side[NAME_BYTES];
    read_side(writer->dir_fd, writer->name, old);
    const int length = snprintf(text, sizeof text, "%s %lld\n%.*s", sha256,
                                (long long)writer->base.size_bytes, (int)strcspn(old, "\n"), old);
    side_name(side, writer->name);
    const int fd = make_temporary(writer->dir_fd, temporary);
    if (fd < 0)
        return false;
    const bool ok = write_whole(fd, text, (size_t)length) && sync_file(fd, writer->transient) &&
                    !must_fail() && renameat(writer->dir_fd, temporary, writer->dir_fd, side) == 0;
    const int failure = errno;
    if (!ok)
        unlinkat(writer->dir_fd, temporary, 0);
    close(fd);
    errno = failure;
    return ok;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A folder may go between being opened and being written into, since empty ones are removed. */
static rf_code open_temporary(const folder *store, folder_writer *writer, const char *key, rf_error *err)
{
    for (int i = 0; i < MOST_TRIES; i++) {
        writer->dir_fd = open_parent(store, key, true, writer->name);
        writer->fd = writer->dir_fd < 0 ? -1 : make_temporary(writer->dir_fd, writer->temporary);
        if (writer->fd >= 0)
            return RF_OK;
        writer->temporary[0] = 0;
        const int failure = errno;
        if (writer->dir_fd >= 0)
            close(writer->dir_fd);
        writer->dir_fd = -1;
        errno = failure;
        if (failure != ENOENT && failure != EEXIST)
            break;
    }
    return write_failed(key, err);
}

static rf_code folder_writer_open(rf_storage *storage, const char *key, const rf_put_options *options,
                                  rf_storage_writer **out, rf_error *err)
{
    folder_writer *writer = rf_malloc(sizeof *writer);
    if (!writer)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory to store %s", key);
    memset(writer, 0, sizeof *writer);
    writer->transient = options->transient;
    rf_code rc = open_temporary((folder *)storage, writer, key, err);
    if (rc == RF_OK)
        *out = &writer->base;
    else
        rf_free(writer);
    return rc;
}

static rf_code folder_write(rf_storage_writer *base, const void *data, size_t size_bytes, rf_error *err)
{
    folder_writer *writer = (folder_writer *)base;
    return write_whole(writer->fd, data, size_bytes) ? RF_OK : write_failed(base->key, err);
}

static rf_code folder_writer_commit(rf_storage_writer *base, const char *sha256, rf_error *err)
{
    folder_writer *writer = (folder_writer *)base;
    if (!sync_file(writer->fd, writer->transient) || !store_side(writer, sha256) || must_fail() ||
        renameat(writer->dir_fd, writer->temporary, writer->dir_fd, writer->name) != 0)
        return write_failed(base->key, err);
    writer->temporary[0] = 0;
    if (!writer->transient)
        fsync(writer->dir_fd);
    return RF_OK;
}

static void remove_empty_folders(const folder *store, const char *key);

static void folder_writer_close(rf_storage_writer *base)
{
    folder_writer *writer = (folder_writer *)base;
    close(writer->fd);
    if (writer->temporary[0]) {
        struct stat info;
        char side[NAME_BYTES];
        side_name(side, writer->name);
        unlinkat(writer->dir_fd, writer->temporary, 0);
        if (fstatat(writer->dir_fd, writer->name, &info, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
            unlinkat(writer->dir_fd, side, 0);
        remove_empty_folders((folder *)base->storage, base->key);
    }
    close(writer->dir_fd);
    rf_free(writer);
}

/* ---- reading --------------------------------------------------------------------------------- */

static rf_code not_there(const char *key, rf_error *err)
{
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
        return rf_fail_errno(err, RF_NOT_FOUND, "there is no object %s", key);
    return rf_fail_errno(err, RF_IO, "%s cannot be read", key);
}

/* Opens the file of `key` for reading and describes it; the digests that would do are put into `digest`. */
static rf_code open_object(const folder *store, const char *key, int *fd, rf_object *object,
                           char digest[DIGESTS][RF_SHA256_HEX_SIZE], rf_error *err)
{
    char name[NAME_BYTES], text[SIDE_BYTES_MAX];
    struct stat info;
    rf_code rc = RF_OK;
    memset(object, 0, sizeof *object);
    const int dir_fd = open_parent(store, key, false, name);
    *fd = dir_fd < 0 ? -1 : openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &info) != 0)
        rc = not_there(key, err);
    else if (!S_ISREG(info.st_mode))
        rc = rf_fail(err, RF_NOT_FOUND, "there is no object %s", key);
    else {
        read_side(dir_fd, name, text);
        find_digests(text, info.st_size, digest);
        snprintf(object->key, sizeof object->key, "%s", key);
        memcpy(object->sha256, digest[0], sizeof object->sha256);
        object->size_bytes = info.st_size;
        object->changed_ms = rfi_changed_ms(&info);
    }
    if (dir_fd >= 0)
        close(dir_fd);
    if (rc != RF_OK && *fd >= 0)
        close(*fd);
    return rc;
}

static rf_code folder_reader_open(rf_storage *storage, const char *key, int64_t offset,
                                  rf_storage_reader **out, rf_error *err)
{
    folder_reader *reader = rf_malloc(sizeof *reader);
    if (!reader)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory to read %s", key);
    memset(reader, 0, sizeof *reader);
    reader->at = offset;
    rf_code rc = open_object((folder *)storage, key, &reader->fd, &reader->base.object, reader->digest, err);
    if (rc == RF_OK)
        *out = &reader->base;
    else
        rf_free(reader);
    return rc;
}

static rf_code folder_read(rf_storage_reader *base, void *out, size_t capacity, size_t *n, rf_error *err)
{
    folder_reader *reader = (folder_reader *)base;
    ssize_t got;
    do
        got = pread(reader->fd, out, capacity, reader->at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return rf_fail_errno(err, RF_IO, "%s cannot be read", base->object.key);
    reader->at += got;
    *n = (size_t)got;
    return RF_OK;
}

static int folder_reader_fd(const rf_storage_reader *base)
{
    return ((const folder_reader *)base)->fd;
}

static void folder_reader_close(rf_storage_reader *base)
{
    close(((folder_reader *)base)->fd);
    rf_free(base);
}

static bool folder_is_right(const rf_storage_reader *base, const char *sha256)
{
    const folder_reader *reader = (const folder_reader *)base;
    for (int i = 0; i < DIGESTS; i++)
        if (strcmp(reader->digest[i], sha256) == 0)
            return true;
    return false;
}

static rf_code folder_stat(rf_storage *storage, const char *key, rf_object *out, rf_error *err)
{
    int fd = -1;
    char digest[DIGESTS][RF_SHA256_HEX_SIZE];
    rf_code rc = open_object((folder *)storage, key, &fd, out, digest, err);
    if (rc == RF_OK)
        close(fd);
    return rc;
}

/* ---- deleting and listing -------------------------------------------------------------------- */

/* From the innermost outwards, until one is not empty. */
static void remove_empty_folders(const folder *store, const char *key)
{
    char path[RF_KEY_BYTES_MAX + 1], name[NAME_BYTES];
    snprintf(path, sizeof path, "%s", key);
    for (char *slash; (slash = strrchr(path, '/'));) {
        *slash = 0;
        const int dir_fd = open_parent(store, path, false, name);
        const bool removed = dir_fd >= 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) == 0;
        if (dir_fd >= 0)
            close(dir_fd);
        if (!removed)
            return;
    }
}

static rf_code folder_remove(rf_storage *storage, const char *key, rf_error *err)
{
    const folder *store = (folder *)storage;
    char name[NAME_BYTES], side[NAME_BYTES];
    rf_code rc = RF_OK;
    const int dir_fd = open_parent(store, key, false, name);
    if (dir_fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? RF_OK
                                                   : rf_fail_errno(err, RF_IO, "%s cannot be deleted", key);
    side_name(side, name);
    if (unlinkat(dir_fd, name, 0) != 0 && errno != ENOENT && errno != EISDIR)
        rc = rf_fail_errno(err, RF_IO, "%s cannot be deleted", key);
    else
        unlinkat(dir_fd, side, 0);
    close(dir_fd);
    if (rc == RF_OK)
        remove_empty_folders(store, key);
    return rc;
}

static rf_code folder_list(rf_storage *storage, const char *prefix, const char *after, rf_object *out,
                           int32_t max, int32_t *n, rf_error *err)
{
    return rfi_tree_list(((folder *)storage)->root_fd, prefix, after, out, max, n, err);
}

static rf_code folder_sweep(rf_storage *storage, int64_t age_ms, int64_t *n, rf_error *err)
{
    return rfi_tree_sweep(((folder *)storage)->root_fd, rf_clock_wall_us() / 1000 - age_ms, n, err);
}

/* ---- temporary URLs -------------------------------------------------------------------------- */

static rf_code folder_sign(rf_storage *storage, const char *key, const rf_sign_options *options, rf_buf *url,
                           rf_error *err)
{
    rf_buf_puts(url, "/files/");
    return rfi_file_token_make(((folder *)storage)->hmac, key, options, url, err);
}

static rf_code folder_open_token(rf_storage *storage, const char *token, int64_t now_ms, rf_signed *out,
                                 rf_error *err)
{
    return rfi_file_token_open(((folder *)storage)->hmac, token, now_ms, out, err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static rf_code folder_check(rf_storage *storage, rf_error *err)
{
    struct statvfs disk;
    if (fstatvfs(((folder *)storage)->root_fd, &disk) != 0)
        return rf_fail_errno(err, RF_UNAVAILABLE, "the folder of objects does not answer");
    if (disk.f_flag & ST_RDONLY)
        return rf_fail(err, RF_UNAVAILABLE, "the folder of objects is on a read-only disk");
    if (disk.f_bavail * disk.f_frsize < LEAST_FREE_BYTES)
        return rf_fail(err, RF_UNAVAILABLE, "the disk of the folder of objects is full");
    return RF_OK;
}

static void folder_close(rf_storage *storage)
{
    folder *store = (folder *)storage;
    if (store->root_fd >= 0)
        close(store->root_fd);
    rf_hmac_close(store->hmac);
    rf_free(store);
}

static const rfi_storage_class folder_class = {
    .close = folder_close,
    .check = folder_check,
    .writer_open = folder_writer_open,
    .write = folder_write,
    .writer_commit = folder_writer_commit,
    .writer_close = folder_writer_close,
    .reader_open = folder_reader_open,
    .read = folder_read,
    .reader_fd = folder_reader_fd,
    .reader_close = folder_reader_close,
    .is_right = folder_is_right,
    .stat = folder_stat,
    .remove = folder_remove,
    .list = folder_list,
    .sweep = folder_sweep,
    .sign = folder_sign,
    .open_token = folder_open_token,
};

rf_code rf_storage_open_folder(rf_storage **out, const char *path, const void *secret, size_t secret_bytes,
                               rf_error *err)
{
    rf_code rc = RF_OK;
    *out = NULL;
    folder *store = rf_malloc(sizeof *store);
    if (!store)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the folder of objects");
    *store = (folder){.base.class = &folder_class, .root_fd = -1};
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        RF_TRY(rf_fail_errno(err, RF_IO, "the folder %s cannot be made", path));
    store->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->root_fd < 0)
        RF_TRY(rf_fail_errno(err, RF_IO, "the folder %s cannot be opened", path));
    RF_TRY(rfi_file_token_key(&store->hmac, secret, secret_bytes, err));
    *out = &store->base;
    store = NULL;
out:
    if (store)
        folder_close(&store->base);
    return rc;
}
