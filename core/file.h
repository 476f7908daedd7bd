/* file.h - files in and out; nothing half-written is ever seen under the name that was asked for.
 *
 *     rf_file_writer *out = NULL;
 *     RF_TRY(rf_file_writer_open(&out, path, err));
 *     RF_TRY(rf_file_write(out, data, size, err));
 *     RF_TRY(rf_file_writer_commit(out, err));    // flush, fsync, rename
 * out:
 *     rf_file_writer_close(out);                  // without a commit: the temporary file is removed
 *
 * The writer writes to a temporary file beside the target and renames it at commit; "-" is standard
 * output, /dev/ and pipes are written in place. Errors are IO (or NOT_FOUND / INPUT for what the
 * caller named wrongly) and name the path.
 *
 * Threads: a handle belongs to one thread at a time.
 */
#ifndef RF_CORE_FILE_H
#define RF_CORE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct rf_file_writer rf_file_writer;

rf_code rf_file_writer_open(rf_file_writer **out, const char *path, rf_error *err) RF_MUST_CHECK;
rf_code rf_file_write(rf_file_writer *writer, const void *data, size_t size_bytes, rf_error *err) RF_MUST_CHECK;
rf_code rf_file_writer_commit(rf_file_writer *writer, rf_error *err) RF_MUST_CHECK;
void rf_file_writer_close(rf_file_writer *writer); /* NULL is fine */

/* One call for small files: opens, writes, commits. */
rf_code rf_file_store(const char *path, const void *data, size_t size_bytes, rf_error *err) RF_MUST_CHECK;

/* The bytes of a file: mapped when it is a regular file, read into memory when it is a pipe or "-"
 * (standard input). Read-only; closed with rf_file_bytes_close, which accepts a zeroed struct. A
 * missing file, a directory and an unreadable one are NOT_FOUND, INPUT and IO, each with a sentence.
 * A mapped file must not be cut by others while it is held: that is a SIGBUS, as for any mapping. */
typedef struct rf_file_bytes {
    const char *data; /* not NULL when open succeeded, even for an empty file */
    size_t size_bytes;
    void *mapping, *memory;
} rf_file_bytes;

rf_code rf_file_bytes_open(rf_file_bytes *out, const char *path, rf_error *err) RF_MUST_CHECK;
void rf_file_bytes_close(rf_file_bytes *bytes);

/* Tells the kernel that [0, offset) of a mapped file is not needed again, so that reading a file of
 * any size keeps a bounded part of it resident. */
void rf_file_bytes_release(rf_file_bytes *bytes, size_t offset);

/* For tests: the nth write to any file from now (1 = the next) fails with ENOSPC; 0 = off. Opening,
 * fsync and rename count as writes too. */
void rf_file_fail_at(int64_t nth);
int64_t rf_file_op_count(void);

#endif
