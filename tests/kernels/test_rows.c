/* test_rows.c - conditions and rows that are drawn, and the order of an epoch. */
#include "rig.h"

#include <math.h>

#include "kernels/math/permute.h"

static uint32_t now = 4; /* the step's number */

static rf_noise noise_of(uint32_t purpose)
{
    return (rf_noise){.seed = 5, .step = rig_step(now), .purpose = purpose};
}

/* Two conditioned columns of 4 and 3 entries over a table of 60 rows; entry 2 of the first is held by no row. */
enum { TABLE_ROWS = 60, CONDITIONS = 7 };
static const int32_t offsets[] = {0, 4, 7};
static const double cumulative[] = {0.25, 0.75, 0.75, 1.0, 0.5, 0.6, 1.0};
static const double share[] = {0.25, 0.5, 0.0, 0.25, 0.5, 0.1, 0.4};
static const int32_t widths[] = {0, 4, 0, 3};

typedef struct table_data {
    rig_state rig;
    rig_layout layout;
    rf_coded table;
    int64_t *list_offsets; /* (CONDITIONS + 1)  */
    uint32_t *list;        /* (2 * TABLE_ROWS) */
    rf_condition_table conditions;
} table_data;

static void table_begin(table_data *d)
{
    rig_begin(&d->rig, 71);
    rig_layout_make(&d->layout, widths, 4, 2);
    d->table = rig_coded(&d->rig, &d->layout.layout, TABLE_ROWS);
    d->list_offsets = rig_bytes(&d->rig, (CONDITIONS + 1) * sizeof *d->list_offsets);
    d->list = rig_bytes(&d->rig, 2 * TABLE_ROWS * sizeof *d->list);
    int64_t n = 0;
    for (int r = 0; r < TABLE_ROWS; r++)
        d->table.codes[2 * r] = d->table.codes[2 * r] == 2 ? 3 : d->table.codes[2 * r];
    for (int e = 0; e < CONDITIONS; e++) {
        d->list_offsets[e] = n;
        for (uint32_t r = 0; r < TABLE_ROWS; r++)
            if (d->table.codes[2 * r + (e >= 4)] == e - (e >= 4 ? 4 : 0))
                d->list[n++] = r;
    }
    d->list_offsets[CONDITIONS] = n;
    d->conditions = (rf_condition_table){2,
                                         CONDITIONS,
                                         rig_copy(&d->rig, offsets, sizeof offsets),
                                         rig_copy(&d->rig, cumulative, sizeof cumulative),
                                         d->list_offsets,
                                         d->list};
}

static void conditions_are_drawn_by_their_shares(void **state)
{
    (void)state;
    enum { N = 20000 };
    table_data d;
    table_begin(&d);
    rf_draw_conditions op = {
        .n = N, .fixed_entry = -1, .table = &d.conditions, .noise = noise_of(RF_DRAW_COND_D)};
    op.out = rig_ids(&d.rig, N, 1);
    op.out_column = rig_ids(&d.rig, N, 1);
    rig_run(&d.rig, RIG_OP(draw_conditions, &op));
    int64_t seen[CONDITIONS] = {0};
    for (int i = 0; i < N; i++) {
        assert_int_equal(op.out_column[i], op.out[i] >= 4);
        seen[op.out[i]]++;
    }
    assert_int_equal(seen[2], 0);
    for (int e = 0; e < CONDITIONS; e++)
        assert_near((double)seen[e], N * share[e] / 2.0, 5.0 * sqrt(N * share[e] / 2.0 + 1.0));
    rig_end(&d.rig);
}

static void a_fixed_condition_is_in_every_row(void **state)
{
    (void)state;
    table_data d;
    table_begin(&d);
    rf_draw_conditions op = {
        .n = 33, .fixed_entry = 5, .table = &d.conditions, .noise = noise_of(RF_DRAW_COND_D)};
    op.out = rig_ids(&d.rig, 33, 1);
    op.out_column = rig_ids(&d.rig, 33, 1);
    rig_run(&d.rig, RIG_OP(draw_conditions, &op));
    for (int i = 0; i < 33; i++) {
        assert_int_equal(op.out[i], 5);
        assert_int_equal(op.out_column[i], 1);
    }
    rig_end(&d.rig);
}

