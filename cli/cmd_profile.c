#include <stdio.h>

#include "cli/command.h"
#include "engine/table/profile.h"

rf_code rf_cmd_profile(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table *table = NULL;
    rf_profile *profile = NULL;
    rf_buf text;
    rf_buf_init(&text);
    rf_table_options options;
    RF_TRY(rf_options_operands(&cli->options, 1, "the name of one table", err));
    RF_TRY(rf_cli_open_pool(cli, err));
    RF_TRY(rf_cli_table_options(cli, &options, err));
    options.allow_one_row = true;
    RF_TRY(rf_table_read(&table, cli->options.operands.text[0], &options, &cli->notes, err));
    RF_TRY(rf_profile_create(&profile, table, cli->pool, err));
    rf_profile_note(profile, table, &cli->notes);
    if (cli->json) {
        rf_profile_json(profile, table, &cli->notes, &text);
        RF_TRY(rf_buf_check(&text, "the profile", err));
        json_t *document = rf_cli_json_value(&text);
        json_object_update(cli->result, document);
        json_decref(document);
    } else {
        rf_profile_text(profile, table, &text);
        RF_TRY(rf_buf_check(&text, "the profile", err));
        fputs(text.data, stdout);
    }
out:
    rf_buf_free(&text);
    rf_profile_free(profile);
    rf_table_free(table);
    return rc;
}
