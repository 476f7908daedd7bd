#include "cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "crypto/base64url.h"
#include "crypto/secret.h"

enum { KEY_BYTES = 32, KEY_SIZE_MAX = 512 };

/* ------------------------------------------------------------------ settings */

static rf_code load_settings(rf_service *service, rf_cli *cli, rf_error *err)
{
    rf_notes faults;
    rf_notes_init(&faults);
    rf_code rc = RF_OK;
    rc = rf_dotenv_load(&service->dotenv, ".env", err);
    if (rc == RF_INPUT) /* one fault among others */
        rf_note(&faults, "%s", err->message);
    else
        RF_TRY(rc);
    const rf_code loaded =
        rf_settings_load(&service->settings, environ, &service->dotenv, &faults, &cli->notes, err);
    rc = rc == RF_OK ? loaded : rc;
    if (faults.n > 1) {
        for (int i = 0; i < faults.n; i++)
            fprintf(stderr, "rowforge: %s\n", faults.texts[i]);
        rc = rf_fail(err, RF_USAGE, "%d settings cannot be used as they are: see above", faults.n);
    }
    RF_TRY(rc);
out:
    rf_notes_free(&faults);
    return rc;
}

rf_code rf_service_path(rf_service *service, const char *name, const char **out, rf_error *err)
{
    const char *folder = service->settings.data_dir;
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = RF_ARENA_ARRAY(&service->settings.arena, char, size);
    rf_code rc = rf_arena_check(&service->settings.arena, "the data folder", err);
    if (rc == RF_OK)
        snprintf(path, size, "%s/%s", folder, name);
    *out = path;
    return rc;
}

/* ------------------------------------------------------------------ the folder and its lock */

static rf_code make_folder(const char *path, rf_error *err)
{
    struct stat info;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return rf_fail_errno(err, RF_IO, "the data folder %s (DATA_DIR) cannot be made", path);
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return rf_fail(err, RF_INPUT, "%s (DATA_DIR) is not a folder", path);
    if (access(path, W_OK | X_OK) != 0)
        return rf_fail_errno(err, RF_IO, "nothing can be written into the data folder %s (DATA_DIR)", path);
    return RF_OK;
}

static rf_code is_locked(const rf_service *service, int fd, rf_error *err)
{
    char text[32] = "";
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? strcspn(text, "\n") : 0] = 0;
    return rf_fail(err, RF_CONFLICT,
                   "another server (process %s) uses the data folder %s; stop it, or set another DATA_DIR",
                   text[0] ? text : "unknown", service->settings.data_dir);
}

/* Held until the process ends, however it ends. */
static rf_code take_lock(rf_service *service, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *path = NULL;
    RF_TRY(rf_service_path(service, "server.lock", &path, err));
    service->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (service->lock_fd < 0)
        RF_TRY(rf_fail_errno(err, RF_IO, "%s cannot be opened", path));
    if (flock(service->lock_fd, LOCK_EX | LOCK_NB) != 0)
        RF_TRY(is_locked(service, service->lock_fd, err));
    if (ftruncate(service->lock_fd, 0) != 0 || dprintf(service->lock_fd, "%d\n", (int)getpid()) < 0)
        RF_TRY(rf_fail_errno(err, RF_IO, "%s cannot be written", path));
out:
    return rc;
}

/* ------------------------------------------------------------------ the key */

static rf_code read_key(rf_service *service, const char *path, bool *found, rf_error *err)
{
    rf_code rc = RF_OK;
    char text[KEY_SIZE_MAX] = "";
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *found = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? RF_OK : rf_fail_errno(err, RF_IO, "the key %s cannot be read", path);
    const ssize_t n = read(fd, text, sizeof text - 1);
    if (n < 0 || fstat(fd, &info) != 0)
        RF_TRY(rf_fail_errno(err, RF_IO, "the key %s cannot be read", path));
    if (info.st_mode & 077)
        RF_TRY(rf_fail(err, RF_INPUT,
                       "others may read the key %s; make it private with chmod 600, or better, delete it",
                       path));
    text[strcspn(text, "\r\n")] = 0;
    if (strlen(text) < KEY_BYTES)
        RF_TRY(rf_fail(err, RF_CORRUPT,
                       "the key %s is damaged; delete it and a new one is made (everybody logs in anew)",
                       path));
    service->settings.secret_key = rf_arena_string(&service->settings.arena, text, strlen(text));
    RF_TRY(rf_arena_check(&service->settings.arena, "the key", err));
out:
    rf_secret_wipe(text, sizeof text);
    close(fd);
    return rc;
}

