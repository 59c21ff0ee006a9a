/* The memory of a decoder: host arrays, and one block on the device. Where the device replays steps
 * the model keeps its decoder, since a kept step has its addresses. */
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

static void lay_out(t5_decoder *d, cursor *c) {
    const t5_shape *s = &d->m->shape;
    const t5_dtype type = d->m->compute;
    const int64_t n = d->capacity, inner = t5_inner(s), length = d->settings.max_length;
    const size_t ints = (size_t)n * sizeof(int32_t);
    d->d_step = take(c, STEP_BLOCKS * (ints + sizeof(int32_t)));
    d->d_history = take(c, ints * (size_t)length);
    d->d_allowed = take(c, d->settings.allowed ? (size_t)s->vocab : 0);
    d->d_result = take(c, t5_decoder_result_bytes(d, d->capacity));
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
        d->d_unread = take(c, ints);
    }
    for (int l = 0; l < s->dec_layers; l++)
        d->cross[l] = take_mat(c, type, d->capacity_enc, 2 * inner);
    for (int l = 0; l <= s->dec_layers; l++)
        d->slot[l] = take_mat(c, type, n * length, 2 * inner);
}

static t5_status allocate_host(t5_decoder *d, t5_error *err) {
    const size_t n = (size_t)d->capacity, rows = (size_t)d->capacity_rows;
    const size_t layers = (size_t)d->m->shape.dec_layers;
    d->step = calloc(STEP_BLOCKS * (n + 1), sizeof *d->step);
    d->enc_start = calloc(rows, sizeof *d->enc_start);
    d->enc_len = calloc(rows, sizeof *d->enc_len);
    d->result = calloc(1, t5_decoder_result_bytes(d, d->capacity));
    d->cross = calloc(layers, sizeof *d->cross);
    d->slot = calloc(layers + 1, sizeof *d->slot);
    if (!d->step || !d->enc_start || !d->enc_len || !d->result || !d->cross || !d->slot)
        return t5_fail(err, T5_ERR_MEMORY, "generation: out of memory for %zu sequences", n);
    return T5_OK;
}

static t5_status allocate_device(t5_decoder *d, t5_error *err) {
    t5_device *dev = d->m->dev;
    cursor c = {0};
    void *block = NULL;
    lay_out(d, &c);
    t5_status status = dev->ops->alloc(dev, c.used, &block, err);
    if (status != T5_OK)
        return t5_error_prefix(err, "generation");
    d->d_block = block;
    c = (cursor){d->d_block, 0};
    lay_out(d, &c);
    return T5_OK;
}

void t5_decoder_destroy(t5_decoder *d) {
    if (!d)
        return;
    t5_replays_forget(&d->replays, d->m->dev);
    d->m->dev->ops->free(d->m->dev, d->d_block);
    t5_live_free(&d->live);
    free(d->step);
    free(d->enc_start);
    free(d->enc_len);
    free(d->result);
    free(d->cross);
    free(d->slot);
    free(d);
}

/* Whether the decoder can do with these settings what it was made for. */
static bool serves(const t5_decoder *d, const t5_decode_settings *s, int n_rows, int n_enc) {
    const t5_decode_settings *own = &d->settings;
    return n_rows <= d->capacity_rows && n_enc <= d->capacity_enc && s->width == own->width &&
           s->max_length == own->max_length && s->k == own->k &&
           s->log_softmax == own->log_softmax && s->log_total == own->log_total &&
           s->penalty == own->penalty && !s->allowed == !own->allowed;
}

/* One that is kept has room for some more encoder tokens, of which every batch has another number.
 */
static t5_status create(t5_model *m, const t5_decode_settings *settings, int n_rows, int n_enc,
                        t5_decoder **decoder, t5_error *err) {
    t5_decoder *d = calloc(1, sizeof *d);
    if (!d)
        return t5_fail(err, T5_ERR_MEMORY, "generation: out of memory");
    d->m = m;
    d->settings = *settings;
    d->capacity_rows = n_rows;
    d->capacity = n_rows * settings->width;
    d->capacity_enc = m->dev->replays && n_enc < INT32_MAX / 2 ? n_enc + n_enc / 4 : n_enc;
    t5_status status = allocate_host(d, err);
    if (status == T5_OK)
        status = allocate_device(d, err);
    if (status != T5_OK) {
        t5_decoder_destroy(d);
        d = NULL;
    }
    *decoder = d;
    return status;
}

t5_status t5_decoder_take(t5_model *m, const t5_decode_settings *settings, int n_rows, int n_enc,
                          t5_decoder **decoder, t5_error *err) {
    t5_decoder *d = m->decoder;
    t5_status status = T5_OK;
    m->decoder = NULL;
    if (d && !serves(d, settings, n_rows, n_enc)) { /* the old one's memory goes first */
        t5_decoder_destroy(d);
        d = NULL;
    }
    if (!d)
        status = create(m, settings, n_rows, n_enc, &d, err);
    if (status == T5_OK) {
        d->settings.allowed = settings->allowed;
        d->sound = false;
        t5_live_free(&d->live);
        if (!t5_live_init(&d->live, n_rows, settings->width, settings->max_length,
                          m->shape.start_id))
            status = t5_fail(err, T5_ERR_MEMORY, "generation: out of memory for %d rows", n_rows);
    }
    if (status != T5_OK) {
        t5_decoder_destroy(d);
        d = NULL;
    }
    *decoder = d;
    return status;
}

void t5_decoder_close(t5_decoder *d) {
    if (!d)
        return;
    if (d->m->dev->replays && d->sound)
        d->m->decoder = d;
    else
        t5_decoder_destroy(d);
}
