#include "model/internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16 };

/* Adds parameters one behind the other; without an array of them it only counts. */
typedef struct builder {
    t5_param *param;
    float *init_std;
    int n_params;
    int64_t n;
    bool joined; /* the next parameter is part of the same product as the one before */
} builder;

static int64_t align(builder *b) {
    b->n = (b->n + ALIGN - 1) / ALIGN * ALIGN;
    return b->n;
}

/* name fits a t5_param's. init_std 0: a norm weight, which starts as 1 and does not decay. Returns
 * the offset. */
static int64_t add(builder *b, const char *name, int64_t rows, int64_t cols, double init_std) {
    int64_t offset = b->joined ? b->n : align(b);
    if (b->param) {
        t5_param *p = &b->param[b->n_params];
        *p = (t5_param){.rows = rows, .cols = cols, .offset = offset, .decay = init_std > 0};
        memcpy(p->name, name, strlen(name) + 1);
        b->init_std[b->n_params] = (float)init_std;
    }
    b->n_params++;
    b->n += rows * cols;
    return offset;
}

/* A parameter of layer `sub` of block `block`. */
static int64_t add_in(builder *b, int s, int block, int sub, const char *what, int64_t rows,
                      int64_t cols, double init_std) {
    char name[sizeof((t5_param *)NULL)->name];
    snprintf(name, sizeof name, "%s.block.%d.layer.%d.%s.weight",
             s == T5_ENCODER ? "encoder" : "decoder", block, sub, what);
    return add(b, name, rows, cols, init_std);
}

/* Standard deviations: _init_weights of Transformers' modeling_t5.py with factor 1. q is either
 * joined to k and v (self-attention) or not. Returns the offset of q; *k may be needed, too. */
static int64_t add_attention(builder *b, const t5_shape *shape, int s, int l, bool cross,
                             int64_t *k, int64_t *o) {
    static const char *const names[2][4] = {
        {"SelfAttention.q", "SelfAttention.k", "SelfAttention.v", "SelfAttention.o"},
        {"EncDecAttention.q", "EncDecAttention.k", "EncDecAttention.v", "EncDecAttention.o"}};
    const char *const *name = names[cross];
    int64_t d = shape->d_model, inner = t5_inner(shape);
    double input = 1 / sqrt((double)d);
    *o = add_in(b, s, l, cross, name[3], d, inner, 1 / sqrt((double)inner));
    int64_t q = add_in(b, s, l, cross, name[0], inner, d, 1 / sqrt((double)d * shape->d_kv));
    b->joined = !cross;
    *k = add_in(b, s, l, cross, name[1], inner, d, input);
    b->joined = true;
    add_in(b, s, l, cross, name[2], inner, d, input);
    b->joined = false;
    return q;
}

static void add_block(builder *b, const t5_shape *shape, int s, int l, t5_block *block) {
    int64_t d = shape->d_model, ff = shape->d_ff;
    double input = 1 / sqrt((double)d);
    int sub = s == T5_ENCODER ? 1 : 2;
    block->ff_out = add_in(b, s, l, sub, "DenseReluDense.wo", d, ff, 1 / sqrt((double)ff));
    if (shape->act == T5_ACTIVATION_GATED_GELU) {
        block->ff_in = add_in(b, s, l, sub, "DenseReluDense.wi_0", ff, d, input);
        b->joined = true;
        add_in(b, s, l, sub, "DenseReluDense.wi_1", ff, d, input);
        b->joined = false;
    } else {
        block->ff_in = add_in(b, s, l, sub, "DenseReluDense.wi", ff, d, input);
    }
    int64_t self_k;
    if (s == T5_DECODER)
        block->cross_q = add_attention(b, shape, s, l, true, &block->cross_kv, &block->cross_o);
    block->self_qkv = add_attention(b, shape, s, l, false, &self_k, &block->self_o);
}

static void add_norms(builder *b, const t5_shape *shape, int s, int layers, t5_stack *stack) {
    int64_t d = shape->d_model;
    stack->final_norm = add(
        b, s == T5_ENCODER ? "encoder.final_layer_norm.weight" : "decoder.final_layer_norm.weight",
        d, 1, 0);
    for (int l = layers - 1; l >= 0; l--) {
        t5_block unused, *block = stack->block ? &stack->block[l] : &unused;
        block->ff_norm = add_in(b, s, l, s == T5_ENCODER ? 1 : 2, "layer_norm", d, 1, 0);
        if (s == T5_DECODER)
            block->cross_norm = add_in(b, s, l, 1, "layer_norm", d, 1, 0);
        block->self_norm = add_in(b, s, l, 0, "layer_norm", d, 1, 0);
    }
}

