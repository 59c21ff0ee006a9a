/* A picture of a run's curves as commands for gnuplot. */
#ifndef T5_REPORT_PLOT_COMMANDS_H
#define T5_REPORT_PLOT_COMMANDS_H
#include "report/curves.h"
#include "report/view.h"
#include <stdio.h>

typedef struct t5_picture {
    const char *file, *title, *y_label;
    const char *column; /* of /eval; NULL: the training loss */
} t5_picture;

/* Writes commands that make gnuplot write a PNG file to its standard output. curves: (plan.n),
 * n_drawn of them with points. The baseline and the best trials get colours, the others are grey.
 * Names are text, whatever is in them. T5_ERR_MEMORY. */
t5_status t5_plot_commands(FILE *out, const t5_view *view, const t5_picture *picture,
                           const t5_curve *curves, int n_drawn, t5_error *err);

#endif
