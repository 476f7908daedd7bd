#include <stdio.h>

#include "cli/command.h"

rf_code rf_cmd_devices(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf text;
    rf_buf_init(&text);
    RF_TRY(rf_options_operands(&cli->options, 0, "no argument", err));
    rf_device_list(&text, cli->json);
    RF_TRY(rf_buf_check(&text, "the list of devices", err));
    if (cli->json)
        rf_cli_result(cli, "devices", rf_cli_json_value(&text));
    else
        fputs(text.data, stdout);
out:
    rf_buf_free(&text);
    return rc;
}
