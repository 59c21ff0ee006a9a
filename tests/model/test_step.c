/* A step over rows on the device against its parts over a batch from the host: gradients, update,
 * micro-batches, the hook's order, and that a device which replays really does. */
#include "model/scene.h"
#include "model/step.h"

enum { HEAD = 3 }; /* words between rows, as an epoch has them */

/* The scene's rows as an epoch keeps them. */
typedef struct store {
    int32_t ids[N_SEQ * HEAD + 2 * MAX_TOKENS];
    int64_t n;
    t5_pack_row rows[N_SEQ];
} store;

static void fill(store *s, const scene *c) {
    *s = (store){0};
    for (int i = 0; i < N_SEQ; i++) {
        int e = c->enc_start[i], d = c->dec_start[i];
        t5_pack_row *r = &s->rows[i];
        for (int k = 0; k < HEAD; k++)
            s->ids[s->n++] = 1000000; /* not an id */
        *r = (t5_pack_row){.at = s->n,
                           .n_input = c->enc_start[i + 1] - e,
                           .n_target = c->dec_start[i + 1] - d,
                           .row = c->row[i]};
        for (int k = 0; k < r->n_input; k++)
            s->ids[s->n++] = c->enc_ids[e + k];
        for (int k = 0; k < r->n_target; k++)
            s->ids[s->n++] = c->labels[d + k];
    }
}

static t5_optim optim_of(int64_t step) {
    return (t5_optim){.lr = 0.01f * (float)step,
                      .beta1 = 0.9f,
                      .beta2 = 0.999f,
                      .eps = 1e-8f,
                      .weight_decay = 0.01f,
                      .clip_norm = 0.5f,
                      .step = step};
}

static t5_step step_of(const store *s, int from, int to, int64_t number) {
    return (t5_step){.rows = s->rows + from,
                     .n_rows = to - from,
                     .loss = SMOOTHED,
                     .scale = 0.25f,
                     .optim = optim_of(number)};
}

static t5_step_result only_result(scene *c) {
    t5_step_result results[T5_STEPS_PENDING];
    t5_error err = {0};
    int n;
    must(t5_model_step_results(c->model, results, &n, &err), &err);
    assert_int_equal(n, 1);
    return results[0];
}

static void assert_same_weights(scene *a, scene *b, double tolerance) {
    float *x = scene_read(a, T5_ARENA_WEIGHT), *y = scene_read(b, T5_ARENA_WEIGHT);
    double largest = 0;
    for (int64_t i = 0; i < t5_model_n_arena(a->model); i++)
        largest = fmax(largest, fabs((double)x[i] - (double)y[i]));
    if (!(largest <= tolerance))
        fail_msg("weights differ by %g", largest);
    free(x);
    free(y);
}

/* ---- bad input ---- */

