/* Eight cells at once, a cell to a lane of 64 bits: their bytes, the place in front that these lead to and the text that
 * stands there are gathered, and compared. Which of a column's few texts comes next cannot be foretold, and here
 * nothing depends on it. Bytes 8 to 15, 16 to 23 and 24 to 31 are looked at only when one of the eight has so many;
 * where none has, equal lengths say that these words are zero on both sides.
 */
#include "engine/table/csv_texts.h"

#include <assert.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANES = 8, PLACE_SHIFT = 6, META_WORD = 4 };
static_assert(sizeof(rfi_dict_front) == 1 << PLACE_SHIFT, "places are found by a shift");
static_assert(offsetof(rfi_dict_front, code) == META_WORD * sizeof(uint64_t) &&
                  offsetof(rfi_dict_front, length) == META_WORD * sizeof(uint64_t) + 4,
              "a code and a length are gathered as one word");

#define AVX512 __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl")))

/* Where the texts are: offsets, and lengths without quotes. */
typedef struct lanes {
    __m512i from, n;
    __mmask8 quoted;
    __m512i words[4];
} lanes;

static AVX512 inline __m512i gather(__m512i offsets, const char *base)
{
    return _mm512_i64gather_epi64(offsets, base, 1);
}

/* Word w of texts of n bytes: what lies behind their ends is cleared. */
static AVX512 inline __m512i cut(__m512i word, __m512i n, int w)
{
    const __m512i beyond = _mm512_sub_epi64(_mm512_set1_epi64(64 * (w + 1)), _mm512_slli_epi64(n, 3));
    const __m512i shift = _mm512_max_epi64(beyond, _mm512_setzero_si512());
    return _mm512_and_si512(word, _mm512_srlv_epi64(_mm512_set1_epi64(-1), shift));
}

/* Where cells begin and end with a quote, the text is what lies between. */
static AVX512 inline void step_into_quotes(lanes *in, __mmask8 opened, __m512i to, const char *data)
{
    const __m256i tails = _mm512_i64gather_epi32(to, data - 4, 1);
    const __mmask8 closed = _mm256_cmpeq_epi32_mask(_mm256_srli_epi32(tails, 24), _mm256_set1_epi32('"'));
    in->quoted = opened & closed & _mm512_cmpgt_epi64_mask(in->n, _mm512_set1_epi64(1));
    in->from = _mm512_mask_add_epi64(in->from, in->quoted, in->from, _mm512_set1_epi64(1));
    in->n = _mm512_mask_sub_epi64(in->n, in->quoted, in->n, _mm512_set1_epi64(2));
    in->words[0] = _mm512_mask_i64gather_epi64(in->words[0], in->quoted, in->from, data, 1);
}

static AVX512 inline lanes load_lanes(const rfi_csv_cells *cells, int64_t i)
{
    const void *const begins = cells->begins + i, *const ends = cells->ends + i;
    const __m512i from =
        _mm512_cvtepu32_epi64(_mm256_add_epi32(_mm256_loadu_si256(begins), _mm256_set1_epi32(1)));
    const __m512i to = _mm512_cvtepu32_epi64(_mm256_loadu_si256(ends));
    lanes in = {.from = from, .n = _mm512_sub_epi64(to, from), .words = {gather(from, cells->data)}};
    const __mmask8 opened = _mm512_cmpeq_epi64_mask(_mm512_and_si512(in.words[0], _mm512_set1_epi64(0xFF)),
                                                    _mm512_set1_epi64('"'));
    if (opened)
        step_into_quotes(&in, opened, to, cells->data);
    in.words[0] = cut(in.words[0], in.n, 0);
    return in;
}

static AVX512 inline __m512i turned(__m512i word, int by)
{
    return _mm512_or_si512(_mm512_slli_epi64(word, (unsigned)by),
                           _mm512_srli_epi64(word, (unsigned)(64 - by)));
}

