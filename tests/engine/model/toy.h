/* toy.h - a small coded table with a strong dependence, and a model over it. */
#ifndef TOY_H
#define TOY_H

#include "engine/model/model.h"

enum { TOY_ROWS = 400, TOY_CODES = 3, TOY_SCALARS = 2 };

/* Columns: scalar x with a mode (2 codes), category a (3, conditioned), scalar y with no modes but one code,
 * category b (3, conditioned). b equals a but for one row in twenty; x is near -0.5 where a is 0 and near 0.5
 * elsewhere, its mode says which. */
typedef struct toy {
    rf_device *device;
    rf_model *model;
    rf_model_setup setup;
    rf_span spans[5];
    rf_layout layout;
    rf_coded rows;
    float scalars[TOY_ROWS * TOY_SCALARS];
    uint16_t codes[TOY_ROWS * TOY_CODES];
    int64_t counts[6];
} toy;

/* Small networks, batches of 40, seed 5; `params` may be changed before toy_start. */
void toy_init(toy *t, rf_model_kind kind);
/* Opens the device, makes the model, hands over the rows. */
void toy_start(toy *t, int n_threads);
void toy_end(toy *t);

rf_losses toy_train(toy *t, int64_t n_steps);
/* The stored bytes; rf_buf_free. */
rf_buf toy_store(toy *t, bool training);
void toy_load(toy *t, bool training, const rf_buf *bytes);

#endif
