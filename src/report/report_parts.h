/* The parts of the final report, and what they share. Not for others. */
#ifndef T5_REPORT_REPORT_PARTS_H
#define T5_REPORT_REPORT_PARTS_H
#include "report/report.h"
#include "report/table.h"

typedef struct t5_report_page {
    const t5_report *r;
    FILE *out;
    bool colour;
} t5_report_page;

/* Value of metric i (t5_metric_names) of a trial; NaN if it has no test. */
double t5_report_value(const t5_trial_summary *t, int metric);
/* The same of the baseline, a trial or figures; NaN if there is none. */
double t5_report_baseline(const t5_report *r, int metric);
/* Number of the trial with the largest value of the metric, the first of equals; -1: none. top_n:
 * only trials with this filter, -1: all. */
int t5_report_best(const t5_report *r, int metric, int top_n);
/* Empty line and a bold title. */
void t5_report_title(const t5_report_page *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void t5_report_trials(
    const t5_report_page *p);                  /* the table and what is to be said about its rows */
void t5_report_goals(const t5_report_page *p); /* which are met, and by whom */
void t5_report_no_model(const t5_report_page *p); /* beside the best trial on the same test rows */
void t5_report_tree(const t5_report_page *p);     /* which way the tree went */

#endif
