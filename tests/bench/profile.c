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
                                                "copy, zero, to and from host"};

/* work: operations of matrix products, bytes of the passes over the arenas */
typedef struct timed {
    double seconds, work;
    long calls;
} timed;

/* A device's operations have no room for a caller's data, hence these. */
static const t5_device_ops *real;
static t5_device_ops wrapped;
static timed times[N_KINDS];

static void note(t5_device *dev, kind k, double begin, double work) {
    t5_error err = {0};
    (void)real->sync(
        dev, &err); /* a failure comes again at the step's own sync: it is not hidden here */
    times[k].seconds += bench_now() - begin;
    times[k].work += work;
    times[k].calls++;
}

#define TIMED(k, work, name, parameters, ...) \
    static void timed_##name parameters {     \
        const double begin = bench_now();     \
        real->name(__VA_ARGS__);              \
        note(dev, k, begin, work);            \
    }

TIMED((ta ? 2 : 0) + (tb ? 1 : 0),
      2.0 * (double)c.rows * (double)c.cols * (double)(ta ? a.rows : a.cols), matmul,
      (t5_device * dev, bool ta, t5_mat a, bool tb, t5_mat b, float alpha, float beta, t5_mat c),
      dev, ta, a, tb, b, alpha, beta, c)
TIMED(CAST, 6.0 * (double)n, cast, (t5_device * dev, const float *src, void *dst, int64_t n), dev,
      src, dst, n)
TIMED(EMBED, 0, embed_forward,
      (t5_device * dev, t5_mat table, const int32_t *ids, t5_mat x, t5_dropout drop), dev, table,
      ids, x, drop)
TIMED(EMBED, 0, embed_backward,
      (t5_device * dev, t5_mat dx, const int32_t *ids, t5_mat dtable, t5_dropout drop), dev, dx,
      ids, dtable, drop)
TIMED(NORM_FORWARD, 0, norm_forward,
      (t5_device * dev, t5_mat x_in, t5_mat y, t5_dropout drop, t5_mat x_out, const float *w,
       float eps, t5_mat out, float *rstd, t5_dropout out_drop),
      dev, x_in, y, drop, x_out, w, eps, out, rstd, out_drop)
TIMED(NORM_BACKWARD, 0, norm_backward,
      (t5_device * dev, t5_mat x, const float *w, const float *rstd, t5_mat dout,
       t5_dropout out_drop, bool accumulate, t5_mat dx, float *dw, t5_mat dy, t5_dropout drop),
      dev, x, w, rstd, dout, out_drop, accumulate, dx, dw, dy, drop)
TIMED(ACT_FORWARD, 0, act_forward,
      (t5_device * dev, t5_activation_kind act, t5_mat in, t5_mat out, t5_dropout drop), dev, act,
      in, out, drop)
TIMED(ACT_BACKWARD, 0, act_backward,
      (t5_device * dev, t5_activation_kind act, t5_mat in, t5_mat out, t5_mat dout, t5_mat din,
       t5_dropout drop),
      dev, act, in, out, dout, din, drop)
TIMED(ATTENTION_FORWARD, 0, attention_forward,
      (t5_device * dev, const t5_attention *a, t5_mat out, float *lse), dev, a, out, lse)
TIMED(ATTENTION_BACKWARD, 0, attention_backward,
      (t5_device * dev, const t5_attention *a, t5_mat out, const float *lse, t5_mat dout, t5_mat dq,
       t5_mat dk, t5_mat dv, float *dbias),
      dev, a, out, lse, dout, dq, dk, dv, dbias)
TIMED(LOSS, 0, loss, (t5_device * dev, const t5_loss_args *a), dev, a)
TIMED(SUM_SQUARES, 4.0 * (double)n, sum_squares,
      (t5_device * dev, const float *x, int64_t n, double *sum), dev, x, n, sum)
TIMED(ADAMW, (a->d_copy ? 30.0 : 28.0) * (double)a->n, adamw,
      (t5_device * dev, const t5_adamw_args *a), dev, a)
TIMED(MOVE, 0, to_device, (t5_device * dev, void *dst, const void *src, size_t bytes), dev, dst,
      src, bytes)
TIMED(MOVE, 0, copy, (t5_device * dev, void *dst, const void *src, size_t bytes), dev, dst, src,
      bytes)
TIMED(MOVE, 0, zero, (t5_device * dev, void *dst, size_t bytes), dev, dst, bytes)

void bench_profile_start(t5_device *dev) {
    real = dev->ops;
    wrapped = *real; /* what a training step does not use stays as it is */
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
    wrapped.to_device = timed_to_device;
    wrapped.copy = timed_copy;
    wrapped.zero = timed_zero;
    dev->ops = &wrapped;
}

void bench_profile_print(int steps, double step_seconds) {
    double all = 0;
    printf("\n  %-30s %9s %9s %7s %14s\n", "per step", "calls", "ms", "share", "rate");
    for (int k = 0; k < N_KINDS; k++) {
        const timed *t = &times[k];
        if (t->calls == 0)
            continue;
        all += t->seconds / steps;
        printf("  %-30s %9.1f %9.3f %6.1f%%", kind_names[k], (double)t->calls / steps,
               1e3 * t->seconds / steps, 100 * t->seconds / steps / step_seconds);
        if (t->work > 0)
            printf(" %8.1f %s", 1e-9 * t->work / t->seconds, k <= MATMUL_TT ? "GFLOP/s" : "GB/s");
        printf("\n");
    }
    printf("  %-30s %9s %9.3f %6.1f%%\n", "outside the device's table", "",
           1e3 * (step_seconds - all), 100 * (step_seconds - all) / step_seconds);
}

void bench_profile_stop(t5_device *dev) {
    dev->ops = real;
}
