/* test_cuda_precision.c - what each precision does to a product, on the emulated GPU: exactly the rounding of its operands, and no more.
 *
 * A product is held twice to double precision: closely, to the one of operands that were rounded here by other means, and loosely,
 * to the one of the operands as they are. Sizes are awkward, and choose both shapes of tile and products that are cut along their depth.
 */
#include "rf_test.h"

#include <math.h>

#include "../engine/model/toy.h"
#include "core/philox.h"
#include "kernels/ops.h"

/* ------------------------------------------------------------------ rounding, by arithmetic */

/* To `bits` significant bits, and no finer than `least`. */
static double to_bits(float x, int bits, double least, double (*nearest)(double))
{
    int exponent;
    if (x == 0.0f || !isfinite(x))
        return (double)x;
    (void)frexp((double)x, &exponent);
    const double unit = fmax(ldexp(1.0, exponent - bits), least);
    return nearest((double)x / unit) * unit;
}

static double tf32_of(float x)
{
    return to_bits(x, 11, 0x1p-136, round); /* halves away from zero */
}

static double bf16_of(float x)
{
    return to_bits(x, 8, 0x1p-133, rint); /* halves to even */
}

/* The numbers that stand for x: a product is big big' + big small' + small big'. */
typedef struct parts {
    double big, small;
} parts;

static parts parts_of(rf_precision precision, float x)
{
    if (precision == RF_PRECISION_BF16)
        return (parts){bf16_of(x), 0.0};
    const double big = tf32_of(x);
    return (parts){big, precision == RF_PRECISION_TF32 ? 0.0 : tf32_of((float)((double)x - big))};
}

/* ------------------------------------------------------------------ products */

typedef struct matrix {
    rf_mat host, device;
    parts *rounded;
} matrix;

static rf_device *gpu;
static rf_precision precision;
static uint32_t n_matrices;

/* Uniform in [-1, 1), some of them ties between two numbers of tf32 or bf16. */
static matrix make(int32_t rows, int32_t cols, int64_t ld)
{
    rf_error err = {0};
    const size_t n = (size_t)rows * (size_t)ld;
    const rf_draw draw = {.seed = 21, .purpose = RF_DRAW_DEMO, .step = n_matrices++};
    matrix m = {.host = {malloc(n * sizeof(float)), rows, cols, ld}};
    m.rounded = malloc(n * sizeof *m.rounded);
    assert_true(m.host.data && m.rounded);
    for (size_t i = 0; i < n; i++) {
        const uint32_t word = rf_philox_u32(draw, (uint32_t)i);
        float x = 2.0f * rf_uniform_open(word) - 1.0f;
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (word % 7 == 0)
            bits = (bits & ~0x1FFFu) | 0x1000u;
        else if (word % 7 == 1)
            bits = (bits & ~0xFFFFu) | 0x8000u;
        memcpy(&x, &bits, sizeof x);
        m.host.data[i] = x;
        m.rounded[i] = parts_of(precision, x);
    }
    m.device = m.host;
    assert_ok(rf_device_alloc(gpu, (void **)&m.device.data, n * sizeof(float), &err));
    assert_ok(rf_device_write(gpu, m.device.data, m.host.data, n * sizeof(float), &err));
    return m;
}

static void read_back(matrix *m)
{
    rf_error err = {0};
    assert_ok(rf_device_read(gpu, m->host.data, m->device.data,
                             (size_t)m->host.rows * (size_t)m->host.ld * sizeof(float), &err));
}

static void drop(matrix *m)
{
    rf_device_free(gpu, m->device.data);
    free(m->host.data);
    free(m->rounded);
}

/* Where element (r, c) lies, or (c, r). */
static int64_t at(const matrix *m, int32_t r, int32_t c, bool transposed)
{
    return transposed ? c * m->host.ld + r : r * m->host.ld + c;
}

typedef struct errors {
    double close, loose; /* the largest, as a share of what a sum of that depth varies by */
} errors;

/* left(r, k) right(k, c) summed over k. */
typedef struct term {
    const matrix *left, *right;
    bool left_transposed, right_transposed;
} term;

