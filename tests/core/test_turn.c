#include "rf_test.h"

#include <sched.h>

#include "core/pool.h"
#include "core/turn.h"

enum { TASKS = 5000, THREADS_MAX = 6 };

typedef struct list {
    rf_turn turn, other;
    int64_t tasks[TASKS]; /* plain on purpose: only who has the turn writes */
    int64_t n;
    int64_t last; /* of the other turn */
    bool in_order;
    int idle_every;
} list;

/* Now and then somebody is late, so that the others must wait, some of them asleep. */
static void be_late(const list *in, int64_t task)
{
    for (int i = 0; in->idle_every && task % in->idle_every == 0 && i < 200; i++)
        sched_yield();
}

static void append_task(void *arg, int64_t task)
{
    list *to = arg;
    be_late(to, task);
    rf_turn_wait(&to->turn, task);
    to->tasks[to->n++] = task;
    be_late(to, task / 7);
    rf_turn_pass(&to->turn);
    rf_turn_wait(&to->other, task);
    to->in_order &= to->last == task - 1;
    to->last = task;
    rf_turn_pass(&to->other);
}

/* Two turns a task: who waits for the second lets others have the first. */
static void turns_come_in_the_order_of_the_tasks(void **state)
{
    (void)state;
    static list it;
    rf_error err = {0};
    for (int threads = 1; threads <= THREADS_MAX; threads++)
        for (int idle_every = 0; idle_every <= 50; idle_every += 25) {
            rf_pool *pool = NULL;
            assert_ok(rf_pool_create(&pool, threads, &err));
            it = (list){.idle_every = idle_every, .last = -1, .in_order = true};
            rf_pool_run(pool, append_task, &it, TASKS);
            assert_int_equal(it.n, TASKS);
            for (int64_t task = 0; task < TASKS; task++)
                assert_int_equal(it.tasks[task], task);
            assert_true(it.in_order);
            rf_pool_free(pool);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_come_in_the_order_of_the_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
