#include "plan/schedule.h"
#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { UNREACHABLE = INT_MAX };

struct t5_schedule {
    const t5_plan *plan;
    t5_speculate speculate;
    double baseline; /* the published figure */
    t5_trial_state *state;
    double *figure; /* NaN: none */
    /* how many open decisions lie between a trial and its running for good: 0 reached, UNREACHABLE
     * when a decision went the other way */
    int *distance;
};

typedef enum { WAY_CLOSED, WAY_OPEN, WAY_TAKEN } way;

static bool has_ended(const t5_schedule *s, int trial) {
    return s->state[trial] >= T5_TRIAL_DONE;
}

/* The figure to be beaten; NaN: none yet, or none ever. */
static double figure_to_beat(const t5_schedule *s) {
    return s->plan->baseline < 0 ? s->baseline : s->figure[s->plan->baseline];
}

static bool can_decide(const t5_schedule *s) {
    const int baseline = s->plan->baseline;
    return !isnan(figure_to_beat(s)) || (baseline >= 0 && !has_ended(s, baseline));
}

int t5_schedule_decision(const t5_schedule *s, int trial) {
    if (trial == s->plan->baseline || isnan(figure_to_beat(s)))
        return -1;
    if (s->state[trial] == T5_TRIAL_DONE || s->state[trial] == T5_TRIAL_FAILED)
        return s->figure[trial] > figure_to_beat(s); /* false for NaN */
    return -1;
}

/* The way from a trial to one of its next ones. */
static way way_to(const t5_schedule *s, int from, bool improved) {
    const t5_plan_trial *trial = &s->plan->trials[from];
    const int decision = t5_schedule_decision(s, from);
    if (s->state[from] == T5_TRIAL_DROPPED)
        return WAY_CLOSED;
    if (trial->improved == trial->otherwise) /* nothing to decide */
        return has_ended(s, from) ? WAY_TAKEN : WAY_OPEN;
    if (decision >= 0)
        return decision == improved ? WAY_TAKEN : WAY_CLOSED;
    return can_decide(s) ? WAY_OPEN : WAY_CLOSED;
}

/* Shortens the distance to `to` by going there from `from`. */
static bool shorten(t5_schedule *s, int from, int to, bool improved) {
    const way w = to < 0 ? WAY_CLOSED : way_to(s, from, improved);
    if (w == WAY_CLOSED || s->distance[from] == UNREACHABLE)
        return false;
    const int distance = s->distance[from] + (w == WAY_OPEN);
    if (distance >= s->distance[to])
        return false;
    s->distance[to] = distance;
    return true;
}

/* A trial can be reached on several ways, so distances are worked out anew whenever a trial ends.
 */
static void measure(t5_schedule *s) {
    const t5_plan *plan = s->plan;
    bool changed = true;
    for (int t = 0; t < plan->n; t++)
        s->distance[t] = plan->trials[t].root ? 0 : UNREACHABLE;
    while (changed) {
        changed = false;
        for (int t = 0; t < plan->n; t++) {
            changed |= shorten(s, t, plan->trials[t].improved, true);
            changed |= shorten(s, t, plan->trials[t].otherwise, false);
        }
    }
}

t5_trial_state t5_trial_state_of(const char *status) {
    static const struct {
        const char *status;
        t5_trial_state state;
    } ended[] = {{"completed", T5_TRIAL_DONE},
                 {"speculative", T5_TRIAL_DONE},
                 {"failed", T5_TRIAL_FAILED},
                 {"skipped", T5_TRIAL_DROPPED}};
    for (size_t i = 0; i < sizeof ended / sizeof *ended; i++)
        if (strcmp(ended[i].status, status) == 0)
            return ended[i].state;
    return T5_TRIAL_PENDING;
}

t5_status t5_schedule_create(const t5_plan *plan, t5_speculate speculate, double baseline,
                             t5_schedule **schedule, t5_error *err) {
    const size_t n = (size_t)plan->n;
    t5_schedule *s = calloc(1, sizeof *s);
    *schedule = NULL;
    if (s) {
        *s = (t5_schedule){.plan = plan, .speculate = speculate, .baseline = baseline};
        s->state = calloc(n + 1, sizeof *s->state); /* PENDING */
        s->figure = calloc(n + 1, sizeof *s->figure);
        s->distance = calloc(n + 1, sizeof *s->distance);
    }
    if (!s || !s->state || !s->figure || !s->distance) {
        t5_schedule_destroy(s);
        return t5_fail(err, T5_ERR_MEMORY, "no memory for the schedule of %d trials", plan->n);
    }
    for (size_t t = 0; t < n; t++)
        s->figure[t] = NAN;
    measure(s);
    *schedule = s;
    return T5_OK;
}

void t5_schedule_destroy(t5_schedule *s) {
    if (!s)
        return;
    free(s->state);
    free(s->figure);
    free(s->distance);
    free(s);
}

int t5_schedule_next(t5_schedule *s) {
    int nearest = -1;
    for (int t = 0; t < s->plan->n; t++)
        if (s->state[t] == T5_TRIAL_PENDING &&
            (nearest < 0 || s->distance[t] < s->distance[nearest]))
            nearest = t;
    if (nearest < 0)
        return T5_SCHEDULE_OVER;
    if (s->distance[nearest] == UNREACHABLE && s->speculate != T5_SPECULATE_ALL)
        return T5_SCHEDULE_OVER;
    if (s->distance[nearest] > 0 && s->speculate == T5_SPECULATE_NONE)
        return T5_SCHEDULE_WAIT;
    s->state[nearest] = T5_TRIAL_RUNNING;
    return nearest;
}

void t5_schedule_finish(t5_schedule *s, int trial, t5_trial_state how, double figure) {
    assert(trial >= 0 && trial < s->plan->n && !has_ended(s, trial));
    assert(how >= T5_TRIAL_DONE);
    s->state[trial] = how;
    if (how == T5_TRIAL_DONE)
        s->figure[trial] = figure;
    measure(s);
}

bool t5_schedule_is_pruned(const t5_schedule *s, int trial) {
    return s->state[trial] == T5_TRIAL_RUNNING && s->distance[trial] == UNREACHABLE &&
           s->speculate != T5_SPECULATE_ALL;
}

t5_trial_state t5_schedule_state(const t5_schedule *s, int trial) {
    return s->state[trial];
}

bool t5_schedule_is_reached(const t5_schedule *s, int trial) {
    return s->distance[trial] == 0;
}

bool t5_schedule_may_be_reached(const t5_schedule *s, int trial) {
    return s->distance[trial] != UNREACHABLE;
}
