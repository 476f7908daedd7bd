/* command.h - what the commands share: their options, team of threads, device, warnings and result.
 *
 * A command is a function that returns a code; main prints the error and chooses the exit status. Standard output belongs to the result
 * (a table, or with --json one document), standard error to people.
 */
#ifndef RF_CLI_COMMAND_H
#define RF_CLI_COMMAND_H

#include <jansson.h>

#include "cli/options.h"
#include "cli/progress.h"
#include "core/notes.h"
#include "core/pool.h"
#include "engine/table/table.h"
#include "kernels/backend.h"

typedef struct rf_cli {
    rf_options options;
    int argc;
    char **argv; /* the whole command line, for "go on with" */
    rf_notes notes;
    int notes_shown;
    rf_device *device; /* rf_cli_open_device */
    rf_pool *pool;     /* the device's, or own_pool */
    rf_pool *own_pool;
    rf_progress_view view;
    bool json, quiet;
    json_t *result;             /* with --json: printed by main when the command succeeded */
    rf_type_override types[64]; /* of --type; texts lent by options.arena */
} rf_cli;

rf_code rf_cmd_synth(rf_cli *cli, rf_error *err) RF_MUST_CHECK; /* synth and fit */
rf_code rf_cmd_sample(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
rf_code rf_cmd_evaluate(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
rf_code rf_cmd_profile(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
rf_code rf_cmd_demo_data(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
rf_code rf_cmd_devices(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
#if RF_SERVICE
rf_code rf_cmd_serve(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
rf_code rf_cmd_worker(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
rf_code rf_cmd_config(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
rf_code rf_cmd_db(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
rf_code rf_cmd_admin(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
#endif

/* --threads and --device. open_device makes a pool too; open_pool alone is for commands without a device. */
rf_code rf_cli_open_device(rf_cli *cli, rf_error *err) RF_MUST_CHECK;
/* Whether it was a failure (DEVICE or NO_MEMORY) of a GPU that --device auto chose, so that another device may take over. */
bool rf_cli_may_go_on(const rf_cli *cli, rf_code failed);
/* After such a failure: closes the device, opens what comes next and says so. False: it was another, or there is nothing to go on
 * with. Whatever lived on the old device must be gone. */
bool rf_cli_next_device(rf_cli *cli, rf_code failed);
rf_code rf_cli_open_pool(rf_cli *cli, rf_error *err) RF_MUST_CHECK;

/* How the options say that tables are read; lent by cli. */
rf_code rf_cli_table_options(rf_cli *cli, rf_table_options *out, rf_error *err) RF_MUST_CHECK;

/* --seed, or a fresh one. */
rf_code rf_cli_seed(rf_cli *cli, uint64_t *out, rf_error *err) RF_MUST_CHECK;

/* Before long work: can something be written at `path`, and is it none of the files that this command reads?
 * INPUT, NOT_FOUND or IO for the folder, USAGE for a file that would be lost. */
rf_code rf_cli_check_result(const rf_cli *cli, const char *path, rf_error *err) RF_MUST_CHECK;

/* -o, checked so. */
rf_code rf_cli_output(rf_cli *cli, const char **out, rf_error *err) RF_MUST_CHECK;

/* Prints the warnings that came since the last call. */
void rf_cli_show_notes(rf_cli *cli);

/* A line to standard error, unless --quiet. */
void rf_cli_say(rf_cli *cli, const char *format, ...) RF_PRINTF(2, 3);

/* Adds to the --json document; takes `value`. Nothing without --json. */
void rf_cli_result(rf_cli *cli, const char *key, json_t *value);

/* A JSON string of any bytes: names of files need not be UTF-8, JSON must be; what is not becomes '?'. NULL without memory. */
json_t *rf_cli_json_text(const char *text);

/* The text of a buffer that holds one JSON value; NULL when it does not. */
json_t *rf_cli_json_value(const rf_buf *buf);

#endif
