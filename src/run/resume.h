/* `--resume`: what of an earlier run in the output folder is kept. */
#ifndef T5_RUN_RESUME_H
#define T5_RUN_RESUME_H
#include "run/prepare.h"
#include "run/report.h"

/* A number for the rows and the tokeniser that trials are trained with: another one for others. */
uint64_t t5_fingerprint(const t5_source *source);

/* Reads DIR/results.h5 and the files of the plan's trials. kept[t] (of the plan's size): trial t
 * has ended and need not run again; then summaries[t] is what its file says, in a form that
 * t5_host_keep takes. A failed one is kept unless retry_failed. What has not ended, or has another
 * specification, runs (again). T5_ERR_INPUT naming what was and what is, if the settings, the data
 * or the tokeniser are others than those of the earlier run. Nothing there: nothing is kept. Not
 * collective. */
t5_status t5_resume_read(const t5_prepared *prepared, bool retry_failed, bool *kept,
                         t5_trial_summary *summaries, t5_error *err);

/* Removes what a run that was killed was writing in the output folder: nobody else will. */
void t5_resume_clean(const t5_prepared *prepared);

#endif
