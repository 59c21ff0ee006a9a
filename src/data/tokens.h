/* The token ids of every row of a data set, in compressed rows. */
#ifndef T5_DATA_TOKENS_H
#define T5_DATA_TOKENS_H
#include "data/labels.h"
#include "data/tokenizer.h"

/* Row i's input is input[input_start[i] .. input_start[i + 1]), its target likewise; both end with
 * the end token. In these inputs every label is a token; t5_tokens_input is for models that know
 * only some. */
typedef struct t5_tokens {
    const t5_rows *rows; /* what they are made of; not owned, NULL if there are none */
    const t5_tokenizer *tok;
    int max_input;
    int64_t n;
    int64_t *input_start, *target_start; /* (n + 1) */
    int32_t *input, *target;
    int32_t *rarest; /* (n): the largest label number of the row's whole target, -1: no label */
    int32_t *rarest_in_input; /* (n): likewise of the labels that are tokens of the input */
} t5_tokens;

/* Tokenises all rows with OpenMP threads; the result does not depend on their number. Inputs are
 * cut at max_input tokens, targets (labels only, unknown ones left out) at max_target, the end
 * token included. Labels are tokens of the inputs where t5_tokenizer_add_labels added them to tok.
 * rows and tok must outlive the tokens. T5_ERR_INPUT if the tokeniser refuses a row. On failure
 * *tokens is empty. */
t5_status t5_tokens_make(const t5_rows *rows, const t5_tokenizer *tok, const t5_labels *labels,
                         int max_input, int max_target, t5_tokens *tokens, t5_error *err);
/* Row i's input for a model that knows the first n_labels labels: they are tokens where they occur,
 * the others' texts are pieces (t5_tokenizer_encode_with). *ids points into the tokens or, where
 * the row has to be encoded anew, to `room` (max_input ids). Thread-safe. Errors as above. */
t5_status t5_tokens_input(const t5_tokens *tokens, int64_t i, int n_labels, int32_t *room,
                          const int32_t **ids, int *n, t5_error *err);
void t5_tokens_free(t5_tokens *tokens);

#endif
