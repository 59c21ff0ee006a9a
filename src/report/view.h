/* A run as its files show it: results.h5 and the trials' files, or those of an array's parts put
 * together. Reads only. */
#ifndef T5_REPORT_VIEW_H
#define T5_REPORT_VIEW_H
#include "results/index.h"
#include "results/summary.h"

typedef struct t5_view {
    char *run;                /* the folder */
    t5_index index;           /* of parts: merged */
    t5_plan plan;             /* the trials that are to be seen: all, or those of one part */
    t5_trial_summary *trials; /* (plan.n), as at the end of a run; "pending" those of parts that
                                 are not there */
} t5_view;

/* run: a folder that holds results.h5, or part-I-of-N/results.h5. T5_ERR_INPUT: neither is there; a
 * file is missing, damaged or of another schema; parts that do not belong together. */
t5_status t5_view_open(const char *run, t5_view *view, t5_error *err);
void t5_view_close(t5_view *view); /* also of an empty one */

/* The part that trial t is in; count 0: none, its files are in the run's own folder. */
t5_part t5_view_part(const t5_view *view, int trial);

#endif
