/* model.label_init = "describe": which rows of a pre-trained embedding a new label's row begins as
 * the mean of. A pure function of tokeniser and labels. */
#ifndef T5_DATA_LABEL_INIT_H
#define T5_DATA_LABEL_INIT_H
#include "data/tokenizer.h"

typedef struct t5_label_pieces {
    int n;          /* labels */
    int64_t *start; /* (n + 1): label l's tokens are ids[start[l]] .. ids[start[l + 1] - 1] */
    int32_t *ids;   /* with repetitions, as in the text */
    int by_name;    /* labels described by their emoji's name (data/emoji_names.h) */
    int by_text;    /* by their own text: no name, or the tokeniser knows nothing of it */
    int by_nothing; /* the tokeniser knows nothing of that either: no tokens. Take the mean of all
                     */
} t5_label_pieces;

/* The tokens of the first n labels' descriptions, all of them ids below
 * t5_tokenizer_rows(tok, 0). Unknown tokens and the lone space count as nothing. Freed by
 * t5_label_pieces_free; empty on failure. T5_ERR_MEMORY. */
t5_status t5_label_pieces_make(const t5_tokenizer *tok, const t5_labels *labels, int n,
                               t5_label_pieces *pieces, t5_error *err);
void t5_label_pieces_free(t5_label_pieces *pieces);

#endif
