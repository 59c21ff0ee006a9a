/* The training rows of one epoch, as this rank sees them.
 *
 * A batch is defined globally: batch b of an epoch is the rows at places [b*B, (b+1)*B) of the
 * epoch's random order (base/rng.h), whatever the number of ranks; rank r of R takes the share
 * [s*r/R, s*(r+1)/R) of a batch of s rows. A rank stores only its shard of the split (1/R of the
 * rows), so at the start of an epoch the ranks exchange rows: each sends every row of its shard to
 * the rank that trains on it in this epoch. Memory stays at three shards for a moment and two then;
 * nobody stores the order. What a rank trains on lies in one array of token ids, so that a device
 * gets it in one copy and a batch is a list of places in it. */
#ifndef T5_RUN_EPOCH_H
#define T5_RUN_EPOCH_H
#include "data/dataset.h"
#include "mpi/comm.h"

typedef struct t5_epoch_row {
    uint32_t position; /* in the split: the row's number for random counters */
    int n_input, n_target;
    int64_t at; /* of its input ids in t5_epoch_ids, its target ids right behind them */
} t5_epoch_row;

typedef struct t5_epoch t5_epoch;

/* Collective over group; ranks agree on failure. shard: this rank's part of the training split,
 * which must outlive the epoch. */
t5_status t5_epoch_begin(t5_comm *group, const t5_shard *shard, uint64_t seed, uint32_t epoch,
                         int batch_size, t5_epoch **e, t5_error *err);
void t5_epoch_end(t5_epoch *e);
/* The token ids of this rank's rows (and a few integers between them), *n in all; the epoch's. */
const int32_t *t5_epoch_ids(const t5_epoch *e, int64_t *n);
/* Rows of this rank in a step. */
int t5_epoch_rows(const t5_epoch *e, int64_t step);
t5_epoch_row t5_epoch_row_at(const t5_epoch *e, int64_t step, int k);
/* Of the global batch: rows, target tokens (the loss is divided by them), and input and target
 * tokens together. */
int t5_epoch_global_rows(const t5_epoch *e, int64_t step);
int64_t t5_epoch_global_targets(const t5_epoch *e, int64_t step);
int64_t t5_epoch_global_tokens(const t5_epoch *e, int64_t step);

#endif
