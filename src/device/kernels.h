/* The launchers of the CUDA kernels, as C sees them: the operations of device.h on a stream, with
 * their work memory given by the caller. They return what the launch returned; empty operations
 * succeed without one. Implemented in kernels_*.cu. */
#ifndef T5_DEVICE_KERNELS_H
#define T5_DEVICE_KERNELS_H
#include "device/device.h"
#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- kernels_rows.cu --- */
cudaError_t t5_launch_cast(const float *d_src, void *d_dst, int64_t n, cudaStream_t stream);
cudaError_t t5_launch_widen(const void *d_src, float *d_dst, int64_t n, cudaStream_t stream);
cudaError_t t5_launch_narrow(const double *d_src, int64_t n, float *d_dst, cudaStream_t stream);
cudaError_t t5_launch_zero_rows(t5_mat m, cudaStream_t stream);
cudaError_t t5_launch_gather_rows(void *d_dst, const void *d_src, const int32_t *d_index, int64_t n,
                                  size_t bytes, size_t stride_bytes, cudaStream_t stream);

/* --- kernels_pack.cu --- */
cudaError_t t5_launch_pack(const t5_pack_args *a, cudaStream_t stream); /* n_seq not 0 */

/* --- kernels_embed.cu --- */
cudaError_t t5_launch_embed_forward(t5_mat table, const int32_t *d_ids, t5_mat x, t5_dropout drop,
                                    cudaStream_t stream);
cudaError_t t5_launch_embed_backward(t5_mat dx, const int32_t *d_ids, t5_mat dtable,
                                     t5_dropout drop, cudaStream_t stream);

/* --- kernels_norm_forward.cu, kernels_norm_backward.cu --- */
cudaError_t t5_launch_norm_forward(t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out,
                                   const float *d_w, float eps, t5_mat out, float *d_rstd,
                                   t5_dropout out_drop, cudaStream_t stream);
/* Rows of partial sums of dw: d_part is (that many, cols) f32. */
int t5_norm_backward_parts(int64_t rows);
cudaError_t t5_launch_norm_backward(t5_mat x, const float *d_w, const float *d_rstd, t5_mat dout,
                                    t5_dropout out_drop, bool accumulate, t5_mat dx, float *d_dw,
                                    t5_mat dy, t5_dropout drop, float *d_part, cudaStream_t stream);

/* --- kernels_act.cu --- */
cudaError_t t5_launch_act_forward(t5_activation_kind kind, t5_mat in, t5_mat out, t5_dropout drop,
                                  cudaStream_t stream);
cudaError_t t5_launch_act_backward(t5_activation_kind kind, t5_mat in, t5_mat out, t5_mat dout,
                                   t5_mat din, t5_dropout drop, cudaStream_t stream);

/* --- kernels_attention.cu and the files that it chooses from --- */
/* d_bucket: the relative position bucket of distance 0 (key - query), valid for every distance that
 * occurs; NULL without a bias. tensor_cores: whether the GPU has bfloat16 ones. */
cudaError_t t5_launch_attention_forward(const t5_attention *a, const int32_t *d_bucket, t5_mat out,
                                        float *d_lse, bool tensor_cores, cudaStream_t stream);
/* Floats of work memory that the backward needs. */
size_t t5_attention_backward_work(const t5_attention *a);
cudaError_t t5_launch_attention_backward(const t5_attention *a, const int32_t *d_bucket, t5_mat out,
                                         const float *d_lse, t5_mat dout, t5_mat dq, t5_mat dk,
                                         t5_mat dv, float *d_dbias_table, float *d_work,
                                         bool tensor_cores, cudaStream_t stream);

/* --- kernels_loss.cu --- */
/* d_row_loss: (a->n) */
cudaError_t t5_launch_loss(const t5_loss_args *a, double *d_row_loss, cudaStream_t stream);

/* --- kernels_optimizer.cu --- */
enum { T5_SUM_SQUARES_PARTS = 1024 };
/* d_part: (T5_SUM_SQUARES_PARTS) */
cudaError_t t5_launch_sum_squares(const float *d_x, int64_t n, double *d_part, double *d_sum,
                                  cudaStream_t stream);
cudaError_t t5_launch_adamw(const t5_adamw_args *a, cudaStream_t stream);

/* --- kernels_topk.cu --- */
/* Bytes of work memory, 0: none is read. */
size_t t5_topk_work(const t5_topk_args *a);
cudaError_t t5_launch_topk(const t5_topk_args *a, void *d_work, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
