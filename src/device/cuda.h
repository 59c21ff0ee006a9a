/* Inside of the CUDA backend's host layer: the device's state and what its files share. Nobody
 * outside includes this. One host thread uses a device: the one that opened it (the runtime's
 * current GPU belongs to a thread).
 *
 * What graphs need (cuda_replay.c): once the shapes have been seen, no operation allocates, waits
 * or reads host memory later than it returns. Memory of the backend's own that a kernel is given is
 * part of `generation`. */
#ifndef T5_DEVICE_CUDA_H
#define T5_DEVICE_CUDA_H
#include "device/device.h"
#include "device/kernels.h"
#include <cuda_runtime_api.h>

typedef struct t5_cuda_matmul t5_cuda_matmul;

/* Pinned host memory through which small transfers go, so that neither side waits: a slot is free
 * when its event has passed. */
enum { T5_CUDA_SLOTS = 4, T5_CUDA_SLOT_BYTES = 1 << 20 };
typedef struct t5_cuda_stage {
    char *pinned; /* T5_CUDA_SLOTS slots */
    cudaEvent_t done[T5_CUDA_SLOTS];
    int next;
} t5_cuda_stage;

typedef struct t5_cuda_block {
    void *d_ptr;
    size_t bytes;
} t5_cuda_block;

/* Relative position buckets of -reach .. reach, on the device. */
typedef struct t5_cuda_buckets {
    bool causal;
    int buckets, max_distance, reach;
    int32_t *d_bucket; /* (2 reach + 1), NULL: unused entry */
} t5_cuda_buckets;
enum { T5_CUDA_BUCKETS = 4 };

typedef struct t5_cuda {
    t5_device base; /* first: a t5_device * of this backend is a t5_cuda * */
    int gpu;
    cudaStream_t stream;
    t5_cuda_matmul *matmul;
    t5_error error; /* sticks until sync; operations do nothing while it is set */
    t5_cuda_stage stage;
    t5_cuda_block *blocks; /* what alloc has given out */
    int n_blocks, max_blocks;
    void *d_scratch;
    size_t scratch_bytes;
    t5_cuda_buckets buckets[T5_CUDA_BUCKETS];
    /* How often memory that kernels are given without their caller's knowing (scratch, buckets) has
     * moved: a graph of an older generation must not run any more. */
    uint64_t generation;
    bool capturing;      /* operations are being recorded, not run */
    bool capture_spoilt; /* by something that cannot be recorded */
} t5_cuda;

static inline t5_cuda *t5_cuda_of(t5_device *dev) {
    return (t5_cuda *)(void *)dev;
}
static inline bool t5_cuda_failed(const t5_cuda *cuda) {
    return cuda->error.status != T5_OK;
}
/* Makes a failed call the device's error; returns whether it succeeded. what: "AdamW". */
bool t5_cuda_check(t5_cuda *cuda, cudaError_t result, const char *what);

/* --- cuda_memory.c --- */
t5_status t5_cuda_stage_create(t5_cuda *cuda, t5_error *err);
void t5_cuda_memory_destroy(t5_cuda *cuda);
t5_status t5_cuda_alloc(t5_device *dev, size_t bytes, void **d_ptr, t5_error *err);
void t5_cuda_free(t5_device *dev, void *d_ptr);
void t5_cuda_to_device(t5_device *dev, void *d_dst, const void *src, size_t bytes);
t5_status t5_cuda_to_host(t5_device *dev, void *dst, const void *d_src, size_t bytes,
                          t5_error *err);
void t5_cuda_copy(t5_device *dev, void *d_dst, const void *d_src, size_t bytes);
void t5_cuda_zero(t5_device *dev, void *d_dst, size_t bytes);
t5_status t5_cuda_sync(t5_device *dev, t5_error *err);
/* At least `bytes` of device memory for the kernels of one operation, 256-byte aligned, contents
 * undefined. Grows when needed, which waits for the queue. NULL (and the sticky error) when there
 * is none. */
void *t5_cuda_scratch(t5_cuda *cuda, size_t bytes);

/* --- cuda_replay.c --- */
void t5_cuda_replay(t5_device *dev, t5_replay **replay, void (*queue)(void *arg), void *arg);
void t5_cuda_replay_free(t5_device *dev, t5_replay *replay);
/* Whether operations are being recorded, which what is about to happen (allocating, waiting,
 * touching host memory) spoils: it must not happen then. */
bool t5_cuda_spoils_capture(t5_cuda *cuda);

/* --- cuda_ops.c, cuda_attention.c: the operations of device.h --- */
void t5_cuda_cast(t5_device *dev, const float *d_src, void *d_dst, int64_t n);
void t5_cuda_widen(t5_device *dev, const void *d_src, float *d_dst, int64_t n);
void t5_cuda_narrow(t5_device *dev, const double *d_src, int64_t n, float *d_dst);
void t5_cuda_pack(t5_device *dev, const t5_pack_args *a);
void t5_cuda_embed_forward(t5_device *dev, t5_mat table, const int32_t *d_ids, t5_mat x,
                           t5_dropout drop);
void t5_cuda_embed_backward(t5_device *dev, t5_mat dx, const int32_t *d_ids, t5_mat dtable,
                            t5_dropout drop);
void t5_cuda_norm_forward(t5_device *dev, t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out,
                          const float *d_w, float eps, t5_mat out, float *d_rstd,
                          t5_dropout out_drop);
void t5_cuda_norm_backward(t5_device *dev, t5_mat x, const float *d_w, const float *d_rstd,
                           t5_mat dout, t5_dropout out_drop, bool accumulate, t5_mat dx,
                           float *d_dw, t5_mat dy, t5_dropout drop);
void t5_cuda_act_forward(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                         t5_dropout drop);
void t5_cuda_act_backward(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                          t5_mat dout, t5_mat din, t5_dropout drop);
void t5_cuda_loss(t5_device *dev, const t5_loss_args *a);
void t5_cuda_sum_squares(t5_device *dev, const float *d_x, int64_t n, double *d_sum);
void t5_cuda_adamw(t5_device *dev, const t5_adamw_args *a);
void t5_cuda_gather_rows(t5_device *dev, void *d_dst, const void *d_src, const int32_t *d_index,
                         int64_t n, size_t bytes, size_t stride_bytes);
void t5_cuda_topk(t5_device *dev, const t5_topk_args *a);
void t5_cuda_attention_forward(t5_device *dev, const t5_attention *a, t5_mat out, float *d_lse);
void t5_cuda_attention_backward(t5_device *dev, const t5_attention *a, t5_mat out,
                                const float *d_lse, t5_mat dout, t5_mat dq, t5_mat dk, t5_mat dv,
                                float *d_dbias_table);

/* --- cuda_matmul.c --- */
/* tf32: factors of float32 products are rounded to 10 bits of mantissa (tensor cores). */
t5_status t5_cuda_matmul_create(t5_cuda_matmul **matmul, bool tf32, t5_error *err);
void t5_cuda_matmul_destroy(t5_cuda_matmul *matmul);
void t5_cuda_matmul_run(t5_device *dev, bool ta, t5_mat a, bool tb, t5_mat b, float alpha,
                        float beta, t5_mat c);

#endif
