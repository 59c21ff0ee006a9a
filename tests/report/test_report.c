/* The final report: what it says of trials that are known by heart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "report/report.h"
#include "report/table.h"
#include "report/width.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BASELINE, LR, TOP100, BOTH, FOCAL, N };

typedef struct fixture {
    t5_trial_summary trials[N];
    double goals[T5_N_FIGURES], figures[T5_N_FIGURES];
    t5_report report;
    char *text; /* what was printed */
} fixture;

static void set_trial(t5_trial_summary *t, const char *name, double rate, int top_n,
                      double jaccard) {
    *t = (t5_trial_summary){.status = "completed",
                            .spec = {.learning_rate = rate, .top_n = top_n},
                            .has_test = true,
                            .decision = -1,
                            .improved = -1,
                            .otherwise = -1,
                            .rows_train = top_n ? 1749 : 4000,
                            .rows_val = top_n ? 219 : 500,
                            .rows_test = top_n ? 219 : 500,
                            .best_epoch = 12,
                            .epochs = 20,
                            .spent = {.seconds = {[T5_TRAINING] = 80, [T5_TESTING] = 3}},
                            .gold_outside_top5 = 0.863};
    strcpy(t->name, name);
    t->spec.loss.label_smoothing = 0.1;
    t->test = (t5_metrics){.num_samples = t->rows_test,
                           .avg_jaccard = jaccard,
                           .exact_match_rate = jaccard / 10,
                           .micro_f1 = jaccard * 1.5,
                           .diversity_non_top5_ratio = jaccard * 4,
                           .diversity_unique_emojis = 40,
                           .diversity_top5_count = 100,
                           .diversity_non_top5_count = 300};
    t->no_model = (t5_metrics){.num_samples = t->rows_test, .avg_jaccard = top_n ? 0.094 : 0.058};
    strcpy(t->no_model_name, top_n ? "the 3 most frequent: 🎵 📚 🎉" : "the 2 most frequent: 🎵 📚");
}

/* The plan of the project: lr improves, so both; the filter ran ahead, focal did not run. */
static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    set_trial(&f->trials[BASELINE], "v3_baseline", 3e-4, 0, 0.15);
    set_trial(&f->trials[LR], "v3_lr1e-4", 1e-4, 0, 0.16);
    set_trial(&f->trials[TOP100], "v3_top100", 3e-4, 100, 0.17);
    set_trial(&f->trials[BOTH], "v3_lr1e-4_top100", 1e-4, 100, 0.18);
    set_trial(&f->trials[FOCAL], "v3_focal", 3e-4, 0, 0);
    f->trials[LR].decision = 1;
    f->trials[LR].improved = BOTH;
    f->trials[LR].otherwise = TOP100;
    f->trials[TOP100].improved = BOTH;
    f->trials[TOP100].otherwise = FOCAL;
    f->trials[BOTH].decision = 1;
    f->trials[FOCAL].spec.loss = (t5_loss_spec){T5_LOSS_FOCAL, 0, 2, 1};
    f->trials[FOCAL].has_test = false;
    f->trials[FOCAL].best_epoch = 0;
    f->trials[FOCAL].spent = (t5_spent){0};
    strcpy(f->trials[TOP100].status, "skipped");
    strcpy(f->trials[FOCAL].status, "skipped");
    for (int i = 0; i < T5_N_FIGURES; i++)
        f->goals[i] = f->figures[i] = NAN;
    f->goals[0] = 0.10;
    f->goals[1] = 0.0165;
    f->goals[6] = 0.75;
    f->report = (t5_report){.n = N,
                            .trials = f->trials,
                            .baseline = BASELINE,
                            .baseline_figures = f->figures,
                            .goals = f->goals,
                            .decide_by = "avg_jaccard",
                            .is_tree = true,
                            .results_path = "runs/v3/results.h5"};
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    free(f->text);
    free(f);
    return 0;
}

static const char *print(fixture *f, bool colour) {
    size_t bytes;
    free(f->text);
    FILE *out = open_memstream(&f->text, &bytes);
    assert_non_null(out);
    t5_report_print(&f->report, out, colour);
    fclose(out);
    return f->text;
}

/* Fails unless there is a line that begins with `start` and goes on with all of `parts`, in order.
 */
static void expect_line(const char *text, const char *start, const char *const *parts, int n) {
    const char *line = text;
    while (line && strncmp(line, start, strlen(start)))
        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    if (!line || !*line)
        fail_msg("no line begins with \"%s\" in:\n%s", start, text);
    const char *end = line + strcspn(line, "\n"), *at = line + strlen(start);
    for (int i = 0; i < n; i++) {
        at = strstr(at, parts[i]);
        if (!at || at + strlen(parts[i]) > end)
            fail_msg("\"%s\" is not in its place in: %.*s", parts[i], (int)(end - line), line);
        at += strlen(parts[i]);
    }
}

