/* Attention backward on tensor cores (bfloat16, width 16, 32 or 64): a block for one sequence and
 * head, a warp for 16 keys of a tile. Formulas: kernels_attention_backward.cu. The warps compute
 * the transposes S^T = K Q^T and dP^T = V dO^T, whose results are the factors of dV = (P.M)^T dO
 * and dK = dS^T Q without leaving the registers; dS^T goes through shared memory for dQ = dS K and
 * for the bias's gradient. */
#include "device/attention_mma.cuh"

enum { WARPS = 4, THREADS = WARPS * WARP, TK = 16 * WARPS, TQ = 32, NQ = TQ / 8, PAIRS = TQ + TK };

template <int D> struct tiles {
    static const int pitch = pitch_of<D>::value;
    static const size_t halves = (size_t)(2 * TK + 2 * TQ) * pitch + TK * pitch_of<TQ>::value;
    /* bias, buckets (of two tiles), sums of diagonals; parts of delta, delta, lse */
    static const size_t bytes =
        sizeof(bf16) * halves + sizeof(float) * (5 * PAIRS + (WARPS + 2) * TQ);
};

/* x[n]: columns (queries) 8n .. of the product of the warp's 16 rows of `rows` with `queries`. */
template <int D>
static __device__ __forceinline__ void products(const bf16 *rows, int own, const bf16 *queries,
                                                float (&x)[NQ][4]) {
#pragma unroll
    for (int n = 0; n < NQ; n++)
        x[n][0] = x[n][1] = x[n][2] = x[n][3] = 0.0f;
#pragma unroll
    for (int c = 0; c < D / 16; c++) {
        uint32_t w[4];
        a_of<D>(w, rows, own, 16 * c);
#pragma unroll
        for (int n = 0; n < NQ; n += 2) {
            uint32_t b[4];
            b_of<D>(b, queries, 8 * n, 16 * c);
            mma_bf16(x[n], w, b[0], b[1]);
            mma_bf16(x[n + 1], w, b[2], b[3]);
        }
    }
}

/* acc += x y for x of 16 keys x TQ queries in registers and a tile y of queries. */
template <int D>
static __device__ __forceinline__ void add_keys(const float (&x)[NQ][4], const bf16 *y,
                                                float (&acc)[D / 8][4]) {
#pragma unroll
    for (int r = 0; r < TQ / 16; r++) {
        uint32_t w[4];
        a_from(w, x[2 * r], x[2 * r + 1]);
#pragma unroll
        for (int n = 0; n < D / 8; n += 2) {
            uint32_t b[4];
            b_along<D>(b, y, 16 * r, 8 * n);
            mma_bf16(acc[n], w, b[0], b[1]);
            mma_bf16(acc[n + 1], w, b[2], b[3]);
        }
    }
}

/* lse of the tile's queries, and delta where it is known. */
static __device__ void load_queries(const attention_args &a, const task &t, int i0, bool known,
                                    float *delta, float *lse) {
    int i = (int)threadIdx.x;
    if (i >= TQ)
        return;
    int64_t at = (t.q0 + i0 + i) * a.heads + t.head;
    lse[i] = i0 + i < t.lq ? a.saved_lse[at] : 0.0f;
    if (known)
        delta[i] = i0 + i < t.lq ? a.delta[at] : 0.0f;
}

/* From scores and dP of the lane's pairs (keys own + g, + 8; queries 8n + 2t, + 1) to P and M.dP;
 * returns which pairs are kept, 4 bits for each n. */
static __device__ __forceinline__ uint32_t probabilities(const attention_args &a, const task &t,
                                                         int i0, int j0, int own, const float *bias,
                                                         const float *lse, float (&s)[NQ][4],
                                                         float (&dp)[NQ][4]) {
    int l = (int)threadIdx.x % WARP, g = l / 4, c = l % 4 * 2;
    uint32_t kept = 0xffffu;
#pragma unroll
    for (int n = 0; n < NQ; n++) {
        float f[4] = {1.0f, 1.0f, 1.0f, 1.0f};
        if (a.drop.threshold)
            mask_keys(a.drop, t.q0 + i0 + 8 * n, t.q0 + t.lq - 1,
                      (uint32_t)(t.head * 65536 + j0 + own) / 4, f);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            int i = 8 * n + c + k % 2, j = own + g + k / 2 * 8;
            int seen = i0 + i < t.lq ? visible(a, t, i0 + i) - j0 : 0;
            s[n][k] = j < seen ? expf(s[n][k] + bias[j - i + TQ - 1] - lse[i]) : 0.0f;
            dp[n][k] *= f[k];
            if (f[k] == 0.0f)
                kept &= ~(1u << (4 * n + k));
        }
    }
    return kept;
}

