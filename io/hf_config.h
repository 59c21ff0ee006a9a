/* config.json of a Hugging Face T5: the fields that decide how the model computes. */
#ifndef T5_IO_HF_CONFIG_H
#define T5_IO_HF_CONFIG_H
#include "base/status.h"
#include <stdbool.h>

typedef struct t5_hf_config {
    int vocab_size, d_model, d_kv, d_ff, num_heads, num_layers, num_decoder_layers;
    int relative_buckets, relative_max_distance; /* 32, 128 where the file does not say */
    bool gated_gelu;                             /* feed_forward_proj "gated-gelu"; false: "relu" */
    bool tied;             /* tie_word_embeddings (true where the file does not say) */
    bool bias_every_layer; /* model_type "umt5" */
    double layer_norm_epsilon, dropout_rate;
    int pad_id, eos_id, start_id; /* pad_token_id, eos_token_id, decoder_start_token_id */
} t5_hf_config;

/* Reads DIRECTORY/config.json. T5_ERR_INPUT naming file and field for anything that this program
 * does not compute exactly (another model_type, ByT5 among it; another activation; ...) and for
 * nonsense (missing, not a number, out of range). */
t5_status t5_hf_config_read(const char *directory, t5_hf_config *config, t5_error *err);

#endif
