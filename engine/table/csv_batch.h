/* csv_batch.h - cells of texts that wait for their codes, until there are so many that the dictionary is asked for all of them
 * together.
 *
 *     rfi_batch_open(&batch, dict, codes);
 *     rfi_batch_add(&batch, cell, text, length, limit, quoted);    // codes[cell] comes now or later
 *     n_uncoded += rfi_batch_close(&batch);                        // by now at the latest
 *
 * Codes are given in the order in which cells were added. Threads: one at a time.
 */
#ifndef RF_ENGINE_TABLE_CSV_BATCH_H
#define RF_ENGINE_TABLE_CSV_BATCH_H

#include "engine/table/cell_dict.h"

enum { RFI_BATCH_BYTES = 16 << 10 };

typedef struct rfi_batch {
    rfi_dict *dict;
    int32_t *codes;
    int n;
    size_t n_decoded;
    int64_t n_uncoded; /* of those that have their codes */
    rfi_dict_text texts[RFI_DICT_BATCH];
    int64_t cells[RFI_DICT_BATCH];
    char decoded[RFI_BATCH_BYTES + RFI_DICT_SHORT]; /* texts in which quotes were doubled */
} rfi_batch;

void rfi_batch_open(rfi_batch *batch, rfi_dict *dict, int32_t *codes);

/* The text stays where it is until the batch is closed or flushed. */
void rfi_batch_add(rfi_batch *batch, int64_t cell, const char *text, size_t length, const char *limit,
                   bool quoted);

/* The inside of a cell in quotes, with a quote in it, is kept by the batch. False, and nothing was added, when it is too long for
 * that, or when a quote stands alone. */
bool rfi_batch_add_doubled(rfi_batch *batch, int64_t cell, const char *text, size_t length);

/* Gives the codes of all that wait. */
void rfi_batch_flush(rfi_batch *batch);

/* Flushes; returns how many cells got no code of their own. */
int64_t rfi_batch_close(rfi_batch *batch);

#endif
