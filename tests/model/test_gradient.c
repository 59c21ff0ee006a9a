/* The gradient of every parameter against central differences of the plain double-precision
 * forward in reference.h, on a packed batch of sequences of different lengths. */
#include "model/scene.h"

/* In double precision, differences over this step are good to about 1e-9. */
static const double STEP = 1e-5, LIMIT = 1e-5, SCALE = 0.125;

typedef struct gradient_case {
    const char *name;
    bool gated, umt5, unscaled;
    const t5_loss_settings *loss;
    float drop_p;
} gradient_case;

static double *difference_quotients(const scene *c, ref_t5 *r, const t5_loss_settings *loss) {
    double *g = ref_alloc(t5_model_n_arena(c->model));
    for (int i = 0; i < t5_model_n_params(c->model); i++) {
        const t5_param *p = t5_model_param(c->model, i);
        for (int64_t j = p->offset; j < p->offset + p->rows * p->cols; j++) {
            double w = r->w[j];
            r->w[j] = w + STEP;
            double above = ref_loss(r, &c->in, 0, c->in.n_seq, loss, NULL);
            r->w[j] = w - STEP;
            double below = ref_loss(r, &c->in, 0, c->in.n_seq, loss, NULL);
            r->w[j] = w;
            g[j] = SCALE * (above - below) / (2 * STEP);
        }
    }
    return g;
}

static void gradient_is_the_derivative(void **state) {
    const gradient_case *g = *state;
    scene c;
    t5_error err = {0};
    t5_shape shape = g->umt5 ? scene_shape_umt5() : scene_shape(g->gated);
    shape.unscaled = g->unscaled;
    scene_open_shape(&c, shape, false);
    ref_t5 r = scene_reference(&c);
    r.drop_p = g->drop_p;
    r.drop_seed = 11;
    r.drop_step = 12;
    t5_model_set_dropout(c.model, g->drop_p, r.drop_seed, r.drop_step);

    must(t5_model_backward(c.model, &c.in, g->loss, (float)SCALE, true, &err), &err);
    double loss;
    must(t5_model_loss_sum(c.model, &loss, &err), &err);
    assert_near(loss, ref_loss(&r, &c.in, 0, c.in.n_seq, g->loss, NULL), 1e-5);

    float *got = scene_read(&c, T5_ARENA_GRAD);
    double *expected = difference_quotients(&c, &r, g->loss);
    assert_params_near(c.model, got, expected, LIMIT);
    free(got);
    free(expected);
    free(r.w);
    scene_close(&c);
}

int main(void) {
    static gradient_case cases[] = {
        {"v1.0, cross entropy", false, false, false, &PLAIN, 0},
        {"v1.0, label smoothing, dropout", false, false, false, &SMOOTHED, 0.25f},
        {"v1.0, focal", false, false, false, &FOCAL, 0},
        {"v1.0 without the logits' scale", false, false, true, &PLAIN, 0},
        {"v1.1, cross entropy", true, false, false, &PLAIN, 0},
        {"v1.1, focal, dropout", true, false, false, &FOCAL, 0.25f},
        {"umT5, cross entropy", true, true, false, &PLAIN, 0},
        {"umT5, label smoothing, dropout", true, true, false, &SMOOTHED, 0.25f},
    };
    enum { N = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[N];
    for (int i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){.name = cases[i].name,
                                       .test_func = gradient_is_the_derivative,
                                       .initial_state = &cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
