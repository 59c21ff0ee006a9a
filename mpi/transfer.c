/* Bytes from rank to rank, cut into messages that MPI can count, and the two collectives made of
 * them. */
#include "mpi/comm_internal.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_PART = 1 };

t5_status t5_mpi_send(t5_comm *comm, const void *data, size_t bytes, int to, int tag,
                      t5_error *err) {
    const char *at = data;
    while (bytes) {
        size_t now = bytes < comm->message_bytes ? bytes : comm->message_bytes;
        MPI_Request request;
        t5_status status = t5_mpi_check(
            MPI_Isend(at, (int)now, MPI_BYTE, to, tag, comm->handle, &request), "MPI_Isend", err);
        if (!status)
            status = t5_mpi_wait(comm, &request, T5_WAIT_BUSY, "MPI_Isend", err);
        if (status)
            return status;
        at += now;
        bytes -= now;
    }
    return T5_OK;
}

t5_status t5_mpi_receive(t5_comm *comm, void *data, size_t bytes, int from, int tag,
                         t5_error *err) {
    char *at = data;
    while (bytes) {
        size_t now = bytes < comm->message_bytes ? bytes : comm->message_bytes;
        MPI_Request request;
        t5_status status = t5_mpi_check(
            MPI_Irecv(at, (int)now, MPI_BYTE, from, tag, comm->handle, &request), "MPI_Irecv", err);
        if (!status)
            status = t5_mpi_wait(comm, &request, T5_WAIT_BUSY, "MPI_Irecv", err);
        if (status)
            return status;
        at += now;
        bytes -= now;
    }
    return T5_OK;
}

/* In pieces that fit, because a message that is longer than the buffer it is received into can
 * crash Open MPI 4.1 (it copies straight from the sender's memory, and gets the length wrong). */
t5_status t5_mpi_discard(t5_comm *comm, size_t bytes, int from, int tag, t5_error *err) {
    char scratch[T5_SCRATCH_BYTES];
    assert(comm->message_bytes <= sizeof scratch);
    while (bytes) {
        size_t now = bytes < comm->message_bytes ? bytes : comm->message_bytes;
        t5_status status = t5_mpi_receive(comm, scratch, now, from, tag, err);
        if (status)
            return status;
        bytes -= now;
    }
    return T5_OK;
}

/* Leaves offsets[0..n] of n parts that lie one behind the other, and makes room for them all. */
static t5_status make_room(const uint64_t *sizes, int n, size_t *offsets, void **room,
                           t5_error *err) {
    offsets[0] = 0;
    for (int i = 0; i < n; i++)
        offsets[i + 1] = offsets[i] + (size_t)sizes[i];
    *room = malloc(offsets[n] ? offsets[n] : 1);
    if (!*room)
        return t5_fail(err, T5_ERR_MEMORY, "no memory for %zu bytes from other ranks", offsets[n]);
    return T5_OK;
}

/* Passes on what a collective ended with. */
static t5_status leave(const t5_error *mine, t5_error *err) {
    return mine->status ? t5_fail(err, mine->status, "%s", mine->text) : T5_OK;
}

/* After the sizes: everything is already there when rank 0 asks for it, rank by rank. */
static t5_status gather_parts(t5_comm *comm, const void *data, size_t bytes, char *all,
                              const size_t *offsets, t5_error *err) {
    if (comm->rank)
        return t5_mpi_send(comm, data, bytes, 0, TAG_PART, err);
    if (bytes)
        memcpy(all, data, bytes);
    for (int r = 1; r < comm->size; r++) {
        t5_status status =
            t5_mpi_receive(comm, all + offsets[r], offsets[r + 1] - offsets[r], r, TAG_PART, err);
        if (status)
            return status;
    }
    return T5_OK;
}

