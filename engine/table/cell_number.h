/* cell_number.h - is a cell a number, which one, and how was it written?
 *
 * Written like a number but not one that a double gives back are codes: "007", "+5", whole numbers
 * beyond 2^53. Columns that hold them stay texts, so that no digit is lost.
 *
 * Whole numbers and short decimals, nearly all that tables hold, are read eight digits at a time here;
 * the rest goes to rf_parse_f64. Both round to nearest, so the road taken does not show. Any thread.
 */
#ifndef RF_ENGINE_TABLE_CELL_NUMBER_H
#define RF_ENGINE_TABLE_CELL_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum rfi_number_class {
    RFI_NUMBER,          /* *value is set                                             */
    RFI_NUMBER_CODE,     /* the same, but the text would not come back                */
    RFI_NUMBER_HUGE,     /* a whole number beyond 2^53: *value is only near           */
    RFI_NUMBER_INFINITE, /* inf, or too large for a double                            */
    RFI_NUMBER_NONE
} rfi_number_class;

/* How the numbers of a column were written. */
typedef struct rfi_number_facts {
    int32_t decimals;    /* most digits after the point, final zeros not counted        */
    int32_t max_written; /* most digits after the point as written                      */
    int32_t min_written; /* fewest; INT32_MAX before the first number                   */
    bool minus;          /* one had a sign                                              */
    bool exponent;       /* one had an exponent: its text does not come back            */
    bool shortest;       /* one has no short form with a fixed number of digits         */
    bool scientific;     /* one has an exponent that makes that form too long           */
    int32_t significant; /* most digits in front of an exponent                         */
    int64_t n_exponents; /* numbers that had one                                        */
} rfi_number_facts;

#define RFI_NUMBER_FACTS_NONE ((rfi_number_facts){.min_written = INT32_MAX})

/* What rf_field has in `decimals`, for n numbers of magnitude `most` at the most. */
int32_t rfi_number_decimals(const rfi_number_facts *facts, int64_t n, double most);

void rfi_number_facts_merge(rfi_number_facts *into, const rfi_number_facts *from);

/* Blanks around the number are allowed; minus zero is zero. `facts` change only when it is a number or a code. */
rfi_number_class rfi_number_parse_slow(const char *text, size_t length, char point, double *value,
                                       rfi_number_facts *facts);

/* ---- eight digits at a time ---------------------------------------------------------------- */

#define RFI_EIGHT(byte) (0x0101010101010101u * (uint64_t)(byte))

uint64_t rfi_load_text_at_end(const char *text, size_t n);

/* At least n (0..8) bytes of text, the first in the lowest byte, anything above; nothing is read at
 * `limit` or after. */
static inline uint64_t rfi_load_text(const char *text, size_t n, const char *limit)
{
    uint64_t word;
    if (__builtin_expect(limit - text < (ptrdiff_t)sizeof word, 0))
        return rfi_load_text_at_end(text, n);
    memcpy(&word, text, sizeof word);
    return word;
}

/* The high bit of each byte that is no digit. */
static inline uint64_t rfi_non_digits(uint64_t word)
{
    const uint64_t x = word ^ RFI_EIGHT('0');
    return (((x & RFI_EIGHT(0x7F)) + RFI_EIGHT(0x76)) | x) & RFI_EIGHT(0x80);
}

/* The lowest n (1..8) bytes as numbers, moved up over zeros; where a byte was a digit it is 0 to 9 now. Any
 * other n gives nonsense. */
static inline uint64_t rfi_take_digits(uint64_t word, size_t n)
{
    return (word ^ RFI_EIGHT('0')) << (-(unsigned)n * 8 & 63);
}

static inline bool rfi_all_digits(uint64_t taken)
{
    return (((taken + RFI_EIGHT(0x76)) | taken) & RFI_EIGHT(0x80)) == 0;
}

/* Eight bytes of 0 to 9 to their number, by pairs, fours and eights. */
static inline uint64_t rfi_digits_value(uint64_t word)
{
    word = word * 2561 >> 8;
    word = (word & 0x00FF00FF00FF00FFu) * 6553601 >> 16;
    return (word & 0x0000FFFF0000FFFFu) * 42949672960001u >> 32;
}

