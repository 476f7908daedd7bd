#include "engine/table/csv_record.h"

#include <string.h>

#include "engine/table/csv_word.h"

/* ---- inside and outside -------------------------------------------------------------------- */

typedef struct quote_state {
    bool inside;
    size_t opened_at, closed_at;
} quote_state;

static const quote_state outside = {.closed_at = SIZE_MAX - 1};

/* A quote right after a closing one was the first of a doubled pair, so the cell is still open. */
static inline void meet_quote(quote_state *state, const char *data, size_t at, const rfi_csv_syntax *syntax)
{
    if (state->inside) {
        state->inside = false;
        state->closed_at = at;
    } else if (state->closed_at + 1 == at) {
        state->inside = true;
    } else if (at == 0 || data[at - 1] == syntax->delimiter || data[at - 1] == syntax->newline) {
        state->inside = true;
        state->opened_at = at;
    }
}

/* ---- counting ------------------------------------------------------------------------------ */

void rfi_csv_count_records(rfi_csv_count *out, const rfi_csv_marks *marks, const char *data,
                           size_t size_bytes, const rfi_csv_syntax *syntax, bool inside)
{
    *out = (rfi_csv_count){.first_end = size_bytes, .open = inside};
    if (!marks->has_quote && inside)
        return;
    quote_state state = outside;
    state.inside = inside;
    if (!marks->has_quote)
        out->n_ends = marks->n_newlines;
    for (size_t word = 0; marks->has_quote && word < RFI_CSV_MARK_WORDS(size_bytes); word++)
        for (uint64_t bits = marks->separators[word] | marks->quotes[word]; bits; bits &= bits - 1) {
            const size_t at = word * 64 + (size_t)__builtin_ctzll(bits);
            if (data[at] == '"') {
                meet_quote(&state, data, at, syntax);
            } else if (!state.inside && data[at] == syntax->newline) {
                if (out->n_ends++ == 0)
                    out->first_end = at + 1;
            }
        }
    out->open = state.inside;
    out->opened_at = state.opened_at;
}

/* ---- cells --------------------------------------------------------------------------------- */

/* Bit i: whether an odd number of bits up to i, itself included, is set. */
static inline uint64_t parity_of(uint64_t bits)
{
    for (int by = 1; by < 64; by *= 2)
        bits ^= bits << by;
    return bits;
}

/* Takes away the marks in quoted cells, 64 bytes at a time: those are the bytes after an odd number of quotes, as long as
 * each odd quote opens a cell or is the second of a pair. False when one is neither, as in 5'11": then
 * the marks mean nothing. *open: the bytes end inside a quoted cell. */
static bool clear_quoted(rfi_csv_marks *marks, size_t n_words, int64_t *n_newlines, bool *open)
{
    uint64_t inside = 0;       /* all ones: the word begins in a quoted cell      */
    uint64_t before_first = 1; /* bit 0: the byte before the word may stand before an opening quote */
    *n_newlines = 0;
    for (size_t w = 0; w < n_words; w++) {
        const uint64_t quotes = marks->quotes[w], quoted = parity_of(quotes) ^ inside;
        const uint64_t separators = marks->separators[w] & ~quoted, may_open = separators | quotes;
        if (quotes & quoted & ~(may_open << 1 | before_first))
            return false;
        before_first = may_open >> 63;
        inside = (uint64_t)((int64_t)quoted >> 63);
        marks->separators[w] = separators;
        *n_newlines += __builtin_popcountll(marks->newlines[w] & ~quoted);
    }
    *open = inside != 0;
    return true;
}

/* Any quotes at all, a byte at a time. */
static size_t index_quoted(uint32_t *ends, const rfi_csv_marks *marks, const char *data, size_t size_bytes,
                           const rfi_csv_syntax *syntax)
{
    size_t n = 0;
    quote_state state = outside;
    for (size_t word = 0; word < RFI_CSV_MARK_WORDS(size_bytes); word++)
        for (uint64_t bits = marks->separators[word] | marks->quotes[word]; bits; bits &= bits - 1) {
            const size_t at = word * 64 + (size_t)__builtin_ctzll(bits);
            if (data[at] == '"')
                meet_quote(&state, data, at, syntax);
            else if (!state.inside)
                ends[n++] = (uint32_t)at;
        }
    return n;
}

