#include "base/clock.h"
#include "run/training.h"
#include <math.h>
#include <string.h>

/* What travels behind the gradients beside what gradient_sum.h says: how many ranks know of a
 * signal, want a checkpoint (the leader, by its clock), and have written their part of one. */
enum { RIDE_STOP = T5_RIDE_FREE, RIDE_KEEP, RIDE_KEPT };
/* A GPU is given this many steps before anybody waits for their results. */
enum { STEPS_AHEAD = 16 };
_Static_assert((int)STEPS_AHEAD <= (int)T5_STEPS_PENDING, "results are kept until they are read");
/* The leader tells rank 0 how it is going this often. */
static const double tell_seconds = 0.25;
/* and asks whether others have been told to stop this often. */
static const double ask_seconds = 1;

double t5_learning_rate(double peak, int64_t step, int64_t warmup, int64_t total) {
    if (step < warmup)
        return peak * (double)step / (double)warmup;
    double left = (double)(total - step) / (double)(total - warmup > 1 ? total - warmup : 1);
    return left > 0 ? peak * left : 0;
}

static double rate_of(const t5_training *t, int64_t step) {
    return t5_learning_rate(t->a->spec.learning_rate, step, t->settings->train.warmup_steps,
                            t->total_steps);
}

/* ---- a step on its way ---- */

static int collect_rows(t5_training *t, const t5_epoch *epoch, int64_t s) {
    int n = t5_epoch_rows(epoch, s);
    for (int k = 0; k < n; k++) {
        t5_epoch_row r = t5_epoch_row_at(epoch, s, k);
        t->rows[k] = (t5_pack_row){
            .at = r.at, .n_input = r.n_input, .n_target = r.n_target, .row = r.position};
    }
    return n;
}

static bool clock_says_keep(const t5_training *t) {
    const t5_every *every = &t->settings->train.checkpoint_every;
    return every->kind == T5_EVERY_MINUTES && t->w->leader &&
           t5_seconds() - t->kept_at >= 60.0 * every->count;
}

/* Step s of the epoch. A rank that has failed, or fails here, takes part without rows, so that the
 * others do not wait for it; what they compute from then on is not used. */
static void queue_step(t5_training *t, const t5_epoch *epoch, int64_t s) {
    const t5_config_train *c = &t->settings->train;
    int64_t done = t->state.step + t->n_queued;
    t5_step step = {.rows = t->rows,
                    .n_rows = collect_rows(t, epoch, s),
                    .micro_batch_tokens = c->micro_batch_tokens,
                    .loss = t->validation.loss,
                    .scale = (float)(1.0 / (double)t5_epoch_global_targets(epoch, s)),
                    .optim = {.lr = (float)rate_of(t, done),
                              .beta1 = (float)c->beta1,
                              .beta2 = (float)c->beta2,
                              .eps = (float)c->epsilon,
                              .weight_decay = (float)c->weight_decay,
                              .clip_norm = (float)c->clip_norm,
                              .step = done + 1},
                    .hook = t5_gradient_sum_hook(t->sum)};
    t5_error none = {0};

    step.ride[RIDE_STOP] = t->stops || t5_stop_signal(t->w->stop);
    step.ride[RIDE_KEEP] = clock_says_keep(t);
    step.ride[RIDE_KEPT] =
        t5_keeper_done(t->keeper) ? (float)t5_keeper_busy(t->keeper) : T5_KEEPER_IDLE;
    t5_model_set_dropout(t->model, (float)c->dropout, (uint32_t)t->a->spec.seed, (uint32_t)done);
    t->n_queued++;
    if (t->alone.status == T5_OK && t5_model_step(t->model, &step, &t->alone) == T5_OK)
        return;
    step.n_rows = 0;
    step.ride[T5_RIDE_FAILED] = 1;
    t5_model_step(t->model, &step, &none);
}

/* ---- results ---- */

static const char *say_nonfinite(double x) {
    return isnan(x) ? "not a number" : "infinite";
}

