#include "core/crc32c.h"

#include <pthread.h>
#include <string.h>

/* ---- anywhere: eight bytes a step, by eight tables ------------------------------------------ */

enum { POLYNOMIAL = (int)0x82F63B78 }; /* 0x1EDC6F41, bits reversed */

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? (uint32_t)POLYNOMIAL : 0);
        tables[0][byte] = crc;
    }
    for (int t = 1; t < 8; t++)
        for (int byte = 0; byte < 256; byte++)
            tables[t][byte] = tables[0][tables[t - 1][byte] & 0xFF] ^ (tables[t - 1][byte] >> 8);
}

static uint32_t by_tables(uint32_t crc, const uint8_t *at, size_t size)
{
    pthread_once(&tables_once, make_tables);
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= crc;
        crc = 0;
        for (int byte = 0; byte < 8; byte++)
            crc ^= tables[7 - byte][(word >> (8 * byte)) & 0xFF];
    }
    for (; size; at++, size--)
        crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xFF];
    return crc;
}

/* ---- x86-64 since 2008: the processor's own instruction -------------------------------------- */

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t by_sse42(uint32_t crc, const uint8_t *at, size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    for (; size; at++, size--)
        crc = _mm_crc32_u8(crc, *at);
    return crc;
}
#endif

uint32_t rf_crc32c(uint32_t crc, const void *data, size_t size_bytes)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~by_sse42(~crc, data, size_bytes);
#endif
    return ~by_tables(~crc, data, size_bytes);
}
