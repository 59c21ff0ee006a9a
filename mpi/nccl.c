/* Facts about NCCL that this relies on, from NVIDIA's user guide ("Using NCCL with CUDA Graphs",
 * "Communicator Creation and Management Functions", "Fault Tolerance"):
 *  - Collectives can be captured since 2.9. Whether a call is captured must be the same on all
 *    ranks, and launching the graph is a collective operation; captured and uncaptured sums may be
 *    under way together.
 *  - The calls of a communicator must be queued in the same order on every rank: one stream, and
 *    the caller's order.
 *  - A peer's death is not always seen as an asynchronous error (within a host it is not:
 *    github.com/NVIDIA/nccl/issues/279), so there is a time limit as well.
 *  - ncclCommAbort ends the kernels that wait for others, those of a launched graph among them.
 * The communicator is a blocking one: a non-blocking one starts a thread for every call. */
#include "mpi/nccl.h"
#include "cuda/libraries.h"
#include "mpi/watch.h"
#include <cuda_runtime_api.h>
#include <nccl.h>
#include <stdlib.h>

struct t5_nccl {
    ncclComm_t comm;                /* NULL: nobody to sum with, or given up */
    cudaStream_t stream, sums;      /* the caller's; ours, of high priority */
    cudaEvent_t fork, joined, done; /* done: never captured, so that it can be asked */
    bool started;                   /* a sum that has not been joined */
    t5_comm *group;
    double timeout;
    t5_error failure; /* sticks */
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

static t5_status make_queue(t5_nccl *n, t5_error *err) {
    const unsigned quick = cudaEventDisableTiming;
    int least, greatest;
    if (check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for priorities",
                   err) == T5_OK &&
        check_cuda(cudaStreamCreateWithPriority(&n->sums, cudaStreamNonBlocking, greatest),
                   "creating a stream", err) == T5_OK &&
        check_cuda(cudaEventCreateWithFlags(&n->fork, quick), "creating an event", err) == T5_OK &&
        check_cuda(cudaEventCreateWithFlags(&n->joined, quick), "creating an event", err) == T5_OK)
        check_cuda(cudaEventCreateWithFlags(&n->done, quick), "creating an event", err);
    return err->status;
}

static t5_status connect_ranks(t5_nccl *n, t5_error *err) {
    t5_comm *group = n->group;
    ncclUniqueId id = {0};
    if (group->rank == 0) {
        if (t5_nccl_missing())
            t5_fail(err, T5_ERR_COMM, "%s", t5_nccl_missing());
        else
            check(ncclGetUniqueId(&id), "making an id", err);
    }
    if (t5_comm_agree(group, err) != T5_OK || t5_comm_bcast(group, 0, &id, sizeof id, err) != T5_OK)
        return err->status;
    t5_mpi_begin(group, "making NCCL's communicator");
    check(ncclCommInitRank(&n->comm, group->size, id, group->rank), "joining the group", err);
    t5_mpi_end(group);
    return t5_comm_agree(group, err);
}

t5_status t5_nccl_create(t5_comm *group, void *stream, bool connect, double timeout, t5_nccl **nccl,
                         t5_error *err) {
    t5_nccl *n = calloc(1, sizeof *n);
    *nccl = NULL;
    if (!n) {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for a communicator of NCCL");
    } else {
        n->stream = stream;
        n->group = group;
        n->timeout = timeout;
        make_queue(n, err);
    }
    if (t5_comm_agree(group, err) == T5_OK && (!connect || connect_ranks(n, err) == T5_OK))
        *nccl = n;
    else
        t5_nccl_destroy(n);
    return err->status;
}

void t5_nccl_destroy(t5_nccl *n) {
    if (!n)
        return;
    if (n->comm) { /* waits for the other ranks */
        t5_mpi_begin(n->group, "ending NCCL's communicator");
        (void)ncclCommDestroy(n->comm);
        t5_mpi_end(n->group);
    }
    if (n->fork)
        (void)cudaEventDestroy(n->fork);
    if (n->joined)
        (void)cudaEventDestroy(n->joined);
    if (n->done)
        (void)cudaEventDestroy(n->done);
    if (n->sums)
        (void)cudaStreamDestroy(n->sums);
    free(n);
}

