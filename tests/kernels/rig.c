/* rig.c - see rig.h. */
#include "rig.h"

#include <dlfcn.h>
#include <math.h>

enum { GUARD = 512, GPU_VARIANTS = 3, STEPS_MAX = 64 };
static const uint32_t guard_word = 0x7FC0DEADu; /* a NaN */

/* ------------------------------------------------------------------ devices */

static rf_device *device[RIG_VARIANTS_MAX];
static char device_title[RIG_VARIANTS_MAX][64];
static int n_devices;

typedef void (*order_fn)(int);
static order_fn gpu_order; /* of the emulated GPU's threads; NULL on a real one */

bool rig_is_cpu(void)
{
    return strcmp(rig_device()->type->kind, "cpu") == 0;
}

static void find_order(void)
{
    const char *path = getenv("ROWFORGE_CUDA_LIBRARY");
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = library ? dlsym(library, "rf_emu_order") : NULL;
    memcpy(&gpu_order, &symbol, sizeof gpu_order);
}

static void open_gpu(const char *name)
{
    rf_error err = {0};
    rf_device_options options = {.n_threads = 1};
    const char *construction = getenv("RF_TEST_CONSTRUCTION");
    if (construction)
        assert_ok(rf_construction_parse(&options.construction, construction, &err));
    if (rf_device_open_with(&device[0], name, &options, &err) != RF_OK)
        fail_msg("%s", err.message);
    n_devices = 1;
    find_order();
}

static void open_cpus(void)
{
    static const char *isas[] = {"avx512", "avx2", "baseline"};
    static const int threads[] = {1, 2, 4};
    for (int i = 0; i < 3; i++)
        for (int t = 0; t < 3; t++) {
            rf_error err = {0};
            setenv("ROWFORGE_CPU", isas[i], 1);
            if (rf_device_open(&device[n_devices], "cpu", threads[t], &err) == RF_OK) {
                snprintf(device_title[n_devices], sizeof device_title[0], "%s, %d threads", isas[i],
                         threads[t]);
                n_devices++;
            }
        }
    unsetenv("ROWFORGE_CPU");
    assert_true(n_devices >= 3);
}

static uint32_t *steps;
static int n_steps;

static void open_devices(void)
{
    rf_error err = {0};
    const char *gpu = getenv("RF_TEST_DEVICE");
    if (gpu && *gpu)
        open_gpu(gpu);
    else
        open_cpus();
    assert_ok(rf_device_alloc_shared(device[0], (void **)&steps, STEPS_MAX * sizeof *steps, &err));
}

static void close_devices(void)
{
    rf_device_free_shared(device[0], steps);
    for (int i = 0; i < n_devices; i++)
        rf_device_close(device[i]);
    n_devices = 0;
}

rf_device *rig_device(void)
{
    if (n_devices == 0) {
        open_devices();
        atexit(close_devices);
    }
    return device[0];
}

void rig_sync(void)
{
    rf_error err = {0};
    if (rf_device_sync(rig_device(), &err) != RF_OK)
        fail_msg("%s (%s)", err.message, err.detail);
}

uint32_t *rig_step(uint32_t value)
{
    (void)rig_device();
    for (int i = 0; i < n_steps; i++)
        if (steps[i] == value)
            return &steps[i];
    assert_true(n_steps < STEPS_MAX);
    steps[n_steps] = value;
    return &steps[n_steps++];
}

/* ------------------------------------------------------------------ memory */

void rig_begin(rig_state *rig, uint64_t seed)
{
    memset(rig, 0, sizeof *rig);
    rig->draw = (rf_draw){.seed = seed, .purpose = 1000};
    (void)rig_device();
}

void rig_end(rig_state *rig)
{
    for (int i = 0; i < rig->n_blocks; i++) {
        rf_device_free_shared(rig_device(), rig->block[i].raw);
        free(rig->block[i].before);
        free(rig->block[i].first);
    }
}

float rig_uniform(rig_state *rig, float lo, float hi)
{
    return lo + (hi - lo) * rf_uniform_open(rf_philox_u32(rig->draw, rig->drawn++));
}

int32_t rig_below(rig_state *rig, int32_t n)
{
    return (int32_t)rf_uniform_below(rf_philox_u32(rig->draw, rig->drawn++), (uint32_t)n);
}

