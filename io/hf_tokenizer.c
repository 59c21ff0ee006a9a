#include "io/hf_tokenizer.h"
#include "io/file.h"
#include "io/json_file.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    const char *directory;
    const char *file;      /* the one being looked at, for errors */
    json_t *config, *map;  /* tokenizer_config.json, special_tokens_map.json */
    json_t *added, *fast;  /* added_tokens.json, tokenizer.json; NULL: not there */
    const json_t *decoder; /* the config's added_tokens_decoder; NULL: it has none */
    int n_flagless;        /* the first of out->added, from added_tokens.json */
    t5_tokenizer_files *out;
    t5_error *err;
} reading;

static t5_status wrong(reading *r, const char *field, const char *expected) {
    return t5_fail(r->err, T5_ERR_INPUT, "%s/%s: %s: expected %s", r->directory, r->file, field,
                   expected);
}

static t5_status out_of_memory(reading *r) {
    return t5_fail(r->err, T5_ERR_MEMORY, "out of memory reading %s/%s", r->directory, r->file);
}

/* --- files --- */

/* More than any of the files needs: the largest, tokenizer.json, lists the pieces, too. */
static const size_t largest_json = (size_t)256 << 20;

/* The path of a file, that is from then on the one being looked at. */
static t5_status path_of(reading *r, const char *name, char path[4096]) {
    r->file = name;
    if (snprintf(path, 4096, "%s/%s", r->directory, name) >= 4096)
        return t5_fail(r->err, T5_ERR_INPUT, "%s: the path is too long", r->directory);
    return T5_OK;
}

/* *root stays NULL if there is no such file. */
static t5_status read_json(reading *r, const char *name, json_t **root) {
    char path[4096];
    if (path_of(r, name, path) != T5_OK || !t5_file_exists(path))
        return r->err->status;
    return t5_json_read_reals(path, largest_json, root, r->err);
}

static t5_status read_model(reading *r) {
    char model[4096], fast[4096];
    if (path_of(r, "tokenizer.json", fast) != T5_OK || path_of(r, "spiece.model", model) != T5_OK)
        return r->err->status;
    if (!t5_file_exists(model) && t5_file_exists(fast))
        return t5_fail(r->err, T5_ERR_INPUT,
                       "%s has a tokenizer.json but no spiece.model; expected the SentencePiece "
                       "model, which Transformers 5 leaves out: copy it from the original model",
                       r->directory);
    return t5_file_read(model, &r->out->model, &r->out->model_bytes, r->err);
}

/* --- one token --- */

static t5_status flag(reading *r, const json_t *token, const char *name, bool fallback, bool *out) {
    const json_t *value = json_object_get(token, name);
    if (value && !json_is_boolean(value))
        return wrong(r, name, "true or false");
    *out = value ? json_is_true(value) : fallback;
    return T5_OK;
}

/* A string, or an object with the fields of an AddedToken. `special`: it is one whatever it says.
 */
static t5_status token_of(reading *r, const char *field, const json_t *value, bool special,
                          t5_token_entry *e) {
    const json_t *text = json_is_object(value) ? json_object_get(value, "content") : value;
    *e = (t5_token_entry){.id = -1, .bare = json_is_string(value), .special = true};
    if (!json_is_string(text) || json_string_length(text) == 0)
        return wrong(r, field,
                     "a token: a string that is not empty, or an object with \"content\"");
    if (!e->bare && (flag(r, value, "special", false, &e->special) != T5_OK ||
                     flag(r, value, "lstrip", false, &e->lstrip) != T5_OK ||
                     flag(r, value, "rstrip", false, &e->rstrip) != T5_OK ||
                     flag(r, value, "single_word", false, &e->single_word) != T5_OK))
        return r->err->status;
    e->special = e->special || special;
    if (!e->bare && flag(r, value, "normalized", !e->special, &e->normalized) != T5_OK)
        return r->err->status;
    return (e->text = strdup(json_string_value(text))) ? T5_OK : out_of_memory(r);
}

/* Takes over the entry's text. */
static t5_status append(reading *r, t5_token_entry **list, int *n, t5_token_entry *e) {
    t5_token_entry *grown = *list;
    if (*n == T5_TOKEN_ENTRIES_MAX) {
        free(e->text);
        return t5_fail(r->err, T5_ERR_INPUT, "%s/%s: more than %d tokens", r->directory, r->file,
                       T5_TOKEN_ENTRIES_MAX);
    }
    if ((*n & (*n - 1)) == 0) /* full: room for twice as many */
        grown = realloc(*list, (*n ? 2 * (size_t)*n : 1) * sizeof *grown);
    if (!grown) {
        free(e->text);
        return out_of_memory(r);
    }
    *list = grown;
    grown[(*n)++] = *e;
    return T5_OK;
}

/* Numbers of tokens and of ids fit an int. */
static t5_status number(reading *r, const char *field, const json_t *value, int most, int *out) {
    char expected[64];
    double found = json_number_value(value);
    if (json_is_number(value) && found >= 0 && found <= most && found == floor(found)) {
        *out = (int)found;
        return T5_OK;
    }
    snprintf(expected, sizeof expected, "a whole number from 0 to %d", most);
    return wrong(r, field, expected);
}