static int row_of(const table_data *d, const float *scalars, const uint16_t *codes)
{
    for (int r = 0; r < TABLE_ROWS; r++)
        if (memcmp(d->table.scalars + 2 * r, scalars, 8) == 0 &&
            memcmp(d->table.codes + 2 * r, codes, 4) == 0)
            return r;
    return -1;
}

static void a_real_batch_holds_the_conditions_in_another_order(void **state)
{
    (void)state;
    enum { N = 157 };
    table_data d;
    table_begin(&d);
    int32_t *entries = rig_ids(&d.rig, N, 1), expected[CONDITIONS] = {0}, got[CONDITIONS] = {0}, moved = 0;
    for (int i = 0; i < N; i++)
        entries[i] = (i % 6) + (i % 6 >= 2);
    rf_draw_rows op = {.n = N,
                       .entries = entries,
                       .layout = &d.layout.layout,
                       .table = &d.table,
                       .conditions = &d.conditions};
    op.out_entries = rig_ids(&d.rig, N, 1);
    op.out_scalars = rig_vector(&d.rig, 2 * N);
    op.out_codes = rig_bytes(&d.rig, 4 * N);
    op.noise = noise_of(RF_DRAW_ROWS);
    op.permute = noise_of(RF_DRAW_PERMUTE);
    rig_run(&d.rig, RIG_OP(draw_rows, &op));
    for (int i = 0; i < N; i++) {
        int32_t entry = op.out_entries[i];
        expected[entries[i]]++;
        got[entry]++;
        moved += entry != entries[i];
        assert_int_equal(op.out_codes[2 * i + (entry >= 4)], entry - (entry >= 4 ? 4 : 0));
        assert_true(row_of(&d, op.out_scalars + 2 * i, op.out_codes + 2 * i) >= 0);
    }
    assert_memory_equal(expected, got, sizeof got);
    assert_true(moved > N / 2);
    rig_end(&d.rig);
}

static void rows_without_conditions_are_drawn_from_the_whole_table(void **state)
{
    (void)state;
    enum { N = 6000 };
    table_data d;
    table_begin(&d);
    rf_draw_rows op = {
        .n = N, .layout = &d.layout.layout, .table = &d.table, .noise = noise_of(RF_DRAW_ROWS)};
    op.out_scalars = rig_vector(&d.rig, 2 * N);
    op.out_codes = rig_bytes(&d.rig, 4 * N);
    rig_run(&d.rig, RIG_OP(draw_rows, &op));
    int64_t seen[TABLE_ROWS] = {0};
    for (int i = 0; i < N; i++) {
        int row = row_of(&d, op.out_scalars + 2 * i, op.out_codes + 2 * i);
        assert_true(row >= 0);
        seen[row]++;
    }
    for (int r = 0; r < TABLE_ROWS; r++)
        assert_near((double)seen[r], 100.0, 55.0);
    rig_end(&d.rig);
}

