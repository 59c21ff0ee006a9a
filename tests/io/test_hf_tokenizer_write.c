/* A tokeniser's files: what cannot be written, and that they give back what they were made of.
 * Whether the tokeniser is the same one: tests/setup/test_hf_export.c. */
#include "io/hf_tokenizer.h"
#include "io/hf_write.h"
#include "tests/io/scratch.h"

#define TEXT(t) ((char[]){t})
#define NAME(t) \
    { .text = TEXT(t), .id = -1, .bare = true, .special = true }

static char model[] = "the model\0's bytes";
/* not in the order of their ids */
static t5_token_entry added[] = {
    {.text = TEXT("音"), .id = 9},
    {.text = TEXT("</s>"), .id = 1, .special = true},
    {.text = TEXT("<unk>"), .id = 2, .special = true, .normalized = true},
    {.text = TEXT("<pad>"), .id = 0, .special = true},
    {.text = TEXT("[B]"), .id = 3, .special = true, .lstrip = true},
    {.text = TEXT("<extra_id_0>"), .id = 8, .special = true, .lstrip = true, .rstrip = true},
    {.text = TEXT("w\"\\\n"), .id = 20, .single_word = true, .normalized = true},
};
static t5_token_entry special[] = {NAME("[B]"), NAME("</s>"),        NAME("<unk>"),
                                   NAME("[S]"), NAME("<pad>"),       NAME("[C]"),
                                   NAME("[M]"), NAME("<extra_id_0>")};
static const t5_tokenizer_files files = {.model = model,
                                         .model_bytes = sizeof model,
                                         .added = added,
                                         .n_added = COUNT_OF(added),
                                         .special = special,
                                         .n_special = COUNT_OF(special),
                                         .n_additional = 1,
                                         .eos = 1,
                                         .unk = 2,
                                         .pad = 4,
                                         .extra_ids = 1,
                                         .prefix_space = true};

static void refused(void **state) {
    (void)state;
    t5_token_entry bad = {.text = TEXT("a\xff"), .id = 5};
    t5_tokenizer_files wrong = files;
    t5_error err = {0};
    wrong.added = &bad;
    wrong.n_added = 1;
    assert_int_equal(t5_hf_tokenizer_write(".", &wrong, 8, 0, &err), T5_ERR_INPUT);
    assert_text(err, ".: a token of the tokeniser is not UTF-8");
    assert_int_equal(access("spiece.model", F_OK), -1);
    err = (t5_error){0};
    assert_int_equal(t5_hf_tokenizer_write("nowhere", &files, 8, 0, &err), T5_ERR_IO);
    assert_text(err, "nowhere/spiece.model: cannot be written: No such file or directory");
}

static const t5_token_entry *find(const t5_tokenizer_files *in, const char *text) {
    for (int i = 0; i < in->n_added; i++)
        if (strcmp(in->added[i].text, text) == 0)
            return &in->added[i];
    fail_msg("%s is not there", text);
    return NULL;
}

static void written_and_read(void **state) {
    (void)state;
    t5_tokenizer_files back;
    t5_error err = {0};
    for (int prefix = 0; prefix < 2; prefix++) {
        t5_tokenizer_files written = files;
        written.prefix_space = prefix;
        if (t5_hf_tokenizer_write(".", &written, 8, 0, &err) ||
            t5_hf_tokenizer_read(".", &back, &err))
            fail_msg("%s", err.text);
        assert_int_equal(back.model_bytes, sizeof model);
        assert_memory_equal(back.model, model, sizeof model);
        assert_true(back.n_added == files.n_added && back.n_special == files.n_special);
        for (int i = 0; i < files.n_added; i++) {
            const t5_token_entry *a = &files.added[i], *b = find(&back, a->text);
            assert_true(a->id == b->id && a->special == b->special && a->lstrip == b->lstrip &&
                        a->rstrip == b->rstrip && a->single_word == b->single_word &&
                        a->normalized == b->normalized);
            assert_true(i == 0 || back.added[i - 1].id < back.added[i].id);
        }
        for (int i = 0; i < files.n_special; i++) {
            assert_string_equal(back.special[i].text, files.special[i].text);
            assert_true(back.special[i].bare);
        }
        assert_true(back.eos == 1 && back.unk == 2 && back.pad == 4 && back.n_additional == 1 &&
                    back.extra_ids == 1 && back.prefix_space == (prefix != 0));
        t5_tokenizer_files_free(&back);
    }
}

static void assert_in_file(const char *name, const char *text, bool there) {
    char found[8000] = "";
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    assert_true(fread(found, 1, sizeof found - 1, f) > 0);
    fclose(f);
    if ((strstr(found, text) != NULL) != there)
        fail_msg("%s: %s is %sthere", name, text, there ? "not " : "");
}

static void fields(void **state) {
    (void)state;
    const char *config = "tokenizer_config.json", *map = "special_tokens_map.json";
    assert_int_equal(t5_hf_tokenizer_write(".", &files, 8, 128, NULL), T5_OK);
    assert_in_file(config, "\"legacy\": false", true);
    assert_in_file(config, "\"tokenizer_class\": \"T5Tokenizer\"", true);
    assert_in_file(config, "\"clean_up_tokenization_spaces\": false", true);
    assert_in_file(config, "\"model_max_length\": 128", true);
    assert_in_file(config, "\"eos_token\": \"</s>\"", true);
    assert_in_file(config, "\"bos_token\": \"[B]\"", true);
    assert_in_file(config, "\"cls_token\": \"[C]\"", true);
    assert_in_file(config, "\"mask_token\": \"[M]\"", true);
    assert_in_file(map, "\"eos_token\": {\n    \"content\": \"</s>\"", true);
    assert_in_file(map, "\"sep_token\": \"[S]\"", true); /* no flags: it is not among added */
    /* pieces are not among the added tokens there */
    assert_in_file("added_tokens.json", "\"<extra_id_0>\": 8,\n  \"音\": 9", true);
    assert_in_file("added_tokens.json", "[B]", false);
    assert_int_equal(t5_hf_tokenizer_write(".", &files, 8, 0, NULL), T5_OK);
    assert_in_file(config, "model_max_length", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(fields),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
