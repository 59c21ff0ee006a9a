/* The tokeniser of a Hugging Face T5 directory: spiece.model, and the added tokens that
 * tokenizer_config.json, special_tokens_map.json, added_tokens.json and tokenizer.json list. */
#ifndef T5_IO_HF_TOKENIZER_H
#define T5_IO_HF_TOKENIZER_H
#include "base/tokenizer_files.h"

/* *files is freed by t5_tokenizer_files_free; it is empty on failure. Which file counts where they
 * disagree is as in Transformers 4.57 (PreTrainedTokenizerBase._from_pretrained): with an
 * added_tokens_decoder in tokenizer_config.json that alone, else special_tokens_map.json over
 * tokenizer_config.json, and the ids of added_tokens.json, then of tokenizer.json. Only
 * spiece.model must be there. "legacy" is read as false whatever it says, and "add_prefix_space":
 * null, as the fast tokeniser saves it, as true: so it encodes.
 * T5_ERR_INPUT naming the file and the field: not there, not JSON, a field of another type, an id
 * or a number out of range, a tokenizer_class that is not T5's or mT5's, sp_model_kwargs. */
t5_status t5_hf_tokenizer_read(const char *directory, t5_tokenizer_files *files, t5_error *err);

#endif
