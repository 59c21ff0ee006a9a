/* The sum of a rank group's gradients: by MPI in host memory, by NCCL on GPUs. */
#ifndef T5_MPI_REDUCER_H
#define T5_MPI_REDUCER_H
#include "mpi/comm.h"

typedef struct t5_reducer t5_reducer;

/* stream: of the rank's GPU (cudaStream_t), on which what is summed is made; NULL: host memory.
 * timeout: seconds after which a rank does not wait any longer, 0: never (NCCL only). Kept for a
 * group's life: making NCCL's communicator takes long. Collective over the group, which must
 * outlive it; the ranks agree. */
t5_status t5_reducer_create(t5_comm *group, void *stream, double timeout, t5_reducer **reducer,
                            t5_error *err);
void t5_reducer_destroy(t5_reducer *reducer); /* NULL is fine */

/* Sum in place of n floats over the ranks; done when it returns. Host memory must be ready
 * (synced), a GPU's need only be queued. T5_ERR_COMM. The same bits on every rank and run.
 * Collective. */
t5_status t5_reducer_sum(t5_reducer *reducer, float *data, int64_t n, t5_error *err);

#endif
