#include "score/nomodel.h"
#include "score/ngrams.h"
#include "score/words.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static t5_status out_of_memory(t5_error *err) {
    return t5_fail(err, T5_ERR_MEMORY, "out of memory for the answers that need no model");
}

static t5_status score(const t5_nomodel_rows *rows, const t5_str *answers, t5_metrics *metrics,
                       t5_error *err) {
    return t5_score_rows(rows->n_test, rows->test_gold, answers, rows->top, rows->n_top, metrics,
                         err);
}

/* ---------------------------------------------------------------- the k most frequent labels */

/* "the 3 most frequent: A B C", as many labels as fit. */
static void name_frequent(char name[T5_NOMODEL_NAME], int k, const t5_str *labels) {
    size_t n = (size_t)snprintf(name, T5_NOMODEL_NAME, "the %d most frequent:", k);
    for (int i = 0; i < k; i++) {
        if (n + 1 + labels[i].n + sizeof " ..." > T5_NOMODEL_NAME) {
            snprintf(name + n, T5_NOMODEL_NAME - n, " ...");
            return;
        }
        name[n++] = ' ';
        memcpy(name + n, labels[i].s, labels[i].n);
        n += labels[i].n;
        name[n] = '\0';
    }
}

/* The labels with a space between, malloc'd; prefix[k] is the length of the first k. */
static char *join(int n, const t5_str *labels, size_t prefix[T5_NOMODEL_MAX_K + 1]) {
    size_t bytes = 1;
    for (int i = 0; i < n; i++)
        bytes += labels[i].n + 1;
    char *text = malloc(bytes);
    size_t at = 0;
    prefix[0] = 0;
    for (int i = 0; text && i < n; i++) {
        if (i > 0)
            text[at++] = ' ';
        memcpy(text + at, labels[i].s, labels[i].n);
        at += labels[i].n;
        prefix[i + 1] = at;
    }
    return text;
}

static t5_status count_labels(const t5_nomodel_rows *rows, t5_words *words, t5_error *err) {
    for (int64_t i = 0; i < rows->n_train; i++) {
        t5_str rest = rows->train_target[i];
        for (t5_str word; (word = t5_next_word(&rest)).n > 0;)
            if (t5_words_add(words, word, err) != T5_OK)
                return T5_ERR_MEMORY;
    }
    return T5_OK;
}

t5_status t5_nomodel_frequent(const t5_nomodel_rows *rows, t5_nomodel_answer *answer,
                              t5_error *err) {
    t5_words words = {0};
    t5_str labels[T5_NOMODEL_MAX_K];
    size_t prefix[T5_NOMODEL_MAX_K + 1];
    char *text = NULL;
    t5_str *answers = malloc((size_t)(rows->n_test + 1) * sizeof *answers);
    t5_status status = answers ? count_labels(rows, &words, err) : out_of_memory(err);
    if (status != T5_OK)
        goto done;
    int n = t5_words_most_frequent(&words, T5_NOMODEL_MAX_K, labels);
    text = join(n, labels, prefix);
    if (!text) {
        status = out_of_memory(err);
        goto done;
    }
    for (int k = n > 0; k <= n; k++) {
        t5_metrics metrics;
        for (int64_t i = 0; i < rows->n_test; i++)
            answers[i] = (t5_str){text, prefix[k]};
        status = score(rows, answers, &metrics, err);
        if (status != T5_OK)
            goto done;
        if (k <= 1 || metrics.avg_jaccard > answer->metrics.avg_jaccard) {
            answer->metrics = metrics;
            name_frequent(answer->name, k, labels);
        }
    }
done:
    free(text);
    free(answers);
    t5_words_free(&words);
    return status;
}

/* ---------------------------------------------------------------- the most similar text */

static int64_t rows_to_search(int64_t n_train, int64_t n_test) {
    int64_t n = n_train < T5_NOMODEL_MAX_ROWS ? n_train : T5_NOMODEL_MAX_ROWS;
    int64_t affordable = n_test > 0 ? T5_NOMODEL_MAX_PAIRS / n_test + 1 : n;
    return n < affordable ? n : affordable;
}

t5_status t5_nomodel_neighbour(const t5_nomodel_rows *rows, t5_nomodel_answer *answer,
                               t5_error *err) {
    t5_ngrams *index = NULL;
    int64_t n = rows_to_search(rows->n_train, rows->n_test);
    t5_str *answers = calloc((size_t)(rows->n_test + 1), sizeof *answers);
    t5_status status = answers ? T5_OK : out_of_memory(err);
    if (status == T5_OK && n > 0)
        status = t5_ngrams_create(n, rows->train_input, T5_NOMODEL_MAX_SHARED, &index, err);
    if (status != T5_OK)
        goto done;
    for (int64_t i = 0; i < rows->n_test; i++)
        answers[i] = index ? rows->train_target[t5_ngrams_nearest(index, rows->test_input[i])]
                           : (t5_str){"", 0};
    snprintf(answer->name, sizeof answer->name, "the answer to the most similar training text");
    status = score(rows, answers, &answer->metrics, err);
done:
    t5_ngrams_destroy(index);
    free(answers);
    return status;
}

t5_status t5_nomodel_best(int64_t n_train, const t5_str *train_input, const t5_str *train_target,
                          int64_t n_test, const t5_str *test_input, const t5_str *test_gold,
                          const t5_str *top, int n_top, t5_metrics *best,
                          char name[T5_NOMODEL_NAME], t5_error *err) {
    const t5_nomodel_rows rows = {n_train,    train_input, train_target, n_test,
                                  test_input, test_gold,   top,          n_top};
    t5_nomodel_answer frequent, neighbour;
    t5_status status = t5_nomodel_frequent(&rows, &frequent, err);
    if (status == T5_OK)
        status = t5_nomodel_neighbour(&rows, &neighbour, err);
    if (status != T5_OK)
        return status;
    const t5_nomodel_answer *winner =
        neighbour.metrics.avg_jaccard > frequent.metrics.avg_jaccard ? &neighbour : &frequent;
    *best = winner->metrics;
    memcpy(name, winner->name, T5_NOMODEL_NAME);
    return T5_OK;
}
