/* config.json: what is not supported or nonsense, and the message that names the field; the
 * families that are read; what an absent field means. */
#include "io/hf_config.h"
#include "tests/io/scratch.h"

/* A good one: each bad row is put behind it, so that its fields are the only difference. */
#define SIZES                                                                             \
    "\"vocab_size\": 100, \"d_model\": 16, \"d_kv\": 4, \"d_ff\": 32, \"num_heads\": 2, " \
    "\"num_layers\": 3"
#define WITH(fields) "{\"model_type\": \"t5\", " SIZES ", " fields "}"

static const struct {
    const char *json, *text;
} bad[] = {
    {"", "c.json:1: not the JSON that is expected here"},
    {"{", "c.json:1: not the JSON"},
    {"[]", "c.json: found an array, expected a JSON object"},
    {"null", "c.json: found null, expected a JSON object"},
    {"{\n\n\"a\": NaN}", "c.json:3: not the JSON"},
    {"{\"a\": \"\xff\"}", "c.json:1: not the JSON"},
    {"{" SIZES "}", "c.json: no model_type, expected \"t5\", \"mt5\" or \"umt5\""},
    {"{\"model_type\": null, " SIZES "}", "c.json: no model_type"},
    {"{\"model_type\": 5, " SIZES "}", "c.json: model_type is an integer, expected a string"},
    {"{\"model_type\": \"bert\", " SIZES "}",
     "c.json: model_type \"bert\" is not supported; supported: \"t5\", \"mt5\", \"umt5\""},
    {"{\"model_type\": \"longt5\", " SIZES "}", "model_type \"longt5\" is not supported"},
    {"{\"model_type\": \"switch_transformers\", " SIZES "}", "\"switch_transformers\" is not"},
    {"{\"model_type\": \"T5\", " SIZES "}", "model_type \"T5\" is not supported"},
    {"{\"model_type\": \"\\u001b[2J\", " SIZES "}", "model_type \"?[2J\" is not supported"},
    {WITH("\"d_model\": 17"), "duplicate object key"},
    {WITH("\"tokenizer_class\": \"ByT5Tokenizer\""),
     "c.json: tokenizer_class \"ByT5Tokenizer\" is not supported; supported: tokenisers with a "
     "SentencePiece model (ByT5 reads bytes)"},
    {WITH("\"tokenizer_class\": []"), "tokenizer_class is an array, expected a string"},
    {WITH("\"is_encoder_decoder\": false"), "is_encoder_decoder is false; half a model"},
    {WITH("\"is_encoder_decoder\": 1"), "is_encoder_decoder is an integer, expected true or false"},
    {WITH("\"feed_forward_proj\": \"gated-silu\""),
     "c.json: feed_forward_proj \"gated-silu\" is not supported; supported: \"relu\", "
     "\"gated-gelu\""},
    {WITH("\"feed_forward_proj\": \"gelu\""), "feed_forward_proj \"gelu\" is not supported"},
    {WITH("\"feed_forward_proj\": \"gated-relu\""), "feed_forward_proj \"gated-relu\" is not"},
    {WITH("\"feed_forward_proj\": true"), "feed_forward_proj is true, expected a string"},
    {WITH("\"dense_act_fn\": \"gelu\""),
     "c.json: dense_act_fn is \"gelu\" with feed_forward_proj \"relu\", expected \"relu\""},
    {WITH("\"feed_forward_proj\": \"gated-gelu\", \"dense_act_fn\": \"gelu\""),
     "dense_act_fn is \"gelu\" with feed_forward_proj \"gated-gelu\", expected \"gelu_new\""},
    {WITH("\"is_gated_act\": true"),
     "c.json: is_gated_act is true with feed_forward_proj \"relu\", expected false"},
    {"{\"model_type\": \"mt5\", \"is_gated_act\": false, " SIZES "}",
     "is_gated_act is false with feed_forward_proj \"gated-gelu\", expected true"},
    {"{\"model_type\": \"t5\"}", "c.json: no vocab_size, expected an integer"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 100}", "c.json: no d_model, expected an integer"},
    {"{\"model_type\": \"t5\", \"vocab_size\": \"100\"}",
     "c.json: vocab_size is a string, expected an integer"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 100.0}", "vocab_size is a real number, expected an"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 1}", "vocab_size is 1, expected 2 to 16777216"},
    {"{\"model_type\": \"t5\", \"vocab_size\": -100}", "vocab_size is -100, expected"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 4294967396}", "vocab_size is 4294967396, expected"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 99999999999999999999}", "c.json:1: not the JSON"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 9, \"d_model\": 0}", "d_model is 0, expected 1 to"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 9, \"d_model\": 65537}",
     "d_model is 65537, expected"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 9, \"d_model\": 4, \"d_kv\": 0}", "d_kv is 0"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 9, \"d_model\": 4, \"d_kv\": 1, \"d_ff\": 0}",
     "d_ff is 0"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 9, \"d_model\": 4, \"d_kv\": 1, \"d_ff\": 1, "
     "\"num_heads\": null}",
     "no num_heads, expected an integer"},
    {"{\"model_type\": \"t5\", \"vocab_size\": 9, \"d_model\": 4, \"d_kv\": 1, \"d_ff\": 1, "
     "\"num_heads\": 1, \"num_layers\": 1001}",
     "num_layers is 1001, expected 1 to 1000"},
    {WITH("\"num_decoder_layers\": 0"), "num_decoder_layers is 0, expected 1 to 1000"},
    {WITH("\"num_decoder_layers\": false"), "num_decoder_layers is false, expected an integer"},
    {WITH("\"relative_attention_num_buckets\": 2"), "num_buckets is 2, expected 4 to 65536"},
    {WITH("\"relative_attention_num_buckets\": 33"), "num_buckets is 33, expected an even number"},
    {WITH("\"relative_attention_max_distance\": 16"),
     "relative_attention_max_distance is 16, expected more than half of the 32 buckets"},
    {WITH("\"layer_norm_epsilon\": 0"), "layer_norm_epsilon is 0, expected at least 1e-30"},
    {WITH("\"layer_norm_epsilon\": -1e-6"), "layer_norm_epsilon is -1e-06, expected"},
    {WITH("\"layer_norm_epsilon\": \"1e-6\""), "layer_norm_epsilon is a string, expected a number"},
    {WITH("\"dropout_rate\": 1"), "dropout_rate is 1, expected at least 0 and below 1"},
    {WITH("\"dropout_rate\": -0.1"), "dropout_rate is -0.1, expected"},
    {WITH("\"pad_token_id\": 100"), "pad_token_id is 100, expected 0 to 99"},
    {WITH("\"pad_token_id\": -1"), "pad_token_id is -1, expected 0 to 99"},
    {WITH("\"eos_token_id\": [1, 2]"), "eos_token_id is an array, expected an integer"},
    {WITH("\"eos_token_id\": 100"), "eos_token_id is 100, expected 0 to 99"},
    {WITH("\"decoder_start_token_id\": 100"), "decoder_start_token_id is 100, expected 0 to 99"},
    {WITH("\"tie_word_embeddings\": 0"), "tie_word_embeddings is an integer, expected true or"},
    {WITH("\"tie_word_embeddings\": false, \"scale_decoder_outputs\": true"),
     "scale_decoder_outputs is true and tie_word_embeddings is false; the two together are not"},
};

