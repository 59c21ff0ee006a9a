/* Attention outside of its kernels: arguments, the choice of kernels, and the sum of the bias
 * gradient's partial sums. */
#include "device/attention.cuh"

static bool wants_tiles(const t5_attention *a) {
    return a->max_q > 1 && a->d_kv <= T5_TILE_WIDTH;
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
                                        float *d_lse, cudaStream_t stream) {
    attention_args k = args_of(a, d_bucket, out);
    k.lse = d_lse;
    return by_type(a->q.type, [&](auto *t) {
        using T = std::remove_pointer_t<decltype(t)>;
        return wants_tiles(a) ? attention_forward_tiles<T>(k, stream)
                              : attention_forward_rows<T>(k, stream);
    });
}

/* Blocks along sequences, each with its own partial sum of the bias gradient. */
static int64_t backward_parts(const t5_attention *a) {
    return wants_tiles(a) ? a->n_seq : (int64_t)a->n_seq * a->max_q;
}

t5_attention_work t5_attention_backward_work(const t5_attention *a) {
    t5_attention_work work = {0, 0};
    if (wants_tiles(a))
        work.dq = (size_t)a->n_q * (size_t)(a->heads * a->d_kv);
    if (a->d_bias_table)
        work.dbias = (size_t)(backward_parts(a) * a->heads * a->buckets);
    return work;
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
                                         cudaStream_t stream) {
    attention_args k = args_of(a, d_bucket, out);
    k.vec = k.vec && tile_aligned(a, dout) && tile_aligned(a, dq) && tile_aligned(a, dk) &&
            tile_aligned(a, dv);
    k.saved_lse = d_lse;
    k.dout = rows_of{dout.p, dout.ld}, k.dq = rows_of{dq.p, dq.ld};
    k.dk = rows_of{dk.p, dk.ld}, k.dv = rows_of{dv.p, dv.ld};
    k.dq_sum = d_work;
    if (a->d_bias_table)
        k.dbias = d_work + t5_attention_backward_work(a).dq;
    cudaError_t result = by_type(a->q.type, [&](auto *t) {
        using T = std::remove_pointer_t<decltype(t)>;
        return wants_tiles(a) ? attention_backward_tiles<T>(k, stream)
                              : attention_backward_rows<T>(k, stream);
    });
    if (result != cudaSuccess || !a->d_bias_table)
        return result;
    return launch(sum_bias, dim3((unsigned)a->heads, (unsigned)a->buckets), WARP, 0, stream,
                  (const float *)k.dbias, backward_parts(a), a->heads, a->buckets, d_dbias_table);
}