/* part[warp][i] = the sum of P.M.dP over the warp's keys. delta_i is the sum of these over all
 * keys. (dO . O is the same but for the rounding of O to bfloat16, too much where P is nearly 1.)
 */
static __device__ __forceinline__ void sum_delta(const float (&p)[NQ][4], const float (&dp)[NQ][4],
                                                 float *part) {
    int warp = (int)threadIdx.x / WARP, l = (int)threadIdx.x % WARP;
#pragma unroll
    for (int n = 0; n < NQ; n++)
#pragma unroll
        for (int k = 0; k < 2; k++) {
            float sum = p[n][k] * dp[n][k] + p[n][k + 2] * dp[n][k + 2];
            sum += __shfl_xor_sync(~0u, sum, 4);
            sum += __shfl_xor_sync(~0u, sum, 8);
            sum += __shfl_xor_sync(~0u, sum, 16);
            if (l < 4)
                part[warp * TQ + 8 * n + 2 * l + k] = sum;
        }
}
static __device__ __forceinline__ float part_sum(const float *part, int i) {
    float sum = part[i];
    for (int w = 1; w < WARPS; w++)
        sum += part[w * TQ + i];
    return sum;
}

/* From P and M.dP to P.M and dS. */
static __device__ __forceinline__ void pair_gradients(const mask &m, uint32_t kept,
                                                      const float *delta, float (&s)[NQ][4],
                                                      float (&dp)[NQ][4]) {
    int c = (int)threadIdx.x % 4 * 2;
#pragma unroll
    for (int n = 0; n < NQ; n++)
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float p = s[n][k];
            dp[n][k] = p * (dp[n][k] - delta[8 * n + c + k % 2]);
            s[n][k] = p * factor_of(m, kept, 4 * n + k);
        }
}

/* dS^T to its tile (keys, queries). */
static __device__ __forceinline__ void store_pairs(bf16 *ds, int own, const float (&x)[NQ][4]) {
    int l = (int)threadIdx.x % WARP, g = l / 4, c = l % 4 * 2;
    bf16 *to = ds + (own + g) * pitch_of<TQ>::value + c;
#pragma unroll
    for (int n = 0; n < NQ; n++) {
        *(uint32_t *)(to + 8 * n) = pack2(x[n][0], x[n][1]);
        *(uint32_t *)(to + 8 * pitch_of<TQ>::value + 8 * n) = pack2(x[n][2], x[n][3]);
    }
}

/* A part of dQ: two numbers of a row. */
static __device__ __forceinline__ void add_pair(const attention_args &a, const task &t, int i,
                                                int col, int j0, float x, float y) {
    if (i >= t.lq)
        return;
    if (t.lk <= TK) {
        *(uint32_t *)(head_row<bf16>(a, a.dq, t.q0 + i, t.head) + col) = pack2(x, y);
        return;
    }
    float2 *sum = (float2 *)(a.dq_sum + (t.q0 + i) * a.heads * a.width + t.head * a.width + col);
    float2 old = j0 > 0 ? *sum : make_float2(0, 0);
    *sum = make_float2(old.x + x, old.y + y);
}

/* dQ = dS K for the tile: a warp takes 16 queries and half of the columns (at least 16). */
template <int D>
static __device__ __forceinline__ void add_queries(const attention_args &a, const task &t, int i0,
                                                   int j0, const bf16 *ds, const bf16 *k) {
    const int WIDTH = D > 16 ? D / 2 : 16;
    int warp = (int)threadIdx.x / WARP, l = (int)threadIdx.x % WARP;
    int row = warp % 2 * 16, col = warp / 2 * WIDTH;
    if (col >= D)
        return;
    float x[WIDTH / 8][4] = {};
#pragma unroll
    for (int r = 0; r < TK / 16; r++) {
        uint32_t w[4];
        a_across<TQ>(w, ds, 16 * r, row);
#pragma unroll
        for (int n = 0; n < WIDTH / 8; n += 2) {
            uint32_t b[4];
            b_along<D>(b, k, 16 * r, col + 8 * n);
            mma_bf16(x[n], w, b[0], b[1]);
            mma_bf16(x[n + 1], w, b[2], b[3]);
        }
    }
    row += i0 + l / 4, col += l % 4 * 2;
#pragma unroll
    for (int n = 0; n < WIDTH / 8; n++) {
        add_pair(a, t, row, col + 8 * n, j0, x[n][0], x[n][1]);
        add_pair(a, t, row + 8, col + 8 * n, j0, x[n][2], x[n][3]);
    }
}

