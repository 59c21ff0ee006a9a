/* What the attention kernels on tensor cores share: tiles of bfloat16 rows in shared memory,
 * fragments of them (mma.cuh), and dropout masks in the layouts of the products. */
#ifndef T5_DEVICE_ATTENTION_MMA_CUH
#define T5_DEVICE_ATTENTION_MMA_CUH
#include "device/attention.cuh"
#include "device/mma.cuh"

/* Elements from row to row of a tile of C columns: eight rows of 16 bytes meet all banks once. */
template <int C> struct pitch_of { static const int value = C + 8; };

/* Rows row0 .. of this head as a tile of R rows of bfloat16, zeros where `valid` rows end. */
template <int R, int C>
static __device__ void load_bf16_tile(const attention_args &a, rows_of m, int64_t row0, int head,
                                      int valid, bf16 *tile) {
    const int pieces = C / 8;
    for (int i = (int)threadIdx.x; i < R * pieces; i += (int)blockDim.x) {
        int r = i / pieces, c = i % pieces;
        uint4 v = make_uint4(0, 0, 0, 0);
        if (r < valid)
            v = *(const uint4 *)(head_row<bf16>(a, m, row0 + r, head) + 8 * c);
        *(uint4 *)(tile + r * pitch_of<C>::value + 8 * c) = v;
    }
}

/* Fragments of a tile of C columns. a_of: a from rows r0 .. r0+15, columns c0 .. c0+15; b_of: b of
 * the transposed rows (n: rows r0 .. r0+15 in two fragments, k: columns c0 ..); b_along: b of the
 * rows as they are (k: rows r0 .. r0+15, n: columns c0 .. c0+15 in two fragments, b[0..1] and
 * b[2..3]); a_across: a of the transposed rows (its rows: columns c0 ..; its columns: rows r0 ..).
 */
template <int C>
static __device__ __forceinline__ void a_of(uint32_t (&a)[4], const bf16 *tile, int r0, int c0) {
    int l = (int)threadIdx.x % WARP, r = r0 + l % 16, c = c0 + l / 16 * 8;
    load_matrices(a, tile + r * pitch_of<C>::value + c);
}
template <int C>
static __device__ __forceinline__ void b_of(uint32_t (&b)[4], const bf16 *tile, int r0, int c0) {
    int l = (int)threadIdx.x % WARP, r = r0 + l / 16 * 8 + l % 8, c = c0 + l / 8 % 2 * 8;
    load_matrices(b, tile + r * pitch_of<C>::value + c);
}
template <int C>
static __device__ __forceinline__ void b_along(uint32_t (&b)[4], const bf16 *tile, int r0, int c0) {
    int l = (int)threadIdx.x % WARP, r = r0 + l % 16, c = c0 + l / 16 * 8;
    load_transposed(b, tile + r * pitch_of<C>::value + c);
}
template <int C>
static __device__ __forceinline__ void a_across(uint32_t (&a)[4], const bf16 *tile, int r0,
                                                int c0) {
    int l = (int)threadIdx.x % WARP, r = r0 + l / 16 * 8 + l % 8, c = c0 + l / 8 % 2 * 8;
    load_transposed(a, tile + r * pitch_of<C>::value + c);
}

/* The 16 x 16 block of two c fragments, side by side, as an a fragment. */
static __device__ __forceinline__ void a_from(uint32_t (&a)[4], const float (&left)[4],
                                              const float (&right)[4]) {
    a[0] = pack2(left[0], left[1]), a[1] = pack2(left[2], left[3]);
    a[2] = pack2(right[0], right[1]), a[3] = pack2(right[2], right[3]);
}

/* Bit k: element k of the group is kept. */
static __device__ __forceinline__ uint32_t kept_bits(const mask &m, int64_t token, uint32_t group) {
    float4 f = mask4(m, token, group);
    return (f.x > 0.0f ? 1u : 0u) | (f.y > 0.0f ? 2u : 0u) | (f.z > 0.0f ? 4u : 0u) |
           (f.w > 0.0f ? 8u : 0u);
}
static __device__ __forceinline__ float factor_of(const mask &m, uint32_t bits, int k) {
    return bits >> k & 1u ? m.keep : 0.0f;
}

/* The factors of a c fragment whose rows are queries (from row `row`, clamped to the last) and
 * whose columns are the keys of groups `group` and group + 1: two lanes share a group in two rows,
 * and each draws one. */
static __device__ __forceinline__ void mask_queries(const mask &m, int64_t row, int64_t last,
                                                    uint32_t group, float (&f)[4]) {
    int l = (int)threadIdx.x % WARP, g = l / 4, t = l % 4, odd = t % 2;
    int64_t mine = row + g + 8 * odd;
    uint32_t own = kept_bits(m, mine < last ? mine : last, group + (uint32_t)(t / 2));
    uint32_t other = __shfl_xor_sync(~0u, own, 1);
    uint32_t upper = odd ? other : own, lower = odd ? own : other;
    f[0] = factor_of(m, upper, 2 * odd), f[1] = factor_of(m, upper, 2 * odd + 1);
    f[2] = factor_of(m, lower, 2 * odd), f[3] = factor_of(m, lower, 2 * odd + 1);
}

/* The same where rows are keys (groups `group` .. group + 3) and columns queries: four lanes share
 * the groups of two keys and two queries. */
static __device__ __forceinline__ void mask_keys(const mask &m, int64_t row, int64_t last,
                                                 uint32_t group, float (&f)[4]) {
    int l = (int)threadIdx.x % WARP, g = l / 4, t = l % 4, turn = g % 4;
    int64_t mine = row + 2 * t + turn % 2; /* turn: query, then which 8 keys */
    uint32_t bits =
        kept_bits(m, mine < last ? mine : last, group + (uint32_t)(g / 4 + turn / 2 * 2))
        << 4 * turn;
    bits |= __shfl_xor_sync(~0u, bits, 4);
    bits |= __shfl_xor_sync(~0u, bits, 8);
    for (int k = 0; k < 4; k++)
        f[k] = factor_of(m, bits, 4 * k + turn);
}

#endif
