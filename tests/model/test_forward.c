/* Forward passes: what is refused, logits and losses against the plain double-precision T5, and
 * that a batch is no more than its sequences. */
#include "model/scene.h"

static const double F32_LIMIT = 1e-5, BF16_LIMIT = 3e-2;

/* Changes one thing of a good batch. The batch's arrays are the scene's, free to be spoilt. */
static void id_below(scene *c) {
    c->enc_ids[3] = -1;
}
static void id_above(scene *c) {
    c->enc_ids[0] = 13;
}
static void decoder_id_above(scene *c) {
    c->dec_ids[16] = 13;
}
static void label_below(scene *c) {
    c->labels[16] = -100;
}
static void label_above(scene *c) {
    c->labels[0] = INT32_MAX;
}
static void empty_input(scene *c) {
    c->enc_start[1] = 15;
    c->enc_start[2] = 15;
}
static void start_not_zero(scene *c) {
    c->enc_start[0] = 1;
}
static void end_too_early(scene *c) {
    c->dec_start[N_SEQ] = 16;
}
static void starts_go_back(scene *c) {
    c->dec_start[1] = 13;
}
static void negative_sequences(scene *c) {
    c->in.n_seq = -1;
}
static void negative_tokens(scene *c) {
    c->in.n_enc = -5;
}

static void bad_batches_are_refused(void **state) {
    (void)state;
    static const struct {
        void (*spoil)(scene *);
        const char *says;
    } bad[] = {
        {id_below, "input id -1"},
        {id_above, "input id 13"},
        {decoder_id_above, "decoder id 13"},
        {label_below, "label -100"},
        {label_above, "label 2147483647"},
        {empty_input, "input sequence 1 has 0"},
        {start_not_zero, "input sequences"},
        {end_too_early, "target sequences"},
        {starts_go_back, "target sequence 1 has -1"},
        {negative_sequences, "-1 sequences"},
        {negative_tokens, "-5"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        scene c;
        t5_error err = {0};
        scene_open(&c, false, false);
        bad[i].spoil(&c);
        assert_int_equal(t5_model_evaluate(c.model, &c.in, &PLAIN, true, NULL, &err), T5_ERR_INPUT);
        if (!strstr(err.text, bad[i].says))
            fail_msg("\"%s\" is not in: %s", bad[i].says, err.text);
        err = (t5_error){0};
        assert_int_equal(t5_model_backward(c.model, &c.in, &PLAIN, 1, true, &err), T5_ERR_INPUT);
        scene_close(&c);
    }
}

static void compare_with_reference(bool gated, bool bf16, double limit) {
    const t5_loss_settings *losses[] = {&PLAIN, &SMOOTHED, &FOCAL};
    scene c;
    t5_error err = {0};
    scene_open(&c, gated, bf16);
    /* Evaluation knows no dropout. */
    t5_model_set_dropout(c.model, 0.5f, 1, 2);
    ref_t5 r = scene_reference(&c);
    int64_t n = (int64_t)c.in.n_dec * t5_model_shape(c.model)->vocab;
    double *expected = ref_alloc(n);
    float *logits = malloc((size_t)n * sizeof *logits);
    assert_non_null(logits);
    for (int i = 0; i < 3; i++) {
        double sum, expected_sum = ref_loss(&r, &c.in, 0, c.in.n_seq, losses[i], expected);
        must(t5_model_evaluate(c.model, &c.in, losses[i], true, logits, &err), &err);
        must(t5_model_loss_sum(c.model, &sum, &err), &err);
        assert_near(sum, expected_sum, limit);
        assert_true(relative_error(logits, expected, n) <= limit);
    }
    free(logits);
    free(expected);
    free(r.w);
    scene_close(&c);
}

static void float32_is_near_the_reference(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++)
        compare_with_reference(gated, false, F32_LIMIT);
}

static void bfloat16_is_near_the_reference(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++)
        compare_with_reference(gated, true, BF16_LIMIT);
}

/* Logits and losses of a packed batch are those of its sequences run one by one; the accumulator
 * adds up until it is told to start again. */
