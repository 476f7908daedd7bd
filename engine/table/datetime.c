#include "engine/table/datetime.h"

#include <math.h>
#include <string.h>

#include "engine/table/datetime_internal.h"

enum {
    DAY_S = 86400,
    DAYS_TO_1970 = 719468, /* from 0000-03-01, where a year that begins in March begins */
    OFFSET_MAX_S = 24 * 3600 - 60,
};

static const char *const month_names[12] = {"January",   "February", "March",    "April",
                                            "May",       "June",     "July",     "August",
                                            "September", "October",  "November", "December"};
static const char *const day_names[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                         "Thursday", "Friday", "Saturday"};

/* ---------------------------------------------------------------- the calendar */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days before the month in a year that begins in March: (153 m + 2) / 5, which puts the leap day last. */
static int days_before_month(int month)
{
    return (153 * ((month + 9) % 12) + 2) / 5;
}

/* Days since 1970-01-01; year 1 to 9999. */
static int32_t days_of_date(int year, int month, int day)
{
    const int y = year - (month <= 2);
    return 365 * y + y / 4 - y / 100 + y / 400 + days_before_month(month) + day - 1 - DAYS_TO_1970;
}

typedef struct date {
    int year, month, day;
} date;

/* Neri and Schneider, "Euclidean affine functions and their application to calendar algorithms" (2022),
 * figure 12: the year begins in March, divisions by constants become products. */
