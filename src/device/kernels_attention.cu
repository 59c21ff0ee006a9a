/* Attention outside of its kernels: arguments, the choice of kernels, and the sum of the bias
 * gradient's partial sums. */
#include "device/attention.cuh"

static bool wants_tiles(const t5_attention *a) {
    return a->q.type == T5_F32 && a->max_q > 1 && a->d_kv <= T5_TILE_WIDTH;
}

/* The same matrices with their rows and heads on 16 bytes: what tensor cores need. */
static bool mma_aligned(t5_mat m) {
    return m.type == T5_BF16 && ((uintptr_t)m.p % 16 == 0) && m.ld % 8 == 0;
}
static bool wants_mma(const t5_attention *a, bool tensor_cores, t5_mat out) {
    return tensor_cores && a->max_q > 1 && mma_aligned(a->q) && mma_aligned(a->k) &&
           mma_aligned(a->v) && mma_aligned(out) &&
           (a->d_kv == 16 || a->d_kv == 32 || a->d_kv == 64 || a->d_kv == 128);
}

static bool tile_aligned(const t5_attention *a, t5_mat m) {
    m.cols = a->d_kv;
    return in_groups(m);
}

static attention_args args_of(const t5_attention *a, const int32_t *d_bucket, t5_mat out) {
    attention_args k = {};
    k.n_seq = a->n_seq, k.heads = a->heads, k.width = a->d_kv;
    k.max_q = a->max_q, k.max_k = a->max_k, k.q_offset = a->q_offset;
    k.causal = a->causal;
    k.vec = tile_aligned(a, a->q) && tile_aligned(a, a->k) && tile_aligned(a, a->v) &&
            tile_aligned(a, out);
    k.q_start = a->d_q_start, k.k_start = a->d_k_start, k.k_len = a->d_k_len;
    k.q = rows_of{a->q.p, a->q.ld}, k.k = rows_of{a->k.p, a->k.ld}, k.v = rows_of{a->v.p, a->v.ld};
    k.out = rows_of{out.p, out.ld};
    k.table = a->d_bias_table, k.bucket = d_bucket, k.buckets = a->d_bias_table ? a->buckets : 0;
    k.drop = mask_of(a->drop);
    return k;
}

cudaError_t t5_launch_attention_forward(const t5_attention *a, const int32_t *d_bucket, t5_mat out,
                                        float *d_lse, bool tensor_cores, cudaStream_t stream) {
    attention_args k = args_of(a, d_bucket, out);
    k.lse = d_lse;
    if (wants_mma(a, tensor_cores, out))
        return attention_forward_mma(k, stream);
    if (wants_tiles(a))
        return attention_forward_tiles(k, stream);
    return a->q.type == T5_F32 ? attention_forward_rows<float>(k, stream)
                               : attention_forward_rows<bf16>(k, stream);
}

/* Blocks along sequences, each with its own partial sum of the bias gradient; at most one a query.
 */
static int64_t backward_parts(const t5_attention *a, bool rows) {
    return rows ? (int64_t)a->n_seq * a->max_q : a->n_seq;
}

size_t t5_attention_backward_work(const t5_attention *a) {
    size_t floats = (size_t)a->n_q * (size_t)(a->heads * (a->d_kv + 1)); /* dq_sum, delta */
    if (a->d_bias_table)
        floats += (size_t)(backward_parts(a, true) * a->heads * a->buckets);
    return floats;
}

/* table[b][h] += the sum of part[i][h][b]: a warp for an element, in double. */
static __global__ void __launch_bounds__(WARP)
    sum_bias(const float *__restrict__ part, int64_t parts, int heads, int buckets, float *table) {
    int h = (int)blockIdx.x, b = (int)blockIdx.y;
    double sum = 0;
    for (int64_t i = threadIdx.x; i < parts; i += WARP)
        sum += (double)part[(i * heads + h) * buckets + b];
    sum = warp_sum(sum);
    if (threadIdx.x == 0)
        table[b * heads + h] += (float)sum;
}

cudaError_t t5_launch_attention_backward(const t5_attention *a, const int32_t *d_bucket, t5_mat out,
                                         const float *d_lse, t5_mat dout, t5_mat dq, t5_mat dk,
                                         t5_mat dv, float *d_dbias_table, float *d_work,
                                         bool tensor_cores, cudaStream_t stream) {
    attention_args k = args_of(a, d_bucket, out);
    k.vec = k.vec && tile_aligned(a, dout) && tile_aligned(a, dq) && tile_aligned(a, dk) &&
            tile_aligned(a, dv);
    k.saved_lse = d_lse;
    k.dout = rows_of{dout.p, dout.ld}, k.dq = rows_of{dq.p, dq.ld};
    k.dk = rows_of{dk.p, dk.ld}, k.dv = rows_of{dv.p, dv.ld};
    k.dq_sum = d_work;
    k.delta = d_work + (size_t)a->n_q * (size_t)(a->heads * a->d_kv);
    if (a->d_bias_table)
        k.dbias = k.delta + (size_t)a->n_q * (size_t)a->heads;
    bool mma = wants_mma(a, tensor_cores, out) && a->d_kv <= T5_TILE_WIDTH && mma_aligned(dout) &&
               mma_aligned(dq) && mma_aligned(dk) && mma_aligned(dv);
    bool rows = !mma && !wants_tiles(a);
    cudaError_t result = mma                   ? attention_backward_mma(k, stream)
                         : !rows               ? attention_backward_tiles(k, stream)
                         : a->q.type == T5_F32 ? attention_backward_rows<float>(k, stream)
                                               : attention_backward_rows<bf16>(k, stream);
    if (result != cudaSuccess || !a->d_bias_table)
        return result;
    return launch(sum_bias, dim3((unsigned)a->heads, (unsigned)a->buckets), WARP, 0, stream,
                  (const float *)k.dbias, backward_parts(a, rows), a->heads, a->buckets,
                  d_dbias_table);
}
