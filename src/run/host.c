#include "run/host.h"
#include "results/results.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct t5_host {
    const t5_config *config;
    const t5_plan *plan;
    t5_source *source;
    t5_console *console;
    t5_schedule *schedule;
    t5_trial_summary *summaries;
    int decide_by; /* number of the deciding metric */
    uint64_t fingerprint;
    const t5_stop *stop;
    int signal; /* that a group has told of */
    /* replies stay valid until the next request */
    t5_assignment assignment;
    t5_verdict verdict;
    int stops;
};

static double baseline_figure(const t5_config *config) {
    for (int i = 0; i < T5_N_FIGURES; i++)
        if (strcmp(t5_figure_names[i], config->decide_by) == 0)
            return config->baseline[i];
    return NAN;
}

static void summary_of_plan(const t5_host *host, int trial, t5_trial_summary *s) {
    const t5_plan_trial *t = &host->plan->trials[trial];
    const t5_source_selection *sel = t5_source_find(host->source, t->spec.top_n);
    memset(s, 0, sizeof *s);
    strcpy(s->name, t->name);
    strcpy(s->status, "pending");
    s->spec = t->spec;
    s->decision = -1;
    s->best_value = NAN;
    s->improved = t->improved;
    s->otherwise = t->otherwise;
    s->epochs = host->config->train.epochs;
    if (sel) {
        s->no_model = sel->no_model;
        memcpy(s->no_model_name, sel->no_model_name, sizeof s->no_model_name);
        s->gold_outside_top5 = sel->gold_outside_top5;
    }
}

t5_status t5_host_create(const t5_config *config, const t5_plan *plan, t5_source *source,
                         t5_console *console, const t5_stop *stop, t5_host **out, t5_error *err) {
    t5_host *host = calloc(1, sizeof *host);
    *out = NULL;
    if (host)
        host->summaries = calloc((size_t)plan->n + 1, sizeof *host->summaries);
    if (!host || !host->summaries) {
        free(host);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %d trials", plan->n);
    }
    host->config = config;
    host->plan = plan;
    host->source = source;
    host->console = console;
    host->stop = stop;
    host->decide_by = t5_metric_find(config->decide_by);
    if (t5_schedule_create(plan, config->speculative, baseline_figure(config), &host->schedule,
                           err) != T5_OK) {
        t5_host_destroy(host);
        return err->status;
    }
    for (int t = 0; t < plan->n; t++)
        summary_of_plan(host, t, &host->summaries[t]);
    *out = host;
    return T5_OK;
}

void t5_host_destroy(t5_host *host) {
    if (!host)
        return;
    t5_schedule_destroy(host->schedule);
    free(host->summaries);
    free(host);
}

t5_trial_summary *t5_host_summaries(t5_host *host) {
    return host->summaries;
}

/* A failed reply is this struct; a block never starts with its mark. */
typedef struct reply_failure {
    char mark[8];
    t5_error error;
} reply_failure;
static const char failure_mark[8] = "T5FAIL!";

static void reply_fail(t5_reply *reply, const t5_error *err) {
    reply_failure *f = calloc(1, sizeof *f);
    if (!f)
        return; /* an empty reply is read as "out of memory on rank 0" */
    memcpy(f->mark, failure_mark, sizeof f->mark);
    f->error = *err;
    reply->owned = f;
    reply->bytes = sizeof *f;
}

t5_status t5_host_check_reply(void **reply, size_t *bytes, t5_error *err) {
    reply_failure f;
    if (*bytes == 0)
        return t5_fail(err, T5_ERR_MEMORY, "rank 0 is out of memory for the data of a trial");
    if (*bytes != sizeof f)
        return T5_OK;
    memcpy(&f, *reply, sizeof f);
    if (memcmp(f.mark, failure_mark, sizeof f.mark) != 0)
        return T5_OK;
    free(*reply);
    *reply = NULL;
    *bytes = 0;
    return t5_fail(err, f.error.status, "%s", f.error.text);
}

void t5_host_set_fingerprint(t5_host *host, uint64_t run) {
    host->fingerprint = run;
}

int t5_host_signal(const t5_host *host) {
    return host->signal ? host->signal : t5_stop_signal(host->stop);
}

/* Of the run's and of what the trial has of its own; field by field, as structs have gaps. */
static uint64_t trial_fingerprint(const t5_host *host, const t5_trial_spec *s) {
    const double numbers[] = {s->learning_rate,        (double)s->top_n, (double)s->loss.kind,
                              s->loss.label_smoothing, s->loss.gamma,    s->loss.alpha};
    uint64_t h = XXH3_64bits_withSeed(numbers, sizeof numbers, host->fingerprint);
    return XXH3_64bits_withSeed(&s->seed, sizeof s->seed, h);
}