static t5_status parse(const char *json, t5_hf_config *config, t5_error *err) {
    /* memory of just that size, so that a sanitizer sees a byte read too many */
    size_t n = strlen(json);
    char *copy = malloc(n + !n);
    assert_non_null(copy);
    memcpy(copy, json, n);
    t5_status status = t5_hf_config_parse("c.json", copy, n, config, err);
    free(copy);
    return status;
}

static void refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        t5_hf_config config;
        t5_error err = {0};
        if (parse(bad[i].json, &config, &err) != T5_ERR_INPUT)
            fail_msg("accepted: %s", bad[i].json);
        assert_text(err, bad[i].text);
    }
}

static void damaged(void **state) {
    (void)state;
    static const char good[] = WITH("\"feed_forward_proj\": \"relu\", \"dropout_rate\": 0.1");
    t5_hf_config config;
    char json[sizeof good];
    for (size_t cut = 0; cut < sizeof good - 1; cut++) {
        t5_error err = {0};
        memcpy(json, good, cut);
        json[cut] = '\0';
        assert_int_equal(parse(json, &config, &err), T5_ERR_INPUT);
    }
    for (size_t at = 0; at < sizeof good - 1; at++) {
        memcpy(json, good, sizeof good);
        for (int change = 1; change < 256; change <<= 1) {
            t5_error err = {0};
            json[at] = (char)(good[at] ^ change);
            t5_status status = t5_hf_config_parse("c.json", json, sizeof good - 1, &config, &err);
            assert_true(status == (err.text[0] ? T5_ERR_INPUT : T5_OK));
        }
    }
}

static t5_hf_config parse_good(const char *json) {
    t5_hf_config config;
    t5_error err = {0};
    if (parse(json, &config, &err))
        fail_msg("%s: %s", json, err.text);
    return config;
}

static void defaults(void **state) {
    (void)state;
    t5_hf_config c = parse_good("{\"model_type\": \"t5\", " SIZES "}");
    assert_int_equal(c.vocab_size, 100);
    assert_int_equal(c.d_model, 16);
    assert_int_equal(c.d_kv, 4);
    assert_int_equal(c.d_ff, 32);
    assert_int_equal(c.num_heads, 2);
    assert_int_equal(c.num_layers, 3);
    assert_int_equal(c.num_decoder_layers, 3);
    assert_int_equal(c.relative_buckets, 32);
    assert_int_equal(c.relative_max_distance, 128);
    assert_true(!c.gated_gelu && c.tied && c.scaled_output && !c.bias_every_layer);
    assert_true(c.layer_norm_epsilon == 1e-6 && c.dropout_rate == 0.1);
    assert_true(c.pad_id == 0 && c.eos_id == 1 && c.start_id == 0);
}

