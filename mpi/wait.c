/* Checking and waiting: the two things done around every MPI call. */
#include "mpi/watch.h"
#include <sched.h>
#include <signal.h>
#include <time.h>

t5_status t5_mpi_check(int code, const char *what, t5_error *err) {
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length = 0;
    if (code == MPI_SUCCESS)
        return T5_OK;
    MPI_Error_string(code, text, &length);
    return t5_fail(err, T5_ERR_COMM, "%s: %s", what, text);
}

double t5_mpi_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void t5_mpi_sleep(double seconds) {
    struct timespec t;
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

void t5_mpi_begin(t5_comm *comm, const char *what) {
    t5_mpi_enter(comm);
    t5_watch_begin(comm->watch, comm, what);
}

void t5_mpi_end(t5_comm *comm) {
    t5_watch_end(comm->watch);
}

t5_status t5_mpi_thread(pthread_t *thread, void *(*run)(void *), void *user, t5_error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, run, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? t5_fail(err, T5_ERR_MEMORY, "cannot start a thread") : T5_OK;
}

/* MPI's own blocking waits spin, and where Open MPI does not know that there are more ranks than
 * cores they do not even yield: a step with an all-reduce then takes more than twice as long. This
 * wait does not depend on that setting. The sleep grows with the time waited, so it adds at most an
 * eighth to any wait. */
t5_status t5_mpi_wait(t5_comm *comm, MPI_Request *request, t5_wait wait, const char *what,
                      t5_error *err) {
    const double patience = wait == T5_WAIT_BUSY ? 3e-3 : 50e-6;
    const double longest = 1e-3;
    const double worth_watching = 20e-3; /* an ordinary step's waits are over before */
    const double start = t5_mpi_now();
    bool watched = false;
    for (;;) {
        int complete = 0;
        t5_status status = t5_mpi_check(MPI_Test(request, &complete, MPI_STATUS_IGNORE), what, err);
        if (status || complete) {
            if (watched)
                t5_watch_end(comm->watch);
            return status;
        }
        double waited = t5_mpi_now() - start;
        if (!watched && waited > worth_watching && comm->watch) {
            t5_watch_begin(comm->watch, comm, what);
            watched = true;
        }
        if (waited < patience)
            sched_yield();
        else
            t5_mpi_sleep(waited / 8 < longest ? waited / 8 : longest);
    }
}
