/* Nobody waits for ever. Every rank of a world of several has a thread that
 *  - shows rank 0 a sign of life now and then, and rank 0 all the others: a stopped process or a
 *    host that cannot be reached is noticed whatever the others are doing;
 *  - watches over the main thread's wait: once it has lasted for the time limit, the others are
 *    asked whether they have entered the same call, and those that have not are named;
 *  - answers such questions, so that a rank that computes is told from one that is gone;
 *  - ends the job when the main thread waits for nobody and comes no further for twice the limit.
 * It logs who is missing and ends the job with status 1; a collective call of MPI cannot be
 * taken back. Who waits in the service (service.h) may do so for as long as rank 0's helper says
 * that it is there, and those who wait for such a rank in their group may, too.
 *
 * Time that a process was stopped or did not get a core does not count. For this folder only. */
#ifndef T5_MPI_WATCH_H
#define T5_MPI_WATCH_H
#include "mpi/comm_internal.h"

/* The limit before the configuration is known: for signs of life only, as rank 0 may be busy. */
enum { T5_WATCH_START_LIMIT = 600 };

/* For all ranks of the world, which must outlive it. Collective; the ranks agree. *watch: NULL if
 * there is one rank. All functions below take NULL, and do nothing then. */
t5_status t5_watch_start(t5_comm *world, t5_watch **watch, t5_error *err);
/* Before MPI_Finalize: from now on only the time limit is kept, over what the main thread does
 * until t5_watch_destroy. Collective; nobody is in another collective any more. */
void t5_watch_close(t5_watch *watch);
void t5_watch_destroy(t5_watch *watch);

/* Seconds; 0: no limit. Collective. */
t5_status t5_watch_set_limit(t5_watch *watch, t5_comm *world, double limit, t5_error *err);
double t5_watch_limit(t5_watch *watch);

/* A communicator's ranks can be asked for between these two; makes comm->id and comm->watch. */
void t5_watch_add(t5_watch *watch, t5_comm *comm);
void t5_watch_remove(t5_comm *comm);

/* The main thread is in a call of comm that waits for the others; NULL: for rank 0's helper. `what`
 * must stay valid. Not nested. t5_watch_begin again: the time starts anew. */
void t5_watch_begin(t5_watch *watch, t5_comm *comm, const char *what);
void t5_watch_end(t5_watch *watch);
/* The same for waits that can be given up: with a limit of its own (0: none), at which the job is
 * not ended, but t5_watch_is_over becomes true, with the reason in *err (T5_ERR_COMM). */
void t5_watch_begin_limited(t5_watch *watch, t5_comm *comm, const char *what, double limit);
bool t5_watch_is_over(t5_watch *watch, t5_error *err);
/* The main thread has come further by itself. Each call and wait above says so, too. */
void t5_watch_step(t5_watch *watch);

#endif