static const double rfi_powers_of_ten[9] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
static const uint64_t rfi_whole_powers_of_ten[9] = {1,      10,      100,      1000,     10000,
                                                    100000, 1000000, 10000000, 100000000};

static inline void rfi_number_note_decimals(rfi_number_facts *facts, const char *end, int32_t written)
{
    int32_t significant = written;
    while (significant && end[-1] == '0') {
        significant--;
        end--;
    }
    if (significant > facts->decimals)
        facts->decimals = significant;
    if (written > facts->max_written)
        facts->max_written = written;
    if (written < facts->min_written)
        facts->min_written = written;
}

/* The least whole number of 1 to 8 digits that does not begin with a zero. */
static const int64_t rfi_least_whole[9] = {0, 0, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

/* A sign and up to eight digits: the common case, with two branches. `text` must have
 * RFI_WHOLE_BYTES that may be read. */
enum { RFI_WHOLE_BYTES = 9 };
static inline bool rfi_number_parse_whole(const char *text, size_t length, double *value, uint64_t *minus)
{
    const uint64_t sign = text[0] == '-';
    const size_t n = length - sign;
    uint64_t word;
    memcpy(&word, text + sign, sizeof word);
    const uint64_t digits = rfi_take_digits(word, n);
    if ((n - 1 >= 8) | !rfi_all_digits(digits))
        return false;
    const int64_t whole = (int64_t)rfi_digits_value(digits);
    if (whole < rfi_least_whole[n])
        return false;
    *value = (double)((whole ^ -(int64_t)sign) + (int64_t)sign);
    *minus |= sign;
    return true;
}

static inline void rfi_number_set(double *value, rfi_number_facts *facts, int64_t digits, size_t after,
                                  bool sign, const char *end)
{
    *value = (double)(sign ? -digits : digits) / rfi_powers_of_ten[after]; /* both exact: rounded once */
    facts->minus |= sign;
    rfi_number_note_decimals(facts, end, (int32_t)after);
}

/* Digits, the point, digits: 15 of them at most, and no more than eight on one side. */
static inline bool rfi_number_parse_decimal(const char *text, size_t length, const char *limit, char point,
                                            double *value, rfi_number_facts *facts)
{
    const bool sign = length > 1 && text[0] == '-';
    const char *digits = text + sign;
    const size_t n = length - sign;
    if (n < 3 || n > 17)
        return false;
    const uint64_t word = rfi_load_text(digits, n < 8 ? n : 8, limit), others = rfi_non_digits(word);
    const size_t before = others ? (size_t)__builtin_ctzll(others) / 8 : 8;
    const size_t after = n - before - 1; /* wraps when before is beyond the text: then not 1..8 */
    if (before < 1 || after - 1 >= 8 || digits[before] != point || (before > 1 && (char)word == '0'))
        return false;
    if (n <= 8) { /* all in one word: close the gap and read it as one number */
        const uint64_t low = (1ull << 8 * before) - 1;
        const uint64_t joined = rfi_take_digits((word & low) | (word >> 8 & ~low), n - 1);
        if (!rfi_all_digits(joined))
            return false;
        rfi_number_set(value, facts, (int64_t)rfi_digits_value(joined), after, sign, text + length);
        return true;
    }
    const uint64_t fraction = rfi_take_digits(rfi_load_text(digits + before + 1, after, limit), after);
    const uint64_t all = rfi_digits_value(rfi_take_digits(word, before)) * rfi_whole_powers_of_ten[after] +
                         rfi_digits_value(fraction);
    if (!rfi_all_digits(fraction) || all >= 1000000000000000u)
        return false;
    rfi_number_set(value, facts, (int64_t)all, after, sign, text + length);
    return true;
}

/* text[0, length) as a number; `limit` is the end of what may be read. */
static inline rfi_number_class rfi_number_parse(const char *text, size_t length, const char *limit,
                                                char point, double *value, rfi_number_facts *facts)
{
    if (rfi_number_parse_decimal(text, length, limit, point, value, facts))
        return RFI_NUMBER;
    return rfi_number_parse_slow(text, length, point, value, facts);
}

#endif
