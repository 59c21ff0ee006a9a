/* Sums over GPUs by NCCL; nccl.c is the only file that includes <nccl.h>. In a program without CUDA
 * no_nccl.c says so. For reducer.c. */
#ifndef T5_MPI_NCCL_H
#define T5_MPI_NCCL_H
#include "mpi/comm.h"

typedef struct t5_nccl t5_nccl;

/* A communicator of NCCL for the ranks of a group; each has its own GPU, the calling thread's
 * current one, and queues on `stream` (cudaStream_t). T5_ERR_COMM with NCCL's reason. Collective;
 * the ranks agree. */
t5_status t5_nccl_create(t5_comm *group, void *stream, t5_nccl **nccl, t5_error *err);
void t5_nccl_destroy(t5_nccl *nccl); /* NULL is fine */
/* Sum in place of n floats in device memory over the ranks, behind what is queued already; waits
 * for it. T5_ERR_COMM: NCCL failed, here or in another rank, or it took longer than timeout seconds
 * (0: any time); then the communicator is of no use any more. Collective. */
t5_status t5_nccl_sum(t5_nccl *nccl, float *d_data, int64_t n, double timeout, t5_error *err);

#endif
