/* What follows from, or must hold between, several keys. */
#include "base/config_reader.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the model's shape ---- */

static const struct {
    const char *name;
    int layers, d_model, num_heads, d_kv, d_ff;
} presets[] = {
    {"tiny", 2, 64, 4, 16, 256},
    {"mini", 3, 128, 4, 32, 512},
    {"small", 6, 512, 8, 64, 2048},
    {"base", 12, 768, 12, 64, 3072},
};

static void fill(int *field, int value) {
    if (*field == 0) /* not given: every shape is at least 1 */
        *field = value;
}

/* model.path replaces what would describe a random model, and label_init goes with it. */
static t5_status check_model_keys(t5_config_reader *r) {
    const t5_config_key *keys;
    int n = t5_config_keys(&keys);
    const config_setting_t *path = config_lookup(&r->tree, "model.path");
    for (int i = 0; i < n; i++) {
        const config_setting_t *given = config_lookup(&r->tree, keys[i].path);
        if (strncmp(keys[i].path, "model.", 6) != 0 || strcmp(keys[i].path, "model.path") == 0)
            continue;
        bool with_path = strcmp(keys[i].path, "model.label_init") == 0;
        if (given && with_path != (path != NULL))
            return t5_config_fail(r, given, keys[i].path, "allowed only %s model.path",
                                  with_path ? "with" : "without");
    }
    return T5_OK;
}

static t5_status complete_model(t5_config_reader *r) {
    t5_config_model *m = &r->config->model;
    t5_status status = check_model_keys(r);
    if (status != T5_OK || m->path)
        return status;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, m->preset) == 0) {
            fill(&m->num_layers, presets[i].layers);
            fill(&m->num_decoder_layers, m->num_layers);
            fill(&m->d_model, presets[i].d_model);
            fill(&m->num_heads, presets[i].num_heads);
            fill(&m->d_kv, presets[i].d_kv);
            fill(&m->d_ff, presets[i].d_ff);
        }
    /* T5's buckets: half for each direction in the encoder; the first half of them exact, the
     * others logarithmic up to the distance, in the decoder num_buckets / 2 exact ones. */
    const char *buckets = "model.relative_attention_num_buckets";
    const char *distance = "model.relative_attention_max_distance";
    const config_setting_t *given = config_lookup(&r->tree, buckets);
    if (m->relative_buckets % 2 != 0)
        return t5_config_fail_value(r, given, buckets, "an even number");
    if (m->relative_max_distance <= m->relative_buckets / 2) {
        const config_setting_t *at = config_lookup(&r->tree, distance);
        return t5_config_fail(
            r, at ? at : given, at ? distance : buckets,
            "found %d buckets for distances up to %d, allowed: a distance of more "
            "than half the buckets",
            m->relative_buckets, m->relative_max_distance);
    }
    return T5_OK;
}

/* ---- what varies ---- */

/* A list that nothing varies has the one value of train.*. */
static t5_status list_of_one(t5_config_reader *r, void *list, int *n, const void *value,
                             size_t size) {
    if (*n > 0)
        return T5_OK;
    void *copy = malloc(size);
    if (!copy)
        return t5_config_fail_memory(r);
    memcpy(copy, value, size);
    memcpy(list, &copy, sizeof copy);
    *n = 1;
    return T5_OK;
}

static t5_status complete_lists(t5_config_reader *r) {
    t5_config *c = r->config;
    const config_setting_t *sweep = config_lookup(&r->tree, "sweep");
    const config_setting_t *plan = config_lookup(&r->tree, "plan");
    if (plan && sweep && config_setting_length(sweep) > 0)
        return t5_config_fail(r, config_setting_get_hook(sweep) ? sweep : plan, "plan",
                              "found plan and sweep, allowed: one of the two");
    t5_status status = list_of_one(r, &c->learning_rate, &c->n_learning_rate,
                                   &c->train.learning_rate, sizeof *c->learning_rate);
    if (status == T5_OK)
        status = list_of_one(r, &c->top_n, &c->n_top_n, &c->train.top_n, sizeof *c->top_n);
    if (status == T5_OK)
        status = list_of_one(r, &c->loss, &c->n_loss, &c->train.loss, sizeof *c->loss);
    if (status == T5_OK)
        status = list_of_one(r, &c->seed, &c->n_seed, &c->train.seed, sizeof *c->seed);
    return status;
}

/* ---- what it is compared with ---- */

static t5_status check_baseline(t5_config_reader *r) {
    const t5_config *c = r->config;
    const config_setting_t *trial = config_lookup(&r->tree, "baseline.trial");
    bool decided = trial != NULL;
    for (int i = 0; i < T5_N_FIGURES; i++) {
        if (isnan(c->baseline[i]))
            continue;
        char path[64];
        snprintf(path, sizeof path, "baseline.%s", t5_figure_names[i]);
        if (trial)
            return t5_config_fail(r, config_lookup(&r->tree, path), path,
                                  "found a figure next to baseline.trial, allowed: one of the two");
        decided = decided || strcmp(t5_figure_names[i], c->decide_by) == 0;
    }
    bool known = !trial || !c->is_plan;
    for (int i = 0; i < c->n_nodes; i++) {
        const t5_plan_node *node = &c->nodes[i];
        known = known || strcmp(node->name, c->baseline_trial) == 0;
        if (!decided && (node->improved >= 0 || node->otherwise >= 0))
            return t5_config_fail(r, config_lookup(&r->tree, "plan"), "plan",
                                  "%s has a trial to follow it, but there is nothing to compare it "
                                  "with; allowed: baseline.trial or baseline.%s",
                                  node->name, c->decide_by);
    }
    return known ? T5_OK
                 : t5_config_fail_value(r, trial, "baseline.trial",
                                        "the name of a trial of the plan");
}

static t5_status check_decoding(t5_config_reader *r) {
    const t5_decode_spec *d = &r->config->eval;
    if (d->kind == T5_DECODE_BEAM && d->beams < 2)
        return t5_config_fail_value(r, config_lookup(&r->tree, "eval.beams"), "eval.beams",
                                    "at least 2 with decode = \"beam\"");
    return T5_OK;
}

t5_status t5_config_complete(t5_config_reader *r) {
    t5_status status = complete_model(r);
    if (status == T5_OK)
        status = check_decoding(r);
    if (status == T5_OK)
        status = complete_lists(r);
    if (status == T5_OK)
        status = t5_config_read_plan(r);
    if (status == T5_OK)
        status = check_baseline(r);
    return status;
}
