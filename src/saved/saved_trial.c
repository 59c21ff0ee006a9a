/* A saved model that is a trial's checkpoint. */
#include "io/checkpoint.h"
#include "io/file.h"
#include "results/run_folder.h"
#include "saved/saved_fields.h"
#include "saved/saved_internal.h"
#include "saved/saved_write.h"
#include "setup/generation.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static t5_status read_parameter(void *from, const char *name, int64_t first, int64_t n, float *out,
                                t5_error *err) {
    char path[sizeof T5_SAVED_WEIGHTS + sizeof((t5_param *)0)->name];
    snprintf(path, sizeof path, "%s%s", T5_SAVED_WEIGHTS, name);
    return t5_checkpoint_read(from, t5_checkpoint_find(from, path), first, n, out, err);
}

static void close_checkpoint(void *from) {
    t5_checkpoint_close(from);
}

static t5_status get_labels(t5_store_reader *r, t5_saved *s, t5_error *err) {
    char **names = NULL;
    int64_t *counts = NULL, n = 0, n_counts = 0;
    t5_str *list = NULL;
    if (t5_store_get_array(r, T5_SAVED_LABELS, NULL, T5_COLUMN_TEXT, (void **)&names, &n, err) !=
            T5_OK ||
        t5_store_get_array(r, T5_SAVED_COUNTS, NULL, T5_COLUMN_INT, (void **)&counts, &n_counts,
                           err) != T5_OK)
        goto done;
    if (n != n_counts || n > T5_LABELS_MAX) {
        t5_fail(err, T5_ERR_INPUT, "%lld labels and %lld counts of them", (long long)n,
                (long long)n_counts);
        goto done;
    }
    list = malloc(((size_t)n + 1) * sizeof *list);
    if (!list) {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for %lld labels", (long long)n);
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        list[i] = (t5_str){names[i], strlen(names[i])};
    s->n_labels = (int)n;
    t5_labels_from_list((int)n, list, counts, &s->labels, err);
done:
    free(names);
    free(counts);
    free(list);
    return err->status;
}

static t5_status get_tokenizer(t5_store_reader *r, t5_saved *s, t5_error *err) {
    int64_t bytes = 0;
    if (t5_store_get_array(r, T5_SAVED_TOKENIZER, NULL, T5_COLUMN_BYTE, &s->tokenizer_block, &bytes,
                           err) != T5_OK)
        return err->status;
    s->tokenizer_bytes = (size_t)bytes;
    if (t5_tokenizer_from_block(s->tokenizer_block, s->tokenizer_bytes, &s->tokenizer, err) ==
            T5_OK &&
        get_labels(r, s, err) == T5_OK)
        t5_tokenizer_add_labels(s->tokenizer, s->labels, err);
    return err->status;
}

/* Are the arrays those of a model of this shape? */
static t5_status check_weights(const t5_checkpoint *c, const t5_shape *shape, t5_error *err) {
    t5_param *params = NULL;
    int n;
    if (t5_shape_list(shape, &params, &n, err) != T5_OK)
        return err->status;
    for (int i = 0; i < n && err->status == T5_OK; i++) {
        char path[sizeof T5_SAVED_WEIGHTS + sizeof params->name];
        snprintf(path, sizeof path, "%s%s", T5_SAVED_WEIGHTS, params[i].name);
        int k = t5_checkpoint_find(c, path);
        const t5_checkpoint_array *a = k < 0 ? NULL : t5_checkpoint_at(c, k);
        if (!a || a->dims[0] != params[i].rows ||
            (a->n_dims == 2 ? a->dims[1] : 1) != params[i].cols)
            t5_fail(err, T5_ERR_INPUT, "no array %s of %lld x %lld", path,
                    (long long)params[i].rows, (long long)params[i].cols);
    }
    free(params);
    return err->status;
}

static t5_status get_values(t5_checkpoint *c, t5_saved *s, t5_error *err) {
    t5_store_reader *r = t5_checkpoint_values(c);
    int64_t schema;
    t5_saved_fields fields;
    if (t5_store_get_int(r, "/", "schema_version", &schema, err) != T5_OK)
        return err->status;
    if (schema != T5_SAVED_SCHEMA)
        return t5_fail(err, T5_ERR_INPUT, "schema_version is %lld, this t5mpi reads %d",
                       (long long)schema, T5_SAVED_SCHEMA);
    if (t5_saved_fields_get(r, &fields, err) != T5_OK || get_tokenizer(r, s, err) != T5_OK)
        return err->status;
    s->family = fields.family;
    s->shape = fields.shape;
    s->decode = fields.decode;
    s->max_input = fields.max_input;
    s->dropout_rate = fields.dropout_rate;
    return check_weights(c, &s->shape, err);
}

/* For a reason that the file's name alone does not give. */
static t5_status check_there(const char *run, const char *trial, const char *path, t5_error *err) {
    if (*trial && *trial != '.' && !strchr(trial, '/') && t5_file_exists(path))
        return T5_OK;
    return t5_fail(err, T5_ERR_INPUT,
                   "%s has no weights of a trial \"%s\" (%s is not there): there is no such trial, "
                   "or its weights were not kept (output.save_weights, a full disk, a failure)",
                   run, trial, path);
}

/* Where the weights of a trial are: with a part of the run, perhaps. */
static t5_status find_path(const char *run, const char *trial, char path[T5_SAVED_PATH],
                           t5_error *err) {
    char *folder = t5_run_folder(run, trial, err);
    if (folder)
        t5_saved_path(folder, trial, path, err);
    free(folder);
    return err->status;
}

t5_status t5_saved_open_trial(const char *run, const char *trial, t5_saved *s, t5_error *err) {
    char path[T5_SAVED_PATH];
    t5_checkpoint *c;
    size_t size = strlen(run) + strlen(trial) + 2;

    if (!(s->name = malloc(size)) || !(s->run = strdup(run)) || !(s->trial = strdup(trial)))
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", run);
    snprintf(s->name, size, "%s:%s", run, trial);
    if (find_path(run, trial, path, err) != T5_OK || check_there(run, trial, path, err) != T5_OK ||
        t5_checkpoint_open(path, &c, err) != T5_OK)
        return err->status;
    *s->source =
        (struct t5_saved_source){.from = c, .read = read_parameter, .close = close_checkpoint};
    if (get_values(c, s, err) != T5_OK) /* the reader names the file, the others do not */
        return strstr(err->text, path) ? err->status : t5_error_prefix(err, "%s", path);
    return s->decode.restrict_to_labels
               ? t5_generation_labels(s->tokenizer, s->n_labels, &s->shape, &s->allowed, err)
               : T5_OK;
}
