#include "model/internal.h"
#include <assert.h>
#include <math.h>

/* The residual stream on its way through a stack: where it is, and what the latest sublayer put
 * out, which the next norm adds to it while it reads it anyway. */
typedef struct stream {
    t5_mat x;
    t5_mat y; /* p NULL: nothing to add yet */
    t5_dropout drop;
} stream;

static void norm(t5_model *m, stream *in, int64_t weight, t5_norm_slot *slot, t5_dropout out_drop) {
    t5_mat x_out = slot->x;
    if (!in->y.p)
        x_out.p = NULL; /* the stream is not changed, and slot->x is where it begins */
    m->dev->ops->norm_forward(m->dev, in->x, in->y, in->drop, x_out, t5_master(m, weight),
                              m->shape.eps, slot->h, slot->d_rstd, out_drop);
    in->x = slot->x;
}

static void add_sublayer(t5_model *m, stream *x, int s, int layer, int place) {
    x->y = m->work.stack[s].y;
    x->drop = t5_dropout_at(m, s, layer, place);
}

void t5_linear(t5_model *m, t5_mat x, int64_t offset, t5_mat y) {
    m->dev->ops->matmul(m->dev, false, x, true, t5_weight(m, offset, y.cols, x.cols), 1, 0, y);
}

float t5_logit_scale(const t5_shape *shape) {
    return shape->tied && !shape->unscaled ? 1 / sqrtf((float)shape->d_model) : 1;
}

void t5_logits(t5_model *m, t5_mat h, t5_mat logits) {
    t5_mat w = t5_weight(m, m->layout.lm_head, m->shape.vocab, m->shape.d_model);
    m->dev->ops->matmul(m->dev, false, h, true, w, t5_logit_scale(&m->shape), 0, logits);
}

t5_attention t5_attention_of(const t5_model *m, int s, int layer, bool cross,
                             const t5_attention_slot *slot) {
    const t5_stack_work *q = &m->work.stack[s];
    const t5_stack_work *k = cross ? &m->work.stack[T5_ENCODER] : q;
    return (t5_attention){
        .n_seq = m->work.n_seq,
        .heads = m->shape.heads,
        .d_kv = m->shape.d_kv,
        .n_q = q->n,
        .max_q = q->max_len,
        .max_k = k->max_len,
        .d_q_start = q->d_start,
        .d_k_start = k->d_start,
        .d_k_len = k->d_len,
        .causal = s == T5_DECODER && !cross,
        .q = slot->q,
        .k = slot->k,
        .v = slot->v,
        .d_bias_table = cross ? NULL : t5_master(m, m->layout.stack[s].block[layer].bias_table),
        .buckets = m->shape.buckets,
        .max_distance = m->shape.max_distance,
        .causal_buckets = s == T5_DECODER && !cross,
        .drop = t5_dropout_at(m, s, layer, cross ? T5_SITE_CROSS_PROBS : T5_SITE_SELF_PROBS),
    };
}

static void attend(t5_model *m, int s, int l, bool cross, t5_attention_slot *slot, int64_t o) {
    t5_attention a = t5_attention_of(m, s, l, cross, slot);
    m->dev->ops->attention_forward(m->dev, &a, slot->out, slot->d_lse);
    t5_linear(m, slot->out, o, m->work.stack[s].y);
}

static void self_attention(t5_model *m, int s, int l, stream *x) {
    const t5_block *b = &m->layout.stack[s].block[l];
    t5_layer_slot *slot = &m->work.stack[s].layer[l];
    norm(m, x, b->self_norm, &slot->self_norm, (t5_dropout){0});
    t5_linear(m, slot->self_norm.h, b->self_qkv, slot->self.fused);
    attend(m, s, l, false, &slot->self, b->self_o);
    add_sublayer(m, x, s, l, T5_SITE_SELF_OUT);
}

static void cross_attention(t5_model *m, int s, int l, stream *x) {
    const t5_block *b = &m->layout.stack[s].block[l];
    t5_layer_slot *slot = &m->work.stack[s].layer[l];
    norm(m, x, b->cross_norm, &slot->cross_norm, (t5_dropout){0});
    t5_linear(m, slot->cross_norm.h, b->cross_q, slot->cross.q);
    t5_linear(m, m->work.stack[T5_ENCODER].final.h, b->cross_kv, slot->cross.fused);
    attend(m, s, l, true, &slot->cross, b->cross_o);
    add_sublayer(m, x, s, l, T5_SITE_CROSS_OUT);
}

