#include "engine/model/batches.h"

#include <string.h>

/* A run has about as many rows as the sampler's pieces, and a ring no more bytes than this, but one batch at least. */
enum { RUN_ROWS = 32768, RING_BYTES = 8 << 20 };

/* ------------------------------------------------------------------ memory */

static size_t row_bytes(const rf_layout *layout)
{
    return (size_t)layout->n_scalars * sizeof(float) + (size_t)layout->n_codes * sizeof(uint16_t);
}

static int32_t slots_of(const rf_model_setup *setup)
{
    const size_t rows = (size_t)setup->params.batch_size, bytes = row_bytes(setup->layout);
    const size_t fit = bytes > 0 ? RING_BYTES / bytes : RUN_ROWS;
    const size_t wanted = (fit < RUN_ROWS ? fit : RUN_ROWS) / rows;
    return wanted > 1 ? (int32_t)wanted : 1;
}

static size_t ring_bytes(const rf_model_setup *setup)
{
    return (size_t)slots_of(setup) * (size_t)setup->params.batch_size * row_bytes(setup->layout);
}

size_t rfi_batches_host_bytes(const rf_model_setup *setup)
{
    return rfi_slab_sum(ring_bytes(setup), ring_bytes(setup));
}

void rfi_batches_place(rfi_batches *batches, const rf_model_setup *setup, rfi_slab *slab)
{
    const rf_layout *layout = setup->layout;
    batches->n_slots = slots_of(setup);
    const size_t rows = (size_t)batches->n_slots * (size_t)setup->params.batch_size;
    batches->counter = rfi_slab_take(slab, 1, sizeof *batches->counter);
    batches->scalars = rfi_slab_floats(slab, rows, (size_t)layout->n_scalars);
    batches->codes = rfi_slab_take(slab, rows * (size_t)layout->n_codes, sizeof *batches->codes);
}

void rfi_batches_free(rfi_batches *batches, rf_device *device)
{
    rf_device_forget(device, batches);
    for (int i = 0; i < RF_DEVICE_MARKS; i++)
        rf_device_free_shared(device, batches->runs[i].host);
}

/* ------------------------------------------------------------------ a run */

/* Copies slots first .. first + n - 1 of the ring to their place, which is row `row` of the run. */
static void fetch_slots(const rf_model *model, const rfi_batches *batches, const rfi_run *run, int64_t first,
                        int64_t n, int64_t row)
{
    const rf_layout *layout = model->setup.layout;
    rf_device *device = model->setup.device;
    const int64_t b = model->setup.params.batch_size;
    float *scalars = (float *)(void *)run->host;
    uint16_t *codes = (uint16_t *)(void *)(scalars + batches->n_slots * b * layout->n_scalars);
    rf_device_fetch(device, scalars + row * layout->n_scalars,
                    batches->scalars + first * b * layout->n_scalars,
                    (size_t)(n * b * layout->n_scalars) * sizeof *scalars);
    rf_device_fetch(device, codes + row * layout->n_codes, batches->codes + first * b * layout->n_codes,
                    (size_t)(n * b * layout->n_codes) * sizeof *codes);
}

/* A recording holds its seed and its condition. */
static void choose_draws(rf_model *model, rfi_batches *batches, const rf_sample_request *request)
{
    if (batches->seed == request->seed && batches->condition_entry == request->condition_entry)
        return;
    rf_device_forget(model->setup.device, batches);
    batches->seed = request->seed;
    batches->condition_entry = request->condition_entry;
}

/* Asks for batches first .. first + n - 1, at most a ring full. */
static rf_code start_run(rf_model *model, rfi_batches *batches, const rf_sample_request *request,
                         rfi_run *run, int64_t first, int64_t n, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_device *device = model->setup.device;
    const int64_t slot = first % batches->n_slots, straight = batches->n_slots - slot;
    if (first + n > UINT32_MAX)
        return rf_fail(err, RF_USAGE, "a result may have at most %lld rows with this model",
                       (long long)UINT32_MAX * (long long)model->setup.params.batch_size);
    if (!run->host)
        RF_TRY(rf_device_alloc_shared(device, (void **)&run->host, ring_bytes(&model->setup), err));
    choose_draws(model, batches, request);
    if (batches->next != first) {
        const uint32_t number = (uint32_t)first;
        RF_TRY(rf_device_write(device, batches->counter, &number, sizeof number, err));
    }
    rf_device_repeat(device, batches, n, batches->make, model);
    batches->next = first + n;
    fetch_slots(model, batches, run, slot, n < straight ? n : straight, 0);
    if (n > straight)
        fetch_slots(model, batches, run, 0, n - straight, straight * model->setup.params.batch_size);
    rf_device_mark(device, (int)(run - batches->runs));
    run->pending = true;
    run->seed = request->seed;
    run->condition_entry = request->condition_entry;
    run->first = first;
    run->n = n;
out:
    return rc;
}

