/* The device: one table of operations on packed layout, every slot filled by every backend.
 *
 * An instance (t5_device) is one stream of work. Operations are queued in order and may run later;
 * none returns a status: the first failure sticks to the device and t5_device_sync (or any to_host)
 * reports it; operations queued after it do nothing. Arguments are checked by assert only: the
 * model is the one caller. Same inputs, same thread count: same bits, on every run.
 *
 * Layout: row-major; (n, d) is n rows of d elements, rows ld elements apart. A packed tensor of
 * sequences has total_tokens rows; sequence s is rows start[s] .. start[s+1]-1.
 * A piece of a program that is run again and again, such as a training step, is queued by `replay`,
 * which may keep it as a graph. What differs from one run to the next is therefore read from device
 * memory when the operation runs, not given as an argument.
 * Types: "f32" buffers are always float; "compute" buffers are float or bfloat16 (the device's
 * compute type, args say which). Reductions are at least float32. `d_`: device memory.
 *
 * To add an operation: a slot here with its formula and source, the CPU implementation, a
 * conformance test with finite differences in tests/device; then the other backends. */
#ifndef T5_DEVICE_DEVICE_H
#define T5_DEVICE_DEVICE_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { T5_F32, T5_BF16 } t5_dtype;
static inline size_t t5_dtype_size(t5_dtype t) {
    return t == T5_F32 ? 4 : 2;
}

typedef struct t5_device t5_device;

/* A matrix in device memory. */
typedef struct t5_mat {
    void *p;
    t5_dtype type;
    int64_t rows, cols, ld;
} t5_mat;

/* Dropout of rate p with kept values scaled by 1/(1-p). Element (token t, feature j) is dropped iff
 * the uniform number of Philox counter {site, tok[2t], tok[2t+1], j/4}, key {seed, *step}, word
 * j%4, is below p (compared as u32 < (uint32_t)(p * 2^32)). step is read when the operation runs.
 * tok: per token its row number and its position in the row. For attention probabilities j = head *
 * 65536 + key position. p == 0: no dropout, nothing else is read. */
typedef struct t5_dropout {
    float p;
    uint32_t seed, site;
    const uint32_t *d_step; /* (1) */
    const uint32_t *d_tok;  /* (tokens, 2) */
} t5_dropout;

typedef struct t5_attention {
    int n_seq, heads, d_kv;   /* inner width = heads * d_kv */
    int n_q, max_q, max_k;    /* query tokens in all; longest sequences */
    const int32_t *d_q_start; /* (n_seq + 1) first query row of each sequence, n_q last */
    const int32_t *d_k_start; /* (n_seq) first key row of each sequence */
    const int32_t *d_k_len;   /* (n_seq) number of its keys */
    int q_offset;   /* position of each sequence's first query in its sequence (decoding) */
    bool causal;    /* query at position i sees keys at positions <= i */
    t5_mat q, k, v; /* compute; (rows, inner); may be column slices of one matrix */
    const float *d_bias_table; /* (buckets, heads) f32, or NULL: none (cross-attention) */
    int buckets, max_distance; /* relative position buckets, bidirectional unless causal_buckets */
    bool causal_buckets; /* decoder buckets (the decoding step is not `causal` but has these) */
    t5_dropout drop;     /* of the probabilities */
} t5_attention;

typedef enum { T5_ACTIVATION_RELU, T5_ACTIVATION_GATED_GELU } t5_activation_kind;

typedef struct t5_loss_args {
    int64_t n, vocab;
    t5_mat logits;          /* (n, vocab) f32 */
    const int32_t *d_label; /* (n); < 0: padding, without loss and gradient */
    bool focal;
    float smoothing;      /* cross entropy: (1-e)*nll + e*mean_v(-log p_v) */
    float gamma, alpha;   /* focal: -alpha (1-p)^gamma log p; gradient through p */
    const float *d_scale; /* (1) multiplies the gradient only: 1 / target tokens of the global
                             batch. Read when the operation runs; NULL without a gradient */
    double *d_sum;        /* += the unscaled sum of the n losses (never reset here) */
    t5_mat dlogits;       /* (n, vocab) compute, or p == NULL: no gradient. May be the logits
                             buffer itself, when it is f32 */
} t5_loss_args;

