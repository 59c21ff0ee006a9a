/* Embedding, activations and gathering of rows. */
#include "device/conformance.h"

static void check_embed(t5_device *dev, int64_t n, int64_t d, float p) {
    enum { VOCAB = 11 };
    const t5_device_ops *ops = dev->ops;
    double *table, *dx, *dtable;
    uint32_t *tok;
    int32_t *ids = malloc((size_t)n * sizeof *ids + 1);
    double *want = calloc((size_t)(n * d) + 1, sizeof *want);
    assert_true(ids && want);
    for (int64_t t = 0; t < n; t++)
        ids[t] = (int32_t)((t * t + 3) % VOCAB); /* duplicates, and rows that nobody has */
    t5_mat e = matrix(dev, T5_F32, VOCAB, d, d + 1, 1.0, 1, &table);
    t5_mat x = matrix(dev, T5_F32, n, d, d + 2, 1.0, 2, NULL);
    t5_mat g = matrix(dev, T5_F32, n, d, d + 3, 1.0, 3, &dx);
    t5_mat de = matrix(dev, T5_F32, VOCAB, d, d + 4, 1.0, 4, &dtable), again = de;
    again = matrix(dev, T5_F32, VOCAB, d, d + 4, 1.0, 4, NULL);
    void *d_ids = device_copy(dev, ids, (size_t)n * sizeof *ids);
    t5_dropout drop = dropout(dev, p, 9, n, &tok);
    ops->embed_forward(dev, e, d_ids, x, drop);
    ops->embed_backward(dev, g, d_ids, de, drop);
    ops->embed_backward(dev, g, d_ids, again, drop);
    for (int64_t t = 0; t < n; t++)
        for (int64_t j = 0; j < d; j++) {
            double keep = kept(drop, tok, t, (uint32_t)j);
            want[t * d + j] = table[ids[t] * d + j] * keep;
            dtable[ids[t] * d + j] += dx[t * d + j] * keep;
        }
    assert_matrix(dev, "x", want, x);
    assert_matrix(dev, "dtable", dtable, de);
    assert_same_bits(dev, "dtable", de, again);
    void *memory[] = {e.p, x.p, g.p, de.p, again.p, d_ids};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        ops->free(dev, memory[i]);
    dropout_free(dev, drop, tok);
    free(table), free(dx), free(dtable), free(ids), free(want);
}

static void test_embed(t5_device *dev) {
    check_embed(dev, 0, 8, 0.5f);
    check_embed(dev, 1, 1, 0.0f);
    check_embed(dev, 70, 65, 0.5f);
    check_embed(dev, 300, 600, 0.1f);
}

/* The step is read when the operation runs: the same arguments, another mask. */
static void test_dropout_step(t5_device *dev) {
    enum { ROWS = 20, COLS = 37 };
    double *table;
    uint32_t *tok;
    const int32_t ids[ROWS] = {0};
    t5_mat e = matrix(dev, T5_F32, 1, COLS, COLS, 1.0, 1, &table);
    t5_mat x = matrix(dev, T5_F32, ROWS, COLS, COLS, 1.0, 2, NULL);
    void *d_ids = device_copy(dev, ids, sizeof ids);
    uint32_t *d_step = device_alloc(dev, sizeof *d_step);
    t5_dropout drop = dropout(dev, 0.5f, 9, ROWS, &tok);
    const uint32_t *own = drop.d_step;
    drop.d_step = d_step;
    for (uint32_t step = 0; step < 0xf0000000u; step += 0x50000001u) {
        dev->ops->to_device(dev, d_step, &step, sizeof step);
        dev->ops->embed_forward(dev, e, d_ids, x, drop);
        double *got = values_of(dev, x);
        for (int t = 0; t < ROWS; t++)
            for (int j = 0; j < COLS; j++) {
                uint32_t out[4];
                t5_philox((uint32_t[4]){drop.site, tok[2 * t], tok[2 * t + 1], (uint32_t)j / 4},
                          (uint32_t[2]){drop.seed, step}, out);
                assert_true(got[t * COLS + j] == (out[j % 4] >> 31 ? 2.0 * table[j] : 0.0));
            }
        free(got);
    }
    drop.d_step = own;
    dev->ops->free(dev, e.p), dev->ops->free(dev, x.p);
    dev->ops->free(dev, d_ids), dev->ops->free(dev, d_step);
    dropout_free(dev, drop, tok);
    free(table);
}

/* --- activations --- */

typedef struct problem {
    int64_t n, ff;
    t5_activation_kind kind;
    double *in, *weight; /* (n, ff) or (n, 2 ff); (n, ff) */
    t5_dropout drop;
    uint32_t *tok;
} problem;

static double activation(const problem *p, int64_t t, int64_t j) {
    double keep = kept(p->drop, p->tok, t, (uint32_t)j);
    if (p->kind == T5_ACTIVATION_RELU)
        return fmax(p->in[t * p->ff + j], 0.0) * keep;
    double a = p->in[t * 2 * p->ff + j], b = p->in[t * 2 * p->ff + p->ff + j];
    return 0.5 * a * (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (a + 0.044715 * a * a * a))) *
           b * keep;
}

static double loss(const void *context) {
    const problem *p = context;
    double sum = 0.0;
    for (int64_t t = 0; t < p->n; t++)
        for (int64_t j = 0; j < p->ff; j++)
            sum += p->weight[t * p->ff + j] * activation(p, t, j);
    return sum;
}

typedef struct shape {
    t5_activation_kind kind;
    int64_t n, ff;
    float p;
    double scale;
    t5_dtype type;
    bool in_place;
} shape;

