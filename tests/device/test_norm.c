/* Residual + RMS norm, forward against the formula and backward against differences of it. */
#include "device/conformance.h"

typedef struct problem {
    int64_t n, d;
    double *x, *y, *w;         /* inputs; y NULL: no residual */
    double *weight, *x_weight; /* the loss: sum weight . out + x_weight . x_out */
    double eps;
    t5_dropout drop, out_drop;
    uint32_t *tok, *out_tok;
} problem;

/* x_out, out (n, d) and rstd (n) of the formula. */
static void reference(const problem *p, double *x_out, double *out, double *rstd) {
    for (int64_t t = 0; t < p->n; t++) {
        double sum = 0.0;
        for (int64_t j = 0; j < p->d; j++) {
            double v = p->x[t * p->d + j];
            if (p->y)
                v += p->y[t * p->d + j] * kept(p->drop, p->tok, t, (uint32_t)j);
            x_out[t * p->d + j] = v;
            sum += v * v;
        }
        rstd[t] = 1.0 / sqrt(sum / (double)p->d + p->eps);
        for (int64_t j = 0; j < p->d; j++)
            out[t * p->d + j] = x_out[t * p->d + j] * rstd[t] * p->w[j] *
                                kept(p->out_drop, p->out_tok, t, (uint32_t)j);
    }
}

static double loss(const void *context) {
    const problem *p = context;
    int64_t n = p->n * p->d;
    double *x_out = malloc((size_t)(2 * n + p->n) * sizeof *x_out), sum = 0.0;
    assert_non_null(x_out);
    reference(p, x_out, x_out + n, x_out + 2 * n);
    for (int64_t i = 0; i < n; i++)
        sum += p->weight[i] * x_out[n + i] + p->x_weight[i] * x_out[i];
    free(x_out);
    return sum;
}

typedef struct shape {
    int64_t n, d;
    float p, out_p;
    bool residual, in_place;
    t5_dtype type;
} shape;

/* dx and dw of the loss, dy through the dropout, against differences. */
static void check_backward(t5_device *dev, const shape *s, problem *p, t5_mat x_out, t5_mat dout,
                           const float *d_w, const float *d_rstd) {
    const t5_device_ops *ops = dev->ops;
    double tolerance = s->type == T5_F32 ? 4e-6 : 4e-3;
    double *zero = NULL;
    t5_mat dw = matrix(dev, T5_F32, 1, s->d, s->d, 0.0, 9, &zero);
    t5_mat dx = matrix(dev, T5_F32, s->n, s->d, s->d + 4, 1.0, 6, &p->x_weight);
    t5_mat dy = matrix(dev, s->type, s->n, s->d, s->d + 3, 1.0, 10, NULL);
    t5_mat none = {0};
    ops->norm_backward(dev, x_out, d_w, d_rstd, dout, p->out_drop, true, dx, dw.p,
                       s->residual ? dy : none, p->drop);
    double *got = values_of(dev, dx), *got_w = values_of(dev, dw), *got_y = values_of(dev, dy);
    assert_gradient("dx", loss, p, p->x, got, s->n * s->d, 300, 4e-6);
    assert_gradient("dw", loss, p, p->w, got_w, s->d, 100, 4e-6);
    if (s->residual)
        assert_gradient("dy", loss, p, p->y, got_y, s->n * s->d, 300, tolerance);
    free(got), free(got_w), free(got_y);
    /* without accumulation, and the weight's gradient added to what is there */
    double *added;
    memset(p->x_weight, 0, (size_t)(s->n * s->d) * sizeof(double));
    t5_mat dw2 = matrix(dev, T5_F32, 1, s->d, s->d, 1.0, 11, &added);
    ops->norm_backward(dev, x_out, d_w, d_rstd, dout, p->out_drop, false, dx, dw2.p, none, p->drop);
    got = values_of(dev, dx), got_w = values_of(dev, dw2);
    for (int64_t j = 0; j < s->d; j++)
        got_w[j] -= added[j];
    assert_gradient("dx", loss, p, p->x, got, s->n * s->d, 100, 4e-6);
    assert_gradient("dw", loss, p, p->w, got_w, s->d, 100, 1e-5);
    free(got), free(got_w), free(added), free(zero);
    ops->free(dev, dw.p), ops->free(dev, dw2.p), ops->free(dev, dx.p), ops->free(dev, dy.p);
}

