/* cpu_draw.h - words of a draw, many at a time. */
#ifndef RF_CPU_DRAW_H
#define RF_CPU_DRAW_H

#include "kernels/cpu/cpu_isa.h"

/* Words 4 * block .. 4 * (block + n_blocks) - 1 of the draw. */
void RFI_FN(rfi_words)(uint32_t *out, rf_draw draw, uint32_t block, int32_t n_blocks);

/* Words element .. element + n - 1 of the draw land in buffer[*skip ..]; the buffer holds n + 6 words. */
void RFI_FN(rfi_words_at)(uint32_t *buffer, int32_t *skip, rf_draw draw, uint32_t element, int32_t n);

/* Standard normals, elements first .. first + n - 1; first is even. */
void RFI_FN(rfi_normals)(float *out, rf_draw draw, uint32_t first, int32_t n);

/* Standard Gumbel draws, elements first .. first + n - 1. */
void RFI_FN(rfi_gumbels)(float *out, rf_draw draw, uint32_t first, int32_t n);

#endif
