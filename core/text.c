#include "core/text.h"

#include <string.h>

/* ---------------------------------------------------------------- UTF-8 */

/* Length of the leading run of ASCII; short of it when less than a word of eight bytes is left. */
static size_t ascii_words(const char *text, size_t length)
{
    const uint64_t high_bits = 0x8080808080808080u;
    size_t at = 0;
    for (; at + 32 <= length; at += 32) {
        uint64_t word[4];
        memcpy(word, text + at, sizeof word);
        if ((word[0] | word[1] | word[2] | word[3]) & high_bits)
            break;
    }
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, text + at, sizeof word);
        if (word & high_bits) /* the lowest byte is the first: buf.c asserts it */
            return at + (size_t)__builtin_ctzll(word & high_bits) / 8;
    }
    return at;
}

/* Bytes of the well-formed sequence at `text` (Unicode 15, table 3-7), 0 when there is none. The second
 * byte's range depends on the first: that is what keeps out overlongs, surrogates and > U+10FFFF. */
static size_t sequence_length(const unsigned char *text, size_t length)
{
    const unsigned char first = text[0];
    size_t size;
    unsigned char low = 0x80, high = 0xBF;
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    if (first < 0xE0) {
        size = 2;
    } else if (first < 0xF0) {
        size = 3;
        low = first == 0xE0 ? 0xA0 : 0x80;
        high = first == 0xED ? 0x9F : 0xBF;
    } else {
        size = 4;
        low = first == 0xF0 ? 0x90 : 0x80;
        high = first == 0xF4 ? 0x8F : 0xBF;
    }
    if (length < size || text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

int64_t rf_utf8_find_invalid(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < length) {
        if (bytes[at] < 0x80) {
            at += ascii_words(text + at, length - at);
            while (at < length && bytes[at] < 0x80)
                at++;
            continue;
        }
        const size_t size = sequence_length(bytes + at, length - at);
        if (size == 0)
            return (int64_t)at;
        at += size;
    }
    return -1;
}

/* ---------------------------------------------------------------- hashing */

/* A word at a time: the two halves of the product, folded, carry every bit of the word up and down. */
static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    const unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9E3779B97F4A7C15u;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t rf_hash_bytes(const void *data, size_t size_bytes)
{
    const unsigned char *bytes = data;
    uint64_t hash = hash_word(0xCBF29CE484222325u, size_bytes), word;
    size_t left = size_bytes;
    for (; left >= 8; left -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        hash = hash_word(hash, word);
    }
    if (left >= 4) { /* two overlapping halves; the length, hashed first, tells equal words apart */
        uint32_t head, tail;
        memcpy(&head, bytes, 4);
        memcpy(&tail, bytes + left - 4, 4);
        hash = hash_word(hash, (uint64_t)head << 32 | tail);
    } else if (left > 0) {
        word = bytes[0] | (uint64_t)bytes[left / 2] << 8 | (uint64_t)bytes[left - 1] << 16;
        hash = hash_word(hash, word);
    }
    hash ^= hash >> 29;
    hash *= 0xBF58476D1CE4E5B9u;
    return hash ^ (hash >> 32);
}

/* ---------------------------------------------------------------- names */

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool rf_text_equal_nocase(const char *a, size_t a_length, const char *b)
{
    for (size_t i = 0; i < a_length; i++)
        if (b[i] == '\0' || ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
    return b[a_length] == '\0';
}

enum { NAME_MAX_BYTES = 64 };

static int min_of(int a, int b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours, each 1 (optimal string alignment). Both
 * are at most NAME_MAX_BYTES long. '-' and '_' count as equal: people mix them up. */
static int edit_distance(const char *a, int a_length, const char *b, int b_length)
{
    int rows[3][NAME_MAX_BYTES + 1];
    char last_a = 0;
    for (int j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (int i = 1; i <= a_length; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        const char ca = a[i - 1] == '-' ? '_' : ascii_lower(a[i - 1]);
        char last_b = 0;
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            const char cb = b[j - 1] == '-' ? '_' : ascii_lower(b[j - 1]);
            row[j] = min_of(above[j - 1] + (ca != cb), min_of(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && ca == last_b && cb == last_a)
                row[j] = min_of(row[j], two_above[j - 2] + 1);
            last_b = cb;
        }
        last_a = ca;
    }
    return rows[a_length % 3][b_length];
}

const char *rf_text_nearest(const char *text, const char *const *names, int n)
{
    const size_t length = strlen(text);
    const char *best = NULL;
    if (length == 0 || length > NAME_MAX_BYTES)
        return NULL;
    /* One slip in three letters is a slip; more is another word. */
    int limit = length < 3 ? 1 : (int)length / 3 + 1;
    for (int i = 0; i < n; i++) {
        const size_t name_length = strlen(names[i]);
        if (name_length == 0 || name_length > NAME_MAX_BYTES)
            continue;
        const int distance = edit_distance(text, (int)length, names[i], (int)name_length);
        if (distance < limit || (distance == limit && best == NULL)) {
            if (distance >= (int)name_length) /* nothing of the name is left */
                continue;
            best = names[i];
            limit = distance;
        }
    }
    return best;
}
