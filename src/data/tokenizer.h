/* SentencePiece behind C, plus labels as added tokens. Ids 0..pieces-1 are the model's pieces,
 * pieces + l is label l. Thread-compatible: encode and decode are const. */
#ifndef T5_DATA_TOKENIZER_H
#define T5_DATA_TOKENIZER_H
#include "data/labels.h"
#include <stdbool.h>

typedef struct t5_tokenizer t5_tokenizer;

/* From the bytes of a spiece.model (copied). T5_ERR_INPUT with a reason if they are not one, or if
 * it has no end token. */
t5_status t5_tokenizer_create(const void *model, size_t bytes, t5_tokenizer **tok, t5_error *err);
void t5_tokenizer_destroy(t5_tokenizer *tok);
int t5_tokenizer_pieces(const t5_tokenizer *tok);
int t5_tokenizer_pad(const t5_tokenizer *tok); /* 0 where the model names none (T5's convention) */
int t5_tokenizer_eos(const t5_tokenizer *tok);
int t5_tokenizer_unk(const t5_tokenizer *tok);

/* Encodes text, cut at max_ids - 1 pieces, with the end token last. ids has room for max_ids >= 1.
 * *n: how many were written. */
t5_status t5_tokenizer_encode(const t5_tokenizer *tok, t5_str text, int max_ids, int32_t *ids,
                              int *n, t5_error *err);
/* The text of n ids: pad and end tokens dropped, each label token a word of its own between single
 * spaces, runs of pieces by SentencePiece, no space at either end. *text is malloc'd,
 * NUL-terminated. labels may be NULL (then ids >= pieces are dropped). */
t5_status t5_tokenizer_decode(const t5_tokenizer *tok, const t5_labels *labels, const int32_t *ids,
                              int n, char **text, t5_error *err);

#endif
