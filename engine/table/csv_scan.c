/* One body per instruction set, each turning 64 bytes into two words; the loop around them and the tail
 * are shared. */
#include "engine/table/csv_scan.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define SCAN_X86 1
#else
#define SCAN_X86 0
#endif

enum { STEP_BYTES = 64 };

typedef size_t expand_fn(uint32_t *out, const uint64_t *words, size_t n_words);
typedef void scan_fn(rfi_csv_marks *marks, const char *data, size_t n_steps, char delimiter, char newline);

static int64_t count_bits(uint64_t word)
{
    return __builtin_popcountll(word);
}

/* ---- plain C ------------------------------------------------------------------------------- */

static void scan_plain(rfi_csv_marks *marks, const char *data, size_t n_steps, char delimiter, char newline)
{
    for (size_t step = 0; step < n_steps; step++) {
        const char *bytes = data + step * STEP_BYTES;
        uint64_t delimiters = 0, newlines = 0, quotes = 0;
        for (int i = 0; i < STEP_BYTES; i++) {
            delimiters |= (uint64_t)(bytes[i] == delimiter) << i;
            newlines |= (uint64_t)(bytes[i] == newline) << i;
            quotes |= (uint64_t)(bytes[i] == '"') << i;
            marks->has_nul |= bytes[i] == 0;
            marks->has_high |= (bytes[i] & 0x80) != 0;
        }
        marks->separators[step] = delimiters | newlines;
        marks->newlines[step] = newlines;
        marks->quotes[step] = quotes;
        marks->has_quote |= quotes != 0;
        marks->n_separators += count_bits(delimiters | newlines);
        marks->n_newlines += count_bits(newlines);
    }
}

/* A step at a time, whether there are so many or not: how many bits a word has cannot be foretold, and a
 * wrong guess costs more than a few useless stores. */
static size_t expand_plain(uint32_t *out, const uint64_t *words, size_t n_words)
{
    enum { STEP = 8 };
    static_assert((int)STEP <= (int)RFI_CSV_EXPAND_ROOM, "a step too long");
    const uint32_t *const begin = out;
    for (size_t word = 0; word < n_words; word++) {
        uint64_t bits = words[word];
        const int64_t n = count_bits(bits);
        for (int64_t done = 0; done < n; done += STEP)
            for (int i = 0; i < STEP; i++) {
                out[done + i] = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits | 1ull << 63);
                bits &= bits - 1;
            }
        out += n;
    }
    return (size_t)(out - begin);
}

#if SCAN_X86

/* ---- SSE2: part of x86-64 ------------------------------------------------------------------ */

static uint64_t match_sse2(const __m128i *v, __m128i wanted)
{
    uint64_t word = 0;
    for (int i = 0; i < 4; i++)
        word |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v[i], wanted)) << (16 * i);
    return word;
}

static void scan_sse2(rfi_csv_marks *marks, const char *data, size_t n_steps, char delimiter, char newline)
{
    const __m128i is_delimiter = _mm_set1_epi8(delimiter), is_newline = _mm_set1_epi8(newline);
    const __m128i is_quote = _mm_set1_epi8('"'), zero = _mm_setzero_si128();
    __m128i high = zero, least = _mm_set1_epi8((char)0xFF);
    uint64_t any_quote = 0;
    for (size_t step = 0; step < n_steps; step++) {
        __m128i v[4];
        for (int i = 0; i < 4; i++) {
            v[i] = _mm_loadu_si128((const __m128i *)(const void *)(data + step * STEP_BYTES + 16 * i));
            high = _mm_or_si128(high, v[i]);
            least = _mm_min_epu8(least, v[i]);
        }
        const uint64_t newlines = match_sse2(v, is_newline);
        const uint64_t separators = newlines | match_sse2(v, is_delimiter);
        const uint64_t quotes = match_sse2(v, is_quote);
        marks->separators[step] = separators;
        marks->newlines[step] = newlines;
        marks->quotes[step] = quotes;
        any_quote |= quotes;
        marks->n_separators += count_bits(separators);
        marks->n_newlines += count_bits(newlines);
    }
    marks->has_quote |= any_quote != 0;
    marks->has_high |= _mm_movemask_epi8(high) != 0;
    marks->has_nul |= n_steps && _mm_movemask_epi8(_mm_cmpeq_epi8(least, zero)) != 0;
}

