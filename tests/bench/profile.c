#include "bench.h"

#include <stdio.h>

typedef enum {
    MATMUL_NN,
    MATMUL_NT,
    MATMUL_TN,
    MATMUL_TT,
    CAST,
    EMBED,
    NORM_FORWARD,
    NORM_BACKWARD,
    ACT_FORWARD,
    ACT_BACKWARD,
    ATTENTION_FORWARD,
    ATTENTION_BACKWARD,
    LOSS,
    SUM_SQUARES,
    ADAMW,
    PACK,
    MOVE,
    N_KINDS
} kind;

static const char *const kind_names[N_KINDS] = {"matmul A B",
                                                "matmul A Bt",
                                                "matmul At B",
                                                "matmul At Bt",
                                                "cast",
                                                "embedding",
                                                "norm forward",
                                                "norm backward",
                                                "act. forward",
                                                "act. backward",
                                                "attention forward",
                                                "attention backward",
                                                "loss",
                                                "sum of squares",
                                                "adamw",
                                                "packing",
                                                "copy, zero, to and from host"};

/* What an operation does at the least: those of its matrix products, and bytes that it reads and
 * writes once. */
typedef struct least {
    double flops, bytes;
} least;

typedef struct timed {
    double seconds, flops, bytes;
    long calls;
} timed;

/* A device's operations have no room for a caller's data, hence these. */
static const t5_device_ops *real;
static t5_device_ops wrapped;
static timed times[N_KINDS];

static void note(t5_device *dev, kind k, double begin, least work) {
    t5_error err = {0};
    (void)real->sync(
        dev, &err); /* a failure comes again at the step's own sync: it is not hidden here */
    times[k].seconds += bench_now() - begin;
    times[k].flops += work.flops;
    times[k].bytes += work.bytes;
    times[k].calls++;
}

/* --- what the operations do at the least --- */

static double bytes_of(t5_mat m) {
    return m.p ? (double)m.rows * (double)m.cols * (double)t5_dtype_size(m.type) : 0;
}

static least of_bytes(double bytes) {
    return (least){.bytes = bytes};
}

static least of_matmul(bool ta, t5_mat a, t5_mat b, float beta, t5_mat c) {
    return (least){.flops = 2.0 * (double)c.rows * (double)c.cols * (double)(ta ? a.rows : a.cols),
                   .bytes = bytes_of(a) + bytes_of(b) + (beta == 0 ? 1 : 2) * bytes_of(c)};
}

/* x_out is x_in again where nothing is added. */
static least of_norm_forward(t5_mat x_in, t5_mat y, t5_mat x_out, t5_mat out) {
    const bool written = x_out.p && (y.p || x_out.p != x_in.p);
    return of_bytes(bytes_of(x_in) + bytes_of(y) + (written ? bytes_of(x_out) : 0) + bytes_of(out) +
                    4.0 * (double)x_in.rows);
}

static least of_norm_backward(t5_mat x, t5_mat dout, bool accumulate, t5_mat dx, t5_mat dy) {
    return of_bytes(bytes_of(x) + bytes_of(dout) + (accumulate ? 2 : 1) * bytes_of(dx) +
                    bytes_of(dy) + 4.0 * (double)x.rows);
}

/* Of attention's operations, which depend on the lengths of all sequences, bench_profile_print is
 * told. */
static least of_attention(const t5_attention *a, double queries, double keys) {
    return of_bytes(queries * bytes_of(a->q) + keys * bytes_of(a->k) +
                    4.0 * (double)a->n_q * (double)a->heads);
}

#define TIMED(k, work, name, parameters, ...) \
    static void timed_##name parameters {     \
        const double begin = bench_now();     \
        real->name(__VA_ARGS__);              \
        note(dev, k, begin, work);            \
    }

TIMED((ta ? 2 : 0) + (tb ? 1 : 0), of_matmul(ta, a, b, beta, c), matmul,
      (t5_device * dev, bool ta, t5_mat a, bool tb, t5_mat b, float alpha, float beta, t5_mat c),
      dev, ta, a, tb, b, alpha, beta, c)
TIMED(CAST, of_bytes(6.0 * (double)n), cast,
      (t5_device * dev, const float *src, void *dst, int64_t n), dev, src, dst, n)
TIMED(EMBED, of_bytes(2 * bytes_of(x)), embed_forward,
      (t5_device * dev, t5_mat table, const int32_t *ids, t5_mat x, t5_dropout drop), dev, table,
      ids, x, drop)
TIMED(EMBED, of_bytes(3 * bytes_of(dx)), embed_backward,
      (t5_device * dev, t5_mat dx, const int32_t *ids, t5_mat dtable, t5_dropout drop), dev, dx,
      ids, dtable, drop)
TIMED(NORM_FORWARD, of_norm_forward(x_in, y, x_out, out), norm_forward,
      (t5_device * dev, t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out, const float *w,
       float eps, t5_mat out, float *rstd, t5_dropout out_drop),
      dev, x_in, y, drop, x_out, w, eps, out, rstd, out_drop)
TIMED(NORM_BACKWARD, of_norm_backward(x, dout, accumulate, dx, dy), norm_backward,
      (t5_device * dev, t5_mat x, const float *w, const float *rstd, t5_mat dout,
       t5_dropout out_drop, bool accumulate, t5_mat dx, float *dw, t5_mat dy, t5_dropout drop),
      dev, x, w, rstd, dout, out_drop, accumulate, dx, dw, dy, drop)
TIMED(ACT_FORWARD, of_bytes(bytes_of(in) + bytes_of(out)), act_forward,
      (t5_device * dev, t5_activation_kind act, t5_mat in, t5_mat out, t5_dropout drop), dev, act,
      in, out, drop)
