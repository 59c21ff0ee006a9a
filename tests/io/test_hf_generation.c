/* generation_config.json: what is refused, what passes because it changes nothing, what a file that
 * is written gives back. */
#include "io/hf_generation.h"
#include "tests/io/scratch.h"

static const struct {
    const char *json, *text;
} refused[] = {
    {"", "g.json:1: not the JSON"},
    {"[]", "g.json: found an array, expected a JSON object"},
    {"{\"max_new_tokens\": 0}", "g.json: max_new_tokens is 0, expected 1 to 1048576"},
    {"{\"max_new_tokens\": \"9\"}", "max_new_tokens is a string, expected an integer"},
    {"{\"max_length\": 1}", "max_length is 1, expected 2 to"},
    {"{\"max_length\": 20.0}", "max_length is a real number, expected an integer"},
    {"{\"num_beams\": 0}", "num_beams is 0, expected 1 to 1024"},
    {"{\"do_sample\": 1}", "do_sample is an integer, expected true or false"},
    {"{\"temperature\": 0}", "temperature is 0, expected above 0"},
    {"{\"temperature\": \"hot\"}", "temperature is a string, expected a number"},
    {"{\"temperature\": 1e300}", "temperature is 1e+300, expected above 0 and at most 1e+30"},
    {"{\"temperature\": 1e-300}", "temperature is 1e-300, expected above 0 and at most 1e+30"},
    {"{\"top_k\": -1}", "top_k is -1, expected 0 to"},
    {"{\"top_p\": 0}", "top_p is 0, expected above 0 and at most 1"},
    {"{\"top_p\": 1.5}", "top_p is 1.5, expected above 0 and at most 1"},
    {"{\"repetition_penalty\": -1}", "repetition_penalty is -1, expected above 0"},
    {"{\"repetition_penalty\": 1e300}", "repetition_penalty is 1e+300, expected above 0"},
    {"{\"pad_token_id\": -1}", "pad_token_id is -1, expected 0 to"},
    {"{\"pad_token_id\": [0]}", "pad_token_id is an array, expected an integer"},
    {"{\"eos_token_id\": [1, 2]}", "eos_token_id is a list, expected an integer or a list of one"},
    {"{\"eos_token_id\": []}", "eos_token_id is a list, expected"},
    {"{\"eos_token_id\": [16777216]}", "eos_token_id is a list, expected"},
    {"{\"decoder_start_token_id\": 16777216}", "decoder_start_token_id is 16777216, expected"},
    {"{\"suppress_tokens\": 5}", "suppress_tokens is an integer, expected a list of token ids"},
    {"{\"suppress_tokens\": [5, -1]}", "suppress_tokens, element 2: expected a token id"},
    {"{\"suppress_tokens\": [5, \"\\u001b\"]}", "suppress_tokens, element 2: expected a token id"},
    {"{\"suppress_tokens\": [5], \"min_length\": 5}", "min_length is not supported"},
    {"{\"no_repeat_ngram_size\": 2}",
     "g.json: no_repeat_ngram_size is not supported: the answers would be others; expected 0"},
    {"{\"no_repeat_ngram_size\": \"2\"}", "no_repeat_ngram_size is a string, expected a number"},
    {"{\"encoder_no_repeat_ngram_size\": 2}", "encoder_no_repeat_ngram_size is not supported"},
    {"{\"min_length\": 2}", "min_length is not supported"},
    {"{\"min_new_tokens\": 1}", "min_new_tokens is not supported"},
    {"{\"encoder_repetition_penalty\": 1.5}", "encoder_repetition_penalty is not supported"},
    {"{\"num_return_sequences\": 2}", "num_return_sequences is not supported"},
    {"{\"guidance_scale\": 2}", "guidance_scale is not supported"},
    {"{\"penalty_alpha\": 0.6}", "penalty_alpha is not supported"},
    {"{\"bad_words_ids\": [[5]]}", "bad_words_ids is not supported"},
    {"{\"forced_bos_token_id\": 0}", "forced_bos_token_id is not supported"},
    {"{\"forced_eos_token_id\": 1}", "forced_eos_token_id is not supported"},
    {"{\"begin_suppress_tokens\": [5]}", "begin_suppress_tokens is not supported"},
    {"{\"sequence_bias\": [[[5], 1.0]]}", "sequence_bias is not supported"},
    {"{\"exponential_decay_length_penalty\": [1, 1.1]}", "exponential_decay_length_penalty is"},
    {"{\"stop_strings\": \".\"}", "stop_strings is not supported"},
    {"{\"num_beams\": 4}", "early_stopping other than true with num_beams above 1 is not"},
    {"{\"num_beams\": 4, \"early_stopping\": false}", "early_stopping other than true"},
    {"{\"num_beams\": 4, \"early_stopping\": \"never\"}", "early_stopping other than true"},
    {"{\"num_beams\": 4, \"early_stopping\": true, \"length_penalty\": 0.6}",
     "length_penalty is not supported: the answers would be others; expected 1"},
    {"{\"num_beams\": 4, \"early_stopping\": true, \"num_beam_groups\": 2}", "num_beam_groups is"},
    {"{\"num_beams\": 4, \"early_stopping\": true, \"diversity_penalty\": 1}", "diversity_penalty"},
    {"{\"num_beams\": 4, \"early_stopping\": true, \"renormalize_logits\": true}", "renormalize"},
    {"{\"num_beams\": 4, \"early_stopping\": true, \"do_sample\": true}",
     "do_sample with num_beams above 1 is not supported"},
    {"{\"do_sample\": true, \"typical_p\": 0.9}", "typical_p is not supported"},
    {"{\"do_sample\": true, \"min_p\": 0.1}", "min_p is not supported"},
    {"{\"do_sample\": true, \"epsilon_cutoff\": 0.1}", "epsilon_cutoff is not supported"},
    {"{\"do_sample\": true, \"eta_cutoff\": 0.1}", "eta_cutoff is not supported"},
    {"{\"do_sample\": true, \"top_h\": 0.1}", "top_h is not supported"},
};