static t5_status check_finite(const t5_training *t, double loss, double norm, double rate,
                              t5_error *err) {
    if (isfinite(loss) && isfinite(norm))
        return T5_OK;
    return t5_fail(err, T5_ERR_NUMERIC,
                   "%s became %s in step %lld (learning rate %.3g): a smaller learning_rate, a "
                   "longer warm-up or a smaller clip_norm may help",
                   isfinite(loss) ? "the gradient's norm" : "the loss",
                   say_nonfinite(isfinite(loss) ? norm : loss), (long long)t->state.step + 1, rate);
}

/* The next step's result, the same on all ranks of the group. */
static t5_status take_result(t5_training *t, const t5_epoch *epoch, const t5_step_result *r,
                             t5_error *err) {
    t5_training_state *state = &t->state;
    int64_t s = state->epoch_step;
    double loss_sum = t->sum ? r->ride[T5_RIDE_LOSS] : r->loss_sum;
    double loss = loss_sum / (double)t5_epoch_global_targets(epoch, s);
    double rate = rate_of(t, state->step);
    if (check_finite(t, loss, r->grad_norm, rate, err) != T5_OK)
        return err->status;
    state->step++;
    state->epoch_step++;
    state->epoch_loss += (loss - state->epoch_loss) / (double)state->epoch_step;
    state->epoch_rows += t5_epoch_global_rows(epoch, s);
    t->rows_since += t5_epoch_global_rows(epoch, s);
    if (t->w->leader)
        t5_record_step(t->record, &(t5_step_row){.step = state->step,
                                                 .epoch = state->epoch,
                                                 .loss = loss,
                                                 .learning_rate = rate,
                                                 .grad_norm = r->grad_norm,
                                                 .tokens = t5_epoch_global_tokens(epoch, s),
                                                 .seconds = t5_training_seconds(t)});
    return T5_OK;
}

/* Waits for the queued steps. A device that fails in a group of GPUs cannot take part in the next
 * sum, which the others wait for: that ends the job. */
static t5_status wait_for_results(t5_training *t, t5_step_result *results, int *n, t5_error *err) {
    if (t5_gradient_sum_wait(t->sum, &t->alone, err) != T5_OK ||
        t5_model_step_results(t->model, results, n, err) == T5_OK)
        return err->status;
    if (t->sum)
        err->status = T5_ERR_COMM;
    return err->status;
}

/* ride: that of the last step. */
static t5_status read_results(t5_training *t, const t5_epoch *epoch, float ride[T5_RIDES],
                              t5_error *err) {
    t5_step_result results[T5_STEPS_PENDING];
    int n = 0;
    t->n_queued = 0;
    if (wait_for_results(t, results, &n, err) != T5_OK)
        return err->status;
    for (int i = 0; i < n; i++) {
        memcpy(ride, results[i].ride, sizeof results[i].ride);
        if (ride[T5_RIDE_FAILED] > 0) {
            *err = t->alone;
            return t5_comm_agree(t->w->group, err);
        }
        if (take_result(t, epoch, &results[i], err) != T5_OK)
            return err->status;
    }
    return T5_OK;
}

/* ---- between steps ---- */

bool t5_training_is_due(const t5_training *t, bool by_clock) {
    const t5_every *every = &t->settings->train.checkpoint_every;
    int64_t steps = every->count;
    if (every->kind == T5_EVERY_EPOCHS)
        steps *= t->steps_per_epoch;
    else if (every->kind != T5_EVERY_STEPS)
        return by_clock && !t5_keeper_busy(t->keeper);
    return t->state.step / steps > t->kept_step / steps && !t5_keeper_busy(t->keeper);
}

/* An epoch's checkpoint has its validation in it. */
static bool awaits_validation(const t5_training *t) {
    return t->settings->train.checkpoint_every.kind == T5_EVERY_EPOCHS &&
           t->state.epoch_step == t->steps_per_epoch;
}

