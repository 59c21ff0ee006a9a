/* Directories that are refused, and what is made of the files of those that are not. */
#include "io/hf_tokenizer.h"
#include "tests/io/scratch.h"

static const char *const files[] = {"spiece.model", "tokenizer_config.json",
                                    "special_tokens_map.json", "added_tokens.json",
                                    "tokenizer.json"};
enum { MODEL, CONFIG, MAP, ADDED, FAST };

/* The folder "m" with these contents; NULL: no such file. */
static void make_folder(const char *const contents[COUNT_OF(files)]) {
    mkdir("m", 0777);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[64];
        snprintf(path, sizeof path, "m/%s", files[i]);
        remove(path);
        if (contents[i])
            write_file(path, contents[i], strlen(contents[i]));
    }
}

static const struct {
    const char *contents[COUNT_OF(files)];
    const char *text;
} refused[] = {
    {{NULL}, "No such file or directory"},
    {{NULL, "{}", "{}", "{}", "{}"}, "m has a tokenizer.json but no spiece.model; expected"},
    {{"x", ""}, "m/tokenizer_config.json:"},
    {{"x", "{"}, "m/tokenizer_config.json:"},
    {{"x", "[]"}, "m/tokenizer_config.json: found an array, expected a JSON object"},
    {{"x", "{\"eos_token\": \"\xff\"}"}, "m/tokenizer_config.json:"},
    {{"x", "{\"eos_token\": \"a\\u0000b\"}"}, "m/tokenizer_config.json:"},
    {{"x", "{\"tokenizer_class\": \"ByT5Tokenizer\"}"},
     "tokenizer_class: expected T5Tokenizer or MT5Tokenizer; no other is supported"},
    {{"x", "{\"tokenizer_class\": 1}"}, "tokenizer_class: expected"},
    {{"x", "{\"sp_model_kwargs\": {\"alpha\": 0.1}}"}, "sp_model_kwargs: expected none"},
    {{"x", "{\"extra_ids\": -1}"}, "extra_ids: expected a whole number from 0 to 32768"},
    {{"x", "{\"extra_ids\": 32769}"}, "extra_ids: expected"},
    {{"x", "{\"extra_ids\": 1e99}"}, "extra_ids: expected"},
    {{"x", "{\"extra_ids\": \"100\"}"}, "extra_ids: expected"},
    {{"x", "{\"eos_token\": \"\"}"}, "eos_token: expected a token"},
    {{"x", "{\"eos_token\": 1}"}, "eos_token: expected a token"},
    {{"x", "{\"eos_token\": {\"text\": \"a\"}}"}, "eos_token: expected a token"},
    {{"x", "{\"unk_token\": {\"content\": \"a\", \"lstrip\": 1}}"},
     "m/tokenizer_config.json: lstrip: expected true or false"},
    {{"x", "{\"additional_special_tokens\": \"<extra_id_0>\"}"},
     "additional_special_tokens: expected a list of tokens"},
    {{"x", "{\"additional_special_tokens\": [[]]}"}, "additional_special_tokens: expected a token"},
    {{"x", "{\"added_tokens_decoder\": []}"}, "added_tokens_decoder: expected an object"},
    {{"x", "{\"added_tokens_decoder\": {\"a\": {\"content\": \"b\"}}}"},
     "added_tokens_decoder: expected token ids with an object each"},
    {{"x", "{\"added_tokens_decoder\": {\"-1\": {\"content\": \"b\"}}}"}, "expected token ids"},
    {{"x", "{\"added_tokens_decoder\": {\"1x\": {\"content\": \"b\"}}}"}, "expected token ids"},
    {{"x", "{\"added_tokens_decoder\": {\"16777216\": {\"content\": \"b\"}}}"},
     "expected token ids"},
    {{"x", "{\"added_tokens_decoder\": {\"99999999999999999999\": {\"content\": \"b\"}}}"},
     "expected token ids"},
    {{"x", "{\"added_tokens_decoder\": {\"1\": \"b\"}}"}, "expected token ids"},
    {{"x", NULL, "{\"eos_token\": []}"}, "m/special_tokens_map.json: eos_token: expected a token"},
    {{"x", NULL, "nonsense"}, "m/special_tokens_map.json:1: "},
    {{"x", NULL, "{\"additional_special_tokens\": {}}"},
     "m/special_tokens_map.json: additional_special_tokens: expected a list"},
    {{"x", NULL, NULL, "{\"a\": \"1\"}"}, "m/added_tokens.json: a: expected a whole number"},
    {{"x", NULL, NULL, "{\"a\": 16777216}"}, "m/added_tokens.json: a: expected a whole number"},
    {{"x", NULL, NULL, "{\"a\\u001b[1m\": -1}"},
     "m/added_tokens.json: a?[1m: expected a whole number"},
    {{"x", NULL, NULL, "{\"\": 1}"}, "m/added_tokens.json: the tokens: expected a token"},
    {{"x", NULL, NULL, NULL, "{\"added_tokens\": {}}"},
     "m/tokenizer.json: added_tokens: expected a list"},
    {{"x", NULL, NULL, NULL, "{\"added_tokens\": [1]}"},
     "m/tokenizer.json: added_tokens: expected a list of objects"},
    {{"x", NULL, NULL, NULL, "{\"added_tokens\": [{\"content\": \"a\"}]}"},
     "m/tokenizer.json: added_tokens: id: expected a whole number"},
};

