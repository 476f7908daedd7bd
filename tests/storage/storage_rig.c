#include "storage_rig.h"

#include <ftw.h>

#include <unistd.h>

#include "rf_test.h"

rf_storage *rig_storage;
char rig_folder[64];

const rf_storage_side rig_sides[] = {{"folder", rig_begin_folder, rig_end_folder}};
const int rig_n_sides = sizeof rig_sides / sizeof *rig_sides;

static const char secret[] = "a secret of the tests, 32 bytes.";

rf_storage *rig_open_again(void)
{
    rf_error err = {0};
    rf_storage *storage = NULL;
    assert_ok(rf_storage_open_folder(&storage, rig_folder, secret, sizeof secret - 1, &err));
    return storage;
}

int rig_begin_folder(void **state)
{
    (void)state;
    snprintf(rig_folder, sizeof rig_folder, "/tmp/rowforge-objects-XXXXXX");
    if (!mkdtemp(rig_folder))
        return -1;
    rig_storage = rig_open_again();
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *place)
{
    (void)info;
    (void)flag;
    (void)place;
    return remove(path);
}

int rig_end_folder(void **state)
{
    (void)state;
    rf_storage_close(rig_storage);
    rig_storage = NULL;
    return nftw(rig_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

rf_code rig_put(const char *key, const char *text, rf_error *err)
{
    return rf_storage_put_bytes(rig_storage, key, text, strlen(text), NULL, NULL, err);
}

const char *rig_get(const char *key)
{
    static char text[4096];
    rf_error err = {0};
    rf_buf buf;
    rf_buf_init(&buf);
    assert_ok(rf_storage_get_bytes(rig_storage, key, sizeof text - 1, &buf, &err));
    memcpy(text, buf.data, buf.size_bytes + 1);
    rf_buf_free(&buf);
    return text;
}

const char *rig_list(const char *prefix, int32_t page)
{
    static char text[4096];
    rf_error err = {0};
    rf_object objects[8];
    char after[RF_KEY_BYTES_MAX + 1] = "";
    int32_t n = page;
    text[0] = 0;
    while (n == page) {
        assert_ok(rf_storage_list(rig_storage, prefix, after, objects, page, &n, &err));
        for (int32_t i = 0; i < n; i++) {
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "",
                     objects[i].key);
            memcpy(after, objects[i].key, sizeof after);
        }
    }
    return text;
}

static int n_files;

static int count_one(const char *path, const struct stat *info, int flag, struct FTW *place)
{
    (void)path;
    (void)info;
    n_files += flag == FTW_F || (flag == FTW_D && place->level > 0);
    return 0;
}

int rig_count_files(void)
{
    n_files = 0;
    nftw(rig_folder, count_one, 16, FTW_PHYS);
    return n_files;
}
