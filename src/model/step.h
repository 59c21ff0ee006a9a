/* One optimiser step over rows of a data set whose token ids are on the device: packing, forward,
 * backward, the group's sum by way of a hook, clipping and AdamW are queued in one go, and nothing
 * waits. A device that replays (device.h) gets batches rounded up to size classes, so that a step
 * is a replay of an earlier one of its class. What came out of a step is kept on the device until
 * somebody asks. */
#ifndef T5_MODEL_STEP_H
#define T5_MODEL_STEP_H
#include "model/model.h"

/* Numbers that travel with the gradients and are summed over the ranks: [0] is the loss sum, the
 * others are the caller's. */
enum { T5_RIDES = 8 };
_Static_assert((int)T5_RIDES <= (int)T5_GRAD_EXTRA, "rides lie behind the gradients");

/* Called while a step is queued, with the same ranges in the same order on every rank and in every
 * step. NULL: there is one rank. (Never called inside of a replay: NCCL wants its calls captured by
 * all ranks or by none, NCCL's guide, "Using NCCL with CUDA Graphs", and ranks have batches of
 * different sizes. So a step with a hook is a replay from one range to the next.) */
typedef struct t5_grad_hook {
    /* Elements [first, first + n) of the gradient arena are final, in ascending order up to the
     * end. The rides are there when the last range is. */
    void (*ready)(void *arg, int64_t first, int64_t n);
    /* What is queued from now on shall see the sums. */
    void (*join)(void *arg);
    void *arg;
} t5_grad_hook;

/* Rows are t5_pack_row without the fields enc_start and dec_start, which t5_model_step fills in. */
typedef struct t5_step {
    const t5_pack_row *rows; /* (n_rows) this rank's part of the batch; may be none */
    int n_rows;
    int micro_batch_tokens; /* input and target tokens of a pass; 0: any */
    t5_loss_settings loss;
    float scale; /* of the gradient: 1 / target tokens of the global batch */
    t5_optim optim;
    float ride[T5_RIDES]; /* [0] is not read */
    const t5_grad_hook *hook;
} t5_step;

typedef struct t5_step_result {
    double loss_sum;      /* of this rank's tokens; with a hook, ride[0] is that of all */
    double grad_norm;     /* before clipping */
    float ride[T5_RIDES]; /* sums over the ranks with a hook, else what went in */
} t5_step_result;
enum { T5_STEPS_PENDING = 64 };

/* The token ids that rows point into (t5_pack_row.at), n of them; they must stay where they are
 * as long as steps are made of them. Waits. T5_ERR_MEMORY. */
t5_status t5_model_keep_ids(t5_model *model, const int32_t *ids, int64_t n, t5_error *err);

/* Queues a step; t5_model_set_dropout says which one it is. Fails before it has queued anything and
 * called the hook: T5_ERR_INPUT (a row outside the ids, an id outside the vocabulary),
 * T5_ERR_MEMORY. Without rows it cannot fail; the gradients are then zero before the sum. At most
 * T5_STEPS_PENDING steps between two calls of t5_model_step_results. Needs `train`. */
t5_status t5_model_step(t5_model *model, const t5_step *step, t5_error *err);

/* Waits for all steps, and gives the results of those that were queued since the last call, in
 * their order: *n of at most T5_STEPS_PENDING. */
t5_status t5_model_step_results(t5_model *model, t5_step_result out[T5_STEPS_PENDING], int *n,
                                t5_error *err);

#endif
