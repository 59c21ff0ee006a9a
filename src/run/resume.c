#include "run/resume.h"
#include "io/file.h"
#include "io/replace.h"
#include "io/store_read.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- is it the same run? ---- */

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
static uint64_t hash(uint64_t h, const void *data, size_t n) {
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static uint64_t hash_text(uint64_t h, t5_str text) {
    h = hash(h, text.s, text.n);
    return hash(h, "", 1); /* where one ends and the next begins */
}

uint64_t t5_fingerprint(const t5_source *source) {
    uint64_t h = hash(0xcbf29ce484222325u, source->tokenizer_block, source->tokenizer_bytes);
    for (int64_t i = 0; i < t5_rows_count(source->rows); i++)
        h = hash_text(hash_text(h, t5_rows_input(source->rows, i)),
                      t5_rows_target(source->rows, i));
    return h;
}

/* The first line in which two lists of settings differ, as "was ..., is ...". */
static t5_status compare_settings(const char *path, const char *was, const char *is,
                                  t5_error *err) {
    while (*was || *is) {
        size_t n = strcspn(was, "\n"), m = strcspn(is, "\n");
        if (n != m || memcmp(was, is, n) != 0)
            return t5_fail(err, T5_ERR_INPUT,
                           "%s: --resume goes on with the same settings only; the run began with "
                           "%.*s, now it is %.*s (docs/config.md says what may change)",
                           path, n ? (int)n : 7, n ? was : "nothing", m ? (int)m : 7,
                           m ? is : "nothing");
        was += n + (was[n] != 0);
        is += m + (is[m] != 0);
    }
    return T5_OK;
}

static t5_status check_same(t5_store_reader *r, const char *path, const t5_prepared *p,
                            t5_error *err) {
    char *was = NULL, *is = NULL;
    int64_t fingerprint;
    if (t5_store_get_text(r, "/", "settings", &was, err) == T5_OK &&
        t5_store_get_int(r, "/dataset", "fingerprint", &fingerprint, err) == T5_OK &&
        t5_config_settings(p->config, &is, err) == T5_OK &&
        compare_settings(path, was, is, err) == T5_OK &&
        (uint64_t)fingerprint != t5_fingerprint(&p->source))
        t5_fail(err, T5_ERR_INPUT,
                "%s: --resume goes on with the same rows and the same tokeniser only; %s, or the "
                "tokeniser, is not what the run began with",
                path, p->config->data.path);
    free(was);
    free(is);
    return err->status;
}

/* ---- a trial ---- */

static bool same_spec(const t5_trial_spec *a, const t5_trial_spec *b) {
    return a->learning_rate == b->learning_rate && a->top_n == b->top_n && a->seed == b->seed &&
           a->loss.kind == b->loss.kind && a->loss.label_smoothing == b->loss.label_smoothing &&
           a->loss.gamma == b->loss.gamma && a->loss.alpha == b->loss.alpha;
}

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

static t5_status get_metrics(t5_store_reader *r, const char *test, t5_metrics *m, t5_error *err) {
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

static t5_status get_summary(t5_store_reader *r, const char *trial, t5_trial_summary *s,
                             t5_error *err) {
    char test[224];
    int64_t best_epoch = 0, speculative = 0;
    if (get_text(r, trial, "status", s->status, sizeof s->status, err) != T5_OK ||
        get_text(r, trial, "reason", s->reason, sizeof s->reason, err) != T5_OK ||
        t5_store_get_int(r, trial, "rows_train", &s->rows_train, err) != T5_OK ||
        t5_store_get_int(r, trial, "rows_val", &s->rows_val, err) != T5_OK ||
        t5_store_get_int(r, trial, "rows_test", &s->rows_test, err) != T5_OK ||
        t5_store_get_int(r, trial, "best_epoch", &best_epoch, err) != T5_OK ||
        t5_store_get_int(r, trial, "speculative", &speculative, err) != T5_OK ||
        t5_store_get_double(r, trial, "best_value", &s->best_value, err) != T5_OK ||
        t5_store_get_double(r, trial, "seconds", &s->seconds, err) != T5_OK)
        return err->status;
    s->best_epoch = (int)best_epoch;
    s->speculative = speculative != 0;
    snprintf(test, sizeof test, "%.200s/test", trial);
    s->has_test = t5_store_has(r, test);
    return s->has_test ? get_metrics(r, test, &s->test, err) : T5_OK;
}

/* Has it ended, by itself? A trial that the tree did not reach may have ended, too: it ran ahead.
 */
static bool has_ended(const t5_trial_summary *s, bool retry_failed) {
    if (strcmp(s->status, "failed") == 0)
        return !retry_failed;
    return s->has_test || strcmp(s->status, "completed") == 0 ||
           strcmp(s->status, "speculative") == 0;
}

static t5_status read_trial(t5_store_reader *r, const t5_plan_trial *t, bool retry_failed,
                            bool *kept, t5_trial_summary *s, t5_error *err) {
    char trial[192];
    t5_trial_spec spec = {0};
    *kept = false;
    snprintf(trial, sizeof trial, "/trials/%s", t->name);
    if (!t5_store_has(r, trial)) /* the plan has grown */
        return T5_OK;
    memset(s, 0, sizeof *s);
    snprintf(s->name, sizeof s->name, "%s", t->name);
    s->spec = t->spec;
    if (get_spec(r, trial, &spec, err) != T5_OK || get_summary(r, trial, s, err) != T5_OK)
        return err->status;
    *kept = same_spec(&spec, &t->spec) && has_ended(s, retry_failed);
    return T5_OK;
}

void t5_resume_clean(const t5_prepared *p) {
    const char *dir = p->config->output_dir;
    char path[4352];
    t5_file_remove_temporaries(dir);
    snprintf(path, sizeof path, "%s/trials", dir);
    t5_file_remove_temporaries(path);
    for (int t = 0; t < p->plan.n; t++) {
        snprintf(path, sizeof path, "%s/checkpoints/%s", dir, p->plan.trials[t].name);
        t5_file_remove_temporaries(path);
    }
}

t5_status t5_resume_read(const t5_prepared *p, bool retry_failed, bool *kept,
                         t5_trial_summary *summaries, t5_error *err) {
    char path[4352];
    t5_store_reader *r = NULL;
    memset(kept, 0, (size_t)p->plan.n * sizeof *kept);
    snprintf(path, sizeof path, "%s/results.h5", p->config->output_dir);
    if (!t5_file_exists(path))
        return T5_OK;
    if (t5_store_open(path, &r, err) == T5_OK && check_same(r, path, p, err) == T5_OK)
        for (int t = 0; t < p->plan.n && err->status == T5_OK; t++)
            read_trial(r, &p->plan.trials[t], retry_failed, &kept[t], &summaries[t], err);
    t5_store_close(r);
    return err->status;
}
