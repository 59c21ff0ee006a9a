#include "model/internal.h"

/* Memory given out front to back; only counts when there is none. */
typedef struct region {
    char *base;
    size_t used;
    t5_dtype compute;
    bool save; /* a training pass */
} region;

static void *take(region *r, size_t bytes) {
    void *p = r->base ? r->base + r->used : NULL;
    r->used += (bytes + 63) / 64 * 64;
    return p;
}

static t5_mat take_mat(region *r, t5_dtype type, int64_t rows, int64_t cols) {
    void *p = take(r, (size_t)rows * (size_t)cols * t5_dtype_size(type));
    return (t5_mat){.p = p, .type = type, .rows = rows, .cols = cols, .ld = cols};
}

static t5_mat columns(t5_mat m, int64_t first, int64_t cols) {
    if (m.p)
        m.p = (char *)m.p + (size_t)first * t5_dtype_size(m.type);
    m.cols = cols;
    return m;
}

/* The integers of a batch: what input.c fills on the host, in the same order. */
static void plan_integers(region *r, int64_t n_enc, int64_t n_dec, int n_seq, t5_work *work) {
    const int64_t n[T5_STACKS] = {n_enc, n_dec};
    for (int s = 0; s < T5_STACKS; s++) {
        t5_stack_work *w = &work->stack[s];
        w->n = (int)n[s];
        w->d_ids = take(r, (size_t)n[s] * sizeof *w->d_ids);
        w->d_start = take(r, ((size_t)n_seq + 1) * sizeof *w->d_start);
        w->d_len = take(r, (size_t)n_seq * sizeof *w->d_len);
        w->d_tok = take(r, 2 * (size_t)n[s] * sizeof *w->d_tok);
    }
    work->d_label = take(r, (size_t)n_dec * sizeof *work->d_label);
    work->staged = r->used;
}

static t5_norm_slot plan_norm(region *r, const t5_shape *shape, int64_t n) {
    t5_norm_slot slot;
    slot.x = take_mat(r, T5_F32, n, shape->d_model);
    slot.d_rstd = take(r, (size_t)n * sizeof *slot.d_rstd);
    slot.h = take_mat(r, r->compute, n, shape->d_model);
    return slot;
}

static t5_attention_slot plan_attention(region *r, const t5_shape *shape, int64_t n, int64_t n_k,
                                        bool cross) {
    int64_t inner = t5_inner(shape);
    t5_attention_slot slot = {0};
    if (cross) {
        slot.q = take_mat(r, r->compute, n, inner);
        slot.fused = take_mat(r, r->compute, n_k, 2 * inner);
    } else {
        slot.fused = take_mat(r, r->compute, n, 3 * inner);
        slot.q = columns(slot.fused, 0, inner);
    }
    int64_t first = cross ? 0 : inner;
    slot.k = columns(slot.fused, first, inner);
    slot.v = columns(slot.fused, first + inner, inner);
    slot.out = take_mat(r, r->compute, n, inner);
    return slot;
}

static void plan_layer(region *r, const t5_shape *shape, int s, int64_t n, int64_t n_enc,
                       t5_layer_slot *slot) {
    size_t lse = r->save ? (size_t)n * (size_t)shape->heads * sizeof(float) : 0;
    slot->self_norm = plan_norm(r, shape, n);
    slot->self = plan_attention(r, shape, n, n, false);
    slot->self.d_lse = lse ? take(r, lse) : NULL;
    if (s == T5_DECODER) {
        slot->cross_norm = plan_norm(r, shape, n);
        slot->cross = plan_attention(r, shape, n, n_enc, true);
        slot->cross.d_lse = lse ? take(r, lse) : NULL;
    }
    slot->ff_norm = plan_norm(r, shape, n);
    slot->ff_in = take_mat(r, r->compute, n, t5_ff_in(shape));
    slot->ff_hidden = shape->act == T5_ACTIVATION_GATED_GELU
                          ? take_mat(r, r->compute, n, shape->d_ff)
                          : slot->ff_in;
}

