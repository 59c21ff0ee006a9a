/* Attention where tiles do not fit: one query a sequence (decoding), or heads wider than a tile. A
 * block for a query (or, for dK and dV, a key) of a sequence and head goes over the others in
 * chunks of as many as it has threads: products of rows by groups of 8 lanes, then weighted sums of
 * rows. Formulas: attention.cuh, kernels_attention_backward.cu. */
#include "device/attention.cuh"

enum { THREADS = 128, LANES = 8, CHUNK = THREADS };

/* Weighted sums of rows: a thread owns group `group` of the columns and every `slices`-th row. */
typedef struct sums {
    float4 *acc; /* (slices, groups) */
    int groups, slices;
} sums;
static __host__ __device__ int slices_of(int width) {
    return max(1, THREADS / ((width + 3) / 4));
}
static __device__ sums sums_at(float4 *memory, int width) {
    sums s = {memory, (width + 3) / 4, slices_of(width)};
    for (int i = (int)threadIdx.x; i < s.groups * s.slices; i += THREADS)
        s.acc[i] = make_float4(0, 0, 0, 0);
    return s;
}
static int floats_of(int width) {
    return 4 * slices_of(width) * ((width + 3) / 4);
}

/* acc = acc * scale + sum over j < n of weight[j] row(row0 + j). */
template <class T>
static __device__ void add_rows(const attention_args &a, const sums &s, rows_of m, int64_t row0,
                                int head, int n, const float *weight, float scale) {
    for (int i = (int)threadIdx.x; i < s.groups * s.slices; i += THREADS) {
        int c = i % s.groups;
        float4 sum = s.acc[i] * scale;
        for (int j = i / s.groups; j < n; j += s.slices)
            sum = sum + load4(a.vec, head_row<T>(a, m, row0 + j, head) + 4 * c, a.width - 4 * c) *
                            weight[j];
        s.acc[i] = sum;
    }
}

/* Writes the sums, times scale, as a row; all of acc is written. */
template <class T>
static __device__ void write_row(const attention_args &a, const sums &s, rows_of m, int64_t row,
                                 int head, float scale) {
    for (int c = (int)threadIdx.x; c < s.groups; c += THREADS) {
        float4 sum = s.acc[c];
        for (int k = 1; k < s.slices; k++)
            sum = sum + s.acc[k * s.groups + c];
        store4(a.vec, head_row<T>(a, m, row, head) + 4 * c, sum * scale, a.width - 4 * c);
    }
}

/* dot[j] = x . row(row0 + j) for j < n; x in shared memory. 8 lanes for a row. */
template <class T>
static __device__ void dot_rows(const attention_args &a, const float4 *x, rows_of m, int64_t row0,
                                int head, int n, float *dot) {
    int lane = (int)threadIdx.x % LANES;
    for (int j0 = 0; j0 < n; j0 += THREADS / LANES) {
        int j = j0 + (int)threadIdx.x / LANES;
        float sum = 0.0f;
        if (j < n) {
            const T *row = head_row<T>(a, m, row0 + j, head);
            for (int c = lane; 4 * c < a.width; c += LANES)
                sum += sum4(load4(a.vec, row + 4 * c, a.width - 4 * c) * x[c]);
        }
        for (int o = LANES / 2; o; o >>= 1)
            sum += __shfl_xor_sync(~0u, sum, o);
        if (lane == 0 && j < n)
            dot[j] = sum;
    }
}

/* A row to shared memory, zeros up to a whole group. */
template <class T>
static __device__ void load_row(const attention_args &a, rows_of m, int64_t row, int head,
                                float4 *x) {
    for (int c = (int)threadIdx.x; 4 * c < a.width; c += THREADS)
        x[c] = load4(a.vec, head_row<T>(a, m, row, head) + 4 * c, a.width - 4 * c);
}

static __device__ __forceinline__ float bias_of(const attention_args &a, int head, int i, int j) {
    return a.table ? a.table[a.bucket[j - (a.q_offset + i)] * a.heads + head] : 0.0f;
}

/* The dropout factor of one pair. */
static __device__ __forceinline__ float keep_of(const attention_args &a, int64_t q_row, int head,
                                                int j) {
    if (a.drop.threshold == 0)
        return 1.0f;
    float4 m = mask4(a.drop, q_row, (uint32_t)(head * 65536 + j) / 4);
    return j % 4 == 0 ? m.x : j % 4 == 1 ? m.y : j % 4 == 2 ? m.z : m.w;
}

static __device__ float block_max(float v, float *room) {
    v = warp_max(v);
    if (threadIdx.x % WARP == 0)
        room[threadIdx.x / WARP] = v;
    __syncthreads();
    for (int w = 0; w < THREADS / WARP; w++)
        v = fmaxf(v, room[w]);
    return v;
}

