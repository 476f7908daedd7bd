#include "core/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 256 };

/* ---- text that is cut cleanly -------------------------------------------------------------- */

/* A sentence that was cut in the middle of a character would not be UTF-8 any more, and JSON and
 * terminals refuse it. `length` is that of a text that filled its buffer. */
static size_t cut_to_utf8(const char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 4) {
        start--;
        unsigned char byte = (unsigned char)text[start];
        if ((byte & 0xC0) == 0x80)
            continue;
        size_t need = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        return length - start >= need ? length : start;
    }
    return length;
}

/* Messages quote what people wrote: a line break or an escape sequence in a file name must not reach
 * the terminal or split a log line. */
static void blank_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = ' ';
}

static void format_text(char out[TEXT_SIZE], const char *format, va_list args)
{
    int length = vsnprintf(out, TEXT_SIZE, format, args);
    if (length < 0)
        out[0] = 0;
    else if (length >= TEXT_SIZE)
        out[cut_to_utf8(out, TEXT_SIZE - 1)] = 0;
    blank_controls(out);
}

/* ---- failing ------------------------------------------------------------------------------- */

static void set(rf_error *err, rf_code code, const char *format, va_list args)
{
    char text[TEXT_SIZE]; /* the arguments may point into err itself */
    format_text(text, format, args);
    err->code = code;
    err->detail[0] = 0;
    err->context[0] = 0;
    memcpy(err->message, text, sizeof text);
}

rf_code rf_fail(rf_error *err, rf_code code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        set(err, code, format, args);
        va_end(args);
    }
    return code;
}

rf_code rf_fail_errno(rf_error *err, rf_code code, const char *format, ...)
{
    int number = errno;
    if (err) {
        va_list args;
        va_start(args, format);
        set(err, code, format, args);
        va_end(args);
        const char *name = strerrorname_np(number);
        const char *text = strerrordesc_np(number);
        snprintf(err->detail, sizeof err->detail, "%s: %s", name ? name : "errno", text ? text : "unknown");
    }
    errno = number;
    return code;
}

void rf_error_context(rf_error *err, const char *format, ...)
{
    if (!err || err->code == RF_OK)
        return;
    char text[TEXT_SIZE], joined[2 * TEXT_SIZE + 4];
    va_list args;
    va_start(args, format);
    format_text(text, format, args);
    va_end(args);
    int length = snprintf(joined, sizeof joined, "%s%s%s", text, err->context[0] ? " > " : "", err->context);
    size_t kept = (size_t)length < TEXT_SIZE ? (size_t)length : cut_to_utf8(joined, TEXT_SIZE - 1);
    memcpy(err->context, joined, kept);
    err->context[kept] = 0;
}

/* ---- the table ----------------------------------------------------------------------------- */

const char *rf_code_name(rf_code code)
{
    static const char *const names[] = {
#define CODE_NAME(name, exit_code, summary) [RF_##name] = #name,
        RF_CODE_TABLE(CODE_NAME)
#undef CODE_NAME
    };
    return (unsigned)code < RF_CODE_COUNT ? names[code] : "UNKNOWN";
}

int rf_code_exit(rf_code code)
{
    static const int exits[] = {
#define CODE_EXIT(name, exit_code, summary) [RF_##name] = exit_code,
        RF_CODE_TABLE(CODE_EXIT)
#undef CODE_EXIT
    };
    return (unsigned)code < RF_CODE_COUNT ? exits[code] : 1;
}
