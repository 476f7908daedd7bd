/* sampling.h - rows from a fitted model into a file, for synth and sample. */
#ifndef RF_CLI_SAMPLING_H
#define RF_CLI_SAMPLING_H

#include "cli/command.h"
#include "engine/pipeline.h"

/* Writes n_rows to `path` with the --where conditions. *seconds: how long it took. */
rf_code rf_cli_sample(rf_cli *cli, rf_fitted *fitted, const char *path, int64_t n_rows, uint64_t seed,
                      double *seconds, rf_error *err) RF_MUST_CHECK;

#endif