static t5_status parse(const char *json, t5_hf_generation *g, t5_error *err) {
    /* memory of just that size, so that a sanitizer sees a byte read too many */
    size_t n = strlen(json);
    char *copy = malloc(n + !n);
    assert_non_null(copy);
    memcpy(copy, json, n);
    t5_status status = t5_hf_generation_parse("g.json", copy, n, g, err);
    free(copy);
    return status;
}

static void files_that_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        t5_hf_generation g;
        t5_error err = {0};
        if (parse(refused[i].json, &g, &err) != T5_ERR_INPUT)
            fail_msg("accepted: %s", refused[i].json);
        assert_text(err, refused[i].text);
        assert_true(g.suppress == NULL && g.n_suppress == 0);
    }
}

static t5_hf_generation parse_good(const char *json) {
    t5_hf_generation g;
    t5_error err = {0};
    if (parse(json, &g, &err))
        fail_msg("%s: %s", json, err.text);
    return g;
}

static void assert_defaults(const t5_hf_generation *g) {
    assert_true(g->max_new_tokens == 0 && g->num_beams == 1 && !g->do_sample);
    assert_true(g->temperature == 1 && g->top_k == 50 && g->top_p == 1);
    assert_true(g->repetition_penalty == 1 && g->pad_id == -1 && g->eos_id == -1 &&
                g->start_id == -1 && g->n_suppress == 0 && g->suppress == NULL);
}

static void what_changes_nothing_passes(void **state) {
    (void)state;
    t5_hf_generation g = parse_good("{}");
    assert_defaults(&g);
    g = parse_good("{\"no_repeat_ngram_size\": 0, \"min_length\": 0, \"bad_words_ids\": null,"
                   " \"forced_bos_token_id\": null, \"length_penalty\": 1.0, \"suppress_tokens\": "
                   "[], \"begin_suppress_tokens\": [], \"renormalize_logits\": false,"
                   " \"use_cache\": true, \"transformers_version\": \"4.57.6\", \"whatever\": 5,"
                   " \"_from_model_config\": true, \"early_stopping\": false, \"sequence_bias\": "
                   "{}, \"max_new_tokens\": null, \"eos_token_id\": null}");
    assert_defaults(&g);
    /* fields of beam search and of sampling where there is neither */
    g = parse_good("{\"length_penalty\": 0.6, \"num_beam_groups\": 2, \"early_stopping\": true,"
                   " \"typical_p\": 0.9, \"min_p\": 0.1, \"min_length\": 1}");
    assert_defaults(&g);
    g = parse_good("{\"num_beams\": 4, \"early_stopping\": true, \"typical_p\": 0.9}");
    assert_int_equal(g.num_beams, 4);
}

static void fields(void **state) {
    (void)state;
    t5_hf_generation g = parse_good(
        "{\"max_new_tokens\": 32, \"max_length\": 20, \"do_sample\": true, \"temperature\": 0.5,"
        " \"top_k\": 0, \"top_p\": 0.25, \"repetition_penalty\": 2, \"pad_token_id\": 3,"
        " \"eos_token_id\": [4], \"decoder_start_token_id\": 5, \"suppress_tokens\": [7, 6]}");
    assert_true(g.max_new_tokens == 32 && g.do_sample && g.temperature == 0.5 && g.top_k == 0);
    assert_true(g.top_p == 0.25 && g.repetition_penalty == 2 && g.pad_id == 3 && g.eos_id == 4);
    assert_true(g.start_id == 5 && g.n_suppress == 2 && g.suppress[0] == 7 && g.suppress[1] == 6);
    t5_hf_generation_free(&g);
    assert_true(g.suppress == NULL && g.n_suppress == 0);
    /* the start token counts */
    assert_int_equal(parse_good("{\"max_length\": 20}").max_new_tokens, 19);
}

