/* Numbers without a branch that depends on them.
 *
 * How many digits a number has, whether it has a sign and where its point is cannot be foretold, and each wrong guess of
 * the processor costs as much as reading two numbers. So a cell is taken by its end, where all numbers look alike: the
 * bytes that end with it are loaded, what stands before it is cleared, and the digits before the point move up
 * by one byte to close its gap. The rest is one multiplication by pairs, one by fours and one by eights.
 *
 *     bytes    , - 2 6 8 . 0 1 7         cleared, the gap closed     0 0 2 6 8 0 1 7      2680.17 / 10^3 ...
 *
 * All that a plain number must not be is gathered as bits, one per byte, and asked for once. With AVX-512 eight cells
 * of up to eight bytes (and a sign) are read at once, a cell to a lane; in each of the masks below a lane has eight
 * bits, the highest of which is the cell's last byte. What does not fit there is read by fours, 16 bytes of each, and
 * what has more digits, or is odd, alone.
 */
#include "engine/table/csv_numbers.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { WIDE_BYTES = 16, DIGITS_MAX = 15, LANES = 8, LANE_BYTES = 8 };

static const double tens[DIGITS_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static const double reciprocals[LANES] = {1 / 1e0, 1 / 1e1, 1 / 1e2, 1 / 1e3,
                                          1 / 1e4, 1 / 1e5, 1 / 1e6, 1 / 1e7};

/* Loaded from n on: 16 - n bytes of ones, then n zeros. */
static const unsigned char ones_then_zeros[2 * WIDE_BYTES] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                              255, 255, 255, 255, 255, 255, 255, 255};

/* ---- one cell ------------------------------------------------------------------------------ */

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

static AVX2 inline __m128i bytes_at(const void *address)
{
    return _mm_loadu_si128((const __m128i *)address);
}

/* 16 digits to their number; the first stands in the lowest byte. */
static AVX2 inline int64_t value_of(__m128i digits)
{
    const __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010A));
    const __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00010064));
    const __m128i eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(0x00012710));
    const uint64_t both = (uint64_t)_mm_cvtsi128_si64(eights);
    return (int64_t)((both & UINT32_MAX) * 100000000 + (both >> 32));
}

/* Digits after the point, final zeros not counted. */
static AVX2 inline int32_t significant(__m128i digits, int32_t after)
{
    const uint32_t zeros_at = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(digits, _mm_setzero_si128()));
    const int32_t zeros = __builtin_clz(~zeros_at << 16 | 0x8000);
    return zeros < after ? after - zeros : 0;
}

/* The cell that ends with these 16 bytes, which may be read. */
static AVX2 inline bool parse_wide(const char *text, size_t length, char point, double *value,
                                   rfi_number_facts *seen)
{
    const uint32_t sign = text[0] == '-';
    const size_t n = length - sign;
    if (n - 1 >= WIDE_BYTES)
        return false;
    const __m128i bytes = bytes_at(text + length - WIDE_BYTES);
    const __m128i less = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const uint32_t inside = 0xFFFFu << (WIDE_BYTES - n) & 0xFFFF, first = 1u << (WIDE_BYTES - n);
    const uint32_t digits =
        (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(less, _mm_set1_epi8(9)), less)) & inside;
    const uint32_t points = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(point))) & inside;
    const uint32_t zero = first & -(uint32_t)(text[sign] == '0');
    uint32_t odd = (inside ^ (digits | points)) | (first & ~digits) | (points & 0x8000) |
                   (points & (points - 1)) | (zero << 1 & digits);
    odd |= n > DIGITS_MAX + (size_t)(points != 0);
    if (__builtin_expect(odd != 0, 0))
        return false;
    const int32_t gap = __builtin_clz(points << 16 | 0x8000); /* bytes behind the point; 16 without one */
    const int32_t after = gap & -(int32_t)(points != 0);
    const __m128i alone = _mm_andnot_si128(bytes_at(ones_then_zeros + n), less);
    const __m128i order = _mm_add_epi8(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                       bytes_at(ones_then_zeros + gap));
    const __m128i closed = _mm_shuffle_epi8(alone, order);
    const int64_t whole = value_of(closed);
    *value = (double)((whole ^ -(int64_t)sign) + sign) / tens[after];
    seen->minus |= sign;
    if (__builtin_expect((after > seen->decimals) | (after > seen->max_written) | (after < seen->min_written),
                         0)) {
        const int32_t decimals = significant(closed, after);
        seen->decimals = decimals > seen->decimals ? decimals : seen->decimals;
        seen->max_written = after > seen->max_written ? after : seen->max_written;
        seen->min_written = after < seen->min_written ? after : seen->min_written;
    }
    return true;
}

