/* Philox against the known answers of its authors; the draws made of it for range, independence of
 * how they are asked for, and moments. Fixed seeds: the statistics are the same on every run. */
#include "base/rng.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs those above */

/* Random123, tests/kat_vectors, "philox4x32 10". */
static void philox_gives_the_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        uint32_t out[4];
        t5_philox(kat[i].counter, kat[i].key, out);
        assert_memory_equal(out, kat[i].out, sizeof out);
        memcpy(out, kat[i].counter, sizeof out); /* in place */
        t5_philox(out, kat[i].key, out);
        assert_memory_equal(out, kat[i].out, sizeof out);
    }
}

static void uniform_never_reaches_its_ends(void **state) {
    (void)state;
    assert_true(t5_uniform(0) > 0.0);
    assert_true(t5_uniform(~0u) < 1.0);
    assert_true(t5_uniform(0x80000000u) > 0.5 && t5_uniform(0x7fffffffu) < 0.5);
}

static void normals_do_not_depend_on_how_they_are_asked_for(void **state) {
    (void)state;
    enum { N = 64 };
    const uint64_t firsts[] = {0, 5, (uint64_t)1 << 34};
    for (size_t f = 0; f < 3; f++) {
        float whole[N], piece[N];
        t5_rng_normal(7, T5_RNG_INIT | 3, firsts[f], N, whole);
        for (uint64_t from = 0; from < N; from++)
            for (uint64_t n = 0; n <= 9 && from + n <= N; n++) {
                t5_rng_normal(7, T5_RNG_INIT | 3, firsts[f] + from, n, piece);
                assert_memory_equal(piece, whole + from, n * sizeof *piece);
            }
        t5_rng_normal(8, T5_RNG_INIT | 3, firsts[f], N, piece);
        assert_memory_not_equal(piece, whole, sizeof piece);
        t5_rng_normal(7 + ((uint64_t)1 << 40), T5_RNG_INIT | 3, firsts[f], N, piece);
        assert_memory_not_equal(piece, whole, sizeof piece);
        t5_rng_normal(7, T5_RNG_INIT | 4, firsts[f], N, piece);
        assert_memory_not_equal(piece, whole, sizeof piece);
    }
}

/* Sample moments of n standard normals within 5 standard errors of 0, 1, 0, 3, and neighbours
 * uncorrelated; the share within one sigma likewise. */
static void normals_are_standard(void **state) {
    (void)state;
    const uint64_t n = 1 << 20;
    float *z = malloc(n * sizeof *z);
    assert_non_null(z);
    t5_rng_normal(42, T5_RNG_INIT, 0, n, z);
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag[4] = {0}, inside = 0;
    for (uint64_t i = 0; i < n; i++) {
        double x = z[i];
        assert_true(isfinite(x));
        m1 += x;
        m2 += x * x;
        m3 += x * x * x;
        m4 += x * x * x * x;
        inside += fabs(x) < 1.0;
        for (uint64_t l = 1; l <= 4 && l <= i; l++)
            lag[l - 1] += x * z[i - l];
    }
    free(z);
    const double root = sqrt((double)n), p = erf(sqrt(0.5));
    assert_true(fabs(m1 / root) < 5);
    assert_true(fabs(m2 - (double)n) / root < 5 * sqrt(2));
    assert_true(fabs(m3 / root) < 5 * sqrt(15));
    assert_true(fabs(m4 - 3.0 * (double)n) / root < 5 * sqrt(96));
    assert_true(fabs(inside - p * (double)n) / root < 5 * sqrt(p * (1 - p)));
    for (int l = 0; l < 4; l++)
        assert_true(fabs(lag[l] / root) < 5);
}

static void shuffle_is_a_permutation(void **state) {
    (void)state;
    const uint64_t sizes[] = {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 1000, 4096, 4097, 70000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint32_t epoch = 0; epoch < 3; epoch++) {
            unsigned char *seen = calloc(sizes[s], 1);
            assert_non_null(seen);
            for (uint64_t i = 0; i < sizes[s]; i++) {
                uint64_t at = t5_shuffle_at(99, epoch, sizes[s], i);
                assert_true(at < sizes[s]);
                assert_int_equal(seen[at]++, 0);
            }
            free(seen);
        }
}