/* --- special tokens --- */

static const char *const roles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                    "pad_token", "cls_token", "mask_token"};
enum { ROLES = sizeof roles / sizeof *roles };

/* Among the entries from `first` on. */
static bool has_text(const t5_token_entry *list, int first, int n, const char *text) {
    for (int i = first; i < n; i++)
        if (strcmp(list[i].text, text) == 0)
            return true;
    return false;
}

/* The value of a special token, from the file that counts; NULL: none. */
static const json_t *special_value(reading *r, const char *key, bool *from_map) {
    const json_t *value = r->decoder ? NULL : json_object_get(r->map, key);
    *from_map = value != NULL;
    r->file = value ? "special_tokens_map.json" : "tokenizer_config.json";
    if (!value)
        value = json_object_get(r->config, key);
    return json_is_null(value) ? NULL : value;
}

static t5_status read_role(reading *r, const char *key, const char *fallback, int *place) {
    bool from_map;
    const json_t *value = special_value(r, key, &from_map);
    t5_token_entry e = {.id = -1, .bare = true, .special = true};
    if (!value && !fallback)
        return T5_OK;
    if (value && token_of(r, key, value, from_map, &e) != T5_OK)
        return r->err->status;
    if (!value && !(e.text = strdup(fallback)))
        return out_of_memory(r);
    /* here the flags of the list of added tokens count, where it has flags */
    e.bare = e.bare || has_text(r->out->added, r->n_flagless, r->out->n_added, e.text);
    if (place)
        *place = r->out->n_special;
    return append(r, &r->out->special, &r->out->n_special, &e);
}

/* A list's tokens behind the additional ones that are there, each text once. */
static t5_status read_additional(reading *r, const char *file, const char *key, const json_t *list,
                                 bool from_map) {
    t5_tokenizer_files *out = r->out;
    if (!list || json_is_null(list))
        return T5_OK;
    r->file = file;
    if (!json_is_array(list))
        return wrong(r, key, "a list of tokens");
    if (out->n_additional < 0)
        out->n_additional = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        t5_token_entry e;
        if (token_of(r, key, json_array_get(list, i), from_map, &e) != T5_OK)
            return r->err->status;
        if (has_text(out->special, out->n_special - out->n_additional, out->n_special, e.text)) {
            free(e.text);
            continue;
        }
        if (append(r, &out->special, &out->n_special, &e) != T5_OK)
            return r->err->status;
        out->n_additional++;
    }
    return T5_OK;
}

static t5_status read_specials(reading *r) {
    const char *config = "tokenizer_config.json", *key = "additional_special_tokens";
    t5_tokenizer_files *out = r->out;
    for (int i = 0; i < ROLES; i++) {
        bool eos = strcmp(roles[i], "eos_token") == 0, unk = strcmp(roles[i], "unk_token") == 0,
             pad = strcmp(roles[i], "pad_token") == 0;
        const char *fallback = eos ? "</s>" : unk ? "<unk>" : pad ? "<pad>" : NULL;
        int *place = eos ? &out->eos : unk ? &out->unk : pad ? &out->pad : NULL;
        if (read_role(r, roles[i], fallback, place) != T5_OK)
            return r->err->status;
    }
    out->n_additional = -1;
    const json_t *list = json_object_get(r->config, key);
    if (!list && json_is_array(json_object_get(r->config, "extra_special_tokens"))) {
        key = "extra_special_tokens"; /* as Transformers 5 calls it */
        list = json_object_get(r->config, key);
    }
    if (read_additional(r, config, key, list, false) != T5_OK || r->decoder)
        return r->err->status;
    key = "additional_special_tokens";
    return read_additional(r, "special_tokens_map.json", key, json_object_get(r->map, key), true);
}

/* --- added tokens --- */

static t5_status append_added(reading *r, t5_token_entry *e, int id) {
    e->id = id;
    e->bare = false;
    return append(r, &r->out->added, &r->out->n_added, e);
}

/* added_tokens_decoder: {"32099": {"content": ...}}. */
static t5_status read_decoder(reading *r) {
    const char *key;
    json_t *value;
    r->file = "tokenizer_config.json";
    if (!json_is_object(r->decoder))
        return wrong(r, "added_tokens_decoder", "an object");
    json_object_foreach((json_t *)(uintptr_t)r->decoder, key, value) {
        char *end;
        long id = strtol(key, &end, 10);
        t5_token_entry e;
        if (*key < '0' || *key > '9' || *end || id >= T5_TOKEN_ID_MAX || !json_is_object(value))
            return wrong(r, "added_tokens_decoder", "token ids with an object each");
        if (token_of(r, "added_tokens_decoder", value, false, &e) != T5_OK ||
            append_added(r, &e, (int)id) != T5_OK)
            return r->err->status;
    }
    return T5_OK;
}

