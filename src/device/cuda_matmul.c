/* Matrix products on cuBLASLt. It thinks in columns: our (rows, cols) matrix is its transpose, so
 * C = A B is computed as C^T = B^T A^T, with the factors swapped and nothing moved.
 *
 * Finding the algorithm of a product costs tens of microseconds, so plans are kept in a table by
 * shape; a plan whose place another one wants is replaced. */
#include "cuda/libraries.h"
#include "device/cuda.h"
#include <assert.h>
#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

/* What a plan depends on. All of it, padding included, is compared: filled by memset first. */
typedef struct product {
    int64_t m, n, k, lda, ldb, ldc;
    int32_t align_a, align_b, align_c; /* bytes, up to 256 */
    int32_t type, c_type;              /* t5_dtype */
    int32_t ta, tb;
    int32_t unused;
} product;

typedef struct plan {
    product key;
    bool valid;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, c; /* a: our B */
    cublasLtMatmulAlgo_t algo;
} plan;

enum { PLANS = 1024 };
static const size_t workspace_bytes = (size_t)32 << 20; /* what cuBLAS takes on Hopper */

struct t5_cuda_matmul {
    cublasLtHandle_t handle;
    void *d_workspace;
    bool tf32;
    plan plans[PLANS];
};

static void plan_clear(plan *p) {
    if (p->desc)
        (void)cublasLtMatmulDescDestroy(p->desc);
    cublasLtMatrixLayout_t layouts[] = {p->a, p->b, p->c};
    for (int i = 0; i < 3; i++)
        if (layouts[i])
            (void)cublasLtMatrixLayoutDestroy(layouts[i]);
    memset(p, 0, sizeof *p);
}

t5_status t5_cuda_matmul_create(t5_cuda_matmul **matmul, bool tf32, t5_error *err) {
    *matmul = NULL;
    t5_cuda_matmul *mm = calloc(1, sizeof *mm);
    if (!mm)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the CUDA device");
    mm->tf32 = tf32;
    cublasStatus_t created = cublasLtCreate(&mm->handle);
    if (created != CUBLAS_STATUS_SUCCESS) {
        free(mm);
        const char *missing = t5_cublaslt_missing();
        return missing
                   ? t5_fail(err, T5_ERR_DEVICE, "%s", missing)
                   : t5_fail(err, T5_ERR_DEVICE, "cuBLASLt cannot start (status %d)", (int)created);
    }
    if (cudaMalloc(&mm->d_workspace, workspace_bytes) != cudaSuccess) {
        (void)cudaGetLastError();
        t5_cuda_matmul_destroy(mm);
        return t5_fail(err, T5_ERR_MEMORY, "the GPU cannot allocate %zu bytes for cuBLASLt",
                       workspace_bytes);
    }
    *matmul = mm;
    return T5_OK;
}

void t5_cuda_matmul_destroy(t5_cuda_matmul *mm) {
    if (!mm)
        return;
    for (int i = 0; i < PLANS; i++)
        plan_clear(&mm->plans[i]);
    (void)cudaFree(mm->d_workspace);
    (void)cublasLtDestroy(mm->handle);
    free(mm);
}

static int32_t alignment(const void *p) {
    uintptr_t bits = (uintptr_t)p | 256;
    return (int32_t)(bits & (~bits + 1));
}

static cudaDataType cuda_type(int32_t type) {
    return type == T5_F32 ? CUDA_R_32F : CUDA_R_16BF;
}

/* The layout of a (rows, cols) matrix of ours. */
static cublasStatus_t make_layout(cublasLtMatrixLayout_t *layout, int32_t type, int64_t rows,
                                  int64_t cols, int64_t ld) {
    return cublasLtMatrixLayoutCreate(layout, cuda_type(type), (uint64_t)cols, (uint64_t)rows, ld);
}

static cublasStatus_t describe(const t5_cuda_matmul *mm, plan *p) {
    const product *k = &p->key;
    cublasComputeType_t compute =
        k->type == T5_F32 && mm->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    cublasOperation_t first = k->tb ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t second = k->ta ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasStatus_t s = cublasLtMatmulDescCreate(&p->desc, compute, CUDA_R_32F);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &first,
                                           sizeof first);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_TRANSB, &second,
                                           sizeof second);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = make_layout(&p->a, k->type, k->tb ? k->n : k->k, k->tb ? k->k : k->n, k->ldb);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = make_layout(&p->b, k->type, k->ta ? k->k : k->m, k->ta ? k->m : k->k, k->lda);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = make_layout(&p->c, k->c_type, k->m, k->n, k->ldc);
    return s;
}

