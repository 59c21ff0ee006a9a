#include "results/results_read.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static t5_status get_spec(t5_store_reader *r, const char *trial, t5_trial_spec *spec,
                          t5_error *err) {
    char *loss = NULL;
    int64_t top_n = 0, seed = 0;
    if (t5_store_get_text(r, trial, "loss", &loss, err) == T5_OK &&
        t5_store_get_int(r, trial, "top_n", &top_n, err) == T5_OK &&
        t5_store_get_int(r, trial, "seed", &seed, err) == T5_OK &&
        t5_store_get_double(r, trial, "learning_rate", &spec->learning_rate, err) == T5_OK &&
        t5_store_get_double(r, trial, "label_smoothing", &spec->loss.label_smoothing, err) ==
            T5_OK &&
        t5_store_get_double(r, trial, "gamma", &spec->loss.gamma, err) == T5_OK)
        t5_store_get_double(r, trial, "alpha", &spec->loss.alpha, err);
    spec->loss.kind = loss && strcmp(loss, "focal") == 0 ? T5_LOSS_FOCAL : T5_LOSS_CROSS_ENTROPY;
    spec->top_n = (int)top_n;
    spec->seed = (uint64_t)seed;
    free(loss);
    return err->status;
}

t5_status t5_results_read_metrics(t5_store_reader *r, const char *test, t5_metrics *m,
                                  t5_error *err) {
    memset(m, 0, sizeof *m);
    for (int i = 0; i < T5_N_METRICS && err->status == T5_OK; i++) {
        int64_t count = 0;
        double value = 0;
        if (t5_metric_is_count(i))
            t5_store_get_int(r, test, t5_metric_names[i], &count, err);
        else
            t5_store_get_double(r, test, t5_metric_names[i], &value, err);
        t5_metric_set(m, i, t5_metric_is_count(i) ? (double)count : value);
    }
    return err->status;
}

static t5_status get_text(t5_store_reader *r, const char *trial, const char *name, char *to,
                          size_t size, t5_error *err) {
    char *text = NULL;
    if (t5_store_get_text(r, trial, name, &text, err) == T5_OK)
        snprintf(to, size, "%s", text);
    free(text);
    return err->status;
}

t5_status t5_results_read_trial(t5_store_reader *r, const char *name, t5_trial_summary *s,
                                t5_error *err) {
    char trial[192], test[208];
    int64_t best_epoch = 0, speculative = 0, weights_missing = 0;
    memset(s, 0, sizeof *s);
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(trial, sizeof trial, "/trials/%s", s->name);
    snprintf(test, sizeof test, "%s/test", trial);
    if (get_spec(r, trial, &s->spec, err) != T5_OK ||
        get_text(r, trial, "status", s->status, sizeof s->status, err) != T5_OK ||
        get_text(r, trial, "reason", s->reason, sizeof s->reason, err) != T5_OK ||
        t5_store_get_int(r, trial, "rows_train", &s->rows_train, err) != T5_OK ||
        t5_store_get_int(r, trial, "rows_val", &s->rows_val, err) != T5_OK ||
        t5_store_get_int(r, trial, "rows_test", &s->rows_test, err) != T5_OK ||
        t5_store_get_int(r, trial, "best_epoch", &best_epoch, err) != T5_OK ||
        t5_store_get_int(r, trial, "weights_missing", &weights_missing, err) != T5_OK ||
        t5_store_get_int(r, trial, "speculative", &speculative, err) != T5_OK ||
        t5_store_get_double(r, trial, "best_value", &s->best_value, err) != T5_OK)
        return err->status;
    for (int i = 0; i < T5_N_ACTIVITIES; i++)
        if (t5_store_get_double(r, trial, t5_spent_names[i], &s->spent.seconds[i], err) != T5_OK)
            return err->status;
    s->best_epoch = (int)best_epoch;
    s->speculative = speculative != 0;
    s->weights_missing = weights_missing != 0;
    if (t5_store_find(r, test, &s->has_test, err) != T5_OK || !s->has_test)
        return err->status;
    return t5_results_read_metrics(r, test, &s->test, err);
}
