/* Training steps: micro-batches, dropout keys, and AdamW with clipping against double precision. */
#include "model/scene.h"

static float *gradient(scene *c, const t5_input *in, const t5_loss_settings *loss) {
    t5_error err = {0};
    must(t5_model_backward(c->model, in, loss, 0.25f, true, &err), &err);
    return scene_read(c, T5_ARENA_GRAD);
}

static double *widened(const float *x, int64_t n) {
    double *y = ref_alloc(n);
    for (int64_t i = 0; i < n; i++)
        y[i] = (double)x[i];
    return y;
}

/* Sequences one by one give the gradient and the loss of the whole batch, dropout included: its
 * masks depend on the row and the position, not on the place in a batch. */
static void micro_batches_add_up(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        scene c;
        t5_error err = {0};
        double sum, expected_sum;
        scene_open(&c, gated, false);
        t5_model_set_dropout(c.model, 0.25f, 3, 4);
        float *whole = gradient(&c, &c.in, &SMOOTHED);
        must(t5_model_loss_sum(c.model, &expected_sum, &err), &err);
        const int cuts[] = {0, 1, 3, N_SEQ};
        for (int i = 0; i < 3; i++) {
            int32_t starts[2][N_SEQ + 1];
            t5_input part = scene_part(&c, cuts[i], cuts[i + 1], starts);
            must(t5_model_backward(c.model, &part, &SMOOTHED, 0.25f, i == 0, &err), &err);
        }
        must(t5_model_loss_sum(c.model, &sum, &err), &err);
        float *parts = scene_read(&c, T5_ARENA_GRAD);
        double *expected = widened(whole, t5_model_n_arena(c.model));
        assert_params_near(c.model, parts, expected, 1e-5);
        assert_near(sum, expected_sum, 1e-6);
        free(whole);
        free(parts);
        free(expected);
        scene_close(&c);
    }
}

/* A rank without a row of the batch has a gradient of zeros, or adds nothing. */
static void a_batch_of_nothing(void **state) {
    (void)state;
    scene c;
    t5_error err = {0};
    const t5_input nothing = {0};
    double sum;
    scene_open(&c, true, false);
    size_t bytes = (size_t)t5_model_n_arena(c.model) * sizeof(float);
    float *before = gradient(&c, &c.in, &PLAIN);
    must(t5_model_backward(c.model, &nothing, &PLAIN, 1, false, &err), &err);
    float *after = scene_read(&c, T5_ARENA_GRAD);
    assert_memory_equal(before, after, bytes);
    free(after);
    after = gradient(&c, &nothing, &PLAIN);
    must(t5_model_loss_sum(c.model, &sum, &err), &err);
    assert_true(sum == 0);
    for (int64_t i = 0; i < t5_model_n_arena(c.model); i++)
        assert_true(after[i] == 0);
    free(before);
    free(after);
    scene_close(&c);
}

static void dropout_is_a_function_of_its_key(void **state) {
    (void)state;
    static const struct {
        float p;
        uint32_t seed, step;
        bool same;
    } keys[] = {
        {0.25f, 3, 4, true},  {0.25f, 4, 4, false}, {0.25f, 3, 5, false},
        {0.26f, 3, 4, false}, {0, 3, 4, false},     {0.25f, 3, 4, true},
    };
    scene c;
    scene_open(&c, false, false);
    size_t bytes = (size_t)t5_model_n_arena(c.model) * sizeof(float);
    t5_model_set_dropout(c.model, 0.25f, 3, 4);
    float *first = gradient(&c, &c.in, &PLAIN);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        t5_model_set_dropout(c.model, keys[i].p, keys[i].seed, keys[i].step);
        float *again = gradient(&c, &c.in, &PLAIN);
        assert_int_equal(memcmp(first, again, bytes) == 0, keys[i].same);
        free(again);
    }
    free(first);
    scene_close(&c);
}

/* AdamW (Loshchilov & Hutter 2019) with clipping by the global norm, in double precision. Returns
 * the norm before clipping. */
static double reference_adamw(const t5_model *model, const t5_optim *o, const double *g, double *w,
                              double *m, double *v) {
    double norm2 = 0;
    int64_t n = t5_model_n_arena(model);
    for (int64_t i = 0; i < n; i++)
        norm2 += g[i] * g[i];
    double norm = sqrt(norm2), clip = 1;
    if (o->clip_norm > 0)
        clip = fmin(1, (double)o->clip_norm / (norm + 1e-6));
    double beta1 = (double)o->beta1, beta2 = (double)o->beta2, lr = (double)o->lr;
    for (int k = 0; k < t5_model_n_params(model); k++) {
        const t5_param *p = t5_model_param(model, k);
        for (int64_t i = p->offset; i < p->offset + p->rows * p->cols; i++) {
            if (p->decay)
                w[i] -= lr * (double)o->weight_decay * w[i];
            m[i] = beta1 * m[i] + (1 - beta1) * clip * g[i];
            v[i] = beta2 * v[i] + (1 - beta2) * clip * g[i] * clip * g[i];
            double m_hat = m[i] / (1 - pow(beta1, (double)o->step));
            double v_hat = v[i] / (1 - pow(beta2, (double)o->step));
            w[i] -= lr * m_hat / (sqrt(v_hat) + (double)o->eps);
        }
    }
    return norm;
}

