/* Sums over GPUs by NCCL; nccl.c is the only file that includes <nccl.h>. In a program without CUDA
 * no_nccl.c says so. For reducer.c, whose header says what start, join and wait do. */
#ifndef T5_MPI_NCCL_H
#define T5_MPI_NCCL_H
#include "mpi/reducer.h"

typedef struct t5_nccl t5_nccl;

/* For the ranks of a group; each has its own GPU, the calling thread's current one, and queues on
 * `stream` (cudaStream_t). connect: make NCCL's communicator; without it start and join do nothing,
 * which is all that a group of one rank needs. T5_ERR_COMM with NCCL's reason. Collective over the
 * group, which must outlive it; the ranks agree. */
t5_status t5_nccl_create(t5_comm *group, void *stream, bool connect, double timeout, t5_nccl **nccl,
                         t5_error *err);
void t5_nccl_destroy(t5_nccl *nccl); /* NULL is fine */
t5_status t5_nccl_start(t5_nccl *nccl, void *d_data, int64_t n, t5_sum_type type, t5_error *err);
t5_status t5_nccl_join(t5_nccl *nccl, t5_error *err);
t5_status t5_nccl_wait(t5_nccl *nccl, t5_error *err);

#endif
