#include "domain/user.h"

#include <string.h>

static const char *const role_names[] = {
#define NAME(name, text) text,
    RF_ROLE_TABLE(NAME)
#undef NAME
};

const char *rf_role_name(rf_role role)
{
    return role_names[role];
}

int rf_role_find(const char *name)
{
    for (int i = 0; i < RF_ROLE_COUNT; i++)
        if (!strcmp(role_names[i], name))
            return i;
    return -1;
}
