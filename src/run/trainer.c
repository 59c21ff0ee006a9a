#include "run/trainer.h"
#include "base/clock.h"
#include "base/log.h"
#include "data/batch.h"
#include "run/epoch.h"
#include "run/evaluate.h"
#include "run/initial.h"
#include "run/input.h"
#include "run/saved_write.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Behind the gradients in the all-reduce: the ranks' sums, and how many ranks failed. */
enum { RIDE_LOSS, RIDE_TOKENS, RIDE_FAILED, N_RIDES };
/* Runs with more steps keep every k-th row of the train table, so that curves stay below this. */
enum { MAX_STEP_ROWS = 50000 };
/* The leader tells rank 0 how it is going this often. */
static const double tell_seconds = 0.25;

typedef struct training {
    t5_worker *w;
    const t5_assignment *a;
    const t5_settings *settings;
    t5_trial_summary *summary;
    t5_record *record;
    t5_model *model;
    t5_batch batch;
    bool reached; /* by the tree, as far as rank 0 has said */
    t5_evaluation validation;
    int64_t step, total_steps, steps_per_epoch, log_every;
    double started, told;
    double best_loss;
    float *best_weights; /* host copy, NULL until an epoch was better */
    double epoch_loss;   /* mean over the steps of the epoch so far */
    double epoch_started;
    int64_t epoch_rows;
    /* A failure of this rank alone. It rides along in the next all-reduce, so that no rank waits
     * for one that has left. */
    t5_error alone;
} training;

double t5_learning_rate(double peak, int64_t step, int64_t warmup, int64_t total) {
    if (step < warmup)
        return peak * (double)step / (double)warmup;
    double left = (double)(total - step) / (double)(total - warmup > 1 ? total - warmup : 1);
    return left > 0 ? peak * left : 0;
}

static double elapsed(const training *t) {
    return t5_seconds() - t->started;
}

/* ---- one step ---- */

/* Passes over my rows of the batch, cut into micro-batches. The gradients of all of them end up in
 * the arena, the sums of losses and tokens in rides. */
static t5_status my_gradients(training *t, const t5_epoch *epoch, int64_t s, double rides[N_RIDES],
                              t5_error *err) {
    int rows = t5_epoch_rows(epoch, s), limit = t->settings->train.micro_batch_tokens;
    float scale = (float)(1.0 / (double)t5_epoch_global_targets(epoch, s));
    bool first = true;

    for (int k = 0; k < rows;) {
        t5_batch_clear(&t->batch);
        do {
            t5_epoch_row r = t5_epoch_row_at(epoch, s, k);
            if (t->batch.n_seq > 0 && limit > 0 &&
                t->batch.n_enc + t->batch.n_dec + r.n_input + r.n_target > limit)
                break;
            if (t5_batch_append(&t->batch, r.input, r.n_input, r.target, r.n_target,
                                t5_model_shape(t->model)->start_id, r.position, err) != T5_OK)
                return err->status;
            k++;
        } while (k < rows);
        t5_input in = t5_input_of(&t->batch);
        if (t5_model_backward(t->model, &in, &t->validation.loss, scale, first, err) != T5_OK)
            return err->status;
        first = false;
        rides[RIDE_TOKENS] += t->batch.n_enc + t->batch.n_dec;
    }
    return rows > 0 ? t5_model_loss_sum(t->model, &rides[RIDE_LOSS], err) : T5_OK;
}

/* Where the gradients are in host memory a rank joins the sum whatever has failed on it, or the
 * others would wait for it. (Between GPUs they wait no longer than parallel.timeout_s.) */
static void join_in_place(training *t, float f[N_RIDES], float *behind_gradients) {
    t5_device *dev = t->w->device;
    t5_error failure = {0};
    if (dev->ops->sync(dev, &failure) != T5_OK) {
        f[RIDE_FAILED] = 1;
        if (t->alone.status == T5_OK)
            t->alone = failure;
    }
    memcpy(behind_gradients, f, N_RIDES * sizeof *f);
}

static t5_status add_up(t5_reducer *r, float *data, int64_t n, t5_error *err) {
    if (!t5_reducer_is_queued(r))
        return t5_reducer_sum(r, data, n, err);
    if (t5_reducer_start(r, data, n, T5_SUM_F32, err) == T5_OK && t5_reducer_join(r, err) == T5_OK)
        t5_reducer_wait(r, err);
    return err->status;
}

