/* A table of routes that needs no scheduler: each shows one thing that the server does. */
#ifndef RF_TESTS_API_STUB_ROUTES_H
#define RF_TESTS_API_STUB_ROUTES_H

#include "api/route.h"

extern const rfi_routes stub_routes;

#endif
