/* Dropout masks: Philox4x32-10 (base/rng.h) in vector lanes. A lane of 64 bits holds a 32-bit word
 * in its low half; what the shifts and products leave in the high half is never read. */
#ifndef T5_DEVICE_CPU_KERNELS_PHILOX_H
#define T5_DEVICE_CPU_KERNELS_PHILOX_H
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { T5_GROUPS = 8 }; /* groups of 4 elements at once */
#define T5_GROUP_ORDER \
    { 0, 4, 1, 5, 2, 6, 3, 7 }
#elif defined(__AVX2__)
enum { T5_GROUPS = 4 };
#define T5_GROUP_ORDER \
    { 0, 2, 1, 3 }
#else
enum { T5_GROUPS = 2 };
#define T5_GROUP_ORDER \
    { 0, 1 }
#endif
typedef uint64_t t5_words __attribute__((vector_size(T5_GROUPS * 8)));
typedef uint32_t t5_halves __attribute__((vector_size(T5_GROUPS * 8)));

/* Product of the low halves; and the words of even / odd lanes of x and y side by side: with lanes
 * in T5_GROUP_ORDER, the first and the second half of the groups in ascending order. */
#if defined(__AVX512F__)
static inline t5_words t5_mul(t5_words x, t5_words y) {
    return (t5_words)_mm512_mul_epu32((__m512i)x, (__m512i)y);
}
static inline t5_halves t5_even(t5_words x, t5_words y) {
    return (t5_halves)_mm512_unpacklo_epi64((__m512i)x, (__m512i)y);
}
static inline t5_halves t5_odd(t5_words x, t5_words y) {
    return (t5_halves)_mm512_unpackhi_epi64((__m512i)x, (__m512i)y);
}
#elif defined(__AVX2__)
static inline t5_words t5_mul(t5_words x, t5_words y) {
    return (t5_words)_mm256_mul_epu32((__m256i)x, (__m256i)y);
}
static inline t5_halves t5_even(t5_words x, t5_words y) {
    return (t5_halves)_mm256_unpacklo_epi64((__m256i)x, (__m256i)y);
}
static inline t5_halves t5_odd(t5_words x, t5_words y) {
    return (t5_halves)_mm256_unpackhi_epi64((__m256i)x, (__m256i)y);
}
#elif defined(__x86_64__)
static inline t5_words t5_mul(t5_words x, t5_words y) {
    return (t5_words)_mm_mul_epu32((__m128i)x, (__m128i)y);
}
static inline t5_halves t5_even(t5_words x, t5_words y) {
    return (t5_halves)_mm_unpacklo_epi64((__m128i)x, (__m128i)y);
}
static inline t5_halves t5_odd(t5_words x, t5_words y) {
    return (t5_halves)_mm_unpackhi_epi64((__m128i)x, (__m128i)y);
}
#else
static inline t5_words t5_mul(t5_words x, t5_words y) {
    return (x & 0xffffffffu) * (y & 0xffffffffu);
}
static inline t5_halves t5_even(t5_words x, t5_words y) {
    return (t5_halves)(t5_words){x[0], y[0]};
}
static inline t5_halves t5_odd(t5_words x, t5_words y) {
    return (t5_halves)(t5_words){x[1], y[1]};
}
#endif

/* out = keep where a word is at least the threshold, else 0; 2 T5_GROUPS floats. */
static inline void t5_keep_store(float *out, t5_halves word, uint32_t threshold, uint32_t keep) {
    t5_halves kept = (t5_halves)(word >= threshold) & keep;
    memcpy(out, &kept, sizeof kept);
}

/* The mask of elements 4 group .. of a token {row, position} of a site: T5_GROUPS groups, in out.
 */
static inline void t5_philox_keep(const uint32_t counter[3], uint32_t group, uint32_t seed,
                                  uint32_t step, uint32_t threshold, uint32_t keep, float *out) {
    const t5_words zero = {0}, order = T5_GROUP_ORDER;
    t5_words c0 = zero + counter[0], c1 = zero + counter[1], c2 = zero + counter[2];
    t5_words c3 = order + group;
    for (int round = 0; round < 10; round++) {
        t5_words a = t5_mul(c0, zero + 0xD2511F53u), b = t5_mul(c2, zero + 0xCD9E8D57u);
        c0 = (b >> 32) ^ c1 ^ (uint64_t)seed;
        c1 = b;
        c2 = (a >> 32) ^ c3 ^ (uint64_t)step;
        c3 = a;
        seed += 0x9E3779B9u;
        step += 0xBB67AE85u;
    }
    t5_words first = (c0 & 0xffffffffu) | (c1 << 32), second = (c2 & 0xffffffffu) | (c3 << 32);
    t5_keep_store(out, t5_even(first, second), threshold, keep);
    t5_keep_store(out + 2 * T5_GROUPS, t5_odd(first, second), threshold, keep);
}

#endif