/* The sum of dS over each distance of the tile. */
static __device__ void sum_diagonals(const bf16 *ds, float *diagonal) {
    int d = (int)threadIdx.x, shift = d - (TQ - 1);
    float sum = 0.0f;
    for (int i = max(0, -shift); i < min(TQ, TK - shift); i++)
        sum += get(ds + (i + shift) * pitch_of<TQ>::value + i);
    if (d < TQ + TK - 1)
        diagonal[d] = sum;
}
static __device__ void sum_buckets(const attention_args &a, const float *diagonal,
                                   const int *bucket, float *sums) {
    for (int b = (int)threadIdx.x; b < a.buckets; b += THREADS) {
        float sum = sums[b];
        for (int d = 0; d < TQ + TK - 1; d++)
            sum += bucket[d] == b ? diagonal[d] : 0.0f;
        sums[b] = sum;
    }
}

/* dK or dV of the warp's keys. */
template <int D>
static __device__ __forceinline__ void write_keys(const attention_args &a, const task &t, rows_of m,
                                                  int j, const float (&acc)[D / 8][4]) {
    int l = (int)threadIdx.x % WARP;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = j + l / 4 + 8 * h;
        if (row >= t.lk)
            break;
        bf16 *to = head_row<bf16>(a, m, t.k0 + row, t.head) + l % 4 * 2;
#pragma unroll
        for (int n = 0; n < D / 8; n++)
            *(uint32_t *)(to + 8 * n) = pack2(acc[n][2 * h], acc[n][2 * h + 1]);
    }
}

/* dQ from its sums, after all tiles of keys. No keys at all: zeros. */
static __device__ void finish_queries(const attention_args &a, const task &t) {
    int groups = a.width / 4;
    for (int k = (int)threadIdx.x; k < t.lq * groups; k += THREADS) {
        int64_t row = t.q0 + k / groups;
        int col = k % groups * 4;
        float4 sum = make_float4(0, 0, 0, 0);
        if (t.lk)
            sum = get4(a.dq_sum + row * a.heads * a.width + t.head * a.width + col);
        put4(head_row<bf16>(a, a.dq, row, t.head) + col, sum);
    }
}

/* Where things lie in shared memory. */
template <int D> struct shared {
    bf16 *k, *v, *q, *dout, *ds;
    float *bias, *diagonal, *part, *delta, *lse, *bucket_sums;
    int *bucket;
    __device__ shared(float4 *memory) {
        const int pitch = tiles<D>::pitch;
        k = (bf16 *)memory, v = k + TK * pitch, q = v + TK * pitch, dout = q + TQ * pitch;
        ds = dout + TQ * pitch;
        bias = (float *)(ds + TK * pitch_of<TQ>::value), diagonal = bias + 2 * PAIRS;
        part = diagonal + PAIRS, delta = part + WARPS * TQ, lse = delta + TQ;
        bucket = (int *)(lse + TQ);
        bucket_sums = (float *)(bucket + 2 * PAIRS);
    }
};

template <int D>
static __device__ void load_keys(const attention_args &a, const task &t, int j0,
                                 const shared<D> &m) {
    load_bf16_tile<TK, D>(a, a.k, t.k0 + j0, t.head, t.lk - j0, m.k);
    load_bf16_tile<TK, D>(a, a.v, t.k0 + j0, t.head, t.lk - j0, m.v);
}
template <int D>
static __device__ void load_outputs(const attention_args &a, const task &t, int i0,
                                    const shared<D> &m) {
    load_bf16_tile<TQ, D>(a, a.q, t.q0 + i0, t.head, t.lq - i0, m.q);
    load_bf16_tile<TQ, D>(a, a.dout, t.q0 + i0, t.head, t.lq - i0, m.dout);
}

