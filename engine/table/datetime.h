/* datetime.h - dates and times as texts, in the formats that tables really have.
 *
 * A format is a strftime string over: %Y %y %m %d %H %I %M %S %f (1 to 9 digits of a fraction) %p %b %B %a %A %j %z %Z(only
 * "UTC", "GMT", "Z") and literals. Dates are proleptic Gregorian, years 0001 to 9999; names of months are
 * English. No locale, no time zone database. Any thread.
 */
#ifndef RF_ENGINE_TABLE_DATETIME_H
#define RF_ENGINE_TABLE_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole text must match. *out: seconds since 1970-01-01 UTC; *utc_offset_s: of the text (0 when the format has no zone). */
bool rf_datetime_parse(const char *text, size_t length, const char *format, double *out, int32_t *utc_offset_s);

/* Writes at most `capacity` bytes, the NUL included; rounds to the format's last unit. Returns the length, 0 when it does not fit
 * or the value is not finite or outside the years 1 to 9999. */
size_t rf_datetime_format(char *out, size_t capacity, double value, const char *format, int32_t utc_offset_s);

/* The first of the known formats (ISO 8601 forms, then the national ones: 31/12/2020, 12/31/2020, 31.12.2020, 31-Dec-2020, Dec 31, 2020, 20201231 and so on, each
 * with and without time) that parses all n texts; day-first and month-first forms are told apart by the texts (a 13th month decides),
 * and where nothing decides month-first is taken and *ambiguous set. NULL when none does. Bare numbers (20201231) count only when every
 * text has 8 digits and is a date from 1900 to 2100. */
const char *rf_datetime_guess(const char *const *texts, const size_t *lengths, int64_t n, bool *ambiguous);

/* The last unit that the format can write, in seconds: 86400 for a date, 60, 1, 1e-3 … */
double rf_datetime_unit_s(const char *format);

/* False, with a reason in English, for a format that uses what is not in the list above. */
bool rf_datetime_format_valid(const char *format, const char **reason);

#endif
