#include "base/utf8.h"
#include "io/hf_write.h"
#include "io/json_write.h"
#include "io/replace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- which special token is which --- */

/* A special token's name in the files, by its place among `special`: bos, eos, unk, sep, pad, cls,
 * mask as far as there are such. One behind pad may be either of the last two, which T5 does not
 * tell apart. */
static const char *role_of(const t5_tokenizer_files *files, int place) {
    int named = files->n_special - (files->n_additional > 0 ? files->n_additional : 0);
    if (place >= named)
        return NULL;
    if (place == files->eos)
        return "eos_token";
    if (place == files->unk)
        return "unk_token";
    if (place == files->pad)
        return "pad_token";
    if (place < files->eos)
        return "bos_token";
    if (place < files->pad)
        return "sep_token";
    return place == named - 1 ? "mask_token" : "cls_token";
}

/* --- one token --- */

static const t5_token_entry *find_added(const t5_tokenizer_files *files, const char *text) {
    for (int i = 0; i < files->n_added; i++)
        if (strcmp(files->added[i].text, text) == 0)
            return &files->added[i];
    return NULL;
}

/* The fields of an AddedToken; with `special` as added_tokens_decoder has them, without as
 * special_tokens_map.json. */
static json_t *token_object(const t5_token_entry *e, bool special) {
    json_t *token = json_object();
    int bad = t5_json_put(token, "content", json_string(e->text));
    bad |= t5_json_put(token, "lstrip", json_boolean(e->lstrip));
    bad |= t5_json_put(token, "normalized", json_boolean(e->normalized));
    bad |= t5_json_put(token, "rstrip", json_boolean(e->rstrip));
    bad |= t5_json_put(token, "single_word", json_boolean(e->single_word));
    if (special)
        bad |= t5_json_put(token, "special", json_boolean(e->special));
    if (!bad)
        return token;
    json_decref(token);
    return NULL;
}

/* --- the parts of the files; NULL: out of memory --- */

static int by_id(const void *left, const void *right) {
    const t5_token_entry *const *a = left, *const *b = right;
    return ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

/* The added tokens by id, as Transformers lists them; its versions number holes anew or not, but
 * all go by the order. */
static const t5_token_entry **sorted(const t5_tokenizer_files *files) {
    const t5_token_entry **list = malloc(((size_t)files->n_added + 1) * sizeof *list);
    for (int i = 0; list && i < files->n_added; i++)
        list[i] = &files->added[i];
    if (list)
        qsort(list, (size_t)files->n_added, sizeof *list, by_id);
    return list;
}

/* {"32099": {"content": "<extra_id_0>", ...}} */
static json_t *decoder_of(const t5_tokenizer_files *files, const t5_token_entry *const *list) {
    json_t *decoder = json_object();
    int bad = !decoder;
    for (int i = 0; i < files->n_added && !bad; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", list[i]->id);
        bad = t5_json_put(decoder, id, token_object(list[i], true));
    }
    if (!bad)
        return decoder;
    json_decref(decoder);
    return NULL;
}

static json_t *additional_of(const t5_tokenizer_files *files) {
    json_t *list = json_array();
    int bad = !list, n = files->n_additional > 0 ? files->n_additional : 0;
    for (int i = files->n_special - n; i < files->n_special && !bad; i++)
        bad = json_array_append_new(list, json_string(files->special[i].text));
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

/* Sets "eos_token" and so on: texts, or objects with the flags that the added tokens have. */
static int put_roles(json_t *root, const t5_tokenizer_files *files, bool objects) {
    int bad = 0;
    for (int i = 0; i < files->n_special && !bad; i++) {
        const char *role = role_of(files, i), *text = files->special[i].text;
        const t5_token_entry *e = objects ? find_added(files, text) : NULL;
        if (role)
            bad = t5_json_put(root, role, e ? token_object(e, false) : json_string(text));
    }
    /* the list may be missing: then T5Tokenizer makes one of extra_ids */
    if (!bad && files->n_additional >= 0)
        bad = t5_json_put(root, "additional_special_tokens", additional_of(files));
    return bad;
}

/* --- the files --- */

static t5_status write_object(const char *directory, const char *name, json_t *root, int bad,
                              t5_error *err) {
    t5_status status = t5_json_write(directory, name, bad ? NULL : root, err);
    json_decref(root);
    return status;
}

static t5_status write_config(const char *directory, const t5_tokenizer_files *files,
                              const t5_token_entry *const *list, int max_tokens, t5_error *err) {
    json_t *root = json_object();
    int bad = t5_json_put(root, "add_prefix_space", json_boolean(files->prefix_space));
    bad |= t5_json_put(root, "added_tokens_decoder", decoder_of(files, list));
    bad |= put_roles(root, files, false);
    bad |= t5_json_put(root, "clean_up_tokenization_spaces", json_false());
    bad |= t5_json_put(root, "extra_ids", json_integer(files->extra_ids));
    bad |= t5_json_put(root, "legacy", json_false());
    if (max_tokens > 0)
        bad |= t5_json_put(root, "model_max_length", json_integer(max_tokens));
    bad |= t5_json_put(root, "sp_model_kwargs", json_object());
    bad |= t5_json_put(root, "tokenizer_class", json_string("T5Tokenizer"));
    return write_object(directory, "tokenizer_config.json", root, bad, err);
}

static t5_status write_map(const char *directory, const t5_tokenizer_files *files, t5_error *err) {
    json_t *root = json_object();
    int bad = put_roles(root, files, true);
    return write_object(directory, "special_tokens_map.json", root, bad, err);
}

/* {"<extra_id_0>": 32099}: tokens that are pieces are not in this file. */
static t5_status write_added(const char *directory, const t5_tokenizer_files *files,
                             const t5_token_entry *const *list, int n_pieces, t5_error *err) {
    json_t *root = json_object();
    int bad = 0;
    for (int i = 0; i < files->n_added && !bad; i++)
        if (list[i]->id >= n_pieces)
            bad = t5_json_put(root, list[i]->text, json_integer(list[i]->id));
    return write_object(directory, "added_tokens.json", root, bad, err);
}

static t5_status write_model(const char *directory, const t5_tokenizer_files *files,
                             t5_error *err) {
    char *path = NULL;
    if (asprintf(&path, "%s/spiece.model", directory) < 0)
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
    t5_status status = t5_file_replace(path, files->model, files->model_bytes, err);
    free(path);
    return status;
}

static t5_status check_texts(const char *directory, const t5_token_entry *list, int n,
                             t5_error *err) {
    for (int i = 0; i < n; i++)
        if (!t5_utf8_valid(list[i].text, strlen(list[i].text)))
            return t5_fail(err, T5_ERR_INPUT, "%s: a token of the tokeniser is not UTF-8",
                           directory);
    return T5_OK;
}

t5_status t5_hf_tokenizer_write(const char *directory, const t5_tokenizer_files *files,
                                int n_pieces, int max_tokens, t5_error *err) {
    const t5_token_entry **list = NULL;
    t5_status status = check_texts(directory, files->added, files->n_added, err);
    if (!status)
        status = check_texts(directory, files->special, files->n_special, err);
    if (!status && !(list = sorted(files)))
        status = t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
    if (!status)
        status = write_model(directory, files, err);
    if (!status)
        status = write_config(directory, files, list, max_tokens, err);
    if (!status)
        status = write_map(directory, files, err);
    if (!status)
        status = write_added(directory, files, list, n_pieces, err);
    free(list);
    return status;
}
