/* The two commands that read a configuration. Both collective over world. */
#ifndef T5_RUN_SWEEP_H
#define T5_RUN_SWEEP_H
#include "plan/part.h"
#include "run/stop.h"
#include "setup/devices.h"
#include <stdio.h>

typedef struct t5_command {
    const char *config;      /* file */
    const char *const *sets; /* n_sets "PATH=VALUE" */
    int n_sets;
    const char *output;  /* --output, or NULL */
    t5_part part;        /* --part */
    t5_use device;       /* --device */
    bool resume;         /* --resume: trials that have ended in the output folder are kept */
    bool retry_failed;   /* --retry-failed: but for those that lack something */
    const t5_stop *stop; /* signals, or NULL */
    const char *job;     /* of a batch system: NUMBER.START (io/lock.h), or NULL */
} t5_command;

/* t5mpi run: plans, trains all trials, writes the results, prints the report to out. *n_failed:
 * trials that failed, or whose weights could not be written. Ranks agree on failure: T5_ERR_INPUT
 * if configuration or data are wrong (nothing was started then). */
t5_status t5_sweep_run(t5_comm *world, const t5_command *command, FILE *out, int *n_failed,
                       t5_error *err);

/* t5mpi plan: what would run, on rank 0's out; trains and writes nothing. */
t5_status t5_sweep_plan(t5_comm *world, const t5_command *command, FILE *out, t5_error *err);

#endif
