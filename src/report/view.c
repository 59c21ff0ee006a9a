#include "report/view.h"
#include "io/file.h"
#include "io/folder.h"
#include "plan/schedule.h"
#include "results/results_read.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATH = 4352 };

static t5_status join(char path[MAX_PATH], const char *folder, const char *below, t5_error *err) {
    int n = snprintf(path, MAX_PATH, "%s/%s", folder, below);
    return n > 0 && n < MAX_PATH
               ? T5_OK
               : t5_fail(err, T5_ERR_INPUT, "%.100s...: too long for a folder's path", folder);
}

static t5_status no_memory(const char *run, t5_error *err) {
    return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory for its trials", run);
}

/* ---------------------------------------------------------------- trials */

/* What a trial's file does not hold. */
static void complete_summary(const t5_index *x, int t, t5_trial_summary *s) {
    const t5_plan_trial *trial = &x->plan.trials[t];
    const t5_source_selection *sel = t5_index_find(x, trial->spec.top_n);
    s->epochs = x->epochs;
    s->improved = trial->improved;
    s->otherwise = trial->otherwise;
    s->decision = -1;
    if (sel) {
        s->no_model = sel->no_model;
        memcpy(s->no_model_name, sel->no_model_name, sizeof s->no_model_name);
        s->gold_outside_top5 = sel->gold_outside_top5;
    }
}

static void pending_summary(const t5_plan_trial *trial, t5_trial_summary *s) {
    memset(s, 0, sizeof *s);
    strcpy(s->name, trial->name);
    strcpy(s->status, "pending");
    s->spec = trial->spec;
    s->best_value = NAN;
}

/* HDF5 follows no link to a file that is missing or damaged, and does not say which it is. */
static t5_status explain_missing(const char *folder, const char *name, t5_error *err) {
    char path[MAX_PATH], file[160];
    t5_store_reader *r = NULL;
    snprintf(file, sizeof file, "trials/%s.h5", name);
    if (join(path, folder, file, err) != T5_OK)
        return err->status;
    if (!t5_file_exists(path))
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: is not there; %s/results.h5 says that it is a trial's file, and shows "
                       "nothing of it without",
                       path, folder);
    if (t5_store_open(path, &r, err) == T5_OK)
        t5_fail(err, T5_ERR_INPUT, "%s/results.h5: has no trial %s, but there is %s", folder, name,
                path);
    t5_store_close(r);
    return err->status;
}

/* All trials of the index that its part has, from the file that the index is from. */
static t5_status read_trials(t5_store_reader *r, const char *folder, const t5_index *x,
                             t5_trial_summary *all, t5_error *err) {
    for (int t = 0; t < x->plan.n && err->status == T5_OK; t++) {
        char object[160];
        bool found;
        const char *name = x->plan.trials[t].name;
        if (!t5_part_has(x->part, t))
            continue;
        snprintf(object, sizeof object, "/trials/%s", name);
        if (t5_store_find(r, object, &found, err) == T5_OK && !found)
            explain_missing(folder, name, err);
        else if (found && t5_results_read_trial(r, name, &all[t], err) == T5_OK)
            complete_summary(x, t, &all[t]);
    }
    return err->status;
}

static t5_status make_pending(t5_view *v, t5_error *err) {
    v->trials = calloc((size_t)v->index.plan.n + 1, sizeof *v->trials);
    if (!v->trials)
        return no_memory(v->run, err);
    for (int t = 0; t < v->index.plan.n; t++) {
        pending_summary(&v->index.plan.trials[t], &v->trials[t]);
        complete_summary(&v->index, t, &v->trials[t]);
    }
    return T5_OK;
}

/* ---------------------------------------------------------------- the way of a tree */

static double baseline_figure(const t5_index *x) {
    for (int f = 0; f < T5_N_FIGURES; f++)
        if (strcmp(t5_figure_names[f], x->decide_by) == 0)
            return x->baseline[f];
    return NAN;
}