static void folders_that_are_refused(void **state) {
    (void)state;
    t5_tokenizer_files out;
    t5_error err = {0};
    assert_int_equal(t5_hf_tokenizer_read("nowhere", &out, &err), T5_ERR_INPUT);
    assert_text(err, "nowhere/spiece.model: ");
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        make_folder(refused[i].contents);
        err = (t5_error){0};
        assert_int_equal(t5_hf_tokenizer_read("m", &out, &err), T5_ERR_INPUT);
        assert_text(err, refused[i].text);
        assert_true(out.model == NULL && out.added == NULL && out.special == NULL);
    }
}

static void more_tokens_than_any_tokeniser_has(void **state) {
    (void)state;
    t5_tokenizer_files out;
    t5_error err = {0};
    make_folder((const char *const[COUNT_OF(files)]){"x"});
    FILE *f = fopen("m/added_tokens.json", "w");
    assert_non_null(f);
    for (int i = 0; i <= T5_TOKEN_ENTRIES_MAX; i++)
        fprintf(f, "%s\"%d\": %d", i ? ", " : "{", i, i);
    fprintf(f, "}");
    fclose(f);
    assert_int_equal(t5_hf_tokenizer_read("m", &out, &err), T5_ERR_INPUT);
    assert_text(err, "m/added_tokens.json: more than 32768 tokens");
}

static t5_tokenizer_files read_folder(const char *const contents[COUNT_OF(files)]) {
    t5_tokenizer_files out;
    t5_error err = {0};
    make_folder(contents);
    if (t5_hf_tokenizer_read("m", &out, &err) != T5_OK)
        fail_msg("%s", err.text);
    return out;
}

static void a_model_alone_has_t5s_defaults(void **state) {
    (void)state;
    t5_tokenizer_files out = read_folder((const char *const[COUNT_OF(files)]){"the model"});
    assert_int_equal(out.model_bytes, 9);
    assert_memory_equal(out.model, "the model", 9);
    assert_true(out.n_added == 0 && out.n_special == 3 && out.n_additional == -1 &&
                out.extra_ids == 100 && out.prefix_space);
    assert_string_equal(out.special[out.eos].text, "</s>");
    assert_string_equal(out.special[out.unk].text, "<unk>");
    assert_string_equal(out.special[out.pad].text, "<pad>");
    t5_tokenizer_files_free(&out);
}

