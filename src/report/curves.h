/* The curves of a trial's file, as points of a picture. */
#ifndef T5_REPORT_CURVES_H
#define T5_REPORT_CURVES_H
#include "io/store_read.h"

/* Points (x, y): x in epochs of the trial. */
typedef struct t5_curve {
    int64_t n; /* 0: the trial has none */
    double *x, *y;
} t5_curve;

enum { T5_CURVE_POINTS = 60 };

/* The training loss, as means over equally many steps, T5_CURVE_POINTS of them at most. Values that
 * are no numbers stay that. file: the trial's own. T5_ERR_INPUT, T5_ERR_MEMORY. */
t5_status t5_curve_train(t5_store_reader *file, t5_curve *curve, t5_error *err);
/* A column of the validation split's table, an epoch a point. */
t5_status t5_curve_eval(t5_store_reader *file, const char *column, t5_curve *curve, t5_error *err);
void t5_curve_free(t5_curve *curve); /* also of an empty one */

#endif
