/* number_internal.h - the powers that reading and writing numbers share. */
#ifndef RF_CORE_NUMBER_INTERNAL_H
#define RF_CORE_NUMBER_INTERNAL_H

#include <stdint.h>

typedef unsigned __int128 rfi_u128;

enum { RFI_POW5_MAX = 27 }; /* 5^27 < 2^63 */

/* clang-format off */
static const uint64_t rfi_pow5[RFI_POW5_MAX + 1] = {
    1u, 5u, 25u, 125u,
    625u, 3125u, 15625u, 78125u,
    390625u, 1953125u, 9765625u, 48828125u,
    244140625u, 1220703125u, 6103515625u, 30517578125u,
    152587890625u, 762939453125u, 3814697265625u, 19073486328125u,
    95367431640625u, 476837158203125u, 2384185791015625u, 11920928955078125u,
    59604644775390625u, 298023223876953125u, 1490116119384765625u, 7450580596923828125u,
};

static const double rfi_pow10[23] = { /* those that a double holds exactly */
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};
/* clang-format on */

static inline int rfi_bit_length(uint64_t x)
{
    return x == 0 ? 0 : 64 - __builtin_clzll(x);
}

#endif
