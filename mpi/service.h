/* Requests to rank 0, answered by a helper thread there while rank 0 trains (a duplicate
 * communicator; matched probe, receive and send; 1 ms sleep between looks). Knows nothing of what
 * the requests mean: src/run gives the handler. Where MPI itself fails on the helper thread, nobody
 * can be told any more: it logs the error and ends the job. A rank may wait for a reply for as long
 * as the helper says that it is there; after parallel.timeout_s (t5_comm_set_timeout) without any
 * sign from it the rank ends the job. */
#ifndef T5_MPI_SERVICE_H
#define T5_MPI_SERVICE_H
#include "mpi/comm.h"

typedef struct t5_service t5_service;

typedef struct t5_reply {
    const void *data; /* must stay valid until the handler is called again or t5_service_stop */
    void *owned;      /* or malloc'd data, freed by the service after sending; NULL: use data */
    size_t bytes;
} t5_reply;

/* Answers a request of `rank`. true: *reply is sent now. false: not yet; the service keeps the
 * request and asks again after any other request has been handled (and at least every 50 ms). Runs
 * on the helper thread only, never twice at a time; must not call MPI or HDF5. */
typedef bool t5_service_handler(void *user, int rank, int kind, const void *request, size_t bytes,
                                t5_reply *reply);
/* Collective over world; the handler matters on rank 0 only. */
t5_status t5_service_start(t5_comm *world, t5_service_handler *handler, void *user,
                           t5_service **service, t5_error *err);
/* Asks rank 0 (rank 0 too) and waits by short sleeps. *reply malloc'd (NULL if empty). Not
 * collective; one call at a time per rank. kind: 0 .. 1000. A request has at most 1 MiB, a reply
 * any length. Once a tell has been lost on rank 0 for want of memory, every call returns that
 * error. */
t5_status t5_service_call(t5_service *service, int kind, const void *request, size_t bytes,
                          void **reply, size_t *reply_bytes, t5_error *err);
/* The same for a reply of a known length (not 0), copied to *answer; another length is T5_ERR_COMM.
 */
t5_status t5_service_ask(t5_service *service, int kind, const void *request, size_t bytes,
                         void *answer, size_t answer_bytes, t5_error *err);
/* Tells rank 0 something; no answer is waited for (the handler returns true with an empty reply).
 * Tells and calls of one rank arrive in the order in which they were made. */
t5_status t5_service_tell(t5_service *service, int kind, const void *request, size_t bytes,
                          t5_error *err);
/* Everything told so far is handled, then the helper ends. Returns a lost tell's error on every
 * rank. Collective; a rank's own calls must have returned. NULL is fine (on all ranks). */
t5_status t5_service_stop(t5_service *service, t5_error *err);

#endif
