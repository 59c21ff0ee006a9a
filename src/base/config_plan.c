/* The experiment tree: a list of groups, each a trial with what may follow it. */
#include "base/config_reader.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 100, MAX_NODES = 1000 };

static const char *const plan_allowed = "a list ( { name = \"...\"; set = { ... }; }, ... )";

/* A name becomes an HDF5 group and part of file names. */
static bool is_name(const char *s) {
    size_t n = strlen(s);
    if (n > MAX_NAME || strcmp(s, ".") == 0 || strcmp(s, "..") == 0 || !t5_utf8_valid(s, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '/' || (unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return true;
}

static int find_node(const t5_config *config, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(config->nodes[i].name, name) == 0)
            return i;
    return -1;
}

static t5_status read_node(t5_config_reader *r, const config_setting_t *setting, int i) {
    t5_config *c = r->config;
    t5_plan_node *node = &c->nodes[i];
    char shown[32], member[40];
    snprintf(shown, sizeof shown, "plan[%d]", i);
    snprintf(member, sizeof member, "%s.", shown);
    if (!config_setting_is_group(setting))
        return t5_config_fail_value(r, setting, shown, "a group { name = \"...\"; ... }");
    node->spec =
        (t5_trial_spec){c->train.learning_rate, c->train.top_n, c->train.loss, c->train.seed};
    t5_status status = t5_config_store_group(r, setting, "plan[].", member, node);
    if (status != T5_OK)
        return status;
    const config_setting_t *name = config_setting_get_member(setting, "name");
    if (!name)
        return t5_config_fail(r, setting, shown, "name is missing");
    snprintf(member, sizeof member, "%s.name", shown);
    if (!is_name(node->name))
        return t5_config_fail_value(r, name, member, t5_config_find_key("plan[].name")->allowed);
    if (find_node(c, i, node->name) >= 0)
        return t5_config_fail_value(r, name, member, "a name that no other trial has");
    return T5_OK;
}

/* Looks up the name that a branch gives. */
static t5_status read_branch(t5_config_reader *r, const config_setting_t *setting, int i,
                             const char *branch, int *node) {
    const t5_config *c = r->config;
    const config_setting_t *member = config_setting_get_member(setting, branch);
    *node = -1;
    if (!member)
        return T5_OK;
    char shown[64];
    snprintf(shown, sizeof shown, "plan[%d].%s", i, branch);
    *node = find_node(c, c->n_nodes, config_setting_get_string(member));
    if (*node < 0)
        return t5_config_fail_value(r, member, shown, "the name of a trial of the plan");
    if (*node == i)
        return t5_config_fail_value(r, member, shown, "the name of another trial");
    return T5_OK;
}

t5_status t5_config_read_plan(t5_config_reader *r) {
    t5_config *c = r->config;
    const config_setting_t *plan = config_lookup(&r->tree, "plan");
    if (!plan)
        return T5_OK;
    int n = config_setting_is_list(plan) ? config_setting_length(plan) : 0;
    if (n == 0 || n > MAX_NODES)
        return t5_config_fail_value(r, plan, "plan", n ? "at most 1000 trials" : plan_allowed);
    c->is_plan = true;
    c->nodes = calloc((size_t)n, sizeof *c->nodes);
    if (!c->nodes)
        return t5_config_fail_memory(r);
    t5_status status = T5_OK;
    for (c->n_nodes = 0; c->n_nodes < n && status == T5_OK; c->n_nodes++)
        status = read_node(r, config_setting_get_elem(plan, (unsigned)c->n_nodes), c->n_nodes);
    for (int i = 0; i < n && status == T5_OK; i++) {
        const config_setting_t *setting = config_setting_get_elem(plan, (unsigned)i);
        status = read_branch(r, setting, i, "improved", &c->nodes[i].improved);
        if (status == T5_OK)
            status = read_branch(r, setting, i, "otherwise", &c->nodes[i].otherwise);
    }
    return status;
}