static void add_bias_tables(builder *b, const t5_shape *shape, int s, int layers, t5_stack *stack) {
    for (int l = shape->bias_every_layer ? layers - 1 : 0; l >= 0; l--) {
        int64_t table = add_in(b, s, l, 0, "SelfAttention.relative_attention_bias", shape->buckets,
                               shape->heads, 1 / sqrt((double)shape->d_model));
        if (stack->block)
            stack->block[l].bias_table = table;
    }
    for (int l = 1; stack->block && !shape->bias_every_layer && l < layers; l++)
        stack->block[l].bias_table = stack->block[0].bias_table;
}

static void build(builder *b, const t5_shape *shape, t5_layout *layout) {
    const int layers[T5_STACKS] = {shape->enc_layers, shape->dec_layers};
    int64_t d = shape->d_model;
    if (!shape->tied)
        layout->lm_head = add(b, "lm_head.weight", shape->vocab, d, 1);
    for (int s = T5_DECODER; s >= T5_ENCODER; s--)
        for (int l = layers[s] - 1; l >= 0; l--) {
            t5_block unused, *blocks = layout->stack[s].block;
            add_block(b, shape, s, l, blocks ? &blocks[l] : &unused);
        }
    /* A tied embedding's gradient is first written by the output projection, then added to. */
    layout->n_products = align(b);
    layout->shared = add(b, "shared.weight", shape->vocab, d, 1);
    if (shape->tied) {
        layout->lm_head = layout->shared;
        layout->n_products = align(b);
    }
    for (int s = T5_DECODER; s >= T5_ENCODER; s--)
        add_bias_tables(b, shape, s, layers[s], &layout->stack[s]);
    layout->n_decay = align(b);
    for (int s = T5_DECODER; s >= T5_ENCODER; s--)
        add_norms(b, shape, s, layers[s], &layout->stack[s]);
    layout->n = align(b);
    layout->n_params = b->n_params;
}

int64_t t5_layout_size(const t5_shape *shape) {
    builder b = {0};
    t5_layout layout = {0};
    build(&b, shape, &layout);
    return layout.n;
}

t5_status t5_layout_create(const t5_shape *shape, t5_layout *layout, t5_error *err) {
    builder b = {0};
    *layout = (t5_layout){0};
    build(&b, shape, layout); /* counts */
    layout->param = calloc((size_t)b.n_params, sizeof *layout->param);
    layout->init_std = calloc((size_t)b.n_params, sizeof *layout->init_std);
    layout->stack[T5_ENCODER].n_layers = shape->enc_layers;
    layout->stack[T5_DECODER].n_layers = shape->dec_layers;
    bool complete = layout->param && layout->init_std;
    for (int s = 0; s < T5_STACKS; s++) {
        t5_stack *stack = &layout->stack[s];
        stack->block = calloc((size_t)stack->n_layers, sizeof *stack->block);
        complete = complete && stack->block;
    }
    if (!complete) {
        t5_layout_free(layout);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the table of %d parameters",
                       b.n_params);
    }
    b = (builder){.param = layout->param, .init_std = layout->init_std};
    build(&b, shape, layout);
    return T5_OK;
}

t5_status t5_shape_list(const t5_shape *shape, t5_param **params, int *n, t5_error *err) {
    t5_layout layout;
    t5_status status = t5_shape_check(shape, err);
    *params = NULL;
    *n = 0;
    if (status == T5_OK)
        status = t5_layout_create(shape, &layout, err);
    if (status != T5_OK)
        return status;
    *params = layout.param;
    *n = layout.n_params;
    layout.param = NULL;
    t5_layout_free(&layout);
    return T5_OK;
}

void t5_layout_free(t5_layout *layout) {
    free(layout->param);
    free(layout->init_std);
    for (int s = 0; s < T5_STACKS; s++)
        free(layout->stack[s].block);
    *layout = (t5_layout){0};
}
