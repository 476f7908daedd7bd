/* csv_quote.h - which texts must stand in quotes, and how they do. Any thread. */
#ifndef RF_ENGINE_TABLE_CSV_QUOTE_H
#define RF_ENGINE_TABLE_CSV_QUOTE_H

#include <stdbool.h>
#include <stddef.h>

/* It holds the delimiter, a quote or a line end. */
bool rfi_quote_special(const char *text, size_t length, char delimiter);

/* It would be read as a missing cell: a default token, or the column's own (n_own bytes). */
bool rfi_quote_missing(const char *text, size_t length, const char *own, size_t n_own);

/* In front of a file it would be read as the line that names the delimiter (csv_sniff.c). */
bool rfi_quote_sep_line(const char *text, size_t length);

/* Writes the text, with `quoted` in quotes. out has room for 2 * length + RFI_QUOTE_ROOM. */
enum { RFI_QUOTE_ROOM = 10 }; /* two quotes, and a word of eight bytes */
size_t rfi_quote_put(char *out, const char *text, size_t length, bool quoted);

#endif