static void a_batch_is_its_sequences(void **state) {
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        scene c;
        t5_error err = {0};
        scene_open(&c, gated, false);
        int vocab = t5_model_shape(c.model)->vocab;
        float together[MAX_TOKENS * 13], alone[MAX_TOKENS * 13];
        double sum, expected;
        must(t5_model_evaluate(c.model, &c.in, &SMOOTHED, true, together, &err), &err);
        must(t5_model_loss_sum(c.model, &expected, &err), &err);
        for (int i = 0; i < N_SEQ; i++) {
            int32_t starts[2][N_SEQ + 1];
            t5_input part = scene_part(&c, i, i + 1, starts);
            must(t5_model_evaluate(c.model, &part, &SMOOTHED, i == 0, alone, &err), &err);
            const float *same = together + c.dec_start[i] * vocab;
            for (int j = 0; j < part.n_dec * vocab; j++)
                assert_true(fabsf(alone[j] - same[j]) <= 1e-5f * (1 + fabsf(same[j])));
        }
        must(t5_model_loss_sum(c.model, &sum, &err), &err);
        assert_near(sum, expected, 1e-6);
        scene_close(&c);
    }
}

/* Rows of the generation kind (no target) among others are fine, and so is a batch of nothing. */
static void empty_targets_and_batches(void **state) {
    (void)state;
    scene c;
    t5_error err = {0};
    double sum;
    scene_open(&c, false, false);
    ref_t5 r = scene_reference(&c);
    c.dec_start[1] = 0; /* the first row's targets go to the second */
    must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, NULL, &err), &err);
    must(t5_model_loss_sum(c.model, &sum, &err), &err);
    assert_near(sum, ref_loss(&r, &c.in, 0, N_SEQ, &PLAIN, NULL), F32_LIMIT);

    const t5_input nothing = {0};
    double same;
    must(t5_model_evaluate(c.model, &nothing, &PLAIN, false, NULL, &err), &err);
    must(t5_model_loss_sum(c.model, &same, &err), &err);
    assert_true(same == sum);
    must(t5_model_evaluate(c.model, &nothing, &PLAIN, true, NULL, &err), &err);
    must(t5_model_loss_sum(c.model, &same, &err), &err);
    assert_true(same == 0);
    free(r.w);
    scene_close(&c);
}

/* Whatever a pass leaves in the work memory, the next one gives the same bits as in fresh memory.
 */
static void passes_leave_nothing_behind(void **state) {
    (void)state;
    scene c;
    t5_error err = {0};
    float first[MAX_TOKENS * 13], again[MAX_TOKENS * 13];
    scene_open(&c, true, false);
    size_t bytes = (size_t)c.in.n_dec * 13 * sizeof *first;
    must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, first, &err), &err);
    int32_t starts[2][N_SEQ + 1];
    t5_input part = scene_part(&c, 1, 3, starts);
    t5_model_set_dropout(c.model, 0.5f, 1, 2);
    must(t5_model_backward(c.model, &part, &FOCAL, 1, true, &err), &err);
    must(t5_model_backward(c.model, &c.in, &FOCAL, 1, true, &err), &err);
    size_t allocated = c.dev->allocated;
    must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, again, &err), &err);
    assert_memory_equal(first, again, bytes);
    assert_int_equal(c.dev->allocated, allocated);
    scene_close(&c);
}

/* A number that is none ends up in the loss, where the trainer looks for it. */
static void nan_shows_in_the_loss(void **state) {
    (void)state;
    scene c;
    t5_error err = {0};
    double sum;
    float nan = NAN;
    scene_open(&c, false, false);
    const t5_param *p = t5_model_param(c.model, 0);
    must(t5_model_write(c.model, T5_ARENA_WEIGHT, p->offset, 1, &nan, &err), &err);
    must(t5_model_evaluate(c.model, &c.in, &PLAIN, true, NULL, &err), &err);
    must(t5_model_loss_sum(c.model, &sum, &err), &err);
    assert_true(isnan(sum));
    scene_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_batches_are_refused),
        cmocka_unit_test(float32_is_near_the_reference),
        cmocka_unit_test(bfloat16_is_near_the_reference),
        cmocka_unit_test(a_batch_is_its_sequences),
        cmocka_unit_test(empty_targets_and_batches),
        cmocka_unit_test(passes_leave_nothing_behind),
        cmocka_unit_test(nan_shows_in_the_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
