/* The operations of a decoding step: a function of the decoder's plan, settings and addresses, so
 * that a device can replay them. */
#include "model/decode_internal.h"

/* The rows that this step computes of a matrix that has room for more. */
static t5_mat lanes(const t5_decoder *d, t5_mat m) {
    m.rows = d->plan.lanes;
    return m;
}

/* Brings the caches into the order of the live sequences, see t5_decoder_cache. */
static void reorder(t5_decoder *d) {
    t5_device *dev = d->m->dev;
    const int layers = d->m->shape.dec_layers, length = d->settings.max_length;
    const bool shifted = d->plan.shifted;
    for (int i = 0; i < layers; i++) {
        const int l = shifted ? layers - 1 - i : i;
        const t5_mat from = t5_decoder_cache(d, !shifted, l), to = t5_decoder_cache(d, shifted, l);
        const size_t row_bytes = (size_t)from.ld * t5_dtype_size(from.type);
        dev->ops->gather_rows(dev, to.p, from.p, t5_decoder_block(d, STEP_PARENT), d->plan.lanes,
                              (size_t)d->plan.position * row_bytes, (size_t)length * row_bytes);
    }
}

static const t5_dropout no_dropout = {0};

/* x += y (unless y is NULL), h = norm(x) */
static void norm(t5_decoder *d, const t5_mat *y, int64_t weight) {
    const t5_mat none = {0};
    const t5_mat x = lanes(d, d->x);
    d->m->dev->ops->norm_forward(d->m->dev, x, y ? lanes(d, *y) : none, no_dropout, x,
                                 t5_master(d->m, weight), d->m->shape.eps, lanes(d, d->h),
                                 d->d_rstd, no_dropout);
}

/* What self- and cross-attention of this step have in common; kv = [k | v]. */
static t5_attention attention_over(const t5_decoder *d, t5_mat kv) {
    const t5_shape *s = &d->m->shape;
    t5_attention a = {.heads = s->heads,
                      .d_kv = s->d_kv,
                      .n_q = d->plan.lanes,
                      .q = lanes(d, d->q),
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
    const t5_mat cache = t5_decoder_cache(d, d->plan.shifted, l);
    t5_mat now = cache; /* the rows of this position: one of each sequence's cache */
    now.p = (char *)now.p + (size_t)(d->plan.position * now.ld) * t5_dtype_size(now.type);
    now.rows = d->plan.lanes;
    now.ld *= d->settings.max_length;
    t5_linear(m, lanes(d, d->h), b->self_qkv, lanes(d, d->q));
    t5_linear(m, lanes(d, d->h), b->self_qkv + inner * m->shape.d_model, now);
    t5_attention a = attention_over(d, cache);
    a.n_seq = d->plan.lanes;
    a.max_q = 1;
    a.max_k = d->plan.position + 1;
    a.d_q_start = t5_decoder_block(d, STEP_SELF_QUERY);
    a.d_k_start = t5_decoder_block(d, STEP_SELF_KEY);
    a.d_k_len = t5_decoder_block(d, STEP_SELF_LEN);
    a.q_offset = d->plan.position;
    a.d_bias_table = t5_master(m, b->bias_table);
    a.causal_buckets = true;
    m->dev->ops->attention_forward(m->dev, &a, lanes(d, d->attention), NULL);
    t5_linear(m, lanes(d, d->attention), b->self_o, lanes(d, d->y));
}

static void cross_attention(t5_decoder *d, int l) {
    t5_model *m = d->m;
    const t5_block *b = &m->layout.stack[T5_DECODER].block[l];
    t5_linear(m, lanes(d, d->h), b->cross_q, lanes(d, d->q));
    t5_attention a = attention_over(d, d->cross[l]);
    a.n_seq = d->plan.rows;
    a.max_q = d->plan.most_of_row;
    a.max_k = d->plan.longest_input;
    a.d_q_start = t5_decoder_block(d, STEP_CROSS_QUERY);
    a.d_k_start = t5_decoder_block(d, STEP_CROSS_KEY);
    a.d_k_len = t5_decoder_block(d, STEP_CROSS_LEN);
    m->dev->ops->attention_forward(m->dev, &a, lanes(d, d->attention), NULL);
    t5_linear(m, lanes(d, d->attention), b->cross_o, lanes(d, d->y));
}

static void feed_forward(t5_decoder *d, int l) {
    t5_model *m = d->m;
    const t5_block *b = &m->layout.stack[T5_DECODER].block[l];
    t5_linear(m, lanes(d, d->h), b->ff_in, lanes(d, d->ff_in));
    m->dev->ops->act_forward(m->dev, m->shape.act, lanes(d, d->ff_in), lanes(d, d->ff_hidden),
                             no_dropout);
    t5_linear(m, lanes(d, d->ff_hidden), b->ff_out, lanes(d, d->y));
}

static void forward(t5_decoder *d) {
    t5_model *m = d->m;
    const t5_stack *stack = &m->layout.stack[T5_DECODER];
    t5_mat table = {.p = t5_master(m, m->layout.shared),
                    .type = T5_F32,
                    .rows = m->shape.vocab,
                    .cols = m->shape.d_model,
                    .ld = m->shape.d_model};
    m->dev->ops->embed_forward(m->dev, table, t5_decoder_block(d, STEP_ID), lanes(d, d->x),
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
    t5_logits(m, lanes(d, d->h), lanes(d, d->logits));
}

/* The log of each row's sum of exponentials is its largest logit less that one's log-probability.
 * topk overwrites what it looks through, so it is given copies. */
static void log_totals(t5_decoder *d) {
    t5_device *dev = d->m->dev;
    const int n = d->plan.lanes;
    float *d_best = (float *)(void *)(d->d_result + t5_decoder_best_at(d, n));
    for (int i = 0; i < 2; i++) {
        const t5_topk_args best = {.n = n,
                                   .vocab = d->m->shape.vocab,
                                   .logits = lanes(d, d->copy),
                                   .log_softmax = i == 1,
                                   .penalty = 1.0f,
                                   .k = 1,
                                   .d_value = d_best + (size_t)i * (size_t)n,
                                   .d_id = d->d_unread};
        dev->ops->copy(dev, d->copy.p, d->logits.p,
                       (size_t)n * (size_t)d->logits.ld * sizeof(float));
        dev->ops->topk(dev, &best);
    }
}

void t5_decoder_queue(void *arg) {
    t5_decoder *d = arg;
    t5_device *dev = d->m->dev;
    const int n = d->plan.lanes;
    if (d->plan.reorder)
        reorder(d);
    forward(d);
    if (d->settings.log_total)
        log_totals(d);
    const t5_topk_args topk = {.n = n,
                               .vocab = d->m->shape.vocab,
                               .logits = lanes(d, d->logits),
                               .log_softmax = d->settings.log_softmax,
                               .penalty = d->settings.penalty,
                               .d_history = d->d_history,
                               .history_len = d->plan.position + 1,
                               .history_ld = d->settings.max_length,
                               .d_allowed = d->settings.allowed ? d->d_allowed : NULL,
                               .k = d->settings.k,
                               .d_value = (float *)(void *)d->d_result,
                               .d_id = (int32_t *)(void *)(d->d_result + t5_decoder_id_at(d, n))};
    dev->ops->topk(dev, &topk);
}