static int32_t depth_of(const term *t)
{
    return t->left_transposed ? t->left->host.rows : t->left->host.cols;
}

static void add_term(const term *t, int32_t r, int32_t c, double *rounded, double *exact)
{
    for (int32_t k = 0; k < depth_of(t); k++) {
        const int64_t i = at(t->left, r, k, t->left_transposed), j = at(t->right, k, c, t->right_transposed);
        const parts x = t->left->rounded[i], y = t->right->rounded[j];
        *rounded += x.small * y.big + x.big * y.small + x.big * y.big;
        *exact += (double)t->left->host.data[i] * (double)t->right->host.data[j];
    }
}

/* Holds y to the sum of its terms. */
static void compare(errors *worst, const matrix *y, const term *terms, int n_terms)
{
    int32_t depth = 0;
    for (int i = 0; i < n_terms; i++)
        depth += depth_of(&terms[i]);
    const double size = sqrt((double)depth) / 3.0;
    for (int32_t r = 0; r < y->host.rows; r += y->host.rows > 40 ? 3 : 1)
        for (int32_t c = 0; c < y->host.cols; c++) {
            double rounded = 0.0, exact = 0.0;
            for (int i = 0; i < n_terms; i++)
                add_term(&terms[i], r, c, &rounded, &exact);
            const double got = (double)y->host.data[at(y, r, c, false)];
            worst->close = fmax(worst->close, fabs(got - rounded) / size);
            worst->loose = fmax(worst->loose, fabs(got - exact) / size);
        }
}

static void check_forward(errors *worst, int32_t rows, int32_t depth, int32_t cols)
{
    matrix x = make(rows, depth, depth + rows % 3), w = make(depth, cols, cols),
           y = make(rows, cols, cols + 1);
    gpu->ops->affine(gpu, &(rf_affine){.y = y.device, .x = x.device, .w = w.device});
    read_back(&y);
    compare(worst, &y, &(term){&x, &w, false, false}, 1);
    drop(&x), drop(&w), drop(&y);
}

static void check_back(errors *worst, int32_t rows, int32_t depth, int32_t cols)
{
    matrix dy = make(rows, depth, depth), w = make(cols, depth, depth), dx = make(rows, cols, cols + 2);
    gpu->ops->affine_back(gpu, &(rf_affine_back){.dx = dx.device, .dy = dy.device, .w = w.device});
    read_back(&dx);
    compare(worst, &dx, &(term){&dy, &w, false, true}, 1);
    drop(&dy), drop(&w), drop(&dx);
}

static void check_gradient(errors *worst, int32_t rows, int32_t depth, int32_t cols)
{
    matrix a = make(depth, rows, rows), b = make(depth, cols, cols + 3), g = make(rows, cols, cols);
    matrix a2 = make(depth / 2 + 1, rows, rows), b2 = make(depth / 2 + 1, cols, cols);
    gpu->ops->update(gpu, &(rf_update){.rows = rows,
                                       .cols = cols,
                                       .n_dense = 2,
                                       .dense = {{a.device, b.device}, {a2.device, b2.device}},
                                       .grad = g.device.data});
    read_back(&g);
    compare(worst, &g, (const term[]){{&a, &b, true, false}, {&a2, &b2, true, false}}, 2);
    drop(&a), drop(&b), drop(&a2), drop(&b2), drop(&g);
}

/* The critic's first layer on Adult is 1570 deep; with every access checked, a tenth of it. */
#if defined(__SANITIZE_ADDRESS__)
enum { DEEP = 157 };
#else
enum { DEEP = 1570 };
#endif

static void check_products(rf_construction construction, errors *worst)
{
    static const int32_t sizes[][3] = {{1, 1, 1},      {7, 31, 33},   {31, 257, 7},   {33, 7, 257},
                                       {50, DEEP, 64}, {257, 33, 65}, {130, 128, 131}};
    rf_error err = {0};
    const rf_device_options options = {.n_threads = 1, .construction = construction, .precision = precision};
    assert_ok(rf_device_open_with(&gpu, "cuda:0", &options, &err));
    *worst = (errors){0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_forward(worst, sizes[i][0], sizes[i][1], sizes[i][2]);
        check_back(worst, sizes[i][0], sizes[i][1], sizes[i][2]);
        check_gradient(worst, sizes[i][0], sizes[i][1], sizes[i][2]);
    }
    rf_device_close(gpu);
}

