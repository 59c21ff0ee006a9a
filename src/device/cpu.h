/* Inside of the CPU backend: the device's state and what its files share. Nobody outside includes
 * this. One host thread at a time uses a device; every operation ends before it returns. */
#ifndef T5_DEVICE_CPU_H
#define T5_DEVICE_CPU_H
#include "device/cpu_kernels.h"
#include <stdlib.h>

typedef struct t5_cpu_matmul t5_cpu_matmul;

typedef struct t5_cpu {
    t5_device base; /* first: a t5_device * of this backend is a t5_cpu * */
    int threads;
    const t5_cpu_kernels *kernels;
    t5_cpu_matmul *matmul;
    t5_error error; /* sticks until sync; operations do nothing while it is set */
    void *scratch;
    size_t scratch_bytes;
} t5_cpu;

static inline t5_cpu *t5_cpu_of(t5_device *dev) {
    return (t5_cpu *)(void *)dev;
}
static inline bool t5_cpu_failed(const t5_cpu *cpu) {
    return cpu->error.status != T5_OK;
}

/* --- cpu_memory.c --- */
t5_status t5_cpu_alloc(t5_device *dev, size_t bytes, void **ptr, t5_error *err);
void t5_cpu_free(t5_device *dev, void *ptr);
/* At least `bytes` of memory for the running operation, 64-byte aligned, contents undefined; valid
 * until the next call. NULL (and the sticky error) when there is none. */
void *t5_cpu_scratch(t5_cpu *cpu, size_t bytes);
void t5_cpu_scratch_free(t5_cpu *cpu);

/* --- cpu_ops.c --- */
/* Runs the kernel over 0..n-1 in chunks of `grain`, each thread a contiguous share of the chunks.
 */
void t5_cpu_parallel(const t5_cpu *cpu, t5_kernel *kernel, const void *args, int64_t n,
                     int64_t grain);
/* The same for elements of very different cost that write to places of their own: a free thread
 * takes the next chunk. */
void t5_cpu_parallel_uneven(const t5_cpu *cpu, t5_kernel *kernel, const void *args, int64_t n,
                            int64_t grain);
void t5_cpu_zero(t5_device *dev, void *dst, size_t bytes);
void t5_cpu_copy(t5_device *dev, void *dst, const void *src, size_t bytes);
void t5_cpu_cast(t5_device *dev, const float *src, void *dst, int64_t n);
void t5_cpu_widen(t5_device *dev, const void *src, float *dst, int64_t n);
void t5_cpu_narrow(t5_device *dev, const double *src, int64_t n, float *dst);
void t5_cpu_embed_forward(t5_device *dev, t5_mat table, const int32_t *ids, t5_mat x,
                          t5_dropout drop);
void t5_cpu_embed_backward(t5_device *dev, t5_mat dx, const int32_t *ids, t5_mat dtable,
                           t5_dropout drop);
void t5_cpu_norm_forward(t5_device *dev, t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out,
                         const float *w, float eps, t5_mat out, float *rstd, t5_dropout out_drop);
void t5_cpu_norm_backward(t5_device *dev, t5_mat x, const float *w, const float *rstd, t5_mat dout,
                          t5_dropout out_drop, bool accumulate, t5_mat dx, float *dw, t5_mat dy,
                          t5_dropout drop);
void t5_cpu_act_forward(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                        t5_dropout drop);
void t5_cpu_act_backward(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                         t5_mat dout, t5_mat din, t5_dropout drop);
void t5_cpu_loss(t5_device *dev, const t5_loss_args *a);
void t5_cpu_sum_squares(t5_device *dev, const float *x, int64_t n, double *sum);
void t5_cpu_adamw(t5_device *dev, const t5_adamw_args *a);
void t5_cpu_gather_rows(t5_device *dev, void *dst, const void *src, const int32_t *index, int64_t n,
                        size_t bytes, size_t stride_bytes);
void t5_cpu_topk(t5_device *dev, const t5_topk_args *a);

/* --- cpu_pack.c --- */
void t5_cpu_pack(t5_device *dev, const t5_pack_args *a);

/* --- cpu_attention.c --- */
void t5_cpu_attention_forward(t5_device *dev, const t5_attention *a, t5_mat out, float *lse);
void t5_cpu_attention_backward(t5_device *dev, const t5_attention *a, t5_mat out, const float *lse,
                               t5_mat dout, t5_mat dq, t5_mat dk, t5_mat dv, float *dbias_table);

/* --- cpu_matmul.c --- */
t5_status t5_cpu_matmul_create(t5_cpu_matmul **matmul, t5_error *err);
void t5_cpu_matmul_destroy(t5_cpu_matmul *matmul);
void t5_cpu_matmul_run(t5_device *dev, bool ta, t5_mat a, bool tb, t5_mat b, float alpha,
                       float beta, t5_mat c);

#endif
