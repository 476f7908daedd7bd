/* datetime_guess.c - which format a column of dates is written in.
 *
 * The known formats are one list, date forms times time forms, in the order of preference. Two passes:
 * first for a format that would write the texts back byte for byte, then for one that merely reads them
 * (a column that mixes "1/5/2020" with "01/05/2020"). A wrong format fails at the first texts, so the list
 * may be long; the right one costs one reading of the column.
 */
#include <string.h>

#include "engine/table/datetime.h"
#include "engine/table/datetime_internal.h"

enum { TEXT_LEAST = 5, TEXT_MOST = 48 };

/* ---------------------------------------------------------------- the known formats */

#define ZONES(d) d, d "Z", d "%:z", d "%z", d " %:z", d " %z", d " %Z"

#define CLOCKS(d)                                                                                            \
    ZONES(d "%H:%M:%S"), ZONES(d "%H:%M:%S.%3f"), ZONES(d "%H:%M:%S.%6f"), ZONES(d "%H:%M:%S.%9f"),          \
        ZONES(d "%H:%M:%S.%2f"), ZONES(d "%H:%M:%S.%1f"), ZONES(d "%H:%M:%S.%f"), d "%H:%M:%S,%3f",          \
        ZONES(d "%H:%M")

#define TIMES(d)                                                                                             \
    d "%H:%M:%S", d "%H:%M", d "%-H:%M", d "%-H:%M:%S", d "%H:%M:%S.%3f", d "%H:%M:%S.%6f", d "%H:%M:%S.%f", \
        d "%-I:%M %p", d "%I:%M %p", d "%-I:%M:%S %p", d "%I:%M:%S %p", d "%-I:%M %P", d "%I:%M %P",         \
        d "%-I:%M:%S %P", d "%I:%M:%S %P", d "%-I:%M%p", d "%I:%M%p", d "%H.%M"

/* A national date: alone, before a time, and as browsers join the two. */
#define DATED(d)                                                                                             \
    d, TIMES(d " "), d ", %H:%M:%S", d ", %H:%M", d ", %-I:%M:%S %p", d ", %-I:%M %p", d ", %I:%M:%S %p"

/* Padded and not. */
#define LONG_YEAR(a, s, b)  DATED("%" a s "%" b s "%Y"), DATED("%-" a s "%-" b s "%Y")
#define SHORT_YEAR(a, s, b) DATED("%" a s "%" b s "%y"), DATED("%-" a s "%-" b s "%y")

#define NAMED(month)                                                                                         \
    DATED("%d " month " %Y"), DATED("%-d " month " %Y"), DATED("%d-" month "-%Y"), DATED("%d-" month "-%y"), \
        DATED(month " %d, %Y"), DATED(month " %-d, %Y"), "%-d-" month "-%Y", "%-d-" month "-%y",             \
        "%d/" month "/%Y", "%d." month ".%Y", "%d" month "%Y", "%d" month "%Y:%H:%M:%S",                     \
        "%d" month "%Y %H:%M:%S", "%d" month "%y", "%d " month " %y", "%-d " month " %y", month " %d %Y",    \
        month " %-d %Y", "%Y-" month "-%d", "%Y " month " %d", month " %Y", month "-%Y", month "-%y",        \
        "%Y-" month, "%Y " month

/* With the day of the week. */
#define WEEKLY(day, month)                                                                                   \
    DATED(day ", %d " month " %Y"), DATED(day ", %-d " month " %Y"), DATED(day ", " month " %d, %Y"),        \
        DATED(day ", " month " %-d, %Y"), day " " month " %d %Y"

