/* A plain T5 in double precision, one sequence at a time, loops only: what the tests hold the model
 * against. It finds weights by name, so it does not depend on the layout of the arenas; dropout
 * masks are recomputed from the formula in device/device.h and the sites in model/internal.h. */
#ifndef T5_TESTS_MODEL_REFERENCE_H
#define T5_TESTS_MODEL_REFERENCE_H
#include "base/rng.h"
#include "model/internal.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ref_t5 {
    const t5_model *model; /* shape and parameter table only */
    double *w;             /* (n_arena) weights */
    float drop_p;
    uint32_t drop_seed, drop_step;
} ref_t5;

/* One sequence on its way through a stack. */
typedef struct ref_stack {
    const ref_t5 *r;
    int s, n;
    uint32_t row;
    double *x; /* (n, d_model) */
} ref_stack;

static inline double *ref_alloc(int64_t n) {
    double *p = calloc((size_t)n + 1, sizeof *p);
    if (!p)
        abort();
    return p;
}

/* The weight called "STACK.block.L.layer.SUB.NAME.weight". */
static inline const double *ref_weight(const ref_t5 *r, const char *format, ...) {
    char name[128];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    for (int i = 0; i < t5_model_n_params(r->model); i++)
        if (strcmp(t5_model_param(r->model, i)->name, name) == 0)
            return r->w + t5_model_param(r->model, i)->offset;
    fprintf(stderr, "the reference misses %s\n", name);
    abort();
}

static inline const double *ref_in_block(const ref_stack *k, int layer, int sub, const char *what) {
    return ref_weight(k->r, "%s.block.%d.layer.%d.%s.weight",
                      k->s == T5_ENCODER ? "encoder" : "decoder", layer, sub, what);
}

/* 0, or 1 / (1 - p): what dropout multiplies feature j of the token at `pos` by. */
static inline double ref_keep(const ref_stack *k, int layer, int place, int pos, uint32_t j) {
    const ref_t5 *r = k->r;
    if (r->drop_p == 0)
        return 1;
    uint32_t site =
        (uint32_t)T5_RNG_DROPOUT | (uint32_t)k->s << 20 | (uint32_t)layer << 4 | (uint32_t)place;
    const uint32_t counter[4] = {site, k->row, (uint32_t)pos, j / 4};
    const uint32_t key[2] = {r->drop_seed, r->drop_step};
    uint32_t word[4];
    t5_philox(counter, key, word);
    bool dropped = word[j % 4] < (uint32_t)((double)r->drop_p * 4294967296.0);
    return dropped ? 0 : 1 / (1 - (double)r->drop_p);
}

static inline void ref_dropout(const ref_stack *k, int layer, int place, double *x, int width) {
    for (int t = 0; t < k->n; t++)
        for (int j = 0; j < width; j++)
            x[t * width + j] *= ref_keep(k, layer, place, t, (uint32_t)j);
}

/* A new (n, d_model) array: x / sqrt(mean(x^2) + eps) * w. */
static inline double *ref_norm(const ref_stack *k, const double *w) {
    int d = k->r->model->shape.d_model;
    double *h = ref_alloc((int64_t)k->n * d);
    for (int t = 0; t < k->n; t++) {
        double sum = 0;
        for (int j = 0; j < d; j++)
            sum += k->x[t * d + j] * k->x[t * d + j];
        double scale = 1 / sqrt(sum / d + (double)k->r->model->shape.eps);
        for (int j = 0; j < d; j++)
            h[t * d + j] = k->x[t * d + j] * scale * w[j];
    }
    return h;
}

/* A new (n, out) array: x (n, in) W^T. */
static inline double *ref_linear(const double *x, int n, int in, const double *w, int out) {
    double *y = ref_alloc((int64_t)n * out);
    for (int t = 0; t < n; t++)
        for (int o = 0; o < out; o++)
            for (int i = 0; i < in; i++)
                y[t * out + o] += x[t * in + i] * w[o * in + i];
    return y;
}

/* x += dropout(y); frees y. */
static inline void ref_add(ref_stack *k, int layer, int place, double *y) {
    int d = k->r->model->shape.d_model;
    ref_dropout(k, layer, place, y, d);
    for (int i = 0; i < k->n * d; i++)
        k->x[i] += y[i];
    free(y);
}

