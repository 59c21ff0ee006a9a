/* Attention outside of the launchers: relative position buckets by distance, computed once on the
 * host with T5's own formula (no other logarithm decides where a bucket begins), and work memory.
 */
#include "device/cuda.h"
#include <assert.h>
#include <stdlib.h>

/* Fills an entry with the buckets of -reach .. reach. */
static bool fill_buckets(t5_cuda *cuda, t5_cuda_buckets *entry, const t5_attention *a, int reach) {
    size_t n = 2 * (size_t)reach + 1;
    if (t5_cuda_spoils_capture(cuda))
        return false;
    cuda->generation++;
    int32_t *bucket = malloc(n * sizeof *bucket);
    (void)cudaFree(entry->d_bucket); /* waits for who uses it */
    *entry = (t5_cuda_buckets){a->causal_buckets, a->buckets, a->max_distance, reach, NULL};
    if (!bucket) {
        t5_fail(&cuda->error, T5_ERR_MEMORY, "out of host memory for the CUDA device");
        return false;
    }
    for (int distance = -reach; distance <= reach; distance++)
        bucket[distance + reach] =
            t5_relative_bucket(distance, !a->causal_buckets, a->buckets, a->max_distance);
    void *d_bucket = NULL;
    if (t5_cuda_check(cuda, cudaMalloc(&d_bucket, n * sizeof *bucket), "relative positions")) {
        entry->d_bucket = d_bucket;
        t5_cuda_to_device(&cuda->base, d_bucket, bucket, n * sizeof *bucket);
    }
    free(bucket);
    return !t5_cuda_failed(cuda);
}

/* The device's buckets of a's kind, at distance 0; NULL (and the sticky error) if there is no
 * memory. A model has two kinds; a third takes the place of the first. */
static const int32_t *buckets_of(t5_cuda *cuda, const t5_attention *a) {
    int farthest = a->q_offset + a->max_q > a->max_k ? a->q_offset + a->max_q : a->max_k;
    t5_cuda_buckets *entry = &cuda->buckets[0];
    for (int i = T5_CUDA_BUCKETS - 1; i >= 0; i--) {
        t5_cuda_buckets *e = &cuda->buckets[i];
        bool same = e->causal == a->causal_buckets && e->buckets == a->buckets &&
                    e->max_distance == a->max_distance;
        if (e->d_bucket && same && e->reach >= farthest)
            return e->d_bucket + e->reach;
        if (!e->d_bucket || same)
            entry = e;
    }
    int reach = 512; /* longer ones in steps of twice as far: not with every longer batch */
    while (reach < farthest)
        reach *= 2;
    return fill_buckets(cuda, entry, a, reach) ? entry->d_bucket + reach : NULL;
}

void t5_cuda_attention_forward(t5_device *dev, const t5_attention *a, t5_mat out, float *d_lse) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(a->q.type == a->k.type && a->q.type == a->v.type && a->q.type == out.type);
    if (t5_cuda_failed(cuda) || a->n_seq == 0)
        return;
    const int32_t *d_bucket = a->d_bias_table ? buckets_of(cuda, a) : NULL;
    if (d_bucket || !a->d_bias_table)
        t5_cuda_check(
            cuda,
            t5_launch_attention_forward(a, d_bucket, out, d_lse, cuda->base.has_bf16, cuda->stream),
            "attention");
}

void t5_cuda_attention_backward(t5_device *dev, const t5_attention *a, t5_mat out,
                                const float *d_lse, t5_mat dout, t5_mat dq, t5_mat dk, t5_mat dv,
                                float *d_dbias_table) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(!a->d_bias_table == !d_dbias_table);
    assert(a->q.type == dout.type && a->q.type == dq.type && dk.type == dq.type &&
           dv.type == dq.type);
    if (t5_cuda_failed(cuda) || a->n_seq == 0)
        return;
    const int32_t *d_bucket = a->d_bias_table ? buckets_of(cuda, a) : NULL;
    if (a->d_bias_table && !d_bucket)
        return;
    float *d_work = t5_cuda_scratch(cuda, t5_attention_backward_work(a) * sizeof *d_work);
    if (d_work)
        t5_cuda_check(cuda,
                      t5_launch_attention_backward(a, d_bucket, out, d_lse, dout, dq, dk, dv,
                                                   d_dbias_table, d_work, cuda->base.has_bf16,
                                                   cuda->stream),
                      "gradient of attention");
}