/* Returns what has failed before or now; keeps it. */
static t5_status remember(t5_nccl *n, t5_error *err) {
    if (err->status != T5_OK && n->failure.status == T5_OK)
        n->failure = *err;
    return err->status;
}

static bool failed_before(const t5_nccl *n, t5_error *err) {
    if (n->failure.status != T5_OK)
        *err = n->failure;
    return n->failure.status != T5_OK;
}

/* Nothing here but events, waits for them and NCCL's call: all of it may be captured. */
t5_status t5_nccl_start(t5_nccl *n, void *d_data, int64_t count, t5_sum_type type, t5_error *err) {
    const ncclDataType_t stored = type == T5_SUM_BF16 ? ncclBfloat16 : ncclFloat32;
    if (failed_before(n, err) || !n->comm)
        return err->status;
    if (check_cuda(cudaEventRecord(n->fork, n->stream), "marking gradients", err) == T5_OK &&
        check_cuda(cudaStreamWaitEvent(n->sums, n->fork, 0), "waiting for gradients", err) ==
            T5_OK) {
        /* the first call connects the ranks, and waits for them */
        t5_watch_begin(n->group->watch, n->group, "starting a sum of gradients");
        check(ncclAllReduce(d_data, d_data, (size_t)count, stored, ncclSum, n->comm, n->sums),
              "summing gradients", err);
        t5_watch_end(n->group->watch);
    }
    n->started = true;
    return remember(n, err);
}

t5_status t5_nccl_join(t5_nccl *n, t5_error *err) {
    if (failed_before(n, err) || !n->started)
        return err->status;
    n->started = false;
    if (check_cuda(cudaEventRecord(n->joined, n->sums), "marking the sums", err) == T5_OK)
        check_cuda(cudaStreamWaitEvent(n->stream, n->joined, 0), "waiting for the sums", err);
    return remember(n, err);
}

/* Ends what is queued, so that nobody waits for it for ever. */
static void give_up(t5_nccl *n) {
    if (!n->comm)
        return;
    t5_mpi_begin(n->group, "giving up NCCL's communicator");
    (void)ncclCommAbort(n->comm);
    t5_mpi_end(n->group);
    n->comm = NULL;
}

/* One look at the queue: whether it is done, or has failed. */
static bool is_over(t5_nccl *n, t5_error *err) {
    cudaError_t at = cudaEventQuery(n->done);
    ncclResult_t theirs = ncclSuccess;
    if (at == cudaSuccess)
        return true;
    if (at != cudaErrorNotReady)
        check_cuda(at, "summing gradients", err);
    else if (n->comm &&
             check(ncclCommGetAsyncError(n->comm, &theirs), "looking for errors", err) == T5_OK)
        check(theirs, "summing gradients", err);
    return err->status != T5_OK;
}

/* Looks again and again, because a rank that is gone would be waited for without end. */
static void wait(t5_nccl *n, t5_error *err) {
    enum { WORTH_WATCHING = 1000 }; /* looks; an ordinary step is long over then */
    int looks = 0;
    for (; !is_over(n, err); looks++) {
        if (looks < WORTH_WATCHING)
            continue;
        if (looks == WORTH_WATCHING && n->comm)
            t5_watch_begin_limited(n->group->watch, n->group, "the sum of gradients", n->timeout);
        if (t5_watch_is_over(n->group->watch, err))
            break;
        t5_mpi_sleep(50e-6); /* leaves the core to others */
    }
    if (looks > WORTH_WATCHING)
        t5_watch_end(n->group->watch);
}

t5_status t5_nccl_wait(t5_nccl *n, t5_error *err) {
    t5_mpi_enter(n->group);
    if (!failed_before(n, err) &&
        check_cuda(cudaEventRecord(n->done, n->stream), "marking the step", err) == T5_OK)
        wait(n, err);
    if (remember(n, err) != T5_OK)
        give_up(n);
    return err->status;
}