static void feed_forward(t5_model *m, int s, int l, stream *x) {
    const t5_block *b = &m->layout.stack[s].block[l];
    t5_layer_slot *slot = &m->work.stack[s].layer[l];
    norm(m, x, b->ff_norm, &slot->ff_norm, (t5_dropout){0});
    t5_linear(m, slot->ff_norm.h, b->ff_in, slot->ff_in);
    m->dev->ops->act_forward(m->dev, m->shape.act, slot->ff_in, slot->ff_hidden,
                             t5_dropout_at(m, s, l, T5_SITE_FF_HIDDEN));
    t5_linear(m, slot->ff_hidden, b->ff_out, m->work.stack[s].y);
    add_sublayer(m, x, s, l, T5_SITE_FF_OUT);
}

void t5_stack_forward(t5_model *m, int s) {
    const t5_stack *stack = &m->layout.stack[s];
    t5_stack_work *w = &m->work.stack[s];
    t5_mat table = {.p = t5_master(m, m->layout.shared),
                    .type = T5_F32,
                    .rows = m->shape.vocab,
                    .cols = m->shape.d_model,
                    .ld = m->shape.d_model};
    stream x = {.x = w->layer[0].self_norm.x};
    m->dev->ops->embed_forward(m->dev, table, w->d_ids, x.x, t5_dropout_at(m, s, 0, T5_SITE_EMBED));
    for (int l = 0; l < stack->n_layers; l++) {
        self_attention(m, s, l, &x);
        if (s == T5_DECODER)
            cross_attention(m, s, l, &x);
        feed_forward(m, s, l, &x);
    }
    norm(m, &x, stack->final_norm, &w->final, t5_dropout_at(m, s, 0, T5_SITE_FINAL));
}

void t5_queue_forward(t5_model *m, const t5_loss_settings *loss, t5_pass_kind kind, bool first) {
    const t5_device_ops *ops = m->dev->ops;
    t5_work *w = &m->work;
    double *d_sum = &m->d_sums[T5_SUM_LOSS];
    if (first)
        ops->zero(m->dev, d_sum, sizeof *d_sum);
    t5_stack_forward(m, T5_ENCODER);
    t5_stack_forward(m, T5_DECODER);
    t5_logits(m, w->stack[T5_DECODER].final.h, w->logits);
    const t5_loss_args args = {
        .n = w->logits.rows,
        .vocab = m->shape.vocab,
        .logits = w->logits,
        .d_label = w->d_label,
        .focal = loss->focal,
        .smoothing = loss->smoothing,
        .gamma = loss->gamma,
        .alpha = loss->alpha,
        .d_scale = kind == T5_PASS_TRAIN ? &m->d_scalars->scale : NULL,
        .d_sum = d_sum,
        .dlogits = w->dlogits,
    };
    ops->loss(m->dev, &args);
}

t5_status t5_model_evaluate(t5_model *m, const t5_input *in, const t5_loss_settings *loss,
                            bool first, float *logits, t5_error *err) {
    if (in->n_seq == 0 || in->n_dec == 0) { /* a rank's share of a small batch may be empty */
        if (first)
            m->dev->ops->zero(m->dev, &m->d_sums[T5_SUM_LOSS], sizeof *m->d_sums);
        return T5_OK;
    }
    t5_status status = t5_pass_begin(m, in, T5_PASS_EVALUATE, true, 0, err);
    if (status != T5_OK)
        return status;
    t5_queue_forward(m, loss, T5_PASS_EVALUATE, first);
    if (!logits)
        return T5_OK;
    size_t bytes = (size_t)in->n_dec * (size_t)m->shape.vocab * sizeof *logits;
    return m->dev->ops->to_host(m->dev, logits, m->work.logits.p, bytes, err);
}

t5_status t5_model_loss_sum(t5_model *m, double *sum, t5_error *err) {
    return m->dev->ops->to_host(m->dev, sum, &m->d_sums[T5_SUM_LOSS], sizeof *sum, err);
}
