/* Who trains what next. A pure state machine: rank 0's service handler feeds it, tests drive it
 * directly. A trial is PENDING until a group takes it. In a tree a trial is reached if it is a root, or if the
 * trial before it ended and its decision points here; a decision waits for the trial itself and for
 * the baseline trial. Groups that find no reached trial take one that may still be reached
 * (speculation: "idle"), nearest to the decisions first, or, with "all", any; a trial that can no longer be
 * reached is skipped unless "all". A failed trial counts as not improved. */
#ifndef T5_RUN_SCHEDULE_H
#define T5_RUN_SCHEDULE_H
#include "run/plan.h"

typedef enum { T5_TRIAL_PENDING, T5_TRIAL_RUNNING, T5_TRIAL_DONE, T5_TRIAL_FAILED, T5_TRIAL_DROPPED } t5_trial_state;

typedef struct t5_schedule t5_schedule;

/* baseline: the published value of the figure that decides, NaN if the baseline is a trial. */
t5_status t5_schedule_create(const t5_plan *plan, t5_speculate speculate, double baseline,
                             t5_schedule **schedule, t5_error *err);
void t5_schedule_destroy(t5_schedule *s);

enum { T5_SCHEDULE_WAIT = -1, T5_SCHEDULE_OVER = -2 };
/* The next trial for a free group (marked RUNNING), T5_SCHEDULE_WAIT (a decision is needed first) or
 * T5_SCHEDULE_OVER (nothing is left, or ever will be). */
int t5_schedule_next(t5_schedule *s);
/* A trial ended. figure: its value of the deciding metric; ignored for failed. */
void t5_schedule_finish(t5_schedule *s, int trial, t5_trial_state how, double figure);
/* Should a running trial be given up (it can no longer be reached and speculation is not "all")? */
bool t5_schedule_is_pruned(const t5_schedule *s, int trial);

t5_trial_state t5_schedule_state(const t5_schedule *s, int trial);
bool t5_schedule_is_reached(const t5_schedule *s, int trial);  /* on the tree's path so far */
bool t5_schedule_may_be_reached(const t5_schedule *s, int trial); /* still open */
/* Which way: 1 improved, 0 not improved, -1 not decided. */
int t5_schedule_decision(const t5_schedule *s, int trial);

#endif
