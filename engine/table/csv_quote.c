#include "engine/table/csv_quote.h"

#include <string.h>

#include "core/text.h"
#include "engine/table/csv_word.h"
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

static inline bool word_has_special(uint64_t word, char delimiter)
{
    return (rfi_word_match(word, delimiter) | rfi_word_match(word, '"') | rfi_word_match(word, '\n') |
            rfi_word_match(word, '\r')) != 0;
}

/* Eight bytes at a time, the last eight once more if need be; zeros are nothing that is looked for. */
bool rfi_quote_special(const char *text, size_t length, char delimiter)
{
    enum { WORD = sizeof(uint64_t) };
    for (size_t at = 0; at + WORD < length; at += WORD)
        if (word_has_special(rfi_word_load(text + at, WORD), delimiter))
            return true;
    const size_t last = length < WORD ? 0 : length - WORD;
    return word_has_special(rfi_word_load(text + last, length - last), delimiter);
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
        const size_t left = length - from;
        const uint64_t word = rfi_word_load(text + from, left), quotes = rfi_word_match(word, '"');
        const size_t kept = rfi_word_until(quotes, left < sizeof word ? left : sizeof word);
        memcpy(out + to, &word, sizeof word);
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
