/* Which trial of a run is meant when nobody names one. */
#ifndef T5_SAVED_BEST_TRIAL_H
#define T5_SAVED_BEST_TRIAL_H
#include "base/status.h"

/* The completed trial with the largest value of the deciding metric on the validation split; of
 * equal ones the first of the plan. From RUN/results.h5 and the trials' files. The test split has
 * no say, so that its figures stay those of rows that nothing was chosen by. T5_ERR_INPUT: no trial
 * has such a value (the text lists the trials), or a file cannot be read. */
t5_status t5_best_trial(const char *run, char name[128], t5_error *err);

#endif