size_t rfi_csv_index_cells(uint32_t *ends, rfi_csv_marks *marks, const char *data, size_t size_bytes,
                           const rfi_csv_syntax *syntax, rfi_csv_count *count)
{
    const size_t n_words = RFI_CSV_MARK_WORDS(size_bytes);
    rfi_csv_count records = {.n_ends = marks->n_newlines, .first_end = size_bytes};
    const bool plain = !marks->has_quote || clear_quoted(marks, n_words, &records.n_ends, &records.open);
    size_t n = plain ? rfi_csv_expand(ends, marks->separators, n_words)
                     : index_quoted(ends, marks, data, size_bytes, syntax);
    const bool ended = n && ends[n - 1] == size_bytes - 1 && data[size_bytes - 1] == syntax->newline;
    if (!ended && size_bytes)
        ends[n++] = (uint32_t)size_bytes;
    if (count && (!plain || records.open))
        rfi_csv_count_records(&records, marks, data, size_bytes, syntax, false);
    if (count)
        *count = records;
    return n;
}

/* ---- one cell ------------------------------------------------------------------------------ */

size_t rfi_csv_undouble(char *out, const char *text, size_t length)
{
    size_t from = 0, to = 0;
    while (from < length) {
        const size_t left = length - from;
        const uint64_t word = rfi_word_load(text + from, left), quotes = rfi_word_match(word, '"');
        const size_t kept = rfi_word_until(quotes, left < sizeof word ? left : sizeof word);
        memcpy(out + to, &word, sizeof word);
        from += kept;
        to += kept;
        if (quotes && (from == length || text[from++] != '"'))
            return SIZE_MAX;
    }
    return to;
}

/* Every quote inside must be doubled; the copy keeps one of each two. */
static bool undouble(rfi_csv_cell *cell, rf_buf *scratch)
{
    rf_buf_clear(scratch);
    if (!rf_buf_reserve(scratch, cell->length + RFI_CSV_UNDOUBLE_ROOM))
        return true; /* the caller sees scratch->failed */
    const size_t length = rfi_csv_undouble(scratch->data, cell->text, cell->length);
    cell->text = scratch->data;
    cell->length = length != SIZE_MAX ? length : 0;
    return length != SIZE_MAX;
}

static bool has_high_byte(const char *text, size_t length)
{
    unsigned char all = 0;
    for (size_t i = 0; i < length; i++)
        all |= (unsigned char)text[i];
    return all >= 0x80;
}

/* The text may lie in the scratch itself: the converted copy goes behind it. */
static void widen_latin1(rfi_csv_cell *cell, rf_buf *scratch)
{
    const bool in_scratch = scratch->data && cell->text == scratch->data;
    scratch->size_bytes = in_scratch ? cell->length : 0;
    if (!rf_buf_reserve(scratch, cell->length * 2))
        return;
    const char *from = in_scratch ? scratch->data : cell->text;
    char *to = scratch->data + scratch->size_bytes;
    size_t n = 0;
    for (size_t i = 0; i < cell->length; i++) {
        const unsigned char byte = (unsigned char)from[i];
        if (byte >= 0x80)
            to[n++] = (char)(0xC0 | byte >> 6);
        to[n++] = (char)(byte >= 0x80 ? (0x80 | (byte & 0x3F)) : byte);
    }
    cell->text = to;
    cell->length = n;
}

bool rfi_csv_decode(rfi_csv_cell *cell, const char *raw, size_t length, bool last,
                    const rfi_csv_syntax *syntax, rf_buf *scratch)
{
    if (last && length && syntax->newline == '\n' && raw[length - 1] == '\r')
        length--;
    *cell = (rfi_csv_cell){.text = raw, .length = length, .quoted = length && raw[0] == '"'};
    if (cell->quoted) {
        if (length < 2 || raw[length - 1] != '"')
            return false;
        cell->text = raw + 1;
        cell->length = length - 2;
        if (memchr(cell->text, '"', cell->length) && !undouble(cell, scratch))
            return false;
    }
    if (syntax->latin1 && has_high_byte(cell->text, cell->length))
        widen_latin1(cell, scratch);
    return true;
}