TIMED(ACT_BACKWARD,
      of_bytes((act == T5_ACTIVATION_RELU ? bytes_of(out) : bytes_of(in)) + bytes_of(dout) +
               bytes_of(din)),
      act_backward,
      (t5_device * dev, t5_activation_kind act, t5_mat in, t5_mat out, t5_mat dout, t5_mat din,
       t5_dropout drop),
      dev, act, in, out, dout, din, drop)
TIMED(ATTENTION_FORWARD, of_attention(a, 2, 2), attention_forward,
      (t5_device * dev, const t5_attention *a, t5_mat out, float *lse), dev, a, out, lse)
TIMED(ATTENTION_BACKWARD, of_attention(a, 4, 4), attention_backward,
      (t5_device * dev, const t5_attention *a, t5_mat out, const float *lse, t5_mat dout, t5_mat dq,
       t5_mat dk, t5_mat dv, float *dbias),
      dev, a, out, lse, dout, dq, dk, dv, dbias)
TIMED(LOSS, of_bytes(bytes_of(a->logits) + bytes_of(a->dlogits)), loss,
      (t5_device * dev, const t5_loss_args *a), dev, a)
TIMED(SUM_SQUARES, of_bytes(4.0 * (double)n), sum_squares,
      (t5_device * dev, const float *x, int64_t n, double *sum), dev, x, n, sum)
TIMED(ADAMW, of_bytes((a->d_copy ? 30.0 : 28.0) * (double)a->n), adamw,
      (t5_device * dev, const t5_adamw_args *a), dev, a)
TIMED(PACK, of_bytes(16.0 * (double)(a->n_enc + a->n_dec)), pack,
      (t5_device * dev, const t5_pack_args *a), dev, a)
TIMED(MOVE, of_bytes((double)bytes), to_device,
      (t5_device * dev, void *dst, const void *src, size_t bytes), dev, dst, src, bytes)
TIMED(MOVE, of_bytes(2.0 * (double)bytes), copy,
      (t5_device * dev, void *dst, const void *src, size_t bytes), dev, dst, src, bytes)
TIMED(MOVE, of_bytes((double)bytes), zero, (t5_device * dev, void *dst, size_t bytes), dev, dst,
      bytes)

/* Within a graph nothing can be waited for. */
static void queue_at_once(t5_device *dev, t5_replay **replay, void (*queue)(void *arg), void *arg) {
    (void)dev;
    (void)replay;
    queue(arg);
}

void bench_profile_start(t5_device *dev) {
    real = dev->ops;
    wrapped = *real; /* what a training step does not use stays as it is */
    wrapped.replay = queue_at_once;
    wrapped.matmul = timed_matmul;
    wrapped.cast = timed_cast;
    wrapped.embed_forward = timed_embed_forward;
    wrapped.embed_backward = timed_embed_backward;
    wrapped.norm_forward = timed_norm_forward;
    wrapped.norm_backward = timed_norm_backward;
    wrapped.act_forward = timed_act_forward;
    wrapped.act_backward = timed_act_backward;
    wrapped.attention_forward = timed_attention_forward;
    wrapped.attention_backward = timed_attention_backward;
    wrapped.loss = timed_loss;
    wrapped.sum_squares = timed_sum_squares;
    wrapped.adamw = timed_adamw;
    wrapped.pack = timed_pack;
    wrapped.to_device = timed_to_device;
    wrapped.copy = timed_copy;
    wrapped.zero = timed_zero;
    dev->ops = &wrapped;
}

/* Attention's operations: the step's that are in no product of the table, two thirds of them in the
 * backward. */
static void share_attention(const bench_step *whole, int steps) {
    double rest = whole->flops * steps;
    for (int k = MATMUL_NN; k <= MATMUL_TT; k++)
        rest -= times[k].flops;
    times[ATTENTION_FORWARD].flops = rest / 3;
    times[ATTENTION_BACKWARD].flops = 2 * rest / 3;
}

/* The time that an operation must take: the longer one of its products and its bytes. */
static double floor_of(const timed *t, const bench_step *whole) {
    const double products = t->flops / whole->peak, bytes = t->bytes / whole->bandwidth;
    return products > bytes ? products : bytes;
}

void bench_profile_print(int steps, const bench_step *whole) {
    double all = 0, least_ms = 0;
    share_attention(whole, steps);
    printf("\n  %-30s %7s %9s %7s %9s %9s %9s %7s\n", "per step", "calls", "ms", "share", "GFLOP",
           "MB", "floor ms", "floor/t");
    for (int k = 0; k < N_KINDS; k++) {
        const timed *t = &times[k];
        if (t->calls == 0)
            continue;
        all += t->seconds / steps;
        least_ms += 1e3 * floor_of(t, whole) / steps;
        printf("  %-30s %7.1f %9.3f %6.1f%% %9.3f %9.3f %9.3f %7.3f\n", kind_names[k],
               (double)t->calls / steps, 1e3 * t->seconds / steps,
               100 * t->seconds / steps / whole->seconds, 1e-9 * t->flops / steps,
               1e-6 * t->bytes / steps, 1e3 * floor_of(t, whole) / steps,
               floor_of(t, whole) / t->seconds);
    }
    printf("  %-30s %7s %9.3f %6.1f%%\n", "outside the device's table", "",
           1e3 * (whole->seconds - all), 100 * (whole->seconds - all) / whole->seconds);
    printf("  %-30s %7s %9.3f %7s %9s %9s %9.3f %7.3f\n", "all", "", 1e3 * whole->seconds, "", "",
           "", least_ms, 1e-3 * least_ms / whole->seconds);
}

void bench_profile_stop(t5_device *dev) {
    dev->ops = real;
}
