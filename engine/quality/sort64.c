#include "engine/quality/sort64.h"

#include <stdbool.h>

enum { PASSES = 8, BUCKETS = 256 };

/* Where each bucket of one pass begins; false when all keys share one bucket. */
static bool bucket_starts(int64_t starts[BUCKETS], const int64_t counts[BUCKETS], int64_t n)
{
    int64_t at = 0;
    for (int b = 0; b < BUCKETS; b++) {
        if (counts[b] == n)
            return false;
        starts[b] = at;
        at += counts[b];
    }
    return true;
}

void rfi_sort64(uint64_t *keys, uint64_t *scratch, int64_t n)
{
    int64_t counts[PASSES][BUCKETS] = {0}, starts[BUCKETS];
    for (int64_t i = 0; i < n; i++) {
        for (int pass = 0; pass < PASSES; pass++)
            counts[pass][keys[i] >> (8 * pass) & 255]++;
    }
    uint64_t *from = keys, *to = scratch;
    for (int pass = 0; pass < PASSES && n > 0; pass++) {
        if (!bucket_starts(starts, counts[pass], n))
            continue;
        for (int64_t i = 0; i < n; i++)
            to[starts[from[i] >> (8 * pass) & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys && n > 0)
        memcpy(keys, from, (size_t)n * sizeof *keys);
}
