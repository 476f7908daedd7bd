#include "engine/table/csv_batch.h"

#include "engine/table/csv_record.h"

void rfi_batch_open(rfi_batch *batch, rfi_dict *dict, int32_t *codes)
{
    batch->dict = dict;
    batch->codes = codes;
    batch->n = 0;
    batch->n_decoded = 0;
    batch->n_uncoded = 0;
}

void rfi_batch_flush(rfi_batch *batch)
{
    if (batch->n == 0)
        return;
    rfi_dict_code_texts(batch->dict, batch->texts, batch->n);
    for (int i = 0; i < batch->n; i++) {
        batch->codes[batch->cells[i]] = batch->texts[i].code;
        batch->n_uncoded += batch->texts[i].code < 0;
    }
    batch->n = 0;
    batch->n_decoded = 0;
}

int64_t rfi_batch_close(rfi_batch *batch)
{
    rfi_batch_flush(batch);
    return batch->n_uncoded;
}

void rfi_batch_add(rfi_batch *batch, int64_t cell, const char *text, size_t length, const char *limit,
                   bool quoted)
{
    batch->texts[batch->n] =
        (rfi_dict_text){.text = text, .limit = limit, .length = length, .quoted = quoted};
    batch->cells[batch->n++] = cell;
    if (batch->n == RFI_DICT_BATCH)
        rfi_batch_flush(batch);
}

bool rfi_batch_add_doubled(rfi_batch *batch, int64_t cell, const char *text, size_t length)
{
    const size_t room = length + RFI_CSV_UNDOUBLE_ROOM;
    if (room > RFI_BATCH_BYTES)
        return false;
    if (room > RFI_BATCH_BYTES - batch->n_decoded)
        rfi_batch_flush(batch);
    char *const out = batch->decoded + batch->n_decoded;
    const size_t n = rfi_csv_undouble(out, text, length);
    if (n == SIZE_MAX)
        return false;
    batch->n_decoded += n;
    rfi_batch_add(batch, cell, out, n, batch->decoded + sizeof batch->decoded, true);
    return true;
}
