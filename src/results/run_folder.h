/* Where a trial's files are: with the run, or with one of the parts that it was merged of. */
#ifndef T5_RESULTS_RUN_FOLDER_H
#define T5_RESULTS_RUN_FOLDER_H
#include "base/status.h"

/* `run`, or RUN/part-I-of-N if RUN/results.h5 was merged and the trial is in that part. malloc'd;
 * NULL with an error: results.h5 is there and cannot be read, T5_ERR_MEMORY. */
char *t5_run_folder(const char *run, const char *trial, t5_error *err);

#endif
