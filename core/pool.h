/* pool.h - a team of threads that runs one loop at a time.
 *
 *     rf_pool_run(pool, fill_rows, &job, n_blocks);   // calls fill_rows(&job, i) for i in 0..n_blocks-1
 *
 * The caller is a member of the team and returns when all tasks are done. Tasks are handed out in
 * order, to whoever is free: results must not depend on who runs what, which is why a task writes only
 * what belongs to its index and reductions are made over tasks in index order afterwards. That is how a
 * seed gives the same bytes for any number of threads.
 *
 * Between runs the threads spin briefly, then sleep: a step of training is a few dozen runs of some
 * microseconds each. rf_pool_run costs about a microsecond when they are awake. With one thread (or one
 * task) it is a plain loop. Runs do not nest; a pool belongs to one caller at a time.
 */
#ifndef RF_CORE_POOL_H
#define RF_CORE_POOL_H

#include <stdint.h>

#include "core/error.h"

typedef struct rf_pool rf_pool;
typedef void (*rf_pool_fn)(void *arg, int64_t task);

/* n_threads >= 1 counts the caller; 0 means the processors that this process may use. */
rf_code rf_pool_create(rf_pool **out, int n_threads, rf_error *err) RF_MUST_CHECK;
void rf_pool_free(rf_pool *pool);
int rf_pool_threads(const rf_pool *pool); /* NULL pool: 1 */

/* pool may be NULL: a plain loop. */
void rf_pool_run(rf_pool *pool, rf_pool_fn fn, void *arg, int64_t n_tasks);

/* How many processors this process may use (affinity and cgroup quota, at least 1). */
int rf_pool_cpu_count(void);

#endif
