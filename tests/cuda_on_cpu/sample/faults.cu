/* Kernels that a GPU would punish, or worse, not notice: each must end the process with a report.
 */
#include "cuda_on_cpu/sample/launch.cuh"
#include <string.h>

static __global__ void divergent(int *out) {
    if (threadIdx.x < 40)
        __syncthreads();
    out[threadIdx.x] = 1;
}
static __global__ void two_barriers(int *) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
}
static __global__ void inactive_lane(int *out) {
    if (threadIdx.x < 20)
        out[threadIdx.x] = __shfl_xor_sync(~0u, (int)threadIdx.x, 1);
}
static __global__ void deadlock(int *) {
    if (threadIdx.x < 32)
        __syncwarp(threadIdx.x == 0 ? 0x3u : 0xFFFFFFFEu); /* lane 1 waits with others */
}
static __global__ void source(int *out) {
    if (threadIdx.x < 16)
        out[0] = __shfl_sync(0xFFFFu, 1, 20);
}
static __global__ void alignment(int *out) {
    out[0] = (int)((float4 *)(out + 1))->x;
}
static __device__ __attribute__((noinline)) void touch(int *p, int i) {
    p[i] = 0;
}
static __global__ void uninitialised(int *out) {
    __shared__ float x[64];
    if (threadIdx.x == 0)
        x[0] = 1;
    __syncthreads();
    if (x[1] != x[1])
        __trap();
    out[threadIdx.x] = 1;
}
static __global__ void overrun(int *out) {
    touch(out, (int)(blockIdx.x * blockDim.x + threadIdx.x));
}

cudaError_t sample_fault(const char *name, int *out, cudaStream_t s) {
    static const struct {
        const char *name;
        void (*kernel)(int *);
        int blocks;
    } table[] = {{"divergent", divergent, 1},
                 {"two_barriers", two_barriers, 1},
                 {"inactive_lane", inactive_lane, 1},
                 {"deadlock", deadlock, 1},
                 {"source", source, 1},
                 {"alignment", alignment, 1},
                 {"uninitialised", uninitialised, 1},
                 {"overrun", overrun, 2}};
    for (auto &f : table)
        if (!strcmp(f.name, name))
            return launch(f.kernel, f.blocks, 64, 0, s, out);
    return cudaErrorInvalidValue;
}