static uint8_t *add_block(rig_state *rig, int64_t rows, size_t row_bytes, size_t stride)
{
    assert_true(rig->n_blocks < RIG_BLOCKS_MAX);
    rig_block *b = &rig->block[rig->n_blocks++];
    b->rows = rows;
    b->row_bytes = row_bytes;
    b->stride = stride;
    b->start = GUARD;
    b->size = (2 * GUARD + (size_t)rows * stride + 3) / 4 * 4;
    rf_error err = {0};
    assert_ok(rf_device_alloc_shared(rig_device(), (void **)&b->raw, b->size, &err));
    b->before = malloc(b->size);
    b->first = malloc(b->size);
    assert_non_null(b->raw);
    assert_non_null(b->before);
    assert_non_null(b->first);
    for (size_t i = 0; i < b->size; i += 4)
        memcpy(b->raw + i, &guard_word, 4);
    return b->raw + b->start;
}

rf_mat rig_mat(rig_state *rig, int32_t rows, int32_t cols, int64_t ld)
{
    float *data = (float *)(void *)add_block(rig, rows, (size_t)cols * 4, (size_t)ld * 4);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t c = 0; c < cols; c++)
            data[r * ld + c] = rig_uniform(rig, -1.0f, 1.0f);
    return (rf_mat){data, rows, cols, ld};
}

float *rig_vector(rig_state *rig, int64_t n)
{
    float *data = (float *)(void *)add_block(rig, 1, (size_t)n * 4, (size_t)n * 4);
    for (int64_t i = 0; i < n; i++)
        data[i] = rig_uniform(rig, -1.0f, 1.0f);
    return data;
}

void *rig_bytes(rig_state *rig, size_t size_bytes)
{
    void *data = add_block(rig, 1, size_bytes, size_bytes);
    memset(data, 0, size_bytes);
    return data;
}

void *rig_copy(rig_state *rig, const void *from, size_t size_bytes)
{
    void *data = add_block(rig, 1, size_bytes, size_bytes);
    memcpy(data, from, size_bytes);
    return data;
}

int32_t *rig_ids(rig_state *rig, int64_t n, int32_t below)
{
    int32_t *ids = rig_bytes(rig, (size_t)n * sizeof *ids);
    for (int64_t i = 0; i < n; i++)
        ids[i] = rig_below(rig, below);
    return ids;
}

/* ------------------------------------------------------------------ running */

static bool inside(const rig_block *b, size_t at)
{
    if (at < b->start || at >= b->start + (size_t)b->rows * b->stride)
        return false;
    return (at - b->start) % b->stride < b->row_bytes;
}

static void check_guards(const rig_state *rig, const char *title)
{
    for (int i = 0; i < rig->n_blocks; i++) {
        const rig_block *b = &rig->block[i];
        for (size_t at = 0; at < b->size; at++)
            if (!inside(b, at) && b->raw[at] != b->before[at]) {
                print_error("%s: buffer %d was written outside, %zd bytes from its start\n", title, i,
                            (ssize_t)at - (ssize_t)b->start);
                fail();
            }
    }
}

static void check_same(const rig_state *rig, const char *title)
{
    for (int i = 0; i < rig->n_blocks; i++) {
        const rig_block *b = &rig->block[i];
        for (size_t at = 0; at < b->size; at++)
            if (b->raw[at] != b->first[at]) {
                float got, wanted;
                size_t word = at / 4 * 4;
                memcpy(&got, b->raw + word, 4);
                memcpy(&wanted, b->first + word, 4);
                print_error("buffer %d, word %zu: %s gives %.9g, %s gives %.9g\n", i, (word - b->start) / 4,
                            title, (double)got, device_title[0], (double)wanted);
                fail();
            }
    }
}

