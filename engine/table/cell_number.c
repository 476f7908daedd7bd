#include "engine/table/cell_number.h"

#include <math.h>

#include "core/text.h"

enum { LONGEST_NUMBER = 1100, WIDE_DIGITS = 15, SIGNIFICANT_MAX = 16, DECIMALS_MAX = 17, POWER_MAX = 100000 };

static const int64_t largest_whole = 9007199254740992; /* 2^53 */
static const double fixed_most = 1e15;                 /* beyond, digits after the point mean nothing */

uint64_t rfi_load_text_at_end(const char *text, size_t n)
{
    uint64_t word = 0;
    memcpy(&word, text, n);
    return word;
}

void rfi_number_facts_merge(rfi_number_facts *into, const rfi_number_facts *from)
{
    if (from->decimals > into->decimals)
        into->decimals = from->decimals;
    if (from->max_written > into->max_written)
        into->max_written = from->max_written;
    if (from->min_written < into->min_written)
        into->min_written = from->min_written;
    into->minus |= from->minus;
    into->exponent |= from->exponent;
    into->shortest |= from->shortest;
    into->scientific |= from->scientific;
    if (from->significant > into->significant)
        into->significant = from->significant;
    into->n_exponents += from->n_exponents;
}

/* With plain numbers among them the digits of those count too: none has more than the largest before the point and the
 * finest behind it. */
int32_t rfi_number_decimals(const rfi_number_facts *facts, int64_t n, double most)
{
    if (!facts->scientific || facts->shortest)
        return facts->shortest ? -1 : facts->decimals;
    int32_t digits = facts->significant;
    if (facts->n_exponents < n) {
        int32_t plain = facts->decimals;
        for (double power = 1.0; power <= most && plain <= SIGNIFICANT_MAX; power *= 10.0)
            plain++;
        digits = plain > digits ? plain : digits;
    }
    return digits <= SIGNIFICANT_MAX ? -1 - digits : -1;
}

/* The parts of a number's text, found in one pass. */
typedef struct number_parts {
    bool plus, minus;
    const char *whole;
    size_t n_whole, n_fraction;
    bool point, exponent;
    int32_t power; /* of ten, of the exponent */
    const char *mantissa_end;
    int32_t significant; /* digits from the first that is not 0 */
} number_parts;

static const char *skip_digits(const char *at, const char *end, int32_t *significant)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        if (*significant || *at != '0')
            (*significant)++;
    return at;
}

static bool split(number_parts *parts, const char *at, const char *end, char point)
{
    *parts = (number_parts){0};
    if (at < end && (*at == '-' || *at == '+')) {
        parts->minus = *at == '-';
        parts->plus = *at == '+';
        at++;
    }
    parts->whole = at;
    at = skip_digits(at, end, &parts->significant);
    parts->n_whole = (size_t)(at - parts->whole);
    if (at < end && *at == point) {
        parts->point = true;
        const char *fraction = ++at;
        at = skip_digits(at, end, &parts->significant);
        parts->n_fraction = (size_t)(at - fraction);
    }
    parts->mantissa_end = at;
    if (!parts->n_whole && !parts->n_fraction)
        return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        parts->exponent = true;
        at++;
        const bool negative = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        const char *digits = at;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            if (parts->power < POWER_MAX)
                parts->power = parts->power * 10 + (*at - '0');
        if (at == digits)
            return false;
        parts->power = negative ? -parts->power : parts->power;
    }
    return at == end;
}

static bool is_infinity(const char *text, size_t length)
{
    if (length && (*text == '-' || *text == '+')) {
        text++;
        length--;
    }
    return rf_text_equal_nocase(text, length, "inf") || rf_text_equal_nocase(text, length, "infinity");
}

/* With '.' as the point and without a plus sign, as rf_parse_f64 wants it. */
static bool parse_with_point(const char *text, size_t length, char point, double *value)
{
    char plain[LONGEST_NUMBER];
    if (length > sizeof plain)
        return false;
    if (point == '.')
        return rf_parse_f64(text, length, value);
    memcpy(plain, text, length);
    char *comma = memchr(plain, point, length);
    if (comma)
        *comma = '.';
    return rf_parse_f64(plain, length, value);
}

/* 9.83E-05 is 0.0000983: seven digits after the point, though it was not written so. */
static void note_exponent(rfi_number_facts *facts, const number_parts *parts, double value)
{
    int64_t decimals = (int64_t)parts->n_fraction - parts->power;
    for (const char *end = parts->mantissa_end; decimals > 0 && end > parts->whole && end[-1] == '0'; end--)
        decimals--;
    facts->exponent = true;
    facts->min_written = 0;
    facts->n_exponents++;
    if (parts->significant > facts->significant)
        facts->significant = parts->significant;
    if (decimals > DECIMALS_MAX || fabs(value) >= fixed_most || parts->significant > WIDE_DIGITS)
        facts->scientific = true;
    else if (decimals > facts->decimals)
        facts->decimals = (int32_t)decimals;
}

static void note_writing(rfi_number_facts *facts, const number_parts *parts, double value)
{
    facts->minus |= parts->minus;
    if (parts->exponent) {
        note_exponent(facts, parts, value);
        return;
    }
    facts->shortest |= parts->significant > WIDE_DIGITS && parts->n_fraction;
    const int32_t written = parts->n_fraction > INT32_MAX ? INT32_MAX : (int32_t)parts->n_fraction;
    rfi_number_note_decimals(facts, parts->mantissa_end, written);
    facts->shortest |= facts->decimals > DECIMALS_MAX;
}

/* A whole number of 2^53 is itself; the next one would be read as 2^53 too. */
static bool is_exact(const char *text, size_t length)
{
    int64_t whole;
    return rf_parse_i64(text, length, &whole) && whole <= largest_whole && whole >= -largest_whole;
}

rfi_number_class rfi_number_parse_slow(const char *text, size_t length, char point, double *value,
                                       rfi_number_facts *facts)
{
    while (length && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    number_parts parts;
    if (!split(&parts, text, text + length, point))
        return is_infinity(text, length) ? RFI_NUMBER_INFINITE : RFI_NUMBER_NONE;
    if (length > LONGEST_NUMBER)
        return RFI_NUMBER_NONE;
    if (!parse_with_point(text + parts.plus, length - parts.plus, point, value) || !isfinite(*value))
        return RFI_NUMBER_INFINITE;
    *value += 0.0; /* minus zero is zero, as on every other road */
    note_writing(facts, &parts, *value);
    if (!parts.point && !parts.exponent && fabs(*value) >= (double)largest_whole && !is_exact(text, length))
        return RFI_NUMBER_HUGE;
    if (parts.plus || (parts.n_whole > 1 && parts.whole[0] == '0'))
        return RFI_NUMBER_CODE;
    return RFI_NUMBER;
}
