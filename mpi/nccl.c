#include "mpi/nccl.h"
#include "cuda/libraries.h"
#include "mpi/comm_internal.h"
#include <cuda_runtime_api.h>
#include <nccl.h>
#include <stdlib.h>

struct t5_nccl {
    ncclComm_t comm;
    cudaStream_t stream;
    cudaEvent_t done;
    int rank, size;
};

static t5_status check(ncclResult_t result, const char *what, t5_error *err) {
    return result == ncclSuccess
               ? T5_OK
               : t5_fail(err, T5_ERR_COMM, "NCCL, %s: %s", what, ncclGetErrorString(result));
}

static t5_status check_cuda(cudaError_t result, const char *what, t5_error *err) {
    return result == cudaSuccess
               ? T5_OK
               : t5_fail(err, T5_ERR_DEVICE, "%s: %s", what, cudaGetErrorString(result));
}

t5_status t5_nccl_create(t5_comm *group, void *stream, t5_nccl **nccl, t5_error *err) {
    ncclUniqueId id = {0};
    t5_nccl *n = calloc(1, sizeof *n);
    *nccl = NULL;
    if (!n)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for a communicator of NCCL");
    else if (check_cuda(cudaEventCreateWithFlags(&n->done, cudaEventDisableTiming),
                        "creating an event", err) == T5_OK &&
             t5_comm_rank(group) == 0)
        t5_nccl_missing() ? t5_fail(err, T5_ERR_COMM, "%s", t5_nccl_missing())
                          : check(ncclGetUniqueId(&id), "making an id", err);
    if (t5_comm_agree(group, err) != T5_OK ||
        t5_comm_bcast(group, 0, &id, sizeof id, err) != T5_OK) {
        t5_nccl_destroy(n);
        return err->status;
    }
    n->stream = stream;
    n->rank = t5_comm_rank(group);
    n->size = t5_comm_size(group);
    check(ncclCommInitRank(&n->comm, n->size, id, n->rank), "joining the group", err);
    if (t5_comm_agree(group, err) == T5_OK)
        *nccl = n;
    else
        t5_nccl_destroy(n);
    return err->status;
}

void t5_nccl_destroy(t5_nccl *n) {
    if (!n)
        return;
    if (n->comm)
        (void)ncclCommDestroy(n->comm);
    if (n->done)
        (void)cudaEventDestroy(n->done);
    free(n);
}

/* Ends what is queued, so that nobody waits for it for ever. */
static void give_up(t5_nccl *n) {
    if (n->comm)
        (void)ncclCommAbort(n->comm);
    n->comm = NULL;
}

/* Looks again and again, because a rank that is gone would be waited for without end. */
static t5_status wait(t5_nccl *n, double timeout, t5_error *err) {
    const double started = t5_mpi_now();
    for (int looks = 0;; looks++) {
        cudaError_t at = cudaEventQuery(n->done);
        ncclResult_t theirs = ncclSuccess;
        if (at == cudaSuccess)
            return T5_OK;
        if ((at != cudaErrorNotReady && check_cuda(at, "summing gradients", err) != T5_OK) ||
            check(ncclCommGetAsyncError(n->comm, &theirs), "looking for errors", err) != T5_OK ||
            check(theirs, "summing gradients", err) != T5_OK)
            break;
        if (timeout > 0 && t5_mpi_now() - started > timeout) {
            t5_fail(err, T5_ERR_COMM,
                    "rank %d of %d of its group waited more than %g s for the others' gradients "
                    "(parallel.timeout_s)",
                    n->rank, n->size, timeout);
            break;
        }
        if (looks > 1000) /* a step is long over; leave the core to others */
            t5_mpi_sleep(50e-6);
    }
    give_up(n);
    return err->status;
}

t5_status t5_nccl_sum(t5_nccl *n, float *d_data, int64_t count, double timeout, t5_error *err) {
    if (!n->comm)
        return t5_fail(err, T5_ERR_COMM, "NCCL has failed before");
    if (check(ncclAllReduce(d_data, d_data, (size_t)count, ncclFloat, ncclSum, n->comm, n->stream),
              "summing gradients", err) != T5_OK ||
        check_cuda(cudaEventRecord(n->done, n->stream), "marking the sum", err) != T5_OK)
        return err->status;
    return wait(n, timeout, err);
}
