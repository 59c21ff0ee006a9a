/* Every rank's half of the service: asking, telling, starting and stopping. */
#include "mpi/service.h"
#include "mpi/helper.h"
#include "mpi/watch.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct t5_service {
    t5_comm *world;
    t5_comm *requests, *replies;
    t5_helper *helper; /* rank 0 */
};

static t5_status duplicate(t5_comm *comm, size_t message_bytes, t5_comm **copy, t5_error *err) {
    MPI_Comm handle;
    t5_mpi_begin(comm, "starting the service");
    t5_status status = t5_mpi_check(MPI_Comm_dup(comm->handle, &handle), "MPI_Comm_dup", err);
    if (!status)
        status = t5_comm_wrap(handle, copy, err);
    t5_mpi_end(comm);
    if (!status)
        (*copy)->message_bytes = message_bytes;
    return status;
}

/* Frees what is there; after t5_helper_finish, or where there never was a helper. */
static void destroy(t5_service *s) {
    if (!s)
        return;
    t5_comm_free(s->requests);
    t5_comm_free(s->replies);
    free(s);
}

t5_status t5_service_start(t5_comm *world, t5_service_handler *handler, void *user,
                           t5_service **service, t5_error *err) {
    t5_error mine = {0};
    t5_service *s = calloc(1, sizeof *s);
    *service = NULL;
    if (!s)
        t5_fail(&mine, T5_ERR_MEMORY, "no memory for the service");
    if (!t5_comm_agree(world, &mine)) {
        if (!duplicate(world, T5_REQUEST_BYTES, &s->requests, &mine))
            duplicate(world, T5_REPLY_PIECE, &s->replies, &mine);
        if (!t5_comm_agree(world, &mine) && world->rank == 0)
            t5_helper_start(s->requests, s->replies, world->watch, handler, user, &s->helper,
                            &mine);
        t5_comm_agree(world, &mine);
    }
    if (mine.status) {
        destroy(s);
        return t5_fail(err, mine.status, "%s", mine.text);
    }
    s->world = world;
    *service = s;
    return T5_OK;
}

static t5_status put(t5_service *s, int tag, const void *request, size_t bytes, t5_error *err) {
    MPI_Request sending;
    if (bytes > s->requests->message_bytes)
        return t5_fail(err, T5_ERR_COMM,
                       "a request of %zu bytes to rank 0; at most %zu are allowed", bytes,
                       s->requests->message_bytes);
    t5_status status = t5_mpi_check(
        MPI_Isend(request, (int)bytes, MPI_BYTE, 0, tag, s->requests->handle, &sending),
        "MPI_Isend", err);
    return status ? status : t5_mpi_wait(s->requests, &sending, T5_WAIT_IDLE, "MPI_Isend", err);
}

/* The header of the reply, however late: each sign from rank 0 lets the wait begin anew. */
static t5_status hear(t5_service *s, t5_reply_header *header, t5_error *err) {
    MPI_Request receiving;
    do {
        t5_watch_begin(s->world->watch, NULL, "a request");
        t5_status status = t5_mpi_check(MPI_Irecv(header, (int)sizeof *header, MPI_BYTE, 0,
                                                  T5_TAG_REPLY, s->replies->handle, &receiving),
                                        "MPI_Irecv", err);
        if (!status)
            status = t5_mpi_wait(s->replies, &receiving, T5_WAIT_IDLE, "MPI_Irecv", err);
        if (status)
            return status;
    } while (header->later);
    return T5_OK;
}

static t5_status call(t5_service *s, int kind, const void *request, size_t bytes, void **reply,
                      size_t *reply_bytes, t5_error *err) {
    t5_reply_header header;
    t5_status status = put(s, 2 * kind, request, bytes, err);
    if (!status)
        status = hear(s, &header, err);
    if (status)
        return status;
    if (header.error.status)
        return t5_fail(err, header.error.status, "%s", header.error.text);
    if (!header.bytes)
        return T5_OK;
    void *room = malloc((size_t)header.bytes);
    if (!room) {
        /* the helper must get rid of it all the same */
        status = t5_mpi_discard(s->replies, (size_t)header.bytes, 0, T5_TAG_REPLY_DATA, err);
        return status ? status
                      : t5_fail(err, T5_ERR_MEMORY, "no memory for a reply of %zu bytes",
                                (size_t)header.bytes);
    }
    status = t5_mpi_receive(s->replies, room, (size_t)header.bytes, 0, T5_TAG_REPLY_DATA, err);
    if (status)
        return status; /* room stays: MPI may still write to it */
    *reply = room;
    *reply_bytes = (size_t)header.bytes;
    return T5_OK;
}

t5_status t5_service_call(t5_service *s, int kind, const void *request, size_t bytes, void **reply,
                          size_t *reply_bytes, t5_error *err) {
    assert(kind >= 0 && kind < T5_SERVICE_KINDS);
    *reply = NULL;
    *reply_bytes = 0;
    t5_watch_begin(s->world->watch, NULL, "a request");
    t5_status status = call(s, kind, request, bytes, reply, reply_bytes, err);
    t5_watch_end(s->world->watch);
    return status;
}

t5_status t5_service_ask(t5_service *s, int kind, const void *request, size_t bytes, void *answer,
                         size_t answer_bytes, t5_error *err) {
    void *reply;
    size_t got;
    t5_status status = t5_service_call(s, kind, request, bytes, &reply, &got, err);
    if (status)
        return status;
    if (got == answer_bytes)
        memcpy(answer, reply, got);
    else
        status = t5_fail(err, T5_ERR_COMM,
                         "rank 0 answered a request of kind %d with %zu bytes instead of %zu", kind,
                         got, answer_bytes);
    free(reply);
    return status;
}

t5_status t5_service_tell(t5_service *s, int kind, const void *request, size_t bytes,
                          t5_error *err) {
    assert(kind >= 0 && kind < T5_SERVICE_KINDS);
    t5_watch_begin(s->world->watch, NULL, "a request");
    t5_status status = put(s, 2 * kind + 1, request, bytes, err);
    t5_watch_end(s->world->watch);
    return status;
}

/* The others may train for hours yet: only rank 0's helper knows when the last of them is done. */
static t5_status say_goodbye(t5_service *s, t5_error *err) {
    t5_reply_header header;
    t5_watch_begin(s->world->watch, NULL, "the end");
    t5_status status = put(s, T5_TAG_GOODBYE, NULL, 0, err);
    if (!status)
        status = hear(s, &header, err);
    t5_watch_end(s->world->watch);
    return status;
}

t5_status t5_service_stop(t5_service *s, t5_error *err) {
    t5_error mine = {0};
    if (!s)
        return T5_OK;
    if (!say_goodbye(s, &mine))
        t5_helper_finish(s->helper, &mine);
    t5_comm_agree(s->world, &mine);
    destroy(s);
    return mine.status ? t5_fail(err, mine.status, "%s", mine.text) : T5_OK;
}
