/* Losses and their gradients, the optimiser, sums of squares and the cast. */
#include "device/conformance.h"

typedef struct problem {
    const t5_loss_args *a;
    const int32_t *label;
    double *x, scale;
} problem;

static double row_loss(const problem *p, int64_t row) {
    const double *x = p->x + row * p->a->vocab;
    double max = -INFINITY, sum = 0.0, mean = 0.0;
    for (int64_t j = 0; j < p->a->vocab; j++)
        max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < p->a->vocab; j++)
        sum += exp(x[j] - max);
    double log_sum = max + log(sum), log_p = x[p->label[row]] - log_sum;
    for (int64_t j = 0; j < p->a->vocab; j++)
        mean += (log_sum - x[j]) / (double)p->a->vocab;
    double e = (double)p->a->smoothing;
    if (!p->a->focal)
        return -(1.0 - e) * log_p + e * mean;
    return -(double)p->a->alpha * pow(1.0 - exp(log_p), (double)p->a->gamma) * log_p;
}

static double scaled_loss(const void *context) {
    const problem *p = context;
    double sum = 0.0;
    for (int64_t row = 0; row < p->a->n; row++)
        sum += row_loss(p, row);
    return sum * p->scale;
}

typedef struct shape {
    int64_t n, vocab;
    double scale;
    bool focal;
    float smoothing, gamma;
    t5_dtype type;
    bool in_place;
} shape;

static void check(t5_device *dev, const shape *s) {
    int32_t label[64];
    double zero = 1.5, sum, want = 1.5;
    for (int64_t i = 0; i < s->n; i++)
        label[i] = (int32_t)((i * 7919 + s->vocab - 1) % s->vocab);
    t5_loss_args a = {.n = s->n,
                      .vocab = s->vocab,
                      .focal = s->focal,
                      .smoothing = s->smoothing,
                      .gamma = s->gamma,
                      .alpha = 0.75f};
    const float scale = 0.125f;
    problem p = {&a, label, NULL, (double)scale};
    a.logits = matrix(dev, T5_F32, s->n, s->vocab, s->vocab + 3, s->scale, 1, &p.x);
    t5_mat gradient = matrix(dev, s->type, s->n, s->vocab, s->vocab + 1, 0.0, 2, NULL);
    void *d_label = device_copy(dev, label, sizeof label);
    a.d_label = d_label;
    a.d_sum = device_copy(dev, &zero, sizeof zero);
    for (int64_t i = 0; i < s->n; i++)
        want += row_loss(&p, i);
    dev->ops->loss(dev, &a); /* no gradient */
    void *d_scale = device_copy(dev, &scale, sizeof scale);
    a.d_scale = d_scale;
    a.dlogits = s->in_place ? a.logits : gradient;
    host_read(dev, &sum, a.d_sum, sizeof sum);
    assert_near("loss", &want, &sum, 1, 2e-6);
    dev->ops->loss(dev, &a); /* adds to the sum */
    host_read(dev, &sum, a.d_sum, sizeof sum);
    want = 2.0 * want - 1.5;
    assert_near("loss", &want, &sum, 1, 2e-6);
    double *got = values_of(dev, a.dlogits);
    assert_gradient("dlogits", scaled_loss, &p, p.x, got, s->n * s->vocab, 200,
                    s->type == T5_F32 ? 4e-6 : 4e-3);
    for (int64_t i = 0; i < s->n; i++) /* the label's, which the spread may miss */
        assert_gradient("dlogits", scaled_loss, &p, p.x + i * s->vocab + label[i],
                        got + i * s->vocab + label[i], 1, 1, s->type == T5_F32 ? 1e-5 : 4e-3);
    dev->ops->free(dev, a.logits.p), dev->ops->free(dev, gradient.p);
    dev->ops->free(dev, d_label), dev->ops->free(dev, a.d_sum), dev->ops->free(dev, d_scale);
    free(p.x), free(got);
}

