/* The metrics of the plan (docs/metrics.md; shared formulae in the reference page of the plan):
 * over SETS of labels per row, averages over rows, diversity over all put-out labels with repeats.
 * Pure. */
#ifndef T5_SCORE_METRICS_H
#define T5_SCORE_METRICS_H
#include "data/rows.h"

enum { T5_TOP = 5 }; /* the k of "outside the Top-k" */

typedef struct t5_metrics {
    int64_t num_samples;
    double avg_jaccard, exact_match_rate, micro_f1, avg_precision, avg_recall, avg_f1;
    double diversity_non_top5_ratio;
    int64_t diversity_unique_emojis, diversity_top5_count, diversity_non_top5_count;
} t5_metrics;

typedef struct t5_row_score {
    double jaccard, precision, recall, f1;
    int exact_match;
    int64_t overlap, n_pred, n_gold; /* set sizes */
} t5_row_score;

/* One row; gold and pred are split at white space (data/rows.h). T5_ERR_MEMORY. */
t5_status t5_score_row(t5_str gold, t5_str pred, t5_row_score *score, t5_error *err);

/* n rows; top: the n_top (<= T5_TOP) most frequent labels of all rows before the filter. All zero
 * for n == 0. Takes time in proportion to the number of words. T5_ERR_MEMORY. */
t5_status t5_score_rows(int64_t n, const t5_str *gold, const t5_str *pred, const t5_str *top,
                        int n_top, t5_metrics *metrics, t5_error *err);

/* The fields by name, in the order of the original's result file. 0 <= i < T5_N_METRICS. */
enum { T5_N_METRICS = 11 };
extern const char *const t5_metric_names[T5_N_METRICS];
double t5_metric_value(const t5_metrics *m, int i);
void t5_metric_set(t5_metrics *m, int i, double value);
int t5_metric_is_count(int i);
/* The number of the field called `name`, -1 if there is none. */
int t5_metric_find(const char *name);

#endif
