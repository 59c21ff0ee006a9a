/* The schedule step by step, on small trees. */
#include "story.h"

static void nothing_to_do(void **state) {
    (void)state;
    const story none = {.n = 0, .baseline = -1, .published = NAN};
    t5_plan_trial trials[MOST];
    t5_plan plan;
    t5_schedule *s = make(&none, T5_SPECULATE_ALL, trials, &plan);
    assert_int_equal(t5_schedule_next(s), T5_SCHEDULE_OVER);
    t5_schedule_destroy(s);
    t5_schedule_destroy(NULL);
}

static void without_speculation_groups_wait_for_the_baseline(void **state) {
    (void)state;
    t5_plan_trial trials[MOST];
    t5_plan plan;
    t5_schedule *s = make(&experiments, T5_SPECULATE_NONE, trials, &plan);
    assert_int_equal(t5_schedule_next(s), 0);
    assert_int_equal(t5_schedule_next(s), 1);
    assert_int_equal(t5_schedule_next(s), T5_SCHEDULE_WAIT);
    t5_schedule_finish(s, 1, T5_TRIAL_DONE, 6);
    assert_int_equal(t5_schedule_decision(s, 1), -1);
    assert_int_equal(t5_schedule_next(s), T5_SCHEDULE_WAIT);
    t5_schedule_finish(s, 0, T5_TRIAL_DONE, 5);
    assert_int_equal(t5_schedule_decision(s, 1), 1);
    assert_int_equal(t5_schedule_decision(s, 0), -1);
    assert_int_equal(t5_schedule_next(s), 3);
    assert_int_equal(t5_schedule_next(s), T5_SCHEDULE_OVER);
    assert_false(t5_schedule_may_be_reached(s, 2));
    t5_schedule_destroy(s);
}

/* Five groups: two decisions away is later than one away; what the decision closes is pruned. */
static void idle_groups_run_ahead_and_are_pruned(void **state) {
    (void)state;
    t5_plan_trial trials[MOST];
    t5_plan plan;
    t5_schedule *s = make(&experiments, T5_SPECULATE_IDLE, trials, &plan);
    const int order[] = {0, 1, 2, 3, 4, T5_SCHEDULE_OVER};
    for (int i = 0; i < 6; i++)
        assert_int_equal(t5_schedule_next(s), order[i]);
    t5_schedule_finish(s, 0, T5_TRIAL_DONE, 5);
    t5_schedule_finish(s, 2, T5_TRIAL_DONE, 6); /* ahead of its turn: closes the way to 4 */
    assert_true(t5_schedule_is_pruned(s, 4));
    assert_false(t5_schedule_is_reached(s, 3));
    t5_schedule_finish(s, 4, T5_TRIAL_DROPPED, NAN);
    assert_false(t5_schedule_is_pruned(s, 4));
    t5_schedule_finish(s, 1, T5_TRIAL_FAILED, NAN); /* not improved: 2, and 2 goes on to 3 */
    assert_int_equal(t5_schedule_decision(s, 1), 0);
    assert_true(t5_schedule_is_reached(s, 2));
    assert_true(t5_schedule_is_reached(s, 3));
    assert_false(t5_schedule_is_pruned(s, 3));
    t5_schedule_destroy(s);
}

/* The nearest first, also where the farther one comes first in the plan. */
static void the_nearest_is_run_ahead_first(void **state) {
    (void)state;
    const story chain = {.n = 4,
                         .improved = {-1, 0, 1, 2},
                         .otherwise = {-1, -1, -1, -1},
                         .baseline = -1,
                         .published = 5};
    t5_plan_trial trials[MOST];
    t5_plan plan;
    t5_schedule *s = make(&chain, T5_SPECULATE_IDLE, trials, &plan);
    for (int t = 3; t >= 0; t--)
        assert_int_equal(t5_schedule_next(s), t);
    t5_schedule_finish(s, 3, T5_TRIAL_DONE, 5); /* as good is not better */
    for (int t = 2; t >= 0; t--)
        assert_true(t5_schedule_is_pruned(s, t));
    t5_schedule_destroy(s);
}