#define EXPECT_LINE(text, start, ...)                            \
    expect_line(text, start, (const char *const[]){__VA_ARGS__}, \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void expect_none(const char *text, const char *what) {
    if (strstr(text, what))
        fail_msg("\"%s\" is in:\n%s", what, text);
}

/* ---------------------------------------------------------------- trials that did not work */

static void test_failed(void **state) {
    fixture *f = *state;
    t5_trial_summary *t = &f->trials[LR];
    strcpy(t->status, "failed");
    strcpy(t->reason, "the loss is NaN in step 7");
    t->has_test = false;
    t->decision = 0;
    const char *text = print(f, false);
    EXPECT_LINE(text, "v3_lr1e-4 ", "failed", "1e-4", "all", "CE 0.1", "5000");
    EXPECT_LINE(text, "v3_lr1e-4: failed: the loss is NaN in step 7", "");
    EXPECT_LINE(text, "  v3_lr1e-4: failed, counts as not improved -> v3_top100", "");
    expect_none(text, "nan");
}

static void test_nothing_worked(void **state) {
    fixture *f = *state;
    for (int i = 0; i < N; i++) {
        f->trials[i].has_test = false;
        f->trials[i].rows_train = f->trials[i].rows_val = f->trials[i].rows_test = 0;
        f->trials[i].no_model = (t5_metrics){0};
        strcpy(f->trials[i].status, "failed");
        strcpy(f->trials[i].reason, "nothing left");
    }
    const char *text = print(f, true);
    expect_none(text, "nan");
    expect_none(text, "without a model");
    expect_none(text, "predictions");
    expect_none(text, " by 0");
    assert_non_null(strstr(text, "runs/v3/results.h5"));
}

static void test_collapsed(void **state) {
    fixture *f = *state;
    f->trials[BASELINE].test.diversity_unique_emojis = 5;
    f->trials[LR].test.diversity_non_top5_ratio = 0.049;
    f->trials[BOTH].test.diversity_top5_count = f->trials[BOTH].test.diversity_non_top5_count = 0;
    const char *text = print(f, false);
    EXPECT_LINE(text, "v3_baseline: the output collapsed: 5 distinct, 60.0% outside", "86.3%");
    EXPECT_LINE(text, "v3_lr1e-4: the output collapsed: 40 distinct, 4.9% outside", "");
    EXPECT_LINE(text, "v3_lr1e-4_top100: puts out nothing", "");
    expect_none(text, "v3_top100: the output");
}

static void test_no_trials(void **state) {
    fixture *f = *state;
    f->report.n = 0;
    f->report.baseline = -1;
    assert_non_null(strstr(print(f, false), "not met"));
}

/* A circle in what a file claims to be a tree ends. */
static void test_circle(void **state) {
    fixture *f = *state;
    for (int i = LR; i <= TOP100; i++)
        f->trials[i].decision = 1;
    f->trials[LR].improved = TOP100;
    f->trials[TOP100].improved = TOP100;
    print(f, false);
}

/* ---------------------------------------------------------------- trials that did */

static void test_table(void **state) {
    const char *text = print(*state, false);
    EXPECT_LINE(text, "v3_baseline ", "completed", "3e-4", "all", "CE 0.1", "5000", "0.1500 ",
                "1.5%", "0.225", "60.0%", "40", "12/20", "1m23s");
    EXPECT_LINE(text, "v3_lr1e-4_top100 ", "completed", "100", "2187", "0.1800*", "+0.030", "1.8%*",
                "0.270*", "72.0%*", "40*");
    EXPECT_LINE(text, "v3_focal ", "skipped", "focal 2", "5000");
    expect_none(text, "\nv3_baseline: ");
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(line, "\n");
        assert_true(n == 0 || line[n - 1] != ' ');
        if (strncmp(line, "v3_", 3) == 0)
            assert_true(t5_display_width(line, n) <= 110);
    }
}

static void test_goals(void **state) {
    fixture *f = *state;
    const char *text = print(f, false);
    EXPECT_LINE(text, "  avg_jaccard > 0.1 ", "met by 4 of 5, best: v3_lr1e-4_top100 0.1800");
    EXPECT_LINE(text, "  exact_match_rate > 0.0165 ",
                "met by 2 of 5: v3_top100 0.0170, v3_lr1e-4_top100 0.0180");
    EXPECT_LINE(text, "  diversity_non_top5_ratio > 0.75 ",
                "not met, best: v3_lr1e-4_top100 0.7200");
    EXPECT_LINE(text, "  all of them by one trial ", "not met");
    f->goals[6] = 0.70;
    EXPECT_LINE(print(f, false), "  all of them by one trial ", "met by v3_lr1e-4_top100");
    f->goals[0] = 0.18; /* more than, not as much as */
    EXPECT_LINE(print(f, false), "  avg_jaccard > 0.18 ", "not met, best: v3_lr1e-4_top100 0.1800");
}

