/* The schedule against a sequential reference: the plan's tree with every outcome, and random
 * trees, with 1 to 5 groups and trials that end in random order. */
#include "story.h"

enum { MOST_GROUPS = 5 };

/* splitmix64: the runs are the same on every machine. */
static unsigned draw(uint64_t *seed, unsigned below) {
    uint64_t x = *seed += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (unsigned)((x ^ x >> 31) % below);
}

/* The reference: one trial after the other, each with everything it depends on already over. */
static void walk(const story *s, int trial, bool *reached) {
    double beat = s->published;
    if (trial < 0 || reached[trial])
        return;
    reached[trial] = true;
    if (s->baseline >= 0)
        beat = s->fails[s->baseline] ? NAN : s->figure[s->baseline];
    if (s->improved[trial] == s->otherwise[trial])
        walk(s, s->improved[trial], reached);
    else if (!isnan(beat) && !s->fails[trial] && s->figure[trial] > beat)
        walk(s, s->improved[trial], reached);
    else if (!isnan(beat))
        walk(s, s->otherwise[trial], reached);
}

static int expected_decision(const story *s, int trial) {
    const double beat = s->baseline < 0         ? s->published
                        : s->fails[s->baseline] ? NAN
                                                : s->figure[s->baseline];
    if (isnan(beat) || trial == s->baseline)
        return -1;
    return !s->fails[trial] && s->figure[trial] > beat;
}

typedef struct simulation {
    const story *story;
    t5_schedule *schedule;
    t5_speculate speculate;
    uint64_t seed;
    int groups;               /* that still ask */
    int running[MOST_GROUPS]; /* the trial of each busy group */
    int busy;
    bool was_run[MOST], was_dropped[MOST];
    bool reached[MOST], open[MOST]; /* as last seen */
} simulation;

/* What has been reached stays so, what is closed stays so, and decisions are those of the figures.
 */
static void check_progress(simulation *sim) {
    for (int t = 0; t < sim->story->n; t++) {
        const bool reached = t5_schedule_is_reached(sim->schedule, t);
        const bool open = t5_schedule_may_be_reached(sim->schedule, t);
        const int decision = t5_schedule_decision(sim->schedule, t);
        assert_true(open || !reached);
        assert_true(reached || !sim->reached[t]);
        assert_true(sim->open[t] || !open);
        assert_true(decision == -1 || decision == expected_decision(sim->story, t));
        sim->reached[t] = reached;
        sim->open[t] = open;
        const bool pruned = t5_schedule_is_pruned(sim->schedule, t);
        assert_true(pruned == (t5_schedule_state(sim->schedule, t) == T5_TRIAL_RUNNING && !open &&
                               sim->speculate != T5_SPECULATE_ALL));
    }
}

static void check_choice(const simulation *sim, int trial) {
    assert_true(trial >= 0 && trial < sim->story->n);
    assert_false(sim->was_run[trial]);
    assert_int_equal(t5_schedule_state(sim->schedule, trial), T5_TRIAL_RUNNING);
    if (sim->reached[trial])
        return;
    /* running ahead: only where it is allowed, and only when nothing better is left */
    assert_int_not_equal(sim->speculate, T5_SPECULATE_NONE);
    assert_true(sim->open[trial] || sim->speculate == T5_SPECULATE_ALL);
    for (int t = 0; t < sim->story->n; t++)
        if (t5_schedule_state(sim->schedule, t) == T5_TRIAL_PENDING)
            assert_false(sim->reached[t] || (sim->open[t] && !sim->open[trial]));
}

/* Every free group asks until it has a trial, must wait, or hears that all is over. */
static void give_out(simulation *sim) {
    for (int free_groups = sim->groups - sim->busy; free_groups > 0; free_groups--) {
        const int trial = t5_schedule_next(sim->schedule);
        if (trial == T5_SCHEDULE_WAIT) {
            assert_true(sim->busy > 0); /* else nobody would ever wake it */
            return;
        }
        if (trial == T5_SCHEDULE_OVER) {
            sim->groups--;
            continue;
        }
        check_choice(sim, trial);
        sim->was_run[trial] = true;
        sim->running[sim->busy++] = trial;
        check_progress(sim);
    }
}

/* A random one of the running trials ends; a pruned one may be given up instead. */
static void end_one(simulation *sim) {
    const int which = (int)draw(&sim->seed, (unsigned)sim->busy);
    const int trial = sim->running[which];
    const story *s = sim->story;
    t5_trial_state how = s->fails[trial] ? T5_TRIAL_FAILED : T5_TRIAL_DONE;
    sim->running[which] = sim->running[--sim->busy];
    if (t5_schedule_is_pruned(sim->schedule, trial) && draw(&sim->seed, 2)) {
        how = T5_TRIAL_DROPPED;
        sim->was_dropped[trial] = true;
    }
    t5_schedule_finish(sim->schedule, trial, how, how == T5_TRIAL_DONE ? s->figure[trial] : 1e9);
    assert_int_equal(t5_schedule_state(sim->schedule, trial), how);
    check_progress(sim);
}

