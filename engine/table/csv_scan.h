/* csv_scan.h - where the special bytes of a text are, one bit per byte.
 *
 * The lowest layer of the reader: it knows delimiters, line ends and quotes as bytes, and nothing of
 * what they mean. The same marks come from every instruction set; the fastest that the machine has is
 * chosen at run time. Any thread.
 */
#ifndef RF_ENGINE_TABLE_CSV_SCAN_H
#define RF_ENGINE_TABLE_CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rfi_csv_marks {
    uint64_t *separators; /* delimiters and line ends: bit i of word w is byte 64 w + i */
    uint64_t *newlines, *quotes;
    int64_t n_separators, n_newlines; /* quoted ones too */
    bool has_quote;
    bool has_nul;
    bool has_high; /* a byte >= 0x80 */
} rfi_csv_marks;

#define RFI_CSV_MARK_WORDS(size_bytes) (((size_bytes) + 63) / 64)

/* Fills the marks of `size_bytes` bytes; the arrays have RFI_CSV_MARK_WORDS(size_bytes) words. */
void rfi_csv_scan(rfi_csv_marks *marks, const char *data, size_t size_bytes, char delimiter, char newline);

/* The numbers of the bits that are set, in order: word w holds 64 w and on. Returns how many. `out` has
 * room for RFI_CSV_EXPAND_ROOM more than that: what is written too much is garbage. */
enum { RFI_CSV_EXPAND_ROOM = 16 };
size_t rfi_csv_expand(uint32_t *out, const uint64_t *words, size_t n_words);

/* The instructions that the reader uses: the best that the machine has, unless forced. */
enum {
    RFI_CSV_PLAIN, /* C */
    RFI_CSV_SSE2,
    RFI_CSV_AVX2,   /* and BMI2                       */
    RFI_CSV_AVX512, /* F, BW, CD, DQ and VL           */
    RFI_CSV_VBMI2,  /* and VBMI2                      */
    RFI_CSV_PATHS
};
int rfi_csv_path(void);

/* For tests and benchmarks; -1 is the machine's best again. False, and nothing changes, when the machine
 * has no such instructions. */
bool rfi_csv_scan_force(int path);

#endif
