/* Inside src/model: the model's struct, views of its parameters, its work memory, and the building
 * blocks that passes and generation are made of. Nobody outside this folder (but its tests)
 * includes this. Functions queue work on the device and cannot fail, unless they return a status.
 */
#ifndef T5_MODEL_INTERNAL_H
#define T5_MODEL_INTERNAL_H
#include "model/replays.h"
#include "model/step.h"

enum { T5_ENCODER, T5_DECODER, T5_STACKS };

/* --- parameters (layout.c) --- */

/* Where a layer's parameters start in the arenas. What is one product is contiguous: self_qkv is
 * (3 inner, d_model), cross_kv (2 inner, d_model), ff_in (d_ff or, gated, 2 d_ff, d_model). */
typedef struct t5_block {
    int64_t self_norm, self_qkv, self_o;
    int64_t bias_table; /* (buckets, heads); that of block 0 unless every layer has one */
    int64_t cross_norm, cross_q, cross_kv, cross_o; /* decoder only */
    int64_t ff_norm, ff_in, ff_out;
} t5_block;

typedef struct t5_stack {
    int n_layers;
    t5_block *block; /* (n_layers) */
    int64_t final_norm;
} t5_stack;

/* The arenas' order is about the order in which a backward pass completes gradients: output
 * projection, decoder from the last layer to the first, encoder likewise, embedding, bias tables,
 * norms. So a range at the front can be reduced while the rest is still being computed, what is
 * only ever added to (never written by a product) is one range, and so is what has no decay. */
typedef struct t5_layout {
    int n_params;
    t5_param *param;
    float *init_std; /* per parameter: standard deviation of its initial values; 0: constant 1 */
    t5_stack stack[T5_STACKS];
    int64_t shared, lm_head; /* the same if tied */
    int64_t n_products;      /* elements before this one are overwritten by a `first` backward */
    int64_t n_decay;         /* elements before this one decay */
    int64_t n;               /* all */
} t5_layout;

t5_status t5_layout_create(const t5_shape *shape, t5_layout *layout, t5_error *err);
void t5_layout_free(t5_layout *layout);
/* Elements of an arena; allocates nothing. */
int64_t t5_layout_size(const t5_shape *shape);
/* T5_ERR_INPUT, naming the number, unless the shape makes sense. */
t5_status t5_shape_check(const t5_shape *shape, t5_error *err);
static inline int t5_inner(const t5_shape *shape) {
    return shape->heads * shape->d_kv;
}
/* Columns that the first product of a feed-forward layer puts out. */
static inline int t5_ff_in(const t5_shape *shape) {
    return shape->act == T5_ACTIVATION_GATED_GELU ? 2 * shape->d_ff : shape->d_ff;
}

/* --- work memory (work.c): views into one block, laid out anew for every batch --- */

/* A norm: what its backward needs. In a training pass every norm has its own x, because its
 * backward reads the residual stream as it was there. */
typedef struct t5_norm_slot {
    t5_mat x;      /* (n, d_model) f32: residual stream */
    float *d_rstd; /* (n) */
    t5_mat h;      /* (n, d_model) compute: the norm's output */
} t5_norm_slot;

/* One attention, or the gradients of one. Self: q, k, v are columns of `fused` (n, 3 inner). Cross:
 * k, v are columns of `fused` (n_enc, 2 inner), q stands alone. All compute. */
typedef struct t5_attention_slot {
    t5_mat fused, q, k, v;
    t5_mat out;   /* (n, inner), before the o product */
    float *d_lse; /* (n, heads); NULL when nothing is saved */
} t5_attention_slot;

typedef struct t5_layer_slot {
    t5_norm_slot self_norm, cross_norm, ff_norm;
    t5_attention_slot self, cross;
    t5_mat ff_in, ff_hidden; /* before and after the activation; one buffer for relu */
} t5_layer_slot;

typedef struct t5_stack_work {
    int n, max_len;       /* tokens in all, longest sequence */
    int32_t *d_ids;       /* (n) */
    int32_t *d_start;     /* (n_seq + 1) */
    int32_t *d_len;       /* (n_seq) */
    uint32_t *d_tok;      /* (n, 2) row number and position, for dropout */
    t5_layer_slot *layer; /* (n_layers); all alike when nothing is saved */
    t5_norm_slot final;   /* final.h: the stack's output */
    t5_mat y;             /* (n, d_model) compute: a sublayer's output, or its gradient */
    /* the rest only in a training pass */
    t5_mat dx;                       /* (n, d_model) f32: gradient of the residual stream */
    t5_mat dh;                       /* (n, d_model) compute: gradient of a norm's output */
    t5_mat dff_in, dff_hidden;       /* gradients of ff_in, ff_hidden; one buffer for relu */
    t5_attention_slot dself, dcross; /* share memory with the two above */
} t5_stack_work;

