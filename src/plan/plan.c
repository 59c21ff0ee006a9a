#include "plan/plan.h"
#include "plan/grid.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A name becomes a file and a group of results.h5. */
static t5_status check_name(const t5_config *config, int i, t5_error *err) {
    const char *name = config->nodes[i].name;
    const size_t most = sizeof((t5_plan_trial *)NULL)->name - 1;
    if (!name || !*name)
        return t5_fail(err, T5_ERR_INPUT, "%s: plan[%d].name is empty", config->file, i);
    if (strlen(name) > most)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: plan[%d].name has %zu bytes; at most %zu are allowed", config->file, i,
                       strlen(name), most);
    if (name[0] == '.')
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: plan[%d].name \"%s\" begins with a dot; it becomes a file's name",
                       config->file, i, name);
    for (const char *c = name; *c; c++)
        if (*c == '/' || (unsigned char)*c < 0x20 || *c == 0x7f)
            return t5_fail(err, T5_ERR_INPUT,
                           "%s: plan[%d].name \"%s\" has a '/' or a control character; it becomes "
                           "a file's name",
                           config->file, i, name);
    for (int k = 0; k < i; k++)
        if (strcmp(config->nodes[k].name, name) == 0)
            return t5_fail(err, T5_ERR_INPUT, "%s: plan: two trials are called \"%s\"",
                           config->file, name);
    return T5_OK;
}

static t5_status check_branches(const t5_config *config, int i, t5_error *err) {
    const t5_plan_node *node = &config->nodes[i];
    const int n = config->n_nodes;
    if (node->improved < -1 || node->improved >= n || node->otherwise < -1 || node->otherwise >= n)
        return t5_fail(err, T5_ERR_INPUT, "%s: plan: \"%s\" goes on to a trial that does not exist",
                       config->file, node->name);
    return T5_OK;
}

static t5_status copy_nodes(const t5_config *config, t5_plan *plan, t5_error *err) {
    if (config->n_nodes < 1)
        return t5_fail(err, T5_ERR_INPUT, "%s: plan has no trials", config->file);
    plan->trials = calloc((size_t)config->n_nodes, sizeof *plan->trials);
    if (!plan->trials)
        return t5_fail(err, T5_ERR_MEMORY, "no memory for %d trials", config->n_nodes);
    plan->n = config->n_nodes;
    for (int i = 0; i < plan->n; i++) {
        const t5_plan_node *node = &config->nodes[i];
        t5_status status = check_name(config, i, err);
        if (!status)
            status = check_branches(config, i, err);
        if (status)
            return status;
        strcpy(plan->trials[i].name, node->name);
        plan->trials[i].spec = node->spec;
        plan->trials[i].improved = node->improved;
        plan->trials[i].otherwise = node->otherwise;
        plan->trials[i].root = true;
    }
    for (int i = 0; i < plan->n; i++) {
        if (plan->trials[i].improved >= 0)
            plan->trials[plan->trials[i].improved].root = false;
        if (plan->trials[i].otherwise >= 0)
            plan->trials[plan->trials[i].otherwise].root = false;
    }
    return T5_OK;
}

/* Whether the branches of `from` lead back to it. `seen` has room for plan->n. */
static bool is_on_cycle(const t5_plan *plan, int from, bool *seen, int *stack) {
    int depth = 0;
    memset(seen, 0, (size_t)plan->n * sizeof *seen);
    stack[depth++] = from;
    while (depth) {
        const t5_plan_trial *trial = &plan->trials[stack[--depth]];
        const int next[2] = {trial->improved, trial->otherwise};
        for (int k = 0; k < 2; k++) {
            if (next[k] == from)
                return true;
            if (next[k] >= 0 && !seen[next[k]]) {
                seen[next[k]] = true;
                stack[depth++] = next[k];
            }
        }
    }
    return false;
}

