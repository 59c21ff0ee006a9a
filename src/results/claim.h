/* One run at a time in an output folder: DIR/run.lock (io/lock.h), which is there as long as a run
 * is. job: NUMBER.START of a batch job, or NULL. */
#ifndef T5_RESULTS_CLAIM_H
#define T5_RESULTS_CLAIM_H
#include "io/lock.h"

/* T5_ERR_INPUT if a run goes on in the folder, naming its process; before anything is read. */
t5_status t5_claim_check(const char *dir, const char *job, t5_error *err);
/* Makes the folder, with its trials/, and takes it for this run; rank 0. *lock is released at the
 * end, whatever happened. T5_ERR_INPUT: as above, or something that is no folder is in the way. */
t5_status t5_claim_take(const char *dir, const char *job, t5_lock **lock, t5_error *err);
/* For the other ranks: the run is not over as long as one of them may write. NULL is no error. */
t5_lock *t5_claim_join(const char *dir);

#endif