enum { T5_REPLAY_STEP = 1, T5_REPLAY_DECODE }; /* first of a replay's numbers */

typedef enum { T5_PASS_TRAIN, T5_PASS_EVALUATE } t5_pass_kind;

typedef struct t5_work {
    int n_seq;
    float drop_p;     /* dropout of this pass */
    int32_t *d_label; /* (n_dec) */
    t5_stack_work stack[T5_STACKS];
    t5_mat logits;   /* (n_dec, vocab) f32 */
    t5_mat dlogits;  /* (n_dec, vocab) compute; the logits buffer itself in float32 */
    t5_mat dencoded; /* (n_enc, d_model) f32: gradient of the encoder's output */
    size_t staged;   /* bytes of the integers at the start, sent in one copy */
    size_t saved;    /* bytes that the backward pass reads */
    size_t bytes;    /* all */
} t5_work;

/* Lays out a pass over n_enc and n_dec tokens of n_seq sequences in the block at base (NULL: only
 * sizes are wanted, all views are NULL). Pure. The layers' slots of `work` are filled if they are
 * there (layer != NULL). */
void t5_work_plan(const t5_shape *shape, t5_dtype compute, t5_pass_kind kind, int64_t n_enc,
                  int64_t n_dec, int n_seq, char *base, t5_work *work);

/* --- the model --- */
typedef struct t5_decoder t5_decoder; /* decode.h */
/* What changes from step to step; on the device, where operations read it when they run. Rows of a
 * batch may lie behind it. */
typedef struct t5_scalars {
    uint32_t drop_step;
    float scale;   /* of the gradient */
    float rate[3]; /* AdamW: learning rate, corrections */
    float ride[T5_RIDES];
    uint32_t unused[3]; /* so that rows behind it are aligned */
} t5_scalars;
_Static_assert(sizeof(t5_scalars) % _Alignof(t5_pack_row) == 0, "rows behind the scalars");

/* A finished step's results, until somebody asks for them. */
typedef struct t5_step_log {
    double sums[2];
    float ride[T5_RIDES];
} t5_step_log;

/* What replays of a step have in them besides sizes. */
typedef struct t5_step_constants {
    float number[9];
    uint32_t drop_seed;
    bool focal, has_hook;
} t5_step_constants;

enum { T5_SUM_LOSS, T5_SUM_NORM2, T5_SUMS };

struct t5_model {
    t5_device *dev;
    t5_shape shape;
    bool bf16, train;
    t5_dtype compute;
    t5_layout layout;
    float *d_arena[4]; /* by t5_arena */
    void *d_copy;      /* bf16 copy of the weights, or NULL */
    double *d_sums;    /* by T5_SUM_ */
    float drop_p;
    uint32_t drop_seed, drop_step;
    t5_scalars *scalars,
        *d_scalars; /* on the host and on the device, with room for most_rows rows */
    int most_rows;
    t5_work work;  /* of the latest pass */
    void *d_block; /* its memory, kept between passes */
    size_t block_bytes;
    char *stage; /* host side of the work's first `staged` bytes */
    size_t stage_bytes;
    /* steps over rows on the device (step.c) */
    const int32_t *ids, *d_ids; /* t5_model_keep_ids: the host's, and where the device reads them */
    int64_t n_ids;
    void *d_ids_block;  /* the device's own copy, NULL in host memory */
    size_t ids_bytes;   /* of it */
    t5_step_log *d_log; /* (T5_STEPS_PENDING) */
    int n_pending;
    t5_step_constants constants; /* of the replays */
    t5_replays replays;
    t5_decoder *decoder; /* kept between batches where the device replays steps, or NULL */
};

/* The (rows, cols) weight whose first element is `offset`, as an operand of products. */
static inline t5_mat t5_weight(const t5_model *m, int64_t offset, int64_t rows, int64_t cols) {
    char *p = m->bf16 ? m->d_copy : (void *)m->d_arena[T5_ARENA_WEIGHT];
    return (t5_mat){.p = p + (size_t)offset * t5_dtype_size(m->compute),
                    .type = m->compute,
                    .rows = rows,
                    .cols = cols,
                    .ld = cols};
}
/* Its float32 master (norm weights, bias tables, the embedding lookup), and its gradient. */
static inline float *t5_master(const t5_model *m, int64_t offset) {
    return m->d_arena[T5_ARENA_WEIGHT] + offset;
}
static inline float *t5_grad(const t5_model *m, int64_t offset) {
    return m->d_arena[T5_ARENA_GRAD] + offset;
}

/* --- building blocks (input.c, forward.c, backward.c, optim.c) --- */

/* Checks a batch (ids, offsets; T5_ERR_INPUT), makes the work memory big enough, lays it out in
 * m->work and sends the batch's integers. decoder: false reads the encoder part only, n_dec is
 * then 0. */