static t5_status check_cycles(const t5_config *config, const t5_plan *plan, t5_error *err) {
    t5_status status = T5_OK;
    bool *seen = calloc((size_t)plan->n, sizeof *seen);
    int *stack = calloc((size_t)plan->n, sizeof *stack);
    if (!seen || !stack) {
        status = t5_fail(err, T5_ERR_MEMORY, "no memory for %d trials", plan->n);
        goto done;
    }
    for (int i = 0; i < plan->n && !status; i++)
        if (is_on_cycle(plan, i, seen, stack))
            status = t5_fail(err, T5_ERR_INPUT, "%s: plan: \"%s\" leads back to itself",
                             config->file, plan->trials[i].name);
done:
    free(seen);
    free(stack);
    return status;
}

static t5_status find_baseline(const t5_config *config, t5_plan *plan, t5_error *err) {
    plan->baseline = -1;
    if (!config->baseline_trial)
        return T5_OK;
    for (int i = 0; i < plan->n; i++)
        if (strcmp(plan->trials[i].name, config->baseline_trial) == 0)
            plan->baseline = i;
    if (plan->baseline < 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: baseline.trial: no trial is called \"%s\"; the first of %d is \"%s\"",
                       config->file, config->baseline_trial, plan->n, plan->trials[0].name);
    return T5_OK;
}

static bool has_baseline_figure(const t5_config *config) {
    for (int i = 0; config->decide_by && i < T5_N_FIGURES; i++)
        if (strcmp(t5_figure_names[i], config->decide_by) == 0)
            return !isnan(config->baseline[i]);
    return false;
}

/* A trial whose two ways differ needs something to be compared with, and in time. */
static t5_status check_decisions(const t5_config *config, const t5_plan *plan, t5_error *err) {
    for (int i = 0; i < plan->n; i++) {
        const t5_plan_trial *trial = &plan->trials[i];
        if (trial->improved == trial->otherwise)
            continue;
        if (plan->baseline < 0 && !has_baseline_figure(config))
            return t5_fail(
                err, T5_ERR_INPUT,
                "%s: plan: \"%s\" branches, but there is nothing to compare it with; set "
                "baseline.trial or baseline.%s",
                config->file, trial->name,
                config->decide_by ? config->decide_by : t5_figure_names[0]);
        if (plan->baseline == i)
            return t5_fail(err, T5_ERR_INPUT,
                           "%s: plan: \"%s\" is the baseline and cannot be compared with itself; "
                           "its improved and otherwise must be the same",
                           config->file, trial->name);
        if (plan->baseline >= 0 && !plan->trials[plan->baseline].root)
            return t5_fail(err, T5_ERR_INPUT,
                           "%s: baseline.trial: \"%s\" runs only if another trial's decision leads "
                           "to it; the baseline must be a trial that always runs",
                           config->file, config->baseline_trial);
    }
    return T5_OK;
}

t5_status t5_plan_make(const t5_config *config, t5_plan *plan, t5_error *err) {
    *plan = (t5_plan){.is_tree = config->is_plan, .baseline = -1};
    t5_status status =
        plan->is_tree ? copy_nodes(config, plan, err) : t5_grid_make(config, plan, err);
    if (!status && plan->is_tree)
        status = check_cycles(config, plan, err);
    if (!status)
        status = find_baseline(config, plan, err);
    if (!status)
        status = check_decisions(config, plan, err);
    if (status)
        t5_plan_free(plan);
    return status;
}

void t5_plan_free(t5_plan *plan) {
    free(plan->trials);
    *plan = (t5_plan){.baseline = -1};
}

bool t5_plan_same_spec(const t5_trial_spec *a, const t5_trial_spec *b) {
    return a->learning_rate == b->learning_rate && a->top_n == b->top_n && a->seed == b->seed &&
           a->loss.kind == b->loss.kind && a->loss.label_smoothing == b->loss.label_smoothing &&
           a->loss.gamma == b->loss.gamma && a->loss.alpha == b->loss.alpha;
}