typedef struct t5_adamw_args {
    int64_t n;
    float *d_param, *d_m, *d_v;
    const float *d_grad;
    void *d_copy;        /* bfloat16 (n), or NULL */
    const float *d_rate; /* (3) learning rate, corrections 1 - beta1^step and 1 - beta2^step; read
                            when the operation runs */
    float beta1, beta2, eps, weight_decay;
    float clip_norm;       /* 0: off; else grad *= min(1, clip_norm / (sqrt(*d_norm2) + 1e-6)) */
    const double *d_norm2; /* squared norm of the whole gradient */
} t5_adamw_args;

typedef struct t5_topk_args {
    int64_t n, vocab;
    t5_mat logits;    /* (n, vocab) f32; overwritten */
    bool log_softmax; /* first turn the logits into log-probabilities (beam search) */
    float penalty;    /* repetition penalty, 1: off: each value v of a token of the row's history
                         becomes v < 0 ? v * penalty : v / penalty (Keskar et al. 2019) */
    const int32_t *d_history; /* (n, history_ld) tokens so far, start token included */
    int history_len, history_ld;
    const uint8_t *d_allowed; /* (vocab) 0: never; or NULL: all. Applied after the penalty */
    int k;
    float *d_value; /* (n, k) best values first; ties: the lower id first; short rows: -INFINITY,
                       and id 0 beyond the vocabulary. NaN counts as -INFINITY */
    int32_t *d_id;  /* (n, k) */
} t5_topk_args;

/* A row of a packed batch: what of the data set it is, and where it goes. */
typedef struct t5_pack_row {
    int64_t at; /* its input ids begin at d_ids[at], its target ids right behind them;
                   < 0: padding, tokens that belong to no row */
    int32_t n_input, n_target; /* tokens of each, end tokens included */
    int32_t enc_start, dec_start;
    uint32_t row; /* number for the random counters */
} t5_pack_row;

/* data/batch.h says what a packed batch is. What is in it changes with d_row; n_enc and n_dec are
 * what the rows add up to. */
typedef struct t5_pack_args {
    int n_seq;
    int64_t n_enc, n_dec;
    const int32_t *d_ids;     /* the token ids of a data set */
    const t5_pack_row *d_row; /* (n_seq), each starts where the one before ends, from 0 on */
    int32_t start_id, pad_id;
    int32_t *d_enc_ids;               /* (n_enc) padding: pad_id */
    int32_t *d_enc_start, *d_enc_len; /* (n_seq + 1), (n_seq) */
    uint32_t *d_enc_tok;              /* (n_enc, 2) row and position, for dropout */
    int32_t *d_dec_ids, *d_label;     /* (n_dec) start_id and the target but its last token; the
                                         target. padding: pad_id; -1 */
    int32_t *d_dec_start, *d_dec_len;
    uint32_t *d_dec_tok;
} t5_pack_args;

/* What a replayed piece of a program is kept as; the backend's. */
typedef struct t5_replay t5_replay;

