/* What the attention kernels share: their arguments, the relative position bias, and tiles of rows
 * in shared memory. Formulas: S = Q K^T + bias, P = softmax(S), M the dropout mask, O = (P.M) V. */
#ifndef T5_DEVICE_ATTENTION_CUH
#define T5_DEVICE_ATTENTION_CUH
#include "device/dropout.cuh"
#include "device/element.cuh"

typedef struct rows_of { /* a t5_mat of type T, as kernels take it */
    void *p;
    int64_t ld;
} rows_of;

typedef struct attention_args {
    int n_seq, heads, width, max_q, max_k, q_offset; /* width: d_kv */
    bool causal, vec;                                /* vec: groups of 4 are aligned everywhere */
    const int32_t *q_start, *k_start, *k_len;
    rows_of q, k, v, out;
    const float *table;    /* (buckets, heads) or NULL */
    const int32_t *bucket; /* of distance 0; valid for all distances that occur */
    int buckets;
    mask drop;
    float *lse;             /* forward; NULL: not wanted */
    const float *saved_lse; /* backward, as all below */
    rows_of dout, dq, dk, dv;
    float *dq_sum; /* (n_q, heads * width), where dq grows over tiles of keys */
    float *delta;  /* (n_q, heads), where more than one kernel or pass needs it */
    float *dbias;  /* (parts, heads, buckets) partial sums, NULL: no bias */
} attention_args;

/* A sequence and a head. */
typedef struct task {
    int head;
    int64_t q0, k0; /* first rows */
    int lq, lk;
} task;

static __device__ __forceinline__ task task_of(const attention_args &a, int seq, int head) {
    int q0 = a.q_start[seq];
    return task{head, q0, a.k_start[seq], a.q_start[seq + 1] - q0, a.k_len[seq]};
}

/* Where row `row` of this head lies. */
template <class T>
static __device__ __forceinline__ T *head_row(const attention_args &a, rows_of m, int64_t row,
                                              int head) {
    return (T *)m.p + row * m.ld + head * a.width;
}

/* Keys that query i of the sequence sees. */
static __device__ __forceinline__ int visible(const attention_args &a, const task &t, int i) {
    return a.causal ? min(t.lk, a.q_offset + i + 1) : t.lk;
}

static __device__ __forceinline__ float4 load4(bool vec, const float *p, int n) {
    return vec ? get4(p) : load4<false>(p, n);
}
static __device__ __forceinline__ float4 load4(bool vec, const bf16 *p, int n) {
    return vec ? get4(p) : load4<false>(p, n);
}
static __device__ __forceinline__ void store4(bool vec, float *p, float4 v, int n) {
    if (vec)
        put4(p, v);
    else
        store4<false>(p, v, n);
}
static __device__ __forceinline__ void store4(bool vec, bf16 *p, float4 v, int n) {
    if (vec)
        put4(p, v);
    else
        store4<false>(p, v, n);
}

/* Tiles of floats (R, C) without padding, C a power of 2, in groups of 4. Group c of row r lies
 * where neighbouring groups of threads, which read the same column of rows 4 apart, meet different
 * banks. */
template <int C> static __device__ __forceinline__ int place(int r, int c) {
    return r * C + 4 * (c ^ (r >> 2 & (C / 4 - 1) & 7));
}
template <int C> static __device__ __forceinline__ float4 &group_at(float *tile, int r, int c) {
    return *(float4 *)(tile + place<C>(r, c));
}
template <int C>
static __device__ __forceinline__ float element_at(const float *tile, int r, int j) {
    return tile[place<C>(r, j / 4) + j % 4];
}

/* Rows row0 .. of this head as a tile of R rows, zeros where `valid` rows or the width end. */
template <class T, int R, int C>
static __device__ void load_tile(const attention_args &a, rows_of m, int64_t row0, int head,
                                 int valid, float *tile) {
    const int groups = C / 4;
    for (int i = (int)threadIdx.x; i < R * groups; i += (int)blockDim.x) {
        int r = i / groups, c = i % groups;
        float4 v = make_float4(0, 0, 0, 0);
        if (r < valid && 4 * c < a.width)
            v = load4(a.vec, head_row<T>(a, m, row0 + r, head) + 4 * c, a.width - 4 * c);
        group_at<C>(tile, r, c) = v;
    }
}

/* bias[j - i + TQ - 1] for query i and key j of tiles that begin at q0 and k0 of the sequence, and
 * the buckets they are from (bucket NULL: not wanted). Distances that do not occur get 0 and -1. */
template <int TQ, int TK>
static __device__ void load_bias(const attention_args &a, const task &t, int q0, int k0,
                                 float *bias, int *bucket) {
    for (int i = (int)threadIdx.x; i < TQ + TK - 1; i += (int)blockDim.x) {
        int j_minus_i = i - (TQ - 1), distance = k0 + j_minus_i - (a.q_offset + q0);
        bool occurs = a.table && k0 + j_minus_i < t.lk && j_minus_i + t.lq > q0;
        int b = occurs ? a.bucket[distance] : -1;
        bias[i] = occurs ? a.table[b * a.heads + t.head] : 0.0f;
        if (bucket)
            bucket[i] = b;
    }
}

/* The sum of products of rows i0 .. i0+3 of x and j0 .. j0+3 of y. */
template <int C>
static __device__ __forceinline__ void dot_tile(float *x, int i0, float *y, int j0,
                                                float (&s)[4][4]) {
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            s[i][j] = 0.0f;
#pragma unroll 4
    for (int c = 0; c < C / 4; c++) {
        float4 u[4], v[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            u[i] = group_at<C>(x, i0 + i, c), v[i] = group_at<C>(y, j0 + i, c);
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++)
                s[i][j] += sum4(u[i] * v[j]);
    }
}

/* o[i][c] += sum_j p[i0 + i][j] v[j][column c]; columns tx + STEP c. p is (., TK), v (TK, C). */
template <int TK, int C, int STEP>
static __device__ __forceinline__ void add_product(float *p, int i0, const float *v, int tx,
                                                   float (&o)[4][C / STEP]) {
#pragma unroll 4
    for (int j = 0; j < TK; j += 4) {
        float4 u[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            u[i] = group_at<TK>(p, i0 + i, j / 4);
#pragma unroll
        for (int c = 0; c < C / STEP; c++) {
            float w[4];
#pragma unroll
            for (int k = 0; k < 4; k++)
                w[k] = element_at<C>(v, j + k, tx + STEP * c);
#pragma unroll
            for (int i = 0; i < 4; i++)
                o[i][c] += u[i].x * w[0] + u[i].y * w[1] + u[i].z * w[2] + u[i].w * w[3];
        }
    }
}

/* The kernels to choose from: float tiles (width up to T5_TILE_WIDTH), a block for a row, and on
 * tensor cores (bfloat16, 16-byte aligned; backward: width 16, 32 or 64; forward: also 128). */
enum { T5_TILE_WIDTH = 64 };
cudaError_t attention_forward_tiles(const attention_args &a, cudaStream_t stream);
cudaError_t attention_backward_tiles(const attention_args &a, cudaStream_t stream);
template <class T> cudaError_t attention_forward_rows(const attention_args &a, cudaStream_t stream);
template <class T>
cudaError_t attention_backward_rows(const attention_args &a, cudaStream_t stream);
cudaError_t attention_forward_mma(const attention_args &a, cudaStream_t stream);
cudaError_t attention_backward_mma(const attention_args &a, cudaStream_t stream);

#endif
