/* datetime_write.c - what a format can say, and saying it. */
#include <math.h>

#include "engine/table/datetime.h"
#include "engine/table/datetime_internal.h"

enum { OFFSET_MAX_S = 24 * 3600 - 60 };

/* ---------------------------------------------------------------- what a format can say */

/* Finest unit: `fraction_digits` > 0, or whole seconds in *unit_s. */
static int64_t last_unit(const char *format, int *fraction_digits)
{
    int64_t unit_s = RFI_DAY_S;
    *fraction_digits = 0;
    while (*format != '\0') {
        rfi_datetime_item item;
        int64_t item_s = RFI_DAY_S;
        if (!rfi_datetime_next(&format, &item))
            break;
        if (item.letter == 'H' || item.letter == 'I')
            item_s = 3600;
        else if (item.letter == 'M')
            item_s = 60;
        else if (item.letter == 'S' || item.letter == 'f')
            item_s = 1;
        if (item.letter == 'f' && *fraction_digits < (item.width != 0 ? item.width : 6))
            *fraction_digits = item.width != 0 ? item.width : 6;
        if (item_s < unit_s)
            unit_s = item_s;
    }
    return unit_s;
}

static const int32_t pow10_i32[10] = {1,      10,      100,      1000,      10000,
                                      100000, 1000000, 10000000, 100000000, 1000000000};

double rf_datetime_unit_s(const char *format)
{
    int digits;
    const int64_t unit_s = last_unit(format, &digits);
    return digits > 0 ? 1.0 / pow10_i32[digits] : (double)unit_s;
}

bool rf_datetime_format_valid(const char *format, const char **reason)
{
    bool any = false;
    *reason = NULL;
    while (*format != '\0') {
        rfi_datetime_item item;
        if (!rfi_datetime_next(&format, &item)) {
            *reason =
                "it uses a rfi_datetime_item other than %Y %y %m %d %j %H %I %M %S %f %p %b %B %a %A %z %Z";
            return false;
        }
        any |= item.letter != 0;
    }
    if (!any)
        *reason = "it has no rfi_datetime_item such as %Y, so every text would be the same";
    return any;
}

/* ---------------------------------------------------------------- writing */

typedef struct date {
    int year, month, day;
} date;

/* Neri and Schneider, "Euclidean affine functions and their application to calendar algorithms" (2022),
 * figure 12: the year begins in March, divisions by constants become products. */
static date date_of_days(int32_t days)
{
    const uint32_t from_march_0 = (uint32_t)(days + RFI_DAYS_TO_1970); /* since 0000-03-01 */
    const uint32_t n1 = 4 * from_march_0 + 3, century = n1 / 146097, day_of_century = n1 % 146097 / 4;
    const uint64_t p2 = (uint64_t)2939745 * (4 * day_of_century + 3);
    const uint32_t year_of_century = (uint32_t)(p2 >> 32), day_of_year = (uint32_t)p2 / 2939745 / 4;
    const uint32_t n3 = 2141 * day_of_year + 197913;
    const bool next_year = day_of_year >= 306;
    return (date){
        .year = (int)(100 * century + year_of_century) + next_year,
        .month = (int)(n3 >> 16) - (next_year ? 12 : 0),
        .day = (int)((n3 & 0xFFFF) / 2141) + 1,
    };
}

typedef struct writing {
    char *at, *end;
    bool full;
    int32_t days; /* since 1970-01-01 */
    date day;
    int hour, minute, second;
    int32_t fraction_ns, offset_s;
} writing;

static void put(writing *out, char c)
{
    if (out->at < out->end)
        *out->at++ = c;
    else
        out->full = true;
}

/* value >= 0, in at least `width` digits when padded. */
static void put_number(writing *out, int value, int width, bool padded)
{
    char digits[10];
    int n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (int i = n; padded && i < width; i++)
        put(out, '0');
    while (n > 0)
        put(out, digits[--n]);
}

static void put_name(writing *out, const char *name, size_t cut, bool capitals)
{
    for (size_t i = 0; name[i] != '\0' && (cut == 0 || i < cut); i++)
        put(out, capitals ? rfi_upper(name[i]) : name[i]);
}

static void put_offset(writing *out, bool colon)
{
    const int32_t minutes = (out->offset_s < 0 ? -out->offset_s : out->offset_s) / 60;
    put(out, out->offset_s < 0 ? '-' : '+');
    put_number(out, minutes / 60, 2, true);
    if (colon)
        put(out, ':');
    put_number(out, minutes % 60, 2, true);
}

