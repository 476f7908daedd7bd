/* json_text.h - JSON written straight into a buffer.
 *
 *     rfi_json_open(out, '{');
 *     rfi_json_key(out, "id");
 *     rfi_json_int(out, 123);
 *     rfi_json_close(out, '}');
 *
 * Commas are put where they are missing: a value that follows another within the same bracket gets one. Text is
 * escaped, and bytes that are not UTF-8 become U+FFFD, so that a reply can always be read. Failure to get memory is
 * sticky in the buffer (rf_buf_check). Threads: one at a time per buffer.
 */
#ifndef RF_API_JSON_TEXT_H
#define RF_API_JSON_TEXT_H

#include "core/buf.h"

void rfi_json_open(rf_buf *out, char bracket); /* '{' or '[' */
void rfi_json_close(rf_buf *out, char bracket);
void rfi_json_key(rf_buf *out, const char *name);

void rfi_json_text(rf_buf *out, const char *text); /* NULL gives null */
void rfi_json_text_n(rf_buf *out, const char *text, size_t length);
void rfi_json_int(rf_buf *out, int64_t value);
void rfi_real_json(rf_buf *out, double value); /* null when it is not finite */
void rfi_json_flag(rf_buf *out, bool value);
void rfi_json_null(rf_buf *out);
void rfi_json_time(rf_buf *out, int64_t wall_ms); /* RFC 3339; 0 gives null */
void rfi_json_raw(rf_buf *out, const char *json); /* a value that is JSON already; NULL or "" gives null */

/* key and value in one word */
void rfi_json_put_text(rf_buf *out, const char *key, const char *text);
void rfi_json_put_int(rf_buf *out, const char *key, int64_t value);
void rfi_json_put_real(rf_buf *out, const char *key, double value);
void rfi_json_put_flag(rf_buf *out, const char *key, bool value);
void rfi_json_put_time(rf_buf *out, const char *key, int64_t wall_ms);
void rfi_json_put_raw(rf_buf *out, const char *key, const char *json);

#endif
