/* Trees for the tests of the schedule, and how their trials will turn out. */
#ifndef T5_TESTS_PLAN_STORY_H
#define T5_TESTS_PLAN_STORY_H
#include "plan/schedule.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 12 };

/* What will happen to each trial when it is run. */
typedef struct story {
    int n;
    int improved[MOST], otherwise[MOST];
    int baseline; /* -1: the published figure */
    double published;
    bool fails[MOST];
    double figure[MOST];
} story;

static const story experiments = {.n = 5,
                                  .improved = {-1, 3, 3, -1, -1},
                                  .otherwise = {-1, 2, 4, -1, -1},
                                  .baseline = 0,
                                  .published = NAN,
                                  .figure = {5, 0, 0, 0, 0}};

static inline void make_plan(const story *s, t5_plan_trial *trials, t5_plan *plan) {
    memset(trials, 0, MOST * sizeof *trials);
    for (int t = 0; t < s->n; t++) {
        trials[t].root = true;
        trials[t].improved = s->improved[t];
        trials[t].otherwise = s->otherwise[t];
    }
    for (int t = 0; t < s->n; t++) {
        if (s->improved[t] >= 0)
            trials[s->improved[t]].root = false;
        if (s->otherwise[t] >= 0)
            trials[s->otherwise[t]].root = false;
    }
    *plan = (t5_plan){.n = s->n, .trials = trials, .is_tree = true, .baseline = s->baseline};
}

static inline t5_schedule *make(const story *s, t5_speculate speculate, t5_plan_trial *trials,
                                t5_plan *plan) {
    t5_schedule *schedule;
    t5_error err = {0};
    make_plan(s, trials, plan);
    assert_int_equal(t5_schedule_create(plan, speculate, s->published, &schedule, &err), T5_OK);
    return schedule;
}

#endif
