/* What the model's tests have in common: a device, a small model of either family with random
 * weights, a packed batch of sequences of different lengths, and comparisons. */
#ifndef T5_TESTS_MODEL_SCENE_H
#define T5_TESTS_MODEL_SCENE_H
#include "backend.h"
#include "reference.h"
#include <setjmp.h>
#include <stddef.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { N_SEQ = 4, MAX_TOKENS = 64 };

static const t5_loss_settings PLAIN = {.alpha = 1};
static const t5_loss_settings SMOOTHED = {.smoothing = 0.1f, .alpha = 1};
static const t5_loss_settings FOCAL = {.focal = true, .gamma = 2, .alpha = 0.75f};

/* Widths that no vector length divides; lengths below reach the logarithmic buckets. */
static inline t5_shape scene_shape(bool gated) {
    return (t5_shape){.vocab = 13,
                      .d_model = gated ? 10 : 12,
                      .d_kv = 3,
                      .d_ff = 7,
                      .heads = gated ? 3 : 2,
                      .enc_layers = 2,
                      .dec_layers = gated ? 2 : 3,
                      .buckets = 8,
                      .max_distance = 10,
                      .act = gated ? T5_ACTIVATION_GATED_GELU : T5_ACTIVATION_RELU,
                      .tied = !gated,
                      .eps = 1e-6f,
                      .eos_id = 1};
}

/* umT5: gated, tied, and relative biases in every layer. */
static inline t5_shape scene_shape_umt5(void) {
    t5_shape shape = scene_shape(true);
    shape.tied = shape.bias_every_layer = true;
    shape.dec_layers = 3;
    return shape;
}

typedef struct scene {
    t5_device *dev;
    t5_model *model;
    t5_input in;
    int32_t enc_ids[MAX_TOKENS], dec_ids[MAX_TOKENS], labels[MAX_TOKENS];
    int32_t enc_start[N_SEQ + 1], dec_start[N_SEQ + 1];
    uint32_t row[N_SEQ];
} scene;

static inline void must(t5_status status, const t5_error *err) {
    if (status != T5_OK)
        fail_msg("%s: %s", t5_status_name(status), err->text);
}

static inline int32_t scene_id(int vocab, uint32_t a, uint32_t b) {
    const uint32_t counter[4] = {a, b, 0, 0}, key[2] = {7, 7};
    uint32_t word[4];
    t5_philox(counter, key, word);
    return (int32_t)(word[0] % (uint32_t)vocab);
}

/* Sequences of 14 + 3, 1 + 9, 6 + 1 and 9 + 4 tokens. */
static inline void scene_batch(scene *c, int vocab) {
    static const int n_enc[N_SEQ] = {14, 1, 6, 9}, n_dec[N_SEQ] = {3, 9, 1, 4};
    t5_input *in = &c->in;
    *in = (t5_input){.n_seq = N_SEQ,
                     .max_enc = 14,
                     .max_dec = 9,
                     .enc_ids = c->enc_ids,
                     .dec_ids = c->dec_ids,
                     .labels = c->labels,
                     .enc_start = c->enc_start,
                     .dec_start = c->dec_start,
                     .row = c->row};
    for (int i = 0; i < N_SEQ; i++) {
        c->row[i] = 1000u + 77u * (uint32_t)i;
        for (int p = 0; p < n_enc[i]; p++)
            c->enc_ids[in->n_enc++] = scene_id(vocab, (uint32_t)i, (uint32_t)p);
        for (int p = 0; p < n_dec[i]; p++) {
            c->labels[in->n_dec] = scene_id(vocab, (uint32_t)i, 100 + (uint32_t)p);
            c->dec_ids[in->n_dec] = p == 0 ? 0 : c->labels[in->n_dec - 1];
            in->n_dec++;
        }
        c->enc_start[i + 1] = in->n_enc;
        c->dec_start[i + 1] = in->n_dec;
    }
}

