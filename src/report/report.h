/* The final table, from plain numbers: those of the run that ends, or of its files. */
#ifndef T5_REPORT_REPORT_H
#define T5_REPORT_REPORT_H
#include "results/summary.h"
#include <stdio.h>

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
