#include "model/decode.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Integers sent to the device before each step, one block of (capacity + 1) each. In self-attention
 * every live sequence has its own keys; in cross-attention the live sequences of a row are one
 * sequence of several queries, so that their common keys are read once. */
enum {
    STEP_ID,
    STEP_PARENT,
    STEP_SELF_QUERY,
    STEP_SELF_KEY,
    STEP_SELF_LEN,
    STEP_CROSS_QUERY,
    STEP_CROSS_KEY,
    STEP_CROSS_LEN,
    STEP_BLOCKS
};

struct t5_decoder {
    t5_model *m;
    t5_decode_settings settings;
    t5_live live;
    int live_rows;   /* rows that the live sequences are of */
    int most_of_row; /* live sequences of the row that has most of them */

    /* host */
    int32_t *step;                      /* STEP_BLOCKS blocks */
    const int32_t *enc_start, *enc_len; /* (rows) of the input; point into `rows` */
    int32_t *rows;
    float *value; /* (capacity, k) */
    int32_t *id;

    /* device: one block, the views point into it */
    char *d_block;
    int32_t *d_step, *d_history;
    uint8_t *d_allowed;
    float *d_value, *d_rstd;
    int32_t *d_id;
    t5_mat x;            /* (capacity, d_model) f32 residual stream */
    t5_mat h, y;         /* (capacity, d_model) a norm's and a sublayer's output */
    t5_mat q, attention; /* (capacity, inner) */
    t5_mat ff_in, ff_hidden;
    t5_mat logits; /* (capacity, vocab) f32 */
    t5_mat *cross; /* by layer: (n_enc, 2 inner) [k | v] of the encoder's output */
    t5_mat *cache; /* by layer: (capacity * max_length, 2 inner) [k | v] of the tokens so far */
    t5_mat spare;  /* like one layer's cache: what a reordered cache is gathered into */
};

/* ---------------------------------------------------------------- memory */

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
    d->cross = calloc(layers, sizeof *d->cross);
    d->cache = calloc(layers, sizeof *d->cache);
    if (!live || !d->step || !d->rows || !d->value || !d->id || !d->cross || !d->cache)
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

void t5_decoder_close(t5_decoder *d) {
    if (!d)
        return;
    d->m->dev->ops->free(d->m->dev, d->d_block);
    t5_live_free(&d->live);
    free(d->step);
    free(d->rows);
    free(d->value);
    free(d->id);
    free(d->cross);
    free(d->cache);
    free(d);
}

static int32_t *step_block(const t5_decoder *d, int which) {
    return d->step + (size_t)which * (size_t)(d->live.capacity + 1);
}
static const int32_t *d_step_block(const t5_decoder *d, int which) {
    return d->d_step + (size_t)which * (size_t)(d->live.capacity + 1);
}

/* ---------------------------------------------------------------- opening */

/* The first `n` rows of a matrix that has room for more. */
static t5_mat top(t5_mat m, int64_t n) {
    m.rows = n;
    return m;
}

/* Key and value of every encoder token, for every decoder layer. */
static void encode(t5_decoder *d) {
    t5_model *m = d->m;
    t5_stack_forward(m, T5_ENCODER);
    for (int l = 0; l < m->shape.dec_layers; l++)
        t5_linear(m, m->work.stack[T5_ENCODER].final.h,
                  m->layout.stack[T5_DECODER].block[l].cross_kv, d->cross[l]);
}

/* What stays as it is over all steps. */
static void prepare(t5_decoder *d, const t5_input *in) {
    t5_device *dev = d->m->dev;
    const int length = d->settings.max_length;
    for (int s = 0; s < in->n_seq; s++) {
        d->rows[s] = in->enc_start[s];
        d->rows[in->n_seq + s] = in->enc_start[s + 1] - in->enc_start[s];
    }
    d->enc_start = d->rows;
    d->enc_len = d->rows + in->n_seq;
    for (int i = 0; i <= d->live.capacity; i++) {
        step_block(d, STEP_SELF_QUERY)[i] = i;
        step_block(d, STEP_SELF_KEY)[i] = i * length;
    }
    if (d->settings.allowed)
        dev->ops->to_device(dev, d->d_allowed, d->settings.allowed, (size_t)d->m->shape.vocab);
}

t5_status t5_decoder_open(t5_model *model, const t5_input *in, const t5_decode_settings *settings,
                          t5_decoder **decoder, t5_error *err) {
    assert(in->n_seq >= 1 && settings->width >= 1 && settings->max_length >= 1 && settings->k >= 1);
    t5_decoder *d = calloc(1, sizeof *d);
    if (!d)
        return t5_fail(err, T5_ERR_MEMORY, "generation: out of memory");
    d->m = model;
    d->settings = *settings;
    t5_status status = t5_pass_begin(model, in, T5_PASS_EVALUATE, false, 0.0f, err);
    if (status == T5_OK)
        status = allocate_host(d, in->n_seq, err);
    if (status == T5_OK)
        status = allocate_device(d, in->n_enc, err);
    if (status == T5_OK) {
        encode(d);
        prepare(d, in);
        status = model->dev->ops->sync(model->dev, err); /* the staging is free again */
    }
    if (status != T5_OK) {
        t5_decoder_close(d);
        d = NULL;
    }
    *decoder = d;
    return status;
}

