#include "run/resume_plan.h"
#include "io/file.h"
#include "results/index_plan.h"
#include "run/state_files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t t5_resume_step(const char *dir, const char *trial) {
    t5_state_folder folder;
    t5_error err = {0};
    int64_t *steps = NULL, step = -1;
    int n = 0;
    if (t5_state_folder_of(dir, trial, &folder, &err) == T5_OK &&
        t5_state_list(&folder, &steps, &n, &err) == T5_OK && n > 0)
        step = steps[0];
    free(steps);
    return step;
}

/* *plan has no trials if the file has no plan. */
static t5_status read_plan(t5_store_reader *r, const char *path, t5_plan *plan, t5_error *err) {
    bool found;
    *plan = (t5_plan){.baseline = -1};
    if (t5_store_find(r, "/plan", &found, err) != T5_OK || !found)
        return err->status;
    return t5_index_read_plan(r, path, plan, err);
}

/* ---- names ---- */

/* The number of a trial that is the same and not `taken`, with this name if there is one; or -1. */
static int find_same(const t5_plan *plan, const t5_plan_trial *trial, const bool *taken) {
    int found = -1;
    for (int t = 0; t < plan->n; t++) {
        if (taken[t] || !t5_plan_same_spec(&plan->trials[t].spec, &trial->spec))
            continue;
        if (strcmp(plan->trials[t].name, trial->name) == 0)
            return t;
        found = found < 0 ? t : found;
    }
    return found;
}

static t5_status take_names(const t5_plan *was, t5_plan *plan, t5_error *err) {
    bool *taken = calloc((size_t)was->n + 1, sizeof *taken);
    if (!taken)
        return t5_fail(err, T5_ERR_MEMORY, "no memory for the names of %d trials", was->n);
    for (int t = 0; t < plan->n; t++) {
        int same = find_same(was, &plan->trials[t], taken);
        if (same < 0)
            continue;
        taken[same] = true;
        memcpy(plan->trials[t].name, was->trials[same].name, sizeof plan->trials[t].name);
    }
    free(taken);
    return T5_OK;
}

t5_status t5_resume_names(const char *dir, t5_plan *plan, t5_error *err) {
    char path[4352];
    t5_plan was = {0};
    t5_error unreadable = {0};
    t5_store_reader *r = NULL;
    snprintf(path, sizeof path, "%s/results.h5", dir);
    if (!plan->is_tree && t5_file_exists(path) && t5_store_open(path, &r, &unreadable) == T5_OK &&
        read_plan(r, path, &was, &unreadable) == T5_OK && !was.is_tree)
        take_names(&was, plan, err);
    t5_plan_free(&was);
    t5_store_close(r);
    return err->status;
}

/* ---- is all that has begun still asked for? ---- */

static t5_status has_begun(t5_store_reader *r, const char *dir, const char *name, bool *begun,
                           t5_error *err) {
    char object[160], *status = NULL;
    *begun = t5_resume_step(dir, name) >= 0;
    snprintf(object, sizeof object, "/trials/%s", name);
    bool found = false;
    if (*begun || t5_store_find(r, object, &found, err) != T5_OK || !found)
        return err->status;
    if (t5_store_get_text(r, object, "status", &status, err) == T5_OK)
        *begun = strcmp(status, "pending") != 0;
    free(status);
    return err->status;
}

static void describe(const t5_trial_spec *s, char *text, size_t size) {
    bool focal = s->loss.kind == T5_LOSS_FOCAL;
    snprintf(text, size, "learning_rate %g, top_n %d, %s %g, alpha %g, seed %llu", s->learning_rate,
             s->top_n, focal ? "focal loss with gamma" : "cross entropy with label_smoothing",
             focal ? s->loss.gamma : s->loss.label_smoothing, s->loss.alpha,
             (unsigned long long)s->seed);
}

static const t5_plan_trial *find_name(const t5_plan *plan, const char *name) {
    for (int t = 0; t < plan->n; t++)
        if (strcmp(plan->trials[t].name, name) == 0)
            return &plan->trials[t];
    return NULL;
}

static t5_status refuse(const char *path, const char *dir, const t5_plan_trial *was,
                        const t5_plan_trial *now, t5_error *err) {
    char before[192], after[192] = "";
    describe(&was->spec, before, sizeof before);
    if (now)
        describe(&now->spec, after, sizeof after);
    return t5_fail(err, T5_ERR_INPUT,
                   "%s: trial %s has begun here with %s; the configuration %s%s; --resume may add "
                   "trials: put this one back, give another folder with --output, or, to have it "
                   "no more, remove %s/trials/%s.h5 and %s/checkpoints/%s",
                   path, was->name, before, now ? "now makes it " : "has no such trial any more",
                   after, dir, was->name, dir, was->name);
}

t5_status t5_resume_check_plan(t5_store_reader *r, const char *path, const char *dir,
                               const t5_plan *now, t5_error *err) {
    t5_plan was;
    if (read_plan(r, path, &was, err) != T5_OK)
        return err->status;
    for (int t = 0; t < was.n && err->status == T5_OK; t++) {
        const t5_plan_trial *old = &was.trials[t], *same = find_name(now, old->name);
        bool begun;
        if (same && t5_plan_same_spec(&same->spec, &old->spec))
            continue;
        if (has_begun(r, dir, old->name, &begun, err) == T5_OK && begun)
            refuse(path, dir, old, same, err);
    }
    t5_plan_free(&was);
    return err->status;
}

/* ---- results without an index ---- */

t5_status t5_resume_check_orphans(const char *dir, const t5_plan *now, t5_error *err) {
    char path[4480];
    for (int t = 0; t < now->n && err->status == T5_OK; t++) {
        t5_store_reader *r = NULL;
        t5_error unreadable = {0};
        char *status = NULL;
        snprintf(path, sizeof path, "%s/trials/%s.h5", dir, now->trials[t].name);
        if (t5_file_exists(path) && t5_store_open(path, &r, &unreadable) == T5_OK &&
            t5_store_get_text(r, "/", "status", &status, &unreadable) == T5_OK &&
            strcmp(status, "pending") != 0)
            t5_fail(err, T5_ERR_INPUT,
                    "%s: the results of a trial (%s) are there, but not %s/results.h5, which says "
                    "what they belong to: put it back, or give another folder with --output",
                    path, status, dir);
        free(status);
        t5_store_close(r);
    }
    return err->status;
}
