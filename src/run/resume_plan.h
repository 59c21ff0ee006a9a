/* The trials of an earlier run in the output folder, and those that the configuration asks for now.
 * More trials are a way to go on; one that has begun must be among them, and be the same. */
#ifndef T5_RUN_RESUME_PLAN_H
#define T5_RUN_RESUME_PLAN_H
#include "io/store_read.h"
#include "plan/plan.h"

/* Trials of a grid that DIR/results.h5 has under another name take that one: a list that has got a
 * second value gives all trials new names, and they are the same trials all the same. Where
 * results.h5 is missing or not readable nothing changes (t5_resume says why). T5_ERR_MEMORY. */
t5_status t5_resume_names(const char *dir, t5_plan *plan, t5_error *err);

/* T5_ERR_INPUT naming a trial that has begun in DIR and is not in `now` as it was, what changed,
 * and what can be done. path: results.h5, which reader reads. A run of a version that did not write
 * its plan passes. */
t5_status t5_resume_check_plan(t5_store_reader *reader, const char *path, const char *dir,
                               const t5_plan *now, t5_error *err);

/* T5_ERR_INPUT naming a trial whose results are in DIR though results.h5 is not: it would be
 * trained again and written over. */
t5_status t5_resume_check_orphans(const char *dir, const t5_plan *now, t5_error *err);

/* The step of a trial's newest checkpoint in DIR, -1: there is none. */
int64_t t5_resume_step(const char *dir, const char *trial);

#endif
