/* The plan: which trials a configuration asks for. A grid is the product of its lists, in the order
 * loss, top_n, learning_rate, seed (the last varies fastest); a tree is its nodes. Pure. */
#ifndef T5_RUN_PLAN_H
#define T5_RUN_PLAN_H
#include "base/config.h"

typedef struct t5_plan_trial {
    char name[128];          /* a tree: the node's; a grid: what varies, "lr3e-04_top100_focal2_seed7" */
    t5_trial_spec spec;
    int improved, otherwise; /* next trials in a tree, -1: none */
    bool root;               /* nobody points to it: always runs. A grid: all */
} t5_plan_trial;

typedef struct t5_plan {
    int n;
    t5_plan_trial *trials;
    bool is_tree;
    int baseline; /* number of the baseline trial, -1: figures or none */
} t5_plan;

/* T5_ERR_INPUT: a baseline trial or branch that does not exist, a cycle, a name twice, a tree whose
 * branches have nothing to be compared with. */
t5_status t5_plan_make(const t5_config *config, t5_plan *plan, t5_error *err);
void t5_plan_free(t5_plan *plan);

#endif
