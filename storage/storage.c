#include "storage/storage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/text.h"
#include "crypto/secret.h"
#include "storage/storage_internal.h"

enum { COPY_BYTES = 256 * 1024 };

/* ---- keys ------------------------------------------------------------------------------------ */

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/* Segments of allowed characters, none empty, none beginning with a dot; the last may be cut in a prefix. */
static bool is_path(const char *text, bool is_prefix)
{
    bool at_start = true;
    size_t length = 0;
    for (; text[length]; length++) {
        const char c = text[length];
        if (length >= RF_KEY_BYTES_MAX || !(c == '/' ? !at_start : is_key_character(c)) ||
            (at_start && c == '.'))
            return false;
        at_start = c == '/';
    }
    return is_prefix || !at_start;
}

bool rf_key_is_valid(const char *key)
{
    return key && is_path(key, false);
}

bool rf_key_prefix_is_valid(const char *prefix)
{
    return prefix && is_path(prefix, true);
}

static rf_code check_key(const char *key, rf_error *err)
{
    if (rf_key_is_valid(key))
        return RF_OK;
    return rf_fail(err, RF_USAGE, "\"%.200s\" cannot be the key of an object", key ? key : "");
}

/* ---- the whole ------------------------------------------------------------------------------- */

void rf_storage_close(rf_storage *storage)
{
    if (storage)
        storage->class->close(storage);
}

rf_code rf_storage_check(rf_storage *storage, rf_error *err)
{
    return storage->class->check(storage, err);
}

/* ---- writing --------------------------------------------------------------------------------- */

rf_code rf_storage_writer_open(rf_storage *storage, const char *key, const rf_put_options *options,
                               rf_storage_writer **out, rf_error *err)
{
    static const rf_put_options none;
    rf_code rc = RF_OK;
    rf_storage_writer *writer = NULL;
    const rf_put_options *given = options ? options : &none;
    *out = NULL;
    RF_TRY(check_key(key, err));
    if (given->sha256 && strlen(given->sha256) != RF_SHA256_HEX_SIZE - 1)
        RF_TRY(rf_fail(err, RF_USAGE, "the SHA-256 that %s must have is not one", key));
    RF_TRY(storage->class->writer_open(storage, key, given, &writer, err));
    writer->storage = storage;
    snprintf(writer->key, sizeof writer->key, "%s", key);
    snprintf(writer->expected, sizeof writer->expected, "%s", given->sha256 ? given->sha256 : "");
    writer->limit_bytes = given->limit_bytes;
    RF_TRY(rf_sha256_open(&writer->hash, err));
    *out = writer;
    writer = NULL;
out:
    rf_storage_writer_close(writer);
    return rc;
}

rf_code rf_storage_write(rf_storage_writer *writer, const void *data, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    if (writer->is_broken)
        return rf_fail(err, RF_IO, "%s could not be stored: an earlier part of it failed", writer->key);
    if (writer->limit_bytes && (int64_t)size_bytes > writer->limit_bytes - writer->size_bytes)
        RF_TRY(rf_fail(err, RF_TOO_LARGE, "this is larger than the %lld bytes that may be stored",
                       (long long)writer->limit_bytes));
    if (size_bytes > 0) {
        RF_TRY(writer->storage->class->write(writer, data, size_bytes, err));
        rf_sha256_update(writer->hash, data, size_bytes);
        writer->size_bytes += (int64_t)size_bytes;
    }
out:
    writer->is_broken = rc != RF_OK;
    return rc;
}

