#include "engine/table/datetime.h"

#include <string.h>

#include "engine/table/datetime_internal.h"

const char *const rfi_month_names[12] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
const char *const rfi_day_names[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

const unsigned char rfi_datetime_letters[128] = {
    ['Y'] = RFI_PLAIN,
    ['y'] = RFI_PLAIN,
    ['m'] = RFI_PLAIN | RFI_UNPADDED,
    ['d'] = RFI_PLAIN | RFI_UNPADDED,
    ['j'] = RFI_PLAIN | RFI_UNPADDED,
    ['H'] = RFI_PLAIN | RFI_UNPADDED,
    ['I'] = RFI_PLAIN | RFI_UNPADDED,
    ['M'] = RFI_PLAIN,
    ['S'] = RFI_PLAIN,
    ['f'] = RFI_PLAIN | RFI_DIGITS,
    ['p'] = RFI_PLAIN,
    ['P'] = RFI_PLAIN,
    ['b'] = RFI_PLAIN | RFI_CAPITALS,
    ['B'] = RFI_PLAIN | RFI_CAPITALS,
    ['a'] = RFI_PLAIN | RFI_CAPITALS,
    ['A'] = RFI_PLAIN | RFI_CAPITALS,
    ['z'] = RFI_PLAIN | RFI_COLON,
    ['Z'] = RFI_PLAIN,
};

/* ---------------------------------------------------------------- reading */

typedef struct reading {
    const char *at, *end;
    bool strict;
    bool packed; /* a rfi_datetime_item stands right before or behind: no digit may be left out */
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

/* One of n names, or their first `cut` letters; *out is its index. */
static bool read_name(reading *in, const char *const *names, int n, size_t cut, char flag, int *out)
{
    for (int i = 0; i < n; i++) {
        const size_t length = cut != 0 ? cut : strlen(names[i]);
        size_t same = 0;
        if ((size_t)(in->end - in->at) < length)
            continue;
        for (; same < length; same++) {
            const char got = in->at[same], want = flag == '^' ? rfi_upper(names[i][same]) : names[i][same];
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

/* Z, +02, +0200 or +02:00; strictly only the form that the rfi_datetime_item writes. */
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

static bool read_conversion(reading *in, const rfi_datetime_item *item)
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
        if (!read_name(in, rfi_month_names, 12, item->letter == 'b' ? 3 : 0, item->flag, &in->month))
            return false;
        in->month++;
        return true;
    case 'a':
    case 'A':
        return read_name(in, rfi_day_names, 7, item->letter == 'a' ? 3 : 0, item->flag, &ignored);
    case 'z':
        return read_offset(in, item->flag);
    case 'Z':
        return read_zone_name(in);
    default:
        return false;
    }
}

/* ---------------------------------------------------------------- ISO 8601, the quick way */

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
    const int known = rfi_iso_beginning(format);
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
    if (known == RFI_ISO_DATE || in->end - at < 16 || at[10] != format[8] || at[13] != ':')
        return RFI_ISO_DATE;
    const int hour = two_digits(at + 11), minute = two_digits(at + 14);
    if (hour > 23 || minute > 59)
        return RFI_ISO_DATE;
    in->hour = hour;
    in->minute = minute;
    in->at += 6;
    if (known == RFI_ISO_MINUTES || in->end - at < 19 || at[16] != ':' || two_digits(at + 17) > 59)
        return RFI_ISO_MINUTES;
    in->second = two_digits(at + 17);
    in->at += 3;
    return RFI_ISO_SECONDS;
}

static int days_in_month(int year, int month)
{
    static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && rfi_is_leap(year));
}

/* What was read as seconds; false for a day that the month or year does not have. */
static bool assemble(const reading *in, double *out)
{
    int32_t days;
    int hour = in->hour;
    if (in->day > days_in_month(in->year, in->month))
        return false;
    if (in->day_of_year > 365 + rfi_is_leap(in->year))
        return false;
    if (in->day_of_year > 0)
        days = rfi_days_of_date(in->year, 1, 1) + in->day_of_year - 1;
    else
        days = rfi_days_of_date(in->year, in->month, in->day);
    if (in->has_hour_12)
        hour = in->hour_12 % 12 + (in->is_pm ? 12 : 0);
    const int64_t seconds =
        (int64_t)days * RFI_DAY_S + hour * 3600 + in->minute * 60 + in->second - in->offset_s;
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
        rfi_datetime_item item;
        if (!rfi_datetime_next(&format, &item))
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
