/* storage.h - bytes by key: datasets, checkpoints, models, results.
 *
 * One header, two sides: a folder (storage_folder.c), and an object store over HTTP (later). Callers never ask which side they
 * were given. Nothing is ever held in memory as a whole.
 *
 *     rf_storage *storage = NULL;
 *     RF_TRY(rf_storage_open_folder(&storage, "/var/lib/rowforge/objects", secret, secret_bytes, err));
 *
 *     rf_storage_writer *out = NULL;                                   // in pieces, as they arrive
 *     RF_TRY(rf_storage_writer_open(storage, "datasets/12/data", &(rf_put_options){.limit_bytes = most}, &out, err));
 *     RF_TRY(rf_storage_write(out, piece, piece_bytes, err));
 *     RF_TRY(rf_storage_writer_commit(out, &object, err));             // now it is there, whole, with its SHA-256
 *   out:
 *     rf_storage_writer_close(out);                                    // without a commit: as if never begun
 *
 * Keys are made by the program from ids, never from a person's words: [a-z0-9_.-] in segments split by '/', at most
 * RF_KEY_BYTES_MAX bytes, no segment empty or beginning with a dot. A key is written whole or not at all; writing it again replaces it.
 *
 * Codes: NOT_FOUND no such object; USAGE a key or range that cannot be; TOO_LARGE past limit_bytes; UNAVAILABLE the disk is full or the
 * store does not answer (try later); CORRUPT the bytes are not those that were put; FORBIDDEN a signed URL that is not good (any more);
 * IO the rest.
 *
 * Threads: an rf_storage, any; a writer or reader, one at a time. Processes: several may share a folder.
 */
#ifndef RF_STORAGE_STORAGE_H
#define RF_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

typedef struct rf_storage rf_storage;

enum {
    RF_KEY_BYTES_MAX = 200,
    RF_DOWNLOAD_NAME_BYTES_MAX = 200,
    RF_CONTENT_TYPE_BYTES_MAX = 100,
    RF_LIST_MAX = 1000,
};

typedef struct rf_object {
    char key[RF_KEY_BYTES_MAX + 1];
    int64_t size_bytes;
    char sha256[65];    /* lower-case hex; "" where the side does not know it (lists) */
    int64_t changed_ms; /* since 1970 */
} rf_object;

/* ---- opening --------------------------------------------------------------------------------- */

/* Makes the folder (0700) when it is not there. `secret` signs temporary URLs; it is not kept as it is. */
rf_code rf_storage_open_folder(rf_storage **out, const char *folder, const void *secret, size_t secret_bytes,
                               rf_error *err) RF_MUST_CHECK;
void rf_storage_close(rf_storage *storage); /* NULL is fine */

/* Whether bytes could be stored now; for /ready. */
rf_code rf_storage_check(rf_storage *storage, rf_error *err) RF_MUST_CHECK;

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct rf_put_options {
    int64_t
        limit_bytes; /* more is TOO_LARGE; 0: no limit                                                    */
    bool transient;  /* need not outlive a power cut: saves the waiting for the disk                      */
    const char
        *sha256;      /* what the bytes must hash to (CORRUPT otherwise); NULL: whatever they do           */
    const char *type; /* content type, for stores that keep one; NULL: application/octet-stream            */
} rf_put_options;     /* all zero, or NULL in its place, is fine */

typedef struct rf_storage_writer rf_storage_writer;
rf_code rf_storage_writer_open(rf_storage *storage, const char *key, const rf_put_options *options,
                               rf_storage_writer **out, rf_error *err) RF_MUST_CHECK;
rf_code rf_storage_write(rf_storage_writer *writer, const void *data, size_t size_bytes,
                         rf_error *err) RF_MUST_CHECK;
/* `made` may be NULL. After a failure nothing of the new bytes is left and what was there before stays. */
rf_code rf_storage_writer_commit(rf_storage_writer *writer, rf_object *made, rf_error *err) RF_MUST_CHECK;
void rf_storage_writer_close(rf_storage_writer *writer); /* NULL is fine */

rf_code rf_storage_put_bytes(rf_storage *storage, const char *key, const void *data, size_t size_bytes,
                             const rf_put_options *options, rf_object *made, rf_error *err) RF_MUST_CHECK;
/* From where fd stands to its end; fd stays the caller's. */
rf_code rf_storage_put_fd(rf_storage *storage, const char *key, int fd, const rf_put_options *options,
                          rf_object *made, rf_error *err) RF_MUST_CHECK;

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct rf_range {
    int64_t offset,
        length; /* length -1: to the end. An offset past the end is USAGE; a longer length is cut. */
} rf_range;

