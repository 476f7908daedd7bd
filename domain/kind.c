#include "domain/kind.h"

#include <string.h>

static const char *const names[RF_KIND_COUNT] = {
#define KIND_NAME(name, text, cells, summary) [RF_KIND_##name] = text,
    RF_KIND_TABLE(KIND_NAME)
#undef KIND_NAME
};

const char *rf_kind_name(rf_kind kind)
{
    return (unsigned)kind < RF_KIND_COUNT ? names[kind] : "unknown";
}

int rf_kind_find(const char *name)
{
    for (int kind = 0; kind < RF_KIND_COUNT; kind++)
        if (strcmp(names[kind], name) == 0)
            return kind;
    return -1;
}
