/* A hundred training steps of a random T5-small on the shipped data against the same run of the
 * Transformers Trainer: the losses in curve_t5small_*.txt. make_curve.py says what the runs are,
 * and why there are two.
 *
 *     oracle_test_curve [BACKEND [figures]]        (cpu or cuda)
 *
 * With `figures`, the largest differences are printed. Under a sanitizer only the first steps are
 * made: they are many times slower there. */
#include "backend.h"
#include "base/rng.h"
#include "curve.h"
#include "data/batch.h"
#include "data/tokens.h"
#include "io/file.h"
#include "io/jsonl.h"
#include "model/model.h"
#include "run/trainer.h"
#include "setup/input.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define DEMO T5MPI_SOURCE_DIR "/configs/demo/"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { ROWS = 16, SEED = 42, MAX_INPUT = 128, MAX_TARGET = 32 };
enum { STEPS = 100, WARMUP = 20, STEPS_MADE = SANITIZED ? 5 : 100 };

typedef struct test_case {
    const char *name;
    t5_activation_kind act;
    double peak;  /* learning rate */
    double limit; /* largest relative difference of the loss */
    t5_device *dev;
    curve curve;
    double worst, worst64, noise; /* ours to float32, ours to float64, float32 to float64 */
    int worst_step;
} test_case;

static void ok(t5_status status, const t5_error *err) {
    if (status != T5_OK)
        fail_msg("%s: %s", t5_status_name(status), err->text);
}

/* ---------------------------------------------------------------- the data */

static t5_status append_row(void *user, const char *const *values, const size_t *lengths,
                            t5_error *err) {
    const t5_str input = {values[0], lengths[0]}, target = {values[1], lengths[1]};
    return t5_rows_append(user, input, target, err);
}

static t5_tokenizer *read_tokenizer(void) {
    void *bytes = NULL;
    size_t n = 0;
    t5_tokenizer *tok = NULL;
    t5_error err = {0};
    ok(t5_file_read(DEMO "spiece.model", &bytes, &n, &err), &err);
    ok(t5_tokenizer_create(bytes, n, &tok, &err), &err);
    free(bytes);
    return tok;
}

/* All rows in file order; *vocab: pieces and labels. */
static void read_tokens(t5_tokens *tokens, int *vocab) {
    const t5_jsonl_options json = {.keys = {"sns_text", "emoji_string", NULL}};
    t5_jsonl_report report;
    t5_tokenizer *tok = read_tokenizer();
    t5_rows *rows = NULL;
    t5_labels *labels = NULL;
    t5_error err = {0};
    ok(t5_rows_create(&rows, &err), &err);
    ok(t5_jsonl_read(DEMO "v3like.jsonl", &json, append_row, rows, &report, &err), &err);
    ok(t5_labels_count_rows(rows, &labels, &err), &err);
    ok(t5_tokens_make(rows, tok, labels, MAX_INPUT, MAX_TARGET, tokens, &err), &err);
    *vocab = t5_tokenizer_pieces(tok) + t5_labels_size(labels);
    t5_labels_destroy(labels);
    t5_rows_destroy(rows);
    t5_tokenizer_destroy(tok);
}

/* The batch of a step, which must hold the tokens that the Trainer saw. */
static void fill(t5_batch *batch, const t5_tokens *t, int step, const curve_step *want) {
    t5_error err = {0};
    t5_batch_clear(batch);
    for (int64_t i = (int64_t)step * ROWS; i < (int64_t)(step + 1) * ROWS; i++) {
        const int64_t in = t->input_start[i], target = t->target_start[i];
        ok(t5_batch_append(batch, t->input + in, (int)(t->input_start[i + 1] - in),
                           t->target + target, (int)(t->target_start[i + 1] - target), 0,
                           (uint32_t)i, &err),
           &err);
    }
    uint64_t hash = curve_hash(curve_hash_start, batch->enc_ids, batch->n_enc);
    hash = curve_hash(hash, batch->labels, batch->n_dec);
    if (batch->n_enc != want->n_enc || batch->n_dec != want->n_dec || hash != want->hash)
        fail_msg("step %d: other tokens than the Trainer had", step);
}