static void an_epoch_takes_every_row_once_and_the_next_one_in_another_order(void **state)
{
    (void)state;
    enum { BATCH = 25, STEPS = 3 };
    table_data d;
    table_begin(&d);
    rf_take_rows op = {.batch = BATCH,
                       .steps_per_epoch = STEPS,
                       .layout = &d.layout.layout,
                       .table = &d.table,
                       .noise = noise_of(RF_DRAW_SHUFFLE)};
    op.out_n = rig_ids(&d.rig, 1, 1);
    op.out_scalars = rig_vector(&d.rig, 2 * BATCH);
    op.out_codes = rig_bytes(&d.rig, 4 * BATCH);
    int order[2][TABLE_ROWS];
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        bool seen[TABLE_ROWS] = {false};
        for (uint32_t s = 0; s < STEPS; s++) {
            now = epoch * STEPS + s;
            op.noise = noise_of(RF_DRAW_SHUFFLE);
            rig_run(&d.rig, RIG_OP(take_rows, &op));
            assert_int_equal(*op.out_n, s < 2 ? BATCH : TABLE_ROWS - 2 * BATCH);
            for (int i = 0; i < *op.out_n; i++) {
                int row = row_of(&d, op.out_scalars + 2 * i, op.out_codes + 2 * i);
                assert_true(row >= 0 && !seen[row]);
                seen[row] = true;
                order[epoch][(int)s * BATCH + i] = row;
            }
        }
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    now = 4;
    rig_end(&d.rig);
}

/* ------------------------------------------------------------------ all draws of a step */

enum { DRAWN = 53, WIDE = 31 };

/* What a step draws; `wide` in rows of a wider matrix. */
static rf_draw_batches step_draws(table_data *d, int32_t n, bool conditions)
{
    rf_draw_batches op = {.n = n};
    for (int32_t i = 0; i < n; i++) {
        op.normal[i] = (rf_draw_normal){.out = rig_mat(&d->rig, DRAWN, WIDE, WIDE + 2 + i),
                                        .noise = noise_of(i ? RF_DRAW_NOISE_G : RF_DRAW_NOISE_D)};
        if (conditions)
            op.conditions[i] = (rf_draw_conditions){.out = rig_ids(&d->rig, DRAWN, 1),
                                                    .out_column = rig_ids(&d->rig, DRAWN, 1),
                                                    .n = DRAWN,
                                                    .fixed_entry = -1,
                                                    .table = &d->conditions,
                                                    .noise = noise_of(i ? RF_DRAW_COND_G : RF_DRAW_COND_D)};
    }
    op.rows = (rf_draw_rows){.n = DRAWN,
                             .entries = op.conditions[0].out,
                             .out_entries = conditions ? rig_ids(&d->rig, DRAWN, 1) : NULL,
                             .out_scalars = rig_vector(&d->rig, 2 * DRAWN),
                             .out_codes = rig_bytes(&d->rig, 4 * DRAWN),
                             .layout = &d->layout.layout,
                             .table = &d->table,
                             .conditions = conditions ? &d->conditions : NULL,
                             .noise = noise_of(RF_DRAW_ROWS),
                             .permute = noise_of(RF_DRAW_PERMUTE)};
    return op;
}

static void check_same_draws(const rf_draw_batches *a, const rf_draw_batches *b)
{
    for (int32_t i = 0; i < a->n; i++) {
        for (int32_t r = 0; r < DRAWN; r++)
            assert_memory_equal(a->normal[i].out.data + r * a->normal[i].out.ld,
                                b->normal[i].out.data + r * b->normal[i].out.ld, WIDE * sizeof(float));
        if (!a->conditions[i].out)
            continue;
        assert_memory_equal(a->conditions[i].out, b->conditions[i].out, DRAWN * sizeof(int32_t));
        assert_memory_equal(a->conditions[i].out_column, b->conditions[i].out_column,
                            DRAWN * sizeof(int32_t));
        assert_memory_equal(a->rows.out_entries, b->rows.out_entries, DRAWN * sizeof(int32_t));
    }
    assert_memory_equal(a->rows.out_scalars, b->rows.out_scalars, 2 * DRAWN * sizeof(float));
    assert_memory_equal(a->rows.out_codes, b->rows.out_codes, 4 * DRAWN);
}

