#include "cuda/libraries.h"
#include <cublasLt.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define LIBRARY_NAME "libcublasLt.so." TEXT(CUBLAS_VER_MAJOR)
#define LIBRARY_PATH T5_CUBLASLT_PATH
#define LIBRARY_FAILS CUBLAS_STATUS_NOT_INITIALIZED

#define FUNCTIONS(X)                                                                          \
    X(cublasStatus_t, cublasLtCreate, (cublasLtHandle_t * h), (h))                            \
    X(cublasStatus_t, cublasLtDestroy, (cublasLtHandle_t h), (h))                             \
    X(cublasStatus_t, cublasLtMatmulDescCreate,                                               \
      (cublasLtMatmulDesc_t * d, cublasComputeType_t c, cudaDataType_t s), (d, c, s))         \
    X(cublasStatus_t, cublasLtMatmulDescDestroy, (cublasLtMatmulDesc_t d), (d))               \
    X(cublasStatus_t, cublasLtMatmulDescSetAttribute,                                         \
      (cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t a, const void *v, size_t n),    \
      (d, a, v, n))                                                                           \
    X(cublasStatus_t, cublasLtMatrixLayoutCreate,                                             \
      (cublasLtMatrixLayout_t * l, cudaDataType t, uint64_t rows, uint64_t cols, int64_t ld), \
      (l, t, rows, cols, ld))                                                                 \
    X(cublasStatus_t, cublasLtMatrixLayoutDestroy, (cublasLtMatrixLayout_t l), (l))           \
    X(cublasStatus_t, cublasLtMatmulPreferenceCreate, (cublasLtMatmulPreference_t * p), (p))  \
    X(cublasStatus_t, cublasLtMatmulPreferenceDestroy, (cublasLtMatmulPreference_t p), (p))   \
    X(cublasStatus_t, cublasLtMatmulPreferenceSetAttribute,                                   \
      (cublasLtMatmulPreference_t p, cublasLtMatmulPreferenceAttributes_t a, const void *v,   \
       size_t n),                                                                             \
      (p, a, v, n))                                                                           \
    X(cublasStatus_t, cublasLtMatmulAlgoGetHeuristic,                                         \
      (cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t la,                 \
       cublasLtMatrixLayout_t lb, cublasLtMatrixLayout_t lc, cublasLtMatrixLayout_t ld,       \
       cublasLtMatmulPreference_t p, int n, cublasLtMatmulHeuristicResult_t r[], int *found), \
      (h, d, la, lb, lc, ld, p, n, r, found))                                                 \
    X(cublasStatus_t, cublasLtMatmul,                                                         \
      (cublasLtHandle_t h, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,       \
       cublasLtMatrixLayout_t la, const void *b, cublasLtMatrixLayout_t lb, const void *beta, \
       const void *c, cublasLtMatrixLayout_t lc, void *d, cublasLtMatrixLayout_t ld,          \
       const cublasLtMatmulAlgo_t *algo, void *work, size_t work_bytes, cudaStream_t s),      \
      (h, desc, alpha, a, la, b, lb, beta, c, lc, d, ld, algo, work, work_bytes, s))

#include "cuda/forward.h"

const char *t5_cublaslt_missing(void) {
    return missing();
}
