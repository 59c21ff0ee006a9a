/* Reading a configuration, from its file to the struct. */
#include "base/config.h"
#include "base/config_reader.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void t5_config_destroy(t5_config *c) {
    if (!c)
        return;
    free(c->file);
    free(c->text);
    free(c->model.path);
    free(c->model.preset);
    free(c->model.tokenizer);
    free(c->data.path);
    free(c->data.input);
    free(c->data.target);
    free(c->learning_rate);
    free(c->top_n);
    free(c->loss);
    free(c->seed);
    for (int i = 0; i < c->n_nodes; i++)
        free(c->nodes[i].name);
    free(c->nodes);
    free(c->baseline_trial);
    free(c->decide_by);
    free(c->output_dir);
    free(c);
}

static bool is_required(const t5_config_reader *r, const t5_config_key *key) {
    return strcmp(key->fallback, "(required)") == 0 ||
           (strcmp(key->fallback, "(required without model.path)") == 0 && !r->config->model.path);
}

/* Every key of the struct that the tree does not have gets its default. */
static t5_status store_defaults(t5_config_reader *r) {
    const t5_config_key *keys;
    int n = t5_config_keys(&keys);
    t5_status status = T5_OK;
    for (int i = 0; i < n && status == T5_OK; i++) {
        if (t5_config_is_nested(&keys[i]) || config_lookup(&r->tree, keys[i].path))
            continue;
        if (keys[i].fallback[0] != '(') {
            status = t5_config_store_default(r, &keys[i], r->config);
        } else if (is_required(r, &keys[i])) {
            char group[64] = "", allowed[T5_CONFIG_ALLOWED];
            t5_config_describe_allowed(&keys[i], allowed);
            strncat(group, keys[i].path, strcspn(keys[i].path, "."));
            status = t5_config_fail(r, config_lookup(&r->tree, group), keys[i].path,
                                    "is missing, allowed: %s%s", allowed,
                                    strcmp(group, "model") == 0 ? "; or model.path instead" : "");
        }
    }
    return status;
}

/* The text that goes with the results: the file and, as comments, what was set over it. */
static t5_status keep_text(t5_config_reader *r, const char *const *sets, int n_sets) {
    t5_buffer *text = &r->source.text;
    t5_status status = T5_OK;
    for (int i = 0; i < n_sets && status == T5_OK; i++) {
        static const char intro[] = "# --set ";
        status = t5_buffer_append(text, intro, strlen(intro), r->err);
        size_t start = text->n;
        if (status == T5_OK)
            status = t5_buffer_append(text, sets[i], strlen(sets[i]), r->err);
        for (size_t k = start; k < text->n; k++)
            if (text->s[k] == '\n' || text->s[k] == '\r')
                text->s[k] = ' '; /* a comment is a line */
        if (status == T5_OK)
            status = t5_buffer_append(text, "\n", 1, r->err);
    }
    if (status == T5_OK) {
        r->config->text = text->s;
        *text = (t5_buffer){0};
    }
    return status;
}

/* --output, or output.dir (stored already), or runs/NAME beside the configuration NAME.cfg. */
static t5_status choose_output(t5_config_reader *r, const char *output) {
    t5_config *c = r->config;
    if (output && !output[0])
        return t5_fail(r->err, T5_ERR_INPUT, "--output: found \"\", allowed: a directory");
    if (c->output_dir && !output)
        return T5_OK;
    t5_buffer path = {0};
    t5_status status = T5_OK;
    if (output) {
        status = t5_buffer_append(&path, output, strlen(output), r->err);
    } else {
        const char *slash = strrchr(c->file, '/'), *name = slash ? slash + 1 : c->file;
        const char *dot = strrchr(name, '.');
        const char *parts[3] = {c->file, "runs/", name};
        const size_t sizes[3] = {(size_t)(name - c->file), 5,
                                 dot && dot > name ? (size_t)(dot - name) : strlen(name)};
        for (int i = 0; i < 3 && status == T5_OK; i++)
            status = t5_buffer_append(&path, parts[i], sizes[i], r->err);
    }
    if (status != T5_OK) {
        free(path.s);
        return status;
    }
    free(c->output_dir);
    c->output_dir = path.s;
    return T5_OK;
}

static t5_status read_all(t5_config_reader *r, const char *const *sets, int n_sets,
                          const char *output) {
    t5_status status = t5_config_source_read(&r->source, r->config->file, r->err);
    if (status == T5_OK)
        status = t5_config_tree_read(r, sets, n_sets);
    if (status == T5_OK)
        status = t5_config_store_group(r, config_root_setting(&r->tree), "", "", r->config);
    if (status == T5_OK)
        status = store_defaults(r);
    if (status == T5_OK)
        status = t5_config_complete(r);
    if (status == T5_OK)
        status = choose_output(r, output);
    if (status == T5_OK)
        status = keep_text(r, sets, n_sets);
    return status;
}

t5_status t5_config_read(const char *file, const char *const *sets, int n_sets, const char *output,
                         t5_config **config, t5_error *err) {
    t5_error local = {0}; /* the reader's own parts rely on an error being there */
    *config = NULL;
    t5_config *c = calloc(1, sizeof *c);
    char *name = t5_path_beside("", file);
    if (!c || !name) {
        free(c);
        free(name);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory reading %s", file);
    }
    c->file = name;
    for (int i = 0; i < T5_N_FIGURES; i++)
        c->baseline[i] = c->goals[i] = NAN;
    t5_config_reader reader = {.config = c, .err = &local};
    config_init(&reader.tree);
    t5_status status = read_all(&reader, sets, n_sets, output);
    config_destroy(&reader.tree);
    t5_config_source_free(&reader.source);
    if (status != T5_OK) {
        t5_config_destroy(c);
        t5_config_make_printable(local.text); /* @include's name of a file may be anything */
        return t5_fail(err, status, "%s", local.text);
    }
    *config = c;
    return T5_OK;
}