void rig_run(rig_state *rig, rig_fn fn, const void *op)
{
    for (int i = 0; i < rig->n_blocks; i++)
        memcpy(rig->block[i].before, rig->block[i].raw, rig->block[i].size);
    const bool is_cpu = rig_is_cpu();
    for (int v = 0; v < (is_cpu ? n_devices : GPU_VARIANTS); v++) {
        rf_error err = {0};
        rf_device *runs_on = device[is_cpu ? v : 0];
        if (gpu_order)
            gpu_order(v);
        if (!is_cpu)
            snprintf(device_title[v], sizeof device_title[v], "%.40s, run %d", runs_on->name, v);
        for (int i = 0; i < rig->n_blocks; i++)
            memcpy(rig->block[i].raw, rig->block[i].before, rig->block[i].size);
        fn(runs_on, op);
        if (rf_device_sync(runs_on, &err) != RF_OK)
            fail_msg("%s (%s)", err.message, err.detail);
        check_guards(rig, device_title[v]);
        if (v > 0)
            check_same(rig, device_title[v]);
        for (int i = 0; v == 0 && i < rig->n_blocks; i++)
            memcpy(rig->block[i].first, rig->block[i].raw, rig->block[i].size);
    }
}

/* ------------------------------------------------------------------ comparing */

static void near_one(const char *what, int64_t r, int64_t c, double got, double wanted, double absolute,
                     double relative)
{
    if (fabs(got - wanted) <= absolute + relative * fabs(wanted) || (isinf(got) && got == wanted))
        return;
    print_error("%s(%ld, %ld) = %.9g, the oracle says %.9g\n", what, (long)r, (long)c, got, wanted);
    fail();
}

void rig_near(const char *what, rf_mat got, const double *wanted, double absolute, double relative)
{
    for (int32_t r = 0; r < got.rows; r++)
        for (int32_t c = 0; c < got.cols; c++)
            near_one(what, r, c, (double)got.data[r * got.ld + c], wanted[(int64_t)r * got.cols + c],
                     absolute, relative);
}

void rig_near_vector(const char *what, const float *got, const double *wanted, int64_t n, double absolute,
                     double relative)
{
    for (int64_t i = 0; i < n; i++)
        near_one(what, 0, i, (double)got[i], wanted[i], absolute, relative);
}

/* ------------------------------------------------------------------ layouts */

void rig_layout_make(rig_layout *out, const int32_t *widths, int32_t n, int32_t n_conditions)
{
    memset(out, 0, sizeof *out);
    rf_layout *layout = &out->layout;
    int32_t codes = 0;
    for (int32_t i = 0; i < n; i++)
        codes += widths[i] > 0;
    for (int32_t i = 0; i < n; i++) {
        rf_span *span = &out->span[i];
        *span = (rf_span){.kind = RF_SPAN_SCALAR, .offset = layout->width, .width = 1, .condition = -1};
        if (widths[i] == 0) {
            span->source = layout->n_scalars++;
        } else {
            span->kind = RF_SPAN_CODE;
            span->width = widths[i];
            span->source = layout->n_codes++;
            if (layout->n_codes > codes - n_conditions) {
                span->condition = layout->n_conditions++;
                span->cond_offset = layout->condition_width;
                layout->condition_width += widths[i];
            }
        }
        layout->width += span->width;
    }
    layout->n_spans = n;
    layout->spans = out->span;
}

rf_coded rig_coded(rig_state *rig, const rf_layout *layout, int64_t n_rows)
{
    rf_coded rows = {.n_rows = n_rows};
    if (layout->n_scalars > 0)
        rows.scalars = rig_vector(rig, n_rows * layout->n_scalars);
    if (layout->n_codes > 0)
        rows.codes = rig_bytes(rig, (size_t)(n_rows * layout->n_codes) * sizeof *rows.codes);
    for (int32_t i = 0; i < layout->n_spans; i++) {
        const rf_span *span = &layout->spans[i];
        for (int64_t r = 0; span->kind == RF_SPAN_CODE && r < n_rows; r++)
            rows.codes[r * layout->n_codes + span->source] = (uint16_t)rig_below(rig, span->width);
    }
    return rows;
}

void rig_encode(double *out, const rf_layout *layout, const rf_coded *rows, int64_t row)
{
    for (int32_t c = 0; c < layout->width; c++)
        out[c] = 0.0;
    for (int32_t i = 0; i < layout->n_spans; i++) {
        const rf_span *span = &layout->spans[i];
        if (span->kind == RF_SPAN_SCALAR)
            out[span->offset] = (double)rows->scalars[row * layout->n_scalars + span->source];
        else
            out[span->offset + rows->codes[row * layout->n_codes + span->source]] = 1.0;
    }
}