/* Sequences [from, to) of the scene's batch as a batch of their own; `starts` is room for them. */
static inline t5_input scene_part(const scene *c, int from, int to, int32_t starts[2][N_SEQ + 1]) {
    t5_input part = c->in;
    int e = c->enc_start[from], d = c->dec_start[from];
    for (int i = from; i <= to; i++) {
        starts[0][i - from] = c->enc_start[i] - e;
        starts[1][i - from] = c->dec_start[i] - d;
    }
    part.n_seq = to - from;
    part.n_enc = starts[0][to - from];
    part.n_dec = starts[1][to - from];
    part.enc_ids += e;
    part.dec_ids += d;
    part.labels += d;
    part.enc_start = starts[0];
    part.dec_start = starts[1];
    part.row += from;
    return part;
}

/* T5's initial weights, with norm weights that are not all 1. */
static inline void scene_weights(t5_model *model) {
    t5_error err = {0};
    must(t5_model_init_random(model, 5, &err), &err);
    for (int i = 0; i < t5_model_n_params(model); i++) {
        const t5_param *p = t5_model_param(model, i);
        float w[64];
        if (p->decay)
            continue;
        t5_rng_normal(6, (uint32_t)i, 0, (uint64_t)p->rows, w);
        for (int j = 0; j < p->rows; j++)
            w[j] = 1 + 0.2f * w[j];
        must(t5_model_write(model, T5_ARENA_WEIGHT, p->offset, p->rows, w, &err), &err);
    }
}

static inline void scene_open_shape(scene *c, t5_shape shape, bool bf16) {
    t5_error err = {0};
    *c = (scene){0};
    must(backend_open(&c->dev, &err), &err);
    if (bf16 && !c->dev->has_bf16) {
        print_message("skipped: %s has no bfloat16\n", c->dev->info);
        t5_device_close(c->dev);
        skip();
    }
    must(t5_model_create(c->dev, &shape, bf16, true, &c->model, &err), &err);
    scene_weights(c->model);
    scene_batch(c, shape.vocab);
}

static inline void scene_open(scene *c, bool gated, bool bf16) {
    scene_open_shape(c, scene_shape(gated), bf16);
}

static inline void scene_close(scene *c) {
    t5_model_destroy(c->model);
    assert_int_equal(c->dev->allocated, 0);
    t5_device_close(c->dev);
}

/* A copy of an arena; the caller frees it. */
static inline float *scene_read(const scene *c, t5_arena which) {
    int64_t n = t5_model_n_arena(c->model);
    float *copy = malloc((size_t)n * sizeof *copy);
    t5_error err = {0};
    assert_non_null(copy);
    must(t5_model_read(c->model, which, 0, n, copy, &err), &err);
    return copy;
}

static inline ref_t5 scene_reference(const scene *c) {
    int64_t n = t5_model_n_arena(c->model);
    ref_t5 r = {.model = c->model, .w = ref_alloc(n)};
    float *w = scene_read(c, T5_ARENA_WEIGHT);
    for (int64_t i = 0; i < n; i++)
        r.w[i] = (double)w[i];
    free(w);
    return r;
}

/* ||a - b|| / ||b|| */
static inline double relative_error(const float *a, const double *b, int64_t n) {
    double difference = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += b[i] * b[i];
    }
    return sqrt(difference / size);
}

/* Every parameter of a (n_arena) within `limit` of b. */
static inline void assert_params_near(const t5_model *model, const float *a, const double *b,
                                      double limit) {
    for (int i = 0; i < t5_model_n_params(model); i++) {
        const t5_param *p = t5_model_param(model, i);
        double e = relative_error(a + p->offset, b + p->offset, p->rows * p->cols);
        if (!(e <= limit))
            fail_msg("%s: relative error %.2e, at most %.0e", p->name, e, limit);
    }
}

static inline void assert_near(double a, double b, double limit) {
    if (!(fabs(a - b) <= limit * fabs(b)))
        fail_msg("%.9g is not within %.0e of %.9g", a, limit, b);
}

#endif
