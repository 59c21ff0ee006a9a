/* Attention backward in float32, width up to 64: a block for one sequence and head.
 * Over tiles of keys, and for each over tiles of queries: dK and dV grow in registers, dQ in memory
 * (at once where the keys are one tile), the bias gradient per bucket in shared memory. With dP =
 * dO V^T: dS = P.(M.dP - delta), delta_i = dO_i . O_i; dV = (P.M)^T dO, dK = dS^T Q, dQ = dS K; the
 * bias's gradient is the sum of dS over the pairs of a bucket. */
#include "device/attention.cuh"

template <int TQ, int TK, int D> struct backward_tiles {
    static const int step = TK / 4, threads = TQ / 4 * step;
    static const int rows = TK / (TQ / 4), cols = D / step; /* of dK and dV for a thread */
    static const int pairs = TQ + TK;                       /* distances of a tile, and one more */
    /* q, dout; k, v; p or ds; bias, buckets (two tiles of each), sums of diagonals; delta, lse */
    static const int floats = 2 * TQ * D + 2 * TK * D + TQ * TK + 5 * pairs + 2 * TQ;
};

/* acc[j][c] += sum_i p[i][j0 + j] x[i][column c]; columns tx + STEP c. */
template <int TQ, int TK, int D, int ROWS, int COLS, int STEP>
static __device__ __forceinline__ void add_transposed(float *p, int j0, const float *x, int tx,
                                                      float (&acc)[ROWS][COLS]) {
#pragma unroll 4
    for (int i = 0; i < TQ; i++) {
        float u[ROWS], w[COLS];
#pragma unroll
        for (int j = 0; j < ROWS; j += 4) {
            float4 g = group_at<TK>(p, i, (j0 + j) / 4);
            u[j] = g.x, u[j + 1] = g.y, u[j + 2] = g.z, u[j + 3] = g.w;
        }
#pragma unroll
        for (int c = 0; c < COLS; c++)
            w[c] = element_at<D>(x, i, tx + STEP * c);
#pragma unroll
        for (int j = 0; j < ROWS; j++)
#pragma unroll
            for (int c = 0; c < COLS; c++)
                acc[j][c] += u[j] * w[c];
    }
}

/* delta_i and lse_i of the tile's queries: 4 threads a query. */
template <int TQ, int D>
static __device__ void load_rows(const attention_args &a, const task &t, int i0, float *dout,
                                 float *delta, float *lse) {
    for (int k = (int)threadIdx.x; k < 4 * TQ; k += (int)blockDim.x) {
        int i = k / 4;
        bool valid = i0 + i < t.lq;
        float sum = 0.0f;
        const float *out = head_row<float>(a, a.out, t.q0 + i0 + (valid ? i : 0), t.head);
        for (int c = k % 4; valid && 4 * c < a.width; c += 4)
            sum += sum4(load4(a.vec, out + 4 * c, a.width - 4 * c) * group_at<D>(dout, i, c));
        sum += __shfl_xor_sync(~0u, sum, 1);
        sum += __shfl_xor_sync(~0u, sum, 2);
        if (k % 4 == 0) {
            delta[i] = sum;
            lse[i] = valid ? a.saved_lse[(t.q0 + i0 + i) * a.heads + t.head] : 0.0f;
        }
    }
}

/* From scores and dP of the thread's pairs to P.M and dS. */
template <int TQ>
static __device__ __forceinline__ void pair_gradients(const attention_args &a, const task &t, int i,
                                                      int i0, int j, int j0, const float *bias,
                                                      const float *delta, const float *lse,
                                                      float (&s)[4][4], float (&dp)[4][4]) {
#pragma unroll
    for (int r = 0; r < 4; r++) {
        bool valid = i0 + i + r < t.lq;
        int seen = valid ? visible(a, t, i0 + i + r) - j0 : 0;
        float4 m = make_float4(1, 1, 1, 1);
        if (a.drop.threshold && valid)
            m = mask4(a.drop, t.q0 + i0 + i + r, (uint32_t)(t.head * 65536 + j0 + j) / 4);
        float keep[4] = {m.x, m.y, m.z, m.w};
#pragma unroll
        for (int c = 0; c < 4; c++) {
            float x = s[r][c] + bias[j + c - i - r + TQ - 1] - lse[i + r];
            float p = j + c < seen ? expf(x) : 0.0f;
            dp[r][c] = p * (keep[c] * dp[r][c] - delta[i + r]);
            s[r][c] = p * keep[c];
        }
    }
}

