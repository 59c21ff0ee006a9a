/* The operations between the table and the launchers: work memory and the sticky error. */
#include "device/cuda.h"
#include <assert.h>

void t5_cuda_cast(t5_device *dev, const float *d_src, void *d_dst, int64_t n) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_cast(d_src, d_dst, n, cuda->stream), "cast");
}

void t5_cuda_widen(t5_device *dev, const void *d_src, float *d_dst, int64_t n) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_widen(d_src, d_dst, n, cuda->stream), "cast");
}

void t5_cuda_narrow(t5_device *dev, const double *d_src, int64_t n, float *d_dst) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_narrow(d_src, n, d_dst, cuda->stream), "rounding");
}

void t5_cuda_pack(t5_device *dev, const t5_pack_args *a) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(a->n_seq >= 1);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_pack(a, cuda->stream), "packing a batch");
}

void t5_cuda_embed_forward(t5_device *dev, t5_mat table, const int32_t *d_ids, t5_mat x,
                           t5_dropout drop) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(table.type == T5_F32 && x.type == T5_F32 && table.cols == x.cols);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_embed_forward(table, d_ids, x, drop, cuda->stream),
                      "embedding");
}

void t5_cuda_embed_backward(t5_device *dev, t5_mat dx, const int32_t *d_ids, t5_mat dtable,
                            t5_dropout drop) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(dtable.type == T5_F32 && dx.type == T5_F32 && dtable.cols == dx.cols);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_embed_backward(dx, d_ids, dtable, drop, cuda->stream),
                      "gradient of the embedding");
}

void t5_cuda_norm_forward(t5_device *dev, t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out,
                          const float *d_w, float eps, t5_mat out, float *d_rstd,
                          t5_dropout out_drop) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(x_in.type == T5_F32 && (!x_out.p || x_out.type == T5_F32) && (!y.p || x_out.p));
    assert(!y.p || y.type == out.type);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda,
                      t5_launch_norm_forward(x_in, y, drop, x_out, d_w, eps, out, d_rstd, out_drop,
                                             cuda->stream),
                      "norm");
}

void t5_cuda_norm_backward(t5_device *dev, t5_mat x, const float *d_w, const float *d_rstd,
                           t5_mat dout, t5_dropout out_drop, bool accumulate, t5_mat dx,
                           float *d_dw, t5_mat dy, t5_dropout drop) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(x.type == T5_F32 && dx.type == T5_F32);
    if (t5_cuda_failed(cuda) || x.rows == 0)
        return;
    size_t floats = (size_t)t5_norm_backward_parts(x.rows) * (size_t)x.cols;
    float *d_part = t5_cuda_scratch(cuda, floats * sizeof *d_part);
    if (d_part)
        t5_cuda_check(cuda,
                      t5_launch_norm_backward(x, d_w, d_rstd, dout, out_drop, accumulate, dx, d_dw,
                                              dy, drop, d_part, cuda->stream),
                      "gradient of the norm");
}

void t5_cuda_act_forward(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                         t5_dropout drop) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(in.type == out.type);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_act_forward(kind, in, out, drop, cuda->stream), "activation");
}

void t5_cuda_act_backward(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                          t5_mat dout, t5_mat din, t5_dropout drop) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(dout.type == din.type);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_act_backward(kind, in, out, dout, din, drop, cuda->stream),
                      "gradient of the activation");
}

void t5_cuda_loss(t5_device *dev, const t5_loss_args *a) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(a->logits.type == T5_F32);
    if (t5_cuda_failed(cuda) || a->n == 0)
        return;
    double *d_row_loss = t5_cuda_scratch(cuda, (size_t)a->n * sizeof *d_row_loss);
    if (d_row_loss)
        t5_cuda_check(cuda, t5_launch_loss(a, d_row_loss, cuda->stream), "loss");
}

void t5_cuda_sum_squares(t5_device *dev, const float *d_x, int64_t n, double *d_sum) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (t5_cuda_failed(cuda))
        return;
    double *d_part = t5_cuda_scratch(cuda, T5_SUM_SQUARES_PARTS * sizeof *d_part);
    if (d_part)
        t5_cuda_check(cuda, t5_launch_sum_squares(d_x, n, d_part, d_sum, cuda->stream),
                      "sum of squares");
}

void t5_cuda_adamw(t5_device *dev, const t5_adamw_args *a) {
    t5_cuda *cuda = t5_cuda_of(dev);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(cuda, t5_launch_adamw(a, cuda->stream), "AdamW");
}

void t5_cuda_gather_rows(t5_device *dev, void *d_dst, const void *d_src, const int32_t *d_index,
                         int64_t n, size_t bytes, size_t stride_bytes) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(d_dst != d_src && bytes <= stride_bytes);
    if (!t5_cuda_failed(cuda))
        t5_cuda_check(
            cuda,
            t5_launch_gather_rows(d_dst, d_src, d_index, n, bytes, stride_bytes, cuda->stream),
            "gathering rows");
}

void t5_cuda_topk(t5_device *dev, const t5_topk_args *a) {
    t5_cuda *cuda = t5_cuda_of(dev);
    assert(a->logits.type == T5_F32 && a->k >= 1);
    if (t5_cuda_failed(cuda))
        return;
    const size_t bytes = t5_topk_work(a);
    void *d_work = bytes ? t5_cuda_scratch(cuda, bytes) : NULL;
    if (d_work || !bytes)
        t5_cuda_check(cuda, t5_launch_topk(a, d_work, cuda->stream), "the best tokens");
}
