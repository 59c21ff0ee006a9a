/* Dropout as device.h defines it: Philox4x32-10 (base/rng.h), a draw for each group of 4 elements.
 */
#ifndef T5_DEVICE_DROPOUT_CUH
#define T5_DEVICE_DROPOUT_CUH
#include "device/launch.cuh"

typedef struct mask {
    uint32_t threshold; /* 0: nothing is dropped, nothing below is read */
    float keep;         /* 1 / (1 - p) */
    uint32_t seed, site;
    const uint32_t *step, *tok;
} mask;

static inline mask mask_of(t5_dropout d) {
    uint32_t threshold = (uint32_t)((double)d.p * 4294967296.0);
    return mask{threshold, d.p == 0.0f ? 1.0f : 1.0f / (1.0f - d.p), d.seed, d.site, d.d_step,
                d.d_tok};
}

__device__ __forceinline__ uint4 philox(uint4 c, uint32_t k0, uint32_t k1) {
#pragma unroll
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)c.x * 0xD2511F53u, b = (uint64_t)c.z * 0xCD9E8D57u;
        c = make_uint4((uint32_t)(b >> 32) ^ c.y ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ c.w ^ k1,
                       (uint32_t)a);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

/* The factors, 0 or keep, of elements 4 group .. 4 group + 3 of a token. */
__device__ __forceinline__ float4 mask4(const mask &m, int64_t token, uint32_t group) {
    if (m.threshold == 0)
        return make_float4(m.keep, m.keep, m.keep, m.keep);
    uint2 tok = make_uint2(m.tok[2 * token], m.tok[2 * token + 1]);
    uint4 r = philox(make_uint4(m.site, tok.x, tok.y, group), m.seed, __ldg(m.step));
    return make_float4(r.x < m.threshold ? 0.0f : m.keep, r.y < m.threshold ? 0.0f : m.keep,
                       r.z < m.threshold ? 0.0f : m.keep, r.w < m.threshold ? 0.0f : m.keep);
}

#endif
