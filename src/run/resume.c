#include "run/resume.h"
#include "io/file.h"
#include "io/replace.h"
#include "results/index.h"
#include "results/results_read.h"
#include "run/keeper.h"
#include "run/resume_plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- is it the same run? ---- */

static t5_status compare_settings(const char *path, const char *was, const char *is,
                                  t5_error *err) {
    t5_str a, b;
    return t5_index_settings_differ(was, is, &a, &b)
               ? t5_fail(err, T5_ERR_INPUT,
                         "%s: --resume goes on with the same settings only; the run began with "
                         "%.*s, now it is %.*s (docs/config.md says what may change)",
                         path, (int)a.n, a.s, (int)b.n, b.s)
               : T5_OK;
}

static bool is_other(t5_store_reader *r, const char *name, uint64_t now) {
    uint64_t then = t5_index_part_fingerprint(r, name);
    return then && then != now;
}

static t5_status refuse_data(t5_store_reader *r, const char *path, const t5_prepared *p,
                             t5_error *err) {
    const t5_config_model *model = &p->config->model;
    bool other_model = is_other(r, "fingerprint_model", p->source.fingerprint_model);
    bool other_tokenizer =
        is_other(r, "fingerprint_tokenizer", t5_source_fingerprint_tokenizer(&p->source));
    const char *what = other_model       ? "the model of "
                       : other_tokenizer ? "the tokeniser of "
                                         : "the rows of ";
    const char *where = !other_model && !other_tokenizer ? p->config->data.path
                        : model->path                    ? model->path
                                                         : model->tokenizer;
    return t5_fail(err, T5_ERR_INPUT,
                   "%s: --resume goes on with the same rows, tokeniser and pre-trained model only: "
                   "%s%s %s not what the run began with",
                   path, what, where, other_model || other_tokenizer ? "is" : "are");
}

static t5_status check_same(t5_store_reader *r, const char *path, const t5_prepared *p,
                            uint64_t fingerprint, t5_error *err) {
    char *was = NULL, *is = NULL;
    int64_t theirs;
    if (t5_store_get_text(r, "/", "settings", &was, err) == T5_OK &&
        t5_store_get_int(r, "/dataset", "fingerprint", &theirs, err) == T5_OK &&
        t5_config_settings(p->config, &is, err) == T5_OK &&
        compare_settings(path, was, is, err) == T5_OK && (uint64_t)theirs != fingerprint)
        refuse_data(r, path, p, err);
    free(was);
    free(is);
    return err->status;
}

/* Another part's trials, or those of all parts, are not here to be gone on with. */
static t5_status check_part(t5_store_reader *r, const char *path, t5_part part, t5_error *err) {
    int64_t number = 0, count = 0, merged_of = 0;
    t5_error old = {0}; /* versions before parts had none of them */
    if (t5_store_get_int(r, "/", "part", &number, &old) != T5_OK ||
        t5_store_get_int(r, "/", "parts", &count, &old) != T5_OK ||
        t5_store_get_int(r, "/", "merged_of", &merged_of, &old) != T5_OK)
        number = count = merged_of = 0;
    if (merged_of > 0)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: is put together of %lld parts: go on with each of them, with --part",
                       path, (long long)merged_of);
    if (number == part.number && count == part.count)
        return T5_OK;
    if (count == 0)
        return t5_fail(err, T5_ERR_INPUT, "%s: is no part of a sweep, but a whole one: no --part",
                       path);
    return t5_fail(err, T5_ERR_INPUT,
                   "%s: is part %lld of %lld of a sweep: go on with --part %lld/%lld and the "
                   "folder above as --output",
                   path, (long long)number, (long long)count, (long long)number, (long long)count);
}

/* ---- a trial ---- */

/* Has it ended, by itself? A trial that the tree did not reach may have ended, too: it ran ahead.
 */
