/* The sum of a rank group's gradients: by MPI in host memory, by NCCL on GPUs. The two are used
 * differently, because a sum in host memory is done at once and one between GPUs is queued;
 * t5_reducer_is_queued says which it is. All calls of a group's ranks come in the same order. */
#ifndef T5_MPI_REDUCER_H
#define T5_MPI_REDUCER_H
#include "mpi/comm.h"

typedef struct t5_reducer t5_reducer;

/* How the elements are stored. bfloat16 halves what travels; the sum is rounded to it at least
 * once (NCCL: at each rank that it passes). */
typedef enum { T5_SUM_F32, T5_SUM_BF16 } t5_sum_type;

/* stream: of the rank's GPU (cudaStream_t), on which what is summed is made; NULL: host memory.
 * timeout: seconds that t5_reducer_wait waits for the other ranks, 0: any time. Kept for a group's
 * life: making NCCL's communicator takes long. Collective over the group, which must outlive it;
 * the ranks agree. */
t5_status t5_reducer_create(t5_comm *group, void *stream, double timeout, t5_reducer **reducer,
                            t5_error *err);
void t5_reducer_destroy(t5_reducer *reducer); /* NULL is fine; collective over the group */

/* false: host memory, t5_reducer_sum. true: a GPU, the three functions below it. */
bool t5_reducer_is_queued(const t5_reducer *reducer);

/* Host memory: sum in place of n floats over the ranks; the data must be ready, and the sum is when
 * it returns. T5_ERR_COMM. The same bits on every rank and run. Collective. */
t5_status t5_reducer_sum(t5_reducer *reducer, float *data, int64_t n, t5_error *err);

/* GPU: queues the sum over the ranks of n elements in place, behind what is on the stream now, and
 * does not wait. It runs on a stream of the reducer's own (of the GPU's highest priority), beside
 * what comes later on the rank's stream, which must leave the data alone until t5_reducer_join.
 * Sums run in the order in which they were started.
 *
 * It may be called while the stream is captured into a CUDA graph: the sums become the graph's.
 * Then t5_reducer_join must be called before the capture ends, and every rank must capture and
 * launch the same. (Priorities within a graph count if it was instantiated with
 * cudaGraphInstantiateFlagUseNodePriority.)
 *
 * A failure sticks: it is returned by every later call, and the communicator is of no use any more.
 * T5_ERR_COMM, T5_ERR_DEVICE. Collective. */
t5_status t5_reducer_start(t5_reducer *reducer, void *d_data, int64_t n, t5_sum_type type,
                           t5_error *err);
/* GPU: what is queued on the stream from now on comes behind all sums started. Does not wait; may
 * be captured, together with the sums. Without a started sum it does nothing. */
t5_status t5_reducer_join(t5_reducer *reducer, t5_error *err);
/* GPU: waits until all that is queued on the stream is done, joined sums included. T5_ERR_COMM:
 * NCCL failed, here or in another rank, or it took longer than the timeout; then NCCL's queue is
 * given up, so that nothing hangs, and what the sums left is undefined. T5_ERR_DEVICE: the GPU
 * failed. Not while capturing. Works with one rank, too. Collective. */
t5_status t5_reducer_wait(t5_reducer *reducer, t5_error *err);

#endif
