/* Who waits counts itself into n_waiting and sleeps on the word `now`; who passes changes that word first and looks at n_waiting
 * second. Both are sequentially consistent, so one of the two sees the other. */
#include "core/turn.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/pause.h"

enum { LOOKS = 500 }; /* some tens of microseconds: falling asleep and being called costs as much */

void rf_turn_wait(rf_turn *turn, int64_t task)
{
    const uint32_t mine = (uint32_t)task;
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load_explicit(&turn->now, memory_order_acquire) == mine)
            return;
        rf_pause();
    }
    atomic_fetch_add(&turn->n_waiting, 1);
    for (uint32_t now; (now = atomic_load(&turn->now)) != mine;)
        syscall(SYS_futex, &turn->now, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
    atomic_fetch_sub(&turn->n_waiting, 1);
}

void rf_turn_pass(rf_turn *turn)
{
    atomic_fetch_add(&turn->now, 1);
    if (atomic_load(&turn->n_waiting))
        syscall(SYS_futex, &turn->now, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