static void assert_same(const t5_hf_generation *a, const t5_hf_generation *b) {
    assert_true(a->max_new_tokens == b->max_new_tokens && a->num_beams == b->num_beams);
    assert_true(a->do_sample == b->do_sample && a->repetition_penalty == b->repetition_penalty);
    assert_true(a->temperature == b->temperature && a->top_k == b->top_k && a->top_p == b->top_p);
    assert_true(a->pad_id == b->pad_id && a->eos_id == b->eos_id && a->start_id == b->start_id);
    assert_int_equal(a->n_suppress, b->n_suppress);
    for (int i = 0; i < a->n_suppress; i++)
        assert_int_equal(a->suppress[i], b->suppress[i]);
}

static void written_and_read(void **state) {
    (void)state;
    enum { MANY = 5000 };
    int32_t *many = malloc(MANY * sizeof *many);
    assert_non_null(many);
    for (int i = 0; i < MANY; i++)
        many[i] = 3 * i;
    const t5_hf_generation written[] = {
        {.num_beams = 1,
         .temperature = 1,
         .top_k = 50,
         .top_p = 1,
         .repetition_penalty = 1,
         .pad_id = -1,
         .eos_id = -1,
         .start_id = -1},
        {.max_new_tokens = 32,
         .num_beams = 4,
         .temperature = 1,
         .top_k = 50,
         .top_p = 1,
         .repetition_penalty = 1.1,
         .eos_id = 1},
        {.max_new_tokens = 1,
         .num_beams = 1,
         .do_sample = true,
         .temperature = 0.7,
         .top_k = 0,
         .top_p = 0.95,
         .repetition_penalty = 1.0 / 3,
         .eos_id = 1},
        {.num_beams = 1,
         .temperature = 1,
         .top_k = 50,
         .top_p = 1,
         .repetition_penalty = 1,
         .eos_id = 1,
         .suppress = many,
         .n_suppress = MANY},
    };
    t5_hf_generation g;
    assert_int_equal(t5_hf_generation_read(".", &g, NULL), T5_OK); /* there is no such file */
    assert_defaults(&g);
    for (size_t i = 0; i < COUNT_OF(written); i++) {
        assert_int_equal(t5_hf_generation_write(".", &written[i], NULL), T5_OK);
        assert_int_equal(t5_hf_generation_read(".", &g, NULL), T5_OK);
        assert_same(&g, &written[i]);
        t5_hf_generation_free(&g);
    }
    free(many);
}

/* Transformers warns about flags of sampling and of beams where there is neither. */
static void nothing_idle_is_written(void **state) {
    (void)state;
    const t5_hf_generation greedy = {.num_beams = 1,
                                     .temperature = 0.5,
                                     .top_k = 7,
                                     .top_p = 0.5,
                                     .repetition_penalty = 1,
                                     .eos_id = 1};
    char text[1000] = "";
    assert_int_equal(t5_hf_generation_write(".", &greedy, NULL), T5_OK);
    FILE *f = fopen("generation_config.json", "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    const char *const idle[] = {
        "temperature",        "top_k",           "top_p",         "early_stopping",
        "repetition_penalty", "suppress_tokens", "max_new_tokens"};
    for (size_t i = 0; i < COUNT_OF(idle); i++)
        assert_null(strstr(text, idle[i]));
    assert_non_null(strstr(text, "\"do_sample\": false"));
}

static void no_folder(void **state) {
    (void)state;
    const t5_hf_generation g = {.num_beams = 1};
    t5_error err = {0};
    assert_int_equal(t5_hf_generation_write("nowhere", &g, &err), T5_ERR_IO);
    assert_text(err, "nowhere/generation_config.json: ");
    t5_hf_generation back;
    err = (t5_error){0};
    mkdir("folder", 0777);
    mkdir("folder/generation_config.json", 0777);
    assert_int_equal(t5_hf_generation_read("folder", &back, &err), T5_ERR_INPUT);
    assert_text(err, "folder/generation_config.json: is a folder");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_refused),
        cmocka_unit_test(no_folder),
        cmocka_unit_test(what_changes_nothing_passes),
        cmocka_unit_test(fields),
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(nothing_idle_is_written),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