static void test_no_model(void **state) {
    const char *text = print(*state, false);
    EXPECT_LINE(text, "  all labels  the 2 most frequent: 🎵 📚 ", "0.0580", "0.0%");
    EXPECT_LINE(text, "  500 rows    v3_lr1e-4 ", "0.1600");
    EXPECT_LINE(text, "  Top-100     the 3 most frequent: 🎵 📚 🎉", "0.0940");
    EXPECT_LINE(text, "  219 rows    v3_lr1e-4_top100 ", "0.1800");
    EXPECT_LINE(text, "              the gold answers ", "86.3%");
}

static void test_tree(void **state) {
    fixture *f = *state;
    const char *text = print(f, false);
    EXPECT_LINE(text, "  v3_lr1e-4: 0.1600 > 0.1500 of v3_baseline: improved -> v3_lr1e-4_top100",
                "");
    EXPECT_LINE(text, "  v3_lr1e-4_top100: 0.1800 > 0.1500 of v3_baseline: improved", "");
    EXPECT_LINE(text, "  not on the way: v3_top100 (ran ahead), v3_focal (not run)", "");
    f->report.is_tree = false;
    expect_none(print(f, false), "tree");
}

static void test_given_baseline(void **state) {
    fixture *f = *state;
    f->report.baseline = -1;
    f->figures[0] = 0.17;
    f->trials[LR].decision = 0;
    const char *text = print(f, false);
    EXPECT_LINE(text, "baseline ", "given", "0.1700");
    EXPECT_LINE(text, "v3_baseline ", "0.1500", "-0.020");
    EXPECT_LINE(
        text, "  v3_lr1e-4: 0.1600 < 0.1700 of the given baseline: not improved -> v3_top100", "");
}

/* Colours change nothing but the sequences themselves. */
static void test_colour(void **state) {
    fixture *f = *state;
    char *plain = strdup(print(f, false)), *coloured = f->text;
    assert_non_null(plain);
    assert_null(strchr(plain, '\x1b'));
    print(f, true);
    coloured = f->text;
    assert_non_null(strchr(coloured, '\x1b'));
    char *to = coloured;
    for (const char *from = coloured; *from; from++) {
        if (*from == '\x1b')
            from += strcspn(from, "m");
        else
            *to++ = *from;
    }
    *to = '\0';
    assert_string_equal(plain, coloured);
    free(plain);
}

/* ---------------------------------------------------------------- widths */

static void test_width(void **state) {
    static const struct {
        const char *text;
        int columns;
    } table[] = {{"", 0},
                 {"\xff\xf0\x9f", 3},
                 {"\n\x7f", 0},
                 {"abc", 3},
                 {"é", 1},
                 {"e\u0301", 1},
                 {"日本", 4},
                 {"ﾊﾝ", 2},
                 {"ｗ", 2},
                 {"🎵", 2},
                 {"🏛️", 2},
                 {"🏛", 1},
                 {"👍🏽", 2},
                 {"🇯🇵", 2},
                 {"👨‍👩‍👧", 2},
                 {"⚽ 🤔", 5},
                 {"❤️", 2},
                 {"⚽️", 2},
                 {"가", 2},
                 {"—", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(t5_display_width(table[i].text, strlen(table[i].text)), table[i].columns);
}

static void test_cut(void **state) {
    static const struct {
        const char *text;
        int columns;
        size_t bytes;
    } table[] = {{"", 5, 0},     {"abc", 0, 0},  {"abc", 2, 2},  {"abc", 9, 3},      {"日本", 1, 0},
                 {"日本", 2, 3}, {"日本", 3, 3}, {"日本", 4, 6}, {"e\u0301x", 1, 3}, {"🇯🇵x", 2, 8}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(t5_display_cut(table[i].text, strlen(table[i].text), table[i].columns),
                         table[i].bytes);
}

static void test_alignment(void **state) {
    static const t5_table_column columns[] = {
        {{"", "x"}, false, 0}, {{"", "unused"}, true, 2}, {{"two", "lines"}, true, 1}};
    (void)state;
    char *text;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    t5_table *t = t5_table_create(columns, 3);
    t5_table_cell(t, T5_STYLE_PLAIN, "🎵📚");
    t5_table_cell(t, T5_STYLE_PLAIN, "%s", "");
    t5_table_cell(t, T5_STYLE_BOLD, "%d", 7);
    t5_table_cell(t, T5_STYLE_PLAIN, "ab");
    t5_table_end_row(t);
    t5_table_end_row(t); /* nothing to be filled up */
    t5_table_print(t, out, 1, false);
    t5_table_destroy(t);
    t5_table_print(NULL, out, 0, false);
    fclose(out);
    assert_string_equal(text, "        two\n x    lines\n 🎵📚     7\n ab\n"
                              "(out of memory for this table)\n");
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_failed),
        TEST(test_nothing_worked),
        TEST(test_collapsed),
        TEST(test_no_trials),
        TEST(test_circle),
        TEST(test_table),
        TEST(test_goals),
        TEST(test_no_model),
        TEST(test_tree),
        TEST(test_given_baseline),
        TEST(test_colour),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
