#include "io/file.h"
#include "saved/best_trial.h"
#include "saved/pieces.h"
#include "saved/saved_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool holds(const char *folder, const char *file) {
    char path[4352];
    int n = snprintf(path, sizeof path, "%s/%s", folder, file);
    return n > 0 && (size_t)n < sizeof path && t5_file_exists(path);
}

/* RUN:TRIAL; both may have colons: it is the last one that has a run before it. Cuts `where` there
 * and returns TRIAL, or NULL. */
static const char *split(char *where) {
    for (char *c = where + strlen(where); c > where; c--) {
        if (*c != ':')
            continue;
        *c = 0;
        if (holds(where, "results.h5"))
            return c + 1;
        *c = ':';
    }
    return NULL;
}

static t5_status open_named(const char *where, t5_saved *s, t5_error *err) {
    char *run = strdup(where);
    const char *trial = run ? split(run) : NULL;
    if (!run)
        t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", where);
    else if (!trial)
        t5_fail(err, T5_ERR_INPUT,
                "%s: there is no such model: a run's folder (it holds results.h5), RUN:TRIAL, or a "
                "Hugging Face directory (it holds config.json) was expected",
                where);
    else
        t5_saved_open_trial(run, trial, s, err);
    free(run);
    return err->status;
}

static t5_status open_best(const char *run, t5_saved *s, t5_error *err) {
    char trial[128];
    return t5_best_trial(run, trial, err) == T5_OK ? t5_saved_open_trial(run, trial, s, err)
                                                   : err->status;
}

t5_status t5_saved_open(const char *where, t5_saved **saved, t5_error *err) {
    t5_saved *s = calloc(1, sizeof *s);
    *saved = NULL;
    if (!s || !(s->source = calloc(1, sizeof *s->source))) {
        free(s);
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", where);
    }
    if (holds(where, "config.json"))
        t5_saved_open_directory(where, s, err);
    else if (holds(where, "results.h5"))
        open_best(where, s, err);
    else
        open_named(where, s, err);
    if (err->status == T5_OK)
        *saved = s;
    else
        t5_saved_close(s);
    return err->status;
}

void t5_saved_close(t5_saved *s) {
    if (!s)
        return;
    if (s->source->close)
        s->source->close(s->source->from);
    t5_tokenizer_destroy(s->tokenizer);
    t5_labels_destroy(s->labels);
    free(s->allowed);
    free(s->name);
    free(s->run);
    free(s->trial);
    free(s->tokenizer_block);
    free(s->source);
    free(s);
}

t5_status t5_saved_read(t5_saved *s, const char *name, int64_t first, int64_t n, float *out,
                        t5_error *err) {
    return s->source->read(s->source->from, name, first, n, out, err);
}

static t5_status load_piece(void *user, t5_model *model, int i, int64_t first, int64_t n,
                            float *piece, t5_error *err) {
    const t5_param *p = t5_model_param(model, i);
    float *to = t5_model_in_place(model, T5_ARENA_WEIGHT, p->offset + first, err);
    to = to ? to : piece;
    if (err->status == T5_OK && t5_saved_read(user, p->name, first, n, to, err) == T5_OK)
        t5_model_write(model, T5_ARENA_WEIGHT, p->offset + first, n, to, err);
    return err->status;
}

t5_status t5_saved_load(t5_saved *s, t5_model *model, t5_error *err) {
    return t5_each_piece(model, load_piece, s, err);
}