/* Sums gradients and rides over the group in one all-reduce. */
static t5_status sum_over_group(training *t, double rides[N_RIDES], t5_error *err) {
    t5_device *dev = t->w->device;
    float *grad = t5_model_arena(t->model, T5_ARENA_GRAD), f[N_RIDES];
    int64_t n = t5_model_n_arena(t->model);

    if (t5_comm_size(t->w->group) == 1)
        return T5_OK;
    for (int i = 0; i < N_RIDES; i++)
        f[i] = (float)rides[i];
    if (dev->host_memory)
        join_in_place(t, f, grad + n);
    else
        dev->ops->to_device(dev, grad + n, f, sizeof f);
    if (add_up(t->w->reducer, grad, n + N_RIDES, err) != T5_OK ||
        dev->ops->to_host(dev, f, grad + n, sizeof f, err) != T5_OK)
        return err->status;
    for (int i = 0; i < N_RIDES; i++)
        rides[i] = f[i];
    return T5_OK;
}

static const char *say_nonfinite(double x) {
    return isnan(x) ? "not a number" : "infinite";
}

static t5_status check_finite(const training *t, double loss, double grad_norm, double lr,
                              t5_error *err) {
    if (isfinite(loss) && isfinite(grad_norm))
        return T5_OK;
    return t5_fail(err, T5_ERR_NUMERIC,
                   "%s became %s in step %lld (learning rate %.3g): a smaller learning_rate, a "
                   "longer warm-up or a smaller clip_norm may help",
                   isfinite(loss) ? "the gradient's norm" : "the loss",
                   say_nonfinite(isfinite(loss) ? grad_norm : loss), (long long)t->step + 1, lr);
}

/* The gradients of the global batch: mine, then everybody's. *err is the same on all ranks. */
static t5_status global_gradients(training *t, const t5_epoch *epoch, int64_t s,
                                  double rides[N_RIDES], t5_error *err) {
    t5_device *dev = t->w->device;
    if (t5_epoch_rows(epoch, s) == 0) /* fewer rows than ranks: only the others' gradients */
        dev->ops->zero(dev, t5_model_arena(t->model, T5_ARENA_GRAD),
                       (size_t)t5_model_n_arena(t->model) * sizeof(float));
    if (t->alone.status == T5_OK)
        my_gradients(t, epoch, s, rides, &t->alone);
    rides[RIDE_FAILED] = t->alone.status != T5_OK;
    if (sum_over_group(t, rides, err) != T5_OK || rides[RIDE_FAILED] == 0)
        return err->status;
    *err = t->alone;
    return t5_comm_agree(t->w->group, err);
}

static t5_status train_step(training *t, const t5_epoch *epoch, int64_t s, int epoch_number,
                            t5_error *err) {
    const t5_config_train *c = &t->settings->train;
    double rides[N_RIDES] = {0}, norm = 0;

    t5_model_set_dropout(t->model, (float)c->dropout, (uint32_t)t->a->spec.seed, (uint32_t)t->step);
    if (global_gradients(t, epoch, s, rides, err) != T5_OK)
        return err->status;
    double loss = rides[RIDE_LOSS] / (double)t5_epoch_global_targets(epoch, s);
    double lr =
        t5_learning_rate(t->a->spec.learning_rate, t->step, c->warmup_steps, t->total_steps);
    t5_optim optim = {.lr = (float)lr,
                      .beta1 = (float)c->beta1,
                      .beta2 = (float)c->beta2,
                      .eps = (float)c->epsilon,
                      .weight_decay = (float)c->weight_decay,
                      .clip_norm = (float)c->clip_norm,
                      .step = t->step + 1};
    if (t5_model_update(t->model, &optim, &norm, &t->alone) == T5_OK)
        check_finite(t, loss, norm, lr, &t->alone);
    if (t->alone.status != T5_OK) /* the ranks leave together, at the next all-reduce */
        return T5_OK;
    t->step++;
    t->epoch_loss += (loss - t->epoch_loss) / (double)(s + 1);
    t->epoch_rows += t5_epoch_global_rows(epoch, s);
    if (t->w->leader && (t->step - 1) % t->log_every == 0)
        t5_record_step(t->record, &(t5_step_row){.step = t->step,
                                                 .epoch = epoch_number,
                                                 .loss = loss,
                                                 .learning_rate = lr,
                                                 .grad_norm = norm,
                                                 .tokens = (int64_t)rides[RIDE_TOKENS],
                                                 .seconds = elapsed(t)});
    return T5_OK;
}

