/* Trains one trial on a rank group: epochs of steps, evaluation after each, early stopping on the
 * validation loss, the best epoch's weights for the test. */
#ifndef T5_RUN_TRAINER_H
#define T5_RUN_TRAINER_H
#include "results/results.h"
#include "run/messages.h"
#include "run/worker.h"

/* Linear warm-up to `peak`, then linear decay to 0 at `total` (Transformers'
 * get_linear_schedule_with_warmup); step is 0 for the first update, which so has rate 0 if there is
 * a warm-up. */
double t5_learning_rate(double peak, int64_t step, int64_t warmup, int64_t total);

/* Collective over w->group. summary's name and spec are set by the caller, the rest here; record is
 * filled on the leader only. The trial's failure is in *err, the same on all ranks of the group:
 * T5_ERR_NUMERIC, T5_ERR_EMPTY, T5_ERR_MEMORY, ...; T5_STOPPED if the tree has pruned it;
 * T5_ERR_COMM if the job cannot go on. */
t5_status t5_trainer_run(t5_worker *w, const t5_assignment *a, t5_trial_summary *summary,
                         t5_record *record, t5_error *err);

#endif
