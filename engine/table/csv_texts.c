/* The road in plain C, and the choice among the roads. The other one, csv_texts_x86.c, comes back here for the first and the
 * last cells of a tile: the two are one module, cut by the instructions that they need. */
#include "engine/table/csv_texts.h"

#include "engine/table/csv_scan.h"

/* Before this address so many bytes may be read. */
static const char *room_for(const rfi_csv_cells *cells, size_t n)
{
    const size_t left = (size_t)(cells->limit - cells->data);
    return left > n ? cells->limit - n : cells->data;
}

void rfi_texts_read_some(const rfi_text_road *road, int64_t begin, int64_t end, int32_t *codes,
                         rfi_text_facts *facts)
{
    const rfi_csv_cells *const cells = &road->cells;
    const char *const last = room_for(cells, RFI_DICT_FRONT + 1);
    rfi_dict_view view = rfi_dict_view_of(road->dict);
    for (int64_t i = begin; i < end; i++) {
        const char *text = rfi_csv_cell_text(cells, i);
        size_t length = rfi_csv_cell_length(cells, i);
        const bool quoted = length > 1 && text[0] == '"' && text[length - 1] == '"';
        text += quoted;
        length -= 2 * (size_t)quoted;
        if ((length - 1 < RFI_DICT_FRONT) & (text < last)) {
            const rfi_dict_front *found = rfi_dict_find_front(view, text, length);
            if (__builtin_expect(found != NULL && (found->code >= 0 || !quoted), 1)) {
                codes[i] = found->code;
                facts->n_quoted += quoted;
                facts->n_uncoded += found->code < 0;
                continue;
            }
        }
        road->door(road->arg, i);
        view = rfi_dict_view_of(road->dict);
    }
}

void rfi_texts_read(const rfi_text_road *road, int32_t *codes, rfi_text_facts *facts)
{
#if defined(__x86_64__)
    if (rfi_csv_path() >= RFI_CSV_AVX512) {
        rfi_texts_read_avx512(road, codes, facts);
        return;
    }
#endif
    rfi_texts_read_some(road, 0, road->cells.n, codes, facts);
}
