/* The answers that need no model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "score/ngrams.h"
#include "score/nomodel.h"
#include <stdio.h>
#include <string.h>

static t5_str str(const char *s) {
    return (t5_str){s, strlen(s)};
}

static void strs(const char *const *from, int n, t5_str *to) {
    for (int i = 0; i < n; i++)
        to[i] = str(from[i]);
}

static void test_no_rows(void **state) {
    (void)state;
    const t5_nomodel_rows rows = {0};
    t5_nomodel_answer a;
    t5_error err = {0};
    assert_int_equal(t5_nomodel_frequent(&rows, &a, &err), T5_OK);
    assert_string_equal(a.name, "the 0 most frequent:");
    assert_true(a.metrics.avg_jaccard == 0);
    assert_int_equal(t5_nomodel_neighbour(&rows, &a, &err), T5_OK);
    assert_true(a.metrics.avg_jaccard == 0);
}

/* a 4, b 3, c 3, d 1. Test rows a|b: k = 1 gives (1 + 0)/2, k = 2 (1/2 + 1/2)/2: equal, so k = 1;
 * test rows a b|a b: k = 2. */
static void test_frequent(void **state) {
    (void)state;
    t5_str target[5], gold[2], input[5];
    strs((const char *const[]){"b a", "a c", "c b a", "a d", "b c"}, 5, target);
    strs((const char *const[]){"", "", "", "", ""}, 5, input);
    strs((const char *const[]){"a", "b"}, 2, gold);
    t5_nomodel_rows rows = {5, input, target, 2, input, gold, target, 0};
    t5_nomodel_answer a;
    t5_error err = {0};
    assert_int_equal(t5_nomodel_frequent(&rows, &a, &err), T5_OK);
    assert_string_equal(a.name, "the 1 most frequent: a");
    assert_true(a.metrics.avg_jaccard == 0.5);
    assert_int_equal(a.metrics.diversity_unique_emojis, 1);
    strs((const char *const[]){"a b", "b a"}, 2, gold);
    assert_int_equal(t5_nomodel_frequent(&rows, &a, &err), T5_OK);
    assert_string_equal(a.name, "the 2 most frequent: a b");
    assert_true(a.metrics.avg_jaccard == 1 && a.metrics.exact_match_rate == 1);
}

/* A name that is too long ends with whole labels. */
static void test_long_name(void **state) {
    (void)state;
    static const char family[] = "👨‍👩‍👧‍👦";
    char labels[10 * (sizeof family + 2)] = "";
    for (int i = 0; i < 10; i++)
        sprintf(labels + strlen(labels), "%s%d ", family, i);
    t5_str target = str(labels), input = str("x");
    t5_nomodel_rows rows = {1, &input, &target, 1, &input, &target, NULL, 0};
    t5_nomodel_answer a;
    t5_error err = {0};
    assert_int_equal(t5_nomodel_frequent(&rows, &a, &err), T5_OK);
    assert_true(a.metrics.avg_jaccard == 1);
    size_t n = strlen(a.name);
    assert_true(n < sizeof a.name && n > 4);
    assert_string_equal(a.name + n - 4, " ...");
    assert_true(a.name[n - 5] >= '0' && a.name[n - 5] <= '9');
}

static int64_t nearest(const char *const *texts, int n, int64_t max_shared, const char *query) {
    t5_str list[16];
    t5_ngrams *index = NULL;
    t5_error err = {0};
    strs(texts, n, list);
    assert_int_equal(t5_ngrams_create(n, list, max_shared, &index, &err), T5_OK);
    int64_t first = t5_ngrams_nearest(index, str(query));
    assert_int_equal(t5_ngrams_nearest(index, str(query)), first); /* leaves nothing behind */
    t5_ngrams_destroy(index);
    return first;
}

static void test_nearest(void **state) {
    (void)state;
    static const char *const ja[] = {"新しい本を読んだ", "昨日のライブは最高", "本屋で新しい本", "",
                                     "昨日のライブは最高"};
    assert_int_equal(nearest(ja, 5, 100, ""), 0);
    assert_int_equal(nearest(ja, 5, 100, "x"), 0);
    assert_int_equal(nearest(ja, 5, 100, "\xff\xfe\xf0"), 0);
    assert_int_equal(nearest(ja, 5, 100, "ライブ最高"), 1);
    assert_int_equal(nearest(ja, 5, 100, "昨日のライブは最高"), 1);
    assert_int_equal(nearest(ja, 5, 100, "本屋"), 2);
    assert_int_equal(nearest(ja, 5, 100, "新しい本を読んだ"), 0);
    /* a shorter text with the same n-gram is more similar; rare n-grams weigh more */
    static const char *const la[] = {"abxxxxxxyyyyyzzzz", "ab", "abcd", "abef", "qrab"};
    assert_int_equal(nearest(la, 5, 100, "ab"), 1);
    assert_int_equal(nearest(la, 5, 100, "abqr"), 4);
    /* "ab" is in five texts: with a limit of four it says nothing any more */
    assert_int_equal(nearest(la, 5, 4, "ab"), 0);
    assert_int_equal(nearest(la, 5, 4, "abef"), 3);
}

/* "ab" is twice in "abab", which also has ba, aba, bab; "abc" has ab, bc, abc. idf of ab is 1, of
 * the others 1 + ln(3/2): 2/3.15 against 1/2.22. Counted once each, "abc" would be nearer. */
static void test_term_frequency(void **state) {
    (void)state;
    static const char *const texts[] = {"abc", "abab"};
    assert_int_equal(nearest(texts, 2, 100, "ab"), 1);
    static const char *const swapped[] = {"abab", "abc"};
    assert_int_equal(nearest(swapped, 2, 100, "bc"), 1);
}

static void test_best(void **state) {
    (void)state;
    t5_str input[4], target[4], test[2], gold[2];
    t5_metrics m;
    char name[T5_NOMODEL_NAME];
    t5_error err = {0};
    strs((const char *const[]){"the cat sat", "a dog ran", "cats and dogs", "we sang"}, 4, input);
    strs((const char *const[]){"c", "d", "c d", "m"}, 4, target);
    strs((const char *const[]){"they sang", "the dog ran"}, 2, test);
    strs((const char *const[]){"m", "d"}, 2, gold);
    const t5_str top[] = {str("c"), str("d")};
    assert_int_equal(t5_nomodel_best(4, input, target, 2, test, gold, top, 2, &m, name, &err),
                     T5_OK);
    assert_string_equal(name, "the answer to the most similar training text");
    assert_true(m.avg_jaccard == 1);
    assert_true(m.diversity_non_top5_ratio == 0.5);
    strs((const char *const[]){"c", "c"}, 2, gold);
    assert_int_equal(t5_nomodel_best(4, input, target, 2, test, gold, top, 2, &m, name, &err),
                     T5_OK);
    assert_string_equal(name, "the 1 most frequent: c");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_rows),        cmocka_unit_test(test_frequent),
        cmocka_unit_test(test_long_name),      cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_term_frequency), cmocka_unit_test(test_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
