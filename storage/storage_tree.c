/* Keys come in byte order of the whole key. Within a folder that is the order of names with '/' behind those of folders: "a-b" comes before
 * "a/c", since '-' comes before '/'. */
#include "storage/storage_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"

enum { NAME_BYTES = 256 };

typedef struct names {
    rf_arena arena;
    char **name; /* folders with '/' at the end */
    int n, capacity;
} names;

int64_t rfi_changed_ms(const struct stat *info)
{
    return (int64_t)info->st_mtim.tv_sec * 1000 + info->st_mtim.tv_nsec / 1000000;
}

/* ---- one folder ------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_folder(int fd, const struct dirent *entry)
{
    struct stat info;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

static void add_name(names *list, const char *name, bool folder)
{
    if (list->n == list->capacity) {
        const int capacity = list->capacity ? list->capacity * 2 : 64;
        char **grown = RF_ARENA_ARRAY(&list->arena, char *, capacity);
        if (grown && list->n)
            memcpy(grown, list->name, sizeof *grown * (size_t)list->n);
        list->name = grown;
        list->capacity = grown ? capacity : 0;
    }
    char text[NAME_BYTES + 2];
    const int length = snprintf(text, sizeof text, "%s%s", name, folder ? "/" : "");
    if (list->name)
        list->name[list->n++] = rf_arena_string(&list->arena, text, (size_t)length);
}

/* Takes fd. A folder that is gone is empty. */
static rf_code read_names(names *list, int fd, rf_error *err)
{
    *list = (names){0};
    rf_arena_init(&list->arena);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return errno == ENOENT ? RF_OK : rf_fail_errno(err, RF_IO, "a folder of objects cannot be read");
    }
    for (struct dirent *entry; !list->arena.failed && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            add_name(list, entry->d_name, is_folder(dirfd(dir), entry));
    closedir(dir);
    rf_code rc = rf_arena_check(&list->arena, "a list of objects", err);
    if (rc == RF_OK && list->n > 1)
        qsort(list->name, (size_t)list->n, sizeof *list->name, by_name);
    return rc;
}

static int open_folder(int fd, const char *name)
{
    return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- listing --------------------------------------------------------------------------------- */

typedef struct walk {
    const char *prefix, *after;
    rf_object *out;
    int32_t max, n;
    char path[RF_KEY_BYTES_MAX + 1]; /* of the folder, with '/' at the end */
    size_t length;
} walk;

/* Whether some key that begins with `path` may be wanted. */
static bool may_hold(const walk *w, const char *path)
{
    const size_t length = strlen(path), prefix = strlen(w->prefix);
    return strncmp(path, w->prefix, length < prefix ? length : prefix) == 0 &&
           strncmp(path, w->after, length) >= 0;
}

static void add_object(walk *w, int fd, const char *name)
{
    struct stat info;
    if (strncmp(w->path, w->prefix, strlen(w->prefix)) != 0 || strcmp(w->path, w->after) <= 0 ||
        !rf_key_is_valid(w->path) || fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode))
        return;
    rf_object *object = &w->out[w->n++];
    memset(object, 0, sizeof *object);
    memcpy(object->key, w->path, strlen(w->path) + 1);
    object->size_bytes = info.st_size;
    object->changed_ms = rfi_changed_ms(&info);
}

static rf_code list_folder(walk *w, int fd, rf_error *err)
{
    rf_code rc = RF_OK;
    names list;
    const size_t folder = w->length;
    const int own = open_folder(fd, ".");
    RF_TRY(read_names(&list, own, err));
    for (int i = 0; i < list.n && w->n < w->max; i++) {
        char *name = list.name[i];
        const size_t length = strlen(name);
        if (name[0] == '.' || folder + length > RF_KEY_BYTES_MAX)
            continue;
        memcpy(w->path + folder, name, length + 1);
        w->length = folder + length;
        if (name[length - 1] != '/')
            add_object(w, fd, name);
        else if (may_hold(w, w->path)) {
            name[length - 1] = 0;
            const int below = open_folder(fd, name);
            if (below >= 0) {
                rc = list_folder(w, below, err);
                close(below);
            }
            RF_TRY(rc);
        }
    }
out:
    w->length = folder;
    rf_arena_free(&list.arena);
    return rc;
}

rf_code rfi_tree_list(int root_fd, const char *prefix, const char *after, rf_object *out, int32_t max,
                      int32_t *n, rf_error *err)
{
    walk w = {.prefix = prefix, .after = after, .out = out, .max = max};
    rf_code rc = list_folder(&w, root_fd, err);
    *n = rc == RF_OK ? w.n : 0;
    return rc;
}

/* ---- sweeping -------------------------------------------------------------------------------- */

static bool is_left_over(int fd, const char *name)
{
    struct stat info;
    char object[NAME_BYTES];
    const size_t length = strlen(name), end = sizeof RFI_SIDE_END - 1;
    if (strncmp(name, RFI_TEMPORARY, sizeof RFI_TEMPORARY - 1) == 0)
        return true;
    if (name[0] != '.' || length <= end + 1 || strcmp(name + length - end, RFI_SIDE_END) != 0)
        return false;
    snprintf(object, sizeof object, "%.*s", (int)(length - end - 1), name + 1);
    return fstatat(fd, object, &info, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

static void sweep_file(int fd, const char *name, int64_t before_ms, int64_t *n)
{
    struct stat info;
    if (is_left_over(fd, name) && fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(info.st_mode) && rfi_changed_ms(&info) < before_ms && unlinkat(fd, name, 0) == 0)
        (*n)++;
}

rf_code rfi_tree_sweep(int root_fd, int64_t before_ms, int64_t *n, rf_error *err)
{
    rf_code rc = RF_OK;
    names list;
    RF_TRY(read_names(&list, open_folder(root_fd, "."), err));
    for (int i = 0; i < list.n; i++) {
        char *name = list.name[i];
        const size_t length = strlen(name);
        if (name[length - 1] != '/') {
            sweep_file(root_fd, name, before_ms, n);
            continue;
        }
        name[length - 1] = 0;
        const int below = open_folder(root_fd, name);
        if (below >= 0) {
            rc = rfi_tree_sweep(below, before_ms, n, err);
            close(below);
        }
        RF_TRY(rc);
    }
out:
    rf_arena_free(&list.arena);
    return rc;
}