/* Rows of padding are as if they were not there, but that their gradient is set to zero. */
static void check_padding(t5_device *dev, t5_dtype type, bool focal, bool in_place) {
    enum { ROWS = 6, V = 700 };
    const int32_t label[2][ROWS] = {{3, -1, 699, -5, -1, 0}, {3, 1, 699, 1, 1, 0}};
    const float scale = 0.5f;
    double sums[2] = {0}, *got[2];
    t5_mat gradient[2];
    for (int i = 0; i < 2; i++) {
        t5_loss_args a = {
            .n = ROWS, .vocab = V, .focal = focal, .smoothing = 0.1f, .gamma = 2, .alpha = 1};
        a.logits = matrix(dev, T5_F32, ROWS, V, V + 3, 4.0, 1, NULL);
        gradient[i] = in_place ? a.logits : matrix(dev, type, ROWS, V, V + 1, 1.0, 2, NULL);
        a.dlogits = gradient[i];
        void *d_label = device_copy(dev, label[i], sizeof label[i]);
        void *d_scale = device_copy(dev, &scale, sizeof scale);
        a.d_label = d_label, a.d_scale = d_scale;
        a.d_sum = device_copy(dev, &sums[i], sizeof sums[i]);
        for (int row = 0; i == 1 && row < ROWS; row++) { /* the sum of the same rows, one by one */
            t5_loss_args one = a;
            one.n = label[0][row] < 0 ? 0 : 1;
            one.logits.p = (float *)a.logits.p + row * a.logits.ld;
            one.d_label = a.d_label + row;
            one.dlogits.p = NULL;
            dev->ops->loss(dev, &one);
        }
        if (i == 1)
            host_read(dev, &sums[i], a.d_sum, sizeof sums[i]);
        dev->ops->loss(dev, &a);
        if (i == 0)
            host_read(dev, &sums[i], a.d_sum, sizeof sums[i]);
        got[i] = values_of(dev, gradient[i]);
        if (!in_place)
            dev->ops->free(dev, gradient[i].p);
        dev->ops->free(dev, a.logits.p), dev->ops->free(dev, d_label);
        dev->ops->free(dev, d_scale), dev->ops->free(dev, a.d_sum);
    }
    assert_near("loss", &sums[1], &sums[0], 1, 1e-12);
    for (int at = 0; at < ROWS * V; at++)
        assert_true(got[0][at] == (label[0][at / V] < 0 ? 0.0 : got[1][at]));
    free(got[0]), free(got[1]);
}

static void test_padding(t5_device *dev) {
    for (int focal = 0; focal < 2; focal++) {
        check_padding(dev, T5_F32, focal, false);
        check_padding(dev, T5_F32, focal, true);
        check_padding(dev, T5_BF16, focal, false);
    }
}

