/* config.json of a Hugging Face T5: the fields that decide how the model computes. */
#ifndef T5_IO_HF_CONFIG_H
#define T5_IO_HF_CONFIG_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

/* model_type. mT5 and umT5 compute what T5 can be told to, but Transformers treats them otherwise.
 */
typedef enum { T5_HF_T5, T5_HF_MT5, T5_HF_UMT5 } t5_hf_family;
const char *t5_hf_family_name(t5_hf_family family); /* "t5", "mt5", "umt5" */

typedef struct t5_hf_config {
    t5_hf_family family;
    int vocab_size, d_model, d_kv, d_ff, num_heads, num_layers, num_decoder_layers;
    int relative_buckets, relative_max_distance; /* 32, 128 where the file does not say */
    /* feed_forward_proj "gated-gelu"; false: "relu". Where the file does not say: "relu" in "t5" */
    bool gated_gelu;
    /* tie_word_embeddings (true where the file does not say). Transformers 5 writes true for every
     * model that it saves: an lm_head.weight of its own among the tensors has the last word. */
    bool tied;
    /* the decoder's output is multiplied by d_model^-0.5 before the vocabulary: as
     * scale_decoder_outputs says (Transformers 5 writes it for "t5"), else as tied; never in "mt5"
     */
    bool scaled_output;
    bool bias_every_layer; /* model_type "umt5" */
    double layer_norm_epsilon, dropout_rate;
    /* pad_token_id (0), eos_token_id (1), decoder_start_token_id (as pad) where the file does not
     * say */
    int pad_id, eos_id, start_id;
} t5_hf_config;

/* Reads DIRECTORY/config.json. T5_ERR_INPUT naming file and field for anything that this program
 * does not compute exactly (another model_type, ByT5 among it; another activation; ...) and for
 * nonsense (missing, not a number, out of range). */
t5_status t5_hf_config_read(const char *directory, t5_hf_config *config, t5_error *err);
/* The same from the text of a config.json (n bytes); name: the file's, for messages. */
t5_status t5_hf_config_parse(const char *name, const char *text, size_t n, t5_hf_config *config,
                             t5_error *err);

#endif
