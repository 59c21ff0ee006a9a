/* The operations between the table and the kernels: how each is divided among the threads. */
#include "device/cpu.h"
#include <assert.h>
#include <string.h>

/* Rows that make a chunk of about 16,384 elements: some microseconds of work. */
static int64_t row_grain(int64_t cols) {
    return cols < 16384 ? 16384 / (cols > 0 ? cols : 1) : 1;
}

void t5_cpu_parallel(const t5_cpu *cpu, t5_kernel *kernel, const void *args, int64_t n,
                     int64_t grain) {
    int64_t chunks = (n + grain - 1) / grain;
#pragma omp parallel for num_threads(cpu->threads) schedule(static) if (chunks > 1)
    for (int64_t c = 0; c < chunks; c++)
        kernel(args, c * grain, (c + 1) * grain < n ? (c + 1) * grain : n);
}

void t5_cpu_parallel_uneven(const t5_cpu *cpu, t5_kernel *kernel, const void *args, int64_t n,
                            int64_t grain) {
    int64_t chunks = (n + grain - 1) / grain;
#pragma omp parallel for num_threads(cpu->threads) schedule(dynamic) if (chunks > 1)
    for (int64_t c = 0; c < chunks; c++)
        kernel(args, c * grain, (c + 1) * grain < n ? (c + 1) * grain : n);
}

typedef struct bytes_args {
    char *dst;
    const char *src; /* NULL: zero */
} bytes_args;
enum { BYTES = 1 << 18 };

static void move_bytes(const void *args, int64_t first, int64_t last) {
    const bytes_args *a = args;
    if (a->src)
        memcpy(a->dst + first, a->src + first, (size_t)(last - first));
    else
        memset(a->dst + first, 0, (size_t)(last - first));
}

void t5_cpu_zero(t5_device *dev, void *dst, size_t bytes) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    t5_cpu_parallel(cpu, move_bytes, &(bytes_args){dst, NULL}, (int64_t)bytes, BYTES);
}

void t5_cpu_copy(t5_device *dev, void *dst, const void *src, size_t bytes) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    t5_cpu_parallel(cpu, move_bytes, &(bytes_args){dst, src}, (int64_t)bytes, BYTES);
}

void t5_cpu_cast(t5_device *dev, const float *src, void *dst, int64_t n) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    t5_cpu_parallel(cpu, cpu->kernels->cast, &(t5_cast_args){src, dst}, n, 1 << 15);
}

void t5_cpu_widen(t5_device *dev, const void *src, float *dst, int64_t n) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    t5_cpu_parallel(cpu, cpu->kernels->widen, &(t5_widen_args){src, dst}, n, 1 << 15);
}

/* A few numbers: sums, as a rule. */
void t5_cpu_narrow(t5_device *dev, const double *src, int64_t n, float *dst) {
    if (t5_cpu_failed(t5_cpu_of(dev)))
        return;
    for (int64_t i = 0; i < n; i++)
        dst[i] = (float)src[i];
}

void t5_cpu_embed_forward(t5_device *dev, t5_mat table, const int32_t *ids, t5_mat x,
                          t5_dropout drop) {
    t5_cpu *cpu = t5_cpu_of(dev);
    assert(table.type == T5_F32 && x.type == T5_F32 && table.cols == x.cols);
    if (t5_cpu_failed(cpu))
        return;
    t5_embed_args args = {table, x, ids, drop};
    t5_cpu_parallel(cpu, cpu->kernels->embed_forward, &args, x.rows, row_grain(x.cols));
}

void t5_cpu_embed_backward(t5_device *dev, t5_mat dx, const int32_t *ids, t5_mat dtable,
                           t5_dropout drop) {
    t5_cpu *cpu = t5_cpu_of(dev);
    assert(dtable.type == T5_F32 && dx.type == T5_F32 && dtable.cols == dx.cols);
    if (t5_cpu_failed(cpu))
        return;
    t5_embed_args args = {dtable, dx, ids, drop};
    int64_t blocks = (dx.cols + T5_EMBED_COLUMNS - 1) / T5_EMBED_COLUMNS;
    t5_cpu_parallel(cpu, cpu->kernels->embed_backward, &args, blocks, 1);
}

void t5_cpu_norm_forward(t5_device *dev, t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out,
                         const float *w, float eps, t5_mat out, float *rstd, t5_dropout out_drop) {
    t5_cpu *cpu = t5_cpu_of(dev);
    assert(x_in.type == T5_F32 && (!x_out.p || x_out.type == T5_F32) && (!y.p || x_out.p));
    if (t5_cpu_failed(cpu))
        return;
    t5_norm_args args = {.x_in = x_in,
                         .y = y,
                         .x_out = x_out,
                         .out = out,
                         .drop = drop,
                         .out_drop = out_drop,
                         .w = w,
                         .eps = eps,
                         .rstd = rstd};
    t5_cpu_parallel(cpu, cpu->kernels->norm_forward, &args, x_in.rows, row_grain(x_in.cols));
}

