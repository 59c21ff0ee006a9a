#include "model/decode_internal.h"
#include <assert.h>
#include <stdlib.h>

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
        status = t5_decoder_allocate(d, in->n_seq, in->n_enc, err);
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

/* The log of each row's sum of exponentials is its largest logit less that one's log-probability.
 * topk overwrites what it looks through, so it is given copies. */
static t5_status log_totals(t5_decoder *d, t5_error *err) {
    t5_device *dev = d->m->dev;
    const int n = d->live.n;
    for (int i = 0; i < 2; i++) {
        const t5_topk_args best = {.n = n,
                                   .vocab = d->m->shape.vocab,
                                   .logits = top(d->copy, n),
                                   .log_softmax = i == 1,
                                   .penalty = 1.0f,
                                   .k = 1,
                                   .d_value = d->d_best + i * n,
                                   .d_id = d->d_best_id};
        dev->ops->copy(dev, d->copy.p, d->logits.p,
                       (size_t)n * (size_t)d->logits.ld * sizeof(float));
        dev->ops->topk(dev, &best);
    }
    t5_status status =
        dev->ops->to_host(dev, d->best, d->d_best, 2 * (size_t)n * sizeof *d->best, err);
    for (int i = 0; status == T5_OK && i < n; i++)
        d->best[i] -= d->best[n + i];
    return status;
}

t5_status t5_decoder_step(t5_decoder *d, t5_candidates *candidates, t5_error *err) {
    t5_device *dev = d->m->dev;
    const size_t n = (size_t)d->live.n * (size_t)d->settings.k;
    assert(d->live.n >= 1 && d->live.position < d->settings.max_length);
    send_step(d);
    forward(d);
    if (d->settings.log_total && log_totals(d, err) != T5_OK)
        return err->status;
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
    *candidates = (t5_candidates){d->value, d->id, d->best};
    return status;
}

void t5_decoder_advance(t5_decoder *d, int n, const int *parent, const int32_t *token) {
    t5_live_advance(&d->live, n, parent, token);
}

const t5_live *t5_decoder_live(const t5_decoder *d) {
    return &d->live;
}