static void plan_stack(region *r, const t5_shape *shape, int s, int64_t n_enc, t5_stack_work *w) {
    int layers = s == T5_ENCODER ? shape->enc_layers : shape->dec_layers;
    size_t start = r->used;
    for (int l = 0; l < layers; l++) {
        t5_layer_slot unused;
        if (!r->save)
            r->used = start;
        plan_layer(r, shape, s, w->n, n_enc, w->layer ? &w->layer[l] : &unused);
    }
    w->final = plan_norm(r, shape, w->n);
}

/* Memory that lives during one sublayer. Stacks run one after the other and share theirs; the
 * gradients inside an attention share theirs with those inside a feed-forward layer. */
static size_t plan_scratch(region *r, const t5_shape *shape, int s, int64_t n_enc,
                           t5_stack_work *w) {
    size_t start = r->used;
    int64_t n = w->n;
    w->y = take_mat(r, r->compute, n, shape->d_model);
    size_t end = r->used;
    if (r->save) {
        w->dx = take_mat(r, T5_F32, n, shape->d_model);
        w->dh = take_mat(r, r->compute, n, shape->d_model);
        size_t shared = r->used;
        w->dff_hidden = take_mat(r, r->compute, n, shape->d_ff);
        w->dff_in = shape->act == T5_ACTIVATION_GATED_GELU
                        ? take_mat(r, r->compute, n, t5_ff_in(shape))
                        : w->dff_hidden;
        end = r->used;
        r->used = shared;
        w->dself = plan_attention(r, shape, n, n, false);
        end = r->used > end ? r->used : end;
        if (s == T5_DECODER) {
            r->used = shared;
            w->dcross = plan_attention(r, shape, n, n_enc, true);
            end = r->used > end ? r->used : end;
        }
    }
    r->used = start;
    return end;
}

void t5_work_plan(const t5_shape *shape, t5_dtype compute, t5_pass_kind kind, int64_t n_enc,
                  int64_t n_dec, int n_seq, char *base, t5_work *work) {
    region r = {.base = base, .compute = compute, .save = kind == T5_PASS_TRAIN};
    work->n_seq = n_seq;
    plan_integers(&r, n_enc, n_dec, n_seq, work);
    for (int s = 0; s < T5_STACKS; s++)
        plan_stack(&r, shape, s, n_enc, &work->stack[s]);
    work->logits = take_mat(&r, T5_F32, n_dec, shape->vocab);
    work->saved = r.used;
    work->dlogits = (t5_mat){0};
    if (r.save) {
        work->dlogits =
            compute == T5_F32 ? work->logits : take_mat(&r, compute, n_dec, shape->vocab);
        work->dencoded = take_mat(&r, T5_F32, n_enc, shape->d_model);
    }
    size_t end = r.used;
    for (int s = 0; s < T5_STACKS; s++) {
        size_t stack_end = plan_scratch(&r, shape, s, n_enc, &work->stack[s]);
        end = stack_end > end ? stack_end : end;
    }
    work->bytes = end;
}

t5_memory_need t5_model_memory(const t5_shape *shape, bool bf16, bool train, int64_t n_enc,
                               int64_t n_dec, int n_seq) {
    t5_work work = {0};
    t5_work_plan(shape, bf16 ? T5_BF16 : T5_F32, train ? T5_PASS_TRAIN : T5_PASS_EVALUATE, n_enc,
                 n_dec, n_seq, NULL, &work);
    size_t element = sizeof(float) * (train ? 4 : 1) + (bf16 ? 2 : 0);
    return (t5_memory_need){
        .arenas = (size_t)t5_layout_size(shape) * element +
                  (train ? T5_STEPS_PENDING * sizeof(t5_step_log) : 0),
        .activations = train ? work.saved : 0,
        .work = work.bytes - (train ? work.saved : 0),
    };
}