static void test_loss(t5_device *dev) {
    static const shape shapes[] = {
        {0, 5, 1.0, false, 0, 0, T5_F32, false},
        {1, 2, 1.0, false, 0, 0, T5_F32, false},
        {1, 2, 1.0, false, 0.1f, 0, T5_F32, true},
        {7, 100, 6.0, false, 0.1f, 0, T5_F32, false},
        {7, 100, 6.0, false, 0, 0, T5_F32, true},
        {7, 100, 6.0, true, 0, 2.0f, T5_F32, false},
        {7, 100, 6.0, true, 0, 0.5f, T5_F32, true},
        {7, 100, 6.0, true, 0, 0, T5_F32, false},
        {3, 1301, 20.0, false, 0.1f, 0, T5_F32, true},
        {3, 1301, 20.0, true, 0, 2.0f, T5_F32, false},
        {7, 100, 6.0, false, 0.1f, 0, T5_BF16, false},
        {7, 100, 6.0, true, 0, 2.0f, T5_BF16, false},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(dev, &shapes[i]);
}

/* A label that is certain, one that is impossible, and a NaN: a finite gradient, a large loss, NaN.
 */
static void test_loss_extremes(t5_device *dev) {
    float x[3][4] = {{200, 0, 0, 0}, {200, 0, 0, 0}, {NAN, 0, 0, 0}}, gradient[4];
    int32_t label[3] = {0, 1, 1};
    double sum;
    for (int focal = 0; focal < 2; focal++)
        for (int row = 0; row < 3; row++) {
            const double zero = 0.0;
            const float one = 1.0f;
            t5_loss_args a = {.n = 1, .vocab = 4, .focal = focal, .gamma = 0.5f, .alpha = 1.0f};
            void *d_scale = device_copy(dev, &one, sizeof one);
            a.d_scale = d_scale;
            a.logits = (t5_mat){device_copy(dev, x[row], sizeof x[row]), T5_F32, 1, 4, 4};
            a.dlogits = a.logits;
            void *d_label = device_copy(dev, &label[row], sizeof label[row]);
            a.d_label = d_label;
            a.d_sum = device_copy(dev, &zero, sizeof zero);
            dev->ops->loss(dev, &a);
            host_read(dev, &sum, a.d_sum, sizeof sum);
            host_read(dev, gradient, a.dlogits.p, sizeof gradient);
            if (row == 0)
                assert_true(sum == 0.0 && gradient[0] == 0.0f && gradient[1] == 0.0f);
            if (row == 1)
                assert_true(sum == 200.0 && gradient[1] == -1.0f && gradient[0] == 1.0f);
            if (row == 2)
                assert_true(isnan(sum) && isnan(gradient[1]));
            dev->ops->free(dev, a.logits.p), dev->ops->free(dev, d_label);
            dev->ops->free(dev, a.d_sum), dev->ops->free(dev, d_scale);
        }
}

typedef struct rates {
    float lr, correction1, correction2;
} rates;

static void adamw_reference(const t5_adamw_args *a, const rates *r, double norm2, double *p,
                            double *m, double *v, const double *g, int64_t i) {
    double clip = a->clip_norm > 0.0f ? (double)a->clip_norm / (sqrt(norm2) + 1e-6) : 1.0;
    double grad = g[i] * (clip < 1.0 ? clip : 1.0), lr = (double)r->lr;
    m[i] = (double)a->beta1 * m[i] + (1.0 - (double)a->beta1) * grad;
    v[i] = (double)a->beta2 * v[i] + (1.0 - (double)a->beta2) * grad * grad;
    p[i] -= lr * (double)a->weight_decay * p[i];
    p[i] -= lr * (m[i] / (double)r->correction1) /
            (sqrt(v[i] / (double)r->correction2) + (double)a->eps);
}

static void check_adamw(t5_device *dev, int64_t n, float clip, double norm2, bool copy) {
    double *p, *m, *v, *g;
    t5_mat dp = matrix(dev, T5_F32, 1, n, n, 1.0, 1, &p),
           dm = matrix(dev, T5_F32, 1, n, n, 0.1, 2, &m);
    t5_mat dv = matrix(dev, T5_F32, 1, n, n, 0.0, 3, &v),
           dg = matrix(dev, T5_F32, 1, n, n, 1.0, 4, &g);
    t5_mat half = matrix(dev, T5_BF16, 1, n, n, 1.0, 5, NULL);
    double *before = malloc((size_t)n * sizeof *before + 1);
    assert_non_null(before);
    memcpy(before, p, (size_t)n * sizeof *before);
    t5_adamw_args a = {.n = n,
                       .d_param = dp.p,
                       .d_m = dm.p,
                       .d_v = dv.p,
                       .d_grad = dg.p,
                       .d_copy = copy ? half.p : NULL,
                       .beta1 = 0.9f,
                       .beta2 = 0.999f,
                       .eps = 1e-8f,
                       .weight_decay = 0.1f,
                       .clip_norm = clip};
    a.d_norm2 = device_copy(dev, &norm2, sizeof norm2);
    rates r = {.lr = 0.01f};
    float *d_rate = device_copy(dev, &r, sizeof r);
    a.d_rate = d_rate;
    for (int step = 1; step <= 3; step++) {
        r.correction1 = 1.0f - powf(0.9f, (float)step);
        r.correction2 = (float)(1.0 - pow(0.999, step));
        dev->ops->to_device(dev, d_rate, &r, sizeof r);
        for (int64_t i = 0; i < n; i++)
            adamw_reference(&a, &r, norm2, p, m, v, g, i);
        dev->ops->adamw(dev, &a);
    }
    double *got = values_of(dev, dp);
    for (int64_t i = 0; i < n; i++)
        got[i] -= before[i], before[i] = p[i] - before[i];
    assert_near("change of the parameters", before, got, n, 1e-5);
    assert_matrix(dev, "m", m, dm);
    double *second = values_of(dev, dv);
    assert_near("v", v, second, n, 2e-5); /* 1 - 0.999f is off by 1e-5 */
    if (copy)
        assert_matrix(dev, "bfloat16 copy", p, half);
    dev->ops->free(dev, dp.p), dev->ops->free(dev, dm.p), dev->ops->free(dev, dv.p);
    dev->ops->free(dev, dg.p), dev->ops->free(dev, half.p), dev->ops->free(dev, d_rate);
    dev->ops->free(dev, (void *)(uintptr_t)a.d_norm2);
    free(p), free(m), free(v), free(g), free(before), free(got), free(second);
}

static void test_adamw(t5_device *dev) {
    check_adamw(dev, 0, 0.0f, 0.0, false);
    check_adamw(dev, 1, 1.0f, 100.0, true);
    check_adamw(dev, 77, 0.0f, INFINITY, false);
    check_adamw(dev, 77, 1.0f, 0.25, true);
    check_adamw(dev, 20000, 1.0f, 6000.0, true);
}

/* A zero gradient moves nothing but by the decay, also where v is 0. */
static void test_adamw_zero(t5_device *dev) {
    float p[4] = {1, -2, 3, 0}, zero[4] = {0};
    t5_adamw_args a = {.n = 4, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    const rates r = {0.5f, 0.1f, 0.001f};
    void *d_rate = device_copy(dev, &r, sizeof r);
    a.d_rate = d_rate;
    a.d_param = device_copy(dev, p, sizeof p);
    a.d_m = device_copy(dev, zero, sizeof zero), a.d_v = device_copy(dev, zero, sizeof zero);
    void *grad = device_copy(dev, zero, sizeof zero);
    a.d_grad = grad;
    dev->ops->adamw(dev, &a);
    float after[4];
    host_read(dev, after, a.d_param, sizeof after);
    assert_memory_equal(p, after, sizeof p);
    dev->ops->free(dev, a.d_param), dev->ops->free(dev, a.d_m), dev->ops->free(dev, a.d_v);
    dev->ops->free(dev, grad), dev->ops->free(dev, d_rate);
}

static void test_sum_squares(t5_device *dev) {
    static const int64_t sizes[] = {0, 1, 77, 32768, 100001};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double *x, want = 0.5, got, zero = 0.5;
        t5_mat m = matrix(dev, T5_F32, 1, sizes[s], sizes[s], 3.0, 1, &x);
        double *d_sum = device_copy(dev, &zero, sizeof zero);
        for (int64_t i = 0; i < sizes[s]; i++)
            want += x[i] * x[i];
        dev->ops->sum_squares(dev, m.p, sizes[s], d_sum);
        host_read(dev, &got, d_sum, sizeof got);
        assert_near("sum of squares", &want, &got, 1, 1e-12);
        dev->ops->free(dev, m.p), dev->ops->free(dev, d_sum);
        free(x);
    }
}

static void test_cast(t5_device *dev) {
    static const struct {
        uint32_t f32;
        uint16_t bf16;
    } rows[] = {
        {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0}, {0xffc12345, 0xffc1},
        {0x7f7fffff, 0x7f80}, {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x3f808000, 0x3f80},
        {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x3f80ffff, 0x3f81}, {0x00000001, 0x0000},
    };
    enum { N = sizeof rows / sizeof *rows };
    float x[N];
    uint16_t got[N];
    for (int i = 0; i < N; i++)
        memcpy(&x[i], &rows[i].f32, sizeof x[i]);
    float *d_x = device_copy(dev, x, sizeof x);
    void *d_y = device_alloc(dev, sizeof got);
    dev->ops->cast(dev, d_x, d_y, N);
    dev->ops->cast(dev, d_x, d_y, 0);
    host_read(dev, got, d_y, sizeof got);
    for (int i = 0; i < N; i++)
        assert_int_equal(got[i], rows[i].bf16);
    dev->ops->free(dev, d_x), dev->ops->free(dev, d_y);
}

static void test_widen_and_narrow(t5_device *dev) {
    static const int64_t sizes[] = {0, 1, 3, 4, 1027, 5000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int off = 0; off < 2; off++) { /* also at odd addresses */
            const int64_t n = sizes[s];
            double *x;
            t5_mat half = matrix(dev, T5_BF16, 1, n + 1, n + 1, 4.0, 1, &x);
            t5_mat wide = matrix(dev, T5_F32, 1, n + 2, n + 2, 1.0, 2, NULL);
            double *d_x = device_copy(dev, x, (size_t)(n + 1) * sizeof *x);
            for (int narrow = 0; narrow < 2; narrow++) {
                dev->ops->zero(dev, wide.p, (size_t)(n + 2) * sizeof(float));
                if (narrow)
                    dev->ops->narrow(dev, d_x + off, n, (float *)wide.p + off);
                else
                    dev->ops->widen(dev, (uint16_t *)half.p + off, (float *)wide.p + off, n);
                double *got = values_of(dev, wide);
                for (int64_t i = 0; i < n; i++)
                    assert_true(got[i + off] == x[i + off]);
                assert_true(got[n + off] == 0.0);
                free(got);
            }
            dev->ops->free(dev, half.p), dev->ops->free(dev, wide.p), dev->ops->free(dev, d_x);
            free(x);
        }
    const double thirds[3] = {1.0 / 3.0, 1e300, NAN};
    float got[3] = {0};
    double *d_thirds = device_copy(dev, thirds, sizeof thirds);
    float *d_got = device_copy(dev, got, sizeof got);
    dev->ops->narrow(dev, d_thirds, 3, d_got);
    host_read(dev, got, d_got, sizeof got);
    assert_true(got[0] == (float)(1.0 / 3.0) && got[1] == INFINITY && isnan(got[2]));
    dev->ops->free(dev, d_thirds), dev->ops->free(dev, d_got);
}

int main(void) {
    static const conformance_test tests[] = {
        {"loss at the extremes", test_loss_extremes},
        {"losses and gradients", test_loss},
        {"loss of padding", test_padding},
        {"AdamW", test_adamw},
        {"AdamW of zeros", test_adamw_zero},
        {"sum of squares", test_sum_squares},
        {"cast", test_cast},
        {"widen and narrow", test_widen_and_narrow},
    };
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
