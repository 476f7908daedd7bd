/* storage_internal.h - the struct of functions behind storage.h. Folder-private.
 *
 * storage.c checks keys, ranges, names and limits before it calls a side, and counts and hashes the bytes; a side moves them.
 */
#ifndef RF_STORAGE_STORAGE_INTERNAL_H
#define RF_STORAGE_STORAGE_INTERNAL_H

#include "crypto/digest.h"
#include "storage/storage.h"

typedef struct rfi_storage_class {
    void (*close)(rf_storage *storage);
    rf_code (*check)(rf_storage *storage, rf_error *err);

    /* A side's writer begins with an rf_storage_writer. commit is given the digest of all that was written. */
    rf_code (*writer_open)(rf_storage *storage, const char *key, const rf_put_options *options,
                           rf_storage_writer **out, rf_error *err);
    rf_code (*write)(rf_storage_writer *writer, const void *data, size_t size_bytes, rf_error *err);
    rf_code (*writer_commit)(rf_storage_writer *writer, const char *sha256, rf_error *err);
    void (*writer_close)(rf_storage_writer *writer);

    /* A side's reader begins with an rf_storage_reader. It sets `object` and stands at `offset`. */
    rf_code (*reader_open)(rf_storage *storage, const char *key, int64_t offset, rf_storage_reader **out,
                           rf_error *err);
    rf_code (*read)(rf_storage_reader *reader, void *out, size_t capacity, size_t *n, rf_error *err);
    int (*reader_fd)(const rf_storage_reader *reader);
    void (*reader_close)(rf_storage_reader *reader);
    /* Whether bytes of that digest are what was put: a side may know more than one that would do. */
    bool (*is_right)(const rf_storage_reader *reader, const char *sha256);

    rf_code (*stat)(rf_storage *storage, const char *key, rf_object *out, rf_error *err);
    rf_code (*remove)(rf_storage *storage, const char *key, rf_error *err);
    rf_code (*list)(rf_storage *storage, const char *prefix, const char *after, rf_object *out, int32_t max,
                    int32_t *n, rf_error *err);
    rf_code (*sweep)(rf_storage *storage, int64_t age_ms, int64_t *n, rf_error *err);

    rf_code (*sign)(rf_storage *storage, const char *key, const rf_sign_options *options, rf_buf *url,
                    rf_error *err);
    rf_code (*open_token)(rf_storage *storage, const char *token, int64_t now_ms, rf_signed *out,
                          rf_error *err);
} rfi_storage_class;

struct rf_storage {
    const rfi_storage_class *class;
};

struct rf_storage_writer {
    rf_storage *storage;
    char key[RF_KEY_BYTES_MAX + 1];
    rf_sha256 *hash;
    int64_t size_bytes, limit_bytes;
    char expected[RF_SHA256_HEX_SIZE]; /* "": anything */
    bool is_broken;                    /* a write failed: what follows must not be committed */
};

struct rf_storage_reader {
    rf_storage *storage;
    rf_object object;
    rf_sha256 *hash; /* NULL: a part is read, or the digest is not known */
    int64_t left;    /* bytes of the range that were not read yet        */
};

#endif
