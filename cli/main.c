/* main.c - rowforge's front door: finds the command, runs it, tells how it went. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "core/text.h"
#include "domain/params.h"

typedef struct command {
    const char *name, *usage, *summary, *more;
    rf_command id;
    rf_code (*run)(rf_cli *cli, rf_error *err);
} command;

static const command commands[] = {
    {"synth", "synth IN -o OUT [options]", "learn from a table and write a synthetic one",
     "Reads IN (csv or tsv; - is standard input), trains a model, writes OUT. --report judges what was "
     "written.\n"
     "While it trains, a checkpoint stands at OUT.ckpt; after Ctrl-C or a crash the same command with "
     "--resume\n"
     "goes on there and gives the bytes that it would have given.\n",
     RF_CMD_SYNTH, rf_cmd_synth},
    {"fit", "fit IN -o MODEL.rfm [options]", "learn from a table and keep the model",
     "The model file holds no row of the table. `rowforge sample` makes rows from it.\n", RF_CMD_FIT,
     rf_cmd_synth},
    {"sample", "sample MODEL.rfm -n N -o OUT [options]", "make rows from a kept model", "", RF_CMD_SAMPLE,
     rf_cmd_sample},
    {"evaluate", "evaluate REAL SYNTHETIC [options]", "judge a synthetic table against a real one",
     "The definitions are SDMetrics' own; docs/report.md explains every number.\n", RF_CMD_EVALUATE,
     rf_cmd_evaluate},
    {"profile", "profile IN [options]", "say what a table's columns are", "", RF_CMD_PROFILE, rf_cmd_profile},
    {"demo-data", "demo-data OUT [--rows N] [--seed S]", "write a realistic generated table to try things on",
     "", RF_CMD_DEMO_DATA, rf_cmd_demo_data},
    {"devices", "devices", "say what can compute here, and why the rest cannot", "", RF_CMD_DEVICES,
     rf_cmd_devices},
#if RF_SERVICE
    {"serve", "serve [--workers N]", "run the service: HTTP, queue and workers in one",
     "Needs no settings: a database, files and a key are made in ./rowforge-data. `rowforge config` shows "
     "the settings,\n"
     "docs/settings.md explains them. The first line of standard output is the address. SIGTERM or Ctrl-C "
     "ends it gracefully:\n"
     "running jobs get some time, then they are given back and go on at their checkpoint after the next "
     "start.\n",
     RF_CMD_SERVE, rf_cmd_serve},
    {"worker", "worker --fd N", "run jobs for the server that started this", "Started by `rowforge serve`.\n",
     RF_CMD_WORKER, rf_cmd_worker},
    {"config", "config", "print the settings that would be used, secrets hidden", "", RF_CMD_CONFIG,
     rf_cmd_config},
    {"db", "db migrate|status", "bring the database up to date, or say how it stands", "", RF_CMD_DB,
     rf_cmd_db},
    {"admin", "admin create-user --email ADDRESS [--role admin]", "make an account",
     "The password is asked for on a terminal, or read from the first line of standard input.\n",
     RF_CMD_ADMIN, rf_cmd_admin},
#endif
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

/* ------------------------------------------------------------------ help */

static void print_overview(FILE *out)
{
    fputs("rowforge " RF_VERSION ": a table goes in; a table of people who never existed comes out.\n\n"
          "  rowforge synth people.csv -o synthetic.csv --report report.html\n\n"
          "Commands (rowforge COMMAND --help says more):\n",
          out);
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
    fputs("\nExit status: 0 done, 1 failed, 2 wrong use, 3 bad input, 130 interrupted.\n", out);
}

static void print_version(FILE *out)
{
    fputs("rowforge " RF_VERSION "\n", out);
}

static void print_help(const command *cmd)
{
    rf_buf text;
    rf_buf_init(&text);
    rf_buf_printf(&text, "usage: rowforge %s\n\n%s.\n%s\nOptions:\n", cmd->usage, cmd->summary, cmd->more);
    rf_options_help(cmd->id, &text);
    for (int model = 0; (cmd->id & RF_CMD_TRAINS) && model < RF_MODEL_COUNT; model++) {
        rf_buf_printf(&text, "\nParameters of %s (--set NAME=VALUE):\n",
                      rf_model_kind_name((rf_model_kind)model));
        rf_params_help((rf_model_kind)model, &text);
    }
    if (!text.failed)
        fputs(text.data, stdout);
    rf_buf_free(&text);
}

