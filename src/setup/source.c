#include "setup/source.h"
#include "io/file.h"
#include "io/hf_tokenizer.h"
#include "score/nomodel.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static t5_status append_row(void *user, const char *const *values, const size_t *lengths,
                            t5_error *err) {
    return t5_rows_append(user, (t5_str){values[0], lengths[0]}, (t5_str){values[1], lengths[1]},
                          err);
}

static t5_status read_rows(const t5_config *config, t5_source *s, t5_error *err) {
    t5_jsonl_options options = {.keys = {config->data.input, config->data.target},
                                .skip_bad_rows = config->data.skip_bad_rows};
    if (t5_rows_create(&s->rows, err) != T5_OK)
        return err->status;
    if (t5_jsonl_read(config->data.path, &options, append_row, s->rows, &s->report, err) != T5_OK)
        return err->status;
    if (t5_rows_count(s->rows) == 0)
        return t5_fail(err, T5_ERR_INPUT, "%s: no rows (%lld bad ones were skipped)",
                       config->data.path, (long long)s->report.skipped);
    return T5_OK;
}

int t5_top_labels(const t5_labels *labels, t5_str top[T5_TOP]) {
    int n = t5_labels_size(labels) < T5_TOP ? t5_labels_size(labels) : T5_TOP;
    for (int i = 0; i < n; i++)
        top[i] = t5_labels_name(labels, i);
    return n;
}

/* The texts of entries [first, first + n) of a selection's order. */
static void gather(const t5_rows *rows, const int64_t *order, int64_t n, t5_str *input,
                   t5_str *target) {
    for (int64_t i = 0; i < n; i++) {
        input[i] = t5_rows_input(rows, order[i]);
        target[i] = t5_rows_target(rows, order[i]);
    }
}

/* What can be said of a selection's test rows without a model. */
static t5_status judge_selection(t5_dataset *set, const t5_selection *sel, t5_source_selection *out,
                                 t5_error *err) {
    t5_split split = sel->split;
    int64_t n_val_end = split.n_train + split.n_val;
    t5_str top[T5_TOP];
    int n_top = t5_top_labels(t5_dataset_labels(set), top);
    t5_metrics gold;
    t5_str *text = malloc((size_t)(2 * sel->n + 1) * sizeof *text);

    if (!text)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %lld texts", (long long)sel->n);
    t5_str *input = text, *target = text + sel->n;
    gather(t5_dataset_rows(set), sel->order, sel->n, input, target);
    out->top_n = sel->top_n;
    if (t5_nomodel_best(split.n_train, input, target, split.n_test, input + n_val_end,
                        target + n_val_end, top, n_top, &out->no_model, out->no_model_name,
                        err) == T5_OK &&
        t5_score_rows(split.n_test, target + n_val_end, target + n_val_end, top, n_top, &gold,
                      err) == T5_OK)
        out->gold_outside_top5 = gold.diversity_non_top5_ratio;
    free(text);
    return err->status;
}

static t5_status judge_selections(const t5_plan *plan, t5_source *s, t5_error *err) {
    s->selections = calloc((size_t)plan->n + 1, sizeof *s->selections);
    if (!s->selections)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the plan's selections");
    for (int t = 0; t < plan->n; t++) {
        const t5_selection *sel;
        int top_n = plan->trials[t].spec.top_n;
        t5_error reason = {0};
        if (t5_source_find(s, top_n))
            continue;
        if (t5_dataset_select(s->set, top_n, &sel, &reason) == T5_ERR_EMPTY)
            continue; /* the trial that wants it will say so */
        if (reason.status != T5_OK)
            return t5_fail(err, reason.status, "%s", reason.text);
        if (judge_selection(s->set, sel, &s->selections[s->n_selections], err) != T5_OK)
            return err->status;
        s->n_selections++;
    }
    return T5_OK;
}

/* The tokeniser and the model of a Hugging Face directory. */
static t5_status open_directory(const char *directory, t5_source *s, t5_error *err) {
    t5_tokenizer_files files = {0};
    if (t5_pretrained_open(directory, &s->pretrained, err) == T5_OK &&
        t5_pretrained_fingerprint(s->pretrained, &s->fingerprint_model, err) == T5_OK &&
        t5_hf_tokenizer_read(directory, &files, err) == T5_OK)
        t5_tokenizer_files_pack(&files, &s->tokenizer_block, &s->tokenizer_bytes, err);
    t5_tokenizer_files_free(&files);
    return err->status;
}

static t5_status open_model(const t5_config_model *model, t5_source *s, t5_error *err) {
    const char *key = model->path ? "model.path" : "model.tokenizer";
    const char *path = model->path ? model->path : model->tokenizer;
    if (model->path)
        open_directory(path, s, err);
    else
        t5_file_read(path, &s->tokenizer_block, &s->tokenizer_bytes, err);
    if (err->status == T5_OK)
        t5_tokenizer_from_block(s->tokenizer_block, s->tokenizer_bytes, &s->tokenizer, err);
    return err->status == T5_OK ? T5_OK : t5_error_prefix(err, "%s = \"%s\"", key, path);
}

/* Before anything is encoded: a target is the ids of its labels. */
static t5_status number_labels(t5_source *s, t5_error *err) {
    t5_labels *labels = NULL;
    if (t5_labels_count_rows(s->rows, &labels, err) == T5_OK)
        t5_tokenizer_add_labels(s->tokenizer, labels, err);
    t5_labels_destroy(labels);
    return err->status;
}

t5_status t5_source_open(const t5_config *config, const t5_plan *plan, t5_source *s,
                         t5_error *err) {
    t5_dataset_options options = {
        .split = {config->data.split[0], config->data.split[1], config->data.split[2]},
        .seed = config->data.seed,
        .max_input = config->data.max_input,
        .max_target = config->data.max_target};

    memset(s, 0, sizeof *s);
    if (open_model(&config->model, s, err) != T5_OK)
        goto done;
    if (read_rows(config, s, err) == T5_OK && number_labels(s, err) == T5_OK &&
        t5_dataset_create(s->rows, s->tokenizer, &options, &s->set, err) == T5_OK)
        judge_selections(plan, s, err);
done:
    if (err->status != T5_OK)
        t5_source_close(s);
    return err->status;
}

void t5_source_close(t5_source *s) {
    t5_dataset_destroy(s->set);
    t5_pretrained_close(s->pretrained);
    t5_tokenizer_destroy(s->tokenizer);
    t5_rows_destroy(s->rows);
    free(s->tokenizer_block);
    free(s->selections);
    memset(s, 0, sizeof *s);
}

uint64_t t5_source_fingerprint_tokenizer(const t5_source *s) {
    return XXH3_64bits(s->tokenizer_block, s->tokenizer_bytes);
}

/* Each text is hashed with what the texts before it came to, so their bounds count, too. */
uint64_t t5_source_fingerprint(const t5_source *s) {
    uint64_t h = t5_source_fingerprint_tokenizer(s) + s->fingerprint_model;
    for (int64_t i = 0; i < t5_rows_count(s->rows); i++) {
        t5_str input = t5_rows_input(s->rows, i), target = t5_rows_target(s->rows, i);
        h = XXH3_64bits_withSeed(input.s, input.n, h);
        h = XXH3_64bits_withSeed(target.s, target.n, h);
    }
    return h;
}

const t5_source_selection *t5_source_find(const t5_source *s, int top_n) {
    for (int i = 0; i < s->n_selections; i++)
        if (s->selections[i].top_n == top_n)
            return &s->selections[i];
    return NULL;
}
