#include "core/philox.h"
#include "engine/quality/copies.h"
#include "engine/quality/dcr.h"
#include "hand_table.h"

enum { N_COLUMNS = 7, WIDE = 400 };

/* A table of random cells: numbers with holes, a constant, an empty column, few and many categories. */
static rf_table *random_table(int64_t n_rows, uint64_t seed)
{
    double *numbers = calloc((size_t)n_rows, sizeof *numbers), *whole = calloc((size_t)n_rows, sizeof *whole);
    double *constant = calloc((size_t)n_rows, sizeof *constant),
           *empty = calloc((size_t)n_rows, sizeof *empty);
    const char **few = calloc((size_t)n_rows, sizeof *few), **many = calloc((size_t)n_rows, sizeof *many);
    const char **ids = calloc((size_t)n_rows, sizeof *ids);
    static const char *const words[] = {"a", "b", "c", NULL};
    static char names[WIDE][8];
    for (int64_t row = 0; row < n_rows; row++) {
        const rf_philox_block w = rf_philox((rf_draw){.seed = seed, .purpose = RF_DRAW_DEMO}, (uint32_t)row);
        numbers[row] = w.word[0] % 10 == 0 ? NAN : (double)w.word[0] / 65536.0 - (seed == 2 ? 9000 : 0);
        whole[row] = w.word[1] % 7;
        constant[row] = seed == 2 && w.word[1] % 3 == 0 ? 4 : 5;
        empty[row] = seed == 2 && w.word[2] % 2 ? 1 : NAN;
        few[row] = words[w.word[2] % 4];
        const uint32_t name = w.word[3] % WIDE;
        snprintf(names[name], sizeof names[name], "n%u", name);
        many[row] = names[name];
        ids[row] = names[name];
    }
    rf_table *table = hand_table(n_rows, (hand_column[]){{"number", RF_KIND_CONTINUOUS, .values = numbers},
                                                         {"few", RF_KIND_CATEGORICAL, .texts = few},
                                                         {"whole", RF_KIND_INTEGER, .values = whole},
                                                         {"id", RF_KIND_ID, .texts = ids},
                                                         {"constant", RF_KIND_INTEGER, .values = constant},
                                                         {"many", RF_KIND_CATEGORICAL, .texts = many},
                                                         {"empty", RF_KIND_CONTINUOUS, .values = empty},
                                                         {0}});
    free(numbers), free(whole), free(constant), free(empty), free(few), free(many), free(ids);
    return table;
}

static rfi_facing *face(rf_arena *arena, const rf_table *a, const rf_table *b)
{
    static const int32_t fields[N_COLUMNS] = {0, 1, 2, 3, 4, 5, 6};
    rf_error err = {0};
    rfi_facing *faces;
    assert_ok(rfi_face(&faces, arena, a, b, fields, N_COLUMNS, &err));
    return faces;
}

/* ---- the plain loop ------------------------------------------------------------------------- */

static double plain_gap(const rfi_facing *f, int64_t other, int64_t real)
{
    if (f->real.codes)
        return f->other.codes[other] != f->real.codes[real];
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < f->real.n_rows; i++) {
        if (!isnan(f->real.values[i])) {
            low = fmin(low, f->real.values[i]);
            high = fmax(high, f->real.values[i]);
        }
    }
    const double s = f->other.values[other], r = f->real.values[real];
    if (isnan(s) || isnan(r))
        return isnan(s) != isnan(r);
    return high == low ? s != r : fmin(fabs(s - r) / (high - low), 1);
}

static double plain_distance(const rfi_facing *faces, int64_t other)
{
    double best = INFINITY;
    for (int64_t real = 0; real < faces[0].real.n_rows; real++) {
        double sum = 0;
        int n = 0;
        for (int i = 0; i < N_COLUMNS; i++) {
            if (faces[i].modelled) {
                sum += plain_gap(&faces[i], other, real);
                n++;
            }
        }
        best = fmin(best, sum / n);
    }
    return best;
}

static void distances_are_those_of_the_plain_loop(void **state)
{
    static const int64_t sizes[][2] = {{1, 1}, {1, 3}, {63, 5}, {64, 33}, {65, 31}, {300, 70}};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        rf_error err = {0};
        rf_arena arena;
        rf_arena_init(&arena);
        rf_table *real = random_table(sizes[s][0], 1), *other = random_table(sizes[s][1], 2);
        const rfi_facing *faces = face(&arena, real, other);
        const rfi_dcr_plan plan = {.most_rows = 1000, .most_real_rows = 1000};
        double *distances;
        int64_t n, n_real;
        assert_ok(rfi_dcr_distances(&distances, &n, &n_real, faces, N_COLUMNS, &plan, NULL, &err));
        assert_int_equal(n, sizes[s][1]);
        assert_int_equal(n_real, sizes[s][0]);
        for (int64_t row = 0; row < n; row++)
            assert_near(distances[row], plain_distance(faces, row), 1e-12);
        free(distances);
        rf_arena_free(&arena);
        rf_table_free(real);
        rf_table_free(other);
    }
}

