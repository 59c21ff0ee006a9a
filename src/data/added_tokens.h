/* The tokens beside a tokeniser's pieces (special tokens, sentinels, labels), found as a whole, by
 * id, and as what a text begins with. Which ids they get is Transformers' rule (slow T5Tokenizer,
 * version 4.57): see the functions. */
#ifndef T5_DATA_ADDED_TOKENS_H
#define T5_DATA_ADDED_TOKENS_H
#include "base/tokenizer_files.h"
#include "data/labels.h"
#include "data/pieces.h"

typedef struct t5_added_token {
    t5_str text;
    int32_t id;
    int32_t label; /* the token is there only because label `label` is; -1: whatever the labels */
    bool special;  /* one of the special tokens that the files name */
    bool lstrip, rstrip, single_word, normalized;
} t5_added_token;

typedef struct t5_added_tokens t5_added_tokens;

/* What T5Tokenizer makes of the files: sentinel <extra_id_i> gets the id pieces - 1 + extra_ids -
 * i; the files' tokens get theirs; a special token that is neither among these nor a piece gets the
 * next id behind all. T5_ERR_INPUT where T5Tokenizer refuses, too: extra_ids that are not as many
 * as the sentinels among the additional special tokens. */
t5_status t5_added_tokens_create(const t5_tokenizer_files *files, const t5_pieces *pieces,
                                 t5_added_tokens **tokens, t5_error *err);
void t5_added_tokens_destroy(t5_added_tokens *tokens);

/* Adds labels as T5Tokenizer.add_tokens does: one that is a token or a piece already keeps that id,
 * the others get ids from t5_added_tokens_vocabulary on (so rows of the embedding beyond the
 * vocabulary are used first), but none that a token has: Transformers gives such an id twice.
 * behind_pieces: label l gets pieces + l instead, whatever it is. id[l] is what label l got.
 * On failure nothing is added. */
t5_status t5_added_tokens_add_labels(t5_added_tokens *tokens, const t5_labels *labels,
                                     const t5_pieces *pieces, bool behind_pieces, int32_t *id,
                                     t5_error *err);

int t5_added_tokens_size(const t5_added_tokens *tokens);
const t5_added_token *t5_added_tokens_at(const t5_added_tokens *tokens, int i); /* by text */
/* Number of different texts among pieces and tokens: Transformers' len(tokenizer). */
int t5_added_tokens_vocabulary(const t5_added_tokens *tokens);

/* In all of these labels from n_labels on are not there, and NULL means none. */
const t5_added_token *t5_added_tokens_find(const t5_added_tokens *tokens, int n_labels,
                                           t5_str text);
/* The longest token that text begins with. */
const t5_added_token *t5_added_tokens_match(const t5_added_tokens *tokens, int n_labels,
                                            t5_str text);
const t5_added_token *t5_added_tokens_by_id(const t5_added_tokens *tokens, int n_labels,
                                            int32_t id);

#endif