static void everything_said(void **state) {
    (void)state;
    t5_hf_config c = parse_good(WITH(
        "\"num_decoder_layers\": 2, \"relative_attention_num_buckets\": 16, "
        "\"relative_attention_max_distance\": 64, \"feed_forward_proj\": \"gated-gelu\", "
        "\"dense_act_fn\": \"gelu_new\", \"is_gated_act\": true, \"is_encoder_decoder\": true, "
        "\"tie_word_embeddings\": false, \"layer_norm_epsilon\": 1e-5, \"dropout_rate\": 0, "
        "\"pad_token_id\": 3, \"eos_token_id\": 4, \"decoder_start_token_id\": 99, "
        "\"tokenizer_class\": \"T5Tokenizer\", \"architectures\": [\"T5WithLMHeadModel\"], "
        "\"task_specific_params\": {\"summarization\": {\"num_beams\": 4}}"));
    assert_int_equal(c.num_decoder_layers, 2);
    assert_int_equal(c.relative_buckets, 16);
    assert_int_equal(c.relative_max_distance, 64);
    assert_true(c.gated_gelu && !c.tied && !c.scaled_output && !c.bias_every_layer);
    assert_true(c.layer_norm_epsilon == 1e-5 && c.dropout_rate == 0);
    assert_true(c.pad_id == 3 && c.eos_id == 4 && c.start_id == 99);
    assert_int_equal(parse_good(WITH("\"pad_token_id\": 7")).start_id, 7);
    assert_int_equal(parse_good(WITH("\"pad_token_id\": null")).pad_id, 0);
    assert_int_equal(parse_good(WITH("\"num_decoder_layers\": null")).num_decoder_layers, 3);
}

/* type, further fields -> gated, tied, scaled, a bias in every layer */
static void families(void **state) {
    (void)state;
    static const struct {
        const char *fields;
        bool gated, tied, scaled, every;
    } rows[] = {
        {"\"model_type\": \"t5\"", false, true, true, false},
        {"\"model_type\": \"t5\", \"tie_word_embeddings\": false", false, false, false, false},
        /* as Transformers 5 saves a T5 v1.1 */
        {"\"model_type\": \"t5\", \"feed_forward_proj\": \"gated-gelu\", \"tie_word_embeddings\": "
         "true, \"scale_decoder_outputs\": false",
         true, true, false, false},
        {"\"model_type\": \"mt5\", \"tie_word_embeddings\": false", true, false, false, false},
        {"\"model_type\": \"mt5\", \"tie_word_embeddings\": true", true, true, false, false},
        {"\"model_type\": \"mt5\", \"feed_forward_proj\": \"relu\"", false, true, false, false},
        {"\"model_type\": \"umt5\", \"tie_word_embeddings\": true", true, true, true, true},
        {"\"model_type\": \"umt5\", \"tie_word_embeddings\": false", true, false, false, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char json[400];
        snprintf(json, sizeof json, "{%s, " SIZES "}", rows[i].fields);
        t5_hf_config c = parse_good(json);
        assert_non_null(strstr(json, t5_hf_family_name(c.family)));
        assert_int_equal(c.family == T5_HF_T5, strstr(json, "\"t5\"") != NULL);
        if (c.gated_gelu != rows[i].gated || c.tied != rows[i].tied ||
            c.scaled_output != rows[i].scaled || c.bias_every_layer != rows[i].every)
            fail_msg("%s: %d %d %d %d", json, c.gated_gelu, c.tied, c.scaled_output,
                     c.bias_every_layer);
    }
}

static void files(void **state) {
    (void)state;
    t5_hf_config c;
    t5_error err = {0};
    assert_int_equal(t5_hf_config_read(".", &c, &err), T5_ERR_INPUT);
    assert_text(err, "./config.json: cannot be opened: No such file or directory");
    err = (t5_error){0};
    write_file("config.json", "{}", 2);
    assert_int_equal(t5_hf_config_read(".", &c, &err), T5_ERR_INPUT);
    assert_text(err, "./config.json: no model_type");
    char *large = malloc((1 << 20) + 1);
    assert_non_null(large);
    memset(large, ' ', (1 << 20) + 1);
    err = (t5_error){0};
    write_file("config.json", large, (1 << 20) + 1);
    assert_int_equal(t5_hf_config_read(".", &c, &err), T5_ERR_INPUT);
    assert_text(err, "./config.json: 1048577 bytes, expected at most 1048576");
    free(large);
    const char good[] = "{\"model_type\": \"t5\", " SIZES "}\n";
    write_file("config.json", good, sizeof good - 1);
    assert_int_equal(t5_hf_config_read(".", &c, NULL), T5_OK);
    assert_int_equal(c.vocab_size, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),         cmocka_unit_test(damaged),  cmocka_unit_test(files),
        cmocka_unit_test(everything_said), cmocka_unit_test(defaults), cmocka_unit_test(families),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
