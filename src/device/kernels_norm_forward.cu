/* Residual, dropout and RMS norm in one pass: a warp for a row, which it keeps in registers. */
#include "device/dropout.cuh"
#include "device/element.cuh"

enum { WARPS = 4, THREADS = WARPS * WARP };

typedef struct forward_args {
    const float *x_in, *w;
    const void *y; /* NULL: none */
    float *x_out;  /* NULL: not wanted */
    void *out;
    float *rstd;
    int64_t x_ld, y_ld, x_out_ld, out_ld, rows;
    int cols;
    float eps;
    mask drop, out_drop;
} forward_args;

/* Group i of the warp's row: x_in + dropout(y), written to x_out. */
template <class T, bool VEC>
static __device__ __forceinline__ float4 residual(const forward_args &a, int64_t t, int i) {
    int n = a.cols - 4 * i;
    float4 x = load4<VEC>(a.x_in + t * a.x_ld + 4 * i, n);
    if (a.y)
        x = x + load4<VEC>((const T *)a.y + t * a.y_ld + 4 * i, n) * mask4(a.drop, t, (uint32_t)i);
    if (a.x_out && (a.y || a.x_out != a.x_in))
        store4<VEC>(a.x_out + t * a.x_out_ld + 4 * i, x, n);
    return x;
}

template <class T, bool VEC>
static __device__ __forceinline__ void finish(const forward_args &a, int64_t t, int i, float4 x,
                                              float rstd) {
    int n = a.cols - 4 * i;
    store4<VEC>((T *)a.out + t * a.out_ld + 4 * i,
                x * rstd * load4<VEC>(a.w + 4 * i, n) * mask4(a.out_drop, t, (uint32_t)i), n);
}

/* KEEP: groups of 4 that a lane holds, 32 KEEP groups in a row at most; 0: any number, the row is
 * read a second time. */
template <class T, bool VEC, int KEEP>
static __global__ void __launch_bounds__(THREADS) forward(forward_args a) {
    int64_t t = (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
    int lane = (int)threadIdx.x % WARP, groups = (a.cols + 3) / 4;
    if (t >= a.rows)
        return;
    float4 x[KEEP ? KEEP : 1];
    float sum = 0.0f;
    if (KEEP) {
#pragma unroll
        for (int k = 0; k < KEEP; k++) {
            int i = k * WARP + lane;
            x[k] = i < groups ? residual<T, VEC>(a, t, i) : make_float4(0, 0, 0, 0);
            sum += sum4(x[k] * x[k]);
        }
    } else {
        for (int i = lane; i < groups; i += WARP) {
            float4 v = residual<T, VEC>(a, t, i);
            sum += sum4(v * v);
        }
    }
    float rstd = 1.0f / sqrtf(warp_sum(sum) / (float)a.cols + a.eps);
    if (lane == 0)
        a.rstd[t] = rstd;
    if (KEEP) {
#pragma unroll
        for (int k = 0; k < KEEP; k++)
            if (k * WARP + lane < groups)
                finish<T, VEC>(a, t, k * WARP + lane, x[k], rstd);
    } else { /* a lane reads what it wrote */
        const float *row = a.y ? a.x_out + t * a.x_out_ld : a.x_in + t * a.x_ld;
        for (int i = lane; i < groups; i += WARP)
            finish<T, VEC>(a, t, i, load4<VEC>(row + 4 * i, a.cols - 4 * i), rstd);
    }
}

template <class T> static cudaError_t run(const forward_args &a, bool vec, cudaStream_t stream) {
    auto kernel = !vec             ? forward<T, false, 0>
                  : a.cols <= 512  ? forward<T, true, 4>
                  : a.cols <= 768  ? forward<T, true, 6>
                  : a.cols <= 1024 ? forward<T, true, 8>
                                   : forward<T, true, 0>;
    return launch(kernel, blocks_for(a.rows, WARPS), THREADS, 0, stream, a);
}

cudaError_t t5_launch_norm_forward(t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out,
                                   const float *d_w, float eps, t5_mat out, float *d_rstd,
                                   t5_dropout out_drop, cudaStream_t stream) {
    forward_args a = {(const float *)x_in.p,
                      d_w,
                      y.p,
                      (float *)x_out.p,
                      out.p,
                      d_rstd,
                      x_in.ld,
                      y.ld,
                      x_out.ld,
                      out.ld,
                      x_in.rows,
                      (int)x_in.cols,
                      eps,
                      mask_of(drop),
                      mask_of(out_drop)};
    bool vec =
        in_groups(x_in) && in_groups(y) && in_groups(x_out) && in_groups(out) && in_groups(d_w);
    return by_type(
        out.type, [&](auto *t) { return run<std::remove_pointer_t<decltype(t)>>(a, vec, stream); });
}
