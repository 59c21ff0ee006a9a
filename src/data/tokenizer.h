/* SentencePiece behind C, with added tokens: special ones, sentinels and labels. Encodes as
 * Transformers' T5Tokenizer (the one based on SentencePiece, of 4.57) with legacy=False does; where
 * it is known not to, docs/tokeniser.md says so. Thread-compatible: encode and decode are const.
 */
#ifndef T5_DATA_TOKENIZER_H
#define T5_DATA_TOKENIZER_H
#include "data/added_tokens.h"

typedef struct t5_tokenizer t5_tokenizer;

/* From the bytes of a spiece.model (copied): its end, unknown and pad pieces are special tokens,
 * there are no sentinels, and label l has the id pieces + l. T5_ERR_INPUT with a reason if they are
 * no such model, or if it has no end token. */
t5_status t5_tokenizer_create(const void *model, size_t bytes, t5_tokenizer **tok, t5_error *err);
/* From the files of a Hugging Face directory (copied): labels get their ids as T5Tokenizer's
 * add_tokens gives them (data/added_tokens.h). Errors as above, and those of
 * t5_added_tokens_create. */
t5_status t5_tokenizer_from_files(const t5_tokenizer_files *files, t5_tokenizer **tok,
                                  t5_error *err);
/* From what t5_tokenizer_files_pack made, or from the bytes of a spiece.model. */
t5_status t5_tokenizer_from_block(const void *block, size_t bytes, t5_tokenizer **tok,
                                  t5_error *err);
void t5_tokenizer_destroy(t5_tokenizer *tok);
int t5_tokenizer_pieces(const t5_tokenizer *tok);
int t5_tokenizer_pad(const t5_tokenizer *tok); /* 0 where the model names none (T5's convention) */
int t5_tokenizer_eos(const t5_tokenizer *tok);
int t5_tokenizer_unk(const t5_tokenizer *tok);
/* The id of the piece of exactly this text; -1: there is none. */
int32_t t5_tokenizer_find_piece(const t5_tokenizer *tok, t5_str text);

/* Gives every label an id; once a tokeniser, before it is shared by threads. T5_ERR_INPUT if a
 * label is the end, the unknown or the pad token. */
t5_status t5_tokenizer_add_labels(t5_tokenizer *tok, const t5_labels *labels, t5_error *err);
/* The id of label l. Without t5_tokenizer_add_labels: pieces + l. */
int32_t t5_tokenizer_label_id(const t5_tokenizer *tok, int l);
/* One more than the largest id of the pieces, the added tokens, and the first n_labels labels: the
 * rows that an embedding needs at least. */
int t5_tokenizer_rows(const t5_tokenizer *tok, int n_labels);
/* All tokens that are no pieces, or more than pieces; labels among them. Never NULL. */
const t5_added_tokens *t5_tokenizer_added(const t5_tokenizer *tok);

/* Encodes text, cut at max_ids - 1 ids, with the end token last (once, where the text ends with it
 * itself). ids has room for max_ids >= 1. *n: how many were written. The first n_labels labels are
 * tokens where they occur in the text (0, or no labels added: none are), as in Transformers after
 * add_tokens. T5_ERR_INPUT if SentencePiece refuses the text. */
t5_status t5_tokenizer_encode_with(const t5_tokenizer *tok, int n_labels, t5_str text, int max_ids,
                                   int32_t *ids, int *n, t5_error *err);
/* The same. *last_label: the largest number of a label that was met on the way, -1 if none was; ids
 * and n are the same for every n_labels above it. */
t5_status t5_tokenizer_encode_seeing(const t5_tokenizer *tok, int n_labels, t5_str text,
                                     int max_ids, int32_t *ids, int *n, int *last_label,
                                     t5_error *err);
/* The same with n_labels = 0. */
t5_status t5_tokenizer_encode(const t5_tokenizer *tok, t5_str text, int max_ids, int32_t *ids,
                              int *n, t5_error *err);
/* The text of n ids: special tokens but the unknown dropped, each label and other added token a
 * word of its own between single spaces, runs of pieces by SentencePiece, no space at either end.
 * *text is malloc'd, NUL-terminated. labels may be NULL (then labels that are no pieces are
 * dropped). */
t5_status t5_tokenizer_decode(const t5_tokenizer *tok, const t5_labels *labels, const int32_t *ids,
                              int n, char **text, t5_error *err);

#endif