/* ---------------------------------------------------------------- a step */

/* The queries and keys of cross-attention: one entry for each run of live sequences of a row. */
static void group_rows(t5_decoder *d) {
    int32_t *query = step_block(d, STEP_CROSS_QUERY);
    int n = 0;
    d->most_of_row = 0;
    for (int i = 0; i < d->live.n; i++) {
        if (i == 0 || d->live.row[i] != d->live.row[i - 1]) {
            query[n] = i;
            step_block(d, STEP_CROSS_KEY)[n] = d->enc_start[d->live.row[i]];
            step_block(d, STEP_CROSS_LEN)[n++] = d->enc_len[d->live.row[i]];
        }
        if (i + 1 - query[n - 1] > d->most_of_row)
            d->most_of_row = i + 1 - query[n - 1];
    }
    query[n] = d->live.n;
    d->live_rows = n;
}

/* Sends this step's integers and brings the caches into the order of the live sequences. */
static void send_step(t5_decoder *d) {
    t5_device *dev = d->m->dev;
    const int length = d->settings.max_length;
    for (int i = 0; i < d->live.n; i++) {
        step_block(d, STEP_ID)[i] =
            d->live.history[(size_t)i * (size_t)length + (size_t)d->live.position];
        step_block(d, STEP_PARENT)[i] = d->live.parent[i];
        step_block(d, STEP_SELF_LEN)[i] = d->live.position + 1;
    }
    group_rows(d);
    dev->ops->to_device(dev, d->d_step, d->step,
                        STEP_BLOCKS * (size_t)(d->live.capacity + 1) * sizeof *d->step);
    if (d->settings.penalty != 1.0f)
        dev->ops->to_device(dev, d->d_history, d->live.history,
                            (size_t)d->live.n * (size_t)length * sizeof *d->live.history);
    for (int l = 0; d->live.moved && l < d->m->shape.dec_layers; l++) {
        const size_t row_bytes = (size_t)d->spare.ld * t5_dtype_size(d->spare.type);
        t5_mat gathered = d->spare;
        dev->ops->gather_rows(dev, gathered.p, d->cache[l].p, d_step_block(d, STEP_PARENT),
                              d->live.n, (size_t)d->live.position * row_bytes,
                              (size_t)length * row_bytes);
        d->spare = d->cache[l];
        d->cache[l] = gathered;
    }
}

static const t5_dropout no_dropout = {0};

/* x += y (unless y is NULL), h = norm(x) */
static void norm(t5_decoder *d, const t5_mat *y, int64_t weight) {
    const t5_mat none = {0};
    t5_mat x = top(d->x, d->live.n);
    d->m->dev->ops->norm_forward(d->m->dev, x, y ? top(*y, d->live.n) : none, no_dropout, x,
                                 t5_master(d->m, weight), d->m->shape.eps, top(d->h, d->live.n),
                                 d->d_rstd, no_dropout);
}

/* What self- and cross-attention of this step have in common; kv = [k | v]. */
static t5_attention attention_over(const t5_decoder *d, t5_mat kv) {
    const t5_shape *s = &d->m->shape;
    t5_attention a = {.heads = s->heads,
                      .d_kv = s->d_kv,
                      .n_q = d->live.n,
                      .q = top(d->q, d->live.n),
                      .k = kv,
                      .v = kv,
                      .buckets = s->buckets,
                      .max_distance = s->max_distance};
    a.k.cols = a.v.cols = t5_inner(s);
    a.v.p = (char *)kv.p + (size_t)a.k.cols * t5_dtype_size(kv.type);
    return a;
}

