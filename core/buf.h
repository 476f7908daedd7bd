/* buf.h - bytes that grow, and bytes that are read back with bounds.
 *
 * rf_buf collects text or binary; failure is sticky, check once with rf_buf_check. rf_reader walks
 * over bytes that somebody else wrote and never reads past their end: the first short read makes it
 * `failed`, and every later one gives zero. Binary numbers are little-endian.
 *
 * Threads: one at a time.
 */
#ifndef RF_CORE_BUF_H
#define RF_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef struct rf_buf {
    char *data; /* always followed by a NUL once anything was appended */
    size_t size_bytes, capacity;
    bool failed;
} rf_buf;

void rf_buf_init(rf_buf *buf);
void rf_buf_free(rf_buf *buf);
void rf_buf_clear(rf_buf *buf); /* size 0, memory kept */

bool rf_buf_reserve(rf_buf *buf, size_t extra_bytes); /* room for so many more; false = failed */
void rf_buf_append(rf_buf *buf, const void *data, size_t size_bytes);
void rf_buf_puts(rf_buf *buf, const char *text);
void rf_buf_printf(rf_buf *buf, const char *format, ...) RF_PRINTF(2, 3);
rf_code rf_buf_check(const rf_buf *buf, const char *what, rf_error *err) RF_MUST_CHECK;

/* little-endian binary */
void rf_put_u8(rf_buf *buf, uint8_t value);
void rf_put_u32(rf_buf *buf, uint32_t value);
void rf_put_u64(rf_buf *buf, uint64_t value);
void rf_put_i64(rf_buf *buf, int64_t value);
void rf_put_f32(rf_buf *buf, float value);
void rf_put_f64(rf_buf *buf, double value);
void rf_put_string(rf_buf *buf, const char *text, size_t length); /* u32 length, bytes */
void rf_put_f32s(rf_buf *buf, const float *values, size_t count); /* no count before them */

typedef struct rf_reader {
    const uint8_t *at, *end;
    bool failed;
} rf_reader;

void rf_reader_init(rf_reader *reader, const void *data, size_t size_bytes);
size_t rf_reader_left(const rf_reader *reader);
uint8_t rf_get_u8(rf_reader *reader);
uint32_t rf_get_u32(rf_reader *reader);
uint64_t rf_get_u64(rf_reader *reader);
int64_t rf_get_i64(rf_reader *reader);
float rf_get_f32(rf_reader *reader);
double rf_get_f64(rf_reader *reader);
/* A view into the reader's bytes, not NUL-terminated; NULL and *length 0 when it does not fit. */
const char *rf_get_string(rf_reader *reader, size_t *length);
void rf_get_f32s(rf_reader *reader, float *out, size_t count); /* zeros when they do not fit */
void rf_get_bytes(rf_reader *reader, void *out, size_t size_bytes);

/* A count of elements that are `element_bytes` each on disk: fails the reader (and gives 0) when that
 * many cannot be left, so that no allocation is made on a hostile count. */
uint32_t rf_get_count(rf_reader *reader, size_t element_bytes);

#endif
