#include <string.h>

#include "cli/sampling.h"

/* Rows of the model in a file; *n_rows 0: as many as it was trained on. */
static rf_code load_and_sample(rf_cli *cli, const char *path, uint64_t seed, int64_t *n_rows, double *seconds,
                               rf_error *err)
{
    rf_code rc = RF_OK;
    rf_fitted *fitted = NULL;
    rf_fitted_info info;
    RF_TRY(rf_fitted_load(&fitted, cli->options.operands.text[0], cli->device, err));
    rf_fitted_describe(fitted, &info);
    if (*n_rows == 0)
        *n_rows = info.n_rows;
    RF_TRY(rf_cli_sample(cli, fitted, path, *n_rows, seed, seconds, err));
out:
    rf_fitted_free(fitted);
    return rc;
}

rf_code rf_cmd_sample(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    const char *path = NULL;
    uint64_t seed = 0;
    int64_t n_rows = 0;
    double seconds = 0;
    RF_TRY(rf_options_operands(&cli->options, 1, "the name of one model file", err));
    RF_TRY(rf_cli_output(cli, &path, err));
    RF_TRY(rf_table_format_check(path, NULL, true, err));
    RF_TRY(rf_cli_seed(cli, &seed, err));
    RF_TRY(rf_options_int(&cli->options, RF_OPT_ROWS, 1, INT64_C(1000000000000), 0, &n_rows, err));
    RF_TRY(rf_cli_open_device(cli, err));
    rc = load_and_sample(cli, path, seed, &n_rows, &seconds, err);
    while (strcmp(path, "-") != 0 && rf_cli_next_device(cli, rc)) { /* what went to a pipe stays said */
        memset(err, 0, sizeof *err);
        rc = load_and_sample(cli, path, seed, &n_rows, &seconds, err);
    }
    RF_TRY(rc);
    rf_cli_result(cli, "output", rf_cli_json_text(path));
    rf_cli_result(cli, "rows", json_integer(n_rows));
    rf_cli_result(cli, "seed", json_integer((json_int_t)seed));
    rf_cli_result(cli, "sample_seconds", json_real(seconds));
    char rows_text[32], time_text[32];
    rf_count_text(rows_text, sizeof rows_text, n_rows);
    rf_duration_text(time_text, sizeof time_text, seconds);
    rf_cli_say(cli, "wrote %s: %s rows in %s, seed %llu", path, rows_text, time_text,
               (unsigned long long)seed);
out:
    return rc;
}
