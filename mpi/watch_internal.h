/* The inside of a watch, which its two files share: watch.c, the thread and what the main thread
 * calls, and watch_wait.c, which judges the main thread's wait. */
#ifndef T5_MPI_WATCH_INTERNAL_H
#define T5_MPI_WATCH_INTERNAL_H
#include "mpi/notes.h"
#include "mpi/watch.h"

typedef enum { T5_IDLE, T5_IN_CALL, T5_IN_SERVICE } t5_doing;

/* The main thread's wait. */
typedef struct t5_wait_state {
    t5_doing doing;
    const t5_comm *comm;
    const char *what;
    bool own_limit; /* is told instead of ending the job */
    double limit;   /* if own_limit */
    double waited;
    bool asked; /* the others, `asking` seconds ago */
    double asking;
    t5_error over;
} t5_wait_state;

typedef struct t5_peer {
    double silent; /* seconds since its last note */
    bool answered; /* the last question: */
    t5_note answer;
} t5_peer;

/* Everything is kept under the lock, by the thread for as long as it does something. */
struct t5_watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    t5_notes *notes;
    int rank, size;
    t5_peer *peers; /* (size) */
    t5_comm *comms;
    int made; /* communicators so far */
    double limit, sign_every, unsigned_for;
    bool configured; /* the limit counts for calls, too */
    bool closed, ended;
    double closed_for;
    int question;
    t5_wait_state wait;
    /* of the main thread: marks only ever tells whether anything has happened since the last look
     */
    _Atomic uint64_t steps;
    uint64_t marks;
    double still;
};

/* All under the lock. gap: seconds since the last look, without those in which this process did not
 * run. They end the job when the limit has passed: in a wait for others, or without any progress.
 */
void t5_watch_look_at_wait(t5_watch *w, double gap);
void t5_watch_look_at_progress(t5_watch *w, double gap);

#endif
