/* Plans made of configurations: what is wrong with them, then names, specifications and branches.
 */
#include "plan/plan.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_NODES = 8 };

/* A tree as a table: names, branches by number. */
typedef struct tree {
    const char *baseline;
    double figure; /* published avg_jaccard; 0: none */
    int n;
    struct {
        const char *name;
        int improved, otherwise;
    } node[MOST_NODES];
} tree;

static t5_status make_tree(const tree *from, t5_plan *plan, t5_error *err) {
    t5_plan_node nodes[MOST_NODES];
    t5_config config = {.file = (char *)"sweep.cfg",
                        .is_plan = true,
                        .n_nodes = from->n,
                        .nodes = nodes,
                        .baseline_trial = (char *)from->baseline,
                        .decide_by = (char *)"avg_jaccard"};
    for (int i = 0; i < T5_N_FIGURES; i++)
        config.baseline[i] = NAN;
    if (from->figure > 0)
        config.baseline[0] = from->figure;
    for (int i = 0; i < from->n; i++) {
        nodes[i] = (t5_plan_node){.name = (char *)from->node[i].name,
                                  .improved = from->node[i].improved,
                                  .otherwise = from->node[i].otherwise};
        nodes[i].spec.top_n = 100 + i;
    }
    return t5_plan_make(&config, plan, err);
}

static char name_of_127[128], name_of_128[129];

static void bad_trees(void **state) {
    (void)state;
    const struct {
        tree tree;
        const char *says;
    } table[] = {
        {{.n = 0}, "plan has no trials"},
        {{.n = 2, .node = {{"a", -1, -1}, {"", -1, -1}}}, "plan[1].name is empty"},
        {{.n = 1, .node = {{name_of_128, -1, -1}}}, "has 128 bytes; at most 127"},
        {{.n = 1, .node = {{"a/b", -1, -1}}}, "\"a/b\" has a '/'"},
        {{.n = 1, .node = {{"a\nb", -1, -1}}}, "control character"},
        {{.n = 1, .node = {{"..", -1, -1}}}, "begins with a dot"},
        {{.n = 3, .node = {{"a", -1, -1}, {"b", -1, -1}, {"a", -1, -1}}},
         "two trials are called \"a\""},
        {{.figure = 1, .n = 1, .node = {{"a", 1, -1}}}, "\"a\" goes on to a trial that does not"},
        {{.figure = 1, .n = 1, .node = {{"a", -1, -2}}}, "\"a\" goes on to a trial that does not"},
        {{.figure = 1, .n = 1, .node = {{"a", 0, -1}}}, "\"a\" leads back to itself"},
        {{.figure = 1, .n = 3, .node = {{"r", 1, -1}, {"a", -1, 2}, {"b", 1, -1}}},
         "\"a\" leads back to itself"},
        {{.figure = 1, .n = 3, .node = {{"a", 1, 1}, {"b", 2, 2}, {"c", 0, 0}}},
         "\"a\" leads back to itself"},
        {{.baseline = "c", .n = 2, .node = {{"a", -1, -1}, {"b", -1, -1}}},
         "no trial is called \"c\"; the first of 2 is \"a\""},
        {{.n = 2, .node = {{"a", 1, -1}, {"b", -1, -1}}},
         "\"a\" branches, but there is nothing to compare it with; set baseline.trial or "
         "baseline.avg_jaccard"},
        {{.baseline = "a", .n = 2, .node = {{"a", 1, -1}, {"b", -1, -1}}},
         "\"a\" is the baseline and cannot be compared with itself"},
        {{.baseline = "b", .n = 2, .node = {{"a", 1, -1}, {"b", -1, -1}}},
         "\"b\" runs only if another trial's decision leads to it"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        t5_plan plan;
        t5_error err = {0};
        assert_int_equal(make_tree(&table[i].tree, &plan, &err), T5_ERR_INPUT);
        if (!strstr(err.text, table[i].says) || strncmp(err.text, "sweep.cfg: ", 11) != 0)
            fail_msg("expected \"%s\", got \"%s\"", table[i].says, err.text);
        assert_null(plan.trials);
        assert_int_equal(plan.n, 0);
    }
}

static void the_tree_of_experiments(void **state) {
    (void)state;
    const tree experiments = {.baseline = "v3_baseline",
                              .n = 5,
                              .node = {{"v3_baseline", -1, -1},
                                       {"v3_lr1e-4", 3, 2},
                                       {"v3_top100", 3, 4},
                                       {"v3_lr1e-4_top100", -1, -1},
                                       {"v3_focal", -1, -1}}};
    t5_plan plan;
    t5_error err = {0};
    assert_int_equal(make_tree(&experiments, &plan, &err), T5_OK);
    assert_true(plan.is_tree);
    assert_int_equal(plan.n, 5);
    assert_int_equal(plan.baseline, 0);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(plan.trials[i].name, experiments.node[i].name);
        assert_int_equal(plan.trials[i].improved, experiments.node[i].improved);
        assert_int_equal(plan.trials[i].otherwise, experiments.node[i].otherwise);
        assert_int_equal(plan.trials[i].spec.top_n, 100 + i);
        assert_int_equal(plan.trials[i].root, i < 2);
    }
    t5_plan_free(&plan);
    assert_null(plan.trials);
    t5_plan_free(&plan);
}