static bool give_trial(t5_host *host, t5_reply *reply) {
    int trial = t5_host_signal(host) ? T5_SCHEDULE_OVER : t5_schedule_next(host->schedule);
    if (trial == T5_SCHEDULE_WAIT)
        return false;
    memset(&host->assignment, 0, sizeof host->assignment);
    host->assignment.trial = trial;
    if (trial >= 0) {
        const t5_plan_trial *t = &host->plan->trials[trial];
        strcpy(host->assignment.name, t->name);
        host->assignment.spec = t->spec;
        host->assignment.fingerprint = trial_fingerprint(host, &t->spec);
        host->assignment.speculative = !t5_schedule_is_reached(host->schedule, trial);
        t5_console_start(host->console, trial, host->assignment.speculative);
    }
    reply->data = &host->assignment;
    reply->bytes = sizeof host->assignment;
    return true;
}

static void give_data(t5_host *host, int kind, const t5_shard_request *want, t5_reply *reply) {
    t5_error err = {0};
    t5_shard *shard;
    if (kind == T5_MSG_TEXTS)
        t5_texts_pack(host->source->set, want->top_n, want->kind, &reply->owned, &reply->bytes,
                      &err);
    else if (t5_dataset_shard(host->source->set, want->top_n, want->kind, want->part, want->parts,
                              &shard, &err) == T5_OK) {
        reply->owned = shard->block;
        reply->bytes = shard->block_bytes;
        shard->block = NULL;
        t5_shard_destroy(shard);
    }
    if (err.status != T5_OK)
        reply_fail(reply, &err);
}

static void give_weights(t5_host *host, const t5_weights_request *want, t5_reply *reply) {
    t5_error err = {0};
    float *values = NULL;
    char name[sizeof want->name + 1] = "";
    memcpy(name, want->name, sizeof want->name);
    if (!host->source->pretrained || want->n < 1 || want->n > T5_WEIGHTS_PIECE)
        t5_fail(&err, T5_ERR_COMM, "a request for %lld elements of %s", (long long)want->n, name);
    else if (!(values = malloc((size_t)want->n * sizeof *values)))
        t5_fail(&err, T5_ERR_MEMORY, "rank 0 is out of memory for a piece of the weights");
    else
        t5_pretrained_read(host->source->pretrained, name, want->first, want->n, values, &err);
    if (err.status != T5_OK) {
        free(values);
        reply_fail(reply, &err);
        return;
    }
    reply->owned = values;
    reply->bytes = (size_t)want->n * sizeof *values;
}

static void give_verdict(t5_host *host, int trial, t5_reply *reply) {
    host->verdict = (t5_verdict){.pruned = t5_schedule_is_pruned(host->schedule, trial),
                                 .reached = t5_schedule_is_reached(host->schedule, trial)};
    reply->data = &host->verdict;
    reply->bytes = sizeof host->verdict;
}

void t5_host_keep(t5_host *host, int trial, const t5_trial_summary *from) {
    t5_trial_summary *s = &host->summaries[trial], plan = *s;
    t5_trial_state state = strcmp(from->status, "failed") == 0    ? T5_TRIAL_FAILED
                           : strcmp(from->status, "skipped") == 0 ? T5_TRIAL_DROPPED
                                                                  : T5_TRIAL_DONE;
    *s = *from;
    s->epochs = plan.epochs;
    s->improved = plan.improved;
    s->otherwise = plan.otherwise;
    s->decision = -1;
    s->no_model = plan.no_model;
    memcpy(s->no_model_name, plan.no_model_name, sizeof s->no_model_name);
    s->gold_outside_top5 = plan.gold_outside_top5;
    t5_schedule_finish(host->schedule, trial, state,
                       s->has_test ? t5_metric_value(&s->test, host->decide_by) : NAN);
}

static void take_summary(t5_host *host, int trial, const t5_trial_summary *s) {
    char how[1100];
    bool done = strcmp(s->status, "failed") != 0 && strcmp(s->status, "skipped") != 0;
    if (strcmp(s->status, "stopped") == 0) { /* it has not ended: nothing is decided by it */
        memcpy(host->summaries[trial].status, s->status, sizeof s->status);
        memcpy(host->summaries[trial].reason, s->reason, sizeof s->reason);
        t5_console_end(host->console, trial, s->status);
        return;
    }
    t5_host_keep(host, trial, s);
    snprintf(how, sizeof how, "%s%s%s", done ? "completed" : s->status, s->reason[0] ? ": " : "",
             s->reason);
    t5_console_end(host->console, trial, how);
}

