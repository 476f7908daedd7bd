/* alloc.h and arena.h */
#include "rf_test.h"

#include "core/alloc.h"
#include "core/arena.h"

static bool is_zero(const void *bytes, size_t size)
{
    const char *at = bytes;
    for (size_t i = 0; i < size; i++)
        if (at[i])
            return false;
    return true;
}

/* ---- alloc ----------------------------------------------------------------------------------- */

static void arrays_are_zeroed_and_aligned_to_a_cache_line(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 3, 8, 1000, 100003};
    rf_error err = {0};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double *values = NULL;
        assert_ok(RF_NEW_ARRAY(&values, counts[i], "some values", &err));
        assert_non_null(values);
        assert_int_equal((uintptr_t)values % 64, 0);
        assert_true(is_zero(values, counts[i] * sizeof *values));
        rf_free(values);
    }
    rf_free(NULL);
}

static void product_that_overflows_is_a_sentence_that_names_the_thing(void **state)
{
    (void)state;
    static const size_t counts[] = {SIZE_MAX, SIZE_MAX / 8 + 1, SIZE_MAX / 16, (size_t)INT64_C(-1)};
    rf_error err;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double *values = (double *)&err;
        assert_fails(RF_NEW_ARRAY(&values, counts[i], "the column age", &err), RF_NO_MEMORY,
                     "the column age");
        assert_null(values);
    }
    assert_null(rf_malloc(SIZE_MAX));
    assert_null(rf_realloc(NULL, SIZE_MAX));
}

static void growing_keeps_the_content_and_a_failure_changes_nothing(void **state)
{
    (void)state;
    rf_error err = {0};
    void *array = NULL;
    size_t capacity = 0;
    for (size_t needed = 1; needed < 5000; needed = needed * 3 + 1) {
        assert_ok(rf_grow_array(&array, &capacity, needed, sizeof(int), "numbers", &err));
        assert_true(capacity >= needed);
        ((int *)array)[needed - 1] = (int)needed;
    }
    for (size_t needed = 1; needed < 5000; needed = needed * 3 + 1)
        assert_int_equal(((int *)array)[needed - 1], (int)needed);
    void *before = array;
    size_t capacity_before = capacity;
    rf_alloc_fail_at(1);
    assert_fails(rf_grow_array(&array, &capacity, 100000, sizeof(int), "numbers", &err), RF_NO_MEMORY,
                 "numbers");
    rf_alloc_fail_at(0);
    assert_fails(rf_grow_array(&array, &capacity, SIZE_MAX, sizeof(int), "numbers", &err), RF_NO_MEMORY,
                 "numbers");
    assert_ptr_equal(array, before);
    assert_int_equal(capacity, capacity_before);
    rf_free(array);
}

static void only_the_nth_allocation_fails(void **state)
{
    (void)state;
    for (int nth = 0; nth <= 5; nth++) {
        rf_alloc_fail_at(nth);
        for (int i = 1; i <= 5; i++) {
            void *piece = rf_malloc(8);
            assert_int_equal(piece == NULL, i == nth);
            rf_free(piece);
        }
        assert_int_equal(rf_alloc_count(), 5);
    }
    rf_alloc_fail_at(0);
}

/* ---- arena ----------------------------------------------------------------------------------- */

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    enum { N = 300 };
    unsigned char *pieces[N];
    size_t sizes[N], used = 0;
    rf_error err = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    for (size_t i = 0; i < N; i++) {
        sizes[i] = (i * 7919) % 2500;
        pieces[i] = rf_arena_alloc(&arena, sizes[i], 1);
        assert_non_null(pieces[i]);
        assert_true(is_zero(pieces[i], sizes[i]));
        assert_int_equal((uintptr_t)pieces[i] % (sizes[i] >= 64 ? 64 : 16), 0);
        memset(pieces[i], (int)(i % 255) + 1, sizes[i]);
        used += sizes[i];
    }
    for (size_t i = 0; i < N; i++)
        for (size_t byte = 0; byte < sizes[i]; byte++)
            assert_int_equal(pieces[i][byte], i % 255 + 1);
    assert_int_equal(arena.used_bytes, used);
    assert_ok(rf_arena_check(&arena, "pieces", &err));
    rf_arena_free(&arena);
}

static void freed_arena_serves_again(void **state)
{
    (void)state;
    rf_arena arena;
    rf_arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        int64_t *values = RF_ARENA_ARRAY(&arena, int64_t, 5000);
        assert_true(is_zero(values, 5000 * sizeof *values));
        values[4999] = 1;
        rf_arena_free(&arena);
        assert_int_equal(arena.used_bytes, 0);
    }
    rf_arena_free(NULL);
}

static void string_is_copied_and_ended(void **state)
{
    (void)state;
    rf_arena arena;
    rf_arena_init(&arena);
    assert_string_equal(rf_arena_string(&arena, "abcdef", 3), "abc");
    assert_string_equal(rf_arena_string(&arena, NULL, 0), "");
    rf_arena_free(&arena);
}

static void arena_failure_is_sticky_and_checked_once(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    assert_non_null(RF_ARENA_NEW(&arena, int));
    assert_null(RF_ARENA_ARRAY(&arena, double, SIZE_MAX / 2));
    assert_null(RF_ARENA_NEW(&arena, int));
    assert_null(rf_arena_string(&arena, "a", 1));
    assert_fails(rf_arena_check(&arena, "the schema", &err), RF_NO_MEMORY, "the schema");
    rf_arena_free(&arena);
    err = (rf_error){0};
    assert_ok(rf_arena_check(&arena, "the schema", &err));
}

static rf_code fill_arena(rf_arena *arena, rf_error *err)
{
    for (int i = 0; i < 40; i++) {
        (void)RF_ARENA_ARRAY(arena, double, i * 100);
        (void)rf_arena_string(arena, "a name", 6);
    }
    return rf_arena_check(arena, "the arena under test", err);
}

static void arena_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_arena arena;
    rf_arena_init(&arena);
    rf_alloc_fail_at(0);
    assert_ok(fill_arena(&arena, &err));
    rf_arena_free(&arena);
    int64_t n_allocations = rf_alloc_count();
    assert_true(n_allocations > 2);
    for (int64_t nth = 1; nth <= n_allocations; nth++) {
        rf_alloc_fail_at(nth);
        assert_fails(fill_arena(&arena, &err), RF_NO_MEMORY, "the arena under test");
        rf_arena_free(&arena);
    }
    rf_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_zeroed_and_aligned_to_a_cache_line),
        cmocka_unit_test(product_that_overflows_is_a_sentence_that_names_the_thing),
        cmocka_unit_test(growing_keeps_the_content_and_a_failure_changes_nothing),
        cmocka_unit_test(only_the_nth_allocation_fails),
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(freed_arena_serves_again),
        cmocka_unit_test(string_is_copied_and_ended),
        cmocka_unit_test(arena_failure_is_sticky_and_checked_once),
        cmocka_unit_test(arena_survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
