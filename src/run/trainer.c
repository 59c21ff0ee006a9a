#include "run/trainer.h"
#include "base/clock.h"
#include "base/log.h"
#include "run/initial.h"
#include "run/training.h"
#include "saved/saved_write.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Runs with more steps keep every k-th row of the train table, so that curves stay below this. */

double t5_training_seconds(const t5_training *t) {
    return t5_spent_total(&t->state.spent) + t5_seconds() - t->since;
}

t5_activity t5_training_turn_to(t5_training *t, t5_activity activity) {
    const t5_activity was = t->activity;
    const double now = t5_seconds();
    t->state.spent.seconds[was] += now - t->since;
    t->since = now;
    t->activity = activity;
    return was;
}

t5_progress t5_training_progress(const t5_training *t) {
    double seconds = t5_seconds() - t->epoch_started;
    return (t5_progress){.trial = t->a->trial,
                         .epoch = (int)t->state.epoch,
                         .epochs = t->settings->train.epochs,
                         .step = t->state.step,
                         .steps = t->total_steps,
                         .loss = t->state.epoch_loss,
                         .rows_per_second = seconds > 0 ? (double)t->rows_since / seconds : 0,
                         .seconds = t5_training_seconds(t),
                         .val_loss = NAN,
                         .figure = NAN};
}

/* ---- after an epoch ---- */

static t5_status keep_weights(t5_training *t, t5_error *err) {
    int64_t n = t5_model_n_arena(t->model);
    if (!t->best_weights && !(t->best_weights = malloc((size_t)n * sizeof(float))))
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the best epoch's weights (%lld bytes)",
                (long long)n * 4);
    else
        t5_model_read(t->model, T5_ARENA_WEIGHT, 0, n, t->best_weights, err);
    return t5_comm_agree(t->w->group, err);
}

/* What rank 0 says of the trial after an epoch, told to the group. */
static t5_status hear_verdict(t5_training *t, t5_progress *p, t5_verdict *verdict, t5_error *err) {
    if (t->w->leader)
        t5_service_ask(t->w->service, T5_MSG_VERDICT, p, sizeof *p, verdict, sizeof *verdict, err);
    if (t5_comm_agree(t->w->group, err) == T5_OK)
        t5_comm_bcast(t->w->group, 0, verdict, sizeof *verdict, err);
    return err->status;
}

/* After the steps of an epoch. */
static t5_status validate(t5_training *t, t5_error *err) {
    t5_training_state *state = &t->state;
    t5_verdict verdict = {0};
    t5_eval_row row = {.epoch = state->epoch};
    t5_progress p = t5_training_progress(t);

    t5_training_turn_to(t, T5_VALIDATING);
    if (t5_evaluate(t->w, t->model, T5_VALIDATION, &t->validation, &row.loss, &row.metrics, NULL,
                    err) != T5_OK)
        return err->status;
    if (t->summary->rows_val > 0 && !isfinite(row.loss))
        return t5_fail(err, T5_ERR_NUMERIC, "the validation loss is %s after epoch %lld",
                       isnan(row.loss) ? "not a number" : "infinite", (long long)state->epoch);
    p.epoch_done = true;
    p.val_loss = row.loss;
    p.figure = t5_metric_value(&row.metrics, t->settings->decide_by);
    /* without validation rows every epoch counts as better: the last one's weights are tested */
    p.better = t->summary->rows_val == 0 || row.loss < state->best_loss;
    if (p.better) {
        state->best_loss = row.loss;
        state->best_epoch = state->epoch;
        state->best_value = p.figure;
        if (state->epoch < t->settings->train.epochs && keep_weights(t, err) != T5_OK)
            return err->status;
    }
    if (t->w->leader)
        t5_record_eval(t->record, &row);
    if (hear_verdict(t, &p, &verdict, err) != T5_OK)
        return err->status;
    t->reached = verdict.reached;
    state->epoch++;
    state->epoch_step = state->epoch_rows = 0;
    state->epoch_loss = 0;
    return verdict.pruned ? t5_fail(err, T5_STOPPED, "the tree went another way") : T5_OK;
}

/* ---- checkpoints ---- */

/* The best weights, unless there are none or the model has them. */
static const float *other_best(const t5_training *t) {
    bool current = t->state.best_epoch * t->steps_per_epoch == t->state.step;
    return t->state.best_epoch == 0 || current ? NULL : t->best_weights;
}

t5_status t5_training_keep(t5_training *t, t5_error *err) {
    const t5_activity was = t5_training_turn_to(t, T5_KEEPING);
    t->kept_step = t->state.step;
    t->kept_at = t5_seconds();
    t5_keeper_begin(t->keeper, other_best(t), &t->state, t->record, err);
    t5_training_turn_to(t, was);
    return err->status;
}

/* A signal has stopped the trial where t->state is: it is kept there. *err says so, and if it could
 * not be. */
