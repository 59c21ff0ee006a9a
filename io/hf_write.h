/* Writing a Hugging Face T5 directory, file by file: what t5_hf_config_read, t5_weights_open and
 * t5_hf_tokenizer_read read, and what Transformers' T5ForConditionalGeneration and T5Tokenizer load
 * without a warning. Every file appears whole or not at all (io/replace.h). */
#ifndef T5_IO_HF_WRITE_H
#define T5_IO_HF_WRITE_H
#include "base/tokenizer_files.h"
#include "io/hf_config.h"
#include "io/hf_generation.h"

/* DIRECTORY/config.json. T5_ERR_INPUT: no T5 of Transformers computes so (a scaled output that is
 * not tied, or of an mT5; a relative bias in every layer in another family than umT5). T5_ERR_IO,
 * T5_ERR_MEMORY. */
t5_status t5_hf_config_write(const char *directory, const t5_hf_config *config, t5_error *err);

/* Must model.safetensors hold lm_head.weight? Then it is the output's own matrix or, where config
 * is tied, a copy of shared.weight: Transformers 4 (4.57 was read) scales the output of every model
 * whose config.json says tie_word_embeddings, so an output that is tied and not scaled is written
 * as tie_word_embeddings false with two equal matrices. Transformers 5 (5.23) takes that field of a
 * "t5" for scale_decoder_outputs, never scales an "mt5", ties the two matrices because they are
 * equal, and computes the same. What cannot be had:
 * - Transformers 5 warns about every model with a matrix of its own for the output ("... so we will
 *   NOT tie them"), whatever its config.json says, and computes it rightly all the same;
 * - it scales the output of every "umt5". Only version 4 loads an umT5 that is not scaled rightly.
 */
bool t5_hf_config_has_head(const t5_hf_config *config);

typedef struct t5_tensor_entry {
    const char *name; /* "shared.weight" */
    int n_dims;       /* 1 or 2 */
    int64_t dims[2];
} t5_tensor_entry;
/* Gives elements [first, first + n) of tensor i; asked for in ascending order. */
typedef t5_status t5_tensor_read(void *user, int i, int64_t first, int64_t n, float *out,
                                 t5_error *err);
/* DIRECTORY/model.safetensors, float32, in pieces of 4 MiB: memory does not grow with the model. No
 * name twice. T5_ERR_IO (a full disk, ...), T5_ERR_MEMORY, or what read returned. */
t5_status t5_safetensors_write(const char *directory, const t5_tensor_entry *tensors, int n,
                               t5_tensor_read *read, void *user, t5_error *err);

/* spiece.model, tokenizer_config.json, special_tokens_map.json and added_tokens.json, as
 * T5Tokenizer with legacy=False. files must be settled: `added` holds every token that is no plain
 * piece (special tokens, sentinels, labels) with its id, as data/tokenizer_settled.h makes it; read
 * back they give the same tokeniser. n_pieces: of the spiece.model. max_tokens: model_max_length,
 * to which Transformers cuts when asked to; 0: none. T5_ERR_INPUT: a token is not UTF-8. T5_ERR_IO,
 * T5_ERR_MEMORY. */
t5_status t5_hf_tokenizer_write(const char *directory, const t5_tokenizer_files *files,
                                int n_pieces, int max_tokens, t5_error *err);

#endif
