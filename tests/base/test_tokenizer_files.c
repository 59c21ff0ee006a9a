/* A tokeniser's files as a block of bytes: there, back, and damaged. */
#include "base/tokenizer_files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static t5_token_entry added[] = {
    {.text = (char[]){"🎵"}, .id = 4100, .lstrip = true, .single_word = true, .normalized = true},
    {.text = (char[]){"a"}, .id = T5_TOKEN_ID_MAX - 1, .rstrip = true},
};
static t5_token_entry special[] = {
    {.text = (char[]){"</s>"}, .id = -1, .bare = true, .special = true},
    {.text = (char[]){"<unk>"}, .id = -1, .special = true},
    {.text = (char[]){"<extra_id_0>"}, .id = -1, .special = true},
};
static const t5_tokenizer_files example = {.model = (char[]){"the model"},
                                           .model_bytes = 9,
                                           .added = added,
                                           .n_added = 2,
                                           .special = special,
                                           .n_special = 3,
                                           .n_additional = 1,
                                           .eos = 0,
                                           .unk = 1,
                                           .pad = 2,
                                           .extra_ids = 1,
                                           .prefix_space = true};

static void same_entries(const t5_token_entry *a, const t5_token_entry *b, int n) {
    for (int i = 0; i < n; i++) {
        assert_string_equal(a[i].text, b[i].text);
        assert_int_equal(a[i].id, b[i].id);
        assert_true(a[i].bare == b[i].bare && a[i].special == b[i].special &&
                    a[i].lstrip == b[i].lstrip && a[i].rstrip == b[i].rstrip &&
                    a[i].single_word == b[i].single_word && a[i].normalized == b[i].normalized);
    }
}

static void assert_empty(const t5_tokenizer_files *files) {
    const t5_tokenizer_files empty = {0};
    assert_memory_equal(files, &empty, sizeof empty);
}

static void blocks_that_are_damaged(void **state) {
    (void)state;
    void *block;
    size_t bytes;
    t5_tokenizer_files files;
    assert_int_equal(t5_tokenizer_files_pack(&example, &block, &bytes, NULL), T5_OK);
    assert_int_equal(t5_tokenizer_files_unpack(NULL, 0, &files, NULL), T5_ERR_INPUT);
    for (size_t n = 0; n < bytes; n++) { /* cut short: in memory of its own for the sanitiser */
        char *cut = malloc(n + 1);
        memcpy(cut, block, n);
        t5_error err = {0};
        assert_int_equal(t5_tokenizer_files_unpack(cut, n, &files, &err), T5_ERR_INPUT);
        assert_empty(&files);
        free(cut);
    }
    char *longer = malloc(bytes + 1);
    memcpy(longer, block, bytes);
    longer[bytes] = 'x';
    assert_int_equal(t5_tokenizer_files_unpack(longer, bytes + 1, &files, NULL), T5_ERR_INPUT);
    for (size_t bit = 0; bit < 8 * bytes; bit++) { /* a bit flipped: refused or still in order */
        longer[bit / 8] ^= (char)(1 << bit % 8);
        if (t5_tokenizer_files_unpack(longer, bytes, &files, NULL) == T5_OK) {
            assert_true(files.eos < files.n_special && files.unk < files.n_special &&
                        files.pad < files.n_special && files.n_additional <= files.n_special);
            t5_tokenizer_files_free(&files);
        }
        assert_empty(&files);
        longer[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(longer);
    free(block);
}

static void there_and_back(void **state) {
    (void)state;
    void *block;
    size_t bytes;
    t5_tokenizer_files files;
    assert_int_equal(t5_tokenizer_files_pack(&example, &block, &bytes, NULL), T5_OK);
    assert_true(t5_tokenizer_files_is_block(block, bytes));
    assert_false(t5_tokenizer_files_is_block(block, 7));
    assert_false(t5_tokenizer_files_is_block(example.model, example.model_bytes));
    assert_int_equal(t5_tokenizer_files_unpack(block, bytes, &files, NULL), T5_OK);
    memset(block, 0, bytes); /* copies */
    assert_int_equal(files.model_bytes, 9);
    assert_memory_equal(files.model, "the model", 9);
    assert_int_equal(files.n_added, 2);
    assert_int_equal(files.n_special, 3);
    same_entries(files.added, added, 2);
    same_entries(files.special, special, 3);
    assert_true(files.n_additional == 1 && files.eos == 0 && files.unk == 1 && files.pad == 2 &&
                files.extra_ids == 1 && files.prefix_space);
    t5_tokenizer_files_free(&files);
    assert_empty(&files);
    free(block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_that_are_damaged),
        cmocka_unit_test(there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