static void the_decoder_counts_alone(void **state) {
    (void)state;
    t5_tokenizer_files out = read_folder((const char *const[COUNT_OF(files)]){
        "x",
        "{\"added_tokens_decoder\": {\"7\": {\"content\": \"a\", \"lstrip\": true}, \"1\": "
        "{\"content\": \"</s>\", \"special\": true}}, \"add_prefix_space\": null,"
        " \"eos_token\": {\"__type\": \"AddedToken\", \"content\": \"</s>\", \"rstrip\": true},"
        " \"additional_special_tokens\": [\"b\", \"b\", {\"content\": \"c\"}], \"extra_ids\": 0}",
        "nonsense", "nonsense", "nonsense"});
    assert_int_equal(out.n_added, 2);
    assert_string_equal(out.added[0].text, "a");
    assert_true(out.added[0].id == 7 && out.added[0].lstrip && !out.added[0].special &&
                out.added[0].normalized && !out.added[0].bare);
    assert_true(out.added[1].id == 1 && out.added[1].special && !out.added[1].normalized);
    assert_true(out.special[out.eos].bare); /* the decoder has its flags */
    assert_true(out.n_special == 5 && out.n_additional == 2 && out.prefix_space);
    assert_true(strcmp(out.special[3].text, "b") == 0 && out.special[3].bare);
    assert_true(strcmp(out.special[4].text, "c") == 0 && !out.special[4].bare);
    t5_tokenizer_files_free(&out);
}

static void without_it_the_other_files_count(void **state) {
    (void)state;
    t5_tokenizer_files out = read_folder((const char *const[COUNT_OF(files)]){
        "x",
        "{\"eos_token\": \"E\", \"pad_token\": \"P\", \"add_prefix_space\": false,"
        " \"additional_special_tokens\": [\"s\"]}",
        "{\"eos_token\": {\"content\": \"F\", \"rstrip\": true}, \"mask_token\": \"M\","
        " \"additional_special_tokens\": [\"s\", \"t\"]}",
        "{\"t\": 5, \"u\": 6}",
        "{\"added_tokens\": [{\"id\": 8, \"content\": \"v\", \"single_word\": true}]}"});
    assert_string_equal(out.special[out.eos].text, "F");
    assert_true(out.special[out.eos].rstrip && out.special[out.eos].special);
    assert_string_equal(out.special[out.pad].text, "P");
    assert_true(out.n_special == 6 && out.n_additional == 2 && !out.prefix_space);
    assert_string_equal(out.special[3].text, "M");
    assert_string_equal(out.special[4].text, "s");
    assert_string_equal(out.special[5].text, "t");
    assert_int_equal(out.n_added, 3);
    assert_true(out.added[0].id == 5 && out.added[0].special && !out.added[0].normalized);
    assert_true(out.added[1].id == 6 && !out.added[1].special && out.added[1].normalized);
    assert_true(out.added[2].id == 8 && out.added[2].single_word);
    t5_tokenizer_files_free(&out);
}

static void transformers_5_names_the_list_otherwise(void **state) {
    (void)state;
    t5_tokenizer_files out = read_folder((const char *const[COUNT_OF(files)]){
        "x", "{\"extra_special_tokens\": [\"<extra_id_0>\"], \"extra_ids\": 1}"});
    assert_true(out.n_additional == 1 && out.n_special == 4);
    t5_tokenizer_files_free(&out);
}

/* Most of the hub's directories say "no limit" as an integer of 100 bits. */
static void lengths_of_any_size(void **state) {
    static const struct {
        const char *config;
        int max_tokens;
    } cases[] = {{"{\"model_max_length\": 1000000000000000019884624838656, \"extra_ids\": 100}", 0},
                 {"{\"model_max_length\": 1e30}", 0},
                 {"{\"model_max_length\": \"long\"}", 0},
                 {"{\"model_max_length\": -1}", 0},
                 {"{}", 0},
                 {"{\"model_max_length\": 512}", 512},
                 {"{\"model_max_length\": 128.0}", 128}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        t5_tokenizer_files out =
            read_folder((const char *const[COUNT_OF(files)]){"x", cases[i].config});
        assert_int_equal(out.max_tokens, cases[i].max_tokens);
        assert_int_equal(out.extra_ids, 100);
        t5_tokenizer_files_free(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_that_are_refused),
        cmocka_unit_test(more_tokens_than_any_tokeniser_has),
        cmocka_unit_test(a_model_alone_has_t5s_defaults),
        cmocka_unit_test(the_decoder_counts_alone),
        cmocka_unit_test(without_it_the_other_files_count),
        cmocka_unit_test(transformers_5_names_the_list_otherwise),
        cmocka_unit_test(lengths_of_any_size),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