/* Reads cells from i on until one is off the road; gives that one, or the end. */
static AVX2 int64_t read_cells(const rfi_number_road *road, int64_t i, int64_t end, double *values,
                               rfi_number_facts *facts)
{
    const rfi_csv_cells cells = road->cells;
    const char point = road->point;
    rfi_number_facts seen = *facts; /* in registers */
    for (; i < end; i++) {
        const char *text = rfi_csv_cell_text(&cells, i);
        const size_t length = rfi_csv_cell_length(&cells, i);
        if ((text + length - cells.first < WIDE_BYTES) | (length == 0) ||
            !parse_wide(text, length, point, &values[i], &seen))
            break;
    }
    *facts = seen;
    return i;
}

static AVX2 inline void read_range(const rfi_number_road *road, int64_t begin, int64_t end, double *values,
                                   rfi_number_facts *seen)
{
    for (int64_t i = begin; (i = read_cells(road, i, end, values, seen)) < end; i++)
        values[i] = road->door(road->arg, i);
}

AVX2 void rfi_numbers_read_avx2(const rfi_number_road *road, double *values, rfi_number_facts *facts)
{
    rfi_number_facts seen = RFI_NUMBER_FACTS_NONE;
    read_range(road, 0, road->cells.n, values, &seen);
    rfi_number_facts_merge(facts, &seen);
}

/* ---- eight cells at once ------------------------------------------------------------------- */

#define AVX512 __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd")))

/* What the lanes have shown so far. */
typedef struct lanes_seen {
    __m512i decimals, max_written, min_written; /* of each lane */
    __mmask8 minus;
} lanes_seen;

#define LANE_FIRST_BITS 0x0101010101010101u
#define LANE_LAST_BITS  0x8080808080808080u

/* The last eight bytes of each cell, and how many of them are the cell's without its sign. */
typedef struct lanes {
    __m512i bytes, n;
    __mmask8 minus;
} lanes;

static AVX512 inline lanes load_lanes(const rfi_csv_cells *cells, int64_t i)
{
    const __m256i begins = _mm256_add_epi32(
        _mm256_loadu_si256((const __m256i *)(const void *)(cells->begins + i)), _mm256_set1_epi32(1));
    const __m256i ends = _mm256_loadu_si256((const __m256i *)(const void *)(cells->ends + i));
    const __m512i from = _mm512_cvtepu32_epi64(begins), to = _mm512_cvtepu32_epi64(ends);
    /* the first byte is the highest of the four that end with it: nothing behind the cell is read */
    const __m256i heads = _mm512_i64gather_epi32(from, cells->data - 3, 1);
    const __mmask8 minus = _mm256_cmpeq_epi32_mask(_mm256_srli_epi32(heads, 24), _mm256_set1_epi32('-'));
    const __m512i length = _mm512_sub_epi64(to, from);
    return (lanes){.bytes = _mm512_i64gather_epi64(to, cells->data - LANE_BYTES, 1),
                   .n = _mm512_mask_sub_epi64(length, minus, length, _mm512_set1_epi64(1)),
                   .minus = minus};
}

/* Eight digits in each lane to their number. */
static AVX512 inline __m512i values_of(__m512i digits)
{
    const __m512i pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010A));
    const __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00010064));
    return _mm512_add_epi64(_mm512_mul_epu32(fours, _mm512_set1_epi64(10000)), _mm512_srli_epi64(fours, 32));
}

/* Whole numbers below 10^8, divided by 10^after (0 to 7). The quotient by the reciprocal is off by a unit in the last place
 * at most; its rest, which fma gives exactly, sets that right (Markstein, IBM J. Res. Dev. 34 (1990) 111-119). All
 * 8 * 10^8 quotients were compared with those of a division, which takes five times as long. */
static AVX512 inline __m512d shifted(__m512d whole, __m512i after)
{
    const __m512d power = _mm512_permutexvar_pd(after, _mm512_loadu_pd(tens));
    const __m512d reciprocal = _mm512_permutexvar_pd(after, _mm512_loadu_pd(reciprocals));
    const __m512d quotient = _mm512_mul_pd(whole, reciprocal);
    return _mm512_fmadd_pd(_mm512_fnmadd_pd(quotient, power, whole), reciprocal, quotient);
}