/* ---- one epoch ---- */

static t5_progress progress_of(const training *t, int epoch) {
    double seconds = t5_seconds() - t->epoch_started;
    return (t5_progress){.trial = t->a->trial,
                         .epoch = epoch,
                         .epochs = t->settings->train.epochs,
                         .step = t->step,
                         .steps = t->total_steps,
                         .loss = t->epoch_loss,
                         .rows_per_second = seconds > 0 ? (double)t->epoch_rows / seconds : 0,
                         .seconds = elapsed(t),
                         .val_loss = NAN,
                         .figure = NAN};
}

static t5_status tell_progress(training *t, int epoch, t5_error *err) {
    double now = t5_seconds();
    if (!t->w->leader || now - t->told < tell_seconds)
        return T5_OK;
    t->told = now;
    t5_progress p = progress_of(t, epoch);
    return t5_service_tell(t->w->service, T5_MSG_PROGRESS, &p, sizeof p, err);
}

static t5_status train_epoch(training *t, int epoch_number, t5_error *err) {
    t5_epoch *epoch = NULL;
    if (t5_epoch_begin(t->w->group, t->w->split[T5_TRAIN], t->a->spec.seed, (uint32_t)epoch_number,
                       t->settings->train.batch_size, &epoch, err) != T5_OK)
        return err->status;
    t->epoch_loss = 0;
    t->epoch_rows = 0;
    t->epoch_started = t5_seconds();
    for (int64_t s = 0; s < t->steps_per_epoch; s++)
        if (train_step(t, epoch, s, epoch_number, err) != T5_OK ||
            tell_progress(t, epoch_number, err) != T5_OK)
            break;
    t5_epoch_end(epoch);
    if (err->status != T5_OK)
        return err->status;
    *err = t->alone;
    return t5_comm_agree(t->w->group, err);
}

static t5_status keep_weights(training *t, t5_error *err) {
    int64_t n = t5_model_n_arena(t->model);
    if (!t->best_weights && !(t->best_weights = malloc((size_t)n * sizeof(float))))
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the best epoch's weights (%lld bytes)",
                (long long)n * 4);
    else
        t5_model_read(t->model, T5_ARENA_WEIGHT, 0, n, t->best_weights, err);
    return t5_comm_agree(t->w->group, err);
}

/* What rank 0 says of the trial after an epoch, told to the group. */
static t5_status hear_verdict(training *t, t5_progress *p, t5_verdict *verdict, t5_error *err) {
    if (t->w->leader) {
        void *reply = NULL;
        size_t bytes = 0;
        if (t5_service_call(t->w->service, T5_MSG_VERDICT, p, sizeof *p, &reply, &bytes, err) ==
                T5_OK &&
            bytes == sizeof *verdict)
            memcpy(verdict, reply, sizeof *verdict);
        free(reply);
    }
    if (t5_comm_agree(t->w->group, err) == T5_OK)
        t5_comm_bcast(t->w->group, 0, verdict, sizeof *verdict, err);
    return err->status;
}

/* Validation after an epoch. *enough: patience is at its end. */
static t5_status validate(training *t, int epoch, bool *enough, t5_error *err) {
    t5_verdict verdict = {0};
    t5_eval_row row = {.epoch = epoch};
    t5_progress p = progress_of(t, epoch);
    int patience = t->settings->train.early_stopping_patience;

    if (t5_evaluate(t->w, t->model, T5_VALIDATION, &t->validation, &row.loss, &row.metrics, NULL,
                    err) != T5_OK)
        return err->status;
    if (t->summary->rows_val > 0 && !isfinite(row.loss))
        return t5_fail(err, T5_ERR_NUMERIC, "the validation loss is %s after epoch %d",
                       say_nonfinite(row.loss), epoch);
    p.epoch_done = true;
    p.val_loss = row.loss;
    p.figure = t5_metric_value(&row.metrics, t->settings->decide_by);
    /* without validation rows every epoch counts as better: the last one's weights are tested */
    p.better = t->summary->rows_val == 0 || row.loss < t->best_loss;
    if (p.better) {
        t->best_loss = row.loss;
        t->summary->best_epoch = epoch;
        t->summary->best_value = p.figure;
        if (epoch < t->settings->train.epochs && keep_weights(t, err) != T5_OK)
            return err->status;
    }
    *enough = patience > 0 && epoch - t->summary->best_epoch >= patience;
    if (t->w->leader)
        t5_record_eval(t->record, &row);
    if (hear_verdict(t, &p, &verdict, err) != T5_OK)
        return err->status;
    t->reached = verdict.reached;
    return verdict.pruned ? t5_fail(err, T5_STOPPED, "the tree went another way") : T5_OK;
}

