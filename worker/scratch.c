/* scratch.c - a folder for files on their way.
 *
 * Each worker has its own, with a lock on it for as long as it lives: a folder whose lock can be had belongs to a worker
 * that died, and is removed by whoever starts next.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "worker/worker_state.h"

enum { ATTEMPTS = 10 };
static const char prefix[] = "worker-";

/* ------------------------------------------------------------------ removing */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    (void)remove(path);
    return 0;
}

void rfi_remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void remove_if_dead(const char *root, const char *name)
{
    char path[RFI_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", root, name) >= (int)sizeof path)
        return;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        rfi_remove_tree(path);
    close(fd);
}

static void remove_dead(const char *root)
{
    DIR *dir = opendir(root);
    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (!strncmp(entry->d_name, prefix, sizeof prefix - 1))
            remove_if_dead(root, entry->d_name);
    closedir(dir);
}

/* ------------------------------------------------------------------ making */

static rf_code make_root(const char *root, rf_error *err)
{
    struct stat status;
    if (mkdir(root, 0700) != 0 && errno != EEXIST)
        return rf_fail_errno(err, RF_IO, "the folder %s for files on their way cannot be made", root);
    if (stat(root, &status) != 0 || !S_ISDIR(status.st_mode))
        return rf_fail(err, RF_IO, "%s is no folder for files on their way", root);
    return RF_OK;
}

static rf_code make_own(rf_worker *w, const char *root, rf_error *err)
{
    const size_t size = strlen(root) + sizeof prefix + sizeof "/XXXXXX";
    char *folder = rf_malloc(size);
    if (!folder)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the name of a folder");
    snprintf(folder, size, "%s/%sXXXXXX", root, prefix);
    if (!mkdtemp(folder)) {
        const rf_code rc = rf_fail_errno(err, RF_IO, "no folder can be made in %s", root);
        rf_free(folder);
        return rc;
    }
    w->folder = folder;
    return RF_OK;
}

/* Between its making and its lock a folder could be taken for a dead worker's, by another that starts at that moment:
 * then it is no longer at its place. */
static bool is_ours(const rf_worker *w)
{
    struct stat locked, there;
    return w->folder_fd >= 0 && flock(w->folder_fd, LOCK_EX | LOCK_NB) == 0 &&
           fstat(w->folder_fd, &locked) == 0 && stat(w->folder, &there) == 0 && locked.st_ino == there.st_ino;
}

rf_code rfi_scratch_open(rf_worker *w, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *root = w->options.scratch;
    w->folder_fd = -1;
    RF_TRY(make_root(root, err));
    remove_dead(root);
    for (int i = 0; i < ATTEMPTS && !is_ours(w); i++) {
        rfi_scratch_close(w);
        RF_TRY(make_own(w, root, err));
        w->folder_fd = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (!is_ours(w))
        RF_TRY(rf_fail(err, RF_IO, "no folder of this worker's own can be kept in %s", root));
out:
    return rc;
}

void rfi_scratch_close(rf_worker *w)
{
    if (w->folder)
        rfi_remove_tree(w->folder);
    if (w->folder_fd >= 0)
        close(w->folder_fd);
    rf_free(w->folder);
    w->folder = NULL;
    w->folder_fd = -1;
}
