/* text.h - numbers and UTF-8, exactly and without a locale.
 *
 * The C library's strtod and printf follow the locale and are slow; these follow neither fashion.
 * Any thread.
 */
#ifndef RF_CORE_TEXT_H
#define RF_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest text that any of the format functions writes, the final NUL included. */
#define RF_NUMBER_TEXT_MAX 352

/* The whole of [text, text+length) must be the number: no blanks, one optional sign, decimal digits.
 * False when it is not one, or does not fit. */
bool rf_parse_i64(const char *text, size_t length, int64_t *out);

/* Decimal or exponent form with '.' as the point ("1", "-0.5", "1e-3", ".5", "5."); "inf", "nan" and
 * hexadecimal are not numbers here. Correctly rounded (nearest even). Overflow gives false. */
bool rf_parse_f64(const char *text, size_t length, double *out);

/* The shortest decimal that reads back as the same double, the nearest of them to it, laid out as C's %g:
 * plain from 1e-4 to below 1e+16, else with an exponent of at least two digits ("0.1", "1e+300", "1e-05",
 * "-0"). Not a number and the infinities are "nan", "inf", "-inf", which rf_parse_f64 refuses. All format
 * functions write a final NUL and return the length without it. */
size_t rf_format_f64(char *out, double value);

/* Rounded half to even on the exact binary value to `decimals` (0..17) digits after the point, then
 * trailing zeros dropped down to `min_decimals`. Never writes "-0". Returns the length. */
size_t rf_format_fixed(char *out, double value, int decimals, int min_decimals);
size_t rf_format_i64(char *out, int64_t value);

/* Offset of the first byte that is not valid UTF-8 (surrogates, overlongs and > U+10FFFF are not), or
 * -1 when all are. A sequence cut off by the end is invalid at its first byte. */
int64_t rf_utf8_find_invalid(const char *text, size_t length);

/* For hash tables in memory only: the value depends on the byte order of the machine. */
uint64_t rf_hash_bytes(const void *data, size_t size_bytes);

/* ASCII letters only; `b` ends with a NUL. */
bool rf_text_equal_nocase(const char *a, size_t a_length, const char *b);

/* The nearest of `names` (n of them) to `text` by edit distance (the first of equals), for "did you mean";
 * NULL when none is near enough to help. Case does not count, nor '-' against '_'. */
const char *rf_text_nearest(const char *text, const char *const *names, int n);

#endif