static void a_subsample_is_drawn_by_the_seed_and_for_any_number_of_threads(void **state)
{
    rf_error err = {0};
    rf_arena arena;
    rf_pool *pool = NULL;
    rf_dcr_summary a, b, c;
    (void)state;
    rf_arena_init(&arena);
    assert_ok(rf_pool_create(&pool, 3, &err));
    rf_table *real = random_table(900, 1), *other = random_table(500, 2);
    const rfi_facing *faces = face(&arena, real, other);
    rfi_dcr_plan plan = {.most_rows = 200, .most_real_rows = 300, .seed = 5};
    assert_ok(rfi_dcr(&a, faces, N_COLUMNS, &plan, NULL, &err));
    assert_ok(rfi_dcr(&b, faces, N_COLUMNS, &plan, pool, &err));
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(a.n_synthetic, 200);
    assert_int_equal(a.n_real, 300);
    plan.seed = 6;
    assert_ok(rfi_dcr(&c, faces, N_COLUMNS, &plan, pool, &err));
    assert_true(memcmp(&a, &c, sizeof a) != 0);
    rf_arena_free(&arena);
    rf_table_free(real);
    rf_table_free(other);
    rf_pool_free(pool);
}

static void a_table_is_at_distance_0_from_itself_and_all_copies(void **state)
{
    rf_error err = {0};
    rf_arena arena;
    rf_dcr_summary dcr;
    int64_t copies;
    (void)state;
    rf_arena_init(&arena);
    rf_table *real = random_table(257, 2);
    const rfi_facing *faces = face(&arena, real, real);
    assert_ok(rfi_dcr(&dcr, faces, N_COLUMNS, &(rfi_dcr_plan){.most_rows = 1000, .most_real_rows = 1000},
                      NULL, &err));
    assert_near(dcr.max, 0, 0);
    assert_near(dcr.share_zero, 1, 0);
    assert_ok(rfi_count_copies(&copies, faces, N_COLUMNS, NULL, &err));
    assert_int_equal(copies, 257);
    rf_arena_free(&arena);
    rf_table_free(real);
}

static void rows_at_distance_0_are_the_exact_copies(void **state)
{
    const hand_column a = {"n", RF_KIND_INTEGER, .values = NUMBERS(1, 2, NAN, 1)};
    const hand_column b = {"t", RF_KIND_CATEGORICAL, .texts = TEXTS("x", "y", NULL, "y")};
    const hand_column c = {"n", RF_KIND_INTEGER, .values = NUMBERS(NAN, 1, 2, 1)};
    const hand_column d = {"t", RF_KIND_CATEGORICAL, .texts = TEXTS(NULL, "y", "x", "x")};
    rf_error err = {0};
    rf_arena arena;
    rfi_facing *faces;
    rf_dcr_summary dcr;
    int64_t copies;
    (void)state;
    rf_arena_init(&arena);
    rf_table *real = hand_table(4, (hand_column[]){a, b, {0}}),
             *other = hand_table(4, (hand_column[]){c, d, {0}});
    assert_ok(rfi_face(&faces, &arena, real, other, (const int32_t[]){0, 1}, 2, &err));
    assert_ok(rfi_count_copies(&copies, faces, 2, NULL, &err));
    assert_int_equal(copies, 3);
    assert_ok(rfi_dcr(&dcr, faces, 2, &(rfi_dcr_plan){.most_rows = 9, .most_real_rows = 9}, NULL, &err));
    assert_near(dcr.share_zero, 0.75, 0);
    assert_near(dcr.max, 0.5, 0); /* (2, x): one of two columns differs from (2, y), by 1 */
    assert_near(dcr.median, 0, 0);
    rf_arena_free(&arena);
    rf_table_free(real);
    rf_table_free(other);
}

static void a_key_of_two_columns_repeats_only_when_both_do(void **state)
{
    const hand_column a = {"n", RF_KIND_INTEGER, .values = NUMBERS(1, 1, NAN, 1, NAN)};
    const hand_column b = {"t", RF_KIND_ID, .texts = TEXTS("x", "y", "x", "x", NULL)};
    rf_error err = {0};
    int64_t bad;
    (void)state;
    rf_table *table = hand_table(5, (hand_column[]){a, b, {0}});
    assert_ok(rfi_count_bad_keys(&bad, table, (const int32_t[]){0, 1}, 2, NULL, &err));
    assert_int_equal(bad, 2); /* row 3 repeats row 0, row 4 is empty */
    rf_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_those_of_the_plain_loop),
        cmocka_unit_test(a_subsample_is_drawn_by_the_seed_and_for_any_number_of_threads),
        cmocka_unit_test(a_table_is_at_distance_0_from_itself_and_all_copies),
        cmocka_unit_test(rows_at_distance_0_are_the_exact_copies),
        cmocka_unit_test(a_key_of_two_columns_repeats_only_when_both_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
