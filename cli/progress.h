/* progress.h - how far the work is, told to a person: a bar on a terminal, a line now and then in a log.
 *
 * It also carries the wish to stop: after rf_interrupt_begin, Ctrl-C (or SIGTERM) makes rf_progress_show
 * answer false, and the work ends between two steps. A second Ctrl-C ends the process at once.
 */
#ifndef RF_CLI_PROGRESS_H
#define RF_CLI_PROGRESS_H

#include <stdbool.h>

#include "engine/pipeline.h"

typedef struct rf_progress_view {
    bool quiet;
    bool terminal; /* standard error is one                     */
    bool unicode;
    double last_s; /* when something was shown                  */
    bool shown;    /* a bar stands on the current line          */
} rf_progress_view;

void rf_progress_view_init(rf_progress_view *view, bool quiet);
/* An rf_progress_fn; `arg` is the view. */
bool rf_progress_show(void *arg, const rf_progress *progress);
/* Removes the bar, so that other text may follow. */
void rf_progress_clear(rf_progress_view *view);

void rf_interrupt_begin(void);
void rf_interrupt_end(void);
bool rf_interrupted(void);

/* "1:02:03", "4:05", "12 s". */
void rf_duration_text(char *out, size_t capacity, double seconds);
/* 32561 -> "32,561". */
void rf_count_text(char *out, size_t capacity, int64_t count);

#endif
