/* storage_rig.h - a storage of one side or the other, empty, for one test. */
#ifndef RF_TESTS_STORAGE_RIG_H
#define RF_TESTS_STORAGE_RIG_H

#include "storage/storage.h"

/* A side of the seam: each test of test_storage.c runs on all of them. */
typedef struct rf_storage_side {
    const char *name;
    int (*begin)(void **state); /* sets rig_storage */
    int (*end)(void **state);
} rf_storage_side;

extern const rf_storage_side rig_sides[];
extern const int rig_n_sides;

extern rf_storage *rig_storage;
extern char rig_folder[64]; /* of the folder side */

int rig_begin_folder(void **state);
int rig_end_folder(void **state);

/* Opens the same folder once more, as another process would. */
rf_storage *rig_open_again(void);

/* Puts a text; reads an object into a text of up to 4,095 bytes that lives until the next call. */
rf_code rig_put(const char *key, const char *text, rf_error *err);
const char *rig_get(const char *key);

/* All keys by a prefix, split by blanks, in pages of `page`. */
const char *rig_list(const char *prefix, int32_t page);

/* Files of any kind below the folder. */
int rig_count_files(void);

#endif
