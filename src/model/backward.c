#include "model/internal.h"
#include <assert.h>

/* A backward pass in progress. beta is what products that write weight gradients keep of what is
 * there: 0 for the first micro-batch, so that nobody has to zero the arena. */
typedef struct pass {
    t5_model *m;
    float beta;
} pass;

/* Of y = x W^T: dW += dy^T x. */
static void weight_grad(const pass *b, t5_mat dy, t5_mat x, int64_t offset, float alpha) {
    t5_mat dw = {
        .p = t5_grad(b->m, offset), .type = T5_F32, .rows = dy.cols, .cols = x.cols, .ld = x.cols};
    b->m->dev->ops->matmul(b->m->dev, true, dy, false, x, alpha, b->beta, dw);
}

/* Of y = x W^T: dx = beta dx + dy W. */
static void input_grad(const pass *b, t5_mat dy, int64_t offset, float alpha, float beta,
                       t5_mat dx) {
    t5_mat w = t5_weight(b->m, offset, dy.cols, dx.cols);
    b->m->dev->ops->matmul(b->m->dev, false, dy, false, w, alpha, beta, dx);
}

/* Both, for a sublayer's y at the residual stream. */
static void linear(const pass *b, t5_mat dy, t5_mat x, int64_t offset, t5_mat dx) {
    weight_grad(b, dy, x, offset, 1);
    input_grad(b, dy, offset, 1, 0, dx);
}

/* From the gradient dh of a norm's output to that of the residual stream, w->dx, and from there to
 * w->y: that of the sublayer output `place` which the norm's forward added to the stream. place <
 * 0: the stream begins here. */
static void norm(const pass *b, int s, int layer, int64_t weight, const t5_norm_slot *slot,
                 int place) {
    t5_model *m = b->m;
    t5_stack_work *w = &m->work.stack[s];
    t5_mat dy = {0};
    t5_dropout drop = {0};
    if (place >= 0) {
        dy = w->y;
        drop = t5_dropout_at(m, s, layer, place);
    }
    m->dev->ops->norm_backward(m->dev, slot->x, t5_master(m, weight), slot->d_rstd, w->dh,
                               (t5_dropout){0}, true, w->dx, t5_grad(m, weight), dy, drop);
}

static void attention(const pass *b, int s, int l, bool cross, const t5_attention_slot *slot,
                      const t5_attention_slot *grad, int64_t o) {
    t5_model *m = b->m;
    linear(b, m->work.stack[s].y, slot->out, o, grad->out);
    t5_attention a = t5_attention_of(m, s, l, cross, slot);
    float *d_dbias = cross ? NULL : t5_grad(m, m->layout.stack[s].block[l].bias_table);
    m->dev->ops->attention_backward(m->dev, &a, slot->out, slot->d_lse, grad->out, grad->q, grad->k,
                                    grad->v, d_dbias);
}

static void self_attention(const pass *b, int s, int l) {
    const t5_block *block = &b->m->layout.stack[s].block[l];
    t5_stack_work *w = &b->m->work.stack[s];
    const t5_layer_slot *slot = &w->layer[l];
    attention(b, s, l, false, &slot->self, &w->dself, block->self_o);
    linear(b, w->dself.fused, slot->self_norm.h, block->self_qkv, w->dh);
    norm(b, s, l - 1, block->self_norm, &slot->self_norm, l > 0 ? T5_SITE_FF_OUT : -1);
}

/* Every decoder layer adds to the gradient of the encoder's output; the last layer comes first. */
static void cross_attention(const pass *b, int s, int l) {
    t5_model *m = b->m;
    const t5_block *block = &m->layout.stack[s].block[l];
    t5_stack_work *w = &m->work.stack[s];
    const t5_layer_slot *slot = &w->layer[l];
    attention(b, s, l, true, &slot->cross, &w->dcross, block->cross_o);
    linear(b, w->dcross.q, slot->cross_norm.h, block->cross_q, w->dh);
    weight_grad(b, w->dcross.fused, m->work.stack[T5_ENCODER].final.h, block->cross_kv, 1);
    input_grad(b, w->dcross.fused, block->cross_kv, 1, l == m->shape.dec_layers - 1 ? 0 : 1,
               m->work.dencoded);
    norm(b, s, l, block->cross_norm, &slot->cross_norm, T5_SITE_SELF_OUT);
}

static void feed_forward(const pass *b, int s, int l) {
    t5_model *m = b->m;
    const t5_block *block = &m->layout.stack[s].block[l];
    t5_stack_work *w = &m->work.stack[s];
    const t5_layer_slot *slot = &w->layer[l];
    linear(b, w->y, slot->ff_hidden, block->ff_out, w->dff_hidden);
    m->dev->ops->act_backward(m->dev, m->shape.act, slot->ff_in, slot->ff_hidden, w->dff_hidden,
                              w->dff_in, t5_dropout_at(m, s, l, T5_SITE_FF_HIDDEN));
    linear(b, w->dff_in, slot->ff_norm.h, block->ff_in, w->dh);
    norm(b, s, l, block->ff_norm, &slot->ff_norm,
         s == T5_DECODER ? T5_SITE_CROSS_OUT : T5_SITE_SELF_OUT);
}