t5_status t5_pass_begin(t5_model *m, const t5_input *in, t5_pass_kind kind, bool decoder,
                        float drop_p, t5_error *err);
/* Its parts, for batches that are packed on the device. The ids of a row: input, then target. */
t5_status t5_check_row(const t5_model *m, const int32_t *ids, int n_input, int n_target,
                       t5_error *err);
/* At least `bytes` of device memory at *d_p, which has *room. Contents are lost and replays are
 * forgotten if it has to move; then the old memory goes first: the two together would be the peak
 * of the whole training. T5_ERR_MEMORY: *d_p is NULL. */
t5_status t5_model_grow(t5_model *m, void **d_p, size_t *room, size_t bytes, t5_error *err);
/* Makes the memory big enough for a pass. */
t5_status t5_work_reserve(t5_model *m, t5_pass_kind kind, int n_enc, int n_dec, int n_seq,
                          t5_error *err);
/* Lays out m->work in it. */
void t5_work_use(t5_model *m, t5_pass_kind kind, int n_enc, int n_dec, int n_seq, int max_enc,
                 int max_dec, float drop_p);
/* Room for n_rows rows behind the scalars, on both sides. */
t5_status t5_reserve_rows(t5_model *m, int n_rows, t5_error *err);
/* The scalars to the device. */
void t5_send_scalars(t5_model *m);

static inline int t5_larger(int a, int b) {
    return a > b ? a : b;
}

/* The sizes of a batch. Padding, if any, is n_pad sequences behind the rows, of tokens that have no
 * label: they cost time and change nothing. */
typedef struct t5_sizes {
    int n_enc, n_dec, n_pad, max_enc, max_dec;
} t5_sizes;
/* The class that a batch without padding is rounded up to: no token count grows by more than an
 * eighth and 16, lengths become powers of two. Cut evenly over n_pad sequences, the padding gives
 * each an input token (attention over nothing has no value) and none more than the longest length.
 * Pure. */
t5_sizes t5_size_class(t5_sizes sizes);

/* Layers in the order of the backward pass: the decoder's last is 0, the encoder's first the last.
 */
static inline int t5_n_layers(const t5_model *m) {
    return m->shape.dec_layers + m->shape.enc_layers;
}
/* Where the gradients end that are final once layers 0 .. i are done. */
int64_t t5_layer_end(const t5_model *m, int i);
/* Of m->work's batch: forward and loss, added to d_sums (set, if `first`); a training pass leaves
 * dlogits times the scalar `scale`. */
void t5_queue_forward(t5_model *m, const t5_loss_settings *loss, t5_pass_kind kind, bool first);
/* Layers [from, to) of the backward pass, with what comes before the first one and behind the last.
 * Gradients are set, if `first`, else added to. */
void t5_queue_backward(t5_model *m, bool first, int from, int to);
/* No rows: gradients and loss sum 0. */
void t5_queue_no_gradient(t5_model *m);
/* Sets the scalars of the update, on the host. */
void t5_set_rates(t5_model *m, const t5_optim *optim);
/* The squared norm into d_sums (with clipping in any case), then clipping and AdamW. */
void t5_queue_update(t5_model *m, const t5_optim *optim, bool norm);

/* y (n, out) = x (n, in) W^T, where W (out, in) starts at `offset`; out is y.cols. y f32 or
 * compute. */
void t5_linear(t5_model *m, t5_mat x, int64_t offset, t5_mat y);
/* logits (n, vocab) f32 of decoder outputs h (n, d_model), T5 v1.0's scaling included. */
void t5_logits(t5_model *m, t5_mat h, t5_mat logits);
float t5_logit_scale(const t5_shape *shape);
/* Runs a stack over m->work; the decoder reads the encoder's output there. The output is
 * m->work.stack[s].final.h. */
void t5_stack_forward(t5_model *m, int s);
/* Relative bias, masks, lengths and dropout of one attention of a pass; q, k, v from the slot. */
t5_attention t5_attention_of(const t5_model *m, int s, int layer, bool cross,
                             const t5_attention_slot *slot);

/* Dropout sites: T5_RNG_DROPOUT | stack << 20 | layer << 4 | place. One for every place where
 * Transformers' modeling_t5.py has a dropout. */
enum {
    T5_SITE_EMBED,      /* layer 0: the stack's input */
    T5_SITE_SELF_PROBS, /* probabilities of self-attention */
    T5_SITE_SELF_OUT,   /* what self-attention adds to the residual stream */
    T5_SITE_CROSS_PROBS,
    T5_SITE_CROSS_OUT,
    T5_SITE_FF_HIDDEN, /* after the activation */
    T5_SITE_FF_OUT,
    T5_SITE_FINAL /* layer 0: the stack's output, after the final norm */
};
t5_dropout t5_dropout_at(const t5_model *m, int s, int layer, int place);

#endif
