/* The k best: order, ties, penalties, masks, log-probabilities, and rows with NaN. */
#include "device/conformance.h"

typedef struct problem {
    int64_t n, vocab;
    double *x;
    const int32_t *history;
    int history_len;
    const uint8_t *allowed;
    bool log_softmax;
    double penalty;
} problem;

static void prepare_row(const problem *p, double *x, const int32_t *history) {
    double max = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j < p->vocab; j++)
        max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < p->vocab; j++)
        sum += exp(x[j] - max);
    for (int64_t j = 0; j < p->vocab; j++) {
        bool seen = false;
        if (p->log_softmax)
            x[j] -= max + log(sum);
        for (int i = 0; i < p->history_len; i++)
            seen = seen || history[i] == j;
        if (seen)
            x[j] = x[j] < 0.0 ? x[j] * p->penalty : x[j] / p->penalty;
        if (p->allowed && !p->allowed[j])
            x[j] = -INFINITY;
    }
}

static void check(t5_device *dev, problem *p, int k, double scale) {
    int64_t out = p->n * k;
    float *value = malloc((size_t)out * sizeof *value + 1);
    int32_t *id = malloc((size_t)out * sizeof *id + 1);
    t5_topk_args a = {.n = p->n,
                      .vocab = p->vocab,
                      .log_softmax = p->log_softmax,
                      .penalty = (float)p->penalty,
                      .history_len = p->history_len,
                      .history_ld = p->history_len + 1,
                      .k = k};
    a.logits = matrix(dev, T5_F32, p->n, p->vocab, p->vocab + 1, scale, 5, &p->x);
    size_t history_bytes = (size_t)(p->n * a.history_ld) * sizeof(int32_t);
    void *d_history = p->history ? device_copy(dev, p->history, history_bytes) : NULL;
    void *d_allowed = p->allowed ? device_copy(dev, p->allowed, (size_t)p->vocab) : NULL;
    a.d_history = d_history, a.d_allowed = d_allowed;
    a.d_value = device_alloc(dev, (size_t)out * sizeof *value);
    a.d_id = device_alloc(dev, (size_t)out * sizeof *id);
    dev->ops->topk(dev, &a);
    host_read(dev, value, a.d_value, (size_t)out * sizeof *value);
    host_read(dev, id, a.d_id, (size_t)out * sizeof *id);
    for (int64_t row = 0; row < p->n; row++) {
        double *x = p->x + row * p->vocab, last = INFINITY;
        bool *taken = calloc((size_t)p->vocab, sizeof *taken);
        prepare_row(p, x, p->history ? p->history + row * a.history_ld : NULL);
        for (int i = 0; i < k; i++) {
            int64_t best = -1;
            float got = value[row * k + i];
            for (int64_t j = 0; j < p->vocab; j++)
                if (!taken[j] && (best < 0 || x[j] > x[best]))
                    best = j;
            assert_int_equal(id[row * k + i], best);
            if (isfinite(x[best]))
                assert_near("value", &x[best], (double[]){(double)got}, 1, 1e-5);
            else
                assert_true(got == -INFINITY);
            assert_true((double)got <= last);
            last = (double)got;
            taken[best] = true;
        }
        free(taken);
    }
    void *memory[] = {a.logits.p, a.d_value, a.d_id, d_history, d_allowed};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        dev->ops->free(dev, memory[i]);
    free(value), free(id), free(p->x);
}

static void test_plain(t5_device *dev) {
    check(dev, &(problem){.n = 0, .vocab = 4, .penalty = 1.0}, 1, 1.0);
    check(dev, &(problem){.n = 1, .vocab = 1, .penalty = 1.0}, 1, 1.0);
    check(dev, &(problem){.n = 5, .vocab = 1000, .penalty = 1.0}, 1, 10.0);
    check(dev, &(problem){.n = 5, .vocab = 1000, .penalty = 1.0, .log_softmax = true}, 8, 10.0);
    check(dev, &(problem){.n = 3, .vocab = 300, .penalty = 1.0}, 300, 10.0);
    check(dev, &(problem){.n = 3, .vocab = 300, .penalty = 1.0}, 50, 0.0); /* all equal */
    check(dev, &(problem){.n = 3, .vocab = 300, .penalty = 1.0}, 150, 0.0);
    check(dev, &(problem){.n = 2, .vocab = 2500, .penalty = 1.0, .log_softmax = true}, 2500, 10.0);
    check(dev, &(problem){.n = 4, .vocab = 513, .penalty = 1.0}, 65, 1e-3);
}