template <int TK>
static __device__ __forceinline__ void store_pairs(float *p, int i, int j, const float (&s)[4][4]) {
#pragma unroll
    for (int r = 0; r < 4; r++)
        group_at<TK>(p, i + r, j / 4) = make_float4(s[r][0], s[r][1], s[r][2], s[r][3]);
}

/* The sum of dS over each distance of a tile. */
template <int TQ, int TK> static __device__ void sum_diagonals(const float *ds, float *diagonal) {
    for (int d = (int)threadIdx.x; d < TQ + TK - 1; d += (int)blockDim.x) {
        float sum = 0.0f;
        int shift = d - (TQ - 1);
        for (int i = max(0, -shift); i < min(TQ, TK - shift); i++)
            sum += element_at<TK>(ds, i, i + shift);
        diagonal[d] = sum;
    }
}
template <int TQ, int TK>
static __device__ void sum_buckets(const attention_args &a, const float *diagonal,
                                   const int *bucket, float *sums) {
    for (int b = (int)threadIdx.x; b < a.buckets; b += (int)blockDim.x) {
        float sum = sums[b];
        for (int d = 0; d < TQ + TK - 1; d++)
            sum += bucket[d] == b ? diagonal[d] : 0.0f;
        sums[b] = sum;
    }
}

/* Writes a thread's part of dK or dV. */
template <int ROWS, int COLS, int STEP>
static __device__ __forceinline__ void write_keys(const attention_args &a, const task &t, rows_of m,
                                                  int j, int tx, const float (&acc)[ROWS][COLS]) {
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (j + r >= t.lk)
            break;
        float *to = head_row<float>(a, m, t.k0 + j + r, t.head);
#pragma unroll
        for (int c = 0; c < COLS; c++)
            if (tx + STEP * c < a.width)
                to[tx + STEP * c] = acc[r][c];
    }
}

/* A thread's part of a tile of dQ: to its place, or onto the sum over tiles of keys. */
template <int COLS, int STEP>
static __device__ __forceinline__ void add_queries(const attention_args &a, const task &t, int i,
                                                   int j0, int tx, const float (&dq)[4][COLS]) {
    bool whole = t.lk <= 4 * STEP;
#pragma unroll
    for (int r = 0; r < 4; r++) {
        if (i + r >= t.lq)
            break;
        float *to = head_row<float>(a, a.dq, t.q0 + i + r, t.head);
        float *sum = a.dq_sum + (t.q0 + i + r) * a.heads * a.width + t.head * a.width;
#pragma unroll
        for (int c = 0; c < COLS; c++) {
            int col = tx + STEP * c;
            if (col >= a.width)
                continue;
            if (whole)
                to[col] = dq[r][c];
            else
                sum[col] = (j0 > 0 ? sum[col] : 0.0f) + dq[r][c];
        }
    }
}

/* dQ from its sums, after all tiles of keys. No keys at all: zeros. */
static __device__ void finish_queries(const attention_args &a, const task &t) {
    for (int k = (int)threadIdx.x; k < t.lq * a.width; k += (int)blockDim.x) {
        int64_t row = t.q0 + k / a.width;
        int col = k % a.width;
        float sum = t.lk ? a.dq_sum[row * a.heads * a.width + t.head * a.width + col] : 0.0f;
        head_row<float>(a, a.dq, row, t.head)[col] = sum;
    }
}

