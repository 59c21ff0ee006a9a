/* A set of words that numbers them in the order of their first appearance and counts them. */
#ifndef T5_SCORE_WORDS_H
#define T5_SCORE_WORDS_H
#include "data/rows.h"

/* All zero is an empty set. Keeps pointers to the words' text, which must outlive it. */
typedef struct t5_words {
    int64_t n;
    t5_str *word;     /* (n) */
    int64_t *count;   /* (n) how often it was added */
    int64_t cap;      /* of word and count */
    int64_t *slots;   /* open addressing: number + 1, 0: free */
    uint64_t n_slots; /* a power of two, at least twice n */
} t5_words;

void t5_words_free(t5_words *w);
/* No words any more; keeps the memory. Costs the words that were in it, not the table's size. */
void t5_words_clear(t5_words *w);
/* Adds one occurrence. T5_ERR_MEMORY. */
t5_status t5_words_add(t5_words *w, t5_str word, t5_error *err);
/* The word's number, -1 if it is not there. */
int64_t t5_words_find(const t5_words *w, t5_str word);
/* The k most frequent words, most frequent first, ties in the order of first appearance. Returns
 * how many were found, at most k. k is at most 64. */
int t5_words_most_frequent(const t5_words *w, int k, t5_str *top);

#endif