static void check(t5_device *dev, const shape *s) {
    const t5_device_ops *ops = dev->ops;
    problem p = {.n = s->n, .d = s->d, .eps = (double)1e-6f};
    double *unused;
    t5_mat x = matrix(dev, T5_F32, s->n, s->d, s->d + 1, 2.0, 1, &p.x);
    t5_mat y = matrix(dev, s->type, s->n, s->d, s->d + 2, 1.0, 2, &p.y);
    t5_mat w = matrix(dev, T5_F32, 1, s->d, s->d, 1.0, 3, &p.w);
    t5_mat x_out = matrix(dev, T5_F32, s->n, s->d, s->d + 3, 1.0, 4, &unused);
    t5_mat out = matrix(dev, s->type, s->n, s->d, s->d + 4, 1.0, 5, NULL), none = {0};
    t5_mat dout = matrix(dev, s->type, s->n, s->d, s->d + 5, 1.0, 7, &p.weight);
    t5_mat rstd = matrix(dev, T5_F32, 1, s->n, s->n, 0.0, 8, NULL);
    p.drop = dropout(dev, s->p, 5, s->n, &p.tok);
    p.out_drop = dropout(dev, s->out_p, 6, s->n, &p.out_tok);
    double *y_values = p.y;
    if (!s->residual)
        p.y = NULL;
    if (s->in_place) {
        ops->free(dev, x_out.p);
        x_out = s->residual ? x : none;
    }
    ops->norm_forward(dev, x, s->residual ? y : none, p.drop, x_out, w.p, 1e-6f, out, rstd.p,
                      p.out_drop);
    int64_t n = s->n * s->d;
    double *want = malloc((size_t)(2 * n + s->n + 1) * sizeof *want);
    assert_non_null(want);
    reference(&p, want, want + n, want + 2 * n);
    if (x_out.p)
        assert_matrix(dev, "x_out", want, x_out);
    assert_matrix(dev, "out", want + n, out);
    assert_matrix(dev, "rstd", want + 2 * n, rstd);
    if (n > 0)
        check_backward(dev, s, &p, x_out.p ? x_out : x, dout, w.p, rstd.p);
    void *memory[] = {x.p, y.p, w.p, out.p, dout.p, rstd.p, x_out.p == x.p ? NULL : x_out.p};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        ops->free(dev, memory[i]);
    dropout_free(dev, p.drop, p.tok), dropout_free(dev, p.out_drop, p.out_tok);
    free(p.x), free(y_values), free(p.w), free(unused), free(p.weight), free(p.x_weight);
    free(want);
}

static void test_norm(t5_device *dev) {
    static const shape shapes[] = {
        {0, 8, 0, 0, true, false, T5_F32},
        {1, 2, 0, 0, true, false, T5_F32},
        {1, 8, 0.5f, 0, true, false, T5_F32},
        {3, 13, 0, 0.5f, false, false, T5_F32},
        {3, 13, 0, 0, false, true, T5_F32},
        {37, 64, 0.1f, 0, true, true, T5_F32},
        {70, 70, 0.5f, 0.5f, true, false, T5_F32},
        {5, 1030, 0.5f, 0.25f, true, true, T5_F32},
        {1, 8, 0.5f, 0, true, false, T5_BF16},
        {37, 64, 0.1f, 0, true, true, T5_BF16},
        {5, 1030, 0.5f, 0.25f, true, false, T5_BF16},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(dev, &shapes[i]);
}

/* The weight's gradient is a sum over all tokens: the same bits each time. */
static void test_repeats(t5_device *dev) {
    const t5_device_ops *ops = dev->ops;
    t5_mat x = matrix(dev, T5_F32, 333, 96, 96, 1.0, 1, NULL),
           g = matrix(dev, T5_F32, 333, 96, 96, 1.0, 2, NULL);
    t5_mat w = matrix(dev, T5_F32, 1, 96, 96, 1.0, 3, NULL), dx[2], dw[2], none = {0};
    t5_mat rstd = matrix(dev, T5_F32, 1, 333, 333, 1.0, 4, NULL);
    for (int i = 0; i < 2; i++) {
        dx[i] = matrix(dev, T5_F32, 333, 96, 96, 0.0, 5, NULL);
        dw[i] = matrix(dev, T5_F32, 1, 96, 96, 0.0, 6, NULL);
        ops->norm_backward(dev, x, w.p, rstd.p, g, (t5_dropout){0}, false, dx[i], dw[i].p, none,
                           (t5_dropout){0});
    }
    assert_same_bits(dev, "dx", dx[0], dx[1]);
    assert_same_bits(dev, "dw", dw[0], dw[1]);
    void *memory[] = {x.p, g.p, w.p, rstd.p, dx[0].p, dx[1].p, dw[0].p, dw[1].p};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        ops->free(dev, memory[i]);
}

int main(void) {
    static const conformance_test tests[] = {{"residual and norm", test_norm},
                                             {"norm repeats", test_repeats}};
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
