/* `t5mpi report`: the tables of a run again, from its files, and plots. */
#ifndef T5_REPORT_REPORT_COMMAND_H
#define T5_REPORT_REPORT_COMMAND_H
#include "base/status.h"
#include <stdio.h>

/* Prints what the run in the folder `run` printed at its end, or would, if it ended now; says which
 * parts of an array are missing or unfinished, and writes RUN/results.h5 with links to the parts
 * that are there; draws plots into the folder `plots` (NULL: RUN/plots). One process, no MPI.
 * T5_ERR_INPUT: no run, damaged files, parts that do not belong together; T5_ERR_IO: something
 * could not be written, after the tables. */
t5_status t5_report_run(const char *run, const char *plots, FILE *out, t5_error *err);

#endif