template <class T> static __global__ void __launch_bounds__(THREADS, 8) forward(attention_args a) {
    extern __shared__ float4 smem[]; /* the query; sums */
    __shared__ float score[CHUNK], room[2][WARP];
    int i = (int)blockIdx.x % a.max_q, head = (int)blockIdx.y, me = (int)threadIdx.x, side = 0;
    task t = task_of(a, (int)blockIdx.x / a.max_q, head);
    if (i >= t.lq)
        return;
    int64_t row = t.q0 + i;
    sums o = sums_at(smem + (a.width + 3) / 4, a.width);
    float max = -INFINITY, sum = 0.0f; /* sum: of this thread's keys */
    int seen = visible(a, t, i);
    load_row<T>(a, a.q, row, head, smem);
    __syncthreads();
    for (int j0 = 0; j0 < seen; j0 += CHUNK, side ^= 1) {
        int n = min(CHUNK, seen - j0);
        dot_rows<T>(a, smem, a.k, t.k0 + j0, head, n, score);
        __syncthreads();
        float s = me < n ? score[me] + bias_of(a, head, i, j0 + me) : -INFINITY;
        float top = fmaxf(max, block_max(s, room[side]));
        float shift = top == -INFINITY ? 0.0f : top, scale = expf(max - shift), p = expf(s - shift);
        max = top;
        sum = sum * scale + p;
        score[me] = me < n ? p * keep_of(a, row, head, j0 + me) : 0.0f;
        __syncthreads();
        add_rows<T>(a, o, a.v, t.k0 + j0, head, n, score, scale);
        __syncthreads();
    }
    sum = block_sum(sum, room[side]);
    write_row<T>(a, o, a.out, row, head, sum > 0.0f ? 1.0f / sum : 1.0f);
    if (me == 0 && a.lse)
        a.lse[row * a.heads + head] = max + logf(sum);
}

/* P.M and dS of one pair. */
static __device__ __forceinline__ void pair_gradient(const attention_args &a, const task &t, int i,
                                                     int j, float score, float dp, float delta,
                                                     float *pm, float *ds) {
    int64_t row = t.q0 + i;
    float lse = a.saved_lse[row * a.heads + t.head], keep = keep_of(a, row, t.head, j);
    float p = j < visible(a, t, i) ? expf(score + bias_of(a, t.head, i, j) - lse) : 0.0f;
    *pm = p * keep;
    *ds = p * (keep * dp - delta);
}

/* Adds a chunk's dS to the sums of their buckets: each bucket in one thread. */
static __device__ void add_buckets(const attention_args &a, int i, int j0, int n, const float *ds,
                                   float *to) {
    for (int b = (int)threadIdx.x; b < a.buckets; b += THREADS) {
        float sum = to[b];
        for (int j = 0; j < n; j++)
            sum += a.bucket[j0 + j - (a.q_offset + i)] == b ? ds[j] : 0.0f;
        to[b] = sum;
    }
}

/* delta_i = sum over keys of P.M.dP, in every thread. (dO . O is the same but for the rounding of O
 * to bfloat16, which is too much where P is nearly 1.) */
template <class T>
static __device__ float sum_delta(const attention_args &a, const task &t, int i, int seen,
                                  const float4 *q, const float4 *dout, float *score, float *dp,
                                  float *room) {
    float part = 0.0f, ds;
    for (int j0 = 0; j0 < seen; j0 += CHUNK) {
        int n = min(CHUNK, seen - j0), me = (int)threadIdx.x;
        dot_rows<T>(a, q, a.k, t.k0 + j0, t.head, n, score);
        dot_rows<T>(a, dout, a.v, t.k0 + j0, t.head, n, dp);
        __syncthreads();
        if (me < n) {
            float pm;
            pair_gradient(a, t, i, j0 + me, score[me], dp[me], 0.0f, &pm, &ds);
            part += ds;
        }
        __syncthreads();
    }
    return block_sum(part, room);
}

