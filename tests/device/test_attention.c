/* Attention on packed sequences, forward against the formula and backward against differences. */
#include "device/conformance.h"

typedef struct problem {
    t5_attention a; /* host copies of the sequences below, device pointers in a */
    const int *q_start, *k_start, *k_len;
    double *q, *k, *v, *table, *weight; /* (rows, inner), (buckets, heads), (n_q, inner) */
    int k_rows;
    uint32_t *tok;
} problem;

/* Softmax of query i of a sequence and one head: probabilities (keys), returns the log of the sum.
 */
static double softmax(const problem *p, int s, int i, int head, double *prob) {
    const t5_attention *a = &p->a;
    int inner = a->heads * a->d_kv, position = a->q_offset + i, keys = p->k_len[s];
    const double *q = p->q + (p->q_start[s] + i) * inner + head * a->d_kv;
    double max = -INFINITY, sum = 0.0;
    if (a->causal && position + 1 < keys)
        keys = position + 1;
    for (int j = 0; j < p->k_len[s]; j++)
        prob[j] = 0.0;
    for (int j = 0; j < keys; j++) {
        const double *k = p->k + (p->k_start[s] + j) * inner + head * a->d_kv;
        for (int c = 0; c < a->d_kv; c++)
            prob[j] += q[c] * k[c];
        if (p->table)
            prob[j] += p->table[t5_relative_bucket(j - position, !a->causal_buckets, a->buckets,
                                                   a->max_distance) *
                                    a->heads +
                                head];
        if (prob[j] > max)
            max = prob[j];
    }
    for (int j = 0; j < keys; j++)
        sum += exp(prob[j] - max);
    for (int j = 0; j < keys; j++)
        prob[j] = exp(prob[j] - max) / sum *
                  kept(a->drop, p->tok, p->q_start[s] + i, (uint32_t)(head * 65536 + j));
    return max + log(sum);
}

/* out (n_q, inner) and lse (n_q, heads); rows of no sequence keep what they have. */
static void reference(const problem *p, double *out, double *lse) {
    const t5_attention *a = &p->a;
    int inner = a->heads * a->d_kv;
    double *prob = malloc((size_t)(a->max_k + 1) * sizeof *prob);
    assert_non_null(prob);
    for (int s = 0; s < a->n_seq; s++)
        for (int i = 0; i < p->q_start[s + 1] - p->q_start[s]; i++)
            for (int h = 0; h < a->heads; h++) {
                int64_t row = p->q_start[s] + i;
                lse[row * a->heads + h] = softmax(p, s, i, h, prob);
                for (int c = 0; c < a->d_kv; c++) {
                    double sum = 0.0;
                    for (int j = 0; j < p->k_len[s]; j++)
                        sum += prob[j] * p->v[(p->k_start[s] + j) * inner + h * a->d_kv + c];
                    out[row * inner + h * a->d_kv + c] = sum;
                }
            }
    free(prob);
}

static double loss(const void *context) {
    const problem *p = context;
    int64_t n = (int64_t)p->a.n_q * p->a.heads * p->a.d_kv;
    double *out = calloc((size_t)(n + (int64_t)p->a.n_q * p->a.heads), sizeof *out), sum = 0.0;
    assert_non_null(out);
    reference(p, out, out + n);
    for (int64_t i = 0; i < n; i++)
        sum += p->weight[i] * out[i];
    free(out);
    return sum;
}

typedef struct shape {
    int n_seq;
    const int *q_len, *k_len;
    int heads, d_kv, q_offset;
    bool causal, bias, causal_buckets, self;
    float p;
    t5_dtype type;
    int64_t most; /* elements of each gradient that are checked */
} shape;

enum { MOST_SEQ = 8, KEY_GAP = 2 }; /* rows of no sequence between the keys */

/* unit: what the gaps between rows are multiples of; with 8, a backend may take code for rows of
 * whole 16 bytes. */
