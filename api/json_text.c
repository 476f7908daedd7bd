#include "api/json_text.h"

#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "core/text.h"

/* ---- structure -------------------------------------------------------------------------------- */

/* Whether a comma is due can be seen from the last byte: a value never ends with one of these. */
static void put_comma(rf_buf *out)
{
    if (out->size_bytes == 0 || out->failed)
        return;
    const char last = out->data[out->size_bytes - 1];
    if (last != '{' && last != '[' && last != ':' && last != ',')
        rf_buf_append(out, ",", 1);
}

void rfi_json_open(rf_buf *out, char bracket)
{
    put_comma(out);
    rf_buf_append(out, &bracket, 1);
}

void rfi_json_close(rf_buf *out, char bracket)
{
    rf_buf_append(out, &bracket, 1);
}

/* ---- text ------------------------------------------------------------------------------------- */

static void put_escape(rf_buf *out, unsigned char byte)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *at = short_forms; *at; at += 2)
        if ((unsigned char)*at == byte) {
            const char text[2] = {'\\', at[1]};
            rf_buf_append(out, text, 2);
            return;
        }
    rf_buf_printf(out, "\\u%04x", byte);
}

/* `text` is valid UTF-8. DEL and what HTML minds (<, >, &) may stand as they are in JSON. */
static void put_escaped(rf_buf *out, const char *text, size_t length)
{
    size_t from = 0;
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        rf_buf_append(out, text + from, i - from);
        put_escape(out, byte);
        from = i + 1;
    }
    rf_buf_append(out, text + from, length - from);
}

void rfi_json_text_n(rf_buf *out, const char *text, size_t length)
{
    put_comma(out);
    rf_buf_append(out, "\"", 1);
    while (length > 0) {
        const int64_t bad = rf_utf8_find_invalid(text, length);
        const size_t good = bad < 0 ? length : (size_t)bad;
        put_escaped(out, text, good);
        text += good;
        length -= good;
        if (length > 0) {
            rf_buf_puts(out, "\xEF\xBF\xBD");
            text++;
            length--;
        }
    }
    rf_buf_append(out, "\"", 1);
}

void rfi_json_text(rf_buf *out, const char *text)
{
    if (text)
        rfi_json_text_n(out, text, strlen(text));
    else
        rfi_json_null(out);
}

void rfi_json_key(rf_buf *out, const char *name)
{
    rfi_json_text(out, name);
    rf_buf_append(out, ":", 1);
}

/* ---- other values ----------------------------------------------------------------------------- */

void rfi_json_int(rf_buf *out, int64_t value)
{
    char text[RF_NUMBER_TEXT_MAX];
    put_comma(out);
    rf_buf_append(out, text, rf_format_i64(text, value));
}

void rfi_real_json(rf_buf *out, double value)
{
    char text[RF_NUMBER_TEXT_MAX];
    if (!isfinite(value)) {
        rfi_json_null(out);
        return;
    }
    put_comma(out);
    rf_buf_append(out, text, rf_format_f64(text, value));
}

void rfi_json_flag(rf_buf *out, bool value)
{
    put_comma(out);
    rf_buf_puts(out, value ? "true" : "false");
}

void rfi_json_null(rf_buf *out)
{
    put_comma(out);
    rf_buf_puts(out, "null");
}

void rfi_json_time(rf_buf *out, int64_t wall_ms)
{
    char text[32];
    if (wall_ms == 0) {
        rfi_json_null(out);
        return;
    }
    rf_clock_rfc3339(text, wall_ms * 1000);
    rfi_json_text(out, text);
}

void rfi_json_raw(rf_buf *out, const char *json)
{
    if (!json || !*json) {
        rfi_json_null(out);
        return;
    }
    put_comma(out);
    rf_buf_puts(out, json);
}

/* ---- key and value ---------------------------------------------------------------------------- */

void rfi_json_put_text(rf_buf *out, const char *key, const char *text)
{
    rfi_json_key(out, key);
    rfi_json_text(out, text);
}

void rfi_json_put_int(rf_buf *out, const char *key, int64_t value)
{
    rfi_json_key(out, key);
    rfi_json_int(out, value);
}

void rfi_json_put_real(rf_buf *out, const char *key, double value)
{
    rfi_json_key(out, key);
    rfi_real_json(out, value);
}

void rfi_json_put_flag(rf_buf *out, const char *key, bool value)
{
    rfi_json_key(out, key);
    rfi_json_flag(out, value);
}

void rfi_json_put_time(rf_buf *out, const char *key, int64_t wall_ms)
{
    rfi_json_key(out, key);
    rfi_json_time(out, wall_ms);
}

void rfi_json_put_raw(rf_buf *out, const char *key, const char *json)
{
    rfi_json_key(out, key);
    rfi_json_raw(out, json);
}
