/* The emulated cuBLASLt: the products that the backend asks for, and refusals of all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) assert_int_equal(call, CUBLAS_STATUS_SUCCESS)

typedef struct product {
    bool ta, tb, row; /* transposed; row-major instead of column-major */
    cudaDataType in, out;
    cublasComputeType_t compute;
    float alpha, beta;
} product;

enum { M = 20, N = 33, K = 47, GAP = 3, MOST = 64 * 64 };

static float value_at(const void *p, cudaDataType t, int64_t i) {
    uint32_t u;
    float f;
    if (t == CUDA_R_32F)
        return ((const float *)p)[i];
    u = (uint32_t)((const uint16_t *)p)[i] << 16;
    memcpy(&f, &u, sizeof f);
    return f;
}
/* Short numbers, which bfloat16 holds: sums are exact but in the last place. */
static void fill(void *p, cudaDataType t, int seed) {
    for (int i = 0; i < MOST; i++) {
        float f = (float)((i * 37 + seed * 11) % 17 - 8) / 8.0f;
        uint32_t u;
        memcpy(&u, &f, sizeof u);
        if (t == CUDA_R_32F)
            ((float *)p)[i] = f;
        else
            ((uint16_t *)p)[i] = (uint16_t)(u >> 16);
    }
}

typedef struct setup {
    cublasLtHandle_t lt;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t found;
    char *d_a, *d_b, *d_c, *d_work;
} setup;

enum { WORK = 4096 };

static void layout(cublasLtMatrixLayout_t *l, cudaDataType t, int rows, int cols, bool row) {
    int64_t ld = (row ? cols : rows) + GAP;
    cublasLtOrder_t order = CUBLASLT_ORDER_ROW;
    OK(cublasLtMatrixLayoutCreate(l, t, (uint64_t)rows, (uint64_t)cols, ld));
    if (row)
        OK(cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_ORDER, &order,
                                            sizeof order));
}

static void open_setup(setup *s, const product *p) {
    cublasOperation_t ta = p->ta ? CUBLAS_OP_T : CUBLAS_OP_N,
                      tb = p->tb ? CUBLAS_OP_T : CUBLAS_OP_N;
    size_t work = WORK;
    OK(cublasLtCreate(&s->lt));
    OK(cublasLtMatmulDescCreate(&s->desc, p->compute, CUDA_R_32F));
    OK(cublasLtMatmulDescSetAttribute(s->desc, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta));
    OK(cublasLtMatmulDescSetAttribute(s->desc, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb));
    layout(&s->a, p->in, p->ta ? K : M, p->ta ? M : K, p->row);
    layout(&s->b, p->in, p->tb ? N : K, p->tb ? K : N, p->row);
    layout(&s->c, p->out, M, N, p->row);
    OK(cublasLtMatmulPreferenceCreate(&s->preference));
    OK(cublasLtMatmulPreferenceSetAttribute(s->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                            &work, sizeof work));
    char **d[] = {&s->d_a, &s->d_b, &s->d_c, &s->d_work};
    for (int i = 0; i < 4; i++)
        assert_int_equal(cudaMalloc((void **)d[i], MOST * 4), cudaSuccess);
}

static void close_setup(setup *s) {
    char *d[] = {s->d_a, s->d_b, s->d_c, s->d_work};
    for (int i = 0; i < 4; i++)
        assert_int_equal(cudaFree(d[i]), cudaSuccess);
    OK(cublasLtMatmulPreferenceDestroy(s->preference));
    OK(cublasLtMatrixLayoutDestroy(s->a)), OK(cublasLtMatrixLayoutDestroy(s->b));
    OK(cublasLtMatrixLayoutDestroy(s->c)), OK(cublasLtMatmulDescDestroy(s->desc));
    OK(cublasLtDestroy(s->lt));
}

static cublasStatus_t plan(setup *s) {
    int n = 7;
    cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(s->lt, s->desc, s->a, s->b, s->c, s->c,
                                                           s->preference, 1, &s->found, &n);
    assert_int_equal(n, status == CUBLAS_STATUS_SUCCESS);
    return status;
}

static cublasStatus_t run(setup *s, const product *p, size_t work) {
    return cublasLtMatmul(s->lt, s->desc, &p->alpha, s->d_a, s->a, s->d_b, s->b, &p->beta, s->d_c,
                          s->c, s->d_c, s->c, &s->found.algo, s->d_work, work, 0);
}

static int64_t at(bool row, int rows, int cols, int i, int j) {
    return row ? (int64_t)i * (cols + GAP) + j : i + (int64_t)j * (rows + GAP);
}

static void check(const product *p) {
    static char a[MOST * 4], b[MOST * 4], c[MOST * 4], got[MOST * 4];
    setup s;
    open_setup(&s, p);
    fill(a, p->in, 1), fill(b, p->in, 2), fill(c, p->out, 3);
    cudaMemcpy(s.d_a, a, sizeof a, cudaMemcpyHostToDevice);
    cudaMemcpy(s.d_b, b, sizeof b, cudaMemcpyHostToDevice);
    if (p->beta != 0.0f) /* else what was there may be NaN */
        cudaMemcpy(s.d_c, c, sizeof c, cudaMemcpyHostToDevice);
    OK(plan(&s));
    OK(run(&s, p, WORK));
    cudaMemcpy(got, s.d_c, sizeof got, cudaMemcpyDeviceToHost);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0.0;
            for (int k = 0; k < K; k++) {
                int64_t x = p->ta ? at(p->row, K, M, k, i) : at(p->row, M, K, i, k);
                int64_t y = p->tb ? at(p->row, N, K, j, k) : at(p->row, K, N, k, j);
                sum += (double)(value_at(a, p->in, x) * value_at(b, p->in, y));
            }
            int64_t z = at(p->row, M, N, i, j);
            double want = (double)p->alpha * sum +
                          (p->beta != 0.0f ? (double)(p->beta * value_at(c, p->out, z)) : 0.0);
            double limit = p->out == CUDA_R_32F ? 1e-6 : 4e-3;
            assert_true(fabs((double)value_at(got, p->out, z) - want) <= limit * (1 + fabs(want)));
        }
    close_setup(&s);
}

