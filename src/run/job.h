/* One piece of work in a thread of its own: it may use POSIX's calls and memory, but neither MPI
 * nor HDF5 nor a device, and no signal is delivered to it. */
#ifndef T5_RUN_JOB_H
#define T5_RUN_JOB_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct t5_job {
    bool started; /* and not yet waited for */
    bool threaded;
    atomic_bool done;
    pthread_t thread;
    void (*work)(void *user);
    void *user;
} t5_job;

/* The job stays where it is until t5_job_wait. Where no thread can be had the work is done here and
 * now. */
void t5_job_start(t5_job *job, void (*work)(void *user), void *user);
/* Is nothing going on? Does not wait. */
bool t5_job_idle(t5_job *job);
/* Waits for the end; what the work wrote is visible then. Nothing was started: fine. */
void t5_job_wait(t5_job *job);

#endif
