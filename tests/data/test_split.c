/* The same rows in the same order as Python, and the same cuts. Tables: make_tables.py. */
#include "data/split.h"
#include "tests/data/fixture.h"

static int64_t *sequence(int64_t n) {
    int64_t *entries = malloc((size_t)(n ? n : 1) * sizeof *entries);
    for (int64_t i = 0; i < n; i++)
        entries[i] = i;
    return entries;
}

static void shuffles_as_python_does(void **state) {
    (void)state;
    FILE *f = fopen(T5MPI_SOURCE_DIR "/tests/data/shuffle_table.txt", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "#%*[^\n]"), 0);
    long long seed, n;
    unsigned long long hash;
    int shown, cases = 0;
    while (fscanf(f, "%lld %lld %llu %d", &seed, &n, &hash, &shown) == 4) {
        int64_t *entries = sequence(n);
        t5_python_shuffle(seed, n, entries);
        for (int i = 0; i < shown; i++) {
            long long entry;
            assert_int_equal(fscanf(f, "%lld", &entry), 1);
            assert_int_equal(entries[i], entry);
        }
        if (fnv_numbers(entries, n) != hash)
            fail_msg("seed %lld, n %lld: another order than Python's", seed, n);
        free(entries);
        cases++;
    }
    assert_true(feof(f));
    assert_int_equal(cases, 130);
    fclose(f);
}

static void cuts_as_python_does(void **state) {
    (void)state;
    /* [int(n * a), int(n * (a + b)) - int(n * a), n - int(n * (a + b))] printed by Python 3 */
    static const struct {
        int64_t n;
        double fraction[3];
        t5_split expected;
    } cases[] = {
        {0, {0.8, 0.1, 0.1}, {0, 0, 0}},
        {1, {0.8, 0.1, 0.1}, {0, 0, 1}},
        {5, {0.8, 0.1, 0.1}, {4, 0, 1}},
        {9, {0.8, 0.1, 0.1}, {7, 1, 1}},
        {10, {0.8, 0.1, 0.1}, {8, 1, 1}},
        {10, {0.7, 0.1, 0.2}, {7, 0, 3}}, /* 0.7 + 0.1 < 0.8 in doubles */
        {2187, {0.8, 0.1, 0.1}, {1749, 219, 219}},
        {5000, {0.8, 0.1, 0.1}, {4000, 500, 500}},
        {999999, {0.8, 0.1, 0.1}, {799999, 100000, 100000}},
        {7, {1, 0, 0}, {7, 0, 0}},
        {7, {0.9, 0.1, 0}, {6, 1, 0}},
        {7, {0, 0, 1}, {0, 0, 7}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t5_split s = t5_split_sizes(cases[i].n, cases[i].fraction);
        assert_int_equal(s.n_train, cases[i].expected.n_train);
        assert_int_equal(s.n_val, cases[i].expected.n_val);
        assert_int_equal(s.n_test, cases[i].expected.n_test);
    }
}

/* The plan's cuts, int(n * 0.8) and int(n * 0.9), for every size of data set up to 200,000 rows. */
static void cuts_of_the_plan(void **state) {
    (void)state;
    const double fraction[] = {0.8, 0.1, 0.1};
    for (int64_t n = 0; n <= 200000; n++) {
        t5_split s = t5_split_sizes(n, fraction);
        volatile double first = (double)n * 0.8, second = (double)n * 0.9;
        assert_int_equal(s.n_train, (int64_t)first);
        assert_int_equal(s.n_train + s.n_val, (int64_t)second);
        assert_int_equal(s.n_train + s.n_val + s.n_test, n);
    }
}

static void fractions_that_make_no_sense_stay_within_the_rows(void **state) {
    (void)state;
    const double cases[][3] = {{2, 3, 4}, {-1, -1, 3}, {0.9, -0.5, 0.6}, {1e300, 1e300, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t5_split s = t5_split_sizes(100, cases[i]);
        assert_true(s.n_train >= 0 && s.n_val >= 0 && s.n_test >= 0);
        assert_int_equal(s.n_train + s.n_val + s.n_test, 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fractions_that_make_no_sense_stay_within_the_rows),
        cmocka_unit_test(shuffles_as_python_does),
        cmocka_unit_test(cuts_as_python_does),
        cmocka_unit_test(cuts_of_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
