#include "plan/grid.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The lists in the order in which a trial's name has them. */
enum { LEARNING_RATE, TOP_N, LOSS, SEED, N_LISTS };

/* What one value is called in a trial's name. Four of them and three '_' fit into a name. */
typedef struct label {
    char text[31];
} label;

/* With as many digits as it takes to read the same value back, at least `digits`. */
static void write_number(label *out, const char *prefix, const char *format, int digits,
                         double value) {
    char number[26];
    for (int d = digits; d <= 17; d++) {
        snprintf(number, sizeof number, format, d, value);
        if (strtod(number, NULL) == value)
            break;
    }
    snprintf(out->text, sizeof out->text, "%.5s%.24s", prefix, number);
}

static void write_label(const t5_config *config, int list, int i, label *out) {
    switch (list) {
    case LEARNING_RATE:
        write_number(out, "lr", "%.*e", 0, config->learning_rate[i]);
        break;
    case TOP_N:
        if (config->top_n[i])
            snprintf(out->text, sizeof out->text, "top%d", config->top_n[i]);
        else
            strcpy(out->text, "all");
        break;
    case LOSS:
        if (config->loss[i].kind == T5_LOSS_FOCAL)
            write_number(out, "focal", "%.*g", 6, config->loss[i].gamma);
        else
            write_number(out, "ce", "%.*g", 6, config->loss[i].label_smoothing);
        break;
    default:
        snprintf(out->text, sizeof out->text, "seed%llu", (unsigned long long)config->seed[i]);
    }
}

/* Whether labels[i] is different from all before it. */
static bool is_new(const label *labels, int i) {
    for (int k = 0; k < i; k++)
        if (strcmp(labels[k].text, labels[i].text) == 0)
            return false;
    return true;
}

/* Two losses that differ in alpha alone would have one name, as would a value given twice: the
 * later one gets a number. */
static void write_labels(const t5_config *config, int list, int n, label *labels) {
    for (int i = 0; i < n; i++) {
        write_label(config, list, i, &labels[i]);
        const label plain = labels[i];
        for (int again = 2; !is_new(labels, i); again++) {
            char number[12];
            snprintf(number, sizeof number, "_%d", again);
            snprintf(labels[i].text, sizeof labels[i].text, "%.24s%.6s", plain.text, number);
        }
    }
}

static void write_name(char *name, size_t size, const int *n, label *const *labels, const int *at) {
    size_t used = 0;
    snprintf(name, size, "trial");
    for (int list = 0; list < N_LISTS; list++)
        if (n[list] > 1)
            used += (size_t)snprintf(name + used, size - used, "%s%s", used ? "_" : "",
                                     labels[list][at[list]].text);
}

static void fill(const t5_config *config, const int *n, label *const *labels, t5_plan *plan) {
    for (int t = 0; t < plan->n; t++) {
        t5_plan_trial *trial = &plan->trials[t];
        int at[N_LISTS], rest = t;
        at[SEED] = rest % n[SEED];
        rest /= n[SEED];
        at[LEARNING_RATE] = rest % n[LEARNING_RATE];
        rest /= n[LEARNING_RATE];
        at[TOP_N] = rest % n[TOP_N];
        at[LOSS] = rest / n[TOP_N];
        write_name(trial->name, sizeof trial->name, n, labels, at);
        trial->spec = (t5_trial_spec){.learning_rate = config->learning_rate[at[LEARNING_RATE]],
                                      .top_n = config->top_n[at[TOP_N]],
                                      .loss = config->loss[at[LOSS]],
                                      .seed = config->seed[at[SEED]]};
        trial->improved = trial->otherwise = -1;
        trial->root = true;
    }
}

t5_status t5_grid_make(const t5_config *config, t5_plan *plan, t5_error *err) {
    const int n[N_LISTS] = {config->n_learning_rate, config->n_top_n, config->n_loss,
                            config->n_seed};
    label *labels[N_LISTS] = {NULL};
    t5_status status = T5_OK;
    int64_t trials = 1;
    for (int list = 0; list < N_LISTS; list++) {
        trials *= n[list]; /* below 10^4 times an int: no overflow */
        if (trials > T5_GRID_MOST)
            return t5_fail(err, T5_ERR_INPUT, "%s: sweep: more than %d trials", config->file,
                           T5_GRID_MOST);
    }
    plan->trials = calloc((size_t)trials, sizeof *plan->trials);
    for (int list = 0; list < N_LISTS; list++) {
        labels[list] = calloc((size_t)n[list], sizeof **labels);
        if (!labels[list] || !plan->trials) {
            status = t5_fail(err, T5_ERR_MEMORY, "no memory for %d trials", (int)trials);
            goto done;
        }
        write_labels(config, list, n[list], labels[list]);
    }
    plan->n = (int)trials;
    fill(config, n, labels, plan);
done:
    for (int list = 0; list < N_LISTS; list++)
        free(labels[list]);
    return status;
}