template <int TQ, int TK, int D>
static __global__ void __launch_bounds__(backward_tiles<TQ, TK, D>::threads, D > 32 ? 1 : 2)
    backward(attention_args a) {
    typedef backward_tiles<TQ, TK, D> tiles;
    extern __shared__ float4 smem[];
    const int STEP = tiles::step, COLS = tiles::cols, ROWS = tiles::rows;
    float *q = (float *)smem, *dout = q + TQ * D, *k = dout + TQ * D, *v = k + TK * D;
    float *p = v + TK * D, *bias = p + TQ * TK, *diagonal = bias + 2 * tiles::pairs;
    float *delta = diagonal + tiles::pairs, *lse = delta + TQ;
    int *bucket = (int *)(lse + TQ);
    float *bucket_sums = (float *)(bucket + 2 * tiles::pairs);
    task t = task_of(a, (int)blockIdx.x, (int)blockIdx.y);
    int tx = (int)threadIdx.x % STEP, ty = (int)threadIdx.x / STEP, i = ty * 4, j = tx * 4;
    int side = 0; /* bias and buckets of this tile, while those of the last are still read */
    for (int b = (int)threadIdx.x; b < a.buckets; b += tiles::threads)
        bucket_sums[b] = 0.0f;
    for (int j0 = 0; j0 < t.lk; j0 += TK) {
        float dk[ROWS][COLS] = {}, dv[ROWS][COLS] = {};
        load_tile<float, TK, D>(a, a.k, t.k0 + j0, t.head, t.lk - j0, k);
        load_tile<float, TK, D>(a, a.v, t.k0 + j0, t.head, t.lk - j0, v);
        for (int i0 = 0; i0 < t.lq; i0 += TQ) {
            if (visible(a, t, min(i0 + TQ, t.lq) - 1) <= j0)
                continue; /* nobody sees these keys */
            side ^= 1;
            float s[4][4], dp[4][4], *tile_bias = bias + side * tiles::pairs;
            load_tile<float, TQ, D>(a, a.q, t.q0 + i0, t.head, t.lq - i0, q);
            load_tile<float, TQ, D>(a, a.dout, t.q0 + i0, t.head, t.lq - i0, dout);
            load_bias<TQ, TK>(a, t, i0, j0, tile_bias, bucket + side * tiles::pairs);
            __syncthreads();
            load_rows<TQ, D>(a, t, i0, dout, delta, lse);
            dot_tile<D>(q, i, k, j, s);
            dot_tile<D>(dout, i, v, j, dp);
            __syncthreads();
            pair_gradients<TQ>(a, t, i, i0, j, j0, tile_bias, delta, lse, s, dp);
            store_pairs<TK>(p, i, j, s);
            __syncthreads();
            add_transposed<TQ, TK, D, ROWS, COLS, STEP>(p, ty * ROWS, dout, tx, dv);
            __syncthreads();
            store_pairs<TK>(p, i, j, dp);
            __syncthreads();
            add_transposed<TQ, TK, D, ROWS, COLS, STEP>(p, ty * ROWS, q, tx, dk);
            float dq[4][COLS] = {};
            add_product<TK, D, STEP>(p, i, k, tx, dq);
            add_queries<COLS, STEP>(a, t, i0 + i, j0, tx, dq);
            if (a.dbias)
                sum_diagonals<TQ, TK>(p, diagonal);
            __syncthreads();
            if (a.dbias)
                sum_buckets<TQ, TK>(a, diagonal, bucket + side * tiles::pairs, bucket_sums);
        }
        __syncthreads(); /* k and v are free also where no queries were */
        write_keys<ROWS, COLS, STEP>(a, t, a.dk, j0 + ty * ROWS, tx, dk);
        write_keys<ROWS, COLS, STEP>(a, t, a.dv, j0 + ty * ROWS, tx, dv);
    }
    __syncthreads();
    if (t.lk == 0 || t.lk > TK)
        finish_queries(a, t);
    if (a.dbias)
        for (int b = (int)threadIdx.x; b < a.buckets; b += tiles::threads)
            a.dbias[((int64_t)blockIdx.x * a.heads + t.head) * a.buckets + b] = bucket_sums[b];
}

template <int TQ, int TK, int D>
static cudaError_t run(const attention_args &a, cudaStream_t stream) {
    typedef backward_tiles<TQ, TK, D> tiles;
    size_t bytes = (size_t)(tiles::floats + a.buckets) * sizeof(float);
    return launch(backward<TQ, TK, D>, dim3((unsigned)a.n_seq, (unsigned)a.heads), tiles::threads,
                  bytes, stream, a);
}

cudaError_t attention_backward_tiles(const attention_args &a, cudaStream_t stream) {
    return a.width <= 16   ? run<32, 64, 16>(a, stream)
           : a.width <= 32 ? run<32, 64, 32>(a, stream)
                           : run<32, 64, 64>(a, stream);
}
