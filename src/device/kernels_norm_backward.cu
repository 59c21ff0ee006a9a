/* Backward of residual, dropout and RMS norm. With r = rstd, g = dropout'(dout) and
 * dot = sum_j g_j w_j x_j:  dx_j = r (g_j w_j - x_j r^2 dot / d),  dw_j = sum_t g_j x_j r.
 *
 * A warp for a row; a block takes the same rows whatever the GPU, its sum of dw goes to its row of
 * `part`, and those rows are added in their order. */
#include "device/dropout.cuh"
#include "device/element.cuh"

enum { WARPS = 4, THREADS = WARPS * WARP, MOST_PARTS = 528, REST_THREADS = 256, SUM_COLS = 32 };

typedef struct backward_args {
    const float *x, *w, *rstd;
    const void *dout;
    float *dx;
    void *dy; /* NULL: not wanted */
    float *part;
    int64_t x_ld, dout_ld, dx_ld, dy_ld, rows;
    int cols;
    bool accumulate;
    mask drop, out_drop;
} backward_args;

/* Group i of a row: g as above. */
template <class G, bool VEC>
static __device__ __forceinline__ float4 gradient(const backward_args &a, int64_t t, int i) {
    return load4<VEC>((const G *)a.dout + t * a.dout_ld + 4 * i, a.cols - 4 * i) *
           mask4(a.out_drop, t, (uint32_t)i);
}

/* Writes group i of dx and dy. gw: g w. */
template <class Y, bool VEC>
static __device__ __forceinline__ void finish(const backward_args &a, int64_t t, int i, float4 x,
                                              float4 gw, float rstd, float pull) {
    int n = a.cols - 4 * i;
    float *to = a.dx + t * a.dx_ld + 4 * i;
    float4 dx = (gw - x * pull) * rstd;
    if (a.accumulate)
        dx = load4<VEC>(to, n) + dx;
    store4<VEC>(to, dx, n);
    if (a.dy)
        store4<VEC>((Y *)a.dy + t * a.dy_ld + 4 * i, dx * mask4(a.drop, t, (uint32_t)i), n);
}

/* Rows of up to 128 KEEP columns, in registers. */
template <class G, class Y, int KEEP>
static __global__ void __launch_bounds__(THREADS) backward(backward_args a) {
    extern __shared__ float4 smem[]; /* (WARPS, groups) */
    int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP, groups = a.cols / 4;
    float4 dw[KEEP];
#pragma unroll
    for (int k = 0; k < KEEP; k++)
        dw[k] = make_float4(0, 0, 0, 0);
    for (int64_t t = (int64_t)blockIdx.x * WARPS + warp; t < a.rows; t += gridDim.x * WARPS) {
        float4 x[KEEP], g[KEEP];
        float rstd = a.rstd[t], dot = 0.0f;
#pragma unroll
        for (int k = 0; k < KEEP; k++) {
            int i = k * WARP + lane;
            x[k] = g[k] = make_float4(0, 0, 0, 0);
            if (i >= groups)
                continue;
            x[k] = get4(a.x + t * a.x_ld + 4 * i);
            g[k] = gradient<G, true>(a, t, i);
            dw[k] = dw[k] + g[k] * x[k] * rstd;
            g[k] = g[k] * get4(a.w + 4 * i);
            dot += sum4(g[k] * x[k]);
        }
        float pull = warp_sum(dot) * rstd * rstd / (float)a.cols;
#pragma unroll
        for (int k = 0; k < KEEP; k++)
            if (k * WARP + lane < groups)
                finish<Y, true>(a, t, k * WARP + lane, x[k], g[k], rstd, pull);
    }
#pragma unroll
    for (int k = 0; k < KEEP; k++)
        if (k * WARP + lane < groups)
            smem[warp * groups + k * WARP + lane] = dw[k];
    __syncthreads();
    for (int i = (int)threadIdx.x; i < groups; i += THREADS) {
        float4 sum = smem[i];
        for (int w = 1; w < WARPS; w++)
            sum = sum + smem[w * groups + i];
        ((float4 *)a.part)[(int64_t)blockIdx.x * groups + i] = sum;
    }
}

/* Any number of columns, any alignment: a block for a row, each thread adds to its own columns of
 * part. */
