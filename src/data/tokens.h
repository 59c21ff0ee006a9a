/* The token ids of every row of a data set, in compressed rows. */
#ifndef T5_DATA_TOKENS_H
#define T5_DATA_TOKENS_H
#include "data/labels.h"
#include "data/tokenizer.h"

/* Row i's input is input[input_start[i] .. input_start[i + 1]), its target likewise; both end with
 * the end token. */
typedef struct t5_tokens {
    int64_t n;
    int64_t *input_start, *target_start; /* (n + 1) */
    int32_t *input, *target;
    int32_t *rarest; /* (n): the largest label number of the row's whole target, -1: no label */
} t5_tokens;

/* Tokenises all rows with OpenMP threads; the result does not depend on their number. Inputs are
 * cut at max_input tokens, targets (labels only, unknown ones left out) at max_target, the end
 * token included. T5_ERR_INPUT if the tokeniser refuses a row. On failure *tokens is empty. */
t5_status t5_tokens_make(const t5_rows *rows, const t5_tokenizer *tok, const t5_labels *labels,
                         int max_input, int max_target, t5_tokens *tokens, t5_error *err);
void t5_tokens_free(t5_tokens *tokens);

#endif
