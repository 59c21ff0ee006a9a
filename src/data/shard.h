/* How dataset.c makes a shard; what one is says data/dataset.h. */
#ifndef T5_DATA_SHARD_H
#define T5_DATA_SHARD_H
#include "data/dataset.h"
#include "data/tokens.h"

/* Copies the tokens of the n rows named by `rows` into a new shard; inputs as t5_tokens_input gives
 * them for n_labels. T5_ERR_MEMORY, and the errors of that. */
t5_status t5_shard_make(const t5_tokens *tokens, int n_labels, const int64_t *rows, int64_t n,
                        int64_t first, int64_t n_total, t5_shard **shard, t5_error *err);

#endif
