#include "run/job.h"
#include <assert.h>
#include <signal.h>
#include <stddef.h>

static void *run(void *user) {
    t5_job *job = user;
    job->work(job->user);
    atomic_store(&job->done, true);
    return NULL;
}

void t5_job_start(t5_job *job, void (*work)(void *user), void *user) {
    sigset_t all, before;
    assert(!job->started);
    job->started = true;
    job->work = work;
    job->user = user;
    atomic_store(&job->done, false);
    sigfillset(&all); /* a thread begins with its maker's mask */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    job->threaded = pthread_create(&job->thread, NULL, run, job) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!job->threaded)
        run(job);
}

bool t5_job_idle(t5_job *job) {
    return !job->started || atomic_load(&job->done);
}

void t5_job_wait(t5_job *job) {
    if (job->started && job->threaded)
        pthread_join(job->thread, NULL);
    job->started = false;
}
