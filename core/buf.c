#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

/* ---- collecting ---------------------------------------------------------------------------- */

void rf_buf_init(rf_buf *buf)
{
    *buf = (rf_buf){0};
}

void rf_buf_free(rf_buf *buf)
{
    if (!buf)
        return;
    rf_free(buf->data);
    rf_buf_init(buf);
}

void rf_buf_clear(rf_buf *buf)
{
    buf->size_bytes = 0;
    if (buf->data)
        buf->data[0] = 0;
}

bool rf_buf_reserve(rf_buf *buf, size_t extra_bytes)
{
    size_t needed = 0;
    if (buf->failed || __builtin_add_overflow(buf->size_bytes, extra_bytes, &needed) ||
        __builtin_add_overflow(needed, 1, &needed)) {
        buf->failed = true;
        return false;
    }
    void *data = buf->data;
    if (rf_grow_array(&data, &buf->capacity, needed, 1, "", NULL) != RF_OK) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    return true;
}

void rf_buf_append(rf_buf *buf, const void *data, size_t size_bytes)
{
    if (!rf_buf_reserve(buf, size_bytes))
        return;
    if (size_bytes)
        memcpy(buf->data + buf->size_bytes, data, size_bytes);
    buf->size_bytes += size_bytes;
    buf->data[buf->size_bytes] = 0;
}

void rf_buf_puts(rf_buf *buf, const char *text)
{
    rf_buf_append(buf, text, strlen(text));
}

void rf_buf_printf(rf_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        buf->failed = true;
    else if (rf_buf_reserve(buf, (size_t)length)) {
        vsnprintf(buf->data + buf->size_bytes, (size_t)length + 1, format, again);
        buf->size_bytes += (size_t)length;
    }
    va_end(again);
}

rf_code rf_buf_check(const rf_buf *buf, const char *what, rf_error *err)
{
    if (!buf->failed)
        return RF_OK;
    return rf_fail(err, RF_NO_MEMORY, "not enough memory for %s", what);
}

/* ---- little-endian, out --------------------------------------------------------------------- */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are stored as the machine holds them");

void rf_put_u8(rf_buf *buf, uint8_t value)
{
    rf_buf_append(buf, &value, sizeof value);
}

void rf_put_u32(rf_buf *buf, uint32_t value)
{
    rf_buf_append(buf, &value, sizeof value);
}

void rf_put_u64(rf_buf *buf, uint64_t value)
{
    rf_buf_append(buf, &value, sizeof value);
}

void rf_put_i64(rf_buf *buf, int64_t value)
{
    rf_buf_append(buf, &value, sizeof value);
}

void rf_put_f32(rf_buf *buf, float value)
{
    rf_buf_append(buf, &value, sizeof value);
}

void rf_put_f64(rf_buf *buf, double value)
{
    rf_buf_append(buf, &value, sizeof value);
}

void rf_put_string(rf_buf *buf, const char *text, size_t length)
{
    if (length > UINT32_MAX) {
        buf->failed = true;
        return;
    }
    rf_put_u32(buf, (uint32_t)length);
    rf_buf_append(buf, text, length);
}

void rf_put_f32s(rf_buf *buf, const float *values, size_t count)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, sizeof *values, &bytes))
        buf->failed = true;
    else
        rf_buf_append(buf, values, bytes);
}

/* ---- little-endian, in ---------------------------------------------------------------------- */

void rf_reader_init(rf_reader *reader, const void *data, size_t size_bytes)
{
    static const uint8_t nothing[1];
    const uint8_t *bytes = data ? data : nothing;
    *reader = (rf_reader){.at = bytes, .end = bytes + (data ? size_bytes : 0)};
}

size_t rf_reader_left(const rf_reader *reader)
{
    return reader->failed ? 0 : (size_t)(reader->end - reader->at);
}

/* The next bytes, or NULL when they are not there. */
static const void *take(rf_reader *reader, size_t size_bytes)
{
    if (reader->failed || size_bytes > rf_reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at += size_bytes;
    return taken;
}

void rf_get_bytes(rf_reader *reader, void *out, size_t size_bytes)
{
    const void *bytes = take(reader, size_bytes);
    if (!size_bytes)
        return;
    if (bytes)
        memcpy(out, bytes, size_bytes);
    else
        memset(out, 0, size_bytes);
}

uint8_t rf_get_u8(rf_reader *reader)
{
    uint8_t value;
    rf_get_bytes(reader, &value, sizeof value);
    return value;
}

uint32_t rf_get_u32(rf_reader *reader)
{
    uint32_t value;
    rf_get_bytes(reader, &value, sizeof value);
    return value;
}

uint64_t rf_get_u64(rf_reader *reader)
{
    uint64_t value;
    rf_get_bytes(reader, &value, sizeof value);
    return value;
}

int64_t rf_get_i64(rf_reader *reader)
{
    int64_t value;
    rf_get_bytes(reader, &value, sizeof value);
    return value;
}

float rf_get_f32(rf_reader *reader)
{
    float value;
    rf_get_bytes(reader, &value, sizeof value);
    return value;
}

double rf_get_f64(rf_reader *reader)
{
    double value;
    rf_get_bytes(reader, &value, sizeof value);
    return value;
}

const char *rf_get_string(rf_reader *reader, size_t *length)
{
    uint32_t n = rf_get_u32(reader);
    const char *text = take(reader, n);
    *length = text ? n : 0;
    return text;
}

/* `out` was sized by the caller, so its bytes are a size_t. */
void rf_get_f32s(rf_reader *reader, float *out, size_t count)
{
    rf_get_bytes(reader, out, count * sizeof *out);
}

uint32_t rf_get_count(rf_reader *reader, size_t element_bytes)
{
    uint32_t count = rf_get_u32(reader);
    size_t bytes = 0;
    if (__builtin_mul_overflow((size_t)count, element_bytes, &bytes) || bytes > rf_reader_left(reader)) {
        reader->failed = true;
        return 0;
    }
    return count;
}
