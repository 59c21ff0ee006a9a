/* compare_runs must see every difference, and nothing but differences. */
#include "cli/program.h"
#include "compare.h"
#include "io/store.h"

/* What a run has, and one thing changed in it. */
typedef struct variant {
    const char *what;
    double loss, seconds, rate;
    const char *answer, *status;
    int rows, ranks;
    double val_loss, jaccard, test_jaccard;
    const char *text;
    int answers;
} variant;

static const variant base = {"base", 0.5, 1, 1e-3, "🎉", "completed", 3, 2, 0.7, 0.1, 0.2, "a", 3};

static void make_run(const char *name, const variant *v) {
    t5_error err = {0};
    t5_store *s = NULL;
    run_result r = run("rm -rf %s && mkdir -p %s/trials", name, name);
    expect_status(name, &r, 0);
    free(r.output);
    char path[64];
    double loss[] = {1, v->loss, 0.25, 0.125}, seconds[] = {1, 2, v->seconds, 4};
    int64_t step[] = {1, 2, 3, 4};
    double val_loss[] = {1, v->val_loss}, jaccard[] = {0, v->jaccard};
    const char *answers[] = {v->answer, "", NULL, ""}, *texts[] = {v->text, "b", "c", "d"};
    snprintf(path, sizeof path, "%s/results.h5", name);
    assert_int_equal(t5_store_create(path, &s, &err), T5_OK);
    t5_store_attr_int(s, "/", "ranks", v->ranks);
    t5_store_link(s, "/trials/x", "trials/x.h5", "/");
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
    snprintf(path, sizeof path, "%s/trials/x.h5", name);
    assert_int_equal(t5_store_create(path, &s, &err), T5_OK);
    t5_store_attr_text(s, "/", "status", v->status);
    t5_store_attr_double(s, "/", "seconds", v->seconds);
    t5_store_attr_double(s, "/", "learning_rate", v->rate);
    t5_column train[] = {{"step", T5_COLUMN_INT, step},
                         {"loss", T5_COLUMN_DOUBLE, loss},
                         {"seconds", T5_COLUMN_DOUBLE, seconds}};
    t5_store_table(s, "/train", train, 3, v->rows);
    t5_column eval[] = {{"epoch", T5_COLUMN_INT, step},
                        {"loss", T5_COLUMN_DOUBLE, val_loss},
                        {"jaccard", T5_COLUMN_DOUBLE, jaccard}};
    t5_store_table(s, "/eval", eval, 3, 2);
    t5_column predictions[] = {{"text", T5_COLUMN_TEXT, texts}, {"pred", T5_COLUMN_TEXT, answers}};
    t5_store_table(s, "/predictions", predictions, 2, v->answers);
    t5_store_attr_double(s, "/test", "jaccard", v->test_jaccard);
    assert_int_equal(t5_store_commit(s, &err), T5_OK);
}

static void expect(const char *what, const compare_rules *how, compare_verdict verdict,
                   const char *text) {
    compare_rules rules = *how;
    char *said = NULL;
    size_t n;
    for (int turn = 0; turn < 2; turn++) {
        rules.out = open_memstream(&said, &n);
        compare_verdict got = compare_runs(turn ? "b" : "a", turn ? "a" : "b", &rules);
        fclose(rules.out);
        if (got != verdict || !strstr(said, text))
            fail_msg("%s: %d, expected %d and \"%s\": %s", what, got, verdict, text, said);
        if (verdict == COMPARE_SAME)
            assert_string_equal(said, "");
        free(said);
    }
}

static void values(void **state) {
    variant v;
    compare_rules strict = {0}, ranks = {.other_ranks = true}, near = {.within = 1e-3};
    (void)state;
    make_run("a", &base);
    make_run("b", &base);
    expect("the same", &strict, COMPARE_SAME, "");
    v = base, v.seconds = 7;
    make_run("b", &v);
    expect("times", &strict, COMPARE_SAME, "");
    v = base, v.loss = 0.5000001;
    make_run("b", &v);
    expect("a loss", &strict, COMPARE_DIFFERENT, "trials/x.h5: /train: value 1 of 3");
    expect("a loss nearly", &near, COMPARE_SAME, "");
    v = base, v.loss = 0.51;
    make_run("b", &v);
    expect("a loss by far", &near, COMPARE_DIFFERENT, "/train: value 1");
    v = base, v.rate = 2;
    make_run("b", &v);
    expect("an attribute", &strict, COMPARE_DIFFERENT, "/@learning_rate");
    v = base, v.rows = 4;
    make_run("b", &v);
    expect("a row too many", &near, COMPARE_DIFFERENT, "/train: ");
    v = base, v.status = "failed";
    make_run("b", &v);
    expect("a status", &near, COMPARE_DIFFERENT, "/@status");
    v = base, v.answer = "🎊";
    make_run("b", &v);
    expect("an answer", &strict, COMPARE_DIFFERENT, "/predictions: value 0");
    expect("an answer nearly", &near, COMPARE_SAME, "");
    v = base, v.answers = 4;
    make_run("b", &v);
    expect("an answer too many", &near, COMPARE_DIFFERENT, "/predictions: ");
    v = base, v.text = "A";
    make_run("b", &v);
    expect("a text", &near, COMPARE_DIFFERENT, "/predictions: value 0");
    v = base, v.jaccard = 0.3;
    make_run("b", &v);
    expect("a metric", &strict, COMPARE_DIFFERENT, "/eval: value 1");
    expect("a metric nearly", &near, COMPARE_SAME, "");
    v = base, v.val_loss = 0.8;
    make_run("b", &v);
    expect("a validation loss by far", &near, COMPARE_DIFFERENT, "/eval: value 1");
    v = base, v.test_jaccard = 0.3;
    make_run("b", &v);
    expect("a test metric", &strict, COMPARE_DIFFERENT, "/test@jaccard");
    expect("a test metric nearly", &near, COMPARE_SAME, "");
    v = base, v.ranks = 1;
    make_run("b", &v);
    expect("ranks", &strict, COMPARE_DIFFERENT, "results.h5: /@ranks");
    expect("other ranks", &ranks, COMPARE_SAME, "");
}

static void files(void **state) {
    static const struct {
        const char *command;
        compare_verdict verdict;
        const char *text;
    } cases[] = {
        {"touch b/.results.h5.tmp.1", COMPARE_DIFFERENT, ".results.h5.tmp.1: b: is only there"},
        {"mkdir b/checkpoints", COMPARE_DIFFERENT, "checkpoints: b: is only there"},
        {"rm b/trials/x.h5", COMPARE_DIFFERENT, "trials/x.h5: a: is only there"},
        {"rm b/results.h5", COMPARE_UNREADABLE, "cannot be read"},
        {"rm -r b", COMPARE_UNREADABLE, "cannot be read"},
        {"truncate -s 100 b/trials/x.h5", COMPARE_UNREADABLE, "trials/x.h5: b: cannot be read"},
        {"echo > b/results.h5", COMPARE_UNREADABLE, "results.h5: b: cannot be read"},
    };
    (void)state;
    make_run("a", &base);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_run("b", &base);
        run_result r = run("%s", cases[i].command);
        expect_status(cases[i].command, &r, 0);
        free(r.output);
        expect(cases[i].command, &(compare_rules){0}, cases[i].verdict, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(files)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
