/* Packed attention with T5's relative position bias: a block for a (sequence, head), a warp for a
 * query. BUG_x: bugs that the emulation must find. */
#include "cuda_on_cpu/sample/launch.cuh"

enum { DIM = SAMPLE_HEAD, LONGEST = SAMPLE_LONGEST, WARPS = 8, PITCH = DIM + 2 };

static __device__ int bucket(int distance) { /* 32 in both directions, up to 128 */
    int b = distance > 0 ? 16 : 0, n = distance < 0 ? -distance : distance;
    if (n < 8)
        return b + n;
    return b + min(15, 8 + (int)(__logf((float)n / 8.0f) / 2.7725887f * 8.0f)); /* log(128 / 8) */
}

static __global__ void __launch_bounds__(WARPS * 32)
    attention(const bf16 *__restrict__ qkv, const int *__restrict__ start,
              const float *__restrict__ table, bf16 *__restrict__ out, int heads) {
    extern __shared__ float4 smem[];
    const int first = start[blockIdx.x], n = start[blockIdx.x + 1] - first, head = blockIdx.y;
    const int warp = threadIdx.x / 32, lane = threadIdx.x & 31;
    const size_t token = (size_t)3 * heads * DIM;
    float *p = (float *)smem + warp * LONGEST; /* probabilities of the warp's query */
    float *q = (float *)smem + WARPS * LONGEST + warp * DIM;
    float *bias = (float *)smem + WARPS * (LONGEST + DIM); /* by distance + n - 1 */
    bf16 *k = (bf16 *)(bias + 2 * LONGEST), *v = k + LONGEST * PITCH;

    for (int i = threadIdx.x; i < n * DIM / 2; i += blockDim.x) {
        int t = i / (DIM / 2), c = i % (DIM / 2);
        const __nv_bfloat162 *x =
            (const __nv_bfloat162 *)(qkv + (first + t) * token + head * DIM) + c;
        *(__nv_bfloat162 *)(k + t * PITCH + 2 * c) = x[heads * DIM / 2];
        *(__nv_bfloat162 *)(v + t * PITCH + 2 * c) = x[heads * DIM];
    }
    for (int i = threadIdx.x; i < 2 * n - 1; i += blockDim.x)
        bias[i] = table[bucket(i - (n - 1)) * heads + head];
#ifdef BUG_DYNAMIC
    if (threadIdx.x == 0)
        v[LONGEST * PITCH] = bias[0]; /* one element past the end */
#endif
#ifndef BUG_BARRIER
    __syncthreads();
#endif
    for (int i = warp; i < n; i += WARPS) {
        float2 f = __bfloat1622float2(
            ((const __nv_bfloat162 *)(qkv + (first + i) * token + head * DIM))[lane]);
        q[2 * lane] = f.x;
        q[2 * lane + 1] = f.y;
        __syncwarp();
        float top = -INFINITY, sum = 0;
        for (int j = lane; j < n; j += 32) {
            float s = bias[j - i + n - 1];
            for (int c = 0; c < DIM; c += 2) {
                float2 b = __bfloat1622float2(*(const __nv_bfloat162 *)(k + j * PITCH + c));
                s += q[c] * b.x + q[c + 1] * b.y;
            }
            p[j] = s;
            top = fmaxf(top, s);
        }
        top = warp_max(top);
        for (int j = lane; j < n; j += 32)
            sum += p[j] = __expf(p[j] - top);
        sum = warp_sum(sum);
#ifndef BUG_WARP
        __syncwarp();
#endif
        float2 o = make_float2(0, 0);
        for (int j = 0; j < n; j++) {
            float2 b = __bfloat1622float2(*(const __nv_bfloat162 *)(v + j * PITCH + 2 * lane));
            o.x += p[j] * b.x;
            o.y += p[j] * b.y;
        }
        bf16 *y = out + ((size_t)(first + i) * heads + head) * DIM;
        *(__nv_bfloat162 *)(y + 2 * lane) =
            __floats2bfloat162_rn(__fdividef(o.x, sum), __fdividef(o.y, sum));
        __syncwarp();
    }
}

cudaError_t sample_attention(const uint16_t *qkv, const int *start, const float *bias,
                             uint16_t *out, int sequences, int heads, cudaStream_t s) {
    size_t bytes = (WARPS * (LONGEST + DIM) + 2 * LONGEST) * sizeof(float) +
                   2 * LONGEST * PITCH * sizeof(bf16);
    return launch(attention, dim3(sequences, heads), WARPS * 32, bytes, s, (const bf16 *)qkv, start,
                  bias, (bf16 *)out, heads);
}
