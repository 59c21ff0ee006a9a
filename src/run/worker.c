#include "run/worker.h"
#include "base/log.h"
#include "results/results.h"
#include "run/keeper.h"
#include "run/trainer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static t5_status fetch(t5_worker *w, int kind, const t5_shard_request *want, void **block,
                       size_t *bytes, t5_error *err) {
    if (t5_service_call(w->service, kind, want, sizeof *want, block, bytes, err) != T5_OK)
        return err->status;
    return t5_host_check_reply(block, bytes, err);
}

static t5_status get_split(t5_worker *w, int top_n, t5_split_kind kind, t5_error *err) {
    t5_shard_request want = {.top_n = top_n,
                             .kind = kind,
                             .part = t5_comm_rank(w->group),
                             .parts = t5_comm_size(w->group)};
    void *block;
    size_t bytes;
    if (fetch(w, T5_MSG_SHARD, &want, &block, &bytes, err) != T5_OK)
        return err->status;
    if (t5_shard_from_block(block, bytes, &w->split[kind], err) != T5_OK) {
        free(block);
        return err->status;
    }
    if (!w->leader || kind == T5_TRAIN)
        return T5_OK;
    want.part = 0;
    want.parts = 1;
    if (fetch(w, T5_MSG_TEXTS, &want, &block, &bytes, err) != T5_OK)
        return err->status;
    return t5_texts_unpack(block, bytes, &w->texts[kind], err);
}

t5_status t5_worker_get_data(t5_worker *w, int top_n, t5_error *err) {
    if (w->top_n == top_n)
        return T5_OK;
    t5_worker_drop_data(w);
    for (int kind = T5_TRAIN; kind <= T5_TEST && err->status == T5_OK; kind++)
        get_split(w, top_n, (t5_split_kind)kind, err);
    if (err->status == T5_OK && w->split[T5_TRAIN]->n_total == 0)
        t5_fail(err, T5_ERR_EMPTY, "no training row is left with top_n = %d", top_n);
    if (t5_comm_agree(w->group, err) == T5_OK)
        w->top_n = top_n;
    else
        t5_worker_drop_data(w);
    return err->status;
}

void t5_worker_drop_data(t5_worker *w) {
    for (int kind = T5_TRAIN; kind <= T5_TEST; kind++) {
        t5_shard_destroy(w->split[kind]);
        w->split[kind] = NULL;
        t5_texts_free(&w->texts[kind]);
    }
    w->top_n = -1;
}

t5_status t5_worker_ask_stop(t5_worker *w, int signal, int *stops, t5_error *err) {
    t5_stop_request request = {.signal = signal};
    *stops = signal;
    return t5_service_ask(w->service, T5_MSG_STOP, &request, sizeof request, stops, sizeof *stops,
                          err);
}

/* The next trial, asked for by the leader, known to the group. */
static t5_status next_trial(t5_worker *w, t5_assignment *a, t5_error *err) {
    if (w->leader) {
        int signal = t5_stop_signal(w->stop), stops;
        if (signal) /* rank 0 may not have got it */
            t5_worker_ask_stop(w, signal, &stops, err);
        if (err->status == T5_OK)
            t5_service_ask(w->service, T5_MSG_NEXT, NULL, 0, a, sizeof *a, err);
    }
    if (t5_comm_agree(w->group, err) == T5_OK)
        t5_comm_bcast(w->group, 0, a, sizeof *a, err);
    return err->status;
}

static t5_status report_trial(t5_worker *w, const t5_assignment *a, const t5_trial_summary *s,
                              t5_error *err) {
    t5_done done = {.trial = a->trial, .summary = *s};
    void *reply = NULL;
    size_t bytes = 0;
    t5_error io = {0};
    t5_service_call(w->service, T5_MSG_DONE, &done, sizeof done, &reply, &bytes, err);
    const t5_status_change *changes = reply;
    for (size_t i = 0; i < bytes / sizeof *changes && io.status == T5_OK; i++)
        t5_results_set_status(w->setup->settings.output_dir, changes[i].name, changes[i].status,
                              &io);
    if (io.status != T5_OK) /* no reason to lose what still trains */
        t5_log(T5_LOG_WARNING, "the status of a trial stays \"speculative\" in its file: %s",
               io.text);
    free(reply);
    return err->status;
}

static void note_end(t5_trial_summary *s, const char *status, const t5_error *reason) {
    strcpy(s->status, status);
    memcpy(s->reason, reason->text, sizeof s->reason); /* both as long */
    s->has_test = false;
}

/* What cannot be written makes the trial a failed one. On a full disk there may still be room for
 * its file without the tables, so that the file does not stay "pending". */
static void write_trial(const t5_worker *w, t5_trial_summary *s, const t5_record *record) {
    const char *dir = w->setup->settings.output_dir;
    t5_error io = {0}, again = {0};
    if (t5_results_write_trial(dir, s, record, &w->texts[T5_TEST], &io) == T5_OK) {
        /* one that failed or lacks its weights may be tried again, from where it was */
        if (strcmp(s->status, "stopped") != 0 && strcmp(s->status, "failed") != 0 &&
            !s->weights_missing)
            t5_keeper_forget(dir, s->name);
        return;
    }
    if (strcmp(s->status, "stopped") == 0) { /* its checkpoint is what --resume goes on from */
        t5_log(T5_LOG_WARNING, "trial %s: what it has done so far is not in its file: %s", s->name,
               io.text);
        return;
    }
    note_end(s, "failed", &io);
    t5_results_write_trial(dir, s, NULL, NULL, &again);
}

/* Trains one trial; the leader writes its file and tells rank 0. */
static t5_status one_trial(t5_worker *w, const t5_assignment *a, t5_error *err) {
    t5_trial_summary summary = {
        .spec = a->spec, .decision = -1, .improved = -1, .otherwise = -1, .best_value = NAN};
    t5_record record = {0};
    t5_error trial_err = {0};

    strcpy(summary.name, a->name);
    t5_trainer_run(w, a, &summary, &record, &trial_err);
    if (trial_err.status == T5_INTERRUPTED && w->leader) {
        int signal = t5_stop_signal(w->stop), stops;
        t5_worker_ask_stop(w, signal ? signal : -1, &stops, err); /* another rank has got it */
    }
    if (trial_err.status == T5_ERR_COMM) { /* not this trial's failure: the job cannot go on */
        *err = trial_err;
        goto done;
    }
    if (trial_err.status == T5_STOPPED)
        strcpy(summary.status, "skipped");
    else if (trial_err.status == T5_INTERRUPTED)
        note_end(&summary, "stopped", &trial_err);
    else if (trial_err.status != T5_OK)
        note_end(&summary, "failed", &trial_err);
    if (w->leader) {
        write_trial(w, &summary, &record);
        report_trial(w, a, &summary, err);
    }
    t5_comm_agree(w->group, err);
done:
    t5_record_free(&record);
    return err->status;
}

t5_status t5_worker_run(t5_worker *w, t5_error *err) {
    t5_assignment a;
    w->top_n = -1;
    while (next_trial(w, &a, err) == T5_OK && a.trial >= 0)
        if (one_trial(w, &a, err) != T5_OK)
            break;
    t5_worker_drop_data(w);
    return err->status;
}
