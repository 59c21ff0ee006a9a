/* The sum of a step's gradients over a rank group, as the hook of model/step.h: on GPUs in buckets
 * that leave while the backward pass goes on, in host memory all at once. */
#ifndef T5_RUN_GRADIENT_SUM_H
#define T5_RUN_GRADIENT_SUM_H
#include "model/step.h"
#include "mpi/reducer.h"

/* Rides (model/step.h). In [T5_RIDE_FAILED] ranks that failed are counted: where a device in host
 * memory has failed when the gradients are to be summed, that is added here. */
enum { T5_RIDE_LOSS, T5_RIDE_FAILED, T5_RIDE_FREE };

typedef struct t5_gradient_sum t5_gradient_sum;

/* For one model, which must outlive it, like group and reducer. bf16: gradients between GPUs travel
 * as bfloat16 (half the bytes; their own sum, the update and the rides stay float32), for which
 * there is a buffer on the device; without effect in host memory. *sum NULL: the group is one rank,
 * there is nothing to sum. Not collective. T5_ERR_MEMORY. */
t5_status t5_gradient_sum_create(t5_comm *group, t5_reducer *reducer, t5_model *model, bool bf16,
                                 t5_gradient_sum **sum, t5_error *err);
void t5_gradient_sum_destroy(t5_gradient_sum *sum); /* NULL is fine */

/* For t5_step.hook; the sum's. NULL without one. */
const t5_grad_hook *t5_gradient_sum_hook(const t5_gradient_sum *sum);

/* Waits for what the steps have queued, and no longer than the reducer does: T5_ERR_COMM then, or
 * when a sum failed. *alone: what failed on this rank only (a device in host memory), which rode
 * along. Then the results of the steps can be read. Collective by its waiting. NULL: does nothing.
 */
t5_status t5_gradient_sum_wait(t5_gradient_sum *sum, t5_error *alone, t5_error *err);

#endif