/* dQ of a query, and its part of the bias gradient. */
template <class T>
static __global__ void __launch_bounds__(THREADS, 8) backward_query(attention_args a) {
    extern __shared__ float4 smem[]; /* q, dout; sums */
    __shared__ float score[CHUNK], dp[CHUNK], room[WARP];
    int i = (int)blockIdx.x % a.max_q, head = (int)blockIdx.y, me = (int)threadIdx.x;
    task t = task_of(a, (int)blockIdx.x / a.max_q, head);
    float *bias_sums = a.dbias + ((int64_t)blockIdx.x * a.heads + head) * a.buckets;
    for (int b = me; a.dbias && b < a.buckets; b += THREADS)
        bias_sums[b] = 0.0f;
    if (i >= t.lq)
        return;
    int64_t row = t.q0 + i;
    float4 *q = smem, *dout = q + (a.width + 3) / 4;
    sums dq = sums_at(dout + (a.width + 3) / 4, a.width);
    load_row<T>(a, a.q, row, head, q);
    load_row<T>(a, a.dout, row, head, dout);
    __syncthreads();
    int seen = visible(a, t, i);
    float delta = sum_delta<T>(a, t, i, seen, q, dout, score, dp, room);
    if (me == 0)
        a.delta[row * a.heads + head] = delta;
    for (int j0 = 0; j0 < seen; j0 += CHUNK) {
        int n = min(CHUNK, seen - j0);
        dot_rows<T>(a, q, a.k, t.k0 + j0, head, n, score);
        dot_rows<T>(a, dout, a.v, t.k0 + j0, head, n, dp);
        __syncthreads();
        float pm, ds = 0.0f;
        if (me < n)
            pair_gradient(a, t, i, j0 + me, score[me], dp[me], delta, &pm, &ds);
        score[me] = ds; /* this thread's own */
        __syncthreads();
        add_rows<T>(a, dq, a.k, t.k0 + j0, head, n, score, 1.0f);
        if (a.dbias)
            add_buckets(a, i, j0, n, score, bias_sums);
        __syncthreads();
    }
    write_row<T>(a, dq, a.dq, row, head, 1.0f);
}

/* dK and dV of a key. */
template <class T>
static __global__ void __launch_bounds__(THREADS, 8) backward_key(attention_args a) {
    extern __shared__ float4 smem[]; /* k, v; sums of both */
    __shared__ float score[CHUNK], dp[CHUNK];
    int j = (int)blockIdx.x % a.max_k, head = (int)blockIdx.y, me = (int)threadIdx.x;
    task t = task_of(a, (int)blockIdx.x / a.max_k, head);
    if (j >= t.lk)
        return;
    int64_t row = t.k0 + j;
    int groups = (a.width + 3) / 4;
    float4 *k = smem, *v = k + groups;
    sums dk = sums_at(v + groups, a.width), dv = sums_at(dk.acc + dk.groups * dk.slices, a.width);
    load_row<T>(a, a.k, row, head, k);
    load_row<T>(a, a.v, row, head, v);
    __syncthreads();
    for (int i0 = 0; i0 < t.lq; i0 += CHUNK) {
        int n = min(CHUNK, t.lq - i0);
        dot_rows<T>(a, k, a.q, t.q0 + i0, head, n, score);
        dot_rows<T>(a, v, a.dout, t.q0 + i0, head, n, dp);
        __syncthreads();
        float pm = 0.0f, ds = 0.0f;
        if (me < n)
            pair_gradient(a, t, i0 + me, j, score[me], dp[me],
                          a.delta[(t.q0 + i0 + me) * a.heads + head], &pm, &ds);
        score[me] = ds, dp[me] = pm; /* this thread's own */
        __syncthreads();
        add_rows<T>(a, dk, a.q, t.q0 + i0, head, n, score, 1.0f);
        add_rows<T>(a, dv, a.dout, t.q0 + i0, head, n, dp, 1.0f);
        __syncthreads();
    }
    write_row<T>(a, dk, a.dk, row, head, 1.0f);
    write_row<T>(a, dv, a.dv, row, head, 1.0f);
}

/* Shared memory of `rows` rows and `kinds` sums. */
static size_t shared_of(const attention_args &a, int rows, int kinds) {
    return (size_t)(rows * 4 * ((a.width + 3) / 4) + kinds * floats_of(a.width)) * sizeof(float);
}

template <class T>
cudaError_t attention_forward_rows(const attention_args &a, cudaStream_t stream) {
    dim3 grid((unsigned)(a.n_seq * a.max_q), (unsigned)a.heads);
    return launch(forward<T>, grid, THREADS, shared_of(a, 1, 1), stream, a);
}

template <class T>
cudaError_t attention_backward_rows(const attention_args &a, cudaStream_t stream) {
    dim3 queries((unsigned)(a.n_seq * a.max_q), (unsigned)a.heads);
    dim3 keys((unsigned)(a.n_seq * a.max_k), (unsigned)a.heads);
    cudaError_t result = launch(backward_query<T>, queries, THREADS, shared_of(a, 2, 1), stream, a);
    return result ? result : launch(backward_key<T>, keys, THREADS, shared_of(a, 2, 2), stream, a);
}

template cudaError_t attention_forward_rows<float>(const attention_args &a, cudaStream_t stream);
template cudaError_t attention_forward_rows<bf16>(const attention_args &a, cudaStream_t stream);
template cudaError_t attention_backward_rows<float>(const attention_args &a, cudaStream_t stream);
template cudaError_t attention_backward_rows<bf16>(const attention_args &a, cudaStream_t stream);
