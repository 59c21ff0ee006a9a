/* Labels as tokens: their ids, in texts and in answers. How a directory's tokens encode is in
 * tests/setup/test_tokenizer_ids.c. */
#include "tests/data/fixture.h"

static void sentinels_that_do_not_fit(void **state) {
    (void)state;
    t5_token_entry more[] = {{.text = (char[]){"<extra_id_0>"}, .id = -1, .bare = true}};
    t5_error err = {0};
    assert_null(tokenizer_with(NULL, 0, more, 1, 2, &err));
    assert_int_equal(err.status, T5_ERR_INPUT);
    assert_non_null(strstr(err.text, "extra_ids is 2, but 1 of its additional special tokens"));
}

static void labels_that_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"</s>", "<unk>", "<pad>"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        t5_tokenizer *toks[] = {shipped_tokenizer(), tokenizer_with(NULL, 0, NULL, 0, 100, NULL)};
        const char *const names[] = {"🎵", texts[i]};
        t5_labels *labels = labels_of(2, names);
        for (size_t k = 0; k < COUNT_OF(toks); k++) {
            t5_error err;
            int before = t5_added_tokens_size(t5_tokenizer_added(toks[k]));
            assert_error(t5_tokenizer_add_labels(toks[k], labels, &err), err, T5_ERR_INPUT,
                         "is the tokeniser's end, unknown or pad token");
            assert_int_equal(t5_added_tokens_size(t5_tokenizer_added(toks[k])), before);
            t5_tokenizer_destroy(toks[k]);
        }
        t5_labels_destroy(labels);
    }
}

/* Of these "楽" is a piece. */
static const char *const names[] = {"🎵", "楽", "新しい語", "★★", "🎉"};

static void behind_a_model_alone_labels_follow_the_pieces(void **state) {
    (void)state;
    t5_tokenizer *tok = shipped_tokenizer();
    t5_labels *labels = labels_of(5, names);
    assert_int_equal(t5_tokenizer_rows(tok, 5), 4005); /* without having been added, too */
    assert_int_equal(t5_tokenizer_label_id(tok, 1), 4001);
    assert_int_equal(t5_tokenizer_add_labels(tok, labels, NULL), T5_OK);
    for (int l = 0; l < 5; l++)
        assert_int_equal(t5_tokenizer_label_id(tok, l), 4000 + l);
    assert_int_equal(t5_tokenizer_rows(tok, 3), 4003);
    t5_labels_destroy(labels);
    t5_tokenizer_destroy(tok);
}

static void new_labels_get_the_first_free_ids(void **state) {
    (void)state;
    t5_token_entry added[] = {{.text = (char[]){"新しい語"}, .id = 4007},
                              {.text = (char[]){"x"}, .id = 4003},
                              {.text = (char[]){"y"}, .id = 4050}};
    t5_token_entry more[] = {{.text = (char[]){"★★"}, .id = -1, .bare = true, .special = true}};
    t5_tokenizer *tok = tokenizer_with(added, 3, more, 1, 0, NULL);
    t5_labels *labels = labels_of(5, names);
    /* 4000 pieces and 3 tokens (the special ones are pieces): ★★ is 4003, as add_tokens has it,
     * although x has that id; the first label is 4004 */
    assert_int_equal(t5_added_tokens_vocabulary(t5_tokenizer_added(tok)), 4004);
    assert_int_equal(t5_tokenizer_rows(tok, 0), 4051);
    assert_int_equal(t5_tokenizer_add_labels(tok, labels, NULL), T5_OK);
    assert_int_equal(t5_tokenizer_label_id(tok, 0), 4004);
    assert_int_equal(t5_tokenizer_label_id(tok, 1), 208); /* a piece */
    assert_int_equal(t5_tokenizer_label_id(tok, 2), 4007);
    assert_int_equal(t5_tokenizer_label_id(tok, 3), 4003);
    assert_int_equal(t5_tokenizer_label_id(tok, 4), 4005);
    assert_int_equal(t5_tokenizer_rows(tok, 5), 4051); /* never fewer than the files' tokens need */
    t5_labels_destroy(labels);
    t5_tokenizer_destroy(tok);
}

static void ids_that_are_taken_are_skipped(void **state) {
    (void)state;
    t5_token_entry added[] = {{.text = (char[]){"x"}, .id = 4001}};
    t5_tokenizer *tok = tokenizer_with(added, 1, NULL, 0, 0, NULL);
    t5_labels *labels = labels_of(5, names);
    assert_int_equal(t5_tokenizer_add_labels(tok, labels, NULL), T5_OK);
    assert_int_equal(t5_tokenizer_label_id(tok, 0), 4002); /* add_tokens: 4001, as x */
    t5_labels_destroy(labels);
    t5_tokenizer_destroy(tok);
}

