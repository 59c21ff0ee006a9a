/* AdamW over the arena in one pass, with the clip factor and the bfloat16 copy in it, and sums of
 * squares. Both are as fast as memory. */
#include "device/element.cuh"

enum { THREADS = 256, ADAMW_BLOCKS = 4096 };

/* Every block sums the same elements whatever the GPU; four doubles a thread hide their latency. */
template <bool VEC>
static __global__ void __launch_bounds__(THREADS)
    sum_squares_parts(const float *__restrict__ x, int64_t n, double *__restrict__ part) {
    __shared__ double room[WARP];
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    int64_t step = 4 * (int64_t)gridDim.x * THREADS;
    for (int64_t i = 4 * ((int64_t)blockIdx.x * THREADS + threadIdx.x); i < n; i += step) {
        float4 v = i + 4 <= n ? load4<VEC>(x + i, 4) : load4<false>(x + i, (int)(n - i));
        s0 += (double)v.x * (double)v.x;
        s1 += (double)v.y * (double)v.y;
        s2 += (double)v.z * (double)v.z;
        s3 += (double)v.w * (double)v.w;
    }
    double sum = block_sum((s0 + s1) + (s2 + s3), room);
    if (threadIdx.x == 0)
        part[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__(THREADS)
    add_parts(const double *__restrict__ part, int n, double *d_sum) {
    __shared__ double room[WARP];
    double sum = 0;
    for (int i = (int)threadIdx.x; i < n; i += THREADS)
        sum += part[i];
    sum = block_sum(sum, room);
    if (threadIdx.x == 0)
        *d_sum += sum;
}

cudaError_t t5_launch_sum_squares(const float *d_x, int64_t n, double *d_part, double *d_sum,
                                  cudaStream_t stream) {
    unsigned parts = at_most((n + 4 * THREADS - 1) / (4 * THREADS), T5_SUM_SQUARES_PARTS);
    if (parts == 0)
        return cudaSuccess;
    cudaError_t result = launch(in_groups(d_x) ? sum_squares_parts<true> : sum_squares_parts<false>,
                                parts, THREADS, 0, stream, d_x, n, d_part);
    return result ? result
                  : launch(add_parts, 1, THREADS, 0, stream, (const double *)d_part, (int)parts,
                           d_sum);
}

typedef struct adamw_args {
    float *p, *m, *v;
    const float *g;
    bf16 *copy;
    int64_t n;
    float beta1, rest1, beta2, rest2, eps, weight_decay, clip_norm;
    const double *norm2;
    const float *rate;
} adamw_args;

/* What is the same for all elements and known only when the kernel runs. */
typedef struct adamw_factors {
    float clip, decay, step, root;
} adamw_factors;

static __device__ adamw_factors factors_of(const adamw_args &a) {
    double clip = a.clip_norm > 0.0f ? (double)a.clip_norm / (sqrt(*a.norm2) + 1e-6) : 1.0;
    return adamw_factors{(float)(clip > 1.0 ? 1.0 : clip), /* NaN stays */
                         1.0f - a.rate[0] * a.weight_decay, a.rate[0] / a.rate[1],
                         1.0f / sqrtf(a.rate[2])};
}

static __device__ __forceinline__ void update(const adamw_args &a, const adamw_factors &f, float &p,
                                              float &m, float &v, float g) {
    float grad = g * f.clip;
    m = a.beta1 * m + a.rest1 * grad;
    v = a.beta2 * v + a.rest2 * grad * grad;
    p = p * f.decay - f.step * m / (sqrtf(v) * f.root + a.eps);
}

template <bool VEC>
static __device__ __forceinline__ void update4(const adamw_args &a, const adamw_factors &f,
                                               int64_t i, int n) {
    float4 p = load4<VEC>(a.p + i, n), m = load4<VEC>(a.m + i, n), v = load4<VEC>(a.v + i, n);
    float4 g = load4<VEC>(a.g + i, n);
    update(a, f, p.x, m.x, v.x, g.x);
    update(a, f, p.y, m.y, v.y, g.y);
    update(a, f, p.z, m.z, v.z, g.z);
    update(a, f, p.w, m.w, v.w, g.w);
    store4<VEC>(a.p + i, p, n), store4<VEC>(a.m + i, m, n), store4<VEC>(a.v + i, v, n);
    if (a.copy)
        store4<VEC>(a.copy + i, p, n);
}

template <bool VEC> static __global__ void __launch_bounds__(THREADS) adamw(adamw_args a) {
    __shared__ adamw_factors shared;
    if (threadIdx.x == 0)
        shared = factors_of(a);
    __syncthreads();
    const adamw_factors f = shared;
    int64_t step = 4 * (int64_t)gridDim.x * THREADS;
    for (int64_t i = 4 * ((int64_t)blockIdx.x * THREADS + threadIdx.x); i < a.n; i += step) {
        if (i + 4 <= a.n)
            update4<VEC>(a, f, i, 4);
        else
            update4<false>(a, f, i, (int)(a.n - i));
    }
}

cudaError_t t5_launch_adamw(const t5_adamw_args *a, cudaStream_t stream) {
    adamw_args k = {a->d_param, a->d_m,          a->d_v,          a->d_grad,  (bf16 *)a->d_copy,
                    a->n,       a->beta1,        1.0f - a->beta1, a->beta2,   1.0f - a->beta2,
                    a->eps,     a->weight_decay, a->clip_norm,    a->d_norm2, a->d_rate};
    bool vec = in_groups(k.p) && in_groups(k.m) && in_groups(k.v) && in_groups(k.g) &&
               (uintptr_t)k.copy % 8 == 0;
    unsigned blocks = at_most((a->n + 4 * THREADS - 1) / (4 * THREADS), ADAMW_BLOCKS);
    return launch(vec ? adamw<true> : adamw<false>, blocks, THREADS, 0, stream, k);
}
