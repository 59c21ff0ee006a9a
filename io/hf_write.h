/* Writing a Hugging Face T5 directory, file by file: what t5_hf_config_read, t5_weights_open and
 * t5_hf_tokenizer_read read, and what Transformers' T5ForConditionalGeneration and T5Tokenizer load
 * without a warning. Every file appears whole or not at all (io/replace.h). */
#ifndef T5_IO_HF_WRITE_H
#define T5_IO_HF_WRITE_H
#include "base/tokenizer_files.h"
#include "io/hf_config.h"
#include "io/hf_generation.h"

/* DIRECTORY/config.json. T5_ERR_IO, T5_ERR_MEMORY. */
t5_status t5_hf_config_write(const char *directory, const t5_hf_config *config, t5_error *err);

typedef struct t5_tensor_entry {
    const char *name; /* "shared.weight" */
    int n_dims;       /* 1 or 2 */
    int64_t dims[2];
} t5_tensor_entry;
/* Gives elements [first, first + n) of tensor i; asked for in ascending order. */
typedef t5_status t5_tensor_read(void *user, int i, int64_t first, int64_t n, float *out,
                                 t5_error *err);
/* DIRECTORY/model.safetensors, float32, in pieces of a few MiB: memory does not grow with the
 * model. T5_ERR_IO (a full disk, ...), or what read returned. */
t5_status t5_safetensors_write(const char *directory, const t5_tensor_entry *tensors, int n,
                               t5_tensor_read *read, void *user, t5_error *err);

/* spiece.model, tokenizer_config.json, special_tokens_map.json and added_tokens.json. files: what
 * the tokeniser was made of; labels: tokens that it knows besides, with their ids. T5_ERR_IO. */
t5_status t5_hf_tokenizer_write(const char *directory, const t5_tokenizer_files *files,
                                const t5_token_entry *labels, int n_labels, t5_error *err);

#endif