typedef struct rf_storage_reader rf_storage_reader;
/* `range` NULL: all of it, and the last read checks the SHA-256 (CORRUPT). `object`, which may be NULL, describes the whole. */
rf_code rf_storage_reader_open(rf_storage *storage, const char *key, const rf_range *range, rf_object *object,
                               rf_storage_reader **out, rf_error *err) RF_MUST_CHECK;
/* *n is 0 at the end, and only there. */
rf_code rf_storage_read(rf_storage_reader *reader, void *out, size_t capacity, size_t *n,
                        rf_error *err) RF_MUST_CHECK;
/* A descriptor of the object's file, lent until the reader closes, for sending without copying; -1 when the side has none.
 * Its offset is that of the whole object: use pread or sendfile with offsets. Bytes taken this way are not checked. */
int rf_storage_reader_fd(const rf_storage_reader *reader);
void rf_storage_reader_close(rf_storage_reader *reader); /* NULL is fine */

/* All of it to fd, checked against the recorded SHA-256 and, unless NULL, against `sha256` too. */
rf_code rf_storage_get_fd(rf_storage *storage, const char *key, int fd, const char *sha256, rf_object *object,
                          rf_error *err) RF_MUST_CHECK;
/* Appends all of it to `out`; TOO_LARGE beyond limit_bytes. For what is known to be small. */
rf_code rf_storage_get_bytes(rf_storage *storage, const char *key, int64_t limit_bytes, rf_buf *out,
                             rf_error *err) RF_MUST_CHECK;

rf_code rf_storage_stat(rf_storage *storage, const char *key, rf_object *out, rf_error *err) RF_MUST_CHECK;

/* ---- deleting and listing -------------------------------------------------------------------- */

/* What is not there is deleted already. */
rf_code rf_storage_delete(rf_storage *storage, const char *key, rf_error *err) RF_MUST_CHECK;

/* Everything whose key begins with `prefix`, which must end with '/'; *n (may be NULL) says how many. */
rf_code rf_storage_delete_prefix(rf_storage *storage, const char *prefix, int64_t *n,
                                 rf_error *err) RF_MUST_CHECK;

/* Up to `max` (at most RF_LIST_MAX) objects whose keys begin with `prefix` ("" for all) and come after `after` ("" to begin), in
 * byte order. Fewer than `max` came: that was the last page. Objects made while a list is walked may or may not be in it. */
rf_code rf_storage_list(rf_storage *storage, const char *prefix, const char *after, rf_object *out,
                        int32_t max, int32_t *n, rf_error *err) RF_MUST_CHECK;

/* Removes what writers that died left behind `age_ms` ago or longer. Safe beside living ones when age_ms is longer than they take. */
rf_code rf_storage_sweep(rf_storage *storage, int64_t age_ms, int64_t *n, rf_error *err) RF_MUST_CHECK;

/* ---- temporary URLs -------------------------------------------------------------------------- */

typedef struct rf_sign_options {
    int64_t expires_ms;        /* since 1970                                                      */
    const char *download_name; /* what a browser shall call the file; NULL: none                  */
    const char *type;          /* content type to answer with; NULL: application/octet-stream     */
} rf_sign_options;

/* Appends a URL that reads this object until it expires, without any login. A folder gives the path "/files/<token>" on this
 * server; a store gives a whole URL of its own. The object need not be there yet. */
rf_code rf_storage_sign(rf_storage *storage, const char *key, const rf_sign_options *options, rf_buf *url,
                        rf_error *err) RF_MUST_CHECK;

typedef struct rf_signed {
    char key[RF_KEY_BYTES_MAX + 1];
    int64_t expires_ms;
    char download_name[RF_DOWNLOAD_NAME_BYTES_MAX + 1]; /* UTF-8 without control characters; "": none */
    char type[RF_CONTENT_TYPE_BYTES_MAX + 1];           /* "": application/octet-stream               */
} rf_signed;

/* What the token of "/files/<token>" stands for. FORBIDDEN when it was not made here, was changed, or has expired at `now_ms`. */
rf_code rf_storage_open_token(rf_storage *storage, const char *token, int64_t now_ms, rf_signed *out,
                              rf_error *err) RF_MUST_CHECK;

/* ---- for tests ------------------------------------------------------------------------------- */

/* The nth operation on a folder's files from now (1 = the next; opening, writing, syncing and renaming count) fails as on a full disk,
 * once; 0 = off. */
void rf_storage_fail_at(int64_t nth);
int64_t rf_storage_op_count(void);

/* ---- keys ------------------------------------------------------------------------------------ */

/* Whether this may be a key; a prefix may also be empty and may end with '/'. */
bool rf_key_is_valid(const char *key);
bool rf_key_prefix_is_valid(const char *prefix);

#endif
