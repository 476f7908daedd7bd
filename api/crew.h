/* crew.h - threads that may block, for what the event threads must not do: passwords, writes, files.
 *
 * Tasks run in the order they were posted, as many at a time as there are threads. The line of waiting tasks is
 * bounded: a server that cannot keep up says so at once instead of answering everybody late. Any thread may post.
 */
#ifndef RF_API_CREW_H
#define RF_API_CREW_H

#include <stdbool.h>

#include "core/error.h"

typedef struct rfi_crew rfi_crew;
typedef void rfi_task(void *arg);

rf_code rfi_crew_open(rfi_crew **out, int n_threads, int waiting_max, rf_error *err) RF_MUST_CHECK;
/* Runs what still waits, then ends the threads. NULL is fine. */
void rfi_crew_close(rfi_crew *crew);

/* False when the line is full: the task will not run. `urgent` tasks are always taken: the ends of things. */
bool rfi_crew_post(rfi_crew *crew, rfi_task *task, void *arg);
bool rfi_crew_post_urgent(rfi_crew *crew, rfi_task *task, void *arg);

int rfi_crew_waiting(rfi_crew *crew);

#endif
