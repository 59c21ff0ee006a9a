/* RMS norm over rows of 512, one warp for a row. BUG_x: bugs that the emulation must find. */
#include "cuda_on_cpu/sample/launch.cuh"

template <int N> struct Row { float v[N / 32]; };

template <int N> __device__ Row<N> load_row(const bf16 *__restrict__ p) { /* 8 elements a lane */
    Row<N> r;
    for (int k = 0; k < N / 256; k++) {
        uint4 u = __ldg((const uint4 *)p + k * 32 + (threadIdx.x & 31));
        const __nv_bfloat162 *h = (const __nv_bfloat162 *)&u;
        for (int i = 0; i < 4; i++) {
            float2 f = __bfloat1622float2(h[i]);
            r.v[8 * k + 2 * i] = f.x;
            r.v[8 * k + 2 * i + 1] = f.y;
        }
    }
    return r;
}

template <int N> __device__ void store_row(bf16 *p, const Row<N> &r) {
    for (int k = 0; k < N / 256; k++) {
        uint4 u;
        __nv_bfloat162 *h = (__nv_bfloat162 *)&u;
        for (int i = 0; i < 4; i++)
            h[i] = __floats2bfloat162_rn(r.v[8 * k + 2 * i], r.v[8 * k + 2 * i + 1]);
        ((uint4 *)p)[k * 32 + (threadIdx.x & 31)] = u;
    }
}

__device__ __forceinline__ int column(int i) {
    return i / 8 * 256 + (threadIdx.x & 31) * 8 + i % 8;
}

template <int N>
static __global__ void __launch_bounds__(128)
    forward(const bf16 *__restrict__ x, const float *__restrict__ w, bf16 *__restrict__ y,
            float *__restrict__ rstd, int rows, float eps) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows)
        return;
    Row<N> a = load_row<N>(x + (size_t)row * N);
    float s = 0;
    for (int i = 0; i < N / 32; i++)
        s += a.v[i] * a.v[i];
    float r = rsqrtf(warp_sum(s) / N + eps);
    for (int i = 0; i < N / 32; i++)
        a.v[i] *= r * w[column(i)];
    store_row<N>(y + (size_t)row * N, a);
    if ((threadIdx.x & 31) == 0)
        rstd[row] = r;
}

template <int N>
static __global__ void __launch_bounds__(128)
    backward(const bf16 *__restrict__ x, const float *__restrict__ w,
             const float *__restrict__ rstd, const bf16 *__restrict__ dy, bf16 *__restrict__ dx,
             float *dw, int rows) {
    __shared__ float sum[4][N];
    int warp = threadIdx.x / 32;
    Row<N> g = {};
    for (int row = blockIdx.x * 4 + warp; row < rows; row += gridDim.x * 4) {
        Row<N> a = load_row<N>(x + (size_t)row * N), d = load_row<N>(dy + (size_t)row * N);
        float r = rstd[row], s = 0;
        for (int i = 0; i < N / 32; i++) {
            g.v[i] += d.v[i] * a.v[i] * r;
            d.v[i] *= w[column(i)];
            s += d.v[i] * a.v[i];
        }
        s = warp_sum(s) * r * r * r / N;
        for (int i = 0; i < N / 32; i++)
            d.v[i] = d.v[i] * r - a.v[i] * s;
        store_row<N>(dx + (size_t)row * N, d);
    }
    for (int i = 0; i < N / 32; i++)
        sum[warp][column(i)] = g.v[i];
#ifndef BUG_BARRIER
    __syncthreads();
#endif
#ifdef BUG_STATIC
    sum[0][threadIdx.x * 16 + 128] = 0; /* past the 2048 floats for the last threads */
#endif
    for (int c = threadIdx.x; c < N; c += blockDim.x) {
        float s = sum[0][c] + sum[1][c] + sum[2][c] + sum[3][c];
#ifdef BUG_ATOMIC
        dw[c] += s;
#else
        atomicAdd(dw + c, s);
#endif
    }
}

cudaError_t sample_norm_forward(const uint16_t *x, const float *w, uint16_t *y, float *rstd,
                                int rows, float eps, cudaStream_t s) {
    return launch(forward<SAMPLE_WIDTH>, (rows + 3) / 4, 128, 0, s, (const bf16 *)x, w, (bf16 *)y,
                  rstd, rows, eps);
}
cudaError_t sample_norm_backward(const uint16_t *x, const float *w, const float *rstd,
                                 const uint16_t *dy, uint16_t *dx, float *dw, int rows,
                                 cudaStream_t s) {
    return launch(backward<SAMPLE_WIDTH>, 8, 128, 0, s, (const bf16 *)x, w, rstd, (const bf16 *)dy,
                  (bf16 *)dx, dw, rows);
}