/* ---- AVX2 ---------------------------------------------------------------------------------- */

__attribute__((target("avx2,popcnt"))) static uint64_t match_avx2(__m256i low, __m256i high, __m256i wanted)
{
    const uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted));
    const uint32_t second = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted));
    return first | (uint64_t)second << 32;
}

__attribute__((target("avx2,popcnt"))) static void scan_avx2(rfi_csv_marks *marks, const char *data,
                                                             size_t n_steps, char delimiter, char newline)
{
    const __m256i is_delimiter = _mm256_set1_epi8(delimiter), is_newline = _mm256_set1_epi8(newline);
    const __m256i is_quote = _mm256_set1_epi8('"'), zero = _mm256_setzero_si256();
    __m256i high = zero, least = _mm256_set1_epi8((char)0xFF);
    uint64_t any_quote = 0;
    for (size_t step = 0; step < n_steps; step++) {
        const char *bytes = data + step * STEP_BYTES;
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
        const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 32));
        high = _mm256_or_si256(high, _mm256_or_si256(a, b));
        least = _mm256_min_epu8(least, _mm256_min_epu8(a, b));
        const uint64_t newlines = match_avx2(a, b, is_newline);
        const uint64_t separators = newlines | match_avx2(a, b, is_delimiter);
        const uint64_t quotes = match_avx2(a, b, is_quote);
        marks->separators[step] = separators;
        marks->newlines[step] = newlines;
        marks->quotes[step] = quotes;
        any_quote |= quotes;
        marks->n_separators += _mm_popcnt_u64(separators);
        marks->n_newlines += _mm_popcnt_u64(newlines);
    }
    marks->has_quote |= any_quote != 0;
    marks->has_high |= _mm256_movemask_epi8(high) != 0;
    marks->has_nul |= n_steps && _mm256_movemask_epi8(_mm256_cmpeq_epi8(least, zero)) != 0;
}

/* ---- AVX-512 ------------------------------------------------------------------------------- */

__attribute__((target("avx512f,avx512bw,popcnt"))) static void
scan_avx512(rfi_csv_marks *marks, const char *data, size_t n_steps, char delimiter, char newline)
{
    const __m512i is_delimiter = _mm512_set1_epi8(delimiter), is_newline = _mm512_set1_epi8(newline);
    const __m512i is_quote = _mm512_set1_epi8('"');
    __m512i high = _mm512_setzero_si512(), least = _mm512_set1_epi8((char)0xFF);
    uint64_t any_quote = 0;
    for (size_t step = 0; step < n_steps; step++) {
        const __m512i v = _mm512_loadu_si512(data + step * STEP_BYTES);
        high = _mm512_or_si512(high, v);
        least = _mm512_min_epu8(least, v);
        const uint64_t newlines = _mm512_cmpeq_epi8_mask(v, is_newline);
        const uint64_t separators = newlines | _mm512_cmpeq_epi8_mask(v, is_delimiter);
        const uint64_t quotes = _mm512_cmpeq_epi8_mask(v, is_quote);
        marks->separators[step] = separators;
        marks->newlines[step] = newlines;
        marks->quotes[step] = quotes;
        any_quote |= quotes;
        marks->n_separators += _mm_popcnt_u64(separators);
        marks->n_newlines += _mm_popcnt_u64(newlines);
    }
    marks->has_quote |= any_quote != 0;
    marks->has_high |= _mm512_movepi8_mask(high) != 0;
    marks->has_nul |= n_steps && _mm512_testn_epi8_mask(least, least) != 0;
}