/* Probabilities p (n_k) of one head's query t: softmax of products and bias, then dropout. */
static inline void ref_probabilities(const ref_stack *k, int layer, int place, int t, int head,
                                     const double *q, const double *keys, int n_k,
                                     const double *bias, double *p) {
    const t5_shape *shape = &k->r->model->shape;
    int inner = t5_inner(shape);
    bool causal = bias && k->s == T5_DECODER;
    double largest = -INFINITY, sum = 0;
    for (int j = 0; j < n_k; j++) {
        p[j] = causal && j > t ? -INFINITY : 0;
        for (int c = head * shape->d_kv; c < (head + 1) * shape->d_kv; c++)
            p[j] += q[t * inner + c] * keys[j * inner + c];
        if (bias)
            p[j] += bias[t5_relative_bucket(j - t, !causal, shape->buckets, shape->max_distance) *
                             shape->heads +
                         head];
        largest = p[j] > largest ? p[j] : largest;
    }
    for (int j = 0; j < n_k; j++)
        sum += p[j] = exp(p[j] - largest);
    for (int j = 0; j < n_k; j++)
        p[j] *= ref_keep(k, layer, place, t, (uint32_t)(head * 65536 + j)) / sum;
}

/* encoded (n_enc, d_model), or NULL: self-attention. */
static inline void ref_attention(ref_stack *k, int layer, const double *encoded, int n_enc) {
    const t5_shape *shape = &k->r->model->shape;
    int d = shape->d_model, inner = t5_inner(shape), sub = encoded ? 1 : 0;
    const char *kind = encoded ? "EncDecAttention" : "SelfAttention";
    const double *w[4];
    for (int i = 0; i < 4; i++) {
        char what[32];
        snprintf(what, sizeof what, "%s.%c", kind, "qkvo"[i]);
        w[i] = ref_in_block(k, layer, sub, what);
    }
    const double *bias = encoded ? NULL
                                 : ref_in_block(k, shape->bias_every_layer ? layer : 0, 0,
                                                "SelfAttention.relative_attention_bias");
    int n_k = encoded ? n_enc : k->n;
    double *h = ref_norm(k, ref_in_block(k, layer, sub, "layer_norm"));
    const double *source = encoded ? encoded : h;
    double *q = ref_linear(h, k->n, d, w[0], inner);
    double *keys = ref_linear(source, n_k, d, w[1], inner);
    double *values = ref_linear(source, n_k, d, w[2], inner);
    double *out = ref_alloc((int64_t)k->n * inner), *p = ref_alloc(n_k);
    for (int t = 0; t < k->n; t++)
        for (int head = 0; head < shape->heads; head++) {
            ref_probabilities(k, layer, encoded ? T5_SITE_CROSS_PROBS : T5_SITE_SELF_PROBS, t, head,
                              q, keys, n_k, bias, p);
            for (int j = 0; j < n_k; j++)
                for (int c = head * shape->d_kv; c < (head + 1) * shape->d_kv; c++)
                    out[t * inner + c] += p[j] * values[j * inner + c];
        }
    ref_add(k, layer, encoded ? T5_SITE_CROSS_OUT : T5_SITE_SELF_OUT,
            ref_linear(out, k->n, inner, w[3], d));
    free(h);
    free(q);
    free(keys);
    free(values);
    free(out);
    free(p);
}

static inline double ref_gelu(double a) {
    return 0.5 * a * (1 + tanh(sqrt(2 / acos(-1.0)) * (a + 0.044715 * a * a * a)));
}

static inline void ref_feed_forward(ref_stack *k, int layer) {
    const t5_shape *shape = &k->r->model->shape;
    int d = shape->d_model, ff = shape->d_ff, sub = k->s == T5_ENCODER ? 1 : 2;
    bool gated = shape->act == T5_ACTIVATION_GATED_GELU;
    double *h = ref_norm(k, ref_in_block(k, layer, sub, "layer_norm"));
    const double *wi =
        ref_in_block(k, layer, sub, gated ? "DenseReluDense.wi_0" : "DenseReluDense.wi");
    double *a = ref_linear(h, k->n, d, wi, ff), *b = NULL;
    if (gated)
        b = ref_linear(h, k->n, d, ref_in_block(k, layer, sub, "DenseReluDense.wi_1"), ff);
    for (int i = 0; i < k->n * ff; i++)
        a[i] = gated ? ref_gelu(a[i]) * b[i] : fmax(a[i], 0);
    ref_dropout(k, layer, T5_SITE_FF_HIDDEN, a, ff);
    ref_add(k, layer, T5_SITE_FF_OUT,
            ref_linear(a, k->n, ff, ref_in_block(k, layer, sub, "DenseReluDense.wo"), d));
    free(h);
    free(a);
    free(b);
}

