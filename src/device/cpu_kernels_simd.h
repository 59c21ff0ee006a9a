/* What the kernels share: names per instruction set, exp, bfloat16, rows of either type in blocks
 * of floats, and dropout masks. Only cpu_kernels*.c include this.
 *
 * The kernels go over a row in blocks of T5_BLOCK columns that stay in the first-level cache: read
 * (bfloat16 widened), compute in float, write (narrowed). A float row is used where it lies. */
#ifndef T5_DEVICE_CPU_KERNELS_SIMD_H
#define T5_DEVICE_CPU_KERNELS_SIMD_H
#include "device/cpu_kernels.h"
#include <math.h>
#include <string.h>

#ifndef T5_ISA
#define T5_ISA generic
#endif
#define T5_JOIN2(a, b) a##_##b
#define T5_JOIN(a, b) T5_JOIN2(a, b)
#define T5_STRING2(a) #a
#define T5_STRING(a) T5_STRING2(a)
/* The name of a kernel: t5_NAME_avx2 and so on. */
#define K(name) T5_JOIN(t5_##name, T5_ISA)
#define T5_SIMD _Pragma("omp simd")

enum { T5_BLOCK = 512 }; /* columns; a multiple of 4, as dropout needs */

static inline int t5_min_int(int64_t a, int b) {
    return a < b ? (int)a : b;
}

static inline float t5_float_of_bits(uint32_t bits) {
    union {
        uint32_t u;
        float f;
    } x = {.u = bits};
    return x.f;
}

static inline uint32_t t5_bits_of_float(float value) {
    union {
        float f;
        uint32_t u;
    } x = {.f = value};
    return x.u;
}

/* Round to nearest even; a NaN stays one (its quiet bit is set, so truncation cannot make it an
 * infinity). */
static inline uint16_t t5_bf16_of(float value) {
    uint32_t u = t5_bits_of_float(value);
    uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    uint32_t nan = (u >> 16) | 0x40u;
    return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

static inline float t5_of_bf16(uint16_t bits) {
    return t5_float_of_bits((uint32_t)bits << 16);
}

/* exp, relative error below 1.5e-7; 0 below -87.3 (no subnormals), exp(88) above 88, NaN for NaN.
 * Cody and Waite's reduction x = n ln 2 + r, |r| <= ln 2 / 2, and the Taylor polynomial of degree
 * 7, whose rest r^8/8! is under 6e-9. Adding 1.5 * 2^23 rounds to an integer in the low bits. */
static inline float t5_exp(float x) {
    const float magic = 12582912.0f;
    float clamped = x < -87.3f ? -87.3f : x;
    clamped = clamped > 88.0f ? 88.0f : clamped;
    float shifted = clamped * 1.44269504088896341f + magic;
    float n = shifted - magic;
    float r = clamped - n * 0.693359375f;
    r = r + n * 2.12194440054690583e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + (r + 1.0f);
    uint32_t exponent = t5_bits_of_float(shifted) - t5_bits_of_float(magic) + 127u;
    float scaled = p * t5_float_of_bits(exponent << 23);
    return x < -87.3f ? 0.0f : scaled;
}

static inline char *t5_mat_at(t5_mat m, int64_t row, int64_t col) {
    return (char *)m.p + (size_t)(row * m.ld + col) * t5_dtype_size(m.type);
}

/* The n floats of m at (row, col): where they lie, or in buf. */
static inline const float *t5_row_read(t5_mat m, int64_t row, int64_t col, int n, float *buf) {
    const char *at = t5_mat_at(m, row, col);
    if (m.type == T5_F32)
        return (const float *)(const void *)at;
    const uint16_t *bits = (const uint16_t *)(const void *)at;
    T5_SIMD
    for (int j = 0; j < n; j++)
        buf[j] = t5_of_bf16(bits[j]);
    return buf;
}

/* Where to put floats that belong at (row, col) of m, before t5_row_write hands them over. */
static inline float *t5_row_target(t5_mat m, int64_t row, int64_t col, float *buf) {
    return m.type == T5_F32 ? (float *)(void *)t5_mat_at(m, row, col) : buf;
}

static inline void t5_row_write(t5_mat m, int64_t row, int64_t col, int n, const float *target) {
    if (m.type == T5_F32)
        return;
    uint16_t *bits = (uint16_t *)(void *)t5_mat_at(m, row, col);
    T5_SIMD
    for (int j = 0; j < n; j++)
        bits[j] = t5_bf16_of(target[j]);
}

/* A block of a dropout mask: 0 or 1/(1-p) for each element, and 1 when p is 0. */
typedef struct t5_mask {
    t5_dropout drop;
    uint32_t threshold;
    float keep;
    float v[T5_BLOCK];
} t5_mask;

static inline void t5_mask_init(t5_mask *mask, t5_dropout drop) {
    mask->drop = drop;
    mask->threshold = (uint32_t)((double)drop.p * 4294967296.0);
    mask->keep = 1.0f / (1.0f - drop.p);
    if (drop.p == 0.0f)
        for (int j = 0; j < T5_BLOCK; j++)
            mask->v[j] = 1.0f;
}

/* Philox4x32-10 as in base/rng.h, in a form that is computed in lanes of groups of 4. */
static inline void t5_philox_lane(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                                  uint32_t k1, uint32_t out[4]) {
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)c0 * 0xD2511F53u, b = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* mask->v = elements first .. first+n-1 of a token; first is a multiple of 4. */
static inline void t5_mask_row(t5_mask *mask, int64_t token, uint32_t first, int n) {
    if (mask->drop.p == 0.0f)
        return;
    const uint32_t *tok = mask->drop.d_tok + 2 * token;
    uint32_t site = mask->drop.site, row = tok[0], position = tok[1], group = first / 4;
    uint32_t seed = mask->drop.seed, step = mask->drop.step, threshold = mask->threshold;
    float keep = mask->keep;
    int groups = (n + 3) / 4;
    float *v = mask->v;
    T5_SIMD
    for (int g = 0; g < groups; g++) {
        uint32_t word[4];
        t5_philox_lane(site, row, position, group + (uint32_t)g, seed, step, word);
        v[4 * g] = word[0] < threshold ? 0.0f : keep;
        v[4 * g + 1] = word[1] < threshold ? 0.0f : keep;
        v[4 * g + 2] = word[2] < threshold ? 0.0f : keep;
        v[4 * g + 3] = word[3] < threshold ? 0.0f : keep;
    }
}

#endif