/* As the run itself decided, or would so far. */
static t5_status decide(t5_view *v, t5_error *err) {
    t5_schedule *schedule = NULL;
    int metric = t5_metric_find(v->index.decide_by);
    if (!v->plan.is_tree)
        return T5_OK;
    if (t5_schedule_create(&v->plan, T5_SPECULATE_NONE, baseline_figure(&v->index), &schedule,
                           err) != T5_OK)
        return err->status;
    for (int t = 0; t < v->plan.n; t++) {
        const t5_trial_summary *s = &v->trials[t];
        t5_trial_state state = t5_trial_state_of(s->status);
        if (state != T5_TRIAL_PENDING)
            t5_schedule_finish(schedule, t, state,
                               s->has_test ? t5_metric_value(&s->test, metric) : NAN);
    }
    for (int t = 0; t < v->plan.n; t++)
        if (t5_schedule_is_reached(schedule, t))
            v->trials[t].decision = t5_schedule_decision(schedule, t);
    t5_schedule_destroy(schedule);
    return T5_OK;
}

/* ---------------------------------------------------------------- parts */

typedef struct parts {
    int count, other; /* the first N that was found; another one, or 0 */
    bool *here;       /* (count) */
    const char *run;
} parts;

static bool note_part(void *user, const char *name) {
    parts *p = user;
    t5_part part;
    char path[MAX_PATH], file[320];
    t5_error ignored = {0};
    snprintf(file, sizeof file, "%s/results.h5", name);
    if (!t5_part_of_folder(name, &part) || join(path, p->run, file, &ignored) != T5_OK ||
        !t5_file_exists(path))
        return true;
    if (!p->here) {
        p->here = calloc((size_t)part.count, sizeof *p->here);
        p->count = part.count;
    }
    if (part.count != p->count)
        p->other = part.count;
    else if (p->here)
        p->here[part.number - 1] = true;
    return p->here && !p->other;
}

/* here: NULL if there are no parts. */
static t5_status find_parts(const char *run, parts *p, t5_error *err) {
    *p = (parts){.run = run};
    if (t5_folder_each(run, note_part, p, err) != T5_OK)
        return err->status;
    if (p->count && !p->here)
        return no_memory(run, err);
    if (p->other)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: holds parts of %d and parts of %d: one sweep has one number of parts",
                       run, p->count, p->other);
    return T5_OK;
}

static bool same_plan(const t5_plan *a, const t5_plan *b) {
    if (a->n != b->n || a->baseline != b->baseline)
        return false;
    for (int t = 0; t < a->n; t++)
        if (strcmp(a->trials[t].name, b->trials[t].name) != 0 ||
            !t5_plan_same_spec(&a->trials[t].spec, &b->trials[t].spec))
            return false;
    return true;
}

/* Do two parts come from the same sweep? a: the first one that is there. */
static t5_status check_together(const char *path, const t5_index *a, const t5_index *b,
                                t5_error *err) {
    t5_str of_a, of_b;
    if (t5_index_settings_differ(a->settings, b->settings, &of_a, &of_b))
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: does not belong to the parts before it: it has %.*s, they have %.*s",
                       path, (int)of_b.n, of_b.s, (int)of_a.n, of_a.s);
    if (a->fingerprint != b->fingerprint)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: does not belong to the parts before it: it was trained with other "
                       "rows, another tokeniser or another model",
                       path);
    if (strcmp(a->decide_by, b->decide_by) != 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: does not belong to the parts before it: its baseline.metric is %s, "
                       "theirs %s",
                       path, b->decide_by, a->decide_by);
    if (!same_plan(&a->plan, &b->plan))
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: does not belong to the parts before it: its sweep has other trials",
                       path);
    return T5_OK;
}

static t5_status add_selections(t5_index *to, const t5_index *from, t5_error *err) {
    size_t most = (size_t)to->n_selections + (size_t)from->n_selections;
    t5_source_selection *all = realloc(to->selections, (most + 1) * sizeof *all);
    if (!all)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %zu filters", most);
    to->selections = all;
    for (int i = 0; i < from->n_selections; i++)
        if (!t5_index_find(to, from->selections[i].top_n))
            all[to->n_selections++] = from->selections[i];
    return T5_OK;
}

/* Adds a part that has been read; the first one becomes the view's index. */
static t5_status add_part(t5_view *v, const char *path, t5_part part, t5_index *x, bool first,
                          t5_error *err) {
    if (x->part.number != part.number || x->part.count != part.count)
        return t5_fail(err, T5_ERR_INPUT, "%s: says that it is part %d of %d", path, x->part.number,
                       x->part.count);
    if (!first)
        return check_together(path, &v->index, x, err) == T5_OK ? add_selections(&v->index, x, err)
                                                                : err->status;
    v->index = *x;
    *x = (t5_index){0};
    return make_pending(v, err);
}

