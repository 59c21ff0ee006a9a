#include "results/index_plan.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIAL,
    LEARNING_RATE,
    TOP_N,
    LOSS,
    LABEL_SMOOTHING,
    GAMMA,
    ALPHA,
    SEED,
    IMPROVED,
    OTHERWISE,
    N_COLUMNS
};

static const struct {
    const char *name;
    t5_column_type type;
} columns[N_COLUMNS] = {{"trial", T5_COLUMN_TEXT},
                        {"learning_rate", T5_COLUMN_DOUBLE},
                        {"top_n", T5_COLUMN_INT},
                        {"loss", T5_COLUMN_TEXT},
                        {"label_smoothing", T5_COLUMN_DOUBLE},
                        {"gamma", T5_COLUMN_DOUBLE},
                        {"alpha", T5_COLUMN_DOUBLE},
                        {"seed", T5_COLUMN_INT},
                        {"improved", T5_COLUMN_TEXT},
                        {"otherwise", T5_COLUMN_TEXT}};

/* One value of a column; all have the same size. */
typedef union value {
    int64_t i;
    double d;
    const char *text;
} value;

static const char *name_of(const t5_plan *plan, int trial) {
    return trial < 0 ? "" : plan->trials[trial].name;
}

static value value_of(const t5_plan *plan, const t5_plan_trial *t, int column) {
    switch (column) {
    case TRIAL:
        return (value){.text = t->name};
    case LEARNING_RATE:
        return (value){.d = t->spec.learning_rate};
    case TOP_N:
        return (value){.i = t->spec.top_n};
    case LOSS:
        return (value){.text = t->spec.loss.kind == T5_LOSS_FOCAL ? "focal" : "cross_entropy"};
    case LABEL_SMOOTHING:
        return (value){.d = t->spec.loss.label_smoothing};
    case GAMMA:
        return (value){.d = t->spec.loss.gamma};
    case ALPHA:
        return (value){.d = t->spec.loss.alpha};
    case SEED:
        return (value){.i = (int64_t)t->spec.seed};
    case IMPROVED:
        return (value){.text = name_of(plan, t->improved)};
    default:
        return (value){.text = name_of(plan, t->otherwise)};
    }
}

t5_status t5_index_write_plan(t5_store *s, const t5_plan *plan, t5_error *err) {
    t5_column table[N_COLUMNS];
    size_t n = (size_t)plan->n;
    value *values = malloc((N_COLUMNS * n + 1) * sizeof *values);
    if (!values)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the plan of %d trials", plan->n);
    for (size_t c = 0; c < N_COLUMNS; c++) {
        table[c] = (t5_column){columns[c].name, columns[c].type, values + c * n};
        for (size_t t = 0; t < n; t++)
            values[c * n + t] = value_of(plan, &plan->trials[t], (int)c);
    }
    t5_store_table(s, "/plan", table, N_COLUMNS, plan->n);
    t5_store_attr_int(s, "/plan", "tree", plan->is_tree);
    free(values);
    return T5_OK;
}

/* ---------------------------------------------------------------- and back */

/* Text c of row t. */
static const char *text_of(const value *const *table, int c, int t) {
    return table[c][t].text;
}

/* -1: none. */
static t5_status find_next(const char *path, const t5_plan *plan, const char *name, int *next,
                           t5_error *err) {
    *next = -1;
    for (int t = 0; t < plan->n && *name && *next < 0; t++)
        if (strcmp(plan->trials[t].name, name) == 0)
            *next = t;
    return *name && *next < 0 ? t5_fail(err, T5_ERR_INPUT,
                                        "%s: /plan: \"%s\" follows a trial and is none", path, name)
                              : T5_OK;
}

static t5_status set_trial(const char *path, const value *const *table, int t, t5_plan_trial *to,
                           t5_error *err) {
    const char *name = text_of(table, TRIAL, t);
    if (!*name || strlen(name) >= sizeof to->name || strchr(name, '/') || *name == '.')
        return t5_fail(err, T5_ERR_INPUT, "%s: /plan: \"%.150s\" is no name of a trial", path,
                       name);
    strcpy(to->name, name);
    to->spec = (t5_trial_spec){.learning_rate = table[LEARNING_RATE][t].d,
                               .top_n = (int)table[TOP_N][t].i,
                               .loss = {.kind = strcmp(text_of(table, LOSS, t), "focal") == 0
                                                    ? T5_LOSS_FOCAL
                                                    : T5_LOSS_CROSS_ENTROPY,
                                        .label_smoothing = table[LABEL_SMOOTHING][t].d,
                                        .gamma = table[GAMMA][t].d,
                                        .alpha = table[ALPHA][t].d},
                               .seed = (uint64_t)table[SEED][t].i};
    to->root = true;
    return T5_OK;
}

static t5_status fill_plan(const char *path, const value *const *table, t5_plan *plan,
                           t5_error *err) {
    for (int t = 0; t < plan->n && err->status == T5_OK; t++)
        set_trial(path, table, t, &plan->trials[t], err);
    for (int t = 0; t < plan->n && err->status == T5_OK; t++) {
        t5_plan_trial *trial = &plan->trials[t];
        if (find_next(path, plan, text_of(table, IMPROVED, t), &trial->improved, err) == T5_OK)
            find_next(path, plan, text_of(table, OTHERWISE, t), &trial->otherwise, err);
    }
    for (int t = 0; t < plan->n && err->status == T5_OK; t++) {
        if (plan->trials[t].improved >= 0)
            plan->trials[plan->trials[t].improved].root = false;
        if (plan->trials[t].otherwise >= 0)
            plan->trials[plan->trials[t].otherwise].root = false;
    }
    return err->status;
}

t5_status t5_index_read_plan(t5_store_reader *r, const char *path, t5_plan *plan, t5_error *err) {
    value *table[N_COLUMNS] = {NULL};
    int64_t n = 0, tree = 0;
    *plan = (t5_plan){.baseline = -1};
    /* columns of one table are equally long */
    for (int c = 0; c < N_COLUMNS && err->status == T5_OK; c++)
        t5_store_get_array(r, "/plan", columns[c].name, columns[c].type, (void **)&table[c], &n,
                           err);
    if (err->status == T5_OK && t5_store_get_int(r, "/plan", "tree", &tree, err) == T5_OK &&
        (n < 1 || n > INT_MAX))
        t5_fail(err, T5_ERR_INPUT, "%s: /plan has %lld trials", path, (long long)n);
    if (err->status == T5_OK && !(plan->trials = calloc((size_t)n, sizeof *plan->trials)))
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the plan of %lld trials", (long long)n);
    if (err->status == T5_OK) {
        plan->n = (int)n;
        plan->is_tree = tree != 0;
        fill_plan(path, (const value *const *)table, plan, err);
    }
    for (int c = 0; c < N_COLUMNS; c++)
        free(table[c]);
    if (err->status != T5_OK)
        t5_plan_free(plan);
    return err->status;
}
