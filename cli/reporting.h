/* reporting.h - judging a synthetic table and writing what was found, for synth and evaluate. */
#ifndef RF_CLI_REPORTING_H
#define RF_CLI_REPORTING_H

#include "cli/command.h"
#include "engine/quality/quality.h"

/* Ask before long work: USAGE when a --report has a suffix other than .html and .json or is a file that the command
 * reads or writes, and what rf_cli_check_result says of its folder. */
rf_code rf_cli_check_reports(const rf_cli *cli, rf_error *err) RF_MUST_CHECK;

/* The --holdout, read with the kinds of `real`; *out stays as it is without one and is the caller's. INPUT when it
 * shares no column with `real`. */
rf_code rf_cli_read_holdout(rf_cli *cli, const rf_table *real, rf_table **out, rf_error *err) RF_MUST_CHECK;

/* Reads the synthetic file at `path` as it was written, judges it against `real` (and `holdout`, or NULL), writes every
 * --report, shows the summary and adds it to the --json document. `context` is completed with what the command line knows. */
rf_code rf_cli_report(rf_cli *cli, const rf_table *real, const rf_table *holdout, const char *path,
                      rf_report_context *context, rf_error *err) RF_MUST_CHECK;

#endif
