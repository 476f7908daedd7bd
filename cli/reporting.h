/* reporting.h - judging a synthetic table and writing what was found, for synth and evaluate. */
#ifndef RF_CLI_REPORTING_H
#define RF_CLI_REPORTING_H

#include "cli/command.h"
#include "engine/quality/quality.h"

/* USAGE when a --report has a suffix other than .html and .json. Ask before long work. */
rf_code rf_cli_check_reports(const rf_cli *cli, rf_error *err) RF_MUST_CHECK;

/* Reads the synthetic file at `path` as it was written, and the --holdout, judges them against `real`, writes every --report, shows
 * the summary and adds it to the --json document. `context` is completed with what the command line knows. */
rf_code rf_cli_report(rf_cli *cli, const rf_table *real, const char *path, rf_report_context *context,
                      rf_error *err) RF_MUST_CHECK;

#endif
