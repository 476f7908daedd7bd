#include "rf_test.h"

#include "core/alloc.h"
#include "engine/transform/atoms.h"

/* 90 zeros, then 10 values from 114 up in steps of 100. */
static void fill_gains(double values[100])
{
    for (int i = 0; i < 100; i++)
        values[i] = i % 10 == 3 ? 114.0 + 100.0 * (i / 10) : 0.0;
}

static void a_pile_draws_what_lies_nearer_to_it_than_to_its_neighbours(void **state)
{
    (void)state;
    rf_error err = {0};
    double values[100];
    rfi_atoms atoms;
    fill_gains(values);
    assert_ok(rfi_atoms_learn(&atoms, values, 100, 1.0, &err));
    assert_int_equal(atoms.n, 1);
    assert_near(rfi_atoms_snap(&atoms, 3.0), 0.0, 0.0);
    assert_near(rfi_atoms_snap(&atoms, 57.0), 0.0, 0.0);
    assert_near(rfi_atoms_snap(&atoms, 57.5), 57.5, 0.0);
    assert_near(rfi_atoms_snap(&atoms, -1.0), -1.0, 0.0);
    assert_near(rfi_atoms_snap(&atoms, 1000.0), 1000.0, 0.0);
}

static void a_dense_column_has_no_atom(void **state)
{
    (void)state;
    rf_error err = {0};
    double values[1000];
    rfi_atoms atoms;
    for (int i = 0; i < 1000; i++)
        values[i] = i % 50;
    assert_ok(rfi_atoms_learn(&atoms, values, 1000, 1.0, &err));
    assert_int_equal(atoms.n, 0);
}

static void the_most_frequent_piles_are_kept_in_order(void **state)
{
    (void)state;
    rf_error err = {0};
    enum { N = 40 * 50 };
    static double values[N + 40];
    rfi_atoms atoms;
    int n = 0;
    for (int pile = 0; pile < 40; pile++)
        for (int i = 0; i < 30 + pile; i++)
            values[n++] = 10.0 * pile;
    assert_true(n <= N + 40);
    assert_ok(rfi_atoms_learn(&atoms, values, n, 1.0, &err));
    assert_int_equal(atoms.n, RFI_ATOMS_MAX);
    assert_near(atoms.atom[0].value, 80.0, 0.0); /* the eight rarest of forty are gone */
    for (int i = 1; i < atoms.n; i++)
        assert_true(atoms.atom[i - 1].high <= atoms.atom[i].low);
}

static void atoms_survive_the_model_file_and_impossible_ones_are_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    double values[100];
    rfi_atoms atoms, back;
    rf_buf bytes;
    rf_reader reader;
    rf_buf_init(&bytes);
    fill_gains(values);
    assert_ok(rfi_atoms_learn(&atoms, values, 100, 1.0, &err));
    rfi_atoms_store(&atoms, &bytes);
    rf_reader_init(&reader, bytes.data, bytes.size_bytes);
    assert_true(rfi_atoms_load(&back, &reader));
    assert_int_equal(back.n, atoms.n);
    assert_near(back.atom[0].high, 57.0, 0.0);
    for (size_t cut = 0; cut < bytes.size_bytes; cut++) {
        rf_reader_init(&reader, bytes.data, cut);
        assert_false(rfi_atoms_load(&back, &reader));
    }
    atoms.atom[0].high = -5.0;
    rf_buf_clear(&bytes);
    rfi_atoms_store(&atoms, &bytes);
    rf_reader_init(&reader, bytes.data, bytes.size_bytes);
    assert_false(rfi_atoms_load(&back, &reader));
    rf_buf_free(&bytes);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    double values[100];
    rfi_atoms atoms;
    fill_gains(values);
    for (int64_t nth = 1;; nth++) {
        rf_error err = {0};
        rf_alloc_fail_at(nth);
        const rf_code rc = rfi_atoms_learn(&atoms, values, 100, 1.0, &err);
        rf_alloc_fail_at(0);
        if (rc == RF_OK)
            break;
        assert_int_equal(rc, RF_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pile_draws_what_lies_nearer_to_it_than_to_its_neighbours),
        cmocka_unit_test(a_dense_column_has_no_atom),
        cmocka_unit_test(the_most_frequent_piles_are_kept_in_order),
        cmocka_unit_test(atoms_survive_the_model_file_and_impossible_ones_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
