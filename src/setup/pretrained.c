#include "setup/pretrained.h"
#include "io/weights.h"
#include "setup/hf_shape.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct t5_pretrained {
    char *directory;
    t5_hf_config config;
    t5_weights *weights;
    t5_shape shape;
    const t5_weights_tensor *shared; /* what parameter shared.weight is read from */
    pthread_mutex_t lock;            /* of weights */
};

/* ---- the embedding and its copies ---- */

/* Names under which checkpoints hold the embedding; the last one is a matrix of its own in models
 * that are not tied. */
static const char *const copies[] = {"shared.weight", "encoder.embed_tokens.weight",
                                     "decoder.embed_tokens.weight", "lm_head.weight"};
enum { N_COPIES = sizeof copies / sizeof *copies, LM_HEAD = N_COPIES - 1 };

/* "(32128, 768)" */
static const char *dims_text(char text[96], int n, const int64_t *dims) {
    size_t used = 0;
    for (int i = 0; i < n; i++)
        used +=
            (size_t)snprintf(text + used, 96 - used, "%s%lld", i ? ", " : "(", (long long)dims[i]);
    snprintf(text + used, 96 - used, n ? ")" : "()");
    return text;
}

/* cols 1: a vector. */
static t5_status check_dims(const t5_pretrained *p, const t5_weights_tensor *tensor, int64_t rows,
                            int64_t cols, t5_error *err) {
    const int64_t wanted[2] = {rows, cols};
    int n = cols == 1 ? 1 : 2;
    char found[96], asked[96];
    if (tensor->n_dims == n && tensor->dims[0] == rows && (n == 1 || tensor->dims[1] == cols))
        return T5_OK;
    return t5_fail(err, T5_ERR_INPUT, "%s: tensor %s has the shape %s, config.json asks for %s",
                   p->directory, tensor->name, dims_text(found, tensor->n_dims, tensor->dims),
                   dims_text(asked, n, wanted));
}

static t5_status same_values(const t5_pretrained *p, const t5_weights_tensor *a,
                             const t5_weights_tensor *b, bool *same, t5_error *err) {
    enum { PIECE = 1 << 16 };
    float *values = malloc(2 * PIECE * sizeof *values);
    t5_status status = T5_OK;
    if (!values)
        return t5_fail(err, T5_ERR_MEMORY, "out of memory comparing %s and %s", a->name, b->name);
    *same = true;
    for (int64_t at = 0; at < a->count && *same && status == T5_OK; at += PIECE) {
        int64_t n = a->count - at < PIECE ? a->count - at : PIECE;
        status = t5_weights_read(p->weights, a, at, n, values, err);
        if (status == T5_OK)
            status = t5_weights_read(p->weights, b, at, n, values + PIECE, err);
        *same = status == T5_OK && memcmp(values, values + PIECE, (size_t)n * sizeof *values) == 0;
    }
    free(values);
    return status;
}

/* Finds the embedding and settles whether the output has a matrix of its own. */
static t5_status find_embedding(t5_pretrained *p, t5_error *err) {
    const t5_weights_tensor *head = t5_weights_find(p->weights, copies[LM_HEAD]);
    for (int i = 0; i < N_COPIES - !p->config.tied && !p->shared; i++)
        p->shared = t5_weights_find(p->weights, copies[i]);
    if (!p->shared)
        return t5_fail(err, T5_ERR_INPUT, "%s: there is no tensor %s", p->directory, copies[0]);
    for (int i = 0; i < N_COPIES; i++) {
        const t5_weights_tensor *copy = t5_weights_find(p->weights, copies[i]);
        bool same = true;
        if (!copy)
            continue;
        if (check_dims(p, copy, p->shape.vocab, p->shape.d_model, err) != T5_OK)
            return err->status;
        if (copy == p->shared || (i == LM_HEAD && !p->config.tied))
            continue;
        if (same_values(p, p->shared, copy, &same, err) != T5_OK)
            return err->status;
        if (same)
            continue;
        /* Transformers 5 calls every model tied; it scales the output of those that are. */
        if (i != LM_HEAD || p->config.scaled_output)
            return t5_fail(err, T5_ERR_INPUT,
                           "%s: the tensors %s and %s differ, they must be the same matrix",
                           p->directory, p->shared->name, copy->name);
        p->config.tied = false;
    }
    if (!p->config.tied && !head)
        return t5_fail(err, T5_ERR_INPUT,
                       "%s: there is no tensor %s, and config.json says that the output is not "
                       "tied to the embedding",
                       p->directory, copies[LM_HEAD]);
    p->shape = t5_shape_of_hf(&p->config); /* whether it is tied is settled now */
    return T5_OK;
}

/* ---- the other tensors ---- */

static const t5_weights_tensor *find_tensor(const t5_pretrained *p, const char *name) {
    return strcmp(name, copies[0]) == 0 ? p->shared : t5_weights_find(p->weights, name);
}

/* Tensors that carry nothing: one that older T5 checkpoints have, though cross-attention has no
 * relative positions (Transformers' T5 ignores the same one), and the embedding's copies. */