/* Cells i to i + 7, at whose beginnings 33 bytes may be read; gives those that are off the road. */
static AVX512 inline __mmask8 read_lanes(const rfi_csv_cells *cells, rfi_dict_view view, int64_t i,
                                         int32_t *codes, rfi_text_facts *facts)
{
    lanes in = load_lanes(cells, i);
    const __m512i longest = _mm512_set1_epi64(RFI_DICT_FRONT), one = _mm512_set1_epi64(1);
    const __mmask8 fits = _mm512_cmplt_epu64_mask(_mm512_sub_epi64(in.n, one), longest);
    const __mmask8 empty = _mm512_testn_epi64_mask(in.n, in.n) & (__mmask8)~in.quoted;
    const __mmask8 past_8 = _mm512_cmpgt_epi64_mask(in.n, _mm512_set1_epi64(8));
    const __mmask8 past_16 = _mm512_cmpgt_epi64_mask(in.n, _mm512_set1_epi64(16));
    const __mmask8 past_24 = _mm512_cmpgt_epi64_mask(in.n, _mm512_set1_epi64(24));
    __m512i mixed = in.words[0];
    if (past_8) {
        in.words[1] = cut(gather(in.from, cells->data + 8), in.n, 1);
        mixed = _mm512_xor_si512(mixed, turned(in.words[1], RFI_DICT_TURN_1));
    }
    if (past_16) {
        in.words[2] = cut(gather(in.from, cells->data + 16), in.n, 2);
        mixed = _mm512_xor_si512(mixed, turned(in.words[2], RFI_DICT_TURN_2));
    }
    if (past_24) {
        in.words[3] = cut(gather(in.from, cells->data + 24), in.n, 3);
        mixed = _mm512_xor_si512(mixed, turned(in.words[3], RFI_DICT_TURN_3));
    }
    const __m512i product = _mm512_mullo_epi64(mixed, _mm512_set1_epi64((int64_t)view.factor));
    const __m512i place =
        _mm512_and_si512(_mm512_srli_epi64(product, RFI_DICT_SHIFT), _mm512_set1_epi64((int64_t)view.mask));
    const __m512i at = _mm512_slli_epi64(place, PLACE_SHIFT);
    const char *const front = (const char *)view.front;
    const __m512i meta = gather(at, front + META_WORD * sizeof(uint64_t));
    __mmask8 found = _mm512_mask_cmpeq_epi64_mask(fits, _mm512_srli_epi64(meta, 32), in.n);
    found = _mm512_mask_cmpeq_epi64_mask(found, gather(at, front), in.words[0]);
    if (past_8)
        found = _mm512_mask_cmpeq_epi64_mask(found, gather(at, front + 8), in.words[1]);
    if (past_16)
        found = _mm512_mask_cmpeq_epi64_mask(found, gather(at, front + 16), in.words[2]);
    if (past_24)
        found = _mm512_mask_cmpeq_epi64_mask(found, gather(at, front + 24), in.words[3]);
    const __m256i code = _mm256_mask_set1_epi32(_mm512_cvtepi64_epi32(meta), empty, RFI_CODE_EMPTY);
    const __mmask8 negative = _mm256_movepi32_mask(code);
    found &= (__mmask8) ~(in.quoted & negative);
    _mm256_storeu_si256((__m256i *)(void *)(codes + i), code);
    facts->n_quoted += __builtin_popcount(in.quoted & found);
    facts->n_uncoded += __builtin_popcount((found | empty) & negative);
    return (__mmask8) ~(found | empty);
}

AVX512 void rfi_texts_read_avx512(const rfi_text_road *road, int32_t *codes, rfi_text_facts *facts)
{
    const rfi_csv_cells *const cells = &road->cells;
    int64_t i = 0, n = cells->n;
    while (n && cells->limit - rfi_csv_cell_text(cells, n - 1) <= RFI_DICT_FRONT)
        n--; /* the end of the file */
    while (i < n && rfi_csv_cell_text(cells, i) - cells->first < 4)
        i++;
    rfi_texts_read_some(road, 0, i, codes, facts);
    rfi_dict_view view = rfi_dict_view_of(road->dict);
    for (; i + LANES <= n; i += LANES) {
        const __mmask8 off = read_lanes(cells, view, i, codes, facts);
        if (__builtin_expect(off != 0, 0)) {
            for (uint32_t left = off; left; left &= left - 1)
                road->door(road->arg, i + __builtin_ctz(left));
            view = rfi_dict_view_of(road->dict);
        }
    }
    rfi_texts_read_some(road, i, cells->n, codes, facts);
}

#endif