/* ---- the trial ---- */

static t5_status prepare(training *t, t5_error *err) {
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
    t->log_every = 1 + t->total_steps / MAX_STEP_ROWS;
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
    t5_record_reserve(t->record, w->leader ? t->total_steps / t->log_every + 1 : 0,
                      w->leader ? c->epochs : 0, err);
    if (err->status == T5_OK)
        t5_model_create(w->device, &shape, w->bf16, true, &t->model, err);
    if (t5_comm_agree(w->group, err) != T5_OK)
        return err->status;
    return t5_initial_weights(w, t->model, t->a->spec.seed, t->validation.n_labels, err);
}

static t5_status test(training *t, t5_error *err) {
    t5_evaluation e = t->validation;
    double loss;
    if (t->best_weights && t->summary->best_epoch * t->steps_per_epoch != t->step &&
        t5_model_write(t->model, T5_ARENA_WEIGHT, 0, t5_model_n_arena(t->model), t->best_weights,
                       err) != T5_OK)
        t5_error_prefix(err, "the best epoch's weights");
    if (t5_comm_agree(t->w->group, err) != T5_OK)
        return err->status;
    e.want_loss = false;
    e.decode = &t->settings->eval;
    if (t5_evaluate(t->w, t->model, T5_TEST, &e, &loss, &t->summary->test, &t->record->predictions,
                    err) == T5_OK &&
        t->w->leader && t->summary->rows_test > 0) {
        t->record->n_predictions = t->summary->rows_test;
        t->summary->has_test = true;
    }
    return err->status;
}

/* The best epoch's weights, which test() has put back into the model. That they cannot be written
 * is no reason to lose the trial's results. */
static void save(const training *t) {
    t5_error err = {0};
    if (t->w->leader && t->settings->save_weights &&
        t5_saved_write(t->w->setup, t->a->name, t->summary->best_epoch, t->validation.n_labels,
                       t->model, &err) != T5_OK)
        t5_log(T5_LOG_WARNING, "trial %s: its weights are not kept, its results are: %s",
               t->a->name, err.text);
}

t5_status t5_trainer_run(t5_worker *w, const t5_assignment *a, t5_trial_summary *summary,
                         t5_record *record, t5_error *err) {
    const t5_settings *settings = &w->setup->settings;
    /* validation is greedy whatever the test is: the curves of all trials compare, and it is fast
     */
    t5_decode_spec greedy = settings->eval;
    training t = {.w = w,
                  .a = a,
                  .settings = settings,
                  .summary = summary,
                  .record = record,
                  .started = t5_seconds(),
                  .best_loss = INFINITY};
    bool enough = false;

    greedy.kind = T5_DECODE_GREEDY;
    greedy.repetition_penalty = 1;
    t5_batch_init(&t.batch);
    summary->epochs = settings->train.epochs;
    summary->speculative = a->speculative;
    if (prepare(&t, err) != T5_OK)
        goto done;
    t.validation.decode = &greedy;
    for (int epoch = 1; epoch <= settings->train.epochs && !enough; epoch++)
        if (train_epoch(&t, epoch, err) != T5_OK || validate(&t, epoch, &enough, err) != T5_OK)
            goto done;
    if (test(&t, err) == T5_OK) {
        strcpy(summary->status, t.reached ? "completed" : "speculative");
        save(&t);
    }
done:
    summary->seconds = elapsed(&t);
    t5_batch_free(&t.batch);
    free(t.best_weights);
    t5_model_destroy(t.model);
    return err->status;
}
