/* The road in plain C, eight digits at a time, and the choice among the roads. */
#include "engine/table/csv_numbers.h"

#include "engine/table/csv_scan.h"

/* Before this address so many bytes may be read. */
static const char *room_for(const rfi_csv_cells *cells, size_t n)
{
    const size_t left = (size_t)(cells->limit - cells->data);
    return left > n ? cells->limit - n : cells->data;
}

static void read_whole(const rfi_number_road *road, double *values, rfi_number_facts *facts)
{
    const rfi_csv_cells *const cells = &road->cells;
    const char *const last = room_for(cells, RFI_WHOLE_BYTES);
    uint64_t minus = 0;
    int64_t n_off_road = 0;
    for (int64_t i = 0; i < cells->n; i++) {
        const char *text = rfi_csv_cell_text(cells, i);
        const size_t length = rfi_csv_cell_length(cells, i);
        if (text < last && rfi_number_parse_whole(text, length, &values[i], &minus))
            continue;
        values[i] = road->door(road->arg, i);
        n_off_road++;
    }
    facts->minus |= minus != 0;
    if (n_off_road < cells->n)
        facts->min_written = 0;
}

static void read_decimals(const rfi_number_road *road, double *values, rfi_number_facts *facts)
{
    const rfi_csv_cells *const cells = &road->cells;
    rfi_number_facts seen = RFI_NUMBER_FACTS_NONE;
    for (int64_t i = 0; i < cells->n; i++)
        if (!rfi_number_parse_decimal(rfi_csv_cell_text(cells, i), rfi_csv_cell_length(cells, i),
                                      cells->limit, road->point, &values[i], &seen))
            values[i] = road->door(road->arg, i);
    rfi_number_facts_merge(facts, &seen);
}

void rfi_numbers_read(const rfi_number_road *road, double *values, rfi_number_facts *facts)
{
#if defined(__x86_64__)
    const int path = rfi_csv_path();
    if (path >= RFI_CSV_AVX512) {
        rfi_numbers_read_avx512(road, values, facts);
        return;
    }
    if (path >= RFI_CSV_AVX2 &&
        road->decimals) { /* one after another, eight digits of a whole number are quicker */
        rfi_numbers_read_avx2(road, values, facts);
        return;
    }
#endif
    if (road->decimals)
        read_decimals(road, values, facts);
    else
        read_whole(road, values, facts);
}
