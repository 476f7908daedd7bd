/* cuda_blas.cu - cuBLASLt behind cuda_blas.h.
 *
 * cuBLASLt counts by columns. A row-major matrix is its own transpose there, so c = a b is asked for as c' = b' a', and the bias, one
 * number for each column of c, falls along the rows of c' as the library's epilogue has it. Trials are multiplied one after the other:
 * with one call for all of them the library might choose another way, and a trial would not be what it is alone.
 */
#include "kernels/cuda/cuda_blas.h"

#if !defined(RF_HAVE_CUBLASLT)

rf_code rfi_blas_open(rfi_blas **out, rf_error *err)
{
    *out = nullptr;
    return rf_fail(err, RF_DEVICE, "this build had no headers of cuBLASLt");
}

void rfi_blas_close(rfi_blas *)
{
}

rf_code rfi_blas_multiply(rfi_blas *, const rfi_blas_product *, cudaStream_t, rf_error *err)
{
    return rf_fail(err, RF_INTERNAL, "cuBLASLt was called and is not here");
}

#else

#include <cublasLt.h>

#include "kernels/cuda/cuda_library.h"

#define LT_FUNCTIONS(X)                                                                                      \
    X(cublasLtCreate)                                                                                        \
    X(cublasLtDestroy)                                                                                       \
    X(cublasLtMatmul)                                                                                        \
    X(cublasLtMatmulDescCreate)                                                                              \
    X(cublasLtMatmulDescDestroy)                                                                             \
    X(cublasLtMatmulDescSetAttribute)                                                                        \
    X(cublasLtMatrixLayoutCreate)                                                                            \
    X(cublasLtMatrixLayoutDestroy)                                                                           \
    X(cublasLtMatmulPreferenceCreate)                                                                        \
    X(cublasLtMatmulPreferenceDestroy)                                                                       \
    X(cublasLtMatmulPreferenceSetAttribute)                                                                  \
    X(cublasLtMatmulAlgoGetHeuristic)                                                                        \
    X(cublasLtGetStatusName)

enum { KEPT = 128, WORKSPACE_BYTES = 32 << 20 };

/* What the library's advice depends on. */
struct shape {
    int32_t rows, cols, depth;
    int64_t lda, ldb, ldc;
    int a_transposed, b_transposed, has_bias, relu, accumulate, precision, alignment;
};

struct choice {
    shape of;
    cublasLtMatmulAlgo_t algorithm;
};

struct rfi_blas {
#define LT_MEMBER(name) decltype(&::name) name;
    LT_FUNCTIONS(LT_MEMBER)
#undef LT_MEMBER
    cublasLtHandle_t handle;
    void *workspace;
    choice kept[KEPT]; /* the algorithm for a shape is asked for once */
    int n_kept;
};

/* ------------------------------------------------------------------ open, close */

static rf_code refused(const rfi_blas *blas, cublasStatus_t status, const char *what, rf_error *err)
{
    return rf_fail(err, RF_DEVICE, "cuBLASLt cannot %s (%s)", what, blas->cublasLtGetStatusName(status));
}

#define LT_TRY(blas, call, what)                                                                             \
    do {                                                                                                     \
        const cublasStatus_t lt_status = (call);                                                             \
        if (lt_status != CUBLAS_STATUS_SUCCESS) {                                                            \
            rc = refused((blas), lt_status, (what), err);                                                    \
            goto out;                                                                                        \
        }                                                                                                    \
    } while (0)

static void *find_library()
{
    void *library = rfi_open_library("libcublasLt.so.13", RF_CUBLASLT_FOLDER);
    return library ? library : rfi_open_library("libcublasLt.so.12", RF_CUBLASLT_FOLDER);
}

rf_code rfi_blas_open(rfi_blas **out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_blas *blas = nullptr;
    void *library = find_library();
    bool whole = library != nullptr;
    *out = nullptr;
    if (!library)
        return rf_fail(err, RF_DEVICE, "cuBLASLt (libcublasLt.so) was not found");
    RF_TRY(RF_NEW_ARRAY(&blas, 1, "cuBLASLt", err));
#define LT_FIND(name) whole = rfi_find_symbol(library, #name, &blas->name) && whole;
    LT_FUNCTIONS(LT_FIND)
#undef LT_FIND
    if (!whole) {
        rc = rf_fail(err, RF_DEVICE, "the cuBLASLt that was found lacks functions that are needed");
        goto out;
    }
    LT_TRY(blas, blas->cublasLtCreate(&blas->handle), "start");
    if (cudaMalloc(&blas->workspace, WORKSPACE_BYTES) != cudaSuccess) {
        rc = rf_fail(err, RF_NO_MEMORY, "the device has no memory for cuBLASLt's workspace");
        goto out;
    }
    *out = blas;
    blas = nullptr;
out:
    rfi_blas_close(blas);
    return rc;
}