/* Is it one of the special tokens that the files name? */
static bool is_named(reading *r, const char *text) {
    bool from_map;
    for (int i = 0; i <= ROLES; i++) {
        const char *key = i < ROLES ? roles[i] : "additional_special_tokens";
        const json_t *value = special_value(r, key, &from_map);
        size_t n = json_is_array(value) ? json_array_size(value) : 1;
        for (size_t k = 0; k < n; k++) {
            const json_t *v = json_is_array(value) ? json_array_get(value, k) : value;
            const json_t *t = json_is_object(v) ? json_object_get(v, "content") : v;
            if (json_is_string(t) && strcmp(json_string_value(t), text) == 0)
                return true;
        }
    }
    return false;
}

/* added_tokens.json: {"TOKEN": id}. */
static t5_status read_added(reading *r) {
    const char *key, *file = "added_tokens.json";
    json_t *value;
    json_object_foreach(r->added, key, value) {
        int id = 0;
        t5_token_entry e;
        json_t *text = json_string(key);
        r->file = file;
        if (!text)
            return out_of_memory(r);
        t5_status status = token_of(r, "the tokens", text, false, &e);
        json_decref(text);
        if (status)
            return status;
        e.special = is_named(r, e.text);
        e.normalized = !e.special;
        r->file = file;
        if (number(r, e.text, value, T5_TOKEN_ID_MAX - 1, &id) != T5_OK) {
            free(e.text);
            return r->err->status;
        }
        if (append_added(r, &e, id) != T5_OK)
            return r->err->status;
    }
    r->n_flagless = r->out->n_added;
    return T5_OK;
}

/* tokenizer.json: "added_tokens": [{"id": 0, "content": ...}]. */
static t5_status read_fast(reading *r) {
    const json_t *list = json_object_get(r->fast, "added_tokens");
    r->file = "tokenizer.json";
    if (!list)
        return T5_OK;
    if (!json_is_array(list))
        return wrong(r, "added_tokens", "a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        t5_token_entry e;
        int id = 0;
        if (!json_is_object(value))
            return wrong(r, "added_tokens", "a list of objects");
        if (number(r, "added_tokens: id", json_object_get(value, "id"), T5_TOKEN_ID_MAX - 1, &id) !=
                T5_OK ||
            token_of(r, "added_tokens", value, false, &e) != T5_OK ||
            append_added(r, &e, id) != T5_OK)
            return r->err->status;
    }
    return T5_OK;
}

/* --- the whole --- */

static t5_status check_config(reading *r) {
    static const char *const classes[] = {"T5Tokenizer", "T5TokenizerFast", "MT5Tokenizer",
                                          "MT5TokenizerFast"};
    const json_t *class = json_object_get(r->config, "tokenizer_class");
    const json_t *kwargs = json_object_get(r->config, "sp_model_kwargs");
    const json_t *extra = json_object_get(r->config, "extra_ids");
    bool known = !class || json_is_null(class);
    r->file = "tokenizer_config.json";
    for (size_t i = 0; !known && i < sizeof classes / sizeof *classes; i++)
        known = json_is_string(class) && strcmp(json_string_value(class), classes[i]) == 0;
    if (!known)
        return wrong(r, "tokenizer_class", "T5Tokenizer or MT5Tokenizer; no other is supported");
    if (kwargs && json_object_size(kwargs) > 0)
        return wrong(r, "sp_model_kwargs", "none: sampled pieces are not supported");
    r->out->prefix_space = !json_is_false(json_object_get(r->config, "add_prefix_space"));
    r->out->extra_ids = 100;
    if (extra && number(r, "extra_ids", extra, T5_TOKEN_ENTRIES_MAX, &r->out->extra_ids) != T5_OK)
        return r->err->status;
    /* larger ones, and what is no number, are ways of saying "no limit" */
    double most = json_number_value(json_object_get(r->config, "model_max_length"));
    r->out->max_tokens = most >= 1 && most <= T5_MAX_TOKENS_MAX ? (int)most : 0;
    return T5_OK;
}

static t5_status read_all(reading *r) {
    if (read_model(r) != T5_OK || read_json(r, "tokenizer_config.json", &r->config) != T5_OK ||
        check_config(r) != T5_OK)
        return r->err->status;
    r->decoder = json_object_get(r->config, "added_tokens_decoder");
    if (r->decoder) {
        if (read_decoder(r) != T5_OK)
            return r->err->status;
    } else if (read_json(r, "special_tokens_map.json", &r->map) != T5_OK ||
               read_json(r, "added_tokens.json", &r->added) != T5_OK ||
               read_json(r, "tokenizer.json", &r->fast) != T5_OK || read_added(r) != T5_OK ||
               read_fast(r) != T5_OK) {
        return r->err->status;
    }
    return read_specials(r);
}

t5_status t5_hf_tokenizer_read(const char *directory, t5_tokenizer_files *files, t5_error *err) {
    t5_error own = {0};
    reading r = {.directory = directory, .out = files, .err = &own};
    memset(files, 0, sizeof *files);
    read_all(&r);
    json_decref(r.config);
    json_decref(r.map);
    json_decref(r.added);
    json_decref(r.fast);
    if (own.status != T5_OK) {
        t5_tokenizer_files_free(files);
        t5_json_tame(&own);
        return t5_fail(err, own.status, "%s", own.text);
    }
    return T5_OK;
}
