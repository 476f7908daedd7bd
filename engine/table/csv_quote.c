#include "engine/table/csv_quote.h"

#include <string.h>

#include "core/text.h"
#include "engine/table/table.h"

enum { LONGEST_MISSING = 4 }; /* bytes of the longest default token */

/* ---- what must stand in quotes ------------------------------------------------------------- */

bool rfi_quote_missing(const char *text, size_t length, const char *own, size_t n_own)
{
    while (length && (*text == ' ' || *text == '\t')) {
        text++;
        length--;
    }
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (length > LONGEST_MISSING && length != n_own)
        return false;
    if (n_own == length && memcmp(own, text, length) == 0)
        return true;
    for (int32_t j = 0; j < rf_missing_default_n; j++)
        if (strlen(rf_missing_default[j]) == length && memcmp(rf_missing_default[j], text, length) == 0)
            return true;
    return false;
}

/* The top bit of each byte that is `wanted`, and maybe of bytes above one. */
static inline uint64_t match_bytes(uint64_t word, char wanted)
{
    const uint64_t ones = 0x0101010101010101u, differ = word ^ ones * (unsigned char)wanted;
    return (differ - ones) & ~differ & ones << 7;
}

static inline bool word_has_special(uint64_t word, char delimiter)
{
    return (match_bytes(word, delimiter) | match_bytes(word, '"') | match_bytes(word, '\n') |
            match_bytes(word, '\r')) != 0;
}

/* Eight bytes at a time, the last eight once more if need be; zeros are nothing that is looked for. */
bool rfi_quote_special(const char *text, size_t length, char delimiter)
{
    uint64_t word = 0;
    if (length < sizeof word) {
        memcpy(&word, text, length);
        return word_has_special(word, delimiter);
    }
    for (size_t at = 0; at + sizeof word < length; at += sizeof word) {
        memcpy(&word, text + at, sizeof word);
        if (word_has_special(word, delimiter))
            return true;
    }
    memcpy(&word, text + length - sizeof word, sizeof word);
    return word_has_special(word, delimiter);
}

bool rfi_quote_sep_line(const char *text, size_t length)
{
    return (length == 4 || length == 5) && rf_text_equal_nocase(text, 4, "sep=");
}

/* ---- quotes ---------------------------------------------------------------------------------- */

/* Each quote twice. out has room for 2 * length + 8 bytes. */
static size_t double_quotes(char *out, const char *text, size_t length)
{
    size_t from = 0, to = 0;
    while (from < length) {
        uint64_t word = 0;
        size_t n = length - from;
        if (n >= sizeof word)
            memcpy(&word, text + from, n = sizeof word);
        else
            memcpy(&word, text + from, n);
        memcpy(out + to, &word, sizeof word);
        const uint64_t quotes = match_bytes(word, '"');
        const size_t kept = quotes ? (size_t)__builtin_ctzll(quotes) / 8 + 1 : n;
        from += kept;
        to += kept;
        if (quotes)
            out[to++] = '"';
    }
    return to;
}

size_t rfi_quote_put(char *out, const char *text, size_t length, bool quoted)
{
    if (!quoted) {
        if (length)
            memcpy(out, text, length);
        return length;
    }
    out[0] = '"';
    const size_t n = 1 + double_quotes(out + 1, text, length);
    out[n] = '"';
    return n + 1;
}
