#include "cli/sampling.h"

#include "core/clock.h"

static rf_code append_rows(void *arg, const rf_table *rows, rf_error *err)
{
    return rf_table_writer_append(arg, rows, err);
}

rf_code rf_cli_sample(rf_cli *cli, rf_fitted *fitted, const char *path, int64_t n_rows, uint64_t seed,
                      double *seconds, rf_error *err)
{
    rf_code rc = RF_OK;
    const double began_s = rf_clock_s();
    rf_table_writer *writer = NULL;
    const rf_write_options write = {.format = NULL, .pool = cli->pool};
    const rf_texts *where = &cli->options.values[RF_OPT_WHERE];
    const rf_sample_options options = {
        .n_rows = n_rows,
        .seed = seed,
        .where = where->text,
        .n_where = where->n,
        .progress = rf_progress_show,
        .progress_arg = &cli->view,
    };
    rf_interrupt_begin();
    RF_TRY(
        rf_table_writer_open(&writer, path, rf_transform_schema(rf_fitted_transform(fitted)), &write, err));
    RF_TRY(rf_fitted_sample(fitted, &options, append_rows, writer, err));
    RF_TRY(rf_table_writer_commit(writer, err));
out:
    rf_interrupt_end();
    rf_progress_clear(&cli->view);
    rf_table_writer_close(writer);
    *seconds = rf_clock_s() - began_s;
    return rc;
}
