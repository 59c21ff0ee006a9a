#include "io/hf_config.h"
#include "io/json_fields.h"
#include "io/json_file.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 20 };

typedef t5_json_fields reader;

typedef struct integer {
    const char *key;
    size_t offset;
    int low, high;
    int fallback; /* NEEDED: an error when missing; KEEP: what the struct has already */
} integer;
enum { NEEDED = -1, KEEP = -2 };

static t5_status read_integer(const reader *r, const integer *spec, t5_hf_config *config) {
    int *out = (int *)((char *)config + spec->offset);
    if (!t5_json_field(r, spec->key)) {
        if (spec->fallback == NEEDED)
            return t5_fail(r->err, T5_ERR_INPUT, "%s: no %s, expected an integer", r->name,
                           spec->key);
        if (spec->fallback != KEEP)
            *out = spec->fallback;
    }
    return t5_json_integer(r, spec->key, spec->low, spec->high, out);
}

static t5_status read_real(const reader *r, const char *key, double fallback, double low,
                           double high, double *out) {
    *out = fallback;
    t5_status status = t5_json_real(r, key, out);
    if (!status && !(*out >= low && *out < high))
        status = t5_fail(r->err, T5_ERR_INPUT, "%s: %s is %g, expected at least %g and below %g",
                         r->name, key, *out, low, high);
    return status;
}

static t5_status read_boolean(const reader *r, const char *key, bool fallback, bool *out) {
    *out = fallback;
    return t5_json_flag(r, key, out);
}

/* *out belongs to the file's JSON; `fallback` where it does not say. */
static t5_status read_text(const reader *r, const char *key, const char *fallback,
                           const char **out) {
    *out = fallback;
    return t5_json_text(r, key, out);
}

/* `supported`: what would have been fine. */
static t5_status unsupported(const reader *r, const char *key, const char *found,
                             const char *supported) {
    return t5_fail(r->err, T5_ERR_INPUT, "%s: %s \"%.60s\" is not supported; supported: %s",
                   r->name, key, found, supported);
}

const char *t5_hf_family_name(t5_hf_family family) {
    static const char *const names[] = {
        [T5_HF_T5] = "t5", [T5_HF_MT5] = "mt5", [T5_HF_UMT5] = "umt5"};
    return names[family];
}

/* ByT5 calls itself "t5"; what is different is that its tokens are bytes. */
static t5_status read_kind(const reader *r, const char **type) {
    const char *tokenizer;
    bool both;
    t5_status status = read_text(r, "model_type", NULL, type);
    if (status)
        return status;
    if (!*type)
        return t5_fail(r->err, T5_ERR_INPUT,
                       "%s: no model_type, expected \"t5\", \"mt5\" or \"umt5\"", r->name);
    if (strcmp(*type, "t5") != 0 && strcmp(*type, "mt5") != 0 && strcmp(*type, "umt5") != 0)
        return unsupported(r, "model_type", *type, "\"t5\", \"mt5\", \"umt5\"");
    status = read_text(r, "tokenizer_class", "T5Tokenizer", &tokenizer);
    if (!status && strncmp(tokenizer, "ByT5", 4) == 0)
        status = unsupported(r, "tokenizer_class", tokenizer,
                             "tokenisers with a SentencePiece model (ByT5 reads bytes)");
    if (!status)
        status = read_boolean(r, "is_encoder_decoder", true, &both);
    if (!status && !both)
        status = t5_fail(r->err, T5_ERR_INPUT,
                         "%s: is_encoder_decoder is false; half a model is not supported", r->name);
    return status;
}

/* Older Transformers let dense_act_fn and is_gated_act, where a file has them, overrule what
 * follows from feed_forward_proj: they must not. */
static t5_status read_activation(const reader *r, const char *type, t5_hf_config *config) {
    const char *proj, *function;
    bool gated;
    t5_status status =
        read_text(r, "feed_forward_proj", strcmp(type, "t5") == 0 ? "relu" : "gated-gelu", &proj);
    if (status)
        return status;
    config->gated_gelu = strcmp(proj, "gated-gelu") == 0;
    if (!config->gated_gelu && strcmp(proj, "relu") != 0)
        return unsupported(r, "feed_forward_proj", proj, "\"relu\", \"gated-gelu\"");
    const char *expected = config->gated_gelu ? "gelu_new" : "relu";
    status = read_text(r, "dense_act_fn", expected, &function);
    if (!status && strcmp(function, expected) != 0)
        status = t5_fail(r->err, T5_ERR_INPUT,
                         "%s: dense_act_fn is \"%.60s\" with feed_forward_proj \"%s\", expected "
                         "\"%s\"",
                         r->name, function, proj, expected);
    if (!status)
        status = read_boolean(r, "is_gated_act", config->gated_gelu, &gated);
    if (!status && gated != config->gated_gelu)
        status = t5_fail(r->err, T5_ERR_INPUT,
                         "%s: is_gated_act is %s with feed_forward_proj \"%s\", expected %s",
                         r->name, gated ? "true" : "false", proj, gated ? "false" : "true");
    return status;
}

