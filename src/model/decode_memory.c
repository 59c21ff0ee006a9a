/* The memory of a decoder: host arrays, and one block on the device. */
#include "model/decode_internal.h"
#include <stdlib.h>

/* Hands out 64-byte aligned pieces of a block; base NULL only adds up. */
typedef struct cursor {
    char *base;
    size_t used;
} cursor;

static void *take(cursor *c, size_t bytes) {
    void *p = c->base ? c->base + c->used : NULL;
    c->used += (bytes + 63) / 64 * 64;
    return p;
}

static t5_mat take_mat(cursor *c, t5_dtype type, int64_t rows, int64_t cols) {
    return (t5_mat){.p = take(c, (size_t)(rows * cols) * t5_dtype_size(type)),
                    .type = type,
                    .rows = rows,
                    .cols = cols,
                    .ld = cols};
}

static void lay_out(t5_decoder *d, int n_enc, cursor *c) {
    const t5_shape *s = &d->m->shape;
    const t5_dtype type = d->m->compute;
    const int64_t n = d->live.capacity, inner = t5_inner(s), length = d->settings.max_length;
    const size_t ints = (size_t)n * sizeof(int32_t), k = (size_t)d->settings.k;
    d->d_step = take(c, STEP_BLOCKS * (ints + sizeof(int32_t)));
    d->d_history = take(c, ints * (size_t)length);
    d->d_allowed = take(c, d->settings.allowed ? (size_t)s->vocab : 0);
    d->d_value = take(c, (size_t)n * k * sizeof(float));
    d->d_id = take(c, ints * k);
    d->d_rstd = take(c, (size_t)n * sizeof(float));
    d->x = take_mat(c, T5_F32, n, s->d_model);
    d->h = take_mat(c, type, n, s->d_model);
    d->y = take_mat(c, type, n, s->d_model);
    d->q = take_mat(c, type, n, inner);
    d->attention = take_mat(c, type, n, inner);
    d->ff_in = take_mat(c, type, n, t5_ff_in(s));
    d->ff_hidden = s->act == T5_ACTIVATION_RELU ? d->ff_in : take_mat(c, type, n, s->d_ff);
    d->logits = take_mat(c, T5_F32, n, s->vocab);
    if (d->settings.log_total) {
        d->copy = take_mat(c, T5_F32, n, s->vocab);
        d->d_best = take(c, 2 * (size_t)n * sizeof(float));
        d->d_best_id = take(c, ints);
    }
    for (int l = 0; l < s->dec_layers; l++) {
        d->cross[l] = take_mat(c, type, n_enc, 2 * inner);
        d->cache[l] = take_mat(c, type, n * length, 2 * inner);
    }
    d->spare = take_mat(c, type, n * length, 2 * inner);
}

static t5_status allocate_host(t5_decoder *d, int n_rows, t5_error *err) {
    const size_t n = (size_t)n_rows * (size_t)d->settings.width, k = (size_t)d->settings.k;
    const size_t layers = (size_t)d->m->shape.dec_layers;
    const bool live = t5_live_init(&d->live, n_rows, d->settings.width, d->settings.max_length,
                                   d->m->shape.start_id);
    d->step = calloc(STEP_BLOCKS * (n + 1), sizeof *d->step);
    d->rows = calloc(2 * (size_t)n_rows, sizeof *d->rows);
    d->value = calloc(n * k, sizeof *d->value);
    d->id = calloc(n * k, sizeof *d->id);
    d->best = d->settings.log_total ? calloc(2 * n, sizeof *d->best) : NULL;
    d->cross = calloc(layers, sizeof *d->cross);
    d->cache = calloc(layers, sizeof *d->cache);
    if (!live || !d->step || !d->rows || !d->value || !d->id || !d->cross || !d->cache ||
        (d->settings.log_total && !d->best))
        return t5_fail(err, T5_ERR_MEMORY, "generation: out of memory for %zu sequences", n);
    return T5_OK;
}

static t5_status allocate_device(t5_decoder *d, int n_enc, t5_error *err) {
    t5_device *dev = d->m->dev;
    cursor c = {0};
    void *block = NULL;
    lay_out(d, n_enc, &c);
    t5_status status = dev->ops->alloc(dev, c.used, &block, err);
    if (status != T5_OK)
        return t5_error_prefix(err, "generation");
    d->d_block = block;
    c = (cursor){d->d_block, 0};
    lay_out(d, n_enc, &c);
    return T5_OK;
}

t5_status t5_decoder_allocate(t5_decoder *d, int n_rows, int n_enc, t5_error *err) {
    t5_status status = allocate_host(d, n_rows, err);
    return status == T5_OK ? allocate_device(d, n_enc, err) : status;
}

void t5_decoder_close(t5_decoder *d) {
    if (!d)
        return;
    d->m->dev->ops->free(d->m->dev, d->d_block);
    t5_live_free(&d->live);
    free(d->step);
    free(d->rows);
    free(d->value);
    free(d->id);
    free(d->best);
    free(d->cross);
    free(d->cache);
    free(d);
}
