/* Attention forward in float32, width up to 64: a block for a tile of queries of one
 * sequence and head, over tiles of keys with a running maximum and sum (Milakov & Gimelshein 2018;
 * Dao et al. 2022). A thread owns 4 queries x 4 keys of a tile and 4 queries of the output. */
#include "device/attention.cuh"

template <int TQ, int TK, int D> struct forward_tiles {
    static const int step = TK / 4, threads = TQ / 4 * step; /* threads along keys; all */
    static const int floats = TQ * D + TK * D + TQ * TK + TQ + TK;
};

/* Scores of the thread's 4 x 4 pairs, -infinity where the query does not see the key. */
template <int TQ>
static __device__ __forceinline__ void mask_scores(const attention_args &a, const task &t, int i,
                                                   int i0, int j, int j0, const float *bias,
                                                   float (&s)[4][4]) {
#pragma unroll
    for (int r = 0; r < 4; r++) {
        int seen = visible(a, t, i0 + i + r) - j0;
#pragma unroll
        for (int c = 0; c < 4; c++)
            s[r][c] = j + c < seen ? s[r][c] + bias[j + c - i - r + TQ - 1] : -INFINITY;
    }
}

/* The maximum or sum over the threads of the same queries: `step` neighbours. */
template <int STEP> static __device__ __forceinline__ float row_max(float v) {
#pragma unroll
    for (int o = STEP / 2; o; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(~0u, v, o));
    return v;
}
template <int STEP> static __device__ __forceinline__ float row_sum(float v) {
#pragma unroll
    for (int o = STEP / 2; o; o >>= 1)
        v += __shfl_xor_sync(~0u, v, o);
    return v;
}

template <int TQ, int TK, int D>
static __global__ void __launch_bounds__(forward_tiles<TQ, TK, D>::threads, 1)
    forward(attention_args a) {
    extern __shared__ float4 smem[];
    const int STEP = forward_tiles<TQ, TK, D>::step, COLS = D / STEP;
    int tiles = (a.max_q + TQ - 1) / TQ, i0 = (int)blockIdx.x % tiles * TQ;
    task t = task_of(a, (int)blockIdx.x / tiles, (int)blockIdx.y);
    if (i0 >= t.lq)
        return;
    float *q = (float *)smem, *kv = q + TQ * D, *p = kv + TK * D, *bias = p + TQ * TK;
    int tx = (int)threadIdx.x % STEP, i = (int)threadIdx.x / STEP * 4, j = tx * 4;
    int last = visible(a, t, min(i0 + TQ, t.lq) - 1);
    float max[4], sum[4], o[4][COLS];
#pragma unroll
    for (int r = 0; r < 4; r++) {
        max[r] = -INFINITY, sum[r] = 0.0f;
#pragma unroll
        for (int c = 0; c < COLS; c++)
            o[r][c] = 0.0f;
    }
    load_tile<float, TQ, D>(a, a.q, t.q0 + i0, t.head, t.lq - i0, q);
    for (int j0 = 0; j0 < last; j0 += TK) {
        float s[4][4];
        load_tile<float, TK, D>(a, a.k, t.k0 + j0, t.head, t.lk - j0, kv);
        load_bias<TQ, TK>(a, t, i0, j0, bias, nullptr);
        __syncthreads();
        dot_tile<D>(q, i, kv, j, s);
        mask_scores<TQ>(a, t, i, i0, j, j0, bias, s);
#pragma unroll
        for (int r = 0; r < 4; r++) {
            float top = fmaxf(fmaxf(s[r][0], s[r][1]), fmaxf(s[r][2], s[r][3]));
            top = fmaxf(max[r], row_max<STEP>(top));
            float shift = top == -INFINITY ? 0.0f : top, scale = expf(max[r] - shift);
            float4 e = make_float4(expf(s[r][0] - shift), expf(s[r][1] - shift),
                                   expf(s[r][2] - shift), expf(s[r][3] - shift));
            max[r] = top;
            sum[r] = sum[r] * scale + row_sum<STEP>(sum4(e));
#pragma unroll
            for (int c = 0; c < COLS; c++)
                o[r][c] *= scale;
            if (a.drop.threshold && i0 + i + r < t.lq)
                e = e * mask4(a.drop, t.q0 + i0 + i + r, (uint32_t)(t.head * 65536 + j0 + j) / 4);
            group_at<TK>(p, i + r, tx) = e;
        }
        __syncthreads();
        load_tile<float, TK, D>(a, a.v, t.k0 + j0, t.head, t.lk - j0, kv);
        __syncthreads();
        add_product<TK, D, STEP>(p, i, kv, tx, o);
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < 4; r++) {
        if (i0 + i + r >= t.lq)
            break;
        int64_t row = t.q0 + i0 + i + r;
        float *out = head_row<float>(a, a.out, row, t.head);
#pragma unroll
        for (int c = 0; c < COLS; c++)
            if (tx + STEP * c < a.width)
                out[tx + STEP * c] = sum[r] > 0.0f ? o[r][c] / sum[r] : o[r][c];
        if (tx == 0 && a.lse)
            a.lse[row * a.heads + t.head] = max[r] + logf(sum[r]);
    }
}

template <int TQ, int TK, int D>
static cudaError_t run_tiles(const attention_args &a, cudaStream_t stream) {
    typedef forward_tiles<TQ, TK, D> tiles;
    dim3 grid((unsigned)a.n_seq * blocks_for(a.max_q, TQ), (unsigned)a.heads);
    return launch(forward<TQ, TK, D>, grid, tiles::threads, tiles::floats * sizeof(float), stream,
                  a);
}

/* Few queries, as in a decoder of short targets, have tiles of their own. */
template <int D> static cudaError_t run(const attention_args &a, cudaStream_t stream) {
    return a.max_q <= 16 ? run_tiles<16, 64, D>(a, stream) : run_tiles<64, 64, D>(a, stream);
}

cudaError_t attention_forward_tiles(const attention_args &a, cudaStream_t stream) {
    return a.width <= 16   ? run<16>(a, stream)
           : a.width <= 32 ? run<32>(a, stream)
                           : run<64>(a, stream);
}
