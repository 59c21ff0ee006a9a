/* The metrics: real outputs with their published scores, and cases worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "score/metrics.h"
#include "score/words.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static t5_str str(const char *s) {
    return (t5_str){s, strlen(s)};
}

static void assert_near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g is not %.17g", a, b);
}

/* ---------------------------------------------------------------- one row */

typedef struct row_case {
    const char *gold, *pred;
    double jaccard, precision, recall, f1;
    int exact;
} row_case;

static void test_rows(void **state) {
    static const row_case table[] = {
        {"", "", 1, 1, 1, 1, 1},
        {" \t\u3000\u00a0", "\n", 1, 1, 1, 1, 1},
        {"🎵", "", 0, 0, 0, 0, 0},
        {"", "🎵", 0, 0, 0, 0, 0},
        {"🎵", "📚", 0, 0, 0, 0, 0},
        {"🎵", "🎵📚", 0, 0, 0, 0, 0},
        {"🎵", "🎵", 1, 1, 1, 1, 1},
        {"🎵 📚", "📚 🎵", 1, 1, 1, 1, 1},
        {"🎵 🎵", "🎵", 1, 1, 1, 1, 1},
        {"🎵 📚", "🎵 🎵 🎵", 0.5, 1, 0.5, 2.0 / 3, 0},
        {"🎵\u3000📚", "🎵\u2003😊  ", 1.0 / 3, 0.5, 0.5, 0.5, 0},
        {"a b c d", "d e", 0.2, 0.5, 0.25, 1.0 / 3, 0},
        {"🏛️", "🏛", 0, 0, 0, 0, 0}, /* a variation selector makes another label */
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        t5_row_score s;
        t5_error err = {0};
        assert_int_equal(t5_score_row(str(table[i].gold), str(table[i].pred), &s, &err), T5_OK);
        assert_near(s.jaccard, table[i].jaccard, 1e-15);
        assert_near(s.precision, table[i].precision, 1e-15);
        assert_near(s.recall, table[i].recall, 1e-15);
        assert_near(s.f1, table[i].f1, 1e-15);
        assert_int_equal(s.exact_match, table[i].exact);
    }
}

/* ---------------------------------------------------------------- all rows */

static void test_nothing(void **state) {
    (void)state;
    t5_metrics m = {.num_samples = 7, .avg_f1 = 1};
    t5_error err = {0};
    assert_int_equal(t5_score_rows(0, NULL, NULL, NULL, 0, &m, &err), T5_OK);
    for (int i = 0; i < T5_N_METRICS; i++)
        assert_true(t5_metric_value(&m, i) == 0);
}

static void test_nothing_put_out(void **state) {
    (void)state;
    const t5_str gold[] = {str("🎵"), str("")}, pred[] = {str(""), str(" ")}, top[] = {str("🎵")};
    t5_metrics m;
    t5_error err = {0};
    assert_int_equal(t5_score_rows(2, gold, pred, top, 1, &m, &err), T5_OK);
    assert_true(m.avg_jaccard == 0.5 && m.exact_match_rate == 0.5);
    assert_true(m.micro_f1 == 0 && m.diversity_non_top5_ratio == 0);
    assert_int_equal(m.diversity_unique_emojis, 0);
}

/* gold a b | c | a b c, pred a a x | c | b y y: intersections 1 1 1, sizes gold 2 1 3, pred 2 1 2
 */
static void test_by_hand(void **state) {
    (void)state;
    const t5_str gold[] = {str("a b"), str("c"), str("a b c")};
    const t5_str pred[] = {str("a a x"), str("c"), str("b y y")};
    const t5_str top[] = {str("a"), str("b"), str("q")};
    t5_metrics m;
    t5_error err = {0};
    assert_int_equal(t5_score_rows(3, gold, pred, top, 3, &m, &err), T5_OK);
    const double want[T5_N_METRICS] = {(1.0 / 3 + 1 + 1.0 / 4) / 3,
                                       1.0 / 3,
                                       2 * 3.0 / (5 + 6),
                                       (0.5 + 1 + 0.5) / 3,
                                       (0.5 + 1 + 1.0 / 3) / 3,
                                       (0.5 + 1 + 0.4) / 3,
                                       3,
                                       4.0 / 7,
                                       5,
                                       3,
                                       4};
    for (int i = 0; i < T5_N_METRICS; i++)
        assert_near(t5_metric_value(&m, i), want[i], 1e-15);
}

static void test_names(void **state) {
    static const char *const names[T5_N_METRICS] = {"avg_jaccard",
                                                    "exact_match_rate",
                                                    "micro_f1",
                                                    "avg_precision",
                                                    "avg_recall",
                                                    "avg_f1",
                                                    "num_samples",
                                                    "diversity_non_top5_ratio",
                                                    "diversity_unique_emojis",
                                                    "diversity_top5_count",
                                                    "diversity_non_top5_count"};
    (void)state;
    assert_int_equal(t5_metric_find("jaccard"), -1);
    for (int i = 0; i < T5_N_METRICS; i++) {
        assert_string_equal(t5_metric_names[i], names[i]);
        assert_int_equal(t5_metric_find(names[i]), i);
        int count =
            strstr(names[i], "count") || strstr(names[i], "num_") || strstr(names[i], "unique");
        assert_int_equal(t5_metric_is_count(i), count);
    }
}

