/* html_text.c - a table's words and numbers, made safe and readable. */
#include "engine/quality/html_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

enum { NAME_WIDTH = 22 };

/* ------------------------------------------------------------------ UTF-8 */

/* The length of the sequence at `text` and its character; 0 for bytes that are not UTF-8. */
static size_t utf8_next(const char *text, size_t length, uint32_t *character)
{
    const unsigned char *at = (const unsigned char *)text;
    const size_t size = at[0] < 0x80   ? 1
                        : at[0] < 0xC2 ? 0
                        : at[0] < 0xE0 ? 2
                        : at[0] < 0xF0 ? 3
                        : at[0] < 0xF5 ? 4
                                       : 0;
    if (size == 0 || size > length)
        return 0;
    uint32_t value = size == 1 ? at[0] : at[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        value = (value << 6) | (at[i] & 0x3Fu);
    }
    const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *character = value;
    return size;
}

/* Controls other than tab and line ends, and the noncharacters: a parse error in HTML. */
static bool forbidden(uint32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c < 0xA0) ||
           (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
}

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void rfi_html_text(rf_buf *out, const char *text, size_t length)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t plain = 0, at = 0; /* [plain, at) may go out as it is */
    while (at < length) {
        uint32_t c = 0;
        const size_t size = utf8_next(text + at, length - at, &c);
        const char *instead = size == 0 || forbidden(c) ? replacement
                              : size == 1               ? escape_of(text[at])
                                                        : NULL;
        if (instead) {
            rf_buf_append(out, text + plain, at - plain);
            rf_buf_puts(out, instead);
            plain = at + (size ? size : 1);
        }
        at += size ? size : 1;
    }
    rf_buf_append(out, text + plain, at - plain);
}

void rfi_html_puts(rf_buf *out, const char *text)
{
    if (text)
        rfi_html_text(out, text, strlen(text));
}

/* ------------------------------------------------------------------ widths */

/* Of one character in a common sans serif, in units of the letters' height. */
static double width_of(uint32_t c)
{
    if (c >= 0x1100)
        return 1.0;
    if (c >= 0x300 && c < 0x370)
        return 0.0; /* combining marks */
    if (c < 0x80 && strchr("iljtfI.,:;|!'()[] -/", (int)c) && c)
        return 0.36;
    if ((c >= 'A' && c <= 'Z') || c == '@' || c == 'm' || c == 'w' || c == '%')
        return 0.74;
    return 0.61;
}

double rfi_html_width(const char *text, size_t length)
{
    double width = 0;
    for (size_t at = 0; at < length;) {
        uint32_t c = 0xFFFD;
        const size_t size = utf8_next(text + at, length - at, &c);
        width += width_of(c);
        at += size ? size : 1;
    }
    return width;
}

size_t rfi_html_fit(const char *text, size_t length, double width)
{
    double used = 0;
    size_t at = 0;
    while (at < length) {
        uint32_t c = 0xFFFD;
        const size_t size = utf8_next(text + at, length - at, &c);
        used += width_of(c);
        if (used > width)
            break;
        at += size ? size : 1;
    }
    return at;
}

/* At most `max` bytes, cut between characters. */
static size_t cut_bytes(const char *text, size_t length, size_t max)
{
    if (length <= max)
        return length;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

void rfi_html_cut(rf_buf *out, const char *text, size_t length, size_t bytes_max)
{
    const size_t kept = cut_bytes(text, length, bytes_max);
    rfi_html_text(out, text, kept);
    if (kept < length)
        rf_buf_puts(out, "…");
}

void rfi_html_name(rf_buf *out, const char *name)
{
    const size_t length = strlen(name);
    if (rfi_html_width(name, length) <= NAME_WIDTH) {
        rf_buf_puts(out, "<bdi>");
        rfi_html_text(out, name, length);
    } else {
        rf_buf_puts(out, "<bdi title=\"");
        rfi_html_cut(out, name, length, RFI_TITLE_BYTES_MAX);
        rf_buf_puts(out, "\">");
        rfi_html_text(out, name, rfi_html_fit(name, length, NAME_WIDTH - 1));
        rf_buf_puts(out, "…");
    }
    rf_buf_puts(out, "</bdi>");
}

/* ------------------------------------------------------------------ numbers */

void rfi_html_fixed(rf_buf *out, double value, int decimals, int min_decimals)
{
    char text[RF_NUMBER_TEXT_MAX];
    rf_buf_append(out, text, rf_format_fixed(text, value, decimals, min_decimals));
}

void rfi_html_number(rf_buf *out, double value)
{
    rfi_html_fixed(out, value, 1, 0);
}

void rfi_html_count(rf_buf *out, int64_t count)
{
    char digits[RF_NUMBER_TEXT_MAX];
    const size_t n = rf_format_i64(digits, count);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
            rf_buf_puts(out, ",");
        rf_buf_append(out, digits + i, 1);
    }
}

void rfi_html_percent(rf_buf *out, double share)
{
    if (isnan(share)) {
        rf_buf_puts(out, "—");
        return;
    }
    const double percent = 100 * share;
    if (percent > 0 && percent < 0.1)
        rf_buf_puts(out, "&lt; 0.1");
    else if (percent < 100 && percent > 99.9)
        rf_buf_puts(out, "&gt; 99.9");
    else
        rfi_html_fixed(out, percent, 1, percent == 0 || percent == 100 ? 0 : 1);
}

void rfi_html_share(rf_buf *out, double share)
{
    rfi_html_percent(out, share);
    rf_buf_puts(out, isnan(share) ? "" : "&nbsp;%"); /* a share is one word */
}

void rfi_html_score(rf_buf *out, double score, const char *problem)
{
    if (!isnan(score)) {
        rfi_html_fixed(out, score, 3, 3);
        return;
    }
    if (!problem || !problem[0]) {
        rf_buf_puts(out, "<span class=\"nan\">—</span>");
        return;
    }
    rf_buf_puts(out, "<span class=\"nan why\" title=\"");
    rfi_html_cut(out, problem, strlen(problem), RFI_TITLE_BYTES_MAX);
    rf_buf_puts(out, "\">—</span>");
}

void rfi_html_seconds(rf_buf *out, double seconds)
{
    if (!(seconds >= 0 && seconds < 1e12)) {
        rf_buf_puts(out, "—");
        return;
    }
    if (seconds > 0 && seconds < 0.01) {
        rf_buf_puts(out, "&lt; 0.01 s");
        return;
    }
    if (seconds < 90) {
        rfi_html_fixed(out, seconds, seconds < 1 ? 2 : 1, 0);
        rf_buf_puts(out, " s");
        return;
    }
    const int64_t whole = (int64_t)(seconds + 0.5);
    if (whole < 5400)
        rf_buf_printf(out, "%d min %d s", (int)(whole / 60), (int)(whole % 60));
    else
        rf_buf_printf(out, "%lld h %d min", (long long)(whole / 3600), (int)(whole % 3600 / 60));
}

/* ------------------------------------------------------------------ words for scores */

static const struct {
    double at_least;
    const char *verdict, *level;
} verdicts[] = {
    {0.95, "very close", "l3"}, {0.90, "close", "l2"}, {0.80, "fair", "l1"}, {-1e300, "weak", "l0"}};

static size_t verdict_index(double score)
{
    size_t i = 0;
    while (score < verdicts[i].at_least)
        i++;
    return i;
}

const char *rfi_html_verdict(double score)
{
    return isnan(score) ? "not scored" : verdicts[verdict_index(score)].verdict;
}

const char *rfi_html_level(double score)
{
    return isnan(score) ? "ln" : verdicts[verdict_index(score)].level;
}
