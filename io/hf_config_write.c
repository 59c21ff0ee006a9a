#include "io/hf_write.h"
#include "io/json_write.h"

bool t5_hf_config_has_head(const t5_hf_config *c) {
    return !(c->tied && c->scaled_output);
}

/* What none of the two programs would compute. */
static t5_status check(const t5_hf_config *c, const char *directory, t5_error *err) {
    const char *family = t5_hf_family_name(c->family);
    if (c->scaled_output && !c->tied)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s/config.json: an output that is scaled and not tied to the embedding "
                       "cannot be written",
                       directory);
    if (c->scaled_output && c->family == T5_HF_MT5)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s/config.json: model_type \"mt5\" with a scaled output cannot be written",
                       directory);
    if (c->bias_every_layer != (c->family == T5_HF_UMT5))
        return t5_fail(err, T5_ERR_INPUT,
                       "%s/config.json: model_type \"%s\" with a relative bias in %s cannot be "
                       "written",
                       directory, family, c->bias_every_layer ? "every layer" : "one layer");
    return T5_OK;
}

static json_t *architectures(t5_hf_family family) {
    static const char *const names[] = {
        [T5_HF_T5] = "T5ForConditionalGeneration",
        [T5_HF_MT5] = "MT5ForConditionalGeneration",
        [T5_HF_UMT5] = "UMT5ForConditionalGeneration",
    };
    return json_pack("[s]", names[family]);
}

/* tie_word_embeddings is what Transformers 4 takes for "scale the output", and 5 too, in the end:
 * see t5_hf_config_has_head. */
static json_t *make(const t5_hf_config *c) {
    json_t *root = json_object();
    const struct {
        const char *key;
        json_t *value;
    } fields[] = {
        {"architectures", architectures(c->family)},
        {"classifier_dropout", json_real(0)},
        {"d_ff", json_integer(c->d_ff)},
        {"d_kv", json_integer(c->d_kv)},
        {"d_model", json_integer(c->d_model)},
        {"decoder_start_token_id", json_integer(c->start_id)},
        {"dense_act_fn", json_string(c->gated_gelu ? "gelu_new" : "relu")},
        {"dropout_rate", json_real(c->dropout_rate)},
        {"eos_token_id", json_integer(c->eos_id)},
        {"feed_forward_proj", json_string(c->gated_gelu ? "gated-gelu" : "relu")},
        {"initializer_factor", json_real(1)},
        {"is_encoder_decoder", json_true()},
        {"is_gated_act", json_boolean(c->gated_gelu)},
        {"layer_norm_epsilon", json_real(c->layer_norm_epsilon)},
        {"model_type", json_string(t5_hf_family_name(c->family))},
        {"num_decoder_layers", json_integer(c->num_decoder_layers)},
        {"num_heads", json_integer(c->num_heads)},
        {"num_layers", json_integer(c->num_layers)},
        {"pad_token_id", json_integer(c->pad_id)},
        {"relative_attention_max_distance", json_integer(c->relative_max_distance)},
        {"relative_attention_num_buckets", json_integer(c->relative_buckets)},
        {"tie_word_embeddings", json_boolean(!t5_hf_config_has_head(c))},
        {"tokenizer_class", json_string("T5Tokenizer")},
        {"torch_dtype", json_string("float32")},
        {"use_cache", json_true()},
        {"vocab_size", json_integer(c->vocab_size)},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        bad |= t5_json_put(root, fields[i].key, fields[i].value);
    if (c->family == T5_HF_T5)
        bad |= t5_json_put(root, "scale_decoder_outputs", json_boolean(c->scaled_output));
    if (!bad)
        return root;
    json_decref(root);
    return NULL;
}

t5_status t5_hf_config_write(const char *directory, const t5_hf_config *config, t5_error *err) {
    t5_status status = check(config, directory, err);
    if (status)
        return status;
    json_t *root = make(config);
    status = t5_json_write(directory, "config.json", root, err);
    json_decref(root);
    return status;
}
