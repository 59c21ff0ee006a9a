/* `--resume`: what of an earlier run in the output folder is kept. */
#ifndef T5_RUN_RESUME_H
#define T5_RUN_RESUME_H
#include "run/host.h"
#include "run/prepare.h"

/* Reads DIR/results.h5 and the files of the plan's trials, and gives the host those that have ended
 * with the same specification (t5_host_keep); *n_kept: how many. A failed one is kept unless
 * retry_failed. What is not kept runs (again). fingerprint: t5_source_fingerprint of the rows.
 * T5_ERR_INPUT naming what was and what is, if the settings, the data or the tokeniser are others
 * than those of the earlier run. Nothing there: nothing is kept. Before the service starts; not
 * collective. */
t5_status t5_resume(const t5_prepared *prepared, uint64_t fingerprint, bool retry_failed,
                    t5_host *host, int *n_kept, t5_error *err);

/* Removes what a run that was killed was writing in the folder: nobody else will. The folder is
 * this run's (results/claim.h). */
void t5_resume_clean(const t5_prepared *prepared);

/* What of the trials is there, for the user: how many are kept (n_kept), and which have checkpoints
 * to go on from. */
void t5_resume_print(const t5_prepared *prepared, t5_host *host, int n_kept, FILE *out);

#endif
