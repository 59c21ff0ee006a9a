/* What the files of this folder share and nobody else sees: the communicator's inside, the check of
 * MPI's return codes, and the wait. */
#ifndef T5_MPI_COMM_INTERNAL_H
#define T5_MPI_COMM_INTERNAL_H
#include "mpi/comm.h"
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct t5_watch t5_watch;

struct t5_comm {
    MPI_Comm handle;
    int rank, size, local_rank, local_size;
    int *world_rank;      /* (size) */
    size_t message_bytes; /* longest message from rank to rank; tests make it small */
    size_t piece_bytes;   /* longest piece of a sum or broadcast; part of what fixes a sum's bits */
    /* watch.h; watch is NULL where nobody watches, and the others mean nothing */
    t5_watch *watch;
    int id;
    t5_comm *next;
    _Atomic uint64_t calls; /* collective calls that this rank has entered, the same on all ranks */
};

/* MPI counts in int: a message stays below 2 GiB. */
enum { T5_MESSAGE_BYTES = 1 << 30 };

/* Takes over an MPI communicator (freed on failure too) and has it return errors. Collective over
 * it. */
t5_status t5_comm_wrap(MPI_Comm handle, t5_comm **comm, t5_error *err);

/* T5_OK, or T5_ERR_COMM with "what: MPI's text". */
t5_status t5_mpi_check(int code, const char *what, t5_error *err);

/* How long a wait looks again and again (yielding the core between looks) before it starts to
 * sleep. */
typedef enum {
    T5_WAIT_IDLE, /* somebody else may come much later: sleep soon */
    T5_WAIT_BUSY  /* everybody is in the middle of it: look for a few milliseconds */
} t5_wait;

/* Waits for one request of comm; `what`, a literal, names the operation in the error text. Where
 * comm is watched, only the main thread may wait in it. */
t5_status t5_mpi_wait(t5_comm *comm, MPI_Request *request, t5_wait wait, const char *what,
                      t5_error *err);
/* At the beginning of every collective call of comm. */
static inline void t5_mpi_enter(t5_comm *comm) {
    atomic_fetch_add_explicit(&comm->calls, 1, memory_order_relaxed);
}
/* A collective call of MPI's that blocks lies between these two. */
void t5_mpi_begin(t5_comm *comm, const char *what);
void t5_mpi_end(t5_comm *comm);

/* Sends or receives any number of bytes in messages of at most comm->message_bytes, one after the
 * other; nothing is sent for 0 bytes. */
t5_status t5_mpi_send(t5_comm *comm, const void *data, size_t bytes, int to, int tag,
                      t5_error *err);
t5_status t5_mpi_receive(t5_comm *comm, void *data, size_t bytes, int from, int tag, t5_error *err);

/* Receives them without keeping them. The sender's message_bytes is at most T5_SCRATCH_BYTES. */
enum { T5_SCRATCH_BYTES = 1 << 16 };
t5_status t5_mpi_discard(t5_comm *comm, size_t bytes, int from, int tag, t5_error *err);

/* Starts a thread that signals leave alone: they are the main thread's, which looks at them between
 * steps. */
t5_status t5_mpi_thread(pthread_t *thread, void *(*run)(void *), void *user, t5_error *err);

/* CLOCK_MONOTONIC in seconds. */
double t5_mpi_now(void);
/* Sleeps this long, or until a signal comes. */
void t5_mpi_sleep(double seconds);

#endif
