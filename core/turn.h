/* turn.h - tasks that work side by side do one part of their work one after another, in the order of their numbers.
 *
 *     static void copy_task(void *arg, int64_t task)      // of one rf_pool_run
 *     {
 *         fill(arg, task);                                // at any time
 *         rf_turn_wait(&job->turn, task);
 *         append(arg, task);                              // after task - 1 has
 *         rf_turn_pass(&job->turn);
 *     }
 *
 * rf_pool_run hands out tasks in their order, so whoever is waited for is at work already, and nobody waits forever as long as
 * every task takes its turn, be it in vain, and waits only for turns that earlier tasks pass. With one thread it never waits.
 *
 * A zeroed turn begins with task 0. What was written before a turn was passed is seen by whoever has it next.
 */
#ifndef RF_CORE_TURN_H
#define RF_CORE_TURN_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

typedef struct rf_turn {
    alignas(64) _Atomic uint32_t now; /* whose turn it is, its lower half */
    _Atomic uint32_t n_waiting;
} rf_turn;

void rf_turn_wait(rf_turn *turn, int64_t task);
void rf_turn_pass(rf_turn *turn); /* only by whoever has it */

#endif