typedef struct t5_device_ops {
    const char *name; /* "cpu" */
    void (*destroy)(t5_device *dev);

    /* --- memory --- */
    /* 64-byte aligned, zeroed; T5_ERR_MEMORY says how much was asked for. */
    t5_status (*alloc)(t5_device *dev, size_t bytes, void **d_ptr, t5_error *err);
    void (*free)(t5_device *dev, void *d_ptr); /* NULL is fine; waits for queued work */
    void (*to_device)(t5_device *dev, void *d_dst, const void *src, size_t bytes);
    t5_status (*to_host)(t5_device *dev, void *dst, const void *d_src, size_t bytes, t5_error *err);
    void (*copy)(t5_device *dev, void *d_dst, const void *d_src, size_t bytes);
    void (*zero)(t5_device *dev, void *d_dst, size_t bytes);
    t5_status (*sync)(t5_device *dev,
                      t5_error *err); /* waits; reports and clears the sticky error */

    /* --- dense --- */
    /* C = alpha * op(A) op(B) + beta * C; op transposes if ta / tb. C is (m, n), f32 or compute;
     * A and B have the same type. beta is 0 or 1, alpha not 0. */
    void (*matmul)(t5_device *dev, bool ta, t5_mat a, bool tb, t5_mat b, float alpha, float beta,
                   t5_mat c);
    void (*cast)(t5_device *dev, const float *d_src, void *d_dst_bf16, int64_t n);
    /* The reverse of the cast. */
    void (*widen)(t5_device *dev, const void *d_src_bf16, float *d_dst, int64_t n);
    /* n doubles rounded to float */
    void (*narrow)(t5_device *dev, const double *d_src, int64_t n, float *d_dst);

    /* --- batches --- */
    void (*pack)(t5_device *dev, const t5_pack_args *a);

    /* --- embedding --- */
    /* x[t] = dropout(table[ids[t]]); table (vocab, d) f32, x (n, d) f32 */
    void (*embed_forward)(t5_device *dev, t5_mat table, const int32_t *d_ids, t5_mat x,
                          t5_dropout drop);
    /* dtable[ids[t]] += dropout'(dx[t]); deterministic order of summation */
    void (*embed_backward)(t5_device *dev, t5_mat dx, const int32_t *d_ids, t5_mat dtable,
                           t5_dropout drop);

    /* --- residual + RMS norm, fused (T5LayerNorm: no mean, no bias) --- */
    /* x_out = x_in + dropout(y)            (y.p NULL: x_out = x_in, and x_out.p may be NULL then)
     * rstd[t] = 1 / sqrt(mean(x_out[t]^2) + eps)
     * out = out_dropout(x_out * rstd * w)
     * x_in, x_out f32 (n, d), may be the same buffer; y, out compute; w (d) f32; rstd (n) f32. */
    void (*norm_forward)(t5_device *dev, t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out,
                         const float *d_w, float eps, t5_mat out, float *d_rstd,
                         t5_dropout out_drop);
    /* Of the above, given dout (n, d) (compute or f32):
     * dw += sum_t ..., dx = (accumulate ? dx : 0) + d/dx_out, dy = dropout'(dx) (dy.p NULL: not).
     * x is x_out of the forward, dx f32, dy compute. */
    void (*norm_backward)(t5_device *dev, t5_mat x, const float *d_w, const float *d_rstd,
                          t5_mat dout, t5_dropout out_drop, bool accumulate, t5_mat dx, float *d_dw,
                          t5_mat dy, t5_dropout drop);

    /* --- feed forward --- */
    /* relu: out (n, ff) = dropout(max(in, 0)), in may be out.
     * gated gelu: in (n, 2 ff) = [a | b], out = dropout(gelu_new(a) * b),
     * gelu_new(a) = 0.5 a (1 + tanh(sqrt(2/pi) (a + 0.044715 a^3))). All compute. */
    void (*act_forward)(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                        t5_dropout drop);
    /* din from dout. relu reads out only (out > 0 iff kept and positive), in.p may be NULL; din may
     * be dout for relu. */
    void (*act_backward)(t5_device *dev, t5_activation_kind kind, t5_mat in, t5_mat out,
                         t5_mat dout, t5_mat din, t5_dropout drop);

    /* --- attention with T5's relative position bias, no scaling by sqrt(d) --- */
    /* out (n_q, inner) compute; d_lse (n_q, heads) f32: log of the sum of the exponentials, NULL
     * when nobody needs it (generation). */
    void (*attention_forward)(t5_device *dev, const t5_attention *a, t5_mat out, float *d_lse);
    /* dq, dk, dv are overwritten (rows of no sequence stay as they are); d_dbias_table (buckets,
     * heads) += (NULL iff there is no bias). out and dout (n_q, inner) compute. */
    void (*attention_backward)(t5_device *dev, const t5_attention *a, t5_mat out,
                               const float *d_lse, t5_mat dout, t5_mat dq, t5_mat dk, t5_mat dv,
                               float *d_dbias_table);

    /* --- loss and optimiser --- */
    void (*loss)(t5_device *dev, const t5_loss_args *a);
    /* *d_sum += sum of squares of n floats, in double */
    void (*sum_squares)(t5_device *dev, const float *d_x, int64_t n, double *d_sum);
    /* Loshchilov & Hutter 2019 as torch.optim.AdamW: p -= lr*wd*p; m, v; p -= lr * (m/c1) /
     * (sqrt(v/c2) + eps). One pass. */
    void (*adamw)(t5_device *dev, const t5_adamw_args *a);

    /* --- generation --- */
    /* dst row i = src row d_index[i], n rows of `bytes` bytes, rows stride_bytes apart in both;
     * dst != src. */
    void (*gather_rows)(t5_device *dev, void *d_dst, const void *d_src, const int32_t *d_index,
                        int64_t n, size_t bytes, size_t stride_bytes);
    void (*topk)(t5_device *dev, const t5_topk_args *a);

    /* --- replay --- */
    /* The same as queue(arg), but faster when it is done often. For one *replay (NULL at first)
     * queue must queue the same operations with the same arguments every time; only the contents
     * of device memory may differ. It does nothing but queue operations of this device, and work on
     * other streams that fork from dev->stream and join it again by events: no alloc, free,
     * to_device, to_host, sync. What cannot be kept is run by queue every time. */
    void (*replay)(t5_device *dev, t5_replay **replay, void (*queue)(void *arg), void *arg);
    /* NULL is fine; waits for queued work. Before the device is closed. */
    void (*replay_free)(t5_device *dev, t5_replay *replay);
} t5_device_ops;

