/* Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). Every draw of t5mpi is a pure function of what it is for (seed, purpose,
 * step, row, position), never of a rank, a thread or the order of calls, so that dropout, shuffling
 * and sampling survive a resume and another number of ranks. Nothing here allocates or fails. */
#ifndef T5_BASE_RNG_H
#define T5_BASE_RNG_H
#include <stdint.h>

/* What a draw is for: the high byte of a `purpose`/`site` word, so that streams never meet. */
enum {
    T5_RNG_INIT = 1 << 24,    /* weight initialisation: | parameter number */
    T5_RNG_DROPOUT = 2 << 24, /* | site in the model, see src/model */
    T5_RNG_SHUFFLE = 3 << 24, /* | 0 */
    T5_RNG_SAMPLE = 4 << 24   /* | position in the output */
};

/* out = Philox4x32-10(counter, key). */
void t5_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Uniform in (0, 1): (x + 0.5) / 2^32. */
static inline double t5_uniform(uint32_t x) {
    return ((double)x + 0.5) * (1.0 / 4294967296.0);
}

/* n standard normal float32 values (Box-Muller on Philox): element i depends on (seed, purpose,
 * first + i) only. */
void t5_rng_normal(uint64_t seed, uint32_t purpose, uint64_t first, uint64_t n, float *out);

/* The row at position i of the random permutation of 0..n-1 that belongs to (seed, epoch); a
 * Feistel network with cycle walking, so nobody stores a permutation. 0 <= i < n, n >= 1. */
uint64_t t5_shuffle_at(uint64_t seed, uint32_t epoch, uint64_t n, uint64_t i);

#endif