static void check_end(const simulation *sim) {
    bool expected[MOST] = {false};
    for (int t = 0; t < sim->story->n; t++) {
        bool root = true;
        for (int p = 0; p < sim->story->n; p++)
            root &= sim->story->improved[p] != t && sim->story->otherwise[p] != t;
        if (root)
            walk(sim->story, t, expected);
    }
    for (int t = 0; t < sim->story->n; t++) {
        assert_int_equal(sim->reached[t], expected[t]);
        assert_int_equal(sim->open[t], expected[t]);
        if (expected[t]) {
            assert_true(sim->was_run[t] && !sim->was_dropped[t]);
            assert_int_equal(t5_schedule_decision(sim->schedule, t),
                             expected_decision(sim->story, t));
        }
        if (sim->speculate == T5_SPECULATE_NONE)
            assert_int_equal(sim->was_run[t], expected[t]);
        if (sim->speculate == T5_SPECULATE_ALL)
            assert_true(sim->was_run[t] && !sim->was_dropped[t]);
    }
    assert_int_equal(t5_schedule_next(sim->schedule), T5_SCHEDULE_OVER);
}

static void simulate(const story *s, t5_speculate speculate, int groups, uint64_t seed) {
    t5_plan_trial trials[MOST];
    t5_plan plan;
    simulation sim = {.story = s, .speculate = speculate, .seed = seed, .groups = groups};
    sim.schedule = make(s, speculate, trials, &plan);
    for (int t = 0; t < MOST; t++)
        sim.open[t] = true;
    check_progress(&sim);
    give_out(&sim);
    while (sim.busy) { /* ends: every round ends a trial, and none is run twice */
        end_one(&sim);
        give_out(&sim);
    }
    assert_int_equal(sim.groups, 0);
    check_end(&sim);
    t5_schedule_destroy(sim.schedule);
}

static void simulate_all(const story *s, int orders, uint64_t *seed) {
    const t5_speculate ways[] = {T5_SPECULATE_NONE, T5_SPECULATE_IDLE, T5_SPECULATE_ALL};
    for (int w = 0; w < 3; w++)
        for (int groups = 1; groups <= MOST_GROUPS; groups++)
            for (int k = 0; k < orders; k++)
                simulate(s, ways[w], groups, (*seed)++);
}

/* Each of the five trials: worse than, as good as, better than the baseline, failed, without a
 * figure. */
static void the_tree_of_experiments_with_every_outcome(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int outcome = 0; outcome < 5 * 5 * 5 * 3; outcome++) {
        const double figures[5] = {4, 5, 6, 7, NAN};
        story s = experiments;
        int rest = outcome;
        for (int t = 1; t < 4; t++, rest /= 5) {
            s.figure[t] = figures[rest % 5];
            s.fails[t] = rest % 5 == 3;
        }
        s.fails[0] = rest == 1;
        if (rest == 2)
            s.figure[0] = NAN;
        simulate_all(&s, 6, &seed);
    }
}

static void random_trees(void **state) {
    (void)state;
    uint64_t seed = 4711;
    for (int run = 0; run < 1500; run++) {
        story s = {.n = 1 + (int)draw(&seed, MOST), .baseline = -1, .published = 3};
        int number[MOST];
        for (int t = 0; t < s.n; t++) { /* a random order, so that branches also go backwards */
            int k = (int)draw(&seed, (unsigned)t + 1);
            number[t] = number[k];
            number[k] = t;
        }
        for (int t = 0; t < s.n; t++) {
            const int from = number[t], later = s.n - t - 1;
            int *way[2] = {&s.improved[from], &s.otherwise[from]};
            for (int w = 0; w < 2; w++)
                *way[w] = later && draw(&seed, 4)
                              ? number[t + 1 + (int)draw(&seed, (unsigned)later)]
                              : -1;
            s.fails[from] = draw(&seed, 8) == 0;
            s.figure[from] = draw(&seed, 10) ? draw(&seed, 7) : NAN;
        }
        const int baseline = number[0]; /* nobody goes on to the first */
        const unsigned kind = draw(&seed, 4);
        if (kind == 0)
            s.published = NAN; /* nothing can be decided at all */
        if (kind > 1) {
            s.baseline = baseline;
            s.otherwise[baseline] = s.improved[baseline];
        }
        simulate_all(&s, 1, &seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_of_experiments_with_every_outcome),
        cmocka_unit_test(random_trees),
    };
    return cmocka_run_group_tests_name("schedule_orders", tests, NULL, NULL);
}
