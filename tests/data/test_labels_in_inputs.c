/* Labels that occur inside inputs: tokens where the trial's model knows them, pieces where it does
 * not, whatever was asked before and in however many parts. */
#include "tests/data/fixture.h"

/* Rows of targets of label l: fewer and fewer, so this is the labels' order. The third and the last
 * are pieces, too; ♥ begins ♥️. */
static const char *const labels[] = {"🎵", "♥️", "楽", "音楽を", "♥", "1"};
enum { N_LABELS = COUNT_OF(labels), ROWS_OF_FIRST = 60, FEWER = 8, N_TEXTS = 3000 };

static const char *const fragments[] = {
    "🎵",    "♥️", "♥",  "楽", "音楽を", "1",    "音",  "を", " ",      "  ",     "①",
    "聞く", "Ａ",     "。", "！", "</s>",   "word", "cut", "🎉",  "\uff11", "\ufe0f", "▁",
};

static uint64_t next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Up to 9 fragments; room for 100 bytes. */
static void make_text(uint64_t *state, char *text) {
    *text = '\0';
    for (uint64_t n = next(state) % 10; n > 0; n--)
        strcat(text, fragments[next(state) % COUNT_OF(fragments)]);
}

static t5_rows *rows_with_labels_in_inputs(void) {
    uint64_t state = 1;
    t5_rows *rows;
    assert_int_equal(t5_rows_create(&rows, NULL), T5_OK);
    for (int l = 0; l < N_LABELS; l++)
        for (int i = 0; i < ROWS_OF_FIRST - FEWER * l; i++) {
            char text[100];
            make_text(&state, text);
            assert_int_equal(t5_rows_append(rows, str(text), str(labels[l]), NULL), T5_OK);
        }
    return rows;
}

/* One of a spiece.model alone, and one of a directory with tokens of every kind; both know the
 * labels. */
static t5_tokenizer *tokenizer_of_kind(int kind) {
    t5_token_entry added[] = {
        {.text = (char[]){"word"}, .id = 4000, .single_word = true},
        {.text = (char[]){"cut"}, .id = 4001, .lstrip = true, .rstrip = true},
        {.text = (char[]){"を聞"}, .id = 4002},
    };
    t5_tokenizer *tok =
        kind == 0 ? shipped_tokenizer() : tokenizer_with(added, 3, NULL, 0, 100, NULL);
    t5_labels *table = labels_of(N_LABELS, labels);
    assert_int_equal(t5_tokenizer_add_labels(tok, table, NULL), T5_OK);
    t5_labels_destroy(table);
    return tok;
}

typedef struct encoded {
    int n, last_label;
    int32_t ids[64];
} encoded;

static encoded encode(const t5_tokenizer *tok, int n_labels, t5_str text, int max_ids) {
    encoded e;
    assert_int_equal(
        t5_tokenizer_encode_seeing(tok, n_labels, text, max_ids, e.ids, &e.n, &e.last_label, NULL),
        T5_OK);
    return e;
}

static bool same_ids(const encoded *a, const encoded *b) {
    return a->n == b->n && memcmp(a->ids, b->ids, (size_t)a->n * sizeof *a->ids) == 0;
}

/* A full-width １ is the label 1: SentencePiece normalises it. */
static void the_last_label_of_a_text(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int max_ids, last_label;
    } cases[] = {
        {"", 32, -1},    {"word", 32, -1},      {"🎉</s>cut", 32, -1}, {"聞く", 32, -1},
        {"🎵", 32, 0},    {"♥️🎵", 32, 1}, {"♥🎵", 32, 4},        {"を音楽を", 32, 3},
        {"音楽", 32, 2}, {"聞く🎵", 2, 0}, /* cut off, but what stands before it ends there */
        {"を１", 32, 5}, {"word 🎵\n1", 32, 5},
    };
    for (int kind = 0; kind < 2; kind++) {
        t5_tokenizer *tok = tokenizer_of_kind(kind);
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            encoded e = encode(tok, N_LABELS, str(cases[i].text), cases[i].max_ids);
            if (e.last_label != cases[i].last_label)
                fail_msg("kind %d, '%s': %d, expected %d", kind, cases[i].text, e.last_label,
                         cases[i].last_label);
        }
        t5_tokenizer_destroy(tok);
    }
}

/* More labels than the last one that was met change nothing; fewer mostly do. */
static void labels_that_are_not_met_change_nothing(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        t5_tokenizer *tok = tokenizer_of_kind(kind);
        uint64_t random = 2;
        int changed = 0;
        for (int i = 0; i < N_TEXTS; i++) {
            char text[100];
            make_text(&random, text);
            encoded all = encode(tok, N_LABELS, str(text), 64);
            for (int n = 0; n < N_LABELS; n++) {
                encoded some = encode(tok, n, str(text), 64);
                assert_true(some.last_label < n);
                if (n > all.last_label && !same_ids(&some, &all))
                    fail_msg("kind %d, '%s': %d labels, the last met is %d", kind, text, n,
                             all.last_label);
                changed += n <= all.last_label && !same_ids(&some, &all);
            }
        }
        assert_true(changed > N_TEXTS);
        t5_tokenizer_destroy(tok);
    }
}