static bool is_harmless(const char *name) {
    for (int i = 0; i < N_COPIES; i++)
        if (strcmp(name, copies[i]) == 0)
            return true;
    return strcmp(name, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight") ==
           0;
}

static t5_status check_tensors(const t5_pretrained *p, const t5_param *params, int n,
                               t5_error *err) {
    for (int i = 0; i < n; i++) {
        const t5_weights_tensor *tensor = find_tensor(p, params[i].name);
        if (!tensor)
            return t5_fail(err, T5_ERR_INPUT, "%s: there is no tensor %s", p->directory,
                           params[i].name);
        if (check_dims(p, tensor, params[i].rows, params[i].cols, err) != T5_OK)
            return err->status;
    }
    for (int i = 0; i < t5_weights_size(p->weights); i++) {
        const char *name = t5_weights_at(p->weights, i)->name;
        bool known = is_harmless(name);
        for (int k = 0; k < n && !known; k++)
            known = strcmp(name, params[k].name) == 0;
        if (!known)
            return t5_fail(err, T5_ERR_INPUT,
                           "%s: tensor %.200s belongs to no T5 of config.json's kind and size",
                           p->directory, name);
    }
    return T5_OK;
}

/* ---- open, read, close ---- */

t5_status t5_pretrained_open(const char *directory, t5_pretrained **pretrained, t5_error *err) {
    t5_param *params = NULL;
    int n = 0;
    t5_pretrained *p = calloc(1, sizeof *p);
    *pretrained = NULL;
    if (!p || !(p->directory = strdup(directory))) {
        free(p);
        return t5_fail(err, T5_ERR_MEMORY, "%s: out of memory", directory);
    }
    pthread_mutex_init(&p->lock, NULL);
    t5_status status = t5_hf_config_read(directory, &p->config, err);
    p->shape = t5_shape_of_hf(&p->config);
    if (status == T5_OK)
        status = t5_weights_open(directory, &p->weights, err);
    if (status == T5_OK)
        status = find_embedding(p, err);
    if (status == T5_OK)
        status = t5_shape_list(&p->shape, &params, &n, err);
    if (status == T5_OK)
        status = check_tensors(p, params, n, err);
    free(params);
    if (status == T5_OK)
        *pretrained = p;
    else
        t5_pretrained_close(p);
    return status;
}

void t5_pretrained_close(t5_pretrained *p) {
    if (!p)
        return;
    t5_weights_close(p->weights);
    pthread_mutex_destroy(&p->lock);
    free(p->directory);
    free(p);
}

const t5_shape *t5_pretrained_shape(const t5_pretrained *p) {
    return &p->shape;
}

t5_hf_family t5_pretrained_family(const t5_pretrained *p) {
    return p->config.family;
}

t5_status t5_pretrained_read(t5_pretrained *p, const char *name, int64_t first, int64_t n,
                             float *out, t5_error *err) {
    const t5_weights_tensor *tensor = find_tensor(p, name);
    if (!tensor || first < 0 || n < 0 || first > tensor->count || n > tensor->count - first)
        return t5_fail(err, T5_ERR_INPUT, "%s: %.100s has no %lld elements from %lld on",
                       p->directory, name, (long long)n, (long long)first);
    pthread_mutex_lock(&p->lock);
    t5_status status = t5_weights_read(p->weights, tensor, first, n, out, err);
    pthread_mutex_unlock(&p->lock);
    return status;
}

static t5_status add_tensor(t5_pretrained *p, const char *name, const t5_weights_tensor *tensor,
                            uint64_t *sum, t5_error *err) {
    enum { MOST = 1024 };
    float values[MOST];
    int64_t n = tensor->count < MOST ? tensor->count : MOST;
    if (t5_weights_read(p->weights, tensor, 0, n, values, err) != T5_OK)
        return err->status;
    uint64_t h = XXH3_64bits(name, strlen(name));
    h = XXH3_64bits_withSeed(tensor->dims, (size_t)tensor->n_dims * sizeof *tensor->dims, h);
    *sum += XXH3_64bits_withSeed(values, (size_t)n * sizeof *values, h); /* in any order */
    return T5_OK;
}

static bool is_copy(const t5_pretrained *p, const char *name) {
    for (int i = 0; i < N_COPIES; i++)
        if (strcmp(name, copies[i]) == 0)
            return i != LM_HEAD || p->shape.tied;
    return false;
}

t5_status t5_pretrained_fingerprint(t5_pretrained *p, uint64_t *fingerprint, t5_error *err) {
    uint64_t sum = 0;
    pthread_mutex_lock(&p->lock);
    t5_status status = add_tensor(p, copies[0], p->shared, &sum, err);
    for (int i = 0; i < t5_weights_size(p->weights) && status == T5_OK; i++) {
        const t5_weights_tensor *tensor = t5_weights_at(p->weights, i);
        if (!is_copy(p, tensor->name))
            status = add_tensor(p, tensor->name, tensor, &sum, err);
    }
    pthread_mutex_unlock(&p->lock);
    *fingerprint = sum;
    return status;
}
