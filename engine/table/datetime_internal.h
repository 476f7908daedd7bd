/* datetime_internal.h - the calendar and the walk over a format, for reading, writing and guessing. */
#ifndef RF_ENGINE_TABLE_DATETIME_INTERNAL_H
#define RF_ENGINE_TABLE_DATETIME_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RFI_DAY_S = 86400,
    RFI_DAYS_TO_1970 = 719468, /* from 0000-03-01, where a year that begins in March begins */
};

extern const char *const rfi_month_names[12];
extern const char *const rfi_day_names[7]; /* from Sunday */

/* ---------------------------------------------------------------- the calendar */

static inline bool rfi_is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days before the month in a year that begins in March: (153 m + 2) / 5, which puts the leap day last. */
static inline int rfi_days_before_month(int month)
{
    return (153 * ((month + 9) % 12) + 2) / 5;
}

/* Days since 1970-01-01; year 1 to 9999. */
static inline int32_t rfi_days_of_date(int year, int month, int day)
{
    const int y = year - (month <= 2);
    return 365 * y + y / 4 - y / 100 + y / 400 + rfi_days_before_month(month) + day - 1 - RFI_DAYS_TO_1970;
}

/* ---------------------------------------------------------------- walking over a format */

typedef struct rfi_datetime_item {
    char letter; /* 0: the literal byte `literal` */
    char flag;   /* '-', '^', ':' or 0            */
    char literal;
    int width; /* of %Nf, else 0 */
} rfi_datetime_item;

/* How a letter may be asked for. */
enum { RFI_PLAIN = 1, RFI_UNPADDED = 2, RFI_CAPITALS = 4, RFI_COLON = 8, RFI_DIGITS = 16 };
extern const unsigned char rfi_datetime_letters[128];

/* Takes one item off the format, which is not at its end. False for what this language does not have. */
static inline bool rfi_datetime_next(const char **format, rfi_datetime_item *out)
{
    const char *at = *format;
    unsigned form = RFI_PLAIN;
    *out = (rfi_datetime_item){.literal = *at++};
    if (out->literal != '%') {
        *format = at;
        return true;
    }
    if (*at == '-' || *at == '^' || *at == ':') {
        form = *at == '-' ? RFI_UNPADDED : *at == '^' ? RFI_CAPITALS : RFI_COLON;
        out->flag = *at++;
    } else if (*at >= '1' && *at <= '9') {
        form = RFI_DIGITS;
        out->width = *at++ - '0';
    }
    const unsigned char letter = (unsigned char)*at;
    if (letter == '%' && form == RFI_PLAIN) {
        *format = at + 1;
        return true;
    }
    out->letter = (char)letter;
    *format = at + 1; /* not looked at again when this was the NUL, which has no form */
    return letter < 128 && (rfi_datetime_letters[letter] & form) != 0;
}

/* Most columns are in "%Y-%m-%d", alone or with a clock behind it. That beginning of a format is known by
 * sight, and read and written without walking over it; what follows takes the general way. */
static inline bool rfi_begins_iso_date(const char *format)
{
    return format[0] == '%' && format[1] == 'Y' && format[2] == '-' && format[3] == '%' && format[4] == 'm' &&
           format[5] == '-' && format[6] == '%' && format[7] == 'd';
}

enum { RFI_ISO_DATE = 8, RFI_ISO_MINUTES = 14, RFI_ISO_SECONDS = 17 };

/* Bytes of the format that are known so: one of the three, or 0. */
static inline int rfi_iso_beginning(const char *format)
{
    if (!rfi_begins_iso_date(format))
        return 0;
    format += RFI_ISO_DATE;
    if (!((format[0] == ' ' || format[0] == 'T') && format[1] == '%' && format[2] == 'H' &&
          format[3] == ':' && format[4] == '%' && format[5] == 'M'))
        return RFI_ISO_DATE;
    return format[6] == ':' && format[7] == '%' && format[8] == 'S' ? RFI_ISO_SECONDS : RFI_ISO_MINUTES;
}

/* ---------------------------------------------------------------- reading */

static inline char rfi_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* As rf_datetime_parse. `strict` accepts only what rf_datetime_format would write: two digits where the
 * format pads, no zero in front where it does not, names in its case, exactly its digits of a fraction. */
bool rfi_datetime_parse(const char *text, size_t length, const char *format, bool strict, double *out,
                        int32_t *utc_offset_s);

#endif
