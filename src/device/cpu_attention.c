/* Attention outside of the kernels: the relative position bias as rows over (key position - query
 * position), scratch memory, and the bias gradient's sum over sequences in a fixed order. */
#include "device/cpu.h"
#include <assert.h>

/* Distances that occur: -(q_offset + max_q - 1) .. max_k - 1; zero is where distance 0 lies. */
static int64_t distance_zero(const t5_attention *a) {
    return a->q_offset + a->max_q - 1;
}
static int64_t distance_range(const t5_attention *a) {
    return distance_zero(a) + a->max_k;
}

/* A row of all distances; the kernels touch up to a vector more. */
static int64_t row_length(const t5_attention *a) {
    return (distance_range(a) + 31) / 16 * 16;
}

static int bucket_at(const t5_attention *a, int64_t at) {
    return t5_relative_bucket((int)(at - distance_zero(a)), !a->causal_buckets, a->buckets,
                              a->max_distance);
}

static void fill_bias(const t5_attention *a, float *bias) {
    int64_t range = distance_range(a), length = row_length(a);
    for (int64_t at = 0; at < range; at++) {
        const float *row = a->d_bias_table + (int64_t)bucket_at(a, at) * a->heads;
        for (int h = 0; h < a->heads; h++)
            bias[h * length + at] = row[h];
    }
}

/* dtable[bucket][head] += the sum over sequences and distances, both ascending. */
static void sum_bias_gradient(const t5_attention *a, const float *dbias, float *dtable) {
    int64_t range = distance_range(a), length = row_length(a);
    for (int64_t at = 0; at < range; at++) {
        float *row = dtable + (int64_t)bucket_at(a, at) * a->heads;
        for (int h = 0; h < a->heads; h++) {
            double sum = 0.0;
            for (int64_t s = 0; s < a->n_seq; s++)
                sum += (double)dbias[(s * a->heads + h) * length + at];
            row[h] += (float)sum;
        }
    }
}

/* Lays out scratch memory and runs the kernel. Returns false when there is no memory. */
static bool attend(t5_cpu *cpu, t5_attention_args *x, bool backward) {
    const t5_attention *a = x->a;
    int64_t tasks = (int64_t)a->n_seq * a->heads;
    int64_t length = row_length(a);
    x->row_length = length;
    x->zero = distance_zero(a);
    x->scratch_size = cpu->kernels->attention_scratch(a, backward);
    int64_t bias = a->d_bias_table ? a->heads * length : 0;
    int64_t dbias = a->d_bias_table && backward ? tasks * length : 0;
    int64_t floats = bias + x->scratch_size * cpu->threads + dbias;
    float *scratch = t5_cpu_scratch(cpu, (size_t)floats * sizeof *scratch);
    if (!scratch)
        return false;
    if (a->d_bias_table) {
        fill_bias(a, scratch);
        x->bias = scratch;
        if (backward)
            x->dbias = scratch + bias + x->scratch_size * cpu->threads;
    }
    x->scratch = scratch + bias;
    t5_kernel *kernel =
        backward ? cpu->kernels->attention_backward : cpu->kernels->attention_forward;
    t5_cpu_parallel_uneven(cpu, kernel, x, tasks, 1);
    return true;
}

void t5_cpu_attention_forward(t5_device *dev, const t5_attention *a, t5_mat out, float *lse) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu) || a->n_seq == 0)
        return;
    t5_attention_args args = {.a = a, .out = out, .lse = lse};
    attend(cpu, &args, false);
}

void t5_cpu_attention_backward(t5_device *dev, const t5_attention *a, t5_mat out, const float *lse,
                               t5_mat dout, t5_mat dq, t5_mat dk, t5_mat dv, float *dbias_table) {
    t5_cpu *cpu = t5_cpu_of(dev);
    assert(!a->d_bias_table == !dbias_table);
    if (t5_cpu_failed(cpu) || a->n_seq == 0)
        return;
    t5_attention_args args = {
        .a = a, .out = out, .dout = dout, .dq = dq, .dk = dk, .dv = dv, .saved_lse = lse};
    if (attend(cpu, &args, true) && dbias_table)
        sum_bias_gradient(a, args.dbias, dbias_table);
}
