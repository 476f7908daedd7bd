#include "rf_test.h"

#include <stdatomic.h>
#include <time.h>

#include "core/alloc.h"
#include "core/pool.h"

enum { MOST_THREADS = 8, MOST_TASKS = 1000 };

typedef struct tally {
    int64_t done[MOST_TASKS]; /* plain on purpose: a task writes only what is its own */
    int64_t input;
} tally;

static void count_task(void *arg, int64_t task)
{
    tally *t = arg;
    t->done[task] += t->input;
}

static void every_task_runs_once_whatever_the_number_of_threads(void **state)
{
    (void)state;
    static const int64_t task_counts[] = {0, 1, 2, 3, 7, 64, MOST_TASKS};
    rf_error err = {0};
    for (int n_threads = 1; n_threads <= MOST_THREADS; n_threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, n_threads, &err));
        assert_int_equal(rf_pool_threads(pool), n_threads);
        for (size_t c = 0; c < sizeof task_counts / sizeof *task_counts; c++) {
            tally t = {.input = 1};
            rf_pool_run(pool, count_task, &t, task_counts[c]);
            for (int64_t task = 0; task < MOST_TASKS; task++)
                assert_int_equal(t.done[task], task < task_counts[c]);
        }
        rf_pool_free(pool);
    }
}

/* Each run reads what the run before wrote, and the caller writes between them without a lock. */
static void many_short_runs_see_each_other(void **state)
{
    (void)state;
    enum { N_RUNS = 3000, N_TASKS = 5 };
    rf_error err = {0};
    for (int n_threads = 1; n_threads <= MOST_THREADS; n_threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, n_threads, &err));
        static tally t;
        memset(&t, 0, sizeof t);
        int64_t expected = 0;
        for (int64_t run = 0; run < N_RUNS; run++) {
            t.input = run % 17;
            expected += t.input;
            rf_pool_run(pool, count_task, &t, N_TASKS);
        }
        for (int64_t task = 0; task < N_TASKS; task++)
            assert_int_equal(t.done[task], expected);
        rf_pool_free(pool);
    }
}

static void sleeping_threads_are_called_back(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_pool *pool = NULL;
    tally t = {.input = 1};
    assert_ok(rf_pool_create(&pool, 4, &err));
    for (int run = 0; run < 20; run++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* well over the spin */
        rf_pool_run(pool, count_task, &t, 100);
    }
    for (int64_t task = 0; task < 100; task++)
        assert_int_equal(t.done[task], 20);
    rf_pool_free(pool);
}

typedef struct meeting {
    _Atomic int64_t n_present;
    int64_t n_expected;
} meeting;

/* Ends only when all tasks are under way at once, so it proves that threads really help. */
static void wait_for_the_others(void *arg, int64_t task)
{
    (void)task;
    meeting *m = arg;
    atomic_fetch_add(&m->n_present, 1);
    while (atomic_load(&m->n_present) < m->n_expected)
        nanosleep(&(struct timespec){.tv_nsec = 10000}, NULL);
}

static void tasks_run_side_by_side(void **state)
{
    (void)state;
    rf_error err = {0};
    for (int n_threads = 2; n_threads <= MOST_THREADS; n_threads++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, n_threads, &err));
        meeting m = {.n_expected = n_threads};
        rf_pool_run(pool, wait_for_the_others, &m, n_threads);
        assert_int_equal(m.n_present, n_threads);
        rf_pool_free(pool);
    }
}

static void sleep_in_one_task(void *arg, int64_t task)
{
    if (task == 1)
        nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    count_task(arg, task);
}

static void caller_waits_for_the_slowest_task(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_pool *pool = NULL;
    tally t = {.input = 1};
    assert_ok(rf_pool_create(&pool, 3, &err));
    for (int64_t run = 1; run <= 10; run++) {
        rf_pool_run(pool, sleep_in_one_task, &t, 3);
        assert_int_equal(t.done[1], run);
    }
    rf_pool_free(pool);
}

static void pool_may_be_absent_or_free_at_once(void **state)
{
    (void)state;
    rf_error err = {0};
    tally t = {.input = 1};
    rf_pool_run(NULL, count_task, &t, 10);
    assert_int_equal(t.done[9], 1);
    assert_int_equal(rf_pool_threads(NULL), 1);
    rf_pool_free(NULL);
    for (int i = 0; i < 50; i++) {
        rf_pool *pool = NULL;
        assert_ok(rf_pool_create(&pool, 1 + i % MOST_THREADS, &err));
        rf_pool_free(pool);
    }
}

static void number_of_threads_is_checked_and_zero_means_the_machine(void **state)
{
    (void)state;
    static const int wrong[] = {-1, -1000, 1025, 1000000};
    rf_error err;
    rf_pool *pool = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_fails(rf_pool_create(&pool, wrong[i], &err), RF_USAGE, "1 to 1024");
        assert_null(pool);
    }
    assert_ok(rf_pool_create(&pool, 0, &err));
    assert_true(rf_pool_cpu_count() >= 1);
    assert_int_equal(rf_pool_threads(pool), rf_pool_cpu_count());
    rf_pool_free(pool);
}

static void pool_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_pool *pool = NULL;
    rf_alloc_fail_at(0);
    assert_ok(rf_pool_create(&pool, 2, &err));
    rf_pool_free(pool);
    int64_t n_allocations = rf_alloc_count();
    for (int64_t nth = 1; nth <= n_allocations; nth++) {
        rf_alloc_fail_at(nth);
        assert_fails(rf_pool_create(&pool, 2, &err), RF_NO_MEMORY, "threads");
        assert_null(pool);
    }
    rf_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once_whatever_the_number_of_threads),
        cmocka_unit_test(many_short_runs_see_each_other),
        cmocka_unit_test(sleeping_threads_are_called_back),
        cmocka_unit_test(tasks_run_side_by_side),
        cmocka_unit_test(caller_waits_for_the_slowest_task),
        cmocka_unit_test(pool_may_be_absent_or_free_at_once),
        cmocka_unit_test(number_of_threads_is_checked_and_zero_means_the_machine),
        cmocka_unit_test(pool_survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
