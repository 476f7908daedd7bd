/* synth and fit: read a table, train, keep the model or write rows, and say how good they are. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/reporting.h"
#include "cli/sampling.h"
#include "core/alloc.h"
#include "core/file.h"
#include "engine/pipeline.h"

/* What one run of synth or fit goes through. */
typedef struct synth {
    rf_cli *cli;
    const char *input, *output;
    char *checkpoint; /* <output>.ckpt, NULL for a pipe                                */
    char *spool;      /* where rows for standard output stand until they are judged    */
    uint64_t seed;
    int64_t n_rows; /* to make                                                       */
    double sample_s;
    rf_params params;
    rf_table *real, *holdout;
    rf_fitted *fitted;
} synth;

/* ------------------------------------------------------------------ what was asked for */

static rf_code read_params(synth *s, rf_error *err)
{
    const rf_options *options = &s->cli->options;
    rf_code rc = RF_OK;
    rf_model_kind model;
    RF_TRY(rf_model_kind_parse(&model, rf_options_text(options, RF_OPT_MODEL, "ctgan"), err));
    rf_params_init(&s->params, model);
    for (int32_t i = 0; i < options->values[RF_OPT_SET].n; i++)
        RF_TRY(rf_params_assign(&s->params, options->values[RF_OPT_SET].text[i], err));
    const char *epochs = rf_options_text(options, RF_OPT_EPOCHS, NULL);
    if (epochs)
        RF_TRY(rf_params_set(&s->params, "epochs", epochs, err));
out:
    return rc;
}

/* Faults of the command line are told before any work. */
static rf_code check_request(synth *s, rf_error *err)
{
    rf_cli *cli = s->cli;
    const bool writes_rows = cli->options.command == RF_CMD_SYNTH;
    rf_code rc = RF_OK;
    RF_TRY(rf_options_operands(&cli->options, 1, "the name of one table", err));
    s->input = cli->options.operands.text[0];
    RF_TRY(rf_cli_output(cli, &s->output, err));
    RF_TRY(rf_table_format_check(s->input, rf_options_text(&cli->options, RF_OPT_FORMAT, NULL), false, err));
    if (writes_rows) {
        RF_TRY(rf_table_format_check(s->output, NULL, true, err));
        RF_TRY(rf_cli_check_reports(cli, err));
        RF_TRY(rf_options_int(&cli->options, RF_OPT_ROWS, 1, INT64_C(1000000000000), 0, &s->n_rows, err));
    }
    RF_TRY(read_params(s, err));
    if (!strcmp(s->output, "-") && cli->options.given[RF_OPT_RESUME])
        RF_TRY(rf_fail(err, RF_USAGE, "--resume needs a result with a name: -o FILE"));
out:
    return rc;
}

static rf_code name_checkpoint(synth *s, rf_error *err)
{
    if (!strcmp(s->output, "-"))
        return RF_OK;
    const size_t size = strlen(s->output) + sizeof ".ckpt";
    s->checkpoint = rf_malloc(size);
    if (!s->checkpoint)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the name of the checkpoint");
    snprintf(s->checkpoint, size, "%s.ckpt", s->output);
    return RF_OK;
}

/* --seed; else, on the way on, the checkpoint's own; else a fresh one. */
static rf_code choose_seed(synth *s, rf_error *err)
{
    const rf_options *options = &s->cli->options;
    if (options->given[RF_OPT_RESUME] && !options->given[RF_OPT_SEED] && s->checkpoint) {
        rf_checkpoint_info info;
        const rf_code rc = rf_checkpoint_peek(&info, s->checkpoint, err);
        if (rc == RF_OK)
            s->seed = info.seed;
        if (rc != RF_NOT_FOUND)
            return rc;
        memset(err, 0, sizeof *err);
    }
    return rf_cli_seed(s->cli, &s->seed, err);
}

/* ------------------------------------------------------------------ training */

static void say_how_to_go_on(const synth *s)
{
    fprintf(stderr, "\nstopped; to go on from the last checkpoint (%s):\n ", s->checkpoint);
    for (int i = 0; i < s->cli->argc; i++) {
        const char *word = s->cli->argv[i];
        const bool plain = word[0] && !strpbrk(word, " \t\n\"'\\$&|;<>()*?[]#~`!{}");
        fprintf(stderr, plain ? " %s" : " '%s'", word);
    }
    fprintf(stderr, "%s\n", s->cli->options.given[RF_OPT_RESUME] ? "" : " --resume");
}

