/* Barrier, broadcast, sums and agreement. All are non-blocking operations followed by our own wait.
 */
#include "mpi/comm_internal.h"
#include <assert.h>

t5_status t5_comm_barrier(t5_comm *comm, t5_error *err) {
    MPI_Request request;
    t5_mpi_enter(comm);
    t5_status status = t5_mpi_check(MPI_Ibarrier(comm->handle, &request), "MPI_Ibarrier", err);
    return status ? status : t5_mpi_wait(comm, &request, T5_WAIT_IDLE, "MPI_Ibarrier", err);
}

t5_status t5_comm_bcast(t5_comm *comm, int root, void *data, size_t bytes, t5_error *err) {
    /* The ranks meet at a short first piece; the long ones then find everybody there. */
    const size_t first = 4096;
    char *at = data;
    assert(root >= 0 && root < comm->size);
    t5_mpi_enter(comm);
    if (comm->size == 1)
        return T5_OK;
    for (size_t done = 0; done < bytes;) {
        size_t most = done ? comm->piece_bytes : first;
        size_t now = bytes - done < most ? bytes - done : most;
        MPI_Request request;
        t5_status status =
            t5_mpi_check(MPI_Ibcast(at + done, (int)now, MPI_BYTE, root, comm->handle, &request),
                         "MPI_Ibcast", err);
        if (!status)
            status =
                t5_mpi_wait(comm, &request, done ? T5_WAIT_BUSY : T5_WAIT_IDLE, "MPI_Ibcast", err);
        if (status)
            return status;
        done += now;
    }
    return T5_OK;
}

/* The pieces and Open MPI's algorithm depend on the length and the group's size alone, and each
 * element is summed up in one order for everybody: the same bits everywhere, every time. */
static t5_status sum(t5_comm *comm, void *data, int64_t n, MPI_Datatype type, size_t width,
                     t5_error *err) {
    const int64_t most = (int64_t)(comm->piece_bytes / width);
    char *at = data;
    assert(n >= 0);
    t5_mpi_enter(comm);
    if (comm->size == 1)
        return T5_OK;
    while (n > 0) {
        int64_t now = n < most ? n : most;
        MPI_Request request;
        t5_status status = t5_mpi_check(
            MPI_Iallreduce(MPI_IN_PLACE, at, (int)now, type, MPI_SUM, comm->handle, &request),
            "MPI_Iallreduce", err);
        if (!status)
            status = t5_mpi_wait(comm, &request, T5_WAIT_BUSY, "MPI_Iallreduce", err);
        if (status)
            return status;
        at += (size_t)now * width;
        n -= now;
    }
    return T5_OK;
}

t5_status t5_comm_sum_float(t5_comm *comm, float *data, int64_t n, t5_error *err) {
    return sum(comm, data, n, MPI_FLOAT, sizeof *data, err);
}

t5_status t5_comm_sum_double(t5_comm *comm, double *data, int64_t n, t5_error *err) {
    return sum(comm, data, n, MPI_DOUBLE, sizeof *data, err);
}

t5_status t5_comm_sum_int64(t5_comm *comm, int64_t *data, int64_t n, t5_error *err) {
    return sum(comm, data, n, MPI_INT64_T, sizeof *data, err);
}

t5_status t5_comm_agree(t5_comm *comm, t5_error *err) {
    int first = err->status ? comm->rank : comm->size; /* the lowest failed rank */
    MPI_Request request;
    t5_error theirs = *err;
    t5_error trouble = {0};
    t5_mpi_enter(comm);
    t5_status status = t5_mpi_check(
        MPI_Iallreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm->handle, &request),
        "MPI_Iallreduce", &trouble);
    if (!status)
        status = t5_mpi_wait(comm, &request, T5_WAIT_IDLE, "MPI_Iallreduce", &trouble);
    if (!status && first < comm->size)
        status = t5_comm_bcast(comm, first, &theirs, sizeof theirs, &trouble);
    if (!status)
        *err = theirs;
    else if (!err->status)
        *err = trouble;
    return err->status;
}