static t5_status read_part(t5_view *v, t5_part part, bool first, t5_error *err) {
    char path[MAX_PATH];
    t5_store_reader *r = NULL;
    t5_index x = {0};
    char *folder = t5_part_folder(v->run, part);
    if (!folder)
        return no_memory(v->run, err);
    if (join(path, folder, "results.h5", err) == T5_OK && t5_store_open(path, &r, err) == T5_OK &&
        t5_index_read(r, path, &x, err) == T5_OK &&
        add_part(v, path, part, &x, first, err) == T5_OK)
        read_trials(r, folder, first ? &v->index : &x, v->trials, err);
    t5_index_free(&x);
    t5_store_close(r);
    free(folder);
    return err->status;
}

/* Filters that only later parts have seen. */
static void complete_all(t5_view *v) {
    for (int t = 0; t < v->index.plan.n; t++)
        complete_summary(&v->index, t, &v->trials[t]);
}

static t5_status read_parts(t5_view *v, parts *p, t5_error *err) {
    bool first = true;
    for (int i = 0; i < p->count && err->status == T5_OK; i++)
        if (p->here[i]) {
            read_part(v, (t5_part){i + 1, p->count}, first, err);
            first = false;
        }
    if (err->status != T5_OK)
        return err->status;
    complete_all(v);
    v->index.part = (t5_part){0};
    v->index.merged_of = p->count;
    v->index.parts_here = p->here;
    p->here = NULL;
    return T5_OK;
}

/* ---------------------------------------------------------------- the run */

/* *merged: results.h5 was put together of parts, which know better. */
static t5_status read_whole(t5_view *v, const char *path, bool *merged, t5_error *err) {
    t5_store_reader *r = NULL;
    if (t5_store_open(path, &r, err) == T5_OK && t5_index_read(r, path, &v->index, err) == T5_OK) {
        *merged = v->index.merged_of > 0;
        if (!*merged && make_pending(v, err) == T5_OK)
            read_trials(r, v->run, &v->index, v->trials, err);
    }
    t5_store_close(r);
    return err->status;
}

static t5_status read_run(t5_view *v, t5_error *err) {
    char path[MAX_PATH];
    parts p = {0};
    bool merged = false;
    if (join(path, v->run, "results.h5", err) != T5_OK)
        return err->status;
    bool there = t5_file_exists(path);
    if (there && read_whole(v, path, &merged, err) != T5_OK)
        return err->status;
    if (there && !merged)
        return T5_OK;
    t5_index_free(&v->index);
    if (find_parts(v->run, &p, err) == T5_OK && !p.here)
        t5_fail(err, T5_ERR_INPUT,
                merged ? "%s: was put together of parts, and none of their folders is here"
                       : "%s: there is no such file, nor a part-I-of-N/results.h5 beside: no run "
                         "has begun here",
                path);
    if (err->status == T5_OK)
        read_parts(v, &p, err);
    free(p.here);
    return err->status;
}

/* Of one part: its own trials only. */
static void keep_own(t5_view *v) {
    int n = 0;
    for (int t = 0; t < v->index.plan.n; t++)
        if (t5_part_has(v->index.part, t))
            v->trials[n++] = v->trials[t];
}

t5_status t5_view_open(const char *run, t5_view *v, t5_error *err) {
    *v = (t5_view){.run = strdup(run)};
    if (!v->run)
        return no_memory(run, err);
    if (read_run(v, err) == T5_OK &&
        t5_part_plan(&v->index.plan, v->index.part, &v->plan, err) == T5_OK) {
        keep_own(v);
        decide(v, err);
    }
    if (err->status != T5_OK)
        t5_view_close(v);
    return err->status;
}

void t5_view_close(t5_view *v) {
    t5_index_free(&v->index);
    t5_plan_free(&v->plan);
    free(v->trials);
    free(v->run);
    *v = (t5_view){0};
}

t5_part t5_view_part(const t5_view *v, int trial) {
    int n = v->index.merged_of;
    return n ? (t5_part){trial % n + 1, n} : (t5_part){0};
}