/* Too many rows to mark: distinct positions must give distinct rows, spread over the whole range.
 */
static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}
static void shuffle_works_for_huge_sets(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    const uint64_t sizes[] = {(uint64_t)1 << 40, ((uint64_t)1 << 38) + 1, UINT64_MAX};
    uint64_t *at = malloc(DRAWS * sizeof *at);
    assert_non_null(at);
    for (size_t s = 0; s < 3; s++) {
        double sum = 0;
        for (uint64_t i = 0; i < DRAWS; i++) {
            /* both ends of the range */
            at[i] = t5_shuffle_at(5, 1, sizes[s], i % 2 ? sizes[s] - 1 - i / 2 : i / 2);
            assert_true(at[i] < sizes[s]);
            sum += (double)at[i] / (double)sizes[s];
        }
        assert_true(fabs(sum - 0.5 * DRAWS) < 5 * sqrt(DRAWS / 12.0));
        qsort(at, DRAWS, sizeof *at, compare_u64);
        for (int i = 1; i < DRAWS; i++)
            assert_true(at[i] != at[i - 1]);
    }
    free(at);
}

/* Pearson's statistic of observed counts against equal ones, in standard deviations from its mean.
 */
static double chi_square_z(const int *count, int cells, int draws) {
    double expected = (double)draws / cells, x = 0;
    for (int c = 0; c < cells; c++)
        x += (count[c] - expected) * (count[c] - expected) / expected;
    return (x - (cells - 1)) / sqrt(2.0 * (cells - 1));
}

/* Every order of n rows comes equally often over seeds and over epochs. */
static void small_shuffles_are_uniform(void **state) {
    (void)state;
    for (int by_epoch = 0; by_epoch < 2; by_epoch++)
        for (int n = 4; n <= 5; n++) {
            enum { DRAWS = 12000 };
            int count[5 * 5 * 5 * 5 * 5] = {0}, orders[120], cells = 0, want = 1;
            for (int k = 2; k <= n; k++)
                want *= k;
            for (uint32_t d = 0; d < DRAWS; d++) {
                uint64_t code = 0;
                for (uint64_t i = 0; i < (uint64_t)n; i++)
                    code = code * (uint64_t)n +
                           t5_shuffle_at(by_epoch ? 3 : d, by_epoch ? d : 0, (uint64_t)n, i);
                count[code]++;
            }
            for (int c = 0; c < 3125; c++)
                if (count[c]) {
                    assert_true(cells < want);
                    orders[cells++] = count[c];
                }
            assert_int_equal(cells, want);
            assert_true(fabs(chi_square_z(orders, cells, DRAWS)) < 5);
        }
}

/* Where row 0 lands, and where the row behind it lands relative to it, is uniform; consecutive
 * positions are uncorrelated. */
static void larger_shuffles_look_random(void **state) {
    (void)state;
    enum { N = 100, DRAWS = 20000 };
    int place[N] = {0}, gap[N] = {0};
    for (uint32_t d = 0; d < DRAWS; d++) {
        uint64_t a = t5_shuffle_at(d, 0, N, 0), b = t5_shuffle_at(d, 0, N, 1);
        place[a]++;
        gap[(b + N - a) % N]++;
    }
    assert_int_equal(gap[0], 0);
    assert_true(fabs(chi_square_z(place, N, DRAWS)) < 5);
    assert_true(fabs(chi_square_z(gap + 1, N - 1, DRAWS)) < 5);
    const int n = 5000;
    double covariance = 0;
    for (int i = 1; i < n; i++)
        covariance += ((double)t5_shuffle_at(1, 1, (uint64_t)n, (uint64_t)i - 1) / n - 0.5) *
                      ((double)t5_shuffle_at(1, 1, (uint64_t)n, (uint64_t)i) / n - 0.5);
    assert_true(fabs(covariance * 12 / sqrt(n)) < 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(uniform_never_reaches_its_ends),
        cmocka_unit_test(normals_do_not_depend_on_how_they_are_asked_for),
        cmocka_unit_test(normals_are_standard),
        cmocka_unit_test(shuffle_is_a_permutation),
        cmocka_unit_test(shuffle_works_for_huge_sets),
        cmocka_unit_test(small_shuffles_are_uniform),
        cmocka_unit_test(larger_shuffles_look_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
