/* Who trains what next. A pure state machine: rank 0's service handler feeds it, tests drive it
 * directly; not thread-safe. A trial is PENDING until a group takes it, RUNNING until it ends. In a
 * tree a trial is reached if it is a root, or if the trial before it is reached and has ended, and
 * its decision points here.
 * - A trial improved if its figure is greater than the baseline's. A failed one, or one without a
 * figure (NaN), did not. A decision waits for the trial itself and for the baseline trial; without
 * a baseline figure (the baseline failed, was dropped, or has NaN) nothing can be decided, and
 * nothing after a decision is reached. Where both ways of a trial lead to the same next one, the
 * next is reached as soon as the trial has ended.
 * - Speculation. "none": only reached trials run. "idle": groups that find no reached trial take
 * one that may still be reached, the one with the fewest open decisions before it first. "all":
 * then any other too, so that every trial runs in the end.
 * - Giving up: a trial that can no longer be reached never can again. If it is running and
 * speculation is not "all" it is pruned: the runner may stop it and finish it as DROPPED (or let it
 * end as DONE; that is not on the path either). A DROPPED trial decides nothing: a reached one
 * stopped for another reason closes its ways. */
#ifndef T5_PLAN_SCHEDULE_H
#define T5_PLAN_SCHEDULE_H
#include "plan/plan.h"

typedef enum {
    T5_TRIAL_PENDING,
    T5_TRIAL_RUNNING,
    T5_TRIAL_DONE,
    T5_TRIAL_FAILED,
    T5_TRIAL_DROPPED
} t5_trial_state;

/* The state of a trial with this status in its file; PENDING unless it has ended. */
t5_trial_state t5_trial_state_of(const char *status);

typedef struct t5_schedule t5_schedule;

/* The plan must outlive the schedule. baseline: the published value of the figure that decides;
 * ignored if the plan has a baseline trial, NaN if there is none. T5_ERR_MEMORY. */
t5_status t5_schedule_create(const t5_plan *plan, t5_speculate speculate, double baseline,
                             t5_schedule **schedule, t5_error *err);
void t5_schedule_destroy(t5_schedule *s);

enum { T5_SCHEDULE_WAIT = -1, T5_SCHEDULE_OVER = -2 };
/* The next trial for a free group (marked RUNNING), T5_SCHEDULE_WAIT (a decision is needed first)
 * or T5_SCHEDULE_OVER (nothing is left, or ever will be). */
int t5_schedule_next(t5_schedule *s);
/* A trial ended as DONE, FAILED or DROPPED; it was RUNNING, or PENDING (finished in an earlier
 * run). figure: its value of the deciding metric; ignored unless DONE. */
void t5_schedule_finish(t5_schedule *s, int trial, t5_trial_state how, double figure);
/* Should a running trial be given up (it can no longer be reached and speculation is not "all")? */
bool t5_schedule_is_pruned(const t5_schedule *s, int trial);

t5_trial_state t5_schedule_state(const t5_schedule *s, int trial);
bool t5_schedule_is_reached(const t5_schedule *s, int trial);     /* on the tree's path so far */
bool t5_schedule_may_be_reached(const t5_schedule *s, int trial); /* still open */
/* Which way: 1 improved, 0 not improved, -1 not decided; the baseline trial itself: -1. */
int t5_schedule_decision(const t5_schedule *s, int trial);

#endif