/* Waits for a run and copies its first n_rows rows to row `row` of the result. */
static rf_code take_run(const rf_model *model, rfi_batches *batches, rfi_run *run, int64_t n_rows,
                        rf_coded *out, int64_t row, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_layout *layout = model->setup.layout;
    const int64_t ring_rows = batches->n_slots * model->setup.params.batch_size;
    const float *scalars = (const float *)(const void *)run->host;
    const uint16_t *codes = (const uint16_t *)(const void *)(scalars + ring_rows * layout->n_scalars);
    run->pending = false;
    RF_TRY(rf_device_await(model->setup.device, (int)(run - batches->runs), err));
    if (layout->n_scalars)
        memcpy(out->scalars + row * layout->n_scalars, scalars,
               (size_t)(n_rows * layout->n_scalars) * sizeof *scalars);
    if (layout->n_codes)
        memcpy(out->codes + row * layout->n_codes, codes, (size_t)(n_rows * layout->n_codes) * sizeof *codes);
out:
    return rc;
}

/* ------------------------------------------------------------------ a request */

void rfi_batches_drop(rfi_batches *batches)
{
    for (int i = 0; i < RF_DEVICE_MARKS; i++)
        batches->runs[i].pending = false;
}

static bool is_of(const rfi_run *run, const rf_sample_request *request, int64_t first, int64_t n)
{
    return run->pending && run->seed == request->seed && run->condition_entry == request->condition_entry &&
           run->first == first && run->n == n;
}

/* The run of `n` batches from `first` on: one that is under way, or a new one in any place but that of `keep`. */
static rf_code find_run(rf_model *model, rfi_batches *batches, const rf_sample_request *request,
                        int64_t first, int64_t n, const rfi_run *keep, rfi_run **out, rf_error *err)
{
    rfi_run *place = NULL;
    for (int i = 0; i < RF_DEVICE_MARKS; i++) {
        rfi_run *run = &batches->runs[i];
        if (is_of(run, request, first, n)) {
            *out = run;
            return RF_OK;
        }
        if (run != keep && (!place || !run->pending))
            place = run;
    }
    *out = place;
    return start_run(model, batches, request, place, first, n, err);
}

static int64_t batches_of(const rf_model *model, int64_t n_rows)
{
    const int64_t b = model->setup.params.batch_size;
    return (n_rows + b - 1) / b;
}

rf_code rfi_batches_sample(rf_model *model, rfi_batches *batches, const rf_sample_request *request,
                           rf_coded *out, rf_error *err)
{
    rf_code rc = RF_OK;
    const int64_t b = model->setup.params.batch_size, first = request->first_row / b;
    const int64_t all = batches_of(model, request->n_rows), most = batches->n_slots;
    for (int64_t done = 0; done < all; done += most) {
        const int64_t n = all - done < most ? all - done : most, after = all - done - n;
        const int64_t rows = request->n_rows - done * b;
        rfi_run *run, *next;
        RF_TRY(find_run(model, batches, request, first + done, n, NULL, &run, err));
        if (after > 0 && rf_device_runs_beside(model->setup.device))
            RF_TRY(find_run(model, batches, request, first + done + n, after < most ? after : most, run,
                            &next, err));
        RF_TRY(take_run(model, batches, run, rows < n * b ? rows : n * b, out, done * b, err));
    }
out:
    return rc;
}

rf_code rfi_batches_ahead(rf_model *model, rfi_batches *batches, const rf_sample_request *request,
                          rf_error *err)
{
    const int64_t all = batches_of(model, request->n_rows);
    rfi_run *run;
    if (all == 0 || !rf_device_runs_beside(model->setup.device))
        return RF_OK; /* nothing is gained by beginning early where it is done at once */
    return find_run(model, batches, request, request->first_row / model->setup.params.batch_size,
                    all < batches->n_slots ? all : batches->n_slots, NULL, &run, err);
}