static void check_activation(t5_device *dev, const shape *s) {
    const t5_device_ops *ops = dev->ops;
    bool relu = s->kind == T5_ACTIVATION_RELU;
    int64_t width = relu ? s->ff : 2 * s->ff;
    problem p = {.n = s->n, .ff = s->ff, .kind = s->kind};
    double *want = malloc((size_t)(s->n * s->ff) * sizeof *want + 1);
    assert_non_null(want);
    t5_mat in = matrix(dev, s->type, s->n, width, width + 1, s->scale, 1, &p.in);
    t5_mat out = matrix(dev, s->type, s->n, s->ff, s->ff + 2, 1.0, 2, NULL);
    t5_mat dout = matrix(dev, s->type, s->n, s->ff, s->ff + 3, 1.0, 3, &p.weight);
    t5_mat din = matrix(dev, s->type, s->n, width, width + 4, 1.0, 4, NULL);
    void *memory[] = {in.p, out.p, dout.p, din.p};
    p.drop = dropout(dev, s->p, 13, s->n, &p.tok);
    for (int64_t i = 0; i < s->n * s->ff; i++)
        want[i] = activation(&p, i / s->ff, i % s->ff);
    if (s->in_place)
        out = in, din = dout;
    ops->act_forward(dev, s->kind, in, out, p.drop);
    assert_matrix(dev, "out", want, out);
    ops->act_backward(dev, s->kind, relu ? (t5_mat){0} : in, out, dout, din, p.drop);
    double *got = values_of(dev, din);
    assert_gradient("din", loss, &p, p.in, got, s->n * width, 200, s->type == T5_F32 ? 4e-6 : 4e-3);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        ops->free(dev, memory[i]);
    dropout_free(dev, p.drop, p.tok);
    free(want), free(got), free(p.in), free(p.weight);
}

static void test_activation(t5_device *dev) {
    static const t5_activation_kind relu = T5_ACTIVATION_RELU, gelu = T5_ACTIVATION_GATED_GELU;
    const shape shapes[] = {
        {relu, 0, 8, 0.5f, 1.0, T5_F32, false},     {relu, 1, 1, 0.0f, 1.0, T5_F32, false},
        {relu, 7, 33, 0.5f, 1.0, T5_F32, true},     {relu, 5, 1030, 0.1f, 1.0, T5_F32, false},
        {relu, 7, 33, 0.5f, 1.0, T5_BF16, true},    {gelu, 0, 8, 0.5f, 1.0, T5_F32, false},
        {gelu, 1, 1, 0.0f, 1.0, T5_F32, false},     {gelu, 7, 33, 0.5f, 2.0, T5_F32, false},
        {gelu, 5, 1030, 0.1f, 4.0, T5_F32, false},  {gelu, 7, 33, 0.0f, 40.0, T5_F32, false},
        {gelu, 5, 1030, 0.5f, 4.0, T5_BF16, false},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_activation(dev, &shapes[i]);
}

/* NaN goes through, infinities saturate. */
static void test_activation_extremes(t5_device *dev) {
    float in[4] = {NAN, -INFINITY, INFINITY, -0.0f}, gated[2] = {NAN, 1.0f}, out[4];
    t5_mat x = {device_copy(dev, in, sizeof in), T5_F32, 1, 4, 4};
    dev->ops->act_forward(dev, T5_ACTIVATION_RELU, x, x, (t5_dropout){0});
    host_read(dev, out, x.p, sizeof out);
    assert_true(isnan(out[0]) && out[1] == 0.0f && out[2] == INFINITY && out[3] == 0.0f);
    t5_mat g = {device_copy(dev, gated, sizeof gated), T5_F32, 1, 2, 2}, y = {x.p, T5_F32, 1, 1, 1};
    dev->ops->act_forward(dev, T5_ACTIVATION_GATED_GELU, g, y, (t5_dropout){0});
    host_read(dev, out, y.p, sizeof *out);
    assert_true(isnan(out[0]));
    dev->ops->free(dev, x.p), dev->ops->free(dev, g.p);
}

static void test_gather(t5_device *dev) {
    static const int32_t index[] = {4, 0, 4, 2};
    char src[5][10], dst[4][10], want[4][10];
    memset(dst, 'x', sizeof dst);
    memset(want, 'x', sizeof want);
    for (int i = 0; i < 5; i++)
        memset(src[i], 'a' + i, sizeof src[i]);
    for (int i = 0; i < 4; i++)
        memcpy(want[i], src[index[i]], 7);
    void *d_src = device_copy(dev, src, sizeof src), *d_dst = device_copy(dev, dst, sizeof dst);
    int32_t *d_index = device_copy(dev, index, sizeof index);
    dev->ops->gather_rows(dev, d_dst, d_src, d_index, 0, 7, 10);
    dev->ops->gather_rows(dev, d_dst, d_src, d_index, 4, 0, 10);
    host_read(dev, dst, d_dst, sizeof dst);
    assert_int_equal(dst[0][0], 'x');
    dev->ops->gather_rows(dev, d_dst, d_src, d_index, 4, 7, 10);
    host_read(dev, dst, d_dst, sizeof dst);
    assert_memory_equal(dst, want, sizeof want);
    dev->ops->free(dev, d_src), dev->ops->free(dev, d_dst), dev->ops->free(dev, d_index);
}

int main(void) {
    static const conformance_test tests[] = {
        {"activations at the extremes", test_activation_extremes},
        {"activations", test_activation},
        {"embedding", test_embed},
        {"the step of a dropout", test_dropout_step},
        {"gather rows", test_gather}};
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
