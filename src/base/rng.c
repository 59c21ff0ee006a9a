#include "base/rng.h"
#include <assert.h>
#include <math.h>

/* Salmon et al. 2011, section 3.3 and table 2: multipliers and Weyl increments of Philox4x32. */
enum { ROUNDS = 10 };
static const uint32_t M0 = 0xD2511F53u, M1 = 0xCD9E8D57u, W0 = 0x9E3779B9u, W1 = 0xBB67AE85u;

void t5_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t p0 = (uint64_t)M0 * c0, p1 = (uint64_t)M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += W0;
        k1 += W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The four normals of one Philox block, by Box-Muller on its two pairs. */
static void normal_block(const uint32_t key[2], uint32_t purpose, uint64_t block, float z[4]) {
    const double two_pi = 6.283185307179586;
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), purpose, 0}, x[4];
    t5_philox(counter, key, x);
    for (int i = 0; i < 4; i += 2) {
        double radius = sqrt(-2.0 * log(t5_uniform(x[i])));
        double angle = two_pi * t5_uniform(x[i + 1]);
        z[i] = (float)(radius * cos(angle));
        z[i + 1] = (float)(radius * sin(angle));
    }
}

void t5_rng_normal(uint64_t seed, uint32_t purpose, uint64_t first, uint64_t n, float *out) {
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint64_t i = 0;
    while (i < n) {
        float z[4];
        normal_block(key, purpose, (first + i) / 4, z);
        for (unsigned lane = (first + i) % 4; lane < 4 && i < n; lane++)
            out[i++] = z[lane];
    }
}

/* A Feistel network is a permutation of 4^b values whatever its round function. Halves of 2 bits
 * mix badly (only even permutations of 16 values come out), so 4 bits is the least; see test_rng.c.
 */
enum { FEISTEL_ROUNDS = 8, LEAST_HALF_BITS = 4 };

static uint64_t feistel(const uint32_t key[2], uint32_t epoch, int half_bits, uint64_t value) {
    const uint64_t mask = ((uint64_t)1 << half_bits) - 1;
    uint64_t left = value >> half_bits, right = value & mask;
    for (uint32_t round = 0; round < FEISTEL_ROUNDS; round++) {
        const uint32_t counter[4] = {(uint32_t)right, epoch, T5_RNG_SHUFFLE | round, 0};
        uint32_t x[4];
        t5_philox(counter, key, x);
        uint64_t next = left ^ (x[0] & mask);
        left = right;
        right = next;
    }
    return left << half_bits | right;
}

uint64_t t5_shuffle_at(uint64_t seed, uint32_t epoch, uint64_t n, uint64_t i) {
    assert(n >= 1 && i < n);
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    int half_bits = LEAST_HALF_BITS; /* 4^half_bits >= n */
    while (half_bits < 32 && (n - 1) >> (2 * half_bits))
        half_bits++;
    /* Cycle walking: the permutation of the larger domain is followed until it comes back to
     * 0..n-1; it does, as i itself lies on the cycle. At most 4 steps on average once n > 64. */
    do
        i = feistel(key, epoch, half_bits, i);
    while (i >= n);
    return i;
}