t5_status t5_comm_gather(t5_comm *comm, const void *data, size_t bytes, void **all,
                         size_t **offsets, t5_error *err) {
    t5_error mine = {0};
    uint64_t own = bytes, *sizes = NULL;
    MPI_Request request;
    *all = NULL;
    *offsets = NULL;
    t5_mpi_enter(comm);
    if (comm->rank == 0) {
        sizes = calloc((size_t)comm->size, sizeof *sizes);
        *offsets = calloc((size_t)comm->size + 1, sizeof **offsets);
        if (!sizes || !*offsets)
            t5_fail(&mine, T5_ERR_MEMORY, "no memory for a gather");
    }
    if (t5_comm_agree(comm, &mine))
        goto done;
    if (t5_mpi_check(
            MPI_Igather(&own, 1, MPI_UINT64_T, sizes, 1, MPI_UINT64_T, 0, comm->handle, &request),
            "MPI_Igather", &mine) ||
        t5_mpi_wait(comm, &request, T5_WAIT_BUSY, "MPI_Igather", &mine))
        goto done;
    if (comm->rank == 0)
        make_room(sizes, comm->size, *offsets, all, &mine);
    if (t5_comm_agree(comm, &mine))
        goto done;
    gather_parts(comm, data, bytes, *all, *offsets, &mine);
done:
    free(sizes);
    if (mine.status) {
        free(*all);
        free(*offsets);
        *all = NULL;
        *offsets = NULL;
    }
    return leave(&mine, err);
}

/* In round k every rank sends to the one k places behind and receives from the one k places before
 * it, the two at the same time. */
static t5_status exchange_round(t5_comm *comm, int k, const char *data, const size_t *from,
                                char *received, const size_t *to, t5_error *err) {
    const int behind = (comm->rank + k) % comm->size;
    const int before = (comm->rank + comm->size - k) % comm->size;
    const char *out = data ? data + from[behind] : NULL; /* nothing to send may be NULL */
    char *in = received + to[before];
    size_t left_out = from[behind + 1] - from[behind], left_in = to[before + 1] - to[before];
    while (left_out || left_in) {
        size_t send = left_out < comm->message_bytes ? left_out : comm->message_bytes;
        size_t take = left_in < comm->message_bytes ? left_in : comm->message_bytes;
        MPI_Request sending = MPI_REQUEST_NULL, taking = MPI_REQUEST_NULL;
        t5_status status = T5_OK;
        if (take)
            status = t5_mpi_check(
                MPI_Irecv(in, (int)take, MPI_BYTE, before, TAG_PART, comm->handle, &taking),
                "MPI_Irecv", err);
        if (!status && send)
            status = t5_mpi_check(
                MPI_Isend(out, (int)send, MPI_BYTE, behind, TAG_PART, comm->handle, &sending),
                "MPI_Isend", err);
        if (!status)
            status = t5_mpi_wait(comm, &taking, T5_WAIT_BUSY, "MPI_Irecv", err);
        if (!status)
            status = t5_mpi_wait(comm, &sending, T5_WAIT_BUSY, "MPI_Isend", err);
        if (status)
            return status;
        out += send;
        in += take;
        left_out -= send;
        left_in -= take;
    }
    return T5_OK;
}

t5_status t5_comm_exchange(t5_comm *comm, const void *data, const size_t *send_bytes,
                           void **received, size_t *recv_bytes, t5_error *err) {
    const size_t n = (size_t)comm->size;
    t5_error mine = {0};
    MPI_Request request;
    uint64_t *sizes = calloc(2 * n, sizeof *sizes);
    size_t *offsets = calloc(2 * (n + 1), sizeof *offsets);
    size_t *from = offsets, *to = offsets ? offsets + n + 1 : NULL;
    *received = NULL;
    t5_mpi_enter(comm);
    if (!sizes || !offsets)
        t5_fail(&mine, T5_ERR_MEMORY, "no memory for an exchange");
    if (t5_comm_agree(comm, &mine))
        goto done;
    for (size_t d = 0; d < n; d++) {
        sizes[d] = send_bytes[d];
        from[d + 1] = from[d] + send_bytes[d];
    }
    if (t5_mpi_check(MPI_Ialltoall(sizes, 1, MPI_UINT64_T, sizes + n, 1, MPI_UINT64_T, comm->handle,
                                   &request),
                     "MPI_Ialltoall", &mine) ||
        t5_mpi_wait(comm, &request, T5_WAIT_BUSY, "MPI_Ialltoall", &mine))
        goto done;
    make_room(sizes + n, comm->size, to, received, &mine);
    if (t5_comm_agree(comm, &mine))
        goto done;
    for (size_t s = 0; s < n; s++)
        recv_bytes[s] = (size_t)sizes[n + s];
    if (send_bytes[comm->rank])
        memcpy((char *)*received + to[comm->rank], (const char *)data + from[comm->rank],
               send_bytes[comm->rank]);
    for (int k = 1; k < comm->size && !mine.status; k++)
        exchange_round(comm, k, data, from, *received, to, &mine);
done:
    free(sizes);
    free(offsets);
    if (mine.status) {
        free(*received);
        *received = NULL;
    }
    return leave(&mine, err);
}
