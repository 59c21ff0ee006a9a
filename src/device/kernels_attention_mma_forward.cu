/* Attention forward on tensor cores (bfloat16, width 16, 32, 64 or 128): a block for a tile of
 * queries of one sequence and head, a warp for 16 of them, over tiles of keys with a running
 * maximum and sum. Scores stay in registers: the product Q K^T leaves them where P V wants its
 * factor (Dao 2023). */
#include "device/attention_mma.cuh"

enum { TK = 64, NK = TK / 8 };

template <int WARPS, int D> struct tiles {
    static const int queries = 16 * WARPS, pitch = pitch_of<D>::value;
    static const size_t bytes =
        sizeof(bf16) * (size_t)(queries + 2 * TK) * pitch + sizeof(float) * (size_t)(queries + TK);
};

/* s[n]: columns 8n .. of Q K^T for the warp's queries. */
template <int D>
static __device__ __forceinline__ void scores(const uint32_t (&q)[D / 16][4], const bf16 *k,
                                              float (&s)[NK][4]) {
#pragma unroll
    for (int n = 0; n < NK; n++)
        s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0.0f;
#pragma unroll
    for (int c = 0; c < D / 16; c++)
#pragma unroll
        for (int n = 0; n < NK; n += 2) {
            uint32_t b[4];
            b_of<D>(b, k, 8 * n, 16 * c);
            mma_bf16(s[n], q[c], b[0], b[1]);
            mma_bf16(s[n + 1], q[c], b[2], b[3]);
        }
}

/* A warp's queries: row0 .. row0+15 of the sequence; a lane has parts of two. */
typedef struct running {
    float max[2], sum[2]; /* sum: this lane's part */
} running;

/* Adds the bias (of the lane's first query and the tile's first key), hides what is not seen, and
 * turns scores into exp(score - maximum). Returns how much the old sums shrink. */
static __device__ __forceinline__ void softmax(const attention_args &a, const task &t, int row0,
                                               int j0, const float *bias, float (&s)[NK][4],
                                               running &run, float (&scale)[2]) {
    int l = (int)threadIdx.x % WARP, g = l / 4, c = l % 4 * 2;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int i = row0 + g + 8 * h, seen = visible(a, t, i) - j0;
        float top = run.max[h];
#pragma unroll
        for (int n = 0; n < NK; n++)
#pragma unroll
            for (int k = 0; k < 2; k++) {
                int j = 8 * n + c + k;
                float &x = s[n][2 * h + k];
                x = j < seen ? x + bias[j - 8 * h] : -INFINITY;
                top = fmaxf(top, x);
            }
        top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
        top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
        float shift = top == -INFINITY ? 0.0f : top, sum = 0.0f;
#pragma unroll
        for (int n = 0; n < NK; n++)
#pragma unroll
            for (int k = 0; k < 2; k++) {
                float &x = s[n][2 * h + k];
                x = expf(x - shift);
                sum += x;
            }
        scale[h] = expf(run.max[h] - shift);
        run.max[h] = top;
        run.sum[h] = run.sum[h] * scale[h] + sum;
    }
}

/* o += P V. */
template <int D>
static __device__ __forceinline__ void add_values(const float (&p)[NK][4], const bf16 *v,
                                                  float (&o)[D / 8][4]) {
#pragma unroll
    for (int r = 0; r < TK / 16; r++) {
        uint32_t w[4];
        a_from(w, p[2 * r], p[2 * r + 1]);
#pragma unroll
        for (int n = 0; n < D / 8; n += 2) {
            uint32_t b[4];
            b_along<D>(b, v, 16 * r, 8 * n);
            mma_bf16(o[n], w, b[0], b[1]);
            mma_bf16(o[n + 1], w, b[2], b[3]);
        }
    }
}

