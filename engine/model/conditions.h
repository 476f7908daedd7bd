/* conditions.h - what conditions and the rows that meet them are drawn from.
 *
 * CTGAN trains by sampling: each row of a batch gets a discrete column, uniformly, and a category of it, and
 * the critic's real row is drawn among those that hold it (Xu et al., "Modeling tabular data using
 * conditional GAN", 2019, section 4.3). These functions fill the host's copies of the arrays of
 * rf_condition_table.
 */
#ifndef RF_ENGINE_MODEL_CONDITIONS_H
#define RF_ENGINE_MODEL_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/span.h"

/* offsets (n_conditions + 1): first entry of each conditioned column; spans (n_conditions): its span. */
void rfi_condition_columns(const rf_layout *layout, int32_t *offsets, int32_t *spans);

/* cumulative (condition_width): in each column the running sum of its categories' probabilities, proportional
 * to ln(count + 1) or to the count. From the last category that occurs on it is exactly 1, so that one that
 * never does is never drawn. */
void rfi_condition_cumulative(const rf_layout *layout, const int64_t *counts, bool log_frequency,
                              double *cumulative);

/* Rows that hold each category of one conditioned column, ascending: those of category c are
 * list[starts[c]] .. list[starts[c + 1] - 1]. `list` has rows->n_rows places, starts width + 1. */
void rfi_condition_rows(const rf_layout *layout, const rf_span *span, const rf_coded *rows, int64_t *starts,
                        uint32_t *list);

#endif
