/* cost.h - how much work a job will be, before it is done: for the person who asks, and for fairness between users.
 *
 * An estimate in seconds of one worker with two processor cores, from the products of the networks alone: a training takes
 * so many multiply-adds, and one of them so long. What a job really took is known when its worker lets go of it; the queue
 * then corrects what its owner was charged.
 */
#ifndef RF_DOMAIN_COST_H
#define RF_DOMAIN_COST_H

#include "domain/params.h"

typedef struct rf_cost {
    int64_t steps; /* of training                              */
    double seconds;
} rf_cost;

/* To learn a table of n_rows and n_columns and to make rows_made of it. `params` is finished. */
rf_cost rf_cost_generate(const rf_params *params, int64_t n_rows, int32_t n_columns, int64_t rows_made);

/* To make rows of a model that is there, in seconds. */
double rf_cost_sample(int64_t rows);

#endif
