/* names.h - whether a host is one of those that the service answers to. Any thread. */
#ifndef RF_API_NAMES_H
#define RF_API_NAMES_H

#include <stdbool.h>

#include "domain/settings.h"

/* The whole text is one of the list's, ASCII letters of either case alike. */
bool rfi_names_have(const rf_setting_list *names, const char *text);

/* A Host header against the list: its port does not count, "*" stands for any, "*.name" for every host below name. */
bool rfi_names_have_host(const rf_setting_list *names, const char *host);

#endif
