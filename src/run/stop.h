/* Signals that ask a run to stop: USR1 (a batch system's warning), TERM, INT. They are blocked and
 * waited for by a thread, so that nothing is interrupted, and asked for where a trial can stop. A
 * second INT ends the process at once, as it would have without all this. */
#ifndef T5_RUN_STOP_H
#define T5_RUN_STOP_H
#include "base/status.h"

typedef struct t5_stop t5_stop;

/* In the main thread before any other is made: they all must have the signals blocked. One at a
 * time in a process. T5_ERR_MEMORY. */
t5_status t5_stop_create(t5_stop **stop, t5_error *err);
/* Unblocks the signals again. NULL is fine. */
void t5_stop_destroy(t5_stop *stop);
/* The signal that came first, 0: none yet. NULL: 0. */
int t5_stop_signal(const t5_stop *stop);
/* "SIGTERM"; "a signal" for others than these. */
const char *t5_stop_name(int signal);

#endif
