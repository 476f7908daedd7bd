/* A double's bits, with the sign flipped for positive numbers and everything flipped for negative ones,
 * order as unsigned integers. So six counting passes of 11 bits sort any column, and a pass in which all
 * values share the digit is skipped. */
#include "engine/transform/sort_f64.h"

#include <stdbool.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 6, BUCKETS = 1 << DIGIT_BITS };

static uint64_t key_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ ((uint64_t)((int64_t)bits >> 63) | 0x8000000000000000u);
}

static uint32_t digit_of(double value, int digit)
{
    return (uint32_t)(key_of(value) >> (digit * DIGIT_BITS)) & (BUCKETS - 1);
}

/* All digits are counted in one pass: the counts do not depend on the order. */
static void count_digits(int64_t counts[DIGITS][BUCKETS], const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int digit = 0; digit < DIGITS; digit++)
            counts[digit][digit_of(values[i], digit)]++;
}

/* Turns counts into first positions; false when all values share one digit. */
static bool find_places(int64_t *places, int64_t n)
{
    int64_t at = 0;
    for (int b = 0; b < BUCKETS; b++) {
        int64_t count = places[b];
        if (count == n)
            return false;
        places[b] = at;
        at += count;
    }
    return true;
}

static bool is_sorted(const double *values, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (key_of(values[i - 1]) > key_of(values[i]))
            return false;
    return true;
}

void rfi_sort_f64(double *values, double *scratch, int64_t n)
{
    if (is_sorted(values, n))
        return;
    int64_t places[DIGITS][BUCKETS] = {0};
    count_digits(places, values, n);
    double *from = values, *to = scratch;
    for (int digit = 0; digit < DIGITS; digit++) {
        if (!find_places(places[digit], n))
            continue;
        for (int64_t i = 0; i < n; i++)
            to[places[digit][digit_of(from[i], digit)]++] = from[i];
        double *swap = from;
        from = to;
        to = swap;
    }
    if (from != values)
        memcpy(values, from, (size_t)n * sizeof *values);
}

int64_t rfi_merge_equal(double *values, double *counts, int64_t n)
{
    int64_t last = 0;
    counts[0] = 1.0;
    for (int64_t i = 1; i < n; i++) {
        if (values[i] == values[last]) {
            counts[last] += 1.0;
        } else {
            last++;
            values[last] = values[i];
            counts[last] = 1.0;
        }
    }
    return last + 1;
}