static void a_failed_baseline_decides_nothing(void **state) {
    (void)state;
    const t5_trial_state ends[] = {T5_TRIAL_FAILED, T5_TRIAL_DROPPED, T5_TRIAL_DONE};
    for (int i = 0; i < 3; i++) {
        t5_plan_trial trials[MOST];
        t5_plan plan;
        t5_schedule *s = make(&experiments, T5_SPECULATE_IDLE, trials, &plan);
        for (int t = 0; t < 3; t++)
            assert_int_equal(t5_schedule_next(s), t);
        t5_schedule_finish(s, 1, T5_TRIAL_FAILED, NAN);
        t5_schedule_finish(s, 0, ends[i], NAN);
        assert_int_equal(t5_schedule_decision(s, 1), -1);
        assert_true(t5_schedule_is_pruned(s, 2));
        assert_int_equal(t5_schedule_next(s), T5_SCHEDULE_OVER);
        t5_schedule_destroy(s);
    }
}

/* Stopped by a signal, say: what comes after it stays open to nobody, and nobody waits. */
static void a_dropped_trial_closes_its_ways(void **state) {
    (void)state;
    t5_plan_trial trials[MOST];
    t5_plan plan;
    t5_schedule *s = make(&experiments, T5_SPECULATE_NONE, trials, &plan);
    assert_int_equal(t5_schedule_next(s), 0);
    assert_int_equal(t5_schedule_next(s), 1);
    t5_schedule_finish(s, 0, T5_TRIAL_DONE, 5);
    t5_schedule_finish(s, 1, T5_TRIAL_DROPPED, 9);
    assert_int_equal(t5_schedule_decision(s, 1), -1);
    assert_int_equal(t5_schedule_next(s), T5_SCHEDULE_OVER);
    t5_schedule_destroy(s);
}

/* What an earlier run finished is not run again. */
static void finished_before_they_were_given_out(void **state) {
    (void)state;
    t5_plan_trial trials[MOST];
    t5_plan plan;
    t5_schedule *s = make(&experiments, T5_SPECULATE_NONE, trials, &plan);
    t5_schedule_finish(s, 0, T5_TRIAL_DONE, 5);
    t5_schedule_finish(s, 1, T5_TRIAL_DONE, 4);
    assert_int_equal(t5_schedule_next(s), 2);
    assert_int_equal(t5_schedule_next(s), T5_SCHEDULE_WAIT);
    t5_schedule_finish(s, 2, T5_TRIAL_DONE, 4);
    assert_int_equal(t5_schedule_next(s), 4);
    assert_int_equal(t5_schedule_next(s), T5_SCHEDULE_OVER);
    t5_schedule_destroy(s);
}

static void all_runs_what_was_closed_too(void **state) {
    (void)state;
    t5_plan_trial trials[MOST];
    t5_plan plan;
    t5_schedule *s = make(&experiments, T5_SPECULATE_ALL, trials, &plan);
    t5_schedule_finish(s, 0, T5_TRIAL_DONE, 5);
    t5_schedule_finish(s, 1, T5_TRIAL_DONE, 6);
    const int order[] = {3, 2, 4, T5_SCHEDULE_OVER}; /* reached, then the others */
    for (int i = 0; i < 4; i++)
        assert_int_equal(t5_schedule_next(s), order[i]);
    assert_false(t5_schedule_is_pruned(s, 2));
    t5_schedule_destroy(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(a_failed_baseline_decides_nothing),
        cmocka_unit_test(a_dropped_trial_closes_its_ways),
        cmocka_unit_test(without_speculation_groups_wait_for_the_baseline),
        cmocka_unit_test(idle_groups_run_ahead_and_are_pruned),
        cmocka_unit_test(the_nearest_is_run_ahead_first),
        cmocka_unit_test(finished_before_they_were_given_out),
        cmocka_unit_test(all_runs_what_was_closed_too),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
