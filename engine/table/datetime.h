/* datetime.h - dates and times as texts, in the formats that tables really have.
 *
 *     const char *format = rf_datetime_guess(texts, lengths, n, &ambiguous);      // "%d/%m/%Y %H:%M"
 *     double when;
 *     int32_t offset;
 *     if (rf_datetime_parse(text, length, format, &when, &offset)) …
 *     length = rf_datetime_format(out, sizeof out, when, format, offset);
 *
 * A format is a strftime string over
 *
 *     %Y %y %m %d %j %H %I %M %S %p %b %B %a %A   as in C
 *     %f           a fraction of a second: 1 to 9 digits are read, 6 are written
 *     %1f … %9f    the same with exactly so many digits
 *     %z %:z       +0200 and +02:00; both read either, and Z
 *     %Z           UTC, GMT or Z; UTC is written
 *     %-d %-m %-H %-I %-j   without a zero in front (%d reads one digit too, where no digits follow)
 *     %^b %^B %^a %^A       names in capitals;  %P  am and pm (case does not matter when reading)
 *     %%           a percent sign
 *
 * and literals, which match byte for byte. Dates are proleptic Gregorian, years 0001 to 9999; names are
 * English; %y is 1969 to 2068. Without a year it is 1900, without a month or day the first. A weekday is
 * read but not checked. No locale, no time zone database. Any thread.
 */
#ifndef RF_ENGINE_TABLE_DATETIME_H
#define RF_ENGINE_TABLE_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole text must match. *out: seconds since 1970-01-01 UTC; *utc_offset_s: of the text (0 when the
 * format has no zone), may be NULL. False leaves both alone. */
bool rf_datetime_parse(const char *text, size_t length, const char *format, double *out,
                       int32_t *utc_offset_s);

/* Writes `value` as the clock shows it at that offset, rounded to the format's last unit (half up), at most
 * `capacity` bytes with the NUL. Returns the length; 0 when it does not fit or the value is not finite or
 * outside the years 1 to 9999. */
size_t rf_datetime_format(char *out, size_t capacity, double value, const char *format, int32_t utc_offset_s);

/* The first of the known formats that reads all n texts: ISO 8601 forms, then the national ones (31/12/2020,
 * 12/31/2020, 31.12.2020, 31-Dec-2020, Dec 31, 2020, 20201231 and so on), each with and without time. One
 * that would also write them so is preferred to one that merely reads them. Day-first and month-first
 * forms are told apart by the texts (a 13th month decides); where nothing decides month-first is taken
 * and *ambiguous set (dots are always day-first). NULL when none does, and for n = 0. Bare numbers
 * count only when every text is a date from 1900 to 2100 in 8 digits, or a date and time in 14. The
 * format is static memory; `ambiguous` may be NULL. */
const char *rf_datetime_guess(const char *const *texts, const size_t *lengths, int64_t n, bool *ambiguous);

/* The last unit that the format can write, in seconds: 86400 for a date (and for months and years), 3600,
 * 60, 1, 1e-3 … */
double rf_datetime_unit_s(const char *format);

/* False, with a reason in English, for a format that uses what is not in the list above. */
bool rf_datetime_format_valid(const char *format, const char **reason);

#endif
