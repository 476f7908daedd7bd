#include "engine/table/csv_tile.h"

#include "engine/table/csv_scan.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { STEP = 16 };

/* Sixteen rows at a time; gives how many rows it took. */
__attribute__((target("avx512f"))) static size_t turn_steps(uint32_t *turned, size_t room,
                                                            const uint32_t *ends, size_t n_rows,
                                                            size_t n_columns, size_t first, size_t last)
{
    const __m512i rows = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i at = _mm512_mullo_epi32(rows, _mm512_set1_epi32((int)n_columns));
    size_t r = 0;
    for (; r + STEP <= n_rows; r += STEP)
        for (size_t c = first; c <= last; c++)
            _mm512_storeu_si512(turned + c * room + r,
                                _mm512_i32gather_epi32(at, ends + r * n_columns + c - 1, sizeof *ends));
    return r;
}
#endif

void rfi_csv_turn_ends(uint32_t *turned, size_t room, const uint32_t *ends, size_t n_rows, size_t n_columns,
                       size_t first, size_t last)
{
    size_t r = 0;
#if defined(__x86_64__)
    if (rfi_csv_path() >= RFI_CSV_AVX512)
        r = turn_steps(turned, room, ends, n_rows, n_columns, first, last);
#endif
    for (; r < n_rows; r++)
        for (size_t c = first; c <= last; c++)
            turned[c * room + r] = (ends - 1)[r * n_columns + c];
}