static void stop_here(t5_training *t, t5_error *err) {
    t5_error io = {0};
    t5_training_turn_to(t, T5_KEEPING);
    t5_status kept = t5_training_keep(t, &io);
    if (kept == T5_OK)
        kept = t5_keeper_settle(t->keeper, &io);
    if (kept == T5_OK)
        return;
    *err = (t5_error){0};
    if (kept == T5_ERR_COMM)
        *err = io;
    else
        t5_fail(err, T5_INTERRUPTED,
                "after step %lld, but the checkpoint could not be written (%.400s); "
                "--resume goes on from the one before",
                (long long)t->state.step, io.text);
}

/* Where an earlier run has left the trial, or else the beginning. */
static t5_status take_up(t5_training *t, t5_error *err) {
    bool found = false;
    t5_training_turn_to(t, T5_STARTING);
    const t5_spent mine = t->state.spent;
    if (t5_keeper_load(t->keeper, &t->best_weights, &t->state, t->record, &found, err) != T5_OK)
        return err->status;
    t->kept_step = t->state.step;
    t->kept_at = t5_seconds();
    if (!found)
        return t5_initial_weights(t->w, t->model, t->a->spec.seed, t->validation.n_labels, err);
    t5_spent_add(&t->state.spent, &mine);
    return T5_OK;
}

/* After a number that is not finite: back to the last checkpoint, or to the beginning, and on with
 * another order of the rows. *err is that failure; it stays unless there is a retry left. */
static t5_status go_back(t5_training *t, t5_error *err) {
    t5_device *dev = t5_model_device(t->model);
    const size_t bytes = (size_t)t5_model_n_arena(t->model) * sizeof(float);
    const int64_t restarts = t->state.restarts + 1;
    if (restarts > t->settings->train.nan_retries)
        return err->status;
    t5_training_turn_to(t, T5_STARTING);
    const t5_spent spent = t->state.spent; /* also what comes to nothing */
    t5_error why = *err;
    *err = (t5_error){0};
    t5_keeper_settle(t->keeper, &(t5_error){0});
    free(t->best_weights);
    t->best_weights = NULL;
    t->state = (t5_training_state){.epoch = 1, .best_loss = INFINITY, .best_value = NAN};
    t->record->n_steps = t->record->n_evals = 0;
    dev->ops->zero(dev, t5_model_arena(t->model, T5_ARENA_M), bytes);
    dev->ops->zero(dev, t5_model_arena(t->model, T5_ARENA_V), bytes);
    if (take_up(t, err) != T5_OK)
        return err->status;
    t->state.spent = spent;
    t->state.restarts = restarts;
    if (t->w->leader)
        t5_log(T5_LOG_WARNING,
               "trial %s: %s; going on from step %lld with another order of the rows (%lld of %d "
               "retries)",
               t->a->name, why.text, (long long)t->state.step, (long long)restarts,
               t->settings->train.nan_retries);
    return T5_OK;
}

/* ---- the trial ---- */

/* No epoch is left, or patience is at its end. */
static bool is_enough(const t5_training *t) {
    const t5_config_train *c = &t->settings->train;
    int64_t done = t->state.epoch - 1;
    return done >= c->epochs || (c->early_stopping_patience > 0 &&
                                 done - t->state.best_epoch >= c->early_stopping_patience);
}

static t5_status prepare(t5_training *t, t5_error *err) {
    t5_worker *w = t->w;
    const t5_config_train *c = &t->settings->train;
    const t5_loss_spec *loss = &t->a->spec.loss;
    t5_shape shape = t->settings->shape;

    if (t5_worker_get_data(w, t->a->spec.top_n, err) != T5_OK)
        return err->status;
    t->summary->rows_train = w->split[T5_TRAIN]->n_total;
    t->summary->rows_val = w->split[T5_VALIDATION]->n_total;
    t->summary->rows_test = w->split[T5_TEST]->n_total;
    t->steps_per_epoch = (t->summary->rows_train + c->batch_size - 1) / c->batch_size;
    t->total_steps = t->steps_per_epoch * c->epochs;
    t->validation = (t5_evaluation){
        .n_labels = t5_setup_n_labels(w->setup, t->a->spec.top_n),
        .loss = {.focal = loss->kind == T5_LOSS_FOCAL,
                 .smoothing = (float)loss->label_smoothing,
                 .gamma = (float)loss->gamma,
                 .alpha = (float)loss->alpha},
        .want_loss = true,
        .want_answers = true,
    };
    shape.vocab = t5_settings_vocab(t->settings, w->setup->tokenizer, t->validation.n_labels);
    t5_record_reserve(t->record, w->leader ? t->total_steps : 0, w->leader ? c->epochs : 0, err);
    if (err->status == T5_OK)
        t->rows = malloc((size_t)c->batch_size * sizeof *t->rows);
    if (err->status == T5_OK && !t->rows)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for a batch of %d rows", c->batch_size);
    if (err->status == T5_OK &&
        t5_model_create(w->device, &shape, w->bf16, true, &t->model, err) == T5_OK)
        t5_gradient_sum_create(w->group, w->reducer, t->model, t->settings->reduce_bf16, &t->sum,
                               err);
    if (t5_comm_agree(w->group, err) != T5_OK)
        return err->status;
    const t5_keeper_spec spec = {.dir = t->settings->output_dir,
                                 .trial = t->a->name,
                                 .fingerprint = t->a->fingerprint,
                                 .keep = c->keep_checkpoints,
                                 .seed = t->a->spec.seed};
    return t5_keeper_open(w->group, t->model, &spec, &t->keeper, err) == T5_OK ? take_up(t, err)
                                                                               : err->status;
}

