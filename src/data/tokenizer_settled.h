/* A tokeniser as files again: what io/hf_write.h writes. */
#ifndef T5_DATA_TOKENIZER_SETTLED_H
#define T5_DATA_TOKENIZER_SETTLED_H
#include "base/tokenizer_files.h"
#include "data/tokenizer.h"

/* files: what tok was made of; only the model where that was a spiece.model alone. *settled is a
 * copy in which every token that is no plain piece is listed with its id: special tokens,
 * sentinels, and the first n_labels labels, which are not special. So t5_tokenizer_from_files makes
 * a tokeniser of it that knows these labels as added tokens and gives the same ids. It is freed by
 * t5_tokenizer_files_free; empty on failure. T5_ERR_MEMORY. */
t5_status t5_tokenizer_settled(const t5_tokenizer *tok, const t5_tokenizer_files *files,
                               int n_labels, t5_tokenizer_files *settled, t5_error *err);

#endif