template <int D>
static __device__ __forceinline__ void write_out(const attention_args &a, const task &t, int row0,
                                                 const float (&o)[D / 8][4], const running &run) {
    int l = (int)threadIdx.x % WARP, g = l / 4, c = l % 4 * 2;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float sum = run.sum[h];
        sum += __shfl_xor_sync(~0u, sum, 1);
        sum += __shfl_xor_sync(~0u, sum, 2);
        int i = row0 + g + 8 * h;
        if (i >= t.lq)
            continue;
        float scale = sum > 0.0f ? 1.0f / sum : 1.0f;
        bf16 *out = head_row<bf16>(a, a.out, t.q0 + i, t.head) + c;
#pragma unroll
        for (int n = 0; n < D / 8; n++)
            *(uint32_t *)(out + 8 * n) = pack2(o[n][2 * h] * scale, o[n][2 * h + 1] * scale);
        if (c == 0 && a.lse)
            a.lse[(t.q0 + i) * a.heads + t.head] = run.max[h] + logf(sum);
    }
}

template <int WARPS, int D>
static __global__ void __launch_bounds__(WARPS *WARP) forward(attention_args a) {
    extern __shared__ float4 smem[];
    const int TQ = tiles<WARPS, D>::queries, pitch = tiles<WARPS, D>::pitch;
    int blocks = (a.max_q + TQ - 1) / TQ, i0 = (int)blockIdx.x % blocks * TQ;
    task t = task_of(a, (int)blockIdx.x / blocks, (int)blockIdx.y);
    if (i0 >= t.lq)
        return;
    bf16 *q_tile = (bf16 *)smem, *k = q_tile + TQ * pitch, *v = k + TK * pitch;
    float *bias = (float *)(v + TK * pitch);
    int own = (int)threadIdx.x / WARP * 16,
        g = (int)threadIdx.x % WARP / 4; /* the warp's queries */
    int last = visible(a, t, min(i0 + TQ, t.lq) - 1);
    uint32_t q[D / 16][4];
    float o[D / 8][4] = {};
    running run = {{-INFINITY, -INFINITY}, {0.0f, 0.0f}};
    load_bf16_tile<16 * WARPS, D>(a, a.q, t.q0 + i0, t.head, t.lq - i0, q_tile);
    __syncthreads();
#pragma unroll
    for (int c = 0; c < D / 16; c++)
        a_of<D>(q[c], q_tile, own, 16 * c);
    for (int j0 = 0; j0 < last; j0 += TK) {
        float s[NK][4], scale[2];
        load_bf16_tile<TK, D>(a, a.k, t.k0 + j0, t.head, t.lk - j0, k);
        load_bf16_tile<TK, D>(a, a.v, t.k0 + j0, t.head, t.lk - j0, v);
        load_bias<16 * WARPS, TK>(a, t, i0, j0, bias, nullptr);
        __syncthreads();
        scores<D>(q, k, s);
        softmax(a, t, i0 + own, j0, bias + TQ - 1 - own - g, s, run, scale);
        if (a.drop.threshold)
#pragma unroll
            for (int n = 0; n < NK; n++) {
                float f[4];
                mask_queries(a.drop, t.q0 + i0 + own, t.q0 + t.lq - 1,
                             (uint32_t)(t.head * 65536 + j0 + 8 * n) / 4, f);
                for (int e = 0; e < 4; e++)
                    s[n][e] *= f[e];
            }
#pragma unroll
        for (int n = 0; n < D / 8; n++)
            o[n][0] *= scale[0], o[n][1] *= scale[0], o[n][2] *= scale[1], o[n][3] *= scale[1];
        add_values<D>(s, v, o);
        __syncthreads();
    }
    write_out<D>(a, t, i0 + own, o, run);
}

template <int WARPS, int D>
static cudaError_t run_tiles(const attention_args &a, cudaStream_t stream) {
    dim3 grid((unsigned)a.n_seq * blocks_for(a.max_q, 16 * WARPS), (unsigned)a.heads);
    return launch(forward<WARPS, D>, grid, WARPS * WARP, tiles<WARPS, D>::bytes, stream, a);
}
/* Few queries, as in a decoder of short targets, are one warp's. */
template <int D> static cudaError_t run_width(const attention_args &a, cudaStream_t stream) {
    return a.max_q <= 16 ? run_tiles<1, D>(a, stream) : run_tiles<4, D>(a, stream);
}

cudaError_t attention_forward_mma(const attention_args &a, cudaStream_t stream) {
    return a.width == 16   ? run_width<16>(a, stream)
           : a.width == 32 ? run_width<32>(a, stream)
           : a.width == 64 ? run_width<64>(a, stream)
                           : run_width<128>(a, stream);
}
