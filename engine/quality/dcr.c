/* Every row against every row, made cheap:
 *
 *   - real rows lie column by column in groups of 64; categories are bytes (or 32 bits when a column has
 *     more than 255), numbers are doubles scaled to 0..1 by the real range
 *   - a group's mismatched categories are counted first, 32 rows an instruction; their count alone is a
 *     lower bound of the distance, so most of the 16-row parts of a group never look at a number
 *   - a tile of real rows stays in the cache while a block of other rows passes over it
 *
 * A missing number is the value FAR, which is more than 1 from every scaled number: outside values are
 * cut to -1 and 2 first, where their distance to anything in 0..1 is still at least 1.
 *
 * Distances are sums in the order of the columns, whatever the vectors' width: the same bits everywhere. */
#include "engine/quality/dcr.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "engine/quality/marginals.h"
#include "engine/quality/sort64.h"

enum {
    GROUP_ROWS = 64,
    PART_ROWS = 16,
    TILE_GROUPS = 16,       /* 1024 rows of 15 columns: 60 kB */
    BLOCK_ROWS = 32,        /* other rows of one task         */
    BYTE_COLUMNS_MAX = 255, /* that a byte can count       */
    PADDING = 30000,        /* mismatches of a row that is not there; tables have at most 10,000 columns */
};

static const double far_away = 4; /* FAR */

/* Rows ready to be compared. Real ones are stored by column, others by row. */
typedef struct records {
    int64_t n_rows, n_padded; /* padded to whole groups */
    int32_t n_numbers, n_bytes, n_wide;
    double *numbers;
    uint8_t *bytes;
    int32_t *wide;
} records;

/* ---- which rows ----------------------------------------------------------------------------- */

/* `want` of n rows, each set of them as likely as any other, in their order (selection sampling: Knuth,
 * The Art of Computer Programming 2, 3.4.2, algorithm S). */
static void draw_rows(int64_t *rows, int64_t want, int64_t n, uint64_t seed, uint32_t side)
{
    int64_t chosen = 0;
    for (int64_t row = 0; chosen < want; row++) {
        const rf_draw draw = {
            .seed = seed, .step = (uint32_t)(row >> 32), .purpose = RF_DRAW_EVALUATE, .trial = side};
        const rf_philox_block block = rf_philox(draw, (uint32_t)row);
        const uint64_t at = rf_uniform_below64(block.word[0], block.word[1], (uint64_t)(n - row));
        if (at < (uint64_t)(want - chosen))
            rows[chosen++] = row;
    }
}

/* ---- packing -------------------------------------------------------------------------------- */

static double scaled(double value, const rfi_range *range)
{
    if (isnan(value))
        return far_away;
    const double width = range->max - range->min;
    if (range->n == 0 || width == 0)
        return range->n && value != range->min ? 2 : 0;
    return fmin(fmax((value - range->min) / width, -1), 2);
}

static bool is_byte_column(const rfi_facing *face)
{
    return face->n_categories < 256; /* and one id for missing */
}

static void count_columns(records *r, const rfi_facing *faces, int32_t n_faces)
{
    for (int32_t i = 0; i < n_faces; i++) {
        if (!faces[i].modelled)
            continue;
        if (rfi_kind_is_continuous(faces[i].kind))
            r->n_numbers++;
        else if (is_byte_column(&faces[i]))
            r->n_bytes++;
        else
            r->n_wide++;
    }
}

/* One column into its place: cell k of column c at c * column_step + k * row_step. */
typedef struct place {
    size_t column_step, row_step;
} place;

static void pack_column(records *to, place at, int32_t column, const rfi_facing *face, const rfi_side *side,
                        const rfi_range *range, const int64_t *rows)
{
    const size_t first = (size_t)column * at.column_step;
    for (int64_t k = 0; k < to->n_rows; k++) {
        const int64_t row = rows ? rows[k] : k;
        const size_t cell = first + (size_t)k * at.row_step;
        if (range)
            to->numbers[cell] = scaled(side->values[row], range);
        else if (is_byte_column(face))
            to->bytes[cell] = (uint8_t)(side->codes[row] + 1);
        else
            to->wide[cell] = side->codes[row];
    }
}

static void pack_columns(records *to, bool real, const rfi_facing *faces, int32_t n_faces,
                         const int64_t *rows)
{
    const size_t padded = (size_t)to->n_padded;
    int32_t number = 0, byte = 0, wide = 0;
    for (int32_t i = 0; i < n_faces; i++) {
        if (!faces[i].modelled)
            continue;
        const rfi_side *side = real ? &faces[i].real : &faces[i].other;
        if (rfi_kind_is_continuous(faces[i].kind)) {
            const rfi_range range = rfi_range_of(&faces[i].real);
            const place at = real ? (place){padded, 1} : (place){1, (size_t)to->n_numbers};
            pack_column(to, at, number++, &faces[i], side, &range, rows);
        } else if (is_byte_column(&faces[i])) {
            const place at = real ? (place){padded, 1} : (place){1, (size_t)to->n_bytes};
            pack_column(to, at, byte++, &faces[i], side, NULL, rows);
        } else {
            const place at = real ? (place){padded, 1} : (place){1, (size_t)to->n_wide};
            pack_column(to, at, wide++, &faces[i], side, NULL, rows);
        }
    }
}