/* Ten steps. The reference takes the model's gradients: what is compared is the optimiser. */
static void ten_steps(bool bf16, float clip_norm) {
    scene c;
    t5_error err = {0};
    scene_open(&c, !bf16, bf16);
    int64_t n = t5_model_n_arena(c.model);
    ref_t5 r = scene_reference(&c);
    double *m = ref_alloc(n), *v = ref_alloc(n);
    t5_optim o = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.1f};
    o.clip_norm = clip_norm;
    for (o.step = 1; o.step <= 10; o.step++) {
        o.lr = 0.01f / (float)o.step;
        float *got = gradient(&c, &c.in, &PLAIN);
        double *g = widened(got, n), norm = -1;
        must(t5_model_update(c.model, &o, o.step % 2 ? &norm : NULL, &err), &err);
        double expected = reference_adamw(c.model, &o, g, r.w, m, v);
        if (o.step % 2)
            assert_near(norm, expected, 1e-6);
        if (o.step == 1) /* clipping is put to the test, or not */
            assert_true(clip_norm == 0 || expected > 2 * (double)clip_norm);
        free(got);
        free(g);
    }
    double *const expected[] = {r.w, m, v};
    const t5_arena arenas[] = {T5_ARENA_WEIGHT, T5_ARENA_M, T5_ARENA_V};
    for (int i = 0; i < 3; i++) {
        float *got = scene_read(&c, arenas[i]);
        assert_params_near(c.model, got, expected[i], 1e-5);
        free(got);
    }
    if (bf16) { /* the compute copy follows: the loss is that of the new weights */
        double sum;
        must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, NULL, &err), &err);
        must(t5_model_loss_sum(c.model, &sum, &err), &err);
        assert_near(sum, ref_loss(&r, &c.in, 0, N_SEQ, &PLAIN, NULL), 3e-2);
    }
    free(m);
    free(v);
    free(r.w);
    scene_close(&c);
}

static void adamw_without_clipping(void **state) {
    (void)state;
    ten_steps(false, 0);
}

static void adamw_with_clipping(void **state) {
    (void)state;
    ten_steps(false, 0.05f);
}

static void adamw_with_a_bfloat16_copy(void **state) {
    (void)state;
    ten_steps(true, 0.05f);
}

/* bfloat16 gradients against float32 ones of the same weights, as a whole: tensor by tensor the
 * oracle test holds them against Transformers. */
static void bfloat16_gradients(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        scene c, d;
        scene_open(&c, gated, true);
        scene_open(&d, gated, false);
        float *got = gradient(&c, &c.in, &PLAIN), *exact = gradient(&d, &d.in, &PLAIN);
        double *expected = widened(exact, t5_model_n_arena(d.model));
        assert_true(relative_error(got, expected, t5_model_n_arena(c.model)) <= 3e-2);
        free(got);
        free(exact);
        free(expected);
        scene_close(&c);
        scene_close(&d);
    }
}

/* The whole loop does what it is for: the loss of a batch that is trained on falls. */
static void training_learns(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        scene c;
        t5_error err = {0};
        double before, after;
        scene_open(&c, gated, false);
        t5_optim o = {.lr = 0.02f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .clip_norm = 1};
        must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, NULL, &err), &err);
        must(t5_model_loss_sum(c.model, &before, &err), &err);
        for (o.step = 1; o.step <= 60; o.step++) {
            t5_model_set_dropout(c.model, 0.05f, 1, (uint32_t)o.step);
            must(t5_model_backward(c.model, &c.in, &PLAIN, 1.0f / 17, true, &err), &err);
            must(t5_model_update(c.model, &o, NULL, &err), &err);
        }
        must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, NULL, &err), &err);
        must(t5_model_loss_sum(c.model, &after, &err), &err);
        assert_true(after < 0.1 * before);
        scene_close(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_of_nothing),
        cmocka_unit_test(micro_batches_add_up),
        cmocka_unit_test(dropout_is_a_function_of_its_key),
        cmocka_unit_test(adamw_without_clipping),
        cmocka_unit_test(adamw_with_clipping),
        cmocka_unit_test(adamw_with_a_bfloat16_copy),
        cmocka_unit_test(bfloat16_gradients),
        cmocka_unit_test(training_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
