/* The split of the original: Python's random.seed(s); random.shuffle(rows), then cuts at
 * int(n*train) and int(n*(train+validation)). Pure functions. */
#ifndef T5_DATA_SPLIT_H
#define T5_DATA_SPLIT_H
#include "base/status.h"
#include <stdint.h>

/* Shuffles n entries in place exactly as CPython 3 does after random.seed(seed) with an int seed
 * (Mersenne Twister MT19937, init_by_array of |seed|, _randbelow by getrandbits and rejection).
 * n is less than 2^32. */
void t5_python_shuffle(int64_t seed, int64_t n, int64_t *entries);

typedef struct t5_split {
    int64_t n_train, n_val, n_test; /* consecutive in the shuffled order */
} t5_split;
/* Cuts as Python computes them: int(n * fraction[0]), int(n * (fraction[0] + fraction[1])) in
 * double arithmetic; the rest is the test split. The plan's int(n * 0.8) and int(n * 0.9) are met
 * exactly, as 0.8 + 0.1 is 0.9 in doubles; such a sum need not be (0.7 + 0.1 is below 0.8: of 10
 * rows it cuts at 7), and then the sum counts, not the decimal. */
t5_split t5_split_sizes(int64_t n, const double fraction[3]);

#endif
