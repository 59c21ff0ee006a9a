/* What is to be said of a trial: in its file, in the report, and to rank 0 when it ends. Plain
 * values. */
#ifndef T5_RESULTS_SUMMARY_H
#define T5_RESULTS_SUMMARY_H
#include "base/config.h"
#include "results/spent.h"
#include "score/metrics.h"
#include <string.h>

typedef struct t5_trial_summary {
    char name[128];
    char status[24];      /* completed | failed | stopped | skipped | pending */
    char reason[1024];    /* why failed, or why without its weights; "" otherwise */
    bool weights_missing; /* it has ended, and they could not be written */
    t5_trial_spec spec;
    bool has_test;           /* test metrics are there */
    bool speculative;        /* began before the tree had reached it */
    int decision;            /* 1 improved, 0 not improved, -1 none */
    int improved, otherwise; /* numbers of the next trials, -1: none */
    int64_t rows_train, rows_val, rows_test;
    int best_epoch, epochs;
    double best_value; /* the deciding metric of the validation split after best_epoch, or NaN */
    t5_spent spent;
    t5_metrics test;
    t5_metrics no_model;      /* the best answer without a model on the same test rows */
    char no_model_name[128];  /* "the 3 most frequent: 🎵 📚 🎉" */
    double gold_outside_top5; /* share of the gold labels outside the Top-5 */
} t5_trial_summary;

/* Is there something that was asked for and that another try could bring? */
static inline bool t5_trial_lacks_something(const t5_trial_summary *t) {
    return strcmp(t->status, "failed") == 0 || t->weights_missing;
}

#endif
