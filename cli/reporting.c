#include "cli/reporting.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/file.h"

static bool has_suffix(const char *path, const char *suffix)
{
    const size_t n = strlen(path), m = strlen(suffix);
    return n > m && !strcmp(path + n - m, suffix);
}

rf_code rf_cli_check_reports(const rf_cli *cli, rf_error *err)
{
    const rf_texts *reports = &cli->options.values[RF_OPT_REPORT];
    for (int32_t i = 0; i < reports->n; i++)
        if (!has_suffix(reports->text[i], ".html") && !has_suffix(reports->text[i], ".json"))
            return rf_fail(err, RF_USAGE, "a report is .html or .json, not %s", reports->text[i]);
    return RF_OK;
}

/* ------------------------------------------------------------------ judging */

typedef struct judged {
    rf_table *synthetic, *holdout;
    rf_arena metadata_arena;
    rf_metadata metadata;
    rf_quality *quality;
} judged;

static rf_code judge(rf_cli *cli, const rf_table *real, const char *path, judged *j, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_options read;
    rf_quality_options options = {.seed = 0};
    const char *holdout = rf_options_text(&cli->options, RF_OPT_HOLDOUT, NULL);
    RF_TRY(rf_cli_table_options(cli, &read, err));
    read.allow_one_row = true;
    if (read.metadata_path) {
        RF_TRY(rf_metadata_read(&j->metadata, &j->metadata_arena, read.metadata_path, NULL, err));
        options.metadata = &j->metadata;
    }
    if (holdout)
        RF_TRY(rf_table_read_like(&j->holdout, holdout, &real->schema, &read, &cli->notes, err));
    if (cli->options.command != RF_CMD_EVALUATE) { /* our own file: the options speak of the input */
        read.format = NULL;
        read.delimiter = 0;
        read.latin1 = false;
    }
    RF_TRY(rf_table_read_like(&j->synthetic, path, &real->schema, &read, &cli->notes, err));
    options.holdout = j->holdout;
    if (cli->options.given[RF_OPT_SEED])
        RF_TRY(rf_cli_seed(cli, &options.seed, err));
    RF_TRY(rf_quality_evaluate(&j->quality, real, j->synthetic, &options, cli->pool, err));
out:
    return rc;
}

static void judged_free(judged *j)
{
    rf_quality_free(j->quality);
    rf_table_free(j->synthetic);
    rf_table_free(j->holdout);
    rf_arena_free(&j->metadata_arena);
}

/* ------------------------------------------------------------------ writing */

static rf_code write_report(const judged *j, const rf_table *real, const rf_report_context *context,
                            const char *path, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf page;
    rf_buf_init(&page);
    if (has_suffix(path, ".html"))
        rf_quality_html(j->quality, real, j->synthetic, context, &page);
    else
        rf_quality_json(j->quality, real, context, &page);
    RF_TRY(rf_buf_check(&page, "the report", err));
    RF_TRY(rf_file_store(path, page.data, page.size_bytes, err));
out:
    rf_buf_free(&page);
    return rc;
}

static rf_code show_summary(rf_cli *cli, const judged *j, const rf_table *real,
                            const rf_report_context *context, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_buf text;
    rf_buf_init(&text);
    if (cli->json) {
        rf_quality_json(j->quality, real, context, &text);
        RF_TRY(rf_buf_check(&text, "the report", err));
        rf_cli_result(cli, "quality", rf_cli_json_value(&text));
    } else if (!cli->quiet) {
        const bool is_result = cli->options.command == RF_CMD_EVALUATE;
        rf_quality_text(j->quality, real, &text);
        RF_TRY(rf_buf_check(&text, "the report", err));
        fputs(text.data, is_result ? stdout : stderr);
    }
out:
    rf_buf_free(&text);
    return rc;
}

rf_code rf_cli_report(rf_cli *cli, const rf_table *real, const char *path, rf_report_context *context,
                      rf_error *err)
{
    rf_code rc = RF_OK;
    char created[32];
    judged j;
    memset(&j, 0, sizeof j);
    rf_arena_init(&j.metadata_arena);
    RF_TRY(judge(cli, real, path, &j, err));
    rf_clock_rfc3339(created, rf_clock_wall_us());
    context->created = created;
    context->notes = &cli->notes;
    const rf_texts *reports = &cli->options.values[RF_OPT_REPORT];
    for (int32_t i = 0; i < reports->n; i++)
        RF_TRY(write_report(&j, real, context, reports->text[i], err));
    RF_TRY(show_summary(cli, &j, real, context, err));
out:
    judged_free(&j);
    context->created = NULL;
    return rc;
}