static AVX512 inline __mmask8 lanes_of(uint64_t bits)
{
    const __m512i bytes = _mm512_movm_epi8(bits);
    return _mm512_test_epi64_mask(bytes, bytes);
}

/* Reads cells i to i + 7; gives those that are not plain numbers of up to eight bytes, whose values mean nothing. */
static AVX512 inline __mmask8 read_lanes(const rfi_number_road *road, int64_t i, double *values,
                                         lanes_seen *seen)
{
    const lanes in = load_lanes(&road->cells, i);
    const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi64(1), all = _mm512_set1_epi64(-1);
    const __m512i eight = _mm512_set1_epi64(LANE_BYTES);
    const __m512i bits_before = _mm512_slli_epi64(_mm512_sub_epi64(eight, in.n), 3);
    const __mmask64 inside = _mm512_movepi8_mask(_mm512_sllv_epi64(all, bits_before));
    const __m512i less = _mm512_sub_epi8(in.bytes, _mm512_set1_epi8('0'));
    const __mmask64 digits = _mm512_mask_cmple_epu8_mask(inside, less, _mm512_set1_epi8(9));
    const __mmask64 points = _mm512_mask_cmpeq_epi8_mask(inside, in.bytes, _mm512_set1_epi8(road->point));
    const __mmask64 first = inside & ~((inside & ~LANE_LAST_BITS) << 1);
    const __mmask64 zeros = _mm512_mask_testn_epi8_mask(first & ~LANE_LAST_BITS, less, less);
    const uint64_t odd =
        (inside ^ (digits | points)) | (first & ~digits) | (points & LANE_LAST_BITS) | (zeros << 1 & digits);
    __m512i closed = _mm512_maskz_mov_epi8(digits, less), after = zero;
    __mmask8 off = _mm512_cmpge_epu64_mask(_mm512_sub_epi64(in.n, one), eight);
    if (points) {
        const __m512i at = _mm512_movm_epi8(points);
        const __m512i lowest = _mm512_and_si512(at, _mm512_sub_epi64(zero, at));
        const __mmask8 has_point = _mm512_test_epi64_mask(at, at);
        const __m512i before = _mm512_sub_epi64(lowest, one); /* all ones without a point */
        const __m512i front = _mm512_and_si512(closed, before);
        off |= _mm512_cmpneq_epi64_mask(at, _mm512_sub_epi64(_mm512_slli_epi64(lowest, 8), lowest));
        closed = _mm512_or_si512(_mm512_andnot_si512(before, closed),
                                 _mm512_mask_slli_epi64(front, has_point, front, 8));
        after = _mm512_maskz_srli_epi64(has_point, _mm512_lzcnt_epi64(at), 3);
    }
    if (__builtin_expect(odd != 0, 0))
        off |= lanes_of(odd);
    const __mmask8 good = (__mmask8)~off;
    const __m512i whole = values_of(closed);
    __m512d value = _mm512_cvtepi64_pd(_mm512_mask_sub_epi64(whole, in.minus, zero, whole));
    if (points)
        value = shifted(value, after);
    _mm512_storeu_pd(values + i, value);
    seen->minus |= in.minus & good;
    seen->max_written = _mm512_mask_max_epi64(seen->max_written, good, seen->max_written, after);
    seen->min_written = _mm512_mask_min_epi64(seen->min_written, good, seen->min_written, after);
    const __mmask8 longer = _mm512_mask_cmpgt_epi64_mask(good, after, seen->decimals);
    if (__builtin_expect(longer != 0, 0)) {
        const __m512i final_zeros = _mm512_srli_epi64(_mm512_lzcnt_epi64(closed), 3);
        const __m512i significant = _mm512_sub_epi64(after, _mm512_min_epi64(final_zeros, after));
        seen->decimals = _mm512_mask_max_epi64(seen->decimals, longer, seen->decimals, significant);
    }
    return off;
}

/* ---- four longer cells at once ------------------------------------------------------------- */

/* The same with 16 bytes, sign included, to a cell: here a lane has 16 bits in the masks, and all lanes' bits fit a word. */
#define WIDE_LAST_BITS 0x8000800080008000u

enum { WIDE_LANES = 4 };

/* Sixteen bits for each of four cells, and back: what is asked of every lane alike. */
static AVX512 inline __m128i four(uint64_t bits)
{
    return _mm_cvtsi64_si128((int64_t)bits);
}