static void put_conversion(writing *out, const rfi_datetime_item *item)
{
    const bool padded = item->flag != '-', capitals = item->flag == '^';
    switch (item->letter) {
    case 'Y':
        put_number(out, out->day.year, 4, true);
        break;
    case 'y':
        put_number(out, out->day.year % 100, 2, true);
        break;
    case 'm':
        put_number(out, out->day.month, 2, padded);
        break;
    case 'd':
        put_number(out, out->day.day, 2, padded);
        break;
    case 'j':
        put_number(out, out->days - rfi_days_of_date(out->day.year, 1, 1) + 1, 3, padded);
        break;
    case 'H':
        put_number(out, out->hour, 2, padded);
        break;
    case 'I':
        put_number(out, (out->hour + 11) % 12 + 1, 2, padded);
        break;
    case 'M':
        put_number(out, out->minute, 2, true);
        break;
    case 'S':
        put_number(out, out->second, 2, true);
        break;
    case 'f': {
        const int width = item->width != 0 ? item->width : 6;
        put_number(out, out->fraction_ns / pow10_i32[9 - width], width, true);
        break;
    }
    case 'p':
        put_name(out, out->hour < 12 ? "AM" : "PM", 0, false);
        break;
    case 'P':
        put_name(out, out->hour < 12 ? "am" : "pm", 0, false);
        break;
    case 'b':
    case 'B':
        put_name(out, rfi_month_names[out->day.month - 1], item->letter == 'b' ? 3 : 0, capitals);
        break;
    case 'a':
    case 'A':
        /* 0000-03-01 was a Wednesday */
        put_name(out, rfi_day_names[(out->days + RFI_DAYS_TO_1970 + 3) % 7], item->letter == 'a' ? 3 : 0,
                 capitals);
        break;
    case 'z':
        put_offset(out, item->flag == ':');
        break;
    case 'Z':
        put_name(out, "UTC", 0, false);
        break;
    default:
        break;
    }
}

static char *put_two(char *out, int value)
{
    const int tens = value * 103 >> 10; /* value / 10 below 100 */
    out[0] = (char)('0' + tens);
    out[1] = (char)('0' + value - 10 * tens);
    return out + 2;
}

/* Writes a format that is nothing but an ISO beginning of `known` bytes, into room enough. */
static size_t write_iso(const writing *from, char *out, const char *format, int known)
{
    char *at = put_two(put_two(out, from->day.year / 100), from->day.year % 100);
    *at++ = '-';
    at = put_two(at, from->day.month);
    *at++ = '-';
    at = put_two(at, from->day.day);
    if (known > RFI_ISO_DATE) {
        *at++ = format[RFI_ISO_DATE];
        at = put_two(at, from->hour);
        *at++ = ':';
        at = put_two(at, from->minute);
    }
    if (known > RFI_ISO_MINUTES) {
        *at++ = ':';
        at = put_two(at, from->second);
    }
    *at = '\0';
    return (size_t)(at - out);
}

/* Rounds to the unit, half up: whole seconds since 1970 and the nanoseconds above them. */
static int64_t round_to_unit(double value, int64_t unit_s, int digits, int32_t *fraction_ns)
{
    int64_t seconds = (int64_t)value;
    seconds -= (double)seconds > value; /* down, also below zero */
    const double fraction = value - (double)seconds;
    *fraction_ns = 0;
    if (digits > 0) {
        const int32_t units = (int32_t)(fraction * pow10_i32[digits] + 0.5);
        if (units == pow10_i32[digits])
            return seconds + 1;
        *fraction_ns = units * pow10_i32[9 - digits];
        return seconds;
    }
    if (unit_s == 1)
        return seconds + (fraction >= 0.5);
    seconds += unit_s / 2; /* units above a second are even: whole seconds decide */
    /* division by a constant is several times as fast */
    const int64_t into = unit_s == RFI_DAY_S ? seconds % RFI_DAY_S
                         : unit_s == 60      ? seconds % 60
                                             : seconds % unit_s;
    return seconds - (into < 0 ? into + unit_s : into);
}

size_t rf_datetime_format(char *out, size_t capacity, double value, const char *format, int32_t utc_offset_s)
{
    static const int32_t first_day = -719162, last_day = 2932896; /* 0001-01-01, 9999-12-31 */
    int digits;
    /* Far outside the calendar: the rfi_datetime_item to an integer below must not overflow. */
    if (capacity == 0 || !(fabs(value) < 1e12) || utc_offset_s > OFFSET_MAX_S || utc_offset_s < -OFFSET_MAX_S)
        return 0;
    const int known = rfi_iso_beginning(format);
    const bool all_known = known > 0 && format[known] == '\0';
    int64_t unit_s = known == RFI_ISO_DATE ? RFI_DAY_S : known == RFI_ISO_MINUTES ? 60 : 1;
    if (all_known)
        digits = 0;
    else
        unit_s = last_unit(format, &digits);
    writing to = {.at = out, .end = out + capacity - 1, .offset_s = utc_offset_s};
    const int64_t local = round_to_unit(value + utc_offset_s, unit_s, digits, &to.fraction_ns);
    const int64_t days = (local >= 0 ? local : local - (RFI_DAY_S - 1)) / RFI_DAY_S;
    if (days < first_day || days > last_day)
        return 0;
    const int in_day = (int)(local - days * RFI_DAY_S);
    to.days = (int32_t)days;
    to.day = date_of_days(to.days);
    to.hour = in_day / 3600;
    to.minute = in_day / 60 % 60;
    to.second = in_day % 60;
    if (all_known && capacity >= 20)
        return write_iso(&to, out, format, known);
    while (*format != '\0') {
        rfi_datetime_item item;
        if (!rfi_datetime_next(&format, &item))
            return 0;
        if (item.letter == 0)
            put(&to, item.literal);
        else
            put_conversion(&to, &item);
    }
    *to.at = '\0';
    return to.full ? 0 : (size_t)(to.at - out);
}
