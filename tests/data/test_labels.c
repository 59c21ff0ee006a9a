/* The label table: order, ties, growth, refusals, and the figures published for the data set that
 * the shipped one is made after. */
#include "tests/data/fixture.h"

static void lists_that_are_refused(void **state) {
    (void)state;
    static const struct {
        int n;
        const char *names[3];
        int64_t counts[3];
        const char *text;
    } cases[] = {
        {1, {""}, {1}, "label 0 of the list: expected a name"},
        {1, {"a"}, {0}, "label 0 of the list: expected a name and a count of at least 1"},
        {2, {"a", "b"}, {1, -1}, "label 1 of the list"},
        {3, {"a", "b", "c"}, {3, 1, 2}, "label 2 of the list"},
        {2, {"a", "a"}, {2, 1}, "label 1 of the list is there twice: 'a'"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t5_str names[3];
        for (int l = 0; l < cases[i].n; l++)
            names[l] = str(cases[i].names[l]);
        t5_labels *labels;
        t5_error err;
        assert_error(t5_labels_from_list(cases[i].n, names, cases[i].counts, &labels, &err), err,
                     T5_ERR_INPUT, cases[i].text);
    }
}

static void texts_instead_of_labels_are_refused(void **state) {
    (void)state;
    t5_rows *rows;
    assert_int_equal(t5_rows_create(&rows, NULL), T5_OK);
    for (int i = 0; i <= T5_LABELS_MAX; i++) {
        char word[16];
        snprintf(word, sizeof word, "w%d", i);
        assert_int_equal(t5_rows_append(rows, str("x"), str(word), NULL), T5_OK);
    }
    t5_labels *labels;
    t5_error err;
    assert_error(t5_labels_count_rows(rows, &labels, &err), err, T5_ERR_INPUT,
                 "more than 1048576 distinct labels");
    t5_rows_destroy(rows);
}

static void most_frequent_first_and_ties_as_first_seen(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"x", "z b"}, {"x", "b a a"}, {"x", "c"}, {"x", " "}, {"x", "z a bb"}};
    static const struct {
        const char *name;
        int count;
    } expected[] = {{"a", 3}, {"z", 2}, {"b", 2}, {"c", 1}, {"bb", 1}};
    t5_rows *rows = rows_of(pairs, COUNT_OF(pairs));
    t5_labels *labels;
    assert_int_equal(t5_labels_count_rows(rows, &labels, NULL), T5_OK);
    t5_rows_destroy(rows); /* the table owns its names */
    assert_int_equal(t5_labels_size(labels), COUNT_OF(expected));
    assert_int_equal(t5_labels_total(labels), 9);
    for (int l = 0; l < (int)COUNT_OF(expected); l++) {
        assert_string_equal(t5_labels_name(labels, l).s, expected[l].name);
        assert_int_equal(t5_labels_name(labels, l).n, strlen(expected[l].name));
        assert_int_equal(t5_labels_occurrences(labels, l), expected[l].count);
        assert_int_equal(t5_labels_find(labels, str(expected[l].name)), l);
    }
    assert_int_equal(t5_labels_find(labels, str("")), -1);
    assert_int_equal(t5_labels_find(labels, str("bbb")), -1);
    assert_int_equal(t5_labels_find(labels, (t5_str){"bbb", 2}), 4);
    t5_labels_destroy(labels);
    t5_labels_destroy(NULL);
}

static void no_labels_at_all(void **state) {
    (void)state;
    t5_rows *rows = rows_of(NULL, 0);
    t5_labels *labels;
    assert_int_equal(t5_labels_count_rows(rows, &labels, NULL), T5_OK);
    assert_int_equal(t5_labels_size(labels), 0);
    assert_int_equal(t5_labels_find(labels, str("a")), -1);
    t5_labels_destroy(labels);
    assert_int_equal(t5_labels_from_list(0, NULL, NULL, &labels, NULL), T5_OK);
    assert_int_equal(t5_labels_total(labels), 0);
    t5_labels_destroy(labels);
    t5_rows_destroy(rows);
}

/* Through several growths: label i of 5,000 occurs once more than label i + 1. */
static void many_labels_are_found_again(void **state) {
    (void)state;
    enum { N = 5000 };
    t5_str *names = malloc(N * sizeof *names);
    int64_t *counts = malloc(N * sizeof *counts);
    char(*texts)[24] = malloc(N * sizeof *texts);
    for (int l = 0; l < N; l++) {
        snprintf(texts[l], sizeof texts[l], "label-%d", l * 7919 % N);
        names[l] = str(texts[l]);
        counts[l] = N - l;
    }
    t5_labels *labels;
    assert_int_equal(t5_labels_from_list(N, names, counts, &labels, NULL), T5_OK);
    assert_int_equal(t5_labels_total(labels), N * (N + 1) / 2);
    for (int l = 0; l < N; l++)
        assert_int_equal(t5_labels_find(labels, names[l]), l);
    assert_int_equal(t5_labels_find(labels, str("label-5000")), -1);
    t5_labels_destroy(labels);
    free(names);
    free(counts);
    free(texts);
}

static void published_figures_of_the_shipped_set(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int count;
    } top[] = {{"🎵", 511}, {"📚", 482}, {"🎉", 343}, {"🎤", 329},       {"🏆", 321},
               {"😅", 293}, {"😊", 284}, {"⚽", 248}, {"🏛️", 216}, {"🤔", 188}};
    t5_rows *rows = shipped_rows();
    assert_int_equal(t5_rows_count(rows), 5000);
    t5_labels *labels;
    assert_int_equal(t5_labels_count_rows(rows, &labels, NULL), T5_OK);
    for (int l = 0; l < (int)COUNT_OF(top); l++) {
        assert_string_equal(t5_labels_name(labels, l).s, top[l].name);
        assert_int_equal(t5_labels_occurrences(labels, l), top[l].count);
    }
    /* all of them against Python's Counter.most_common */
    uint64_t names = FNV_START;
    int64_t *counts = malloc((size_t)t5_labels_size(labels) * sizeof *counts);
    for (int l = 0; l < t5_labels_size(labels); l++) {
        t5_str name = t5_labels_name(labels, l);
        names = fnv(fnv(names, name.s, name.n), "\n", 1);
        counts[l] = t5_labels_occurrences(labels, l);
    }
    FILE *f = fopen(T5MPI_SOURCE_DIR "/tests/data/shipped_table.txt", "r");
    assert_non_null(f);
    int size;
    long long total;
    unsigned long long names_hash, counts_hash;
    assert_int_equal(
        fscanf(f, "#%*[^\n] %d %lld %llu %llu", &size, &total, &names_hash, &counts_hash), 4);
    fclose(f);
    assert_int_equal(size, 785);
    assert_int_equal(total, 13737);
    assert_int_equal(t5_labels_size(labels), size);
    assert_int_equal(t5_labels_total(labels), total);
    assert_int_equal(names, names_hash);
    assert_int_equal(fnv_numbers(counts, size), counts_hash);
    free(counts);
    t5_labels_destroy(labels);
    t5_rows_destroy(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_that_are_refused),
        cmocka_unit_test(texts_instead_of_labels_are_refused),
        cmocka_unit_test(most_frequent_first_and_ties_as_first_seen),
        cmocka_unit_test(no_labels_at_all),
        cmocka_unit_test(many_labels_are_found_again),
        cmocka_unit_test(published_figures_of_the_shipped_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