/* Thousands of words in a row: gold are the even, pred the numbers divisible by three, twice each.
 */
static void test_long_row(void **state) {
    enum { N = 6000 };
    (void)state;
    char *gold = calloc(N, 8), *pred = calloc(N, 16);
    size_t ng = 0, np = 0;
    assert_true(gold && pred);
    for (int i = 0; i < N; i++) {
        if (i % 2 == 0)
            ng += (size_t)sprintf(gold + ng, "w%d ", i);
        if (i % 3 == 0)
            np += (size_t)sprintf(pred + np, "w%d w%d ", i, i);
    }
    t5_row_score s;
    t5_error err = {0};
    assert_int_equal(t5_score_row((t5_str){gold, ng}, (t5_str){pred, np}, &s, &err), T5_OK);
    assert_int_equal(s.n_gold, N / 2);
    assert_int_equal(s.n_pred, N / 3);
    assert_int_equal(s.overlap, N / 6);
    free(gold);
    free(pred);
}

/* ---------------------------------------------------------------- words */

static void test_words(void **state) {
    (void)state;
    t5_words w = {0};
    t5_error err = {0};
    t5_str top[4];
    const char *const text[] = {"b", "a", "c", "a", "d", "d", "c", "e"};
    assert_int_equal(t5_words_find(&w, str("a")), -1);
    assert_int_equal(t5_words_most_frequent(&w, 4, top), 0);
    t5_words_clear(&w);
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        assert_int_equal(t5_words_add(&w, str(text[i]), &err), T5_OK);
    assert_int_equal(w.n, 5);
    assert_int_equal(t5_words_find(&w, str("c")), 2);
    assert_int_equal(t5_words_find(&w, str("f")), -1);
    assert_int_equal(t5_words_most_frequent(&w, 0, top), 0);
    assert_int_equal(t5_words_most_frequent(&w, 4, top), 4);
    const char *const order = "acdb"; /* a, c and d twice, a first; then b before e */
    for (int i = 0; i < 4; i++)
        assert_int_equal(top[i].s[0], order[i]);
    t5_words_clear(&w);
    assert_int_equal(w.n, 0);
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        assert_int_equal(t5_words_find(&w, str(text[i])), -1);
    t5_words_free(&w);
}

/* Many words, cleared and filled again: what was cleared is gone, what was added is found. */
static void test_words_cleared(void **state) {
    enum { N = 3000 };
    (void)state;
    static char text[N][16];
    t5_words w = {0};
    t5_error err = {0};
    for (int i = 0; i < N; i++)
        snprintf(text[i], sizeof text[i], "%d", i);
    for (int round = 0; round < 3; round++) {
        for (int i = round; i < N; i += 1 + round)
            assert_int_equal(t5_words_add(&w, str(text[i]), &err), T5_OK);
        for (int i = 0; i < N; i++)
            assert_int_equal(t5_words_find(&w, str(text[i])) >= 0,
                             i >= round && (i - round) % (1 + round) == 0);
        t5_words_clear(&w);
    }
    t5_words_free(&w);
}

/* ---------------------------------------------------------------- real outputs */

static t5_str json_str(const json_t *row, const char *key) {
    const json_t *value = json_object_get(row, key);
    assert_true(json_is_string(value));
    return (t5_str){json_string_value(value), json_string_length(value)};
}

static double json_figure(const json_t *row, const char *key) {
    const json_t *value = json_object_get(row, key);
    assert_non_null(value);
    return json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
}

static int check_file(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    enum { MAX = 1000 };
    json_t *rows[MAX];
    t5_str gold[MAX], pred[MAX];
    double sum[5] = {0};
    static const char *const keys[5] = {"jaccard", "precision", "recall", "f1", "exact_match"};
    t5_error err = {0};
    int n = 0;
    while (n < MAX && (rows[n] = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL))) {
        t5_row_score s;
        gold[n] = json_str(rows[n], "gold");
        pred[n] = json_str(rows[n], "pred");
        assert_int_equal(t5_score_row(gold[n], pred[n], &s, &err), T5_OK);
        const double got[5] = {s.jaccard, s.precision, s.recall, s.f1, s.exact_match};
        for (int k = 0; k < 5; k++) {
            assert_near(got[k], json_figure(rows[n], keys[k]), 1e-9);
            sum[k] += json_figure(rows[n], keys[k]);
        }
        n++;
    }
    fclose(f);
    t5_metrics m;
    assert_int_equal(t5_score_rows(n, gold, pred, NULL, 0, &m, &err), T5_OK);
    const double all[5] = {m.avg_jaccard, m.avg_precision, m.avg_recall, m.avg_f1,
                           m.exact_match_rate};
    for (int k = 0; k < 5 && n > 0; k++)
        assert_near(all[k], sum[k] / n, 1e-9);
    for (int i = 0; i < n; i++)
        json_decref(rows[i]);
    return n;
}

static void test_real_outputs(void **state) {
    static const char *const files[] = {"v3_lr1e-4_top100", "v3_top100", "v4_focal_top50"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/../shared/data/predictions/%s.jsonl", T5MPI_SOURCE_DIR,
                 files[i]);
        FILE *f = fopen(path, "r");
        if (!f) {
            print_message("%s is not there: skipped\n", path);
            skip();
        }
        fclose(f);
        assert_int_equal(check_file(path), 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_nothing_put_out),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_row),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_cleared),
        cmocka_unit_test(test_real_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
