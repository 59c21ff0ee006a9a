/* What the kernels share: names per instruction set, exp, bfloat16, rows of either type in blocks
 * of floats, and dropout masks. Only cpu_kernels*.c include this.
 *
 * The kernels go over a row in blocks of T5_BLOCK columns that stay in the first-level cache: read
 * (bfloat16 widened), compute in float, write (narrowed). A float row is used where it lies. */
#ifndef T5_DEVICE_CPU_KERNELS_SIMD_H
#define T5_DEVICE_CPU_KERNELS_SIMD_H
#include "device/cpu_kernels.h"
#include "device/cpu_kernels_philox.h"
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

enum { T5_BLOCK = 512 }; /* columns; a multiple of what a dropout mask is written in */

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

/* A dropout of one operation, and a block of its mask: 0 or 1/(1-p) for each element, 1 when p is
 * 0. */
typedef struct t5_mask {
    t5_dropout drop;
    uint32_t threshold, step;
    float keep;
    float v[T5_BLOCK];
} t5_mask;

enum { T5_MASK_SLACK = 4 * T5_GROUPS }; /* a mask is written in steps of this */

static inline void t5_mask_init(t5_mask *mask, t5_dropout drop) {
    mask->drop = drop;
    mask->threshold = (uint32_t)((double)drop.p * 4294967296.0);
    mask->keep = 1.0f / (1.0f - drop.p);
    mask->step = drop.p == 0.0f ? 0 : *drop.d_step;
    if (drop.p == 0.0f)
        for (int j = 0; j < T5_BLOCK; j++)
            mask->v[j] = 1.0f;
}

/* to = elements first .. first+n-1 of a token, rounded up to T5_MASK_SLACK; first is a multiple of
 * 4 and p is not 0. */
static inline void t5_mask_fill(const t5_mask *mask, int64_t token, uint32_t first, int64_t n,
                                float *to) {
    const uint32_t *tok = mask->drop.d_tok + 2 * token;
    const uint32_t counter[3] = {mask->drop.site, tok[0], tok[1]};
    uint32_t keep = t5_bits_of_float(mask->keep);
    for (int64_t j = 0; j < n; j += T5_MASK_SLACK)
        t5_philox_keep(counter, first / 4 + (uint32_t)(j / 4), mask->drop.seed, mask->step,
                       mask->threshold, keep, to + j);
}

/* mask->v = elements first .. first+n-1 of a token, n <= T5_BLOCK. */
static inline void t5_mask_row(t5_mask *mask, int64_t token, uint32_t first, int n) {
    if (mask->drop.p != 0.0f)
        t5_mask_fill(mask, token, first, n, mask->v);
}

#endif