/* ------------------------------------------------------------------ tests */

static const char *const names[] = {"3xtf32", "tf32", "bf16"};
/* Of the sum of `depth` products: float's own, and what docs/cuda.md says of each precision. */
static const double close_bound = 1e-5, loose_bound[] = {1e-5, 2e-3, 2e-2}, loose_least[] = {0, 1e-4, 1e-3};

static void products_round_their_operands_and_nothing_else(void **state)
{
    (void)state;
    static const rf_construction ways[] = {RF_CONSTRUCTION_PLAIN, RF_CONSTRUCTION_FUSED};
    for (int i = 0; i < 2; i++)
        for (int p = 0; p < RF_PRECISION_COUNT; p++) {
            errors worst;
            precision = (rf_precision)p;
            check_products(ways[i], &worst);
            print_message("%s %s: %.2g from rounded operands, %.2g from exact ones\n", i ? "fused" : "plain",
                          names[p], worst.close, worst.loose);
            assert_true(worst.close < close_bound);
            assert_true(worst.loose < loose_bound[p]);
            assert_true(worst.loose > loose_least[p]); /* or nothing was rounded */
        }
}

static void what_is_not_a_finite_number_stays_so(void **state)
{
    (void)state;
    for (int p = 0; p < RF_PRECISION_COUNT; p++) {
        rf_error err = {0};
        const rf_device_options options = {.n_threads = 1, .precision = (rf_precision)p};
        assert_ok(rf_device_open_with(&gpu, "cuda:0", &options, &err));
        static const float odd[] = {INFINITY, -INFINITY, NAN};
        for (int i = 0; i < 3; i++) {
            matrix x = make(3, 5, 5), w = make(5, 4, 4), y = make(3, 4, 4);
            float *broken = x.device.data + 5 + 2; /* row 1 */
            assert_ok(rf_device_write(gpu, broken, &odd[i], sizeof odd[i], &err));
            gpu->ops->affine(gpu, &(rf_affine){.y = y.device, .x = x.device, .w = w.device});
            read_back(&y);
            for (int32_t r = 0; r < 3; r++)
                for (int32_t c = 0; c < 4; c++)
                    assert_int_equal(isfinite(y.host.data[at(&y, r, c, false)]) != 0, r != 1);
            drop(&x), drop(&w), drop(&y);
        }
        rf_device_close(gpu);
    }
}

/* ------------------------------------------------------------------ large products */

/* Two layers, whose second is small; rows, inputs and columns of the first make a large product on the emulated GPU. */
enum { LARGE_ROWS = 400, LARGE_INPUTS = 600, LARGE_COLS = 512, SMALL_COLS = 7 };

typedef struct layers {
    float x[LARGE_ROWS * LARGE_INPUTS], w1[LARGE_INPUTS * LARGE_COLS], y1[LARGE_ROWS * LARGE_COLS];
    float w2[LARGE_COLS * SMALL_COLS], y2[LARGE_ROWS * SMALL_COLS], d1[LARGE_ROWS * LARGE_COLS];
    float m[LARGE_INPUTS * LARGE_COLS], v[LARGE_INPUTS * LARGE_COLS];
    float m2[LARGE_COLS * SMALL_COLS], v2[LARGE_COLS * SMALL_COLS];
    rf_adam adam;
    uint32_t step;
} layers;

static void random_floats(float *out, size_t n, uint32_t what)
{
    for (size_t i = 0; i < n; i++)
        out[i] = rf_uniform_open(rf_philox_u32((rf_draw){.seed = 4, .purpose = what}, (uint32_t)i)) - 0.5f;
}

