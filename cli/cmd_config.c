#include <stdio.h>

#include "cli/service.h"

rf_code rf_cmd_config(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_service service = {.lock_fd = -1};
    rf_buf text;
    rf_buf_init(&text);
    RF_TRY(rf_options_operands(&cli->options, 0, "no argument", err));
    RF_TRY(rf_service_load(&service, cli, RF_SERVICE_SETTINGS_ONLY, err));
    if (cli->json)
        rf_settings_json(&service.settings, &text);
    else
        rf_settings_text(&service.settings, &text);
    RF_TRY(rf_buf_check(&text, "the settings", err));
    if (cli->json)
        rf_cli_result(cli, "settings", rf_cli_json_value(&text));
    else
        fputs(text.data, stdout);
out:
    rf_buf_free(&text);
    rf_service_free(&service);
    return rc;
}