void rfi_blas_close(rfi_blas *blas)
{
    if (!blas)
        return;
    (void)cudaFree(blas->workspace);
    if (blas->handle)
        (void)blas->cublasLtDestroy(blas->handle);
    rf_free(blas);
}

/* ------------------------------------------------------------------ one product */

/* Everything that a call needs besides pointers. */
struct plan {
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, c; /* of the library's product c' = b' a' : its a is our b */
};

static cublasComputeType_t compute_of(rf_precision precision)
{
    switch (precision) {
    case RF_PRECISION_TF32:
        return CUBLAS_COMPUTE_32F_FAST_TF32;
    case RF_PRECISION_BF16:
        return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
        return CUBLAS_COMPUTE_32F;
    }
}

static void plan_free(const rfi_blas *blas, const plan *p)
{
    if (p->c)
        (void)blas->cublasLtMatrixLayoutDestroy(p->c);
    if (p->b)
        (void)blas->cublasLtMatrixLayoutDestroy(p->b);
    if (p->a)
        (void)blas->cublasLtMatrixLayoutDestroy(p->a);
    if (p->operation)
        (void)blas->cublasLtMatmulDescDestroy(p->operation);
}

static cublasLtEpilogue_t epilogue_of(const rfi_blas_product *product)
{
    if (product->bias)
        return product->relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    return product->relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
}

static rf_code plan_layout(const rfi_blas *blas, cublasLtMatrixLayout_t *out, int32_t rows, int32_t cols,
                           bool transposed, int64_t ld, rf_error *err)
{
    rf_code rc = RF_OK;
    /* as the library counts: the columns of our rows come first */
    const uint64_t first = (uint64_t)(transposed ? rows : cols),
                   second = (uint64_t)(transposed ? cols : rows);
    LT_TRY(blas, blas->cublasLtMatrixLayoutCreate(out, CUDA_R_32F, first, second, ld), "describe a matrix");
out:
    return rc;
}

static rf_code plan_make(const rfi_blas *blas, const rfi_blas_product *product, plan *p, rf_error *err)
{
    rf_code rc = RF_OK;
    const cublasOperation_t left = product->b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t right = product->a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasLtEpilogue_t epilogue = epilogue_of(product);
    LT_TRY(blas, blas->cublasLtMatmulDescCreate(&p->operation, compute_of(product->precision), CUDA_R_32F),
           "describe a product");
    LT_TRY(
        blas,
        blas->cublasLtMatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left),
        "transpose");
    LT_TRY(
        blas,
        blas->cublasLtMatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right),
        "transpose");
    LT_TRY(blas,
           blas->cublasLtMatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                                sizeof epilogue),
           "take a bias along");
    if (product->bias)
        LT_TRY(blas,
               blas->cublasLtMatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                    &product->bias, sizeof product->bias),
               "take a bias along");
    RF_TRY(
        plan_layout(blas, &p->a, product->depth, product->cols, product->b.transposed, product->b.ld, err));
    RF_TRY(
        plan_layout(blas, &p->b, product->rows, product->depth, product->a.transposed, product->a.ld, err));
    RF_TRY(plan_layout(blas, &p->c, product->rows, product->cols, false, product->ldc, err));
out:
    return rc;
}

/* ------------------------------------------------------------------ the algorithm of a shape */

/* The largest power of two up to 256 that an address is a multiple of. */
static uint32_t alignment_of(const void *pointer)
{
    const uintptr_t bits = reinterpret_cast<uintptr_t>(pointer) | 256;
    return (uint32_t)(bits & -bits);
}

