/* Answers that need no model: what every trial has to beat. Pure; rank 0 only, nothing collective.
 */
#ifndef T5_SCORE_NOMODEL_H
#define T5_SCORE_NOMODEL_H
#include "score/metrics.h"

enum {
    T5_NOMODEL_MAX_K = 10,       /* labels of the constant answer */
    T5_NOMODEL_MAX_ROWS = 50000, /* training rows that the neighbour is looked for in: the first, */
    T5_NOMODEL_MAX_PAIRS =
        500000000,                /* fewer where they times the test rows would be more than this */
    T5_NOMODEL_MAX_SHARED = 1000, /* an n-gram in more training rows than this counts for nothing */
    T5_NOMODEL_NAME = 128
};

/* Training rows, test rows, and the labels of the diversity metric (t5_score_rows). Borrowed. */
typedef struct t5_nomodel_rows {
    int64_t n_train;
    const t5_str *train_input, *train_target;
    int64_t n_test;
    const t5_str *test_input, *test_gold;
    const t5_str *top;
    int n_top;
} t5_nomodel_rows;

typedef struct t5_nomodel_answer {
    char name[T5_NOMODEL_NAME]; /* "the 3 most frequent: A B C" */
    t5_metrics metrics;         /* on the test rows */
} t5_nomodel_answer;

/* For every test row the k most frequent labels of the training targets (ties: first seen first);
 * the k of 1..10 with the largest avg_jaccard, the smallest such k. No labels: k is 0.
 * T5_ERR_MEMORY. */
t5_status t5_nomodel_frequent(const t5_nomodel_rows *rows, t5_nomodel_answer *answer,
                              t5_error *err);

/* For every test row the target of the training row with the most similar text: cosine of the
 * tf-idf vectors (Salton and Buckley, Term-weighting approaches in automatic text retrieval, 1988)
 * of character bigrams and trigrams, idf = 1 + ln((1 + n) / (1 + rows with the n-gram)); ties, and
 * rows that share nothing with any: the first. The two limits above keep a data set of a million
 * rows affordable and do not touch one of a thousand. T5_ERR_MEMORY. */
t5_status t5_nomodel_neighbour(const t5_nomodel_rows *rows, t5_nomodel_answer *answer,
                               t5_error *err);

/* The better of the two by avg_jaccard; the first if equal. T5_ERR_MEMORY. */
t5_status t5_nomodel_best(int64_t n_train, const t5_str *train_input, const t5_str *train_target,
                          int64_t n_test, const t5_str *test_input, const t5_str *test_gold,
                          const t5_str *top, int n_top, t5_metrics *best,
                          char name[T5_NOMODEL_NAME], t5_error *err);

#endif
