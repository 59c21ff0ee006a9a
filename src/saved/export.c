#include "saved/export.h"
#include "data/tokenizer_settled.h"
#include "io/file.h"
#include "io/folder.h"
#include "io/hf_write.h"
#include "saved/card.h"
#include "saved/saved.h"
#include "setup/hf_shape.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PATH = 4096 };

/* ---- generation_config.json ---- */

static t5_status suppressed(const t5_saved *s, t5_hf_generation *g, t5_error *err) {
    if (!s->allowed)
        return T5_OK;
    g->suppress = malloc((size_t)s->shape.vocab * sizeof *g->suppress);
    if (!g->suppress)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for %d tokens", s->shape.vocab);
    for (int32_t id = 0; id < s->shape.vocab; id++)
        if (!s->allowed[id])
            g->suppress[g->n_suppress++] = id;
    return T5_OK;
}

static t5_status write_generation(const t5_saved *s, const char *directory, t5_error *err) {
    const t5_decode_spec *d = &s->decode;
    t5_hf_generation g = {.max_new_tokens = d->max_length,
                          .num_beams = d->kind == T5_DECODE_BEAM ? d->beams : 1,
                          .do_sample = d->kind == T5_DECODE_SAMPLE,
                          .temperature = d->temperature,
                          .top_k = d->top_k,
                          .top_p = d->top_p,
                          .repetition_penalty = d->repetition_penalty,
                          .pad_id = s->shape.pad_id,
                          .eos_id = s->shape.eos_id,
                          .start_id = s->shape.start_id};
    if (suppressed(s, &g, err) == T5_OK)
        t5_hf_generation_write(directory, &g, err);
    t5_hf_generation_free(&g);
    return err->status;
}

/* ---- the tokeniser ---- */

static t5_status open_files(const t5_saved *s, t5_tokenizer_files *files, t5_error *err) {
    if (t5_tokenizer_files_is_block(s->tokenizer_block, s->tokenizer_bytes))
        return t5_tokenizer_files_unpack(s->tokenizer_block, s->tokenizer_bytes, files, err);
    files->model = malloc(s->tokenizer_bytes + 1);
    if (!files->model)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the tokeniser");
    memcpy(files->model, s->tokenizer_block, s->tokenizer_bytes);
    files->model_bytes = s->tokenizer_bytes;
    return T5_OK;
}

static t5_status write_tokenizer(const t5_saved *s, const char *directory, t5_error *err) {
    t5_tokenizer_files files = {0}, settled = {0};
    if (open_files(s, &files, err) == T5_OK &&
        t5_tokenizer_settled(s->tokenizer, &files, s->n_labels, &settled, err) == T5_OK)
        t5_hf_tokenizer_write(directory, &settled, t5_tokenizer_pieces(s->tokenizer), s->max_input,
                              err);
    t5_tokenizer_files_free(&settled);
    t5_tokenizer_files_free(&files);
    return err->status;
}

/* ---- the weights ---- */

typedef struct source {
    t5_saved *saved;
    const t5_tensor_entry *tensors;
} source;

/* The output's matrix where it is the embedding, but must be there under its own name. */
static const char head_name[] = "lm_head.weight", embedding_name[] = "shared.weight";

static t5_status read_tensor(void *user, int i, int64_t first, int64_t n, float *out,
                             t5_error *err) {
    const source *from = user;
    const char *name = from->tensors[i].name;
    if (from->saved->shape.tied && strcmp(name, head_name) == 0)
        name = embedding_name;
    return t5_saved_read(from->saved, name, first, n, out, err);
}

static t5_status write_weights(t5_saved *s, const t5_hf_config *config, const char *directory,
                               t5_error *err) {
    t5_param *params = NULL;
    t5_tensor_entry *tensors = NULL;
    int n;
    if (t5_shape_list(&s->shape, &params, &n, err) != T5_OK)
        return err->status;
    tensors = calloc((size_t)n + 1, sizeof *tensors);
    if (!tensors) {
        t5_fail(err, T5_ERR_MEMORY, "out of memory for the list of tensors");
        goto done;
    }
    for (int i = 0; i < n; i++)
        tensors[i] = (t5_tensor_entry){.name = params[i].name,
                                       .n_dims = params[i].cols == 1 ? 1 : 2,
                                       .dims = {params[i].rows, params[i].cols}};
    if (s->shape.tied && t5_hf_config_has_head(config))
        tensors[n++] = (t5_tensor_entry){
            .name = head_name, .n_dims = 2, .dims = {s->shape.vocab, s->shape.d_model}};
    t5_safetensors_write(directory, tensors, n, read_tensor,
                         &(source){.saved = s, .tensors = tensors}, err);
done:
    free(tensors);
    free(params);
    return err->status;
}

/* ---- the directory ---- */

static t5_status write_all(t5_saved *s, const char *directory, t5_error *err) {
    t5_hf_config config = t5_hf_of_shape(&s->shape, s->family, s->dropout_rate);
    if (t5_hf_config_write(directory, &config, err) == T5_OK &&
        write_generation(s, directory, err) == T5_OK &&
        write_tokenizer(s, directory, err) == T5_OK &&
        t5_card_write(s->run, s->trial, directory, err) == T5_OK)
        write_weights(s, &config, directory, err);
    return err->status;
}

/* The folders above. */
static t5_status make_parent(const char *path, t5_error *err) {
    char above[MAX_PATH];
    char *slash = strrchr(strcpy(above, path), '/');
    if (!slash || slash == above)
        return T5_OK;
    *slash = 0;
    return t5_file_make_folder(above, err);
}

t5_status t5_export(const char *what, const char *directory, FILE *out, t5_error *err) {
    char temporary[MAX_PATH + 32], bare[MAX_PATH];
    size_t n = strlen(directory);
    t5_saved *s = NULL;

    while (n > 1 && directory[n - 1] == '/')
        n--;
    if (n == 0 || n >= sizeof bare)
        return t5_fail(err, T5_ERR_INPUT, "%s: no path of a directory", directory);
    memcpy(bare, directory, n);
    bare[n] = 0;
    snprintf(temporary, sizeof temporary, "%s.tmp.%ld", bare, (long)getpid());
    if (t5_folder_check_new(bare, err) != T5_OK || t5_saved_open(what, &s, err) != T5_OK)
        return err->status;
    if (!s->trial) {
        t5_fail(err, T5_ERR_INPUT, "%s: is a Hugging Face directory already; a run was expected",
                what);
        goto done;
    }
    if (make_parent(bare, err) != T5_OK || t5_folder_make_new(temporary, err) != T5_OK)
        goto done;
    if (write_all(s, temporary, err) != T5_OK ||
        t5_folder_put_in_place(temporary, bare, err) != T5_OK)
        t5_folder_remove(temporary);
    else
        fprintf(out, "%s: %s, %.2f million parameters\n", bare, s->name,
                (double)t5_shape_params(&s->shape) / 1e6);
done:
    t5_saved_close(s);
    return err->status;
}