static void test_products(void **state) {
    (void)state;
    static const cublasComputeType_t full = CUBLAS_COMPUTE_32F, tf32 = CUBLAS_COMPUTE_32F_FAST_TF32;
    for (int mode = 0; mode < 16; mode++) {
        bool ta = mode & 1, tb = mode & 2, row = mode & 4;
        float alpha = mode & 8 ? 0.5f : 1.0f, beta = mode & 8 ? 1.0f : 0.0f;
        check(&(product){ta, tb, row, CUDA_R_32F, CUDA_R_32F, full, alpha, beta});
        check(&(product){ta, tb, row, CUDA_R_32F, CUDA_R_32F, tf32, alpha, beta});
        check(&(product){ta, tb, row, CUDA_R_16BF, CUDA_R_16BF, full, alpha, beta});
        check(&(product){ta, tb, row, CUDA_R_16BF, CUDA_R_32F, full, alpha, beta});
    }
}

/* Tensor cores read 10 bits of a float's mantissa. */
static void test_tf32_rounds(void **state) {
    (void)state;
    static const cublasComputeType_t compute[] = {CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32};
    for (int i = 0; i < 2; i++) {
        product p = {false, false, false, CUDA_R_32F, CUDA_R_32F, compute[i], 1.0f, 0.0f};
        setup s;
        static float ones[MOST];
        float got;
        for (int j = 0; j < MOST; j++)
            ones[j] = 1.0f + 1.0f / 4096.0f; /* 12 bits */
        open_setup(&s, &p);
        cudaMemcpy(s.d_a, ones, sizeof ones, cudaMemcpyHostToDevice);
        cudaMemcpy(s.d_b, ones, sizeof ones, cudaMemcpyHostToDevice);
        OK(plan(&s));
        OK(run(&s, &p, WORK));
        cudaMemcpy(&got, s.d_c, sizeof got, cudaMemcpyDeviceToHost);
        assert_true(i == 1 ? got == (float)K : got > (float)K);
        close_setup(&s);
    }
}

static void test_refusals(void **state) {
    (void)state;
    const product p = {false, false, false, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, 1.0f, 0.0f};
    setup s;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t good;
    int32_t four = 4;
    uint64_t eight = 8, zero = 0, one = 1;
    assert_int_equal(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_16F, CUDA_R_16F),
                     CUBLAS_STATUS_NOT_SUPPORTED);
    assert_int_equal(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_64F),
                     CUBLAS_STATUS_NOT_SUPPORTED);
    open_setup(&s, &p);
    assert_int_equal(
        cublasLtMatmulDescSetAttribute(s.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &eight, 8),
        CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(cublasLtMatmulDescSetAttribute(s.desc, CUBLASLT_MATMUL_DESC_TRANSA, &eight, 8),
                     CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(
        cublasLtMatrixLayoutSetAttribute(s.a, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &four, 4),
        CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(run(&s, &p, WORK), CUBLAS_STATUS_INVALID_VALUE); /* no heuristic asked */
    OK(plan(&s));
    assert_int_equal(run(&s, &p, 8), CUBLAS_STATUS_INVALID_VALUE); /* less work memory than told */
    /* values of attributes that are known: epilogue, transposition, layout */
    int32_t epilogue = CUBLASLT_EPILOGUE_RELU, none = CUBLASLT_EPILOGUE_DEFAULT, c = CUBLAS_OP_C;
    int32_t n = CUBLAS_OP_N;
    OK(cublasLtMatmulDescSetAttribute(s.desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, 4));
    assert_int_equal(plan(&s), CUBLAS_STATUS_NOT_SUPPORTED);
    assert_int_equal(run(&s, &p, WORK), CUBLAS_STATUS_NOT_SUPPORTED);
    OK(cublasLtMatmulDescSetAttribute(s.desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &none, 4));
    OK(cublasLtMatmulDescSetAttribute(s.desc, CUBLASLT_MATMUL_DESC_TRANSB, &c, 4));
    assert_int_equal(plan(&s), CUBLAS_STATUS_NOT_SUPPORTED);
    OK(cublasLtMatmulDescSetAttribute(s.desc, CUBLASLT_MATMUL_DESC_TRANSB, &n, 4));
    good = s.a;
    layout(&s.a, CUDA_R_16F, M, K, false);
    assert_int_equal(plan(&s), CUBLAS_STATUS_NOT_SUPPORTED);
    OK(cublasLtMatrixLayoutDestroy(s.a));
    s.a = good;
    OK(cublasLtMatrixLayoutSetAttribute(s.a, CUBLASLT_MATRIX_LAYOUT_LD, &one, 8));
    assert_int_equal(plan(&s), CUBLAS_STATUS_INVALID_VALUE);
    eight = M + GAP;
    OK(cublasLtMatrixLayoutSetAttribute(s.a, CUBLASLT_MATRIX_LAYOUT_LD, &eight, 8));
    OK(plan(&s));
    OK(cublasLtMatrixLayoutSetAttribute(s.a, CUBLASLT_MATRIX_LAYOUT_COLS, &zero, 8));
    assert_int_equal(plan(&s), CUBLAS_STATUS_INVALID_VALUE);
    close_setup(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_tf32_rounds),
    };
    return cmocka_run_group_tests_name("cuda_on_cpu cublasLt", tests, NULL, NULL);
}