static shape shape_of(const rfi_blas_product *product)
{
    shape s;
    memset(&s, 0, sizeof s); /* padding too: shapes are compared as bytes */
    const uint32_t a = alignment_of(product->a.data), b = alignment_of(product->b.data),
                   c = alignment_of(product->c);
    s.rows = product->rows;
    s.cols = product->cols;
    s.depth = product->depth;
    s.lda = product->a.ld;
    s.ldb = product->b.ld;
    s.ldc = product->ldc;
    s.a_transposed = product->a.transposed;
    s.b_transposed = product->b.transposed;
    s.has_bias = product->bias != nullptr;
    s.relu = product->relu;
    s.accumulate = product->accumulate;
    s.precision = product->precision;
    s.alignment = (int)(a < b ? (a < c ? a : c) : (b < c ? b : c));
    return s;
}

/* A split product is summed in the order of its parts: no scheme that adds in place as parts come. */
static rf_code ask(const rfi_blas *blas, const plan *p, const shape *s, cublasLtMatmulAlgo_t *out,
                   rf_error *err)
{
    rf_code rc = RF_OK;
    cublasLtMatmulPreference_t preference = nullptr;
    cublasLtMatmulHeuristicResult_t result;
    const size_t workspace = WORKSPACE_BYTES;
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
    const uint32_t alignment = (uint32_t)s->alignment;
    int found = 0;
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    LT_TRY(blas, blas->cublasLtMatmulPreferenceCreate(&preference), "take preferences");
    LT_TRY(blas,
           blas->cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                      &workspace, sizeof workspace),
           "take preferences");
    LT_TRY(blas,
           blas->cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                      &schemes, sizeof schemes),
           "take preferences");
    for (const cublasLtMatmulPreferenceAttributes_t attribute : alignments)
        LT_TRY(
            blas,
            blas->cublasLtMatmulPreferenceSetAttribute(preference, attribute, &alignment, sizeof alignment),
            "take preferences");
    LT_TRY(blas,
           blas->cublasLtMatmulAlgoGetHeuristic(blas->handle, p->operation, p->a, p->b, p->c, p->c,
                                                preference, 1, &result, &found),
           "multiply matrices of this shape");
    if (found < 1)
        rc = rf_fail(err, RF_DEVICE, "cuBLASLt knows no way to multiply %d x %d by %d x %d", (int)s->rows,
                     (int)s->depth, (int)s->depth, (int)s->cols);
    else
        *out = result.algo;
out:
    if (preference)
        (void)blas->cublasLtMatmulPreferenceDestroy(preference);
    return rc;
}

static rf_code algorithm_for(rfi_blas *blas, const plan *p, const rfi_blas_product *product,
                             cublasLtMatmulAlgo_t *out, rf_error *err)
{
    rf_code rc = RF_OK;
    const shape s = shape_of(product);
    for (int i = 0; i < blas->n_kept; i++)
        if (memcmp(&blas->kept[i].of, &s, sizeof s) == 0) {
            *out = blas->kept[i].algorithm;
            return RF_OK;
        }
    RF_TRY(ask(blas, p, &s, out, err));
    if (blas->n_kept < KEPT) {
        memcpy(&blas->kept[blas->n_kept].of, &s, sizeof s);
        blas->kept[blas->n_kept++].algorithm = *out;
    }
out:
    return rc;
}

static rf_code multiply_one(rfi_blas *blas, const rfi_blas_product *product, cudaStream_t stream,
                            rf_error *err)
{
    rf_code rc = RF_OK;
    plan p = {};
    cublasLtMatmulAlgo_t algorithm;
    const float one = 1.0f, beta = product->accumulate ? 1.0f : 0.0f;
    RF_TRY(plan_make(blas, product, &p, err));
    RF_TRY(algorithm_for(blas, &p, product, &algorithm, err));
    LT_TRY(blas,
           blas->cublasLtMatmul(blas->handle, p.operation, &one, product->b.data, p.a, product->a.data, p.b,
                                &beta, product->c, p.c, product->c, p.c, &algorithm, blas->workspace,
                                WORKSPACE_BYTES, stream),
           "multiply");
out:
    plan_free(blas, &p);
    return rc;
}

rf_code rfi_blas_multiply(rfi_blas *blas, const rfi_blas_product *product, cudaStream_t stream, rf_error *err)
{
    rf_code rc = RF_OK;
    for (int32_t t = 0; t < product->n_trials; t++) {
        rfi_blas_product one = *product;
        one.a.data += t * product->a.stride;
        one.b.data += t * product->b.stride;
        one.c += t * product->c_stride;
        one.bias = product->bias ? product->bias + t * product->bias_stride : nullptr;
        RF_TRY(multiply_one(blas, &one, stream, err));
    }
out:
    return rc;
}

#endif
