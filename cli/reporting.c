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
    const char *output = rf_options_text(&cli->options, RF_OPT_OUTPUT, "");
    rf_code rc = RF_OK;
    for (int32_t i = 0; i < reports->n; i++) {
        const char *path = reports->text[i];
        if (!has_suffix(path, ".html") && !has_suffix(path, ".json"))
            return rf_fail(err, RF_USAGE, "a report is .html or .json, not %s", path);
        if (!strcmp(path, output))
            return rf_fail(err, RF_USAGE, "the rows and the report would both be %s", path);
        RF_TRY(rf_cli_check_result(cli, path, err));
    }
out:
    return rc;
}

/* ------------------------------------------------------------------ other tables */

/* Says which of the real table's columns the other lacks; returns how many it has. */
static int32_t compare_columns(rf_cli *cli, const rf_schema *real, const rf_schema *other, const char *which)
{
    const char *first = NULL;
    int32_t lacking = 0;
    for (int32_t i = 0; i < real->n_fields; i++) {
        const rf_field *field = &real->fields[i];
        if (field->kind == RF_KIND_IGNORED || rf_schema_find(other, field->label) >= 0)
            continue;
        first = first ? first : field->label;
        lacking++;
    }
    if (lacking > 0)
        rf_note(&cli->notes,
                "the %s table lacks %d of the %d columns (%s%s): what is said of it is said of the rest",
                which, lacking, real->n_fields, first, lacking > 1 ? ", …" : "");
    return real->n_fields - lacking;
}

rf_code rf_cli_read_holdout(rf_cli *cli, const rf_table *real, rf_table **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_options read;
    const char *path = rf_options_text(&cli->options, RF_OPT_HOLDOUT, NULL);
    if (!path)
        return RF_OK;
    RF_TRY(rf_cli_table_options(cli, &read, err));
    read.allow_one_row = true;
    RF_TRY(rf_table_read_like(out, path, &real->schema, &read, &cli->notes, err));
    if (compare_columns(cli, &real->schema, &(*out)->schema, "holdout") == 0)
        rc = rf_fail(err, RF_INPUT, "%s has none of the table's columns: is it the right holdout?", path);
out:
    return rc;
}

/* ------------------------------------------------------------------ judging */

typedef struct judged {
    rf_table *synthetic;
    rf_arena metadata_arena;
    rf_metadata metadata;
    rf_quality *quality;
} judged;

static rf_code judge(rf_cli *cli, const rf_table *real, const rf_table *holdout, const char *path, judged *j,
                     rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_options read;
    rf_quality_options options = {.seed = 0, .holdout = holdout};
    RF_TRY(rf_cli_table_options(cli, &read, err));
    read.allow_one_row = true;
    if (read.metadata_path) {
        RF_TRY(rf_metadata_read(&j->metadata, &j->metadata_arena, read.metadata_path, NULL, err));
        options.metadata = &j->metadata;
    }
    if (cli->options.command != RF_CMD_EVALUATE) { /* our own file: the options speak of the input */
        read.format = NULL;
        read.delimiter = 0;
        read.latin1 = false;
    }
    RF_TRY(rf_table_read_like(&j->synthetic, path, &real->schema, &read, &cli->notes, err));
    compare_columns(cli, &real->schema, &j->synthetic->schema, "synthetic");
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

rf_code rf_cli_report(rf_cli *cli, const rf_table *real, const rf_table *holdout, const char *path,
                      rf_report_context *context, rf_error *err)
{
    rf_code rc = RF_OK;
    char created[32];
    judged j;
    memset(&j, 0, sizeof j);
    rf_arena_init(&j.metadata_arena);
    RF_TRY(judge(cli, real, holdout, path, &j, err));
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
