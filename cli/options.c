#include "cli/options.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

typedef struct option {
    const char *name;
    char letter;
    const char *argument; /* NULL: a flag */
    unsigned commands;
    const char *help;
} option;

static const option options_table[RF_OPT_COUNT] = {
#define RF_OPTION_ROW(id, name, letter, argument, commands, help) {name, letter, argument, commands, help},
    RF_OPTION_TABLE(RF_OPTION_ROW)
#undef RF_OPTION_ROW
};

/* ------------------------------------------------------------------ parsing */

static int find_long(const char *name, size_t length)
{
    for (int i = 0; i < RF_OPT_COUNT; i++)
        if (strlen(options_table[i].name) == length && !memcmp(options_table[i].name, name, length))
            return i;
    return -1;
}

static int find_letter(char letter)
{
    for (int i = 0; i < RF_OPT_COUNT; i++)
        if (options_table[i].letter && options_table[i].letter == letter)
            return i;
    return -1;
}

static rf_code refuse_unknown(rf_command command, const char *word, rf_error *err)
{
    const char *names[RF_OPT_COUNT];
    int n = 0;
    for (int i = 0; i < RF_OPT_COUNT; i++)
        if (options_table[i].commands & command)
            names[n++] = options_table[i].name;
    const char *dashless = word + strspn(word, "-");
    const char *near = rf_text_nearest(dashless, names, n);
    if (near)
        return rf_fail(err, RF_USAGE, "there is no option %s here; did you mean --%s?", word, near);
    return rf_fail(err, RF_USAGE, "there is no option %s here; --help lists them", word);
}

static void texts_add(rf_texts *texts, const char *text)
{
    texts->text[texts->n++] = text;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* Splits "--name=value", "--name", "-o" and "-oFILE"; *value is NULL when the word holds none. */
static int recognise(const char *word, const char **value)
{
    *value = NULL;
    if (word[1] != '-') {
        int id = find_letter(word[1]);
        if (id >= 0 && word[2])
            *value = word + 2;
        return id;
    }
    const char *equals = strchr(word, '=');
    if (equals)
        *value = equals + 1;
    return find_long(word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
}

static rf_code take_option(rf_options *out, int argc, char **argv, int *at, rf_error *err)
{
    const char *word = argv[*at], *value;
    int id = recognise(word, &value);
    if (id < 0 || !(options_table[id].commands & out->command))
        return refuse_unknown(out->command, word, err);
    const option *row = &options_table[id];
    out->given[id] = true;
    if (!row->argument) {
        if (value)
            return rf_fail(err, RF_USAGE, "--%s takes no value", row->name);
        return RF_OK;
    }
    if (!value) {
        if (*at + 1 >= argc)
            return rf_fail(err, RF_USAGE, "--%s needs a value: --%s %s", row->name, row->name, row->argument);
        value = argv[++*at];
    }
    texts_add(&out->values[id], value);
    return RF_OK;
}

rf_code rf_options_parse(rf_options *out, rf_command command, int argc, char **argv, rf_error *err)
{
    memset(out, 0, sizeof *out);
    rf_arena_init(&out->arena);
    out->command = command;
    rf_code rc = RF_OK;
    out->operands.text = RF_ARENA_ARRAY(&out->arena, const char *, argc + 1);
    for (int i = 0; i < RF_OPT_COUNT; i++)
        out->values[i].text = RF_ARENA_ARRAY(&out->arena, const char *, argc + 1);
    RF_TRY(rf_arena_check(&out->arena, "the command line", err));
    bool only_operands = false;
    for (int at = 0; at < argc; at++) {
        if (!only_operands && !strcmp(argv[at], "--"))
            only_operands = true;
        else if (!only_operands && is_option(argv[at]))
            RF_TRY(take_option(out, argc, argv, &at, err));
        else
            texts_add(&out->operands, argv[at]);
    }
out:
    return rc;
}

void rf_options_free(rf_options *options)
{
    rf_arena_free(&options->arena);
}

/* ------------------------------------------------------------------ reading */

const char *rf_options_text(const rf_options *options, rf_option_id id, const char *fallback)
{
    const rf_texts *texts = &options->values[id];
    return texts->n ? texts->text[texts->n - 1] : fallback;
}

rf_code rf_options_int(const rf_options *options, rf_option_id id, int64_t low, int64_t high,
                       int64_t fallback, int64_t *out, rf_error *err)
{
    const char *text = rf_options_text(options, id, NULL);
    *out = fallback;
    if (!text)
        return RF_OK;
    if (!rf_parse_i64(text, strlen(text), out) || *out < low || *out > high)
        return rf_fail(err, RF_USAGE, "--%s takes a whole number from %lld to %lld, not \"%s\"",
                       options_table[id].name, (long long)low, (long long)high, text);
    return RF_OK;
}

rf_code rf_options_operands(const rf_options *options, int32_t wanted, const char *names, rf_error *err)
{
    if (options->operands.n == wanted)
        return RF_OK;
    if (options->operands.n < wanted)
        return rf_fail(err, RF_USAGE, "too few arguments: %s wanted; --help explains", names);
    return rf_fail(err, RF_USAGE, "too many arguments, from \"%s\" on: only %s wanted",
                   options->operands.text[wanted], wanted ? names : "options are");
}

void rf_options_help(rf_command command, rf_buf *out)
{
    for (int i = 0; i < RF_OPT_COUNT; i++) {
        const option *row = &options_table[i];
        if (!(row->commands & command))
            continue;
        char left[64];
        snprintf(left, sizeof left, "%s%c%s --%s%s%s", row->letter ? "-" : " ",
                 row->letter ? row->letter : ' ', row->letter ? "," : " ", row->name,
                 row->argument ? " " : "", row->argument ? row->argument : "");
        rf_buf_printf(out, "  %-28s %s\n", left, row->help);
    }
}
