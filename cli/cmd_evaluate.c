#include <string.h>

#include "cli/reporting.h"

rf_code rf_cmd_evaluate(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table *real = NULL, *holdout = NULL;
    rf_table_options options;
    RF_TRY(rf_options_operands(&cli->options, 2, "the names of two tables, REAL and SYNTHETIC,", err));
    RF_TRY(rf_cli_check_reports(cli, err));
    RF_TRY(rf_cli_open_pool(cli, err));
    RF_TRY(rf_cli_table_options(cli, &options, err));
    const char *const *paths = (const char *const *)cli->options.operands.text;
    RF_TRY(rf_table_read(&real, paths[0], &options, &cli->notes, err));
    RF_TRY(rf_cli_read_holdout(cli, real, &holdout, err));
    rf_cli_show_notes(cli);
    rf_report_context context = {.title = paths[1]};
    RF_TRY(rf_cli_report(cli, real, holdout, paths[1], &context, err));
    const rf_texts *reports = &cli->options.values[RF_OPT_REPORT];
    for (int32_t i = 0; i < reports->n; i++)
        rf_cli_say(cli, "wrote %s", reports->text[i]);
out:
    rf_table_free(holdout);
    rf_table_free(real);
    return rc;
}