template <class G, class Y>
static __global__ void __launch_bounds__(REST_THREADS) backward_any(backward_args a) {
    __shared__ float room[2][WARP];
    int groups = (a.cols + 3) / 4, side = 0;
    float *part = a.part + (int64_t)blockIdx.x * a.cols;
    for (int i = (int)threadIdx.x; i < groups; i += REST_THREADS)
        store4<false>(part + 4 * i, make_float4(0, 0, 0, 0), a.cols - 4 * i);
    for (int64_t t = blockIdx.x; t < a.rows; t += gridDim.x, side ^= 1) {
        const float *row = a.x + t * a.x_ld;
        float rstd = a.rstd[t], dot = 0.0f;
        for (int i = (int)threadIdx.x; i < groups; i += REST_THREADS) {
            int n = a.cols - 4 * i;
            float4 gx = gradient<G, false>(a, t, i) * load4<false>(row + 4 * i, n);
            store4<false>(part + 4 * i, load4<false>(part + 4 * i, n) + gx * rstd, n);
            dot += sum4(gx * load4<false>(a.w + 4 * i, n));
        }
        float pull = block_sum(dot, room[side]) * rstd * rstd / (float)a.cols;
        for (int i = (int)threadIdx.x; i < groups; i += REST_THREADS) {
            int n = a.cols - 4 * i;
            float4 gw = gradient<G, false>(a, t, i) * load4<false>(a.w + 4 * i, n);
            finish<Y, false>(a, t, i, load4<false>(row + 4 * i, n), gw, rstd, pull);
        }
    }
}

/* dw[j] += the sum of part[i][j]: 8 threads for a column, each every eighth row, in double. */
static __global__ void __launch_bounds__(8 * SUM_COLS)
    sum_parts(const float *__restrict__ part, int parts, int cols, float *dw) {
    __shared__ double room[8][SUM_COLS];
    int c = (int)threadIdx.x % SUM_COLS, r = (int)threadIdx.x / SUM_COLS;
    int j = (int)blockIdx.x * SUM_COLS + c;
    double sum = 0.0;
    for (int i = r; j < cols && i < parts; i += 8)
        sum += (double)part[(int64_t)i * cols + j];
    room[r][c] = sum;
    __syncthreads();
    if (r > 0 || j >= cols)
        return;
    for (int k = 1; k < 8; k++)
        sum += room[k][c];
    dw[j] += (float)sum;
}

int t5_norm_backward_parts(int64_t rows) {
    return (int)at_most(blocks_for(rows, WARPS), MOST_PARTS);
}

template <class G, class Y>
static cudaError_t run(const backward_args &a, bool vec, cudaStream_t stream) {
    unsigned parts = (unsigned)t5_norm_backward_parts(a.rows);
    if (!vec || a.cols > 1024)
        return launch(backward_any<G, Y>, parts, REST_THREADS, 0, stream, a);
    auto kernel = a.cols <= 512   ? backward<G, Y, 4>
                  : a.cols <= 768 ? backward<G, Y, 6>
                                  : backward<G, Y, 8>;
    return launch(kernel, parts, THREADS, (size_t)(WARPS * a.cols) * sizeof(float), stream, a);
}

cudaError_t t5_launch_norm_backward(t5_mat x, const float *d_w, const float *d_rstd, t5_mat dout,
                                    t5_dropout out_drop, bool accumulate, t5_mat dx, float *d_dw,
                                    t5_mat dy, t5_dropout drop, float *d_part,
                                    cudaStream_t stream) {
    backward_args a = {(const float *)x.p,
                       d_w,
                       d_rstd,
                       dout.p,
                       (float *)dx.p,
                       dy.p,
                       d_part,
                       x.ld,
                       dout.ld,
                       dx.ld,
                       dy.ld,
                       x.rows,
                       (int)x.cols,
                       accumulate,
                       mask_of(drop),
                       mask_of(out_drop)};
    bool vec = in_groups(x) && in_groups(dout) && in_groups(dx) && in_groups(dy) &&
               in_groups(d_w) && in_groups(d_part);
    cudaError_t result = by_type(dout.type, [&](auto *g) {
        return by_type(dy.p ? dy.type : dout.type, [&](auto *y) {
            return run<std::remove_pointer_t<decltype(g)>, std::remove_pointer_t<decltype(y)>>(
                a, vec, stream);
        });
    });
    if (result != cudaSuccess)
        return result;
    return launch(sum_parts, blocks_for(x.cols, SUM_COLS), 8 * SUM_COLS, 0, stream,
                  (const float *)d_part, t5_norm_backward_parts(x.rows), (int)x.cols, d_dw);
}