static void test_penalty_and_mask(t5_device *dev) {
    static const int32_t history[] = {0, 7, 7, 99, -1, 3, 4, 5, 6, -1};
    uint8_t allowed[100] = {0};
    for (int i = 0; i < 100; i += 3)
        allowed[i] = 1;
    problem p = {.n = 2, .vocab = 100, .history = history, .history_len = 4, .penalty = 1.2};
    check(dev, &p, 100, 3.0);
    p.log_softmax = true;
    check(dev, &p, 8, 3.0);
    p.allowed = allowed; /* 34 of 100: the rest of the list is -infinity */
    check(dev, &p, 60, 3.0);
    memset(allowed, 0, sizeof allowed);
    check(dev, &p, 5, 3.0);
}

/* NaN counts as -infinity, infinities are in order, -0 equals 0; a k beyond the vocabulary is
 * filled. */
static void test_extremes(t5_device *dev) {
    const float x[2][6] = {{NAN, -0.0f, 0.0f, INFINITY, -INFINITY, NAN},
                           {NAN, NAN, NAN, NAN, NAN, NAN}};
    static const int32_t want[2][7] = {{3, 1, 2, 0, 4, 5, 0}, {0, 1, 2, 3, 4, 5, 0}};
    for (int log_softmax = 0; log_softmax < 2; log_softmax++) {
        float value[14];
        int32_t id[14];
        t5_topk_args a = {.n = 2, .vocab = 6, .penalty = 1.0f, .k = 7, .log_softmax = log_softmax};
        a.logits = (t5_mat){device_copy(dev, x, sizeof x), T5_F32, 2, 6, 6};
        a.d_value = device_alloc(dev, sizeof value), a.d_id = device_alloc(dev, sizeof id);
        dev->ops->topk(dev, &a);
        host_read(dev, value, a.d_value, sizeof value);
        host_read(dev, id, a.d_id, sizeof id);
        assert_memory_equal(id, want, sizeof want);
        assert_true(value[0] == INFINITY && value[1] == 0.0f && value[3] == -INFINITY);
        assert_true(value[6] == -INFINITY && value[7] == -INFINITY);
        dev->ops->free(dev, a.logits.p), dev->ops->free(dev, a.d_value),
            dev->ops->free(dev, a.d_id);
    }
}

/* Long lists begin like short ones, bit for bit, also where not all values are numbers. */
static void test_long_and_short(t5_device *dev) {
    enum { V = 700, SHORT = 9, LONG = V + 5 };
    static const float odd[] = {NAN, -0.0f, 0.0f, INFINITY, -INFINITY, 1e-40f, -1e-40f};
    const int lengths[] = {SHORT, 40, 64, 65, V, LONG};
    float x[V], value[LONG], first[LONG];
    int32_t id[LONG], first_id[LONG];
    for (int j = 0; j < V; j++)
        x[j] = j % 3 == 0 ? odd[j / 3 % 7] : (float)(int)(20 * noise(1, j)) / 4;
    for (int i = 5; i >= 0; i--) {
        t5_topk_args a = {.n = 1, .vocab = V, .penalty = 1.0f, .k = lengths[i]};
        const size_t bytes = (size_t)a.k * sizeof *value;
        a.logits = (t5_mat){device_copy(dev, x, sizeof x), T5_F32, 1, V, V};
        a.d_value = device_alloc(dev, bytes), a.d_id = device_alloc(dev, bytes);
        dev->ops->topk(dev, &a);
        host_read(dev, value, a.d_value, bytes);
        host_read(dev, id, a.d_id, bytes);
        if (i == 5)
            memcpy(first, value, bytes), memcpy(first_id, id, bytes);
        assert_memory_equal(value, first, bytes);
        assert_memory_equal(id, first_id, bytes);
        dev->ops->free(dev, a.logits.p), dev->ops->free(dev, a.d_value);
        dev->ops->free(dev, a.d_id);
    }
    for (int i = 0; i < V; i++) /* every token once, and in order */
        assert_true(i == 0 || first[i] < first[i - 1] ||
                    (first[i] == first[i - 1] && first_id[i] > first_id[i - 1]));
    for (int i = V; i < LONG; i++)
        assert_true(first[i] == -INFINITY && first_id[i] == 0);
}

int main(void) {
    static const conformance_test tests[] = {{"extremes", test_extremes},
                                             {"long and short", test_long_and_short},
                                             {"plain", test_plain},
                                             {"penalty and mask", test_penalty_and_mask}};
    return conformance_main(tests, (int)(sizeof tests / sizeof *tests));
}