static date date_of_days(int32_t days)
{
    const uint32_t from_march_0 = (uint32_t)(days + DAYS_TO_1970); /* since 0000-03-01 */
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

/* ---------------------------------------------------------------- walking over a format */

typedef struct conversion {
    char letter; /* 0: the literal byte `literal` */
    char flag;   /* '-', '^', ':' or 0            */
    char literal;
    int width; /* of %Nf, else 0 */
} conversion;

enum { PLAIN = 1, UNPADDED = 2, CAPITALS = 4, COLON = 8, DIGITS = 16 };

/* How each letter may be asked for. */
static const unsigned char letter_forms[128] = {
    ['Y'] = PLAIN,
    ['y'] = PLAIN,
    ['m'] = PLAIN | UNPADDED,
    ['d'] = PLAIN | UNPADDED,
    ['j'] = PLAIN | UNPADDED,
    ['H'] = PLAIN | UNPADDED,
    ['I'] = PLAIN | UNPADDED,
    ['M'] = PLAIN,
    ['S'] = PLAIN,
    ['f'] = PLAIN | DIGITS,
    ['p'] = PLAIN,
    ['P'] = PLAIN,
    ['b'] = PLAIN | CAPITALS,
    ['B'] = PLAIN | CAPITALS,
    ['a'] = PLAIN | CAPITALS,
    ['A'] = PLAIN | CAPITALS,
    ['z'] = PLAIN | COLON,
    ['Z'] = PLAIN,
};

/* Takes one item off the format, which is not at its end. False for what this language does not have. */
static inline bool next_item(const char **format, conversion *out)
{
    const char *at = *format;
    unsigned form = PLAIN;
    *out = (conversion){.literal = *at++};
    if (out->literal != '%') {
        *format = at;
        return true;
    }
    if (*at == '-' || *at == '^' || *at == ':') {
        form = *at == '-' ? UNPADDED : *at == '^' ? CAPITALS : COLON;
        out->flag = *at++;
    } else if (*at >= '1' && *at <= '9') {
        form = DIGITS;
        out->width = *at++ - '0';
    }
    const unsigned char letter = (unsigned char)*at;
    if (letter == '%' && form == PLAIN) {
        *format = at + 1;
        return true;
    }
    out->letter = (char)letter;
    *format = at + 1; /* not looked at again when this was the NUL, which has no form */
    return letter < 128 && (letter_forms[letter] & form) != 0;
}

/* ---------------------------------------------------------------- reading */

typedef struct reading {
    const char *at, *end;
    bool strict;
    bool packed; /* a conversion stands right before or behind: no digit may be left out */
    int year, month, day, day_of_year;
    int hour, minute, second, hour_12;
    int32_t fraction_ns, offset_s;
    bool has_hour_12, is_pm;
} reading;

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* A number of at least `least` and at most `most` digits, in low..high. */
static inline bool read_number(reading *in, int least, int most, int low, int high, int *out)
{
    int value = 0, n = 0;
    for (; n < most && in->at < in->end && is_digit(*in->at); n++)
        value = value * 10 + (*in->at++ - '0');
    *out = value;
    return n >= least && value >= low && value <= high;
}

/* A number that strftime pads to `width`, with its `flag`. */
static inline bool read_padded(reading *in, char flag, int width, int low, int high, int *out)
{
    if (flag == '-') {
        if (in->strict && in->at < in->end && *in->at == '0' && low > 0)
            return false;
        return read_number(in, 1, width, low, high, out);
    }
    if (width == 2 && in->end - in->at >= 2 && is_digit(in->at[0]) && is_digit(in->at[1])) {
        *out = (in->at[0] - '0') * 10 + (in->at[1] - '0');
        in->at += 2;
        return *out >= low && *out <= high;
    }
    return read_number(in, in->strict || in->packed ? width : 1, width, low, high, out);
}

static bool read_fraction(reading *in, int width)
{
    const int exact = width != 0 ? width : in->strict ? 6 : 0;
    int32_t value = 0;
    int n = 0;
    for (; n < 9 && in->at < in->end && is_digit(*in->at); n++)
        value = value * 10 + (*in->at++ - '0');
    if (n == 0 || (exact != 0 && n != exact))
        return false;
    for (; n < 9; n++)
        value *= 10;
    in->fraction_ns = value;
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* One of n names, or their first `cut` letters; *out is its index. */
static bool read_name(reading *in, const char *const *names, int n, size_t cut, char flag, int *out)
{
    for (int i = 0; i < n; i++) {
        const size_t length = cut != 0 ? cut : strlen(names[i]);
        size_t same = 0;
        if ((size_t)(in->end - in->at) < length)
            continue;
        for (; same < length; same++) {
            const char got = in->at[same], want = flag == '^' ? upper(names[i][same]) : names[i][same];
            if (in->strict ? got != want : lower(got) != lower(want))
                break;
        }
        if (same == length) {
            in->at += length;
            *out = i;
            return true;
        }
    }
    return false;
}

static bool read_meridiem(reading *in, char letter)
{
    static const char *const capital[2] = {"AM", "PM"}, *const small[2] = {"am", "pm"};
    int half;
    if (!read_name(in, letter == 'p' ? capital : small, 2, 0, 0, &half))
        return false;
    in->is_pm = half == 1;
    return true;
}

/* Z, +02, +0200 or +02:00; strictly only the form that the conversion writes. */
static bool read_offset(reading *in, char flag)
{
    int hours, minutes = 0;
    in->offset_s = 0;
    if (in->at < in->end && !in->strict && (*in->at == 'Z' || *in->at == 'z')) {
        in->at++;
        return true;
    }
    if (in->at == in->end || (*in->at != '+' && *in->at != '-'))
        return false;
    const bool negative = *in->at++ == '-';
    if (!read_number(in, 2, 2, 0, 23, &hours))
        return false;
    const bool colon = in->at < in->end && *in->at == ':';
    if (in->strict && colon != (flag == ':'))
        return false;
    in->at += colon;
    const bool has_minutes = colon || (in->at < in->end && is_digit(*in->at));
    if (has_minutes ? !read_number(in, 2, 2, 0, 59, &minutes) : in->strict)
        return false;
    in->offset_s = (hours * 60 + minutes) * (negative ? -60 : 60);
    return true;
}

static bool read_zone_name(reading *in)
{
    const size_t left = (size_t)(in->end - in->at);
    if (left >= 3 && (memcmp(in->at, "UTC", 3) == 0 || (!in->strict && memcmp(in->at, "GMT", 3) == 0))) {
        in->at += 3;
        return true;
    }
    if (in->strict || left < 1 || *in->at != 'Z')
        return false;
    in->at++;
    return true;
}

static bool read_conversion(reading *in, const conversion *item)
{
    int ignored;
    switch (item->letter) {
    case 'Y':
        return read_number(in, 4, 4, 1, 9999, &in->year);
    case 'y':
        if (!read_number(in, 2, 2, 0, 99, &in->year))
            return false;
        in->year += in->year < 69 ? 2000 : 1900;
        return true;
    case 'm':
        return read_padded(in, item->flag, 2, 1, 12, &in->month);
    case 'd':
        return read_padded(in, item->flag, 2, 1, 31, &in->day);
    case 'j':
        return read_padded(in, item->flag, 3, 1, 366, &in->day_of_year);
    case 'H':
        return read_padded(in, item->flag, 2, 0, 23, &in->hour);
    case 'I':
        in->has_hour_12 = true;
        return read_padded(in, item->flag, 2, 1, 12, &in->hour_12);
    case 'M':
        return read_padded(in, 0, 2, 0, 59, &in->minute);
    case 'S': /* 60: a leap second, which is the next minute's first */
        return read_padded(in, 0, 2, 0, in->strict ? 59 : 60, &in->second);
    case 'f':
        return read_fraction(in, item->width);
    case 'p':
    case 'P':
        return read_meridiem(in, item->letter);
    case 'b':
    case 'B':
        if (!read_name(in, month_names, 12, item->letter == 'b' ? 3 : 0, item->flag, &in->month))
            return false;
        in->month++;
        return true;
    case 'a':
    case 'A':
        return read_name(in, day_names, 7, item->letter == 'a' ? 3 : 0, item->flag, &ignored);
    case 'z':
        return read_offset(in, item->flag);
    case 'Z':
        return read_zone_name(in);
    default:
        return false;
    }
}

/* ---------------------------------------------------------------- ISO 8601, the quick way
 *
 * Most columns are in "%Y-%m-%d", alone or with a clock behind it. That beginning of a format is known by
 * sight, and read and written without walking over it; what follows takes the general way.
 */

static bool begins_iso_date(const char *format)
{
    return format[0] == '%' && format[1] == 'Y' && format[2] == '-' && format[3] == '%' && format[4] == 'm' &&
           format[5] == '-' && format[6] == '%' && format[7] == 'd';
}

enum { ISO_DATE = 8, ISO_MINUTES = 14, ISO_SECONDS = 17 }; /* bytes of the format that are known */

static int iso_beginning(const char *format)
{
    if (!begins_iso_date(format))
        return 0;
    format += ISO_DATE;
    if (!((format[0] == ' ' || format[0] == 'T') && format[1] == '%' && format[2] == 'H' &&
          format[3] == ':' && format[4] == '%' && format[5] == 'M'))
        return ISO_DATE;
    return format[6] == ':' && format[7] == '%' && format[8] == 'S' ? ISO_SECONDS : ISO_MINUTES;
}

/* Two digits, or 100 and more. */
static int two_digits(const char *text)
{
    const unsigned tens = (unsigned char)(text[0] - '0'), ones = (unsigned char)(text[1] - '0');
    return tens > 9 || ones > 9 ? 100 : (int)(tens * 10 + ones);
}

/* Reads what the format's known beginning asks for, as far as the text has it in full width. Returns the
 * bytes of the format that are done; nothing is wrong yet when they are few. */
static int read_iso(reading *in, const char *format)
{
    const int known = iso_beginning(format);
    const char *const at = in->at;
    if (known == 0 || in->end - at < 10 || at[4] != '-' || at[7] != '-')
        return 0;
    const int century = two_digits(at), year = two_digits(at + 2), month = two_digits(at + 5),
              day = two_digits(at + 8);
    if (century > 99 || year > 99 || century + year == 0 || month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    in->year = century * 100 + year;
    in->month = month;
    in->day = day;
    in->at += 10;
    if (known == ISO_DATE || in->end - at < 16 || at[10] != format[8] || at[13] != ':')
        return ISO_DATE;
    const int hour = two_digits(at + 11), minute = two_digits(at + 14);
    if (hour > 23 || minute > 59)
        return ISO_DATE;
    in->hour = hour;
    in->minute = minute;
    in->at += 6;
    if (known == ISO_MINUTES || in->end - at < 19 || at[16] != ':' || two_digits(at + 17) > 59)
        return ISO_MINUTES;
    in->second = two_digits(at + 17);
    in->at += 3;
    return ISO_SECONDS;
}

/* What was read as seconds; false for a day that the month or year does not have. */
static bool assemble(const reading *in, double *out)
{
    int32_t days;
    int hour = in->hour;
    if (in->day > days_in_month(in->year, in->month))
        return false;
    if (in->day_of_year > 365 + is_leap(in->year))
        return false;
    if (in->day_of_year > 0)
        days = days_of_date(in->year, 1, 1) + in->day_of_year - 1;
    else
        days = days_of_date(in->year, in->month, in->day);
    if (in->has_hour_12)
        hour = in->hour_12 % 12 + (in->is_pm ? 12 : 0);
    const int64_t seconds = (int64_t)days * DAY_S + hour * 3600 + in->minute * 60 + in->second - in->offset_s;
    *out = (double)seconds;
    if (in->fraction_ns != 0)
        *out += (double)in->fraction_ns / 1e9;
    return true;
}

bool rfi_datetime_parse(const char *text, size_t length, const char *format, bool strict, double *out,
                        int32_t *utc_offset_s)
{
    reading in = {.at = text, .end = text + length, .strict = strict, .year = 1900, .month = 1, .day = 1};
    const int known = read_iso(&in, format);
    bool after_conversion = known > 0;
    format += known;
    while (*format != '\0') {
        conversion item;
        if (!next_item(&format, &item))
            return false;
        if (item.letter == 0) {
            if (in.at == in.end || *in.at != item.literal)
                return false;
            in.at++;
            after_conversion = false;
            continue;
        }
        in.packed = after_conversion || *format == '%';
        after_conversion = true;
        if (!read_conversion(&in, &item))
            return false;
    }
    double value;
    if (in.at != in.end || !assemble(&in, &value))
        return false;
    *out = value;
    if (utc_offset_s != NULL)
        *utc_offset_s = in.offset_s;
    return true;
}

bool rf_datetime_parse(const char *text, size_t length, const char *format, double *out,
                       int32_t *utc_offset_s)
{
    return rfi_datetime_parse(text, length, format, false, out, utc_offset_s);
}

/* ---------------------------------------------------------------- what a format can say */

/* Finest unit: `fraction_digits` > 0, or whole seconds in *unit_s. */
static int64_t last_unit(const char *format, int *fraction_digits)
{
    int64_t unit_s = DAY_S;
    *fraction_digits = 0;
    while (*format != '\0') {
        conversion item;
        int64_t item_s = DAY_S;
        if (!next_item(&format, &item))
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
        conversion item;
        if (!next_item(&format, &item)) {
            *reason = "it uses a conversion other than %Y %y %m %d %j %H %I %M %S %f %p %b %B %a %A %z %Z";
            return false;
        }
        any |= item.letter != 0;
    }
    if (!any)
        *reason = "it has no conversion such as %Y, so every text would be the same";
    return any;
}

/* ---------------------------------------------------------------- writing */

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
        put(out, capitals ? upper(name[i]) : name[i]);
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

static void put_conversion(writing *out, const conversion *item)
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
        put_number(out, out->days - days_of_date(out->day.year, 1, 1) + 1, 3, padded);
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
        put_name(out, month_names[out->day.month - 1], item->letter == 'b' ? 3 : 0, capitals);
        break;
    case 'a':
    case 'A':
        /* 0000-03-01 was a Wednesday */
        put_name(out, day_names[(out->days + DAYS_TO_1970 + 3) % 7], item->letter == 'a' ? 3 : 0, capitals);
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
    if (known > ISO_DATE) {
        *at++ = format[ISO_DATE];
        at = put_two(at, from->hour);
        *at++ = ':';
        at = put_two(at, from->minute);
    }
    if (known > ISO_MINUTES) {
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
    const int64_t into = unit_s == DAY_S ? seconds % DAY_S : unit_s == 60 ? seconds % 60 : seconds % unit_s;
    return seconds - (into < 0 ? into + unit_s : into);
}

size_t rf_datetime_format(char *out, size_t capacity, double value, const char *format, int32_t utc_offset_s)
{
    static const int32_t first_day = -719162, last_day = 2932896; /* 0001-01-01, 9999-12-31 */
    int digits;
    /* Far outside the calendar: the conversion to an integer below must not overflow. */
    if (capacity == 0 || !(fabs(value) < 1e12) || utc_offset_s > OFFSET_MAX_S || utc_offset_s < -OFFSET_MAX_S)
        return 0;
    const int known = iso_beginning(format);
    const bool all_known = known > 0 && format[known] == '\0';
    int64_t unit_s = known == ISO_DATE ? DAY_S : known == ISO_MINUTES ? 60 : 1;
    if (all_known)
        digits = 0;
    else
        unit_s = last_unit(format, &digits);
    writing to = {.at = out, .end = out + capacity - 1, .offset_s = utc_offset_s};
    const int64_t local = round_to_unit(value + utc_offset_s, unit_s, digits, &to.fraction_ns);
    const int64_t days = (local >= 0 ? local : local - (DAY_S - 1)) / DAY_S;
    if (days < first_day || days > last_day)
        return 0;
    const int in_day = (int)(local - days * DAY_S);
    to.days = (int32_t)days;
    to.day = date_of_days(to.days);
    to.hour = in_day / 3600;
    to.minute = in_day / 60 % 60;
    to.second = in_day % 60;
    if (all_known && capacity >= 20)
        return write_iso(&to, out, format, known);
    while (*format != '\0') {
        conversion item;
        if (!next_item(&format, &item))
            return 0;
        if (item.letter == 0)
            put(&to, item.literal);
        else
            put_conversion(&to, &item);
    }
    *to.at = '\0';
    return to.full ? 0 : (size_t)(to.at - out);
}
