/* Communicators. The only folder that includes <mpi.h>. A rank group trains one trial; the world is
 * split into groups of equal size. Sums are in the fixed order of Open MPI's algorithm for the
 * group size: the same bits when repeated with the same counts, and the same bits on every rank.
 * "Collective": every rank of the communicator must call. */
#ifndef T5_MPI_COMM_H
#define T5_MPI_COMM_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct t5_comm t5_comm;

/* Starts MPI with MPI_THREAD_MULTIPLE (T5_ERR_COMM if the library cannot) and returns the world.
 * Works without mpirun: one rank. Installs MPI_ERRORS_RETURN. Collective. */
t5_status t5_comm_start(int *argc, char ***argv, t5_comm **world, t5_error *err);
/* Frees the world and ends MPI. Collective. NULL is fine. */
void t5_comm_finish(t5_comm *world);
/* Seconds for which a rank waits for the others in a collective call, or for rank 0 in a service
 * call (service.h), before the job is ended with status 1 and a line that says which ranks are
 * missing; 0: any time. It also ends when a rank's process is stopped, or cannot be reached, for as
 * long, whoever waits for it, and when a rank that waits for nobody has made no call of this folder
 * for twice as long. Until this has been called the first kind has no limit, the second
 * one of 600 s. Collective over the world; groups made of it keep to it. */
t5_status t5_comm_set_timeout(t5_comm *world, double seconds, t5_error *err);
/* This rank has come further without any other call of this folder: for long loops. For the main
 * thread; not collective. */
void t5_comm_progress(t5_comm *comm);
/* Ends the whole job at once with this exit status; does not return. */
void t5_comm_abort(t5_comm *comm, int exit_status) __attribute__((noreturn));
/* "Open MPI v4.1.4": for --version; needs no t5_comm_start. */
const char *t5_comm_library(void);

int t5_comm_rank(const t5_comm *comm);
int t5_comm_size(const t5_comm *comm);
/* Ranks of this communicator on this rank's host, and this rank's place among them. */
int t5_comm_local_size(const t5_comm *comm);
int t5_comm_local_rank(const t5_comm *comm);

/* Consecutive groups of `size` ranks (must divide the world). Collective over world. */
t5_status t5_comm_group(t5_comm *world, int size, t5_comm **group, t5_error *err);
void t5_comm_free(t5_comm *comm); /* a group; collective over it */

t5_status t5_comm_barrier(t5_comm *comm, t5_error *err);
/* From rank root; any size (cut into messages below 2 GiB). Waits by short sleeps, not by spinning,
 * so that ranks without work leave the cores to others. Collective. */
t5_status t5_comm_bcast(t5_comm *comm, int root, void *data, size_t bytes, t5_error *err);
/* Sum in place over the ranks, of any length. Collective. */
t5_status t5_comm_sum_float(t5_comm *comm, float *data, int64_t n, t5_error *err);
t5_status t5_comm_sum_double(t5_comm *comm, double *data, int64_t n, t5_error *err);
t5_status t5_comm_sum_int64(t5_comm *comm, int64_t *data, int64_t n, t5_error *err);
/* Rank 0 receives everybody's bytes one behind the other in rank order: *all malloc'd on rank 0
 * (NULL elsewhere), *offsets (size + 1 entries, malloc'd on rank 0). Collective. */
t5_status t5_comm_gather(t5_comm *comm, const void *data, size_t bytes, void **all,
                         size_t **offsets, t5_error *err);
/* Sends part d of `data` (send_bytes[d] bytes, one behind the other) to rank d. *received:
 * malloc'd, parts in rank order, recv_bytes[s] (caller's array, size entries) from rank s.
 * Collective. */
t5_status t5_comm_exchange(t5_comm *comm, const void *data, const size_t *send_bytes,
                           void **received, size_t *recv_bytes, t5_error *err);

/* Ranks agree before a step that a failed rank would skip: everybody passes its own status in *err;
 * all leave with the failure of the lowest failed rank in *err (text included), or with T5_OK.
 * Returns err->status. Collective. */
t5_status t5_comm_agree(t5_comm *comm, t5_error *err);

#endif
