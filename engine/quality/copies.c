#include "engine/quality/copies.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "engine/quality/sort64.h"

enum { BLOCK_ROWS = 4096 };

static int64_t n_blocks_of(int64_t n_rows)
{
    return (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

static int64_t block_end(int64_t block, int64_t n_rows)
{
    const int64_t end = (block + 1) * BLOCK_ROWS;
    return end < n_rows ? end : n_rows;
}

/* ---- one row -------------------------------------------------------------------------------- */

static bool cell_missing(const rfi_side *side, int64_t row)
{
    return side->codes ? side->codes[row] < 0 : isnan(side->values[row]);
}

static uint64_t cell_bits(const rfi_side *side, int64_t row)
{
    if (side->codes)
        return (uint64_t)(int64_t)side->codes[row];
    return isnan(side->values[row]) ? UINT64_MAX : rfi_key_of(side->values[row]);
}

static bool rows_equal(const rfi_side *a, int64_t row_a, const rfi_side *b, int64_t row_b, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if (cell_bits(&a[i], row_a) != cell_bits(&b[i], row_b))
            return false;
    }
    return true;
}

/* The finisher of splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

typedef struct hashing {
    uint64_t *hashes; /* (n_rows) */
    const rfi_side *sides;
    int32_t n_sides;
    int64_t n_rows;
} hashing;

static void hash_block(void *arg, int64_t block)
{
    const hashing *job = arg;
    const int64_t end = block_end(block, job->n_rows);
    for (int32_t i = 0; i < job->n_sides; i++) {
        for (int64_t row = block * BLOCK_ROWS; row < end; row++)
            job->hashes[row] =
                mix(job->hashes[row] + cell_bits(&job->sides[i], row) + UINT64_C(0x9E3779B97F4A7C15));
    }
}

/* ---- a set of rows -------------------------------------------------------------------------- */

typedef struct row_set {
    const rfi_side *sides;
    int32_t n_sides;
    int64_t n_rows;
    uint64_t *hashes; /* (n_rows)                              */
    int64_t *slots;   /* (n_slots, a power of two) row + 1, or 0 */
    uint64_t n_slots;
} row_set;

static rf_code open_set(row_set *set, const rfi_side *sides, int32_t n_sides, int64_t n_rows, rf_pool *pool,
                        rf_error *err)
{
    rf_code rc = RF_OK;
    *set = (row_set){.sides = sides, .n_sides = n_sides, .n_rows = n_rows, .n_slots = 16};
    while (set->n_slots < 2 * (uint64_t)n_rows)
        set->n_slots *= 2;
    RF_TRY(RF_NEW_ARRAY(&set->hashes, n_rows, "the search for copies", err));
    RF_TRY(RF_NEW_ARRAY(&set->slots, set->n_slots, "the search for copies", err));
    hashing job = {.hashes = set->hashes, .sides = sides, .n_sides = n_sides, .n_rows = n_rows};
    rf_pool_run(pool, hash_block, &job, n_blocks_of(n_rows));
out:
    return rc;
}

static void close_set(row_set *set)
{
    rf_free(set->hashes);
    rf_free(set->slots);
}

/* The slot of the row that equals row `row` of `sides`, or the free slot where it belongs. */
static uint64_t find_slot(const row_set *set, const rfi_side *sides, int64_t row, uint64_t hash)
{
    uint64_t slot = hash & (set->n_slots - 1);
    for (; set->slots[slot]; slot = (slot + 1) & (set->n_slots - 1)) {
        const int64_t other = set->slots[slot] - 1;
        if (set->hashes[other] == hash && rows_equal(set->sides, other, sides, row, set->n_sides))
            break;
    }
    return slot;
}

/* False when an equal row is there already. */
static bool insert(row_set *set, int64_t row)
{
    const uint64_t slot = find_slot(set, set->sides, row, set->hashes[row]);
    if (set->slots[slot])
        return false;
    set->slots[slot] = row + 1;
    return true;
}

/* ---- copies of real rows -------------------------------------------------------------------- */

typedef struct lookup {
    const row_set *real;
    const rfi_side *sides; /* of the other table */
    const uint64_t *hashes;
    int64_t n_rows;
    int64_t *found; /* (n_blocks) */
} lookup;

static void look_up_block(void *arg, int64_t block)
{
    const lookup *job = arg;
    const int64_t end = block_end(block, job->n_rows);
    for (int64_t row = block * BLOCK_ROWS; row < end; row++)
        job->found[block] += job->real->slots[find_slot(job->real, job->sides, row, job->hashes[row])] != 0;
}

static rf_code count_in_set(int64_t *out, const row_set *real, const rfi_side *sides, int64_t n_rows,
                            rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    uint64_t *hashes = NULL;
    int64_t *found = NULL;
    const int64_t n_blocks = n_blocks_of(n_rows);
    RF_TRY(RF_NEW_ARRAY(&hashes, n_rows, "the search for copies", err));
    RF_TRY(RF_NEW_ARRAY(&found, n_blocks, "the search for copies", err));
    hashing hash = {.hashes = hashes, .sides = sides, .n_sides = real->n_sides, .n_rows = n_rows};
    rf_pool_run(pool, hash_block, &hash, n_blocks);
    lookup look = {.real = real, .sides = sides, .hashes = hashes, .n_rows = n_rows, .found = found};
    rf_pool_run(pool, look_up_block, &look, n_blocks);
    for (int64_t block = 0; block < n_blocks; block++)
        *out += found[block];
out:
    rf_free(found);
    rf_free(hashes);
    return rc;
}

rf_code rfi_count_copies(int64_t *out, const rfi_facing *faces, int32_t n_faces, rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    row_set set = {0};
    rfi_side *real = NULL;
    int32_t n = 0;
    *out = 0;
    RF_TRY(RF_NEW_ARRAY(&real, 2 * (size_t)n_faces, "the search for copies", err));
    rfi_side *other = real + n_faces;
    for (int32_t i = 0; i < n_faces; i++) {
        if (faces[i].modelled) {
            real[n] = faces[i].real;
            other[n++] = faces[i].other;
        }
    }
    if (n == 0)
        goto out;
    RF_TRY(open_set(&set, real, n, real[0].n_rows, pool, err));
    for (int64_t row = 0; row < set.n_rows; row++)
        insert(&set, row);
    RF_TRY(count_in_set(out, &set, other, other[0].n_rows, pool, err));
out:
    close_set(&set);
    rf_free(real);
    return rc;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static bool all_missing(const rfi_side *sides, int32_t n, int64_t row)
{
    for (int32_t i = 0; i < n; i++) {
        if (!cell_missing(&sides[i], row))
            return false;
    }
    return true;
}

rf_code rfi_count_bad_keys(int64_t *out, const rf_table *table, const int32_t *fields, int32_t n_fields,
                           rf_pool *pool, rf_error *err)
{
    rf_code rc = RF_OK;
    row_set set = {0};
    rfi_side *sides = NULL;
    *out = 0;
    RF_TRY(RF_NEW_ARRAY(&sides, n_fields, "the keys of a table", err));
    for (int32_t i = 0; i < n_fields; i++) {
        const rf_column *column = &table->columns[fields[i]];
        sides[i] = (rfi_side){.values = column->values, .codes = column->codes, .n_rows = table->n_rows};
    }
    RF_TRY(open_set(&set, sides, n_fields, table->n_rows, pool, err));
    for (int64_t row = 0; row < table->n_rows; row++)
        *out += !insert(&set, row) || all_missing(sides, n_fields, row);
out:
    close_set(&set);
    rf_free(sides);
    return rc;
}
