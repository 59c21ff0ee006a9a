#include "model/internal.h"

static int power_of_two(int n) {
    int p = 1;
    while (p <= n / 2)
        p *= 2;
    return p;
}

/* Tokens are rounded up to 16 steps an octave: 3 % more on average, and few classes. */
static int granule(int n) {
    int g = power_of_two(n) / 16;
    return g < 8 ? 8 : g;
}

static int round_up(int n) {
    return (n + granule(n) - 1) / granule(n) * granule(n);
}

/* Lengths only choose between kernels and bound loops: powers of two will do. */
static int longest(int n) {
    int p = power_of_two(n);
    p = p < n ? 2 * p : p;
    return p < 16 ? 16 : p;
}

t5_sizes t5_size_class(t5_sizes s) {
    s.max_enc = longest(s.max_enc);
    s.max_dec = longest(s.max_dec);
    /* a granule more than the tokens may be the next octave's */
    s.n_pad = 1 + t5_larger(2 * granule(s.n_enc) / s.max_enc, 2 * granule(s.n_dec) / s.max_dec);
    s.n_enc = round_up(s.n_enc + s.n_pad);
    s.n_dec = round_up(s.n_dec);
    return s;
}