/* Forward, back and the updates of both weights; what is there afterwards. */
static layers *learned_on(rf_construction construction)
{
    rf_error err = {0};
    layers *host = calloc(1, sizeof *host), *at = NULL;
    const rf_device_options options = {.n_threads = 1, .construction = construction};
    assert_non_null(host);
    random_floats(host->x, LARGE_ROWS * LARGE_INPUTS, 1);
    random_floats(host->w1, LARGE_INPUTS * LARGE_COLS, 2);
    random_floats(host->w2, LARGE_COLS * SMALL_COLS, 3);
    host->adam = (rf_adam){.power1 = 1, .power2 = 1, .lr = 1e-3f, .beta1 = 0.5f, .beta2 = 0.9f, .eps = 1e-8f};
    assert_ok(rf_device_open_with(&gpu, "cuda:0", &options, &err));
    assert_ok(rf_device_alloc(gpu, (void **)&at, sizeof *at, &err));
    assert_ok(rf_device_write(gpu, at, host, sizeof *at, &err));
    const rf_ops *ops = gpu->ops;
    const rf_mat x = {at->x, LARGE_ROWS, LARGE_INPUTS, LARGE_INPUTS},
                 w1 = {at->w1, LARGE_INPUTS, LARGE_COLS, LARGE_COLS},
                 y1 = {at->y1, LARGE_ROWS, LARGE_COLS, LARGE_COLS},
                 w2 = {at->w2, LARGE_COLS, SMALL_COLS, SMALL_COLS},
                 y2 = {at->y2, LARGE_ROWS, SMALL_COLS, SMALL_COLS},
                 d1 = {at->d1, LARGE_ROWS, LARGE_COLS, LARGE_COLS};
    ops->affine(gpu, &(rf_affine){.y = y1, .x = x, .w = w1, .relu = true});
    ops->affine(gpu, &(rf_affine){.y = y2, .x = y1, .w = w2});
    ops->affine_back(
        gpu, &(rf_affine_back){.dx = d1, .dy = y2, .w = w2, .gate = y1, .gate_kind = RF_GATE_POSITIVE});
    ops->updates_begin(gpu, &at->adam);
    ops->update(gpu, &(rf_update){.w = at->w2,
                                  .m = at->m2,
                                  .v = at->v2,
                                  .rows = LARGE_COLS,
                                  .cols = SMALL_COLS,
                                  .n_dense = 1,
                                  .dense = {{y1, y2}},
                                  .adam = &at->adam});
    ops->update(gpu, &(rf_update){.w = at->w1,
                                  .m = at->m,
                                  .v = at->v,
                                  .rows = LARGE_INPUTS,
                                  .cols = LARGE_COLS,
                                  .n_dense = 1,
                                  .dense = {{x, d1}},
                                  .adam = &at->adam});
    ops->updates_end(gpu, &(rf_step_tick){.step = &at->step});
    assert_ok(rf_device_read(gpu, host, at, sizeof *host, &err));
    rf_device_free(gpu, at);
    rf_device_close(gpu);
    return host;
}

