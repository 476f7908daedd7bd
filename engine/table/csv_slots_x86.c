/* Eight numbers at a time, each in a lane of 64 bits: rounded to a whole number of at most eight digits, whose digits are found by fours,
 * pairs and ones; then the point, the sign and the end are moved in. A text is two words, low and high; shifts
 * by 64 bits or more give 0 here, and shifts by less than none too. */
#include "engine/table/csv_slots.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANES = 8, SHORT_DECIMALS = 7 };

static const double powers[RFI_SLOT_DECIMALS + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

#define AVX512 __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")))

typedef struct texts {
    __m512i low, high;
    __m512i length; /* in bits, as are all lengths below */
} texts;

static AVX512 inline __m512i all(int64_t word)
{
    return _mm512_set1_epi64(word);
}

static AVX512 inline __m512i up(__m512i word, __m512i bits)
{
    return _mm512_sllv_epi64(word, bits);
}

static AVX512 inline __m512i down(__m512i word, __m512i bits)
{
    return _mm512_srlv_epi64(word, bits);
}

static AVX512 inline __m512i minus(__m512i a, __m512i b)
{
    return _mm512_sub_epi64(a, b);
}

static AVX512 inline __m512i either(__m512i a, __m512i b)
{
    return _mm512_or_si512(a, b);
}

/* Eight digits of numbers below 10^8 as bytes of 0 to 9, the first in the lowest. The divisions are products
 * that are exact for so small numbers. */
static AVX512 inline __m512i digits_of(__m512i value)
{
    const __m512i high = _mm512_srli_epi64(_mm512_mul_epu32(value, all(109951163)), 40); /* / 10^4 */
    const __m512i low = minus(value, _mm512_mul_epu32(high, all(10000)));
    const __m512i fours = either(high, _mm512_slli_epi64(low, 32));
    const __m512i hundreds = _mm512_srli_epi16(_mm512_mulhi_epu16(fours, _mm512_set1_epi16(5243)), 3);
    const __m512i rest = _mm512_sub_epi16(fours, _mm512_mullo_epi16(hundreds, _mm512_set1_epi16(100)));
    const __m512i pairs = either(hundreds, _mm512_slli_epi32(rest, 16));
    const __m512i tens = _mm512_mulhi_epu16(pairs, _mm512_set1_epi16(6554));
    const __m512i ones = _mm512_sub_epi16(pairs, _mm512_mullo_epi16(tens, _mm512_set1_epi16(10)));
    return either(tens, _mm512_slli_epi16(ones, 8));
}

/* Bits of zero digits in front; at most `most`. */
static AVX512 inline __m512i zeros_before(__m512i digits, int most)
{
    const __m512i found = either(digits, all(INT64_C(1) << 56)); /* the last digit stays */
    const __m512i lowest = _mm512_and_si512(found, minus(_mm512_setzero_si512(), found));
    const __m512i bits = _mm512_and_si512(minus(all(63), _mm512_lzcnt_epi64(lowest)), all(0x38));
    return _mm512_min_epi64(bits, all(8 * most));
}

static AVX512 inline texts whole_texts(__m512i digits)
{
    const __m512i skipped = zeros_before(digits, 7);
    return (texts){.low = down(either(digits, _mm512_set1_epi8('0')), skipped),
                   .high = _mm512_setzero_si512(),
                   .length = minus(all(64), skipped)};
}

/* Clears what lies behind the length. */
static AVX512 inline void cut(texts *out)
{
    const __m512i past_low = _mm512_max_epi64(minus(all(64), out->length), _mm512_setzero_si512());
    const __m512i past_high = _mm512_max_epi64(minus(all(128), out->length), _mm512_setzero_si512());
    out->low = _mm512_and_si512(out->low, down(all(-1), past_low));
    out->high = _mm512_and_si512(out->high, down(all(-1), past_high));
}

/* The point before the last `decimals` digits; final zeros dropped down to `least`, and the point with the last. */
static AVX512 inline texts pointed_texts(__m512i digits, const rfi_slot_format *format)
{
    const int n = format->decimals;
    const __m512i skipped = zeros_before(digits, 7 - n), before = minus(all(64 - 8 * n), skipped);
    const __m512i text = down(either(digits, _mm512_set1_epi8('0')), skipped);
    const __m512i fraction = down(text, before), behind = _mm512_add_epi64(before, all(8));
    const __m512i whole = _mm512_andnot_si512(up(all(-1), before), text);
    texts out = {
        .low = either(either(whole, up(all((unsigned char)format->point), before)), up(fraction, behind)),
        .high = down(fraction, minus(all(64), behind)),
        .length = _mm512_add_epi64(behind, all(8 * n))};
    if (format->least < n) {
        const __m512i final = _mm512_and_si512(_mm512_lzcnt_epi64(digits), all(0x78));
        const __m512i dropped = _mm512_min_epi64(final, all(8 * (n - format->least)));
        out.length = minus(out.length, dropped);
        out.length = _mm512_mask_mov_epi64(out.length, _mm512_cmpeq_epi64_mask(dropped, all(8 * n)), before);
        cut(&out);
    }
    return out;
}

static AVX512 inline void put_signs(texts *out, __mmask8 negative)
{
    const __m512i high = either(_mm512_slli_epi64(out->high, 8), _mm512_srli_epi64(out->low, 56));
    const __m512i low = either(_mm512_slli_epi64(out->low, 8), all('-'));
    out->high = _mm512_mask_mov_epi64(out->high, negative, high);
    out->low = _mm512_mask_mov_epi64(out->low, negative, low);
    out->length = _mm512_mask_add_epi64(out->length, negative, out->length, all(8));
}

static AVX512 inline void put_ends(texts *out, const rfi_slot_format *format)
{
    const __m512i end = all((unsigned char)format->end[0] | (unsigned char)format->end[1] << 8);
    const __m512i past = minus(out->length, all(64));
    out->low = either(out->low, up(end, out->length));
    out->high = either(out->high, either(up(end, past), down(end, minus(all(64), out->length))));
    out->length = _mm512_add_epi64(out->length, all(8 * format->n_end));
}

static AVX512 inline __m512i word_of(const rfi_slot *slot, int w)
{
    int64_t word;
    memcpy(&word, slot->text + w * (int)sizeof word, sizeof word);
    return all(word);
}

static AVX512 inline void store(const texts *out, rfi_slot *slots, uint8_t *lengths)
{
    const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    _mm512_storeu_si512(slots, _mm512_permutex2var_epi64(out->low, first, out->high));
    _mm512_storeu_si512(slots + LANES / 2, _mm512_permutex2var_epi64(out->low, second, out->high));
    _mm_storel_epi64((__m128i *)(void *)lengths, _mm512_cvtepi64_epi8(_mm512_srli_epi64(out->length, 3)));
}

/* Values as whole numbers of their last digit's unit. */
typedef struct scaled {
    __m512d whole; /* not negative */
    __mmask8 good, negative, missing;
} scaled;

static AVX512 inline scaled scale(__m512d value, __m512d power, double most)
{
    /* added and taken away again, it leaves a whole number, halves to even */
    const __m512d to_even = _mm512_set1_pd(6755399441055744.0); /* 1.5 * 2^52 */
    const __m512d product = _mm512_mul_pd(value, power), size = _mm512_abs_pd(product);
    scaled out = {.whole = _mm512_sub_pd(_mm512_add_pd(size, to_even), to_even),
                  .missing = _mm512_cmp_pd_mask(value, value, _CMP_UNORD_Q)};
    const __m512d off = _mm512_abs_pd(_mm512_sub_pd(size, out.whole));
    out.good = _mm512_cmp_pd_mask(size, _mm512_set1_pd(most), _CMP_LT_OQ);
    /* rounded up it may be `most`; at a half the product's own rounding could decide */
    out.good = _mm512_mask_cmp_pd_mask(out.good, out.whole, _mm512_set1_pd(most), _CMP_LT_OQ);
    out.good = _mm512_mask_cmp_pd_mask(out.good, off, _mm512_set1_pd(0.5), _CMP_NEQ_OQ);
    out.negative = _mm512_mask_cmp_pd_mask(out.good, product, _mm512_setzero_pd(), _CMP_LT_OQ);
    out.negative = _mm512_mask_cmp_pd_mask(out.negative, out.whole, _mm512_setzero_pd(), _CMP_GT_OQ);
    return out;
}

static AVX512 inline __m512i whole_of(__mmask8 good, __m512d x)
{
    return _mm512_maskz_cvttpd_epi64(good, x);
}

/* Eight digits or fewer in all. */
static AVX512 inline texts short_texts(const scaled *in, const rfi_slot_format *format)
{
    const __m512i digits = digits_of(whole_of(in->good, in->whole));
    return format->decimals ? pointed_texts(digits, format) : whole_texts(digits);
}

/* Up to six digits before the point and 8 to 15 behind it, which are taken as two words. Each quotient is further from the
 * next whole number than its rounding reaches, as in rfi_put_fixed; the rests are exact. Lanes that turn out too long
 * leave *good. */
static AVX512 inline texts long_texts(const scaled *in, const rfi_slot_format *format, __mmask8 *good)
{
    const __m512d power = _mm512_set1_pd(powers[format->decimals]);
    const __m512d unit = _mm512_set1_pd(powers[format->decimals - 8]);
    const __m512d before = _mm512_floor_pd(_mm512_div_pd(in->whole, power));
    const __m512d fraction = _mm512_fnmadd_pd(before, power, in->whole);
    const __m512d first = _mm512_floor_pd(_mm512_div_pd(fraction, unit));
    const __m512d rest =
        _mm512_mul_pd(_mm512_fnmadd_pd(first, unit, fraction), _mm512_set1_pd(powers[16 - format->decimals]));
    *good = _mm512_mask_cmp_pd_mask(in->good, before, _mm512_set1_pd(1e6), _CMP_LT_OQ);
    const __m512i high = digits_of(whole_of(*good, first)), low = digits_of(whole_of(*good, rest));
    const __m512i none = _mm512_setzero_si512(), zero = _mm512_set1_epi8('0');
    const __m512i final_high = _mm512_and_si512(_mm512_lzcnt_epi64(high), all(0x78));
    const __m512i final_low = _mm512_and_si512(_mm512_lzcnt_epi64(low), all(0x78));
    const __m512i used = _mm512_mask_sub_epi64(minus(all(64), final_high),
                                               _mm512_cmpneq_epi64_mask(low, none), all(128), final_low);
    const __m512i kept = _mm512_max_epi64(used, all(8 * format->least));
    texts out = whole_texts(digits_of(whole_of(*good, before)));
    const __m512i length = out.length, behind = _mm512_add_epi64(length, all(8));
    const __m512i text_high = either(high, zero), text_low = either(low, zero);
    out.low = either(either(out.low, up(all((unsigned char)format->point), length)), up(text_high, behind));
    out.high = either(down(text_high, minus(all(64), behind)), up(text_low, behind));
    out.length = _mm512_mask_add_epi64(length, _mm512_cmpneq_epi64_mask(kept, none), behind, kept);
    cut(&out);
    const __m512i room = all(8 * (RFI_SLOT_BYTES - format->n_end - 1)); /* and a sign */
    *good = _mm512_mask_cmple_epi64_mask(*good, out.length, room);
    return out;
}

static AVX512 inline __attribute__((always_inline)) void
fill_lanes(const rfi_slot_format *format, bool is_long, __m512d value, rfi_slot *slots, uint8_t *lengths)
{
    const scaled in = scale(value, _mm512_set1_pd(powers[format->decimals]), is_long ? 1e15 : 1e8);
    __mmask8 good = in.good;
    texts out = is_long ? long_texts(&in, format, &good) : short_texts(&in, format);
    if (in.negative)
        put_signs(&out, in.negative);
    put_ends(&out, format);
    out.length = _mm512_maskz_mov_epi64(good, out.length);
    if (in.missing) {
        out.low = _mm512_mask_mov_epi64(out.low, in.missing, word_of(&format->missing, 0));
        out.high = _mm512_mask_mov_epi64(out.high, in.missing, word_of(&format->missing, 1));
        out.length = _mm512_mask_mov_epi64(out.length, in.missing, all(8 * format->n_missing));
    }
    store(&out, slots, lengths);
}

AVX512 int64_t rfi_slots_fill_avx512(const rfi_slot_format *given, const double *values, int64_t n,
                                     rfi_slot *slots, uint8_t *lengths)
{
    const rfi_slot_format format = *given; /* what is stored to the slots does not change it */
    int64_t i = 0;
    if (format.decimals > SHORT_DECIMALS)
        for (; i + LANES <= n; i += LANES)
            fill_lanes(&format, true, _mm512_loadu_pd(values + i), slots + i, lengths + i);
    for (; i + LANES <= n; i += LANES)
        fill_lanes(&format, false, _mm512_loadu_pd(values + i), slots + i, lengths + i);
    return i;
}

#endif
