#include "domain/dataset.h"

#include <string.h>

#define NAME(name, text) text,
static const char *const status_names[] = {RF_DATASET_STATUS_TABLE(NAME)};
static const char *const role_names[] = {RF_ARTIFACT_ROLE_TABLE(NAME)};
#undef NAME

static int find(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

const char *rf_dataset_status_name(rf_dataset_status status)
{
    return status_names[status];
}

int rf_dataset_status_find(const char *name)
{
    return find(status_names, RF_DATASET_STATUS_COUNT, name);
}

const char *rf_artifact_role_name(rf_artifact_role role)
{
    return role_names[role];
}

int rf_artifact_role_find(const char *name)
{
    return find(role_names, RF_ARTIFACT_ROLE_COUNT, name);
}