/* From the start, or from the last checkpoint where there is one. */
static rf_code fit(synth *s, bool resume, rf_error *err)
{
    rf_cli *cli = s->cli;
    rf_code rc = RF_OK;
    int64_t max_categories = 0;
    RF_TRY(rf_options_int(&cli->options, RF_OPT_MAX_CATEGORIES, 2, 65000, 0, &max_categories, err));
    rf_fit_options options = {
        .params = s->params,
        .seed = s->seed,
        .compat = cli->options.given[RF_OPT_COMPAT],
        .max_categories = (int32_t)max_categories,
        .device = cli->device,
        .where = cli->options.values[RF_OPT_WHERE].text,
        .n_where = cli->options.values[RF_OPT_WHERE].n,
        .checkpoint_path = s->checkpoint,
        .resume = resume,
        .progress = rf_progress_show,
        .progress_arg = &cli->view,
    };
    rf_interrupt_begin();
    rc = rf_fit(&s->fitted, s->real, &options, &cli->notes, err);
    while (rf_cli_next_device(cli, rc)) {
        memset(err, 0, sizeof *err);
        options.device = cli->device;
        options.resume = s->checkpoint != NULL;
        rc = rf_fit(&s->fitted, s->real, &options, &cli->notes, err);
    }
    rf_interrupt_end();
    rf_progress_clear(&cli->view);
out:
    return rc;
}

static rf_code train(synth *s, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_options *options = &s->cli->options;
    RF_TRY(rf_params_finish(&s->params, s->real->n_rows, options->given[RF_OPT_COMPAT], err));
    RF_TRY(fit(s, options->given[RF_OPT_RESUME], err));
out:
    return rc;
}

static rf_code read_and_train(synth *s, rf_error *err)
{
    rf_cli *cli = s->cli;
    rf_code rc = RF_OK;
    rf_table_options read;
    RF_TRY(name_checkpoint(s, err));
    RF_TRY(choose_seed(s, err));
    RF_TRY(rf_cli_open_device(cli, err));
    RF_TRY(rf_cli_table_options(cli, &read, err));
    RF_TRY(rf_table_read(&s->real, s->input, &read, &cli->notes, err));
    RF_TRY(rf_cli_read_holdout(cli, s->real, &s->holdout, err));
    rf_cli_show_notes(cli);
    char rows_text[32];
    const int columns = (int)s->real->schema.n_fields;
    rf_count_text(rows_text, sizeof rows_text, s->real->n_rows);
    rf_cli_say(cli, "read %s: %s rows, %d column%s; training %s on %s, seed %llu", s->input, rows_text,
               columns, columns == 1 ? "" : "s", rf_model_kind_name(s->params.model), cli->device->summary,
               (unsigned long long)s->seed);
    RF_TRY(train(s, err));
    rf_cli_show_notes(cli);
out:
    return rc;
}

/* ------------------------------------------------------------------ results */

static void add_run_to_result(const synth *s)
{
    rf_cli *cli = s->cli;
    rf_fitted_info info;
    rf_fitted_describe(s->fitted, &info);
    rf_buf params;
    rf_buf_init(&params);
    rf_params_json(&info.params, &params);
    rf_cli_result(cli, "input", rf_cli_json_text(s->input));
    rf_cli_result(cli, "training_rows", json_integer(s->real->n_rows));
    rf_cli_result(cli, "output", rf_cli_json_text(s->output));
    rf_cli_result(cli, "model", json_string(rf_model_kind_name(info.params.model)));
    rf_cli_result(cli, "params", rf_cli_json_value(&params));
    rf_cli_result(cli, "seed", json_integer((json_int_t)s->seed));
    rf_cli_result(cli, "device", json_string(cli->device->summary));
    rf_cli_result(cli, "train_seconds", json_real(info.train_seconds));
    rf_cli_result(cli, "generator_loss",
                  isfinite(info.losses.generator) ? json_real(info.losses.generator) : json_null());
    rf_cli_result(cli, "discriminator_loss",
                  isfinite(info.losses.discriminator) ? json_real(info.losses.discriminator) : json_null());
    rf_buf_free(&params);
}

/* The model file stays in place of rows. */
static rf_code keep_model(synth *s, rf_error *err)
{
    rf_fitted_info info;
    rf_code rc = RF_OK;
    RF_TRY(rf_fitted_store(s->fitted, s->output, err));
    rf_fitted_describe(s->fitted, &info);
    char time_text[32];
    rf_duration_text(time_text, sizeof time_text, info.train_seconds);
    rf_cli_say(s->cli, "wrote %s, trained in %s; make rows with: rowforge sample %s -n 1000 -o rows.csv",
               s->output, time_text, s->output);
out:
    return rc;
}

/* Rows for standard output that are to be judged first stand in a temporary file. */
static rf_code open_spool(synth *s, rf_error *err)
{
    static const char suffix[] = ".csv";
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder)
        folder = "/tmp";
    const size_t size = strlen(folder) + sizeof "/rowforge-XXXXXX.csv";
    s->spool = rf_malloc(size);
    if (!s->spool)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for the name of a temporary file");
    snprintf(s->spool, size, "%s/rowforge-XXXXXX%s", folder, suffix);
    const int fd = mkstemps(s->spool, (int)sizeof suffix - 1);
    if (fd < 0) {
        rf_free(s->spool);
        s->spool = NULL;
        return rf_fail_errno(err, RF_IO, "no temporary file can be made in %s", folder);
    }
    close(fd);
    return RF_OK;
}