/* ---- AVX-512 with VBMI2: the numbers of the set bits by one compression ---------------------- */

__attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt"))) static size_t
expand_vbmi2(uint32_t *out, const uint64_t *words, size_t n_words)
{
    static const unsigned char numbers[64] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                              16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
                                              32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
                                              48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const __m512i all = _mm512_loadu_si512(numbers);
    const uint32_t *const begin = out;
    for (size_t word = 0; word < n_words; word++) {
        const int64_t n = _mm_popcnt_u64(words[word]);
        __m512i rest = _mm512_maskz_compress_epi8(words[word], all);
        const __m512i base = _mm512_set1_epi32((int)(word * 64));
        for (int64_t done = 0; done < n; done += 16) {
            _mm512_storeu_si512(out + done,
                                _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(rest))));
            rest = _mm512_alignr_epi32(rest, rest, 4);
        }
        out += n;
    }
    return (size_t)(out - begin);
}

#endif

/* ---- choosing ------------------------------------------------------------------------------ */

static _Atomic int chosen_path = -1;

static bool path_exists(int path)
{
#if SCAN_X86
    switch (path) {
    case RFI_CSV_PLAIN:
    case RFI_CSV_SSE2:
        return true;
    case RFI_CSV_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt") &&
               __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    case RFI_CSV_AVX512:
        return path_exists(RFI_CSV_AVX2) && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    case RFI_CSV_VBMI2:
        return path_exists(RFI_CSV_AVX512) && __builtin_cpu_supports("avx512vbmi2");
    default:
        return false;
    }
#else
    return path == RFI_CSV_PLAIN;
#endif
}

int rfi_csv_path(void)
{
    int path = atomic_load_explicit(&chosen_path, memory_order_relaxed);
    if (path < 0) {
        for (path = RFI_CSV_PATHS - 1; !path_exists(path);)
            path--;
        atomic_store_explicit(&chosen_path, path, memory_order_relaxed);
    }
    return path;
}

bool rfi_csv_scan_force(int path)
{
    if (path >= 0 && !path_exists(path))
        return false;
    atomic_store(&chosen_path, path < 0 ? -1 : path);
    return true;
}

#if SCAN_X86
static scan_fn *const scans[RFI_CSV_PATHS] = {scan_plain, scan_sse2, scan_avx2, scan_avx512, scan_avx512};
static expand_fn *const expands[RFI_CSV_PATHS] = {expand_plain, expand_plain, expand_plain, expand_plain,
                                                  expand_vbmi2};
#else
static scan_fn *const scans[RFI_CSV_PATHS] = {scan_plain};
static expand_fn *const expands[RFI_CSV_PATHS] = {expand_plain};
#endif

size_t rfi_csv_expand(uint32_t *out, const uint64_t *words, size_t n_words)
{
    return expands[rfi_csv_path()](out, words, n_words);
}

void rfi_csv_scan(rfi_csv_marks *marks, const char *data, size_t size_bytes, char delimiter, char newline)
{
    scan_fn *const scan = scans[rfi_csv_path()];
    const size_t n_steps = size_bytes / STEP_BYTES, rest = size_bytes % STEP_BYTES;
    *marks = (rfi_csv_marks){
        .separators = marks->separators, .newlines = marks->newlines, .quotes = marks->quotes};
    scan(marks, data, n_steps, delimiter, newline);
    if (rest) {
        char last[STEP_BYTES];
        memset(last, 'x', sizeof last); /* an ordinary byte: a letter is never a delimiter */
        memcpy(last, data + n_steps * STEP_BYTES, rest);
        marks->separators += n_steps;
        marks->newlines += n_steps;
        marks->quotes += n_steps;
        scan(marks, last, 1, delimiter, newline);
        marks->separators -= n_steps;
        marks->newlines -= n_steps;
        marks->quotes -= n_steps;
    }
}