/* delta of all queries, where the keys are more than a tile. */
template <int D>
static __device__ void find_deltas(const attention_args &a, const task &t, const shared<D> &m) {
    int own = (int)threadIdx.x / WARP * 16, me = (int)threadIdx.x;
    for (int i0 = 0; i0 < t.lq; i0 += TQ) {
        int last = visible(a, t, min(i0 + TQ, t.lq) - 1);
        float sum = 0.0f;
        load_outputs<D>(a, t, i0, m);
        load_queries(a, t, i0, false, m.delta, m.lse);
        for (int j0 = 0; j0 < last; j0 += TK) {
            float s[NQ][4], dp[NQ][4];
            load_keys<D>(a, t, j0, m);
            load_bias<TQ, TK>(a, t, i0, j0, m.bias, nullptr);
            __syncthreads();
            products<D>(m.k, own, m.q, s);
            products<D>(m.v, own, m.dout, dp);
            probabilities(a, t, i0, j0, own, m.bias, m.lse, s, dp);
            sum_delta(s, dp, m.part);
            __syncthreads();
            if (me < TQ)
                sum += part_sum(m.part, me);
        }
        if (me < TQ && i0 + me < t.lq)
            a.delta[(t.q0 + i0 + me) * a.heads + t.head] = sum;
        __syncthreads();
    }
}

template <int D>
static __global__ void __launch_bounds__(THREADS, D > 32 ? 2 : 3) backward(attention_args a) {
    extern __shared__ float4 smem[];
    const shared<D> m(smem);
    task t = task_of(a, (int)blockIdx.x, (int)blockIdx.y);
    int own = (int)threadIdx.x / WARP * 16; /* the warp's keys */
    int side = 0; /* bias and buckets of this tile, while those of the last are still read */
    bool whole = t.lk <= TK;
    for (int b = (int)threadIdx.x; b < a.buckets; b += THREADS)
        m.bucket_sums[b] = 0.0f;
    if (!whole)
        find_deltas<D>(a, t, m);
    for (int j0 = 0; j0 < t.lk; j0 += TK) {
        float dk[D / 8][4] = {}, dv[D / 8][4] = {};
        load_keys<D>(a, t, j0, m);
        for (int i0 = 0; i0 < t.lq; i0 += TQ) {
            if (visible(a, t, min(i0 + TQ, t.lq) - 1) <= j0)
                continue; /* nobody sees these keys */
            side ^= 1;
            float s[NQ][4], dp[NQ][4], *bias = m.bias + side * PAIRS;
            int *bucket = m.bucket + side * PAIRS;
            load_outputs<D>(a, t, i0, m);
            load_queries(a, t, i0, !whole, m.delta, m.lse);
            load_bias<TQ, TK>(a, t, i0, j0, bias, bucket);
            __syncthreads();
            products<D>(m.k, own, m.q, s);
            products<D>(m.v, own, m.dout, dp);
            uint32_t kept = probabilities(a, t, i0, j0, own, bias, m.lse, s, dp);
            if (whole) {
                sum_delta(s, dp, m.part);
                __syncthreads();
                if (threadIdx.x < TQ)
                    m.delta[threadIdx.x] = part_sum(m.part, (int)threadIdx.x);
                __syncthreads();
            }
            pair_gradients(a.drop, kept, m.delta, s, dp);
            store_pairs(m.ds, own, dp);
            add_keys<D>(s, m.dout, dv);
            add_keys<D>(dp, m.q, dk);
            __syncthreads();
            add_queries<D>(a, t, i0, j0, m.ds, m.k);
            if (a.dbias)
                sum_diagonals(m.ds, m.diagonal);
            __syncthreads();
            if (a.dbias)
                sum_buckets(a, m.diagonal, bucket, m.bucket_sums);
        }
        __syncthreads(); /* k and v are free also where no queries were */
        write_keys<D>(a, t, a.dk, j0 + own, dk);
        write_keys<D>(a, t, a.dv, j0 + own, dv);
    }
    __syncthreads();
    if (t.lk == 0 || !whole)
        finish_queries(a, t);
    if (a.dbias)
        for (int b = (int)threadIdx.x; b < a.buckets; b += THREADS)
            a.dbias[((int64_t)blockIdx.x * a.heads + t.head) * a.buckets + b] = m.bucket_sums[b];
}

template <int D> static cudaError_t run(const attention_args &a, cudaStream_t stream) {
    size_t bytes = tiles<D>::bytes + (size_t)a.buckets * sizeof(float);
    return launch(backward<D>, dim3((unsigned)a.n_seq, (unsigned)a.heads), THREADS, bytes, stream,
                  a);
}

cudaError_t attention_backward_mma(const attention_args &a, cudaStream_t stream) {
    return a.width == 16   ? run<16>(a, stream)
           : a.width == 32 ? run<32>(a, stream)
                           : run<64>(a, stream);
}