static void check_draws(int32_t n, bool conditions)
{
    table_data d;
    table_begin(&d);
    const rf_draw_batches together = step_draws(&d, n, conditions), alone = step_draws(&d, n, conditions);
    rig_run(&d.rig, RIG_OP(draw_batches, &together));
    for (int32_t i = 0; i < n; i++) {
        rig_run(&d.rig, RIG_OP(draw_normal, &alone.normal[i]));
        if (conditions)
            rig_run(&d.rig, RIG_OP(draw_conditions, &alone.conditions[i]));
    }
    rig_run(&d.rig, RIG_OP(draw_rows, &alone.rows));
    check_same_draws(&together, &alone);
    rig_end(&d.rig);
}

static void what_a_step_draws_at_once_is_what_it_draws_one_by_one(void **state)
{
    (void)state;
    check_draws(2, true);
    check_draws(2, false);
    check_draws(1, true);
}

/* ------------------------------------------------------------------ a layer on the rows of an epoch */

static rf_take_layer layer_on_rows(table_data *d, int32_t batch, int32_t cols, rf_mat w, const float *bias)
{
    rf_take_layer op = {.take = {.batch = batch,
                                 .steps_per_epoch = 3,
                                 .out_n = rig_ids(&d->rig, 1, 1),
                                 .out_scalars = rig_bytes(&d->rig, 8 * (size_t)batch),
                                 .out_codes = rig_bytes(&d->rig, 4 * (size_t)batch),
                                 .layout = &d->layout.layout,
                                 .table = &d->table,
                                 .noise = noise_of(RF_DRAW_SHUFFLE)}};
    op.affine = (rf_affine_coded){.y = rig_mat(&d->rig, batch, cols, cols + 1),
                                  .w = w,
                                  .bias = bias,
                                  .layout = &d->layout.layout,
                                  .scalars = op.take.out_scalars,
                                  .codes = op.take.out_codes,
                                  .pack = 1,
                                  .relu = true};
    return op;
}

static void a_layer_on_the_rows_of_an_epoch_is_its_parts(void **state)
{
    (void)state;
    enum { BATCH = 25, COLS = 70 };
    table_data d;
    table_begin(&d);
    const rf_mat w = rig_mat(&d.rig, d.layout.layout.width, COLS, COLS);
    const float *bias = rig_vector(&d.rig, COLS);
    rf_take_layer op = layer_on_rows(&d, BATCH, COLS, w, bias),
                  parts = layer_on_rows(&d, BATCH, COLS, w, bias);
    for (now = 1; now < 5; now++) { /* step 2 ends the epoch with a short batch */
        op.take.noise = parts.take.noise = noise_of(RF_DRAW_SHUFFLE);
        rig_run(&d.rig, RIG_OP(take_layer, &op));
        rig_run(&d.rig, RIG_OP(take_rows, &parts.take));
        rig_run(&d.rig, RIG_OP(affine_coded, &parts.affine));
        assert_int_equal(*op.take.out_n, now == 2 ? TABLE_ROWS - 2 * BATCH : BATCH);
        assert_int_equal(*op.take.out_n, *parts.take.out_n);
        assert_memory_equal(op.take.out_scalars, parts.take.out_scalars, 8 * BATCH);
        assert_memory_equal(op.take.out_codes, parts.take.out_codes, 4 * BATCH);
        for (int32_t r = 0; r < BATCH; r++)
            assert_memory_equal(op.affine.y.data + r * op.affine.y.ld,
                                parts.affine.y.data + r * parts.affine.y.ld, COLS * sizeof(float));
    }
    now = 4;
    rig_end(&d.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_drawn_by_their_shares),
        cmocka_unit_test(a_fixed_condition_is_in_every_row),
        cmocka_unit_test(a_real_batch_holds_the_conditions_in_another_order),
        cmocka_unit_test(rows_without_conditions_are_drawn_from_the_whole_table),
        cmocka_unit_test(a_layer_on_the_rows_of_an_epoch_is_its_parts),
        cmocka_unit_test(what_a_step_draws_at_once_is_what_it_draws_one_by_one),
        cmocka_unit_test(an_epoch_takes_every_row_once_and_the_next_one_in_another_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