static void check_backward(t5_device *dev, const shape *s, int64_t unit, problem *p, t5_mat out,
                           t5_mat lse) {
    const t5_device_ops *ops = dev->ops;
    int64_t inner = s->heads * s->d_kv;
    double tolerance = s->type == T5_F32 ? 1e-5 : 5e-3;
    t5_mat dout = matrix(dev, s->type, p->a.n_q, inner, inner + 3 * unit, 1.0, 9, &p->weight);
    t5_mat d[2][3], dbias[2];
    for (int r = 0; r < 2; r++) {
        d[r][0] = matrix(dev, s->type, p->a.n_q, inner, inner + unit, 0.0, 10, NULL);
        d[r][1] = matrix(dev, s->type, p->k_rows, inner, inner + 2 * unit, 0.0, 11, NULL);
        d[r][2] = matrix(dev, s->type, p->k_rows, inner, inner + 2 * unit, 0.0, 12, NULL);
        dbias[r] = matrix(dev, T5_F32, p->a.buckets, s->heads, s->heads, 0.0, 13, NULL);
        ops->attention_backward(dev, &p->a, out, lse.p, dout, d[r][0], d[r][1], d[r][2],
                                s->bias ? dbias[r].p : NULL);
    }
    double *x[] = {p->q, p->k, p->v};
    static const char *const what[] = {"dq", "dk", "dv"};
    for (int i = 0; i < 3; i++) {
        double *got = values_of(dev, d[0][i]);
        assert_gradient(what[i], loss, p, x[i], got, d[0][i].rows * inner, s->most, tolerance);
        assert_same_bits(dev, what[i], d[0][i], d[1][i]);
        free(got);
    }
    if (s->bias) {
        double *got = values_of(dev, dbias[0]);
        assert_gradient("dbias", loss, p, p->table, got, (int64_t)p->a.buckets * s->heads, s->most,
                        tolerance);
        assert_same_bits(dev, "dbias", dbias[0], dbias[1]);
        free(got);
    }
    for (int r = 0; r < 2; r++) {
        for (int i = 0; i < 3; i++)
            ops->free(dev, d[r][i].p);
        ops->free(dev, dbias[r].p);
    }
    ops->free(dev, dout.p);
    free(p->weight);
}

static void check(t5_device *dev, const shape *s, int64_t unit) {
    const t5_device_ops *ops = dev->ops;
    int q_start[MOST_SEQ + 1] = {0}, k_start[MOST_SEQ] = {0}, k_rows = 0;
    int64_t inner = s->heads * s->d_kv;
    problem p = {.a = {.n_seq = s->n_seq,
                       .heads = s->heads,
                       .d_kv = s->d_kv,
                       .causal = s->causal,
                       .q_offset = s->q_offset,
                       .buckets = 32,
                       .max_distance = 128,
                       .causal_buckets = s->causal_buckets},
                 .q_start = q_start,
                 .k_start = k_start,
                 .k_len = s->k_len};
    for (int i = 0; i < s->n_seq; i++) {
        q_start[i + 1] = q_start[i] + s->q_len[i];
        k_start[i] = k_rows;
        k_rows += s->k_len[i] + (s->self ? 0 : KEY_GAP);
        p.a.max_q = s->q_len[i] > p.a.max_q ? s->q_len[i] : p.a.max_q;
        p.a.max_k = s->k_len[i] > p.a.max_k ? s->k_len[i] : p.a.max_k;
    }
    p.a.n_q = q_start[s->n_seq], p.k_rows = k_rows;
    p.a.d_q_start = device_copy(dev, q_start, sizeof q_start);
    p.a.d_k_start = device_copy(dev, k_start, sizeof k_start);
    p.a.d_k_len = device_copy(dev, s->k_len, (size_t)s->n_seq * sizeof(int));
    p.a.q = matrix(dev, s->type, p.a.n_q, inner, inner + unit, 1.0, 1, &p.q);
    p.a.k = matrix(dev, s->type, k_rows, inner, 2 * inner, 1.0, 2, &p.k);
    p.a.v = matrix(dev, s->type, k_rows, inner, inner + 5 * unit, 1.0, 3, &p.v);
    t5_mat table = matrix(dev, T5_F32, 32, s->heads, s->heads, 2.0, 4, &p.table);
    double *table_values = p.table;
    p.a.d_bias_table = s->bias ? table.p : NULL;
    if (!s->bias)
        p.table = NULL;
    p.a.drop = dropout(dev, s->p, 21, p.a.n_q, &p.tok);
    t5_mat out = matrix(dev, s->type, p.a.n_q, inner, inner + 2 * unit, 0.0, 6, NULL);
    t5_mat again = matrix(dev, s->type, p.a.n_q, inner, inner + 2 * unit, 0.0, 6, NULL);
    t5_mat lse = matrix(dev, T5_F32, p.a.n_q, s->heads, s->heads, 0.0, 7, NULL);
    ops->attention_forward(dev, &p.a, out, lse.p);
    ops->attention_forward(dev, &p.a, again, lse.p);
    double *want = calloc((size_t)(p.a.n_q * (inner + s->heads) + 1), sizeof *want);
    assert_non_null(want);
    reference(&p, want, want + p.a.n_q * inner);
    assert_matrix(dev, "out", want, out);
    assert_matrix(dev, "lse", want + p.a.n_q * inner, lse);
    assert_same_bits(dev, "out", out, again);
    ops->attention_forward(dev, &p.a, again, NULL); /* generation may take another way */
    assert_matrix(dev, "out without lse", want, again);
    if (s->most)
        check_backward(dev, s, unit, &p, out, lse);
    const void *memory[] = {p.a.d_q_start, p.a.d_k_start, p.a.d_k_len, p.a.q.p, p.a.k.p,
                            p.a.v.p,       table.p,       out.p,       again.p, lse.p};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        ops->free(dev, (void *)(uintptr_t)memory[i]);
    dropout_free(dev, p.a.drop, p.tok);
    free(p.q), free(p.k), free(p.v), free(table_values), free(want);
}