static void bad_rows_are_refused(void **state) {
    (void)state;
    scene c;
    store s;
    scene_open(&c, false, false);
    const struct {
        int64_t at;
        int32_t n_input, n_target, id;
        const char *says;
    } bad[] = {
        {-1, 3, 2, 1, "at -1"},
        {0, 0, 2, 1, "0 and 2 tokens"},
        {0, 3, 0, 1, "3 and 0 tokens"},
        {100000, 3, 2, 1, "at 100000"},
        {0, 1000, 2, 1, "1000 and 2"},
        {0, 3, 2, 13, "input id 13 at token 0 is not in the vocabulary of 13"},
        {0, 3, 2, -5, "input id -5"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t5_error err = {0};
        fill(&s, &c);
        for (int k = 0; k < 5; k++)
            s.ids[k] = bad[i].id;
        s.rows[2] =
            (t5_pack_row){.at = bad[i].at, .n_input = bad[i].n_input, .n_target = bad[i].n_target};
        must(t5_model_keep_ids(c.model, s.ids, s.n, &err), &err);
        t5_step step = step_of(&s, 0, N_SEQ, 1);
        assert_int_equal(t5_model_step(c.model, &step, &err), T5_ERR_INPUT);
        assert_non_null(strstr(err.text, bad[i].says));
    }
    scene_close(&c);
}

/* ---- what a step computes ---- */

/* Several steps on ids that move in between, against backward and update of the same rows. */
static void a_step_is_its_parts(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        scene c, d;
        store s[2];
        t5_error err = {0};
        scene_open(&c, gated, false);
        scene_open(&d, gated, false);
        for (int64_t i = 1; i <= 8; i++) {
            int from = i % 3 == 0, to = i % 4 == 1 ? 3 : N_SEQ; /* sizes come again */
            int32_t starts[2][N_SEQ + 1];
            double sum, norm;
            t5_optim optim = optim_of(i);
            fill(&s[i % 2], &c);
            t5_step step = step_of(&s[i % 2], from, to, i);
            step.ride[3] = (float)i;
            t5_model_set_dropout(c.model, 0.2f, 3, (uint32_t)i);
            must(t5_model_keep_ids(c.model, s[i % 2].ids, s[i % 2].n, &err), &err);
            must(t5_model_step(c.model, &step, &err), &err);
            t5_input part = scene_part(&d, from, to, starts);
            t5_model_set_dropout(d.model, 0.2f, 3, (uint32_t)i);
            must(t5_model_backward(d.model, &part, &SMOOTHED, 0.25f, true, &err), &err);
            must(t5_model_loss_sum(d.model, &sum, &err), &err);
            must(t5_model_update(d.model, &optim, &norm, &err), &err);
            t5_step_result r = only_result(&c);
            assert_near(r.loss_sum, sum, 1e-5);
            assert_near(r.grad_norm, norm, 1e-5);
            assert_near(r.ride[0], sum, 1e-5);
            assert_true(r.ride[3] == (float)i);
            /* rows of padding change the order of sums, if there are any */
            assert_same_weights(&c, &d, c.dev->replays ? 2e-5 : 0);
        }
        scene_close(&c);
        scene_close(&d);
    }
}

/* Many steps of the same few sizes: replayed from the third on, the same as a step each time. */
static void steps_are_replayed(void **state) {
    (void)state;
    scene c, d;
    store s;
    t5_error err = {0};
    scene_open(&c, true, false);
    scene_open(&d, true, false);
    fill(&s, &c);
    must(t5_model_keep_ids(c.model, s.ids, s.n, &err), &err);
    must(t5_model_keep_ids(d.model, s.ids, s.n, &err), &err);
    for (int64_t i = 1; i <= 12; i++) {
        t5_step step = step_of(&s, 0, i % 2 ? N_SEQ : 2, i);
        t5_model_set_dropout(c.model, 0.2f, 3, (uint32_t)i);
        must(t5_model_step(c.model, &step, &err), &err);
        step.optim.weight_decay = i > 1 ? 0.01f : 0.02f; /* d forgets its replays once */
        t5_model_set_dropout(d.model, 0.2f, 3, (uint32_t)i);
        must(t5_model_step(d.model, &step, &err), &err);
    }
    t5_step_result results[T5_STEPS_PENDING];
    int n;
    must(t5_model_step_results(c.model, results, &n, &err), &err);
    assert_int_equal(n, 12);
    for (int i = 1; i < n; i++)
        assert_true(results[i].loss_sum > 0 && results[i].loss_sum != results[i - 1].loss_sum);
    assert_int_equal(c.dev->given_up, 0);
    assert_int_equal(c.dev->captures, c.dev->replays ? 2 : 0);
    assert_int_equal(c.dev->launches, c.dev->replays ? 10 : 0);
    must(t5_model_step_results(d.model, results, &n, &err), &err);
    scene_close(&c);
    scene_close(&d);
}

static void micro_batches_are_one_step(void **state) {
    (void)state;
    scene c, d;
    store s;
    t5_error err = {0};
    scene_open(&c, false, false);
    scene_open(&d, false, false);
    fill(&s, &c);
    for (int i = 0; i < 2; i++) {
        scene *x = i ? &d : &c;
        t5_step step = step_of(&s, 0, N_SEQ, 1);
        step.micro_batch_tokens = i ? 18 : 0; /* rows of 17, 10 + 7 and 13 tokens */
        t5_model_set_dropout(x->model, 0.2f, 3, 1);
        must(t5_model_keep_ids(x->model, s.ids, s.n, &err), &err);
        must(t5_model_step(x->model, &step, &err), &err);
    }
    t5_step_result whole = only_result(&c), parts = only_result(&d);
    assert_near(parts.loss_sum, whole.loss_sum, 1e-6);
    assert_near(parts.grad_norm, whole.grad_norm, 1e-6);
    scene_close(&c);
    scene_close(&d);
}