static AVX512 inline uint64_t bits_of(__m128i four)
{
    return (uint64_t)_mm_cvtsi128_si64(four);
}

static AVX512 inline __mmask8 any_of(uint64_t bits)
{
    return _mm_test_epi16_mask(four(bits), four(bits));
}

/* The last n bits of each lane; none for n beyond 16. */
static AVX512 inline uint64_t last_bits(__m128i n)
{
    const __m128i shift = _mm_sub_epi32(_mm_set1_epi32(WIDE_BYTES), n);
    return bits_of(_mm_cvtepi32_epi16(_mm_sllv_epi32(_mm_set1_epi32(0xFFFF), shift)));
}

static AVX512 inline __m512i load_wide(const char *data, const uint32_t *ends)
{
    const char *const base = data - WIDE_BYTES;
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(bytes_at(base + ends[0])),
                                                bytes_at(base + ends[1]), 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(bytes_at(base + ends[2])),
                                                 bytes_at(base + ends[3]), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Up to 15 digits in each lane to their number. */
static AVX512 inline __m256i wide_values(__m512i digits)
{
    const __m512i pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010A));
    const __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00010064));
    const __m512i eights =
        _mm512_madd_epi16(_mm512_packus_epi32(fours, fours), _mm512_set1_epi32(0x00012710));
    const __m512i first_words = _mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6);
    const __m256i both = _mm512_castsi512_si256(_mm512_permutexvar_epi64(first_words, eights));
    return _mm256_add_epi64(_mm256_mul_epu32(both, _mm256_set1_epi64x(100000000)),
                            _mm256_srli_epi64(both, 32));
}

static AVX512 void note_wide(rfi_number_facts *seen, __m512i closed, __m128i after, __mmask8 good)
{
    __m128i digits[WIDE_LANES];
    int32_t written[WIDE_LANES];
    _mm512_storeu_si512(digits, closed);
    _mm_storeu_si128((__m128i *)(void *)written, after);
    for (int lane = 0; lane < WIDE_LANES; lane++) {
        if (!(good >> lane & 1))
            continue;
        const int32_t decimals = significant(digits[lane], written[lane]);
        seen->decimals = decimals > seen->decimals ? decimals : seen->decimals;
        seen->max_written = written[lane] > seen->max_written ? written[lane] : seen->max_written;
        seen->min_written = written[lane] < seen->min_written ? written[lane] : seen->min_written;
    }
}

/* Reads cells i to i + 3; gives those that are not plain numbers, whose values mean nothing. */
static AVX512 inline __mmask8 read_wide(const rfi_number_road *road, int64_t i, double *values,
                                        rfi_number_facts *seen)
{
    const rfi_csv_cells *const cells = &road->cells;
    const __m128i begins = _mm_loadu_si128((const __m128i *)(const void *)(cells->begins + i));
    const __m128i ends = _mm_loadu_si128((const __m128i *)(const void *)(cells->ends + i));
    const __m512i bytes = load_wide(cells->data, cells->ends + i);
    const __m512i less = _mm512_sub_epi8(bytes, _mm512_set1_epi8('0'));
    const uint64_t cell = last_bits(_mm_sub_epi32(_mm_sub_epi32(ends, begins), _mm_set1_epi32(1)));
    const uint64_t head = cell & ~((cell & ~WIDE_LAST_BITS) << 1);
    const uint64_t minus = _mm512_mask_cmpeq_epi8_mask(head, bytes, _mm512_set1_epi8('-'));
    const uint64_t inside = cell ^ minus;
    const uint64_t first = inside & ~((inside & ~WIDE_LAST_BITS) << 1);
    const uint64_t digits = _mm512_mask_cmple_epu8_mask(inside, less, _mm512_set1_epi8(9));
    const uint64_t points = _mm512_mask_cmpeq_epi8_mask(inside, bytes, _mm512_set1_epi8(road->point));
    const uint64_t zeros = _mm512_mask_testn_epi8_mask(first & ~WIDE_LAST_BITS, less, less);
    const __m128i at = four(points), one = _mm_set1_epi16(1);
    const uint64_t odd = (inside ^ (digits | points)) | (first & ~digits) | (points & WIDE_LAST_BITS) |
                         (zeros << 1 & digits) | bits_of(_mm_and_si128(at, _mm_sub_epi16(at, one)));
    const __mmask8 empty = (__mmask8)~any_of(inside);
    const __mmask8 full = _mm_cmpeq_epi16_mask(four(digits), _mm_set1_epi16(-1)); /* 16 digits */
    const __mmask8 off = (empty | full | any_of(odd)) & 0xF, good = off ^ 0xF;
    /* the bytes up to the point move up by one */
    const __mmask8 has_point = any_of(points);
    const uint64_t front = bits_of(_mm_maskz_sub_epi16(has_point, at, one)) | points;
    const __m512i alone = _mm512_maskz_mov_epi8(digits, less);
    const __m512i closed = _mm512_mask_blend_epi8(front, alone, _mm512_bslli_epi128(alone, 1));
    const __m128i behind = _mm_sub_epi32(_mm_lzcnt_epi32(_mm_cvtepu16_epi32(at)), _mm_set1_epi32(WIDE_BYTES));
    const __m128i after = _mm_maskz_mov_epi32(has_point, behind);
    const __m256i whole = wide_values(closed);
    const __m256i value = _mm256_mask_sub_epi64(whole, any_of(minus), _mm256_setzero_si256(), whole);
    _mm256_storeu_pd(values + i,
                     _mm256_div_pd(_mm256_cvtepi64_pd(value), _mm256_i32gather_pd(tens, after, 8)));
    seen->minus |= (any_of(minus) & good) != 0;
    const __mmask8 news = _mm_mask_cmpgt_epi32_mask(good, after, _mm_set1_epi32(seen->decimals)) |
                          _mm_mask_cmplt_epi32_mask(good, after, _mm_set1_epi32(seen->min_written));
    if (__builtin_expect(news != 0, 0))
        note_wide(seen, closed, after, good);
    return off;
}

