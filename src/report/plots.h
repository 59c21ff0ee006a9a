/* Pictures of a run's curves, drawn by gnuplot. */
#ifndef T5_REPORT_PLOTS_H
#define T5_REPORT_PLOTS_H
#include "report/view.h"
#include <stdio.h>

/* Draws train_loss.png, val_loss.png and METRIC.png (the metric that decides, of the validation
 * split) into the folder dir (NULL: RUN/plots, which
 * may be no symbolic link), made if missing; each appears whole or not at all. Says on out, in
 * one line, what was written, or why nothing was: no gnuplot, no curves yet; both are no failure.
 * T5_ERR_INPUT: a trial's file is missing or damaged; T5_ERR_IO. */
t5_status t5_plots_write(const t5_view *view, const char *dir, FILE *out, t5_error *err);

#endif