/* Allowed, although they look like some of the bad ones. */
static void unusual_trees(void **state) {
    (void)state;
    const tree table[] = {
        {.n = 1, .node = {{name_of_127, -1, -1}}},
        {.n = 1, .node = {{"絵文字 1", -1, -1}}},
        /* goes on to the same trial both ways: nothing is compared */
        {.n = 2, .node = {{"a", 1, 1}, {"b", -1, -1}}},
        {.baseline = "a", .n = 2, .node = {{"a", 1, 1}, {"b", -1, -1}}},
        {.baseline = "b", .n = 2, .node = {{"a", 1, 1}, {"b", -1, -1}}},
        /* two ways to one trial are no cycle */
        {.figure = 0.1, .n = 4, .node = {{"d", -1, -1}, {"a", 2, 3}, {"b", 0, -1}, {"c", -1, 0}}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        t5_plan plan;
        t5_error err = {0};
        assert_int_equal(make_tree(&table[i], &plan, &err), T5_OK);
        assert_string_equal(plan.trials[0].name, table[i].node[0].name);
        assert_int_equal(plan.baseline, table[i].baseline ? table[i].baseline[0] - 'a' : -1);
        t5_plan_free(&plan);
    }
}

static const t5_loss_spec smooth = {T5_LOSS_CROSS_ENTROPY, 0.1, 0, 1},
                          focal = {T5_LOSS_FOCAL, 0, 2, 1}, focal_half = {T5_LOSS_FOCAL, 0, 2, 0.5},
                          focal_steep = {T5_LOSS_FOCAL, 0, 2.5, 1};

/* A grid with one value in each list. */
static t5_config one_value(double *lr, int *top_n, t5_loss_spec *loss, uint64_t *seed) {
    t5_config config = {.file = (char *)"sweep.cfg",
                        .n_learning_rate = 1,
                        .n_top_n = 1,
                        .n_loss = 1,
                        .n_seed = 1,
                        .learning_rate = lr,
                        .top_n = top_n,
                        .loss = loss,
                        .seed = seed,
                        .decide_by = (char *)"avg_jaccard"};
    return config;
}

static void bad_grids(void **state) {
    (void)state;
    double lr[1] = {1e-4};
    int top_n[1] = {0};
    t5_loss_spec loss[1] = {smooth};
    uint64_t *seed = calloc(10001, sizeof *seed);
    t5_plan plan;
    t5_error err = {0};
    assert_non_null(seed);
    t5_config config = one_value(lr, top_n, loss, seed);
    config.n_seed = 10001;
    assert_int_equal(t5_plan_make(&config, &plan, &err), T5_ERR_INPUT);
    assert_non_null(strstr(err.text, "sweep.cfg: sweep: more than 10000 trials"));
    assert_null(plan.trials);
    err = (t5_error){0};
    config.n_seed = 2;
    config.baseline_trial = (char *)"seed1";
    assert_int_equal(t5_plan_make(&config, &plan, &err), T5_ERR_INPUT);
    assert_non_null(strstr(err.text, "no trial is called \"seed1\"; the first of 2 is \"seed0\""));
    assert_null(plan.trials);
    free(seed);
}

static void a_grid_of_one(void **state) {
    (void)state;
    double lr[1] = {3e-4};
    int top_n[1] = {100};
    t5_loss_spec loss[1] = {focal};
    uint64_t seed[1] = {42};
    t5_plan plan;
    t5_error err = {0};
    t5_config config = one_value(lr, top_n, loss, seed);
    config.baseline_trial = (char *)"trial";
    assert_int_equal(t5_plan_make(&config, &plan, &err), T5_OK);
    assert_false(plan.is_tree);
    assert_int_equal(plan.n, 1);
    assert_int_equal(plan.baseline, 0);
    assert_string_equal(plan.trials[0].name, "trial");
    assert_true(plan.trials[0].root);
    assert_int_equal(plan.trials[0].improved, -1);
    assert_int_equal(plan.trials[0].otherwise, -1);
    assert_true(plan.trials[0].spec.learning_rate == 3e-4);
    assert_int_equal(plan.trials[0].spec.top_n, 100);
    assert_int_equal(plan.trials[0].spec.loss.kind, T5_LOSS_FOCAL);
    assert_int_equal(plan.trials[0].spec.seed, 42);
    t5_plan_free(&plan);
}

/* The order of the product, and every list's part of the name. */
static void a_full_grid(void **state) {
    (void)state;
    double lr[2] = {3e-4, 1e-4};
    int top_n[2] = {0, 100};
    t5_loss_spec loss[2] = {smooth, focal};
    uint64_t seed[2] = {7, 8};
    t5_plan plan;
    t5_error err = {0};
    t5_config config = one_value(lr, top_n, loss, seed);
    config.n_learning_rate = config.n_top_n = config.n_loss = config.n_seed = 2;
    config.baseline_trial = (char *)"lr3e-04_all_focal2_seed8";
    assert_int_equal(t5_plan_make(&config, &plan, &err), T5_OK);
    assert_int_equal(plan.n, 16);
    const char *lr_name[2] = {"lr3e-04", "lr1e-04"}, *top_name[2] = {"all", "top100"},
               *loss_name[2] = {"ce0.1", "focal2"}, *seed_name[2] = {"seed7", "seed8"};
    int t = 0;
    for (int l = 0; l < 2; l++)
        for (int n = 0; n < 2; n++)
            for (int r = 0; r < 2; r++)
                for (int s = 0; s < 2; s++, t++) {
                    const t5_plan_trial *trial = &plan.trials[t];
                    char name[128];
                    snprintf(name, sizeof name, "%s_%s_%s_%s", lr_name[r], top_name[n],
                             loss_name[l], seed_name[s]);
                    assert_string_equal(trial->name, name);
                    assert_true(trial->spec.learning_rate == lr[r]);
                    assert_int_equal(trial->spec.top_n, top_n[n]);
                    assert_int_equal(trial->spec.loss.kind, loss[l].kind);
                    assert_int_equal(trial->spec.seed, seed[s]);
                    assert_true(trial->root);
                }
    assert_string_equal(plan.trials[plan.baseline].name, config.baseline_trial);
    t5_plan_free(&plan);
}

static void check_names(const t5_config *config, const char *const *names, int n) {
    t5_plan plan;
    t5_error err = {0};
    assert_int_equal(t5_plan_make(config, &plan, &err), T5_OK);
    assert_int_equal(plan.n, n);
    for (int i = 0; i < n; i++)
        assert_string_equal(plan.trials[i].name, names[i]);
    t5_plan_free(&plan);
}

static void names_tell_trials_apart(void **state) {
    (void)state;
    double lr[5] = {3e-4, 3.5e-4, 0.1, 1.0 / 3, 3e-4};
    int top_n[3] = {0, 5, 0};
    t5_loss_spec loss[5] = {focal, focal_half, focal_steep, focal, smooth};
    uint64_t seed[2] = {UINT64_MAX, 0};
    t5_config config = one_value(lr, top_n, loss, seed);
    config.n_learning_rate = 5;
    check_names(
        &config,
        (const char *[]){"lr3e-04", "lr3.5e-04", "lr1e-01", "lr3.333333333333333e-01", "lr3e-04_2"},
        5);
    config.n_learning_rate = 1;
    config.n_top_n = 3;
    check_names(&config, (const char *[]){"all", "top5", "all_2"}, 3);
    config.n_top_n = 1;
    config.n_loss = 5;
    check_names(&config, (const char *[]){"focal2", "focal2_2", "focal2.5", "focal2_3", "ce0.1"},
                5);
    config.n_loss = 1;
    config.n_seed = 2;
    check_names(&config, (const char *[]){"seed18446744073709551615", "seed0"}, 2);
}

/* The longest parts that there are still fit. */
static void long_names_are_whole(void **state) {
    (void)state;
    double lr[2] = {1.2345678901234567e-100, 1.2345678901234567e-100};
    int top_n[2] = {2147483647, 2147483647};
    t5_loss_spec loss[2] = {focal, focal};
    uint64_t seed[2] = {UINT64_MAX, UINT64_MAX};
    t5_plan plan;
    t5_error err = {0};
    t5_config config = one_value(lr, top_n, loss, seed);
    loss[0].gamma = loss[1].gamma = 1.2345678901234567e-100;
    config.n_learning_rate = config.n_top_n = config.n_loss = config.n_seed = 2;
    assert_int_equal(t5_plan_make(&config, &plan, &err), T5_OK);
    for (int i = 0; i < plan.n; i++) {
        assert_true(strlen(plan.trials[i].name) < sizeof plan.trials[i].name);
        assert_non_null(strstr(plan.trials[i].name, "_seed18446744073709551615"));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(plan.trials[k].name, plan.trials[i].name);
    }
    t5_plan_free(&plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_trees),
        cmocka_unit_test(bad_grids),
        cmocka_unit_test(the_tree_of_experiments),
        cmocka_unit_test(unusual_trees),
        cmocka_unit_test(a_grid_of_one),
        cmocka_unit_test(a_full_grid),
        cmocka_unit_test(names_tell_trials_apart),
        cmocka_unit_test(long_names_are_whole),
    };
    memset(name_of_127, 'n', 127);
    memset(name_of_128, 'n', 128);
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
