/* Tensor cores through nvcuda::wmma, one warp. */
#include "cuda_on_cpu/sample/launch.cuh"
#include <mma.h>

using namespace nvcuda;

static __global__ void product(const bf16 *a, const bf16 *b, float *c, int k) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800 /* bfloat16 in tensor cores */
    wmma::fragment<wmma::matrix_a, 16, 16, 16, bf16, wmma::row_major> x;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, bf16, wmma::col_major> y;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    for (int i = 0; i < k; i += 16) {
        wmma::load_matrix_sync(x, a + i, k);
        wmma::load_matrix_sync(y, b + i, k);
        wmma::mma_sync(sum, x, y, sum);
    }
    for (int i = 0; i < sum.num_elements; i++)
        sum.x[i] *= 2;
    wmma::store_matrix_sync(c, sum, 16, wmma::mem_row_major);
#endif
}

cudaError_t sample_product(const uint16_t *a, const uint16_t *b, float *c, int k, cudaStream_t s) {
    return launch(product, 1, 32, 0, s, (const bf16 *)a, (const bf16 *)b, c, k);
}