/* Whoever is first makes it: the file is complete before it has its name. */
static rf_code make_key(const char *path, rf_error *err)
{
    rf_code rc = RF_OK;
    char random[KEY_BYTES], text[RF_BASE64URL_LENGTH(KEY_BYTES) + 2], temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.%d.tmp", path, (int)getpid());
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return rf_fail_errno(err, RF_IO, "the key %s cannot be made", path);
    RF_TRY(rf_random_bytes(random, sizeof random, err));
    const size_t length = rf_base64url_encode(text, random, sizeof random);
    text[length] = '\n';
    if (write(fd, text, length + 1) != (ssize_t)length + 1 || fsync(fd) != 0 ||
        (link(temporary, path) != 0 && errno != EEXIST))
        RF_TRY(rf_fail_errno(err, RF_IO, "the key %s cannot be made", path));
out:
    unlink(temporary);
    close(fd);
    rf_secret_wipe(random, sizeof random);
    rf_secret_wipe(text, sizeof text);
    return rc;
}

static rf_code load_key(rf_service *service, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *path = NULL;
    bool found = false;
    if (*service->settings.secret_key)
        return RF_OK;
    RF_TRY(rf_service_path(service, "secret.key", &path, err));
    RF_TRY(read_key(service, path, &found, err));
    if (!found) {
        RF_TRY(make_key(path, err));
        RF_TRY(read_key(service, path, &found, err));
    }
out:
    return rc;
}

/* ------------------------------------------------------------------ all of it */

rf_code rf_service_load(rf_service *out, rf_cli *cli, rf_service_use use, rf_error *err)
{
    rf_code rc = RF_OK;
    *out = (rf_service){.lock_fd = -1};
    umask(077);
    RF_TRY(load_settings(out, cli, err));
    rf_cli_show_notes(cli);
    if (use == RF_SERVICE_SETTINGS_ONLY)
        return RF_OK;
    RF_TRY(make_folder(out->settings.data_dir, err));
    if (use == RF_SERVICE_ALONE)
        RF_TRY(take_lock(out, err));
    RF_TRY(load_key(out, err));
out:
    return rc;
}

void rf_service_free(rf_service *service)
{
    rf_log_close();
    if (service->lock_fd >= 0)
        close(service->lock_fd);
    rf_settings_free(&service->settings);
    rf_dotenv_free(&service->dotenv);
    *service = (rf_service){.lock_fd = -1};
}

rf_code rf_service_open_log(const rf_service *service, bool rotates, rf_error *err)
{
    const rf_settings *settings = &service->settings;
    rf_log_options options = {.path = *settings->log_path ? settings->log_path : NULL,
                              .rotate_bytes = rotates ? settings->log_rotate_mb << 20 : 0,
                              .backups = (int)settings->log_backups};
    if (settings->debug || !rf_log_level_find(&options.least, settings->log_level))
        options.least = RF_LOG_DEBUG;
    return rf_log_open(&options, err);
}

rf_code rf_service_open_db(const rf_service *service, bool migrate, rf_db **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf url;
    rf_buf_init(&url);
    rf_buf_printf(&url, "sqlite:///%s", service->settings.database_path);
    RF_TRY(rf_buf_check(&url, "the database's name", err));
    const rf_db_options options = {.url = url.data,
                                   .full_sync = !strcmp(service->settings.database_synchronous, "full")};
    RF_TRY(rf_db_open(out, &options, err));
    if (migrate)
        RF_TRY(rf_db_migrate(*out, rf_clock_wall_us() / 1000, NULL, err));
out:
    rf_buf_free(&url);
    return rc;
}
