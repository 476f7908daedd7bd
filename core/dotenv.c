#include "core/dotenv.h"

#include <stdbool.h>
#include <string.h>

#include "core/file.h"

typedef struct scanner {
    const char *at, *end;
    int line;
    rf_dotenv *out;
} scanner;

/* ---- characters ------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_name(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static void skip_blanks(scanner *s)
{
    while (s->at < s->end && is_blank(*s->at))
        s->at++;
}

static void skip_line(scanner *s)
{
    while (s->at < s->end && *s->at != '\n')
        s->at++;
}

static rf_code refuse(const scanner *s, const char *why, rf_error *err)
{
    return rf_fail(err, RF_INPUT, "line %d %s", s->line, why);
}

/* ---- values ---------------------------------------------------------------------------------- */

static char unescape(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

/* Up to the closing quote; only double quotes know escapes. */
static rf_code take_quoted(scanner *s, const char **out, rf_error *err)
{
    const char quote = *s->at++;
    char *value = RF_ARENA_ARRAY(&s->out->arena, char, s->end - s->at + 1);
    size_t length = 0;
    const int begun = s->line;
    for (; s->at < s->end && *s->at != quote; s->at++) {
        s->line += *s->at == '\n';
        const bool escaped = quote == '"' && *s->at == '\\' && s->at + 1 < s->end;
        if (escaped)
            s->at++;
        if (value)
            value[length++] = escaped ? unescape(*s->at) : *s->at;
    }
    *out = value;
    if (s->at == s->end) {
        s->line = begun;
        return refuse(s, "opens a quote that is not closed", err);
    }
    s->at++;
    skip_blanks(s);
    if (s->at < s->end && *s->at != '\n' && *s->at != '#')
        return refuse(s, "goes on after the closing quote", err);
    return RF_OK;
}

static void take_plain(scanner *s, const char **out)
{
    const char *begin = s->at;
    const char *last = begin;
    for (; s->at < s->end && *s->at != '\n'; s->at++) {
        if (*s->at == '#' && (s->at == begin || is_blank(s->at[-1])))
            break;
        if (!is_blank(*s->at))
            last = s->at + 1;
    }
    *out = rf_arena_string(&s->out->arena, begin, (size_t)(last - begin));
}

/* ---- lines ----------------------------------------------------------------------------------- */

static const char *take_name(scanner *s)
{
    const char *begin = s->at;
    while (s->at < s->end && is_name(*s->at, s->at == begin))
        s->at++;
    return rf_arena_string(&s->out->arena, begin, (size_t)(s->at - begin));
}

static void skip_export(scanner *s)
{
    if (s->end - s->at > 7 && !memcmp(s->at, "export", 6) && is_blank(s->at[6])) {
        s->at += 6;
        skip_blanks(s);
    }
}

static rf_code take_pair(scanner *s, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_dotenv_pair pair = {.line = s->line};
    skip_export(s);
    pair.name = take_name(s);
    RF_TRY(rf_arena_check(&s->out->arena, "the settings", err));
    skip_blanks(s);
    if (!*pair.name || s->at == s->end || *s->at != '=')
        RF_TRY(refuse(s, "is not NAME=value", err));
    s->at++;
    skip_blanks(s);
    if (s->at < s->end && (*s->at == '"' || *s->at == '\''))
        RF_TRY(take_quoted(s, &pair.value, err));
    else
        take_plain(s, &pair.value);
    RF_TRY(rf_arena_check(&s->out->arena, "the settings", err));
    s->out->pairs[s->out->n++] = pair;
out:
    return rc;
}

static int count_lines(const char *text, size_t length)
{
    int n = 1;
    for (size_t i = 0; i < length; i++)
        n += text[i] == '\n';
    return n;
}

rf_code rf_dotenv_parse(rf_dotenv *out, const char *text, size_t length, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_error later = {0};
    scanner s = {.at = text, .end = text + length, .line = 1, .out = out};
    *out = (rf_dotenv){0};
    rf_arena_init(&out->arena);
    if (memchr(text, 0, length))
        RF_TRY(rf_fail(err, RF_INPUT, "it holds a NUL byte and so is no text"));
    if (length >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3))
        s.at += 3;
    out->pairs = RF_ARENA_ARRAY(&out->arena, rf_dotenv_pair, count_lines(text, length));
    RF_TRY(rf_arena_check(&out->arena, "the settings", err));
    while (s.at < s.end) {
        skip_blanks(&s);
        if (s.at < s.end && *s.at != '#' && *s.at != '\n') {
            const rf_code took = take_pair(&s, rc == RF_OK ? err : &later);
            if (took == RF_NO_MEMORY)
                return took;
            rc = rc == RF_OK ? took : rc; /* the first that is wrong, and all that is right */
        }
        skip_line(&s);
        if (s.at < s.end)
            s.at++;
        s.line++;
    }
out:
    return rc;
}

rf_code rf_dotenv_load(rf_dotenv *out, const char *path, rf_error *err)
{
    rf_file_bytes bytes = {0};
    rf_error found = {0};
    *out = (rf_dotenv){0};
    rf_arena_init(&out->arena);
    rf_code rc = rf_file_bytes_open(&bytes, path, &found);
    if (rc == RF_NOT_FOUND)
        return RF_OK;
    if (rc == RF_OK)
        rc = rf_dotenv_parse(out, bytes.data, bytes.size_bytes, &found);
    if (rc == RF_INPUT && bytes.data)
        rc = rf_fail(err, RF_INPUT, "%s: %s", path, found.message);
    else if (rc != RF_OK && err)
        *err = found;
    rf_file_bytes_close(&bytes);
    return rc;
}

void rf_dotenv_free(rf_dotenv *env)
{
    rf_arena_free(&env->arena);
    *env = (rf_dotenv){0};
}

const char *rf_dotenv_find(const rf_dotenv *env, const char *name)
{
    for (int i = env->n - 1; i >= 0; i--)
        if (!strcmp(env->pairs[i].name, name))
            return env->pairs[i].value;
    return NULL;
}
