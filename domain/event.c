#include "domain/event.h"

#include <string.h>

#include "core/alloc.h"

static const char *const names[] = {
#define NAME(name, text, summary) text,
    RF_EVENT_KIND_TABLE(NAME)
#undef NAME
};

const char *rf_event_kind_name(rf_event_kind kind)
{
    return names[kind];
}

int rf_event_kind_find(const char *name)
{
    for (int i = 0; i < RF_EVENT_KIND_COUNT; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

void rf_event_free(rf_event *event)
{
    if (!event)
        return;
    rf_free(event->body);
    event->body = NULL;
}
