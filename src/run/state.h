/* Where a trial in training stands, beside its model's arenas, and how a checkpoint holds it:
 * attributes of /state and the tables /train and /eval, as docs/results.md has them for a trial's
 * file. Ranks of a group agree on all of it but the record, which is the leader's. */
#ifndef T5_RUN_STATE_H
#define T5_RUN_STATE_H
#include "io/store_read.h"
#include "model/model.h"
#include "results/results.h"
#include "results/spent.h"

/* Of an epoch e with n steps: epoch = e and epoch_step = 0 .. n before its validation, n among
 * them; epoch = e + 1 and epoch_step = 0 after it. */
typedef struct t5_training_state {
    int64_t step;       /* optimiser steps done */
    int64_t epoch;      /* 1-based */
    int64_t epoch_step; /* of this epoch's steps, how many are done */
    double epoch_loss;  /* mean over them */
    int64_t epoch_rows; /* rows in them */
    double best_loss, best_value;
    int64_t best_epoch; /* 0: none yet */
    t5_spent spent;     /* so far, over all processes that trained it */
    int64_t restarts;   /* how often training went on with another order of the rows */
} t5_training_state;

/* A number for the names, shapes and places of a model's parameters: another one for arenas that
 * mean something else. */
uint64_t t5_state_layout(const t5_model *model);

/* Adds state and curves (record NULL: none) to a store; errors of calls on it stick to it.
 * T5_ERR_MEMORY. */
t5_status t5_state_put(t5_store *values, const t5_training_state *state, const t5_record *record,
                       t5_error *err);
/* And back. The curves replace what record has, which gets more room if it needs it.
 * T5_ERR_INPUT naming the file and what is missing or too much, T5_ERR_MEMORY. */
t5_status t5_state_get(t5_store_reader *values, t5_training_state *state, t5_record *record,
                       t5_error *err);

#endif