static double furthest(const float *a, const float *b, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

/* The stand-in sums as it does in the plain construction: the same bits tell who multiplied. */
static void large_products_are_left_to_cublaslt_unless_somebody_chose(void **state)
{
    (void)state;
    layers *plain = learned_on(RF_CONSTRUCTION_PLAIN), *chosen = learned_on(RF_CONSTRUCTION_AUTO);
    assert_memory_equal(chosen->y1, plain->y1, sizeof plain->y1);
    assert_memory_not_equal(chosen->y2, plain->y2, sizeof plain->y2);
    assert_true(furthest(chosen->y2, plain->y2, LARGE_ROWS * SMALL_COLS) < 1e-4);
    assert_true(furthest(chosen->w1, plain->w1, LARGE_INPUTS * LARGE_COLS) < 1e-5);
    assert_true(furthest(chosen->w2, plain->w2, LARGE_COLS * SMALL_COLS) < 1e-5);
    assert_memory_equal(&chosen->adam, &plain->adam, sizeof plain->adam);
    assert_int_equal(chosen->step, 1);
#if !defined(__SANITIZE_ADDRESS__) /* a large product takes long with every access checked */
    free(chosen);
    assert_int_equal(setenv("RF_EMU_NO_BLAS", "1", 1), 0);
    chosen = learned_on(RF_CONSTRUCTION_AUTO);
    assert_int_equal(unsetenv("RF_EMU_NO_BLAS"), 0);
    assert_memory_not_equal(chosen->y1, plain->y1, sizeof plain->y1);
    assert_true(furthest(chosen->y1, plain->y1, LARGE_ROWS * LARGE_COLS) < 1e-4);
    assert_true(furthest(chosen->w1, plain->w1, LARGE_INPUTS * LARGE_COLS) < 1e-5);
#endif
    free(chosen);
    free(plain);
}

/* ------------------------------------------------------------------ whole trainings */

enum { SAMPLED = 400 };

/* Rows whose b equals a; in the table 95 %, by chance a third. */
static int count_equal(toy *t)
{
    static float scalars[SAMPLED * TOY_SCALARS];
    static uint16_t codes[SAMPLED * TOY_CODES];
    rf_error err = {0};
    rf_coded rows = {.n_rows = SAMPLED, .scalars = scalars, .codes = codes};
    const rf_sample_request request = {.seed = 3, .n_rows = SAMPLED, .condition_entry = -1};
    int equal = 0;
    assert_ok(t->model->type->sample(t->model, &request, &rows, &err));
    for (int r = 0; r < SAMPLED; r++)
        equal += codes[r * TOY_CODES + 1] == codes[r * TOY_CODES + 2];
    return equal;
}

/* Mean losses of the first steps and of the rest; rows whose b equals a. */
typedef struct outcome {
    double before, after;
    int equal;
} outcome;

/* Steps enough to learn something at rates that are high for that. */
static outcome train_on(const char *device, rf_model_kind kind, rf_precision with, int64_t steps)
{
    toy t;
    outcome out;
    rf_error err = {0};
    const rf_device_options options = {.n_threads = 1, .precision = with};
    const rf_model_class *type = rf_model_class_find(kind);
    toy_init(&t, kind);
    t.setup.params.learning_rate = 1e-2;
    t.setup.params.generator_lr = t.setup.params.discriminator_lr = 4e-3;
    assert_ok(rf_device_open_with(&t.device, device, &options, &err));
    t.setup.device = t.device;
    assert_ok(type->create(&t.model, &t.setup, &err));
    assert_ok(type->attach(t.model, &t.rows, &err));
    toy_train(&t, 20);
    out.before = t.model->epoch.mean.generator;
    toy_train(&t, steps - 20);
    out.after = t.model->epoch.mean.generator;
    assert_true(isfinite(out.before) && isfinite(out.after));
    if (kind == RF_MODEL_TVAE)
        assert_true(out.after < 0.9 * out.before);
    out.equal = count_equal(&t);
    print_message("%s %s: b = a in %d of %d rows, loss %.3f to %.3f\n", device, names[with], out.equal,
                  (int)SAMPLED, out.before, out.after);
    toy_end(&t);
    return out;
}

static void a_training_in_every_precision_learns_what_the_cpu_learns(void **state)
{
    (void)state;
    static const rf_model_kind kinds[] = {RF_MODEL_CTGAN, RF_MODEL_TVAE};
#if defined(__SANITIZE_ADDRESS__)
    static const int64_t steps[] = {24, 30};
#else
    static const int64_t steps[] = {110, 80};
#endif
    for (int k = 0; k < 2; k++) {
        const outcome cpu = train_on("cpu", kinds[k], RF_PRECISION_3XTF32, steps[k]);
        for (int p = 0; p < RF_PRECISION_COUNT; p++) {
            const outcome cuda = train_on("cuda:0", kinds[k], (rf_precision)p, steps[k]);
            assert_near(cuda.after, cpu.after, 0.05 + 0.1 * fabs(cpu.after - cpu.before));
            /* Two networks that chase each other have not come that far in so few steps. */
            if (kinds[k] == RF_MODEL_TVAE)
                assert_true(cuda.equal > cpu.equal - SAMPLED / 10);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_round_their_operands_and_nothing_else),
        cmocka_unit_test(what_is_not_a_finite_number_stays_so),
        cmocka_unit_test(large_products_are_left_to_cublaslt_unless_somebody_chose),
        cmocka_unit_test(a_training_in_every_precision_learns_what_the_cpu_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
