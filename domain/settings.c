#include "domain/settings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "core/file.h"
#include "core/text.h"
#include "domain/settings_rules.h"

/* ---- the table, at run time ------------------------------------------------------------------ */

typedef enum kind { KIND_TEXT, KIND_SECRET, KIND_CHOICE, KIND_LIST, KIND_INT, KIND_SECONDS, KIND_FLAG } kind;

typedef struct setting {
    const char *name, *fallback, *choices, *help;
    kind kind;
    double low, high;
    size_t at; /* of the field in rf_settings */
} setting;

static const setting rows[RF_SETTING_COUNT] = {
#define AT(field) .at = offsetof(rf_settings, field)
#define ROW_TEXT(field, NAME, fallback_, help_)                                                              \
    {.name = #NAME, .fallback = (fallback_), .help = (help_), .kind = KIND_TEXT, AT(field)},
#define ROW_SECRET(field, NAME, help_)                                                                       \
    {.name = #NAME, .fallback = "", .help = (help_), .kind = KIND_SECRET, AT(field)},
#define ROW_CHOICE(field, NAME, fallback_, choices_, help_)                                                  \
    {.name = #NAME,                                                                                          \
     .fallback = (fallback_),                                                                                \
     .choices = (choices_),                                                                                  \
     .help = (help_),                                                                                        \
     .kind = KIND_CHOICE,                                                                                    \
     AT(field)},
#define ROW_LIST(field, NAME, fallback_, help_)                                                              \
    {.name = #NAME, .fallback = (fallback_), .help = (help_), .kind = KIND_LIST, AT(field)},
#define ROW_INT(field, NAME, fallback_, low_, high_, help_)                                                  \
    {.name = #NAME,                                                                                          \
     .fallback = #fallback_,                                                                                 \
     .help = (help_),                                                                                        \
     .kind = KIND_INT,                                                                                       \
     .low = (low_),                                                                                          \
     .high = (high_),                                                                                        \
     AT(field)},
#define ROW_SECONDS(field, NAME, fallback_, low_, high_, help_)                                              \
    {.name = #NAME,                                                                                          \
     .fallback = #fallback_,                                                                                 \
     .help = (help_),                                                                                        \
     .kind = KIND_SECONDS,                                                                                   \
     .low = (low_),                                                                                          \
     .high = (high_),                                                                                        \
     AT(field)},
#define ROW_FLAG(field, NAME, fallback_, help_)                                                              \
    {.name = #NAME, .fallback = #fallback_, .help = (help_), .kind = KIND_FLAG, AT(field)},
    RF_SETTING_TABLE(ROW_TEXT, ROW_SECRET, ROW_CHOICE, ROW_LIST, ROW_INT, ROW_SECONDS, ROW_FLAG)};

static void *field_of(rf_settings *settings, const setting *row)
{
    return (char *)settings + row->at;
}

static const void *value_of(const rf_settings *settings, const setting *row)
{
    return (const char *)settings + row->at;
}

/* ---- values ---------------------------------------------------------------------------------- */

static void set_list(rf_arena *arena, rf_setting_list *out, const char *text)
{
    int most = 1;
    for (const char *at = text; *at; at++)
        most += *at == ',';
    out->n = 0;
    out->item = RF_ARENA_ARRAY(arena, const char *, most);
    while (out->item) {
        text += strspn(text, " \t");
        const size_t length = strcspn(text, ",");
        size_t kept = length;
        while (kept > 0 && (text[kept - 1] == ' ' || text[kept - 1] == '\t'))
            kept--;
        if (kept > 0)
            out->item[out->n++] = rf_arena_string(arena, text, kept);
        if (!text[length])
            return;
        text += length + 1;
    }
}

static bool parse_flag(bool *out, const char *text)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
    for (int i = 0; i < 8; i++)
        if (rf_text_equal_nocase(text, strlen(text), words[i])) {
            *out = i % 2 == 1;
            return true;
        }
    return false;
}

static bool is_choice(const char *choices, const char *text, char *canonical, size_t size)
{
    const size_t length = strlen(text);
    for (const char *at = choices; *at;) {
        const size_t n = strcspn(at, "|");
        if (n == length && n < size) {
            memcpy(canonical, at, n);
            canonical[n] = 0;
            if (rf_text_equal_nocase(text, length, canonical))
                return true;
        }
        at += n + (at[n] == '|');
    }
    return false;
}

static void set_number(rf_settings *out, const setting *row, const char *text, rf_notes *faults)
{
    int64_t whole = 0;
    double real = 0;
    const bool is_whole = row->kind == KIND_INT;
    const bool parsed =
        is_whole ? rf_parse_i64(text, strlen(text), &whole) : rf_parse_f64(text, strlen(text), &real);
    if (is_whole)
        real = (double)whole;
    if (!parsed || real < row->low || real > row->high) {
        char low[RF_NUMBER_TEXT_MAX], high[RF_NUMBER_TEXT_MAX];
        rf_format_f64(low, row->low);
        rf_format_f64(high, row->high);
        rf_note(faults, "%s is a %s from %s to %s, not \"%.60s\"", row->name,
                is_whole ? "whole number" : "number of seconds", low, high, text);
    } else if (is_whole)
        *(int64_t *)field_of(out, row) = whole;
    else
        *(double *)field_of(out, row) = real;
}

static bool is_one_line(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            return false;
    return rf_utf8_find_invalid(text, strlen(text)) < 0;
}

static void set_value(rf_settings *out, const setting *row, const char *text, rf_notes *faults)
{
    char canonical[64];
    void *field = field_of(out, row);
    if (!is_one_line(text)) {
        rf_note(faults, "%s holds control characters or is not UTF-8", row->name);
        return;
    }
    switch (row->kind) {
    case KIND_TEXT:
    case KIND_SECRET:
        *(const char **)field = rf_arena_string(&out->arena, text, strlen(text));
        break;
    case KIND_CHOICE:
        if (is_choice(row->choices, text, canonical, sizeof canonical))
            *(const char **)field = rf_arena_string(&out->arena, canonical, strlen(canonical));
        else
            rf_note(faults, "%s is one of %s, not \"%.60s\"", row->name, row->choices, text);
        break;
    case KIND_LIST:
        set_list(&out->arena, field, text);
        break;
    case KIND_INT:
    case KIND_SECONDS:
        set_number(out, row, text, faults);
        break;
    case KIND_FLAG:
        if (!parse_flag(field, text))
            rf_note(faults, "%s is true or false, not \"%.60s\"", row->name, text);
        break;
    }
}

/* ---- sources --------------------------------------------------------------------------------- */

static const char *find_variable(char *const *environment, const char *name)
{
    const size_t length = strlen(name);
    for (; environment && *environment; environment++)
        if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

/* The value of a name and where it came from; NULL when nobody gave one. */
static const char *find_value(char *const *environment, const rf_dotenv *file, const char *name,
                              rf_setting_origin *origin)
{
    const char *text = find_variable(environment, name);
    *origin = RF_FROM_ENVIRONMENT;
    if (text && *text)
        return text;
    text = file ? rf_dotenv_find(file, name) : NULL;
    *origin = text && *text ? RF_FROM_FILE : RF_FROM_DEFAULT;
    return text && *text ? text : NULL;
}

/* NAME_FILE: the first line of a file is the secret. */
static const char *read_secret(rf_settings *out, const setting *row, const char *path, rf_notes *faults)
{
    rf_error found = {0};
    rf_file_bytes bytes = {0};
    const char *secret = NULL;
    if (rf_file_bytes_open(&bytes, path, &found) != RF_OK)
        rf_note(faults, "%s_FILE cannot be read: %s", row->name, found.message);
    else {
        const char *end = memchr(bytes.data, '\n', bytes.size_bytes);
        size_t length = end ? (size_t)(end - bytes.data) : bytes.size_bytes;
        while (length > 0 && bytes.data[length - 1] == '\r')
            length--;
        if (length == 0)
            rf_note(faults, "%s_FILE names %s, whose first line is empty", row->name, path);
        else
            secret = rf_arena_string(&out->arena, bytes.data, length);
    }
    rf_file_bytes_close(&bytes);
    return secret;
}

static void load_row(rf_settings *out, int id, char *const *environment, const rf_dotenv *file,
                     rf_notes *faults)
{
    const setting *row = &rows[id];
    set_value(out, row, row->fallback, faults);
    const char *text = find_value(environment, file, row->name, &out->origin[id]);
    if (!text && row->kind == KIND_SECRET) {
        char name[80];
        snprintf(name, sizeof name, "%s_FILE", row->name);
        const char *path = find_value(environment, file, name, &out->origin[id]);
        text = path ? read_secret(out, row, path, faults) : NULL;
    }
    if (text)
        set_value(out, row, text, faults);
}

static bool is_setting(const char *name)
{
    for (int i = 0; i < RF_SETTING_COUNT; i++) {
        const size_t length = strlen(rows[i].name);
        if (!strncmp(name, rows[i].name, length) &&
            (!name[length] || (rows[i].kind == KIND_SECRET && !strcmp(name + length, "_FILE"))))
            return true;
    }
    return false;
}

static void remark_unknown(const rf_dotenv *file, rf_notes *remarks)
{
    const char *names[RF_SETTING_COUNT];
    for (int i = 0; i < RF_SETTING_COUNT; i++)
        names[i] = rows[i].name;
    for (int i = 0; file && i < file->n; i++) {
        if (is_setting(file->pairs[i].name))
            continue;
        const char *near = rf_text_nearest(file->pairs[i].name, names, RF_SETTING_COUNT);
        rf_note(remarks, "line %d of the .env file: %.60s is not a setting%s%s", file->pairs[i].line,
                file->pairs[i].name, near ? "; did you mean " : "", near ? near : "");
    }
}

rf_code rf_settings_load(rf_settings *out, char *const *environment, const rf_dotenv *file, rf_notes *faults,
                         rf_notes *remarks, rf_error *err)
{
    rf_code rc = RF_OK;
    const int n_before = faults->n;
    memset(out, 0, sizeof *out);
    rf_arena_init(&out->arena);
    for (int i = 0; i < RF_SETTING_COUNT; i++)
        load_row(out, i, environment, file, faults);
    RF_TRY(rf_arena_check(&out->arena, "the settings", err));
    rfi_settings_check(out, faults);
    RF_TRY(rf_arena_check(&out->arena, "the settings", err));
    remark_unknown(file, remarks);
    if (faults->n > n_before)
        RF_TRY(rf_fail(err, RF_USAGE, "%s", faults->texts[n_before]));
out:
    return rc;
}

rf_code rf_settings_default(rf_settings *out, rf_error *err)
{
    rf_notes faults;
    rf_notes_init(&faults);
    rf_code rc = rf_settings_load(out, NULL, NULL, &faults, NULL, err);
    rf_notes_free(&faults);
    return rc;
}

void rf_settings_free(rf_settings *settings)
{
    rf_arena_free(&settings->arena);
    *settings = (rf_settings){0};
}

int64_t rf_settings_ms(double seconds)
{
    return (int64_t)(seconds * 1000 + 0.5);
}

/* ---- printing -------------------------------------------------------------------------------- */

static void put_list(const rf_setting_list *list, rf_buf *out)
{
    for (int i = 0; i < list->n; i++)
        rf_buf_printf(out, "%s%s", i ? "," : "", list->item[i]);
}

static void put_value(const rf_settings *settings, const setting *row, rf_buf *out)
{
    const void *value = value_of(settings, row);
    char number[RF_NUMBER_TEXT_MAX];
    switch (row->kind) {
    case KIND_SECRET:
        rf_buf_puts(out, **(const char *const *)value ? "(hidden)" : "(not set)");
        break;
    case KIND_TEXT:
    case KIND_CHOICE:
        rf_buf_puts(out, *(const char *const *)value);
        break;
    case KIND_LIST:
        put_list(value, out);
        break;
    case KIND_INT:
        rf_buf_printf(out, "%lld", (long long)*(const int64_t *)value);
        break;
    case KIND_SECONDS:
        rf_format_f64(number, *(const double *)value);
        rf_buf_puts(out, number);
        break;
    case KIND_FLAG:
        rf_buf_puts(out, *(const bool *)value ? "true" : "false");
        break;
    }
}

static const char *const origins[] = {"default", ".env", "environment"};

void rf_settings_text(const rf_settings *settings, rf_buf *out)
{
    for (int i = 0; i < RF_SETTING_COUNT; i++) {
        rf_buf_printf(out, "%s=", rows[i].name);
        put_value(settings, &rows[i], out);
        if (settings->origin[i] != RF_FROM_DEFAULT)
            rf_buf_printf(out, "    # %s", origins[settings->origin[i]]);
        rf_buf_puts(out, "\n");
    }
}

static json_t *json_value(const rf_settings *settings, const setting *row)
{
    const void *value = value_of(settings, row);
    if (row->kind == KIND_INT)
        return json_integer(*(const int64_t *)value);
    if (row->kind == KIND_SECONDS)
        return json_real(*(const double *)value);
    if (row->kind == KIND_FLAG)
        return json_boolean(*(const bool *)value);
    if (row->kind == KIND_LIST) {
        const rf_setting_list *list = value;
        json_t *array = json_array();
        for (int i = 0; i < list->n; i++)
            json_array_append_new(array, json_string(list->item[i]));
        return array;
    }
    rf_buf text;
    rf_buf_init(&text);
    put_value(settings, row, &text);
    json_t *string = json_stringn(text.data ? text.data : "", text.size_bytes);
    rf_buf_free(&text);
    return string;
}

static int append_piece(const char *piece, size_t size, void *arg)
{
    rf_buf_append(arg, piece, size);
    return 0;
}

void rf_settings_json(const rf_settings *settings, rf_buf *out)
{
    json_t *document = json_object();
    for (int i = 0; i < RF_SETTING_COUNT; i++)
        json_object_set_new(document, rows[i].name,
                            json_pack("{s:o, s:s}", "value", json_value(settings, &rows[i]), "origin",
                                      origins[settings->origin[i]]));
    if (!document ||
        json_dump_callback(document, append_piece, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) != 0)
        out->failed = true;
    json_decref(document);
}

/* ---- for child processes ---------------------------------------------------------------------- */

static bool names_setting(const char *variable)
{
    char name[80];
    const size_t length = strcspn(variable, "=");
    snprintf(name, sizeof name, "%.*s", (int)length, variable);
    return length < sizeof name && is_setting(name);
}

rf_code rf_settings_environment(rf_settings *settings, char *const *environment, char ***out, rf_error *err)
{
    rf_code rc = RF_OK;
    size_t n = 0, most = RF_SETTING_COUNT + 1;
    for (char *const *at = environment; *at; at++)
        most++;
    rf_buf text;
    rf_buf_init(&text);
    char **list = RF_ARENA_ARRAY(&settings->arena, char *, most);
    RF_TRY(rf_arena_check(&settings->arena, "the settings of a child process", err));
    for (char *const *at = environment; *at; at++)
        if (!names_setting(*at))
            list[n++] = *at;
    for (int i = 0; i < RF_SETTING_COUNT; i++) {
        if (rows[i].kind == KIND_SECRET || settings->origin[i] == RF_FROM_DEFAULT)
            continue;
        rf_buf_clear(&text);
        rf_buf_printf(&text, "%s=", rows[i].name);
        put_value(settings, &rows[i], &text);
        RF_TRY(rf_buf_check(&text, "the settings of a child process", err));
        list[n++] = rf_arena_string(&settings->arena, text.data, text.size_bytes);
    }
    RF_TRY(rf_arena_check(&settings->arena, "the settings of a child process", err));
    *out = list;
out:
    rf_buf_free(&text);
    return rc;
}

/* ---- the reference --------------------------------------------------------------------------- */

static void put_range(const setting *row, rf_buf *out)
{
    static const char *const words[] = {[KIND_TEXT] = "text",
                                        [KIND_SECRET] = "secret",
                                        [KIND_LIST] = "list, commas between",
                                        [KIND_FLAG] = "true, false"};
    char low[RF_NUMBER_TEXT_MAX], high[RF_NUMBER_TEXT_MAX];
    if (row->kind == KIND_CHOICE) {
        for (const char *at = row->choices; *at; at++)
            rf_buf_printf(out, *at == '|' ? ", " : "%c", *at);
        return;
    }
    if (row->kind != KIND_INT && row->kind != KIND_SECONDS) {
        rf_buf_puts(out, words[row->kind]);
        return;
    }
    rf_format_f64(low, row->low);
    rf_format_f64(high, row->high);
    rf_buf_printf(out, "%s to %s%s", low, high, row->kind == KIND_SECONDS ? " s" : "");
}

void rf_settings_reference(rf_buf *out)
{
    for (int i = 0; i < RF_SETTING_COUNT; i++) {
        rf_buf_printf(out, "| `%s` | %s | ", rows[i].name, rows[i].fallback);
        put_range(&rows[i], out);
        rf_buf_printf(out, " | %s |\n", rows[i].help);
    }
}
