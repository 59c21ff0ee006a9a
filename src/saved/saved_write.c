#include "saved/saved_write.h"
#include "io/checkpoint.h"
#include "io/file.h"
#include "results/results.h"
#include "saved/pieces.h"
#include "saved/saved_fields.h"
#include "saved/saved_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

t5_status t5_saved_path(const char *run, const char *trial, char path[T5_SAVED_PATH],
                        t5_error *err) {
    int n = snprintf(path, T5_SAVED_PATH, "%s/checkpoints/%s/best.h5", run, trial);
    return n > 0 && n < T5_SAVED_PATH
               ? T5_OK
               : t5_fail(err, T5_ERR_INPUT, "%s: the path of a checkpoint would be too long", run);
}

static t5_status make_folder(const char *run, const char *trial, t5_error *err) {
    char below[T5_SAVED_PATH];
    snprintf(below, sizeof below, "checkpoints/%s", trial);
    return t5_file_make_folder_below(run, below, err);
}

static t5_store *make_values(const char *path, const t5_setup *setup, const char *trial, int epoch,
                             int n_labels, const t5_shape *shape, t5_error *err) {
    const t5_settings *settings = &setup->settings;
    t5_store *s = NULL;
    t5_saved_fields fields = {.family = settings->family,
                              .shape = *shape,
                              .decode = settings->eval,
                              .dropout_rate = settings->train.dropout,
                              .max_input = settings->max_input};
    if (t5_store_create(path, &s, err) != T5_OK)
        return NULL;
    t5_store_attr_int(s, "/", "schema_version", T5_SAVED_SCHEMA);
    t5_store_attr_text(s, "/", "t5mpi_version", T5MPI_VERSION);
    t5_store_attr_text(s, "/", "trial", trial);
    t5_store_attr_int(s, "/", "epoch", epoch);
    t5_saved_fields_put(s, &fields);
    t5_store_array(s, T5_SAVED_TOKENIZER, T5_COLUMN_BYTE, setup->tokenizer_block,
                   (int64_t)setup->tokenizer_bytes);
    if (t5_results_put_labels(s, setup->labels, n_labels, T5_SAVED_LABELS, T5_SAVED_COUNTS, err) !=
        T5_OK) {
        t5_store_abandon(s);
        return NULL;
    }
    return s;
}

/* "/weights/" and the name of Hugging Face, as arrays of the file. */
static t5_status list_arrays(const t5_model *model, t5_checkpoint_array **arrays, char **paths,
                             t5_error *err) {
    enum { PATH = sizeof T5_SAVED_WEIGHTS + sizeof((t5_param *)0)->name };
    size_t n = (size_t)t5_model_n_params(model);
    *arrays = calloc(n, sizeof **arrays);
    *paths = malloc(n * PATH);
    if (!*arrays || !*paths)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the list of weights");
    for (size_t i = 0; i < n; i++) {
        const t5_param *p = t5_model_param(model, (int)i);
        char *path = *paths + i * PATH;
        snprintf(path, PATH, "%s%s", T5_SAVED_WEIGHTS, p->name);
        (*arrays)[i] = (t5_checkpoint_array){
            .path = path, .n_dims = p->cols == 1 ? 1 : 2, .dims = {p->rows, p->cols}};
    }
    return T5_OK;
}

static t5_status write_piece(void *user, t5_model *model, int i, int64_t first, int64_t n,
                             float *piece, t5_error *err) {
    int64_t offset = t5_model_param(model, i)->offset + first;
    if (t5_model_read(model, T5_ARENA_WEIGHT, offset, n, piece, err) == T5_OK)
        t5_checkpoint_write(user, i, first, n, piece, err);
    return err->status;
}

t5_status t5_saved_write(const t5_setup *setup, const char *trial, int epoch, int n_labels,
                         t5_model *model, t5_error *err) {
    char path[T5_SAVED_PATH], *paths = NULL;
    t5_checkpoint_array *arrays = NULL;
    t5_checkpoint_writer *writer = NULL;
    t5_store *values;

    if (t5_saved_path(setup->settings.output_dir, trial, path, err) != T5_OK ||
        make_folder(setup->settings.output_dir, trial, err) != T5_OK ||
        list_arrays(model, &arrays, &paths, err) != T5_OK)
        goto done;
    values = make_values(path, setup, trial, epoch, n_labels, t5_model_shape(model), err);
    if (values &&
        t5_checkpoint_begin(path, values, arrays, t5_model_n_params(model), &writer, err) ==
            T5_OK &&
        t5_each_piece(model, write_piece, writer, err) == T5_OK) {
        t5_checkpoint_commit(writer, err);
        writer = NULL;
    }
done:
    t5_checkpoint_abandon(writer);
    free(arrays);
    free(paths);
    return err->status;
}