typedef struct counts {
    int rows, with_label, with_other;
} counts;

/* Every part of every split against the tokeniser; `seen` counts what the rows had. */
static void check_shards(t5_dataset *set, const t5_tokenizer *tok, int max_input, int top_n,
                         int parts, counts *seen) {
    int n_labels = top_n > 0 && top_n < N_LABELS ? top_n : N_LABELS;
    for (int kind = T5_TRAIN; kind <= T5_TEST; kind++)
        for (int part = 0; part < parts; part++) {
            t5_shard *s;
            assert_int_equal(t5_dataset_shard(set, top_n, kind, part, parts, &s, NULL), T5_OK);
            for (int64_t i = 0; i < s->n; i++) {
                t5_str text = t5_rows_input(t5_dataset_rows(set), s->row[i]);
                encoded e = encode(tok, n_labels, text, max_input);
                assert_int_equal(s->input_start[i + 1] - s->input_start[i], e.n);
                assert_memory_equal(s->input + s->input_start[i], e.ids, (size_t)e.n * 4);
                for (int k = 0; k < e.n; k++)
                    assert_true(e.ids[k] < t5_tokenizer_rows(tok, n_labels));
                assert_int_equal(s->target_start[i + 1] - s->target_start[i], 2);
                int32_t label = s->target[s->target_start[i]];
                assert_int_equal(s->target[s->target_start[i] + 1], t5_tokenizer_eos(tok));
                assert_int_equal(label, t5_tokenizer_label_id(
                                            tok, t5_labels_find(t5_dataset_labels(set),
                                                                t5_rows_target(t5_dataset_rows(set),
                                                                               s->row[i]))));
                seen->rows++;
                seen->with_label += e.last_label >= 0;
                seen->with_other += encode(tok, N_LABELS, text, max_input).last_label >= n_labels;
            }
            t5_shard_destroy(s);
        }
}

static void shards_have_the_labels_of_their_filter(void **state) {
    (void)state;
    static const int top_ns[] = {2, 0, 100, 1, N_LABELS, 3, 5, 2}, parts[] = {1, 2, 7};
    static const int max_inputs[] = {64, 4, 1};
    t5_rows *rows = rows_with_labels_in_inputs();
    for (int kind = 0; kind < 2; kind++)
        for (size_t m = 0; m < COUNT_OF(max_inputs); m++) {
            t5_tokenizer *tok = tokenizer_of_kind(kind);
            const t5_dataset_options options = {{0.8, 0.1, 0.1}, 42, max_inputs[m], 8};
            t5_dataset *set;
            assert_int_equal(t5_dataset_create(rows, tok, &options, &set, NULL), T5_OK);
            for (size_t t = 0; t < COUNT_OF(top_ns); t++)
                for (size_t p = 0; p < COUNT_OF(parts); p++) {
                    counts seen = {0};
                    check_shards(set, tok, max_inputs[m], top_ns[t], parts[p], &seen);
                    int kept = top_ns[t] > 0 && top_ns[t] < N_LABELS ? top_ns[t] : N_LABELS;
                    assert_int_equal(seen.rows,
                                     kept * ROWS_OF_FIRST - FEWER * kept * (kept - 1) / 2);
                    assert_true(seen.with_label > seen.rows / 10);
                    assert_true(kept == N_LABELS ? seen.with_other == 0 : seen.with_other > 4);
                }
            t5_dataset_destroy(set);
            t5_tokenizer_destroy(tok);
        }
    t5_rows_destroy(rows);
}

/* As the program's own tokeniser before it knows the labels: inputs are pieces. */
static void without_added_labels_inputs_are_pieces(void **state) {
    (void)state;
    t5_rows *rows = rows_with_labels_in_inputs();
    t5_tokenizer *tok = shipped_tokenizer();
    const t5_dataset_options options = {{1, 0, 0}, 42, 64, 8};
    t5_dataset *set;
    t5_shard *s;
    assert_int_equal(t5_dataset_create(rows, tok, &options, &set, NULL), T5_OK);
    assert_int_equal(t5_dataset_shard(set, 0, T5_TRAIN, 0, 1, &s, NULL), T5_OK);
    for (int64_t i = 0; i < s->input_start[s->n]; i++)
        assert_true(s->input[i] < t5_tokenizer_pieces(tok));
    t5_shard_destroy(s);
    t5_dataset_destroy(set);
    t5_tokenizer_destroy(tok);
    t5_rows_destroy(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_label_of_a_text),
        cmocka_unit_test(labels_that_are_not_met_change_nothing),
        cmocka_unit_test(shards_have_the_labels_of_their_filter),
        cmocka_unit_test(without_added_labels_inputs_are_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
