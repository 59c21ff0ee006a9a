/* Progress on rank 0's screen. On a terminal: a live line per running trial (bar, epoch, loss,
 * rows/s, time left); otherwise a line per epoch. All calls come from one thread at a time (the
 * service's handler); the final report is printed after t5_console_close. What cannot be written is
 * lost. */
#ifndef T5_REPORT_CONSOLE_H
#define T5_REPORT_CONSOLE_H
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct t5_console t5_console;

typedef struct t5_progress {
    int trial; /* number in the plan */
    int epoch; /* 1-based, the one in progress or just finished */
    int epochs;
    int64_t step, steps; /* optimiser steps of the whole trial so far, and at most */
    double loss;         /* mean training loss of the epoch so far */
    double rows_per_second;
    double seconds;          /* since the trial began */
    double val_loss;         /* of a finished epoch, NaN otherwise */
    double figure;           /* deciding metric on the validation split, NaN if there is none */
    bool epoch_done, better; /* better: best validation loss so far */
} t5_progress;

/* terminal: see report/screen.h. names: of all trials, must outlive the console, as must
 * figure_name, e.g. "avg_jaccard". T5_ERR_MEMORY. */
t5_status t5_console_open(FILE *out, bool terminal, int n_trials, const char *const *names,
                          const char *figure_name, t5_console **console, t5_error *err);
void t5_console_close(t5_console *c); /* wipes live lines; NULL is fine */
void t5_console_start(t5_console *c, int trial, bool speculative);
/* Live lines are redrawn ten times a second at most. */
void t5_console_progress(t5_console *c, const t5_progress *p);
/* how: "completed", "failed: reason", ...; a permanent line. */
void t5_console_end(t5_console *c, int trial, const char *how);

#endif
