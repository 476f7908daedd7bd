#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/text.h"

enum { THREADS_MAX = 1024 };

/* ------------------------------------------------------------------ devices */

static rf_code threads_of(const rf_cli *cli, int *out, rf_error *err)
{
    int64_t threads = 0;
    rf_code rc = rf_options_int(&cli->options, RF_OPT_THREADS, 1, THREADS_MAX, 0, &threads, err);
    *out = (int)threads;
    return rc;
}

rf_code rf_cli_open_pool(rf_cli *cli, rf_error *err)
{
    int threads = 0;
    rf_code rc = RF_OK;
    RF_TRY(threads_of(cli, &threads, err));
    RF_TRY(rf_pool_create(&cli->own_pool, threads, err));
    cli->pool = cli->own_pool;
out:
    return rc;
}

static const char *device_name(const rf_cli *cli)
{
    return rf_options_text(&cli->options, RF_OPT_DEVICE, "auto");
}

static rf_code device_options(const rf_cli *cli, rf_device_options *out, rf_error *err)
{
    rf_code rc = RF_OK;
    *out = (rf_device_options){0};
    RF_TRY(threads_of(cli, &out->n_threads, err));
    RF_TRY(rf_construction_parse(&out->construction,
                                 rf_options_text(&cli->options, RF_OPT_CONSTRUCTION, "auto"), err));
    RF_TRY(
        rf_precision_parse(&out->precision, rf_options_text(&cli->options, RF_OPT_PRECISION, "3xtf32"), err));
out:
    return rc;
}

/* A GPU that is not lost would be taken again, and fail again. */
static rf_code open_another(rf_device **out, const rf_device *failed, rf_code code,
                            const rf_device_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    RF_TRY(rf_device_open_with(out, code == RF_NO_MEMORY ? "cpu" : "auto", options, err));
    if (strcmp((*out)->name, failed->name) == 0) {
        rf_device_close(*out);
        RF_TRY(rf_device_open_with(out, "cpu", options, err));
    }
out:
    return rc;
}

bool rf_cli_may_go_on(const rf_cli *cli, rf_code failed)
{
    return (failed == RF_DEVICE || failed == RF_NO_MEMORY) && strcmp(device_name(cli), "auto") == 0 &&
           strcmp(cli->device->type->kind, "cpu") != 0;
}

bool rf_cli_next_device(rf_cli *cli, rf_code failed)
{
    rf_error err = {0};
    rf_device_options options;
    rf_device *next = NULL;
    if (!rf_cli_may_go_on(cli, failed))
        return false;
    if (device_options(cli, &options, &err) != RF_OK ||
        open_another(&next, cli->device, failed, &options, &err) != RF_OK)
        return false;
    rf_cli_say(cli, "the device %s %s; going on with %s", cli->device->name,
               failed == RF_NO_MEMORY ? "has too little memory" : "failed", next->summary);
    rf_device_close(cli->device);
    cli->device = next;
    cli->pool = next->pool;
    return true;
}

