/* An inverted index over character bigrams and trigrams: which of some texts is most like this one?
 * The formula is in score/nomodel.h. */
#ifndef T5_SCORE_NGRAMS_H
#define T5_SCORE_NGRAMS_H
#include "data/rows.h"

typedef struct t5_ngrams t5_ngrams;

/* n texts (borrowed only during the call); n-grams that occur in more than max_shared of them are
 * left out. Takes memory in proportion to the texts. T5_ERR_MEMORY. */
t5_status t5_ngrams_create(int64_t n, const t5_str *texts, int64_t max_shared, t5_ngrams **index,
                           t5_error *err);
void t5_ngrams_destroy(t5_ngrams *index);
/* The number of the most similar text, the first of equals; 0 if none shares anything. n >= 1. Uses
 * scratch memory of the index: one caller at a time. */
int64_t t5_ngrams_nearest(t5_ngrams *index, t5_str text);

#endif