/* ---------------------------------------------------------------- the model */

static const t5_param *find_param(const t5_model *model, const char *name) {
    for (int i = 0; i < t5_model_n_params(model); i++)
        if (strcmp(t5_model_param(model, i)->name, name) == 0)
            return t5_model_param(model, i);
    fail_msg("the model has no %s", name);
    return NULL;
}

/* Initial weights by the curve's own numbers of parameters: what order the model keeps them in does
 * not matter. */
static t5_model *make_model(const test_case *c, int vocab) {
    const t5_shape shape = {.vocab = vocab,
                            .d_model = 512,
                            .d_kv = 64,
                            .d_ff = 2048,
                            .heads = 8,
                            .enc_layers = 6,
                            .dec_layers = 6,
                            .buckets = 32,
                            .max_distance = 128,
                            .act = c->act,
                            .tied = true,
                            .eps = 1e-6F,
                            .pad_id = 0,
                            .eos_id = 1,
                            .start_id = 0};
    t5_model *model = NULL;
    t5_error err = {0};
    ok(t5_model_create(c->dev, &shape, false, true, &model, &err), &err);
    assert_int_equal(t5_model_n_params(model), c->curve.n_params);
    for (int i = 0; i < c->curve.n_params; i++) {
        const float deviation = c->curve.param[i].deviation;
        const t5_param *p = find_param(model, c->curve.param[i].name);
        const int64_t n = p->rows * p->cols;
        float *values = malloc((size_t)n * sizeof *values);
        assert_non_null(values);
        t5_rng_normal(SEED, (uint32_t)T5_RNG_INIT | (uint32_t)i, 0, (uint64_t)n, values);
        for (int64_t j = 0; j < n; j++)
            values[j] = deviation > 0 ? deviation * values[j] : 1;
        ok(t5_model_write(model, T5_ARENA_WEIGHT, p->offset, n, values, &err), &err);
        free(values);
    }
    t5_model_set_dropout(model, 0, 0, 0);
    return model;
}

/* One step; the mean loss before it. */
static double train_step(t5_model *model, const t5_batch *b, int step, double rate) {
    const t5_input in = t5_input_of(b);
    const t5_loss_settings smooth = {.smoothing = 0.1F, .alpha = 1};
    const t5_optim optim = {.lr = (float)rate,
                            .beta1 = 0.9F,
                            .beta2 = 0.999F,
                            .eps = 1e-8F,
                            .weight_decay = 0.01F,
                            .clip_norm = 1,
                            .step = step + 1};
    double sum = 0;
    t5_error err = {0};
    ok(t5_model_backward(model, &in, &smooth, 1 / (float)in.n_dec, true, &err), &err);
    ok(t5_model_update(model, &optim, NULL, &err), &err);
    ok(t5_model_loss_sum(model, &sum, &err), &err);
    return sum / in.n_dec;
}

/* ---------------------------------------------------------------- tests */

static bool parses(const char *text) {
    static curve room;
    FILE *f = fmemopen((void *)text, strlen(text), "r");
    assert_non_null(f);
    const bool good = curve_parse(f, &room);
    fclose(f);
    return good;
}

static void bad_curves_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "# nothing\n",
        "param a 1\n",
        "step 0 1 1 0a 8 8\n",
        "param a\nstep 0 1 1 0a 8 8\n",
        "param a -1\nstep 0 1 1 0a 8 8\n",
        "param a 1 1\nstep 0 1 1 0a 8 8\n",
        "param a 1\nstep 0 1 1 0a 8\n",
        "param a 1\nstep 0 1 1 0a nan 8\n",
        "param a 1\nstep 0 1 1 0a 8 0\n",
        "param a 1\nstep 0 1 1 0a 8 8 8\n",
        "param a 1\nstep 0 1 1 0a 8 8",
        "param a 1\nsteps 0 1 1 0a 8 8\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parses(bad[i]))
            fail_msg("taken for a curve: %s", bad[i]);
    assert_true(parses("# fine\nparam a 1\nstep 0 1 1 0a 8 8\n"));
}

