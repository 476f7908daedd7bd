#include "domain/cost.h"

/* Measured on two threads of a processor with AVX-512 (bench/results): a step on 500 rows of a table of 15 columns, 157 coded
 * values wide, took 10.4 ms for CTGAN with its default layers and 2.8 ms for TVAE. By the counts below that is 14.4 and 15.3
 * picoseconds a multiply-add. A million of its rows were made in 3.3 to 4.1 s. */
static const double multiply_add_s = 15e-12, coded_per_column = 10.5, made_row_s = 4e-6;

/* A chain of dense layers from `in` values; with `keeps`, as in CTGAN's generator, each layer sees all that came before. */
static double chain(const rf_dims *dims, double in, bool keeps, double *last)
{
    double products = 0;
    for (int i = 0; i < dims->n; i++) {
        products += in * dims->width[i];
        in = keeps ? in + dims->width[i] : dims->width[i];
    }
    *last = in;
    return products;
}

/* Multiply-adds of a step for one row. Forward, the gradient of the weights and that of the inputs are one pass each. The
 * critic sees real and made rows, and its penalty is differentiated twice: about eight passes of it for each of its own
 * steps, three more for the generator's. */
static double ctgan_row(const rf_params *params, double width)
{
    double last;
    double generator = chain(&params->generator_dim, (double)params->embedding_dim, true, &last);
    generator += last * width;
    const double pac = (double)params->pac;
    const double critic = chain(&params->discriminator_dim, width * pac, false, &last) / pac;
    return (double)params->discriminator_steps * (generator + 8 * critic) + 3 * generator + 3 * critic;
}

static double tvae_row(const rf_params *params, double width)
{
    double last;
    const double latent = (double)params->embedding_dim;
    double products = chain(&params->compress_dims, width, false, &last);
    products += last * 2 * latent; /* means and deviations */
    products += chain(&params->decompress_dims, latent, false, &last);
    products += last * width;
    return 3 * products;
}

double rf_cost_sample(int64_t rows)
{
    return (double)rows * made_row_s;
}

rf_cost rf_cost_generate(const rf_params *params, int64_t n_rows, int32_t n_columns, int64_t rows_made)
{
    const int64_t a_pass = n_rows / params->batch_size;
    const int64_t steps = (a_pass > 0 ? a_pass : 1) * params->epochs;
    const double width = coded_per_column * n_columns;
    const double row = params->model == RF_MODEL_CTGAN ? ctgan_row(params, width) : tvae_row(params, width);
    return (rf_cost){.steps = steps,
                     .seconds = (double)steps * (double)params->batch_size * row * multiply_add_s +
                                rf_cost_sample(rows_made)};
}
