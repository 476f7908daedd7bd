/* params.h - every parameter of every model, in one table.
 *
 * The command line's --set, the validation, the help text, the engine and (later) the HTTP interface
 * all follow from RF_PARAM_TABLE. A parameter that a model does not have is refused by name.
 *
 *     rf_params params;
 *     rf_params_init(&params, RF_MODEL_CTGAN);
 *     RF_TRY(rf_params_set(&params, "generator_dim", "256,256", err));
 *     RF_TRY(rf_params_finish(&params, n_rows, compat, err));   // defaults by size, rules between fields
 */
#ifndef RF_DOMAIN_PARAMS_H
#define RF_DOMAIN_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

typedef enum rf_model_kind {
    RF_MODEL_CTGAN,
    RF_MODEL_TVAE,
    RF_MODEL_COUNT
} rf_model_kind;

const char *rf_model_kind_name(rf_model_kind model); /* "ctgan" */
/* The model of that name; USAGE for an unknown one, and for auto, circuit and forest, which this
 * version does not have (the sentence says which it has). */
rf_code rf_model_kind_parse(rf_model_kind *out, const char *name, rf_error *err) RF_MUST_CHECK;

enum { RF_DIMS_MAX = 8 };
typedef struct rf_dims {
    int32_t n;
    int32_t width[RF_DIMS_MAX];
} rf_dims;

/* Models that have a parameter. */
enum { RF_IN_CTGAN = 1, RF_IN_TVAE = 2, RF_IN_BOTH = 3 };

/* field, type (int, real, flag, dims), models, default, low, high, help.
 * For dims the default is width x count and the range is that of one width. */
#define RF_PARAM_TABLE(INT, REAL, FLAG, DIMS)                                                                    \
    INT(epochs, RF_IN_BOTH, 100, 1, 1000000, "passes over the table")                                            \
    INT(batch_size, RF_IN_BOTH, 500, 2, 1000000, "rows a step; even, and a multiple of pac")                     \
    INT(embedding_dim, RF_IN_BOTH, 128, 1, 4096, "width of the latent noise")                                    \
    DIMS(generator_dim, RF_IN_CTGAN, 256, 2, 1, 8192, "hidden layers of the generator")                          \
    DIMS(discriminator_dim, RF_IN_CTGAN, 256, 2, 1, 8192, "hidden layers of the discriminator")                  \
    REAL(generator_lr, RF_IN_CTGAN, 2e-4, 1e-9, 1.0, "learning rate of the generator")                           \
    REAL(generator_decay, RF_IN_CTGAN, 1e-6, 0.0, 1.0, "L2 weight decay of the generator")                       \
    REAL(discriminator_lr, RF_IN_CTGAN, 2e-4, 1e-9, 1.0, "learning rate of the discriminator")                   \
    REAL(discriminator_decay, RF_IN_CTGAN, 1e-6, 0.0, 1.0, "L2 weight decay of the discriminator")               \
    INT(discriminator_steps, RF_IN_CTGAN, 1, 1, 100, "discriminator updates for each of the generator")          \
    FLAG(log_frequency, RF_IN_CTGAN, true, "train categories by the logarithm of their frequency")               \
    INT(pac, RF_IN_CTGAN, 10, 1, 1000, "rows the discriminator judges together")                                 \
    DIMS(compress_dims, RF_IN_TVAE, 128, 2, 1, 8192, "hidden layers of the encoder")                             \
    DIMS(decompress_dims, RF_IN_TVAE, 128, 2, 1, 8192, "hidden layers of the decoder")                           \
    REAL(l2scale, RF_IN_TVAE, 1e-5, 0.0, 1.0, "L2 weight decay")                                                 \
    REAL(learning_rate, RF_IN_TVAE, 1e-3, 1e-9, 1.0, "learning rate")                                            \
    REAL(loss_factor, RF_IN_TVAE, 2.0, 1e-6, 1e6, "weight of the reconstruction against the divergence")

typedef struct rf_params {
    rf_model_kind model;
    uint64_t given; /* bit i: the i-th parameter of the table was set by somebody */
#define RF_PARAM_FIELD_INT(name, ...) int64_t name;
#define RF_PARAM_FIELD_REAL(name, ...) double name;
#define RF_PARAM_FIELD_FLAG(name, ...) bool name;
#define RF_PARAM_FIELD_DIMS(name, ...) rf_dims name;
    RF_PARAM_TABLE(RF_PARAM_FIELD_INT, RF_PARAM_FIELD_REAL, RF_PARAM_FIELD_FLAG, RF_PARAM_FIELD_DIMS)
#undef RF_PARAM_FIELD_INT
#undef RF_PARAM_FIELD_REAL
#undef RF_PARAM_FIELD_FLAG
#undef RF_PARAM_FIELD_DIMS
} rf_params;

void rf_params_init(rf_params *params, rf_model_kind model);

/* `value` is JSON ("[256,256]", "true", "1e-4") or, for dims, a comma list ("256,256"). Unknown names
 * (with the nearest one), values of the wrong type and out of range are USAGE, with the range. */
rf_code rf_params_set(rf_params *params, const char *name, const char *value, rf_error *err) RF_MUST_CHECK;

/* "name=value", as after --set. */
rf_code rf_params_assign(rf_params *params, const char *assignment, rf_error *err) RF_MUST_CHECK;

/* Fills what nobody gave and checks the rules between fields (batch_size even and a multiple of pac).
 * When neither epochs nor batch_size was given the size of the table chooses both: under 1,000 rows
 * 200 and 100; to 10,000 rows 150 and 500; above, 100 and 1000. When one was given, the other is 100 or
 * 500. `compat` takes the public reference's 300 and 500 instead. */
rf_code rf_params_finish(rf_params *params, int64_t n_rows, bool compat, rf_error *err) RF_MUST_CHECK;

/* One JSON object of the model's own parameters, in table order. */
void rf_params_json(const rf_params *params, rf_buf *out);

/* For help: one line a parameter of `model` (name, default, range, what it is). */
void rf_params_help(rf_model_kind model, rf_buf *out);

/* Binary form, for the model file; load checks every range again (CORRUPT). */
void rf_params_store(const rf_params *params, rf_buf *out);
rf_code rf_params_load(rf_params *out, rf_reader *reader, rf_error *err) RF_MUST_CHECK;

#endif