static void note(double x, double ref, double *worst) {
    *worst = fmax(*worst, fabs(x - ref) / ref);
}

static void losses_are_the_trainers(void **state) {
    test_case *c = *state;
    t5_tokens tokens;
    t5_batch batch;
    int vocab = 0;
    read_tokens(&tokens, &vocab);
    assert_int_equal(c->curve.n_steps, STEPS);
    assert_true(tokens.n >= STEPS * ROWS);
    t5_model *model = make_model(c, vocab);
    t5_batch_init(&batch);
    if (STEPS_MADE < STEPS)
        print_message("%s: only %d of %d steps under a sanitizer\n", c->name, STEPS_MADE, STEPS);
    for (int step = 0; step < STEPS_MADE; step++) {
        const curve_step *want = &c->curve.step[step];
        const double before = c->worst;
        const double rate = t5_learning_rate(c->peak, step, WARMUP, STEPS);
        if (!(fabs(rate - want->rate) <= 1e-7 * c->peak))
            fail_msg("step %d: rate %.9g, the Trainer's %.9g", step, rate, want->rate);
        fill(&batch, &tokens, step, want);
        const double loss = train_step(model, &batch, step, rate);
        assert_true(isfinite(loss));
        note(loss, want->loss, &c->worst);
        note(loss, want->loss64, &c->worst64);
        note(want->loss, want->loss64, &c->noise);
        if (c->worst > before)
            c->worst_step = step;
    }
    t5_batch_free(&batch);
    t5_tokens_free(&tokens);
    t5_model_destroy(model);
    if (c->worst > c->limit)
        fail_msg("step %d: the loss differs by %.2g, more than %.0e", c->worst_step, c->worst,
                 c->limit);
}

/* ---------------------------------------------------------------- main */

static bool read_curve(const char *name, curve *c) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/oracle/curve_t5small_%s.txt", T5MPI_SOURCE_DIR, name);
    FILE *f = fopen(path, "r");
    const bool good = f && curve_parse(f, c);
    if (!good)
        fprintf(stderr, "%s: not a readable curve\n", path);
    if (f)
        fclose(f);
    return good;
}

int main(int argc, char **argv) {
    /* gelu: without a kink the programs stay much closer than they must, so that a slight change
     * of an optimiser's constant shows, too */
    static test_case cases[] = {
        {.name = "relu", .act = T5_ACTIVATION_RELU, .peak = 5e-6, .limit = 1e-4},
        {.name = "gelu", .act = T5_ACTIVATION_GATED_GELU, .peak = 3e-4, .limit = 1e-5}};
    enum { N_CASES = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[1 + N_CASES] = {cmocka_unit_test(bad_curves_are_refused)};
    t5_device *dev = backend_open(argc > 1 ? argv[1] : "cpu");
    int failed = 1;
    if (!dev)
        goto done;
    for (int i = 0; i < N_CASES; i++) {
        test_case *c = &cases[i];
        c->dev = dev;
        if (!read_curve(c->name, &c->curve))
            goto done;
        tests[1 + i] = (struct CMUnitTest){
            .name = c->name, .test_func = losses_are_the_trainers, .initial_state = c};
    }
    failed = cmocka_run_group_tests_name("curve", tests, NULL, NULL);
    for (int i = 0; argc > 2 && strcmp(argv[2], "figures") == 0 && i < N_CASES; i++)
        printf("%s: largest relative difference of the loss to the Trainer in float32 %.2g (step "
               "%d), in float64 %.2g; between those two %.2g\n",
               cases[i].name, cases[i].worst, cases[i].worst_step, cases[i].worst64,
               cases[i].noise);
done:
    t5_device_close(dev);
    return failed;
}