rf_code rf_storage_writer_commit(rf_storage_writer *writer, rf_object *made, rf_error *err)
{
    rf_code rc = RF_OK;
    char sha256[RF_SHA256_HEX_SIZE];
    if (writer->is_broken)
        return rf_fail(err, RF_IO, "%s could not be stored: a part of it failed", writer->key);
    RF_TRY(rf_sha256_finish_hex(writer->hash, sha256, err));
    if (writer->expected[0] && strcmp(writer->expected, sha256) != 0)
        RF_TRY(
            rf_fail(err, RF_CORRUPT, "%s did not arrive as it was sent: its SHA-256 differs", writer->key));
    RF_TRY(writer->storage->class->writer_commit(writer, sha256, err));
    if (made)
        RF_TRY(rf_storage_stat(writer->storage, writer->key, made, err));
out:
    writer->is_broken = true;
    return rc;
}

void rf_storage_writer_close(rf_storage_writer *writer)
{
    if (!writer)
        return;
    rf_sha256_close(writer->hash);
    writer->storage->class->writer_close(writer);
}

rf_code rf_storage_put_bytes(rf_storage *storage, const char *key, const void *data, size_t size_bytes,
                             const rf_put_options *options, rf_object *made, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_storage_writer *writer = NULL;
    RF_TRY(rf_storage_writer_open(storage, key, options, &writer, err));
    RF_TRY(rf_storage_write(writer, data, size_bytes, err));
    RF_TRY(rf_storage_writer_commit(writer, made, err));
out:
    rf_storage_writer_close(writer);
    return rc;
}

static rf_code copy_in(rf_storage_writer *writer, int fd, char *buffer, rf_error *err)
{
    for (;;) {
        const ssize_t n = read(fd, buffer, COPY_BYTES);
        if (n == 0)
            return RF_OK;
        if (n < 0 && errno != EINTR)
            return rf_fail_errno(err, RF_IO, "what is to be stored as %s cannot be read", writer->key);
        rf_code rc = n > 0 ? rf_storage_write(writer, buffer, (size_t)n, err) : RF_OK;
        if (rc != RF_OK)
            return rc;
    }
}

rf_code rf_storage_put_fd(rf_storage *storage, const char *key, int fd, const rf_put_options *options,
                          rf_object *made, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_storage_writer *writer = NULL;
    char *buffer = rf_malloc(COPY_BYTES);
    if (!buffer)
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "there is no memory to store %s", key));
    RF_TRY(rf_storage_writer_open(storage, key, options, &writer, err));
    RF_TRY(copy_in(writer, fd, buffer, err));
    RF_TRY(rf_storage_writer_commit(writer, made, err));
out:
    rf_storage_writer_close(writer);
    rf_free(buffer);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

static rf_code set_range(rf_storage_reader *reader, const rf_range *range, rf_error *err)
{
    const int64_t size_bytes = reader->object.size_bytes;
    reader->left = size_bytes;
    if (!range)
        return RF_OK;
    if (range->offset < 0 || range->offset > size_bytes || range->length < -1)
        return rf_fail(err, RF_USAGE, "the range begins at byte %lld of an object of %lld",
                       (long long)range->offset, (long long)size_bytes);
    reader->left -= range->offset;
    if (range->length >= 0 && range->length < reader->left)
        reader->left = range->length;
    return RF_OK;
}

rf_code rf_storage_reader_open(rf_storage *storage, const char *key, const rf_range *range, rf_object *object,
                               rf_storage_reader **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_storage_reader *reader = NULL;
    *out = NULL;
    RF_TRY(check_key(key, err));
    RF_TRY(storage->class->reader_open(storage, key, range && range->offset > 0 ? range->offset : 0, &reader,
                                       err));
    reader->storage = storage;
    RF_TRY(set_range(reader, range, err));
    if (reader->left == reader->object.size_bytes && reader->object.sha256[0])
        RF_TRY(rf_sha256_open(&reader->hash, err));
    if (object)
        *object = reader->object;
    *out = reader;
    reader = NULL;
out:
    rf_storage_reader_close(reader);
    return rc;
}

