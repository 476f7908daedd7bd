/* storage_tree.h - walking over a folder of objects. Folder-private.
 *
 * A file whose name begins with a dot is no object: ".tmp-…" is being written (or was, by a process that died), ".NAME.sha256" is the
 * digest of NAME beside it.
 */
#ifndef RF_STORAGE_STORAGE_TREE_H
#define RF_STORAGE_STORAGE_TREE_H

#include <stdbool.h>

#include "storage/storage.h"

#define RFI_TEMPORARY ".tmp-"
#define RFI_SIDE_END  ".sha256"

/* rf_storage_list below the folder of root_fd, without digests. */
rf_code rfi_tree_list(int root_fd, const char *prefix, const char *after, rf_object *out, int32_t max,
                      int32_t *n, rf_error *err) RF_MUST_CHECK;

/* Removes temporary files, and digests without their file, that were last changed before `before_ms`. */
rf_code rfi_tree_sweep(int root_fd, int64_t before_ms, int64_t *n, rf_error *err) RF_MUST_CHECK;

/* Milliseconds since 1970 of a file's last change. */
struct stat;
int64_t rfi_changed_ms(const struct stat *info);

#endif
