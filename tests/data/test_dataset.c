/* Filter, split and shards of the shipped data set against Python's; and what is refused. */
#include "tests/data/fixture.h"

static const t5_dataset_options plan = {{0.8, 0.1, 0.1}, 42, 128, 32};

static t5_dataset *dataset_of(const t5_rows *rows, const t5_tokenizer *tok) {
    t5_dataset *set;
    assert_int_equal(t5_dataset_create(rows, tok, &plan, &set, NULL), T5_OK);
    return set;
}

static void options_that_are_refused(void **state) {
    const t5_tokenizer *tok = *state;
    static const char *const pairs[][2] = {{"x", "a"}};
    static const struct {
        size_t rows;
        int max_input, max_target;
        const char *text;
    } cases[] = {
        {0, 128, 32, "the data set has no rows"},
        {1, 0, 32, "max_input is 0 and max_target is 32; expected at least 1"},
        {1, 128, -1, "max_input is 128 and max_target is -1; expected at least 1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t5_rows *rows = rows_of(pairs, cases[i].rows);
        t5_dataset_options options = plan;
        options.max_input = cases[i].max_input;
        options.max_target = cases[i].max_target;
        t5_dataset *set;
        t5_error err;
        assert_error(t5_dataset_create(rows, tok, &options, &set, &err), err, T5_ERR_INPUT,
                     cases[i].text);
        t5_rows_destroy(rows);
    }
}

static void selections_that_are_empty(void **state) {
    /* Counts: a 3, b 2, c 2, d to j 1 each. Within the top 2: 1 row; within the top 3: 3 rows. */
    static const char *const pairs[][2] = {
        {"1", "a d"}, {"2", "b c"}, {"3", "c e"}, {"4", "a f g h"}, {"5", "a"}, {"6", "b i j"},
    };
    static const struct {
        int top_n;
        t5_status status;
        const char *text;
    } cases[] = {
        {-1, T5_ERR_INPUT, "top_n is -1; expected 0 (no filter) or more"},
        {1, T5_ERR_EMPTY,
         "top_n = 1 keeps 1 of 6 rows, too few for a training split of 0.8 of them"},
        {3, T5_ERR_EMPTY,
         "top_n = 3 keeps 2 of 6 rows, too few for a validation split of 0.1 of them"},
    };
    t5_rows *rows = rows_of(pairs, COUNT_OF(pairs));
    t5_dataset *set = dataset_of(rows, *state);
    const t5_selection *selection;
    t5_error err;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_error(t5_dataset_select(set, cases[i].top_n, &selection, &err), err, cases[i].status,
                     cases[i].text);
    t5_shard *shard;
    assert_error(t5_dataset_shard(set, 1, T5_TEST, 0, 1, &shard, &err), err, T5_ERR_EMPTY,
                 "top_n = 1 keeps 1");
    t5_dataset_destroy(set);
    t5_rows_destroy(rows);

    static const char *const pairs_of_two[][2] = {{"1", "a b"}, {"2", "a c"}};
    rows = rows_of(pairs_of_two, COUNT_OF(pairs_of_two));
    set = dataset_of(rows, *state);
    assert_error(
        t5_dataset_select(set, 1, &selection, &err), err, T5_ERR_EMPTY,
        "top_n = 1 keeps none of the 2 rows: each has a label that is not among the 1 most "
        "frequent");
    t5_dataset_destroy(set);
    t5_dataset_destroy(NULL);
    t5_rows_destroy(rows);
}

static void parts_that_do_not_exist(void **state) {
    (void)state;
    static const int cases[][3] = {{0, 0, T5_TRAIN},  {-1, 2, T5_TRAIN},   {2, 2, T5_TEST},
                                   {0, -1, T5_TRAIN}, {0, 1, T5_TEST + 1}, {0, 1, -1}};
    static const char *const pairs[][2] = {{"1", "a"}};
    t5_rows *rows = rows_of(pairs, 1);
    t5_dataset_options options = plan;
    options.split[0] = 1;
    options.split[1] = options.split[2] = 0; /* then only the training split must have rows */
    t5_dataset *set;
    assert_int_equal(t5_dataset_create(rows, *state, &options, &set, NULL), T5_OK);
    t5_shard *shard;
    t5_error err;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_error(t5_dataset_shard(set, 0, (t5_split_kind)cases[i][2], cases[i][0], cases[i][1],
                                      &shard, &err),
                     err, T5_ERR_INPUT, "there is no part");
    assert_int_equal(t5_dataset_shard(set, 0, T5_TEST, 0, 1, &shard, NULL), T5_OK);
    assert_int_equal(shard->n, 0);
    assert_int_equal(shard->n_total, 0);
    t5_shard_destroy(shard);
    t5_dataset_destroy(set);
    t5_rows_destroy(rows);
}

static void long_rows_are_cut_but_filtered_as_a_whole(void **state) {
    const t5_tokenizer *tok = *state;
    static const char *const pairs[][2] = {
        {"音楽を聴いた音楽を聴いた", "a b c"}, {"b", "a b"}, {"c", "a"}, {"d", "a"}};
    t5_rows *rows = rows_of(pairs, COUNT_OF(pairs));
    const t5_dataset_options options = {{1, 0, 0}, 0, 3, 3};
    t5_dataset *set;
    assert_int_equal(t5_dataset_create(rows, tok, &options, &set, NULL), T5_OK);
    t5_shard *shard;
    assert_int_equal(t5_dataset_shard(set, 0, T5_TRAIN, 0, 1, &shard, NULL), T5_OK);
    assert_int_equal(shard->n, 4);
    for (int64_t i = 0; i < shard->n; i++) {
        int64_t n_input = shard->input_start[i + 1] - shard->input_start[i];
        int64_t n_target = shard->target_start[i + 1] - shard->target_start[i];
        assert_int_equal(shard->input[shard->input_start[i + 1] - 1], 1);
        assert_int_equal(shard->target[shard->target_start[i + 1] - 1], 1);
        if (shard->row[i] == 0) {
            assert_int_equal(n_input, 3);
            assert_int_equal(n_target, 3);
            assert_memory_equal(shard->target + shard->target_start[i],
                                ((int32_t[]){4000, 4001, 1}), 12);
        }
    }
    t5_shard_destroy(shard);
    /* row 0's third label, which was cut, still keeps it out of the Top-2 */
    const t5_selection *selection;
    assert_int_equal(t5_dataset_select(set, 2, &selection, NULL), T5_OK);
    assert_int_equal(selection->n, 3);
    t5_dataset_destroy(set);
    t5_rows_destroy(rows);
}

/* tests/data/shipped_table.txt, made by Python */
static void splits_of_the_shipped_set(void **state) {
    t5_rows *rows = shipped_rows();
    t5_dataset *set = dataset_of(rows, *state);
    FILE *f = fopen(T5MPI_SOURCE_DIR "/tests/data/shipped_table.txt", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "#%*[^\n] %*[^\n] #%*[^\n] #%*[^\n]"), 0);
    int top_n, cases = 0;
    long long n, n_train, n_val, n_test;
    unsigned long long hash;
    while (fscanf(f, "%d %lld %lld %lld %lld %llu", &top_n, &n, &n_train, &n_val, &n_test, &hash) ==
           6) {
        const t5_selection *s, *again;
        assert_int_equal(t5_dataset_select(set, top_n, &s, NULL), T5_OK);
        assert_int_equal(s->top_n, top_n);
        assert_int_equal(s->n, n);
        assert_int_equal(s->split.n_train, n_train);
        assert_int_equal(s->split.n_val, n_val);
        assert_int_equal(s->split.n_test, n_test);
        assert_int_equal(fnv_numbers(s->order, s->n), hash);
        const int64_t starts[] = {0, n_train, n_train + n_val};
        for (int i = 0; i < 24; i++) {
            long long row;
            assert_int_equal(fscanf(f, "%lld", &row), 1);
            assert_int_equal(s->order[starts[i / 8] + i % 8], row);
        }
        assert_int_equal(t5_dataset_select(set, top_n, &again, NULL), T5_OK);
        assert_ptr_equal(s, again);
        cases++;
        if (top_n == 100)
            assert_int_equal(n, 2187); /* the published figure */
    }
    assert_true(feof(f));
    assert_int_equal(cases, 4);
    fclose(f);
    t5_dataset_destroy(set);
    t5_rows_destroy(rows);
}

