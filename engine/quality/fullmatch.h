/* fullmatch.h - does a whole text match a regular expression, in a time that is bounded.
 *
 * The expressions are those of a table's metadata (`regex_format`), in Python's syntax: literals, `.`,
 * sets, `\d \D \w \W \s \S`, groups, `|`, `? * + {m} {m,n} {,n}` with their lazy forms, anchors. What has
 * another meaning than "one text or not" (named groups, back references, looking around, flags) is
 * refused. `\d` and `\s` know ASCII only, `\w` takes every character beyond ASCII for a letter.
 *
 * The expression becomes a program of states that are followed side by side (Thompson, CACM 11(6), 1968),
 * so that no text makes it slow: the time is the text's length times the number of states.
 *
 * Threads: one at a time for each expression.
 */
#ifndef RF_ENGINE_QUALITY_FULLMATCH_H
#define RF_ENGINE_QUALITY_FULLMATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef struct rfi_regex rfi_regex;

/* When the pattern is not understood *out is NULL and *problem a static sentence; the code says only
 * whether there was memory. */
rf_code rfi_regex_create(rfi_regex **out, const char **problem, const char *pattern,
                         rf_error *err) RF_MUST_CHECK;
void rfi_regex_free(rfi_regex *regex);
bool rfi_regex_match(rfi_regex *regex, const char *text, size_t length);

#endif
