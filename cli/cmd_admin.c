#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/service.h"
#include "crypto/password.h"
#include "crypto/secret.h"
#include "scheduler/accounts.h"

enum { LINE_SIZE = 256 };

/* ------------------------------------------------------------------ the password */

/* One line, without its end; read byte by byte so that nothing behind it is taken from a pipe. */
static rf_code read_line(char line[LINE_SIZE], size_t *length, rf_error *err)
{
    *length = 0;
    for (;;) {
        char c;
        const ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rf_fail_errno(err, RF_IO, "the password cannot be read from standard input");
        if (n == 0 || c == '\n')
            break;
        if (*length + 1 >= LINE_SIZE)
            return rf_fail(err, RF_USAGE, "the password is too long: at most %d bytes",
                           RF_PASSWORD_BYTES_MAX);
        line[(*length)++] = c;
    }
    if (*length > 0 && line[*length - 1] == '\r')
        (*length)--;
    line[*length] = 0;
    return RF_OK;
}

static rf_code ask_hidden(const char *question, char line[LINE_SIZE], size_t *length, rf_error *err)
{
    struct termios before, silent;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return read_line(line, length, err);
    fputs(question, stderr);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    rf_code rc = read_line(line, length, err);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return rc;
}

/* From a terminal it is asked for twice; from a pipe it is the first line. */
static rf_code get_password(char line[LINE_SIZE], size_t *length, rf_error *err)
{
    rf_code rc = RF_OK;
    char again[LINE_SIZE];
    size_t again_length = 0;
    RF_TRY(ask_hidden("password: ", line, length, err));
    if (isatty(STDIN_FILENO)) {
        RF_TRY(ask_hidden("again: ", again, &again_length, err));
        if (!rf_secret_equal(line, *length, again, again_length))
            RF_TRY(rf_fail(err, RF_USAGE, "the two passwords differ"));
    }
    if (*length == 0)
        RF_TRY(rf_fail(err, RF_USAGE,
                       "no password was given: type it, or send it as the first line of standard input"));
out:
    rf_secret_wipe(again, sizeof again);
    return rc;
}

/* ------------------------------------------------------------------ create-user */

static rf_code wanted_user(const rf_cli *cli, rf_new_account *out, rf_error *err)
{
    const char *role = rf_options_text(&cli->options, RF_OPT_ROLE, "user");
    *out = (rf_new_account){.email = rf_options_text(&cli->options, RF_OPT_EMAIL, NULL),
                            .name = rf_options_text(&cli->options, RF_OPT_NAME, NULL)};
    if (!out->email)
        return rf_fail(err, RF_USAGE, "say whose account it is: --email ADDRESS");
    const int found = rf_role_find(role);
    if (found < 0)
        return rf_fail(err, RF_USAGE, "there is no role \"%s\"; a user's is user or admin", role);
    out->role = (rf_role)found;
    return RF_OK;
}

static rf_code create_user(rf_cli *cli, rf_service *service, rf_error *err)
{
    rf_code rc = RF_OK;
    char password[LINE_SIZE];
    rf_new_account wanted;
    rf_user user;
    rf_db *db = NULL;
    rf_accounts *accounts = NULL;
    rf_arena arena;
    rf_arena_init(&arena);
    RF_TRY(wanted_user(cli, &wanted, err));
    RF_TRY(get_password(password, &wanted.password_bytes, err));
    wanted.password = password;
    RF_TRY(rf_service_open_db(service, true, &db, err));
    const rf_accounts_options options = {.db = db, .password_cost = (int)service->settings.password_cost};
    RF_TRY(rf_accounts_open(&accounts, &options, err));
    RF_TRY(rf_account_register(accounts, &wanted, &arena, &user, err));
    rf_cli_result(cli, "user",
                  json_pack("{s:I, s:s, s:s}", "id", (json_int_t)user.id, "email", user.email, "role",
                            rf_role_name(user.role)));
    rf_cli_say(cli, "user %lld, %s, is %s %s", (long long)user.id, user.email,
               user.role == RF_ROLE_ADMIN ? "an" : "a", rf_role_name(user.role));
out:
    rf_secret_wipe(password, sizeof password);
    rf_accounts_close(accounts);
    rf_db_close(db);
    rf_arena_free(&arena);
    return rc;
}

rf_code rf_cmd_admin(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_service service = {.lock_fd = -1};
    RF_TRY(rf_options_operands(&cli->options, 1, "create-user", err));
    if (strcmp(cli->options.operands.text[0], "create-user") != 0)
        RF_TRY(rf_fail(err, RF_USAGE, "there is no \"rowforge admin %s\"; there is admin create-user",
                       cli->options.operands.text[0]));
    RF_TRY(rf_service_load(&service, cli, RF_SERVICE_SHARED, err));
    rc = create_user(cli, &service, err);
    if (rc != RF_OK)
        err->context[0] = '\0'; /* a field of the HTTP interface, which nobody filled in here */
out:
    rf_service_free(&service);
    return rc;
}
