/* The table /plan of results.h5: every trial of the whole plan, with its specification and what
 * follows it. */
#ifndef T5_RESULTS_INDEX_PLAN_H
#define T5_RESULTS_INDEX_PLAN_H
#include "io/store_read.h"
#include "plan/plan.h"

/* What cannot be done sticks to the store, but for T5_ERR_MEMORY. */
t5_status t5_index_write_plan(t5_store *store, const t5_plan *plan, t5_error *err);
/* path: the file, for messages. The baseline is left to the caller. T5_ERR_INPUT: it is not there,
 * or makes no sense. */
t5_status t5_index_read_plan(t5_store_reader *reader, const char *path, t5_plan *plan,
                             t5_error *err);

#endif
