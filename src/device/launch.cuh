/* What every kernel file needs: launching, reductions within a warp and a block, the choice of a
 * kernel by type. The same files compile with nvcc and, for tests, with g++ (tests/cuda_on_cpu):
 * no <<<>>>, kernels `static`, dynamic shared memory always `extern __shared__ float4 smem[]`. */
#ifndef T5_DEVICE_LAUNCH_CUH
#define T5_DEVICE_LAUNCH_CUH
#include "device/kernels.h"
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <type_traits>

typedef __nv_bfloat16 bf16;

enum { WARP = 32, MOST_BLOCKS_Y = 65535, PLAIN_SHARED = 48 * 1024 };

/* A kernel launch as a typed call. An empty grid is no launch. */
template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                   A... arguments) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0)
        return cudaSuccess;
    if (shared > PLAIN_SHARED) { /* more has to be asked for */
        cudaError_t result = cudaFuncSetAttribute(
            (const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
        if (result != cudaSuccess)
            return result;
    }
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

static inline unsigned blocks_for(int64_t n, int64_t per_block) {
    return (unsigned)((n + per_block - 1) / per_block);
}
static inline unsigned at_most(int64_t n, int64_t most) {
    return (unsigned)(n < most ? n : most);
}

/* f(a null pointer to the element type): f picks the kernel of that type. */
template <class F> cudaError_t by_type(t5_dtype type, F f) {
    return type == T5_F32 ? f((float *)nullptr) : f((bf16 *)nullptr);
}

template <class T> __device__ __forceinline__ T warp_sum(T v) {
    for (int o = WARP / 2; o; o >>= 1)
        v += __shfl_xor_sync(~0u, v, o);
    return v;
}
__device__ __forceinline__ float warp_max(float v) {
    for (int o = WARP / 2; o; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(~0u, v, o));
    return v;
}

/* The sum over all threads of a block of whole warps, in every thread; `room`: 32 elements of
 * shared memory of this call's own until the next barrier. Always the same order. */
template <class T> __device__ __forceinline__ T block_sum(T v, T *room) {
    v = warp_sum(v);
    if ((threadIdx.x & (WARP - 1)) == 0)
        room[threadIdx.x / WARP] = v;
    __syncthreads();
    T sum = 0;
    for (unsigned w = 0; w < blockDim.x / WARP; w++)
        sum += room[w];
    return sum;
}

#endif
