/* The plan: which trials a configuration asks for. A grid is the product of its lists, in the order
 * loss, top_n, learning_rate, seed (the last varies fastest); a tree is its nodes. Pure. */
#ifndef T5_PLAN_PLAN_H
#define T5_PLAN_PLAN_H
#include "base/config.h"

typedef struct t5_plan_trial {
    char name[128]; /* a tree: the node's; a grid: what varies, "lr3e-04_top100_focal2_seed7" */
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

/* The plan owns its trials (t5_plan_free; after an error there is nothing to free). A trial whose
 * improved and otherwise are the same goes on there without a comparison. In a grid's names the
 * parts are lr, top, loss, seed; "trial" if nothing varies; where two values of a list print the
 * same, the later one gets "_2", "_3", ... T5_ERR_INPUT: a baseline trial or branch that does not
 * exist, a cycle, a name twice or one that cannot be a file's, a tree whose branches have nothing
 * to be compared with (neither baseline.trial nor a published figure of baseline.metric), a
 * baseline that would be compared with itself or does not always run, too many trials. */
t5_status t5_plan_make(const t5_config *config, t5_plan *plan, t5_error *err);
/* Do both train the same? */
bool t5_plan_same_spec(const t5_trial_spec *a, const t5_trial_spec *b);
void t5_plan_free(t5_plan *plan);

#endif