/* ---- all cells ----------------------------------------------------------------------------- */

static int32_t larger(int32_t a, int64_t b)
{
    return a > b ? a : (int32_t)b;
}

/* When so few of eight cells are short, the next ones are not looked at as such. */
enum { FEW_SHORT = 3, LONG_RUN = 8 * LANES };

static AVX512 void read_off(const rfi_number_road *road, int64_t i, __mmask8 off, double *values,
                            rfi_number_facts *seen)
{
    for (uint32_t left = off; left; left &= left - 1) {
        const int64_t at = i + __builtin_ctz(left);
        read_range(road, at, at + 1, values, seen);
    }
}

/* Eight cells as two times four. */
static AVX512 void read_long(const rfi_number_road *road, int64_t i, double *values, rfi_number_facts *seen)
{
    for (int64_t end = i + LANES; i < end; i += WIDE_LANES) {
        const __mmask8 off = read_wide(road, i, values, seen);
        if (__builtin_expect(off != 0, 0))
            read_off(road, i, off, values, seen);
    }
}

AVX512 void rfi_numbers_read_avx512(const rfi_number_road *road, double *values, rfi_number_facts *facts)
{
    const rfi_csv_cells *const cells = &road->cells;
    rfi_number_facts seen = RFI_NUMBER_FACTS_NONE;
    lanes_seen together = {.decimals = _mm512_setzero_si512(),
                           .max_written = _mm512_setzero_si512(),
                           .min_written = _mm512_set1_epi64(INT32_MAX)};
    int64_t i = 0, long_until = 0;
    while (i < cells->n && rfi_csv_cell_text(cells, i) - cells->first < WIDE_BYTES)
        i++;
    read_range(road, 0, i, values, &seen);
    /* the last cell of a file may begin where the file ends */
    const int64_t n = cells->n - (cells->n && rfi_csv_cell_text(cells, cells->n - 1) == cells->limit);
    for (; i + LANES <= n; i += LANES) {
        const __mmask8 off = i < long_until ? 0xFF : read_lanes(road, i, values, &together);
        const int n_off = __builtin_popcount(off);
        if (n_off > 1)
            read_long(road, i, values, &seen);
        else if (n_off)
            read_off(road, i, off, values, &seen);
        if (n_off > LANES - FEW_SHORT && i >= long_until)
            long_until = i + LONG_RUN;
    }
    read_range(road, i, cells->n, values, &seen);
    seen.minus |= together.minus != 0;
    seen.decimals = larger(seen.decimals, _mm512_reduce_max_epi64(together.decimals));
    seen.max_written = larger(seen.max_written, _mm512_reduce_max_epi64(together.max_written));
    seen.min_written = -larger(-seen.min_written, -_mm512_reduce_min_epi64(together.min_written));
    rfi_number_facts_merge(facts, &seen);
}

#endif