static bool has_ended(const t5_trial_summary *s, bool retry_failed) {
    if (t5_trial_lacks_something(s))
        return !retry_failed;
    return s->has_test || strcmp(s->status, "completed") == 0 ||
           strcmp(s->status, "speculative") == 0;
}

static t5_status keep_trial(t5_store_reader *r, const t5_plan_trial *t, int trial,
                            bool retry_failed, const char *dir, t5_host *host, int *n_kept,
                            t5_error *err) {
    char path[192];
    t5_trial_summary s;
    bool found;
    snprintf(path, sizeof path, "/trials/%s", t->name);
    if (t5_store_find(r, path, &found, err) != T5_OK)
        return t5_error_prefix(
            err, "trial %s is there, but not readable (without its file it is trained again)",
            t->name);
    if (!found) /* it has not ended, or the plan has grown */
        return T5_OK;
    if (t5_results_read_trial(r, t->name, &s, err) != T5_OK)
        return err->status;
    if (t5_plan_same_spec(&s.spec, &t->spec) && has_ended(&s, retry_failed)) {
        t5_host_keep(host, trial, &s);
        ++*n_kept;
        if (!t5_trial_lacks_something(&s)) /* the earlier run was killed before it could */
            t5_keeper_forget(dir, t->name);
    }
    return T5_OK;
}

void t5_resume_clean(const t5_prepared *p) {
    const char *dir = p->config->output_dir;
    char path[4352];
    t5_file_remove_temporaries(dir);
    snprintf(path, sizeof path, "%s/trials", dir); /* made, or found to be a folder */
    t5_file_remove_temporaries(path);
    snprintf(path, sizeof path, "%s/checkpoints", dir);
    for (int t = 0; t < p->plan.n && t5_file_is_folder(path); t++) {
        char folder[4480];
        snprintf(folder, sizeof folder, "%s/%s", path, p->plan.trials[t].name);
        if (t5_file_is_folder(folder))
            t5_file_remove_temporaries(folder);
    }
}

t5_status t5_resume(const t5_prepared *p, uint64_t fingerprint, bool retry_failed, t5_host *host,
                    int *n_kept, t5_error *err) {
    char path[4352];
    t5_store_reader *r = NULL;
    *n_kept = 0;
    snprintf(path, sizeof path, "%s/results.h5", p->config->output_dir);
    if (!t5_file_exists(path))
        return T5_OK;
    if (t5_store_open(path, &r, err) != T5_OK)
        return t5_error_prefix(err, "--resume needs the run's index, and without it only another "
                                    "folder (--output) helps");
    if (check_part(r, path, p->part, err) == T5_OK &&
        check_same(r, path, p, fingerprint, err) == T5_OK &&
        t5_resume_check_plan(r, path, p->config->output_dir, &p->plan, err) == T5_OK)
        for (int t = 0; t < p->plan.n && err->status == T5_OK; t++)
            keep_trial(r, &p->plan.trials[t], t, retry_failed, p->config->output_dir, host, n_kept,
                       err);
    t5_store_close(r);
    return err->status;
}

void t5_resume_print(const t5_prepared *p, t5_host *host, int n_kept, FILE *out) {
    const t5_trial_summary *s = t5_host_summaries(host);
    const int n = p->plan.n;
    if (n_kept > 0)
        fprintf(out, "resume   %d of %d trial%s %s ended already and %s kept\n", n_kept, n,
                n == 1 ? "" : "s", n_kept == 1 ? "has" : "have", n_kept == 1 ? "is" : "are");
    else
        fputs("resume   no trial has ended here yet\n", out);
    for (int t = 0; t < n; t++) {
        int64_t step = strcmp(s[t].status, "pending") == 0
                           ? t5_resume_step(p->config->output_dir, s[t].name)
                           : -1;
        if (step >= 0)
            fprintf(out, "         %s has a checkpoint after step %lld\n", s[t].name,
                    (long long)step);
    }
}
