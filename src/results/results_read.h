/* What results.h5 says of a trial: results/results.h in the other direction. */
#ifndef T5_RESULTS_RESULTS_READ_H
#define T5_RESULTS_RESULTS_READ_H
#include "io/store_read.h"
#include "results/summary.h"

/* Everything of *summary that a trial's file holds: name, status, reason, specification, rows, best
 * epoch and value, test metrics, seconds; the rest is 0. T5_ERR_INPUT naming the file and what is
 * missing. */
t5_status t5_results_read_trial(t5_store_reader *results, const char *name,
                                t5_trial_summary *summary, t5_error *err);

/* Metrics that are attributes of a group. */
t5_status t5_results_read_metrics(t5_store_reader *results, const char *group, t5_metrics *metrics,
                                  t5_error *err);

#endif
