/* csv_word.h - texts eight bytes at a time. Bytes are counted from the least significant one: little-endian machines only, as all of the
 * file formats here. */
#ifndef RF_ENGINE_TABLE_CSV_WORD_H
#define RF_ENGINE_TABLE_CSV_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The first min(length, 8) bytes, and zeros. */
static inline uint64_t rfi_word_load(const char *text, size_t length)
{
    uint64_t word = 0;
    if (length >= sizeof word)
        memcpy(&word, text, sizeof word); /* a length that is known is one instruction */
    else
        memcpy(&word, text, length);
    return word;
}

/* The top bit of each byte that is `wanted`, and maybe of bytes above one: the lowest bit is right. */
static inline uint64_t rfi_word_match(uint64_t word, char wanted)
{
    const uint64_t ones = 0x0101010101010101u, differ = word ^ ones * (unsigned char)wanted;
    return (differ - ones) & ~differ & ones << 7;
}

/* Bytes up to the first that matched, and with it; `n` when none did. */
static inline size_t rfi_word_until(uint64_t matches, size_t n)
{
    return matches ? (size_t)__builtin_ctzll(matches) / 8 + 1 : n;
}

#endif