/* Row `at` of the shard against what the tokeniser and the label table say of its text. */
static void check_row(const t5_dataset *set, const t5_tokenizer *tok, const t5_shard *s,
                      int64_t at) {
    const t5_rows *rows = t5_dataset_rows(set);
    int32_t ids[128];
    int n;
    assert_int_equal(t5_tokenizer_encode(tok, t5_rows_input(rows, s->row[at]), 128, ids, &n, NULL),
                     T5_OK);
    assert_int_equal(s->input_start[at + 1] - s->input_start[at], n);
    assert_memory_equal(s->input + s->input_start[at], ids, (size_t)n * sizeof *ids);
    t5_str rest = t5_rows_target(rows, s->row[at]), word;
    n = 0;
    while ((word = t5_next_word(&rest)).n > 0)
        ids[n++] = 4000 + t5_labels_find(t5_dataset_labels(set), word);
    ids[n++] = 1;
    assert_int_equal(s->target_start[at + 1] - s->target_start[at], n);
    assert_memory_equal(s->target + s->target_start[at], ids, (size_t)n * sizeof *ids);
}

static void shards_are_the_split_in_parts(void **state) {
    const t5_tokenizer *tok = *state;
    t5_rows *rows = shipped_rows();
    t5_dataset *set = dataset_of(rows, tok);
    const t5_selection *s;
    assert_int_equal(t5_dataset_select(set, 100, &s, NULL), T5_OK);
    static const int parts[] = {1, 2, 3, 7, 500}; /* the last: more parts than rows */
    const int64_t sizes[] = {s->split.n_train, s->split.n_val, s->split.n_test};
    for (size_t p = 0; p < COUNT_OF(parts); p++) {
        int64_t at = 0; /* in the order of the whole selection */
        for (int kind = T5_TRAIN; kind <= T5_TEST; kind++) {
            int64_t first = 0;
            for (int part = 0; part < parts[p]; part++) {
                t5_shard *shard;
                assert_int_equal(t5_dataset_shard(set, 100, kind, part, parts[p], &shard, NULL),
                                 T5_OK);
                assert_int_equal(shard->first, sizes[kind] * part / parts[p]);
                assert_int_equal(shard->first, first);
                assert_int_equal(shard->n_total, sizes[kind]);
                for (int64_t i = 0; i < shard->n; i++, at++) {
                    assert_int_equal(shard->row[i], s->order[at]);
                    check_row(set, tok, shard, i);
                }
                first += shard->n;
                t5_shard_destroy(shard);
            }
            assert_int_equal(first, sizes[kind]);
        }
        assert_int_equal(at, s->n);
    }
    t5_dataset_destroy(set);
    t5_rows_destroy(rows);
}

static int load(void **state) {
    *state = shipped_tokenizer();
    return 0;
}

static int unload(void **state) {
    t5_tokenizer_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_are_refused),
        cmocka_unit_test(selections_that_are_empty),
        cmocka_unit_test(parts_that_do_not_exist),
        cmocka_unit_test(long_rows_are_cut_but_filtered_as_a_whole),
        cmocka_unit_test(splits_of_the_shipped_set),
        cmocka_unit_test(shards_are_the_split_in_parts),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
