/* T5: shape, parameters, forward, backward, optimiser step. Talks to the device table only and
 * never communicates. A model has up to five arenas of n_arena floats each on the device: weights
 * (f32 master), gradients, Adam's two moments, and with bf16 a bfloat16 copy of the weights. A
 * parameter is a named range of the arenas; names are those of a Hugging Face T5 state dict.
 *
 * Layer l of a stack: x -> x + drop(o(attn(norm(x)))) [-> cross-attention likewise] -> x + drop(wo(
 * drop(act(wi(norm(x)))))), final norm and dropout, as Transformers' modeling_t5.py has it. */
#ifndef T5_MODEL_MODEL_H
#define T5_MODEL_MODEL_H
#include "device/device.h"

typedef struct t5_shape {
    int vocab; /* rows of the embedding */
    int d_model, d_kv, d_ff, heads, enc_layers, dec_layers;
    int buckets, max_distance; /* 32, 128 */
    t5_activation_kind act;
    bool tied;     /* lm_head is the embedding, decoder output scaled by d_model^-0.5 (v1.0) ... */
    bool unscaled; /* ... or tied and not scaled (mT5 and v1.1 of Transformers 5); else ignored */
    bool bias_every_layer; /* relative bias tables in every layer (umT5), not in the first only */
    float eps;             /* 1e-6 */
    int pad_id, eos_id, start_id; /* 0, 1, 0 */
} t5_shape;

typedef struct t5_param {
    char name[96];      /* "encoder.block.0.layer.0.SelfAttention.q.weight" */
    int64_t rows, cols; /* cols 1 for norm weights */
    int64_t offset;     /* first element in each arena */
    bool decay;         /* weight decay applies (all but norm weights) */
} t5_param;

/* A model's input: a packed batch in host memory (data/batch.h has the same fields; setup/input.h
 * copies the pointers, so that the model does not know where rows come from). Passes check it: ids
 * within the vocabulary, offsets that rise and cover all tokens, at least one input token a
 * sequence, else T5_ERR_INPUT. n_seq == 0 (a rank's share of a small batch may be empty) is a pass
 * over nothing.
 */
typedef struct t5_input {
    int n_seq, n_enc, n_dec, max_enc, max_dec;
    const int32_t *enc_ids, *dec_ids, *labels;
    const int32_t *enc_start, *dec_start;
    const uint32_t *row;
} t5_input;

typedef struct t5_loss_settings {
    bool focal;
    float smoothing, gamma, alpha;
} t5_loss_settings;

typedef struct t5_optim {
    float lr, beta1, beta2, eps, weight_decay, clip_norm; /* clip_norm 0: off */
    int64_t step; /* 1 for the first update: bias correction */
} t5_optim;

typedef enum { T5_ARENA_WEIGHT, T5_ARENA_GRAD, T5_ARENA_M, T5_ARENA_V } t5_arena;

typedef struct t5_model t5_model;

/* T5_ERR_INPUT when the shape makes no sense (says which number). Weights are zero. bf16: products
 * in bfloat16, T5_ERR_DEVICE if the device has none. train: false leaves out gradients and moments.
 */
t5_status t5_model_create(t5_device *dev, const t5_shape *shape, bool bf16, bool train,
                          t5_model **model, t5_error *err);
void t5_model_destroy(t5_model *model);
const t5_shape *t5_model_shape(const t5_model *model);
t5_device *t5_model_device(const t5_model *model);

int t5_model_n_params(const t5_model *model);
const t5_param *t5_model_param(const t5_model *model, int i);
int64_t t5_model_n_arena(const t5_model *model); /* elements, a multiple of 16 */
/* Device address of an arena (NULL if left out); the gradient arena has T5_GRAD_EXTRA floats
 * behind its n_arena, for sums that ride along in the all-reduce. */
enum { T5_GRAD_EXTRA = 16 };
float *t5_model_arena(t5_model *model, t5_arena which);
/* Copies elements [offset, offset + n) of an arena to or from the host. After writing weights the
 * compute copy is renewed. Both wait; the range must lie within the arena, which must be there. */
t5_status t5_model_read(t5_model *model, t5_arena which, int64_t offset, int64_t n, float *dst,
                        t5_error *err);
t5_status t5_model_write(t5_model *model, t5_arena which, int64_t offset, int64_t n,
                         const float *src, t5_error *err);

/* Where t5_model_write may find elements from `offset` on without a copy: a source filled in place.
 * Waits. NULL: the device's memory is not the host's. */
float *t5_model_in_place(t5_model *model, t5_arena which, int64_t offset, t5_error *err);

/* T5's initialisation (Transformers' _init_weights, factor 1): a function of (seed, parameter)
 * only. */
t5_status t5_model_init_random(t5_model *model, uint64_t seed, t5_error *err);
/* Elements [first, first + n) of parameter i of that initialisation, to the host. Pure. */
void t5_model_draw(const t5_model *model, uint64_t seed, int i, int64_t first, int64_t n,
                   float *out);

/* Dropout rate for training passes, and the key of its random numbers: `step` changes every
 * optimiser step. */
void t5_model_set_dropout(t5_model *model, float p, uint32_t seed, uint32_t step);

/* One forward and backward pass over a packed batch. Gradients of scale * (sum of the token losses)
 * are added to the gradient arena, or replace it if `first`. The unscaled loss sum is added to the
 * model's device-side accumulator (reset if `first`). Work memory is kept and grows with the
 * largest batch so far; T5_ERR_MEMORY when it cannot, and a smaller batch is fine afterwards.
 * Queues work and does not wait: what is not finite shows in the loss sum and the gradient norm.
 * Needs `train`. */
t5_status t5_model_backward(t5_model *model, const t5_input *in, const t5_loss_settings *loss,
                            float scale, bool first, t5_error *err);
/* Forward only, no dropout: adds to the same accumulator (reset if `first`). logits, if not NULL,
 * receives (n_dec, vocab) floats. */
t5_status t5_model_evaluate(t5_model *model, const t5_input *in, const t5_loss_settings *loss,
                            bool first, float *logits, t5_error *err);
/* Waits, and returns the accumulated loss sum (maybe not finite: the caller's to judge). */
t5_status t5_model_loss_sum(t5_model *model, double *sum, t5_error *err);

/* Clips by the global norm of the gradient arena and applies AdamW. *grad_norm (before clipping,
 * may be NULL) costs a synchronisation. */
t5_status t5_model_update(t5_model *model, const t5_optim *optim, double *grad_norm, t5_error *err);

/* Bytes of device memory for a model and a pass over such a batch: weights, gradients and moments
 * (`arenas`), what a training pass saves for its backward (`activations`, logits included; 0
 * without `train`), and what it needs besides (`work`). Pure; the shape is one that t5_model_create
 * takes. */
typedef struct t5_memory_need {
    size_t arenas, activations, work;
} t5_memory_need;
t5_memory_need t5_model_memory(const t5_shape *shape, bool bf16, bool train, int64_t n_enc,
                               int64_t n_dec, int n_seq);
/* What the parameters of a shape are, without a model: *params malloc'd, *n of them, in the arenas'
 * order. T5_ERR_INPUT as t5_model_create, T5_ERR_MEMORY. */
t5_status t5_shape_list(const t5_shape *shape, t5_param **params, int *n, t5_error *err);
/* Number of parameters (each tied matrix once). */
int64_t t5_shape_params(const t5_shape *shape);
/* Operations (2 per multiply-add) of the matrix products of one training step: every product of the
 * forward pass three times, attention's two among them (causal: only the pairs that are seen). */
double t5_shape_step_flops(const t5_shape *shape, const t5_input *in);

#endif