/* Ranges keep every product of sizes within 64 bits. */
static t5_status read_sizes(const reader *r, t5_hf_config *config) {
#define AT(member) offsetof(t5_hf_config, member)
    const integer sizes[] = {
        {"vocab_size", AT(vocab_size), 2, 1 << 24, NEEDED},
        {"d_model", AT(d_model), 1, 1 << 16, NEEDED},
        {"d_kv", AT(d_kv), 1, 1 << 12, NEEDED},
        {"d_ff", AT(d_ff), 1, 1 << 20, NEEDED},
        {"num_heads", AT(num_heads), 1, 1 << 12, NEEDED},
        {"num_layers", AT(num_layers), 1, 1000, NEEDED},
        {"num_decoder_layers", AT(num_decoder_layers), 1, 1000, KEEP},
        {"relative_attention_num_buckets", AT(relative_buckets), 4, 1 << 16, 32},
        {"relative_attention_max_distance", AT(relative_max_distance), 3, 1 << 24, 128},
    };
#undef AT
    t5_status status = T5_OK;
    for (size_t i = 0; !status && i < sizeof sizes / sizeof *sizes; i++) {
        status = read_integer(r, &sizes[i], config);
        if (sizes[i].offset == offsetof(t5_hf_config, num_layers))
            config->num_decoder_layers = config->num_layers;
    }
    if (status)
        return status;
    int buckets = config->relative_buckets;
    if (buckets % 2 != 0)
        return t5_fail(r->err, T5_ERR_INPUT,
                       "%s: relative_attention_num_buckets is %d, expected an even number", r->name,
                       buckets);
    if (config->relative_max_distance <= buckets / 2)
        return t5_fail(r->err, T5_ERR_INPUT,
                       "%s: relative_attention_max_distance is %d, expected more than half of the "
                       "%d buckets",
                       r->name, config->relative_max_distance, buckets);
    return T5_OK;
}

static t5_status read_ids(const reader *r, t5_hf_config *config) {
    int last = config->vocab_size - 1;
    const integer ids[] = {
        {"pad_token_id", offsetof(t5_hf_config, pad_id), 0, last, 0},
        {"eos_token_id", offsetof(t5_hf_config, eos_id), 0, last, 1},
        {"decoder_start_token_id", offsetof(t5_hf_config, start_id), 0, last, KEEP},
    };
    t5_status status = read_integer(r, &ids[0], config);
    if (!status)
        status = read_integer(r, &ids[1], config);
    config->start_id = config->pad_id;
    return status ? status : read_integer(r, &ids[2], config);
}

/* Transformers 4 scales the output of every tied model; 5 never that of an mT5, and that of a T5
 * as scale_decoder_outputs says. */
static t5_status read_output(const reader *r, const char *type, t5_hf_config *config) {
    t5_status status = read_boolean(r, "tie_word_embeddings", true, &config->tied);
    config->scaled_output = config->tied && strcmp(type, "mt5") != 0;
    if (!status && strcmp(type, "t5") == 0)
        status = read_boolean(r, "scale_decoder_outputs", config->tied, &config->scaled_output);
    if (!status && config->scaled_output && !config->tied)
        status = t5_fail(r->err, T5_ERR_INPUT,
                         "%s: scale_decoder_outputs is true and tie_word_embeddings is false; the "
                         "two together are not supported",
                         r->name);
    return status;
}

static t5_status interpret(const char *name, const json_t *root, t5_hf_config *config,
                           t5_error *err) {
    reader r = {.name = name, .root = root, .err = err};
    const char *type = NULL;
    t5_status status = read_kind(&r, &type);
    if (!status)
        status = read_activation(&r, type, config);
    if (!status)
        status = read_sizes(&r, config);
    if (!status)
        status = read_ids(&r, config);
    if (!status)
        status = read_output(&r, type, config);
    if (!status)
        status = read_real(&r, "layer_norm_epsilon", 1e-6, 1e-30, 1, &config->layer_norm_epsilon);
    if (!status)
        status = read_real(&r, "dropout_rate", 0.1, 0, 1, &config->dropout_rate);
    for (t5_hf_family f = T5_HF_T5; type && f <= T5_HF_UMT5; f++)
        if (strcmp(type, t5_hf_family_name(f)) == 0)
            config->family = f;
    config->bias_every_layer = config->family == T5_HF_UMT5;
    if (status)
        t5_json_tame(err);
    return status;
}

t5_status t5_hf_config_parse(const char *name, const char *text, size_t n, t5_hf_config *config,
                             t5_error *err) {
    json_t *root = NULL;
    *config = (t5_hf_config){0};
    t5_status status = t5_json_parse(name, text, n, &root, err);
    if (!status)
        status = interpret(name, root, config, err);
    json_decref(root);
    return status;
}

t5_status t5_hf_config_read(const char *directory, t5_hf_config *config, t5_error *err) {
    char *path = NULL;
    json_t *root = NULL;
    *config = (t5_hf_config){0};
    if (asprintf(&path, "%s/config.json", directory) < 0)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
    t5_status status = t5_json_read(path, MAX_BYTES, &root, err);
    if (!status)
        status = interpret(path, root, config, err);
    json_decref(root);
    free(path);
    return status;
}