static const int one[] = {1}, mix[] = {1, 70, 2, 17, 49, 16}, targets[] = {4, 1, 0, 9, 50, 3};
static const int long_one[] = {513}, short_one[] = {3}, singles[] = {1, 1, 1, 1, 1, 1};

static void test_small(t5_device *dev) {
    static const shape shapes[] = {
        {0, one, one, 2, 8, 0, false, true, false, true, 0, T5_F32, 0},
        {1, one, one, 1, 1, 0, false, true, false, true, 0, T5_F32, 1},
        {1, one, one, 2, 8, 0, true, true, true, true, 0.5f, T5_F32, 16},
        {1, short_one, short_one, 3, 5, 0, true, true, true, true, 0, T5_F32, 45},
        {6, mix, mix, 2, 16, 0, false, true, false, true, 0, T5_F32, 40},
        {6, mix, mix, 2, 16, 0, false, true, false, true, 0.5f, T5_F32, 40},
        {6, mix, mix, 1, 33, 0, true, true, true, true, 0.1f, T5_F32, 40},
        {6, targets, mix, 2, 16, 0, false, false, false, false, 0.5f, T5_F32, 40},
        {6, mix, mix, 2, 16, 0, false, true, false, true, 0.5f, T5_BF16, 40},
        {6, targets, mix, 2, 64, 0, false, false, false, false, 0, T5_BF16, 40},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(dev, &shapes[i], 1);
}

/* What tensor cores can do: bfloat16, aligned, widths of whole 16. */
static void test_aligned(t5_device *dev) {
    static const shape shapes[] = {
        {1, short_one, short_one, 1, 16, 0, false, true, false, true, 0, T5_BF16, 45},
        {6, mix, mix, 2, 64, 0, false, true, false, true, 0, T5_BF16, 40},
        {6, mix, mix, 2, 16, 0, false, true, false, true, 0.5f, T5_BF16, 40},
        {6, mix, mix, 2, 32, 0, true, true, true, true, 0.1f, T5_BF16, 40},
        {6, mix, mix, 1, 128, 0, true, true, true, true, 0.1f, T5_BF16, 40},
        {6, targets, mix, 2, 64, 0, false, false, false, false, 0.1f, T5_BF16, 40},
        {1, targets, targets, 2, 64, 0, true, true, true, true, 0.1f, T5_BF16, 40},
        {6, mix, mix, 2, 64, 0, true, true, true, true, 0.1f, T5_F32, 40},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(dev, &shapes[i], 8);
}

static void test_long(t5_device *dev) {
    static const shape both = {1,    long_one, long_one, 1,    16,     0, false,
                               true, false,    true,     0.5f, T5_F32, 6};
    static const shape causal = {1,    long_one, long_one, 2, 16,     0, true,
                                 true, true,     true,     0, T5_F32, 0};
    static const shape wide = {1,    short_one, short_one, 1, 600,    0, false,
                               true, false,     true,      0, T5_F32, 60};
    check(dev, &both, 1);
    check(dev, &causal, 1);
    check(dev, &wide, 1);
}

/* Decoding: one query a sequence at position 16 of what it has cached, and cross-attention. */
static void test_decoding(t5_device *dev) {
    static const int cached[] = {17, 17, 17, 17, 17, 17};
    static const shape self = {6,    singles, cached, 2, 16,     16, false,
                               true, true,    false,  0, T5_F32, 0};
    static const shape cross = {6,     singles, mix,   2, 64,     16, false,
                                false, false,   false, 0, T5_F32, 0};
    static const shape narrow = {6,     singles, mix,   3, 7,       0, false,
                                 false, false,   false, 0, T5_BF16, 0};
    check(dev, &self, 1);
    check(dev, &cross, 1);
    check(dev, &narrow, 1);
}

int main(void) {
    static const conformance_test tests[] = {{"attention, short sequences", test_small},
                                             {"attention, aligned rows", test_aligned},
                                             {"attention, 513 tokens", test_long},
                                             {"attention, decoding", test_decoding}};
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