static void labels_in_texts_as_far_as_they_are_known(void **state) {
    (void)state;
    t5_tokenizer *tok = tokenizer_with(NULL, 0, NULL, 0, 0, NULL);
    t5_labels *labels = labels_of(5, names);
    assert_int_equal(t5_tokenizer_add_labels(tok, labels, NULL), T5_OK);
    static const struct {
        int n_labels, n;
        int32_t ids[8];
    } cases[] = {
        {0, 4, {2025, 208, 2, 1}},    /* ▁音 楽 unknown */
        {1, 4, {2025, 208, 4000, 1}}, /* ▁音 楽 🎵 */
        {5, 4, {2025, 208, 4000, 1}}, /* ▁音, 楽 as a label with its piece's id, 🎵 */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int32_t ids[8];
        int n;
        assert_int_equal(
            t5_tokenizer_encode_with(tok, cases[i].n_labels, str("音楽🎵"), 8, ids, &n, NULL),
            T5_OK);
        assert_int_equal(n, cases[i].n);
        assert_memory_equal(ids, cases[i].ids, (size_t)n * sizeof *ids);
    }
    t5_labels_destroy(labels);
    t5_tokenizer_destroy(tok);
}

static void answers_are_words(void **state) {
    (void)state;
    t5_token_entry added[] = {{.text = (char[]){"x y"}, .id = 4000}};
    t5_token_entry more[] = {{.text = (char[]){"★★"}, .id = -1, .bare = true, .special = true},
                             {.text = (char[]){"[S]"}, .id = -1, .bare = true, .special = true}};
    t5_tokenizer *tok = tokenizer_with(added, 1, more, 2, 0, NULL);
    t5_labels *labels = labels_of(5, names);
    assert_int_equal(t5_tokenizer_add_labels(tok, labels, NULL), T5_OK);
    int32_t ids[] = {0,
                     t5_tokenizer_label_id(tok, 0),
                     208,                           /* the label 楽, not the piece */
                     t5_tokenizer_label_id(tok, 3), /* special, but a label */
                     4002,                          /* [S]: special */
                     4000,
                     2025,
                     9999,
                     1};
    char *text;
    assert_int_equal(t5_tokenizer_decode(tok, labels, ids, COUNT_OF(ids), &text, NULL), T5_OK);
    assert_string_equal(text, "🎵 楽 ★★ x y 音");
    free(text);
    assert_int_equal(t5_tokenizer_decode(tok, NULL, ids, COUNT_OF(ids), &text, NULL), T5_OK);
    assert_string_equal(text, "楽 x y 音");
    free(text);
    t5_labels_destroy(labels);
    t5_tokenizer_destroy(tok);
}

/* Against looking at every token at every place, for tokens that are beginnings of each other. */
static void the_longest_token_is_found(void **state) {
    (void)state;
    static const char *const texts[] = {"a",  "ab", "abc",         "b",  "bca", "🎵",
                                        "🎵🎵", "👨",  "👨‍👩", "ca", "\xff"};
    const int n = (int)COUNT_OF(texts);
    t5_tokenizer *tok = shipped_tokenizer();
    t5_labels *labels = labels_of(n, texts);
    assert_int_equal(t5_tokenizer_add_labels(tok, labels, NULL), T5_OK);
    const t5_str text = str("abcabcab🎵🎵🎵bcbcaca👨‍👩👨‍\xff\xff");
    for (size_t at = 0; at <= text.n; at++)
        for (int known = 0; known <= n; known++) {
            int longest = -1;
            for (int l = 0; l < known; l++) {
                size_t length = strlen(texts[l]);
                if (length <= text.n - at && memcmp(text.s + at, texts[l], length) == 0 &&
                    (longest < 0 || length > strlen(texts[longest])))
                    longest = l;
            }
            const t5_added_token *found = t5_added_tokens_match(t5_tokenizer_added(tok), known,
                                                                (t5_str){text.s + at, text.n - at});
            assert_int_equal(found ? found->label : -1, longest);
        }
    t5_labels_destroy(labels);
    t5_tokenizer_destroy(tok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentinels_that_do_not_fit),
        cmocka_unit_test(labels_that_are_refused),
        cmocka_unit_test(behind_a_model_alone_labels_follow_the_pieces),
        cmocka_unit_test(new_labels_get_the_first_free_ids),
        cmocka_unit_test(ids_that_are_taken_are_skipped),
        cmocka_unit_test(labels_in_texts_as_far_as_they_are_known),
        cmocka_unit_test(answers_are_words),
        cmocka_unit_test(the_longest_token_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
