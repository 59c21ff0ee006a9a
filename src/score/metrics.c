#include "score/metrics.h"
#include "score/words.h"
#include <assert.h>
#include <stdbool.h>
#include <string.h>

typedef struct row_sets {
    t5_words gold, pred;
} row_sets;

static t5_status fill(t5_words *set, t5_str text, t5_error *err) {
    t5_words_clear(set);
    for (t5_str word; (word = t5_next_word(&text)).n > 0;)
        if (t5_words_add(set, word, err) != T5_OK)
            return T5_ERR_MEMORY;
    return T5_OK;
}

static t5_row_score compare(const row_sets *sets) {
    t5_row_score r = {.n_gold = sets->gold.n, .n_pred = sets->pred.n};
    for (int64_t i = 0; i < r.n_pred; i++)
        r.overlap += t5_words_find(&sets->gold, sets->pred.word[i]) >= 0;
    int64_t both = r.n_gold + r.n_pred - r.overlap;
    if (both == 0) { /* nothing was asked for, nothing was said */
        r.jaccard = r.precision = r.recall = r.f1 = 1;
        r.exact_match = 1;
    } else if (r.n_gold > 0 && r.n_pred > 0) {
        r.jaccard = (double)r.overlap / (double)both;
        r.precision = (double)r.overlap / (double)r.n_pred;
        r.recall = (double)r.overlap / (double)r.n_gold;
        if (r.overlap > 0)
            r.f1 = 2 * r.precision * r.recall / (r.precision + r.recall);
        r.exact_match = r.overlap == both;
    }
    return r;
}

static t5_status score_row(row_sets *sets, t5_str gold, t5_str pred, t5_row_score *score,
                           t5_error *err) {
    if (fill(&sets->gold, gold, err) != T5_OK || fill(&sets->pred, pred, err) != T5_OK)
        return T5_ERR_MEMORY;
    *score = compare(sets);
    return T5_OK;
}

t5_status t5_score_row(t5_str gold, t5_str pred, t5_row_score *score, t5_error *err) {
    row_sets sets = {0};
    t5_status status = score_row(&sets, gold, pred, score, err);
    t5_words_free(&sets.gold);
    t5_words_free(&sets.pred);
    return status;
}

/* What is summed over rows. */
typedef struct sums {
    double jaccard, precision, recall, f1;
    int64_t exact, overlap, n_pred, n_gold;
} sums;

static void add_row(sums *s, const t5_row_score *r) {
    s->jaccard += r->jaccard;
    s->precision += r->precision;
    s->recall += r->recall;
    s->f1 += r->f1;
    s->exact += r->exact_match;
    s->overlap += r->overlap;
    s->n_pred += r->n_pred;
    s->n_gold += r->n_gold;
}

/* All put-out labels of a row, repeats counted. */
static t5_status add_output(t5_metrics *m, t5_words *output, t5_str pred, const t5_str *top,
                            int n_top, t5_error *err) {
    for (t5_str word; (word = t5_next_word(&pred)).n > 0;) {
        bool in_top = false;
        for (int i = 0; i < n_top && !in_top; i++)
            in_top = top[i].n == word.n && memcmp(top[i].s, word.s, word.n) == 0;
        m->diversity_top5_count += in_top;
        m->diversity_non_top5_count += !in_top;
        if (t5_words_add(output, word, err) != T5_OK)
            return T5_ERR_MEMORY;
    }
    m->diversity_unique_emojis = output->n;
    return T5_OK;
}

static void average(t5_metrics *m, const sums *s) {
    double n = (double)m->num_samples;
    int64_t put_out = m->diversity_top5_count + m->diversity_non_top5_count;
    if (m->num_samples > 0) {
        m->avg_jaccard = s->jaccard / n;
        m->exact_match_rate = (double)s->exact / n;
        m->avg_precision = s->precision / n;
        m->avg_recall = s->recall / n;
        m->avg_f1 = s->f1 / n;
    }
    /* of precision o/p and recall o/g: 2 (o/p) (o/g) / (o/p + o/g) = 2 o / (p + g) */
    if (s->n_pred > 0 && s->n_gold > 0)
        m->micro_f1 = 2 * (double)s->overlap / (double)(s->n_pred + s->n_gold);
    if (put_out > 0)
        m->diversity_non_top5_ratio = (double)m->diversity_non_top5_count / (double)put_out;
}

t5_status t5_score_rows(int64_t n, const t5_str *gold, const t5_str *pred, const t5_str *top,
                        int n_top, t5_metrics *metrics, t5_error *err) {
    assert(n >= 0 && n_top >= 0 && n_top <= T5_TOP);
    t5_status status = T5_OK;
    t5_metrics m = {.num_samples = n};
    sums s = {0};
    row_sets sets = {0};
    t5_words output = {0};
    *metrics = (t5_metrics){0};
    for (int64_t i = 0; i < n; i++) {
        t5_row_score row;
        status = score_row(&sets, gold[i], pred[i], &row, err);
        if (status == T5_OK)
            status = add_output(&m, &output, pred[i], top, n_top, err);
        if (status != T5_OK)
            goto done;
        add_row(&s, &row);
    }
    average(&m, &s);
    *metrics = m;
done:
    t5_words_free(&sets.gold);
    t5_words_free(&sets.pred);
    t5_words_free(&output);
    return status;
}

const char *const t5_metric_names[T5_N_METRICS] = {"avg_jaccard",
                                                   "exact_match_rate",
                                                   "micro_f1",
                                                   "avg_precision",
                                                   "avg_recall",
                                                   "avg_f1",
                                                   "num_samples",
                                                   "diversity_non_top5_ratio",
                                                   "diversity_unique_emojis",
                                                   "diversity_top5_count",
                                                   "diversity_non_top5_count"};

/* Where field i is, by kind. */
static double *real_field(t5_metrics *m, int i) {
    double *const fields[T5_N_METRICS] = {
        &m->avg_jaccard, &m->exact_match_rate, &m->micro_f1, &m->avg_precision,
        &m->avg_recall,  &m->avg_f1,           NULL,         &m->diversity_non_top5_ratio};
    return fields[i];
}

static int64_t *count_field(t5_metrics *m, int i) {
    int64_t *const fields[T5_N_METRICS] = {[6] = &m->num_samples,
                                           [8] = &m->diversity_unique_emojis,
                                           [9] = &m->diversity_top5_count,
                                           [10] = &m->diversity_non_top5_count};
    return fields[i];
}

double t5_metric_value(const t5_metrics *metrics, int i) {
    assert(i >= 0 && i < T5_N_METRICS);
    t5_metrics m = *metrics;
    return t5_metric_is_count(i) ? (double)*count_field(&m, i) : *real_field(&m, i);
}

void t5_metric_set(t5_metrics *m, int i, double value) {
    assert(i >= 0 && i < T5_N_METRICS);
    if (t5_metric_is_count(i))
        *count_field(m, i) = (int64_t)value;
    else
        *real_field(m, i) = value;
}

int t5_metric_is_count(int i) {
    return i == 6 || i >= 8;
}

int t5_metric_find(const char *name) {
    for (int i = 0; i < T5_N_METRICS; i++)
        if (strcmp(t5_metric_names[i], name) == 0)
            return i;
    return -1;
}
