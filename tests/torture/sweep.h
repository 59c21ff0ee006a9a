/* A small sweep of the shipped data, in a folder of its own, that other files of this folder run
 * again and again. */
#ifndef T5_TESTS_TORTURE_SWEEP_H
#define T5_TESTS_TORTURE_SWEEP_H
#include "process.h"

/* The learning rate of its trials. */
#define SWEEP_RATE 1e-3
/* No run is given longer than this many seconds; they take a few on an idle machine. */
#define SWEEP_LIMIT 300.0

typedef struct sweep_shape {
    int ranks;           /* 0: without mpirun */
    int ranks_per_trial; /* 1 or all */
    bool retry_failed;   /* --retry-failed */
} sweep_shape;

/* Makes a temporary folder with data, tokeniser and configuration and goes there. program: t5mpi,
 * unless the variable T5MPI of the environment names another one; mpirun: tests/mpirun.sh, source:
 * the repository. Absolute paths, kept. */
void sweep_prepare(const char *program, const char *mpirun, const char *source);
/* What the processes of the program are called. */
const char *sweep_process(void);
/* Removes that folder. */
void sweep_clean(void);

/* Starts the sweep in the output folder with --resume. set: a further NAME=VALUE, or NULL. */
process sweep_start(sweep_shape shape, const char *output, const char *set, const char *log);
/* Runs it to its end; returns its status, or -1: it went on for too long, and was killed. */
int sweep_run(sweep_shape shape, const char *output, const char *set, const char *log);

/* Runs a command of the shell (this program's own). */
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints the last lines of a log. */
void show_log(const char *log);

#endif