static t5_status advance_checkpoint(t5_training *t, t5_error *err) {
    const t5_activity was = t5_training_turn_to(t, T5_KEEPING);
    t5_keeper_advance(t->keeper, err);
    t5_training_turn_to(t, was);
    return err->status;
}

/* Is all done of the checkpoint's phase? The ride may be of an earlier one: steps are queued. */
static bool phase_is_over(const t5_training *t, const float ride[T5_RIDES]) {
    int phase = (int)t5_keeper_busy(t->keeper);
    return phase != T5_KEEPER_IDLE && ride[RIDE_KEPT] == (float)(phase * t5_comm_size(t->w->group));
}

/* Takes a checkpoint that is being written further, begins one that is due, stops. All ranks see
 * the same rides and so do the same. */
static t5_status attend(t5_training *t, const float ride[T5_RIDES], t5_error *err) {
    if (phase_is_over(t, ride) && advance_checkpoint(t, err) != T5_OK)
        return err->status;
    if (ride[RIDE_STOP] > 0)
        return t5_fail(err, T5_INTERRUPTED, "after step %lld; --resume goes on there",
                       (long long)t->state.step);
    return t5_training_is_due(t, ride[RIDE_KEEP] > 0) && !awaits_validation(t)
               ? t5_training_keep(t, err)
               : T5_OK;
}

static t5_status ask_stop(t5_training *t, t5_error *err) {
    double now = t5_seconds();
    if (!t->w->leader || t->stops || now - t->asked < ask_seconds)
        return T5_OK;
    t->asked = now;
    return t5_worker_ask_stop(t->w, t5_stop_signal(t->w->stop), &t->stops, err);
}

static t5_status tell_progress(t5_training *t, t5_error *err) {
    double now = t5_seconds();
    if (!t->w->leader || now - t->told < tell_seconds)
        return T5_OK;
    t->told = now;
    t5_progress p = t5_training_progress(t);
    return t5_service_tell(t->w->service, T5_MSG_PROGRESS, &p, sizeof p, err);
}

/* ---- the epoch ---- */

/* Are results wanted after step s? Always where they cost nothing; at the same steps on all ranks.
 */
static bool are_read(const t5_training *t, int64_t s) {
    const t5_every *every = &t->settings->train.checkpoint_every;
    return t5_model_device(t->model)->host_memory || t->n_queued == STEPS_AHEAD ||
           s + 1 == t->steps_per_epoch ||
           (every->kind == T5_EVERY_STEPS && (t->state.step + t->n_queued) % every->count == 0);
}

static t5_status run_steps(t5_training *t, const t5_epoch *epoch, t5_error *err) {
    float ride[T5_RIDES];
    for (int64_t s = t->state.epoch_step; s < t->steps_per_epoch; s++) {
        queue_step(t, epoch, s);
        if (are_read(t, s) &&
            (read_results(t, epoch, ride, err) != T5_OK || attend(t, ride, err) != T5_OK ||
             tell_progress(t, err) != T5_OK || ask_stop(t, err) != T5_OK))
            break;
    }
    return err->status;
}

/* Training that went back after a number that was not finite meets the rows in another order. */
static uint64_t order_of(const t5_training *t) {
    return t->a->spec.seed + ((uint64_t)t->state.restarts << 32);
}

t5_status t5_training_epoch(t5_training *t, t5_error *err) {
    t5_epoch *epoch = NULL;
    if (t5_epoch_begin(t->w->group, t->w->split[T5_TRAIN], order_of(t), (uint32_t)t->state.epoch,
                       t->settings->train.batch_size, &epoch, err) != T5_OK)
        return err->status;
    int64_t n;
    const int32_t *ids = t5_epoch_ids(epoch, &n);
    t->epoch_started = t5_seconds();
    t->rows_since = 0;
    t5_model_keep_ids(t->model, ids, n, err);
    if (t5_comm_agree(t->w->group, err) == T5_OK)
        run_steps(t, epoch, err);
    t5_epoch_end(epoch);
    return err->status;
}