static rf_code check_digest(rf_storage_reader *reader, rf_error *err)
{
    char sha256[RF_SHA256_HEX_SIZE];
    rf_code rc = RF_OK;
    if (!reader->hash)
        return RF_OK;
    RF_TRY(rf_sha256_finish_hex(reader->hash, sha256, err));
    if (!reader->storage->class->is_right(reader, sha256))
        RF_TRY(rf_fail(err, RF_CORRUPT, "%s is damaged: its SHA-256 is not the recorded one",
                       reader->object.key));
out:
    rf_sha256_close(reader->hash);
    reader->hash = NULL;
    return rc;
}

rf_code rf_storage_read(rf_storage_reader *reader, void *out, size_t capacity, size_t *n, rf_error *err)
{
    rf_code rc = RF_OK;
    *n = 0;
    if ((int64_t)capacity > reader->left)
        capacity = (size_t)reader->left;
    if (capacity > 0) {
        RF_TRY(reader->storage->class->read(reader, out, capacity, n, err));
        if (*n == 0)
            RF_TRY(rf_fail(err, RF_CORRUPT, "%s ends before its size", reader->object.key));
        if (reader->hash)
            rf_sha256_update(reader->hash, out, *n);
        reader->left -= (int64_t)*n;
    }
    if (reader->left == 0)
        rc = check_digest(reader, err);
out:
    if (rc != RF_OK)
        *n = 0;
    return rc;
}

int rf_storage_reader_fd(const rf_storage_reader *reader)
{
    return reader->storage->class->reader_fd(reader);
}

void rf_storage_reader_close(rf_storage_reader *reader)
{
    if (!reader)
        return;
    rf_sha256_close(reader->hash);
    reader->storage->class->reader_close(reader);
}

static rf_code write_all(int fd, const char *data, size_t size_bytes, rf_error *err)
{
    while (size_bytes > 0) {
        const ssize_t n = write(fd, data, size_bytes);
        if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
            return rf_fail_errno(err, RF_UNAVAILABLE, "the disk is full");
        if (n < 0 && errno != EINTR)
            return rf_fail_errno(err, RF_IO, "a copy of an object cannot be written");
        if (n > 0) {
            data += n;
            size_bytes -= (size_t)n;
        }
    }
    return RF_OK;
}

rf_code rf_storage_get_fd(rf_storage *storage, const char *key, int fd, const char *sha256, rf_object *object,
                          rf_error *err)
{
    rf_code rc = RF_OK;
    rf_storage_reader *reader = NULL;
    char digest[RF_SHA256_HEX_SIZE];
    rf_sha256 *hash = NULL;
    size_t n = 0;
    char *buffer = rf_malloc(COPY_BYTES);
    if (!buffer)
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "there is no memory to read %s", key));
    RF_TRY(rf_sha256_open(&hash, err));
    RF_TRY(rf_storage_reader_open(storage, key, NULL, object, &reader, err));
    do {
        RF_TRY(rf_storage_read(reader, buffer, COPY_BYTES, &n, err));
        rf_sha256_update(hash, buffer, n);
        RF_TRY(write_all(fd, buffer, n, err));
    } while (n > 0);
    RF_TRY(rf_sha256_finish_hex(hash, digest, err));
    if (sha256 && strcmp(sha256, digest) != 0)
        RF_TRY(rf_fail(err, RF_CORRUPT, "%s is not what was stored there: its SHA-256 differs", key));
out:
    rf_storage_reader_close(reader);
    rf_sha256_close(hash);
    rf_free(buffer);
    return rc;
}

rf_code rf_storage_get_bytes(rf_storage *storage, const char *key, int64_t limit_bytes, rf_buf *out,
                             rf_error *err)
{
    rf_code rc = RF_OK;
    rf_storage_reader *reader = NULL;
    rf_object object;
    RF_TRY(rf_storage_reader_open(storage, key, NULL, &object, &reader, err));
    if (object.size_bytes > limit_bytes)
        RF_TRY(rf_fail(err, RF_TOO_LARGE, "%s has %lld bytes, more than the %lld that were expected", key,
                       (long long)object.size_bytes, (long long)limit_bytes));
    if (!rf_buf_reserve(out, (size_t)object.size_bytes))
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "there is no memory to read %s", key));
    for (size_t n = 1; n > 0;) {
        RF_TRY(rf_storage_read(reader, out->data + out->size_bytes, (size_t)reader->left, &n, err));
        out->size_bytes += n;
    }
    out->data[out->size_bytes] = 0;
