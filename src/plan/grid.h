/* The trials of a grid and their names: plan.c's other half. */
#ifndef T5_PLAN_GRID_H
#define T5_PLAN_GRID_H
#include "plan/plan.h"

/* Sets plan->n and plan->trials (malloc'd) from the configuration's lists. T5_ERR_INPUT: more than
 * T5_GRID_MOST trials. */
enum { T5_GRID_MOST = 10000 };
t5_status t5_grid_make(const t5_config *config, t5_plan *plan, t5_error *err);

#endif