/* All epochs: the curve from where the trial stands to where it is enough. */
static t5_status train(t5_training *t, t5_error *err) {
    while (!is_enough(t)) {
        t5_training_turn_to(t, T5_TRAINING);
        if (t5_training_epoch(t, err) == T5_OK && validate(t, err) == T5_OK) {
            if (t5_training_is_due(t, false) && t5_training_keep(t, err) != T5_OK)
                return err->status;
        } else if (err->status != T5_ERR_NUMERIC || go_back(t, err) != T5_OK) {
            return err->status;
        }
    }
    return T5_OK;
}

/* The best epoch's weights into the model, and the model's into their place; or back again. */
static t5_status swap_weights(t5_training *t, t5_error *err) {
    int64_t n = t5_model_n_arena(t->model);
    float *was = malloc((size_t)n * sizeof *was);
    if (!was)
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the last epoch's weights (%lld bytes)",
                (long long)n * 4);
    else if (t5_model_read(t->model, T5_ARENA_WEIGHT, 0, n, was, err) == T5_OK)
        t5_model_write(t->model, T5_ARENA_WEIGHT, 0, n, t->best_weights, err);
    if (err->status == T5_OK) {
        free(t->best_weights);
        t->best_weights = was;
    } else {
        free(was);
        t5_error_prefix(err, "the best epoch's weights");
    }
    return t5_comm_agree(t->w->group, err);
}

static t5_status test(t5_training *t, t5_error *err) {
    t5_evaluation e = t->validation;
    double loss;
    const bool swapped = other_best(t) != NULL;
    t5_training_turn_to(t, T5_TESTING);
    if (swapped && swap_weights(t, err) != T5_OK)
        return err->status;
    e.want_loss = false;
    e.decode = &t->settings->eval;
    if (t5_evaluate(t->w, t->model, T5_TEST, &e, &loss, &t->summary->test, &t->record->predictions,
                    err) == T5_OK &&
        t->w->leader && t->summary->rows_test > 0) {
        t->record->n_predictions = t->summary->rows_test;
        t->summary->has_test = true;
    }
    t5_error back = {0}; /* a checkpoint is of the last epoch's */
    if (err->status == T5_INTERRUPTED && swapped && swap_weights(t, &back) != T5_OK)
        *err = back;
    return err->status;
}

/* The best epoch's weights, which test() has put back into the model. That they cannot be written
 * is no reason to lose the trial's results. */
static void save(t5_training *t) {
    t5_error err = {0};
    t5_training_turn_to(t, T5_KEEPING);
    if (!t->w->leader || !t->settings->save_weights ||
        t5_saved_write(t->w->setup, t->a->name, (int)t->state.best_epoch, t->validation.n_labels,
                       t->model, &err) == T5_OK)
        return;
    t5_error_prefix(&err, "its weights are not kept, its results are");
    memcpy(t->summary->reason, err.text, sizeof t->summary->reason); /* both as long */
    t->summary->weights_missing = true;
}

t5_status t5_trainer_run(t5_worker *w, const t5_assignment *a, t5_trial_summary *summary,
                         t5_record *record, t5_error *err) {
    const t5_settings *settings = &w->setup->settings;
    /* validation is greedy whatever the test is: the curves of all trials compare, and it is fast
     */
    t5_decode_spec greedy = settings->eval;
    t5_training t = {.w = w,
                     .a = a,
                     .settings = settings,
                     .summary = summary,
                     .record = record,
                     .reached = !a->speculative,
                     .activity = T5_STARTING,
                     .since = t5_seconds(),
                     .state = {.epoch = 1, .best_loss = INFINITY, .best_value = NAN}};

    greedy.kind = T5_DECODE_GREEDY;
    greedy.repetition_penalty = 1;
    summary->epochs = settings->train.epochs;
    summary->speculative = a->speculative;
    if (prepare(&t, err) != T5_OK)
        goto done;
    t.validation.decode = &greedy;
    if (train(&t, err) == T5_OK && test(&t, err) == T5_OK) {
        strcpy(summary->status, t.reached ? "completed" : "speculative");
        save(&t);
    } else if (err->status == T5_INTERRUPTED) {
        stop_here(&t, err);
    }
done:
    summary->best_epoch = (int)t.state.best_epoch;
    summary->best_value = t.state.best_value;
    t5_training_turn_to(&t, T5_KEEPING);
    t5_keeper_close(t.keeper);
    t5_training_turn_to(&t, T5_STARTING);
    summary->spent = t.state.spent;
    t5_gradient_sum_destroy(t.sum);
    free(t.rows);
    free(t.best_weights);
    t5_model_destroy(t.model);
    return err->status;
}