out:
    rf_storage_reader_close(reader);
    return rc;
}

rf_code rf_storage_stat(rf_storage *storage, const char *key, rf_object *out, rf_error *err)
{
    rf_code rc = check_key(key, err);
    return rc == RF_OK ? storage->class->stat(storage, key, out, err) : rc;
}

/* ---- deleting and listing -------------------------------------------------------------------- */

rf_code rf_storage_delete(rf_storage *storage, const char *key, rf_error *err)
{
    rf_code rc = check_key(key, err);
    return rc == RF_OK ? storage->class->remove(storage, key, err) : rc;
}

rf_code rf_storage_delete_prefix(rf_storage *storage, const char *prefix, int64_t *n, rf_error *err)
{
    enum { PAGE = 100 };
    rf_code rc = RF_OK;
    int32_t found = PAGE;
    int64_t deleted = 0;
    rf_object *page = NULL;
    if (!rf_key_prefix_is_valid(prefix) || !*prefix || prefix[strlen(prefix) - 1] != '/')
        RF_TRY(
            rf_fail(err, RF_USAGE, "\"%.200s\" is not the beginning of keys that could be deleted", prefix));
    RF_TRY(RF_NEW_ARRAY(&page, PAGE, "a list of objects", err));
    while (found == PAGE) {
        RF_TRY(rf_storage_list(storage, prefix, "", page, PAGE, &found, err));
        for (int32_t i = 0; i < found; i++, deleted++)
            RF_TRY(rf_storage_delete(storage, page[i].key, err));
    }
out:
    if (n)
        *n = deleted;
    rf_free(page);
    return rc;
}

rf_code rf_storage_list(rf_storage *storage, const char *prefix, const char *after, rf_object *out,
                        int32_t max, int32_t *n, rf_error *err)
{
    *n = 0;
    if (!rf_key_prefix_is_valid(prefix) || !rf_key_prefix_is_valid(after) || max < 1 || max > RF_LIST_MAX)
        return rf_fail(err, RF_USAGE, "objects cannot be listed from \"%.100s\" by \"%.100s\"", after,
                       prefix);
    return storage->class->list(storage, prefix, after, out, max, n, err);
}

rf_code rf_storage_sweep(rf_storage *storage, int64_t age_ms, int64_t *n, rf_error *err)
{
    int64_t removed = 0;
    rf_code rc = storage->class->sweep(storage, age_ms, &removed, err);
    if (n)
        *n = removed;
    return rc;
}

/* ---- temporary URLs -------------------------------------------------------------------------- */

static bool is_plain(const char *text, size_t most)
{
    const size_t length = text ? strlen(text) : 0;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    return length <= most && (length == 0 || rf_utf8_find_invalid(text, length) < 0);
}

rf_code rf_storage_sign(rf_storage *storage, const char *key, const rf_sign_options *options, rf_buf *url,
                        rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(check_key(key, err));
    if (!is_plain(options->download_name, RF_DOWNLOAD_NAME_BYTES_MAX) ||
        !is_plain(options->type, RF_CONTENT_TYPE_BYTES_MAX))
        RF_TRY(rf_fail(err, RF_USAGE, "a file cannot be downloaded under that name"));
    RF_TRY(storage->class->sign(storage, key, options, url, err));
    RF_TRY(rf_buf_check(url, "a temporary URL", err));
out:
    return rc;
}

rf_code rf_storage_open_token(rf_storage *storage, const char *token, int64_t now_ms, rf_signed *out,
                              rf_error *err)
{
    memset(out, 0, sizeof *out);
    return storage->class->open_token(storage, token, now_ms, out, err);
}
