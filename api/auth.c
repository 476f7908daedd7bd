/* Who calls: a bearer token of ours, whose session and account still are. */
#include <string.h>
#include <strings.h>

#include "api/server_internal.h"
#include "core/clock.h"

rf_code rfi_authenticate(rfi_call *call, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *header = rfi_header(call, "Authorization");
    if (!header)
        return rf_fail(err, RF_UNAUTHENTICATED,
                       "this needs a login: send Authorization: Bearer <access token>");
    if (strncasecmp(header, "Bearer ", 7) != 0)
        return rf_fail(err, RF_UNAUTHENTICATED, "the Authorization header must be: Bearer <access token>");
    const char *token = header + 7 + strspn(header + 7, " ");
    RF_TRY(
        rf_jwt_check(call->server->jwt, token, strlen(token), rf_clock_wall_us() / 1000000, &call->who, err));
    if (call->server->routes.identify)
        RF_TRY(call->server->routes.identify(call->server, &call->who, err));
out:
    if (rc != RF_OK)
        call->who = (rf_claims){0};
    return rc;
}

bool rfi_is_welcome(const rf_server *server, const rf_claims *who)
{
    rf_error err = {0};
    rf_claims claims = *who;
    return !server->routes.identify || server->routes.identify(server, &claims, &err) != RF_UNAUTHENTICATED;
}