static rf_code pack(records *to, bool real, const rfi_facing *faces, int32_t n_faces, int64_t n_rows,
                    int64_t most, uint64_t seed, rf_error *err)
{
    rf_code rc = RF_OK;
    int64_t *rows = NULL;
    const char *what = "the distances to the closest record";
    *to = (records){.n_rows = n_rows < most ? n_rows : most};
    to->n_padded = (to->n_rows + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS;
    count_columns(to, faces, n_faces);
    RF_TRY(RF_NEW_ARRAY(&to->numbers, to->n_padded * to->n_numbers, what, err));
    RF_TRY(RF_NEW_ARRAY(&to->bytes, to->n_padded * to->n_bytes, what, err));
    RF_TRY(RF_NEW_ARRAY(&to->wide, to->n_padded * to->n_wide, what, err));
    if (to->n_rows < n_rows) {
        RF_TRY(RF_NEW_ARRAY(&rows, to->n_rows, what, err));
        draw_rows(rows, to->n_rows, n_rows, seed, real);
    }
    pack_columns(to, real, faces, n_faces, rows);
out:
    rf_free(rows);
    return rc;
}

static void free_records(records *r)
{
    rf_free(r->numbers);
    rf_free(r->bytes);
    rf_free(r->wide);
}

/* ---- the nearest ---------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

typedef struct query {
    const double *numbers;
    const uint8_t *bytes;
    const int32_t *wide;
} query;

/* Categories in which each of the group's rows differs from the query. */
ALWAYS_INLINE void count_mismatches(uint16_t counts[GROUP_ROWS], const records *real, int64_t first, query q)
{
    for (int32_t at = 0; at < real->n_bytes; at += BYTE_COLUMNS_MAX) {
        const int32_t end = real->n_bytes - at < BYTE_COLUMNS_MAX ? real->n_bytes : at + BYTE_COLUMNS_MAX;
        uint8_t few[GROUP_ROWS] = {0};
        for (int32_t c = at; c < end; c++) {
            const uint8_t *column = real->bytes + c * real->n_padded + first;
            const uint8_t wanted = q.bytes[c];
            for (int i = 0; i < GROUP_ROWS; i++)
                few[i] = (uint8_t)(few[i] + (column[i] != wanted));
        }
        for (int i = 0; i < GROUP_ROWS; i++)
            counts[i] = (uint16_t)(counts[i] + few[i]);
    }
    for (int32_t c = 0; c < real->n_wide; c++) {
        const int32_t *column = real->wide + c * real->n_padded + first;
        const int32_t wanted = q.wide[c];
        for (int i = 0; i < GROUP_ROWS; i++)
            counts[i] = (uint16_t)(counts[i] + (column[i] != wanted));
    }
}

ALWAYS_INLINE double nearest_of_part(const uint16_t counts[PART_ROWS], const records *real, int64_t first,
                                     query q, double best)
{
    double sums[PART_ROWS];
    for (int i = 0; i < PART_ROWS; i++)
        sums[i] = counts[i];
    for (int32_t c = 0; c < real->n_numbers; c++) {
        const double *column = real->numbers + c * real->n_padded + first;
        const double wanted = q.numbers[c];
        for (int i = 0; i < PART_ROWS; i++) {
            const double gap = fabs(column[i] - wanted);
            sums[i] += gap < 1 ? gap : 1;
        }
    }
    for (int i = 0; i < PART_ROWS; i++)
        best = sums[i] < best ? sums[i] : best;
    return best;
}

ALWAYS_INLINE double nearest_in_groups(const records *real, int64_t group, int64_t end, query q, double best)
{
    for (; group < end; group++) {
        uint16_t counts[GROUP_ROWS] = {0};
        const int64_t first = group * GROUP_ROWS;
        for (int64_t i = real->n_rows - first; i < GROUP_ROWS; i++)
            counts[i] = PADDING;
        count_mismatches(counts, real, first, q);
        for (int part = 0; part < GROUP_ROWS; part += PART_ROWS) {
            uint16_t least = UINT16_MAX;
            for (int i = 0; i < PART_ROWS; i++)
                least = counts[part + i] < least ? counts[part + i] : least;
            if (least < best)
                best = nearest_of_part(counts + part, real, first + part, q, best);
        }
    }
    return best;
}

static double nearest_plain(const records *real, int64_t group, int64_t end, query q, double best)
{
    return nearest_in_groups(real, group, end, q, best);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static double nearest_avx2(const records *real, int64_t group, int64_t end,
                                                           query q, double best)
{
    return nearest_in_groups(real, group, end, q, best);
}
#endif

typedef double (*nearest_fn)(const records *, int64_t, int64_t, query, double);

static nearest_fn choose_nearest(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return nearest_avx2;
#endif
    return nearest_plain;
}

/* ---- all rows ------------------------------------------------------------------------------- */

typedef struct search {
    const records *real, *other;
    nearest_fn nearest;
    double *distances;
    const atomic_int *stop;
} search;

static query query_of(const records *r, int64_t row)
{
    return (query){.numbers = r->numbers + row * r->n_numbers,
                   .bytes = r->bytes + row * r->n_bytes,
                   .wide = r->wide + row * r->n_wide};
}

static void search_block(void *arg, int64_t block)
{
    const search *job = arg;
    const int64_t from = block * BLOCK_ROWS, n_groups = job->real->n_padded / GROUP_ROWS;
    const int64_t end = job->other->n_rows - from < BLOCK_ROWS ? job->other->n_rows : from + BLOCK_ROWS;
    const int32_t n_columns = job->real->n_numbers + job->real->n_bytes + job->real->n_wide;
    for (int64_t row = from; row < end; row++)
        job->distances[row] = n_columns + 1;
    for (int64_t tile = 0; tile < n_groups; tile += TILE_GROUPS) {
        if (job->stop && atomic_load_explicit(job->stop, memory_order_relaxed))
            return;
        const int64_t tile_end = n_groups - tile < TILE_GROUPS ? n_groups : tile + TILE_GROUPS;
        for (int64_t row = from; row < end; row++)
            job->distances[row] =
                job->nearest(job->real, tile, tile_end, query_of(job->other, row), job->distances[row]);
    }
    for (int64_t row = from; row < end; row++)
        job->distances[row] /= n_columns;
}

rf_code rfi_dcr_distances(double **distances, int64_t *n, int64_t *n_real, const rfi_facing *faces,
                          int32_t n_faces, const rfi_dcr_plan *plan, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    records real = {0}, other = {0};
    int32_t first = 0;
    *distances = NULL;
    *n = *n_real = 0;
    while (first < n_faces && !faces[first].modelled)
        first++;
    if (first == n_faces || faces[first].real.n_rows == 0 || faces[first].other.n_rows == 0)
        return RF_OK;
    RF_TRY(
        pack(&real, true, faces, n_faces, faces[first].real.n_rows, plan->most_real_rows, plan->seed, err));
    RF_TRY(pack(&other, false, faces, n_faces, faces[first].other.n_rows, plan->most_rows, plan->seed, err));
    RF_TRY(RF_NEW_ARRAY(distances, other.n_rows, "the distances to the closest record", err));
    search job = {.real = &real,
                  .other = &other,
                  .nearest = choose_nearest(),
                  .distances = *distances,
                  .stop = plan->stop};
    rf_pool_run(pool, search_block, &job, (other.n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS);
    *n = other.n_rows;
    *n_real = real.n_rows;
out:
    free_records(&other);
    free_records(&real);
    return rc;
}

/* ---- the summary ---------------------------------------------------------------------------- */

/* Linear between the two nearest of the sorted values (Hyndman and Fan 1996, definition 7). */
static double quantile(const double *sorted, int64_t n, double q)
{
    const double at = q * (double)(n - 1);
    const int64_t low = (int64_t)at, high = low + 1 < n ? low + 1 : low;
    return sorted[low] + (sorted[high] - sorted[low]) * (at - (double)low);
}

static rf_code sort_doubles(double *values, int64_t n, rf_error *err)
{
    rf_code rc = RF_OK;
    uint64_t *keys = NULL;
    RF_TRY(RF_NEW_ARRAY(&keys, 2 * n, "the distances to the closest record", err));
    for (int64_t i = 0; i < n; i++)
        keys[i] = rfi_key_of(values[i]);
    rfi_sort64(keys, keys + n, n);
    for (int64_t i = 0; i < n; i++)
        values[i] = rfi_value_of(keys[i]);
out:
    rf_free(keys);
    return rc;
}

rf_code rfi_dcr(rf_dcr_summary *out, const rfi_facing *faces, int32_t n_faces, const rfi_dcr_plan *plan,
                rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    double *d = NULL, sum = 0;
    int64_t n, n_real, zeros = 0;
    *out = (rf_dcr_summary){.min = NAN, .p5 = NAN, .median = NAN, .mean = NAN, .max = NAN, .share_zero = NAN};
    RF_TRY(rfi_dcr_distances(&d, &n, &n_real, faces, n_faces, plan, pool, err));
    if (n == 0)
        goto out;
    for (int64_t i = 0; i < n; i++) {
        sum += d[i];
        zeros += d[i] == 0;
    }
    RF_TRY(sort_doubles(d, n, err));
    *out = (rf_dcr_summary){.n_synthetic = n,
                            .n_real = n_real,
                            .min = d[0],
                            .p5 = quantile(d, n, 0.05),
                            .median = quantile(d, n, 0.5),
                            .mean = sum / (double)n,
                            .max = d[n - 1],
                            .share_zero = (double)zeros / (double)n};
out:
    rf_free(d);
    return rc;
}
