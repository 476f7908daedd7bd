/* Serves the stub routes on a free port until standard input closes; for the tests in Python. Settings come from the
 * environment. The first line of output is the port, then a token of user 7 and one of an administrator, user 1. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/jwt.h"
#include "api/server_internal.h"
#include "core/clock.h"
#include "core/log.h"
#include "stub_routes.h"

static const char secret[] = "a secret that is only for tests, 32+";

static rf_code print_token(int64_t user_id, bool is_admin, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_jwt *jwt = NULL;
    rf_buf token;
    rf_buf_init(&token);
    RF_TRY(rf_jwt_open(&jwt, secret, strlen(secret), err));
    RF_TRY(rf_jwt_issue(jwt, &(rf_claims){.user_id = user_id, .family_id = 3, .is_admin = is_admin},
                        rf_clock_wall_us() / 1000000, 3600, &token, err));
    printf("%s\n", token.data);
out:
    rf_jwt_close(jwt);
    rf_buf_free(&token);
    return rc;
}

int main(void)
{
    rf_code rc = RF_OK;
    rf_error err = {0};
    rf_settings settings = {0};
    rf_notes faults = {0};
    rf_server *server = NULL;
    char rest[64];
    RF_TRY(rf_log_open(&(rf_log_options){.least = RF_LOG_WARNING}, &err));
    RF_TRY(rf_settings_load(&settings, environ, NULL, &faults, NULL, &err));
    settings.secret_key = secret;
    RF_TRY(rfi_server_open_routes(&server, &(rf_server_options){.settings = &settings}, &stub_routes, &err));
    printf("%d\n", rf_server_port(server));
    RF_TRY(print_token(7, false, &err));
    RF_TRY(print_token(1, true, &err));
    fflush(stdout);
    while (read(STDIN_FILENO, rest, sizeof rest) > 0)
        ;
    rf_server_drain(server, 5);
out:
    rf_server_close(server);
    rf_settings_free(&settings);
    if (rc != RF_OK)
        fprintf(stderr, "%s\n", err.message);
    return rc != RF_OK;
}