struct t5_device {
    const t5_device_ops *ops;
    bool host_memory;       /* what alloc gives is host memory, too; whoever touches it syncs */
    bool has_bf16;          /* bfloat16 products in hardware */
    void *stream;           /* a GPU's queue (cudaStream_t), for NCCL; NULL: none */
    char id[16];            /* which of its host's GPUs it is (PCI address); "": the CPU */
    char info[128];         /* "CPU, oneDNN 2.6.3, avx512_core_bf16, 2 threads" */
    size_t allocated, peak; /* bytes of alloc */
    bool replays;           /* replay is faster than running queue(arg) */
    /* How often replay kept a piece, ran a kept one, and gave a piece up for good because it cannot
     * be kept. */
    int64_t captures, launches, given_up;
};

/* The CPU backend on oneDNN. threads >= 1 OpenMP threads for every operation of this device. */
t5_status t5_device_open_cpu(int threads, t5_device **dev, t5_error *err);
/* The CUDA backend on GPU number gpu of those that this process sees. tf32: float32 products on
 * tensor cores, their factors rounded to TF32. T5_ERR_DEVICE says what is missing: driver, GPU, GPU
 * of that number, compute capability 7.5, or a build with CUDA. The device belongs to the calling
 * thread. */
t5_status t5_device_open_cuda(int gpu, bool tf32, t5_device **dev, t5_error *err);
/* GPUs that this process sees; 0 also where the driver or CUDA itself is missing. */
int t5_device_count_cuda(void);
static inline void t5_device_close(t5_device *dev) {
    if (dev)
        dev->ops->destroy(dev);
}

/* Bucket of relative position (key position - query position), T5's formula (Raffel et al. 2019;
 * Transformers' _relative_position_bucket, in float32 as there). */
int t5_relative_bucket(int relative, bool bidirectional, int buckets, int max_distance);

#endif
