#include "data/split.h"

/* MT19937 (Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8, 1998) with the initialisation
 * by array of their 2002 revision; the constants are theirs. */
enum { MT_N = 624, MT_M = 397 };

typedef struct twister {
    uint32_t state[MT_N];
    int next;
} twister;

static void twister_seed(twister *t, uint32_t seed) {
    t->state[0] = seed;
    for (uint32_t i = 1; i < MT_N; i++)
        t->state[i] = 1812433253u * (t->state[i - 1] ^ (t->state[i - 1] >> 30)) + i;
    t->next = MT_N;
}

static void twister_seed_array(twister *t, const uint32_t *key, int length) {
    twister_seed(t, 19650218u);
    uint32_t *s = t->state;
    int i = 1, j = 0;
    for (int k = 0; k < MT_N; k++) { /* a key has at most 2 words here, always fewer than MT_N */
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525u)) + key[j] + (uint32_t)j;
        if (++i == MT_N) {
            s[0] = s[MT_N - 1];
            i = 1;
        }
        j = (j + 1) % length;
    }
    for (int k = 0; k < MT_N - 1; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941u)) - (uint32_t)i;
        if (++i == MT_N) {
            s[0] = s[MT_N - 1];
            i = 1;
        }
    }
    s[0] = 0x80000000u;
}

static void twister_refill(twister *t) {
    uint32_t *s = t->state;
    for (int i = 0; i < MT_N; i++) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % MT_N] & 0x7fffffffu);
        s[i] = s[(i + MT_M) % MT_N] ^ (y >> 1) ^ (y & 1u ? 0x9908b0dfu : 0u);
    }
    t->next = 0;
}

static uint32_t twister_next(twister *t) {
    if (t->next == MT_N)
        twister_refill(t);
    uint32_t y = t->state[t->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* Uniform in 0..n-1 as CPython's Random._randbelow: as many bits as n has, again until below n. */
static uint32_t twister_below(twister *t, uint32_t n) {
    int bits = 32 - __builtin_clz(n);
    uint32_t r;
    do
        r = twister_next(t) >> (32 - bits);
    while (r >= n);
    return r;
}

void t5_python_shuffle(int64_t seed, int64_t n, int64_t *entries) {
    /* Python seeds with the absolute value, in 32-bit words, the lowest first, at least one word.
     */
    uint64_t magnitude = seed < 0 ? -(uint64_t)seed : (uint64_t)seed;
    uint32_t key[2] = {(uint32_t)magnitude, (uint32_t)(magnitude >> 32)};
    twister t;
    twister_seed_array(&t, key, key[1] ? 2 : 1);
    for (int64_t i = n - 1; i > 0; i--) {
        uint32_t j = twister_below(&t, (uint32_t)(i + 1));
        int64_t entry = entries[i];
        entries[i] = entries[j];
        entries[j] = entry;
    }
}

static int64_t cut(int64_t n, double fraction) {
    double at = (double)n * fraction;
    return at >= (double)n ? n : at > 0 ? (int64_t)at : 0;
}

t5_split t5_split_sizes(int64_t n, const double fraction[3]) {
    int64_t first = cut(n, fraction[0]), second = cut(n, fraction[0] + fraction[1]);
    if (second < first)
        second = first;
    return (t5_split){first, second - first, n - second};
}
