/* Rank 0's half of the service: the thread that receives requests, has them handled, and replies.
 */
#ifndef T5_MPI_HELPER_H
#define T5_MPI_HELPER_H
#include "mpi/comm_internal.h"
#include "mpi/service.h"

/* A request's tag is 2 * kind, + 1 if no reply is wanted. Requests and replies travel on
 * communicators of their own, because the helper takes whatever comes on its one and rank 0 gets
 * replies too. */
enum {
    T5_SERVICE_KINDS = 1001,
    T5_TAG_GOODBYE = 2 * T5_SERVICE_KINDS, /* a rank's last word; answered when all have said it */
    T5_TAG_REPLY = 0,                      /* t5_reply_header */
    T5_TAG_REPLY_DATA                      /* then that many bytes */
};

/* Both kinds of message are short enough to be received even where there is no memory left: a
 * request into a buffer that the helper has from the start, a reply's data piece by piece into
 * t5_mpi_discard. */
enum { T5_REQUEST_BYTES = 1 << 20, T5_REPLY_PIECE = T5_SCRATCH_BYTES };

typedef struct t5_reply_header {
    uint64_t bytes;
    int32_t later;  /* no reply yet, but rank 0 is there; another header follows */
    t5_error error; /* what went wrong on rank 0; then bytes is 0 */
} t5_reply_header;

typedef struct t5_helper t5_helper;

/* On rank 0 only. The communicators must outlive the helper; it waits in them, so nobody may watch
 * them. watch: tells how long the others wait for a sign of the helper's. */
t5_status t5_helper_start(t5_comm *requests, t5_comm *replies, t5_watch *watch,
                          t5_service_handler *handler, void *user, t5_helper **helper,
                          t5_error *err);
/* Waits until every rank has said goodbye, ends the thread, and tells what was lost. NULL is fine.
 */
void t5_helper_finish(t5_helper *helper, t5_error *lost);

#endif