/* dout (n, d_model), f32 or compute: gradient of the stack's output. */
static void begin_stack(const pass *b, int s, t5_mat dout) {
    t5_model *m = b->m;
    const t5_stack *stack = &m->layout.stack[s];
    t5_stack_work *w = &m->work.stack[s];
    m->dev->ops->norm_backward(m->dev, w->final.x, t5_master(m, stack->final_norm), w->final.d_rstd,
                               dout, t5_dropout_at(m, s, 0, T5_SITE_FINAL), false, w->dx,
                               t5_grad(m, stack->final_norm), w->y,
                               t5_dropout_at(m, s, stack->n_layers - 1, T5_SITE_FF_OUT));
}

static void end_stack(const pass *b, int s) {
    t5_model *m = b->m;
    t5_stack_work *w = &m->work.stack[s];
    t5_mat dtable = {.p = t5_grad(m, m->layout.shared),
                     .type = T5_F32,
                     .rows = m->shape.vocab,
                     .cols = m->shape.d_model,
                     .ld = m->shape.d_model};
    m->dev->ops->embed_backward(m->dev, w->dx, w->d_ids, dtable,
                                t5_dropout_at(m, s, 0, T5_SITE_EMBED));
}

static void begin_decoder(const pass *b) {
    const t5_work *w = &b->m->work;
    const t5_stack_work *dec = &w->stack[T5_DECODER];
    float alpha = t5_logit_scale(&b->m->shape);
    weight_grad(b, w->dlogits, dec->final.h, b->m->layout.lm_head, alpha);
    input_grad(b, w->dlogits, b->m->layout.lm_head, alpha, 0, dec->dh);
    begin_stack(b, T5_DECODER, dec->dh);
}

/* Layer i of t5_n_layers: of which stack, and which of its layers. */
static int layer_of(const t5_model *m, int i, int *l) {
    int s = i < m->shape.dec_layers ? T5_DECODER : T5_ENCODER;
    *l = s == T5_DECODER ? m->shape.dec_layers - 1 - i : t5_n_layers(m) - 1 - i;
    return s;
}

/* The next layer's parameters begin there (layout.c); behind the last layer's is what every layer
 * adds to. */
int64_t t5_layer_end(const t5_model *m, int i) {
    int l, s;
    if (i + 1 == t5_n_layers(m))
        return m->layout.n;
    s = layer_of(m, i + 1, &l);
    return m->layout.stack[s].block[l].ff_out;
}

static void zero_grad(t5_model *m, int64_t from) {
    size_t n = (size_t)(m->layout.n - from);
    m->dev->ops->zero(m->dev, t5_grad(m, from), n * sizeof(float));
}

void t5_queue_no_gradient(t5_model *m) {
    zero_grad(m, 0);
    m->dev->ops->zero(m->dev, &m->d_sums[T5_SUM_LOSS], sizeof *m->d_sums);
}

void t5_queue_backward(t5_model *m, bool first, int from, int to) {
    const pass b = {.m = m, .beta = first ? 0 : 1};
    if (from == 0 && to > 0) {
        if (first)
            zero_grad(m, m->layout.n_products);
        begin_decoder(&b);
    }
    for (int i = from; i < to; i++) {
        int l, s = layer_of(m, i, &l);
        if (i == m->shape.dec_layers)
            begin_stack(&b, T5_ENCODER, m->work.dencoded);
        feed_forward(&b, s, l);
        if (s == T5_DECODER)
            cross_attention(&b, s, l);
        self_attention(&b, s, l);
        if (l == 0)
            end_stack(&b, s);
    }
}

t5_status t5_model_backward(t5_model *m, const t5_input *in, const t5_loss_settings *loss,
                            float scale, bool first, t5_error *err) {
    assert(m->train);
    if (in->n_seq == 0 || in->n_dec == 0) { /* a rank's share of a small batch may be empty */
        if (first)
            t5_queue_no_gradient(m);
        return T5_OK;
    }
    t5_status status = t5_pass_begin(m, in, T5_PASS_TRAIN, true, m->drop_p, err);
    if (status != T5_OK)
        return status;
    m->scalars->drop_step = m->drop_step;
    m->scalars->scale = scale;
    t5_send_scalars(m);
    t5_queue_forward(m, loss, T5_PASS_TRAIN, first);
    t5_queue_backward(m, first, 0, t5_n_layers(m));
    return T5_OK;
}
