/* Embedding: rows of the table by token id, and their gradient. */
#include "device/dropout.cuh"
#include "device/element.cuh"

enum { THREADS = 256, IDS = 1024, WORDS = IDS / WARP };

template <bool VEC>
static __global__ void __launch_bounds__(THREADS)
    forward(const float *__restrict__ table, int64_t table_ld, const int32_t *__restrict__ ids,
            float *__restrict__ x, int64_t x_ld, int64_t n, int cols, mask drop) {
    int j = 4 * (int)(blockIdx.x * THREADS + threadIdx.x);
    if (j >= cols)
        return;
    for (int64_t t = blockIdx.y; t < n; t += gridDim.y) {
        float4 v = load4<VEC>(table + ids[t] * table_ld + j, cols - j);
        store4<VEC>(x + t * x_ld + j, v * mask4(drop, t, (uint32_t)j / 4), cols - j);
    }
}

cudaError_t t5_launch_embed_forward(t5_mat table, const int32_t *d_ids, t5_mat x, t5_dropout drop,
                                    cudaStream_t stream) {
    bool vec = in_groups(table) && in_groups(x);
    dim3 grid(blocks_for(x.cols, 4 * THREADS), at_most(x.rows, MOST_BLOCKS_Y));
    return launch(vec ? forward<true> : forward<false>, grid, THREADS, 0, stream,
                  (const float *)table.p, table.ld, d_ids, (float *)x.p, x.ld, x.rows, (int)x.cols,
                  mask_of(drop));
}

/* Marks which of the ids first .. first + IDS - 1 equal `id`, a bit each. */
static __device__ void mark(const int32_t *ids, int64_t first, int64_t n, int32_t id,
                            unsigned *words) {
    for (int i = (int)threadIdx.x; i < IDS; i += THREADS) {
        unsigned hits = __ballot_sync(~0u, first + i < n && ids[first + i] == id);
        if (i % WARP == 0)
            words[i / WARP] = hits;
    }
    __syncthreads();
}

/* A block for each token: the first one of an id sums the rows of all tokens of that id, in their
 * order, so no sum depends on who comes first; the blocks of the others end where they see that
 * they are not. The ids (at most some 10,000) are read from the second-level cache by every block.
 */
template <bool VEC>
static __global__ void __launch_bounds__(THREADS)
    backward(const float *__restrict__ dx, int64_t dx_ld, const int32_t *__restrict__ ids,
             float *__restrict__ dtable, int64_t table_ld, int64_t n, int cols, mask drop) {
    __shared__ unsigned words[2][WORDS]; /* two, so that one barrier a round is enough */
    int64_t own = blockIdx.x;
    int32_t id = ids[own];
    int j = 4 * (int)(blockIdx.y * THREADS + threadIdx.x), side = 0;
    float4 sum = make_float4(0, 0, 0, 0);
    for (int64_t first = 0; first < n; first += IDS, side ^= 1) {
        mark(ids, first, n, id, words[side]);
        for (int w = 0; w < WORDS; w++) {
            for (unsigned bits = words[side][w]; bits; bits &= bits - 1) {
                int64_t t = first + w * WARP + __ffs((int)bits) - 1;
                if (t < own) /* the same for all threads */
                    return;
                if (j < cols)
                    sum = sum + load4<VEC>(dx + t * dx_ld + j, cols - j) *
                                    mask4(drop, t, (uint32_t)j / 4);
            }
        }
    }
    if (j >= cols)
        return;
    float *row = dtable + id * table_ld + j;
    store4<VEC>(row, load4<VEC>(row, cols - j) + sum, cols - j);
}

cudaError_t t5_launch_embed_backward(t5_mat dx, const int32_t *d_ids, t5_mat dtable,
                                     t5_dropout drop, cudaStream_t stream) {
    bool vec = in_groups(dx) && in_groups(dtable);
    dim3 grid((unsigned)dx.rows, blocks_for(dx.cols, 4 * THREADS));
    return launch(vec ? backward<true> : backward<false>, grid, THREADS, 0, stream,
                  (const float *)dx.p, dx.ld, d_ids, (float *)dtable.p, dtable.ld, dx.rows,
                  (int)dx.cols, mask_of(drop));
}