void t5_cpu_norm_backward(t5_device *dev, t5_mat x, const float *w, const float *rstd, t5_mat dout,
                          t5_dropout out_drop, bool accumulate, t5_mat dx, float *dw, t5_mat dy,
                          t5_dropout drop) {
    t5_cpu *cpu = t5_cpu_of(dev);
    assert(x.type == T5_F32 && dx.type == T5_F32);
    if (t5_cpu_failed(cpu) || x.rows == 0)
        return;
    int64_t chunks = (x.rows + T5_NORM_ROWS - 1) / T5_NORM_ROWS;
    float *part = t5_cpu_scratch(cpu, (size_t)(chunks * x.cols) * sizeof *part);
    if (!part)
        return;
    t5_norm_back_args args = {.x = x,
                              .dout = dout,
                              .dx = dx,
                              .dy = dy,
                              .drop = drop,
                              .out_drop = out_drop,
                              .w = w,
                              .rstd = rstd,
                              .accumulate = accumulate,
                              .dw_part = part};
    t5_cpu_parallel(cpu, cpu->kernels->norm_backward, &args, x.rows, T5_NORM_ROWS);
    t5_sum_rows_args sum = {part, chunks, x.cols, dw};
    t5_cpu_parallel(cpu, cpu->kernels->sum_rows, &sum, x.cols, 256);
}

void t5_cpu_act_forward(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                        t5_dropout drop) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    t5_act_args args = {.kind = kind, .in = in, .out = out, .drop = drop};
    t5_cpu_parallel(cpu, cpu->kernels->act_forward, &args, out.rows, row_grain(out.cols));
}

void t5_cpu_act_backward(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                         t5_mat dout, t5_mat din, t5_dropout drop) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    t5_act_args args = {kind, in, out, dout, din, drop};
    t5_cpu_parallel(cpu, cpu->kernels->act_backward, &args, dout.rows, row_grain(dout.cols));
}

void t5_cpu_loss(t5_device *dev, const t5_loss_args *a) {
    t5_cpu *cpu = t5_cpu_of(dev);
    assert(a->logits.type == T5_F32);
    if (t5_cpu_failed(cpu))
        return;
    double *row_loss = t5_cpu_scratch(cpu, (size_t)a->n * sizeof *row_loss);
    if (!row_loss)
        return;
    t5_loss_kernel_args args = {a, row_loss};
    t5_cpu_parallel(cpu, cpu->kernels->loss, &args, a->n, 1);
    double sum = 0.0;
    for (int64_t i = 0; i < a->n; i++)
        sum += row_loss[i];
    *a->d_sum += sum;
}

void t5_cpu_sum_squares(t5_device *dev, const float *x, int64_t n, double *sum) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    int64_t chunks = (n + T5_SUM_FLOATS - 1) / T5_SUM_FLOATS;
    double *part = t5_cpu_scratch(cpu, (size_t)chunks * sizeof *part), total = 0.0;
    if (!part)
        return;
    t5_sum_squares_args args = {x, part};
    t5_cpu_parallel(cpu, cpu->kernels->sum_squares, &args, n, T5_SUM_FLOATS);
    for (int64_t i = 0; i < chunks; i++)
        total += part[i];
    *sum += total;
}

void t5_cpu_adamw(t5_device *dev, const t5_adamw_args *a) {
    t5_cpu *cpu = t5_cpu_of(dev);
    if (t5_cpu_failed(cpu))
        return;
    t5_cpu_parallel(cpu, cpu->kernels->adamw, a, a->n, 1 << 13);
}

typedef struct gather_args {
    char *dst;
    const char *src;
    const int32_t *index;
    size_t bytes, stride;
} gather_args;

static void gather(const void *args, int64_t first, int64_t last) {
    const gather_args *a = args;
    for (int64_t i = first; i < last; i++)
        memcpy(a->dst + (size_t)i * a->stride, a->src + (size_t)a->index[i] * a->stride, a->bytes);
}

void t5_cpu_gather_rows(t5_device *dev, void *dst, const void *src, const int32_t *index, int64_t n,
                        size_t bytes, size_t stride_bytes) {
    t5_cpu *cpu = t5_cpu_of(dev);
    assert(dst != src && bytes <= stride_bytes);
    if (t5_cpu_failed(cpu) || bytes == 0)
        return;
    gather_args args = {dst, src, index, bytes, stride_bytes};
    t5_cpu_parallel(cpu, gather, &args, n, (int64_t)(bytes < 65536 ? 65536 / bytes : 1));
}

void t5_cpu_topk(t5_device *dev, const t5_topk_args *a) {
    t5_cpu *cpu = t5_cpu_of(dev);
    assert(a->logits.type == T5_F32 && a->k >= 1);
    if (t5_cpu_failed(cpu))
        return;
    size_t heap = (size_t)cpu->threads * (size_t)a->k * sizeof(uint64_t);
    size_t old = (size_t)cpu->threads * (size_t)a->history_len * sizeof(float);
    char *scratch = t5_cpu_scratch(cpu, heap + old);
    if (!scratch)
        return;
    t5_topk_kernel_args args = {a, (uint64_t *)(void *)scratch, (float *)(void *)(scratch + heap)};
    t5_cpu_parallel(cpu, cpu->kernels->topk, &args, a->n, 1);
}
