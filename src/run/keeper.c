#include "run/keeper.h"
#include "base/log.h"
#include "run/keeper_internal.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const t5_kept_paths[T5_KEPT] = {"/weights", "/adam/m", "/adam/v", "/best_weights"};

t5_arena t5_kept_arena(int i) {
    static const t5_arena arenas[T5_KEPT] = {T5_ARENA_WEIGHT, T5_ARENA_M, T5_ARENA_V,
                                             T5_ARENA_WEIGHT};
    return arenas[i];
}

/* ---- open and close ---- */

static int64_t spans_of(int64_t n) {
    return (n + T5_CHECKPOINT_SPAN - 1) / T5_CHECKPOINT_SPAN;
}

/* The first span of rank r's share. */
static int64_t share_begin(int64_t n, int ranks, int r) {
    return spans_of(n) * r / ranks;
}

int64_t t5_keeper_bytes(int64_t n_arena, int ranks) {
    int64_t spans = (spans_of(n_arena) + ranks - 1) / ranks;
    int64_t most = spans * T5_CHECKPOINT_SPAN;
    return T5_KEPT * (most < n_arena ? most : n_arena) * (int64_t)sizeof(float);
}

static void set_share(t5_keeper *k) {
    int rank = t5_comm_rank(k->group), ranks = t5_comm_size(k->group);
    int64_t begin = share_begin(k->n, ranks, rank), end = share_begin(k->n, ranks, rank + 1);
    int64_t last = end * T5_CHECKPOINT_SPAN < k->n ? end * T5_CHECKPOINT_SPAN : k->n;
    k->spans = end - begin;
    k->first = begin * T5_CHECKPOINT_SPAN;
    k->count = last - k->first;
}

static t5_status fill(t5_keeper *k, const t5_keeper_spec *spec, t5_error *err) {
    k->spec = *spec;
    k->spec.dir = k->dir = strdup(spec->dir);
    k->spec.trial = k->trial = strdup(spec->trial);
    k->sums = calloc((size_t)(T5_KEPT * k->spans) + 1, sizeof *k->sums);
    if (!k->dir || !k->trial || !k->sums)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for checkpoints");
    return t5_state_folder_of(spec->dir, spec->trial, &k->folder, err);
}

t5_status t5_keeper_open(t5_comm *group, t5_model *model, const t5_keeper_spec *spec,
                         t5_keeper **keeper, t5_error *err) {
    t5_keeper *k = calloc(1, sizeof *k);
    assert(spec->keep >= 1 && t5_model_arena(model, T5_ARENA_V));
    *keeper = NULL;
    if (k) {
        k->group = group;
        k->model = model;
        k->leader = t5_comm_rank(group) == 0;
        k->n = t5_model_n_arena(model);
        k->layout = t5_state_layout(model);
        k->fd = -1;
        set_share(k);
        fill(k, spec, err);
    } else {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for checkpoints");
    }
    if (t5_comm_agree(group, err) == T5_OK)
        *keeper = k;
    else
        t5_keeper_close(k);
    return err->status;
}

void t5_keeper_close(t5_keeper *k) {
    if (!k)
        return;
    t5_keeper_give_up(k);
    t5_keeper_finish(k);
    for (int i = 0; i < T5_KEPT; i++)
        free(k->copy[i]);
    free(k->sums);
    free(k->dir);
    free(k->trial);
    free(k);
}

void t5_keeper_forget(const char *dir, const char *trial) {
    t5_state_folder folder;
    if (t5_state_folder_of(dir, trial, &folder, NULL) == T5_OK)
        t5_state_remove(&folder);
}

void t5_keeper_remove(t5_keeper *k) {
    t5_keeper_give_up(k);
    t5_keeper_finish(k);
    if (k->leader)
        t5_state_remove(&k->folder);
}

/* ---- what is going on ---- */

void t5_keeper_warn(const t5_keeper *k, int64_t step, const t5_error *reason) {
    if (k->leader)
        t5_log(T5_LOG_WARNING,
               "trial %s: no checkpoint of step %" PRId64 ", training goes on without it: %s",
               k->trial, step, reason->text);
}

t5_keeper_phase t5_keeper_busy(const t5_keeper *k) {
    return k->busy ? T5_KEEPER_WRITES : k->naming ? T5_KEEPER_NAMES : T5_KEEPER_IDLE;
}

bool t5_keeper_done(t5_keeper *k) {
    return t5_job_idle(k->busy ? &k->writing : &k->finishing);
}

void t5_keeper_give_up(t5_keeper *k) {
    t5_job_wait(&k->writing);
    t5_checkpoint_abandon(k->writer);
    k->writer = NULL;
    if (k->fd >= 0)
        close(k->fd);
    k->fd = -1;
    k->busy = false;
}

void t5_keeper_finish(t5_keeper *k) {
    k->naming = false;
    if (!k->finishing.started)
        return;
    t5_job_wait(&k->finishing);
    if (k->closed.status == T5_OK)
        return;
    t5_keeper_warn(k, k->closing_step, &k->closed);
    k->last = k->closed;
}