/* ---- the hook ---- */

/* Stands for a second rank whose gradients are the same: doubles what it is told of. */
typedef struct twin {
    scene *c;
    int64_t announced;
    int calls, joins;
} twin;

static void twin_ready(void *arg, int64_t first, int64_t n) {
    twin *t = arg;
    assert_true(n > 0 && t->joins == 0);
    assert_int_equal(first, t->announced);
    t->announced += n;
    t->calls++;
}

static void twin_join(void *arg) {
    twin *t = arg;
    t5_device *dev = t->c->dev;
    int64_t n = t5_model_n_arena(t->c->model);
    float *g = malloc((size_t)(n + T5_RIDES) * sizeof *g), *d_g;
    t5_error err = {0};
    assert_non_null(g);
    d_g = t5_model_arena(t->c->model, T5_ARENA_GRAD);
    assert_int_equal(t->announced, n);
    must(dev->ops->to_host(dev, g, d_g, (size_t)(n + T5_RIDES) * sizeof *g, &err), &err);
    for (int64_t i = 0; i < n + T5_RIDES; i++)
        g[i] *= 2;
    dev->ops->to_device(dev, d_g, g, (size_t)(n + T5_RIDES) * sizeof *g);
    free(g);
    t->joins++;
}

static void the_hook_is_between_gradient_and_update(void **state) {
    (void)state;
    scene c, d;
    store s;
    t5_error err = {0};
    scene_open(&c, true, false);
    scene_open(&d, true, false);
    fill(&s, &c);
    must(t5_model_keep_ids(c.model, s.ids, s.n, &err), &err);
    must(t5_model_keep_ids(d.model, s.ids, s.n, &err), &err);
    int calls = 0;
    for (int64_t i = 1; i <= 4; i++) {
        twin t = {.c = &c};
        const t5_grad_hook hook = {twin_ready, twin_join, &t};
        t5_step step = step_of(&s, 0, N_SEQ, i);
        step.ride[1] = 1;
        step.hook = &hook;
        must(t5_model_step(c.model, &step, &err), &err);
        step.hook = NULL;
        step.scale *= 2;
        must(t5_model_step(d.model, &step, &err), &err);
        assert_int_equal(t.joins, 1);
        calls = i == 1 ? t.calls : calls;
        assert_int_equal(t.calls, calls); /* every rank, every step: the same ranges */
        t5_step_result twice = only_result(&c), once = only_result(&d);
        assert_near(twice.ride[0], 2 * once.loss_sum, 1e-5);
        assert_near(twice.grad_norm, once.grad_norm, 1e-5);
        assert_true(twice.ride[1] == 2 && once.ride[1] == 1);
        assert_same_weights(&c, &d, 2e-5);
    }
    scene_close(&c);
    scene_close(&d);
}

/* A rank without rows takes part with zeros, its weights move all the same. */
static void no_rows_are_zeros(void **state) {
    (void)state;
    scene c;
    t5_error err = {0};
    scene_open(&c, false, false);
    twin t = {.c = &c};
    const t5_grad_hook hook = {twin_ready, twin_join, &t};
    t5_step step = {.loss = PLAIN, .scale = 1, .optim = optim_of(1), .ride = {0, 1}, .hook = &hook};
    must(t5_model_step(c.model, &step, &err), &err);
    t5_step_result r = only_result(&c);
    assert_true(r.loss_sum == 0 && r.grad_norm == 0 && r.ride[0] == 0 && r.ride[1] == 2);
    assert_int_equal(t.joins, 1);
    scene_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_rows_are_refused),
        cmocka_unit_test(a_step_is_its_parts),
        cmocka_unit_test(steps_are_replayed),
        cmocka_unit_test(micro_batches_are_one_step),
        cmocka_unit_test(the_hook_is_between_gradient_and_update),
        cmocka_unit_test(no_rows_are_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