static rf_code copy_spool(const synth *s, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_file_bytes bytes = {0};
    RF_TRY(rf_file_bytes_open(&bytes, s->spool, err));
    RF_TRY(rf_file_store("-", bytes.data, bytes.size_bytes, err));
out:
    rf_file_bytes_close(&bytes);
    return rc;
}

static rf_code judge_rows(synth *s, const char *path, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_fitted_info info;
    rf_buf params;
    rf_buf_init(&params);
    rf_fitted_describe(s->fitted, &info);
    rf_params_json(&info.params, &params);
    RF_TRY(rf_buf_check(&params, "the parameters", err));
    rf_report_context context = {
        .title = s->input,
        .model = rf_model_kind_name(info.params.model),
        .params_json = params.data,
        .seed = s->seed,
        .has_seed = true,
        .train_seconds = info.train_seconds,
        .sample_seconds = s->sample_s,
        .device = s->cli->device->summary,
    };
    RF_TRY(rf_cli_report(s->cli, s->real, s->holdout, path, &context, err));
out:
    rf_buf_free(&params);
    return rc;
}

static void say_done(const synth *s)
{
    rf_fitted_info info;
    char rows_text[32], train_text[32], sample_text[32];
    rf_fitted_describe(s->fitted, &info);
    rf_count_text(rows_text, sizeof rows_text, s->n_rows);
    rf_duration_text(train_text, sizeof train_text, info.train_seconds);
    rf_duration_text(sample_text, sizeof sample_text, s->sample_s);
    rf_cli_say(s->cli, "wrote %s: %s rows in %s, trained in %s, seed %llu", s->output, rows_text, sample_text,
               train_text, (unsigned long long)s->seed);
    const rf_texts *reports = &s->cli->options.values[RF_OPT_REPORT];
    for (int32_t i = 0; i < reports->n; i++)
        rf_cli_say(s->cli, "wrote %s", reports->text[i]);
}

/* A model dies with its device: on the next one it is trained again, from the last checkpoint. What went to a pipe stays said. */
static rf_code sample(synth *s, const char *path, rf_error *err)
{
    rf_cli *cli = s->cli;
    rf_code rc = rf_cli_sample(cli, s->fitted, path, s->n_rows, s->seed, &s->sample_s, err);
    while (strcmp(path, "-") != 0 && rf_cli_may_go_on(cli, rc)) {
        rf_fitted_free(s->fitted);
        s->fitted = NULL;
        if (!rf_cli_next_device(cli, rc))
            break;
        memset(err, 0, sizeof *err);
        RF_TRY(fit(s, s->checkpoint != NULL, err));
        rc = rf_cli_sample(cli, s->fitted, path, s->n_rows, s->seed, &s->sample_s, err);
    }
out:
    return rc;
}

static rf_code make_rows(synth *s, rf_error *err)
{
    rf_cli *cli = s->cli;
    rf_code rc = RF_OK;
    const bool judged = cli->options.values[RF_OPT_REPORT].n > 0;
    if (s->n_rows == 0)
        s->n_rows = s->real->n_rows;
    const char *path = s->spool ? s->spool : s->output;
    RF_TRY(sample(s, path, err));
    rf_cli_result(cli, "rows", json_integer(s->n_rows));
    rf_cli_result(cli, "sample_seconds", json_real(s->sample_s));
    if (judged)
        RF_TRY(judge_rows(s, path, err));
    if (s->spool)
        RF_TRY(copy_spool(s, err));
    say_done(s);
out:
    return rc;
}

rf_code rf_cmd_synth(rf_cli *cli, rf_error *err)
{
    synth s = {.cli = cli};
    rf_code rc = RF_OK;
    RF_TRY(check_request(&s, err));
    if (!strcmp(s.output, "-") && cli->options.values[RF_OPT_REPORT].n > 0)
        RF_TRY(open_spool(&s, err));
    RF_TRY(read_and_train(&s, err));
    add_run_to_result(&s);
    if (cli->options.command == RF_CMD_FIT)
        RF_TRY(keep_model(&s, err));
    else
        RF_TRY(make_rows(&s, err));
    if (s.checkpoint)
        rf_checkpoint_remove(s.checkpoint);
out:
    if (rc != RF_OK && (s.fitted || rc == RF_INTERRUPTED) && s.checkpoint && access(s.checkpoint, F_OK) == 0)
        say_how_to_go_on(&s);
    if (s.spool)
        unlink(s.spool);
    rf_free(s.spool);
    rf_free(s.checkpoint);
    rf_fitted_free(s.fitted);
    rf_table_free(s.holdout);
    rf_table_free(s.real);
    return rc;
}