/* A new (n, d_model) array: the output of stack s for n ids. */
static inline double *ref_run_stack(const ref_t5 *r, int s, const int32_t *ids, int n, uint32_t row,
                                    const double *encoded, int n_enc) {
    const t5_shape *shape = &r->model->shape;
    int d = shape->d_model;
    ref_stack k = {.r = r, .s = s, .n = n, .row = row, .x = ref_alloc((int64_t)n * d)};
    const double *table = ref_weight(r, "shared.weight");
    for (int t = 0; t < n; t++)
        memcpy(k.x + t * d, table + (int64_t)ids[t] * d, (size_t)d * sizeof *table);
    ref_dropout(&k, 0, T5_SITE_EMBED, k.x, d);
    for (int l = 0; l < (s == T5_ENCODER ? shape->enc_layers : shape->dec_layers); l++) {
        ref_attention(&k, l, NULL, 0);
        if (s == T5_DECODER)
            ref_attention(&k, l, encoded, n_enc);
        ref_feed_forward(&k, l);
    }
    double *out = ref_norm(
        &k, ref_weight(r, "%s.final_layer_norm.weight", s == T5_ENCODER ? "encoder" : "decoder"));
    ref_dropout(&k, 0, T5_SITE_FINAL, out, d);
    free(k.x);
    return out;
}

/* Loss of one token with these logits (formulas: base/config.h). */
static inline double ref_token_loss(const double *logits, int vocab, int label,
                                    const t5_loss_settings *loss) {
    double largest = -INFINITY, sum = 0, mean = 0;
    for (int v = 0; v < vocab; v++)
        largest = fmax(largest, logits[v]);
    for (int v = 0; v < vocab; v++)
        sum += exp(logits[v] - largest);
    double log_sum = largest + log(sum), nll = log_sum - logits[label];
    if (loss->focal)
        return (double)loss->alpha * pow(1 - exp(-nll), (double)loss->gamma) * nll;
    for (int v = 0; v < vocab; v++)
        mean += (log_sum - logits[v]) / vocab;
    return (1 - (double)loss->smoothing) * nll + (double)loss->smoothing * mean;
}

/* Sum of the losses of sequences [from, to); logits (n_dec, vocab) or NULL. */
static inline double ref_loss(const ref_t5 *r, const t5_input *in, int from, int to,
                              const t5_loss_settings *loss, double *logits) {
    const t5_shape *shape = &r->model->shape;
    const double *head = ref_weight(r, shape->tied ? "shared.weight" : "lm_head.weight");
    int d = shape->d_model, vocab = shape->vocab;
    double sum = 0;
    for (int i = from; i < to; i++) {
        int e = in->enc_start[i], t0 = in->dec_start[i];
        int n_enc = in->enc_start[i + 1] - e, n_dec = in->dec_start[i + 1] - t0;
        double *encoded = ref_run_stack(r, T5_ENCODER, in->enc_ids + e, n_enc, in->row[i], NULL, 0);
        double *h =
            ref_run_stack(r, T5_DECODER, in->dec_ids + t0, n_dec, in->row[i], encoded, n_enc);
        if (shape->tied && !shape->unscaled)
            for (int j = 0; j < n_dec * d; j++)
                h[j] /= sqrt((double)d);
        double *y = ref_linear(h, n_dec, d, head, vocab);
        for (int t = 0; t < n_dec; t++)
            sum += ref_token_loss(y + (int64_t)t * vocab, vocab, in->labels[t0 + t], loss);
        if (logits)
            memcpy(logits + (int64_t)t0 * vocab, y, (size_t)(n_dec * vocab) * sizeof *y);
        free(encoded);
        free(h);
        free(y);
    }
    return sum;
}

#endif