/* ------------------------------------------------------------------ running */

static void print_error(const char *name, const rf_error *err)
{
    if (err->context[0])
        fprintf(stderr, "rowforge %s: %s (%s)\n", name, err->message, err->context);
    else
        fprintf(stderr, "rowforge %s: %s\n", name, err->message);
    if (err->detail[0] && getenv("ROWFORGE_DEBUG"))
        fprintf(stderr, "  %s\n", err->detail);
}

static void attach_notes(rf_cli *cli)
{
    json_t *notes = json_array();
    for (int i = 0; i < cli->notes.n; i++)
        json_array_append_new(notes, rf_cli_json_text(cli->notes.texts[i]));
    rf_cli_result(cli, "notes", notes);
}

/* Whatever was printed has arrived; or its reader has left, as `head` does, and wanted no more. */
static rf_code flush_output(rf_error *err)
{
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE)
        return rf_fail_errno(err, RF_IO, "standard output cannot be written");
    return RF_OK;
}

static rf_code print_result(rf_cli *cli, rf_error *err)
{
    attach_notes(cli);
    if (json_dumpf(cli->result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) != 0 ||
        fputc('\n', stdout) == EOF || fflush(stdout) != 0)
        return rf_fail_errno(err, RF_IO, "standard output cannot be written");
    return RF_OK;
}

static void print_json_error(const rf_error *err)
{
    json_t *document = json_pack("{s:{s:s, s:o}}", "error", "code", rf_code_name(err->code), "message",
                                 rf_cli_json_text(err->message));
    if (document)
        json_dumpf(document, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(document);
}

static rf_code run_command(rf_cli *cli, const command *cmd, int argc, char **argv, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_options_parse(&cli->options, cmd->id, argc, argv, err));
    cli->json = cli->options.given[RF_OPT_JSON];
    cli->quiet = cli->options.given[RF_OPT_QUIET];
    if (cli->options.given[RF_OPT_HELP]) {
        print_help(cmd);
        return flush_output(err);
    }
    if (cli->json && !(cli->result = json_object()))
        RF_TRY(rf_fail(err, RF_NO_MEMORY, "there is no memory for the result"));
    rf_progress_view_init(&cli->view, cli->quiet);
    RF_TRY(cmd->run(cli, err));
    rf_cli_show_notes(cli);
    if (cli->json)
        RF_TRY(print_result(cli, err));
    RF_TRY(flush_output(err));
out:
    return rc;
}

static int run(const command *cmd, int argc, char **argv)
{
    rf_error err = {0};
    rf_cli cli;
    memset(&cli, 0, sizeof cli);
    cli.argc = argc;
    cli.argv = argv;
    rf_notes_init(&cli.notes);
    const rf_code rc = run_command(&cli, cmd, argc - 2, argv + 2, &err);
    if (rc != RF_OK) {
        rf_cli_show_notes(&cli);
        print_error(cmd->name, &err);
        if (cli.json && rc != RF_INTERRUPTED)
            print_json_error(&err);
    }
    json_decref(cli.result);
    rf_device_close(cli.device);
    rf_pool_free(cli.own_pool);
    rf_notes_free(&cli.notes);
    rf_options_free(&cli.options);
    return rf_code_exit(rc);
}

static const command *find_command(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int refuse_command(const char *name)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = rf_text_nearest(name, names, N_COMMANDS);
    fprintf(stderr, "rowforge: there is no command %s in this version%s%s%s rowforge --help lists them\n",
            name, near ? "; did you mean " : ";", near ? near : "", near ? "?" : "");
    return rf_code_exit(RF_USAGE);
}

static int show(void (*print)(FILE *out))
{
    rf_error err = {0};
    print(stdout);
    const rf_code rc = flush_output(&err);
    if (rc != RF_OK)
        fprintf(stderr, "rowforge: %s\n", err.message);
    return rf_code_exit(rc);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of the write, with a sentence */
    if (argc < 2) {
        print_overview(stderr);
        return rf_code_exit(RF_USAGE);
    }
    const char *name = argv[1];
    if (!strcmp(name, "--version") || !strcmp(name, "version"))
        return show(print_version);
    const command *cmd = find_command(name);
    if (cmd)
        return run(cmd, argc, argv);
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        if (argc > 2 && (cmd = find_command(argv[2]))) {
            print_help(cmd);
            return 0;
        }
        return show(print_overview);
    }
    return refuse_command(name);
}
