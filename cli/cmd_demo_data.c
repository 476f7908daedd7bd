#include "cli/command.h"
#include "engine/table/demo.h"

static const int64_t default_rows = 10000;

static rf_code write_demo(rf_cli *cli, const char *path, int64_t n_rows, uint64_t seed, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table *rows = NULL;
    rf_table_writer *writer = NULL;
    const rf_write_options options = {.format = NULL, .pool = cli->pool};
    RF_TRY(rf_demo_table(&rows, n_rows, seed, err));
    RF_TRY(rf_table_writer_open(&writer, path, &rows->schema, &options, err));
    RF_TRY(rf_table_writer_append(writer, rows, err));
    RF_TRY(rf_table_writer_commit(writer, err));
out:
    rf_table_writer_close(writer);
    rf_table_free(rows);
    return rc;
}

rf_code rf_cmd_demo_data(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t n_rows = 0;
    uint64_t seed = 1;
    RF_TRY(rf_options_operands(&cli->options, 1, "the name of the file to write", err));
    const char *path = cli->options.operands.text[0];
    RF_TRY(rf_table_format_check(path, NULL, true, err));
    RF_TRY(rf_options_int(&cli->options, RF_OPT_ROWS, 1, 1000000000, default_rows, &n_rows, err));
    if (cli->options.given[RF_OPT_SEED])
        RF_TRY(rf_cli_seed(cli, &seed, err));
    RF_TRY(rf_cli_open_pool(cli, err));
    RF_TRY(write_demo(cli, path, n_rows, seed, err));
    rf_cli_result(cli, "output", rf_cli_json_text(path));
    rf_cli_result(cli, "rows", json_integer(n_rows));
    rf_cli_result(cli, "seed", json_integer((json_int_t)seed));
    char rows_text[32];
    rf_count_text(rows_text, sizeof rows_text, n_rows);
    rf_cli_say(cli, "wrote %s: %s rows, seed %llu", path, rows_text, (unsigned long long)seed);
out:
    return rc;
}
