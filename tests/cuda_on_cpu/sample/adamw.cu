/* AdamW with a bfloat16 copy. BUG_x: bugs that the emulation must find. */
#include "cuda_on_cpu/sample/launch.cuh"

struct Adam {
    float lr, b1, b2, eps, decay, c1, c2;
};

static __device__ __forceinline__ void update(float &p, float &m, float &v, float g,
                                              const Adam &a) {
    m = a.b1 * m + (1 - a.b1) * g;
    v = a.b2 * v + (1 - a.b2) * g * g;
    p -= a.lr * (m * a.c1 / (sqrtf(v * a.c2) + a.eps) + a.decay * p);
}

static __global__ void __launch_bounds__(256)
    adamw(float *__restrict__ p, float *__restrict__ m, float *__restrict__ v,
          const float *__restrict__ g, bf16 *__restrict__ copy, const float *__restrict__ scale,
          long n, Adam a) {
    const float s = __ldg(scale);
    const long stride = (long)gridDim.x * blockDim.x;
    const long id = (long)blockIdx.x * blockDim.x + threadIdx.x;
#ifdef BUG_TAIL
    const long fours = (n + 3) / 4;
#else
    const long fours = n / 4;
#endif
    for (long i = id; i < fours; i += stride) {
        float4 P = ((float4 *)p)[i], M = ((float4 *)m)[i], V = ((float4 *)v)[i];
        float4 G = ((const float4 *)g)[i];
        update(P.x, M.x, V.x, G.x * s, a);
        update(P.y, M.y, V.y, G.y * s, a);
        update(P.z, M.z, V.z, G.z * s, a);
        update(P.w, M.w, V.w, G.w * s, a);
        ((float4 *)p)[i] = P, ((float4 *)m)[i] = M, ((float4 *)v)[i] = V;
        ((__nv_bfloat162 *)copy)[2 * i] = __floats2bfloat162_rn(P.x, P.y);
        ((__nv_bfloat162 *)copy)[2 * i + 1] = __floats2bfloat162_rn(P.z, P.w);
    }
    for (long i = n / 4 * 4 + id; i < n; i += stride) {
        update(p[i], m[i], v[i], g[i] * s, a);
        copy[i] = __float2bfloat16(p[i]);
    }
#ifdef BUG_RACE
    __shared__ int last;
    if (threadIdx.x % 64 == 0)
        last = (int)threadIdx.x; /* four writers */
    __syncthreads();
    if (threadIdx.x == 0 && last < 0)
        p[0] = 0;
#endif
}

cudaError_t sample_adamw(float *p, float *m, float *v, const float *g, uint16_t *copy,
                         const float *scale, long n, float lr, float decay, int step,
                         cudaStream_t s) {
    const float b1 = 0.9f, b2 = 0.999f;
    Adam a = {
        lr, b1, b2, 1e-8f, decay, 1 / (1 - powf(b1, (float)step)), 1 / (1 - powf(b2, (float)step))};
    return launch(adamw, 8, 256, 0, s, p, m, v, g, (bf16 *)copy, scale, n, a);
}