static const char *const known[] = {
    /* ISO 8601 and its neighbours */
    "%Y-%m-%d",
    CLOCKS("%Y-%m-%d "),
    CLOCKS("%Y-%m-%dT"),
    "%Y/%m/%d",
    CLOCKS("%Y/%m/%d "),
    DATED("%Y-%-m-%-d"),
    DATED("%Y/%-m/%-d"),
    "%Y-%m",
    "%Y/%m",
    "%Y-%m-%d %H",
    "%Y-%m-%dT%H",
    "%Y-%j",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%S",
    "%Y%m%dT%H%M%SZ",
    "%Y%m%dT%H%M%S%z",
    "%Y%m%d %H%M%S",
    TIMES("%Y%m%d "),
    "%Y-%m-%d-%H.%M.%S.%6f",
    "%Y:%m:%d %H:%M:%S",

    /* numbers; month-first stands before its day-first twin, a long year before a short one */
    LONG_YEAR("m", "/", "d"),
    LONG_YEAR("d", "/", "m"),
    SHORT_YEAR("m", "/", "d"),
    SHORT_YEAR("d", "/", "m"),
    LONG_YEAR("d", ".", "m"),
    SHORT_YEAR("d", ".", "m"),
    LONG_YEAR("m", "-", "d"),
    LONG_YEAR("d", "-", "m"),
    SHORT_YEAR("m", "-", "d"),
    SHORT_YEAR("d", "-", "m"),
    "%d. %m. %Y",
    "%-d. %-m. %Y",
    "%d %m %Y",
    DATED("%Y.%m.%d"),
    DATED("%Y.%m.%d."),
    DATED("%Y. %m. %d."),
    DATED("%Y. %-m. %-d."),
    DATED("%Y年%m月%d日"),
    DATED("%Y年%-m月%-d日"),
    DATED("%Y년 %m월 %d일"),
    DATED("%Y년 %-m월 %-d일"),
    "%m/%Y",
    "%-m/%Y",
    "%m-%Y",

    /* English names */
    NAMED("%b"),
    NAMED("%B"),
    NAMED("%^b"),
    WEEKLY("%a", "%b"),
    WEEKLY("%A", "%B"),
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S %Z %Y",
    "%d/%b/%Y:%H:%M:%S %z",
};

enum { N_KNOWN = sizeof known / sizeof known[0] };

/* ---------------------------------------------------------------- trying them */

typedef struct column_texts {
    const char *const *texts;
    const size_t *lengths;
    int64_t n;
} column_texts;

static bool is_bare(const char *format)
{
    return strcmp(format, "%Y%m%d") == 0 || strcmp(format, "%Y%m%d%H%M%S") == 0;
}

static bool reads_all(const column_texts *column, const char *format, bool strict)
{
    static const double first_s = -2208988800.0, end_s = 4133980800.0; /* 1900-01-01, 2101-01-01 */
    const bool bare = is_bare(format);
    for (int64_t i = 0; i < column->n; i++) {
        double value;
        int32_t offset_s;
        if (!rfi_datetime_parse(column->texts[i], column->lengths[i], format, strict, &value, &offset_s))
            return false;
        if (bare && (value < first_s || value >= end_s))
            return false;
    }
    return true;
}

/* The known format with day and month exchanged: the other reading of "01/02/2020". NULL when nobody
 * writes so ("%Y-%d-%m", "%m.%d.%Y"). */
static const char *find_twin(const char *format)
{
    char twin[64];
    const size_t length = strlen(format);
    const char *const day = strchr(format, 'd'), *const month = strchr(format, 'm');
    if (day == NULL || month == NULL || length >= sizeof twin)
        return NULL;
    memcpy(twin, format, length + 1);
    twin[day - format] = 'm';
    twin[month - format] = 'd';
    for (int i = 0; i < N_KNOWN; i++)
        if (strcmp(known[i], twin) == 0)
            return known[i];
    return NULL;
}

static bool could_be_date(const char *text, size_t length)
{
    bool digit = false;
    if (length < TEXT_LEAST || length > TEXT_MOST)
        return false;
    for (size_t i = 0; i < length && !digit; i++)
        digit = text[i] >= '0' && text[i] <= '9';
    return digit;
}

const char *rf_datetime_guess(const char *const *texts, const size_t *lengths, int64_t n, bool *ambiguous)
{
    const column_texts column = {texts, lengths, n};
    if (ambiguous != NULL)
        *ambiguous = false;
    if (n <= 0 || !could_be_date(texts[0], lengths[0]))
        return NULL;
    for (int pass = 0; pass < 2; pass++) {
        const bool strict = pass == 0;
        for (int i = 0; i < N_KNOWN; i++) {
            if (!reads_all(&column, known[i], strict))
                continue;
            const char *const twin = ambiguous != NULL ? find_twin(known[i]) : NULL;
            if (twin != NULL)
                *ambiguous = reads_all(&column, twin, strict);
            return known[i];
        }
    }
    return NULL;
}