static cublasStatus_t set_preference(cublasLtMatmulPreference_t preference, const product *k) {
    /* Partial sums of a divided k are added in float32 and in a fixed order, or not at all. */
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    uint32_t align_a = (uint32_t)k->align_b, align_b = (uint32_t)k->align_a;
    uint32_t align_c = (uint32_t)k->align_c;
    const struct {
        cublasLtMatmulPreferenceAttributes_t name;
        const void *value;
        size_t size;
    } attributes[] = {
        {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes, sizeof workspace_bytes},
        {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &align_a, sizeof align_a},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &align_b, sizeof align_b},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &align_c, sizeof align_c},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &align_c, sizeof align_c},
    };
    cublasStatus_t s = CUBLAS_STATUS_SUCCESS;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (s == CUBLAS_STATUS_SUCCESS)
            s = cublasLtMatmulPreferenceSetAttribute(preference, attributes[i].name,
                                                     attributes[i].value, attributes[i].size);
    return s;
}

static cublasStatus_t choose_algorithm(const t5_cuda_matmul *mm, plan *p) {
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t found;
    int n = 0;
    cublasStatus_t s = cublasLtMatmulPreferenceCreate(&preference);
    if (s != CUBLAS_STATUS_SUCCESS)
        return s;
    s = set_preference(preference, &p->key);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulAlgoGetHeuristic(mm->handle, p->desc, p->a, p->b, p->c, p->c, preference,
                                           1, &found, &n);
    (void)cublasLtMatmulPreferenceDestroy(preference);
    if (s == CUBLAS_STATUS_SUCCESS && n == 0)
        s = CUBLAS_STATUS_NOT_SUPPORTED;
    if (s == CUBLAS_STATUS_SUCCESS)
        p->algo = found.algo;
    return s;
}

static void fail_product(t5_cuda *cuda, const product *k, const char *what, cublasStatus_t s) {
    t5_fail(&cuda->error, T5_ERR_DEVICE,
            "cuBLASLt cannot %s (%lld x %lld) by (%lld x %lld), type %s into %s, rows %lld, %lld, "
            "%lld apart: status %d",
            what, (long long)k->m, (long long)k->k, (long long)k->k, (long long)k->n,
            k->type == T5_F32 ? "f32" : "bf16", k->c_type == T5_F32 ? "f32" : "bf16",
            (long long)k->lda, (long long)k->ldb, (long long)k->ldc, (int)s);
}

static uint64_t hash_of(const product *key) {
    const unsigned char *bytes = (const unsigned char *)key;
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < sizeof *key; i++)
        h = (h ^ bytes[i]) * 1099511628211u;
    return h ^ h >> 29;
}

/* The plan of a product, made if it is not there; NULL (and the sticky error) if there is none. */
static const plan *find(t5_cuda *cuda, const product *key) {
    t5_cuda_matmul *mm = cuda->matmul;
    plan *p = &mm->plans[hash_of(key) % PLANS];
    if (p->valid && memcmp(&p->key, key, sizeof *key) == 0)
        return p;
    plan_clear(p);
    memcpy(&p->key, key, sizeof *key);
    cublasStatus_t s = describe(mm, p);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = choose_algorithm(mm, p);
    if (s != CUBLAS_STATUS_SUCCESS) {
        plan_clear(p);
        fail_product(cuda, key, "plan", s);
        return NULL;
    }
    p->valid = true;
    return p;
}

static product product_of(bool ta, t5_mat a, bool tb, t5_mat b, t5_mat c) {
    product k;
    memset(&k, 0, sizeof k);
    k.m = c.rows, k.n = c.cols, k.k = ta ? a.rows : a.cols;
    k.lda = a.ld, k.ldb = b.ld, k.ldc = c.ld;
    k.align_a = alignment(a.p), k.align_b = alignment(b.p), k.align_c = alignment(c.p);
    k.type = a.type, k.c_type = c.type;
    k.ta = ta, k.tb = tb;
    return k;
}

void t5_cuda_matmul_run(t5_device *dev, bool ta, t5_mat a, bool tb, t5_mat b, float alpha,
                        float beta, t5_mat c) {
    t5_cuda *cuda = t5_cuda_of(dev);
    product key = product_of(ta, a, tb, b, c);
    assert(a.type == b.type && alpha != 0.0f && (beta == 0.0f || beta == 1.0f));
    assert((ta ? a.cols : a.rows) == key.m && (tb ? b.cols : b.rows) == key.k);
    assert((tb ? b.rows : b.cols) == key.n);
    if (t5_cuda_failed(cuda) || key.m == 0 || key.n == 0)
        return;
    if (key.k == 0) { /* an empty sum, which cuBLASLt refuses */
        if (beta == 0.0f)
            t5_cuda_check(cuda, t5_launch_zero_rows(c, cuda->stream), "zeroing a matrix");
        return;
    }
    const plan *p = find(cuda, &key);
    if (!p)
        return;
    cublasStatus_t s = cublasLtMatmul(cuda->matmul->handle, p->desc, &alpha, b.p, p->a, a.p, p->b,
                                      &beta, c.p, p->c, c.p, p->c, &p->algo,
                                      cuda->matmul->d_workspace, workspace_bytes, cuda->stream);
    if (s != CUBLAS_STATUS_SUCCESS)
        fail_product(cuda, &key, "multiply", s);
}