rf_code rf_cli_open_device(rf_cli *cli, rf_error *err)
{
    rf_device_options options;
    rf_code rc = RF_OK;
    RF_TRY(device_options(cli, &options, err));
    RF_TRY(rf_device_open_with(&cli->device, device_name(cli), &options, err));
    cli->pool = cli->device->pool;
    if (!cli->pool)
        RF_TRY(rf_cli_open_pool(cli, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ tables */

static rf_code delimiter_of(const rf_cli *cli, char *out, rf_error *err)
{
    const char *text = rf_options_text(&cli->options, RF_OPT_DELIMITER, NULL);
    *out = 0;
    if (!text)
        return RF_OK;
    if (!strcmp(text, "tab") || !strcmp(text, "\\t"))
        text = "\t";
    if (strlen(text) != 1 || !strchr(",;|\t", text[0]))
        return rf_fail(err, RF_USAGE, "--delimiter takes one of , ; | or tab, not \"%s\"", text);
    *out = text[0];
    return RF_OK;
}

/* "column=kind": the last '=' splits, since names may hold one. */
static rf_code parse_type(char *text, rf_type_override *out, rf_error *err)
{
    char *equals = strrchr(text, '=');
    if (!equals || equals == text)
        return rf_fail(err, RF_USAGE, "--type takes COLUMN=KIND, not \"%s\"", text);
    *equals = '\0';
    const int kind = rf_kind_find(equals + 1);
    if (kind < 0)
        return rf_fail(err, RF_USAGE,
                       "there is no kind \"%s\"; a column is integer, continuous, boolean, datetime, "
                       "categorical, id or ignored",
                       equals + 1);
    out->column = text;
    out->kind = (rf_kind)kind;
    return RF_OK;
}

static rf_code parse_types(rf_cli *cli, rf_error *err)
{
    const rf_texts *given = &cli->options.values[RF_OPT_TYPE];
    const int32_t most = (int32_t)(sizeof cli->types / sizeof cli->types[0]);
    if (given->n > most)
        return rf_fail(err, RF_USAGE,
                       "--type may be given %d times; put more than that into a --metadata file", most);
    rf_code rc = RF_OK;
    for (int32_t i = 0; i < given->n; i++) {
        char *copy = rf_arena_string(&cli->options.arena, given->text[i], strlen(given->text[i]));
        RF_TRY(rf_arena_check(&cli->options.arena, "the command line", err));
        RF_TRY(parse_type(copy, &cli->types[i], err));
    }
out:
    return rc;
}

rf_code rf_cli_table_options(rf_cli *cli, rf_table_options *out, rf_error *err)
{
    const rf_options *options = &cli->options;
    memset(out, 0, sizeof *out);
    rf_code rc = RF_OK;
    RF_TRY(delimiter_of(cli, &out->delimiter, err));
    RF_TRY(parse_types(cli, err));
    out->format = rf_options_text(options, RF_OPT_FORMAT, NULL);
    out->no_header = options->given[RF_OPT_NO_HEADER];
    out->latin1 = options->given[RF_OPT_LATIN1];
    out->metadata_path = rf_options_text(options, RF_OPT_METADATA, NULL);
    out->types = cli->types;
    out->n_types = options->values[RF_OPT_TYPE].n;
    if (options->given[RF_OPT_MISSING]) {
        out->missing = options->values[RF_OPT_MISSING].text;
        out->n_missing = options->values[RF_OPT_MISSING].n;
    }
    out->pool = cli->pool;
out:
    return rc;
}

/* ------------------------------------------------------------------ seed and output */

rf_code rf_cli_seed(rf_cli *cli, uint64_t *out, rf_error *err)
{
    if (cli->options.given[RF_OPT_SEED]) {
        int64_t seed = 0;
        rf_code rc = rf_options_int(&cli->options, RF_OPT_SEED, 0, INT64_MAX, 0, &seed, err);
        *out = (uint64_t)seed;
        return rc;
    }
    uint32_t drawn; /* 31 bits: short enough to be copied by hand */
    if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn)
        return rf_fail_errno(err, RF_IO, "no random seed could be drawn; give one with --seed");
    *out = drawn >> 1;
    return RF_OK;
}

static rf_code check_folder(const char *path, rf_error *err)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    const int length = slash ? (slash == path ? 1 : (int)(slash - path)) : 1;
    if (snprintf(folder, sizeof folder, "%.*s", length, slash ? path : ".") >= (int)sizeof folder)
        return rf_fail(err, RF_INPUT, "the path of the result is too long");
    struct stat status;
    if (stat(folder, &status) != 0 || !S_ISDIR(status.st_mode))
        return rf_fail(err, RF_NOT_FOUND, "there is no folder %s to write %s into", folder, path);
    if (access(folder, W_OK | X_OK) != 0)
        return rf_fail_errno(err, RF_IO, "nothing can be written into the folder %s", folder);
    return RF_OK;
}

static rf_code check_writable(const char *path, rf_error *err)
{
    struct stat status;
    if (!strcmp(path, "-"))
        return RF_OK;
    if (!*path)
        return rf_fail(err, RF_USAGE, "the name of the result is empty");
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return rf_fail(err, RF_INPUT, "%s is a folder; name a file to write", path);
    return check_folder(path, err);
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

static rf_code refuse_same(const char *path, const rf_texts *inputs, rf_error *err)
{
    for (int32_t i = 0; i < inputs->n; i++)
        if (is_same_file(path, inputs->text[i]))
            return rf_fail(err, RF_USAGE,
                           "%s is read by this command and would be lost; give the result another name",
                           path);
    return RF_OK;
}

rf_code rf_cli_check_result(const rf_cli *cli, const char *path, rf_error *err)
{
    const rf_options *options = &cli->options;
    rf_code rc = RF_OK;
    RF_TRY(check_writable(path, err));
    RF_TRY(refuse_same(path, &options->operands, err));
    RF_TRY(refuse_same(path, &options->values[RF_OPT_HOLDOUT], err));
    RF_TRY(refuse_same(path, &options->values[RF_OPT_METADATA], err));
out:
    return rc;
}

rf_code rf_cli_output(rf_cli *cli, const char **out, rf_error *err)
{
    *out = rf_options_text(&cli->options, RF_OPT_OUTPUT, NULL);
    if (!*out)
        return rf_fail(err, RF_USAGE, "say where the result goes: -o FILE");
    if (!strcmp(*out, "-") && cli->json)
        return rf_fail(err, RF_USAGE, "-o - and --json both want standard output; choose one");
    return rf_cli_check_result(cli, *out, err);
}

/* ------------------------------------------------------------------ talking */

void rf_cli_show_notes(rf_cli *cli)
{
    rf_progress_clear(&cli->view);
    for (; cli->notes_shown < cli->notes.n; cli->notes_shown++)
        if (!cli->quiet)
            fprintf(stderr, "rowforge: note: %s\n", cli->notes.texts[cli->notes_shown]);
}

void rf_cli_say(rf_cli *cli, const char *format, ...)
{
    if (cli->quiet)
        return;
    rf_progress_clear(&cli->view);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void rf_cli_result(rf_cli *cli, const char *key, json_t *value)
{
    if (cli->json && cli->result)
        json_object_set_new(cli->result, key, value);
    else
        json_decref(value);
}

json_t *rf_cli_json_text(const char *text)
{
    json_t *made = json_string(text);
    char *copy = made ? NULL : rf_malloc(strlen(text) + 1);
    if (!copy)
        return made;
    const size_t length = strlen(text);
    memcpy(copy, text, length + 1);
    for (int64_t at; (at = rf_utf8_find_invalid(copy, length)) >= 0;)
        copy[at] = '?';
    made = json_string(copy);
    rf_free(copy);
    return made;
}

json_t *rf_cli_json_value(const rf_buf *buf)
{
    return buf->failed ? NULL : json_loadb(buf->data, buf->size_bytes, JSON_DECODE_ANY, NULL);
}