static void self_attention(t5_decoder *d, int l) {
    t5_model *m = d->m;
    const t5_block *b = &m->layout.stack[T5_DECODER].block[l];
    const int64_t inner = t5_inner(&m->shape);
    t5_mat now = d->cache[l]; /* the rows of this position: one of each sequence's cache */
    now.p = (char *)now.p + (size_t)(d->live.position * now.ld) * t5_dtype_size(now.type);
    now.rows = d->live.n;
    now.ld *= d->settings.max_length;
    t5_linear(m, top(d->h, d->live.n), b->self_qkv, top(d->q, d->live.n));
    t5_linear(m, top(d->h, d->live.n), b->self_qkv + inner * m->shape.d_model, now);
    t5_attention a = attention_over(d, d->cache[l]);
    a.n_seq = d->live.n;
    a.max_q = 1;
    a.max_k = d->live.position + 1;
    a.d_q_start = d_step_block(d, STEP_SELF_QUERY);
    a.d_k_start = d_step_block(d, STEP_SELF_KEY);
    a.d_k_len = d_step_block(d, STEP_SELF_LEN);
    a.q_offset = d->live.position;
    a.d_bias_table = t5_master(m, b->bias_table);
    a.causal_buckets = true;
    m->dev->ops->attention_forward(m->dev, &a, top(d->attention, d->live.n), NULL);
    t5_linear(m, top(d->attention, d->live.n), b->self_o, top(d->y, d->live.n));
}

static void cross_attention(t5_decoder *d, int l) {
    t5_model *m = d->m;
    const t5_block *b = &m->layout.stack[T5_DECODER].block[l];
    t5_linear(m, top(d->h, d->live.n), b->cross_q, top(d->q, d->live.n));
    t5_attention a = attention_over(d, d->cross[l]);
    a.n_seq = d->live_rows;
    a.max_q = d->most_of_row;
    a.max_k = m->work.stack[T5_ENCODER].max_len;
    a.d_q_start = d_step_block(d, STEP_CROSS_QUERY);
    a.d_k_start = d_step_block(d, STEP_CROSS_KEY);
    a.d_k_len = d_step_block(d, STEP_CROSS_LEN);
    m->dev->ops->attention_forward(m->dev, &a, top(d->attention, d->live.n), NULL);
    t5_linear(m, top(d->attention, d->live.n), b->cross_o, top(d->y, d->live.n));
}

static void feed_forward(t5_decoder *d, int l) {
    t5_model *m = d->m;
    const t5_block *b = &m->layout.stack[T5_DECODER].block[l];
    t5_linear(m, top(d->h, d->live.n), b->ff_in, top(d->ff_in, d->live.n));
    m->dev->ops->act_forward(m->dev, m->shape.act, top(d->ff_in, d->live.n),
                             top(d->ff_hidden, d->live.n), no_dropout);
    t5_linear(m, top(d->ff_hidden, d->live.n), b->ff_out, top(d->y, d->live.n));
}

static void forward(t5_decoder *d) {
    t5_model *m = d->m;
    const t5_stack *stack = &m->layout.stack[T5_DECODER];
    t5_mat table = {.p = t5_master(m, m->layout.shared),
                    .type = T5_F32,
                    .rows = m->shape.vocab,
                    .cols = m->shape.d_model,
                    .ld = m->shape.d_model};
    m->dev->ops->embed_forward(m->dev, table, d_step_block(d, STEP_ID), top(d->x, d->live.n),
                               no_dropout);
    for (int l = 0; l < stack->n_layers; l++) {
        norm(d, l > 0 ? &d->y : NULL, stack->block[l].self_norm);
        self_attention(d, l);
        norm(d, &d->y, stack->block[l].cross_norm);
        cross_attention(d, l);
        norm(d, &d->y, stack->block[l].ff_norm);
        feed_forward(d, l);
    }
    norm(d, &d->y, stack->final_norm);
    t5_logits(m, top(d->h, d->live.n), top(d->logits, d->live.n));
}

t5_status t5_decoder_step(t5_decoder *d, const float **value, const int32_t **id, t5_error *err) {
    t5_device *dev = d->m->dev;
    const size_t n = (size_t)d->live.n * (size_t)d->settings.k;
    assert(d->live.n >= 1 && d->live.position < d->settings.max_length);
    send_step(d);
    forward(d);
    t5_topk_args topk = {.n = d->live.n,
                         .vocab = d->m->shape.vocab,
                         .logits = top(d->logits, d->live.n),
                         .log_softmax = d->settings.log_softmax,
                         .penalty = d->settings.penalty,
                         .d_history = d->d_history,
                         .history_len = d->live.position + 1,
                         .history_ld = d->settings.max_length,
                         .d_allowed = d->settings.allowed ? d->d_allowed : NULL,
                         .k = d->settings.k,
                         .d_value = d->d_value,
                         .d_id = d->d_id};
    dev->ops->topk(dev, &topk);
    t5_status status = dev->ops->to_host(dev, d->value, d->d_value, n * sizeof *d->value, err);
    if (status == T5_OK)
        status = dev->ops->to_host(dev, d->id, d->d_id, n * sizeof *d->id, err);
    *value = d->value;
    *id = d->id;
    return status;
}

void t5_decoder_advance(t5_decoder *d, int n, const int *parent, const int32_t *token) {
    t5_live_advance(&d->live, n, parent, token);
}

const t5_live *t5_decoder_live(const t5_decoder *d) {
    return &d->live;
}