/* Trials that ended ahead of the tree and that it has now reached, or never can. */
static void give_changes(t5_host *host, t5_reply *reply) {
    t5_status_change *changes = calloc((size_t)host->plan->n, sizeof *changes);
    size_t n = 0;
    if (!changes)
        return; /* they are written at the end: t5_host_settle */
    for (int t = 0; t < host->plan->n; t++) {
        t5_trial_summary *s = &host->summaries[t];
        bool reached = t5_schedule_is_reached(host->schedule, t);
        if (strcmp(s->status, "speculative") != 0 ||
            (!reached && t5_schedule_may_be_reached(host->schedule, t)))
            continue;
        strcpy(s->status, reached ? "completed" : "skipped");
        memcpy(changes[n].name, s->name, sizeof s->name);
        memcpy(changes[n++].status, s->status, sizeof s->status);
    }
    reply->owned = changes;
    reply->bytes = n * sizeof *changes;
}

/* Sizes of the requests, by kind. */
static const size_t request_bytes[] = {
    [T5_MSG_NEXT] = 0,
    [T5_MSG_SHARD] = sizeof(t5_shard_request),
    [T5_MSG_TEXTS] = sizeof(t5_shard_request),
    [T5_MSG_WEIGHTS] = sizeof(t5_weights_request),
    [T5_MSG_PROGRESS] = sizeof(t5_progress),
    [T5_MSG_VERDICT] = sizeof(t5_progress),
    [T5_MSG_STOP] = sizeof(t5_stop_request),
    [T5_MSG_DONE] = sizeof(t5_done),
};

bool t5_host_handle(void *user, int rank, int kind, const void *request, size_t bytes,
                    t5_reply *reply) {
    t5_host *host = user;
    t5_progress progress;
    t5_done done;
    t5_shard_request want;
    t5_weights_request piece;
    t5_stop_request stop;

    if (kind < T5_MSG_NEXT || kind > T5_MSG_DONE || bytes != request_bytes[kind]) {
        t5_error err = {0};
        t5_fail(&err, T5_ERR_COMM, "rank %d sent a request of kind %d with %zu bytes", rank, kind,
                bytes);
        reply_fail(reply, &err);
        return true;
    }
    switch (kind) {
    case T5_MSG_NEXT:
        return give_trial(host, reply);
    case T5_MSG_SHARD:
    case T5_MSG_TEXTS:
        memcpy(&want, request, sizeof want);
        give_data(host, kind, &want, reply);
        return true;
    case T5_MSG_WEIGHTS:
        memcpy(&piece, request, sizeof piece);
        give_weights(host, &piece, reply);
        return true;
    case T5_MSG_PROGRESS:
    case T5_MSG_VERDICT:
        memcpy(&progress, request, sizeof progress);
        t5_console_progress(host->console, &progress);
        if (kind == T5_MSG_VERDICT)
            give_verdict(host, progress.trial, reply);
        return true;
    case T5_MSG_STOP:
        memcpy(&stop, request, sizeof stop);
        host->signal = host->signal ? host->signal : stop.signal;
        host->stops = t5_host_signal(host);
        reply->data = &host->stops;
        reply->bytes = sizeof host->stops;
        return true;
    default:
        memcpy(&done, request, sizeof done);
        take_summary(host, done.trial, &done.summary);
        give_changes(host, reply);
        return true;
    }
}

/* The status that a trial has once nothing is running any more. */
static const char *final_status(const t5_host *host, int trial) {
    const t5_trial_summary *s = &host->summaries[trial];
    switch (t5_schedule_state(host->schedule, trial)) {
    case T5_TRIAL_FAILED:
        return "failed";
    case T5_TRIAL_DONE:
        return t5_schedule_is_reached(host->schedule, trial) ? "completed" : "skipped";
    case T5_TRIAL_RUNNING:
        return s->status;
    default: /* never ran: after a signal it still may */
        return t5_host_signal(host) ? s->status : "skipped";
    }
}

t5_status t5_host_settle(t5_host *host, const char *dir, t5_error *err) {
    for (int t = 0; t < host->plan->n; t++) {
        t5_trial_summary *s = &host->summaries[t];
        const char *status = final_status(host, t);
        s->decision = t5_schedule_is_reached(host->schedule, t)
                          ? t5_schedule_decision(host->schedule, t)
                          : -1;
        if (strcmp(status, s->status) == 0)
            continue;
        snprintf(s->status, sizeof s->status, "%s", status);
        if (t5_results_set_status(dir, s->name, status, err) != T5_OK)
            return err->status;
    }
    return T5_OK;
}
