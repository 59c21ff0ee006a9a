/* The final table, from plain numbers (src/run/results.c fills them; later, results.h5 alone). */
#ifndef T5_RUN_REPORT_H
#define T5_RUN_REPORT_H
#include "base/config.h"
#include "run/metrics.h"
#include <stdio.h>

typedef struct t5_trial_summary {
    char name[128];
    char status[24];   /* completed | failed | stopped | skipped | pending */
    char reason[1024]; /* why failed, "" otherwise */
    t5_trial_spec spec;
    bool has_test;           /* test metrics are there */
    bool speculative;        /* began before the tree had reached it */
    int decision;            /* 1 improved, 0 not improved, -1 none */
    int improved, otherwise; /* numbers of the next trials, -1: none */
    int64_t rows_train, rows_val, rows_test;
    int best_epoch, epochs;
    double best_value; /* the deciding metric of the validation split after best_epoch, or NaN */
    double seconds;
    t5_metrics test;
    t5_metrics no_model;      /* the best answer without a model on the same test rows */
    char no_model_name[128];  /* "the 3 most frequent: 🎵 📚 🎉" */
    double gold_outside_top5; /* share of the gold labels outside the Top-5 */
} t5_trial_summary;

typedef struct t5_report {
    int n;
    const t5_trial_summary *trials;
    int baseline;                   /* number of the trial, -1 */
    const double *baseline_figures; /* T5_N_FIGURES, NaN: none; may be NULL */
    const double *goals;            /* T5_N_FIGURES, NaN: none */
    const char *decide_by;
    bool is_tree;
    const char *results_path;
} t5_report;

/* Writes UTF-8 text to out: the table (one line a trial, best value of a column marked), the goals
 * with the trials that met them, the answer without a model, the way of the tree, where the results
 * are. colour: use ANSI bold/green/red. */
void t5_report_print(const t5_report *report, FILE *out, bool colour);

#endif
